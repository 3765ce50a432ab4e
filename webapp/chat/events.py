"""TurnEvents, as values and as they are stored. Their fold: fold.py. Kept by log.py, made by turn.py.

The log of a turn is the whole truth about it while it lives: its messages, its live view and what a killed worker left
behind are all folds of the same events. Text deltas that follow each other in one block merge into one event before
they are numbered and stored, so a row is a tick's worth of text, not a token.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from webapp.llm.blocks import Json, ToolResult
from webapp.llm.errors import Fault
from webapp.llm.events import (
    Event,
    Heartbeat,
    TextDelta,
    ThinkingDelta,
    ToolArgsDelta,
    event_from_json,
    event_to_json,
)


class TurnState(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"  # for a person's approval
    DONE = "done"
    FAILED = "failed"
    STOPPED = "stopped"
    INTERRUPTED = "interrupted"

    @property
    def live(self) -> bool:
        return self in (TurnState.QUEUED, TurnState.RUNNING, TurnState.WAITING)


class Cause(StrEnum):
    """Why a turn failed, where it was not the provider's fault."""

    PROVIDER = "provider"  # then there is a Fault
    KEY_REVOKED = "key_revoked"
    KEY_UNREADABLE = "key_unreadable"
    TOO_MANY_ROUNDS = "too_many_rounds"
    TOO_EXPENSIVE = "too_expensive"  # the limit of money or tokens for one turn, which stands in `detail`
    BUDGET = "budget"  # a limit that the workspace has set; `detail` is the sentences about it
    UNPRICED = "unpriced"  # the workspace allows no model without a known price; `detail` names it
    TOO_LONG = "too_long"
    INTERNAL = "internal"


@dataclass(frozen=True)
class Trouble:
    """A turn's error, storable. The words for it are the page's; `detail` is what they name ("2.00 USD")."""

    cause: Cause
    fault: Fault | None = None
    detail: str = ""

    def to_json(self) -> dict[str, Any]:
        return {"cause": self.cause, "fault": self.fault.to_json() if self.fault else None, "detail": self.detail}

    @staticmethod
    def from_json(raw: Json) -> Trouble:
        fault = Fault.from_json(raw["fault"]) if raw["fault"] else None
        return Trouble(Cause(raw["cause"]), fault, raw.get("detail", ""))


@dataclass(frozen=True)
class Asked:
    """A round begins: the provider is being asked, in this dialect, with about `tokens`, at `at` (seconds since
    1970)."""

    dialect: str
    model: str
    at: float = 0.0
    tokens: int = 0


@dataclass(frozen=True)
class Heard:
    """The provider said this."""

    event: Event


@dataclass(frozen=True)
class FirstWord:
    """The round's first text, thought or call has come, `ms` after it was asked."""

    ms: int


@dataclass(frozen=True)
class Answered:
    """The provider has finished the round, `ms` after it was asked."""

    ms: int


@dataclass(frozen=True)
class Retrying:
    """Nothing was heard yet and the fault allows another try, `wait` seconds from now."""

    fault: Fault
    attempt: int
    wait: float


@dataclass(frozen=True)
class ToolStarted:
    """A call began to run, at `at` (seconds since 1970)."""

    id: str
    name: str
    at: float = 0.0


@dataclass(frozen=True)
class ToolFinished:
    result: ToolResult


@dataclass(frozen=True)
class ToolProposed:
    """The call would change something: this plan waits for a person, and the call for its outcome."""

    id: str
    plan_id: str


@dataclass(frozen=True)
class Waiting:
    """Nothing runs until the proposed plans are settled."""


@dataclass(frozen=True)
class Resumed:
    """They are: some process, perhaps another one, goes on with the turn."""


@dataclass(frozen=True)
class Ended:
    """The one end of a turn. `finish` is why, where it was neither the model's doing nor trouble."""

    state: TurnState
    trouble: Trouble | None = None
    finish: str = ""


