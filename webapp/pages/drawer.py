"""The drawer: a conversation beside any page, opened with Meta+J. The same sessions, turns and composer as /chat, in
one fragment; what is sent, stopped or chosen in it goes to the chat's own routes (chat.py).

A drawer and /chat are never in one page, so that what they share keeps its ids (templates/layout.html). Which surface
it speaks with is the page's business: a section that has the name of a surface opens that one.
"""

from __future__ import annotations

import uuid
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from webapp.accounts import Right, Scope
from webapp.chat import transcript
from webapp.chat.surfaces import SURFACES
from webapp.pages import conversation, web

bp = Blueprint("drawer", __name__)

RECENT = 12  # sessions in its menu; the rest are on /chat


@bp.get("/drawer")
@web.within(Right.READ)
def index(scope: Scope) -> ResponseReturnValue:
    """A new conversation, perhaps about something (`context`) and with a question prepared (`draft`)."""
    asked = request.query_string.decode()
    return _shown(scope, None, f"{request.path}?{asked}", f"{url_for('chat.index')}?{asked}")


@bp.get("/drawer/<uuid:session_id>")
@web.within(Right.READ)
def show(scope: Scope, session_id: uuid.UUID) -> ResponseReturnValue:
    return _shown(scope, session_id, request.path, url_for("chat.show", session_id=session_id))


@bp.get("/drawer/recent")
@web.within(Right.READ)
def recent(scope: Scope) -> ResponseReturnValue:
    """The menu of sessions, as they are now."""
    surface = SURFACES[conversation.surface()]
    with web.database().look() as db:
        rows = transcript.sessions(scope, db, surface.name, limit=RECENT)
    return render_template("drawer/_recent.html", surface=surface, recent=rows)


def _shown(scope: Scope, session_id: uuid.UUID | None, place: str, page: str) -> ResponseReturnValue:
    """The fragment; who asks without htmx gets the page that shows the same."""
    shown = conversation.whole(scope, session_id)
    if not web.is_htmx():
        return redirect(page)
    rows = [row for day in shown["days"] for row in day.rows]
    return render_template("drawer/_body.html", place=place, recent=rows[:RECENT], **shown)


def home(section: str = "") -> str:
    """What the drawer opens with on a page of this section."""
    return url_for("drawer.index", surface=section if section in SURFACES else "chat")


@bp.record_once
def _furnish(state: Any) -> None:
    state.app.jinja_env.globals.update(drawer_home=home, in_drawer=web.in_drawer)
