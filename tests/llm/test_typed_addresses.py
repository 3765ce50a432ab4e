"""Servers at addresses that people type: resolved once, judged, connected to by number, and given nothing to play with.

The servers are real, on loopback. The resolver is passed in, and the operator has named what a test may reach.
"""

from __future__ import annotations

import gzip
import json
import socket
import subprocess
import sys
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from tests.llm.upstream import OK, Line, Upstream, answer, close, self_signed, whole
from webapp.llm.addresses import Host
from webapp.llm.blocks import Message, Text
from webapp.llm.client import Client
from webapp.llm.errors import Fault, Kind, ProviderError
from webapp.llm.events import Event, Finish, TextDelta
from webapp.llm.providers import SELF_HOSTED, Provider
from webapp.llm.request import ModelRequest
from webapp.secret import Secret

KEY = Secret("token-CANARY-0123456789")
NONE = Secret("")
ASKED = ModelRequest("qwen3:8b", (Message("user", (Text("Hello"),)),))
NAME = "llm.acme.org"
PUBLIC = "93.184.215.14"
ROOT = Path(__file__).resolve().parents[2]

CHUNKS = (
    {"choices": [{"index": 0, "delta": {"role": "assistant", "content": "Hi"}, "finish_reason": None}]},
    {"choices": [{"index": 0, "delta": {}, "finish_reason": "length"}]},
)
SAID = "".join(f"data: {json.dumps({'id': 'c', 'model': 'qwen3:8b', **c})}\n\n" for c in CHUNKS) + "data: [DONE]\n\n"
MODELS = {"object": "list", "data": [{"id": "nomic-embed-text"}, {"id": "qwen3:8b", "object": "model"}]}


def serve(line: Line) -> None:
    listing = json.dumps(MODELS).encode()
    line.send(answer(200, listing) if "/models" in line.request.line else whole(SAID.encode()))


