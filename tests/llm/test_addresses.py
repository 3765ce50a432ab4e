"""Typed addresses: one plain form, public https unless the operator named the host, and each answer of the resolver."""

from __future__ import annotations

import json
import time
from ipaddress import ip_address
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from webapp.llm.addresses import AddressRefused, Endpoint, is_public, judge, named_hosts, permit

SHARED = Path(__file__).resolve().parents[3] / "shared" / "vectors" / "ssrf" / "must_block.json"
VECTORS = json.loads(SHARED.read_text("utf-8")) if SHARED.exists() else {"must_block": [], "allow_example": []}

PUBLIC = "93.184.215.14"
# Public names that are known to lead inside: what their resolvers answer.
LEADING_INSIDE = {
    "127.0.0.1.nip.io": "127.0.0.1",
    "169.254.169.254.nip.io": "169.254.169.254",
    "localtest.me": "127.0.0.1",
    "lvh.me": "127.0.0.1",
    "spoofed.burpcollaborator.net": "127.0.0.1",
    "0177.0.0.1.sslip.io": "127.0.0.1",
}


def goes_out(url: str, named: str = "", answers: dict[str, str] | None = None) -> bool:
    """Whether a connection would be made, if every name there is led to a public address."""
    try:
        endpoint = judge(url, named_hosts(named))
        permit(endpoint, [(answers or {}).get(endpoint.host) or literal(endpoint.host) or PUBLIC])
    except AddressRefused:
        return False
    return True


def literal(host: str) -> str:
    try:
        return str(ip_address(host))
    except ValueError:
        return ""


def refusal(url: str, named: str = "") -> str:
    with pytest.raises(AddressRefused) as refused:
        judge(url, named_hosts(named))
    return str(refused.value)


# --- what is taken ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("https://api.example.org/v1", Endpoint("https", "api.example.org", 443, "/v1")),
        ("HTTPS://API.Example.ORG/v1/", Endpoint("https", "api.example.org", 443, "/v1")),
        ("https://llm.example.org", Endpoint("https", "llm.example.org", 443)),
        ("https://llm.example.org:443/", Endpoint("https", "llm.example.org", 443)),
        ("https://llm.example.org:8443/team-a/v1", Endpoint("https", "llm.example.org", 8443, "/team-a/v1")),
        ("https://xn--bcher-kva.example.org/v1", Endpoint("https", "xn--bcher-kva.example.org", 443, "/v1")),
        ("https://8.8.8.8/v1", Endpoint("https", "8.8.8.8", 443, "/v1")),
        ("https://[2606:4700:0:0::1111]:4000/v1", Endpoint("https", "2606:4700::1111", 4000, "/v1")),
        ("https://account.eu/v1/@cf/~me:a+b,c=d", Endpoint("https", "account.eu", 443, "/v1/@cf/~me:a+b,c=d")),
    ],
)
def test_a_plain_public_https_address_is_read(typed: str, read: Endpoint) -> None:
    assert judge(typed) == read


def test_an_endpoint_is_written_in_its_only_form() -> None:
    there = judge("HTTPS://LLM.Example.org:443/v1/")
    assert (there.url, there.authority) == ("https://llm.example.org/v1", "llm.example.org")
    six = judge("https://[2606:4700::1111]:4000")
    assert (six.url, six.authority) == ("https://[2606:4700::1111]:4000", "[2606:4700::1111]:4000")
    assert judge(six.url) == six
    assert there.origin_at(ip_address("8.8.8.8")) == "https://8.8.8.8:443"
    assert there.origin_at(ip_address("2606:4700::1")) == "https://[2606:4700::1]:443"


# --- what is refused, and the sentence --------------------------------------------------------------------------

