"""Money: an amount in units of its currency, and its two whole-number spellings. No other wire format.

We store micros (millionths of a unit) everywhere. Google speaks micros. Meta speaks "minor units" by a table of its
own, which is not ISO 4217: the offset is 1 for the currencies below and 100 for all others
(developers.facebook.com/docs/marketing-api/currencies).
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal

MICROS = 1_000_000
META_WHOLE = frozenset({"CLP", "COP", "CRC", "HUF", "ISK", "IDR", "JPY", "KRW", "PYG", "TWD", "VND"})


class MixedCurrencies(ValueError):
    """Amounts of different currencies are never added or compared."""


@dataclass(frozen=True)
class Money:
    """`amount` units of `currency` (ISO 4217, upper case): Money(Decimal("120.50"), "EUR")."""

    amount: Decimal
    currency: str

    @staticmethod
    def from_micros(micros: int, currency: str) -> Money:
        return Money(Decimal(micros) / MICROS, currency)

    @staticmethod
    def from_meta(minor: str | int, currency: str) -> Money:
        """Meta's budgets and caps: "5000" is 50.00 EUR and 5,000 JPY."""
        return Money(Decimal(minor) / meta_offset(currency), currency)

    @property
    def micros(self) -> int:
        return int((self.amount * MICROS).to_integral_value(ROUND_HALF_EVEN))

    @property
    def meta(self) -> int:
        """Raises ValueError for an amount that Meta's unit cannot say (half a yen)."""
        minor = self.amount * meta_offset(self.currency)
        if minor != minor.to_integral_value():
            raise ValueError(f"{self} is finer than {self.currency} allows")
        return int(minor)

    def __add__(self, other: Money) -> Money:
        self._same(other)
        return Money(self.amount + other.amount, self.currency)

    def __sub__(self, other: Money) -> Money:
        self._same(other)
        return Money(self.amount - other.amount, self.currency)

    def __lt__(self, other: Money) -> bool:
        self._same(other)
        return self.amount < other.amount

    def __str__(self) -> str:
        places = 0 if self.currency in META_WHOLE and self.amount == self.amount.to_integral_value() else 2
        return f"{self.amount:,.{places}f} {self.currency}"

    def _same(self, other: Money) -> None:
        if self.currency != other.currency:
            raise MixedCurrencies(f"{self.currency} and {other.currency}")


def meta_offset(currency: str) -> int:
    return 1 if currency in META_WHOLE else 100