class Resolver:
    """Answers in turn what it was given, the last for ever, and remembers what it was asked."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self._answers = list(answers)
        self.asked: list[Host] = []

    def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append((host, port))
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


@contextmanager
def client(
    resolver: Callable[[str, int], Sequence[str]], *named: Host, proxy: str = "", certificate: Path | None = None
) -> Iterator[Client]:
    made = Client(
        idle_timeout=1.0,
        total_timeout=5.0,
        connect_timeout=0.5,
        proxy=proxy,
        named_hosts=frozenset(named),
        resolve=resolver,
    )
    if certificate:
        made._session(SELF_HOSTED).verify = str(certificate)
    yield made
    made.close()


def at(url: str) -> Provider:
    return replace(SELF_HOSTED, base_url=url)


def heard(made: Client, url: str, key: Secret = KEY) -> tuple[list[Event], Fault | None]:
    events: list[Event] = []
    try:
        events.extend(made.stream(at(url), ASKED, key))
    except ProviderError as error:
        return events, error.fault
    return events, None


def fault(made: Client, url: str, key: Secret = KEY) -> Fault:
    _, found = heard(made, url, key)
    assert found is not None
    return found


# --- reaching it ------------------------------------------------------------------------------------------------


def test_a_named_host_is_asked_at_the_address_behind_it_under_its_own_name() -> None:
    resolver = Resolver(["127.0.0.1"])
    with Upstream(serve) as server, client(resolver, (NAME, server.port)) as made:
        events, failed = heard(made, f"http://{NAME}:{server.port}/v1")
        assert failed is None
        assert [e.text for e in events if isinstance(e, TextDelta)] == ["Hi"]
        assert isinstance(events[-1], Finish)
        (request,) = server.requests
        assert request.line == "POST /v1/chat/completions HTTP/1.1"
        assert request.headers["host"] == f"{NAME}:{server.port}"
        assert request.headers["authorization"] == f"Bearer {KEY.expose()}"
        assert resolver.asked == [(NAME, server.port)]


def test_without_a_key_nothing_is_said_of_one() -> None:
    with Upstream(serve) as server, client(Resolver(["127.0.0.1"]), (NAME, server.port)) as made:
        _, failed = heard(made, f"http://{NAME}:{server.port}/v1", NONE)
        assert failed is None
        assert "authorization" not in server.requests[0].headers


def test_over_tls_the_name_is_asked_for_and_checked(tmp_path: Path) -> None:
    certificate = self_signed(tmp_path / "server.pem", NAME)
    with Upstream(serve, certificate) as server:
        named = (NAME, server.port), ("other.acme.org", server.port)
        with client(Resolver(["127.0.0.1"]), *named, certificate=certificate) as made:
            assert heard(made, f"https://{NAME}:{server.port}/v1")[1] is None
            assert server.names == [NAME]
            assert server.requests[0].headers["host"] == f"{NAME}:{server.port}"
            wrong = fault(made, f"https://other.acme.org:{server.port}/v1")
            assert (wrong.kind, wrong.code) == (Kind.NETWORK, "tls")
            assert server.names == [NAME, "other.acme.org"]
            assert len(server.requests) == 1


def test_a_certificate_nobody_vouches_for_is_refused(tmp_path: Path) -> None:
    with Upstream(serve, self_signed(tmp_path / "server.pem", NAME)) as server:
        with client(Resolver(["127.0.0.1"]), (NAME, server.port)) as made:
            assert fault(made, f"https://{NAME}:{server.port}/v1").code == "tls"
        assert server.requests == []


def test_an_address_is_reached_by_its_certificate_too(tmp_path: Path) -> None:
    certificate = self_signed(tmp_path / "server.pem")
    with Upstream(serve, certificate) as server:
        here = ("127.0.0.1", server.port)
        with client(Resolver(["127.0.0.1"]), here, certificate=certificate) as made:
            assert heard(made, f"https://127.0.0.1:{server.port}/v1")[1] is None
        assert server.names == [None]


def test_where_nobody_is_at_the_first_address_the_next_is_tried() -> None:
    """Ollama listens on 127.0.0.1, and localhost is ::1 first."""
    with Upstream(serve) as server, client(Resolver(["::1", "127.0.0.9", "127.0.0.1"]), (NAME, server.port)) as made:
        assert heard(made, f"http://{NAME}:{server.port}/v1")[1] is None
        assert len(server.requests) == 1


def test_an_answer_is_not_asked_for_twice_because_it_was_bad() -> None:
    with Upstream(Line.reset) as server:
        with client(Resolver(["127.0.0.1", "127.0.0.1"]), (NAME, server.port)) as made:
            assert fault(made, f"http://{NAME}:{server.port}/v1").code == "reset"
        assert len(server.requests) == 1


def test_nobody_there_and_no_such_name_are_told_apart() -> None:
    def unknown(host: str, port: int) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound, but nobody listens
        port = closed.getsockname()[1]
        with client(Resolver(["127.0.0.1"]), (NAME, port)) as made:
            assert fault(made, f"http://{NAME}:{port}/v1").code == "refused"
    with client(unknown) as made:
        assert fault(made, f"https://{NAME}/v1").code == "dns"


def test_the_test_call_takes_a_model_that_can_chat() -> None:
    with Upstream(serve) as server, client(Resolver(["127.0.0.1"]), (NAME, server.port)) as made:
        assert made.probe(at(f"http://{NAME}:{server.port}/v1"), NONE).model == "qwen3:8b"
        assert [r.line.split()[1] for r in server.requests] == ["/v1/models", "/v1/chat/completions"]


def test_the_next_model_is_tried_where_the_first_cannot_chat() -> None:
    def script(line: Line) -> None:
        if "/models" in line.request.line:
            line.send(answer(200, json.dumps({"data": [{"id": "titan-v2"}, {"id": "qwen3:8b"}]}).encode()))
        elif b"titan" in line.request.body:
            line.send(answer(400, b'{"error":{"message":"\\"titan-v2\\" does not support chat"}}'))
        else:
            line.send(whole(SAID.encode()))

    with Upstream(script) as server, client(Resolver(["127.0.0.1"]), (NAME, server.port)) as made:
        assert made.probe(at(f"http://{NAME}:{server.port}/v1"), NONE).model == "qwen3:8b"


@pytest.mark.parametrize(
    ("reply", "kind", "code"),
    [
        (answer(200, b'{"data":[]}'), Kind.MODEL_NOT_FOUND, "no_models"),
        (answer(200, b'{"data":[{"id":"nomic-embed-text"}]}'), Kind.MODEL_NOT_FOUND, "no_models"),
        (answer(200, b"Ollama is running", "text/plain"), Kind.PROTOCOL, None),
        (answer(200, b"<html>Sign in</html>", "text/html"), Kind.PROTOCOL, None),
        (answer(401, b'{"error":{"message":"Invalid API key"}}'), Kind.INVALID_KEY, None),
    ],
)
def test_a_server_without_a_list_of_models_fails_its_test(reply: bytes, kind: Kind, code: str | None) -> None:
    with Upstream(lambda line: line.send(reply)) as server:
        with client(Resolver(["127.0.0.1"]), (NAME, server.port)) as made, pytest.raises(ProviderError) as failed:
            made.probe(at(f"http://{NAME}:{server.port}/v1"), KEY)
        assert failed.value.fault.kind is kind
        assert code in (None, failed.value.fault.code)
        assert [r.line.split()[0] for r in server.requests] == ["GET"]


# --- what must not be reached -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answers",
    [["127.0.0.1"], [PUBLIC, "127.0.0.1"], ["127.0.0.1", PUBLIC], ["::1", PUBLIC], ["::ffff:127.0.0.1"], ["10.0.0.5"]],
    ids=" ".join,
)
def test_a_name_that_leads_inside_is_not_connected_to(answers: list[str]) -> None:
    with Upstream(serve) as server, client(Resolver(answers)) as made:
        refused = fault(made, f"https://{NAME}:{server.port}/v1")
        assert (refused.kind, refused.code, refused.retryable) == (Kind.NETWORK, "closed_address", False)
        assert server._open == []


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1"])
def test_nor_is_this_machine_by_any_of_its_names(scheme: str, host: str) -> None:
    with Upstream(serve) as server, client(lambda host, port: ["127.0.0.1"]) as made:
        assert fault(made, f"{scheme}://{host}:{server.port}/v1").code == "closed_address"
        assert server._open == []


def test_another_port_of_a_named_host_is_not_reached() -> None:
    with Upstream(serve) as server, client(Resolver(["127.0.0.1"]), (NAME, server.port + 1)) as made:
        for scheme in ("http", "https"):
            assert fault(made, f"{scheme}://{NAME}:{server.port}/v1").code == "closed_address"
        assert server._open == []


def test_a_name_that_changes_its_mind_is_judged_anew_and_never_asked_twice() -> None:
    """Rebinding: what is connected to is what was judged, at the first request and at each one after it."""
    with Upstream(serve, address="127.0.0.2") as first, Upstream(serve) as canary:
        resolver = Resolver(["127.0.0.2"], ["169.254.169.254"], ["127.0.0.2", "0.0.0.0"], ["127.0.0.2"])
        with client(resolver, (NAME, first.port), (NAME, canary.port)) as made:
            assert heard(made, f"http://{NAME}:{first.port}/v1")[1] is None
            assert fault(made, f"http://{NAME}:{first.port}/v1").code == "closed_address"
            assert fault(made, f"http://{NAME}:{first.port}/v1").code == "closed_address"
            assert heard(made, f"http://{NAME}:{first.port}/v1")[1] is None
        assert len(resolver.asked) == 4
        assert len(first.requests) == 2
        assert canary._open == []


def test_two_names_of_one_address_do_not_share_a_connection(tmp_path: Path) -> None:
    certificate = self_signed(tmp_path / "server.pem", NAME)
    with Upstream(serve, certificate) as server:
        named = (NAME, server.port), ("other.acme.org", server.port)
        with client(Resolver(["127.0.0.1"]), *named, certificate=certificate) as made:
            assert heard(made, f"https://{NAME}:{server.port}/v1")[1] is None
            assert fault(made, f"https://other.acme.org:{server.port}/v1").code == "tls"
            assert heard(made, f"https://{NAME}:{server.port}/v1")[1] is None
        assert [r.connection for r in server.requests] == [1, 1]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed_nor_is_its_body_read(status: int) -> None:
    with Upstream(serve) as elsewhere:
        where = f"location: http://127.0.0.1:{elsewhere.port}/\r\n"
        flood = f"HTTP/1.1 {status} X\r\n{where}transfer-encoding: chunked\r\n\r\n".encode()

        def script(line: Line) -> None:
            line.send(flood)
            line.chunks(b"x" * 2**16 for _ in range(2**12))

        with Upstream(script) as server, client(Resolver(["127.0.0.1"]), (NAME, server.port)) as made:
            began = time.monotonic()
            assert fault(made, f"http://{NAME}:{server.port}/v1").kind is Kind.PROTOCOL
            assert time.monotonic() - began < 2
        assert elsewhere._open == []


# --- proxies and the environment --------------------------------------------------------------------------------


def test_the_environment_s_proxies_and_netrc_mean_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".netrc").write_text(f"machine {NAME} login eve password stolen\n")
    with Upstream(serve) as proxy, Upstream(serve) as server:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
        with client(Resolver(["127.0.0.1"]), (NAME, server.port)) as made:
            assert heard(made, f"http://{NAME}:{server.port}/v1", NONE)[1] is None
        assert "authorization" not in server.requests[0].headers
        assert proxy._open == []


def test_the_operator_s_proxy_is_told_the_judged_address(tmp_path: Path) -> None:
    """It must not look the name up again, either. What is asked for and checked behind it is the name."""
    certificate = self_signed(tmp_path / "server.pem", NAME)
    with Upstream(serve, certificate) as server, Upstream(tunnel_to(server)) as proxy:
        with client(Resolver([PUBLIC]), proxy=proxy.url, certificate=certificate) as made:
            assert heard(made, f"https://{NAME}/v1")[1] is None
            assert fault(made, "https://other.acme.org/v1").code == "tls"
        assert {r.line.split()[1] for r in proxy.requests} == {f"{PUBLIC}:443"}
        assert server.names == [NAME, "other.acme.org"]
        assert [r.headers["host"] for r in server.requests] == [NAME]


def test_named_hosts_are_reached_without_the_operator_s_proxy() -> None:
    with Upstream(serve) as proxy, Upstream(serve) as server:
        with client(Resolver(["127.0.0.1"]), (NAME, server.port), proxy=proxy.url) as made:
            assert heard(made, f"http://{NAME}:{server.port}/v1")[1] is None
        assert proxy._open == []


def tunnel_to(server: Upstream) -> Callable[[Line], None]:
    """A proxy that takes every CONNECT to the same place."""

    def pump(source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)

    def script(line: Line) -> None:
        line.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
        with socket.create_connection(("127.0.0.1", server.port)) as there:
            back = threading.Thread(target=pump, args=(there, line.socket), daemon=True)
            back.start()
            pump(line.socket, there)
            back.join(5)

    return script


# --- servers that mean harm -------------------------------------------------------------------------------------


MEGABYTE = 2**20
SQUEEZED = gzip.compress(bytes(MEGABYTE), 9)
LETTERS, HEADERS = b"a" * 2**16, b"x: a\r\n" * 2**13


def bomb(line: Line) -> None:
    """A gigabyte of zeros in a megabyte, to whatever is asked."""
    kind = b"application/json" if "/models" in line.request.line else b"text/event-stream"
    line.send(b"HTTP/1.1 200 OK\r\ncontent-type: " + kind + b"\r\ncontent-encoding: gzip\r\n\r\n")
    for _ in range(1024):
        line.send(SQUEEZED)
    close(line)


def long_header(line: Line) -> None:
    line.send(b"HTTP/1.1 200 OK\r\nx: ")
    for _ in range(160):
        line.send(LETTERS)


def many_headers(line: Line) -> None:
    line.send(b"HTTP/1.1 200 OK\r\n")
    for _ in range(200):
        line.send(HEADERS)


@pytest.mark.parametrize(("script", "megabytes"), [(bomb, 32), (long_header, 1), (many_headers, 1)])
@pytest.mark.parametrize("how", ["models", "stream"])
def test_a_flood_ends_in_a_typed_error_and_little_memory(
    script: Callable[[Line], None], megabytes: int, how: str
) -> None:
    with Upstream(script) as server, client(Resolver(["127.0.0.1"]), (NAME, server.port)) as made:
        there = at(f"http://{NAME}:{server.port}/v1")
        tracemalloc.start()
        with pytest.raises(ProviderError):
            made.models(there, KEY) if how == "models" else list(made.stream(there, ASKED, KEY))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < megabytes * MEGABYTE


def test_a_server_that_drips_is_cut_off_in_time() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", DRIP], cwd=ROOT, capture_output=True, text=True, timeout=30, check=False
    )
    assert ran.returncode == 0, ran.stderr
    kind, code, seconds = ran.stdout.split()
    assert (kind, code) == ("timeout", "total")
    assert float(seconds) < 3


DRIP = """
from gevent import monkey
monkey.patch_all()
import time
from tests.llm.test_typed_addresses import ASKED, KEY, NAME, at, drip
from tests.llm.upstream import Upstream
from webapp.llm.client import Client
from webapp.llm.errors import ProviderError