SENTENCES = {
    "": "must begin with https://",
    "llm.example.org": "must begin with https://",
    "llm.example.org:8443/v1": "must begin with https://",
    "https:llm.example.org": "must begin with https://",
    "https:/llm.example.org": "must begin with https://",
    "//llm.example.org/": "must begin with https://",
    "ftp://llm.example.org/": "ftp is not spoken here",
    "file:///etc/passwd": "file is not spoken here",
    "javascript:alert(1)": "javascript is not spoken here",
    "http+unix://%2Fvar%2Frun%2Fdocker.sock/": "http+unix is not spoken here",
    "http://llm.example.org/v1": "Plain http is only for hosts that the operator named",
    "https:///v1": "not a name or an IP address",
    "https://:443/": "not a name or an IP address",
    "https://me:pass@llm.example.org/": "user name or password",
    "https://@llm.example.org/": "user name or password",
    "https://llm.example.org:443:80/": "at most one port",
    "https://llm.example.org:/": "not a name or an IP address",
    "https://llm.example.org:0/": "from 1 to 65535",
    "https://llm.example.org:-1/": "not a name or an IP address",
    "https://llm.example.org:00443/": "from 1 to 65535",
    "https://llm.example.org:65536/": "from 1 to 65535",
    "https://llm.example.org:99999999999999999999/": "from 1 to 65535",
    "https://llm.example.org:22/": "Port 22 is not one of a web server",
    "https://llm.example.org:25/": "Port 25 is not one of a web server",
    "https://llm.example.org./": "ends with a dot",
    "https://llm..example.org/": "not a name that can exist",
    "https://-llm.example.org/": "not a name that can exist",
    f"https://{'a' * 64}.org/": "not a name that can exist",
    "https://" + ".".join(["a" * 60] * 4) + ".example.org/": "not a name that can exist",
    "https://llm.example.org%2eevil.org/": "a % sign",
    "https://[fe80::1%25eth0]/": "a % sign",
    "https://[::1%lo]/": "a % sign",
    "https://[2606:4700::1111/": "not a name or an IP address",
    "https://[v1.a]/": "not a name or an IP address",
    "https://[8.8.8.8]/": "Brackets are for IPv6",
    "https://[2606:4700]/": "not an IPv6 address",
    "https://2606:4700::1111/": "at most one port",
    "https://llm.example.org?x": "no ? and no #",
    "https://llm.example.org#x": "no ? and no #",
    "https://llm.example.org/v1?key=1": "no ? and no #",
    "https://llm.example.org\\@evil.org/": "a backslash",
    "https://llm.example.org/\\evil": "a backslash",
    " https://llm.example.org/": "a space or a control character",
    "https://llm.example.org /": "a space or a control character",
    "https://llm.example.org\t/": "a space or a control character",
    "https://llm.example.org\r\nHost: evil.org": "a space or a control character",
    "https://llm.example.org\x7f/": "a space or a control character",
    "https://llm.example.org/../admin": "Its path",
    "https://llm.example.org/./v1": "Its path",
    "https://llm.example.org//v1": "Its path",
    "https://llm.example.org/%2e%2e/v1": "Its path",
    "https://llm.example.org/v1;x": "Its path",
    "https://llm.exampl\u0435.org/": "outside of ASCII",
    "https://①②⑦.⓪.⓪.①/": "outside of ASCII",
    "https://127。0。0。1/": "outside of ASCII",
    "https://loc\u00adalhost/": "outside of ASCII",
    "https://2130706433/": "four plain numbers",
    "https://0x7f000001/": "four plain numbers",
    "https://0x7f.0.0.1/": "four plain numbers",
    "https://0177.0.0.1/": "four plain numbers",
    "https://127.000.000.001/": "four plain numbers",
    "https://127.1/": "four plain numbers",
    "https://8.8.8/": "four plain numbers",
    "https://1.2.3.4.5/": "four plain numbers",
    "https://256.1.1.1/": "four plain numbers",
    "https://llm.example.0x/": "four plain numbers",
    "https://127.0.0.1/": "private or reserved network",
    "https://169.254.169.254/latest/": "private or reserved network",
    "https://[::ffff:7f00:1]/": "private or reserved network",
    "https://localhost/": "private or reserved network",
    "https://localhost:11434/v1": "private or reserved network",
    "https://ollama/": "private or reserved network",
    "https://metadata.google.internal/": "private or reserved network",
    "https://printer.local/": "private or reserved network",
    "https://nas.home.arpa/": "private or reserved network",
    "https://llm.corp/": "private or reserved network",
    "https://evil.example/": "private or reserved network",
    "https://llm.example.org/" + "a" * 300: "longer than 300 characters",
}


@pytest.mark.parametrize("url", SENTENCES)
def test_what_is_odd_or_closed_is_refused_with_a_sentence(url: str) -> None:
    assert SENTENCES[url] in refusal(url)


@pytest.mark.parametrize("url", VECTORS["must_block"])
def test_nothing_on_the_list_goes_out_whatever_its_scheme(url: str) -> None:
    assert not goes_out(url, answers=LEADING_INSIDE)
    tail = url.removeprefix("http://")
    assert not goes_out(f"https://{tail}" if tail != url else url, answers=LEADING_INSIDE)


