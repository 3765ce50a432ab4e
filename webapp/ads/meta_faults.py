"""What Meta's errors and usage headers mean. Pure: bytes that came, in; PlatformError and Usage, out.

Errors are in the body; the HTTP status is a weak hint ("reduce the amount of data" comes with 500, a dead token with
400). Codes: developers.facebook.com/docs/marketing-api/error-reference, and /docs/graph-api/guides/error-handling.
Headers: developers.facebook.com/docs/graph-api/overview/rate-limiting.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from webapp.ads.answer import Answer
from webapp.ads.platform import PlatformError, Trouble

THROTTLES = {4, 17, 32, 613, *range(80000, 80015)}
STILL_GOOD = {459, 464}  # a checkpoint, an unconfirmed user: the person has to sign in at Meta, the token stays
MISSING = 33  # no such object, or no right to see it: Meta does not say which
TOO_MUCH = {99, 1487534}
SHORTEST_WAIT = 60.0  # seconds: what the standard tier is blocked for
OUT_OF_DATE = (
    "Meta no longer answers the API version that this installation speaks. The operator can set META_GRAPH_VERSION."
)


@dataclass(frozen=True)
class Usage:
    """How much of the fullest limit is used, and the seconds until access is back where Meta says so (0: unknown)."""

    percent: float = 0.0
    wait: float = 0.0


def usage(headers: Mapping[str, str]) -> Usage:
    """The fullest of all limits in an answer's headers. Header names may be in any case, their values are JSON."""
    found = [*_shares(headers)]
    return Usage(max((u.percent for u in found), default=0.0), max((u.wait for u in found), default=0.0))


def _shares(headers: Mapping[str, str]) -> Iterator[Usage]:
    lower = {name.lower(): value for name, value in headers.items()}
    app = _object(lower.get("x-app-usage"))
    account = _object(lower.get("x-ad-account-usage"))
    insights = _object(lower.get("x-fb-ads-insights-throttle"))
    counts = ("call_count", "total_cputime", "total_time")
    yield Usage(_most(app, *counts))
    yield Usage(_most(account, "acc_id_util_pct"), _most(account, "reset_time_duration"))
    yield Usage(_most(insights, "app_id_util_pct", "acc_id_util_pct"))
    for limits in _object(lower.get("x-business-use-case-usage")).values():
        for limit in limits if isinstance(limits, list) else ():
            yield Usage(_most(limit, *counts), 60 * _most(limit, "estimated_time_to_regain_access"))


def _object(text: str | None) -> dict[str, Any]:
    try:
        found = json.loads(text or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _most(values: Any, *names: str) -> float:
    if not isinstance(values, dict):
        return 0.0
    return max((float(v) for v in map(values.get, names) if isinstance(v, int | float)), default=0.0)


def failure(answer: Answer) -> PlatformError | None:
    """Why an answer is none; None: it is one. The message is Meta's own and may quote the token: scrub it."""
    body = answer.json()
    error = body.get("error") if isinstance(body, dict) else None
    if isinstance(error, dict):
        return _told(error, answer)
    if answer.status == 200 and isinstance(body, dict):
        return None
    return _untold(answer)


def _told(error: Mapping[str, Any], answer: Answer) -> PlatformError:
    code, subcode = _number(error, "code"), _number(error, "error_subcode")
    trouble = _trouble(code, subcode, error, answer.status)
    wait = max(usage(answer.headers).wait, SHORTEST_WAIT) if trouble is Trouble.THROTTLED else None
    return PlatformError(
        trouble,
        OUT_OF_DATE if trouble is Trouble.VERSION else _sentence(error),
        code=f"{code}/{subcode}" if subcode else str(code),
        retry_after=wait,
        request_id=str(error.get("fbtrace_id") or trace(answer.headers)),
    )


def _trouble(code: int, subcode: int, error: Mapping[str, Any], status: int) -> Trouble:
    match code:
        case 190:
            return Trouble.CHECKPOINT if subcode in STILL_GOOD else Trouble.TOKEN
        case 102:
            return Trouble.TOKEN
        case 368:
            return Trouble.POLICY
        case 2635:
            return Trouble.VERSION
        case 803:
            return Trouble.NOT_FOUND
        case 100 if subcode == MISSING:
            return Trouble.NOT_FOUND
        case 1 | 100 if subcode in TOO_MUCH or "reduce the amount of data" in str(error.get("message", "")).lower():
            return Trouble.TOO_MUCH
    if code in THROTTLES:
        return Trouble.THROTTLED
    if code in (3, 10) or 200 <= code <= 299:
        return Trouble.PERMISSION
    if code in (1, 2) or error.get("is_transient") is True or status >= 500:
        return Trouble.TRANSIENT
    return Trouble.REFUSED


def _sentence(error: Mapping[str, Any]) -> str:
    """What Meta wrote for people, or else for programmers."""
    written = [str(error.get(name) or "").strip() for name in ("error_user_title", "error_user_msg")]
    return ": ".join(filter(None, written)) or str(error.get("message") or "Meta gave no reason.")


def _untold(answer: Answer) -> PlatformError:
    if answer.status == 429:
        wait = max(usage(answer.headers).wait, SHORTEST_WAIT)
        return PlatformError(Trouble.THROTTLED, "Meta asks us to wait.", code="429", retry_after=wait)
    said = f"Meta answered with something that we cannot read (HTTP {answer.status})."
    trouble = Trouble.TRANSIENT if answer.status >= 500 else Trouble.UNREACHABLE
    return PlatformError(trouble, said, code=f"http {answer.status}", request_id=trace(answer.headers))


def trace(headers: Mapping[str, str]) -> str:
    """The id that Meta's support asks for."""
    lower = {name.lower(): value for name, value in headers.items()}
    return lower.get("x-fb-trace-id", "") or lower.get("x-fb-request-id", "")


def _number(error: Mapping[str, Any], name: str) -> int:
    value = error.get(name)
    return value if isinstance(value, int) else 0
