"""Lines of a Shopify orders export to orders: the second pass.

An order takes as many lines as it has articles; what is about the order stands on its first line only, so it is taken
from there, by its number, and nothing is added up. Cancelled orders and payments that never came (voided, expired) do
not count; an earlier import of them is taken back. A refund counts on the order's day, since the file does not date it.
The e-mail address was hashed before the file got here (sniff.py).
"""

from __future__ import annotations

import hashlib
import hmac
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cached_property
from zoneinfo import ZoneInfo

from webapp.ads.imports import days, numbers
from webapp.ads.imports.sniff import Line, Sheet
from webapp.ads.imports.survey import Problem
from webapp.ads.money import MICROS

MOST = 20  # problems
NOT_PAID = ("voided", "expired")
MOST_UNITS = Decimal(10**9)


@dataclass(frozen=True)
class ShopOrder:
    """`number` is what people know it by ("#1001"), `id` the shop software's own. `day` is the shop's."""

    number: str
    id: str
    at: datetime
    day: date
    gross_micros: int
    refund_micros: int
    customer: str  # a keyed hash; empty: not known
    country: str


@dataclass(frozen=True)
class OrderFile:
    """What an export says, read to its end. `gone` are the numbers of orders that do not count."""

    orders: tuple[ShopOrder, ...]
    gone: frozenset[str]
    left_out: Mapping[str, Sequence[int]]
    problems: tuple[Problem, ...]

    @cached_property
    def since(self) -> date:
        return min(order.day for order in self.orders)

    @cached_property
    def until(self) -> date:
        return max(order.day for order in self.orders)


def customer(key: bytes, email: str) -> str:
    """Tells two customers of one workspace apart, and means nothing without the key: 32 hexadecimal digits."""
    return hmac.digest(key, email.strip().casefold().encode(), hashlib.sha256)[:16].hex()


def read(sheet: Sheet, columns: Mapping[str, int], *, mark: numbers.Mark, timezone: str) -> OrderFile:
    """Every order. `timezone` (an IANA name) is the shop's: its days, and moments that carry no offset."""
    reader = _Reader(sheet, columns, mark, ZoneInfo(timezone))
    for line in sheet.lines():
        reader.take(line)
        if len(reader.problems) >= MOST:
            break
    return OrderFile(
        tuple(reader.orders.values()), frozenset(reader.gone), dict(reader.left_out), tuple(reader.problems)
    )


class _Wrong(ValueError):
    """A cell that cannot be read: a sentence, and the field it belongs to."""

    def __init__(self, said: str, field: str) -> None:
        super().__init__(said)
        self.field = field


@dataclass
class _Reader:
    """The lines read so far."""

    sheet: Sheet
    columns: Mapping[str, int]
    mark: numbers.Mark
    zone: ZoneInfo
    orders: dict[str, ShopOrder] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    left_out: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    problems: list[Problem] = field(default_factory=list)

    def take(self, line: Line) -> None:
        number = self._cell(line, "name")[:80]
        if number in self.orders or number in self.gone or not self._cell(line, "total"):
            self.left_out["further articles of an order"].append(line.number)
            return
        if reason := self._does_not_count(line):
            self.gone.add(number)
            self.left_out[reason].append(line.number)
            return
        try:
            self.orders[number] = self._order(number, line)
        except _Wrong as wrong:
            self.problems.append(Problem(str(wrong), line.number, self.sheet.header[self.columns[wrong.field]]))

    def _cell(self, line: Line, name: str) -> str:
        return line.cells[self.columns[name]] if name in self.columns else ""

    def _does_not_count(self, line: Line) -> str:
        if self._cell(line, "cancelled"):
            return "cancelled orders"
        return "orders that were never paid" if self._cell(line, "status").casefold() in NOT_PAID else ""

    def _order(self, number: str, line: Line) -> ShopOrder:
        if not number:
            raise _Wrong("The order has no number.", "name")
        at = self._moment(line)
        gross, refund = self._amount(line, "total"), self._amount(line, "refunded")
        country = self._cell(line, "country").upper()
        return ShopOrder(
            number=number,
            id=self._cell(line, "id").removeprefix("gid://shopify/Order/")[:80],
            at=at,
            day=at.astimezone(self.zone).date(),
            gross_micros=gross,
            refund_micros=min(refund, gross),
            customer=self._cell(line, "email")[:32],
            country=country if len(country) == 2 and country.isalpha() else "",
        )

    def _moment(self, line: Line) -> datetime:
        cell = self._cell(line, "created")
        try:
            return days.moment(cell, self.zone).astimezone(UTC)
        except ValueError:
            raise _Wrong(f"“{cell}” is not a moment like 2026-05-01 09:00:00 -0400.", "created") from None

    def _amount(self, line: Line, name: str) -> int:
        cell = self._cell(line, name)
        try:
            amount = numbers.parse(cell, self.mark)
        except ValueError:
            example = "1,234.50" if self.mark == "." else "1.234,50"
            raise _Wrong(f"“{cell}” is not an amount written like {example}.", name) from None
        if not 0 <= amount <= MOST_UNITS:
            raise _Wrong(f"“{cell}” cannot be the value of an order.", name)
        return int((amount * MICROS).to_integral_value())
