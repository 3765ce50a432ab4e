"""The rows of plans and their items, read and turned into PlanViews; and what a plan's hash is made of."""

from __future__ import annotations

import hashlib
import uuid
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, func, or_, select
from sqlalchemy.orm import aliased

from webapp.accounts import Scope
from webapp.ads.changelog import canonical
from webapp.ads.changes import seen
from webapp.ads.plans import Evidence, ItemView, Judged, PlanView
from webapp.db import Session
from webapp.db.models import AdAccount, ChangeItem, ChangePlan, User
from webapp.errors import not_found

UNDO_FOR = timedelta(days=7)
Proposer, Decider = aliased(User), aliased(User)


# --- reading ----------------------------------------------------------------------------------------------------


def plan(scope: Scope, db: Session, plan_id: uuid.UUID) -> PlanView:
    """Raises the not-found UserError for a foreign one."""
    return first(db, ChangePlan.id == plan_id, ChangePlan.workspace_id == scope.workspace_id)


def of_turn(scope: Scope, db: Session, turn_id: uuid.UUID) -> list[PlanView]:
    """In the order they were made."""
    where = (ChangePlan.turn_id == turn_id, ChangePlan.workspace_id == scope.workspace_id)
    return views(db, _plans(*where).order_by(ChangePlan.created_at, ChangePlan.id))


def open_plans(scope: Scope, db: Session) -> list[PlanView]:
    """Waiting for somebody or being carried out, the oldest first."""
    where = (ChangePlan.workspace_id == scope.workspace_id, ChangePlan.status.in_(("pending", "approved")))
    return views(db, _plans(*where).order_by(ChangePlan.created_at, ChangePlan.id))


def history(scope: Scope, db: Session, *, before: datetime | None = None, limit: int = 20) -> list[PlanView]:
    """Plans that nobody can decide any more, the newest first; `before` is the created_at of the last one seen."""
    settled = ChangePlan.status.not_in(("pending", "approved"))
    where = [ChangePlan.workspace_id == scope.workspace_id, settled]
    if before is not None:
        where.append(ChangePlan.created_at < before)
    return views(db, _plans(*where).order_by(ChangePlan.created_at.desc(), ChangePlan.id).limit(limit))


def of_campaign(scope: Scope, db: Session, campaign_id: uuid.UUID, *, limit: int = 10) -> list[PlanView]:
    """Plans that are about the campaign (among others), in any state, the newest first."""
    about = exists().where(ChangeItem.plan_id == ChangePlan.id, ChangeItem.campaign_id == campaign_id)
    where = (ChangePlan.workspace_id == scope.workspace_id, about)
    return views(db, _plans(*where).order_by(ChangePlan.created_at.desc(), ChangePlan.id).limit(limit))


def first(db: Session, *where: ColumnElement[bool]) -> PlanView:
    """Raises the not-found UserError if there is none."""
    for view in views(db, _plans(*where).limit(1)):
        return view
    raise not_found()


def _plans(*where: ColumnElement[bool]) -> Select[ChangePlan, str, str]:
    return (
        select(ChangePlan, Proposer.name, Decider.name)
        .join(Proposer, Proposer.id == ChangePlan.proposed_by)
        .outerjoin(Decider, Decider.id == ChangePlan.decided_by)
        .where(*where)
    )


def views(db: Session, query: Select[ChangePlan, str, str]) -> list[PlanView]:
    rows = list(db.execute(query.execution_options(populate_existing=True)))
    ids = [row.id for row, _, _ in rows]
    items, undone = _items(db, ids), _undone(db, ids)
    return [_view(row, by, decided or "", items[row.id], undone.get(row.id)) for row, by, decided in rows]


def _items(db: Session, plan_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, list[ItemView]]:
    query = (
        select(ChangeItem, AdAccount.name, AdAccount.platform)
        .join(AdAccount, AdAccount.id == ChangeItem.account_id)
        .where(ChangeItem.plan_id.in_(plan_ids))
        .order_by(ChangeItem.position)
        .execution_options(populate_existing=True)
    )
    found: dict[uuid.UUID, list[ItemView]] = defaultdict(list)
    for item, account, platform in db.execute(query):
        found[item.plan_id].append(_item(item, account, platform))
    return found


