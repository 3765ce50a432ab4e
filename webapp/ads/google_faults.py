"""What errors of the Google Ads API and of Google's sign-in mean. Pure: an Answer in, a PlatformError out.

An error of the API holds a GoogleAdsFailure among its details: errors with a family and a name
({"quotaError": "RESOURCE_EXHAUSTED"}), and the request id. What fails before the API (a token, a switched-off API, an
outage) has only google.rpc's status. Names: the v26 protos; meanings: developers.google.com/google-ads/api/docs/
common-errors. Sign-in errors are OAuth's own (RFC 6749, 5.2).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from webapp.ads.answer import Answer
from webapp.ads.platform import PlatformError, Trouble

WAIT = 30.0  # seconds, where Google asks to wait and does not say how long
OUT_OF_DATE = "Google Ads no longer answers the API version that this installation speaks. The operator must update it."
SIGN_IN_ENDED = (
    "Google no longer accepts this sign-in. It was revoked, or it ended: while the consent screen of its Cloud project "
    "is in testing, that is after seven days. Make a new refresh token."
)
WRONG_CLIENT = "Google does not know this client. The client id and the client secret must be of the same OAuth client."

FAMILIES: Mapping[str, Trouble] = {
    "authenticationError": Trouble.TOKEN,
    "authorizationError": Trouble.PERMISSION,
    "headerError": Trouble.PERMISSION,
    "resourceAccessDeniedError": Trouble.PERMISSION,
    "quotaError": Trouble.THROTTLED,
    "internalError": Trouble.TRANSIENT,
}
NAMES: Mapping[str, Trouble] = {
    "authenticationError.CUSTOMER_NOT_FOUND": Trouble.NOT_FOUND,
    "authenticationError.CLIENT_CUSTOMER_ID_INVALID": Trouble.NOT_FOUND,
    "authenticationError.NOT_ADS_USER": Trouble.PERMISSION,
    "authenticationError.ORGANIZATION_NOT_RECOGNIZED": Trouble.PERMISSION,
    "authenticationError.ORGANIZATION_NOT_APPROVED": Trouble.PERMISSION,
    "authenticationError.TWO_STEP_VERIFICATION_NOT_ENROLLED": Trouble.CHECKPOINT,
    "authenticationError.ADVANCED_PROTECTION_NOT_ENROLLED": Trouble.CHECKPOINT,
    "authorizationError.INCOMPLETE_SIGNUP": Trouble.CHECKPOINT,
    "authorizationError.MISSING_TOS": Trouble.CHECKPOINT,
    "authorizationError.ACTION_NOT_PERMITTED_FOR_SUSPENDED_ACCOUNT": Trouble.POLICY,
    "quotaError.ACCESS_PROHIBITED": Trouble.PERMISSION,
    "databaseError.CONCURRENT_MODIFICATION": Trouble.CONFLICT,
    "databaseError.REQUEST_TOO_LARGE": Trouble.TOO_MUCH,
    "internalError.ERROR_CODE_NOT_PUBLISHED": Trouble.REFUSED,
    "mutateError.RESOURCE_NOT_FOUND": Trouble.NOT_FOUND,
    "requestError.INVALID_CUSTOMER_ID": Trouble.NOT_FOUND,
    "requestError.RESOURCE_NOT_FOUND": Trouble.NOT_FOUND,
    "requestError.CLOUD_PROJECT_NOT_FOUND": Trouble.PERMISSION,
    "requestError.RPC_DEADLINE_TOO_SHORT": Trouble.TRANSIENT,
    "requestError.UNSUPPORTED_VERSION": Trouble.VERSION,
}
STATUSES: Mapping[str, Trouble] = {
    "UNAUTHENTICATED": Trouble.TOKEN,
    "PERMISSION_DENIED": Trouble.PERMISSION,
    "RESOURCE_EXHAUSTED": Trouble.THROTTLED,
    "NOT_FOUND": Trouble.NOT_FOUND,
    "ABORTED": Trouble.TRANSIENT,
    "DEADLINE_EXCEEDED": Trouble.TRANSIENT,
    "INTERNAL": Trouble.TRANSIENT,
    "UNAVAILABLE": Trouble.TRANSIENT,
    "UNKNOWN": Trouble.TRANSIENT,
}


def failure(answer: Answer) -> PlatformError | None:
    """Why an answer of the API is none; None: it is one. The message is Google's own."""
    body = answer.json()
    told = body[0] if isinstance(body, list) and body else body  # searchStream puts its error in a list
    error = told.get("error") if isinstance(told, dict) else None
    if isinstance(error, dict):
        return _told(error, answer)
    if answer.status == 200 and isinstance(body, dict):
        return None
    return _untold(answer)


