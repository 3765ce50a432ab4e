"""The demo's world played for the tests, and sums over it. No database."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache

from webapp.ads.demo import ACCOUNT, VISIT_DAYS
from webapp.ads.demo_days import AdDay, AdWorld, Write
from webapp.ads.demo_shop import Order, Shop, Visit

ANCHORS = (date(2026, 11, 23), date(2027, 1, 20), date(2027, 6, 2))  # before Black Friday, in January's dip, in summer


@dataclass(frozen=True)
class Sums:
    spend: float = 0
    revenue: float = 0
    orders: float = 0
    clicks: int = 0
    impressions: int = 0

    @property
    def roas(self) -> float:
        return self.revenue / self.spend

    @property
    def ctr(self) -> float:
        return self.clicks / self.impressions


@dataclass(frozen=True)
class Played:
    """A world up to `until`. Windows count days before the anchor: since=16, until=3 is 14 days."""

    anchor: date
    until: date
    world: AdWorld
    days: tuple[tuple[date, tuple[AdDay, ...]], ...]

    def ads(self, since: int, until: int, which: Callable[[AdDay], bool] = lambda ad: True) -> Iterator[AdDay]:
        start = (self.anchor - self.world.first).days
        window = self.days[max(0, start - since) : start - until + 1]
        return (ad for _, ads in window for ad in ads if which(ad))

    def sums(self, since: int, until: int, which: Callable[[AdDay], bool] = lambda ad: True) -> Sums:
        ads = list(self.ads(since, until, which))
        claims = [ad.claimed(self.until, self.anchor) for ad in ads]
        return Sums(
            sum(ad.spend_micros for ad in ads) / 1e6,
            sum(revenue for _, revenue in claims) / 1e6,
            sum(orders for orders, _ in claims),
            sum(ad.clicks for ad in ads),
            sum(ad.impressions for ad in ads),
        )

    def of(self, campaign: str, since: int = 16, until: int = 3) -> Sums:
        return self.sums(since, until, lambda ad: ad.campaign.id == campaign)


@dataclass(frozen=True)
class Sold:
    orders: tuple[Order, ...]
    visits: tuple[tuple[date, Visit], ...]


@cache
def played(anchor: date, until: date | None = None, writes: Sequence[Write] = ()) -> Played:
    world = AdWorld(anchor, writes)
    days = tuple((day, tuple(ads)) for day, ads in world.days(until or anchor))
    return Played(anchor, until or anchor, world, days)


@cache
def sold(anchor: date, until: date | None = None, writes: Sequence[Write] = (), visit_days: int = VISIT_DAYS) -> Sold:
    shop, orders, visits = Shop(), [], []
    for day, ads in played(anchor, until, writes).days:
        new, seen = shop.day(day, ads, with_visits=day > anchor - timedelta(visit_days))
        orders += new
        visits += [(day, visit) for visit in seen]
    return Sold(tuple(orders), tuple(visits))


def account(key: str) -> Callable[[AdDay], bool]:
    assert key in ACCOUNT
    return lambda ad: ad.campaign.account == key
