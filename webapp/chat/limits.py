"""Whether a turn may make its next call: the limit of one turn, models without a price, budgets; in words to be stored.

Three parties limit. The installation: what one turn may have spent before another call. The workspace's policy: no
models whose price nobody knows. Its budgets, which reserve what the call may cost at most (usage/budgets.py). A
member's own key is under the first alone: its money is not the team's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from webapp.chat.events import Cause, Trouble
from webapp.db import Session
from webapp.llm import sizes
from webapp.llm.events import Notice, Usage
from webapp.llm.models import Model
from webapp.llm.request import ModelRequest
from webapp.usage import budgets
from webapp.usage.budgets import AppliesTo, Granted, Period, Refused, Standing, Unit
from webapp.usage.ledger import Caller
from webapp.usage.policy import Policy
from webapp.usage.prices import MICROS, cost

UNPRICED_TOKENS = 500_000  # that a turn may use on a model whose price nobody knows
NEAR_BUDGET = "near_budget"  # a Notice: the sentence about a limit that is nearly reached

PERIODS: dict[Period, str] = {"day": "a day", "month": "a month", "turn": "an answer"}
WHOSE: dict[AppliesTo, str] = {
    "workspace": "The workspace's limit",
    "everyone": "Each member's limit",
    "member": "Your limit",
    "turn": "The limit",
}


@dataclass(frozen=True)
class Limit:
    """Asked before each round of a turn. `usd` is for the whole turn; 0 means no limit."""

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


@dataclass(frozen=True)
class Limits:
    """Of one turn. `lasts` is how many seconds a call may run at most; `budgeted` whether any budget concerns it."""

    caller: Caller
    turn: Limit
    policy: Policy
    budgeted: bool
    personal: bool
    lasts: float

    @property
    def nothing_to_ask(self) -> bool:
        """Whether the first call of the turn needs no transaction."""
        return self.personal or not self.budgeted

    def known(self, spent: Usage) -> Trouble | None:
        """What needs no looking up."""
        priced = self.turn.model is not None and self.turn.model.price_in is not None
        if self.policy.unpriced == "block" and not priced and not self.personal:
            return Trouble(Cause.UNPRICED, detail=self.caller.model)
        return self.turn.allow(spent)

    def reserve(self, db: Session, request: ModelRequest) -> Trouble | tuple[Standing, ...]:
        """Why the budgets forbid the call; else it is held, and the answer is which of them are nearly reached."""
        if self.personal:
            return ()
        needs = budgets.at_most(sizes.request_tokens(request), request.max_output, self.turn.model)
        match budgets.reserve(db, self.caller, needs, lasts=self.lasts):
            case Refused() as refused:
                return Trouble(Cause.BUDGET, detail=refusal(refused))
            case Granted(near):
                return near


def warning(near: Sequence[Standing]) -> Notice | None:
    """For the turn's notices."""
    return Notice(NEAR_BUDGET, " ".join(map(nearly, near))) if near else None


# --- words ------------------------------------------------------------------------------------------------------


def refusal(refused: Refused) -> str:
    """Which limit, what is gone of it, when it starts anew: sentences."""
    standing, unit = refused.standing, refused.standing.limit.unit
    said = f"{named(standing)}: {amount(standing.spent, unit)} spent"
    if standing.held:
        said += f", {amount(standing.held, unit)} held for answers that run"
    if not standing.full:
        said += f", and this call may need up to {amount(refused.needs, unit)}"
    return f"{said}.{anew(standing)}"


def nearly(standing: Standing) -> str:
    said = f"{standing.part:.0%} of a budget is used: {amount(standing.spent, standing.limit.unit)} spent."
    return f"{said} {named(standing)}.{anew(standing)}"


def named(standing: Standing) -> str:
    limit = standing.limit
    return f"{WHOSE[limit.applies_to]} is {size(limit.amount, limit.unit, limit.period)}"


def size(of: int, unit: Unit, period: Period) -> str:
    """Of a limit: 4.20 USD a day, 12,000 tokens an answer."""
    return f"{amount(of, unit)} {PERIODS[period]}"


def amount(size: int, unit: Unit) -> str:
    """4.20 USD, 12,000 tokens. Below a cent with four places."""
    if unit == "tokens":
        return f"{size:,} tokens"
    places = 4 if 0 < size < MICROS // 100 else 2
    return f"{size / MICROS:,.{places}f} USD"


def anew(standing: Standing) -> str:
    if standing.resets is None:
        return ""
    return f" It starts anew on {standing.resets:%-d %B} at 00:00 UTC."
