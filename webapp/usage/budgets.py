"""Budgets: what calls on the team's keys may cost, and holds, which keep parallel calls within it. The store of both.

Before each call the runner reserves what it may cost at most, in one transaction: it locks the limits that concern the
turn, adds up what is spent (the ledger's entries of the period) and held (by calls that run), and refuses the call if
the sum would pass a limit. The hold lasts until the call is booked, in the same transaction (ledger.book); one whose
process was killed lapses at `until`. So the sum of what is booked stays within each limit, whoever asks at once, as
long as no call costs more than was held for it: its output is bounded by the request, its input is our estimate with
a MARGIN. A limit holds for the calls that begin after it was set.

A day and a month are UTC's. Limits in USD count the calls whose price is known, limits in tokens count all. Calls on
a member's own key are their own affair: they are not counted here, and not limited.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal, cast, get_args

from sqlalchemy import ColumnElement, ScalarSelect, Select, SQLColumnExpression, delete, func, or_, select, true
from sqlalchemy.dialects.postgresql import insert

from webapp import audit
from webapp.accounts import Right, Scope, members
from webapp.accounts.members import hold
from webapp.db import Session
from webapp.db.models import Budget, BudgetHold, UsageEntry, User
from webapp.errors import UserError, not_found
from webapp.llm.models import Model
from webapp.usage.ledger import TOKENS, Caller
from webapp.usage.prices import most

AppliesTo = Literal["workspace", "everyone", "member", "turn"]
Period = Literal["day", "month", "turn"]
Unit = Literal["usd", "tokens"]
APPLIES_TO: tuple[AppliesTo, ...] = get_args(AppliesTo)
PERIODS: tuple[Period, ...] = get_args(Period)
UNITS: tuple[Unit, ...] = get_args(Unit)

NEAR = 0.8  # of a limit: from there on it is said
MARGIN = 1.5  # times our estimate of a request's tokens, which may be short


@dataclass(frozen=True)
class Limit:
    """`amount` is micros of a US dollar, or tokens; `everyone` is a limit of the same size for each member."""

    id: uuid.UUID
    applies_to: AppliesTo
    period: Period
    unit: Unit
    amount: int
    user_id: uuid.UUID | None = None
    user_name: str = ""


@dataclass(frozen=True)
class Standing:
    """A limit, and how much of it is gone at a moment, in its unit. `held` is what running calls may still cost."""

    limit: Limit
    spent: int
    held: int
    resets: datetime | None  # None for a turn's

    @property
    def part(self) -> float:
        return self.spent / self.limit.amount

    @property
    def near(self) -> bool:
        return self.part >= NEAR

    @property
    def full(self) -> bool:
        return self.spent >= self.limit.amount


@dataclass(frozen=True)
class Most:
    """What a call may use at most; `micros` None where nobody knows its price."""

    micros: int | None
    tokens: int

    def of(self, unit: Unit) -> int:
        return (self.micros or 0) if unit == "usd" else self.tokens


@dataclass(frozen=True)
class Refused:
    """The call would pass this limit: it may need up to `needs`."""

    standing: Standing
    needs: int


@dataclass(frozen=True)
class Granted:
    """The call may be made; it is held. `near` are the limits of which NEAR is spent."""

    near: tuple[Standing, ...] = ()


def at_most(asked: int, max_output: int, model: Model | None) -> Most:
    """Of a request of about `asked` tokens."""
    tokens_in = round(asked * MARGIN)
    return Most(most(tokens_in, max_output, model), tokens_in + max_output)


# --- before and after a call ------------------------------------------------------------------------------------


def are_set(db: Session, caller: Caller) -> bool:
    """Whether any limit concerns the caller's turns: the one thing that is asked where there are none."""
    return db.scalar(select(_concerning(caller).exists())) or False


