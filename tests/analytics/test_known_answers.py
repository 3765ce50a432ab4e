"""Every pipe on a shop small enough to be worked out on paper (conftest.py has its figures)."""

from __future__ import annotations

from datetime import date

import pytest

from tests.analytics.conftest import Place
from tests.analytics.shop import ago, ask, by
from webapp.analytics.catalogue import PIPE_ALLOWLIST


def test_the_summary_adds_up_and_divides_the_sums(shop: Place) -> None:
    result = ask(shop.database, shop.alice, "kpi_summary")
    (row,) = result.rows
    assert {key: row[key] for key in ("spend", "revenue", "orders", "new_customers", "sessions")} == {
        "spend": 1010,
        "revenue": 190,  # less the refund
        "orders": 3,
        "new_customers": 2,
        "sessions": 6,
    }
    assert (row["platform_revenue"], row["platform_orders"]) == (1100, 5)
    assert (row["impressions"], row["clicks"]) == (2000, 20)
    assert (row["roas"], row["mer"]) == (1.0891, 0.1881)
    assert (row["cpa"], row["cac"], row["aov"]) == (202, 505, 63.3333)
    assert (row["ctr"], row["cpc"], row["cpm"], row["cvr"]) == (0.01, 50.5, 505, 0.5)
    assert (result.currency, result.timezone) == ("EUR", "Europe/Berlin")


def test_the_summary_compares_with_the_four_weeks_before(shop: Place) -> None:
    result = ask(shop.database, shop.alice, "kpi_summary")
    (row,) = result.rows
    assert result.compared == (date(2026, 9, 29), date(2026, 10, 26))
    assert (row["spend_prev"], row["spend_change"]) == (500, 1.02)
    assert (row["roas_prev"], row["roas_change"]) == (2, -0.455446)
    assert (row["revenue_prev"], row["revenue_change"], row["aov_prev"]) == (0, None, None)


def test_a_summary_without_comparison_has_no_columns_for_it(shop: Place) -> None:
    result = ask(shop.database, shop.alice, "kpi_summary", compare="none")
    assert result.compared is None
    assert not [each.key for each in result.columns if each.key.endswith(("_prev", "_change"))]


def test_a_series_has_every_day_and_no_ratio_where_nothing_was_spent(shop: Place) -> None:
    result = ask(
        shop.database, shop.alice, "metric_timeseries", date_from=ago(20), metrics=["spend", "roas", "revenue"]
    )
    days = by(result, "bucket")
    assert [each.key for each in result.columns] == ["bucket", "spend", "revenue", "roas", "is_maturing"]
    assert len(days) == 20
    assert days[ago(15)] == {"bucket": ago(15), "spend": 10, "revenue": 100, "roas": 10, "is_maturing": False}
    assert days[ago(12)] == {"bucket": ago(12), "spend": 0, "revenue": 0, "roas": None, "is_maturing": False}
    assert [day for day, row in days.items() if row["is_maturing"]] == [ago(3), ago(2), ago(1)]


def test_new_customers_and_what_they_cost_by_month(shop: Place) -> None:
    (month,) = ask(
        shop.database, shop.alice, "metric_timeseries", granularity="month", metrics="new_customers,cac",
        date_from="2026-11-01",
    ).rows  # fmt: skip
    assert (month["new_customers"], month["cac"]) == (2, 505)


def test_weeks_begin_on_monday(shop: Place) -> None:
    result = ask(shop.database, shop.alice, "metric_timeseries", granularity="week", metrics="spend,revenue")
    weeks = {row["bucket"]: (row["spend"], row["revenue"]) for row in result.rows}
    assert weeks == {
        "2026-10-26": (0, None),  # before the first order there is nothing to know
        "2026-11-02": (0, None),
        "2026-11-09": (1010, 150),
        "2026-11-16": (0, 40),
        "2026-11-23": (0, 0),
    }
    assert any("first and the last week" in each for each in result.caveats)


def test_months_add_up_to_the_same(shop: Place) -> None:
    rows = ask(shop.database, shop.alice, "metric_timeseries", granularity="month", date_from="2026-10-01").rows
    assert [(row["bucket"], row["spend"], row["roas"]) for row in rows] == [
        ("2026-10-01", 500, 2),
        ("2026-11-01", 1010, 1.0891),
    ]


@pytest.mark.parametrize(
    ("dimension", "expected"),
    [
        ("channel", {"email": (1, 1, 100), "google": (1, 1, 50), "unknown": (0, 1, 40), "direct": (2, 0, 0),
                     "meta": (1, 0, 0), "organic": (1, 0, 0)}),
        ("platform", {"google": (1, 1, 50), "meta": (1, 0, 0), "no ad": (4, 2, 140)}),
        ("country", {"DE": (4, 1, 100), "AT": (1, 1, 50), "unknown": (1, 1, 40)}),
        ("device", {"unknown": (0, 3, 190), "mobile": (5, 0, 0), "desktop": (1, 0, 0)}),
        ("landing_page", {"unknown": (6, 3, 190)}),
        ("new_vs_returning", {"new": (4, 2, 150), "returning": (2, 1, 40)}),
    ],
)  # fmt: skip
def test_segments(shop: Place, dimension: str, expected: dict[str, tuple[int, int, int]]) -> None:
    result = ask(shop.database, shop.alice, "segment_breakdown", dimension=dimension)
    found = {row["segment"]: (row["sessions"], row["orders"], row["revenue"]) for row in result.rows}
    assert found == expected
    assert result.totals["EUR"] == {"sessions": 6, "orders": 3, "revenue": 190, "cvr": 0.5, "aov": 63.3333}


