"""The turn: ask, listen, act, ask again. No HTTP, no SQL, no sockets; the outside world is passed in.

States of a turn and what may follow:

    queued -> running -> done | failed | stopped | interrupted
              running -> waiting -> running            (a person is asked to approve)

`queued`      stored, not yet asked            `done`         the model finished
`running`     the provider is being heard      `failed`       with a Trouble that says why
`stopped`     a person pressed Stop            `interrupted`  its worker died; what was heard is kept

A try is repeated only while nothing was heard of it, only if its fault says that a repeat may help, never on another
key or model, and always visibly (`Retrying`). What a provider refused about a request although it can do without (the
reasoning of earlier turns, the question why its cache was missed) is left out of it, once and for the whole session: a
Notice tells that. Tools run only after a clean finish that asks for them: those that only
read at the same time, those that would change something one after another.

A call that would change something gets no result here: it proposes a plan, and the turn waits. `run` then ends with
Waiting instead of Ended. Once a person has decided, or the time is over, whoever goes on with the turn puts the
outcomes of its plans in as results and calls `run` again, with what was spent `so_far`.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from webapp.chat.events import (
    Answered,
    Asked,
    Cause,
    Ended,
    FirstWord,
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
from webapp.llm import sizes
from webapp.llm.assembler import Assembler
from webapp.llm.blocks import Message, ToolResult, ToolUse
from webapp.llm.dialects.answers import text as storable
from webapp.llm.errors import NO_DIAGNOSIS, Fault, Kind, ProviderError
from webapp.llm.events import BlockStart, Event, Heartbeat, Notice, Start, Usage
from webapp.llm.request import ModelRequest
from webapp.tools import Proposed, Toolbox, ToolContext, ToolError

logger = logging.getLogger(__name__)

NEXT: dict[TurnState, frozenset[TurnState]] = {
    TurnState.QUEUED: frozenset({TurnState.RUNNING, TurnState.FAILED, TurnState.STOPPED, TurnState.INTERRUPTED}),
    TurnState.RUNNING: frozenset(
        {TurnState.WAITING, TurnState.DONE, TurnState.FAILED, TurnState.STOPPED, TurnState.INTERRUPTED}
    ),
    TurnState.WAITING: frozenset({TurnState.RUNNING, TurnState.STOPPED, TurnState.FAILED}),
}

MAX_TRIES = 3
MAX_ROUNDS = 12
THINKING_DROPPED = "thinking_dropped"  # a Notice: this session replays without earlier reasoning from now on
NOT_DIAGNOSED = "not_diagnosed"  # a Notice: this session asks no more why its cache was missed
LONGEST_WAIT = 30.0  # seconds; a provider that asks for more is told to the person instead

TOOL_SECONDS = 60  # that one call may take
TOO_SLOW = f"The call was given up after {TOOL_SECONDS} seconds. Ask for less: a shorter window or fewer rows."

LEFT_OUT: dict[str, Callable[[ModelRequest], ModelRequest]] = {  # the notice -> the request without it
    THINKING_DROPPED: lambda request: replace(request, drop_thinking=True),
    NOT_DIAGNOSED: lambda request: replace(request, follows=None),
}

Ask = Callable[[ModelRequest], Iterator[Event]]
Sleep = Callable[[float], None]
Act = Callable[[], ToolResult | Proposed]


@dataclass(frozen=True)
class Step:
    """What happened to the call of that number: it began (no `done`), or it is done. `late`: it took too long."""

    number: int
    done: ToolResult | Proposed | None = None
    late: bool = False


Together = Callable[[Sequence[Act]], Iterator[Step]]


def one_by_one(acts: Sequence[Act]) -> Iterator[Step]:
    """Run calls one after another, without a limit of time. What a World does unless it can do better."""
    for number, act_now in enumerate(acts):
        yield Step(number)
        yield Step(number, act_now())


def no_limit(request: ModelRequest, spent: Usage) -> None:
    """Whoever asks may spend anything."""


@dataclass(frozen=True)
class World:
    """What a turn needs from outside: a provider to ask, a clock to wait on, tools to call.

    `together` runs calls at the same time and stops each after TOOL_SECONDS; `allow` says, before each round, why what
    was spent so far forbids this request, or what there is to be told beforehand; `clock` gives seconds since 1970."""

    ask: Ask
    sleep: Sleep
    dialect: str
    toolbox: Toolbox
    context: ToolContext
    together: Together = one_by_one
    allow: Callable[[ModelRequest, Usage], Trouble | Notice | None] = no_limit
    clock: Callable[[], float] = time.time


@dataclass(frozen=True)
class SoFar:
    """What the turn has used before it waited: limits are for the whole of it."""

    rounds: int
    usage: Usage


NOTHING = SoFar(0, Usage())


def run(request: ModelRequest, world: World, so_far: SoFar = NOTHING) -> Iterator[TurnEvent]:
    """The events of a turn, the last one Ended or Waiting. Raises nothing but what `world` raises besides
    ProviderError."""
    spent = so_far.usage
    for _ in range(so_far.rounds, MAX_ROUNDS):
        match world.allow(request, spent):
            case Trouble() as trouble:
                yield Ended(TurnState.FAILED, trouble)
                return
            case Notice() as notice:
                yield Heard(notice)
        heard = Assembler()
        try:
            for event in _listen(request, world):
                yield event
                match event:
                    case Heard(Notice(kind)) if kind in LEFT_OUT:
                        request = LEFT_OUT[kind](request)
                    case Heard(said):
                        heard.apply(said)
                    case Asked():
                        heard = Assembler()
        except ProviderError as error:
            yield Ended(TurnState.FAILED, Trouble(Cause.PROVIDER, error.fault))
            return
        if not heard.tool_uses():
            yield Ended(TurnState.DONE)
            return
        results, proposed = yield from _act_on(heard.tool_uses(), world)
        if proposed:
            yield Waiting()
            return
        spent += heard.usage
        request = _told(request, heard.message(world.dialect), results, heard.start.response_id if heard.start else "")
    yield Ended(TurnState.FAILED, Trouble(Cause.TOO_MANY_ROUNDS))


def _told(request: ModelRequest, answer: Message, results: Sequence[ToolResult], follows: str) -> ModelRequest:
    messages = (*request.messages, answer, Message("user", tuple(results)))
    return replace(request, messages=messages, follows=None if request.follows is None else follows)


def _act_on(calls: Sequence[ToolUse], world: World) -> Generator[TurnEvent, None, tuple[list[ToolResult], bool]]:
    """The events of running a round's calls; returns their results, and whether some call waits for a person."""
    reading = [call for call in calls if not _changes(call, world)]
    changing = [call for call in calls if _changes(call, world)]
    results: list[ToolResult] = []
    proposed = False
    for batch in (reading, *([call] for call in changing)):
        for event in _at_once(batch, world):
            yield event
            match event:
                case ToolFinished(result):
                    results.append(result)
                case ToolProposed():
                    proposed = True
    return results, proposed


