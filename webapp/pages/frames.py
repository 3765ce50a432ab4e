"""The bytes of a live page: server-sent events that carry <hx-partial> fragments. What they hold is rendered elsewhere.

A frame is one event: any number of partials, swapped in one task, with no paint between them. The swap styles stand
here and nowhere else; going back to htmx 2 means other strings in this file (reference/htmx.md §2). An event without a
name is swapped, a named one is only dispatched on the connecting element (so never name a frame "message").
"""

from __future__ import annotations

import html
import re

APPEND = "beforeend"
"""Add to the end of the target."""
GROW = "grow"
"""Become this, inside: text that only got longer is appended to, so that a selection survives (static/app.js)."""
REPLACE = "outerMorph"
"""Become this, the element itself included; unchanged nodes stay the same nodes."""
REMOVE = "delete"
"""Go away."""

RETRY = b"retry: 1000\ndata:\n\n"
"""The first bytes of a stream: proxies and readers see the headers at once. htmx honours a delay only beside data."""

_LINE_END = re.compile(r"\r\n|\r|\n")


def partial(target: str, swap: str, body: str = "") -> str:
    """One change: the id of an element (without "#"), how to swap, and HTML that is safe already."""
    return f'<hx-partial hx-target="#{html.escape(target)}" hx-swap="{html.escape(swap)}">{body}</hx-partial>'


def sse(*partials: str, event: str | None = None) -> bytes:
    """One event. All targets are looked up before the first swap, so no partial can target what another one of the same
    frame adds. Any text is safe as data: a CR or a lone surrogate cannot end the line, the event or the
    encoding.

    Raises ValueError for an event name with a line end in it.
    """
    if event is not None and _LINE_END.search(event):
        raise ValueError("an event name is one line")
    head = f"event: {event}\n" if event else ""
    lines = "".join(f"data: {line}\n" for line in _LINE_END.split("".join(partials)))
    return f"{head}{lines}\n".encode(errors="replace")


def comment(text: str = "") -> bytes:
    """A heartbeat: proxies see traffic, the page sees nothing."""
    return f": {_LINE_END.sub(' ', text)}\n\n".encode(errors="replace")
