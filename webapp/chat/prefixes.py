"""What a session's requests begin with: the instructions and tools of its surface, frozen when it first asks.

A prefix is known by the hash of its bytes. As long as a surface does not change, every session of every workspace has
the same one, and a workspace's sessions meet the same cache. When a release changes a surface, new sessions get the new
prefix and old ones keep theirs: a provider binds preserved reasoning to it, and a conversation's cache goes on. A tool
that an old prefix names and the release has dropped answers with an error that the model can read.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from dataclasses import asdict, dataclass
from functools import cache, cached_property

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert

from webapp.chat.surfaces import Surface
from webapp.db import Session
from webapp.db.models import ChatSession, Prefix
from webapp.llm import sizes
from webapp.llm.request import ModelRequest, ToolSpec


@dataclass(frozen=True)
class Frozen:
    hash: bytes
    system: str
    tools: tuple[ToolSpec, ...]

    @cached_property
    def tokens(self) -> int:
        """About how many."""
        return sizes.request_tokens(ModelRequest("", (), self.system, self.tools))


@cache
def current(surface: Surface) -> Frozen:
    """What a session of this surface begins with from now on."""
    return _frozen(surface.instructions, surface.toolbox.specs())


def of_session(db: Session, session_id: uuid.UUID, surface: Surface) -> Frozen:
    """The prefix the session keeps; at its first call the surface's present one. The caller has checked whose it is."""
    kept = db.scalars(
        select(Prefix).join(ChatSession, ChatSession.prefix_hash == Prefix.hash).where(ChatSession.id == session_id)
    ).one_or_none()
    if kept is not None:
        return Frozen(kept.hash, kept.system, tuple(ToolSpec(**tool) for tool in kept.tools))
    now = current(surface)
    tools = [asdict(tool) for tool in now.tools]
    db.execute(
        insert(Prefix)
        .values(hash=now.hash, surface=surface.name, system=now.system, tools=tools)
        .on_conflict_do_nothing()
    )
    db.execute(
        update(ChatSession)
        .where(ChatSession.id == session_id)
        .values(prefix_hash=func.coalesce(ChatSession.prefix_hash, now.hash))
    )
    return now


def _frozen(system: str, tools: tuple[ToolSpec, ...]) -> Frozen:
    whole = {"system": system, "tools": [asdict(tool) for tool in tools]}
    return Frozen(hashlib.sha256(canonical(whole)).digest(), system, tools)


def canonical(value: object) -> bytes:
    """JSON with its keys in order: equal values, wherever they were stored meanwhile, give equal bytes."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()
