"""The client against a socket: every kind of body, every kind of failure, and what it must not do."""

from __future__ import annotations

import contextlib
import gzip
import json
import socket
import ssl
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.llm import upstream
from tests.llm.transcripts import bytewise, listen, own
from tests.llm.upstream import OK, Line, Script, Upstream, answer, whole
from webapp.llm.blocks import Message, Text
from webapp.llm.client import Client
from webapp.llm.errors import Fault, Kind, ProviderError
from webapp.llm.events import Event, Finish, TextDelta
from webapp.llm.providers import ANTHROPIC, Provider
from webapp.llm.request import ModelRequest
from webapp.secret import Secret

KEY = Secret("sk-ant-api03-CANARY-0123456789-abcdef")
ASKED = ModelRequest("claude-haiku-4-5", (Message("user", (Text("Hello"),)),))
TEXT = own("text")
CHUNKED = OK + b"transfer-encoding: chunked\r\n\r\n"
REFUSED = json.dumps({"type": "error", "error": {"type": "authentication_error", "message": "invalid x-api-key"}})


@pytest.fixture
def client() -> Iterator[Client]:
    made = Client(idle_timeout=1.0, total_timeout=10.0, connect_timeout=2.0, tick=0.02)
    yield made
    made.close()


def heard(client: Client, provider: Provider, key: Secret = KEY) -> tuple[list[Event], Fault | None]:
    events: list[Event] = []
    try:
        for event in client.stream(provider, ASKED, key):
            events.append(event)
    except ProviderError as error:
        return events, error.fault
    return events, None


def fault_of(client: Client, script: Script) -> Fault:
    with Upstream(script) as server:
        _, fault = heard(client, server.provider)
    assert fault is not None
    return fault


# --- bodies ---------------------------------------------------------------------------------------------------------


def chunked(line: Line) -> None:
    line.send(CHUNKED)
    line.chunks(part + b"\n\n" for part in TEXT.split(b"\n\n") if part)
    line.send(b"0\r\n\r\n")


def one_byte_chunks(line: Line) -> None:
    line.send(CHUNKED)
    line.chunks(bytewise(TEXT))
    line.send(b"0\r\n\r\n")


def close_delimited(line: Line) -> None:
    line.send(OK + b"\r\n" + TEXT)
    upstream.close(line)


def counted(line: Line) -> None:
    line.send(whole(TEXT))


def compressed(line: Line) -> None:
    line.send(whole(gzip.compress(TEXT), OK + b"content-encoding: gzip\r\n"))


@pytest.mark.parametrize("script", [chunked, one_byte_chunks, close_delimited, counted, compressed])
def test_every_kind_of_body_is_heard(client: Client, script: Script) -> None:
    with Upstream(script) as server:
        assert heard(client, server.provider) == listen([TEXT])


@pytest.mark.parametrize("head", [OK + b"\r\n", CHUNKED, OK + b"content-encoding: gzip\r\n\r\n"])
def test_the_first_word_goes_out_before_the_second_is_there(client: Client, head: bytes) -> None:
    """Whatever the framing: a reader that waits for a full buffer would hear nothing before the end."""
    first, second = TEXT[: TEXT.index(b"to \xe2\x82\xac")], TEXT[TEXT.index(b"to \xe2\x82\xac") :]
    first, second = first[: first.rindex(b"event:")], first[first.rindex(b"event:") :] + second
    go_on = threading.Event()

    def script(line: Line) -> None:
        line.send(head)
        squeeze = gzip_stream() if b"gzip" in head else None
        for part in (first, second):
            data = squeeze(part) if squeeze else part
            line.send(b"%x\r\n%s\r\n" % (len(data), data) if head is CHUNKED else data)
            go_on.wait(5)
        upstream.close(line)

    with Upstream(script) as server:
        events = client.stream(server.provider, ASKED, KEY)
        began = time.monotonic()
        word = next(e for e in events if isinstance(e, TextDelta))
        assert word.text == "Spend rose 12 % "
        assert time.monotonic() - began < 1
        go_on.set()
        assert isinstance(list(events)[-1], Finish)


