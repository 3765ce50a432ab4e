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
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random
from typing import NamedTuple

from webapp.ads.demo import ACCOUNT, SEED
from webapp.ads.demo_days import OTHERS, AdDay, demand, order_value, poisson
from webapp.ads.money import MICROS

LANDED = 0.72  # the rest left before the page was there, or block what counts them
REFUNDED = 0.04
REFUND_DAYS = (3, 20)  # after the order
LOOKED_BEFORE = 0.3  # share of an ad's new buyers who had come before through another channel
LOOKED_WITHIN = 14  # days
COMES_AGAIN = (0.30, 0.45)  # the chance of a second order; of one more after that
AGAIN_THROUGH = ("email", "email", "email", "direct", "organic")
LAST_SECOND = 80_000  # of a day: within 23 hours, for the day on which clocks go forward


@dataclass(frozen=True)
class Source:
    """How people come: an ad network, or a way that costs nothing (`daily` visits on average, `buys` of a new one)."""

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
PAID_AGAIN = {"meta": 0.12, "google": 0.22}
PAGES = {"meta": "/products/weekender", "google": "/collections/bags"}
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


class Shop:
    """It remembers customers and orders to come; days must be given to it in order, from the first one on."""

    def __init__(self) -> None:
        self._number = 10_000
        self._due: dict[date, list[_Due]] = defaultdict(list)
        self._customers: list[_Person] = []
        self._browsers: dict[tuple[str, date], range] = {}  # visits of people who were new and did not buy, by source

    def day(self, day: date, ads: Sequence[AdDay], *, with_visits: bool) -> tuple[list[Order], list[Visit]]:
        """A day's orders and, if they are wanted, its visits."""
        random = Random(f"{SEED}/shop/{day}")
        orders: list[Order] = []
        visits: list[Visit] = []
        for due in self._due.pop(day, []):
            self._place(random, day, due, orders, visits)
        for ad in ads:
            if ACCOUNT[ad.campaign.account].shop:
                self._ad(random, ad, orders, visits, with_visits)
        for source in FREE:
            self._free(random, day, source, orders, visits, with_visits)
        return orders, visits if with_visits else []

    # --- who comes --------------------------------------------------------------------------------------------

    def _ad(self, random: Random, ad: AdDay, orders: list[Order], visits: list[Visit], with_visits: bool) -> None:
        channel, campaign = ACCOUNT[ad.campaign.account].network, ad.campaign.id
        code = f"{ad.ad.ad_id or campaign}"
        landed = max(len(ad.buyers), round(ad.clicks * LANDED))
        self._remember(code, ad.day, len(ad.buyers), landed, PAID_AGAIN[channel])
        for n, buyer in enumerate(ad.buyers):
            person = self._buyer(random, channel, code, ad.day, n, buyer.returning)
            due = _Due(person, channel, campaign, PAGES[channel], buyer.value_micros, f"{_on(ad.day)}{code}.{n}")
            self._clicked(random, ad.day, due, buyer.lag, buyer.taken, orders, visits)
        if with_visits:
            source = Source(channel, 0, 0, PAID_AGAIN[channel], PAGES[channel])
            visits += self._browsing(ad.day, code, source, campaign, len(ad.buyers), landed)

    def _free(
        self, random: Random, day: date, source: Source, orders: list[Order], visits: list[Visit], with_visits: bool
    ) -> None:
        count = poisson(random, source.daily * (0.6 + 0.4 * demand(day)))
        buyers = min(count, poisson(random, count * source.buys * demand(day)))
        self._remember(source.channel, day, buyers, count, source.again)
        for n in range(buyers):
            person = self._newcomer(random, source.channel, f"{_on(day)}{source.channel}.{n}")
            gross = round(order_value(random, 84) * 100) * MICROS // 100
            due = _Due(person, source.channel, "", source.page, gross, f"{_on(day)}{source.channel}.{n}")
            self._place(random, day, due, orders, visits)
        if with_visits:
            visits += self._browsing(day, source.channel, source, "", buyers, count)

    def _buyer(self, random: Random, channel: str, code: str, day: date, n: int, returning: bool) -> _Person:
        """An old customer, somebody who has looked around before, or somebody new."""
        if returning and self._customers:
            return random.choice(self._customers)
        person = self._newcomer(random, channel, f"{_on(day)}{code}.{n}")
        if random.random() < LOOKED_BEFORE:
            source = random.choice(FREE).channel
            then = day - timedelta(random.randint(1, LOOKED_WITHIN))
            if seen := self._browsers.get((source, then)):
                return _Person(f"{_on(then)}{source}.{random.choice(seen)}", person.country, person.device)
        return person

    def _newcomer(self, random: Random, channel: str, visitor: str) -> _Person:
        return _Person(visitor, random.choice(COUNTRIES), random.choice(DEVICES.get(channel, ELSE_DEVICES)))

    def _remember(self, code: str, day: date, buyers: int, count: int, again: float) -> None:
        self._browsers[code, day] = range(buyers, max(buyers, count - round(count * again)))

    # --- who orders -------------------------------------------------------------------------------------------

    def _clicked(
        self, random: Random, day: date, due: _Due, lag: int, taken: str, orders: list[Order], visits: list[Visit]
    ) -> None:
        """Order in this visit, or leave and come back."""
        if not lag and not taken:
            return self._place(random, day, due, orders, visits)
        second = _second(random, before=55_000)
        visits.append(_visit(due, second, reached=1 + (random.random() < 0.7)))
        page = "/" if taken else due.page
        later = _Due(
            due.person, taken or due.channel, "" if taken else due.campaign, page, due.gross_micros, due.key + "r",
            after=0 if lag else second + 1_800,
        )  # fmt: skip
        if lag:
            self._due[day + timedelta(lag)].append(later)
            return None
        return self._place(random, day, later, orders, visits)

    def _place(self, random: Random, day: date, due: _Due, orders: list[Order], visits: list[Visit]) -> None:
        """The visit with an order in it. A new customer may come again, on days drawn now."""
        second = _second(random, after=due.after)
        visits.append(_visit(due, second, reached=4))
        self._number += 1
        person, is_first = due.person, not due.person.customer
        if is_first:
            person = _Person(person.visitor, person.country, person.device, f"c{self._number}")
            self._customers.append(person)
        orders.append(_order(random, self._number, day, second + random.randint(180, 1_500), due, person, is_first))
        self._again(random, day, person, COMES_AGAIN[0 if is_first else 1])

    def _again(self, random: Random, day: date, person: _Person, chance: float) -> None:
        if random.random() >= chance:
            return
        channel = random.choice(AGAIN_THROUGH)
        gap = 12 + round(random.expovariate(1 / 45))
        gross = round(order_value(random, 88) * 100) * MICROS // 100
        due = _Due(person, channel, "", "/pages/new-in", gross, f"n{self._number}")
        self._due[day + timedelta(gap)].append(due)

    # --- who only looks ---------------------------------------------------------------------------------------

    def _browsing(self, day: date, code: str, source: Source, campaign: str, first: int, count: int) -> Iterator[Visit]:
        """The visits without an order. Of those who come again each is somebody who looked around not long ago."""
        random = Random(f"{SEED}/visits/{code}/{day}")
        draw, on = random.random, _on(day)
        views, carts, begins = FUNNEL.get(source.channel, ELSE_FUNNEL)
        devices = DEVICES.get(source.channel, ELSE_DEVICES)
        new = self._browsers[code, day]
        for n in range(first, count):
            is_new = n in new
            visitor = f"{on}{code}.{n}" if is_new else self._seen_before(random, day) or f"{on}{code}.{n}"
            reach = draw()
            yield Visit(
                f"{on}{code}.{n}", visitor, int(20_000 + draw() * 60_000), source.channel, campaign,
                COUNTRIES[int(draw() * 50)], devices[int(draw() * 20)], source.page, is_new,
                reach < views, reach < carts, reach < begins, False,
            )  # fmt: skip

    def _seen_before(self, random: Random, day: date) -> str:
        """The visitor of an earlier visit through a free way; empty if there is none."""
        source = FREE[int(random.random() * len(FREE))].channel
        then = day - timedelta(1 + int(random.random() * LOOKED_WITHIN))
        seen = self._browsers.get((source, then))
        return f"{_on(then)}{source}.{random.choice(seen)}" if seen else ""


