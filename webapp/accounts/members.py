"""Who is in a workspace as what.

Every change first takes the workspace's row lock (`hold`) and reads the actor's role again under it, so that of two
owners who demote each other at once, one is refused. The lock is NO KEY UPDATE: it does not stop the inserts of chat.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Select, delete, func, select, update

from webapp import audit
from webapp.accounts.scope import RIGHTS, ROLES, Right, Role, Scope, a_role, as_role, enter
from webapp.db import Session
from webapp.db.models import Invitation, User, Workspace, WorkspaceMember
from webapp.errors import UserError, not_found


@dataclass(frozen=True)
class Member:
    user_id: uuid.UUID
    name: str
    email: str
    role: Role
    joined_at: datetime


def hold(scope: Scope, db: Session, right: Right) -> Scope:
    """Lock the workspace until commit: the scope as it is under the lock. Raises 404 or 403 if `right` is gone."""
    lock = select(Workspace.id).where(Workspace.id == scope.workspace_id).with_for_update(key_share=True)
    db.execute(lock)
    fresh = enter(db, scope.user_id, scope.workspace_id)
    if not fresh.may(right):
        raise _not_allowed(f"You are now {a_role(fresh.role)} of {fresh.workspace_name}.")
    return fresh


def listed(scope: Scope, db: Session) -> list[Member]:
    """Everyone in the workspace: owners first, then by name."""
    rows = db.execute(_members(scope).order_by(func.lower(User.name), User.id))
    return sorted((_member(*row) for row in rows), key=lambda m: ROLES.index(m.role))


def find(scope: Scope, db: Session, user_id: uuid.UUID) -> Member:
    """Raises the not-found UserError for who is not in this workspace."""
    row = db.execute(_members(scope).where(User.id == user_id)).one_or_none()
    if row is None:
        raise not_found()
    return _member(*row)


def may_touch(scope: Scope, member: Member) -> bool:
    """Whether the person may change the member's role or remove them: admins leave owners alone."""
    return scope.may(Right.MANAGE_MEMBERS) and (member.role != "owner" or scope.role == "owner")


def roles_to_give(scope: Scope) -> tuple[Role, ...]:
    """The roles that the person may give to others: only owners make owners."""
    if not scope.may(Right.MANAGE_MEMBERS):
        return ()
    return ROLES if scope.role == "owner" else ROLES[1:]


def change_role(scope: Scope, db: Session, user_id: uuid.UUID, role: str) -> None:
    """Raises 404 (no such member), 403 (an admin touches or makes an owner), 409 (the last owner), 422 (no role)."""
    scope = hold(scope, db, Right.MANAGE_MEMBERS)
    member = _touchable(scope, db, user_id)
    if role not in ROLES:
        raise UserError("Choose a role", "It is one of owner, admin, member and viewer.", status=422)
    if role not in roles_to_give(scope):
        raise _not_allowed("Only an owner can make someone an owner.")
    if role == member.role:
        return
    if role != "owner":
        _keep_an_owner(scope, db, member)
    db.execute(update(WorkspaceMember).where(*_row(scope, user_id)).values(role=role))
    if Right.MANAGE_MEMBERS not in RIGHTS[role]:
        _withdraw_invitations(scope, db, user_id)
    audit.record(scope, db, "member.role_changed", member.name, was=member.role, role=role)


def remove(scope: Scope, db: Session, user_id: uuid.UUID) -> Member:
    """Take a member out: from now on they cannot enter. Raises as change_role does."""
    scope = hold(scope, db, Right.MANAGE_MEMBERS)
    return _take_out(scope, db, _touchable(scope, db, user_id))


def leave(scope: Scope, db: Session) -> None:
    """Take oneself out. Raises a 409 UserError for the last owner."""
    scope = hold(scope, db, Right.READ)
    _take_out(scope, db, find(scope, db, scope.user_id))


def _take_out(scope: Scope, db: Session, member: Member) -> Member:
    _keep_an_owner(scope, db, member)
    audit.record(scope, db, "member.removed", member.name, role=member.role, left=member.user_id == scope.user_id)
    db.execute(delete(WorkspaceMember).where(*_row(scope, member.user_id)))
    _withdraw_invitations(scope, db, member.user_id)
    return member


def _members(scope: Scope) -> Select[uuid.UUID, str, str, str, datetime]:
    return (
        select(User.id, User.name, User.email, WorkspaceMember.role, WorkspaceMember.joined_at)
        .join(WorkspaceMember, WorkspaceMember.user_id == User.id)
        .where(WorkspaceMember.workspace_id == scope.workspace_id)
    )


def _member(user_id: uuid.UUID, name: str, email: str, role: str, joined_at: datetime) -> Member:
    return Member(user_id, name, email, as_role(role), joined_at)


def _row(scope: Scope, user_id: uuid.UUID) -> tuple[ColumnElement[bool], ...]:
    return WorkspaceMember.workspace_id == scope.workspace_id, WorkspaceMember.user_id == user_id


def _touchable(scope: Scope, db: Session, user_id: uuid.UUID) -> Member:
    member = find(scope, db, user_id)
    if not may_touch(scope, member):
        raise _not_allowed(f"{member.name} is an owner. Only an owner can change that.")
    return member


def _keep_an_owner(scope: Scope, db: Session, member: Member) -> None:
    if member.role != "owner":
        return
    owners = db.scalar(
        select(func.count()).where(WorkspaceMember.workspace_id == scope.workspace_id, WorkspaceMember.role == "owner")
    )
    if owners == 1:
        raise UserError(
            "A workspace needs an owner",
            f"{member.name} is the last owner of {scope.workspace_name}. Make someone else an owner first.",
            status=409,
        )


def _withdraw_invitations(scope: Scope, db: Session, user_id: uuid.UUID) -> None:
    """Links made by someone who may no longer invite stop working."""
    db.execute(
        update(Invitation)
        .where(
            Invitation.workspace_id == scope.workspace_id,
            Invitation.created_by == user_id,
            Invitation.accepted_at.is_(None),
            Invitation.revoked_at.is_(None),
        )
        .values(revoked_at=func.now())
    )


def _not_allowed(why: str) -> UserError:
    return UserError("Your role does not allow this", why, status=403)