def gzip_stream() -> Any:
    squeezer = zlib.compressobj(wbits=31)
    return lambda data: squeezer.compress(data) + squeezer.flush(zlib.Z_SYNC_FLUSH)


def test_the_next_call_uses_the_same_connection(client: Client) -> None:
    with Upstream(chunked) as server:
        for _ in range(3):
            heard(client, server.provider)
        assert [r.connection for r in server.requests] == [1, 1, 1]


def test_a_connection_that_was_closed_meanwhile_is_replaced(client: Client) -> None:
    def script(line: Line) -> None:
        counted(line)
        upstream.close(line)

    with Upstream(script) as server:
        for _ in range(3):
            assert heard(client, server.provider) == listen([TEXT])
            time.sleep(0.05)
        assert [r.connection for r in server.requests] == [1, 2, 3]


def test_an_error_whose_body_breaks_off_is_still_called_by_its_name(client: Client) -> None:
    def script(line: Line) -> None:
        line.send(b"HTTP/1.1 529 Overloaded\r\ncontent-length: 500\r\n\r\n{")
        upstream.close(line)

    assert fault_of(client, script).kind is Kind.OVERLOADED


def test_a_body_that_goes_on_after_its_end_does_not_hold_the_caller(client: Client) -> None:
    def script(line: Line) -> None:
        line.send(CHUNKED)
        line.chunks([TEXT])
        time.sleep(5)

    with Upstream(script) as server:
        began = time.monotonic()
        assert heard(client, server.provider) == listen([TEXT])
        assert time.monotonic() - began < 3


# --- failures -------------------------------------------------------------------------------------------------------


def test_silence_is_a_timeout(client: Client) -> None:
    def script(line: Line) -> None:
        line.send(CHUNKED)
        line.chunks([TEXT[:300]])
        time.sleep(5)

    began = time.monotonic()
    fault = fault_of(client, script)
    assert (fault.kind, fault.code, fault.in_stream) == (Kind.TIMEOUT, "idle", True)
    assert time.monotonic() - began < 4


def test_a_slow_head_is_a_timeout(client: Client) -> None:
    fault = fault_of(client, lambda line: time.sleep(3))
    assert (fault.kind, fault.code, fault.in_stream, fault.retryable) == (Kind.TIMEOUT, "idle", False, False)


def test_a_drip_that_never_ends_is_cut_at_the_total_limit() -> None:
    def script(line: Line) -> None:
        line.send(CHUNKED)
        line.chunks([b": drip\n\n"] * 100, every=0.1)

    began = time.monotonic()
    fault = fault_of(Client(idle_timeout=1.0, total_timeout=0.5), script)
    assert (fault.kind, fault.code) == (Kind.TIMEOUT, "total")
    assert time.monotonic() - began < 2


@pytest.mark.parametrize("length", [50, 400, 700])
@pytest.mark.parametrize("framing", ["close", "chunk", "length"])
def test_a_cut_body_is_truncated(client: Client, framing: str, length: int) -> None:
    def script(line: Line) -> None:
        match framing:
            case "close":
                line.send(OK + b"\r\n" + TEXT[:length])
            case "chunk":
                line.send(CHUNKED + b"%x\r\n" % len(TEXT) + TEXT[:length])
            case "length":
                line.send(OK + b"content-length: %d\r\n\r\n" % len(TEXT) + TEXT[:length])
        upstream.close(line)

    fault = fault_of(client, script)
    assert (fault.kind, fault.in_stream) == (Kind.TRUNCATED, True)


