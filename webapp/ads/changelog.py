"""The change log (`ad_audit`): who proposed, decided and changed what, in a chain of hashes per workspace.

    hash(n) = SHA-256( hash(n-1) | canonical JSON of workspace, seq, at, actor, event, plan, item, body )
    hash(0) = 32 zero bytes                 seq = 1, 2, 3 ... without a gap

The table refuses update and delete. Whoever gets around that breaks the chain at the entry they touched: verify()
names it. An entry that was never followed by another can be cut off unseen; the page therefore shows the last hash,
which a careful person writes down.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from webapp.accounts import Scope
from webapp.db import Session


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
    raise NotImplementedError


def entries(scope: Scope, db: Session, *, before: int | None = None, limit: int = 100) -> list[Entry]:
    """The newest first; `before` is the seq of the last one seen (keyset paging)."""
    raise NotImplementedError


def verify(scope: Scope, db: Session) -> int | None:
    """The seq of the first entry that does not follow from the one before it; None if the chain is whole."""
    raise NotImplementedError
