"""What errors mean, whichever provider says them: one ordered classifier for all dialects. First match wins.

The same fault has many faces. A wrong key is a 401, or a 400 (Google, xAI); no credit is a 402, a 400 (Anthropic), a
403 (xAI) or a 429 (OpenAI, Kimi, GLM); an overload is a 529, a 503, a 500 (Mistral), a 429 (GLM) or an event in a 200.
So codes and words are looked at before statuses, and the order of the rules matters. What is nobody's words (a page, a
proxy's text) is judged by its status alone.

    {"error": {code, type, message}}     most; Google adds status and details, OpenRouter metadata, Anthropic details
    {"error": "words", "code": "words"}  xAI; Hugging Face with error_type
    {code, type, message}                Mistral, Cerebras, Cohere
    {"detail": "words" or [{msg}]}       Mistral's front door
    [{"error": {...}}]                   Google, now and then
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from webapp.llm.dialects.answers import clip, obj, parse, plain_words, retry_after, text
from webapp.llm.errors import NO_DIAGNOSIS, Fault, Kind, ProviderError
from webapp.secret import HIDDEN

_MAY_RETRY = {Kind.OVERLOADED, Kind.RATE_LIMITED, Kind.PROVIDER_ERROR, Kind.TIMEOUT}
_STATUS = {  # what an error that came without a status of its own would have had
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "server_error": 500,
    "insufficient_quota": 429,
    "rate_limit_exceeded": 429,
    "server_is_overloaded": 503,
    "timeout_error": 504,
    "overloaded_error": 529,
}
_REQUEST_IDS = ("request-id", "x-request-id", "x-generation-id", "x-ds-trace-id", "mistral-correlation-id")
_PRIVATE = re.compile(  # ids of the customer's organisation, project or account; pieces of a key between stars
    r"\b(?:org|proj|user|team|acct)[-_](?=\w*[0-9A-Z])\w{6,}"
    r"|\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b"
    # From the beginning of a word, and without a way back: errors of 64 kB without a space must not take minutes.
    r"|(?<![^\s\"'`(])(?:[^\s\"'`(*]|\*(?!\*\*))*+\*{3,}[^\s\"'`,;.)]*"
)
_DURATION = re.compile(r"(?:(\d{1,4})h)?(?:(\d{1,5})m(?!s))?(?:(\d{1,7}(?:\.\d{1,12})?)(ms|s))?")
_RETRY_IN = re.compile(r"(?:try again|retry) (?:in|after) (\d[\d.hms]*[hms])\b", re.IGNORECASE)


@dataclass(frozen=True)
class Said:
    """An error as its provider put it, taken out of whatever wrapping."""

    status: int
    message: str = ""
    codes: frozenset[str] = frozenset()  # its code, type, reason, status word: whatever names it
    code: str = ""  # the one of them that says most
    upstream: str = ""  # the words of a provider behind this one
    request_id: str = ""
    wait: str = ""  # a duration that the body asks for
    quotas: tuple[str, ...] = ()  # names of the quotas that are used up
    flat: bool = False  # the fields were at the top of the body
    flagged: bool = False  # with the reasons of a content filter
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def words(self) -> str:
        return f"{self.message} {self.upstream}"


# --- judging --------------------------------------------------------------------------------------------------------


def fail(status: int, headers: Mapping[str, str], body: bytes) -> ProviderError:
    """What an answer that is no stream means. Header names in lower case; `body` may be cut."""
    said = _read(_first(_parsed(body)), status, headers)
    if said is None:
        return ProviderError(_not_its_words(status, headers, plain_words(body)))
    return ProviderError(_fault(said))


def fault_in_stream(body: dict[str, Any]) -> ProviderError:
    """What an error inside a 200 means: the same as the answer it would have been before the stream began."""
    said = _read(body, 0, {}) or Said(500, "The stream ended with an error.")
    return ProviderError(_fault(said, in_stream=True))


def is_error(body: Mapping[str, Any]) -> bool:
    """Whether an object that came in a stream is an error, or carries one."""
    return bool(body.get("error")) or body.get("object") == "error" or body.get("type") == "error"


def _fault(said: Said, *, in_stream: bool = False) -> Fault:
    kind = next(kind for kind, matches in RULES if matches(said))
    hopeless = said.headers.get("x-should-retry") == "false" or _TOO_LARGE.search(said.message) is not None
    return Fault(
        kind,
        clip(_PRIVATE.sub(HIDDEN, said.upstream or said.message)),
        said.status,
        NO_DIAGNOSIS if _no_diagnosis(said) else clip(_PRIVATE.sub(HIDDEN, said.code)),
        clip(said.request_id),
        wait(said),
        (kind in _MAY_RETRY or "tool_use_failed" in said.codes) and not hopeless,
        in_stream,
    )


def wait(said: Said) -> float | None:
    """Seconds to wait: as the headers ask, the body, its words; or until the limit that is used up starts anew."""
    if said.headers.get("retry-after-ms") == "0":  # Azure says so beside a retry-after that it means
        asked = retry_after({**said.headers, "retry-after-ms": ""})
    else:
        asked = retry_after(said.headers)
    if asked is not None:
        return asked
    found = _RETRY_IN.search(said.words)
    for duration in (said.wait, found[1] if found else "", *_resets(said.headers)):
        seconds = _seconds(duration)
        if seconds is not None:
            return seconds
    return None


def _resets(headers: Mapping[str, str]) -> Iterator[str]:
    for what in ("requests", "tokens"):
        if headers.get(f"x-ratelimit-remaining-{what}") == "0":
            yield headers.get(f"x-ratelimit-reset-{what}", "")


def _seconds(duration: str) -> float | None:
    """Seconds of a duration like 12ms, 7.66s, 1m2.5s, 2h. None for anything else."""
    found = _DURATION.fullmatch(duration)
    if not duration or not found:
        return None
    hours, minutes, rest, unit = found.groups()
    seconds = float(rest or 0) / (1000 if unit == "ms" else 1)
    return int(hours or 0) * 3600 + int(minutes or 0) * 60 + seconds


def _not_its_words(status: int, headers: Mapping[str, str], words: str) -> Fault:
    """An answer without any error of a provider: from the network in front of it (text, 5xx), or not from it at all."""
    match status:
        case 503 | 529:
            kind = Kind.OVERLOADED
        case 429:
            kind = Kind.RATE_LIMITED
        case 402:
            kind = Kind.NO_CREDIT
        case 408 | 504 | 524:
            kind = Kind.TIMEOUT
        case _:
            kind = Kind.PROVIDER_ERROR if status >= 500 else Kind.PROTOCOL
    may_retry = kind in _MAY_RETRY and headers.get("x-should-retry") != "false"
    request_id = clip(_request_id({}, headers))
    return Fault(
        kind, _PRIVATE.sub(HIDDEN, words), status, "", request_id, wait(Said(status, words, headers=headers)), may_retry
    )


# --- the rules ------------------------------------------------------------------------------------------------------

_DIAGNOSIS = re.compile(r"\b(prompt_cache_options|comparison_response_id|diagnostics|previous_message_id)\b")
_CORS = re.compile(r"\bCORS\b")
_WRONG_KEY = re.compile(
    r"(incorrect|invalid|missing|wrong|expired|unknown) (api[ _-]?key|x-api-key|auth)"
    r"|api[ _-]?key (is )?(not valid|invalid|expired)|api key was reported|unregistered callers|authentication fails",
    re.IGNORECASE,
)
_SCOPES = re.compile(r"missing scopes|insufficient permissions|ip .{0,40}not (authorized|allowed)", re.IGNORECASE)
_NO_CREDIT = re.compile(
    r"credit balance is too low|spend(ing)? limit|specified api usage limits|any credits|all available credits"
    r"|insufficient (balance|credits?|funds|quota)|requires more credits|out of credits|negative (credit )?balance",
    re.IGNORECASE,
)
_TOO_LONG = re.compile(
    r"prompt is too long|exceed context limit|(maximum|max|model'?s?) (context|prompt) length"
    r"|exceeds? the (model'?s )?context"
    r"|reduce the length of the messages|input token count|number of tokens allowed|input token length too long"
    r"|exceeded model token limit|input tokens exceed|current length is .* while limit is|messages is too long"
    r"|too many (prompt |input )?tokens|tokens \+ .{0,20}max_new_tokens|context ?(size|window) ?(is )?exceeded"
    r"|context overflow|exceeds? the available context|context[ _]length[ _]exceeded",
    re.IGNORECASE | re.DOTALL,
)
_STALE = re.compile(
    r"bound to a different conversation|invalid `?signature`? in `?thinking`? block|thought[ _]?signature"
    r"|reasoning_content.{0,60}must be passed back|encrypted[ _]content"
    r"|verified to generate reasoning",
    re.IGNORECASE,
)
_NO_MODEL = re.compile(
    r"model.{0,120}?(not found|does ?n.t exist|does not exist|not exist|no longer available|decommissioned)"
    r"|(unknown|invalid|unsupported|no such) model|is not a valid model",
    re.IGNORECASE | re.DOTALL,
)
_NO_ENDPOINT = re.compile(r"no (allowed |available )?(endpoints|providers).{0,40}(found|available)", re.IGNORECASE)
_ON_HOLD = re.compile(r"organization (has been disabled|is on hold)", re.IGNORECASE)
_FILTERED = re.compile(
    r"blocked by content filter|content management policy|usage (guidelines|polic)|content exists risk"
    r"|flagged (as|by|for)|content polic",
    re.IGNORECASE,
)
_REGION = re.compile(r"\b(country|region|territory|location is not supported)\b", re.IGNORECASE)
_OVERLOAD = re.compile(r"overload|service ?unavailable|at capacity|over capacity|high demand", re.IGNORECASE)
_TOO_LARGE = re.compile(r"request too large", re.IGNORECASE)
_BILLING = re.compile(r"\bbilling\b", re.IGNORECASE)

_KEY_CODES = {
    "invalid_api_key", "API_KEY_INVALID", "API_KEY_EXPIRED", "authentication_error", "invalid_authentication_error",
    "authentication", "UNAUTHENTICATED", "unauthorized",
    "no_db_connection",  # LiteLLM without a database, where it would look up any key but its own
}  # fmt: skip
_CREDIT_CODES = {
    "billing_error", "insufficient_quota", "credit_balance_exhausted", "billing_hard_limit_reached",
    "organization_spend_limit_exceeded", "project_spend_limit_exceeded", "organization_usage_limit_exceeded",
    "enforced_spend_limit_reached", "contract_spend_limit_reached", "exceeded_current_quota_error",
    "payment_required", "BILLING_DISABLED", "insufficient_balance", "credit_limit", "blocked_api_access",
}  # fmt: skip
_LENGTH_CODES = {"context_length_exceeded", "too_many_prompt_tokens", "TOO_MANY_TOKENS", "exceed_context_size_error"}
_NO_MODEL_CODES = {
    "model_not_found", "invalid_model", "model_decommissioned", "resource_not_found_error", "not_found_error",
    "DeploymentNotFound",
}  # fmt: skip
_NO_MODEL_ACCESS_CODES = {"model_terms_required", "model_permission_blocked_org", "model_permission_blocked_project"}
_CONTENT_CODES = {
    "content_filter", "content_policy_violation", "refusal", "invalid_prompt", "data_inspection_failed",
    "ResponsibleAIPolicyViolation",
}  # fmt: skip
_OVERLOAD_CODES = {
    "overloaded_error", "engine_overloaded_error", "server_is_overloaded", "slow_down", "UNAVAILABLE",
    "service_unavailable_error",
    "provider_overloaded", "provider_unavailable", "insufficient_system_resource",
}  # fmt: skip
_RATE_CODES = {
    "rate_limit_error", "rate_limit_exceeded", "rate_limit_reached_error", "rate_limited", "RESOURCE_EXHAUSTED",
    "RateLimitReached", "too_many_requests_error",
}  # fmt: skip
_REGION_CODES = {"unsupported_country_region_territory"}
_TIMEOUT_CODES = {"timeout_error", "timeout", "DEADLINE_EXCEEDED"}

# Numbers mean what their provider means by them: GLM's stand inside "error", Mistral's at the top of the body.
_GLM_KEY = {"1000", "1001", "1002", "1003", "1004"}
_GLM_CREDIT = {"1113", "1308", "1309", "1310", *map(str, range(1313, 1322))}
_GLM = {
    "1261": Kind.CONTEXT_OVERFLOW,
    "1211": Kind.MODEL_NOT_FOUND,
    "1220": Kind.MODEL_NOT_FOUND,
    "1311": Kind.MODEL_FORBIDDEN,
    "1301": Kind.CONTENT_BLOCKED,
    "1305": Kind.OVERLOADED,
    "1312": Kind.OVERLOADED,
    "1302": Kind.RATE_LIMITED,
    "1303": Kind.RATE_LIMITED,
    **dict.fromkeys(_GLM_KEY, Kind.INVALID_KEY),
    **dict.fromkeys(_GLM_CREDIT, Kind.NO_CREDIT),
}
_MISTRAL = {"3051": Kind.CONTEXT_OVERFLOW, "1500": Kind.MODEL_NOT_FOUND}


def _no_diagnosis(said: Said) -> bool:
    """The question why the cache was missed was refused: by a model or gateway that does not know it."""
    return said.status in (400, 404, 422) and bool(_DIAGNOSIS.search(said.message))


def _number(kind: Kind, said: Said) -> bool:
    """Whether the error carries a number that means `kind`."""
    table = _MISTRAL if said.flat else _GLM
    return said.status < 500 and any(table.get(code) is kind for code in said.codes)


def _mistaken_for_a_wrong_key(said: Said) -> bool:
    """A genuine key that lacks a permission, which OpenAI and Google answer with a 401."""
    if said.status not in (401, 403):
        return False
    by_code = {"missing_scope", "ACCESS_TOKEN_TYPE_UNSUPPORTED", "API_KEY_SERVICE_BLOCKED", "ip_not_authorized"}
    return bool(said.codes & by_code) or bool(_SCOPES.search(said.message))


def _invalid_key(said: Said) -> bool:
    if said.status == 401 or said.codes & _KEY_CODES or _number(Kind.INVALID_KEY, said):
        return True
    return said.status in (400, 403) and bool(_WRONG_KEY.search(said.message))


def _no_credit(said: Said) -> bool:
    if said.status in (402, 412) or said.codes & _CREDIT_CODES or _number(Kind.NO_CREDIT, said):
        return True
    if any("PerDay" in quota for quota in said.quotas):
        return True
    if "FAILED_PRECONDITION" in said.codes and _BILLING.search(said.message):
        return True
    return bool(_NO_CREDIT.search(said.message))


def _too_long(said: Said) -> bool:
    if said.codes & _LENGTH_CODES or _number(Kind.CONTEXT_OVERFLOW, said):
        return True
    return said.status != 429 and bool(_TOO_LONG.search(said.words))


def _no_model(said: Said) -> bool:
    if said.codes & _NO_MODEL_CODES or _number(Kind.MODEL_NOT_FOUND, said):
        return True
    return said.status in (400, 404, 422) and (
        bool(_NO_MODEL.search(said.words)) or (said.status == 404 and "model" in said.words.lower())
    )


def _model_forbidden(said: Said) -> bool:
    if said.codes & _NO_MODEL_ACCESS_CODES or _number(Kind.MODEL_FORBIDDEN, said) or _NO_ENDPOINT.search(said.message):
        return True
    return said.status == 403 and "model" in said.message.lower() and not _REGION.search(said.message)


def _content(said: Said) -> bool:
    if said.codes & _CONTENT_CODES or _number(Kind.CONTENT_BLOCKED, said) or said.flagged:
        return True
    return said.status in (400, 403, 422) and bool(_FILTERED.search(said.words))


def _overloaded(said: Said) -> bool:
    if said.status in (498, 503, 529) or said.codes & _OVERLOAD_CODES or _number(Kind.OVERLOADED, said):
        return True
    return said.status >= 500 and bool(_OVERLOAD.search(said.words))


def _rate_limited(said: Said) -> bool:
    return said.status == 429 or bool(said.codes & _RATE_CODES) or _number(Kind.RATE_LIMITED, said)


def _region(said: Said) -> bool:
    if said.status == 451 or said.codes & _REGION_CODES:
        return True
    return (said.status == 403 or "FAILED_PRECONDITION" in said.codes) and bool(_REGION.search(said.message))


def _timeout(said: Said) -> bool:
    return said.status in (408, 504, 524) or bool(said.codes & _TIMEOUT_CODES)


RULES: tuple[tuple[Kind, Callable[[Said], bool]], ...] = (
    (Kind.REQUEST_INVALID, _no_diagnosis),
    (Kind.REQUEST_INVALID, lambda said: said.status == 401 and bool(_CORS.search(said.message))),
    (Kind.KEY_FORBIDDEN, _mistaken_for_a_wrong_key),
    (Kind.INVALID_KEY, _invalid_key),
    (Kind.NO_CREDIT, _no_credit),
    (Kind.CONTEXT_OVERFLOW, _too_long),
    (Kind.STALE_THINKING, lambda said: said.status == 400 and bool(_STALE.search(said.words))),
    (Kind.MODEL_FORBIDDEN, _model_forbidden),
    (Kind.CONTENT_BLOCKED, _content),
    (Kind.MODEL_NOT_FOUND, _no_model),
    (Kind.OVERLOADED, _overloaded),
    (Kind.RATE_LIMITED, _rate_limited),
    (Kind.REGION_BLOCKED, _region),
    (Kind.KEY_FORBIDDEN, lambda said: said.status == 403),
    (Kind.KEY_FORBIDDEN, lambda said: "organization_on_hold" in said.codes or bool(_ON_HOLD.search(said.message))),
    (Kind.TIMEOUT, _timeout),
    (Kind.PROVIDER_ERROR, lambda said: "tool_use_failed" in said.codes),  # the model wrote a call that makes no sense
    (Kind.PROTOCOL, lambda said: said.status == 404),
    (Kind.REQUEST_INVALID, lambda said: 400 <= said.status < 500),
    (Kind.PROVIDER_ERROR, lambda said: said.status >= 500),
    (Kind.PROTOCOL, lambda said: True),
)


# --- reading --------------------------------------------------------------------------------------------------------


def _parsed(body: bytes) -> Any:
    try:
        return parse(body)
    except ValueError:
        return None


def _first(value: Any) -> dict[str, Any]:
    return obj(value[0]) if isinstance(value, list) and value else obj(value)


def _read(body: dict[str, Any], status: int, headers: Mapping[str, str]) -> Said | None:
    """The error in the body, None if there is none. `status` is 0 for one that came in a stream."""
    error = body.get("error")
    if isinstance(error, str) and error:
        inner, flat = {**body, "message": error}, True
    elif isinstance(error, dict):
        inner, flat = error, False
    elif "detail" in body or (isinstance(body.get("message"), str) and status != 200):
        inner, flat = body, True
    else:
        return None
    metadata, details = obj(inner.get("metadata")), inner.get("details")
    codes = [
        *_codes(metadata, "error_type"),
        *_codes(obj(details), "error_code"),
        *(_text(obj(d).get("reason")) for d in _list(details)),
        *_codes(obj(inner.get("innererror")), "code"),
        *_codes(inner, "code", "type", "status", "error_type"),
    ]
    names = [code for code in codes if code]
    return Said(
        status=_status(status, inner, body, names),
        message=_message(inner),
        codes=frozenset(names),
        code=next((c for c in names if not c.isdigit()), names[0] if names else ""),
        upstream=_upstream(metadata.get("raw")),
        request_id=_request_id(body, headers),
        wait=next((_text(obj(d).get("retryDelay")) for d in _list(details) if obj(d).get("retryDelay")), ""),
        quotas=tuple(_text(obj(v).get("quotaId")) for d in _list(details) for v in _list(obj(d).get("violations"))),
        flat=flat,
        flagged=bool(metadata.get("reasons") or metadata.get("flagged_input")),
        headers=headers,
    )


def _codes(fields: Mapping[str, Any], *names: str) -> list[str]:
    return [_text(fields.get(name)) for name in names]


def _text(value: object) -> str:
    """A code, which may be a number."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else text(value)


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _message(error: Mapping[str, Any]) -> str:
    said, detail = text(error.get("message")), error.get("detail")
    if said or detail is None:
        return said
    return text(detail) or "; ".join(text(obj(d).get("msg")) for d in _list(detail))


def _upstream(raw: object) -> str:
    """The words in what OpenRouter passes on: text, or JSON as text."""
    said = text(raw)
    if not said.lstrip().startswith(("{", "[")):
        return said
    inner = _read(_first(_parsed(said.encode("utf-8", "replace"))), 0, {})
    return inner.message if inner else said


def _request_id(body: Mapping[str, Any], headers: Mapping[str, str]) -> str:
    return text(body.get("request_id")) or next((headers[name] for name in _REQUEST_IDS if headers.get(name)), "")


def _status(status: int, error: Mapping[str, Any], body: Mapping[str, Any], codes: list[str]) -> int:
    """The status of the answer; of an error inside a 200, the one that it names or that its type usually has."""
    if status not in (0, 200):
        return status
    for value in (error.get("status_code"), body.get("status_code"), error.get("code"), error.get("status")):
        number = _text(value)  # LiteLLM sends it as text
        if re.fullmatch("[45][0-9]{2}", number):
            return int(number)
    unnamed = 500 if status == 0 or body.get("error") else status
    return next((_STATUS[code] for code in codes if code in _STATUS), unnamed)
