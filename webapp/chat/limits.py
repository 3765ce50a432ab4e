"""What one turn may cost: money where the model's prices are known, tokens where they are not. No storage."""

from __future__ import annotations

from dataclasses import dataclass

from webapp.chat.events import Cause, Trouble
from webapp.llm.events import Usage
from webapp.llm.models import Model

MILLION = 1_000_000
UNPRICED_TOKENS = 500_000  # that a turn may use on a model whose price nobody knows


@dataclass(frozen=True)
class Limit:
    """Asked between two rounds of a turn. `usd` is for the whole turn; 0 means no limit."""

    usd: float
    model: Model | None

    def allow(self, spent: Usage) -> Trouble | None:
        """None, or why there must not be another round."""
        if not self.usd:
            return None
        cost = price(spent, self.model)
        if cost is not None:
            return Trouble(Cause.TOO_EXPENSIVE, detail=f"{self.usd:.2f} USD") if cost >= self.usd else None
        return (
            Trouble(Cause.TOO_EXPENSIVE, detail=f"{UNPRICED_TOKENS:,} tokens")
            if spent.total >= UNPRICED_TOKENS
            else None
        )


def price(spent: Usage, model: Model | None) -> float | None:
    """In USD; None where neither the provider nor our table says it. Rounds up: what the cache costs counts as fresh
    input where no price of its own is known."""
    if spent.cost is not None:
        return spent.cost
    if model is None or model.price_in is None or model.price_out is None:
        return None
    counted = (
        (spent.input, model.price_in),
        (spent.output, model.price_out),
        (spent.cache_read, _or(model.cache_read, model.price_in)),
        (spent.cache_write, _or(model.cache_write, model.price_in)),
        (spent.cache_write_1h, _or(model.cache_write_1h, 2 * model.price_in)),
    )
    return sum(tokens * each for tokens, each in counted) / MILLION


def _or(price: float | None, fallback: float) -> float:
    return fallback if price is None else price