def reserve(
    db: Session, caller: Caller, needs: Most, *, lasts: float, now: datetime | None = None
) -> Granted | Refused:
    """Hold what the next call of the turn may cost, for `lasts` seconds at most, in place of what it held before. The
    turn's calls that are over must be booked by now, in this transaction or an earlier one."""
    now = now or datetime.now(UTC)
    locked = db.scalars(_concerning(caller).order_by(Budget.id).with_for_update(key_share=True)).all()
    limits = [_limit(row) for row in locked]
    if not limits:
        return Granted()
    standings = _standings(db, limits, caller, now)
    for standing in standings:
        wanted = needs.of(standing.limit.unit)
        if wanted and standing.spent + standing.held + wanted > standing.limit.amount:
            return Refused(standing, wanted)
    _hold(db, caller, needs, now, now + timedelta(seconds=lasts))
    return Granted(tuple(each for each in standings if each.near))


def release(db: Session, turn_id: uuid.UUID) -> None:
    """The turn makes no call any more, and has none to book. One that has is released by ledger.book."""
    db.execute(delete(BudgetHold).where(BudgetHold.turn_id == turn_id))


def _concerning(caller: Caller) -> Select[Budget]:
    mine = or_(Budget.user_id.is_(None), Budget.user_id == caller.user_id)
    return select(Budget).where(Budget.workspace_id == caller.workspace_id, mine)


def _hold(db: Session, caller: Caller, needs: Most, now: datetime, until: datetime) -> None:
    """Lapsed holds of the workspace go at the same time."""
    values = {"micros": needs.micros or 0, "tokens": needs.tokens, "until": until}
    db.execute(delete(BudgetHold).where(BudgetHold.workspace_id == caller.workspace_id, BudgetHold.until <= now))
    db.execute(
        insert(BudgetHold)
        .values(turn_id=caller.turn_id, workspace_id=caller.workspace_id, user_id=caller.user_id, **values)
        .on_conflict_do_update(index_elements=["turn_id"], set_=values)
    )


# --- how they stand ---------------------------------------------------------------------------------------------


def standings(scope: Scope, db: Session, now: datetime | None = None) -> list[Standing]:
    """All limits of the workspace for who may change them, else those that concern the reader; what is for everyone
    is counted for the reader. The workspace's first, days before months."""
    query = select(Budget, User.name).outerjoin(User, User.id == Budget.user_id)
    query = query.where(Budget.workspace_id == scope.workspace_id)
    if not scope.may(Right.MANAGE_WORKSPACE):
        query = query.where(or_(Budget.user_id.is_(None), Budget.user_id == scope.user_id))
    limits = [_limit(row, name or "") for row, name in db.execute(query)]
    limits.sort(key=_order)
    nowhere = Caller(scope.workspace_id, scope.user_id, uuid.UUID(int=0), uuid.UUID(int=0), "", "", None, "")
    return _standings(db, limits, nowhere, now or datetime.now(UTC))


def _order(limit: Limit) -> tuple[int, str, int, str]:
    return APPLIES_TO.index(limit.applies_to), limit.user_name, PERIODS.index(limit.period), limit.unit


def near(scope: Scope, db: Session) -> list[Standing]:
    """The limits of which the reader should know: they concern their turns, and NEAR of them is spent."""
    mine = (None, scope.user_id)
    return [each for each in standings(scope, db) if each.near and each.limit.user_id in mine]


def _standings(db: Session, limits: Sequence[Limit], caller: Caller, now: datetime) -> list[Standing]:
    """One statement, and so one moment: a call that is being booked is either held or spent, never neither."""
    if not limits:
        return []
    sums = [part for limit in limits for part in (_spent(limit, caller, now), _held(limit, caller, now))]
    found = db.execute(select(*(each.label(f"n{n}") for n, each in enumerate(sums)))).one()
    pairs = zip(limits, found[::2], found[1::2], strict=True)
    return [Standing(limit, int(spent), int(held), resets(limit.period, now)) for limit, spent, held in pairs]


def _spent(limit: Limit, caller: Caller, now: datetime) -> ScalarSelect[int]:
    tokens = [getattr(UsageEntry, name) for name in TOKENS if name != "thinking"]  # a part of the output
    used = UsageEntry.cost_micros if limit.unit == "usd" else sum(tokens[1:], tokens[0])
    where = [
        UsageEntry.workspace_id == caller.workspace_id,
        UsageEntry.personal.is_(False),
        *_whose(limit, caller, UsageEntry.user_id, UsageEntry.turn_id),
    ]
    if limit.period != "turn":
        where += [UsageEntry.at >= begins(limit.period, now), UsageEntry.at < cast(datetime, resets(limit.period, now))]
    return select(func.coalesce(func.sum(used), 0)).where(*where).scalar_subquery()


