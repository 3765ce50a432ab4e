"""The demo's shop: the orders and visits behind the same clicks that demo_days.py made. Pure and seeded.

Every buyer of an ad is an order here, in full, on the day it was placed; so the shop, the funnel, the channels and the
cohorts tell one story with the ads. The rules:

Touch:     an order's channel and campaign are those of the visit it was placed in, the last touch.
Buyers:    some click and order at once; some come back through the same ad days later; some are brought back by email,
           search or a typed address (`Buyer.taken`), and the shop's last touch is that. Some had looked around before,
           through another channel: their visitor has earlier visits.
Visits:    the collector sees LANDED of the clicks. Who comes again is known again.
Customers: a first order may be followed by others, mostly through email. Ids are made up and name nobody.
Refunds:   4 % of orders, 3 to 20 days later, in whole or in part.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from random import Random
from typing import NamedTuple

from webapp.ads.demo import ACCOUNT, SEED
from webapp.ads.demo_days import AdDay, Buyer, demand, order_value, poisson
from webapp.ads.money import MICROS

LANDED = 0.72  # the rest left before the page was there, or block what counts them
REFUNDED = 0.04
REFUND_DAYS = (3, 20)  # after the order
LOOKED_BEFORE = 0.3  # share of an ad's new buyers who had come before through another channel
LOOKED_WITHIN = 14  # days
COMES_AGAIN = (0.30, 0.45)  # the chance of a second order; of one more after that
AGAIN_THROUGH = ("email", "email", "email", "direct", "organic")
CENT = MICROS // 100
LAST_SECOND = 80_000  # of a day: within 23 hours, for the day on which clocks go forward


@dataclass(frozen=True)
class Source:
    """How people come. Of a way that costs nothing: `daily` visits on average, of which a share `buys`."""

    channel: str
    daily: float
    buys: float
    again: float  # share of the visits by people who had been here before
    page: str  # where they land


FREE = (
    Source("organic", 72, 0.021, 0.30, "/collections/bags"),
    Source("direct", 58, 0.019, 0.55, "/"),
    Source("email", 30, 0.010, 0.90, "/pages/new-in"),
    Source("social", 16, 0.008, 0.20, "/pages/journal"),
    Source("referral", 11, 0.016, 0.15, "/collections/gifts"),
)
PAID = {
    "meta": Source("meta", 0, 0, 0.12, "/products/weekender"),
    "google": Source("google", 0, 0, 0.22, "/collections/bags"),
}
FUNNEL = {  # share of the visits without an order that view a product, fill a cart, begin a checkout
    "meta": (0.66, 0.085, 0.030),
    "google": (0.71, 0.120, 0.050),
    "email": (0.60, 0.120, 0.055),
}
ELSE_FUNNEL = (0.55, 0.090, 0.038)
COUNTRIES = ("US",) * 37 + ("CA",) * 6 + ("GB",) * 4 + ("AU",) * 2 + ("DE",)
DEVICES = {
    "meta": ("mobile",) * 17 + ("desktop",) * 2 + ("tablet",),
    "google": ("mobile",) * 11 + ("desktop",) * 8 + ("tablet",),
}
ELSE_DEVICES = ("mobile",) * 11 + ("desktop",) * 8 + ("tablet",)


class Visit(NamedTuple):
    """`second` counts from midnight in the shop's timezone; `campaign` is a campaign's id or empty."""

    key: str
    visitor: str
    second: int
    channel: str
    campaign: str
    country: str
    device: str
    page: str
    is_new: bool
    viewed: bool
    carted: bool
    checkout: bool
    purchased: bool


@dataclass(frozen=True)
class Order:
    number: int
    day: date
    second: int
    gross_micros: int
    refund_micros: int  # in the end
    refund_day: date
    customer: str
    is_first: bool
    visitor: str
    channel: str
    campaign: str
    country: str
    device: str
    page: str

    def refunded(self, until: date) -> int:
        """Micros given back once `until` is over."""
        return self.refund_micros if self.refund_day <= until else 0


@dataclass(frozen=True)
class _Person:
    """Somebody with a visitor id; `customer` once they have ordered."""

    visitor: str
    country: str
    device: str
    customer: str = ""


@dataclass(frozen=True)
class _Due:
    """An order to be placed by `person` on a later day, in a visit of its own."""

    person: _Person
    channel: str
    campaign: str
    page: str
    gross_micros: int
    key: str
    after: int = 0  # seconds from midnight that the visit comes after


@dataclass
class _Today:
    """A day being made."""

    day: date
    random: Random
    orders: list[Order] = field(default_factory=list)
    visits: list[Visit] = field(default_factory=list)

    @property
    def prefix(self) -> str:
        return _on(self.day)


class Shop:
    """It remembers customers and orders to come; days must be given to it in order, from the first one on."""

    def __init__(self) -> None:
        self._number = 10_000
        self._due: dict[date, list[_Due]] = defaultdict(list)
        self._customers: list[_Person] = []
        self._browsers: dict[tuple[str, date], range] = {}  # by source: the visits of new people who did not buy

    def day(self, day: date, ads: Sequence[AdDay], *, with_visits: bool) -> tuple[list[Order], list[Visit]]:
        """A day's orders and, if they are wanted, its visits."""
        today = _Today(day, Random(f"{SEED}/shop/{day}"))
        for due in self._due.pop(day, []):
            self._place(today, due)
        for ad in ads:
            if ACCOUNT[ad.campaign.account].shop:
                self._ad(today, ad, with_visits)
        for source in FREE:
            self._free(today, source, with_visits)
        return today.orders, today.visits if with_visits else []

    # --- who comes --------------------------------------------------------------------------------------------

    def _ad(self, today: _Today, ad: AdDay, with_visits: bool) -> None:
        channel, campaign = ACCOUNT[ad.campaign.account].network, ad.campaign.id
        source, code = PAID[channel], ad.ad.ad_id or campaign
        landed = max(len(ad.buyers), round(ad.clicks * LANDED))
        self._remember(today.day, code, source, len(ad.buyers), landed)
        for n, buyer in enumerate(ad.buyers):
            key = f"{today.prefix}{code}.{n}"
            person = self._buyer(today, channel, key, buyer.returning)
            self._clicked(today, _Due(person, channel, campaign, source.page, buyer.value_micros, key), buyer)
        if with_visits:
            today.visits += self._browsing(today, code, source, campaign, len(ad.buyers), landed)

    def _free(self, today: _Today, source: Source, with_visits: bool) -> None:
        random, channel = today.random, source.channel
        count = poisson(random, source.daily * (0.6 + 0.4 * demand(today.day)))
        buyers = min(count, poisson(random, count * source.buys * demand(today.day)))
        self._remember(today.day, channel, source, buyers, count)
        for n in range(buyers):
            key = f"{today.prefix}{channel}.{n}"
            self._place(today, _Due(_newcomer(random, channel, key), channel, "", source.page, _value(random, 84), key))
        if with_visits:
            today.visits += self._browsing(today, channel, source, "", buyers, count)

    def _buyer(self, today: _Today, channel: str, key: str, returning: bool) -> _Person:
        """An old customer, somebody who has looked around before, or somebody new."""
        if returning and self._customers:
            return today.random.choice(self._customers)
        person = _newcomer(today.random, channel, key)
        if today.random.random() < LOOKED_BEFORE:
            return replace(person, visitor=self._seen_before(today.random, today.day) or key)
        return person

    def _remember(self, day: date, code: str, source: Source, buyers: int, count: int) -> None:
        self._browsers[code, day] = range(buyers, max(buyers, count - round(count * source.again)))

    # --- who orders -------------------------------------------------------------------------------------------

    def _clicked(self, today: _Today, due: _Due, buyer: Buyer) -> None:
        """Order in this visit, or leave and come back: through the same ad, or through another channel."""
        if not buyer.lag and not buyer.taken:
            self._place(today, due)
            return
        second = _second(today.random, before=55_000)
        today.visits.append(_visit(due, second, reached=today.random.choice((1, 2, 2))))
        again = replace(due, key=due.key + "r")
        if buyer.taken:
            again = replace(again, channel=buyer.taken, campaign="", page="/")
        if buyer.lag:
            self._due[today.day + timedelta(buyer.lag)].append(again)
        else:
            self._place(today, replace(again, after=second + 1_800))

    def _place(self, today: _Today, due: _Due) -> None:
        """The visit with an order in it. The customer may come again, on a day drawn now."""
        second = _second(today.random, after=due.after)
        today.visits.append(_visit(due, second, reached=4))
        self._number += 1
        person, is_first = due.person, not due.person.customer
        if is_first:
            person = replace(person, customer=f"c{self._number}")
            self._customers.append(person)
        placed = second + today.random.randint(180, 1_500)
        today.orders.append(_order(today, self._number, placed, replace(due, person=person), is_first))
        self._again(today, person, COMES_AGAIN[0 if is_first else 1])

    def _again(self, today: _Today, person: _Person, chance: float) -> None:
        random = today.random
        if random.random() >= chance:
            return
        gap = 12 + round(random.expovariate(1 / 45))
        due = _Due(person, random.choice(AGAIN_THROUGH), "", "/pages/new-in", _value(random, 88), f"n{self._number}")
        self._due[today.day + timedelta(gap)].append(due)

    # --- who only looks ---------------------------------------------------------------------------------------

    def _browsing(
        self, today: _Today, code: str, source: Source, campaign: str, first: int, count: int
    ) -> Iterator[Visit]:
        """The visits without an order. Those who come again are people who looked around not long ago."""
        random = Random(f"{SEED}/visits/{code}/{today.day}")  # apart from the rest, which does not wait for visits
        draw = random.random
        views, carts, begins = FUNNEL.get(source.channel, ELSE_FUNNEL)
        devices = DEVICES.get(source.channel, ELSE_DEVICES)
        new = self._browsers[code, today.day]
        for n in range(first, count):
            key, reach = f"{today.prefix}{code}.{n}", draw()
            visitor = key if n in new else self._seen_before(random, today.day) or key
            yield Visit(
                key, visitor, int(20_000 + draw() * 60_000), source.channel, campaign,
                COUNTRIES[int(draw() * len(COUNTRIES))], devices[int(draw() * len(devices))], source.page,
                visitor is key, reach < views, reach < carts, reach < begins, False,
            )  # fmt: skip

    def _seen_before(self, random: Random, day: date) -> str:
        """The visitor of an earlier visit through a free way; empty if there is none."""
        source = FREE[int(random.random() * len(FREE))].channel
        then = day - timedelta(1 + int(random.random() * LOOKED_WITHIN))
        seen = self._browsers.get((source, then))
        return f"{_on(then)}{source}.{random.choice(seen)}" if seen else ""


