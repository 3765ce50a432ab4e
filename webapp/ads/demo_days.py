"""The ad days of the demo: what each ad spent on a day, and who bought because of it. Pure and seeded.

Money:   a budget is spent to about 93 %; until the anchor budgets grew month by month, and were raised over Black
         Friday. A write (pause, start, new budget) counts from the day after it.
Clicks:  spend / CPM, times a click rate that wears off until the creative is replaced.
Buyers:  Poisson, with a rate from the campaign's ROAS; weekday, season, Black Friday and January dip move it, AR(1)
         noise too, and learning lowers it until the campaign has had 50 of them, or is too old to learn.
Claims:  a buyer is claimed on the day of the click, once the order was placed (LAGS). So new days under-report.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from random import Random

from webapp.ads.demo import (
    ACCOUNT,
    CAMPAIGNS,
    CLAIMED_OF_TAKEN,
    DAYS,
    LEARNING_EVENTS,
    LEARNS_FOR,
    SEED,
    STORY,
    TAKEN,
    DemoAd,
    DemoCampaign,
)
from webapp.ads.money import META_WHOLE, MICROS
from webapp.ads.platform import Learning

LAGS = (0.50, 0.24, 0.15, 0.11)  # share of a click's orders that come 0, 1, 2, 3 days after it
WEEK = (0.97, 0.95, 0.96, 0.98, 1.0, 1.06, 1.08)  # Monday first; mean 1
FRIDAY_AND_AFTER = (1.9, 1.6, 1.5, 1.7)  # Black Friday to Cyber Monday, times a usual such day
JANUARY = 0.78
OTHERS = ("organic", "email", "direct")  # who brings back the buyers that are taken
CREATIVE = 56  # days until a creative is replaced
VALUE_SIGMA = 0.35  # of the lognormal order value


@dataclass(frozen=True)
class Write:
    """What somebody wrote to the demo: `field` is status (a Status) or daily_budget (micros)."""

    purse: str  # a campaign's id; for a budget, what DemoCampaign.purse says
    field: str
    value: str | int
    day: date


@dataclass(frozen=True)
class Buyer:
    """`lag` days from click to order; `taken` is the channel that brought them back to order, if another one did."""

    lag: int
    value_micros: int
    taken: str
    returning: bool


@dataclass(frozen=True)
class AdDay:
    campaign: DemoCampaign
    ad: DemoAd
    day: date
    spend_micros: int
    impressions: int
    clicks: int
    buyers: tuple[Buyer, ...]

    def claimed(self, until: date, anchor: date) -> tuple[float, int]:
        """Orders and revenue (micros) that the platform shows for this day once `until` is over."""
        if pixel_broken(self.campaign.account, self.day, anchor):
            return 0.0, 0
        share = CLAIMED_OF_TAKEN[ACCOUNT[self.campaign.account].network]
        known = [buyer for buyer in self.buyers if self.day + timedelta(buyer.lag) <= until]
        parts = [share if buyer.taken else 1.0 for buyer in known]
        revenue = sum(part * buyer.value_micros for part, buyer in zip(parts, known, strict=True))
        return round(sum(parts), 4), round(revenue)


@dataclass
class _Running:
    """What a campaign remembers from day to day."""

    campaign: DemoCampaign
    starts: date
    events: int = 0
    spent: float = 0.0  # of a lifetime budget
    moods: list[_Mood] = field(default_factory=list)  # one per ad


@dataclass
class _Mood:
    """AR(1) noise of an ad: what is high today tends to be high tomorrow. It is drawn whether the ad runs or not, so
    that a pause does not change the days after it."""

    random: Random
    cost: float = 0.0
    click: float = 0.0
    sale: float = 0.0
    pace: float = 0.93

    def next_day(self) -> None:
        gauss = self.random.gauss
        self.cost = 0.7 * self.cost + gauss(0, 0.05)
        self.click = 0.7 * self.click + gauss(0, 0.04)
        self.sale = 0.7 * self.sale + gauss(0, 0.06)
        self.pace = min(1.05, max(0.75, gauss(0.93, 0.05)))


class AdWorld:
    """All campaigns from the first day on; `days` is read once. Afterwards `learning` says where each stands.

    Draws are numbered from the anchor, not from the calendar: whatever day the demo is made on, its stories hold."""

    def __init__(self, anchor: date, writes: Sequence[Write] = ()) -> None:
        self.anchor = anchor
        self.first = anchor - timedelta(DAYS - 1)
        self._writes = sorted(writes, key=lambda write: write.day)
        self._running = [_start(campaign, anchor) for campaign in CAMPAIGNS]

    def days(self, until: date) -> Iterator[tuple[date, list[AdDay]]]:
        for n in range((until - self.first).days + 1):
            day = self.first + timedelta(n)
            yield day, list(self._day(day))

    def learning(self, until: date) -> dict[str, tuple[Learning, int]]:
        """By campaign id: the state, and how many of the 50 events it has had."""
        return {each.campaign.id: _learning(each, until) for each in self._running if each.starts <= until}

    def _day(self, day: date) -> Iterator[AdDay]:
        self._wake()
        live = [each for each in self._running if self._runs(each, day)]
        weights: dict[str, float] = defaultdict(float)
        for each in live:
            weights[each.campaign.purse] += each.campaign.weight
        for each in live:
            spend = self._money(each, day) * each.campaign.weight / weights[each.campaign.purse]
            yield from _ads(each, day, spend, self.anchor)

    def _wake(self) -> None:
        for each in self._running:
            for mood in each.moods:
                mood.next_day()

    def _runs(self, each: _Running, day: date) -> bool:
        """Also a lifetime budget that is used up stops its campaign."""
        campaign = each.campaign
        if day < each.starts or (campaign.period == "lifetime" and each.spent > campaign.budget - 1):
            return False
        written = self._written(campaign.id, "status", day)
        if written is not None:
            return written == "active"
        return campaign.ended is None or day <= self.anchor - timedelta(campaign.ended)

    def _money(self, each: _Running, day: date) -> float:
        """Units to spend on a day, before pacing."""
        campaign = each.campaign
        written = self._written(campaign.purse, "daily_budget", day)
        if isinstance(written, int):
            return written / MICROS
        if campaign.period == "lifetime":
            return min(campaign.budget / 90, campaign.budget - each.spent)
        return campaign.budget * _budget_then(day, self.anchor)

    def _written(self, purse: str, field: str, day: date) -> str | int | None:
        """The last write that counts on a day."""
        found = [it.value for it in self._writes if it.purse == purse and it.field == field and it.day < day]
        return found[-1] if found else None


# --- one campaign, one day --------------------------------------------------------------------------------------


def _start(campaign: DemoCampaign, anchor: date) -> _Running:
    moods = [_Mood(Random(f"{SEED}/{campaign.id}/{ad.ad_id}")) for ad in campaign.ads]
    return _Running(campaign, anchor - timedelta(campaign.age - 1), moods=moods)


def _ads(each: _Running, day: date, spend: float, anchor: date) -> Iterator[AdDay]:
    learns = _learning(each, day)[0] == "learning"
    for ad, mood in zip(each.campaign.ads, each.moods, strict=True):
        made = _ad_day(each.campaign, ad, mood, day, spend * ad.share * mood.pace, learns, anchor)
        each.events += len(made.buyers)
        each.spent += made.spend_micros / MICROS
        yield made


def _ad_day(
    campaign: DemoCampaign, ad: DemoAd, mood: _Mood, day: date, spend: float, learns: bool, anchor: date
) -> AdDay:
    random = Random(f"{SEED}/{campaign.id}/{ad.ad_id}/{(day - anchor).days}")
    freshness = _freshness(campaign, day, anchor)
    cost = campaign.cpc * campaign.ctr * costliness(day) * math.exp(mood.cost)  # of one impression
    impressions = round(spend / cost)
    clicks = min(impressions, poisson(random, impressions * campaign.ctr * freshness * math.exp(mood.click)))
    rate = _buyers_per_click(campaign, ad) * demand(day) * math.exp(mood.sale)
    rate *= costliness(day) * (campaign.in_learning if learns else 1.0)
    buyers = tuple(_buyer(random, campaign) for _ in range(min(clicks, poisson(random, clicks * rate))))
    return AdDay(campaign, ad, day, _round(spend, campaign), impressions, clicks, buyers)


def _buyers_per_click(campaign: DemoCampaign, ad: DemoAd) -> float:
    network = ACCOUNT[campaign.account].network
    claimed = 1 - TAKEN[network] * (1 - CLAIMED_OF_TAKEN[network])  # of a buyer, on average
    return campaign.roas * ad.pull * campaign.cpc / campaign.aov / claimed


def _buyer(random: Random, campaign: DemoCampaign) -> Buyer:
    [lag] = random.choices(range(len(LAGS)), LAGS)
    taken = random.choice(OTHERS) if random.random() < TAKEN[ACCOUNT[campaign.account].network] else ""
    value = order_value(random, campaign.aov)
    return Buyer(lag, _round(value, campaign), taken, random.random() < campaign.returning)


def _round(amount: float, campaign: DemoCampaign) -> int:
    """Micros of an amount that the currency can pay: yen have no cents."""
    step = MICROS if ACCOUNT[campaign.account].currency in META_WHOLE else MICROS // 100
    return round(amount * MICROS / step) * step


def _learning(each: _Running, day: date) -> tuple[Learning, int]:
    events = min(each.events, LEARNING_EVENTS)
    if each.starts < day - timedelta(DAYS) or events == LEARNING_EVENTS:
        return "learned", LEARNING_EVENTS
    if each.campaign.objective != "sales":
        return "unknown", events
    return ("learning" if (day - each.starts).days < LEARNS_FOR else "limited"), events


def _freshness(campaign: DemoCampaign, day: date, anchor: date) -> float:
    """What is left of the creative's click rate."""
    if campaign.tired_since is not None and day > anchor - timedelta(campaign.tired_since):
        age = (day - anchor).days + campaign.tired_since
        return 1 - campaign.tires * min(1.0, age / campaign.tired_since)
    if campaign.tired_since is not None:
        return 1.0
    return 1 - campaign.tires * ((day.toordinal() + int(campaign.id) * 13) % CREATIVE) / CREATIVE


