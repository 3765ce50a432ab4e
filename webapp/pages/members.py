"""Settings › Members: who is in the workspace as what, and the links that let others in."""

from __future__ import annotations

import uuid
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from webapp.accounts import Right, Scope, a_role, browsers, invitations, members, throttle
from webapp.accounts.throttles import network
from webapp.pages import auth, web
from webapp.pages.auth import Person
from webapp.vault import byok

bp = Blueprint("members", __name__)


@bp.get("/settings/members")
@web.within(Right.READ)
def index(scope: Scope) -> ResponseReturnValue:
    return render_template("members/index.html", **_members(scope), **_invitations(scope))


@bp.post("/settings/members/<uuid:user_id>/role")
@web.within(Right.MANAGE_MEMBERS)
def change_role(scope: Scope, user_id: uuid.UUID) -> ResponseReturnValue:
    with web.database().begin() as db:
        members.change_role(scope, db, user_id, request.form.get("role", ""))
        member = members.find(scope, db, user_id)
    web.notice(f"{member.name} is now {a_role(member.role)} of {scope.workspace_name}.")
    return _after_change(scope, user_id)


@bp.post("/settings/members/<uuid:user_id>/remove")
@web.within(Right.MANAGE_MEMBERS)
def remove(scope: Scope, user_id: uuid.UUID) -> ResponseReturnValue:
    with web.database().begin() as db:
        gone = members.remove(scope, db, user_id)
        byok.forget_member(scope, db, user_id)
    web.notice(f"{gone.name} is no longer in {scope.workspace_name}.")
    return _after_change(scope, user_id)


@bp.post("/settings/members/leave")
@web.within(Right.READ)
def leave(scope: Scope) -> ResponseReturnValue:
    with web.database().begin() as db:
        members.leave(scope, db)
        byok.forget_member(scope, db, scope.user_id)
        browsers.look_at(db, current_user.session_id, None)
    web.notice(f"You have left {scope.workspace_name}.")
    return web.new_page(auth.START)


@bp.post("/settings/invitations")
@web.within(Right.MANAGE_MEMBERS)
def invite(scope: Scope) -> ResponseReturnValue:
    """The one page that follows a POST without a redirect: the link is shown now and never again."""
    with web.database().begin() as db:
        token = invitations.create(scope, db, role=request.form.get("role", ""), note=web.typed("note"))
    link = url_for("members.invitation", token=token, _external=True)
    if web.is_htmx():
        return render_template("members/_invitations.html", link=link, **_invitations(scope))
    return render_template("members/index.html", link=link, **_members(scope), **_invitations(scope))


@bp.post("/settings/invitations/<uuid:invitation_id>/revoke")
@web.within(Right.MANAGE_MEMBERS)
def revoke_invitation(scope: Scope, invitation_id: uuid.UUID) -> ResponseReturnValue:
    with web.database().begin() as db:
        invitations.revoke(scope, db, invitation_id)
    web.notice("The link no longer works.")
    return web.fragment_or_redirect(
        "members/_invitations.html", url_for("members.index"), oob=True, **_invitations(scope)
    )


# --- for who holds a link ---------------------------------------------------------------------------------------


@bp.get("/invitations/<token>")
@web.public
def invitation(token: str) -> ResponseReturnValue:
    with web.database().begin() as db:
        offer = invitations.offer(db, token)
    return render_template("members/invitation.html", offer=offer, role=a_role(offer.role), token=token)


@bp.post("/invitations/<token>/accept")
@web.signed_in
def accept(me: Person, token: str) -> ResponseReturnValue:
    with web.database().begin() as db:
        throttle(db, f"invitation {network(request.remote_addr or '')}", 30, auth.QUARTER_HOUR)
    with web.database().begin() as db:
        scope = invitations.accept(db, token, me.id)
        browsers.look_at(db, me.session_id, scope.workspace_id)
    web.notice(f"You are now in {scope.workspace_name}.")
    return redirect(auth.START, 303)


def _after_change(scope: Scope, user_id: uuid.UUID) -> ResponseReturnValue:
    """The list anew; for who changed their own role the whole page, since all of it depends on that."""
    to = url_for("members.index")
    if user_id == scope.user_id:
        return web.new_page(to)
    return web.fragment_or_redirect("members/_members.html", to, oob=True, **_members(scope))


def _members(scope: Scope) -> dict[str, Any]:
    with web.database().begin() as db:
        return {
            "members": members.listed(scope, db),
            "may_touch": members.may_touch,
            "roles": members.roles_to_give(scope),
        }


def _invitations(scope: Scope) -> dict[str, Any]:
    if not scope.may(Right.MANAGE_MEMBERS):
        return {"invitations": None, "invitable": ()}
    with web.database().begin() as db:
        return {"invitations": invitations.listed(scope, db), "invitable": invitations.INVITABLE}
