"""Turn events: stored and read back, merged, folded; the live view agrees with the stored messages."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from webapp.chat.events import (
    Asked,
    Cause,
    Ended,
    Heard,
    Pending,
    Resumed,
    Retrying,
    ToolFinished,
    ToolProposed,
    ToolStarted,
    Trouble,
    TurnEvent,
    TurnState,
    Waiting,
    from_json,
    to_json,
    worth_storing,
)
from webapp.chat.fold import BlockView, blocks_of, fold
from webapp.llm.blocks import ToolResult
from webapp.llm.errors import Fault, Kind
from webapp.llm.events import (
    BlockEnd,
    BlockStart,
    Finish,
    FinishReason,
    Heartbeat,
    Notice,
    Start,
    TextDelta,
    ThinkingDelta,
    ToolArgsDelta,
    Usage,
)

ONE_OF_EACH: list[TurnEvent] = [
    Asked("anthropic_messages", "m"),
    Retrying(Fault(Kind.OVERLOADED, "Overloaded", 529, retry_after=1.5, retryable=True), 1, 1.5),
    Heard(Start("m", "msg_1")),
    Heard(BlockStart(0, "thinking")),
    Heard(ThinkingDelta(0, "hm")),
    Heard(BlockEnd(0, {"signature": "abc"})),
    Heard(BlockStart(1, "tool_use", "c1", "length_of")),
    Heard(ToolArgsDelta(1, '{"word": "a"}')),
    Heard(BlockEnd(1)),
    Heard(Usage(1, 2, 3, 4, 5, 6)),
    Heard(Notice("cache_miss", "tools_changed")),
    Heard(Finish(FinishReason.TOOL_CALLS, "tool_use")),
    ToolStarted("c1", "length_of", 1764000000.5),
    ToolProposed("c1", "0b7f6d3e-0000-4000-8000-000000000000"),
    Waiting(),
    Resumed(),
    ToolFinished(ToolResult("c1", "1", seconds=0.25)),
    Asked("anthropic_messages", "m"),
    Heard(Start("m2")),
    Heard(BlockStart(0, "text")),
    Heard(TextDelta(0, "One letter.")),
    Heard(BlockEnd(0)),
    Heard(Usage(output=7)),
    Heard(Finish(FinishReason.STOP, "end_turn")),
    Ended(TurnState.FAILED, Trouble(Cause.PROVIDER, Fault(Kind.TRUNCATED))),
]


def test_every_event_survives_storing() -> None:
    for event in ONE_OF_EACH:
        assert from_json(json.loads(json.dumps(to_json(event)))) == event


def test_the_live_view_agrees_with_the_stored_messages() -> None:
    folded = fold(ONE_OF_EACH)
    stored = blocks_of(folded.messages())
    assert [(b.number, b.kind, b.text, b.result) for b in folded.blocks()] == [
        (b.number, b.kind, b.text, b.result) for b in stored
    ]
    assert stored[1].input == {"word": "a"}


def test_the_fold_knows_usage_model_and_end() -> None:
    folded = fold(ONE_OF_EACH)
    assert folded.usage == Usage(1, 2, 3, 4, 12, 6)
    assert folded.model_served == "m2"
    assert folded.finish is FinishReason.STOP
    assert folded.state is TurnState.FAILED
    assert folded.retrying is None


def test_an_open_block_is_shown_as_open() -> None:
    assert fold(ONE_OF_EACH[:5]).blocks() == (BlockView(0, "thinking", "hm", open=True),)


def test_a_round_that_said_nothing_leaves_no_message() -> None:
    events = [Asked("d", "m"), Heard(Start("m")), Asked("d", "m"), *ONE_OF_EACH[19:24]]
    assert len(fold(events).messages()) == 1


def test_heartbeats_are_not_stored() -> None:
    assert not worth_storing(Heard(Heartbeat()))
    assert worth_storing(Heard(TextDelta(0, "")))


words = st.text(max_size=8)
deltas = st.one_of(
    st.builds(TextDelta, st.integers(0, 1), words),
    st.builds(ThinkingDelta, st.integers(0, 1), words),
    st.builds(ToolArgsDelta, st.integers(0, 1), words),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(deltas, max_size=30))
def test_merging_changes_no_fold(heard: list[TextDelta | ThinkingDelta | ToolArgsDelta]) -> None:
    opening: list[TurnEvent] = [Asked("d", "m"), *(Heard(BlockStart(n, "text")) for n in (0, 1))]
    events = [*opening, *(Heard(e) for e in heard)]
    pending = Pending()
    for event in events:
        pending.add(event)
    merged = pending.take()
    assert not pending
    assert len(merged) <= len(events)
    assert fold(merged).blocks() == fold(events).blocks()