def _budget_then(day: date, anchor: date) -> float:
    """Times today's budget: smaller month by month looking back, raised around Black Friday; from the anchor on 1."""
    if day > anchor:
        return 1.0
    months = (anchor.year - day.year) * 12 + anchor.month - day.month
    return max(0.7, 1 - 0.02 * months) * (1.35 if -1 <= _after_black_friday(day) <= 3 else 1.0)


def pixel_broken(account: str, day: date, anchor: date) -> bool:
    story = STORY["pixel"]
    assert story.since is not None
    assert story.until is not None
    return account == story.account and story.until <= (anchor - day).days <= story.since


# --- the calendar -----------------------------------------------------------------------------------------------


def demand(day: date) -> float:
    """How readily a visitor buys on a day; 1 on average."""
    after = _after_black_friday(day)
    rush = FRIDAY_AND_AFTER[after] if 0 <= after < len(FRIDAY_AND_AFTER) else 1.0
    dip = JANUARY if day.month == 1 and day.day > 2 else 1.0
    return WEEK[day.weekday()] * (1 + 0.12 * _winter(day)) * rush * dip


def costliness(day: date) -> float:
    """How dear impressions are: more so before Christmas. Whoever pays more also reaches readier buyers."""
    return 1 + 0.10 * _winter(day)


def _winter(day: date) -> float:
    """1 in early December, -1 in early June."""
    return math.cos(2 * math.pi * (day.timetuple().tm_yday - 340) / 365.25)


def black_friday(year: int) -> date:
    """The day after the fourth Thursday of November."""
    first = date(year, 11, 1)
    return first + timedelta((3 - first.weekday()) % 7 + 22)


def _after_black_friday(day: date) -> int:
    return (day - black_friday(day.year)).days


# --- drawing ----------------------------------------------------------------------------------------------------


def order_value(random: Random, mean: float) -> float:
    """Lognormal around its mean."""
    return mean * math.exp(random.gauss(-(VALUE_SIGMA**2) / 2, VALUE_SIGMA))


def poisson(random: Random, mean: float) -> int:
    """Knuth's way for small means, the normal curve for large ones."""
    if mean > 30:
        return max(0, round(random.gauss(mean, math.sqrt(mean))))
    left, drawn = math.exp(-mean), -1
    product = 1.0
    while product > left or drawn < 0:
        product *= random.random()
        drawn += 1
    return drawn