TurnEvent = (
    Asked
    | Heard
    | FirstWord
    | Answered
    | Retrying
    | ToolStarted
    | ToolFinished
    | ToolProposed
    | Waiting
    | Resumed
    | Ended
)

EXPIRED = "expired"  # a finish: nobody approved in time


def to_json(event: TurnEvent) -> dict[str, Any]:
    match event:
        case Heard(heard):
            return event_to_json(heard)
        case Asked():
            return {"e": "asked", **vars(event)}
        case FirstWord():
            return {"e": "first_word", **vars(event)}
        case Answered():
            return {"e": "answered", **vars(event)}
        case Retrying(fault, attempt, wait):
            return {"e": "retrying", "fault": fault.to_json(), "attempt": attempt, "wait": wait}
        case ToolStarted():
            return {"e": "tool", **vars(event)}
        case ToolFinished(result):
            return {"e": "tool_done", **vars(result)}
        case ToolProposed():
            return {"e": "tool_proposed", **vars(event)}
        case Waiting():
            return {"e": "waiting"}
        case Resumed():
            return {"e": "resumed"}
        case Ended(state, trouble, finish):
            return {
                "e": "ended",
                "state": state,
                "trouble": trouble.to_json() if trouble else None,
                "finish": finish,
            }


def from_json(raw: Json) -> TurnEvent:
    fields = {k: v for k, v in raw.items() if k != "e"}
    match raw["e"]:
        case "asked":
            return Asked(**fields)
        case "first_word":
            return FirstWord(**fields)
        case "answered":
            return Answered(**fields)
        case "retrying":
            return Retrying(Fault.from_json(raw["fault"]), raw["attempt"], raw["wait"])
        case "tool":
            return ToolStarted(**fields)
        case "tool_done":
            return ToolFinished(ToolResult(**fields))
        case "tool_proposed":
            return ToolProposed(**fields)
        case "waiting":
            return Waiting()
        case "resumed":
            return Resumed()
        case "ended":
            trouble = raw["trouble"]
            return Ended(TurnState(raw["state"]), Trouble.from_json(trouble) if trouble else None, raw["finish"])
    return Heard(event_from_json(raw))


def worth_storing(event: TurnEvent) -> bool:
    return not (isinstance(event, Heard) and isinstance(event.event, Heartbeat))


class Pending:
    """Events that wait to be stored. Deltas of one block that follow each other become one; their texts are joined only
    when they are taken, so that a fast stream costs no more per piece than a slow one."""

    def __init__(self) -> None:
        self._events: list[TurnEvent] = []
        self._texts: list[str] = []  # of the last event, if it is a delta

    def __bool__(self) -> bool:
        return bool(self._events)

    def add(self, event: TurnEvent) -> None:
        delta = _delta(event)
        if delta is None:
            self._settle()
            self._events.append(event)
        elif self._texts and _same_block(_delta(self._events[-1]), delta):
            self._texts.append(delta.text)
        else:
            self._settle()
            self._events.append(event)
            self._texts = [delta.text]

    def take(self) -> list[TurnEvent]:
        """All of them, merged; none are left."""
        self._settle()
        taken, self._events = self._events, []
        return taken

    def put_back(self, events: list[TurnEvent]) -> None:
        """What could not be stored waits again, before what came since. It keeps its numbers: it grows no more."""
        self._settle()
        self._events = events + self._events

    def _settle(self) -> None:
        if len(self._texts) > 1:
            last = _delta(self._events[-1])
            assert last is not None
            self._events[-1] = Heard(replace(last, text="".join(self._texts)))
        self._texts = []


Delta = TextDelta | ThinkingDelta | ToolArgsDelta


def _delta(event: TurnEvent) -> Delta | None:
    return event.event if isinstance(event, Heard) and isinstance(event.event, Delta) else None


def _same_block(last: Delta | None, delta: Delta) -> bool:
    return last is not None and type(last) is type(delta) and last.block == delta.block
