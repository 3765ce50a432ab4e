"""Directives: how a tester scripts an answer from inside a user's message, `[[sim tokens=400 delay=20]]`.

A directive is a list of options; they are taken out before the demo model reads the message. One message may hold
several. `round=N` limits a directive to the N-th model call after that message (0 is the first; tool results make the
next ones); without it, it holds for all. A tool call is `[[sim tool=NAME {json arguments}]]`.
Text without a directive never causes a fault. A directive that cannot be read is a 400 that says so.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from simulator.errors import ApiError

_OPEN = "[[sim"
_OPTION = re.compile(r'\s*([a-z][a-z-]*)(?:=("[^"]*"|[^\s\]{]+))?')
_CLOSE = re.compile(r"\s*\]\]")
_JSON = re.compile(r"\s*(?=\{)")


@dataclass(frozen=True)
class PlannedCall:
    name: str
    arguments: dict[str, Any]


@dataclass
class Directives:
    """Everything a message can ask for. Times are milliseconds on the wire, as testers think in them."""

    # length and pace
    tokens: int | None = None  # length of the answer
    delay: float | None = None  # milliseconds for each token
    first: float | None = None  # milliseconds before the first byte
    each: int = 0  # tokens an event; 0 varies
    drip: int = 0  # bytes a write
    # what is said
    echo: bool = False  # the answer is the message itself, to the letter
    thinking: int = 0  # tokens of thinking first
    redacted: bool = False  # with a redacted_thinking block
    calls: list[PlannedCall] = field(default_factory=list)
    tools: int = 0  # calls in one answer
    refuse: bool = False
    pause: bool = False
    max_tokens: bool = False
    finish: str = ""  # the provider's own word for the end, said to the letter
    # faults before the stream
    error: str = ""  # a status, or a name of `flavours.py`: `context`, `nocredit`, `overloaded`…
    error_once: str = ""  # the first attempt fails, its retry works
    # faults inside it, after so many tokens
    fail_after: int | None = None
    truncate_after: int | None = None  # the body ends, properly, without its last events
    drop_after: int | None = None  # the connection breaks
    silence_after: int | None = None
    seconds: float | None = None  # how long a silence lasts; without it, until the client leaves
    pings: float | None = None  # seconds between pings during a silence
    revoke_after: int | None = None  # the key is revoked, the stream ends with authentication_error


_INTS = ("tokens", "each", "drip", "thinking", "tools")
_COUNTS = ("fail-after", "truncate-after", "drop-after", "silence-after", "revoke-after")
_FLOATS = ("delay", "first", "seconds", "pings")
_FLAGS = ("echo", "redacted", "refuse", "pause", "max-tokens")
_WORDS = ("error", "error-once", "finish")


@dataclass(frozen=True)
class _Group:
    """One `[[sim …]]`: its options, and the JSON that followed a `tool=`."""

    options: dict[str, str | None]
    arguments: dict[str, Any]


def split(text: str) -> tuple[str, list[_Group]]:
    """A message without its directives, and the directives. Raises ApiError for one that cannot be read."""
    groups: list[_Group] = []
    while (start := text.find(_OPEN)) >= 0:
        group, end = _group(text, start + len(_OPEN))
        groups.append(group)
        text = text[:start].rstrip(" ") + text[end:]
    return text.strip(), groups


def for_round(groups: Sequence[_Group], number: int) -> Directives:
    """What the directives ask of the `number`-th call of this turn."""
    chosen = Directives()
    for group in groups:
        only = group.options.get("round")
        if only is None or only == str(number):
            _apply(group, chosen)
    return chosen


def _group(text: str, at: int) -> tuple[_Group, int]:
    group = _Group({}, {})
    while not (closed := _CLOSE.match(text, at)):
        if brace := _JSON.match(text, at):
            arguments, at = _arguments(text, brace.end())
            group.arguments.update(arguments)
            continue
        option = _OPTION.match(text, at)
        if not option:
            raise _unreadable(text[at : at + 40])
        value = option.group(2)
        group.options[option.group(1)] = value.strip('"') if value is not None else None
        at = option.end()
    return group, closed.end()


def _arguments(text: str, at: int) -> tuple[dict[str, Any], int]:
    try:
        value, end = json.JSONDecoder().raw_decode(text, at)
    except ValueError:
        raise _unreadable(text[at : at + 40]) from None
    return value, end


def _apply(group: _Group, to: Directives) -> None:
    for name, value in group.options.items():
        attribute = name.replace("-", "_")
        if name in _FLAGS:
            setattr(to, attribute, True)
        elif name == "tool" and value:
            to.calls.append(PlannedCall(value, group.arguments))
        elif name in _WORDS and value:
            setattr(to, attribute, value)
        elif name in _INTS or name in _COUNTS:
            setattr(to, attribute, int(_number(name, value)))
        elif name in _FLOATS:
            setattr(to, attribute, _number(name, value))
        elif name != "round":
            raise _unreadable(name)


def _number(name: str, value: str | None) -> float:
    try:
        return float(value or "")
    except ValueError:
        raise _unreadable(f"{name}={value}") from None


def _unreadable(what: str) -> ApiError:
    return ApiError(400, f"simulator: cannot read this directive: {what}")
