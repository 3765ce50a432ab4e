"""Receipts: what calls used and cost, one by one and added up. Values only; their store is ledger.py.

Everything that is shown of usage is a sum of entries: a turn's receipt, a session's total, a row of the usage page, a
line of its export. An entry whose price nobody knows adds its tokens and no money, and is counted as unpriced.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from webapp.llm.events import Usage
from webapp.usage.prices import Cost


@dataclass(frozen=True)
class Spent:
    """A sum of calls. `micros` and `saved` are of those whose price is known, in millionths of a dollar; `unpriced`
    and `estimated` count calls."""

    calls: int = 0
    used: Usage = field(default_factory=Usage)
    micros: int = 0
    saved: int = 0
    unpriced: int = 0
    unpriced_tokens: int = 0
    estimated: int = 0

    def __add__(self, other: Spent) -> Spent:
        return Spent(*(getattr(self, name) + getattr(other, name) for name in self.__dataclass_fields__))

    @property
    def tokens(self) -> int:
        return self.used.total

    @property
    def cost(self) -> int | None:
        """None where not one call has a known price."""
        return None if self.calls and self.unpriced == self.calls else self.micros

    @property
    def from_cache(self) -> float | None:
        """The part of the input that was read from a cache; None without input."""
        whole = self.used.total - self.used.output
        return self.used.cache_read / whole if whole else None


@dataclass(frozen=True)
class Entry:
    """One call to a provider, as it is kept. `miss` is why its cache was missed (misses.py), "" where it was not."""

    turn_id: uuid.UUID
    round: int
    at: datetime
    user_id: uuid.UUID
    user_name: str
    surface: str
    provider: str
    model: str
    model_served: str
    key_label: str
    personal: bool
    response_id: str
    used: Usage
    estimated: bool
    cost: Cost
    miss: str
    first_token_ms: int | None
    duration_ms: int | None

    @property
    def spent(self) -> Spent:
        priced = self.cost.micros is not None
        return Spent(
            calls=1,
            used=self.used,
            micros=self.cost.micros or 0,
            saved=self.cost.saved or 0,
            unpriced=int(not priced),
            unpriced_tokens=0 if priced else self.used.total,
            estimated=int(self.estimated),
        )


def total(entries: Iterable[Entry]) -> Spent:
    return sum((entry.spent for entry in entries), Spent())
