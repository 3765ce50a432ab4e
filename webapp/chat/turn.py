"""The turn: ask, listen, act, ask again. No HTTP, no SQL, no sockets; the outside world is passed in.

States of a turn and what may follow:

    queued -> running -> done | failed | stopped | interrupted
              running -> waiting -> running            (a person is asked to approve)

`queued`      stored, not yet asked            `done`         the model finished
`running`     the provider is being heard      `failed`       with a Trouble that says why
`stopped`     a person pressed Stop            `interrupted`  its worker died; what was heard is kept

A try is repeated only while nothing was heard of it, only if its fault says that a repeat may help, never on another
key or model, and always visibly (`Retrying`). Tools run only after a clean finish that asks for them.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from webapp.chat.events import (
    Asked,
    Cause,
    Ended,
    Heard,
    Retrying,
    ToolFinished,
    ToolStarted,
    Trouble,
    TurnEvent,
    TurnState,
)
from webapp.llm.assembler import Assembler
from webapp.llm.blocks import Message, ToolResult, ToolUse
from webapp.llm.dialects.answers import text as storable
from webapp.llm.errors import Fault, Kind, ProviderError
from webapp.llm.events import Event, Heartbeat, Notice, Start
from webapp.llm.request import ModelRequest
from webapp.tools import Proposed, Toolbox, ToolContext, ToolError

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
LONGEST_WAIT = 30.0  # seconds; a provider that asks for more is told to the person instead

Ask = Callable[[ModelRequest], Iterator[Event]]
Sleep = Callable[[float], None]


@dataclass(frozen=True)
class World:
    """What a turn needs from outside: a provider to ask, a clock to wait on, tools to call."""

    ask: Ask
    sleep: Sleep
    dialect: str
    toolbox: Toolbox
    context: ToolContext


def run(request: ModelRequest, world: World) -> Iterator[TurnEvent]:
    """The events of a turn, the last one Ended. Raises nothing but what `world` raises besides ProviderError."""
    for _ in range(MAX_ROUNDS):
        heard = Assembler()
        try:
            for event in _listen(request, world):
                yield event
                match event:
                    case Heard(Notice(kind)) if kind == THINKING_DROPPED:
                        request = replace(request, drop_thinking=True)
                    case Heard(said):
                        heard.apply(said)
                    case Asked():
                        heard = Assembler()
        except ProviderError as error:
            yield Ended(TurnState.FAILED, Trouble(Cause.PROVIDER, error.fault))
            return
        calls = heard.tool_uses()
        if not calls:
            yield Ended(TurnState.DONE)
            return
        results: list[ToolResult] = []
        for call in calls:
            yield ToolStarted(call.id, call.name)
            results.append(act(call, world))
            yield ToolFinished(results[-1])
        answer = heard.message(world.dialect)
        request = replace(request, messages=(*request.messages, answer, Message("user", tuple(results))))
    yield Ended(TurnState.FAILED, Trouble(Cause.TOO_MANY_ROUNDS))


def _listen(request: ModelRequest, world: World) -> Iterator[TurnEvent]:
    """One round: the provider's events, with repeated tries while nothing was heard. Raises ProviderError."""
    attempt = 0
    while True:
        attempt += 1
        yield Asked(world.dialect, request.model)
        began = False
        try:
            for event in world.ask(request):
                began = began or not isinstance(event, Start | Heartbeat)
                yield Heard(event)
            return
        except ProviderError as error:
            if began:
                raise
            if error.fault.kind is Kind.STALE_THINKING and not request.drop_thinking:
                request = replace(request, drop_thinking=True)
                yield Heard(Notice(THINKING_DROPPED, error.fault.message))
                continue
            wait = wait_before_retry(error.fault, attempt)
            if wait is None:
                raise
            yield Retrying(error.fault, attempt, wait)
            world.sleep(wait)


def wait_before_retry(fault: Fault, attempt: int) -> float | None:
    """Seconds to wait before try `attempt` + 1; None if there must not be one."""
    if not fault.retryable or attempt >= MAX_TRIES:
        return None
    if fault.retry_after is not None:
        return fault.retry_after if fault.retry_after <= LONGEST_WAIT else None
    return float(2 ** (attempt - 1)) * random.uniform(0.75, 1.25)


def act(call: ToolUse, world: World) -> ToolResult:
    """Run one call. Every failure becomes a result that the model can read; a defect of ours is named as such."""
    if call.error:
        return ToolResult(call.id, f"The arguments could not be read: {call.error}", is_error=True)
    try:
        outcome = world.toolbox.find(call.name).run(world.context, call.id, call.input)
    except ToolError as error:
        return ToolResult(call.id, str(error), is_error=True)
    except Exception as error:  # noqa: BLE001 - one of the two: a broken tool must not take the answer with it
        return ToolResult(call.id, f"The tool failed ({type(error).__name__}).", is_error=True)
    if isinstance(outcome, Proposed):
        return ToolResult(call.id, f"Plan {outcome.plan_id} waits for a person.")
    return ToolResult(call.id, storable(outcome))
