"""What most providers of chat completions say of a history whose calls and results do not fit."""

from __future__ import annotations

from collections.abc import Mapping

from simulator.errors import Failure

INVALID = "invalid_request_error"
_UNANSWERED = (
    "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. "
    "(insufficient tool messages following tool_calls message)"
)
_UNASKED = "Messages with role 'tool' must be a response to a preceding message with 'tool_calls'"
AUTO_ONLY = frozenset({"auto", "none"})


def order(type: str = INVALID) -> Mapping[str, Failure]:
    """What most of them say of a history whose calls and results do not fit."""
    return {
        "unanswered": Failure(400, _UNANSWERED, type=type),
        "unasked": Failure(400, _UNASKED, type=type),
        "empty assistant": Failure(400, "Invalid assistant message: content or tool_calls must be set", type=type),
        "tool choice": Failure(400, "tool_choice '{choice}' is not supported", type=type),
    }