def _changes(call: ToolUse, world: World) -> bool:
    return any(tool.destructive and tool.spec.name == call.name for tool in world.toolbox.tools)


def _at_once(calls: Sequence[ToolUse], world: World) -> Iterator[TurnEvent]:
    began: dict[int, float] = {}
    for step in world.together([partial(act, call, world) for call in calls]):
        call = calls[step.number]
        match step.done:
            case None if not step.late:
                began[step.number] = world.clock()
                yield ToolStarted(call.id, call.name, began[step.number])
            case None:
                yield ToolFinished(ToolResult(call.id, TOO_SLOW, is_error=True, seconds=float(TOOL_SECONDS)))
            case Proposed(plan_id):
                yield ToolProposed(call.id, str(plan_id))
            case ToolResult() as result:
                seconds = max(0.0, world.clock() - began[step.number])
                yield ToolFinished(replace(result, seconds=round(seconds, 2)))


def _listen(request: ModelRequest, world: World) -> Iterator[TurnEvent]:
    """One round: the provider's events, with repeated tries while nothing was heard. Raises ProviderError."""
    attempt = 0
    while True:
        attempt += 1
        asked = world.clock()
        yield Asked(world.dialect, request.model, asked, sizes.request_tokens(request))
        began = spoke = False
        try:
            for event in world.ask(request):
                began = began or not isinstance(event, Start | Heartbeat)
                if not spoke and isinstance(event, BlockStart):
                    spoke = True
                    yield FirstWord(_ms(world.clock() - asked))
                yield Heard(event)
            yield Answered(_ms(world.clock() - asked))
            return
        except ProviderError as error:
            if began:
                raise
            refused = _refused_part(error.fault, request)
            if refused:
                request = LEFT_OUT[refused](request)
                yield Heard(Notice(refused, error.fault.message))
                continue
            wait = wait_before_retry(error.fault, attempt)
            if wait is None:
                raise
            yield Retrying(error.fault, attempt, wait)
            world.sleep(wait)


def _refused_part(fault: Fault, request: ModelRequest) -> str:
    """Which part of the request was refused that it can do without, as the notice that tells so; "" if none."""
    if fault.kind is Kind.STALE_THINKING and not request.drop_thinking:
        return THINKING_DROPPED
    return NOT_DIAGNOSED if fault.code == NO_DIAGNOSIS and request.follows is not None else ""


def _ms(seconds: float) -> int:
    return max(0, round(seconds * 1000))


def wait_before_retry(fault: Fault, attempt: int) -> float | None:
    """Seconds to wait before try `attempt` + 1; None if there must not be one."""
    if not fault.retryable or attempt >= MAX_TRIES:
        return None
    if fault.retry_after is not None:
        return fault.retry_after if fault.retry_after <= LONGEST_WAIT else None
    return float(2 ** (attempt - 1)) * random.uniform(0.75, 1.25)


def act(call: ToolUse, world: World) -> ToolResult | Proposed:
    """Run one call. Every failure becomes a result that the model can read; a defect of ours is named as such."""
    if call.error:
        return ToolResult(call.id, f"The arguments could not be read: {call.error}", is_error=True)
    try:
        outcome = world.toolbox.find(call.name).run(world.context, call.id, call.input)
    except ToolError as error:
        return ToolResult(call.id, str(error), is_error=True)
    except Exception as error:  # one of the two: a broken tool must not take the answer with it
        logger.exception("tool %s failed", call.name)
        return ToolResult(call.id, f"The tool failed ({type(error).__name__}).", is_error=True)
    return outcome if isinstance(outcome, Proposed) else ToolResult(call.id, storable(outcome))