with Upstream(drip) as server:
    made = Client(idle_timeout=0.6, total_timeout=1.2, named_hosts=frozenset({(NAME, server.port)}),
                  resolve=lambda host, port: ["127.0.0.1"])
    began = time.monotonic()
    try:
        list(made.stream(at(f"http://{NAME}:{server.port}/v1"), ASKED, KEY))
    except ProviderError as error:
        print(error.fault.kind, error.fault.code, time.monotonic() - began)
"""


def drip(line: Line) -> None:
    line.send(OK + b"\r\n")
    while True:
        line.send(b":")
        time.sleep(0.2)


def test_a_server_that_says_nothing_is_cut_off_in_time() -> None:
    with (
        Upstream(lambda line: time.sleep(2)) as server,
        client(Resolver(["127.0.0.1"]), (NAME, server.port)) as made,
    ):
        late = fault(made, f"http://{NAME}:{server.port}/v1")
    assert (late.kind, late.code) == (Kind.TIMEOUT, "idle")


def test_what_it_says_is_shown_without_the_key() -> None:
    echo = json.dumps({"error": {"message": f"wrong key {KEY.expose()}"}}).encode()
    with (
        Upstream(lambda line: line.send(answer(401, echo))) as server,
        client(Resolver(["127.0.0.1"]), (NAME, server.port)) as made,
    ):
        refused = fault(made, f"http://{NAME}:{server.port}/v1")
    assert refused.kind is Kind.INVALID_KEY
    assert refused.message == "wrong key [hidden]"
