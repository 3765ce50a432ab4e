"""The append-only record of who did what in a workspace. Never updated, never deleted, never a secret in it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select

from webapp.accounts import Scope
from webapp.db import Session
from webapp.db.models import AuditEvent, User


@dataclass(frozen=True)
class Entry:
    id: int
    at: datetime
    actor: str
    action: str
    subject: str
    details: dict[str, Any]


def record(scope: Scope, db: Session, action: str, subject: str = "", **details: Any) -> None:
    """Append one event in the caller's transaction: the deed and its record commit together."""
    db.add(
        AuditEvent(
            workspace_id=scope.workspace_id,
            actor_id=scope.user_id,
            action=action,
            subject=subject[:200],
            details=details,
        )
    )


def entries(scope: Scope, db: Session, *, before: int | None = None, limit: int = 50) -> list[Entry]:
    """The newest entries first; `before` is the id of the last one seen (keyset paging)."""
    query = (
        select(AuditEvent, User.name)
        .outerjoin(User, User.id == AuditEvent.actor_id)
        .where(AuditEvent.workspace_id == scope.workspace_id)
        .order_by(AuditEvent.id.desc())
        .limit(limit)
    )
    if before is not None:
        query = query.where(AuditEvent.id < before)
    return [
        Entry(e.id, e.created_at, name or "System", e.action, e.subject, e.details) for e, name in db.execute(query)
    ]
