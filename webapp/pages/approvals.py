"""A person's decision on a change plan: approve, reject, look at its card again. What a plan is: ads/changes.

These routes alone decide. A message in a chat, an argument of a tool, an event in a provider's stream decide nothing.
Each works as a plain form and with htmx; a second click, another tab and a late one see what has happened.
"""

from __future__ import annotations

import uuid
from contextlib import suppress

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from webapp.accounts import Right, Scope
from webapp.ads import changes
from webapp.ads.changes import Click
from webapp.ads.plans import PlanView
from webapp.chat import transcript
from webapp.errors import UserError
from webapp.pages import cards, web
from webapp.pages.cards import Typed

bp = Blueprint("approvals", __name__)


@bp.get("/changes/<uuid:plan_id>/card")
@web.within(Right.READ)
def card(scope: Scope, plan_id: uuid.UUID) -> ResponseReturnValue:
    """The card as it is now: what a card that is being carried out asks for every two seconds."""
    return _shown(scope, _plan(scope, plan_id))


@bp.post("/changes/<uuid:plan_id>/approve")
@web.within(Right.CHAT)
def approve(scope: Scope, plan_id: uuid.UUID) -> ResponseReturnValue:
    """Let the plan be carried out, as it was shown, without what was unticked."""
    plan = _plan(scope, plan_id)
    click = Click(
        plan_hash=request.form.get("plan_hash", ""),
        ticked=frozenset(web.uuid_or_404(value) for value in request.form.getlist("item")),
        token=request.form.get("token", ""),
        session_id=current_user.session_id,
        typed=web.typed("typed"),
    )
    try:
        with web.database().begin() as db:
            changes.approve(scope, db, web.parts().keyring, plan_id, click)
            transcript.tell(db, plan.turn_id)
    except UserError as error:
        return _refused(scope, plan, error)
    web.parts().runner.carry_out(plan_id)
    return _decided(scope, plan_id)


@bp.post("/changes/<uuid:plan_id>/reject")
@web.within(Right.CHAT)
def reject(scope: Scope, plan_id: uuid.UUID) -> ResponseReturnValue:
    """Nothing is changed; the turn that asked goes on with that answer."""
    plan = _plan(scope, plan_id)
    try:
        with web.database().begin() as db:
            changes.reject(scope, db, plan_id, request.form.get("plan_hash", ""), web.typed("note")[:300])
            transcript.tell(db, plan.turn_id)
    except UserError as error:
        return _refused(scope, plan, error)
    web.parts().runner.move_on()
    return _decided(scope, plan_id)


def _plan(scope: Scope, plan_id: uuid.UUID) -> PlanView:
    with web.database().look() as db:
        return changes.plan(scope, db, plan_id)


def _decided(scope: Scope, plan_id: uuid.UUID) -> ResponseReturnValue:
    plan = _plan(scope, plan_id)
    return _shown(scope, plan) if web.is_htmx() else redirect(_place(scope, plan), code=303)


def _refused(scope: Scope, plan: PlanView, error: UserError) -> ResponseReturnValue:
    """The card as it is now, with why the click did nothing and everything that was typed."""
    ticked = set(request.form.getlist("item"))
    typed = Typed(
        error=f"{error.title}. {error.hint}".strip(),
        typed=web.typed("typed"),
        note=web.typed("note"),
        unticked=frozenset(str(item.id) for item in plan.items) - ticked,
    )
    return _shown(scope, _plan(scope, plan.id), typed), error.status


def _shown(scope: Scope, plan: PlanView, typed: Typed | None = None) -> str:
    shown = cards.card_of(plan, typed)
    if web.is_htmx():
        return render_template("changes/_plan.html", card=shown)
    return render_template("chat/plan.html", card=shown, back=_place(scope, plan))


def _place(scope: Scope, plan: PlanView) -> str:
    """Where the card stands: in the chat of who asked, else among the workspace's changes."""
    with suppress(UserError), web.database().look() as db:
        if plan.turn_id is not None:
            turn = transcript.turn(scope, db, plan.turn_id)
            return url_for("chat.show", session_id=turn.session_id) + f"#plan-{plan.id}"
    return url_for("changes.index") + f"#plan-{plan.id}"
