"""Changes: what waits for a person, what became of the rest, undo, and the log with its chain of hashes.

A card's own routes (approve, reject) are in approvals.py; the card itself is templates/changes/_plan.html.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import chain

from flask import Blueprint, Response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from webapp.accounts import Right, Scope
from webapp.ads import changelog, changes
from webapp.ads.changelog import Entry
from webapp.ads.changes import Refused
from webapp.ads.foreign import quoted
from webapp.errors import Link, UserError
from webapp.pages import cards, sheets, web
from webapp.pages.results import visible

bp = Blueprint("changes", __name__)

PLANS = 20  # of the history, on one page
ENTRIES = 500  # of the log, in one read
COLUMNS = ("campaign", "field", "before", "after", "message", "request_id", "model")
HEAD = ("seq", "at", "who", "event", "plan", "item", *COLUMNS, "more", "hash")


@bp.get("/changes")
@web.within(Right.READ)
def index(scope: Scope) -> ResponseReturnValue:
    before = _moment(request.args.get("before", ""))
    with web.database().begin() as db:
        waiting = [] if before else changes.open_plans(scope, db)
        found = changes.history(scope, db, before=before, limit=PLANS + 1)
        newest = changelog.entries(scope, db, limit=1)
        broken = changelog.verify(scope, db)
    return render_template(
        "changes/index.html",
        waiting=[cards.card_of(plan) for plan in waiting],
        history=[cards.card_of(plan) for plan in found[:PLANS]],
        older=found[PLANS - 1].created_at.isoformat() if len(found) > PLANS else "",
        first_page=before is None,
        newest=newest[0] if newest else None,
        broken=broken,
    )


@bp.post("/changes/<uuid:plan_id>/undo")
@web.within(Right.CHAT)
def undo(scope: Scope, plan_id: uuid.UUID) -> ResponseReturnValue:
    """Makes the plan that takes it back; it waits for a click of its own."""
    parts = web.parts()
    try:
        plan = changes.undo(scope, parts.database, parts.platforms, plan_id)
    except Refused as refused:
        back = Link("Changes", url_for("changes.index"))
        raise UserError(refused.title, visible(quoted(refused.hint)), link=back, status=refused.status) from None
    return redirect(url_for("changes.index") + f"#plan-{plan.id}", code=303)


@bp.get("/changes/log.csv")
@web.within(Right.READ)
def log(scope: Scope) -> ResponseReturnValue:
    """The whole log, the oldest entry first, as a spreadsheet may open it."""
    lines = sheets.lines(chain([HEAD], map(_line, reversed(list(_entries(scope))))))
    name = f"changes-{datetime.now(UTC):%Y-%m-%d}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response("".join(lines), mimetype="text/csv", headers=headers)


def _entries(scope: Scope) -> Iterator[Entry]:
    """The newest first, in pieces."""
    before = None
    while True:
        with web.database().begin() as db:
            piece = changelog.entries(scope, db, before=before, limit=ENTRIES)
        yield from piece
        if len(piece) < ENTRIES:
            return
        before = piece[-1].seq


def _line(entry: Entry) -> list[str]:
    more = {key: value for key, value in entry.body.items() if key not in COLUMNS}
    said = [entry.seq, entry.at.isoformat(), entry.actor, entry.event, entry.plan_id or "", entry.item_id or ""]
    said += [entry.body.get(name, "") for name in COLUMNS]
    said += [json.dumps(more, ensure_ascii=False, sort_keys=True) if more else "", entry.hash]
    return list(map(sheets.text, said))


def _moment(text: str) -> datetime | None:
    """From a link of ours; anything else is the first page."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else None
