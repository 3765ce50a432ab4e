"""The SDKs of Meta and Google as witnesses: our fakes speak the real wire, and so does what our clients send.

`make test-peers` installs them into an environment of their own (300 MB; Meta's is under no free licence, so it is
never shipped). Meta's SDK drives the fake Graph as our client does. Google's SDK speaks gRPC only, but its protos read
JSON and refuse what they do not know: every body that our client and the fake exchange goes through them.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from tests.ads.fakes import google_ads as google_fake
from tests.ads.fakes import graph as meta_fake
from tests.ads.fakes.google_ads import GoogleAds
from tests.ads.fakes.graph import Graph
from tests.ads.fakes.server import Reply, Request, serving
from webapp.ads import google, google_faults, google_wire, meta
from webapp.ads.google import Google
from webapp.ads.meta import Meta
from webapp.ads.platform import Change, PlatformError
from webapp.secret import Secret

HERE = Path(__file__).parent
PYTHON = HERE.parents[1] / ".venv" / "ads-peers" / "bin" / "python"
SPAN = date(2026, 11, 1), date(2026, 11, 20)


def run(script: str, *arguments: str, given: Any = None) -> Any:
    if not PYTHON.exists():
        pytest.fail("The SDKs are not installed. Run: make test-peers")
    ran = subprocess.run(
        [PYTHON, HERE / script, *arguments], input=json.dumps(given), capture_output=True, text=True, timeout=100
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
    return json.loads(ran.stdout)


# --- Meta -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def graph() -> Graph:
    found = Graph()
    found.accounts = [{"id": "act_100200300", "account_id": "100200300", "name": "Shop", "currency": "EUR"}]
    found.add(
        meta_fake.campaign("1", daily_budget="5000"),
        meta_fake.campaign("2", status="PAUSED"),
        meta_fake.campaign("3"),
        meta_fake.campaign("4", status="DELETED"),
        adsets=[meta_fake.adset("21", "2", daily_budget="1500", learning_stage_info={"status": "LEARNING"})],
    )
    purchase = [{"action_type": "omni_purchase", "value": "3"}]
    found.days = [
        meta_fake.day(id, f"2026-11-{n:02}", f"{n}.5", actions=purchase) for n in range(1, 21) for id in ("1", "4")
    ]
    return found


@pytest.fixture(scope="module")
def ours(graph: Graph) -> dict[str, Any]:
    """What our client sees, before the SDK changes anything."""
    with serving(graph) as base:
        client = Meta(Secret(graph.token), graph.account, "EUR", writable=True, base_url=base)
        return {
            "accounts": meta.accounts(Secret(graph.token), base_url=base),
            "campaigns": client.campaigns(),
            "days": list(client.insights(*SPAN)),
        }


@pytest.fixture(scope="module")
def theirs(graph: Graph, ours: dict[str, Any]) -> dict[str, Any]:
    with serving(graph) as base:
        found: dict[str, Any] = run("meta_sdk.py", base, graph.token, graph.account)
        return found


def test_metas_sdk_speaks_the_version_that_we_speak(theirs: dict[str, Any]) -> None:
    assert theirs["version"] == meta.VERSION


def test_metas_sdk_sees_in_the_fake_what_we_see(theirs: dict[str, Any], ours: dict[str, Any]) -> None:
    assert [each["account_id"] for each in theirs["accounts"]] == [each.external_id for each in ours["accounts"]]
    assert {each["id"] for each in theirs["campaigns"]} == {each.external_id for each in ours["campaigns"]}
    assert len(theirs["days"]) == 40
    assert sorted((id, day, float(spend)) for id, day, spend in theirs["days"]) == sorted(
        (each.campaign_id, each.day.isoformat(), each.spend_micros / 1e6) for each in ours["days"]
    )
    assert theirs["sets"] == [["21", "LEARNING"]]


def test_metas_sdk_changes_the_fake_and_is_refused_by_it(theirs: dict[str, Any]) -> None:
    assert theirs["changed"] == {"dry": "ACTIVE", "status": "PAUSED", "daily_budget": "6500"}
    assert [each[:2] for each in theirs["refusals"]] == [[100, 1885272], [100, 1885621], [100, 33]]
    assert theirs["dead"] == [190, 463]


def test_our_requests_have_the_parameters_of_metas_sdk(
    graph: Graph, theirs: dict[str, Any], ours: dict[str, Any]
) -> None:
    ours_asked, *_, theirs_asked = graph.asked("insights")
    named = {"level", "fields", "time_range", "time_increment", "filtering", "limit"}
    assert named <= set(ours_asked.query) & set(theirs_asked.query)
    for name in ("time_range", "time_increment"):
        assert json.loads(ours_asked.query[name]) == json.loads(theirs_asked.query[name])


# --- Google -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def exchanged() -> list[tuple[Request, Reply]]:
    """All that our client and the fake say to each other in a tour of everything there is."""
    ads = GoogleAds(page=2)
    ads.customers = {ads.customer: google_fake.customer(ads.customer), "555": google_fake.customer("555", manager=True)}
    ads.clients["555"] = [google_fake.customer("7", status="SUSPENDED")]
    ads.closed["666"] = google_fake.failure("authorizationError", "CUSTOMER_NOT_ENABLED", status=403)
    reasons = ["BIDDING_STRATEGY_LEARNING", "BUDGET_CONSTRAINED"]
    ads.add(
        google_fake.campaign("1", "10", primaryStatus="LEARNING", primaryStatusReasons=reasons),
        google_fake.campaign("2", "20", status="PAUSED"),
        google_fake.campaign("3", "20", status="REMOVED"),
        budgets=[
            google_fake.budget("10", "50000000"),
            {"id": "20", "totalAmountMicros": "900", "period": "CUSTOM_PERIOD", "explicitlyShared": True},
        ],
    )
    ads.days = [
        google_fake.day("1", f"2026-11-{n:02}", costMicros="1000", conversions=0.5, conversionsValue=19.99, clicks="2")
        for n in range(1, 6)
    ]
    with serving(ads) as base:
        tour(ads, base)
    return [each for each in ads.replies if each[0].path != "/token"]


def tour(ads: GoogleAds, base: str) -> None:
    parts = {"client_id": ads.client[0], "client_secret": ads.client[1], "refresh_token": ads.refresh_token}
    credentials = Secret(json.dumps(parts))
    google.accounts(credentials, base_url=base, token_url=f"{base}/token")
    client = Google(credentials, ads.customer, "EUR", writable=True, base_url=base, token_url=f"{base}/token")
    assert len(client.campaigns()) == 2
    assert len(list(client.insights(*SPAN))) == 5
    one = client.read("1")
    assert client.read("2").budget_level == "shared"
    for change in (
        Change("1", "status", "paused", one),
        Change("1", "name", "New", one),
        Change("1", "daily_budget", 60_000_000, one),
    ):
        client.validate(change)
        client.update(change)
    with pytest.raises(PlatformError):
        client.validate(Change("1", "daily_budget", 60_000_001, one))
    details = {"quotaErrorDetails": {"rateScope": "ACCOUNT", "rateName": "Operations", "retryDelay": "90s"}}
    ads.stumble("search", google_fake.failure("quotaError", "RESOURCE_EXHAUSTED", status=429, details=details))
    with pytest.raises(PlatformError):
        client.campaigns()


def cases(exchanged: list[tuple[Request, Reply]]) -> Iterator[tuple[str, Any]]:
    kinds = {"googleAds:search": "SearchGoogleAds", "campaigns:mutate": "MutateCampaigns"}
    kinds |= {"campaignBudgets:mutate": "MutateCampaignBudgets", "v26/customers:listAccessibleCustomers": ""}
    for request, reply in exchanged:
        kind = next(kind for path, kind in kinds.items() if request.path.endswith(path))
        if request.body:
            yield f"{kind}Request", {"customerId": "1", **request.body}
        for detail in reply.body.get("error", {}).get("details", ()):
            yield "GoogleAdsFailure", {name: value for name, value in detail.items() if name != "@type"}
        if "error" not in reply.body:
            yield f"{kind or 'ListAccessibleCustomers'}Response", reply.body


def test_googles_protos_know_all_that_is_said(exchanged: list[tuple[Request, Reply]]) -> None:
    found = list(cases(exchanged))
    kinds = {kind for kind, _ in found}
    assert len(kinds) == 8, kinds
    assert run("google_protos.py", given=found) == []


def test_googles_protos_have_every_field_that_we_ask_for() -> None:
    queries = [google_wire.CUSTOMER, google_wire.CLIENTS, google_wire.LISTED, google_wire.DAYS]
    assert all(len(re.findall(r"\b[a-z_]+\.[a-z_.]+", each)) > 3 for each in queries)
    assert run("google_protos.py", given=[("GAQL", each) for each in queries]) == []


def test_googles_protos_have_every_word_that_our_tables_name() -> None:
    errors = [dict([name.split(".")]) for name in google_faults.NAMES]
    campaigns: list[dict[str, Any]] = [{"status": each} for each in google_wire.STATUSES]
    campaigns += [{"advertisingChannelType": each} for each in google_wire.BY_CHANNEL]
    campaigns += [{"biddingStrategyType": each} for each in (*google_wire.BY_BIDDING, *google_wire.WITHOUT_LEARNING)]
    campaigns += [{"primaryStatusReasons": sorted(google_wire.USUAL)}]
    campaigns += [{"biddingStrategySystemStatus": each} for each in ("LEARNING_NEW", "MULTIPLE_LEARNING", "ENABLED")]
    campaigns += [{"biddingStrategySystemStatus": each} for each in ("LIMITED_BY_BUDGET", "MULTIPLE_LIMITED")]
    customers = [{"customer": {"status": each}} for each in google_wire.SHUT]
    given: list[tuple[str, Any]] = [("GoogleAdsFailure", {"errors": [{"errorCode": each}]}) for each in errors]
    given += [("Campaign", each) for each in campaigns] + [("GoogleAdsRow", each) for each in customers]
    assert run("google_protos.py", given=given) == []


def test_googles_protos_complain_of_what_is_not_there() -> None:
    wrong = [
        ("GAQL", "SELECT campaign.start_date FROM campaign"),
        ("Campaign", {"status": "ACTIVE"}),
        ("GoogleAdsFailure", {"errors": [{"errorCode": {"quotaError": "TIRED"}}]}),
        ("SearchGoogleAdsRequest", {"question": "?"}),
    ]
    assert len(run("google_protos.py", given=wrong)) == len(wrong)