def test_a_reset_in_mid_stream_is_truncated(client: Client) -> None:
    def script(line: Line) -> None:
        line.send(CHUNKED)
        line.chunks([TEXT[:500]])
        time.sleep(0.1)
        line.reset()

    assert fault_of(client, script).kind is Kind.TRUNCATED


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (answer(401, REFUSED.encode()), Kind.INVALID_KEY),
        (answer(200, b"<title>Sign in</title>", "text/html"), Kind.PROTOCOL),
        (answer(200, REFUSED.encode()), Kind.INVALID_KEY),
        (answer(302, b"", "text/html", "location: http://127.0.0.1:9/v1/messages\r\n"), Kind.PROTOCOL),
        (answer(503, b"upstream connect error", "text/plain"), Kind.OVERLOADED),
        (b"SSH-2.0-OpenSSH_9.2\r\n", Kind.NETWORK),
        (b"", Kind.NETWORK),
        (whole(b"\xff\xff", OK + b"content-encoding: gzip\r\n"), Kind.PROTOCOL),
    ],
    ids=["refused", "page", "error with 200", "redirect", "text", "not http", "hang up", "broken gzip"],
)
def test_what_is_no_stream_is_called_by_its_name(client: Client, reply: bytes, kind: Kind) -> None:
    def script(line: Line) -> None:
        line.send(reply)
        upstream.close(line)

    assert fault_of(client, script).kind is kind


def test_a_redirect_is_not_followed(client: Client) -> None:
    with Upstream(counted) as other:
        where = f"location: {other.url}/v1/messages\r\n"
        assert fault_of(client, lambda line: line.send(answer(307, b"", extra=where))).kind is Kind.PROTOCOL
        assert other.requests == []


def test_an_error_answer_is_read_up_to_its_limit(client: Client) -> None:
    def script(line: Line) -> None:
        line.send(b"HTTP/1.1 400 X\r\ncontent-type: text/plain\r\n\r\n")
        for _ in range(1000):
            line.send(b"x" * 65536)

    began = time.monotonic()
    assert fault_of(client, script).kind is Kind.PROTOCOL
    assert time.monotonic() - began < 3


def test_nobody_there(client: Client) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    _, fault = heard(client, at(f"http://127.0.0.1:{port}"))
    assert fault == Fault(Kind.NETWORK, code="refused", retryable=True)


def test_no_such_host(client: Client) -> None:
    _, fault = heard(client, at("http://nobody.invalid"))
    assert fault == Fault(Kind.NETWORK, code="dns", retryable=True)


def test_a_server_without_tls(client: Client) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=lambda: server.accept()[0].sendall(b"HTTP/1.1 400 Bad\r\n\r\n"), daemon=True).start()
        _, fault = heard(client, at(f"https://127.0.0.1:{server.getsockname()[1]}"))
    assert fault == Fault(Kind.NETWORK, code="tls")


