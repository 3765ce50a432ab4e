"""The evidence rule: known answers, what it does not judge, and how often it is wrong in simulated campaigns."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from webapp.ads.evidence import Basis, Rule, basis, below, judge, quantile
from webapp.ads.figures import Figures
from webapp.ads.plans import Evidence

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
UNTIL = date(2026, 11, 20)
EUR = 1_000_000
ORDER = 75  # EUR


@dataclass(frozen=True)
class Standing:
    """A campaign that the rule can judge, unless a test says otherwise."""

    status: str = "active"
    objective: str = "sales"
    learning: str = "learned"
    learning_events: int | None = None
    started_on: date | None = date(2026, 9, 1)
    changed_at: datetime | None = None


def sums(spend: float, orders: float, order_value: float = ORDER) -> Figures:
    return Figures(round(spend * EUR), round(orders * order_value * EUR), orders)


def account(spend: float = 30_000, orders: float = 1_000) -> dict[date, Figures]:
    """Fourteen equal days: a ROAS of 2.5 at an order value of 75."""
    return {UNTIL - timedelta(n): sums(spend / 14, orders / 14) for n in range(14)}


ON = basis(account(), Rule(1.5), until=UNTIL)


def verdict(spend: float, orders: float, on: Basis = ON, campaign: Standing | None = None) -> Evidence:
    return judge(campaign or Standing(), {UNTIL: sums(spend, orders)}, on, now=NOW)


# --- known answers ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spend", "orders", "probability"),
    [(300, 0, 0.968), (300, 2, 0.843), (600, 6, 0.908), (1500, 24, 0.803), (5000, 70, 0.999)],
)
def test_the_probability_is_the_one_that_was_worked_out_elsewhere(spend, orders, probability):
    assert verdict(spend, orders).probability == pytest.approx(probability, abs=0.0006)


@pytest.mark.parametrize(
    ("spend", "orders", "expected"),
    [(300, 0, "pause"), (300, 2, "undecided"), (600, 6, "pause"), (1500, 24, "undecided"), (5000, 70, "pause")],
)
def test_only_what_is_nine_tenths_sure_is_paused(spend, orders, expected):
    assert verdict(spend, orders).verdict == expected


def test_a_campaign_above_the_threshold_is_kept_whatever_the_account_is_like():
    losing = basis(account(30_000, 200), Rule(1.5), until=UNTIL)  # an account with a ROAS of 0.5
    found = verdict(150, 3.2, losing)
    assert found.roas == pytest.approx(1.6)
    assert found.verdict == "keep"
    assert found.reason == "Its ROAS of 1.60 is not below 1.5."


def test_the_interval_holds_the_roas_and_narrows_with_spend():
    little, much = verdict(300, 2), verdict(15_000, 100)
    assert little.low < little.roas * 2 < little.high * 2
    assert much.low < 0.51 < much.high
    assert much.high - much.low < (little.high - little.low) / 3


def test_an_undecided_campaign_says_how_much_more_spend_would_decide():
    found = verdict(300, 2)
    assert found.verdict == "undecided"
    assert found.needs_micros
    assert found.reason == "Too little spend to tell."  # the amount is told beside it, in the account's currency
    more = found.needs_micros / EUR
    assert verdict(300 + more, 2 + 2 * more / 300).probability == pytest.approx(0.9, abs=0.02)


def test_below_the_least_spend_nothing_is_paused_however_bad_it_looks():
    """Three times a target of 40 EUR per order."""
    strict = basis(account(), Rule(2.4), until=UNTIL, target_cpa_micros=400 * EUR)
    found = verdict(900, 0, strict)
    assert found.probability > 0.99
    assert (found.verdict, found.needs_micros) == ("undecided", 300 * EUR)


def test_a_campaign_without_any_spend_is_undecided():
    found = verdict(0, 0)
    assert (found.verdict, found.roas) == ("undecided", None)
    assert found.needs_micros >= ON.floor_micros


def test_too_close_to_the_threshold_is_said_instead_of_a_sum_nobody_will_spend():
    found = verdict(3000, 59.9)
    assert (found.verdict, found.needs_micros) == ("undecided", None)
    assert found.reason == "It is too close to the threshold to tell."


def test_only_days_of_the_window_count():
    days = {UNTIL: sums(300, 0), UNTIL + timedelta(1): sums(900, 0), UNTIL - timedelta(14): sums(900, 0)}
    found = judge(Standing(), days, ON, now=NOW)
    assert found.spend_micros == 300 * EUR
    assert (found.since, found.until) == (UNTIL - timedelta(13), UNTIL)


# --- what it does not judge -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("but", "expected", "says"),
    [
        ({"status": "paused"}, "keep", "paused"),
        ({"objective": "traffic"}, "keep", "aim is traffic"),
        ({"objective": "unknown"}, "keep", "not known"),
        ({"learning": "learning", "learning_events": 70}, "undecided", "learning phase"),
        ({"learning": "unknown"}, "undecided", "not known"),
        ({"learning": "unknown", "learning_events": 49}, "undecided", "not known"),
        ({"started_on": None}, "undecided", "not known"),
        ({"started_on": date(2026, 11, 18)}, "undecided", "less than 7 days"),
        ({"changed_at": NOW - timedelta(hours=71)}, "undecided", "last 72 hours"),
    ],
)
def test_a_campaign_that_the_rule_says_nothing_about_is_left_alone(but, expected, says):
    found = verdict(5000, 10, campaign=replace(Standing(), **but))
    assert found.verdict == expected
    assert says in found.reason


@pytest.mark.parametrize(
    "but",
    [
        {"learning": "limited"},
        {"learning": "unknown", "learning_events": 50},
        {"started_on": date(2026, 11, 17)},
        {"changed_at": NOW - timedelta(hours=73)},
    ],
)
def test_what_is_just_within_the_rule_is_judged(but):
    assert verdict(5000, 10, campaign=replace(Standing(), **but)).verdict == "pause"


def test_an_account_without_any_revenue_has_a_broken_pixel_and_nothing_is_paused():
    broken = basis(
        {day: replace(of, revenue_micros=0, orders=0) for day, of in account().items()}, Rule(1.5), until=UNTIL
    )
    found = verdict(5000, 0, broken)
    assert found.verdict == "undecided"
    assert "broken pixel" in found.reason


def test_days_on_which_the_pixel_was_broken_are_left_out():
    days = account()
    dark = {UNTIL - timedelta(n) for n in (2, 3, 4)}
    days.update({day: replace(days[day], revenue_micros=0, orders=0) for day in dark})
    on = basis(days, Rule(1.5), until=UNTIL)
    assert on.blind == dark
    assert on.rate * on.order_value == pytest.approx(2.5)
    good = {day: sums(100, 0 if day in dark else 100 / 30) for day in days}
    assert judge(Standing(), good, on, now=NOW).roas == pytest.approx(2.5)


def test_a_small_shop_has_days_without_an_order_and_no_broken_pixel():
    days = {UNTIL - timedelta(n): sums(60, 2 if n % 3 else 0) for n in range(14)}
    assert basis(days, Rule(1.5), until=UNTIL).blind == frozenset()


@pytest.mark.parametrize("its", [Figures(500 * EUR, 0, 3), Figures(500 * EUR, 90 * EUR, 0)])
def test_orders_without_value_and_value_without_orders_are_tracking_faults(its):
    found = judge(Standing(), {UNTIL: its}, ON, now=NOW)
    assert found.verdict == "undecided"
    assert "tracking" in found.reason


def test_a_person_may_ask_for_more_spend_than_the_rule_does():
    asked = basis(account(), Rule(1.5, min_spend_micros=1000 * EUR), until=UNTIL)
    assert verdict(600, 6, asked).verdict == "undecided"


# --- the Gamma distribution -------------------------------------------------------------------------------------


def integral(shape: float, x: float, steps: int = 4000) -> float:
    """Simpson's rule over the density, which shares no line with the closed form."""
    h = x / steps
    parts = sum((4 if n % 2 else 2) * (n * h) ** (shape - 1) * math.exp(-n * h) for n in range(1, steps))
    return h / 3 * (parts + x ** (shape - 1) * math.exp(-x)) / math.gamma(shape)


