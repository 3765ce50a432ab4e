"""Guard rails: what changes a workspace allows at most, and who may approve them. checks.py applies them to a plan."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sqlalchemy import func
from sqlalchemy.dialects.postgresql import insert

from webapp import audit
from webapp.accounts import Right, Scope
from webapp.db import Session
from webapp.db.models import GuardRails
from webapp.errors import UserError

Mode = Literal["off", "preview", "on"]
Approvers = Literal["admins", "members"]

RANGES = {
    "budget_change_pct": (1, 200, "The largest change of a budget is from 1 to 200 percent."),
    "max_campaigns": (1, 50, "The campaigns of one plan are from 1 to 50."),
    "max_spend_share_pct": (1, 100, "The share of spend is from 1 to 100 percent."),
    "cooldown_hours": (0, 168, "The cooldown is from 0 to 168 hours."),
}


@dataclass(frozen=True)
class Rails:
    """Caps are micros per day in `cap_currency`. The defaults are those of a workspace that has set nothing."""

    mode: Mode = "preview"
    approvers: Approvers = "admins"
    budget_change_pct: int = 20
    campaign_cap_micros: int | None = None
    workspace_cap_micros: int | None = None
    step_up_micros: int | None = None  # a plan that moves more per day has to be typed
    cap_currency: str = ""
    max_campaigns: int = 10  # in one plan that pauses several
    max_spend_share_pct: int = 30  # of the last 7 days' spend, in one plan that pauses several
    cooldown_hours: int = 24


def rails(scope: Scope, db: Session) -> Rails:
    """The workspace's rails, or the defaults."""
    row = db.get(GuardRails, scope.workspace_id, populate_existing=True)
    if row is None:
        return Rails()
    return Rails(
        mode="on" if row.mode == "on" else "preview" if row.mode == "preview" else "off",
        approvers="members" if row.approvers == "members" else "admins",
        budget_change_pct=row.budget_change_pct,
        campaign_cap_micros=row.campaign_cap_micros,
        workspace_cap_micros=row.workspace_cap_micros,
        step_up_micros=row.step_up_micros,
        cap_currency=row.cap_currency,
        max_campaigns=row.max_campaigns,
        max_spend_share_pct=row.max_spend_share_pct,
        cooldown_hours=row.cooldown_hours,
    )


def set_rails(scope: Scope, db: Session, wanted: Rails) -> None:
    """Needs Right.MANAGE_ADS. Raises a 422 UserError for a value out of range, which names it."""
    if not scope.may(Right.MANAGE_ADS):
        raise UserError("Your role does not allow this", "Ask an owner or admin to set the guard rails.", status=403)
    if wrong := _out_of_range(wanted):
        raise UserError("The guard rails were not saved", wrong, status=422)
    values = {**vars(wanted), "updated_by": scope.user_id, "updated_at": func.now()}
    row = insert(GuardRails).values(workspace_id=scope.workspace_id, **values)
    db.execute(row.on_conflict_do_update(index_elements=[GuardRails.workspace_id], set_=values))
    audit.record(scope, db, "ads.rails_set", wanted.mode, **vars(wanted))


def _out_of_range(wanted: Rails) -> str:
    for name, (least, most, sentence) in RANGES.items():
        if not least <= getattr(wanted, name) <= most:
            return sentence
    amounts = [wanted.campaign_cap_micros, wanted.workspace_cap_micros, wanted.step_up_micros]
    if any(amount is not None and amount <= 0 for amount in amounts):
        return "An amount is more than zero, or left empty."
    if any(amount is not None for amount in amounts) and len(wanted.cap_currency) != 3:
        return "Amounts need a currency, such as EUR."
    if wanted.mode not in ("off", "preview", "on") or wanted.approvers not in ("admins", "members"):
        return "Choose one of the options."
    return ""


def may_approve(scope: Scope, rails: Rails) -> bool:
    """Whether the person may approve and reject: by role, or as a member where the rails let members."""
    return scope.may(Right.APPROVE_CHANGES) or (rails.approvers == "members" and scope.may(Right.CHAT))