def test_a_certificate_that_nobody_signed(client: Client, tmp_path: Path) -> None:
    """It is refused before a byte of the request is sent."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(upstream.self_signed(tmp_path / "server.pem"))
    sent: list[bytes] = []

    def serve(server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            sent.append(context.wrap_socket(server.accept()[0], server_side=True).recv(1))

    with socket.create_server(("127.0.0.1", 0)) as server:
        serving = threading.Thread(target=serve, args=(server,), daemon=True)
        serving.start()
        _, fault = heard(client, at(f"https://127.0.0.1:{server.getsockname()[1]}"))
        serving.join(2)
    assert fault == Fault(Kind.NETWORK, code="tls")
    assert sent in ([], [b""])


def test_no_address_at_all(client: Client) -> None:
    _, fault = heard(client, at("localhost"))
    assert fault == Fault(Kind.PROTOCOL, code="address")


def at(base_url: str) -> Provider:
    return Provider(**{**vars(ANTHROPIC), "base_url": base_url})


# --- what must not happen -------------------------------------------------------------------------------------------


def test_the_key_is_in_one_header_and_nowhere_else(client: Client) -> None:
    with Upstream(counted) as server:
        heard(client, server.provider)
        (request,) = server.requests
    assert request.line == "POST /v1/messages HTTP/1.1"
    assert [name for name, value in request.headers.items() if "CANARY" in value] == ["x-api-key"]
    assert request.headers["x-api-key"] == KEY.expose()
    assert "authorization" not in request.headers
    assert b"CANARY" not in request.body
    assert "CANARY" not in str(vars(client._sessions["anthropic"]))


def test_a_provider_that_repeats_the_key_or_the_organisation_is_not_repeated(client: Client) -> None:
    org = "6f1e9d0a-0000-4000-8000-0123456789ab"
    words = f"Key {KEY.expose()} of (org: {org}, org-AbCdEfGh1234) and a part: {KEY.expose()[10:30]}"
    body = json.dumps({"error": {"type": "permission_error", "message": words}, "request_id": KEY.expose()}).encode()
    fault = fault_of(client, lambda line: line.send(answer(403, body)))
    assert fault.message == "Key [hidden] of (org: [hidden], [hidden]) and a part: [hidden]"
    assert fault.request_id == "[hidden]"


def test_a_key_that_no_header_can_carry_is_an_invalid_key(client: Client) -> None:
    with Upstream(counted) as server:
        for value in ("sk-ant-with\nnewline", "sk-ant-schlüssel-😀", " sk-ant-space"):
            _, fault = heard(client, server.provider, Secret(value))
            assert fault == Fault(Kind.INVALID_KEY, code="characters")
        assert server.requests == []


def test_nothing_is_inherited_from_the_environment(
    client: Client, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login alice password secret\n")
    (tmp_path / ".netrc").chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    with Upstream(counted) as server, Upstream(counted) as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        heard(client, server.provider)
        assert proxy.requests == []
        assert "authorization" not in server.requests[0].headers


def test_a_proxy_is_used_when_it_is_given() -> None:
    with Upstream(counted) as proxy:
        events, fault = heard(Client(proxy=proxy.url), at("http://provider.invalid"))
        assert (events, fault) == listen([TEXT])
        assert proxy.requests[0].line == "POST http://provider.invalid/v1/messages HTTP/1.1"


def test_cookies_do_not_pass_from_one_key_to_another(client: Client) -> None:
    with Upstream(lambda line: line.send(whole(TEXT, OK + b"set-cookie: who=alice\r\n"))) as server:
        heard(client, server.provider)
        heard(client, server.provider)
        assert [r.headers.get("cookie") for r in server.requests] == [None, None]


def test_closing_the_generator_closes_the_connection(client: Client) -> None:
    gone: list[float | None] = []
    done = threading.Event()

    def script(line: Line) -> None:
        line.send(CHUNKED)
        line.chunks([TEXT[:900]])
        gone.append(line.closed_by_peer(within=2))
        done.set()

    with Upstream(script) as server:
        events = client.stream(server.provider, ASKED, KEY)
        next(e for e in events if isinstance(e, TextDelta))
        events.close()  # type: ignore[attr-defined]
        assert done.wait(3)
    assert gone[0] is not None
    assert gone[0] < 1


# --- under gevent ---------------------------------------------------------------------------------------------------


def under_gevent(scene: str, provider: Provider, *more: str) -> dict[str, Any]:
    """Play a scene of patched.py in a process of its own, since patching cannot be undone."""
    ran = subprocess.run(
        [sys.executable, "-m", "tests.llm.patched", scene, provider.base_url, *more],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    played: dict[str, Any] = json.loads(ran.stdout)
    return played


def test_killing_the_greenlet_closes_the_connection_within_a_second() -> None:
    gone: list[float | None] = []
    done = threading.Event()

    def script(line: Line) -> None:
        line.send(CHUNKED)
        line.chunks([TEXT[:900]])
        gone.append(line.closed_by_peer(within=5))
        done.set()

    with Upstream(script) as server:
        played = under_gevent("kill", server.provider)
        assert done.wait(5)
    assert played["texts"] == TEXT[:900].count(b"text_delta")
    assert played["seconds"] < 0.5
    assert gone[0] is not None
    assert gone[0] < 1.0 + played["waited"]


def test_a_drip_inside_a_chunk_head_trips_the_total_limit_on_time() -> None:
    """Each byte comes in time for the socket's own timeout, and no byte of the body ever does."""

    def script(line: Line) -> None:
        line.send(CHUNKED)
        for _ in range(60):
            line.send(b"0")
            time.sleep(0.1)

    with Upstream(script) as server:
        played = under_gevent("drip", server.provider)
    assert (played["kind"], played["code"]) == ("timeout", "total")
    assert 0.8 < played["seconds"] < 4


