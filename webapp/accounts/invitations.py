"""Links that let one person into a workspace, once, within seven days. We keep the hash of the link's token."""

from __future__ import annotations

import hashlib
import secrets
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, func, select, update

from webapp import audit
from webapp.accounts.members import hold
from webapp.accounts.scope import ROLES, Right, Role, Scope, as_role, enter
from webapp.db import Session
from webapp.db.models import Invitation, User, Workspace, WorkspaceMember
from webapp.errors import UserError, not_found

LIFETIME = timedelta(days=7)
NOTE_LENGTH = 120
INVITABLE: tuple[Role, ...] = ROLES[1:]  # an owner is made of a member, never by a link


@dataclass(frozen=True)
class Open:
    """An invitation that can still be accepted, as Settings › Members lists it."""

    id: uuid.UUID
    role: Role
    note: str
    invited_by: str
    created_at: datetime
    expires_at: datetime


@dataclass(frozen=True)
class Offer:
    """What an invitation says to the person who holds its link."""

    id: uuid.UUID
    workspace_id: uuid.UUID
    workspace_name: str
    role: Role
    invited_by: str
    expires_at: datetime


def create(scope: Scope, db: Session, *, role: str, note: str = "") -> str:
    """The token of a new link: the only time that anyone sees it. Raises a 422 UserError for a role not on offer."""
    scope = hold(scope, db, Right.MANAGE_MEMBERS)
    if role not in INVITABLE:
        raise UserError("Choose a role", "It is one of admin, member and viewer.", status=422)
    token = secrets.token_urlsafe(32)
    db.add(
        Invitation(
            workspace_id=scope.workspace_id,
            token_hash=_digest(token),
            role=role,
            note=note[:NOTE_LENGTH],
            created_by=scope.user_id,
            expires_at=func.now() + LIFETIME,
        )
    )
    audit.record(scope, db, "member.invited", note, role=role)
    return token


def listed(scope: Scope, db: Session) -> list[Open]:
    """The workspace's open invitations, the newest first."""
    rows = db.execute(
        select(Invitation, User.name)
        .join(User, User.id == Invitation.created_by)
        .where(Invitation.workspace_id == scope.workspace_id, _open())
        .order_by(Invitation.created_at.desc())
    )
    return [Open(i.id, as_role(i.role), i.note, by, i.created_at, i.expires_at) for i, by in rows]


def revoke(scope: Scope, db: Session, invitation_id: uuid.UUID) -> None:
    """Its link stops working. Raises the not-found UserError unless it is an open one of this workspace."""
    ended = (
        update(Invitation)
        .where(Invitation.id == invitation_id, Invitation.workspace_id == scope.workspace_id, _open())
        .values(revoked_at=func.now())
        .returning(Invitation.note, Invitation.role)
    )
    row = db.execute(ended).one_or_none()
    if row is None:
        raise not_found()
    audit.record(scope, db, "member.invitation_revoked", row.note, role=row.role)


def offer(db: Session, token: str) -> Offer:
    """What the link offers. Raises the not-found UserError when it is unknown, used, revoked or expired."""
    row = db.execute(
        select(Invitation, Workspace.name, User.name)
        .join(Workspace, Workspace.id == Invitation.workspace_id)
        .join(User, User.id == Invitation.created_by)
        .where(Invitation.token_hash == _digest(token), Workspace.deleted_at.is_(None), _open())
    ).one_or_none()
    if row is None:
        raise gone()
    invitation, workspace_name, invited_by = row
    return Offer(
        invitation.id,
        invitation.workspace_id,
        workspace_name,
        as_role(invitation.role),
        invited_by,
        invitation.expires_at,
    )


def accept(db: Session, token: str, user_id: uuid.UUID) -> Scope:
    """Let the user in: their scope. Of two who accept at once one gets in, the other the not-found UserError.

    A member who opens a link of their own workspace goes in as what they are, and the link stays unused.
    """
    found = offer(db, token)
    if _is_member(db, user_id, found.workspace_id):
        return enter(db, user_id, found.workspace_id)
    taken = (
        update(Invitation)
        .where(Invitation.id == found.id, _open())
        .values(accepted_at=func.now(), accepted_by=user_id)
        .returning(Invitation.id)
    )
    if db.execute(taken).one_or_none() is None:
        raise gone()
    db.add(WorkspaceMember(workspace_id=found.workspace_id, user_id=user_id, role=found.role))
    db.flush()
    scope = enter(db, user_id, found.workspace_id)
    audit.record(scope, db, "member.joined", scope.user_name, role=scope.role, invited_by=found.invited_by)
    return scope


def gone() -> UserError:
    return UserError(
        "This invitation is no longer valid",
        "It was used, withdrawn or has expired. Ask the person who sent it for a new link.",
        status=404,
    )


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def _open() -> ColumnElement[bool]:
    return and_(Invitation.accepted_at.is_(None), Invitation.revoked_at.is_(None), Invitation.expires_at > func.now())


def _is_member(db: Session, user_id: uuid.UUID, workspace_id: uuid.UUID) -> bool:
    row = select(WorkspaceMember.role).where(
        WorkspaceMember.workspace_id == workspace_id, WorkspaceMember.user_id == user_id
    )
    return db.execute(row).one_or_none() is not None
