"""What most providers of chat completions say of a history whose calls and results do not fit."""

from __future__ import annotations

from collections.abc import Mapping

from simulator.errors import Failure

AUTO_ONLY = frozenset({"auto", "none"})
INVALID = "invalid_request_error"
MISFITS: Mapping[str, Failure] = {
    "unanswered": Failure(
        400,
        "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. "
        "(insufficient tool messages following tool_calls message)",
        type=INVALID,
    ),
    "unasked": Failure(
        400, "Messages with role 'tool' must be a response to a preceding message with 'tool_calls'", type=INVALID
    ),
    "empty assistant": Failure(400, "Invalid assistant message: content or tool_calls must be set", type=INVALID),
    "tool choice": Failure(400, "tool_choice '{choice}' is not supported", type=INVALID),
}
