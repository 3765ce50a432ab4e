"""What Anthropic's errors mean: an error answer, an error event in a stream, an answer of what stands in front of it.

The same fault has many faces: no credit is a 400, a 402 or a 429; an overload is a 529, a 503 in plain text, or an
event in a 200. So the order in which `_kind` looks matters. https://platform.claude.com/docs/en/api/errors
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from webapp.llm.dialects.answers import clip, error_body, obj, plain_words, retry_after, text
from webapp.llm.errors import Fault, Kind, ProviderError

_STATUS = {  # what an error inside a stream would have been as an answer of its own
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}
_MAY_RETRY = {Kind.OVERLOADED, Kind.RATE_LIMITED, Kind.PROVIDER_ERROR, Kind.TIMEOUT}
_SPENT = {"enforced_spend_limit_reached", "contract_spend_limit_reached", "credit_balance_exhausted"}
_NO_CREDIT = re.compile(r"credit balance is too low|spend(ing)? limit|specified api usage limits", re.IGNORECASE)
_TOO_LONG = re.compile(r"prompt is too long|exceed context limit|maximum context length", re.IGNORECASE)
_STALE = re.compile(r"bound to a different conversation|invalid `?signature`? in `?thinking`? block", re.IGNORECASE)
_ON_HOLD = re.compile(r"organization (has been disabled|is on hold)", re.IGNORECASE)
_FILTERED = re.compile(r"blocked by content filtering", re.IGNORECASE)
_REGION = re.compile(r"\b(country|region|territory)\b", re.IGNORECASE)


def fail(status: int, headers: Mapping[str, str], body: bytes) -> ProviderError:
    """What an answer that is no stream means."""
    said = error_body(body)
    if said is None or not isinstance(said.get("error"), dict):
        return _not_its_words(status, headers, body)
    return ProviderError(_fault(status, headers, said))


def fault_in_stream(said: dict[str, Any]) -> ProviderError:
    """What an error event means: the same as the answer it would have been before the stream began."""
    status = _STATUS.get(text(obj(said.get("error")).get("type")), 500)
    return ProviderError(_fault(status, {}, said, in_stream=True))


def _fault(status: int, headers: Mapping[str, str], said: dict[str, Any], *, in_stream: bool = False) -> Fault:
    error = obj(said.get("error"))
    type, message = text(error.get("type")), text(error.get("message"))
    code = text(obj(error.get("details")).get("error_code"))
    if status == 200:  # the error came as a body of its own, without its status
        status = _STATUS.get(type, 200)
    kind = _kind(status, type, code, message)
    return Fault(
        kind,
        clip(message),
        status,
        code or type,
        clip(text(said.get("request_id")) or headers.get("request-id", "")),
        retry_after(headers, message),
        kind in _MAY_RETRY and headers.get("x-should-retry") != "false",
        in_stream,
    )


def _kind(status: int, type: str, code: str, message: str) -> Kind:
    """First match wins; the order matters, since no credit is a 400, a 402 or a 429."""
    if status == 401 or type == "authentication_error":
        return Kind.REQUEST_INVALID if "CORS" in message else Kind.INVALID_KEY
    if status == 402 or type == "billing_error" or code in _SPENT or _NO_CREDIT.search(message):
        return Kind.NO_CREDIT
    if status == 529 or type == "overloaded_error":
        return Kind.OVERLOADED
    if status == 429 or type == "rate_limit_error":
        return Kind.RATE_LIMITED
    if status == 404:
        return Kind.MODEL_NOT_FOUND if type == "not_found_error" else Kind.PROTOCOL
    if status == 403:
        return _forbidden(message)
    if 400 <= status < 500 and status != 408:
        return _refused(code, message)
    if status in (408, 504, 524) or type == "timeout_error":
        return Kind.TIMEOUT
    if status >= 500:
        return Kind.OVERLOADED if "overload" in message.lower() else Kind.PROVIDER_ERROR
    return Kind.PROTOCOL


def _forbidden(message: str) -> Kind:
    if _REGION.search(message):
        return Kind.REGION_BLOCKED
    return Kind.MODEL_FORBIDDEN if "model" in message.lower() else Kind.KEY_FORBIDDEN


def _refused(code: str, message: str) -> Kind:
    if code == "organization_on_hold" or _ON_HOLD.search(message):
        return Kind.KEY_FORBIDDEN
    if _TOO_LONG.search(message):
        return Kind.CONTEXT_OVERFLOW
    if _STALE.search(message):
        return Kind.STALE_THINKING
    return Kind.CONTENT_BLOCKED if _FILTERED.search(message) else Kind.REQUEST_INVALID


def _not_its_words(status: int, headers: Mapping[str, str], body: bytes) -> ProviderError:
    """An answer without its error object: from the network in front of it (text, 5xx), or not from it at all."""
    words = plain_words(body)
    match status:
        case 503 | 529:
            kind = Kind.OVERLOADED
        case 429:
            kind = Kind.RATE_LIMITED
        case 408 | 504 | 524:
            kind = Kind.TIMEOUT
        case _:
            kind = Kind.PROVIDER_ERROR if status >= 500 else Kind.PROTOCOL
    may_retry = kind in _MAY_RETRY and headers.get("x-should-retry") != "false"
    request_id = clip(headers.get("request-id", ""))
    return ProviderError(Fault(kind, words, status, "", request_id, retry_after(headers), may_retry))
