"""What every page shares: who is asking (guards), what may be sent (origin check), what comes back (fragments).

A view declares its policy with one decorator: @public, @signed_in or @within(right). create_app() refuses to start
with a rule that has none. Guarded views get the User or the Scope as their first argument.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, wraps
from pathlib import Path
from typing import Any, TypeVar

from flask import (
    Flask,
    Response,
    abort,
    current_app,
    flash,
    g,
    has_request_context,
    redirect,
    render_template,
    request,
    url_for,
)
from flask.typing import ResponseReturnValue
from flask_login import current_user

from webapp.accounts import Right, Scope, a_role, enter
from webapp.ads.opener import Opener
from webapp.analytics.source import Engine
from webapp.chat.log import TurnLog
from webapp.chat.model_lists import ModelLists
from webapp.chat.runner import Runner
from webapp.config import Settings
from webapp.db import Database
from webapp.errors import Link, UserError
from webapp.llm.client import Client
from webapp.llm.providers import Provider
from webapp.vault.keyring import Keyring

View = TypeVar("View", bound=Callable[..., ResponseReturnValue])

INVISIBLE = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")

STATIC = Path(__file__).resolve().parents[2] / "static"

FROM_OTHER_SITES = frozenset({"collect.receive"})  # it knows nobody by a cookie, and checks origins by itself

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
    "X-Frame-Options": "DENY",
}


@dataclass(frozen=True)
class Parts:
    """What create_app() put together; views reach it through parts()."""

    settings: Settings
    database: Database
    providers: dict[str, Provider]
    keyring: Keyring
    client: Client
    log: TurnLog
    platforms: Opener
    runner: Runner
    engine: Engine | None  # of analytics; None: our own database
    models: ModelLists


def parts() -> Parts:
    found: Parts = current_app.extensions["parts"]
    return found


def database() -> Database:
    return parts().database


# --- policies ---------------------------------------------------------------------------------------------------


def public(view: View) -> View:
    """Anyone may ask."""
    view.policy = "public"  # type: ignore[attr-defined]
    return view


def signed_in(view: View) -> View:
    """Only a signed-in person; the view gets the User first."""

    @wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> ResponseReturnValue:
        if not current_user.is_authenticated:
            return ask_to_sign_in()
        return view(current_user, *args, **kwargs)

    guarded.policy = "signed_in"  # type: ignore[attr-defined]
    return guarded  # type: ignore[return-value]


def within(right: Right) -> Callable[[View], View]:
    """Only a member of the current workspace whose role has `right`; the view gets the Scope first."""

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(*args: Any, **kwargs: Any) -> ResponseReturnValue:
            if not current_user.is_authenticated:
                return ask_to_sign_in()
            scope = current_scope()
            if scope is None:
                return redirect(url_for("workspaces.new"))
            if not scope.may(right):
                raise UserError(
                    "Your role does not allow this",
                    f"You are {a_role(scope.role)} of {scope.workspace_name}. Ask an owner or admin.",
                    link=Link("Members", url_for("members.index")),
                    status=403,
                )
            return view(scope, *args, **kwargs)

        guarded.policy = right  # type: ignore[attr-defined]
        return guarded  # type: ignore[return-value]

    return decorate


def current_scope() -> Scope | None:
    """The Scope of the signed-in person in the workspace they look at; None without one. Raises a 409 UserError
    when the page that was sent belongs to another workspace (switched in another tab)."""
    scope = scope_shown()
    meant = request.form.get("workspace") or request.headers.get("X-Workspace")
    if scope and meant and meant != str(scope.workspace_id):
        raise UserError(
            "You switched to another workspace",
            f"This page belongs to a different workspace than {scope.workspace_name}. Nothing was changed. Reload it.",
            status=409,
        )
    return scope


def scope_shown() -> Scope | None:
    """The same without the check, for what only frames a page: the rail must stand around that error, too."""
    if "scope" not in g:
        g.scope = _find_scope()
    found: Scope | None = g.scope
    return found


def _find_scope() -> Scope | None:
    if not current_user.is_authenticated or current_user.workspace_id is None:
        return None
    with database().look() as db, suppress(UserError):  # taken out a moment ago: as without a workspace
        return enter(db, current_user.id, current_user.workspace_id)
    return None


def ask_to_sign_in() -> ResponseReturnValue:
    """To the sign-in page: by redirect, or for htmx by 401 with HX-Redirect (reference/htmx.md §1.2)."""
    if is_htmx():
        _, _, page = request.headers.get("HX-Current-URL", "").partition(request.host_url.rstrip("/"))
        back = local_path(page, "") or None
        return Response(status=401, headers={"HX-Redirect": url_for("auth.sign_in", next=back)})
    back = request.full_path.rstrip("?") if request.method == "GET" else None
    return redirect(url_for("auth.sign_in", next=back))


def local_path(target: str | None, default: str) -> str:
    """`target` if it is a path on this site, else `default`: no open redirect."""
    if not target or not target.startswith("/") or target.startswith(("//", "/\\")) or not target.isprintable():
        return default
    return target


def typed(name: str) -> str:
    """What was typed in a one-line field, without outer space, control characters and direction marks."""
    return " ".join(INVISIBLE.sub(" ", request.form.get(name, "")).split())


def uuid_or_404(value: str) -> uuid.UUID:
    try:
        return uuid.UUID(value)
    except ValueError:
        abort(404)


# --- fragments and pages ----------------------------------------------------------------------------------------


def is_htmx() -> bool:
    return request.headers.get("HX-Request") == "true" and request.headers.get("HX-Boosted") != "true"


def in_drawer() -> bool:
    """Whether what is asked for goes into the drawer (drawer.py), which says so in a header, and not into the page."""
    return has_request_context() and (request.blueprint == "drawer" or "X-Drawer" in request.headers)


def fragment_or_redirect(template: str, to: str, *, status: int = 200, **context: Any) -> ResponseReturnValue:
    """The fragment for htmx; for a plain form a redirect."""
    if is_htmx():
        return render_template(template, **context), status
    return redirect(to, code=303)


def new_page(to: str) -> ResponseReturnValue:
    """A redirect; for htmx an order to load the page, since a redirect would be followed into the fragment's place."""
    if is_htmx():
        return Response(headers={"HX-Redirect": to})
    return redirect(to, code=303)


