"""The stories planted in the demo (webapp/ads/demo.py), found by asking the pipes."""

from __future__ import annotations

from itertools import pairwise

import pytest

from tests.analytics.conftest import Place
from tests.analytics.shop import ago, ask, by
from webapp.ads.demo import CAMPAIGN, INJECTION, OVER_CLAIM, STORY
from webapp.analytics.catalogue import PIPE_ALLOWLIST

BEFORE_MATURE = ago(4)  # the newest day whose orders have all come in


def named(key: str) -> str:
    return CAMPAIGN[STORY[key].campaigns[0]].name


def days(key: str) -> list[str]:
    """The story's days, oldest first; it counts from the day before TODAY."""
    since, until = STORY[key].since, STORY[key].until
    assert since is not None
    assert until is not None
    return [ago(n + 1) for n in range(since, until - 1, -1)]


def test_the_broken_pixel_is_an_anomaly_of_roas_and_not_of_the_shop(demo: Place) -> None:
    found = by(ask(demo.database, demo.alice, "metric_anomalies", metric="roas", platform="meta"), "date")
    broken = [found[day] for day in days("pixel") if found[day].get("currency", "USD") == "USD"]
    assert len(broken) == 3
    assert {(row["value"], row["direction"], row["likely_cause"]) for row in broken} == {(0, "down", "cvr")}
    shop = by(ask(demo.database, demo.alice, "metric_anomalies", metric="revenue"), "date")
    assert not [day for day in days("pixel") if day in shop and shop[day]["direction"] == "down"]


def test_the_pixels_days_spend_on(demo: Place) -> None:
    series = ask(demo.database, demo.alice, "metric_timeseries", platform="meta", date_from=ago(30))
    for row in series.rows:
        if row.get("currency") == "USD":
            assert row["spend"]
            assert (row["platform_revenue"] == 0) is (row["bucket"] in days("pixel"))


def test_the_hidden_winner_leads_by_roas_on_little_money(demo: Place) -> None:
    result = ask(demo.database, demo.alice, "campaign_performance", sort="roas", date_to=BEFORE_MATURE)
    first = result.rows[0]
    assert first["name"] == named("winner")
    assert first["spend"] / result.totals["USD"]["spend"] < 0.03


def test_the_old_loser_has_much_evidence_and_little_roas(demo: Place) -> None:
    result = ask(demo.database, demo.alice, "campaign_performance", date_from=ago(93), date_to=BEFORE_MATURE)
    loser = by(result, "name")[named("loser")]
    assert loser["roas"] < 1.5
    assert loser["evidence"] > 10
    assert loser["spend"] > result.totals["USD"]["spend"] / 50


def test_the_young_campaign_is_told_apart_by_its_learning(demo: Place) -> None:
    young = by(ask(demo.database, demo.alice, "campaign_performance", date_from=ago(7)), "name")[named("learning")]
    assert young["learning"] == "learning"
    assert young["roas"] < 1.5


def test_the_injection_is_a_name_in_a_column_of_names(demo: Place) -> None:
    result = ask(demo.database, demo.alice, "campaign_performance")
    assert INJECTION in by(result, "name")
    assert {each.key for each in result.columns if each.unit == "name"} == {"name", "campaign"}


def test_the_tired_creative_clicks_less_than_it_did(demo: Place) -> None:
    early = ask(demo.database, demo.alice, "campaign_performance", date_from=ago(56), date_to=ago(43))
    late = ask(demo.database, demo.alice, "campaign_performance", date_from=ago(14))
    before, after = (by(each, "name")[named("tired")]["ctr"] for each in (early, late))
    assert after < 0.65 * before


def test_yen_stand_apart(demo: Place) -> None:
    result = ask(demo.database, demo.alice, "kpi_summary")
    rows = by(result, "currency")
    assert list(rows) == ["USD", "JPY"]
    assert rows["JPY"]["spend"] > 100_000
    assert {rows["JPY"][key] for key in ("revenue", "sessions", "mer", "cac")} == {None}
    assert rows["USD"]["mer"] == pytest.approx(rows["USD"]["revenue"] / rows["USD"]["spend"], abs=1e-4)


