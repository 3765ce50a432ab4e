"""How a workspace wants its chats cached and paid: the store of chat_policies. What it limits in money: budgets.py."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, cast

from sqlalchemy import func
from sqlalchemy.dialects.postgresql import insert

from webapp import audit
from webapp.accounts import Right, Scope
from webapp.accounts.members import hold
from webapp.db import Session
from webapp.db.models import ChatPolicy
from webapp.vault import byok

CacheTtl = Literal["5m", "1h"]
Unpriced = Literal["allow", "block"]


@dataclass(frozen=True)
class Policy:
    """`cache_ttl` is how long a provider that can choose keeps the shared prefix; `unpriced` whether models may be used
    whose price nobody knows; `personal_keys` whether members may connect keys of their own."""

    cache_ttl: CacheTtl = "5m"
    personal_keys: bool = False
    unpriced: Unpriced = "allow"


def policy(scope: Scope, db: Session) -> Policy:
    """The defaults, if nobody has decided otherwise."""
    row = db.get(ChatPolicy, scope.workspace_id)
    if row is None:
        return Policy()
    return Policy(cast(CacheTtl, row.cache_ttl), row.personal_keys, cast(Unpriced, row.unpriced))


def set_policy(scope: Scope, db: Session, wanted: Policy) -> None:
    """Raises UserError for a role that may not manage the workspace. Answers that run on members' own keys are cut if
    these are no longer allowed."""
    scope = hold(scope, db, Right.MANAGE_WORKSPACE)
    values = {
        "cache_ttl": wanted.cache_ttl,
        "personal_keys": wanted.personal_keys,
        "unpriced": wanted.unpriced,
        "updated_by": scope.user_id,
        "updated_at": func.now(),
    }
    db.execute(
        insert(ChatPolicy)
        .values(workspace_id=scope.workspace_id, **values)
        .on_conflict_do_update(index_elements=["workspace_id"], set_=values)
    )
    if not wanted.personal_keys:
        byok.stop_own_keys(scope, db)
    audit.record(scope, db, "policy.changed", **vars(wanted))
