"""Settings › Ad accounts › What Maxxer may change: the form of the guard rails. What they mean: ads/guards.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from flask import Blueprint, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from webapp.accounts import Right, Scope
from webapp.ads import accounts, guards
from webapp.ads.guards import RANGES, Approvers, Mode, Rails
from webapp.errors import UserError
from webapp.pages import web
from webapp.pages.amounts import as_typed, micros_typed

bp = Blueprint("guard_rails", __name__)

AMOUNTS = ("campaign_cap", "workspace_cap", "step_up")
NUMBERS = tuple(RANGES)
MODES: dict[str, Mode] = {"off": "off", "preview": "preview", "on": "on"}
APPROVERS: dict[str, Approvers] = {"admins": "admins", "members": "members"}


@dataclass(frozen=True)
class Form:
    """What stands in the fields, by name; and what is wrong with it, by name ("" for the whole)."""

    values: Mapping[str, str]
    errors: dict[str, str] = field(default_factory=dict)


@bp.get("/settings/ad-accounts/rails")
@web.within(Right.READ)
def index(scope: Scope) -> ResponseReturnValue:
    with web.database().begin() as db:
        rails = guards.rails(scope, db)
    return _page(scope, Form(as_form(rails)))


@bp.post("/settings/ad-accounts/rails")
@web.within(Right.MANAGE_ADS)
def save(scope: Scope) -> ResponseReturnValue:
    form = Form({name: web.typed(name)[:20] for name in ("mode", "approvers", "cap_currency", *AMOUNTS, *NUMBERS)})
    wanted = as_rails(form)
    if wanted is None:
        return _page(scope, form), 422
    try:
        with web.database().begin() as db:
            guards.set_rails(scope, db, wanted)
    except UserError as refused:
        if refused.status != 422:
            raise
        form.errors[""] = refused.hint
        return _page(scope, form), 422
    web.notice("Saved. It holds from the next change on that Maxxer proposes.")
    return redirect(url_for("ad_accounts.index"), 303)


def as_form(rails: Rails) -> dict[str, str]:
    numbers = {name: str(getattr(rails, name)) for name in NUMBERS}
    amounts = {name: as_typed(getattr(rails, f"{name}_micros"), rails.cap_currency) for name in AMOUNTS}
    return {
        "mode": rails.mode,
        "approvers": rails.approvers,
        "cap_currency": rails.cap_currency,
        **numbers,
        **amounts,
    }


def as_rails(form: Form) -> Rails | None:
    """None if a field is no number or amount: then the form's errors say which. Ranges are for guards.py to judge."""
    values = form.values
    numbers = {name: _number(form, name) for name in NUMBERS}
    amounts = {name: _amount(form, name) for name in AMOUNTS}
    if form.errors:
        return None
    return Rails(
        mode=MODES.get(values["mode"], "off"),
        approvers=APPROVERS.get(values["approvers"], "admins"),
        cap_currency=values["cap_currency"].upper(),
        campaign_cap_micros=amounts["campaign_cap"],
        workspace_cap_micros=amounts["workspace_cap"],
        step_up_micros=amounts["step_up"],
        **numbers,
    )


def _number(form: Form, name: str) -> int:
    text = form.values[name]
    if not text.isdecimal() or len(text) > 4:
        form.errors[name] = "Enter a whole number."
        return 0
    least, most, sentence = RANGES[name]
    if not least <= int(text) <= most:
        form.errors[name] = sentence
    return int(text)


def _amount(form: Form, name: str) -> int | None:
    try:
        return micros_typed(form.values[name])
    except ValueError as wrong:
        form.errors[name] = str(wrong)
        return None


def _page(scope: Scope, form: Form) -> str:
    with web.database().begin() as db:
        currencies = sorted({account.currency for account in accounts.listed(scope, db)})
    return render_template(
        "guard_rails/index.html",
        form=form,
        may_change=scope.may(Right.MANAGE_ADS),
        currencies=currencies,
        writes=web.parts().platforms.writes,
    )
