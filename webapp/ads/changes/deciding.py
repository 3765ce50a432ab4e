"""A person's word on a plan: approve, reject; and what ends a plan without one: a stopped turn, time.

The token of an approval form is `expiry.HMAC-SHA256(subkey "approvals", plan | hash | session | expiry)`: it was made
for this plan as it is and for this sign-in session. It is good once, because a plan leaves "pending" once: each change
of status is one UPDATE ... WHERE status = 'pending', and of many clicks exactly one finds it so. All of them first take
the workspace's row lock, which the change log needs anyway, so that they wait for each other and never in a circle.
"""

from __future__ import annotations

import hashlib
import hmac
import time
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, func, select, update

from webapp.accounts import Scope, a_role
from webapp.accounts.members import hold
from webapp.accounts.scope import Right
from webapp.ads import changelog, checks, guards
from webapp.ads.changes import facts, rows, seen
from webapp.ads.checks import Circumstances, Target
from webapp.ads.guards import Rails
from webapp.ads.plans import Click, Lapsed, PlanView
from webapp.db import Session
from webapp.db.models import ChangeItem, ChangePlan
from webapp.errors import UserError
from webapp.vault.keyring import Keyring

TAKE_UP = timedelta(seconds=30)  # within which whoever approved carries it out; then anybody may
NOTE_LENGTH = 300
ENDED = {
    "approved": "It was approved by {} and is being carried out.",
    "finished": "It was approved by {} and carried out.",
    "rejected": "It was rejected by {}.",
    "expired": "It was not decided in time. Ask for it again.",
    "cancelled": "The answer that asked for it was stopped.",
    "preview": "This workspace only previews changes. An admin can allow them in the guard rails.",
}


# --- the token --------------------------------------------------------------------------------------------------


def token(keyring: Keyring, plan: PlanView, session_id: uuid.UUID) -> str:
    """What the approval form carries: good for this plan as it is, this sign-in session, until the plan expires."""
    expiry = int(plan.expires_at.timestamp())
    return f"{expiry}.{_mac(keyring.subkey('approvals'), plan.id, plan.plan_hash, session_id, expiry)}"


def _is_good(keyring: Keyring, plan_id: uuid.UUID, click: Click) -> bool:
    expiry, _, mac = click.token.partition(".")
    if not (expiry.isdecimal() and expiry.isascii() and len(expiry) <= 12 and mac.isascii()):
        return False
    keys = keyring.subkeys("approvals")
    known = [_mac(key, plan_id, click.plan_hash, click.session_id, int(expiry)) for key in keys]
    return int(expiry) > time.time() and any(hmac.compare_digest(mac, each) for each in known)


def _mac(key: bytes, plan_id: uuid.UUID, plan_hash: str, session_id: uuid.UUID, expiry: int) -> str:
    return hmac.new(key, f"{plan_id}|{plan_hash}|{session_id}|{expiry}".encode(), hashlib.sha256).hexdigest()


# --- by a person ------------------------------------------------------------------------------------------------


def approve(scope: Scope, db: Session, keyring: Keyring, plan_id: uuid.UUID, click: Click) -> None:
    """Let the plan be carried out: exactly one of many clicks wins. Raises a UserError (404 foreign, 403 not allowed or
    a token that is not this click's, 409 no longer pending or beyond the guard rails, 422 nothing ticked or not typed
    as asked)."""
    scope, rails, plan = _before_deciding(scope, db, plan_id)
    if rails.mode != "on":
        raise UserError("Nothing was changed", "The guard rails of this workspace do not allow changes.", status=409)
    if not _is_good(keyring, plan.id, click):
        why = "It was not made by this browser for this change, or it is too old. Reload the page and look again."
        raise UserError("This approval is not valid", why, status=403)
    _refuse_what_was_not_said(plan, click)
    _refuse_beyond_rails(scope, db, rails, plan_id, click)
    _settle(db, plan, click.plan_hash, "approved", scope, owner="", lease_until=func.now() + TAKE_UP)
    untick = update(ChangeItem).where(ChangeItem.plan_id == plan.id, ChangeItem.id.not_in(click.ticked))
    db.execute(untick.values(status="unticked"))
    ticked = [str(item.id) for item in plan.items if item.id in click.ticked]
    _record(db, scope, plan, "plan.approved", plan_hash=plan.plan_hash, ticked=ticked, typed=plan.step_up)


def reject(scope: Scope, db: Session, plan_id: uuid.UUID, plan_hash: str, note: str = "") -> None:
    """Raises a UserError as approve does."""
    scope, _, plan = _before_deciding(scope, db, plan_id)
    _settle(db, plan, plan_hash, "rejected", scope, note=note[:NOTE_LENGTH])
    _record(db, scope, plan, "plan.rejected", note=note[:NOTE_LENGTH])


def _before_deciding(scope: Scope, db: Session, plan_id: uuid.UUID) -> tuple[Scope, Rails, PlanView]:
    """The scope as it is now, under the workspace's lock. Raises unless the person may decide this plan."""
    plan = rows.plan(scope, db, plan_id)
    scope = hold(scope, db, Right.READ)
    rails = guards.rails(scope, db)
    if not guards.may_approve(scope, rails):
        who = "an owner or admin" if rails.approvers == "admins" else "an owner, admin or member"
        raise UserError(
            "Your role does not allow this",
            f"You are {a_role(scope.role)} of {scope.workspace_name}. Changes are decided by {who}.",
            status=403,
        )
    return scope, rails, plan


