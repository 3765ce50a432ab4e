"""TurnEvents, and their fold into what a turn looks like now. Where they are kept: log.py. Who makes them: turn.py.

The log of a turn is the whole truth about it while it lives: its messages, its live view and what a killed worker left
behind are all folds of the same events. Text deltas that follow each other in one block merge into one event before
they are numbered and stored, so a row is a tick's worth of text, not a token.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from webapp.llm.assembler import Assembler
from webapp.llm.blocks import Json, Message, Text, Thinking, ToolResult, ToolUse
from webapp.llm.errors import Fault
from webapp.llm.events import (
    BlockKind,
    Event,
    FinishReason,
    Heartbeat,
    Notice,
    TextDelta,
    ThinkingDelta,
    ToolArgsDelta,
    Usage,
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
    TOO_LONG = "too_long"
    INTERNAL = "internal"


@dataclass(frozen=True)
class Trouble:
    """A turn's error, storable. The words for it are the page's."""

    cause: Cause
    fault: Fault | None = None

    def to_json(self) -> dict[str, Any]:
        return {"cause": self.cause, "fault": self.fault.to_json() if self.fault else None}

    @staticmethod
    def from_json(raw: Json) -> Trouble:
        return Trouble(Cause(raw["cause"]), Fault.from_json(raw["fault"]) if raw["fault"] else None)


@dataclass(frozen=True)
class Asked:
    """A round begins: the provider is being asked, in this dialect."""

    dialect: str
    model: str


@dataclass(frozen=True)
class Heard:
    """The provider said this."""

    event: Event


@dataclass(frozen=True)
class Retrying:
    """Nothing was heard yet and the fault allows another try, `wait` seconds from now."""

    fault: Fault
    attempt: int
    wait: float


@dataclass(frozen=True)
class ToolStarted:
    id: str
    name: str


@dataclass(frozen=True)
class ToolFinished:
    result: ToolResult


@dataclass(frozen=True)
class Ended:
    """The one end of a turn."""

    state: TurnState
    trouble: Trouble | None = None


TurnEvent = Asked | Heard | Retrying | ToolStarted | ToolFinished | Ended


def to_json(event: TurnEvent) -> dict[str, Any]:
    match event:
        case Heard(heard):
            return event_to_json(heard)
        case Asked():
            return {"e": "asked", **vars(event)}
        case Retrying(fault, attempt, wait):
            return {"e": "retrying", "fault": fault.to_json(), "attempt": attempt, "wait": wait}
        case ToolStarted():
            return {"e": "tool", **vars(event)}
        case ToolFinished(result):
            return {"e": "tool_done", **vars(result)}
        case Ended(state, trouble):
            return {"e": "ended", "state": state, "trouble": trouble.to_json() if trouble else None}


def from_json(raw: Json) -> TurnEvent:
    fields = {k: v for k, v in raw.items() if k != "e"}
    match raw["e"]:
        case "asked":
            return Asked(**fields)
        case "retrying":
            return Retrying(Fault.from_json(raw["fault"]), raw["attempt"], raw["wait"])
        case "tool":
            return ToolStarted(**fields)
        case "tool_done":
            return ToolFinished(ToolResult(**fields))
        case "ended":
            trouble = raw["trouble"]
            return Ended(TurnState(raw["state"]), Trouble.from_json(trouble) if trouble else None)
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


# --- what a turn looks like ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class BlockView:
    """A block of the answer as a page shows it. `number` counts over all rounds of the turn."""

    number: int
    kind: BlockKind
    text: str = ""
    open: bool = False
    id: str = ""
    name: str = ""
    input: Json = field(default_factory=dict)
    result: ToolResult | None = None


def blocks_of(messages: Iterable[Message]) -> tuple[BlockView, ...]:
    """The blocks of stored messages, in the order and with the numbers that the live fold gave them."""
    messages = tuple(messages)
    results = {b.tool_use_id: b for m in messages for b in m.blocks if isinstance(b, ToolResult)}
    shown = [b for m in messages if m.role == "assistant" for b in m.blocks]
    views: list[BlockView] = []
    for number, block in enumerate(shown):
        match block:
            case Text(text):
                views.append(BlockView(number, "text", text))
            case Thinking(text):
                views.append(BlockView(number, "thinking", text))
            case ToolUse(id, name, input):
                views.append(BlockView(number, "tool_use", id=id, name=name, input=input, result=results.get(id)))
            case _:
                continue
    return tuple(views)


class TurnFold:
    """What the events so far add up to. `apply` is cheap; `messages` and `blocks` may be asked at any moment."""

    def __init__(self) -> None:
        self.state = TurnState.QUEUED
        self.trouble: Trouble | None = None
        self.retrying: Retrying | None = None
        self.finish: FinishReason | None = None
        self.notices: list[Notice] = []
        self._rounds: list[tuple[Asked, Assembler]] = []
        self._results: list[list[ToolResult]] = []
        self._earlier = Usage()

    def apply(self, event: TurnEvent) -> None:
        match event:
            case Heard(heard):
                self._hear(heard)
            case Asked():
                self._ask(event)
            case Retrying():
                self.retrying = event
            case ToolStarted():
                return
            case ToolFinished(result):
                self._results[-1].append(result)
            case Ended(state, trouble):
                self.state, self.trouble, self.retrying = state, trouble, None

    def _ask(self, event: Asked) -> None:
        if self._rounds and not self.assembler.blocks:  # a retry: the round that said nothing never was
            self._rounds.pop()
            self._results.pop()
        elif self._rounds:
            self._earlier = self._earlier + self.assembler.usage
        self.state = TurnState.RUNNING
        self._rounds.append((event, Assembler()))
        self._results.append([])

    def _hear(self, event: Event) -> None:
        self.retrying = None
        if isinstance(event, Notice):
            self.notices.append(event)
        self.assembler.apply(event)
        if self.assembler.finish:
            self.finish = self.assembler.finish.reason

    @property
    def assembler(self) -> Assembler:
        return self._rounds[-1][1]

    @property
    def usage(self) -> Usage:
        """Tokens of all rounds."""
        return self._earlier + self.assembler.usage if self._rounds else self._earlier

    @property
    def model_served(self) -> str:
        started = [a.start.model for _, a in self._rounds if a.start]
        return started[-1] if started else ""

    def messages(self) -> list[Message]:
        """The assistant and tool-result messages so far, as they are stored and replayed."""
        made: list[Message] = []
        for (asked, assembler), results in zip(self._rounds, self._results, strict=True):
            message = assembler.message(asked.dialect)
            if message.blocks:
                made.append(message)
            if results:
                made.append(Message("user", tuple(results)))
        return made

    def blocks(self) -> tuple[BlockView, ...]:
        """Every block as it is now, open ones included."""
        views: list[BlockView] = []
        for (_, assembler), results in zip(self._rounds, self._results, strict=True):
            answered = {r.tool_use_id: r for r in results}
            for block in assembler.blocks:
                views.append(
                    BlockView(
                        len(views),
                        block.kind,
                        "" if block.kind == "tool_use" else block.text,
                        not block.closed,
                        block.id,
                        block.name,
                        result=answered.get(block.id) if block.id else None,
                    )
                )
        return tuple(views)


def fold(events: Sequence[TurnEvent]) -> TurnFold:
    folded = TurnFold()
    for event in events:
        folded.apply(event)
    return folded