def test_a_drip_of_comments_trips_the_total_limit_on_time() -> None:
    def script(line: Line) -> None:
        line.send(CHUNKED)
        line.chunks([b": drip\n\n"] * 100, every=0.1)

    with Upstream(script) as server:
        played = under_gevent("drip", server.provider)
    assert (played["kind"], played["code"]) == ("timeout", "total")
    assert 0.8 < played["seconds"] < 4


def test_a_drip_in_the_head_is_cut() -> None:
    def script(line: Line) -> None:
        for byte in bytewise(b"HTTP/1.1 200 OK\r\nx-slow: " + b"x" * 100):
            line.send(byte)
            time.sleep(0.1)

    with Upstream(script) as server:
        played = under_gevent("drip", server.provider)
    assert (played["kind"], played["code"]) == ("timeout", "idle")
    assert played["seconds"] < 4


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "TLS"])
def test_streams_that_flow_are_emptied_on_one_shared_tick(tls: bool, tmp_path: Path) -> None:
    """Twenty streams of a word every 10 ms: each wakes about as often as the clock ticks, in the same moments as the
    others; no word is lost, and none falls behind, though TLS hands out one word at a time."""
    word = b'data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"word "}}\n\n'
    begin, end = TEXT.split(b"event: content_block_delta")[0], TEXT[TEXT.index(b"event: content_block_stop") :]

    def script(line: Line) -> None:
        line.send(CHUNKED)
        line.chunks([begin])
        line.chunks([word] * 100, every=0.01)
        line.chunks([end])
        line.send(b"0\r\n\r\n")

    certificate = upstream.self_signed(tmp_path / "server.pem") if tls else None
    with Upstream(script, certificate) as server:
        played = under_gevent("tick", server.provider, str(certificate or ""))
    assert played["words"] == [100] * 20
    assert max(played["wakes"]) < 60  # without a tick it would be about a hundred
    assert played["moments"] < 0.5 * sum(played["wakes"])
    assert played["seconds"] < 4  # a word a tick would take five


# --- models and test calls --------------------------------------------------------------------------------------------


def listing(*ids: str, after: str = "") -> bytes:
    return json.dumps({"data": [{"id": i} for i in ids], "has_more": bool(after), "last_id": after}).encode()


def test_the_list_of_models_is_read_to_its_last_page(client: Client) -> None:
    def script(line: Line) -> None:
        last = "after_id=b" in line.request.line
        line.send(answer(200, listing("c") if last else listing("a", "b", after="b")))

    with Upstream(script) as server:
        assert [m.id for m in client.models(server.provider, KEY)] == ["a", "b", "c"]
        assert [r.line for r in server.requests] == [
            "GET /v1/models?limit=1000 HTTP/1.1",
            "GET /v1/models?limit=1000&after_id=b HTTP/1.1",
        ]
        assert {r.headers["x-api-key"] for r in server.requests} == {KEY.expose()}


def test_a_list_without_end_is_given_up(client: Client) -> None:
    with Upstream(lambda line: line.send(answer(200, listing("a", after="a")))) as server:
        assert len(client.models(server.provider, KEY)) == 20


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (answer(401, REFUSED.encode()), Kind.INVALID_KEY),
        (answer(200, b"<html>", "text/html"), Kind.PROTOCOL),
        (answer(204, b""), Kind.PROTOCOL),
    ],
)
def test_a_list_that_is_refused(client: Client, reply: bytes, kind: Kind) -> None:
    with Upstream(lambda line: line.send(reply)) as server, pytest.raises(ProviderError) as refused:
        client.models(server.provider, KEY)
    assert refused.value.fault.kind is kind


