"""The checks of a plan against the guard rails. Pure: values in, sentences out.

A check fails closed: what is not known refuses. One change is judged more mildly, the *brake*: a single campaign, named
by whoever asked, is paused. It can only lower spend, so unknowns, the cooldown and shares are warnings there: a rule
that keeps somebody from stopping a campaign would cost more than it guards.

    every item      the campaign is active or paused, its currency is known, nothing is deleted or archived
    a budget        sits on the campaign, or is shared with others that are known; in the account's currency; above
                    zero; no finer than the currency; at most `budget_change_pct` up or down, `campaign_cap` a day and
                    4 changes an hour
    more spend      all active budgets of the currency together at most `workspace_cap`
    several pauses  at most `max_campaigns`, at most `max_spend_share_pct` of the last 7 days' spend
    all but names   learning and budget level are known; no change of ours within `cooldown_hours`; what a rule picked
                    is not in its learning phase
    to be typed     more than 10 items, a budget beyond ±50 %, more spend moved per day than `step_up`

An undo restores what somebody had: neither percentage nor cooldown nor an unknown learning phase holds it back.
Names in the sentences are fenced (foreign.py).
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from webapp.ads.foreign import fence
from webapp.ads.guards import Rails
from webapp.ads.money import MICROS, Money
from webapp.ads.platform import CampaignState, Field

HARD_PCT = 50  # a budget that changes by more has to be typed
MANY = 10  # items of a plan: more have to be counted
BUDGETS_AN_HOUR = 4  # changes that Meta takes for one ad set (reference/ads.md §1.5)


@dataclass(frozen=True)
class Target:
    """One item of a plan: what is to be changed, as it is now, and what we know of its past."""

    campaign_id: uuid.UUID
    account_id: uuid.UUID
    currency: str
    state: CampaignState
    field: Field
    value: str | int
    value_currency: str = ""  # of a budget: what whoever asked called it
    week_micros: int | None = 0  # spent in the last 7 days; None: not known
    changed_by_us: datetime | None = None
    budgets_this_hour: int = 0  # changes of its budget by us

    @property
    def per_day_micros(self) -> int | None:
        """What it may spend a day, as far as anybody knows: its budget, else its ad sets', else its last week."""
        if self.state.budget_micros is not None and self.state.budget_period != "lifetime":
            return self.state.budget_micros
        budgets = [each.budget_micros for each in self.state.adsets if each.status == "active"]
        if budgets and all(each is not None for each in budgets):
            return sum(each or 0 for each in budgets)
        return None if self.week_micros is None else self.week_micros // 7

    @property
    def effect_micros(self) -> int:
        """Of spend per day. A pause saves what it really spent, which may be less than its budget."""
        match self.field:
            case "daily_budget":
                return int(self.value) - (self.state.budget_micros or 0)
            case "status" if self.value == "paused":
                return -((self.week_micros or 0) // 7 or self.per_day_micros or 0)
            case "status":
                return self.per_day_micros or 0
            case "name":
                return 0

    @property
    def change_pct(self) -> float:
        """Of a budget; 0 for anything else."""
        if self.field != "daily_budget" or not self.state.budget_micros:
            return 0
        return round(abs(int(self.value) / self.state.budget_micros - 1) * 100, 6)


@dataclass(frozen=True)
class Circumstances:
    """What surrounds a plan. Sums are micros by currency. `undoing`: it restores what was, so that neither the cooldown
    nor the percentage holds it back."""

    rails: Rails
    now: datetime
    by_name: bool  # a person or model named this very campaign
    undoing: bool = False
    week_micros: Mapping[str, int] = field(default_factory=dict)  # spend of the last 7 days
    budgets_micros: Mapping[str, int] = field(default_factory=dict)  # of what is active, per day


def is_brake(targets: Sequence[Target], around: Circumstances) -> bool:
    one = targets[0] if len(targets) == 1 else None
    return bool(one and around.by_name and one.field == "status" and one.value == "paused")


def objections(target: Target, around: Circumstances, *, brake: bool = False) -> list[str]:
    """Why this one item is not allowed. With `brake`, what is a warning then is not among them."""
    hard = [*_of_value(target), *(_of_budget(target, around) if target.field == "daily_budget" else ())]
    return hard if brake else [*hard, *_of_unknowns(target, around)]


def _of_value(target: Target) -> Iterator[str]:
    name, state = fence(target.state.name), target.state
    if len(target.currency) != 3:
        yield f"The currency of {name} is not known."
    if state.status not in ("active", "paused"):
        yield f"{name} is {state.status}: it cannot be changed."
    match target.field:
        case "status" if target.value not in ("active", "paused"):
            yield "A campaign can be paused or made active, nothing else: it is never deleted or archived here."
        case "status" if target.value == state.status:
            yield f"{name} is {state.status} already."
        case "name" if not 1 <= len(str(target.value)) <= 400 or not str(target.value).isprintable():
            yield "A name has 1 to 400 printable characters."
        case "name" if target.value == state.name:
            yield f"{name} has this name already."
        case _:
            return


def _of_budget(target: Target, around: Circumstances) -> Iterator[str]:
    if where := _not_here(target.state):
        yield where
        return
    if target.value_currency != target.currency:
        yield f"The account's currency is {target.currency}. The amount is in {target.value_currency or 'none'}."
        return
    before, after = target.state.budget_micros or 0, int(target.value)
    rails, name = around.rails, fence(target.state.name)
    if after <= 0 or not _sayable(after, target.currency):
        what = "A daily budget is above zero and no finer than its currency"
        yield f"{what}: {amount(after, target.currency)} is not."
        return
    if after == before:
        yield f"{name} has this budget already."
    if not around.undoing and target.change_pct > rails.budget_change_pct:
        yield (
            f"From {_money(before, target.currency)} to {_money(after, target.currency)} "
            f"is {round(target.change_pct, 2):g} %. "
            f"The guard rails allow {rails.budget_change_pct} %."
        )
    if target.budgets_this_hour >= BUDGETS_AN_HOUR:
        yield f"The budget of {name} was changed {target.budgets_this_hour} times in the last hour. Meta takes no more."
    if after > before:
        yield from _over_cap(after, rails.campaign_cap_micros, target.currency, rails, f"the budget of {name}")


def _not_here(state: CampaignState) -> str:
    """Why the campaign's budget cannot be set at the campaign."""
    name = fence(state.name)
    match state.budget_level:
        case "adset":
            where = ", ".join(f"{fence(each.name)}" for each in state.adsets) or "its ad sets"
            return f"The budget of {name} sits on {len(state.adsets)} ad sets: {where}. Change it there."
        case "shared" if not state.shared_with:
            return f"The budget of {name} is shared, with which campaigns is not known."
        case "campaign" | "shared" if state.budget_period != "daily" or not state.budget_micros:
            return f"{name} has no daily budget: it has {state.budget_period or 'an unknown kind of'} budget."
        case "campaign" | "shared":
            return ""
        case _:
            return f"Where the budget of {name} sits is not known."


def _of_unknowns(target: Target, around: Circumstances) -> Iterator[str]:
    """What holds back everything but names and the brake."""
    if target.field == "name":
        return
    name = fence(target.state.name)
    if target.state.learning == "unknown" and not around.undoing:
        yield f"Whether {name} is in its learning phase is not known."
    if target.state.learning == "learning" and not around.by_name:
        yield f"{name} is in its learning phase: no rule may judge it yet."
    if target.state.budget_level in ("unknown", "none"):
        yield f"Where the budget of {name} sits is not known."
    if target.value == "active" and target.per_day_micros is None:
        yield f"What {name} would spend a day is not known."
    hours = around.rails.cooldown_hours
    if target.changed_by_us and target.changed_by_us > around.now - timedelta(hours=hours) and not around.undoing:
        yield f"{name} was changed here less than {hours} hours ago."


def of_the_whole(targets: Sequence[Target], around: Circumstances) -> list[str]:
    """Why the items together are not allowed."""
    return [*_of_pauses(targets, around), *_of_spend(targets, around)]


def _of_pauses(targets: Sequence[Target], around: Circumstances) -> Iterator[str]:
    pauses = [each for each in targets if each.field == "status" and each.value == "paused"]
    if not pauses or around.undoing or (len(targets) == 1 and around.by_name):
        return
    rails = around.rails
    if len(pauses) > rails.max_campaigns:
        yield f"These are {len(pauses)} campaigns. The guard rails allow {rails.max_campaigns} in one plan."
    if any(each.week_micros is None for each in pauses):
        yield "What these campaigns spent in the last 7 days is not known. Sync the ad account first."
        return
    for currency in sorted({each.currency for each in pauses}):
        share = spend_share([each for each in pauses if each.currency == currency], around)
        if share > rails.max_spend_share_pct:
            yield (
                f"They made {share:.0f} % of the last 7 days' spend in {currency}. "
                f"The guard rails allow {rails.max_spend_share_pct} % in one plan."
            )


def spend_share(targets: Sequence[Target], around: Circumstances) -> float:
    """Percent of the last 7 days' spend that these made. They are of one currency."""
    every = around.week_micros.get(targets[0].currency, 0)
    return 100 * sum(each.week_micros or 0 for each in targets) / every if every else 0


def _of_spend(targets: Sequence[Target], around: Circumstances) -> Iterator[str]:
    for currency in sorted({each.currency for each in targets}):
        more = sum(each.effect_micros for each in targets if each.currency == currency)
        if more > 0:
            every = around.budgets_micros.get(currency, 0) + more
            yield from _over_cap(
                every, around.rails.workspace_cap_micros, currency, around.rails, "all active budgets together"
            )


def _over_cap(micros: int, cap: int | None, currency: str, rails: Rails, what: str) -> Iterator[str]:
    if cap is None:
        return
    if currency != rails.cap_currency:
        yield f"The guard rails cap spend in {rails.cap_currency}: that cannot be compared with {what} in {currency}."
    elif micros > cap:
        yield f"With {_money(micros, currency)} a day, {what} is above the cap of {_money(cap, currency)}."


# --- what a person is told and asked ----------------------------------------------------------------------------


def cautions(target: Target, around: Circumstances, *, brake: bool) -> list[str]:
    """What whoever approves should know of this item."""
    state, name = target.state, fence(target.state.name)
    found = list(_of_unknowns(target, around)) if brake else []
    if brake and (share := spend_share([target], around)) > around.rails.max_spend_share_pct:
        found.append(f"{name} made {share:.0f} % of the last 7 days' spend in {target.currency}.")
    if state.learning == "learning" and target.field != "name":
        found.append(f"{name} is in its learning phase: this may start it anew.")
    if target.field == "status" and target.value == "active":
        found.append(f"Activating {name} may start its learning phase anew.")
    if target.field == "daily_budget" and state.shared_with:
        others = ", ".join(map(fence, state.shared_with))
        found.append(f"The budget of {name} is shared: the change is also one for {others}.")
    return found


def to_be_typed(targets: Sequence[Target], rails: Rails) -> str:
    """What has to be typed to approve: "12 campaigns", "180 EUR", or nothing."""
    if len(targets) > MANY:
        return f"{len(targets)} campaigns"
    far = [each for each in targets if each.change_pct > HARD_PCT]
    if far:
        return amount(max(int(each.value) for each in far), far[0].currency)
    moved = sum(abs(each.effect_micros) for each in targets)
    if rails.step_up_micros is None or all(each.field == "name" for each in targets):
        return ""
    if any(each.currency != rails.cap_currency for each in targets) or moved > rails.step_up_micros:
        return f"{len(targets)} campaign" + ("" if len(targets) == 1 else "s")
    return ""


def amount(micros: int, currency: str) -> str:
    """As a person would type it: "180 EUR", "180.5 EUR"."""
    units = Decimal(micros) / MICROS
    return f"{units.normalize():f} {currency}"


def same_words(typed: str, asked: str) -> bool:
    """Whether what was typed is what was asked for, but for case, spaces and thousands' commas."""
    return "".join(typed.replace(",", "").split()).casefold() == "".join(asked.split()).casefold()


def _money(micros: int, currency: str) -> str:
    return str(Money.from_micros(micros, currency))


def _sayable(micros: int, currency: str) -> bool:
    try:
        return bool(Money.from_micros(micros, currency).meta)
    except ValueError:
        return False
