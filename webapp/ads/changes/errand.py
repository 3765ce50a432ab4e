"""The work on one approved plan: who has it (a lease), and whether it may (still) be done."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy import func, or_, select, update

from webapp.accounts import Scope, enter
from webapp.ads import guards
from webapp.ads.changes import rows
from webapp.ads.platform import AdPlatform, Platforms
from webapp.db import Database, Session
from webapp.db.models import AdAudit, ChangeItem, ChangePlan
from webapp.errors import UserError

LEASE = timedelta(minutes=3)  # longer than any one call to a platform
ALTERED = "The stored plan is not the one that was approved. Nothing was changed."


@dataclass
class Errand:
    """The work on one plan: whose lease, as whom, and what is known on the way."""

    database: Database
    platforms: Platforms
    plan_id: uuid.UUID
    workspace_id: uuid.UUID
    owner: str
    opened: dict[uuid.UUID, AdPlatform] = field(default_factory=dict)
    closed: dict[uuid.UUID, str] = field(default_factory=dict)  # accounts that take no more, and why


class LeaseLost(Exception):
    """Another process has the plan now."""


def take(db: Session, database: Database, platforms: Platforms, plan_id: uuid.UUID, owner: str) -> Errand | None:
    """The lease, under a name that no other taker has; None if somebody else holds it."""
    name = f"{owner[:47]}/{secrets.token_hex(8)}"
    free = or_(ChangePlan.owner == "", ChangePlan.lease_until < func.now())
    taken = (
        update(ChangePlan)
        .where(ChangePlan.id == plan_id, ChangePlan.status == "approved", free)
        .values(owner=name, lease_until=func.now() + LEASE)
        .returning(ChangePlan.workspace_id)
    )
    workspace_id = db.scalar(taken)
    return Errand(database, platforms, plan_id, workspace_id, name) if workspace_id else None


def keep(errand: Errand, db: Session) -> None:
    """Renew the lease, and hold the plan's row until commit. Raises LeaseLost."""
    kept = (
        update(ChangePlan)
        .where(ChangePlan.id == errand.plan_id, ChangePlan.owner == errand.owner, ChangePlan.lease_until > func.now())
        .values(lease_until=func.now() + LEASE)
        .returning(ChangePlan.id)
    )
    if db.scalar(kept) is None:
        raise LeaseLost


def abandoned(db: Session) -> list[uuid.UUID]:
    """Approved plans that nobody carries out (any more): their lease ran out."""
    alone = (ChangePlan.status == "approved", ChangePlan.lease_until < func.now())
    return list(db.scalars(select(ChangePlan.id).where(*alone).order_by(ChangePlan.decided_at)))


def standing(errand: Errand, db: Session) -> tuple[Scope | None, str]:
    """Whoever approved, as they stand now; and why nothing (more) may be written, if so."""
    plan = db.get_one(ChangePlan, errand.plan_id, populate_existing=True)
    items = list(db.scalars(select(ChangeItem).where(ChangeItem.plan_id == plan.id).order_by(ChangeItem.position)))
    if rows.fingerprint(plan, items) != plan.plan_hash or not _was_approved(db, plan, items):
        return None, ALTERED
    try:
        scope = enter(db, plan.decided_by or uuid.UUID(int=0), plan.workspace_id)
    except UserError:
        return None, "Whoever approved it is no longer in the workspace."
    rails = guards.rails(scope, db)
    if not guards.may_approve(scope, rails):
        return scope, "Whoever approved it may no longer do so."
    if rails.mode != "on":
        return scope, "The guard rails of this workspace do not allow changes any more."
    return scope, "" if errand.platforms.writes else "The operator has switched all changes off."


def _was_approved(db: Session, plan: ChangePlan, items: Sequence[ChangeItem]) -> bool:
    """Whether the log, which nobody can rewrite, holds this person's approval of these very items."""
    found = db.scalars(select(AdAudit).where(AdAudit.plan_id == plan.id, AdAudit.event == "plan.approved")).all()
    ticked = [str(item.id) for item in items if item.status != "unticked"]
    return any(
        each.actor_id == plan.decided_by
        and each.body["plan_hash"] == plan.plan_hash.hex()
        and each.body["ticked"] == ticked
        for each in found
    )
