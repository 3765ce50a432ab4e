"""Carrying out what was approved. It reads nothing but rows, and believes them only as far as their hashes go.

One process at a time has the plan (a lease that every step renews). One item after another:

    read again, compare with what was seen  -> drifted (somebody else changed it) | skipped (it is so already)
    let the platform validate               -> failed
    claim: status "claimed" is committed    before the write leaves this machine
    write, then read back                   -> done | failed | unknown (no answer, and it does not read as wanted)

A process that dies leaves a claimed item and a lease that runs out. Whoever takes over reads a claimed item back and
never writes it again: done if it reads as wanted, failed if as before, else unknown.

Nothing is written unless the change log holds the approval of exactly these items under exactly this hash by somebody
who may still approve, and the guard rails and the operator still allow changes.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select, update

from webapp.ads import changelog
from webapp.ads.changes import rows, seen
from webapp.ads.changes.errand import ALTERED, Errand, LeaseLost, keep, standing, take
from webapp.ads.plans import ItemStatus, PlanView
from webapp.ads.platform import AdPlatform, CampaignState, Change, Field, PlatformError, Platforms, Trouble
from webapp.db import Database, Session
from webapp.db.models import AdAccount, Campaign, ChangeItem, ChangePlan
from webapp.errors import UserError

UNHEARD = frozenset({Trouble.UNKNOWN_OUTCOME, Trouble.TRANSIENT, Trouble.UNREACHABLE})  # it may have happened
HOPELESS = frozenset({Trouble.TOKEN, Trouble.CHECKPOINT, Trouble.POLICY, Trouble.THROTTLED, Trouble.VERSION})


@dataclass(frozen=True)
class Result:
    """What became of an item."""

    status: ItemStatus
    message: str
    state: CampaignState | None = None  # as it was read last
    request_id: str = ""
    hopeless: bool = False  # the account takes no more writes now


def carry_out(database: Database, platforms: Platforms, plan_id: uuid.UUID, owner: str) -> PlanView:
    """Do what was approved, one item after another; returns the plan as it then is. Whoever finds it taken by another
    process (or already finished) does nothing. Call it after approve() has committed, and for each of abandoned()."""
    with database.begin() as db:
        errand = take(db, database, platforms, plan_id, owner)
    if errand is not None:
        try:
            for item in _items(errand):
                _settle(errand, item, _deal_with(errand, item))
            _finish(errand)
        except LeaseLost:
            pass
    with database.begin() as db:
        return rows.first(db, ChangePlan.id == plan_id)


def _items(errand: Errand) -> list[ChangeItem]:
    with errand.database.begin() as db:
        where = (ChangeItem.plan_id == errand.plan_id, ChangeItem.status.in_(("pending", "claimed")))
        return list(db.scalars(select(ChangeItem).where(*where).order_by(ChangeItem.position)))


# --- one item ---------------------------------------------------------------------------------------------------


def _deal_with(errand: Errand, item: ChangeItem) -> Result:
    with errand.database.begin() as db:
        keep(errand, db)
        scope, forbidden = standing(errand, db)
        ours = _ours(db, item)
    if scope is None or (forbidden and item.status == "pending"):
        return Result(_undone(item, forbidden), forbidden)
    if item.account_id in errand.closed and item.status == "pending":
        return Result("skipped", errand.closed[item.account_id])
    try:
        platform = errand.opened.get(item.account_id) or errand.platforms.open(scope, item.account_id)
    except UserError as error:
        return Result("failed" if item.status == "pending" else "unknown", f"{error.title}. {error.hint}")
    errand.opened[item.account_id] = platform
    result = _found_claimed(platform, item) if item.status == "claimed" else _change(errand, platform, item, ours)
    if result.hopeless:
        errand.closed[item.account_id] = f"Left alone after this answer of the platform: {result.message}"
    return result


def _undone(item: ChangeItem, forbidden: str) -> ItemStatus:
    if item.status == "claimed":
        return "unknown"
    return "failed" if forbidden == ALTERED else "skipped"


def _change(errand: Errand, platform: AdPlatform, item: ChangeItem, ours: dict[Field, Any]) -> Result:
    wanted: str | int = item.after[item.field]
    try:
        now = platform.read(item.before["external_id"])
        if seen.value(now, _field(item)) == wanted:
            return Result("skipped", "It is so already.", now)
        if changed := seen.drift(item.before, now, ours):
            return Result("drifted", f"Somebody changed it since the plan was made: {changed}.", now)
        change = Change(item.before["external_id"], _field(item), wanted, now)
        platform.validate(change)
    except PlatformError as error:
        return _failed(error)
    _claim(errand, item)
    return _write(platform, item, change)


def _claim(errand: Errand, item: ChangeItem) -> None:
    """Committed before the write: from here on nobody writes this item again."""
    with errand.database.begin() as db:
        keep(errand, db)
        claimed = update(ChangeItem).where(ChangeItem.id == item.id, ChangeItem.status == "pending")
        if db.scalar(claimed.values(status="claimed").returning(ChangeItem.id)) is None:
            raise LeaseLost


def _write(platform: AdPlatform, item: ChangeItem, change: Change) -> Result:
    try:
        request_id = platform.update(change)
    except PlatformError as error:
        return _unheard(platform, item, error) if error.trouble in UNHEARD else _failed(error)
    now = _read(platform, item)
    if now is None:
        return Result("unknown", "The platform accepted it and could not be read afterwards.", None, request_id)
    if seen.value(now, _field(item)) != change.value:
        return Result("failed", "The platform accepted it, and shows another value.", now, request_id)
    return Result("done", "", now, request_id)


def _unheard(platform: AdPlatform, item: ChangeItem, error: PlatformError) -> Result:
    """A write without an answer: what the platform shows decides, and it is never repeated."""
    now = _read(platform, item)
    if now is not None and seen.value(now, _field(item)) == item.after[item.field]:
        return Result("done", "The platform's answer was lost; it shows the change.", now, error.request_id)
    why = f"No answer came ({error.message}), and the change does not show. Look at the campaign before asking again."
    return Result("unknown", why, now, error.request_id)


def _found_claimed(platform: AdPlatform, item: ChangeItem) -> Result:
    """Claimed by a process that is gone. Long ago: the lease ran out since."""
    now = _read(platform, item)
    if now is None:
        return Result("unknown", "It was interrupted, and the platform cannot be read now.")
    value = seen.value(now, _field(item))
    if value == item.after[item.field]:
        return Result("done", "It was interrupted; the platform shows the change.", now)
    if value == seen.value(item.before, _field(item)):
        return Result("failed", "It was interrupted before the change was made. Ask again.", now)
    return Result("unknown", "It was interrupted, and the platform shows another value.", now)


def _read(platform: AdPlatform, item: ChangeItem) -> CampaignState | None:
    try:
        return platform.read(item.before["external_id"])
    except PlatformError:
        return None


def _failed(error: PlatformError) -> Result:
    hopeless = error.trouble in HOPELESS
    return Result("failed", error.message, None, error.request_id, hopeless)


def _field(item: ChangeItem) -> Field:
    return item.field  # type: ignore[return-value]  # a check constraint allows no other


def _ours(db: Session, item: ChangeItem) -> dict[Field, Any]:
    """What this plan has already changed of the same campaign."""
    where = (ChangeItem.plan_id == item.plan_id, ChangeItem.campaign_id == item.campaign_id)
    done = db.scalars(select(ChangeItem).where(*where, ChangeItem.status == "done"))
    return {_field(each): each.after[each.field] for each in done}


# --- writing down what happened ---------------------------------------------------------------------------------


def _settle(errand: Errand, item: ChangeItem, result: Result) -> None:
    """The item's end, in one transaction with its entry in the log and what we know of the campaign."""
    with errand.database.begin() as db:
        changelog.hold(db, errand.workspace_id)
        keep(errand, db)
        told = {"message": result.message, "request_id": result.request_id}
        ended = update(ChangeItem).where(ChangeItem.id == item.id, ChangeItem.status.in_(("pending", "claimed")))
        ended = ended.values(status=result.status, result=told, done_at=func.now())
        if db.scalar(ended.returning(ChangeItem.id)) is None:
            return
        if result.state is not None:
            _remember(db, item, result.state, changed=result.status == "done")
        _record(db, errand, item, result)