def test_a_segments_share_is_of_all_revenue_even_when_rows_are_cut(shop: Place) -> None:
    result = ask(shop.database, shop.alice, "segment_breakdown", limit=1)
    assert [(row["segment"], row["share"]) for row in result.rows] == [("email", 0.526316)]
    assert (result.rows_total, result.truncated) == (6, True)
    assert result.totals["EUR"]["revenue"] == 190


def test_campaigns_by_spend_with_what_they_did_before(shop: Place) -> None:
    result = ask(shop.database, shop.alice, "campaign_performance")
    large, small = result.rows
    assert (large["name"], large["spend"], large["roas"], large["cpa"]) == ("Large and poor", 1000, 1, 250)
    assert (large["spend_prev"], large["roas_prev"], large["roas_change"]) == (500, 2, -0.5)
    assert (small["name"], small["spend"], small["roas"], small["evidence"]) == ("Small and good", 10, 10, 1)
    assert (small["spend_prev"], small["roas_prev"], small["spend_change"]) == (0, None, None)
    assert result.totals["EUR"]["roas"] == 1.0891


@pytest.mark.parametrize(
    ("params", "names"),
    [
        ({"sort": "roas"}, ["Small and good", "Large and poor"]),
        ({"sort": "cpa"}, ["Small and good", "Large and poor"]),
        ({"sort": "revenue"}, ["Large and poor", "Small and good"]),
        ({"sort": "orders"}, ["Large and poor", "Small and good"]),
        ({"min_spend": 11}, ["Large and poor"]),
        ({"platform": "google"}, []),
        ({"level": "adset"}, ["Set one", "Small and good", "Large and poor"]),
    ],
)
def test_campaigns_sorted_and_filtered(shop: Place, params: dict[str, object], names: list[str]) -> None:
    assert [row["name"] for row in ask(shop.database, shop.alice, "campaign_performance", **params).rows] == names


def test_who_came_further_is_counted_in_every_step_before(shop: Place) -> None:
    result = ask(shop.database, shop.alice, "conversion_funnel")
    assert [(row["step"], row["sessions"], row["step_rate"], row["overall_rate"]) for row in result.rows] == [
        ("visit", 6, 1, 1),
        ("product view", 4, 0.666667, 0.666667),
        ("cart", 2, 0.5, 0.333333),
        ("checkout", 2, 1, 0.333333),
        ("purchase", 2, 1, 0.333333),
    ]


def test_a_funnel_of_one_channel_on_one_device(shop: Place) -> None:
    result = ask(shop.database, shop.alice, "conversion_funnel", channel="google", device="desktop")
    assert [row["sessions"] for row in result.rows] == [1, 1, 1, 1, 1]
    nobody = ask(shop.database, shop.alice, "conversion_funnel", channel="google", device="mobile")
    assert [(row["sessions"], row["overall_rate"]) for row in nobody.rows] == [(0, None)] * 5


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"model": "last"}, {"email": (1, 100), "google": (1, 50), "unknown": (1, 40), "meta": (0, 0)}),
        ({"model": "first"}, {"meta": (1, 100), "google": (1, 50), "unknown": (1, 40)}),
        (
            {"model": "first", "lookback": 3},
            {"organic": (1, 100), "google": (1, 50), "unknown": (1, 40), "meta": (0, 0)},
        ),
        (
            {"model": "linear"},
            {"google": (1, 50), "unknown": (1, 40), "email": (0.3333, 33.3333), "meta": (0.3333, 33.3333),
             "organic": (0.3333, 33.3333)},
        ),
        ({"model": "platform"}, {"meta": (5, 1100)}),
    ],
)  # fmt: skip
def test_who_is_credited(shop: Place, params: dict[str, object], expected: dict[str, tuple[float, float]]) -> None:
    result = ask(shop.database, shop.alice, "channel_attribution", **params)
    found = {row["channel"]: (row["attributed_orders"], row["attributed_revenue"]) for row in result.rows}
    assert found == expected
    assert (result.totals["EUR"]["orders"], result.totals["EUR"]["revenue"]) == (3, 190)  # the shop's, whoever claims


def test_what_a_platform_claims_beyond_its_credit_is_the_gap(shop: Place) -> None:
    row = by(ask(shop.database, shop.alice, "channel_attribution", model="first"), "channel")["meta"]
    assert (row["spend"], row["attributed_roas"], row["roas"], row["gap"]) == (1010, 0.099, 1.0891, 1000)


def test_cohorts_grow_by_what_their_customers_come_back_for(shop: Place) -> None:
    result = ask(shop.database, shop.alice, "cohort_ltv", date_from="2026-09-10")
    assert result.since == date(2026, 9, 1)  # whole months
    assert [dict(row) for row in result.rows] == [
        {
            "cohort": "2026-11-01",
            "customers": 2,
            "month_n": 0,
            "orders": 3,
            "revenue_per_customer": 95,
            "cumulative_ltv": 95,
            "repeat_rate": 0.5,
        }
    ]


def test_anomalies_of_a_shop_without_a_past_are_none(shop: Place) -> None:
    assert ask(shop.database, shop.alice, "metric_anomalies").rows == ()


@pytest.mark.parametrize("pipe", PIPE_ALLOWLIST)
def test_an_empty_workspace_gets_an_answer_and_the_reason(shop: Place, pipe: str) -> None:
    result = ask(shop.database, shop.charlie, pipe)
    numbers = [value for row in result.rows for key, value in row.items() if isinstance(value, float | int)]
    assert {number for number in numbers if number is not False} <= {0}
    assert any("is connected" in each or "are here" in each for each in result.caveats)
