"""The card of a change plan, as values: what a person approves, in words and figures made by the server alone.

Nothing a model wrote is on it: not its reason, not its prose. Names are foreign text, shown whole and with nothing of
them unseen (results.visible). Who may decide, and the one-time token of the form, belong to the sign-in that looks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flask import url_for
from flask_login import current_user

from webapp.accounts import Right, Scope
from webapp.ads import changes, guards
from webapp.ads.foreign import quoted
from webapp.ads.money import MICROS
from webapp.ads.plans import Evidence, ItemView, Judged, PlanView
from webapp.pages import figures, web
from webapp.pages.results import visible

DAYS_OF_A_MONTH = 365 / 12

STATUS = {"active": "active", "paused": "paused", "archived": "archived", "deleted": "deleted"}
OUTCOMES: Mapping[str, tuple[str, str]] = {  # of an item: words and tone
    "pending": ("waiting", "quiet"),
    "unticked": ("left out", "quiet"),
    "claimed": ("in progress", "info"),
    "done": ("done", "ok"),
    "skipped": ("skipped", "quiet"),
    "drifted": ("changed meanwhile", "warn"),
    "failed": ("failed", "bad"),
    "unknown": ("not certain", "warn"),
}
STATES: Mapping[str, tuple[str, str]] = {  # of a plan
    "pending": ("waiting for approval", "warn"),
    "preview": ("preview only", "info"),
    "approved": ("being carried out", "info"),
    "finished": ("carried out", "ok"),
    "rejected": ("rejected", "quiet"),
    "expired": ("expired", "quiet"),
    "cancelled": ("cancelled", "quiet"),
}


@dataclass(frozen=True)
class Typed:
    """What was typed in a form that was refused: nothing of it is lost."""

    error: str = ""
    typed: str = ""
    note: str = ""
    unticked: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Row:
    item: ItemView
    campaign: str
    before: str
    after: str
    change: str  # "-20 %", where there is a number to compare
    a_day: str
    a_month: str
    evidence: str
    reason: str
    outcome: str
    tone: str
    ticked: bool = True


@dataclass(frozen=True)
class Left:
    """A campaign that the plan leaves alone."""

    campaign: str
    verdict: str
    evidence: str
    reason: str


@dataclass(frozen=True)
class Card:
    """`may` says whether who looks may decide; `token` is empty where nobody can. `asks` is the heading."""

    plan: PlanView
    heading: str
    state: str
    tone: str
    rows: tuple[Row, ...]
    left: tuple[Left, ...]
    money: tuple[str, ...]
    warnings: tuple[str, ...]
    may: bool = False
    token: str = ""
    undo: str = ""  # where it can be taken back
    typed: Typed = field(default_factory=Typed)

    @property
    def pending(self) -> bool:
        return self.plan.status == "pending"

    @property
    def spends(self) -> bool:
        return any(row.a_day for row in self.rows)

    @property
    def told(self) -> bool:
        """Whether something has happened to its items, to be shown one by one."""
        return self.plan.status in ("approved", "finished")


def card_of(plan: PlanView, typed: Typed | None = None) -> Card:
    """The plan as the person who is signed in may see and use it."""
    typed = typed or Typed()
    state, tone = STATES[plan.status]
    scope = web.scope_shown()
    return Card(
        plan=plan,
        heading=heading(plan),
        state=_done_in_part(plan) or state,
        tone="warn" if _done_in_part(plan) else tone,
        rows=tuple(_row(item, typed) for item in plan.items),
        left=tuple(_left(judged) for judged in (*plan.undecided, *plan.kept)),
        money=tuple(_money(plan.items)),
        warnings=tuple(visible(quoted(warning)) for warning in plan.warnings),
        may=plan.status == "pending" and _may_decide(scope),
        token=_token(plan) if plan.status == "pending" and _may_decide(scope) else "",
        undo=_undo(plan, scope),
        typed=typed,
    )


def _done_in_part(plan: PlanView) -> str:
    """A finished plan does not say "carried out" where not everything that was ticked was done."""
    if plan.status != "finished":
        return ""
    wanted = [item for item in plan.items if item.status != "unticked"]
    done = sum(item.status == "done" for item in wanted)
    return "" if done == len(wanted) else f"{done} of {len(wanted)} done"


def _may_decide(scope: Scope | None) -> bool:
    if scope is None:
        return False
    with web.database().look() as db:
        return guards.may_approve(scope, guards.rails(scope, db))


def _token(plan: PlanView) -> str:
    return changes.token(web.parts().keyring, plan, current_user.session_id)


def _undo(plan: PlanView, scope: Scope | None) -> str:
    if scope is None or plan.undo_until is None or plan.undone_by is not None:
        return ""
    return url_for("changes.undo", plan_id=plan.id) if scope.may(Right.CHAT) else ""


def heading(plan: PlanView) -> str:
    """Pause 3 campaigns; Change the daily budget of 1 campaign; Undo: ..."""
    wanted = {_deed(item) for item in plan.items}
    campaigns = len({item.campaign_id for item in plan.items})
    deed = wanted.pop() if len(wanted) == 1 else "Change {}"
    said = deed.format(f"{campaigns} campaign{'' if campaigns == 1 else 's'}")
    return f"Undo: {said[0].lower()}{said[1:]}" if plan.undo_of else said


def _deed(item: ItemView) -> str:
    match item.field, item.after:
        case "status", "paused":
            return "Pause {}"
        case "status", "active":
            return "Switch {} on"
        case "daily_budget", _:
            return "Change the daily budget of {}"
        case "name", _:
            return "Rename {}"
    return "Change {}"


def _row(item: ItemView, typed: Typed) -> Row:
    outcome, tone = OUTCOMES[item.status]
    return Row(
        item=item,
        campaign=visible(item.campaign_name),
        before=_value(item, item.before),
        after=_value(item, item.after),
        change=_change(item),
        a_day=_signed(item.effect_micros, item.currency) if item.effect_micros else "",
        a_month=_signed(round(item.effect_micros * DAYS_OF_A_MONTH), item.currency) if item.effect_micros else "",
        evidence=_evidence(item.evidence, item.currency),
        reason=visible(quoted(item.evidence.reason)) if item.evidence else "",
        outcome=outcome,
        tone=tone,
        ticked=str(item.id) not in typed.unticked and item.status != "unticked",
    )


def _left(judged: Judged) -> Left:
    evidence = judged.evidence
    words = _evidence(evidence, judged.currency)
    if evidence.needs_micros:
        more = figures.money(evidence.needs_micros, judged.currency, short=True)
        words = f"{words}; needs about {more} more spend to decide"
    return Left(visible(judged.campaign_name), evidence.verdict, words, visible(quoted(evidence.reason)))


def _value(item: ItemView, value: str | int | None) -> str:
    match item.field, value:
        case _, None:
            return "not known"
        case "daily_budget", int(micros):
            return f"{figures.money(micros, item.currency)} a day"
        case "status", str(status):
            return STATUS.get(status, visible(status))
    return visible(str(value))


def _change(item: ItemView) -> str:
    if not isinstance(item.before, int) or not isinstance(item.after, int):
        return ""
    return figures.delta(item.after / MICROS, item.before / MICROS, "money", item.currency).text


def _signed(micros: int, currency: str) -> str:
    return ("+" if micros > 0 else "") + str(figures.money(micros, currency))


def _evidence(evidence: Evidence | None, currency: str) -> str:
    """ROAS with its interval, spend, orders: what the verdict stands on."""
    if evidence is None:
        return ""
    said = []
    if evidence.roas is not None:
        between = evidence.low is not None and evidence.high is not None
        said.append(f"ROAS {evidence.roas:.2f}" + (f" ({evidence.low:.2f} to {evidence.high:.2f})" if between else ""))
    said.append(f"spend {figures.money(evidence.spend_micros, currency)}")
    said.append(f"{evidence.orders:,.0f} order{'' if round(evidence.orders) == 1 else 's'}")
    if evidence.since and evidence.until:
        said.append(figures.days(evidence.since, evidence.until))
    return ", ".join(said)


def _money(items: Sequence[ItemView]) -> list[str]:
    """What all rows together move, one sentence for each currency: they are never added up."""
    sums: dict[str, int] = {}
    for item in items:
        if item.status != "unticked":
            sums[item.currency] = sums.get(item.currency, 0) + item.effect_micros
    return [_sum(micros, currency) for currency, micros in sums.items() if micros]


def _sum(micros: int, currency: str) -> str:
    a_day = figures.money(abs(micros), currency)
    a_month = figures.money(round(abs(micros) * DAYS_OF_A_MONTH), currency, short=True)
    return f"Spend {'falls' if micros < 0 else 'rises'} by about {a_day} a day, {a_month} a month"


def for_templates() -> dict[str, Any]:
    return {"card_of": card_of}