def _told(error: Mapping[str, Any], answer: Answer) -> PlatformError:
    failed = next((each for each in _objects(error.get("details")) if "errors" in each), {})
    first = next(iter(_objects(failed.get("errors"))), {})
    family, name = next(iter((first.get("errorCode") or {}).items()), ("", ""))
    status = str(error.get("status", ""))
    code = f"{family}.{name}" if name else status
    trouble = NAMES.get(code) or FAMILIES.get(family) or (None if name else STATUSES.get(status)) or Trouble.REFUSED
    said = str(first.get("message") or error.get("message") or "Google gave no reason.")
    return PlatformError(
        trouble,
        OUT_OF_DATE if trouble is Trouble.VERSION else said,
        code=code,
        retry_after=_wait(first) if trouble is Trouble.THROTTLED else None,
        request_id=str(failed.get("requestId") or request_id(answer)),
    )


def _objects(values: Any) -> list[Mapping[str, Any]]:
    return [each for each in values if isinstance(each, dict)] if isinstance(values, list) else []


def _wait(error: Mapping[str, Any]) -> float:
    """Seconds: "30s" or "1.5s" as protobuf writes a Duration."""
    details = (error.get("details") or {}).get("quotaErrorDetails") or {}
    found = re.fullmatch(r"(\d+(?:\.\d+)?)s", str(details.get("retryDelay", "")))
    return float(found[1]) if found else WAIT


def _untold(answer: Answer) -> PlatformError:
    """No JSON. Google says so of a version that is gone (404), and of outages."""
    code, known = f"http {answer.status}", request_id(answer)
    if answer.status == 404:
        return PlatformError(Trouble.VERSION, OUT_OF_DATE, code=code, request_id=known)
    if answer.status == 429:
        return PlatformError(Trouble.THROTTLED, "Google asks us to wait.", code=code, retry_after=WAIT)
    trouble = Trouble.TRANSIENT if answer.status >= 500 else Trouble.UNREACHABLE
    said = f"Google Ads answered with something that we cannot read (HTTP {answer.status})."
    return PlatformError(trouble, said, code=code, request_id=known)


def request_id(answer: Answer) -> str:
    """What Google's support asks for."""
    return {name.lower(): value for name, value in answer.headers.items()}.get("request-id", "")


def sign_in_failure(answer: Answer) -> PlatformError | None:
    """Why Google gave no access token; None: it did."""
    body = answer.json()
    if answer.status == 200 and isinstance(body, dict) and "access_token" in body:
        return None
    if answer.status == 429:
        return PlatformError(Trouble.THROTTLED, "Google asks us to wait with signing in.", code="429", retry_after=WAIT)
    error = str(body.get("error", "")) if isinstance(body, dict) else ""
    match error:
        case "invalid_grant":
            return PlatformError(Trouble.TOKEN, SIGN_IN_ENDED, code=error)
        case "invalid_client" | "unauthorized_client":
            return PlatformError(Trouble.TOKEN, WRONG_CLIENT, code=error)
        case "" if answer.status < 500:
            return PlatformError(Trouble.UNREACHABLE, "Google's sign-in answered with something that we cannot read.")
    if answer.status >= 500:
        return PlatformError(Trouble.TRANSIENT, "Google's sign-in is out of order.", code=f"http {answer.status}")
    return PlatformError(Trouble.TOKEN, str(body.get("error_description") or error), code=error)