def _record(db: Session, errand: Errand, item: ChangeItem, result: Result) -> None:
    plan = db.get_one(ChangePlan, errand.plan_id)
    changelog.append(
        db,
        errand.workspace_id,
        f"item.{result.status}",
        actor_id=plan.decided_by,
        plan_id=plan.id,
        item_id=item.id,
        campaign=item.campaign_name,
        field=item.field,
        before=seen.value(item.before, _field(item)),
        after=item.after[item.field],
        message=result.message,
        request_id=result.request_id,
        model=plan.model,
    )


def _remember(db: Session, item: ChangeItem, state: CampaignState, *, changed: bool) -> None:
    """Our copy of the campaign, as its platform has just told it."""
    values: dict[str, Any] = {
        "name": state.name,
        "status": state.status,
        "effective_status": state.effective_status,
        "budget_micros": state.budget_micros,
        "learning": state.learning,
        "seen_at": func.now(),
    }
    if changed:
        values["changed_at"] = func.now()
    db.execute(update(Campaign).where(Campaign.id == item.campaign_id).values(**values))
    fresher = update(AdAccount).where(AdAccount.id == item.account_id)
    db.execute(fresher.values(version=AdAccount.version + 1))


def _finish(errand: Errand) -> None:
    with errand.database.begin() as db:
        changelog.hold(db, errand.workspace_id)
        keep(errand, db)
        plan = db.get_one(ChangePlan, errand.plan_id, populate_existing=True)
        statuses = db.scalars(select(ChangeItem.status).where(ChangeItem.plan_id == plan.id)).all()
        ended = update(ChangePlan).where(ChangePlan.id == plan.id, ChangePlan.status == "approved")
        db.execute(ended.values(status="finished", finished_at=func.now()))
        counts = {status: statuses.count(status) for status in sorted(set(statuses))}
        changelog.append(
            db, errand.workspace_id, "plan.finished", actor_id=plan.decided_by, plan_id=plan.id, items=counts
        )
