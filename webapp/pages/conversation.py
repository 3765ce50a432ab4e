"""A conversation as a page shows it, on /chat and in the drawer: the session and its turns, the sessions before it, the
models to choose from, and what a question is about while it is being written."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from flask import request

from webapp.accounts import Right, Scope
from webapp.ads import reports
from webapp.chat import picker, prefixes, transcript
from webapp.chat.picker import Group, Pick
from webapp.chat.surfaces import SURFACES
from webapp.chat.transcript import SessionRow
from webapp.errors import not_found
from webapp.llm.blocks import Context
from webapp.pages import web, words
from webapp.usage.warmth import Begins, Warmth, warmth

FEWEST_MODELS = 8  # rows that every provider gets
SHOWN_MODELS = 60  # rows of the picker; typing narrows the rest

SHOWN_SESSIONS = 50  # rows of the side list, until one asks for all

SUGGESTIONS: Mapping[str, Sequence[tuple[str, str]]] = {
    "chat": (
        ("bar-chart", "How did my campaigns do last week?"),
        ("search", "Which campaign has the best ROAS this month, and on how many orders?"),
        ("wrench", "Pause the campaigns with low ROAS."),
        ("megaphone", "Write three headlines for a summer sale of running shoes, under 30 characters each."),
    ),
    "analytics": (
        ("bar-chart", "How was the last month against the one before?"),
        ("search", "Which channel brings the most revenue?"),
        ("megaphone", "Where do visitors leave on the way to an order?"),
        ("wrench", "What stood out in the last four weeks?"),
    ),
}


def whole(scope: Scope, session_id: uuid.UUID | None) -> dict[str, Any]:
    """What chat/index.html and drawer/_body.html need; without an id a new conversation. Raises the not-found UserError
    for a session that is not the reader's own, in this workspace."""
    with web.database().look() as db:
        session = transcript.session(scope, db, session_id) if session_id else None
        turns = transcript.turns(scope, db, session.id) if session else []
        prepared = about(scope, db)
        context = around(scope, db, session)
    if _fetch_missing(scope, context["groups"]):
        with web.database().look() as db:
            context = around(scope, db, session)
    _refresh_stale(scope, context["groups"])
    live = next((turn.id for turn in turns if turn.live), None)
    return {"turns": turns, "live_turn": live, "about": prepared, "draft": request.args.get("draft", ""), **context}


def around(scope: Scope, db: Any, session: SessionRow | None) -> dict[str, Any]:
    """What stands around the transcript: the other sessions, the picker, whether one can write."""
    place = session.surface if session else surface()
    groups = picker.groups(scope, db, web.parts().providers)
    provider, model = picker.wanted(scope, db, *(session.choice if session else ()))
    pick = picker.current(scope, db, groups, provider, model)
    rows = transcript.sessions(scope, db, place)
    return {
        "surface": SURFACES[place],
        "suggestions": SUGGESTIONS.get(place, ()),
        "session": session,
        "session_id": session.id if session else None,
        "days": words.groupby_day(rows if "all" in request.args else rows[:SHOWN_SESSIONS]),
        "older": 0 if "all" in request.args else len(rows[SHOWN_SESSIONS:]),
        "groups": shortened(groups),
        "more": left_out(groups),
        "pick": pick,
        "warmth": warmth_of(scope, db, pick, session.id if session else None, place),
        "gone": model if groups and not pick else "",
        "ready": bool(groups) and scope.may(Right.CHAT),
        "demo_offered": "demo" in web.parts().providers,
        "renaming": None,
    }


def warmth_of(
    scope: Scope, db: Any, pick: Pick | None, session_id: uuid.UUID | None, surface_name: str
) -> Warmth | None:
    """Of what the next question would begin with."""
    if pick is None:
        return None
    prefix = prefixes.current(SURFACES[surface_name])
    return warmth(
        scope,
        db,
        provider=pick.provider.slug,
        model=pick.model,
        key_id=pick.key.id,
        session_id=session_id,
        begins=Begins(prefix.hash, prefix.tokens),
    )


def surface() -> str:
    """The surface that is asked for by name. Raises the not-found UserError for one that there is not."""
    name = request.values.get("surface", "chat")
    if name not in SURFACES:
        raise not_found()
    return name


# --- what a question is about -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class About:
    """`value` is its name in links and forms (`campaign:<id>`), `context` what goes before the question."""

    value: str
    context: Context

    @property
    def label(self) -> str:
        return self.context.label


def about(scope: Scope, db: Any) -> About | None:
    """What `context` of the link or form names: looked up here, nothing of it is the browser's word. Raises UserError
    for what is not there, or not theirs."""
    value = request.values.get("context", "")
    kind, _, name = value.partition(":")
    if not kind:
        return None
    if kind != "campaign":
        raise not_found()
    return About(value, Context(*reports.campaign_context(scope, db, web.uuid_or_404(name))))


# --- models to choose from --------------------------------------------------------------------------------------


def shortened(groups: Sequence[Group]) -> list[Group]:
    """What fits: each provider gets its share, so that one with hundreds of models hides no other."""
    share = max(FEWEST_MODELS, SHOWN_MODELS // max(1, len(groups)))
    return [replace(group, picks=group.picks[:share]) for group in groups]


def left_out(groups: Sequence[Group]) -> int:
    return sum(len(g.picks) for g in groups) - sum(len(g.picks) for g in shortened(groups))


def _fetch_missing(scope: Scope, groups: Iterable[Group]) -> bool:
    """A key that was connected a moment ago may have no list yet: the first page waits for it, once. True if it did."""
    missing = [group for group in groups if group.stale and not group.picks]
    for group in missing:
        web.parts().models.fetch(scope, group.key)
    return bool(missing)


def _refresh_stale(scope: Scope, groups: Iterable[Group]) -> None:
    parts = web.parts()
    for group in groups:
        if group.stale:
            parts.runner.in_background(parts.models.fetch, scope, group.key)
