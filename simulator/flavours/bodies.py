"""The shapes of error bodies, for the providers that have no dialect of their own to hold them."""

from __future__ import annotations

from simulator.errors import ApiError
from simulator.values import Json


def openai(error: ApiError, request_id: str) -> Json:
    """`{"error": {message, type, param, code}}`, and further fields inside."""
    kind = error.type or ("server_error" if error.status >= 500 else "invalid_request_error")
    told = {"message": error.message, "type": kind, "param": error.param, "code": error.code}
    return {"error": told | error.details}


def bare(error: ApiError, request_id: str) -> Json:
    """`{"error": {message, type}}`: Kimi, and Groq with a code."""
    kind = error.type or ("server_error" if error.status >= 500 else "invalid_request_error")
    code = {} if error.code is None else {"code": error.code}
    return {"error": {"message": error.message, "type": kind, **code, **error.details}}


def xai(error: ApiError, request_id: str) -> Json:
    """`{"code": text, "error": text}`."""
    return {"code": error.code or error.type or "invalid-argument", "error": error.message}


def mistral(error: ApiError, request_id: str) -> Json:
    """Flat, in one of two shapes: a `detail` is said instead of everything else."""
    if error.details:
        return dict(error.details)
    kind, code = error.type or "invalid_request_error", error.code
    return {"object": "error", "message": error.message, "type": kind, "param": error.param, "code": code}


def zai(error: ApiError, request_id: str) -> Json:
    """A code of digits, in quotes."""
    return {"error": {"code": error.code or "1210", "message": error.message}}


def openrouter(error: ApiError, request_id: str) -> Json:
    """The code is the status; the caller's id stands beside."""
    metadata = {"metadata": dict(error.details)} if error.details else {}
    return {"error": {"message": error.message, "code": error.status, **metadata}, "user_id": "user_simulated"}


def flat(error: ApiError, request_id: str) -> Json:
    """`{message, type, param, code}`: Cerebras."""
    kind = error.type or "invalid_request_error"
    return {"message": error.message, "type": kind, "param": error.param, "code": error.code}
