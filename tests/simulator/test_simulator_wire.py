"""Bytes and processes: frames as the real server writes them, pace, many streams, leaving clients, start and end."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
from anthropic.types import RawMessageStreamEvent
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from simulator.answers import compose
from simulator.conversation import view
from simulator.dialects.anthropic_messages import frame
from simulator.dialects.anthropic_request import read
from simulator.directives import Directives, for_round, split
from simulator.sse import Event
from simulator.values import pieces
from tests.simulation import ROOT, start_simulator

RECORDINGS = ROOT.parent / "shared" / "recordings" / "anthropic"
TOOL = {"name": "look", "description": "Looks", "input_schema": {"type": "object", "properties": {}}}


def body(text: str, **changes: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": text}]
    return {"model": "demo-sonnet", "max_tokens": 4000, "stream": True, "messages": messages, **changes}


def events(text: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for block in text.split("\n\n"):
        if block.strip():
            name, data = block.split("\n", 1)
            yield name.removeprefix("event: "), json.loads(data.removeprefix("data: "))


def shape(value: Any) -> Any:
    """The keys of an event, without its values; what a tool is given is no part of its shape."""
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in value.items() if name not in ("input", "server_tool_use")}
    return ""


EVERYTHING = '[[sim thinking=90 redacted tool=look {"a": 1}]] go'


def test_every_event_is_one_the_sdk_knows_field_by_field(post):
    known = TypeAdapter(RawMessageStreamEvent)
    seen = set()
    for name, data in events(post(body(EVERYTHING, tools=[TOOL], diagnostics={"previous_message_id": None})).text):
        seen.add(name)
        if name == "ping":
            continue
        event = known.validate_python(data)
        assert event.type == name
        assert not _unknown(event), f"{name} has fields the SDK does not know: {_unknown(event)}"
    assert seen == {
        "message_start", "content_block_start", "ping", "content_block_delta", "content_block_stop",
        "message_delta", "message_stop",
    }  # fmt: skip


@pytest.mark.skipif(not RECORDINGS.is_dir(), reason="recordings of the real service are not part of the repository")
def test_events_have_the_shape_of_recorded_ones(post):
    recorded: dict[str, list[Any]] = {}
    for path in sorted(RECORDINGS.glob("*.json")):
        exchange = json.loads(path.read_text())
        if exchange["framing"] == "sse" and exchange["fidelity"] == "wire":
            for name, data in events(exchange["response"]["body"]):
                recorded.setdefault(name, []).append(shape(data))
    newer = {"stop_details", "output_tokens_details", "diagnostics"}  # fields that came after the recordings
    for name, data in events(post(body(EVERYTHING.replace(" redacted", ""), tools=[TOOL])).text):
        ours = shape(data)
        assert any(_covers(theirs, ours, newer) for theirs in recorded[name]), (name, ours)


def _covers(theirs: Any, ours: Any, newer: set[str]) -> bool:
    """Whether the recorded event has every field of ours, but for those that are newer."""
    if not isinstance(ours, dict):
        return True
    return isinstance(theirs, dict) and all(
        name in newer or (name in theirs and _covers(theirs[name], inner, newer)) for name, inner in ours.items()
    )


def _unknown(model: Any) -> list[str]:
    found = list(model.model_extra or {})
    for name in type(model).model_fields:
        inner = getattr(model, name, None)
        if hasattr(inner, "model_extra"):
            found += _unknown(inner)
    return found


def test_frames_are_padded_as_the_real_ones(post):
    text = post(body("hello")).text
    ends = {len(line) - len(line.rstrip("}").rstrip()) for line in text.splitlines() if line.startswith("data: {")}
    assert len(ends) > 3, "paddings vary"
    assert (
        frame(Event("message_stop", {"type": "message_stop"}), 3)
        == b'event: message_stop\ndata: {"type":"message_stop"   }\n\n'
    )
    assert 'event: ping\ndata: {"type": "ping"}\n\n' in text
    assert "\r" not in text


def test_the_headers_are_those_of_the_provider(post):
    got = post(body("hello"))
    assert got.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert got.headers["request-id"].startswith("req_01")
    assert got.headers["transfer-encoding"] == "chunked"
    for kind in ("requests", "input-tokens", "output-tokens"):
        limit, remaining = (int(got.headers[f"anthropic-ratelimit-{kind}-{part}"]) for part in ("limit", "remaining"))
        assert 0 < remaining < limit
        assert got.headers[f"anthropic-ratelimit-{kind}-reset"].endswith("Z")


def test_a_dripping_stream_has_chunks_of_one_byte_and_says_the_same(post):
    whole = post(body("[[sim echo]] é🙂 hello")).text
    got = post(body("[[sim echo drip=1]] é🙂 hello"), stream=True)
    chunks = list(_chunks(got.raw._fp.fp))
    assert {len(chunk) for chunk in chunks} == {1}
    dripped = b"".join(chunks).decode()
    assert [shape(e) for e in events(dripped)] == [shape(e) for e in events(whole)]
    assert _text(dripped) == _text(whole) == "é🙂 hello"


def _chunks(file: Any) -> Iterator[bytes]:
    while size := int(file.readline(), 16):
        yield file.read(size)
        file.readline()


def _text(stream: str) -> str:
    return "".join(data["delta"].get("text", "") for name, data in events(stream) if name == "content_block_delta")


def test_the_pace_can_be_asked_for(post):
    begun = time.monotonic()
    got = post(body("[[sim tokens=40 delay=20 first=300]] hello"), stream=True)
    headers_after = time.monotonic() - begun
    assert len(list(got.iter_lines())) > 20
    took = time.monotonic() - begun
    assert 0.28 < headers_after < 0.8
    assert 1.05 < took < 2.5


def test_the_usual_pace_is_that_of_a_real_model():
    base_url, stop = start_simulator(first=300, delay=1000 / 60)
    try:
        headers = {"x-api-key": "sk-ant-demo-pace", "anthropic-version": "2023-06-01"}
        begun = time.monotonic()
        asked = body("[[sim tokens=60]] hello")
        got = requests.post(f"{base_url}/v1/messages", json=asked, headers=headers, timeout=10, stream=True)
        parts = got.iter_content(None)
        first = next(parts)
        first_after = time.monotonic() - begun
        rest = b"".join(parts)
        assert first.startswith(b"event: message_start")
        assert rest.endswith(b"\n\n")
        assert 0.25 < first_after < 0.9
        assert 1.2 < time.monotonic() - begun < 3, "60 tokens a second"
    finally:
        stop()


def test_a_client_that_leaves_is_noticed_soon(simulator, stats):
    before = stats()["streams"]["aborted"]
    for directive in ("delay=40 tokens=2000", "silence-after=10", "first=60000"):
        _leave(simulator, body(f"[[sim {directive}]] hello"))
    _until(lambda: stats()["streams"]["aborted"] == before + 3)


def _leave(simulator: str, asked: dict[str, Any]) -> None:
    """Reads the first bytes, if they come soon, and closes the connection."""
    headers = {"x-api-key": "sk-ant-demo-leaver", "anthropic-version": "2023-06-01"}
    with (
        contextlib.suppress(requests.exceptions.ReadTimeout),
        requests.post(f"{simulator}/v1/messages", json=asked, headers=headers, timeout=0.4, stream=True) as got,
    ):
        next(got.iter_content(10))


def test_a_connection_is_kept_for_the_next_request(simulator):
    host, port = simulator.removeprefix("http://").split(":")
    asked = json.dumps(body("hello")).encode()
    lines = ("POST /v1/messages HTTP/1.1", "host: x", "x-api-key: sk-ant-demo-1", "anthropic-version: 2023-06-01")
    head = "\r\n".join([*lines, f"content-length: {len(asked)}", "", ""])
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        for _ in range(3):
            connection.sendall(head.encode() + asked)
            received = b""
            while not received.endswith(b"\r\n0\r\n\r\n"):
                part = connection.recv(65536)
                assert part, "closed too early"
                received += part
            assert received.startswith(b"HTTP/1.1 200 OK\r\n")


def test_two_hundred_streams_run_at_once(simulator, stats):
    headers = {"x-api-key": "sk-ant-demo-crowd", "anthropic-version": "2023-06-01"}

    def one(number: int) -> str:
        asked = body(f"[[sim tokens=50 delay=160 echo]] number {number}")
        return _text(requests.post(f"{simulator}/v1/messages", json=asked, headers=headers, timeout=60).text)

    begun = time.monotonic()
    with ThreadPoolExecutor(200) as pool:
        answers = pool.map(one, range(200))
        _until(lambda: stats()["streams"]["active"] >= 190, 30)
        texts = list(answers)
    assert all(text.startswith(f"number {number}") for number, text in enumerate(texts))
    assert time.monotonic() - begun < 60, "200 answers of eight seconds each, at the same time"
    _until(lambda: stats()["streams"]["active"] == 0)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_starts_within_a_second_and_ends_cleanly_even_with_a_stream_open(number):
    begun = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "simulator", "--port", "0"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    started = time.monotonic() - begun
    assert line.startswith("simulator listening on http://127.0.0.1:")
    assert started < 4, "usually a third of a second; tests share their machine"
    headers = {"x-api-key": "sk-ant-demo-1", "anthropic-version": "2023-06-01"}
    asked = body("[[sim silence-after=1]] hello")
    with requests.post(f"{line.split()[-1]}/v1/messages", json=asked, headers=headers, timeout=5, stream=True) as got:
        next(got.iter_content(10))
        os.kill(process.pid, number)
        assert process.wait(5) == 0
    assert process.stderr is not None
    assert process.stderr.read() == "", "no traceback"
    process.stdout.close()
    process.stderr.close()


def test_it_can_be_ended_as_soon_as_it_has_said_where_it_listens():
    for _ in range(5):
        _, stop = start_simulator()
        assert stop() == 0


def test_it_needs_nothing_of_the_product():
    loads = "import sys, simulator.__main__; print([m for m in sys.modules if m.split('.')[0] in ('webapp', 'flask')])"
    got = subprocess.run(
        [sys.executable, "-c", loads], cwd=ROOT, capture_output=True, text=True, check=True, timeout=20
    )
    assert got.stdout.strip() == "[]"


def test_a_reset_forgets_everything(simulator, stats, control):
    control("revoke", key="sk-ant-demo-reset")
    control("reset")
    assert stats() == {
        "requests": 0,
        "streams": {"active": 0, "done": 0, "aborted": 0, "broken": 0},
        "keys": {},
        "last_request": None,
        "last_usage": None,
    }
    headers = {"x-api-key": "sk-ant-demo-reset", "anthropic-version": "2023-06-01"}
    assert requests.get(f"{simulator}/v1/models", headers=headers, timeout=5).status_code == 200


@given(st.text())
def test_pieces_add_up_to_the_text(text: str) -> None:
    parts = pieces(text)
    assert "".join(parts) == text
    assert all(len(part.strip()) <= 5 for part in parts)


@given(
    st.text(alphabet=st.characters(exclude_categories=["Cs"])).filter(lambda text: text.strip() and "[[sim" not in text)
)
def test_a_text_without_directives_is_never_a_fault(text: str) -> None:
    asked = {"model": "demo-sonnet", "max_tokens": 1000, "messages": [{"role": "user", "content": text}]}
    talk = view(read(json.dumps(asked).encode(), {"anthropic-version": "2026-10-21"}))
    assert talk.directives == Directives()
    assert compose(talk, thinks=False).text.strip()


def test_directives_are_taken_out_of_what_the_model_reads():
    text, groups = split('Before [[sim tokens=5 first=0.5]] and after. [[sim tool=x {"a": [[1]], "b": "]]"} round=1]]')
    assert text == "Before and after."
    assert for_round(groups, 0) == Directives(tokens=5, first=0.5)
    (call,) = for_round(groups, 1).calls
    assert (call.name, call.arguments) == ("x", {"a": [[1]], "b": "]]"})


def _until(holds: Callable[[], bool], seconds: float = 4) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "did not come true in time"
        time.sleep(0.05)
