"""Create and switch workspaces, and Settings › Workspace: rename, delete. Who is in one: members.py."""

from __future__ import annotations

import uuid

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from webapp.accounts import Right, Scope, a_role, browsers, enter, workspaces
from webapp.ads import accounts as ad_accounts
from webapp.errors import UserError
from webapp.llm.providers import Provider
from webapp.pages import auth, web
from webapp.pages.auth import Person
from webapp.vault import byok

bp = Blueprint("workspaces", __name__)


@bp.get("/workspaces/new")
@web.signed_in
def new(me: Person) -> ResponseReturnValue:
    return render_template("workspaces/new.html", errors={})


@bp.post("/workspaces")
@web.signed_in
def create(me: Person) -> ResponseReturnValue:
    name = web.typed("name")
    if problem := workspaces.name_problem(name):
        return render_template("workspaces/new.html", errors={"name": problem}), 422
    with web.database().begin() as db:
        scope = workspaces.create(db, me.id, name)
        browsers.look_at(db, me.session_id, scope.workspace_id)
    return redirect(auth.START, 303)


@bp.post("/workspaces/<uuid:workspace_id>/switch")
@web.signed_in
def switch(me: Person, workspace_id: uuid.UUID) -> ResponseReturnValue:
    with web.database().begin() as db:
        scope = enter(db, me.id, workspace_id)
        browsers.look_at(db, me.session_id, scope.workspace_id)
    return redirect(auth.START, 303)


@bp.get("/settings/workspace")
@web.within(Right.READ)
def index(scope: Scope) -> ResponseReturnValue:
    return _page(scope)


@bp.post("/settings/workspace")
@web.within(Right.MANAGE_WORKSPACE)
def rename(scope: Scope) -> ResponseReturnValue:
    name = web.typed("name")
    if problem := workspaces.name_problem(name):
        return _page(scope, errors={"name": problem}), 422
    with web.database().begin() as db:
        workspaces.rename(scope, db, name)
    web.notice("The name is saved.")
    return redirect(url_for("workspaces.index"), 303)


@bp.post("/settings/workspace/delete")
@web.within(Right.DELETE_WORKSPACE)
def delete(scope: Scope) -> ResponseReturnValue:
    """The workspace and its keys go in one transaction; what still runs on a key is cut when it commits."""
    keys = _connected(scope)
    try:
        with web.database().begin() as db:
            byok.revoke_all(scope, db)
            ad_accounts.revoke_all(scope, db)
            workspaces.delete(scope, db, typed_name=web.typed("typed_name"))
            browsers.look_at(db, current_user.session_id, None)
    except UserError as refused:
        if refused.status != 422:
            raise
        return _page(scope, errors={"typed_name": f"{refused.title}. {refused.hint}"}), 422
    web.notice(f"{scope.workspace_name} is deleted.")
    if keys:
        return redirect(url_for("workspaces.deleted", provider=[provider.slug for provider in keys]), 303)
    return redirect(auth.START, 303)


@bp.get("/workspaces/deleted")
@web.signed_in
def deleted(me: Person) -> ResponseReturnValue:
    """What is left to do at the providers. It names no workspace: the address carries the providers' slugs only."""
    known = web.parts().providers
    keys = [known[slug] for slug in dict.fromkeys(request.args.getlist("provider")) if slug in known]
    return render_template("workspaces/deleted.html", keys=keys)


def _page(scope: Scope, *, errors: dict[str, str] | None = None) -> str:
    return render_template(
        "workspaces/index.html", errors=errors or {}, keys=_connected(scope), Right=Right, role=a_role(scope.role)
    )


def _connected(scope: Scope) -> list[Provider]:
    """The providers with an active key whose console can revoke it."""
    known = web.parts().providers
    with web.database().begin() as db:
        slugs = [card.provider for card in byok.cards(scope, db)]
    return [known[slug] for slug in slugs if slug in known and known[slug].keys_url]
