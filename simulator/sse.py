"""Server-sent events: an Event as a value, and as bytes."""

from __future__ import annotations

from dataclasses import dataclass

from simulator.values import Json, compact

COMMENT = ":"  # the name of an Event that is a comment line
CONTENT_TYPE = "text/event-stream"


@dataclass(frozen=True)
class Event:
    """One event. `tokens` are the output tokens it carries; before it is sent, time passes for each token in `spent`.

    `opening` marks events that come even before a fault after no token at all, `closing` the first of those that only
    end an answer. Text as `data` is sent as it is.
    """

    name: str
    data: Json | str
    tokens: int = 0
    spent: int = 0
    opening: bool = False
    closing: bool = False


def comment(text: str) -> Event:
    return Event(COMMENT, text)


def frame(event: Event, end: str = "\n") -> bytes:
    """The bytes of an event; `end` ends its lines."""
    data = event.data if isinstance(event.data, str) else compact(event.data)
    if event.name == COMMENT:
        return f": {data}{end}{end}".encode()
    head = f"event: {event.name}{end}" if event.name else ""
    return f"{head}data: {data}{end}{end}".encode()