def _held(limit: Limit, caller: Caller, now: datetime) -> ScalarSelect[int]:
    """By others: what the turn itself holds is about to be replaced."""
    what = BudgetHold.micros if limit.unit == "usd" else BudgetHold.tokens
    where = [
        BudgetHold.workspace_id == caller.workspace_id,
        BudgetHold.turn_id != caller.turn_id,
        BudgetHold.until > now,
        *_whose(limit, caller, BudgetHold.user_id, BudgetHold.turn_id),
    ]
    return select(func.coalesce(func.sum(what), 0)).where(*where).scalar_subquery()


def _whose(
    limit: Limit, caller: Caller, user_id: SQLColumnExpression[uuid.UUID], turn_id: SQLColumnExpression[uuid.UUID]
) -> list[ColumnElement[bool]]:
    match limit.applies_to:
        case "workspace":
            return [true()]
        case "everyone":
            return [user_id == caller.user_id]
        case "member":
            return [user_id == limit.user_id]
        case "turn":
            return [turn_id == caller.turn_id]


def begins(period: Period, now: datetime) -> datetime:
    """The first moment of the day or month, UTC."""
    day = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return day.replace(day=1) if period == "month" else day


def resets(period: Period, now: datetime) -> datetime | None:
    """The first moment of the next one; None for a turn, which has none."""
    match period:
        case "turn":
            return None
        case "day":
            return begins("day", now) + timedelta(1)
        case "month":
            return (begins("month", now) + timedelta(32)).replace(day=1)


# --- changing them ----------------------------------------------------------------------------------------------


def set_limit(
    scope: Scope,
    db: Session,
    *,
    applies_to: AppliesTo,
    period: Period,
    unit: Unit,
    amount: int,
    user_id: uuid.UUID | None = None,
) -> None:
    """Add the limit, or change the one for the same people, period and unit. Raises 403 for a role that may not manage
    the workspace, 404 for who is not a member of it, 422 for a combination that there is not."""
    scope = hold(scope, db, Right.MANAGE_WORKSPACE)
    if (applies_to == "turn") != (period == "turn") or amount <= 0:
        raise UserError("The budget was not saved", "A limit of one answer has no day or month.", status=422)
    member = members.find(scope, db, user_id) if applies_to == "member" and user_id else None
    if applies_to == "member" and member is None:
        raise UserError("The budget was not saved", "Choose whom it is for.", status=422)
    values = {"amount": amount, "updated_by": scope.user_id, "updated_at": func.now()}
    place = {"workspace_id": scope.workspace_id, "applies_to": applies_to, "period": period, "unit": unit}
    statement = insert(Budget).values(id=uuid.uuid4(), user_id=member and member.user_id, **place, **values)
    db.execute(statement.on_conflict_do_update(index_elements=[*place, "user_id"], set_=values))
    name = member.name if member else ""
    audit.record(scope, db, "budget.set", name, applies_to=applies_to, period=period, unit=unit, amount=amount)


def remove(scope: Scope, db: Session, budget_id: uuid.UUID) -> None:
    """Raises 403, or 404 for a limit that is not the workspace's."""
    scope = hold(scope, db, Right.MANAGE_WORKSPACE)
    which = Budget.workspace_id == scope.workspace_id, Budget.id == budget_id
    row = db.execute(select(Budget, User.name).outerjoin(User, User.id == Budget.user_id).where(*which)).one_or_none()
    if row is None:
        raise not_found()
    gone = _limit(*row)
    db.execute(delete(Budget).where(*which))
    what = {"applies_to": gone.applies_to, "period": gone.period, "unit": gone.unit, "amount": gone.amount}
    audit.record(scope, db, "budget.removed", gone.user_name, **what)


def _limit(row: Budget, user_name: str | None = "") -> Limit:
    return Limit(
        row.id,
        cast(AppliesTo, row.applies_to),
        cast(Period, row.period),
        cast(Unit, row.unit),
        row.amount,
        row.user_id,
        user_name or "",
    )
