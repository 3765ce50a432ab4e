"""Keeping a plan that stands: its rows, and what one turn may propose at all."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select

from webapp.accounts import Scope
from webapp.ads import changelog, checks
from webapp.ads.changes import facts, rows, seen
from webapp.ads.checks import Target
from webapp.ads.guards import Rails
from webapp.ads.plans import Evidence, Findings, Origin, PlanView, Refused
from webapp.ads.platform import AdPlatform
from webapp.db import Database, Session
from webapp.db.models import ChangeItem, ChangePlan

LIFETIME = timedelta(minutes=10)  # of a plan that waits
WAITING = 3  # plans that may wait in one turn
NOT_BOUND = ("confirmed", "reason")  # arguments that count for nothing here
Deeds = frozenset[tuple[str, str, str]]  # campaign, field, value: what a plan does, whatever it was called


@dataclass(frozen=True)
class Row:
    """One item on its way into a plan."""

    known: facts.Known
    platform: AdPlatform
    target: Target
    evidence: Evidence | None = None


@dataclass
class Draft:
    """A plan in the making: the items that stand, and what was left out."""

    rows: list[Row] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def store(
    scope: Scope,
    database: Database,
    draft: Draft,
    rails: Rails,
    origin: Origin,
    findings: Findings,
    undo_of: PlanView | None,
) -> PlanView:
    """Keep the plan, under the workspace's lock. Raises Refused for what this turn may not propose (again)."""
    plan, items = _rows(scope, draft, rails, origin, findings, undo_of)
    with database.begin() as db:
        changelog.hold(db, scope.workspace_id)
        if plan.turn_id and (made := _refuse_by_turn(db, plan, items)):
            return rows.plan(scope, db, made)
        if plan.undo_of and (waiting := rows.plan(scope, db, plan.undo_of).undone_by):
            return rows.plan(scope, db, waiting)
        db.add(plan)
        db.flush()
        db.add_all(items)
        _record(scope, db, plan, len(items))
        return rows.plan(scope, db, plan.id)


def _record(scope: Scope, db: Session, plan: ChangePlan, items: int) -> None:
    changelog.append(
        db,
        scope.workspace_id,
        "plan.proposed",
        actor_id=scope.user_id,
        plan_id=plan.id,
        tool=plan.tool,
        model=plan.model,
        turn=str(plan.turn_id) if plan.turn_id else "",
        plan_hash=plan.plan_hash.hex(),
        status=plan.status,
        items=items,
    )


def _rows(
    scope: Scope,
    draft: Draft,
    rails: Rails,
    origin: Origin,
    findings: Findings,
    undo_of: PlanView | None,
) -> tuple[ChangePlan, list[ChangeItem]]:
    plan = ChangePlan(
        id=uuid.uuid4(),
        workspace_id=scope.workspace_id,
        turn_id=origin.turn_id,
        tool_use_id=origin.tool_use_id,
        undo_of=undo_of.id if undo_of else None,
        proposed_by=scope.user_id,
        model=origin.model[:160],
        tool=origin.tool,
        arguments={name: value for name, value in origin.arguments.items() if name not in NOT_BOUND},
        reason=origin.reason[:500],
        report=_report(findings),
        warnings=draft.warnings,
        step_up=checks.to_be_typed([row.target for row in draft.rows], rails),
        status="pending" if rails.mode == "on" else "preview",
        created_at=datetime.now(UTC),
        expires_at=datetime.now(UTC) + LIFETIME,
    )
    items = [_item(plan, position, row) for position, row in enumerate(draft.rows)]
    plan.plan_hash = rows.fingerprint(plan, items)
    return plan, items


def _report(findings: Findings) -> dict[str, Any]:
    return {
        "kept": [rows.judged_json(each) for each in findings.kept],
        "undecided": [rows.judged_json(each) for each in findings.undecided],
        "rule": findings.report,
    }


def _item(plan: ChangePlan, position: int, row: Row) -> ChangeItem:
    target = row.target
    return ChangeItem(
        id=uuid.uuid4(),
        plan_id=plan.id,
        workspace_id=plan.workspace_id,
        position=position,
        account_id=target.account_id,
        campaign_id=target.campaign_id,
        campaign_name=target.state.name,
        field=target.field,
        before=seen.to_json(target.state),
        after={target.field: target.value},
        evidence=rows.evidence_json(row.evidence) if row.evidence else {},
        effect_micros=target.effect_micros,
        currency=target.currency,
        status="pending",
    )


def _refuse_by_turn(db: Session, plan: ChangePlan, items: Sequence[ChangeItem]) -> uuid.UUID | None:
    """The plan that the same call made meanwhile. Raises Refused for a plan too many, and for one that was rejected:
    also under other arguments, for a person has answered whether this is to be done to these."""
    earlier = list(db.scalars(select(ChangePlan).where(ChangePlan.turn_id == plan.turn_id)))
    for each in earlier:
        if each.tool_use_id == plan.tool_use_id:
            return each.id
    if any(each.plan_hash == plan.plan_hash for each in earlier):
        raise Refused("This very change was proposed in this turn before. Only a person can ask for it again.")
    rejected = [each.id for each in earlier if each.status == "rejected"]
    if _deeds(items) in _deeds_of(db, rejected):
        raise Refused("A person rejected this change in this turn. Only a person can ask for it again.")
    if sum(each.status == "pending" for each in earlier) >= WAITING:
        raise Refused(f"{WAITING} plans of this turn wait for a person already.")
    return None


def _deeds(items: Sequence[ChangeItem]) -> Deeds:
    return frozenset((str(item.campaign_id), item.field, str(item.after[item.field])) for item in items)


def _deeds_of(db: Session, plan_ids: Sequence[uuid.UUID]) -> list[Deeds]:
    items = list(db.scalars(select(ChangeItem).where(ChangeItem.plan_id.in_(plan_ids))))
    return [_deeds([item for item in items if item.plan_id == id]) for id in plan_ids]
