"""Scripted faults: errors before a stream, and what goes wrong inside one. Pure: steps in, steps out.

A stream is played as steps: an Event is sent, a Silence is waited out (with pings, if it has any), Revoked tells the
server to revoke the key, Broken ends the connection without the end of the body.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from simulator.directives import Directives
from simulator.models import Model
from simulator.wire import ERROR_TYPES, ApiError, Event, error_event


@dataclass(frozen=True)
class Silence:
    seconds: float | None  # None: until the client leaves
    pings: float | None  # seconds between two pings


@dataclass(frozen=True)
class Revoked:
    """The key stops working from here on."""


@dataclass(frozen=True)
class Broken:
    """The connection ends here, in the middle."""


Step = Event | Silence | Revoked | Broken

_WORDS = {
    400: "simulated bad request",
    401: "invalid x-api-key",
    402: "Your account has a billing problem.",
    403: "Your API key does not have permission to use the specified resource.",
    404: "Not found",
    413: "Request exceeds the maximum size",
    429: "Number of concurrent connections has exceeded your rate limit. Please try again later.",
    500: "Internal server error",
    503: "Service unavailable",
    504: "Timed out waiting for the model",
    529: "Overloaded",
}
_STATUS = {type: status for status, type in reversed(ERROR_TYPES.items())}
_NO_CREDIT = (
    "Your credit balance is too low to access the Anthropic API. "
    "Please go to Plans & Billing to upgrade or purchase credits."
)
_RETRY_AFTER = {429: 7}


def before(asked: Directives, model: Model) -> ApiError | None:
    """The error an answer begins with instead of a stream."""
    if not asked.error or asked.fail_after is not None:
        return None
    match asked.error:
        case "credit":
            return ApiError(400, _NO_CREDIT)
        case "context":
            limit = model.max_input
            return ApiError(400, f"prompt is too long: {limit + 4321} tokens > {limit} maximum")
    return _error(asked.error)


def once(asked: Directives) -> ApiError | None:
    """The error that only the first attempt meets. It invites the retry."""
    if not asked.error_once:
        return None
    error = _error(asked.error_once)
    return ApiError(error.status, error.message, retry_after=1)


def within(events: Iterable[Event], asked: Directives, request_id: str) -> Iterator[Step]:
    """The steps of a stream with its scripted faults, each after so many output tokens."""
    tokens = 0
    silent = asked.silence_after
    for event in events:
        if silent is not None and tokens >= silent:
            yield Silence(asked.seconds, asked.pings)
            silent = None
        ending = _ending(asked, tokens, event)
        if ending is not None:
            yield from _end(ending, asked, request_id)
            return
        yield event
        tokens += event.tokens


def failure(asked: Directives) -> ApiError:
    """The error a failing stream ends with."""
    type = asked.error or "overloaded_error"
    if not type.endswith("_error"):
        return _error(type)
    status = _STATUS.get(type, 500)
    return ApiError(status, _WORDS.get(status, "simulated"), type=type)


def _ending(asked: Directives, tokens: int, event: Event) -> str | None:
    """The fault that is due before this event. A text that is too short for it has it at its end."""
    for name in ("fail_after", "truncate_after", "drop_after", "revoke_after"):
        limit: int | None = getattr(asked, name)
        if limit is not None and (tokens >= limit or event.name == "message_delta"):
            return name
    return None


def _end(name: str, asked: Directives, request_id: str) -> Iterator[Step]:
    match name:
        case "fail_after":
            yield error_event(failure(asked), request_id)
        case "revoke_after":
            yield Revoked()
            yield error_event(ApiError(401, "invalid x-api-key"), request_id)
        case "drop_after":
            yield Broken()


def _error(text: str) -> ApiError:
    if not text.isdigit() or not 400 <= int(text) <= 599:
        raise ApiError(400, f"simulator: cannot read this directive: error={text}")
    status = int(text)
    return ApiError(status, _WORDS.get(status, f"simulated error {status}"), retry_after=_RETRY_AFTER.get(status))
