"""Sign up, sign in, sign out, and who is asking: Flask-Login's user comes from our own session table, by cookie.

Flask's own session cookie carries flashed notices only, never an identity.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Request, g, has_request_context, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import LoginManager, UserMixin, current_user
from werkzeug.local import LocalProxy
from werkzeug.wrappers import Response as BaseResponse

from webapp.accounts import browsers, passwords, people, throttle, workspaces
from webapp.accounts.throttles import network
from webapp.errors import UserError
from webapp.pages import web

bp = Blueprint("auth", __name__)

START = "/chat"
QUARTER_HOUR, HOUR = 15 * 60, 60 * 60
WRONG = "Email or password is wrong."


@dataclass(frozen=True)
class Person(UserMixin):  # type: ignore[misc]  # flask_login has no types
    """The signed-in person, as `current_user` and as the first argument of a @web.signed_in view."""

    id: uuid.UUID
    name: str
    email: str
    theme: str
    session_id: uuid.UUID
    workspace_id: uuid.UUID | None  # the one being looked at


# --- who is asking ----------------------------------------------------------------------------------------------


def install(login_manager: LoginManager) -> None:
    """Let Flask-Login find the person by our cookie. Its own cookies stay unused."""
    login_manager.session_protection = None
    login_manager.request_loader(find_person)


def find_person(asking: Request) -> Person | None:
    token = asking.cookies.get(cookie_name(), "")
    if not token:
        return None
    with web.database().look() as db:
        visitor = browsers.find(db, token)
    if visitor is None:
        return None
    if visitor.lost:
        web.notice(f"You are no longer in {visitor.lost}.", category="info")
    return Person(visitor.user_id, visitor.name, visitor.email, visitor.theme, visitor.session_id, visitor.workspace_id)


def cookie_name() -> str:
    """`__Host-` makes the browser insist on HTTPS, this host and path /; without HTTPS it would drop the cookie."""
    return "__Host-sid" if web.parts().settings.secure_cookies else "sid"


def begin_session(user_id: uuid.UUID, to: str) -> BaseResponse:
    """The redirect that signs the browser in, under a new token. What it was signed in with before ends here."""
    with web.database().begin() as db:
        token = browsers.open_session(
            db,
            user_id,
            ip=request.remote_addr or "",
            user_agent=request.user_agent.string,
            replacing=request.cookies.get(cookie_name(), ""),
        )
    return keep_token(redirect(to, 303), token)


def keep_token(response: BaseResponse, token: str) -> BaseResponse:
    response.set_cookie(
        cookie_name(),
        token,
        max_age=browsers.ABSOLUTE,
        path="/",
        httponly=True,
        samesite="Lax",
        secure=web.parts().settings.secure_cookies,
    )
    return response


@bp.app_context_processor
def furniture() -> dict[str, Any]:
    """For every template: `me` (Person or None), `scope` (Scope or None), `my_workspaces` (read when looped over)."""
    me = current_user if has_request_context() and current_user.is_authenticated else None
    return {"me": me, "scope": web.scope_shown() if me else None, "my_workspaces": LocalProxy(_my_workspaces)}


def _my_workspaces() -> list[workspaces.Joined]:
    if "my_workspaces" not in g:
        with web.database().begin() as db:
            g.my_workspaces = workspaces.of(db, current_user.id) if current_user.is_authenticated else []
    found: list[workspaces.Joined] = g.my_workspaces
    return found


# --- pages ------------------------------------------------------------------------------------------------------


@bp.get("/")
@web.public
def home() -> ResponseReturnValue:
    return redirect(START if current_user.is_authenticated else url_for("auth.sign_in"))


@bp.get("/sign-in")
@web.public
def sign_in() -> ResponseReturnValue:
    if current_user.is_authenticated:
        return redirect(_destination())
    return _sign_in_page()


@bp.post("/sign-in")
@web.public
def check_sign_in() -> ResponseReturnValue:
    email, password = people.normal_email(web.typed("email")), request.form.get("password", "")
    if refused := _too_often(f"sign-in {email} {_network()}", 10) or _too_often(f"sign-in {_network()}", 50):
        return _sign_in_page(refused=refused), 429
    with web.database().begin() as db:
        known = people.by_email(db, email)
    if not passwords.fits(password, known.password_hash if known else None) or known is None:
        return _sign_in_page(errors={"password": WRONG}), 422
    if passwords.outdated(known.password_hash):
        _hash_again(known.user_id, password)
    return begin_session(known.user_id, _destination())


@bp.get("/sign-up")
@web.public
def sign_up() -> ResponseReturnValue:
    if current_user.is_authenticated:
        return redirect(_destination())
    return _sign_up_page()


@bp.post("/sign-up")
@web.public
def create_account() -> ResponseReturnValue:
    name, email, company = web.typed("name"), people.normal_email(web.typed("email")), web.typed("company")
    password = request.form.get("password", "")
    errors = _problems(name, email, company, password)
    if errors:
        return _sign_up_page(errors=errors), 422
    if refused := _too_often(f"sign-up {_network()}", 20, per=HOUR):
        return _sign_up_page(refused=refused), 429
    user_id = _make_account(name, email, company, passwords.hashed(password))
    if user_id is None:
        return _sign_up_page(errors={"email": "There is an account with this address already. Sign in instead."}), 422
    return begin_session(user_id, _destination())


@bp.post("/sign-out")
@web.public
def sign_out() -> ResponseReturnValue:
    with web.database().begin() as db:
        browsers.close_by_token(db, request.cookies.get(cookie_name(), ""))
    response = redirect(url_for("auth.sign_in", next=request.form.get("next")), 303)
    response.delete_cookie(
        cookie_name(), path="/", httponly=True, samesite="Lax", secure=web.parts().settings.secure_cookies
    )
    return response


def _make_account(name: str, email: str, company: str, password_hash: str) -> uuid.UUID | None:
    """The new user's id; None if the address is taken. Who comes to join a workspace needs none of their own."""
    with web.database().begin() as db:
        user_id = people.sign_up(db, name=name, email=email, password_hash=password_hash)
        if user_id and (company or not _comes_invited()):
            workspaces.create(db, user_id, company or f"{name[:68]}'s workspace")
    return user_id


