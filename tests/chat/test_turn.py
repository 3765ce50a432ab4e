"""The turn loop against scripted providers: what it asks again, what it never asks again, when it acts."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import gevent
import pytest

from webapp.chat import side_by_side, turn
from webapp.chat.events import (
    Asked,
    Cause,
    Ended,
    Heard,
    Retrying,
    ToolFinished,
    ToolProposed,
    ToolStarted,
    Trouble,
    TurnEvent,
    TurnState,
    Waiting,
)
from webapp.chat.fold import fold
from webapp.llm.blocks import Json, Message, Text, ToolResult, ToolUse
from webapp.llm.errors import NO_DIAGNOSIS, Fault, Kind, ProviderError
from webapp.llm.events import (
    BlockEnd,
    BlockStart,
    Event,
    Finish,
    FinishReason,
    Heartbeat,
    Start,
    TextDelta,
    ToolArgsDelta,
    Usage,
)
from webapp.llm.request import ModelRequest, ToolSpec
from webapp.tools import Proposed, Tool, Toolbox, ToolContext, ToolError

HELLO: Sequence[Event] = (
    Start("model-1"),
    BlockStart(0, "text"),
    TextDelta(0, "Hello"),
    BlockEnd(0),
    Usage(input=10, output=2),
    Finish(FinishReason.STOP),
)
REQUEST = ModelRequest("model-1", (Message("user", (Text("Hi"),)),))


def overloaded(**more: object) -> ProviderError:
    return ProviderError(Fault(Kind.OVERLOADED, status=529, retryable=True, **more))  # type: ignore[arg-type]


def call(name: str, arguments: str, finish: FinishReason = FinishReason.TOOL_CALLS) -> Sequence[Event]:
    return (
        Start("model-1"),
        BlockStart(0, "tool_use", "call-1", name),
        ToolArgsDelta(0, arguments),
        BlockEnd(0),
        Usage(input=20, output=5),
        Finish(finish),
    )


NOBODY = ToolContext(None, None, None, uuid.uuid4())  # type: ignore[arg-type]


class Scripted:
    """A provider that plays one script per ask: events, and perhaps an error at the end."""

    def __init__(self, *scripts: Sequence[Event | ProviderError]) -> None:
        self.scripts = list(scripts)
        self.asked: list[ModelRequest] = []
        self.slept: list[float] = []

    def ask(self, request: ModelRequest) -> Iterator[Event]:
        self.asked.append(request)
        for step in self.scripts.pop(0):
            if isinstance(step, ProviderError):
                raise step
            yield step

    def run(
        self, *tools: Tool, so_far: turn.SoFar = turn.NOTHING, request: ModelRequest = REQUEST, **world: Any
    ) -> list[TurnEvent]:
        around = turn.World(self.ask, self.slept.append, "anthropic_messages", Toolbox(tools), NOBODY, **world)
        return list(turn.run(request, around, so_far))


def length_of(context: ToolContext, call_id: str, input: Json) -> str:
    if "word" not in input:
        raise ToolError("word is missing")
    return str(len(input["word"]))


LENGTH = Tool(ToolSpec("length_of", "Counts letters.", {"type": "object"}), length_of)


def test_an_answer_ends_the_turn() -> None:
    events = Scripted(HELLO).run()
    asked = events[0]
    assert isinstance(asked, Asked)
    assert (asked.dialect, asked.model) == ("anthropic_messages", "model-1")
    assert events[-1] == Ended(TurnState.DONE)
    assert fold(events).messages()[0].text() == "Hello"


def test_an_overload_before_the_first_word_is_tried_again_visibly() -> None:
    provider = Scripted([overloaded(retry_after=2.0)], [Start("model-1"), Heartbeat(), overloaded()], HELLO)
    events = provider.run()
    retries = [e for e in events if isinstance(e, Retrying)]
    assert [r.attempt for r in retries] == [1, 2]
    assert provider.slept[0] == 2.0
    assert 1.5 <= provider.slept[1] <= 2.5
    assert events[-1] == Ended(TurnState.DONE)
    assert len(fold(events).messages()) == 1


def test_it_gives_up_after_three_tries() -> None:
    provider = Scripted([overloaded()], [overloaded()], [overloaded()])
    ended = provider.run()[-1]
    assert isinstance(ended, Ended)
    assert ended.state is TurnState.FAILED
    assert len(provider.asked) == 3


def test_a_long_wait_is_told_not_waited() -> None:
    provider = Scripted([overloaded(retry_after=600.0)])
    assert provider.run()[-1].state is TurnState.FAILED  # type: ignore[union-attr]
    assert provider.slept == []


def test_an_error_after_the_first_word_is_never_tried_again() -> None:
    provider = Scripted([*HELLO[:3], overloaded(in_stream=True)])
    events = provider.run()
    assert len(provider.asked) == 1
    assert fold(events).messages()[0].text() == "Hello"
    assert fold(events).state is TurnState.FAILED


@pytest.mark.parametrize("kind", [Kind.INVALID_KEY, Kind.NO_CREDIT, Kind.MODEL_FORBIDDEN, Kind.CONTEXT_OVERFLOW])
def test_what_a_repeat_cannot_help_is_not_repeated(kind: Kind) -> None:
    provider = Scripted([ProviderError(Fault(kind))])
    ended = provider.run()[-1]
    assert isinstance(ended, Ended)
    assert ended.trouble is not None
    assert ended.trouble.fault == Fault(kind)
    assert len(provider.asked) == 1


def test_refused_reasoning_is_left_out_and_the_reader_is_told() -> None:
    stale = ProviderError(Fault(Kind.STALE_THINKING, "bound to a different conversation", 400))
    provider = Scripted([stale], call("length_of", '{"word": "abc"}'), HELLO)
    events = provider.run(LENGTH)
    assert [r.drop_thinking for r in provider.asked] == [False, True, True]
    assert [n.kind for n in fold(events).notices] == ["thinking_dropped"]
    assert fold(events).state is TurnState.DONE


def test_refused_reasoning_is_not_dropped_twice() -> None:
    stale = ProviderError(Fault(Kind.STALE_THINKING, status=400))
    assert Scripted([stale], [stale]).run()[-1].state is TurnState.FAILED  # type: ignore[union-attr]


def test_who_refuses_to_say_why_its_cache_was_missed_is_asked_no_more() -> None:
    refused = ProviderError(Fault(Kind.REQUEST_INVALID, "Unknown parameter", 400, NO_DIAGNOSIS))
    provider = Scripted([refused], call("length_of", '{"word": "abc"}'), HELLO)
    events = provider.run(LENGTH, request=replace(REQUEST, follows="resp_0"))
    assert [r.follows for r in provider.asked] == ["resp_0", None, None]
    assert fold(events).state is TurnState.DONE
    assert [n.kind for n in fold(events).notices] == [turn.NOT_DIAGNOSED]
    assert [c.used.output for c in fold(events).calls()] == [5, 2], "the refused request is none"


def test_a_refusal_of_what_was_not_asked_ends_the_turn() -> None:
    refused = ProviderError(Fault(Kind.REQUEST_INVALID, "Unknown parameter", 400, NO_DIAGNOSIS))
    assert Scripted([refused]).run()[-1].state is TurnState.FAILED  # type: ignore[union-attr]


def test_each_round_follows_the_one_before() -> None:
    first = (Start("model-1", "resp_1"), *call("length_of", '{"word": "abc"}')[1:])
    provider = Scripted(first, HELLO)
    provider.run(LENGTH, request=replace(REQUEST, follows=""))
    assert [r.follows for r in provider.asked] == ["", "resp_1"]


def test_a_tool_is_run_and_its_result_goes_back() -> None:
    provider = Scripted(call("length_of", '{"word": "budget"}'), HELLO)
    events = provider.run(LENGTH)
    assert [e.result for e in events if isinstance(e, ToolFinished)] == [ToolResult("call-1", "6")]
    said, results = provider.asked[1].messages[1:]
    assert said.blocks == (ToolUse("call-1", "length_of", {"word": "budget"}),)
    assert results == Message("user", (ToolResult("call-1", "6"),))
    folded = fold(events)
    assert folded.usage == Usage(input=30, output=7)
    assert [b.kind for b in folded.blocks()] == ["tool_use", "text"]


@pytest.mark.parametrize(
    ("name", "arguments", "says"),
    [
        ("length_of", "{}", "word is missing"),
        ("length_of", '{"word"', "could not be read"),
        ("length_of", '{"word": 3}', "failed (TypeError)"),
        ("delete_everything", "{}", "no tool named"),
    ],
)
def test_a_failing_tool_tells_the_model_and_the_turn_goes_on(name: str, arguments: str, says: str) -> None:
    provider = Scripted(call(name, arguments), HELLO)
    events = provider.run(LENGTH)
    result = next(e.result for e in events if isinstance(e, ToolFinished))
    assert result.is_error
    assert says in result.content
    assert events[-1] == Ended(TurnState.DONE)


@pytest.mark.parametrize("finish", [FinishReason.LENGTH, FinishReason.REFUSAL, FinishReason.STOP])
def test_no_tool_runs_unless_the_finish_asks_for_it(finish: FinishReason) -> None:
    events = Scripted(call("length_of", '{"word": "a"}', finish)).run(LENGTH)
    assert not [e for e in events if isinstance(e, ToolFinished)]
    assert fold(events).state is TurnState.DONE


def test_no_tool_runs_from_a_cut_stream() -> None:
    cut = ProviderError(Fault(Kind.TRUNCATED, in_stream=True))
    events = Scripted([*call("length_of", '{"word": "a"}')[:-1], cut]).run(LENGTH)
    assert not [e for e in events if isinstance(e, ToolFinished)]
    assert fold(events).state is TurnState.FAILED


def test_endless_tool_calls_end() -> None:
    provider = Scripted(*[call("length_of", '{"word": "a"}')] * turn.MAX_ROUNDS)
    ended = provider.run(LENGTH)[-1]
    assert isinstance(ended, Ended)
    assert ended.trouble is not None
    assert ended.trouble.cause is Cause.TOO_MANY_ROUNDS


def test_every_turn_has_one_end() -> None:
    for provider in (
        Scripted(HELLO),
        Scripted([overloaded()] * 1, HELLO),
        Scripted([ProviderError(Fault(Kind.NETWORK))]),
    ):
        events = provider.run()
        assert sum(isinstance(e, Ended) for e in events) == 1
        assert isinstance(events[-1], Ended)


def test_heard_events_reach_the_log_in_order() -> None:
    assert [e.event for e in Scripted(HELLO).run() if isinstance(e, Heard)] == list(HELLO)


# --- several calls in one round ---------------------------------------------------------------------------------


def calls(*names: str) -> Sequence[Event]:
    blocks: list[Event] = []
    for number, name in enumerate(names):
        blocks += [BlockStart(number, "tool_use", f"call-{number}", name), BlockEnd(number)]
    return (Start("model-1"), *blocks, Usage(input=20, output=5), Finish(FinishReason.TOOL_CALLS))


class Clockwork:
    """Tools that take their time, and note who was at work at the same moment."""

    def __init__(self) -> None:
        self.at_work = 0
        self.most = 0
        self.order: list[str] = []

    def tool(self, name: str, seconds: float = 0.01, *, destructive: bool = False) -> Tool:
        def run(context: ToolContext, call_id: str, input: Json) -> str | Proposed:
            self.at_work += 1
            self.most = max(self.most, self.at_work)
            gevent.sleep(seconds)
            self.at_work -= 1
            self.order.append(name)
            return Proposed(PLAN) if destructive else name

        return Tool(ToolSpec(name, name, {"type": "object"}), run, destructive)


PLAN = uuid.UUID("0b7f6d3e-0000-4000-8000-000000000000")


def test_calls_that_only_read_run_at_the_same_time_and_are_told_as_they_finish() -> None:
    work = Clockwork()
    slow, quick = work.tool("slow", 0.1), work.tool("quick", 0.01)
    events = Scripted(calls("slow", "quick"), HELLO).run(slow, quick, together=side_by_side.run)
    told = [e for e in events if isinstance(e, ToolStarted | ToolFinished)]
    assert [e.id if isinstance(e, ToolStarted) else e.result.content for e in told] == [
        "call-0",
        "call-1",
        "quick",
        "slow",
    ]
    assert work.most == 2
    assert [e.result.seconds for e in told if isinstance(e, ToolFinished)] == [
        pytest.approx(0.01, abs=0.09),
        pytest.approx(0.1, abs=0.09),
    ]


def test_at_most_six_run_at_once() -> None:
    work = Clockwork()
    Scripted(calls(*["read"] * 15), HELLO).run(work.tool("read"), together=side_by_side.run)
    assert work.most == side_by_side.AT_ONCE == 6
    assert len(work.order) == 15


def test_calls_that_would_change_something_come_last_and_one_after_another() -> None:
    work = Clockwork()
    tools = (work.tool("change", destructive=True), work.tool("read"))
    events = Scripted(calls("change", "read", "change")).run(*tools, together=side_by_side.run)
    assert work.order == ["read", "change", "change"]
    assert work.most == 1
    assert [e.id for e in events if isinstance(e, ToolProposed)] == ["call-0", "call-2"]


def test_a_call_that_takes_too_long_is_given_up_and_the_model_is_told() -> None:
    work = Clockwork()
    events = Scripted(calls("stuck", "quick"), HELLO).run(
        work.tool("stuck", 5), work.tool("quick"), together=lambda acts: side_by_side.run(acts, seconds=0.1)
    )
    late = next(e.result for e in events if isinstance(e, ToolFinished) and e.result.tool_use_id == "call-0")
    assert late.is_error
    assert "given up after 60 seconds" in late.content
    assert events[-1] == Ended(TurnState.DONE)


def test_whoever_stops_listening_stops_the_calls() -> None:
    work = Clockwork()
    running = side_by_side.run([lambda: work.tool("read", 0.05).run(NOBODY, "c", {})])  # type: ignore[list-item, return-value]
    next(running)
    running.close()  # type: ignore[attr-defined]
    gevent.sleep(0.1)
    assert work.order == []


# --- a turn that waits ------------------------------------------------------------------------------------------


def test_a_proposal_makes_the_turn_wait_and_asks_nobody() -> None:
    work = Clockwork()
    provider = Scripted(calls("read", "change"))
    events = provider.run(work.tool("read"), work.tool("change", destructive=True))
    assert events[-1] == Waiting()
    assert ToolProposed("call-1", str(PLAN)) in events
    assert len(provider.asked) == 1
    folded = fold(events)
    assert folded.state is TurnState.WAITING
    assert folded.proposals() == {"call-1": str(PLAN)}
    assert [b.plan for b in folded.blocks()] == ["", str(PLAN)]


def test_whatever_the_model_claims_only_a_proposal_comes_of_it() -> None:
    work = Clockwork()
    tool = work.tool("change", destructive=True)
    for arguments in ('{"confirmed": true}', '{"confirmed": "true"}', '{"approved_by": "alice", "confirmed": 1}'):
        assert Scripted(call("change", arguments)).run(tool)[-1] == Waiting()


def test_what_was_used_before_it_waited_counts() -> None:
    provider = Scripted()
    used = turn.SoFar(turn.MAX_ROUNDS, Usage(output=5))
    ended = provider.run(LENGTH, so_far=used)[-1]
    assert ended == Ended(TurnState.FAILED, Trouble(Cause.TOO_MANY_ROUNDS))
    assert provider.asked == []


# --- the limit of money -----------------------------------------------------------------------------------------


def test_the_turn_stops_between_rounds_once_it_may_spend_no_more() -> None:
    asked: list[int] = []

    def allow(_: ModelRequest, spent: Usage) -> Trouble | None:
        asked.append(spent.total)
        return Trouble(Cause.TOO_EXPENSIVE, detail="2.00 USD") if spent.total >= 50 else None

    provider = Scripted(*[call("length_of", '{"word": "a"}')] * 3)
    events = provider.run(LENGTH, allow=allow)
    assert asked == [0, 25, 50]
    assert len(provider.asked) == 2
    assert events[-1] == Ended(TurnState.FAILED, Trouble(Cause.TOO_EXPENSIVE, detail="2.00 USD"))
    assert isinstance(events[-2], ToolFinished)
