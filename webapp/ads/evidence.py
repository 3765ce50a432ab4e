"""The evidence rule of pause_all_low_roas: is a campaign's ROAS really below the threshold? Pure arithmetic.

"ROAS < 1.5" is a coin toss at small spend: of good campaigns (true ROAS 2.5, order value 75) it would pause 16 % after
a spend of 100. So we ask how sure it is. Orders are Poisson in spend; what a campaign's rate of orders may be, before
it has any, is a Gamma distribution around the account's own rate that weighs as much as 4 orders:

    rate ~ Gamma(4 + orders, 4 / account rate + spend)          orders per unit of currency spent
    ROAS = rate * order value                                   order value: the campaign's, drawn to the account's
                                                                by the same weight of 4
    pause if P(ROAS < threshold) >= 0.9

For a whole shape a, P(Gamma(a, 1) < x) is 1 - P(Poisson(x) < a): a sum. Google counts parts of orders; between two
whole shapes we interpolate, which is within 0.01 of the true value for a >= 4. The spread of order values is left out.

Only whole, mature days count, and only campaigns that the rule can judge: see `_unfit`. tests/ads/test_evidence.py has
the known answers and the simulation with its error rates.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from statistics import NormalDist
from typing import Protocol

from webapp.ads.figures import Figures, total
from webapp.ads.money import MICROS
from webapp.ads.plans import Evidence

WEIGHT = 4  # orders that the account's own rate counts for
FLOOR_UNITS = 50  # of currency: less spend says nothing
FLOOR_ORDERS = 3  # target costs per order: the same
YOUNGEST = timedelta(days=7)
SETTLING = timedelta(hours=72)  # after a change
LEARNING_EVENTS = 50  # that end learning
BLIND = 7.0  # orders expected on a day without any: less than one such day in a thousand is chance
FARTHEST = 50  # times the spend so far: what more cannot decide is too close to call
MANY = 500  # orders from which the normal approximation is used


@dataclass(frozen=True)
class Rule:
    """What was asked for. `min_spend_micros` is what a person asks beyond the rule's own minimum."""

    threshold: float
    window_days: int = 14
    min_spend_micros: int | None = None
    confidence: float = 0.9


class Standing(Protocol):
    """A campaign as its platform last told it: figures.Campaign or platform.CampaignState."""

    @property
    def status(self) -> str: ...
    @property
    def objective(self) -> str: ...
    @property
    def learning(self) -> str: ...
    @property
    def learning_events(self) -> int | None: ...
    @property
    def started_on(self) -> date | None: ...
    @property
    def changed_at(self) -> datetime | None: ...


@dataclass(frozen=True)
class Basis:
    """What an account's campaigns are judged on. With a `refusal` (no spend, no revenue at all: a broken pixel) nothing
    may be paused."""

    rule: Rule
    since: date
    until: date
    blind: frozenset[date] = frozenset()  # days that nothing was tracked on: left out
    floor_micros: int = 0  # spend below this says nothing
    rate: float = 0  # the account's orders per unit of currency spent
    order_value: float = 0  # its revenue per order, in units
    refusal: str = ""

    def counts(self, days: Mapping[date, Figures]) -> Figures:
        """The sum of those of the days that count."""
        return total(of for day, of in days.items() if self.since <= day <= self.until and day not in self.blind)


def basis(days: Mapping[date, Figures], rule: Rule, *, until: date, target_cpa_micros: int | None = None) -> Basis:
    """From the days of the whole ad account; `until` is the last mature day (the day before `maturing_from`). Without a
    target cost per order the account's own is taken."""
    empty = Basis(rule, until - timedelta(rule.window_days - 1), until)
    every = empty.counts(days)
    if not every.spend_micros:
        return replace(empty, refusal="The ad account spent nothing in these days: there is nothing to judge.")
    if not every.revenue_micros or not every.orders:
        why = "The ad account spent money and has no revenue at all. That is a broken pixel, not a bad campaign."
        return replace(empty, refusal=why)
    sighted = replace(empty, blind=_blind(days, every))
    seen = sighted.counts(days)
    floor = max(FLOOR_ORDERS * (target_cpa_micros or round(seen.spend_micros / seen.orders)), FLOOR_UNITS * MICROS)
    return replace(
        sighted,
        floor_micros=max(floor, rule.min_spend_micros or 0),
        rate=seen.orders / (seen.spend_micros / MICROS),
        order_value=seen.revenue_micros / MICROS / seen.orders,
    )


def _blind(days: Mapping[date, Figures], every: Figures) -> frozenset[date]:
    """The days without an order on which the account should have had many."""
    expected = every.orders / every.spend_micros
    return frozenset(day for day, of in days.items() if not of.revenue_micros and of.spend_micros * expected >= BLIND)


def judge(campaign: Standing, days: Mapping[date, Figures], on: Basis, *, now: datetime) -> Evidence:
    """pause, keep or undecided, and why. `days` are the campaign's; those outside the window are not looked at."""
    its = on.counts(days)
    found = Evidence(
        "undecided", on.refusal, on.since, on.until, its.spend_micros, its.revenue_micros, its.orders, its.roas
    )
    if on.refusal:
        return found
    if unfit := _unfit(campaign, now) or _unmeasured(its):
        verdict, reason = unfit
        return replace(found, verdict="keep" if verdict == "keep" else "undecided", reason=reason)
    return _weighed(found, its, on)


