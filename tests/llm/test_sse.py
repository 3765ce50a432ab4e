"""The SSE reader: the same frames however the bytes are cut, in linear time, within limits."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.llm.transcripts import bytewise
from webapp.llm import sse
from webapp.llm.errors import Kind, ProviderError
from webapp.llm.sse import COMMENT, MAX_LINE, Frame, Frames, Lines, read

VECTORS = Path(__file__).parents[2] / ".." / "shared" / "vectors" / "sse" / "sse_cases.json"

CASES: dict[str, tuple[bytes, list[Frame]]] = {
    "LF": (b"event: a\ndata: 1\n\ndata: 2\n\n", [Frame("a", "1"), Frame("message", "2")]),
    "CRLF": (b"event: a\r\ndata: 1\r\n\r\ndata: 2\r\n\r\n", [Frame("a", "1"), Frame("message", "2")]),
    "CR": (b"event: a\rdata: 1\r\rdata: 2\r\r", [Frame("a", "1"), Frame("message", "2")]),
    "all three mixed": (b"data: 1\n\r\ndata: 2\r\n\ndata: 3\r\r\n", [Frame("message", str(n)) for n in (1, 2, 3)]),
    "CRLF between two data lines": (b"data: a\r\ndata: b\r\n\r\n", [Frame("message", "a\nb")]),
    "one byte order mark is no text": (b"\xef\xbb\xbfdata: a\n\n", [Frame("message", "a")]),
    "a second one is": (b"\xef\xbb\xbf\xef\xbb\xbfdata: a\n\ndata: b\n\n", [Frame("message", "b")]),
    "only CR and LF end lines": (
        "data: a\u2028b\u2029c\x85d\x0be\x0cf\x1cg\n\n".encode(),
        [Frame("message", "a\u2028b\u2029c\x85d\x0be\x0cf\x1cg")],
    ),
    "one space after the colon is dropped": (b"data:a\ndata: b\ndata:  c\n\n", [Frame("message", "a\nb\n c")]),
    "colons in the value stay": (b"data: a: b:: c\n\n", [Frame("message", "a: b:: c")]),
    "data without a colon is an empty line": (b"data\ndata\n\n", [Frame("message", "\n")]),
    "empty data is dispatched": (b"data:\n\n", [Frame("message", "")]),
    "no data, no frame, and the name is forgotten": (b"event: ping\n\ndata: x\n\n", [Frame("message", "x")]),
    "an empty name is message": (b"event:\ndata: x\n\n", [Frame("message", "x")]),
    "id and retry say nothing": (b"id: 7\nretry: 10\n\nid: 8\ndata: x\n\n", [Frame("message", "x")]),
    "unknown fields say nothing": (b"DATA: x\n data: y\ndata : z\ndata: a\n\n", [Frame("message", "a")]),
    "a comment is told at once": (b": hello\ndata: a\n:\ndata: b\n\n", [COMMENT, COMMENT, Frame("message", "a\nb")]),
    "wrong UTF-8 is replaced": (b"data: a\xffb\xc3\n\n", [Frame("message", "a\ufffdb\ufffd")]),
    "NUL is text": (b"data: \0\n\n", [Frame("message", "\0")]),
    "four bytes a letter": ("data: 📈\n\n".encode(), [Frame("message", "📈")]),
    "an end without the empty line": (b"data: a\n\ndata: b\n", [Frame("message", "a"), Frame("message", "b", False)]),
    "an end without the line's end": (b"data: a\n\ndata: b", [Frame("message", "a"), Frame("message", "b", False)]),
    "an end after a comment": (b"data: a\n\n: bye", [Frame("message", "a")]),
    "nothing": (b"", []),
    "blank lines": (b"\n\r\n\r\n\n", []),
}


@pytest.mark.parametrize(("body", "frames"), CASES.values(), ids=CASES)
def test_a_body_is_heard_the_same_whole_bytewise_and_cut_anywhere(body: bytes, frames: list[Frame]) -> None:
    assert list(read([body])) == frames
    assert list(read(bytewise(body))) == frames
    for cut in range(len(body) + 1):
        assert list(read([body[:cut], body[cut:]])) == frames


@given(st.data())
def test_any_cuts_give_the_same_frames(data: st.DataObject) -> None:
    soup = st.lists(st.sampled_from([b"data", b"event", b":", b" ", b"\n", b"\r", b"x", "é📈".encode(), b"\xff"]))
    body = b"".join(data.draw(soup))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)))))
    pieces = [body[a:b] for a, b in zip([0, *cuts], [*cuts, len(body)], strict=True)]
    assert list(read(pieces)) == list(read([body]))


def vectors() -> Iterator[Any]:
    if not VECTORS.exists():
        return
    for case in json.loads(VECTORS.read_text())["cases"]:
        yield pytest.param(base64.b64decode(case["body_b64"]), case["expect"], id=case["name"])


@pytest.mark.parametrize(("body", "expected"), list(vectors()))
def test_we_hear_what_a_browser_hears(body: bytes, expected: list[dict[str, str]]) -> None:
    """A browser drops what is pending at the end, so the two machines are asked without their `close`."""
    wanted = [(e["event"], e["data"]) for e in expected]
    assert without_close([body]) == wanted
    assert without_close(bytewise(body)) == wanted
    step = 1 if len(body) < 5000 else 499
    for cut in range(0, len(body), step):
        assert without_close([body[:cut], body[cut:]]) == wanted


def without_close(chunks: Iterable[bytes]) -> list[tuple[str, str]]:
    lines, frames = Lines(), Frames()
    heard = [frames.feed(line) for chunk in chunks for line in lines.feed(chunk)]
    return [(f.event, f.data) for f in heard if f and f is not COMMENT]


def test_a_frame_is_there_with_its_last_byte() -> None:
    lines, frames = Lines(), Frames()
    assert [frames.feed(line) for line in lines.feed(b"data: a\r\n\r")] == [None, Frame("message", "a")]
    assert lines.feed(b"\n") == []


def test_time_is_linear_in_the_bytes() -> None:
    """Four times the bytes in small pieces may take about four times as long; a quadratic reader takes sixteen."""

    def seconds(size: int) -> float:
        pieces = [b"data: "] + [b"x" * 32] * (size // 32) + [b"\n\n"]
        began = time.perf_counter()
        assert len(list(read(pieces))) == 1
        return time.perf_counter() - began

    small = min(seconds(750_000) for _ in range(3))
    large = min(seconds(3_000_000) for _ in range(3))
    assert large < small * 10


def test_a_line_without_end_is_refused() -> None:
    with pytest.raises(ProviderError) as refused:
        list(read(b"x" * 65536 for _ in range(MAX_LINE // 65536 + 1)))
    assert refused.value.fault.kind is Kind.PROTOCOL


def test_a_body_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "MAX_TOTAL", 1000)
    with pytest.raises(ProviderError) as refused:
        list(read(b": still here\n" for _ in range(100)))
    assert refused.value.fault.kind is Kind.PROTOCOL
