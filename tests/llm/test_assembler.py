"""The fold of events into a message; above all: tools run only after a clean finish."""

from __future__ import annotations

import time

import pytest

from tests.llm.transcripts import listen, own
from webapp.llm.assembler import Assembler
from webapp.llm.blocks import Message, Text, Thinking, ToolUse
from webapp.llm.events import (
    BlockEnd,
    BlockStart,
    Event,
    Finish,
    FinishReason,
    Start,
    TextDelta,
    ThinkingDelta,
    ToolArgsDelta,
    Usage,
)

ASKS = Finish(FinishReason.TOOL_CALLS, "tool_use")


def fold(*events: Event) -> Assembler:
    assembler = Assembler()
    for event in events:
        assembler.apply(event)
    return assembler


def one_call(*pieces: str) -> tuple[Event, ...]:
    return (BlockStart(0, "tool_use", "t1", "pause"), *(ToolArgsDelta(0, p) for p in pieces), BlockEnd(0))


def test_tools_run_only_after_a_clean_finish() -> None:
    """Every beginning of a stream that asks for two tools runs none of them; only the whole one runs both."""
    events, _ = listen([own("parallel_tools")])
    for cut in range(len(events)):
        assert fold(*events[:cut]).tool_uses() == ()
    assert [call.name for call in fold(*events).tool_uses()] == ["list_campaigns", "get_campaign_insights"]


@pytest.mark.parametrize("reason", [r for r in FinishReason if r is not FinishReason.TOOL_CALLS])
def test_no_other_finish_runs_a_tool(reason: FinishReason) -> None:
    assembler = fold(*one_call('{"a":1}'), Finish(reason))
    assert assembler.tool_uses() == ()
    assert assembler.message("d").blocks == (ToolUse("t1", "pause", {"a": 1}),)


def test_a_call_that_never_closed_is_in_no_message_and_runs_never() -> None:
    opened = (BlockStart(0, "tool_use", "t1", "pause"), ToolArgsDelta(0, '{"budget":1'))
    assert fold(*opened).message("d").blocks == ()
    assert fold(*opened, ASKS).tool_uses() == ()


def test_json_that_parses_already_is_not_taken_before_its_end() -> None:
    assembler = fold(BlockStart(0, "tool_use", "t1", "pause"), ToolArgsDelta(0, "{}"))
    assert assembler.message("d").blocks == ()


@pytest.mark.parametrize("pieces", [(), ("",), ("", " \n")])
def test_no_arguments_are_an_empty_object(pieces: tuple[str, ...]) -> None:
    assert fold(*one_call(*pieces), ASKS).tool_uses() == (ToolUse("t1", "pause", {}),)


@pytest.mark.parametrize(
    "raw",
    [
        '{"a":1',
        '{"a":1}{"b":2}',
        "[1]",
        '"text"',
        "null",
        '{"a":NaN}',
        '{"a":-Infinity}',
        '{"a":1e999}',
        '{"a":"\\ud800"}',
        '{"a":"\\u0000"}',
        '{"a":' * 100_000,
    ],
)
def test_arguments_that_cannot_be_read_become_an_error_and_no_input(raw: str) -> None:
    (call,) = fold(*one_call(raw), ASKS).tool_uses()
    assert call.input == {}
    assert call.error


def test_a_partial_message_has_open_blocks_as_they_are() -> None:
    assembler = fold(
        Start("claude", "msg_1"),
        BlockStart(0, "thinking"),
        ThinkingDelta(0, "Hm"),
        BlockStart(1, "text"),
        TextDelta(1, "Hel"),
        TextDelta(1, "lo"),
    )
    assert assembler.message("d") == Message("assistant", (Thinking("Hm", None), Text("Hello")), "d", "claude")
    assert [(b.kind, b.text, b.closed) for b in assembler.blocks] == [
        ("thinking", "Hm", False),
        ("text", "Hello", False),
    ]


def test_the_last_usage_counts() -> None:
    assert fold(Usage(input=5, output=1), Usage(input=5, output=9)).usage == Usage(input=5, output=9)


def test_blocks_know_what_is_shown_of_them() -> None:
    (block,) = fold(*one_call('{"a":', "1}")).blocks
    assert (block.kind, block.id, block.name, block.text, block.closed) == ("tool_use", "t1", "pause", '{"a":1}', True)
    (signed,) = fold(BlockStart(0, "thinking"), BlockEnd(0, {"signature": "S"})).blocks
    assert signed.opaque == {"signature": "S"}


def test_many_small_pieces_take_linear_time() -> None:
    def seconds(pieces: int) -> float:
        events = one_call('{"a":"', *["x" * 10] * pieces, '"}')
        began = time.perf_counter()
        fold(*events, ASKS).tool_uses()
        return time.perf_counter() - began

    small = min(seconds(20_000) for _ in range(3))
    large = min(seconds(80_000) for _ in range(3))
    assert large < small * 10