def _newcomer(random: Random, channel: str, visitor: str) -> _Person:
    return _Person(visitor, random.choice(COUNTRIES), random.choice(DEVICES.get(channel, ELSE_DEVICES)))


def _visit(due: _Due, second: int, reached: int) -> Visit:
    """`reached`: 1 viewed, 2 carted, 3 checkout, 4 purchased."""
    person = due.person
    is_new = not person.customer and person.visitor == due.key
    steps = [reached > step for step in range(4)]
    return Visit(
        due.key, person.visitor, second, due.channel, due.campaign, person.country, person.device, due.page, is_new,
        *steps,
    )  # fmt: skip


def _order(today: _Today, number: int, second: int, due: _Due, is_first: bool) -> Order:
    random, person = today.random, due.person
    part = 1.0 if random.random() < 0.6 else random.uniform(0.2, 0.6)
    refund = round(due.gross_micros * part / CENT) * CENT if random.random() < REFUNDED else 0
    return Order(
        number, today.day, second, due.gross_micros, refund, today.day + timedelta(random.randint(*REFUND_DAYS)),
        person.customer, is_first, person.visitor, due.channel, due.campaign, person.country, person.device, due.page,
    )  # fmt: skip


def _value(random: Random, mean: float) -> int:
    """Micros of an order that no ad brought."""
    return round(order_value(random, mean) * 100) * CENT


def _second(random: Random, *, after: int = 0, before: int = LAST_SECOND) -> int:
    """A moment of a day; people sleep until six or so."""
    return random.randint(max(after, 22_000), before)


def _on(day: date) -> str:
    """A short name of a day, for ids."""
    return f"{day.toordinal():x}"
