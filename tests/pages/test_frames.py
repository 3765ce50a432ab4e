"""Frames: any text comes out of a reader of server-sent events as it went in, and cannot end its event."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webapp.pages import frames


def events(stream: bytes) -> list[tuple[str, str]]:
    """(name, data) of each event, as the WHATWG standard reads them."""
    found, name, data = [], "", []
    for line in re.split(r"\r\n|\r|\n", stream.decode("utf-8")):
        key, _, value = line.partition(":")
        if not line:
            if data:
                found.append((name or "message", "\n".join(data)))
            name, data = "", []
        elif key == "data":
            data.append(value.removeprefix(" "))
        elif key == "event":
            name = value.removeprefix(" ")
    assert not data, "the last event is not finished"
    return found


@given(st.text(alphabet=st.characters(codec="utf-8") | st.sampled_from("\r\n: \u2028\u2029\x85\0"), max_size=80))
def test_any_text_is_one_event(text: str) -> None:
    readable = re.sub(r"\r\n?", "\n", text)
    assert events(frames.sse(text)) == [("message", readable)]
    assert events(frames.sse(text, event="usage")) == [("usage", readable)]


def test_data_cannot_end_its_event() -> None:
    assert events(frames.sse("a\r\revent: done\rdata: b\n\n: c")) == [("message", "a\n\nevent: done\ndata: b\n\n: c")]


def test_lines_end_in_lf_only_and_spaces_stay() -> None:
    assert frames.sse(" a\r\n\r b ", "\u2028") == "data:  a\ndata: \ndata:  b \u2028\n\n".encode()


def test_a_lone_surrogate_does_not_stop_the_stream() -> None:
    assert frames.sse("a\ud83d") == b"data: a?\n\n"
    assert frames.comment("a\ud83d") == b": a?\n\n"


def test_partials_of_one_frame_come_as_one_event() -> None:
    first = frames.partial("turn-1-blocks", frames.APPEND, "<p>\n\n</p>")
    assert first == '<hx-partial hx-target="#turn-1-blocks" hx-swap="beforeend"><p>\n\n</p></hx-partial>'
    last = frames.partial("turn-1-live", frames.REMOVE)
    assert events(frames.sse(first, last)) == [("message", first + last)]


def test_a_target_cannot_leave_its_attribute() -> None:
    assert '"#a&quot; hx-get=&quot;/x"' in frames.partial('a" hx-get="/x', frames.GROW)


@pytest.mark.parametrize("name", ["a\nb", "a\r", "\r\ndata: x"])
def test_an_event_name_is_one_line(name: str) -> None:
    with pytest.raises(ValueError):
        frames.sse("x", event=name)


def test_a_comment_is_no_event() -> None:
    assert events(frames.comment("beat") + frames.comment("a\n\ndata: b") + frames.comment()) == []


def test_the_first_bytes_set_the_delay_beside_data() -> None:
    assert frames.RETRY.startswith(b"retry: 1000\n")
    assert events(frames.RETRY) == [("message", "")]
