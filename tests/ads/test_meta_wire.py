"""Meta's rows: recorded ones where they lie beside the repository, and ones of our own with every trap in them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.ads.fakes.graph import adset, campaign
from webapp.ads import meta_wire
from webapp.ads.meta_wire import purchases, read_account, read_adset, read_campaign, read_insight, written
from webapp.ads.money import META_WHOLE, meta_offset
from webapp.ads.platform import CampaignState, Change, PlatformError, Trouble

FIXTURES = Path(__file__).resolve().parents[2] / ".." / "shared" / "reference" / "ads-fixtures"
needs_recordings = pytest.mark.skipif(not FIXTURES.is_dir(), reason="the recordings are not here")


def recorded(name: str) -> Iterator[Any]:
    """The bodies of a recording, in order."""
    for each in json.loads((FIXTURES / "meta-recorded" / name).read_text())["interactions"]:
        yield each["response"]["body"]


# --- recorded ---------------------------------------------------------------------------------------------------


@needs_recordings
def test_recorded_accounts() -> None:
    (body,) = recorded("adaccounts_list.json")
    found = [read_account(row) for row in body["data"]]
    assert len(found) == 10
    assert found[8].external_id == "39788579"
    assert {(each.currency, each.usable) for each in found} == {("USD", True)}


@needs_recordings
def test_recorded_campaigns_lack_what_they_do_not_have() -> None:
    (body,) = recorded("campaigns_list_active.json")
    found = [read_campaign(row, [], "USD") for row in body["data"]]
    assert found
    for each in found:
        assert each.status == "active"
        assert each.budget_level in ("none", "campaign")
        assert each.started_on is None or each.started_on.year > 2010


@needs_recordings
def test_a_recorded_campaign_that_was_deleted_never_started() -> None:
    *_, last = recorded("campaign_delete_then_read.json")
    assert last["start_time"].startswith("1969-12-31")
    found = read_campaign(last, [], "USD")
    assert (found.status, found.objective, found.started_on, found.budget_micros) == ("deleted", "app", None, None)
    assert found.changed_at == datetime(2017, 4, 26, 0, 35, 27, tzinfo=UTC)


@needs_recordings
def test_a_recorded_ad_set_has_a_daily_budget_and_a_lifetime_budget_of_nothing() -> None:
    _, row = recorded("adset_create_then_read.json")
    assert row["lifetime_budget"] == "0"
    found = read_adset(row, "USD")
    assert (found.budget_micros, found.status, found.learning) == (5_000_000, "PAUSED", "unknown")
    above = read_campaign(campaign("1"), [row], "USD")
    assert (above.budget_level, above.budget_micros) == ("adset", None)


@needs_recordings
def test_offsets_are_metas_own_table() -> None:
    table = json.loads((FIXTURES / "meta_currency_offsets.json").read_text())["offset"]
    assert {currency: meta_offset(currency) for currency in table} == table
    assert {currency for currency, offset in table.items() if offset == 1} == META_WHOLE


# --- campaigns --------------------------------------------------------------------------------------------------


def test_a_campaign_with_its_own_budget() -> None:
    found = read_campaign(campaign("1", name="Black Friday", daily_budget="5000"), [], "EUR")
    assert (found.budget_micros, found.budget_period, found.budget_level) == (50_000_000, "daily", "campaign")
    assert (found.name, found.status, found.objective) == ("Black Friday", "active", "sales")
    assert found.started_on == date(2026, 5, 1)
    assert found.changed_at == datetime(2026, 11, 1, 9, tzinfo=UTC)


@pytest.mark.parametrize(("currency", "micros"), [("EUR", 50_000_000), ("JPY", 5_000_000_000), ("HUF", 5_000_000_000)])
def test_minor_units_are_metas(currency: str, micros: int) -> None:
    assert read_campaign(campaign("1", daily_budget="5000"), [], currency).budget_micros == micros


def test_a_budget_that_ad_sets_hold() -> None:
    rows = [adset("11", "1", daily_budget="1500"), adset("12", "1", daily_budget="2000")]
    found = read_campaign(campaign("1"), rows, "EUR")
    assert (found.budget_micros, found.budget_period, found.budget_level) == (None, "", "adset")
    assert [each.budget_micros for each in found.adsets] == [15_000_000, 20_000_000]


def test_a_lifetime_budget() -> None:
    found = read_campaign(campaign("1", daily_budget="0", lifetime_budget="90000"), [], "EUR")
    assert (found.budget_micros, found.budget_period) == (900_000_000, "lifetime")


@pytest.mark.parametrize(
    ("stages", "learning", "events"),
    [
        ([{"status": "LEARNING", "conversions": 31}, {"status": "SUCCESS", "conversions": 50}], "learning", 31),
        ([{"status": "LEARNING", "conversions": 31}, {"status": "LEARNING", "conversions": 4}], "learning", 4),
        ([{"status": "FAIL"}, {"status": "SUCCESS"}], "limited", None),
        ([{"status": "SUCCESS"}], "learned", None),
        ([{"status": "SUCCESS"}, None], "unknown", None),
        ([], "unknown", None),
    ],
)
def test_a_campaign_learns_as_long_as_an_ad_set_does(stages: list[Any], learning: str, events: int | None) -> None:
    rows = [adset(str(n), "1", **({"learning_stage_info": stage} if stage else {})) for n, stage in enumerate(stages)]
    found = read_campaign(campaign("1"), rows, "EUR")
    assert (found.learning, found.learning_events) == (learning, events)


def test_a_paused_ad_set_does_not_speak_for_the_campaign() -> None:
    rows = [
        adset("1", "1", learning_stage_info={"status": "SUCCESS"}),
        adset("2", "1", effective_status="PAUSED", learning_stage_info={"status": "LEARNING", "conversions": 1}),
    ]
    assert read_campaign(campaign("1"), rows, "EUR").learning == "learned"


def test_what_is_wrong_with_a_campaign_is_told() -> None:
    issues = [{"error_summary": "Payment failed", "error_message": "x"}, {"error_message": "No ads"}, {}]
    assert read_campaign(campaign("1", issues_info=issues), [], "EUR").issues == ("Payment failed", "No ads")
    old = read_campaign(campaign("1", smart_promotion_type="SMART_APP_PROMOTION"), [], "EUR")
    assert "old Advantage+ app campaign" in old.issues[0]
    assert read_campaign(campaign("1", smart_promotion_type="GUIDED_CREATION"), [], "EUR").issues == ()


def test_a_closed_account_is_not_usable_and_says_why() -> None:
    row = {"account_id": "1", "currency": "EUR", "account_status": 101, "timezone_name": "Europe/Berlin"}
    found = read_account(row)
    assert (found.usable, found.why_not, found.name) == (False, "This account is closed.", "1")
    assert read_account(row | {"account_status": 3}).usable


# --- days -------------------------------------------------------------------------------------------------------


def actions(**values: str) -> list[dict[str, str]]:
    return [{"action_type": name.replace("__", "."), "value": value} for name, value in values.items()]


def test_a_purchase_under_six_types_is_one_purchase() -> None:
    """The trap: added up, this day would have 18 purchases worth 1,440."""
    names = ("purchase", "omni_purchase", "web_in_store_purchase", "onsite_web_purchase", "onsite_web_app_purchase")
    row = {
        "campaign_id": "1",
        "date_start": "2026-11-20",
        "spend": "80.25",
        "impressions": "12000",
        "inline_link_clicks": "340",
        "clicks": "900",
        "actions": actions(**dict.fromkeys(names, "3"), offsite_conversion__fb_pixel_purchase="3", link_click="340"),
        "action_values": actions(**dict.fromkeys(names, "240.0"), offsite_conversion__fb_pixel_purchase="240.0"),
    }
    found = read_insight(row, "EUR")
    assert (found.orders, found.revenue_micros) == (3.0, 240_000_000)
    assert (found.spend_micros, found.impressions, found.clicks) == (80_250_000, 12_000, 340)
    assert found.day == date(2026, 11, 20)


@pytest.mark.parametrize(
    ("counts", "values", "expected"),
    [
        ({"purchase": "5", "omni_purchase": "6"}, {"purchase": "50", "omni_purchase": "60"}, (6, 60)),
        ({"purchase": "5"}, {"purchase": "50", "offsite_conversion__fb_pixel_purchase": "40"}, (5, 50)),
        ({"offsite_conversion__fb_pixel_purchase": "2"}, {"offsite_conversion__fb_pixel_purchase": "9.9"}, (2, 9.9)),
        ({"purchase": "5"}, {"omni_purchase": "60"}, (5, 0)),
        ({"link_click": "4"}, {"purchase": "7"}, (0, 7)),
        ({"onsite_web_purchase": "4"}, {}, (0, 0)),
        ({}, {}, (0, 0)),
    ],
)
def test_count_and_value_are_of_the_same_type(
    counts: dict[str, str], values: dict[str, str], expected: tuple[float, float]
) -> None:
    found = purchases({"actions": actions(**counts), "action_values": actions(**values)})
    assert found == tuple(Decimal(str(each)) for each in expected)


def test_a_day_without_anything_but_spend() -> None:
    found = read_insight({"campaign_id": "1", "date_start": "2026-11-20", "spend": "1234"}, "JPY")
    assert (found.spend_micros, found.impressions, found.clicks, found.orders) == (1_234_000_000, 0, 0, 0.0)


@pytest.mark.parametrize("row", [{}, {"campaign_id": "1", "date_start": "yesterday"}, {"actions": 5}, None])
def test_what_is_no_row_of_metas_is_told_as_such(row: Any) -> None:
    with pytest.raises(PlatformError, match="shape") as failed, meta_wire.reading():
        read_insight(row, "EUR")
    assert failed.value.trouble is Trouble.UNREACHABLE


# --- changes ----------------------------------------------------------------------------------------------------

OWN = CampaignState("1", "One", "active", budget_micros=50_000_000, budget_period="daily", budget_level="campaign")


@pytest.mark.parametrize(
    ("change", "currency", "fields"),
    [
        (Change("1", "status", "paused", OWN), "EUR", {"status": "PAUSED"}),
        (Change("1", "status", "active", OWN), "EUR", {"status": "ACTIVE"}),
        (Change("1", "name", "New", OWN), "EUR", {"name": "New"}),
        (Change("1", "daily_budget", 55_500_000, OWN), "EUR", {"daily_budget": "5550"}),
        (Change("1", "daily_budget", 5_000_000_000, OWN), "JPY", {"daily_budget": "5000"}),
        (Change("1", "daily_budget", 5_000_000_000, OWN), "TWD", {"daily_budget": "5000"}),
    ],
)
def test_changes_as_meta_takes_them(change: Change, currency: str, fields: dict[str, str]) -> None:
    assert written(change, currency) == fields


SETS = read_campaign(
    campaign("1"), [adset("11", "1", name="Berlin", daily_budget="1"), adset("12", "1", daily_budget="1")], "EUR"
)
ONE_SET = read_campaign(campaign("1"), [adset("11", "1", name="Berlin", daily_budget="1")], "EUR")
LIFETIME = read_campaign(campaign("1", lifetime_budget="90000"), [], "EUR")
NOWHERE = read_campaign(campaign("1"), [], "EUR")


@pytest.mark.parametrize(
    ("change", "currency", "says"),
    [
        (Change("1", "daily_budget", 9_000_000, SETS), "EUR", "2 ad sets “Berlin”, “Ad set 12”"),
        (Change("1", "daily_budget", 9_000_000, ONE_SET), "EUR", "ad set “Berlin”"),
        (Change("1", "daily_budget", 9_000_000, LIFETIME), "EUR", "lifetime budget"),
        (Change("1", "daily_budget", 9_000_000, NOWHERE), "EUR", "not known where"),
        (Change("1", "daily_budget", 0, OWN), "EUR", "more than nothing"),
        (Change("1", "daily_budget", 9_505_001, OWN), "EUR", "cannot be that fine"),
        (Change("1", "daily_budget", 5_000_500_000, OWN), "JPY", "cannot be that fine"),
        (Change("1", "status", "deleted", OWN), "EUR", "never archived or deleted"),
        (Change("1", "status", "archived", OWN), "EUR", "never archived or deleted"),
    ],
)
def test_what_must_not_be_tried_is_refused_in_words(change: Change, currency: str, says: str) -> None:
    with pytest.raises(PlatformError, match=says) as failed:
        written(change, currency)
    assert failed.value.trouble is Trouble.REFUSED