def _unfit(campaign: Standing, now: datetime) -> tuple[str, str] | None:
    """Why the rule says nothing about this campaign, whatever its figures: ("keep" or "undecided", reason)."""
    if campaign.status != "active":
        return "keep", f"It is {campaign.status}."
    if campaign.objective != "sales":
        aim = "Its aim is not known" if campaign.objective == "unknown" else f"Its aim is {campaign.objective}"
        return "keep", f"{aim}: its ROAS does not judge it."
    if campaign.learning == "learning":
        return "undecided", "It is in its learning phase."
    if campaign.learning == "unknown" and (campaign.learning_events or 0) < LEARNING_EVENTS:
        return "undecided", "Whether it is still learning is not known."
    if campaign.started_on is None:
        return "undecided", "How old it is is not known."
    if campaign.started_on > (now - YOUNGEST).date():
        return "undecided", f"It runs since {campaign.started_on}: less than {YOUNGEST.days} days."
    if campaign.changed_at and campaign.changed_at > now - SETTLING:
        return "undecided", "It was changed in the last 72 hours: its figures are of two kinds."
    return None


def _unmeasured(its: Figures) -> tuple[str, str] | None:
    if bool(its.orders) != bool(its.revenue_micros):
        return "undecided", "Its orders and its revenue do not fit: one of them is zero. Check its tracking."
    return None


def _weighed(found: Evidence, its: Figures, on: Basis) -> Evidence:
    """The verdict of the figures."""
    threshold, spend = on.rule.threshold, its.spend_micros / MICROS
    value = (its.revenue_micros / MICROS + WEIGHT * on.order_value) / (its.orders + WEIGHT)
    shape, rate = WEIGHT + its.orders, WEIGHT / on.rate + spend

    def sure(more: float) -> float:
        """P(ROAS < threshold) after so much more spend, if the orders go on as they did."""
        more_orders = its.orders * more / spend if spend else 0
        return below(shape + more_orders, (rate + more) * threshold / value)

    probability = sure(0)
    low, high = (quantile(shape, at) / rate * value for at in (0.1, 0.9))
    found = replace(found, probability=probability, low=low, high=high)
    if its.roas is not None and its.roas >= threshold:
        return replace(found, verdict="keep", reason=f"Its ROAS of {its.roas:.2f} is not below {threshold:g}.")
    if its.spend_micros >= on.floor_micros and probability >= on.rule.confidence:
        return replace(found, verdict="pause", reason=_sure(probability, its, threshold))
    if its.spend_micros >= on.floor_micros and probability <= 1 - on.rule.confidence:
        return replace(found, verdict="keep", reason=f"Its ROAS is hardly below {threshold:g}: that may be chance.")
    missing = max(0, on.floor_micros - its.spend_micros) / MICROS
    return _undecided(found, _needed(lambda more: sure(more) >= on.rule.confidence, missing, max(rate, missing)))


def _sure(probability: float, its: Figures, threshold: float) -> str:
    orders = f"{its.orders:g} order" + ("" if its.orders == 1 else "s")
    return f"With {orders} its ROAS is below {threshold:g} with a probability of {probability:.0%}."


def _undecided(found: Evidence, more: float | None) -> Evidence:
    if more is None:
        return replace(found, reason="It is too close to the threshold to tell.")
    return replace(found, reason="Too little spend to tell.", needs_micros=round(more * MICROS))


def _needed(decides: Callable[[float], bool], least: float, scale: float) -> float | None:
    """The smallest spend from `least` on that decides, to within 1 % of `scale`; None if none that is near does."""
    high = max(least, scale / 100)
    while not decides(high):
        high *= 2
        if high > FARTHEST * scale:
            return None
    low = least
    while high - low > scale / 100:
        middle = (low + high) / 2
        low, high = (low, middle) if decides(middle) else (middle, high)
    return high


# --- the Gamma distribution -------------------------------------------------------------------------------------


def below(shape: float, x: float) -> float:
    """P(Gamma(shape, 1) < x) for shape >= 1."""
    if x <= 0:
        return 0.0
    if shape > MANY:
        return NormalDist().cdf(3 * math.sqrt(shape) * ((x / shape) ** (1 / 3) - 1 + 1 / (9 * shape)))
    whole = math.floor(shape)
    term = math.exp(whole * math.log(x) - x - math.lgamma(whole + 1))  # what one order more takes away
    tail = sum(math.exp(k * math.log(x) - x - math.lgamma(k + 1)) for k in range(whole))
    return max(0.0, 1 - tail - (shape - whole) * term)


def quantile(shape: float, at: float) -> float:
    """The x with P(Gamma(shape, 1) < x) = at, by Wilson and Hilferty (1931): at 0.1 and 0.9 within 0.2 %."""
    return shape * (1 - 1 / (9 * shape) + NormalDist().inv_cdf(at) / (3 * math.sqrt(shape))) ** 3
