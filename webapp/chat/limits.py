"""What one turn may cost: money where the model's prices are known, tokens where they are not. No storage."""

from __future__ import annotations

from dataclasses import dataclass

from webapp.chat.events import Cause, Trouble
from webapp.llm.events import Usage
from webapp.llm.models import Model
from webapp.usage.prices import MICROS, cost

UNPRICED_TOKENS = 500_000  # that a turn may use on a model whose price nobody knows


@dataclass(frozen=True)
class Limit:
    """Asked between two rounds of a turn. `usd` is for the whole turn; 0 means no limit."""

    usd: float
    model: Model | None

    def allow(self, spent: Usage) -> Trouble | None:
        """None, or why there must not be another round. All rounds are priced as one call, which costs no less."""
        if not self.usd:
            return None
        micros = cost(spent, self.model).micros
        if micros is not None:
            over, limit = micros >= self.usd * MICROS, f"{self.usd:.2f} USD"
        else:
            over, limit = spent.total >= UNPRICED_TOKENS, f"{UNPRICED_TOKENS:,} tokens"
        return Trouble(Cause.TOO_EXPENSIVE, detail=limit) if over else None
