"""Until when the team's prefix is warm in a provider's cache: the next answer on it is then fast and cheap. Reads the
ledger; nothing is asked of a provider."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import func, select

from webapp.accounts import Scope
from webapp.db import Session
from webapp.db.models import ChatSession, UsageEntry
from webapp.llm.models import Model
from webapp.llm.providers import cache_seconds
from webapp.usage.policy import policy


@dataclass(frozen=True)
class Warmth:
    """`until` None: cold. The next call then fills the cache anew, for `minutes`. With `least`, the prefix by itself is
    shorter than these tokens, the least that the model caches: only a chat's own words can make it long enough."""

    until: datetime | None
    minutes: int
    least: int = 0


@dataclass(frozen=True)
class Begins:
    """What requests begin with: a prefix (its hash), and about how many tokens it has."""

    prefix: bytes
    tokens: int


def warmth(
    scope: Scope,
    db: Session,
    *,
    provider: str,
    model: Model,
    key_id: uuid.UUID,
    session_id: uuid.UUID | None,
    begins: Begins,
    now: datetime | None = None,
) -> Warmth | None:
    """Of the prefix that the session keeps, or of what a new one `begins` with. None where the provider keeps no cache
    that we know of. Anybody's call of the workspace on this key and model counts, if it read or filled the cache; where
    the prefix alone is too short for that, only the session's own."""
    kept = cache_seconds(provider, policy(scope, db).cache_ttl)
    if not kept:
        return None
    least = model.cache_min if model.cache_min and begins.tokens < model.cache_min else 0
    own = select(ChatSession.prefix_hash).where(ChatSession.id == session_id).scalar_subquery()
    cached = UsageEntry.cache_read + UsageEntry.cache_write + UsageEntry.cache_write_1h
    last = db.scalar(
        select(func.max(UsageEntry.at)).where(
            UsageEntry.workspace_id == scope.workspace_id,
            UsageEntry.provider == provider,
            UsageEntry.model == model.id,
            UsageEntry.byok_key_id == key_id,
            UsageEntry.prefix_hash == func.coalesce(own, begins.prefix),
            UsageEntry.at > func.now() - timedelta(seconds=kept),
            cached > 0,
            *([UsageEntry.session_id == session_id] if least else []),
        )
    )
    until = last + timedelta(seconds=kept) if last else None
    warm = until is not None and until > (now or datetime.now(UTC))
    return Warmth(until if warm else None, kept // 60, least)
