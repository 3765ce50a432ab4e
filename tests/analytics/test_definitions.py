"""The definitions and pitfalls of numbers, each as a test: what is divided by what, and what is never added."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from tests.analytics.conftest import Place
from tests.analytics.shop import ago, ask, by, order, store, visit
from tests.campaigns import TODAY, account, campaign, day, newcomer
from webapp.accounts import Scope
from webapp.analytics.catalogue import PIPE_ALLOWLIST
from webapp.analytics.columns import VOCABULARY
from webapp.db import Database


@pytest.fixture
def alice(database: Database) -> Scope:
    return newcomer(database, "Alice")


def test_a_ratio_is_a_ratio_of_sums_not_a_mean_of_ratios(shop: Place) -> None:
    """10 at a ROAS of 10 and 1000 at a ROAS of 1 is 1.09, not 5.5."""
    campaigns = ask(shop.database, shop.alice, "campaign_performance")
    assert sorted(row["roas"] for row in campaigns.rows) == [1, 10]
    assert campaigns.totals["EUR"]["roas"] == 1.0891
    assert ask(shop.database, shop.alice, "kpi_summary").rows[0]["roas"] == 1.0891


def test_two_currencies_stand_apart_and_it_is_said(database: Database, alice: Scope) -> None:
    store(database, alice)
    for currency, spend in (("EUR", 100), ("JPY", 9000)):
        one = campaign(database, alice, account(database, alice, currency=currency), f"In {currency}")
        day(database, one, 10, spend, 2 * spend)
    order(database, alice, 10, 300)
    order(database, alice, 10, 80, currency="USD")
    visit(database, alice, 10, "anna")
    result = ask(database, alice, "kpi_summary", compare="none")
    rows = by(result, "currency")
    assert {currency: (row["spend"], row["revenue"], row["mer"]) for currency, row in rows.items()} == {
        "EUR": (100, 300, 3),
        "JPY": (9000, None, None),  # the shop sold nothing in yen: that is no MER of zero
        "USD": (0, 80, None),
    }
    assert next(iter(rows)) == "EUR"  # the shop's first
    assert result.currency == ""
    assert "Amounts in EUR and JPY and USD stand in rows of their own; they are never added." in result.caveats
    assert set(ask(database, alice, "campaign_performance").totals) == {"EUR", "JPY"}


@pytest.mark.parametrize("pipe", sorted(PIPE_ALLOWLIST))
def test_today_is_left_out_unless_it_is_asked_for(database: Database, alice: Scope, pipe: str) -> None:
    store(database, alice)
    order(database, alice, 0, 999, channel="email", customer="c", is_first=True)
    visit(database, alice, 0, "anna", purchased=True)
    day(database, campaign(database, alice, account(database, alice), "Spring"), 0, 999, 999)
    result = ask(database, alice, pipe)
    assert result.until == TODAY - timedelta(1)
    assert not [value for row in result.rows for value in row.values() if value in (1, 999) and value is not True]
    asked = ask(database, alice, pipe, date_to=TODAY.isoformat())
    assert "The period includes today, which is not over." in asked.caveats


def test_a_zero_denominator_is_not_defined(database: Database, alice: Scope) -> None:
    store(database, alice)
    day(
        database,
        campaign(database, alice, account(database, alice), "Spring"),
        5,
        0,
        0,
        orders=0,
        clicks=0,
        impressions=0,
    )
    order(database, alice, 400, 10)
    visit(database, alice, 400, "anna")
    (row,) = ask(database, alice, "kpi_summary").rows
    assert {row["spend"], row["revenue"], row["orders"], row["sessions"], row["clicks"]} == {0}
    ratios = ("roas", "mer", "cpa", "cac", "aov", "ctr", "cpc", "cpm", "cvr", "roas_change", "spend_change")
    assert [row[ratio] for ratio in ratios] == [None] * len(ratios)


def test_what_nobody_measures_is_not_defined_either(database: Database, alice: Scope) -> None:
    """Without a shop there is no revenue of zero."""
    day(database, campaign(database, alice, account(database, alice), "Spring"), 5, 10, 30)
    result = ask(database, alice, "kpi_summary")
    (row,) = result.rows
    assert (row["spend"], row["roas"]) == (10, 3)
    assert {row["revenue"], row["orders"], row["sessions"], row["mer"], row["cac"], row["cvr"]} == {None}
    assert any(each.startswith("No orders of a shop") for each in result.caveats)
    assert any(each.startswith("No sessions of a shop") for each in result.caveats)


def test_mer_is_printed_with_its_formula(shop: Place) -> None:
    definitions = ask(shop.database, shop.alice, "kpi_summary").definitions
    assert definitions["mer"].startswith("revenue / spend")
    assert definitions["roas"] == "platform_revenue / spend"
    assert definitions["revenue"] == "the shop's orders, less refunds"


def test_net_or_gross_is_the_shops_word(database: Database, alice: Scope) -> None:
    store(database, alice, revenue_basis="gross")
    order(database, alice, 5, 60, refund=10, customer="c", is_first=True)
    summary = ask(database, alice, "kpi_summary")
    assert (summary.rows[0]["revenue"], summary.definitions["revenue"]) == (60, "the shop's orders, before refunds")
    assert ask(database, alice, "metric_timeseries", granularity="month").rows[-1]["revenue"] == 60
    assert ask(database, alice, "segment_breakdown").rows[0]["revenue"] == 60
    assert ask(database, alice, "channel_attribution").rows[0]["attributed_revenue"] == 60
    assert ask(database, alice, "cohort_ltv").rows[0]["cumulative_ltv"] == 60


def test_reach_frequency_and_unique_visitors_are_in_no_pipe() -> None:
    """They cannot be added over days or campaigns."""
    words = {word for pipe in PIPE_ALLOWLIST.values() for word in (each.key for each in pipe.columns)} | set(VOCABULARY)
    assert not {
        word for word in words if "reach" in word or "frequency" in word or "visitor" in word or "unique" in word
    }


def test_days_that_still_grow_are_marked_and_compared_with_as_many(database: Database, alice: Scope) -> None:
    """A campaign that always returns 2, whose last three days have so far returned nothing."""
    store(database, alice)
    one = campaign(database, alice, account(database, alice, maturing_days=3), "Steady")
    for n in range(1, 15):
        day(database, one, n, 10, 20 if n > 3 else 0)
    result = ask(database, alice, "kpi_summary", date_from=ago(7))
    (row,) = result.rows
    assert result.maturing_from == TODAY - timedelta(3)
    assert (row["roas"], row["roas_prev"]) == (1.1429, 2)
    assert (row["roas_change"], row["platform_revenue_change"], row["spend_change"]) == (0, 0, 0)
    assert any("compares the days before" in each for each in result.caveats)
    mature = ask(database, alice, "kpi_summary", date_from=ago(10), date_to=ago(4))
    assert (mature.maturing_from, mature.rows[0]["roas"], mature.rows[0]["roas_change"]) == (None, 2, 0)


@pytest.mark.parametrize(
    ("since", "until", "compare", "earlier"),
    [
        (28, 1, "prev", (56, 29)),
        (7, 1, "prev", (14, 8)),
        (1, 1, "prev", (8, 8)),  # a Monday with the Monday before
        (30, 1, "prev", (65, 36)),  # thirty days are no weeks: five are left out between
        (7, 1, "year", (371, 365)),
    ],
)
def test_periods_are_compared_with_as_many_days_of_the_same_names(
    shop: Place, since: int, until: int, compare: str, earlier: tuple[int, int]
) -> None:
    result = ask(shop.database, shop.alice, "kpi_summary", date_from=ago(since), date_to=ago(until), compare=compare)
    assert result.compared is not None
    first, last = result.compared
    assert (first.isoformat(), last.isoformat()) == (ago(earlier[0]), ago(earlier[1]))
    assert last - first == result.until - result.since
    assert first.weekday() == result.since.weekday()


def test_platforms_claims_stand_beside_the_shops_own_count(shop: Place) -> None:
    result = ask(shop.database, shop.alice, "channel_attribution")
    assert result.totals["EUR"]["platform_revenue"] == 1100
    assert result.totals["EUR"]["revenue"] == 190
    assert "the last of its buyer's visits in the 30 days before" in result.attribution


def test_days_of_another_timezone_are_said(database: Database, alice: Scope) -> None:
    store(database, alice)
    account(database, alice, timezone="Asia/Tokyo")
    assert "One ad account counts its days in Asia/Tokyo." in ask(database, alice, "kpi_summary").caveats


def test_a_disconnected_accounts_days_are_not_counted(database: Database, alice: Scope) -> None:
    day(database, campaign(database, alice, account(database, alice, status="revoked"), "Old"), 5, 10, 30)
    day(database, campaign(database, alice, account(database, alice), "New"), 5, 1, 2)
    assert ask(database, alice, "kpi_summary").rows[0]["spend"] == 1
    assert [row["name"] for row in ask(database, alice, "campaign_performance").rows] == ["New"]


def test_stale_figures_are_said(database: Database, alice: Scope) -> None:
    store(database, alice)
    late = account(database, alice, data_through=date(2026, 11, 20))
    day(database, campaign(database, alice, late, "Spring"), 4, 10, 30)
    result = ask(database, alice, "metric_timeseries", date_from=ago(5), metrics=["spend"])
    assert [row["spend"] for row in result.rows] == [0, 10, None, None, None]  # not read yet is not zero
    assert result.data_through == date(2026, 11, 20)
    assert any("end earlier than the period, the first on 2026-11-20" in each for each in result.caveats)
