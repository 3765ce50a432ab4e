"""Meta's errors and usage headers: each code with its consequence, and nothing made of what is no Graph answer."""

from __future__ import annotations

import json
from typing import Any

import pytest

from webapp.ads.answer import Answer
from webapp.ads.meta_faults import Usage, failure, usage
from webapp.ads.platform import PlatformError, Trouble


def told(
    code: int, subcode: int = 0, *, status: int = 400, headers: dict[str, str] | None = None, **more: Any
) -> Answer:
    error = {"message": f"(#{code}) No.", "code": code, "fbtrace_id": "Trace1", **more}
    body = {"error": error | ({"error_subcode": subcode} if subcode else {})}
    return Answer(status, headers or {}, json.dumps(body).encode())


def fault(answer: Answer) -> PlatformError:
    found = failure(answer)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("code", "subcode", "trouble"),
    [
        (190, 0, Trouble.TOKEN),
        (190, 463, Trouble.TOKEN),
        (190, 460, Trouble.TOKEN),
        (190, 458, Trouble.TOKEN),
        (190, 467, Trouble.TOKEN),
        (102, 0, Trouble.TOKEN),
        (190, 459, Trouble.CHECKPOINT),
        (190, 464, Trouble.CHECKPOINT),
        (4, 1504022, Trouble.THROTTLED),
        (17, 2446079, Trouble.THROTTLED),
        (613, 1487742, Trouble.THROTTLED),
        (32, 0, Trouble.THROTTLED),
        (80000, 0, Trouble.THROTTLED),
        (80004, 0, Trouble.THROTTLED),
        (80014, 0, Trouble.THROTTLED),
        (100, 33, Trouble.NOT_FOUND),
        (803, 0, Trouble.NOT_FOUND),
        (100, 1487534, Trouble.TOO_MUCH),
        (1, 99, Trouble.TOO_MUCH),
        (1, 0, Trouble.TRANSIENT),
        (2, 0, Trouble.TRANSIENT),
        (100, 0, Trouble.REFUSED),
        (100, 1885621, Trouble.REFUSED),
        (10, 0, Trouble.PERMISSION),
        (200, 0, Trouble.PERMISSION),
        (294, 0, Trouble.PERMISSION),
        (368, 0, Trouble.POLICY),
        (2635, 0, Trouble.VERSION),
    ],
)
def test_each_code_has_its_consequence(code: int, subcode: int, trouble: Trouble) -> None:
    found = fault(told(code, subcode))
    assert found.trouble is trouble
    assert found.code == (f"{code}/{subcode}" if subcode else str(code))
    assert found.request_id == "Trace1"
    assert (found.retry_after is not None) == (trouble is Trouble.THROTTLED)


def test_the_status_is_not_what_decides() -> None:
    told_so = "Please reduce the amount of data you're asking for, then retry your request"
    assert fault(told(1, status=500, message=told_so)).trouble is Trouble.TOO_MUCH
    assert fault(told(100, status=500)).trouble is Trouble.TRANSIENT
    assert fault(told(100, is_transient=True)).trouble is Trouble.TRANSIENT
    assert failure(Answer(200, {}, b'{"data":[]}')) is None
    assert fault(told(190, status=200)).trouble is Trouble.TOKEN


def test_what_meta_wrote_for_people_comes_before_what_it_wrote_for_programmers() -> None:
    words = {"error_user_title": "Your budget is too low", "error_user_msg": "It must be at least 1.00."}
    assert fault(told(100, **words)).message == "Your budget is too low: It must be at least 1.00."
    assert fault(told(100)).message == "(#100) No."
    assert "META_GRAPH_VERSION" in fault(told(2635)).message


def test_a_throttled_call_says_how_long_to_wait() -> None:
    limit = {"type": "ads_management", "call_count": 100, "estimated_time_to_regain_access": 7}
    header = {"X-Business-Use-Case-Usage": json.dumps({"11": [limit]})}
    assert fault(told(80004, headers=header)).retry_after == 420.0
    assert fault(told(80004)).retry_after == 60.0
    assert fault(Answer(429, {}, b"slow down")).trouble is Trouble.THROTTLED


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, Usage()),
        ({"X-App-Usage": '{"call_count":12,"total_cputime":81,"total_time":3}'}, Usage(81)),
        ({"x-app-usage": "busy"}, Usage()),
        ({"x-app-usage": "[1]"}, Usage()),
        ({"X-Ad-Account-Usage": '{"acc_id_util_pct":96.5,"reset_time_duration":120}'}, Usage(96.5, 120)),
        ({"x-fb-ads-insights-throttle": '{"app_id_util_pct":40.0,"acc_id_util_pct":77.0}'}, Usage(77)),
        (
            {
                "x-business-use-case-usage": '{"1":[{"call_count":3},{"call_count":98,'
                '"estimated_time_to_regain_access":2}],"2":"?"}',
                "x-app-usage": '{"call_count":99}',
            },
            Usage(99, 120),
        ),
    ],
)
def test_the_fullest_of_all_limits_counts(headers: dict[str, str], expected: Usage) -> None:
    assert usage(headers) == expected


@pytest.mark.parametrize(
    ("status", "body", "trouble"),
    [
        (502, b"<html>Bad gateway</html>", Trouble.TRANSIENT),
        (200, b"<html>Sign in to the network</html>", Trouble.UNREACHABLE),
        (302, b"", Trouble.UNREACHABLE),
        (200, b"[]", Trouble.UNREACHABLE),
        (400, b"{}", Trouble.UNREACHABLE),
    ],
)
def test_what_is_not_metas_is_not_taken_for_an_answer(status: int, body: bytes, trouble: Trouble) -> None:
    found = fault(Answer(status, {}, body))
    assert found.trouble is trouble
    assert str(status) in found.message