def _hash_again(user_id: uuid.UUID, password: str) -> None:
    """With today's parameters: the one moment when the password is at hand."""
    phc = passwords.hashed(password)
    with web.database().begin() as db:
        people.set_password(db, user_id, phc)


def _problems(name: str, email: str, company: str, password: str) -> dict[str, str]:
    found = {
        "name": people.name_problem(name),
        "email": people.email_problem(email),
        "company": workspaces.name_problem(company) if company else "",
        "password": passwords.problem(password, email),
    }
    return {field: problem for field, problem in found.items() if problem}


def _sign_in_page(*, errors: dict[str, str] | None = None, refused: UserError | None = None) -> str:
    return render_template(
        "auth/sign_in.html",
        errors=errors or {},
        refused=refused,
        next=_destination(),
        demo=web.parts().settings.demo_sign_in,
    )


def _sign_up_page(*, errors: dict[str, str] | None = None, refused: UserError | None = None) -> str:
    return render_template(
        "auth/sign_up.html", errors=errors or {}, refused=refused, next=_destination(), invited=_comes_invited()
    )


def _destination() -> str:
    return web.local_path(request.values.get("next"), START)


def _comes_invited() -> bool:
    return _destination().startswith("/invitations/")


def _too_often(bucket: str, limit: int, *, per: int = QUARTER_HOUR) -> UserError | None:
    """Count the attempt, in a transaction of its own; the refusal, if it was one too many."""
    try:
        with web.database().begin() as db:
            throttle(db, bucket, limit, per)
    except UserError as refused:
        return refused
    return None


def _network() -> str:
    return network(request.remote_addr or "")
