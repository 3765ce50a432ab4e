"""Events: the closed set that every provider's stream is translated into. Do not subclass them.

A stream is: Start, then any of the others, then exactly one Finish; or it raises ProviderError at any point.
A block is opened by BlockStart, grows by TextDelta / ThinkingDelta / ToolArgsDelta, and is closed by BlockEnd.
Block numbers count up from 0 in the order of opening, whatever the provider's own numbering.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

from webapp.llm.blocks import Json

BlockKind = Literal["text", "thinking", "tool_use"]


class FinishReason(StrEnum):
    STOP = "stop"
    TOOL_CALLS = "tool_calls"
    LENGTH = "length"
    CONTEXT_OVERFLOW = "context_overflow"
    CONTENT_FILTER = "content_filter"
    REFUSAL = "refusal"
    PAUSE = "pause"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Start:
    """The provider has begun: the model that serves, and its id of the response."""

    model: str
    response_id: str = ""


@dataclass(frozen=True)
class Heartbeat:
    """A ping or comment: the line is alive, nothing to show."""


@dataclass(frozen=True)
class BlockStart:
    block: int
    kind: BlockKind
    id: str = ""  # tool_use only
    name: str = ""  # tool_use only


@dataclass(frozen=True)
class TextDelta:
    block: int
    text: str


@dataclass(frozen=True)
class ThinkingDelta:
    block: int
    text: str


@dataclass(frozen=True)
class ToolArgsDelta:
    """A piece of the arguments' JSON, for display only. Only the Assembler parses it, after BlockEnd."""

    block: int
    text: str


@dataclass(frozen=True)
class BlockEnd:
    block: int
    opaque: Json | None = None


@dataclass(frozen=True)
class Usage:
    """Tokens in buckets that do not overlap. Cumulative within one call: the last one counts, never add them up."""

    input: int = 0  # fresh: neither read from nor written to a cache
    cache_read: int = 0
    cache_write: int = 0  # 5-minute entries (or the provider's only kind)
    cache_write_1h: int = 0
    output: int = 0  # includes thinking
    thinking: int = 0
    cost: float | None = None  # USD, where the provider itself says it

    @property
    def total(self) -> int:
        return self.input + self.cache_read + self.cache_write + self.cache_write_1h + self.output

    def __add__(self, other: Usage) -> Usage:
        counts = {f: getattr(self, f) + getattr(other, f) for f in self.__dataclass_fields__ if f != "cost"}
        return Usage(**counts, cost=_sum(self.cost, other.cost))


def _sum(one: float | None, other: float | None) -> float | None:
    return other if one is None else one if other is None else one + other


CACHE_MISS = "cache_miss"  # a Notice: why the provider read less from its cache than it could have


@dataclass(frozen=True)
class Notice:
    """Something a reader should know that is no error: kind is a word of ours, detail the provider's."""

    kind: str
    detail: str = ""


@dataclass(frozen=True)
class Finish:
    reason: FinishReason
    raw_reason: str = ""
    detail: str = ""


Event = Start | Heartbeat | BlockStart | TextDelta | ThinkingDelta | ToolArgsDelta | BlockEnd | Usage | Notice | Finish

_SHORT: dict[str, type[Any]] = {
    "start": Start,
    "ping": Heartbeat,
    "open": BlockStart,
    "text": TextDelta,
    "think": ThinkingDelta,
    "args": ToolArgsDelta,
    "close": BlockEnd,
    "usage": Usage,
    "notice": Notice,
    "finish": Finish,
}
_NAMES = {cls: name for name, cls in _SHORT.items()}


def event_to_json(event: Event) -> dict[str, Any]:
    """A flat JSON object with the event's short name under "e" (the turn log's form)."""
    return {"e": _NAMES[type(event)], **vars(event)}


def event_from_json(raw: Json) -> Event:
    """The inverse of event_to_json. Raises KeyError for a name it does not know."""
    fields = {k: v for k, v in raw.items() if k != "e"}
    if raw["e"] == "finish":
        fields["reason"] = FinishReason(fields["reason"])
    event: Event = _SHORT[raw["e"]](**fields)
    return event