@pytest.mark.parametrize("url", VECTORS["must_block"])
def test_nothing_on_the_list_goes_out_because_another_host_was_named(url: str) -> None:
    assert not goes_out(url, "ollama.internal:11434,10.0.0.5:8000", LEADING_INSIDE)


@pytest.mark.parametrize("url", [*VECTORS["allow_example"], "https://llm.example.org/v1"])
def test_what_is_public_goes_out(url: str) -> None:
    assert goes_out(url)


# --- addresses --------------------------------------------------------------------------------------------------

CLOSED = """
0.0.0.0 0.1.2.3 10.0.0.1 10.255.255.255 100.64.0.1 100.100.100.200 100.127.255.255 127.0.0.1 127.255.255.254
168.63.129.16 169.254.0.1 169.254.169.254 169.254.170.2 172.16.0.1 172.31.255.255 192.0.0.1 192.0.0.192 192.0.2.1
192.88.99.1 192.168.0.1 198.18.0.1 198.19.255.255 198.51.100.1 203.0.113.1 224.0.0.1 239.255.255.255 240.0.0.1
255.255.255.255 :: ::1 ::2 ::127.0.0.1 ::ffff:127.0.0.1 ::ffff:0:127.0.0.1 ::ffff:10.0.0.1 64:ff9b::7f00:1
64:ff9b::a9fe:a9fe 64:ff9b:1::7f00:1 64:ff9b:1::808:808 100::1 2001:: 2001:0:7f00:1::80ff:fffe
2001:0:808:808::80ff:fffe 2001:0:7f00:1::f7f7:f7f7 2001:2::1 2001:10::1 2001:db8::1 2002:7f00:1:: 2002:a9fe:a9fe::1
2002:a00:1::1 3fff::1 4000::1 5f00::1 fc00::1 fd00:ec2::254 fd12:3456::1 fe80::1 fec0::1 ff02::1 ff0e::1
"""
OPEN = """
1.1.1.1 8.8.8.8 93.184.215.14 100.63.255.255 100.128.0.1 172.15.255.255 172.32.0.1 169.253.1.1 192.167.1.1 192.169.1.1
198.17.1.1 198.20.0.1 223.255.255.254 2606:4700::1111 2a00:1450::1 2003::1 ::ffff:8.8.8.8 64:ff9b::808:808
2002:808:808::1 2001:0:808:808::f7f7:f7f7
"""


@pytest.mark.parametrize("address", CLOSED.split())
def test_a_closed_address_is_not_public_by_itself_or_in_any_wrapping(address: str) -> None:
    there = ip_address(address)
    assert not is_public(there)
    if there.version == 4:
        high, low = divmod(int(there), 1 << 16)
        for wrapping in (f"::ffff:{there}", f"64:ff9b::{there}", f"::{there}", f"2002:{high:x}:{low:x}::1"):
            assert not is_public(ip_address(wrapping)), wrapping
        teredo = (0x20010000 << 96) | (0x08080808 << 64) | (int(there) ^ 0xFFFFFFFF)
        assert not is_public(ip_address(teredo))


@pytest.mark.parametrize("address", OPEN.split())
def test_an_open_address_is_public(address: str) -> None:
    assert is_public(ip_address(address))


def test_every_answer_must_be_open() -> None:
    there = judge("https://llm.example.org/v1")
    answers = ["8.8.8.8", "2606:4700::1111", "8.8.8.8"]
    assert [str(a) for a in permit(there, answers)] == ["8.8.8.8", "2606:4700::1111"]
    for bad in (["8.8.8.8", "10.0.0.5"], ["::1", "8.8.8.8"], ["fe80::1%eth0"], ["nonsense"], ["8.8.8.8", ""], []):
        with pytest.raises(AddressRefused, match=r"llm\.example\.org leads to a private or reserved network"):
            permit(there, bad)


# --- what the operator names ------------------------------------------------------------------------------------


def test_named_hosts_are_read_as_addresses_are() -> None:
    named = named_hosts(" ollama.internal:11434, 10.0.0.5:8000,[FD12:0::1]:8000 , LocalHost:1234,")
    assert named == {("ollama.internal", 11434), ("10.0.0.5", 8000), ("fd12::1", 8000), ("localhost", 1234)}
    assert named_hosts("") == frozenset()