def _refuse_what_was_not_said(plan: PlanView, click: Click) -> None:
    if not click.ticked:
        raise UserError("No change is ticked", "Tick at least one, or reject the plan.", status=422)
    if not click.ticked <= {item.id for item in plan.items}:
        raise UserError("Nothing was changed", "The form names a change that is not in this plan.", status=422)
    if plan.step_up and not checks.same_words(click.typed, plan.step_up):
        raise UserError("Please type the confirmation", f"Type {plan.step_up} to approve this.", status=422)


def _refuse_beyond_rails(scope: Scope, db: Session, rails: Rails, plan_id: uuid.UUID, click: Click) -> None:
    """The rails as they are now, on the items that are ticked: an admin may have tightened them since."""
    items = [item for item in db.scalars(_items_of(plan_id)) if item.id in click.ticked]
    undoing = bool(db.scalar(select(ChangePlan.undo_of).where(ChangePlan.id == plan_id)))
    known, money = facts.known(scope, db, {item.campaign_id for item in items}), facts.money(scope, db)
    by_name = not any(item.evidence for item in items)
    around = Circumstances(rails, datetime.now(UTC), by_name, undoing, money.week, money.budgets)
    targets = [_target(item, known[item.campaign_id]) for item in items if item.campaign_id in known]
    brake = checks.is_brake(targets, around)
    against = [each for target in targets for each in checks.objections(target, around, brake=brake)]
    against += checks.of_the_whole(targets, around)
    if len(targets) < len(items):
        against.append("An ad account of this plan is no longer connected.")
    if against:
        raise UserError("The guard rails do not allow this any more", " ".join(against), status=409)


def _items_of(plan_id: uuid.UUID) -> Any:
    return select(ChangeItem).where(ChangeItem.plan_id == plan_id).order_by(ChangeItem.position)


def _target(item: ChangeItem, known: facts.Known) -> Target:
    return Target(
        campaign_id=item.campaign_id,
        account_id=item.account_id,
        currency=item.currency,
        state=seen.from_json(item.before),
        field=item.field,  # type: ignore[arg-type]  # a check constraint allows no other
        value=item.after[item.field],
        value_currency=item.currency,
        week_micros=known.week_micros,
        changed_by_us=known.changed_by_us,
        budgets_this_hour=known.budgets_this_hour,
    )


def _settle(db: Session, plan: PlanView, plan_hash: str, status: str, scope: Scope, **values: Any) -> None:
    """Take it out of "pending". Raises the 409 UserError unless this click is the one that does."""
    decided = (
        update(ChangePlan)
        .where(
            ChangePlan.id == plan.id,
            ChangePlan.status == "pending",
            ChangePlan.plan_hash == _bytes(plan_hash),
            ChangePlan.expires_at > func.now(),
        )
        .values(status=status, decided_by=scope.user_id, decided_at=func.now(), **values)
        .returning(ChangePlan.id)
    )
    if db.execute(decided).one_or_none() is None:
        raise _too_late(rows.plan(scope, db, plan.id))


def _too_late(plan: PlanView) -> UserError:
    if plan.status == "pending" and plan.expires_at > datetime.now(UTC):
        return UserError("This is not the change you saw", "Reload the page and look at it again.", status=409)
    status = "expired" if plan.status == "pending" else plan.status
    return UserError("This is already decided", ENDED[status].format(plan.decided_by), status=409)


def _bytes(plan_hash: str) -> bytes:
    try:
        return bytes.fromhex(plan_hash)
    except ValueError:
        return b""


# --- by nobody --------------------------------------------------------------------------------------------------


def cancel(db: Session, turn_id: uuid.UUID) -> list[uuid.UUID]:
    """The turn was stopped: its pending plans, which nobody can approve any more. What is approved goes on."""
    return [lapsed.plan_id for lapsed in _lapse(db, "cancelled", ChangePlan.turn_id == turn_id)]


def expire(db: Session) -> list[Lapsed]:
    """Settle the pending plans whose time is over, wherever they are."""
    return _lapse(db, "expired", ChangePlan.expires_at <= func.now())


def _lapse(db: Session, status: str, which: ColumnElement[bool]) -> list[Lapsed]:
    pending = (ChangePlan.status == "pending", which)
    workspaces = set(db.scalars(select(ChangePlan.workspace_id).where(*pending)))
    for workspace_id in sorted(workspaces):
        changelog.hold(db, workspace_id)
    ended = (
        update(ChangePlan)
        .where(*pending, ChangePlan.workspace_id.in_(workspaces))
        .values(status=status, decided_at=func.now())
        .returning(ChangePlan.id, ChangePlan.turn_id, ChangePlan.workspace_id)
    )
    found = db.execute(ended).all()
    for row in found:
        changelog.append(db, row.workspace_id, f"plan.{status}", plan_id=row.id)
    return [Lapsed(row.id, row.turn_id) for row in found]


def _record(db: Session, scope: Scope, plan: PlanView, event: str, **body: Any) -> None:
    changelog.append(db, scope.workspace_id, event, actor_id=scope.user_id, plan_id=plan.id, **body)