class Account:
    """An upstream that knows which models exist and which of them a key may use."""

    def __init__(self, listed: bytes, chat: dict[str, bytes]) -> None:
        self.listed = listed
        self.chat = chat
        self.tried: list[dict[str, Any]] = []

    def __call__(self, line: Line) -> None:
        if line.request.line.startswith("GET"):
            line.send(self.listed)
            return
        body = json.loads(line.request.body)
        self.tried.append(body)
        line.send(self.chat.get(body["model"], self.chat.get("*", b"")))


def test_a_test_call_asks_the_cheapest_haiku_for_one_token(client: Client) -> None:
    listed = answer(200, listing("claude-opus-5-5", "claude-haiku-4-5", "claude-haiku-5-5"))
    account = Account(listed, {"*": whole(own("length"))})
    with Upstream(account) as server:
        probe = client.probe(server.provider, KEY)
    assert probe.model == "claude-haiku-5-5"
    assert 0 < probe.seconds < 2
    (body,) = account.tried
    assert (body["max_tokens"], body["messages"]) == (
        1,
        [{"role": "user", "content": [{"type": "text", "text": "ping"}]}],
    )


def test_a_key_that_may_not_list_models_is_tested_all_the_same(client: Client) -> None:
    forbidden = answer(403, json.dumps({"error": {"type": "permission_error", "message": "No."}}).encode())
    account = Account(forbidden, {"*": whole(TEXT)})
    with Upstream(account) as server:
        assert client.probe(server.provider, KEY).model == ANTHROPIC.probe_model


def test_a_key_that_may_use_only_some_models_passes_with_one_of_those(client: Client) -> None:
    missing = answer(404, json.dumps({"error": {"type": "not_found_error", "message": "model: x"}}).encode())
    listed = answer(200, listing("claude-opus-5-5", "claude-haiku-5-5", "claude-sonnet-5-5"))
    account = Account(listed, {"*": missing, "claude-sonnet-5-5": whole(TEXT)})
    with Upstream(account) as server:
        assert client.probe(server.provider, KEY).model == "claude-sonnet-5-5"
    assert [b["model"] for b in account.tried] == ["claude-haiku-5-5", "claude-sonnet-5-5"]


@pytest.mark.parametrize(
    ("status", "type", "message", "kind"),
    [
        (400, "invalid_request_error", "Your credit balance is too low", Kind.NO_CREDIT),
        (429, "rate_limit_error", "Slower", Kind.RATE_LIMITED),
        (529, "overloaded_error", "Overloaded", Kind.OVERLOADED),
        (404, "not_found_error", "model: x", Kind.MODEL_NOT_FOUND),
    ],
)
def test_a_test_call_that_fails_says_why(client: Client, status: int, type: str, message: str, kind: Kind) -> None:
    body = json.dumps({"type": "error", "error": {"type": type, "message": message}}).encode()
    account = Account(answer(200, listing("claude-haiku-5-5")), {"*": answer(status, body)})
    with Upstream(account) as server, pytest.raises(ProviderError) as refused:
        client.probe(server.provider, KEY)
    assert refused.value.fault.kind is kind
    assert refused.value.fault.message == message


def test_a_refused_key_is_not_tried_twice(client: Client) -> None:
    account = Account(answer(401, REFUSED.encode()), {})
    with Upstream(account) as server, pytest.raises(ProviderError) as refused:
        client.probe(server.provider, KEY)
    assert refused.value.fault.kind is Kind.INVALID_KEY
    assert account.tried == []


def test_an_unreachable_provider_is_no_bad_key(client: Client) -> None:
    with pytest.raises(ProviderError) as refused:
        client.probe(at("http://nobody.invalid"), KEY)
    assert refused.value.fault.kind is Kind.NETWORK
