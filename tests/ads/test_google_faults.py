"""Errors of the Google Ads API and of Google's sign-in: each name with its consequence, recorded shapes included."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.ads.fakes import google_ads as fake
from tests.ads.fakes.server import Reply
from webapp.ads.answer import Answer
from webapp.ads.google_faults import failure, sign_in_failure
from webapp.ads.platform import PlatformError, Trouble

FIXTURES = Path(__file__).resolve().parents[2] / ".." / "shared" / "reference" / "ads-fixtures" / "google-rest"


def answer(reply: Reply) -> Answer:
    return Answer(reply.status, reply.headers, json.dumps(reply.body).encode())


def fault(reply: Reply) -> PlatformError:
    found = failure(answer(reply))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("family", "name", "trouble"),
    [
        ("authenticationError", "OAUTH_TOKEN_EXPIRED", Trouble.TOKEN),
        ("authenticationError", "OAUTH_TOKEN_REVOKED", Trouble.TOKEN),
        ("authenticationError", "CUSTOMER_NOT_FOUND", Trouble.NOT_FOUND),
        ("authenticationError", "NOT_ADS_USER", Trouble.PERMISSION),
        ("authenticationError", "TWO_STEP_VERIFICATION_NOT_ENROLLED", Trouble.CHECKPOINT),
        ("authorizationError", "USER_PERMISSION_DENIED", Trouble.PERMISSION),
        ("authorizationError", "CLOUD_PROJECT_NOT_APPROVED_FOR_PRODUCTION", Trouble.PERMISSION),
        ("authorizationError", "MISSING_TOS", Trouble.CHECKPOINT),
        ("authorizationError", "ACTION_NOT_PERMITTED_FOR_SUSPENDED_ACCOUNT", Trouble.POLICY),
        ("headerError", "INVALID_LOGIN_CUSTOMER_ID", Trouble.PERMISSION),
        ("quotaError", "RESOURCE_EXHAUSTED", Trouble.THROTTLED),
        ("quotaError", "RESOURCE_TEMPORARILY_EXHAUSTED", Trouble.THROTTLED),
        ("quotaError", "ACCESS_PROHIBITED", Trouble.PERMISSION),
        ("databaseError", "CONCURRENT_MODIFICATION", Trouble.CONFLICT),
        ("internalError", "TRANSIENT_ERROR", Trouble.TRANSIENT),
        ("internalError", "DEADLINE_EXCEEDED", Trouble.TRANSIENT),
        ("requestError", "UNSUPPORTED_VERSION", Trouble.VERSION),
        ("requestError", "RESOURCE_NOT_FOUND", Trouble.NOT_FOUND),
        ("mutateError", "RESOURCE_NOT_FOUND", Trouble.NOT_FOUND),
        ("queryError", "UNRECOGNIZED_FIELD", Trouble.REFUSED),
        ("campaignBudgetError", "MONEY_AMOUNT_LESS_THAN_CURRENCY_MINIMUM_CPC", Trouble.REFUSED),
        ("aFamilyOfNextYear", "SOMETHING", Trouble.REFUSED),
    ],
)
def test_each_name_has_its_consequence(family: str, name: str, trouble: Trouble) -> None:
    found = fault(fake.failure(family, name, "Google's own words.", status=400))
    assert (found.trouble, found.code, found.request_id) == (trouble, f"{family}.{name}", fake.REQUEST)
    assert found.message == ("Google's own words." if trouble is not Trouble.VERSION else found.message)
    assert (found.retry_after is not None) == (trouble is Trouble.THROTTLED)


@pytest.mark.parametrize(
    ("code", "status", "trouble"),
    [
        (401, "UNAUTHENTICATED", Trouble.TOKEN),
        (403, "PERMISSION_DENIED", Trouble.PERMISSION),
        (429, "RESOURCE_EXHAUSTED", Trouble.THROTTLED),
        (503, "UNAVAILABLE", Trouble.TRANSIENT),
        (500, "INTERNAL", Trouble.TRANSIENT),
        (504, "DEADLINE_EXCEEDED", Trouble.TRANSIENT),
        (404, "NOT_FOUND", Trouble.NOT_FOUND),
        (400, "INVALID_ARGUMENT", Trouble.REFUSED),
    ],
)
def test_what_failed_before_the_api_has_a_status_only(code: int, status: str, trouble: Trouble) -> None:
    found = fault(fake.outage(code, status))
    assert (found.trouble, found.code) == (trouble, status)


def test_the_wait_is_googles() -> None:
    def waits(delay: str) -> float | None:
        details = {"quotaErrorDetails": {"rateScope": "ACCOUNT", "retryDelay": delay}}
        return fault(fake.failure("quotaError", "RESOURCE_EXHAUSTED", status=429, details=details)).retry_after

    assert (waits("45s"), waits("1.5s"), waits("soon")) == (45.0, 1.5, 30.0)


@pytest.mark.skipif(not FIXTURES.is_dir(), reason="the bodies are not here")
@pytest.mark.parametrize(
    ("name", "trouble"),
    [
        ("failure_auth_customer_not_found", Trouble.NOT_FOUND),
        ("failure_auth_oauth_token_expired", Trouble.TOKEN),
        ("failure_authz_user_permission_denied", Trouble.PERMISSION),
        ("failure_budget_too_low", Trouble.REFUSED),
        ("failure_concurrent_modification", Trouble.CONFLICT),
        ("failure_query_unrecognized_field", Trouble.REFUSED),
        ("failure_quota", Trouble.THROTTLED),
    ],
)
def test_bodies_that_the_protos_know(name: str, trouble: Trouble) -> None:
    body = json.loads((FIXTURES / f"{name}.json").read_text())["body"]
    error = {"code": 400, "status": "INVALID_ARGUMENT", "details": [{"@type": fake.FAILURE, **body}]}
    for told in ({"error": error}, [{"error": error}]):
        found = fault(Reply(told, 400))
        assert (found.trouble, found.request_id) == (trouble, body["requestId"])


@pytest.mark.parametrize(
    ("status", "body", "trouble"),
    [
        (404, b"<html>404. That's an error.</html>", Trouble.VERSION),
        (502, b"<html>Bad gateway</html>", Trouble.TRANSIENT),
        (200, b"<html>Sign in to the network</html>", Trouble.UNREACHABLE),
        (429, b"", Trouble.THROTTLED),
    ],
)
def test_what_is_no_json(status: int, body: bytes, trouble: Trouble) -> None:
    found = failure(Answer(status, {}, body))
    assert found is not None
    assert found.trouble is trouble


@pytest.mark.parametrize(
    ("status", "body", "trouble", "says"),
    [
        (400, {"error": "invalid_grant", "error_description": "Bad Request"}, Trouble.TOKEN, "after seven days"),
        (401, {"error": "invalid_client"}, Trouble.TOKEN, "same OAuth client"),
        (400, {"error": "unauthorized_client"}, Trouble.TOKEN, "same OAuth client"),
        (400, {"error": "invalid_request", "error_description": "Missing x"}, Trouble.TOKEN, "Missing x"),
        (503, {"error": "internal_failure"}, Trouble.TRANSIENT, "out of order"),
        (502, None, Trouble.TRANSIENT, "out of order"),
        (200, None, Trouble.UNREACHABLE, "cannot read"),
        (429, {}, Trouble.THROTTLED, "wait"),
    ],
)
def test_a_sign_in_that_fails_says_why(status: int, body: Any, trouble: Trouble, says: str) -> None:
    found = sign_in_failure(Answer(status, {}, json.dumps(body).encode() if body else b"<html>"))
    assert found is not None
    assert found.trouble is trouble
    assert says in found.message