def notice(title: str, *, category: str = "success") -> None:
    """A sentence shown once, on the next page or beside the next fragment."""
    flash(title, category)


# --- what may be sent -------------------------------------------------------------------------------------------


def check_origin() -> None:
    """Cross-site requests may not change anything: Sec-Fetch-Site first, Origin where a browser has no such header.

    A client that sends neither is no browser and carries nobody's cookie by accident.
    """
    if request.method in ("GET", "HEAD", "OPTIONS") or request.endpoint in FROM_OTHER_SITES:
        return
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        if site not in ("same-origin", "none"):
            raise UserError("Request refused", "It came from another site.", status=403)
        return
    origin = request.headers.get("Origin")
    if origin is not None and origin != request.host_url.rstrip("/"):
        raise UserError("Request refused", "It came from another site.", status=403)


def check_text() -> None:
    """No value holds NUL: PostgreSQL's text cannot, and nobody types it."""
    sent = (*request.args.items(multi=True), *request.form.items(multi=True))
    if any("\0" in value for _, value in sent):
        raise UserError("Request refused", "It holds a character that is not text.", status=400)


def add_headers(response: Response) -> Response:
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    if parts().settings.secure_cookies:
        response.headers.setdefault("Strict-Transport-Security", "max-age=31536000; includeSubDomains")
    if request.endpoint != "static":
        response.headers.setdefault("Cache-Control", "no-store")
        response.vary.add("Cookie")
    elif "h" in request.args and response.status_code == 200:  # the URL names the content: static_url()
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
    return response


# --- static files -----------------------------------------------------------------------------------------------


@cache
def _hash(filename: str) -> str:
    return hashlib.sha256((STATIC / filename).read_bytes()).hexdigest()[:10]


def static_url(filename: str) -> str:
    """The file's URL with a hash of its content, so that it may be cached for ever."""
    return _static_url(request.script_root if has_request_context() else "", filename)


@cache
def _static_url(script_root: str, filename: str) -> str:
    return url_for("static", filename=filename, h=_hash(filename))


# --- errors -----------------------------------------------------------------------------------------------------


def show_error(error: UserError) -> ResponseReturnValue:
    """The same error as a page, or for htmx as the #notice fragment."""
    if is_htmx():
        at = "drawer-notice" if in_drawer() else "notice"
        html = render_template("_notice.html", error=error, at=at)
        return Response(html, error.status, {"HX-Retarget": f"#{at}", "HX-Reswap": "outerHTML"})
    return render_template("errors/error.html", error=error), error.status


def check_policies(app: Flask) -> None:
    """Raises RuntimeError if a rule has no policy: a forgotten guard stops the start, not the attacker."""
    for rule in app.url_map.iter_rules():
        view = app.view_functions[rule.endpoint]
        if rule.endpoint != "static" and not hasattr(view, "policy"):
            raise RuntimeError(f"{rule.rule} ({rule.endpoint}) declares no policy")
