"""Google's rows and mutations: bodies that the official protos know, and ones of our own with every trap in them."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from webapp.ads import google_wire
from webapp.ads.google_wire import read_account, read_campaign, read_campaigns, read_insight, written
from webapp.ads.platform import CampaignState, Change, PlatformError, Trouble

FIXTURES = Path(__file__).resolve().parents[2] / ".." / "shared" / "reference" / "ads-fixtures" / "google-rest"
needs_bodies = pytest.mark.skipif(not FIXTURES.is_dir(), reason="the bodies are not here")


def stored(name: str) -> Any:
    return json.loads((FIXTURES / f"{name}.json").read_text())["body"]


def row(id: str = "1", budget: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    usual = {"id": id, "name": f"Campaign {id}", "status": "ENABLED", "biddingStrategyType": "TARGET_ROAS"}
    known = {"id": "10", "amountMicros": "50000000", "period": "DAILY", "explicitlyShared": False}
    return {"campaign": {**usual, **more}, "campaignBudget": known if budget is None else budget}


# --- bodies -----------------------------------------------------------------------------------------------------


@needs_bodies
def test_days_of_a_stored_body() -> None:
    first, second = [read_insight(each) for each in stored("search_stream_chunk")["results"]]
    assert (first.campaign_id, first.day, first.spend_micros) == ("1", date(2026, 11, 1), 12_340_000)
    assert (first.impressions, first.clicks, first.orders, first.revenue_micros) == (345, 12, 1.5, 99_500_000)
    assert (second.spend_micros, second.revenue_micros) == (98_760_000, 150_250_000)


@needs_bodies
def test_campaigns_of_a_stored_body() -> None:
    brand, generic = read_campaigns(stored("search_stream_chunk")["results"])
    assert (brand.name, brand.status, brand.learning, brand.objective) == ("Brand", "active", "learned", "sales")
    assert (generic.status, generic.learning) == ("paused", "learning")
    assert generic.budget_level == "shared"


@needs_bodies
@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("mutate_campaign_pause_request", Change("1", "status", "paused", CampaignState("1", "Brand", "active"))),
        (
            "mutate_budget_request",
            Change(
                "1",
                "daily_budget",
                55_000_000,
                CampaignState("1", "Brand", "active", budget_period="daily", budget_level="campaign", budget_id="10"),
            ),
        ),
    ],
)
def test_mutations_as_in_stored_bodies(name: str, change: Change) -> None:
    ours, theirs = written(change, "9990001112").validating().body, stored(name)
    assert ours["operations"] == theirs["operations"]
    assert ours["validateOnly"] is True


# --- campaigns --------------------------------------------------------------------------------------------------


def test_metrics_of_zero_are_left_out() -> None:
    found = read_insight({"campaign": {"id": "1"}, "segments": {"date": "2026-11-01"}})
    assert (found.spend_micros, found.impressions, found.clicks, found.orders, found.revenue_micros) == (0, 0, 0, 0, 0)


def test_a_shared_budget_names_who_else_is_on_it() -> None:
    shared = {"id": "20", "amountMicros": "80000000", "period": "DAILY", "explicitlyShared": True}
    found = read_campaigns([row("1", shared), row("2", shared, name="Generic"), row("3")])
    assert [each.shared_with for each in found] == [("Generic",), ("Campaign 1",), ()]
    assert (found[0].budget_level, found[0].budget_id, found[0].budget_micros) == ("shared", "20", 80_000_000)
    assert (found[2].budget_level, found[2].budget_id) == ("campaign", "10")


def test_a_total_budget_is_no_daily_one() -> None:
    found = read_campaign(row(budget={"id": "10", "totalAmountMicros": "900000000", "period": "CUSTOM_PERIOD"}))
    assert (found.budget_micros, found.budget_period) == (900_000_000, "lifetime")


def test_a_campaign_without_a_budget_that_we_see() -> None:
    assert read_campaign(row(budget={})).budget_level == "unknown"


@pytest.mark.parametrize(
    ("bidding", "status", "learning"),
    [
        ("TARGET_ROAS", "LEARNING_NEW", "learning"),
        ("TARGET_CPA", "LEARNING_CONVERSION_SETTING_CHANGE", "learning"),
        ("TARGET_CPA", "MULTIPLE_LEARNING", "learning"),
        ("TARGET_ROAS", "ENABLED", "learned"),
        ("TARGET_ROAS", "LIMITED_BY_BUDGET", "learned"),
        ("TARGET_ROAS", "MISCONFIGURED_CONVERSION_TYPES", "unknown"),
        ("TARGET_ROAS", "PAUSED", "unknown"),
        ("TARGET_ROAS", "", "unknown"),
        ("MANUAL_CPC", "UNAVAILABLE", "learned"),
    ],
)
def test_learning_is_read_from_how_it_bids(bidding: str, status: str, learning: str) -> None:
    found = read_campaign(row(biddingStrategyType=bidding, biddingStrategySystemStatus=status))
    assert found.learning == learning


@pytest.mark.parametrize(
    ("channel", "bidding", "objective"),
    [
        ("SHOPPING", "MANUAL_CPC", "sales"),
        ("SEARCH", "TARGET_ROAS", "sales"),
        ("PERFORMANCE_MAX", "MAXIMIZE_CONVERSION_VALUE", "sales"),
        ("SEARCH", "TARGET_SPEND", "traffic"),
        ("MULTI_CHANNEL", "TARGET_CPA", "app"),
        ("SEARCH", "MAXIMIZE_CONVERSIONS", "unknown"),
    ],
)
def test_an_objective_is_told_only_where_bidding_tells_it(channel: str, bidding: str, objective: str) -> None:
    found = read_campaign(row(advertisingChannelType=channel, biddingStrategyType=bidding))
    assert found.objective == objective


def test_reasons_are_words_and_what_is_told_elsewhere_is_left_out() -> None:
    reasons = ["BIDDING_STRATEGY_LEARNING", "HAS_ADS_DISAPPROVED", "BUDGET_CONSTRAINED"]
    found = read_campaign(
        row(primaryStatus="LIMITED", primaryStatusReasons=reasons, startDateTime="2026-05-01 00:00:00")
    )
    assert (found.effective_status, found.issues) == ("LIMITED", ("Has ads disapproved", "Budget constrained"))
    assert found.started_on == date(2026, 5, 1)


def test_a_suspended_account_says_so() -> None:
    found = read_account({"id": "1", "currencyCode": "JPY", "timeZone": "Asia/Tokyo", "status": "SUSPENDED"})
    assert (found.usable, found.why_not) == (False, "Google has suspended this account.")


@pytest.mark.parametrize("wrong", [{}, {"campaign": {"id": "1"}, "segments": {"date": "x"}}, None, {"campaign": 5}])
def test_what_is_no_row_of_googles_is_told_as_such(wrong: Any) -> None:
    with pytest.raises(PlatformError, match="shape"), google_wire.reading():
        read_insight(wrong)


# --- changes ----------------------------------------------------------------------------------------------------

LIFETIME = read_campaign(row(budget={"id": "10", "totalAmountMicros": "900000000", "period": "CUSTOM_PERIOD"}))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (Change("1", "daily_budget", 9_000_000, LIFETIME), "total budget"),
        (Change("1", "daily_budget", 9_000_000, read_campaign(row(budget={}))), "not known which budget"),
        (Change("1", "daily_budget", 0, read_campaign(row())), "more than nothing"),
        (Change("1", "status", "deleted", read_campaign(row())), "never removed"),
    ],
)
def test_what_must_not_be_tried_is_refused_in_words(change: Change, says: str) -> None:
    with pytest.raises(PlatformError, match=says) as failed:
        written(change, "9990001112")
    assert failed.value.trouble is Trouble.REFUSED


@pytest.mark.parametrize("id", ["", "1 OR campaign.id = 2", "../2", "1'", "１２"])
def test_nothing_but_digits_comes_into_a_query(id: str) -> None:
    with pytest.raises(PlatformError, match="whole numbers"):
        google_wire.digits(id)
    assert google_wire.digits("999-000-1112") == "9990001112"
