"""The demo account in somebody's workspace, and the messages that let the simulator's model call tools on it."""

from __future__ import annotations

import html
import json
import re
from datetime import UTC, datetime
from typing import Any

from webapp.accounts import Scope
from webapp.ads import changes
from webapp.ads.local import allow_changes, seed_demo
from webapp.ads.plans import PlanView
from webapp.db import Database
from webapp.db.models import Campaign, ChangePlan

BRAND = "Brand | Search"  # active, 25 USD a day, a budget of its own
VIDEO = "Video | Product stories"  # likewise, 20 USD


def open_demo(scope: Scope, database: Database) -> None:
    """The demo account, in a workspace whose guard rails let plans be approved."""
    with database.begin() as db:
        seed_demo(scope, db, datetime.now(UTC).date(), visit_days=0)
        allow_changes(scope, db)


def call(name: str, **arguments: Any) -> str:
    """A directive: a call of the model, in the order of the message, `[[sim tools=N]]` of them a round."""
    return f"[[sim tool={name} {json.dumps(arguments)}]]"


def pause(*campaigns: str) -> str:
    """A message that lets the model propose to pause these, each by a call of its own, and then say something short."""
    wanted = {"status": "paused", "reason": "They asked."}
    proposals = " ".join(call("update_campaign", campaign_id=each, **wanted) for each in campaigns)
    return f"Pause {len(campaigns)} please. {proposals} [[sim tools={len(campaigns)} tokens=12]]"


def status_of(database: Database, scope: Scope, name: str) -> str:
    with database.look() as db:
        row = db.query(Campaign).filter_by(workspace_id=scope.workspace_id, name=name).one()
        return row.status


def plans(database: Database, scope: Scope) -> list[PlanView]:
    """Every plan of the workspace, in the order they were made."""
    with database.look() as db:
        rows = db.query(ChangePlan).filter_by(workspace_id=scope.workspace_id).order_by(ChangePlan.created_at)
        ids = [row.id for row in rows]
        return [changes.plan(scope, db, plan_id) for plan_id in ids]


def form_of(page: str, plan: PlanView) -> dict[str, Any]:
    """What the card's form sends when nothing was unticked. Fails where the page holds no such form."""
    start = page.index(f'action="/changes/{plan.id}/approve"')
    inside = page[start : page.index("</form>", start)]
    fields = dict(re.findall(r'<input type="hidden" name="([a-z_]+)" value="([^"]*)"', inside))
    items = re.findall(r'<input type="checkbox" name="item" value="([^"]*)"[^>]* checked', inside)
    return {name: html.unescape(value) for name, value in fields.items()} | {"item": items}