@pytest.mark.parametrize("platform", ["meta", "google"])
def test_a_platform_claims_more_than_the_shops_last_touch(demo: Place, platform: str) -> None:
    """Over a year less the pixel's days; refunds, which no platform subtracts, widen the gap a little."""
    result = ask(demo.database, demo.alice, "channel_attribution", date_from=ago(390), date_to=ago(27), lookback=1)
    row = next(row for row in result.rows if row["channel"] == platform and row["currency"] == "USD")
    assert row["platform_revenue"] / row["attributed_revenue"] - 1 == pytest.approx(OVER_CLAIM[platform], abs=0.08)


def test_the_newest_days_look_worse_than_they_are(demo: Place) -> None:
    rows = ask(demo.database, demo.alice, "metric_timeseries", date_from=ago(31)).rows
    fresh = [row["roas"] for row in rows if row.get("currency") == "USD" and row["is_maturing"]]
    ripe = [row["roas"] for row in rows if row.get("currency") == "USD" and not row["is_maturing"]]
    assert len(fresh) == 3
    assert fresh[-1] < 0.7 * sum(ripe) / len(ripe)


def test_black_friday_stands_out_a_year_later(demo: Place) -> None:
    found = by(ask(demo.database, demo.alice, "metric_anomalies", date_from="2025-11-21", limit=500), "date")
    friday = found["2025-11-28"]
    assert friday["direction"] == "up"
    assert friday["value"] > 1.5 * friday["expected"]


def test_every_pipe_tells_the_same_shop(demo: Place) -> None:
    """Orders, revenue and sessions agree wherever they are counted."""
    (summary, *_) = ask(demo.database, demo.alice, "kpi_summary").rows
    series = ask(demo.database, demo.alice, "metric_timeseries").rows
    segments = ask(demo.database, demo.alice, "segment_breakdown", dimension="country").totals["USD"]
    credited = ask(demo.database, demo.alice, "channel_attribution", model="linear").totals["USD"]
    funnel = by(ask(demo.database, demo.alice, "conversion_funnel"), "step")
    assert summary["orders"] == segments["orders"] == credited["orders"] == funnel["purchase"]["sessions"]
    assert summary["orders"] == sum(row["orders"] or 0 for row in series)
    assert summary["sessions"] == segments["sessions"] == funnel["visit"]["sessions"]
    assert summary["revenue"] == pytest.approx(credited["attributed_revenue"], abs=0.01)
    assert summary["spend"] == ask(demo.database, demo.alice, "campaign_performance").totals["USD"]["spend"]


def test_sessions_that_nobody_recorded_are_not_zero(demo: Place) -> None:
    result = ask(demo.database, demo.alice, "metric_timeseries", granularity="month", date_from="2026-01-01")
    assert result.rows[0]["sessions"] is None
    assert result.rows[0]["cvr"] is None
    assert result.rows[-2]["sessions"]
    assert any(each.startswith("Sessions are known from") for each in result.caveats)


def test_cohorts_only_grow(demo: Place) -> None:
    rows = ask(demo.database, demo.alice, "cohort_ltv", periods=12).rows
    for earlier, later in pairwise(rows):
        if earlier["cohort"] == later["cohort"]:
            assert later["month_n"] == earlier["month_n"] + 1
            assert later["cumulative_ltv"] >= earlier["cumulative_ltv"]
            assert later["repeat_rate"] >= earlier["repeat_rate"]
            assert later["customers"] == earlier["customers"]


@pytest.mark.parametrize("name", PIPE_ALLOWLIST)
def test_what_is_answered_is_what_the_catalogue_says(demo: Place, name: str) -> None:
    result = ask(demo.database, demo.alice, name)
    promised = {each.key for each in PIPE_ALLOWLIST[name].columns}
    assert {each.key for each in result.columns} <= promised
    assert all(set(row) == {each.key for each in result.columns} for row in result.rows)
    assert not [key for key in promised if key.startswith("total_") or key.endswith("_fair")]
