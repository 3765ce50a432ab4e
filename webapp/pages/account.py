"""Settings › Account: a person's name, password, theme and signed-in browsers. Their workspaces: workspaces.py."""

from __future__ import annotations

import uuid
from typing import Any

from flask import Blueprint, Response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from webapp.accounts import browsers, passwords, people, throttle
from webapp.errors import UserError, not_found
from webapp.pages import auth, web
from webapp.pages.auth import Person

bp = Blueprint("account", __name__)

# The first word found names it. Order matters: Edge also calls itself Chrome, Chrome also calls itself Safari.
BROWSERS = {
    "Edg": "Edge",
    "OPR": "Opera",
    "Firefox": "Firefox",
    "Chrom": "Chrome",
    "CriOS": "Chrome",
    "Safari": "Safari",
}
SYSTEMS = {
    "Android": "Android",
    "iPhone": "iPhone",
    "iPad": "iPad",
    "Windows": "Windows",
    "Mac": "macOS",
    "Linux": "Linux",
}


@bp.get("/settings/account")
@web.signed_in
def index(me: Person) -> ResponseReturnValue:
    return _page(me)


@bp.post("/settings/account/name")
@web.signed_in
def rename(me: Person) -> ResponseReturnValue:
    name = web.typed("name")
    if problem := people.name_problem(name):
        return _page(me, errors={"name": problem}), 422
    with web.database().begin() as db:
        people.rename(db, me.id, name)
    web.notice("Your name is saved.")
    return redirect(url_for("account.index"), 303)


@bp.post("/settings/account/password")
@web.signed_in
def change_password(me: Person) -> ResponseReturnValue:
    """Every other browser is signed out; this one goes on under a new session id."""
    with web.database().begin() as db:
        throttle(db, f"password {me.id}", 10, auth.QUARTER_HOUR)
    current, new = request.form.get("current", ""), request.form.get("password", "")
    errors = _password_problems(me, current, new)
    if errors:
        return _page(me, errors=errors), 422
    phc = passwords.hashed(new)
    with web.database().begin() as db:
        people.set_password(db, me.id, phc)
        others = browsers.close_others(db, me.id, me.session_id)
        token = browsers.renew(db, me.session_id)
    web.notice("Your password is changed." + (" Your other browsers are signed out." if others else ""))
    return auth.keep_token(redirect(url_for("account.index"), 303), token)


@bp.post("/settings/theme")
@web.signed_in
def set_theme(me: Person) -> ResponseReturnValue:
    theme = request.form.get("theme", "")
    if theme not in people.THEMES:
        raise UserError("Choose a theme", "It is one of system, light and dark.", status=422)
    with web.database().begin() as db:
        people.set_theme(db, me.id, theme)
    if web.is_htmx():
        return Response(headers={"HX-Refresh": "true"})
    return redirect(web.local_path(request.form.get("next"), url_for("account.index")), 303)


@bp.post("/settings/account/browsers/<uuid:browser_id>/sign-out")
@web.signed_in
def close_browser(me: Person, browser_id: uuid.UUID) -> ResponseReturnValue:
    with web.database().begin() as db:
        closed = browsers.close(db, me.id, browser_id)
    if not closed:
        raise not_found()
    return _after_closing(me, "That browser is signed out.")


@bp.post("/settings/account/browsers/sign-out")
@web.signed_in
def close_other_browsers(me: Person) -> ResponseReturnValue:
    with web.database().begin() as db:
        browsers.close_others(db, me.id, me.session_id)
    return _after_closing(me, "Your other browsers are signed out.")


def browser_name(user_agent: str) -> str:
    """For people: "Firefox on Linux". A guess from a header that anyone may set."""
    browser = next((name for word, name in BROWSERS.items() if word in user_agent), "Unknown browser")
    system = next((name for word, name in SYSTEMS.items() if word in user_agent), "")
    return f"{browser} on {system}" if system else browser


def _after_closing(me: Person, said: str) -> ResponseReturnValue:
    web.notice(said)
    return web.fragment_or_redirect("account/_browsers.html", url_for("account.index"), oob=True, **_browsers(me))


def _password_problems(me: Person, current: str, new: str) -> dict[str, str]:
    with web.database().begin() as db:
        known = people.by_id(db, me.id)
    if not passwords.fits(current, known.password_hash if known else None):
        return {"current": "This is not your current password."}
    problem = passwords.problem(new, me.email)
    return {"password": problem} if problem else {}


def _page(me: Person, *, errors: dict[str, str] | None = None) -> str:
    return render_template("account/index.html", errors=errors or {}, **_browsers(me))


def _browsers(me: Person) -> dict[str, Any]:
    with web.database().begin() as db:
        return {"browsers": browsers.of(db, me.id), "browser_name": browser_name, "here": me.session_id}
