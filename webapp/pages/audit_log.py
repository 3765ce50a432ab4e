"""Settings › Audit log: who did what, newest first, each deed as a sentence. What was changed in ads: changes.py."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from webapp import audit
from webapp.accounts import Right, Scope
from webapp.chat import limits
from webapp.pages import web

bp = Blueprint("audit_log", __name__)

PAGE = 50
LAST_ID = 2**63 - 1

DEEDS: dict[str, str] = {
    "key.connected": "connected a key for {provider}",
    "key.replaced": "replaced the key for {provider}",
    "key.revoked": "disconnected {provider}",
    "own_key.connected": "connected an own key for {provider}",
    "own_key.replaced": "replaced their own key for {provider}",
    "own_key.revoked": "disconnected a member's own key for {provider}",
    "budget.set": "set a limit of {limit}",
    "budget.removed": "removed the limit of {limit}",
    "policy.changed": "changed how answers are cached and paid",
    "ads.connected": "connected the {platform} account {subject}",
    "ads.replaced": "replaced the sign-in of the {platform} account {subject}",
    "ads.disconnected": "disconnected the {platform} account {subject}",
    "ads.target_set": "set the target CPA of {subject}",
    "ads.rails_set": "set what Maxxer may change ({subject})",
    "ads.imported": "imported figures into {subject}",
    "shop.saved": "set up the shop {subject}",
    "shop.sites_set": "set the sites that may send visits to {subject}",
    "shop.key_changed": "replaced the collector's key",
    "shop.demo_removed": "removed the demo's shop",
    "shop.orders_imported": "imported orders: {new} new, {changed} changed",
    "member.invited": "invited somebody as {role}",
    "member.invitation_revoked": "withdrew an invitation as {role}",
    "member.joined": "joined as {role}",
    "member.role_changed": "changed {subject} from {was} to {role}",
    "member.removed": "removed {subject}",
    "workspace.created": "created the workspace {subject}",
    "workspace.renamed": "renamed the workspace from {was} to {subject}",
    "workspace.deleted": "deleted the workspace",
}
WHOSE = {"workspace": "for the workspace", "everyone": "for every member", "turn": "", "member": "for {name}"}


@bp.get("/settings/audit")
@web.within(Right.READ)
def index(scope: Scope) -> ResponseReturnValue:
    before = request.args.get("before", type=int)
    with web.database().begin() as db:
        found = audit.entries(scope, db, before=min(before, LAST_ID) if before else None, limit=PAGE + 1)
    shown = found[:PAGE]
    older = shown[-1].id if len(found) > PAGE else None
    return render_template(
        "audit_log/index.html", entries=[(e, deed(e)) for e in shown], older=older, newest=not before
    )


def deed(entry: audit.Entry) -> str:
    """What was done, as the end of a sentence that begins with a name."""
    if entry.action == "member.removed" and entry.details.get("left"):
        return "left the workspace"
    sentence = DEEDS.get(entry.action)
    return sentence.format_map(_known(entry)) if sentence else f"{entry.action} {entry.subject}".strip()


def _known(entry: audit.Entry) -> dict[str, Any]:
    provider = web.parts().providers.get(entry.subject)
    known = {**entry.details, "subject": entry.subject, "provider": provider.name if provider else entry.subject}
    return {**known, "limit": _limit(entry)} if entry.action.startswith("budget.") else known


def _limit(entry: audit.Entry) -> str:
    of = entry.details
    whose = WHOSE[of["applies_to"]].format(name=entry.subject)
    return f"{limits.size(of['amount'], of['unit'], of['period'])} {whose}".rstrip()
