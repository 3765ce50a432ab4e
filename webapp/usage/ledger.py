"""The ledger: one entry for each call to a provider, written once, never changed. The store of usage_entries.

When a call is booked. A round of a turn is booked when it is over: between two rounds, in the transaction that asks
whether another one is allowed, so that everybody's limits see it; when the turn begins to wait for a person; and
whatever is left when the turn ends, however it ends, in the transaction that stores the end. Turn and round are
unique, so whoever books the same round again (the end, a reaper, a resumed turn elsewhere) changes nothing. Of a killed
process counts what its log had stored: a call that it began in its last tenth of a second is in no book.

An author sees the entries of their own turns. Sums of the workspace: totals.py.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Any
from typing import cast as typed

from sqlalchemy import ColumnElement, FromClause, Select, SQLColumnExpression, delete, func, select, true
from sqlalchemy.dialects.postgresql import distinct_on, insert

from webapp.accounts import Scope
from webapp.db import Session
from webapp.db.models import BudgetHold, ByokKey, ChatPolicy, ChatSession, Prefix, UsageEntry, User
from webapp.llm.events import Usage
from webapp.llm.models import Model
from webapp.llm.providers import cache_seconds
from webapp.usage import misses
from webapp.usage.calls import Call
from webapp.usage.misses import Earlier, Miss
from webapp.usage.prices import Cost, Source, cost
from webapp.usage.receipts import Entry, Spent

LOOK_BACK = timedelta(days=7)  # for what could have warmed a cache
TOKENS = tuple(field.name for field in fields(Usage) if field.name != "cost")  # columns of the same names


@dataclass(frozen=True)
class Caller:
    """Whose calls: of which turn, and on which key and model they were made."""

    workspace_id: uuid.UUID
    user_id: uuid.UUID
    session_id: uuid.UUID
    turn_id: uuid.UUID
    provider: str
    model: str
    key_id: uuid.UUID | None
    key_label: str


# --- booking ----------------------------------------------------------------------------------------------------


def book(db: Session, caller: Caller, calls: Sequence[Call], model: Model | None) -> None:
    """Enter calls that are over, priced as `model`; those that are in the ledger already stay as they are. What the
    turn held for the last of them (budgets.py) is held no more."""
    if not calls:
        return
    why = _misses(db, caller, calls, model)
    rows = [_row(caller, call, model, miss) for call, miss in zip(calls, why, strict=True)]
    held = delete(BudgetHold).where(BudgetHold.turn_id == caller.turn_id).cte("held")
    entries = insert(UsageEntry).values(rows).on_conflict_do_nothing(index_elements=["turn_id", "round"])
    db.execute(entries.add_cte(held))


def _row(caller: Caller, call: Call, model: Model | None, miss: str) -> dict[str, Any]:
    place = ChatSession.__table__.c
    here = place.id == caller.session_id
    price = cost(call.used, model)
    return {
        "id": uuid.uuid4(),
        "workspace_id": caller.workspace_id,
        "user_id": caller.user_id,
        "session_id": caller.session_id,
        "turn_id": caller.turn_id,
        "round": call.round,
        "surface": select(place.surface).where(here).scalar_subquery(),
        "prefix_hash": select(place.prefix_hash).where(here).scalar_subquery(),
        "provider": caller.provider,
        "model": caller.model,
        "model_served": call.model_served[:160],
        "byok_key_id": caller.key_id,
        "key_label": caller.key_label,
        "personal": _is_personal(caller.key_id),
        "response_id": call.response_id[:160],
        **{name: count for name, count in vars(call.used).items() if name != "cost"},
        "estimated": call.estimated,
        "cost_micros": price.micros,
        "saved_micros": price.saved,
        "price_source": price.source,
        "priced_at": price.priced_at,
        "miss": miss,
        "first_token_ms": call.first_token_ms,
        "duration_ms": call.duration_ms,
        "at": datetime.fromtimestamp(call.asked_at, UTC) if call.asked_at else func.now(),
    }


def _is_personal(key_id: uuid.UUID | None) -> ColumnElement[bool]:
    owned = select(ByokKey.owner_id.is_not(None)).where(ByokKey.id == key_id)
    return func.coalesce(owned.scalar_subquery(), False)


# --- why a cache was missed -------------------------------------------------------------------------------------


def _misses(db: Session, caller: Caller, calls: Sequence[Call], model: Model | None) -> list[str]:
    """For each call the reason, in a word. The past is looked at only for what no provider explains."""
    said = [misses.from_provider(call.missed) for call in calls]
    for n, call in enumerate(calls):
        if not said[n] and _cold(call, model):
            said[n] = _own_word(db, caller, calls[:n], call, model)
    return said


def _cold(call: Call, model: Model | None) -> bool:
    """Whether the call read nothing from a cache that there is. Of one whose input was never counted nobody knows."""
    wrote = call.used.cache_write + call.used.cache_write_1h > 0
    caches = wrote or (model is not None and model.cache_read is not None)
    return caches and (wrote or not call.estimated) and not call.used.cache_read


def _own_word(db: Session, caller: Caller, before: Sequence[Call], call: Call, model: Model | None) -> Miss:
    """`before` are the calls of the same turn before it."""
    if model and model.cache_min and call.used.total - call.used.output < model.cache_min:
        return Miss.SHORT
    earlier = [_round_before(caller, before[-1], call)] if before else _earlier(db, caller, call)
    return misses.compared(earlier, caller.model, caller.key_id, _kept(db, caller))


def _round_before(caller: Caller, last: Call, call: Call) -> Earlier:
    return Earlier(call.asked_at - last.asked_at, caller.model, caller.key_id, True, True, True)


def _earlier(db: Session, caller: Caller, call: Call) -> list[Earlier]:
    """The workspace's last call at this provider with each model and prefix, within LOOK_BACK."""
    now = datetime.fromtimestamp(call.asked_at, UTC) if call.asked_at else datetime.now(UTC)
    mine = select(Prefix).join(ChatSession, ChatSession.prefix_hash == Prefix.hash)
    own = mine.where(ChatSession.id == caller.session_id).subquery()
    query = (
        select(
            UsageEntry.at,
            UsageEntry.model,
            UsageEntry.byok_key_id,
            func.coalesce(Prefix.hash == own.c.hash, False),
            func.coalesce(Prefix.tools == own.c.tools, False),
            func.coalesce(Prefix.system == own.c.system, False),
        )
        .outerjoin(Prefix, Prefix.hash == UsageEntry.prefix_hash)
        .outerjoin(own, true())
        .where(
            UsageEntry.workspace_id == caller.workspace_id,
            UsageEntry.provider == caller.provider,
            UsageEntry.turn_id != caller.turn_id,
            UsageEntry.at.between(now - LOOK_BACK, now),
        )
        .ext(distinct_on(UsageEntry.model, UsageEntry.prefix_hash))
        .order_by(UsageEntry.model, UsageEntry.prefix_hash, UsageEntry.at.desc())
    )
    return [Earlier((now - row[0]).total_seconds(), *row[1:]) for row in db.execute(query)]