@pytest.mark.parametrize(
    "entry",
    [
        "ollama.internal",
        "ollama.internal:0",
        "http://ollama.internal:11434",
        "ollama.internal:11434/v1",
        "me@ollama.internal:11434",
        "*.internal:11434",
        "10.0.0.0/8",
        "10.0.0.5",
        "2130706433:80",
        "fd12::1:8000",
        "ollama.internal:11434 10.0.0.5:8000",
        "169.254.169.254:80",
        "100.100.100.200:80",
        "[fd00:ec2::254]:80",
        "0.0.0.0:8000",
        "[::]:8000",
        "[::ffff:a9fe:a9fe]:80",
    ],
)
def test_what_names_no_server_is_not_taken_from_the_operator(entry: str) -> None:
    with pytest.raises(AddressRefused):
        named_hosts(f"localhost:1234,{entry}")


def test_a_named_host_may_be_private_and_speak_http_on_that_port_only() -> None:
    named = "ollama.internal:11434,10.0.0.5:8000,localhost:80"
    inside = {"ollama.internal": "10.1.2.3", "localhost": "127.0.0.1"}
    for url in (
        "http://ollama.internal:11434/v1",
        "https://ollama.internal:11434",
        "http://OLLAMA.internal:11434",
        "http://10.0.0.5:8000",
        "http://localhost/v1",
    ):
        assert goes_out(url, named, inside), url
        assert judge(url, named_hosts(named)).named
    for url in (
        "http://ollama.internal/v1",
        "http://ollama.internal:11435/v1",
        "https://ollama.internal/v1",
        "http://10.0.0.5/v1",
        "http://10.0.0.6:8000/v1",
        "http://a.ollama.internal:11434/v1",
        "https://localhost/v1",
        "http://localhost@10.0.0.5:8000/v1",
        "http://ollama.internal:11434@evil.org/v1",
    ):
        assert not goes_out(url, named, inside), url


@pytest.mark.parametrize("answer", ["127.0.0.1", "10.0.0.5", "192.168.1.9", "100.64.0.9", "fd12::1", "::1", "8.8.8.8"])
def test_a_named_host_may_lead_inside(answer: str) -> None:
    there = judge("http://ollama.internal:11434", named_hosts("ollama.internal:11434"))
    assert [str(a) for a in permit(there, [answer])] == [answer]


@pytest.mark.parametrize(
    "answer",
    [
        "169.254.169.254",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "100.100.100.200",
        "168.63.129.16",
        "fd00:ec2::254",
        "fe80::1",
        "0.0.0.0",
        "::",
        "224.0.0.1",
        "ff02::1",
        "240.0.0.1",
        "255.255.255.255",
    ],
)
def test_nor_does_a_named_host_lead_to_the_clouds_own_services(answer: str) -> None:
    there = judge("http://ollama.internal:11434", named_hosts("ollama.internal:11434"))
    with pytest.raises(AddressRefused, match="reserved for the network itself"):
        permit(there, ["10.0.0.5", answer])


# --- anything ---------------------------------------------------------------------------------------------------

odd = st.text(st.sampled_from("htps:/.@[]%#?\\0123456789abcdefx-_ \t\n\u2488１。localhostexampleorg"), max_size=60)


@settings(max_examples=400, deadline=None)
@given(st.one_of(odd, st.builds("https://{}".format, odd), st.text(max_size=80)))
def test_anything_is_judged_or_refused_and_what_is_judged_stays_so(url: str) -> None:
    try:
        there = judge(url)
    except AddressRefused:
        return
    assert there.scheme == "https"
    assert judge(there.url) == there
    assert there.url.isascii()


@settings(max_examples=400, deadline=None)
@given(st.one_of(st.ip_addresses(), st.ip_addresses(network="2001::/23"), st.ip_addresses(network="2002::/16")))
def test_an_address_that_the_registries_close_is_never_public(address: object) -> None:
    there = ip_address(str(address))
    if is_public(there) and (there.version == 4 or not str(there).startswith(("2001:", "2002:", "64:ff9b::"))):
        assert there.is_global


@pytest.mark.parametrize(
    "long", ["a" * 10**6, "https://" + "a." * 150, "https://" + "1" * 290, "https://[" + ":" * 280]
)
def test_judging_takes_no_time(long: str) -> None:
    began = time.perf_counter()
    with pytest.raises(AddressRefused):
        judge(long)
    assert time.perf_counter() - began < 0.05
