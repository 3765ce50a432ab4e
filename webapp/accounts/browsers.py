"""Sign-in sessions, one a browser. The cookie holds a token, we hold its SHA-256: a stolen table signs nobody in.

A session ends 12 hours after it was last used, 14 days after it began, or when it is revoked.
It also remembers which workspace is being looked at. Once its person is no longer a member there (removed, left,
deleted), `find` looks at another workspace of theirs, or at none.
"""

from __future__ import annotations

import hashlib
import secrets
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, delete, func, select, update

from webapp.db import Session
from webapp.db.models import User, UserSession, Workspace, WorkspaceMember

IDLE = timedelta(hours=12)
ABSOLUTE = timedelta(days=14)
SEEN_EVERY = timedelta(minutes=1)


@dataclass(frozen=True)
class Visitor:
    """The person behind a token, and what they look at. `lost`: the workspace that they looked at until they were
    removed from it, or it was deleted; told once."""

    user_id: uuid.UUID
    name: str
    email: str
    theme: str
    session_id: uuid.UUID
    workspace_id: uuid.UUID | None
    lost: str = ""


@dataclass(frozen=True)
class Browser:
    """A line of the list in Settings › Account."""

    id: uuid.UUID
    ip: str
    user_agent: str
    created_at: datetime
    seen_at: datetime


def open_session(db: Session, user_id: uuid.UUID, *, ip: str = "", user_agent: str = "", replacing: str = "") -> str:
    """Sign the person in: the new token. The session of the token `replacing` ends, whoever it belonged to."""
    close_by_token(db, replacing)
    db.execute(delete(UserSession).where(UserSession.user_id == user_id, ~_alive()))
    token = secrets.token_urlsafe(32)
    db.add(
        UserSession(
            token_hash=_digest(token),
            user_id=user_id,
            ip=ip[:45],
            user_agent=user_agent[:300],
            expires_at=func.now() + ABSOLUTE,
        )
    )
    db.flush()
    return token


def renew(db: Session, session_id: uuid.UUID) -> str:
    """Another token for the same session, after its person's password changed: the old one is worth nothing."""
    token = secrets.token_urlsafe(32)
    db.execute(update(UserSession).where(UserSession.id == session_id).values(token_hash=_digest(token)))
    return token


def find(db: Session, token: str) -> Visitor | None:
    """Who holds the token; None when it is unknown, idle for too long, expired or revoked. Marks it as seen."""
    row = db.execute(
        select(UserSession.id, Workspace.id, Workspace.name, User, WorkspaceMember.user_id.label("member"), _stale())
        .join(User, User.id == UserSession.user_id)
        .outerjoin(Workspace, Workspace.id == UserSession.workspace_id)
        .outerjoin(
            WorkspaceMember,
            and_(
                WorkspaceMember.workspace_id == Workspace.id,
                WorkspaceMember.user_id == User.id,
                Workspace.deleted_at.is_(None),
            ),
        )
        .where(UserSession.token_hash == _digest(token), _alive())
    ).one_or_none()
    if row is None:
        return None
    session_id, workspace_id, workspace_name, user, member, stale = row
    if stale:
        _mark_seen(db, session_id)
    if member is not None:
        return Visitor(user.id, user.name, user.email, user.theme, session_id, workspace_id)
    elsewhere = _look_elsewhere(db, session_id, user.id, workspace_id)
    return Visitor(user.id, user.name, user.email, user.theme, session_id, elsewhere, lost=workspace_name or "")


def lives(db: Session, session_id: uuid.UUID) -> bool:
    """Whether the session is still good: not signed out, revoked, idle or expired."""
    return db.scalar(select(UserSession.id).where(UserSession.id == session_id, _alive())) is not None


def look_at(db: Session, session_id: uuid.UUID, workspace_id: uuid.UUID | None) -> None:
    """Make it the session's current workspace. The caller has entered it."""
    db.execute(update(UserSession).where(UserSession.id == session_id).values(workspace_id=workspace_id))


def of(db: Session, user_id: uuid.UUID) -> list[Browser]:
    """The person's signed-in browsers, the one last seen first."""
    rows = db.scalars(
        select(UserSession).where(UserSession.user_id == user_id, _alive()).order_by(UserSession.seen_at.desc())
    )
    return [Browser(s.id, s.ip, s.user_agent, s.created_at, s.seen_at) for s in rows]


def close(db: Session, user_id: uuid.UUID, session_id: uuid.UUID) -> bool:
    """Sign that browser out; False if the person has no such session."""
    gone = delete(UserSession).where(UserSession.id == session_id, UserSession.user_id == user_id)
    return db.execute(gone.returning(UserSession.id)).one_or_none() is not None


def close_others(db: Session, user_id: uuid.UUID, session_id: uuid.UUID) -> int:
    """Sign every other browser of the person out: how many there were."""
    gone = delete(UserSession).where(UserSession.user_id == user_id, UserSession.id != session_id)
    return len(db.execute(gone.returning(UserSession.id)).all())


def close_by_token(db: Session, token: str) -> None:
    if token:
        db.execute(delete(UserSession).where(UserSession.token_hash == _digest(token)))


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def _alive() -> ColumnElement[bool]:
    return and_(UserSession.expires_at > func.now(), UserSession.seen_at > func.now() - IDLE)


def _stale() -> ColumnElement[bool]:
    return UserSession.seen_at < func.now() - SEEN_EVERY


def _mark_seen(db: Session, session_id: uuid.UUID) -> None:
    """At most once a minute: a page of twenty requests writes once."""
    db.execute(update(UserSession).where(UserSession.id == session_id, _stale()).values(seen_at=func.now()))


def _look_elsewhere(
    db: Session, session_id: uuid.UUID, user_id: uuid.UUID, workspace_id: uuid.UUID | None
) -> uuid.UUID | None:
    """Another live workspace of the person, kept as the session's current one; None if there is none."""
    other: uuid.UUID | None = db.scalars(
        select(WorkspaceMember.workspace_id)
        .join(Workspace, Workspace.id == WorkspaceMember.workspace_id)
        .where(WorkspaceMember.user_id == user_id, Workspace.deleted_at.is_(None))
        .order_by(WorkspaceMember.joined_at, WorkspaceMember.workspace_id)
        .limit(1)
    ).one_or_none()
    if other != workspace_id:
        look_at(db, session_id, other)
    return other
