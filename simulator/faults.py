"""Scripted faults: errors before a stream, and what goes wrong inside one. Pure: steps in, steps out.

A stream is played as steps: an Event is sent, a Silence is waited out (with beats, if it has any), Revoked tells the
server to revoke the key, Broken ends the connection without the end of the body.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from simulator.directives import Directives
from simulator.errors import ApiError
from simulator.flavour import Answer, Dialect, Flavour
from simulator.prompt import Prompt
from simulator.sse import Event


@dataclass(frozen=True)
class Silence:
    seconds: float | None  # None: until the client leaves
    pings: float | None  # seconds between two signs of life


@dataclass(frozen=True)
class Revoked:
    """The key stops working from here on."""


@dataclass(frozen=True)
class Broken:
    """The connection ends here, in the middle."""


Step = Event | Silence | Revoked | Broken


def before(asked: Directives, flavour: Flavour, prompt: Prompt) -> ApiError | None:
    """The error an answer begins with instead of a stream."""
    if not asked.error or asked.fail_after is not None:
        return None
    return _error(asked.error, flavour, prompt)


def once(asked: Directives, flavour: Flavour, prompt: Prompt) -> ApiError | None:
    """The error that only the first attempt meets. It invites the retry."""
    if not asked.error_once:
        return None
    error = _error(asked.error_once, flavour, prompt)
    error.retry_after = 1
    return error


def check(asked: Directives, flavour: Flavour, prompt: Prompt) -> None:
    """Raises ApiError 400 if the error that shall come later cannot be read."""
    _error(asked.error or "overloaded", flavour, prompt)


def failure(asked: Directives, answer: Answer) -> ApiError:
    """The error a failing answer ends with."""
    if asked.revoke_after is not None:
        return answer.flavour.failure("revoked")
    return _error(asked.error or "overloaded", answer.flavour, answer.prompt)


def within(dialect: Dialect, answer: Answer, asked: Directives) -> Iterator[Step]:
    """The steps of a stream with its scripted faults, each after so many output tokens."""
    tokens = 0
    silent = asked.silence_after
    for sent, event in enumerate(dialect.events(answer)):
        if silent is not None and tokens >= silent:
            yield Silence(asked.seconds, asked.pings)
            silent = None
        ending = _ending(asked, tokens, event)
        if ending is not None:
            yield from _end(ending, dialect.failing(failure(asked, answer), answer, sent))
            return
        yield event
        tokens += event.tokens


def _ending(asked: Directives, tokens: int, event: Event) -> str | None:
    """The fault that is due before this event. A text that is too short for it has it at its end."""
    if event.opening:
        return None
    for name in ("fail_after", "truncate_after", "drop_after", "revoke_after"):
        limit: int | None = getattr(asked, name)
        if limit is not None and (tokens >= limit or event.closing):
            return name
    return None


def _end(name: str, failing: Iterable[Event]) -> Iterator[Step]:
    match name:
        case "fail_after":
            yield from failing
        case "revoke_after":
            yield Revoked()
            yield from failing
        case "drop_after":
            yield Broken()


def _error(name: str, flavour: Flavour, prompt: Prompt) -> ApiError:
    error = flavour.scripted(name, prompt.model)
    if error is None:
        raise ApiError(400, f"simulator: cannot read this directive: error={name}")
    return error
