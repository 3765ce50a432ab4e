"""The change log (`ad_audit`): who proposed, decided and changed what, in a chain of hashes per workspace.

    hash(n) = SHA-256( hash(n-1) | canonical JSON of workspace, seq, at, actor, event, plan, item, body )
    hash(0) = 32 zero bytes                 seq = 1, 2, 3 ... without a gap

The table refuses update and delete. Whoever gets around that breaks the chain at the entry they touched, and verify()
names it. What was cut off at the end leaves a whole chain: the page shows the newest hash, for who wants to note it.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select

from webapp.accounts import Scope
from webapp.db import Session
from webapp.db.models import AdAudit, User, Workspace

START = bytes(32)


@dataclass(frozen=True)
class Entry:
    seq: int
    at: datetime
    actor: str  # a person's name; empty: the product itself
    event: str  # plan.proposed, plan.approved, item.done ...
    plan_id: uuid.UUID | None
    item_id: uuid.UUID | None
    body: dict[str, Any]
    hash: str  # hex


def append(
    db: Session,
    workspace_id: uuid.UUID,
    event: str,
    *,
    actor_id: uuid.UUID | None = None,
    plan_id: uuid.UUID | None = None,
    item_id: uuid.UUID | None = None,
    **body: Any,
) -> int:
    """Add one entry in the caller's transaction: the deed and its record commit together. Its seq. Holds the
    workspace's row lock until then, so that two writers never take the same seq. `body` is plain JSON."""
    hold(db, workspace_id)
    newest = select(AdAudit.seq, AdAudit.hash).where(AdAudit.workspace_id == workspace_id)
    last = db.execute(newest.order_by(AdAudit.seq.desc()).limit(1)).one_or_none()
    seq, previous = (last.seq + 1, last.hash) if last else (1, START)
    row = AdAudit(
        workspace_id=workspace_id,
        seq=seq,
        at=datetime.now(UTC),
        actor_id=actor_id,
        event=event,
        plan_id=plan_id,
        item_id=item_id,
        body=body,
        prev_hash=previous,
    )
    row.hash = link(row)
    db.add(row)
    db.flush()
    return seq


def hold(db: Session, workspace_id: uuid.UUID) -> None:
    """Lock the workspace until commit, as accounts/members.py does. It does not stop the inserts of chat."""
    db.execute(select(Workspace.id).where(Workspace.id == workspace_id).with_for_update(key_share=True))


def entries(scope: Scope, db: Session, *, before: int | None = None, limit: int = 100) -> list[Entry]:
    """The newest first; `before` is the seq of the last one seen (keyset paging)."""
    query = (
        select(AdAudit, User.name)
        .outerjoin(User, User.id == AdAudit.actor_id)
        .where(AdAudit.workspace_id == scope.workspace_id)
        .order_by(AdAudit.seq.desc())
        .limit(limit)
    )
    if before is not None:
        query = query.where(AdAudit.seq < before)
    return [_entry(row, name or "") for row, name in db.execute(query)]


def _entry(row: AdAudit, actor: str) -> Entry:
    return Entry(row.seq, row.at, actor, row.event, row.plan_id, row.item_id, row.body, row.hash.hex())


def verify(scope: Scope, db: Session) -> int | None:
    """The seq of the first entry that does not follow from the one before it; None if the chain is whole."""
    previous = START
    query = select(AdAudit).where(AdAudit.workspace_id == scope.workspace_id).order_by(AdAudit.seq)
    for seq, row in enumerate(db.scalars(query.execution_options(yield_per=500)), start=1):
        if row.seq != seq or row.prev_hash != previous or row.hash != link(row):
            return seq
        previous = row.hash
    return None


def link(row: AdAudit) -> bytes:
    """The hash that an entry must have."""
    said = {
        "workspace": str(row.workspace_id),
        "seq": row.seq,
        "at": row.at.astimezone(UTC).isoformat(),
        "actor": str(row.actor_id),
        "event": row.event,
        "plan": str(row.plan_id),
        "item": str(row.item_id),
        "body": row.body,
    }
    return hashlib.sha256(row.prev_hash + canonical(said)).digest()


def canonical(value: Any) -> bytes:
    """One spelling for equal JSON, also after a stay in PostgreSQL: sorted keys, no white space, 2.0 as 2."""
    return json.dumps(_plain(value), sort_keys=True, separators=(",", ":")).encode()


def _plain(value: Any) -> Any:
    match value:
        case dict():
            return {str(key): _plain(each) for key, each in value.items()}
        case list() | tuple():
            return [_plain(each) for each in value]
        case float() if value.is_integer():
            return int(value)
        case _:
            return value