def _kept(db: Session, caller: Caller) -> int:
    ttl = db.scalar(select(ChatPolicy.cache_ttl).where(ChatPolicy.workspace_id == caller.workspace_id))
    return cache_seconds(caller.provider, ttl or "5m")


# --- looking ----------------------------------------------------------------------------------------------------


def of_turns(scope: Scope, db: Session, turn_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, list[Entry]]:
    """The entries of the author's own turns, in order."""
    query = entries_of(scope).where(UsageEntry.user_id == scope.user_id, UsageEntry.turn_id.in_(turn_ids))
    found: dict[uuid.UUID, list[Entry]] = {}
    for row, name in db.execute(query.order_by(UsageEntry.turn_id, UsageEntry.round)):
        found.setdefault(row.turn_id, []).append(entry(row, name))
    return found


def last_response(db: Session, session_id: uuid.UUID, provider: str) -> str:
    """The provider's id of its last answer in the session, "" if there is none. The caller has checked whose it is."""
    query = (
        select(UsageEntry.response_id)
        .where(UsageEntry.session_id == session_id, UsageEntry.provider == provider)
        .order_by(UsageEntry.at.desc())
        .limit(1)
    )
    return db.scalar(query) or ""


def of_session(session_id: SQLColumnExpression[uuid.UUID]) -> FromClause:
    """For a store that reads sessions: the sum of each one's entries, as the columns that as_spent() takes."""
    return select(*sums()).where(UsageEntry.session_id == session_id).lateral()


def as_spent(row: Sequence[Any]) -> Spent:
    """From a row of sums()."""
    calls, *rest = map(int, row)
    return Spent(calls, Usage(*rest[: len(TOKENS)]), *rest[len(TOKENS) :])


def entries_of(scope: Scope) -> Select[UsageEntry, str]:
    """For the stores of usage: the workspace's entries with the names of their members; entry() makes one of a row."""
    return (
        select(UsageEntry, User.name)
        .join(User, User.id == UsageEntry.user_id)
        .where(UsageEntry.workspace_id == scope.workspace_id)
    )


def sums() -> tuple[ColumnElement[int], ...]:
    """The columns that as_spent() takes: calls, the tokens of Usage, then the other fields of Spent, in their order."""
    unpriced = UsageEntry.cost_micros.is_(None)
    tokens = [getattr(UsageEntry, name) for name in TOKENS]
    return (
        func.count(UsageEntry.id),
        *map(_sum, tokens),
        _sum(UsageEntry.cost_micros),
        _sum(UsageEntry.saved_micros),
        func.count(UsageEntry.id).filter(unpriced),
        func.coalesce(func.sum(sum(tokens[1:-1], tokens[0])).filter(unpriced), 0),  # thinking is part of the output
        func.count(UsageEntry.id).filter(UsageEntry.estimated),
    )


def _sum(column: SQLColumnExpression[Any]) -> ColumnElement[int]:
    return func.coalesce(func.sum(column), 0)


def entry(row: UsageEntry, user_name: str) -> Entry:
    kept = {field.name: getattr(row, field.name) for field in fields(Entry) if hasattr(row, field.name)}
    return Entry(
        **kept,
        user_name=user_name,
        used=Usage(**{name: getattr(row, name) for name in TOKENS}),
        cost=Cost(row.cost_micros, row.saved_micros, typed(Source, row.price_source), row.priced_at),
    )