def _undone(db: Session, plan_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, uuid.UUID]:
    """The plan that took each back, or may yet do so."""
    did = exists().where(ChangeItem.plan_id == ChangePlan.id, ChangeItem.status == "done")
    waiting = and_(ChangePlan.status == "pending", ChangePlan.expires_at > func.now())
    alive = or_(waiting, ChangePlan.status == "approved", and_(ChangePlan.status == "finished", did))
    query = select(ChangePlan.undo_of, ChangePlan.id).where(ChangePlan.undo_of.in_(plan_ids), alive)
    return {of: id for of, id in db.execute(query.order_by(ChangePlan.created_at)) if of}


def _item(row: ChangeItem, account: str, platform: str) -> ItemView:
    result = row.result or {}
    return ItemView(
        id=row.id,
        position=row.position,
        account_name=account,
        platform=platform,
        currency=row.currency,
        campaign_id=row.campaign_id,
        campaign_name=row.campaign_name,
        field=row.field,  # type: ignore[arg-type]  # a check constraint allows no other
        before=seen.value(row.before, row.field),  # type: ignore[arg-type]
        after=row.after[row.field],
        effect_micros=row.effect_micros,
        status=row.status,  # type: ignore[arg-type]
        evidence=evidence_from(row.evidence) if row.evidence else None,
        message=str(result.get("message", "")),
        request_id=str(result.get("request_id", "")),
    )


def _view(row: ChangePlan, by: str, decided_by: str, items: list[ItemView], undone: uuid.UUID | None) -> PlanView:
    until = row.finished_at + UNDO_FOR if row.finished_at else None
    undoable = row.undo_of is None and undone is None and any(item.status == "done" for item in items)
    return PlanView(
        id=row.id,
        workspace_id=row.workspace_id,
        turn_id=row.turn_id,
        tool_use_id=row.tool_use_id,
        tool=row.tool,
        arguments=row.arguments,
        status=row.status,  # type: ignore[arg-type]  # a check constraint allows no other
        plan_hash=row.plan_hash.hex(),
        items=tuple(items),
        proposed_by=by,
        model=row.model,
        created_at=row.created_at,
        expires_at=row.expires_at,
        kept=tuple(map(_judged, row.report.get("kept", ()))),
        undecided=tuple(map(_judged, row.report.get("undecided", ()))),
        warnings=tuple(row.warnings),
        step_up=row.step_up,
        decided_by=decided_by,
        decided_at=row.decided_at,
        note=row.note,
        finished_at=row.finished_at,
        undo_of=row.undo_of,
        undone_by=undone,
        undo_until=until if undoable and until and until > datetime.now(UTC) else None,
        report=dict(row.report.get("rule", {})),
    )


# --- evidence as JSON -------------------------------------------------------------------------------------------


def evidence_json(evidence: Evidence) -> dict[str, Any]:
    days = {
        name: day.isoformat() if day else None for name, day in (("since", evidence.since), ("until", evidence.until))
    }
    return {**asdict(evidence), **days}


def evidence_from(raw: dict[str, Any]) -> Evidence:
    days = {name: date.fromisoformat(raw[name]) if raw.get(name) else None for name in ("since", "until")}
    return Evidence(**{**raw, **days})


def judged_json(judged: Judged) -> dict[str, Any]:
    return {
        "campaign_id": str(judged.campaign_id),
        "campaign_name": judged.campaign_name,
        "currency": judged.currency,
        "evidence": evidence_json(judged.evidence),
    }


def _judged(raw: dict[str, Any]) -> Judged:
    id = uuid.UUID(raw["campaign_id"])
    return Judged(id, raw["campaign_name"], raw["currency"], evidence_from(raw["evidence"]))


# --- the hash ---------------------------------------------------------------------------------------------------


def fingerprint(plan: ChangePlan, items: Iterable[ChangeItem]) -> bytes:
    """SHA-256 over all that a plan is: what was asked, each target as it was seen, what it becomes, where and when."""
    said = {
        "workspace": str(plan.workspace_id),
        "turn": str(plan.turn_id),
        "undo_of": str(plan.undo_of),
        "tool": plan.tool,
        "arguments": plan.arguments,
        "step_up": plan.step_up,
        "items": [_said(item) for item in sorted(items, key=lambda item: item.position)],
    }
    return hashlib.sha256(canonical(said)).digest()


def _said(item: ChangeItem) -> dict[str, Any]:
    return {
        "workspace": str(item.workspace_id),
        "account": str(item.account_id),
        "campaign": str(item.campaign_id),
        "name": item.campaign_name,
        "field": item.field,
        "before": item.before,
        "after": item.after,
        "effect": item.effect_micros,
        "currency": item.currency,
    }
