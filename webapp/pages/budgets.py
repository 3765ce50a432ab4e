"""Settings › Budgets: limits and how they stand, and how the workspace's answers are cached and paid. Store: usage."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from webapp.accounts import Right, Scope, members
from webapp.chat import limits
from webapp.pages import web
from webapp.pages.amounts import as_typed, micros_typed
from webapp.pages.words import who_can_raise
from webapp.usage import budgets, policy
from webapp.usage.budgets import APPLIES_TO, PERIODS, UNITS, Limit, Standing, Unit
from webapp.usage.policy import Policy
from webapp.usage.prices import MICROS

Word = TypeVar("Word", bound=str)

bp = Blueprint("budgets", __name__)

MOST_TOKENS = 10**12
FOR = {"workspace": "The whole workspace", "everyone": "Each member", "member": "One member", "turn": "One answer"}
FIELDS = ("applies_to", "user_id", "period", "unit", "amount")
BLANK = {"applies_to": "workspace", "user_id": "", "period": "month", "unit": "usd", "amount": ""}


@dataclass(frozen=True)
class Form:
    """What stands in the fields of a new limit, by name; and what is wrong with it, by name ("" for the whole)."""

    values: Mapping[str, str] = field(default_factory=lambda: dict(BLANK))
    errors: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Shown:
    """A limit as a row: its name, its bar (parts of a hundred), its sentences. `typed` is what its field holds."""

    standing: Standing
    name: str
    size: str
    spent: int
    held: int
    said: str
    typed: str


@bp.get("/settings/budgets")
@web.within(Right.READ)
def index(scope: Scope) -> ResponseReturnValue:
    return _page(scope, Form())


@bp.post("/settings/budgets")
@web.within(Right.MANAGE_WORKSPACE)
def save(scope: Scope) -> ResponseReturnValue:
    """Add a limit, or change the one for the same people, period and unit."""
    form = Form({name: web.typed(name)[:40] for name in FIELDS})
    wanted = _wanted(form)
    if wanted is None:
        return _page(scope, form), 422
    with web.database().begin() as db:
        budgets.set_limit(scope, db, **wanted)
    web.notice("Saved. It holds from the next call on.")
    return redirect(url_for("budgets.index"), 303)


@bp.post("/settings/budgets/<uuid:budget_id>/remove")
@web.within(Right.MANAGE_WORKSPACE)
def remove(scope: Scope, budget_id: uuid.UUID) -> ResponseReturnValue:
    with web.database().begin() as db:
        budgets.remove(scope, db, budget_id)
    web.notice("The limit is gone.")
    return redirect(url_for("budgets.index"), 303)


@bp.post("/settings/budgets/policy")
@web.within(Right.MANAGE_WORKSPACE)
def save_policy(scope: Scope) -> ResponseReturnValue:
    wanted = Policy(
        cache_ttl="1h" if request.form.get("cache_ttl") == "1h" else "5m",
        personal_keys=request.form.get("personal_keys") == "on",
        unpriced="block" if request.form.get("unpriced") == "block" else "allow",
    )
    with web.database().begin() as db:
        policy.set_policy(scope, db, wanted)
    web.notice("Saved. It holds from the next answer on.")
    return redirect(url_for("budgets.index"), 303)


# --- what was typed ---------------------------------------------------------------------------------------------


def _wanted(form: Form) -> dict[str, Any] | None:
    """The arguments of set_limit; None if a field is wrong: then the form's errors say which."""
    applies_to = _one_of(form, "applies_to", APPLIES_TO)
    period = "turn" if applies_to == "turn" else _one_of(form, "period", PERIODS[:-1])
    unit = _one_of(form, "unit", UNITS)
    amount = _amount(form, unit or "usd")
    if applies_to == "turn" and unit == "usd":
        _lowers(form, amount)
    user_id = _member(form) if applies_to == "member" else None
    if form.errors:
        return None
    return {"applies_to": applies_to, "period": period, "unit": unit, "amount": amount, "user_id": user_id}


def _one_of(form: Form, name: str, known: tuple[Word, ...]) -> Word | None:
    found = next((each for each in known if each == form.values[name]), None)
    if found is None:
        form.errors[name] = "Choose one from the list."
    return found


def _amount(form: Form, unit: Unit) -> int:
    text = form.values["amount"]
    try:
        amount = micros_typed(text) if unit == "usd" else _tokens(text)
    except ValueError as wrong:
        form.errors["amount"] = str(wrong)
        return 0
    if amount is None:
        form.errors["amount"] = "Enter an amount."
    return amount or 0


def _tokens(text: str) -> int | None:
    digits = "".join(text.replace(",", "").split())
    if not digits:
        return None
    if not digits.isascii() or not digits.isdecimal() or not 0 < int(digits) <= MOST_TOKENS:
        raise ValueError("Enter a whole number of tokens, such as 2,000,000.")
    return int(digits)


def _lowers(form: Form, amount: int) -> None:
    most = web.parts().settings.turn_max_usd
    if most and amount > most * MICROS:
        form.errors["amount"] = f"This installation allows one answer {most:.2f} USD. A budget can only lower that."


def _member(form: Form) -> uuid.UUID | None:
    try:
        return uuid.UUID(form.values["user_id"])
    except ValueError:
        form.errors["user_id"] = "Choose whom it is for."
        return None


# --- the page ---------------------------------------------------------------------------------------------------


def _page(scope: Scope, form: Form) -> str:
    may_change = scope.may(Right.MANAGE_WORKSPACE)
    with web.database().look() as db:
        shown = [_shown(scope, each) for each in budgets.standings(scope, db)]
        now = policy.policy(scope, db)
        people = [(str(m.user_id), m.name) for m in members.listed(scope, db)] if may_change else []
    return render_template(
        "budgets/index.html",
        form=form,
        limits=shown,
        policy=now,
        people=people,
        may_change=may_change,
        turn_max=web.parts().settings.turn_max_usd,
        who_can_raise=who_can_raise,
        whom=tuple(FOR.items()),
    )


def _shown(scope: Scope, standing: Standing) -> Shown:
    limit = standing.limit
    spent = min(100, round(100 * standing.part))
    held = min(100 - spent, round(100 * standing.held / limit.amount))
    size = limits.size(limit.amount, limit.unit, limit.period)
    typed = as_typed(limit.amount, "USD") if limit.unit == "usd" else f"{limit.amount:,}"
    return Shown(standing, _name(scope, limit), size, spent, held, _said(standing), typed)


def _name(scope: Scope, limit: Limit) -> str:
    if limit.applies_to != "member":
        return FOR[limit.applies_to]
    return "You" if limit.user_id == scope.user_id else limit.user_name


def _said(standing: Standing) -> str:
    """How it stands; a limit for each answer stands nowhere until one is asked."""
    limit = standing.limit
    if limit.applies_to == "turn":
        return "Counted anew for each answer."
    whose = "You: " if limit.applies_to == "everyone" else ""
    said = f"{whose}{limits.amount(standing.spent, limit.unit)} spent"
    if standing.held:
        said += f", {limits.amount(standing.held, limit.unit)} held for answers that run"
    return f"{said}.{limits.anew(standing)}"


def banner(scope: Scope) -> list[tuple[str, str]]:
    """Titles and sentences about limits that are nearly or quite reached, for the usage page."""
    titles = {True: "A budget is used up", False: "A budget is nearly used up"}
    with web.database().look() as db:
        return [(titles[each.full], limits.nearly(each)) for each in budgets.near(scope, db)]