@pytest.mark.parametrize("shape", [4, 4.5, 7, 12.3, 40])
@pytest.mark.parametrize("ratio", [0.3, 0.8, 1, 1.4, 2.5])
def test_the_sum_is_the_integral(shape, ratio):
    within = 1e-6 if shape == int(shape) else 0.01
    assert below(shape, shape * ratio) == pytest.approx(integral(shape, shape * ratio), abs=within)


@given(st.floats(4, 3000), st.floats(0.01, 0.99))
@settings(max_examples=80, deadline=None)
def test_more_orders_never_make_a_bad_roas_likelier(shape, at):
    x = quantile(shape, at)
    assert below(shape + 1, x) <= below(shape, x) + 1e-4
    assert below(shape, x) == pytest.approx(at, abs=0.03)


# --- how often it is wrong --------------------------------------------------------------------------------------

RUNS = 4000


@cache
def is_paused(spend: int, orders: int) -> bool:
    return verdict(spend, orders).verdict == "pause"


def share_paused(true_roas: float, spend: int, *, raw: bool = False) -> float:
    """Percent of 4,000 campaigns of this true ROAS that the rule (or plain ROAS < 1.5) pauses after this spend."""
    draw = random.Random(f"{true_roas} {spend}")
    counts = [poisson(draw, spend * true_roas / ORDER) for _ in range(RUNS)]
    return 100 * sum(n * ORDER / spend < 1.5 if raw else is_paused(spend, n) for n in counts) / RUNS


def poisson(draw: random.Random, mean: float) -> int:
    """Arrivals with exponential gaps."""
    n, at = 0, draw.expovariate(1)
    while at < mean:
        n, at = n + 1, at + draw.expovariate(1)
    return n


@pytest.mark.parametrize(("spend", "raw"), [(100, 16.0), (200, 10.3), (400, 4.5), (800, 1.0)])
def test_a_good_campaign_is_not_paused_where_the_raw_rule_would(spend, raw):
    assert share_paused(2.5, spend, raw=True) == pytest.approx(raw, abs=1.8)
    assert share_paused(2.5, spend) <= 0.1


@pytest.mark.parametrize(("spend", "raw", "careful"), [(400, 93.7, 19.7), (800, 98.8, 64.8), (1600, 99.9, 93.9)])
def test_a_bad_campaign_is_caught_once_there_is_evidence(spend, raw, careful):
    assert share_paused(0.8, spend, raw=True) == pytest.approx(raw, abs=1.8)
    assert share_paused(0.8, spend) == pytest.approx(careful, abs=2.2)