def _visit(due: _Due, second: int, reached: int) -> Visit:
    """`reached`: 1 viewed, 2 carted, 3 checkout, 4 purchased."""
    person = due.person
    is_new = not person.customer and person.visitor == due.key
    steps = [reached > step for step in range(4)]
    return Visit(
        due.key, person.visitor, second, due.channel, due.campaign, person.country, person.device, due.page, is_new,
        *steps,
    )  # fmt: skip


def _order(random: Random, number: int, day: date, second: int, due: _Due, person: _Person, is_first: bool) -> Order:
    refunded = random.random() < REFUNDED
    part = 1.0 if random.random() < 0.6 else random.uniform(0.2, 0.6)
    refund = round(due.gross_micros * part / 10_000) * 10_000 if refunded else 0
    return Order(
        number, day, second, due.gross_micros, refund, day + timedelta(random.randint(*REFUND_DAYS)),
        person.customer, is_first, person.visitor, due.channel, due.campaign, person.country, person.device, due.page,
    )  # fmt: skip


def _second(random: Random, *, after: int = 0, before: int = LAST_SECOND) -> int:
    """A moment of a day; people sleep until six or so."""
    return random.randint(max(after, 22_000), before)


def _on(day: date) -> str:
    """A short name of a day, for ids."""
    return f"{day.toordinal():x}"


assert all(channel in {source.channel for source in FREE} for channel in (*OTHERS, *AGAIN_THROUGH))
