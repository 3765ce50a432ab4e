"""Sums of the ledger: by day, model, provider, surface, member and key, for the usage page and its export.

Owners and admins see everybody's figures, never the words; other members see their own and the sum of the workspace.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Literal

from sqlalchemy import ColumnElement, Date, SQLColumnExpression, and_, case, cast, func, select, tuple_

from webapp.accounts import Right, Scope
from webapp.db import Session
from webapp.db.models import UsageEntry, User
from webapp.usage.ledger import as_spent, entries_of, entry, sums
from webapp.usage.receipts import Entry, Spent

PIECE = 500  # entries of an export in one read

By = Literal["provider", "model", "surface", "member", "key"]


@dataclass(frozen=True)
class Days:
    """Whole days, UTC, both included."""

    since: date
    until: date


@dataclass(frozen=True)
class Row:
    """A row of the usage page: what it is the sum of. `provider` is that of a model or key; `owner` whose key it is, if
    it is a member's own: then it has a name for that member alone."""

    name: str
    spent: Spent
    provider: str = ""
    owner: str = ""


def may_see_all(scope: Scope) -> bool:
    """Whether the figures of every member may be shown, not only the workspace's sum."""
    return scope.may(Right.MANAGE_MEMBERS)


def spent(scope: Scope, db: Session, days: Days, *, mine: bool = False) -> Spent:
    """The sum of the workspace, or of the reader's own calls."""
    return as_spent(db.execute(select(*sums()).where(*_within(scope, days, mine))).one())


def spent_by_day(scope: Scope, db: Session, days: Days, *, mine: bool = False) -> dict[date, Spent]:
    """Days without a call are missing."""
    day = cast(func.timezone("UTC", UsageEntry.at), Date)
    query = select(day, *sums()).where(*_within(scope, days, mine)).group_by(day)
    return {row[0]: as_spent(row[1:]) for row in db.execute(query)}


def spent_by(scope: Scope, db: Session, days: Days, by: By) -> list[Row]:
    """Dearest first: of everybody for who may see that, else of the reader's own calls."""
    parts = _parts(by, scope)
    query = (
        select(*parts.values(), *sums())
        .join(User, User.id == UsageEntry.user_id)
        .where(*_within(scope, days, not may_see_all(scope)))
        .group_by(*parts.values(), *([User.id] if by == "member" else []))
    )
    rows = [Row(spent=as_spent(row[len(parts) :]), **dict(zip(parts, row, strict=False))) for row in db.execute(query)]
    return sorted(rows, key=lambda row: (-row.spent.micros, -row.spent.tokens, row.name))


def entries(scope: Scope, db: Session, days: Days, *, after: Entry | None = None) -> list[Entry]:
    """The oldest first, at most PIECE of them after the given one: everybody's for who may see that, else the reader's
    own."""
    place = tuple_(UsageEntry.at, UsageEntry.turn_id, UsageEntry.round)
    query = entries_of(scope).where(*_within(scope, days, not may_see_all(scope)))
    if after is not None:
        query = query.where(place > tuple_(after.at, after.turn_id, after.round))
    rows = db.execute(query.order_by(UsageEntry.at, UsageEntry.turn_id, UsageEntry.round).limit(PIECE))
    return [entry(row, name) for row, name in rows]


def _within(scope: Scope, days: Days, mine: bool) -> tuple[ColumnElement[bool], ...]:
    first = datetime.combine(days.since, time(), UTC)
    past = datetime.combine(days.until + timedelta(1), time(), UTC)
    here = (UsageEntry.workspace_id == scope.workspace_id, UsageEntry.at >= first, UsageEntry.at < past)
    return (*here, UsageEntry.user_id == scope.user_id) if mine else here


def _parts(by: By, scope: Scope) -> dict[str, SQLColumnExpression[Any]]:
    """The fields of a Row that tell one from another."""
    of = UsageEntry
    match by:
        case "provider":
            return {"name": of.provider}
        case "model":
            return {"name": func.coalesce(func.nullif(of.model_served, ""), of.model), "provider": of.provider}
        case "surface":
            return {"name": of.surface}
        case "member":
            return {"name": User.name}
        case "key":
            owner = case((of.personal, User.name), else_="")
            label = case((and_(of.personal, of.user_id != scope.user_id), ""), else_=of.key_label)
            return {"name": label, "provider": of.provider, "owner": owner}
