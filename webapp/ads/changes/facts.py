"""What our own tables know of campaigns that a plan is to change: their and the workspace's spend, our past changes.

How a campaign stands now is not among it: that is asked of its platform.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import case, func, select

from webapp.accounts import Scope
from webapp.db import Session
from webapp.db.models import AdAccount, AdDaily, Campaign, ChangeItem

WEEK = timedelta(days=7)
WEEK_DAYS = 7


@dataclass(frozen=True)
class Known:
    """`week_micros` is None where no figures were ever read."""

    campaign_id: uuid.UUID
    external_id: str
    name: str  # as we know it; the platform may have another by now
    account_id: uuid.UUID
    account_name: str
    currency: str
    writable: bool
    week_micros: int | None
    changed_by_us: datetime | None = None
    budgets_this_hour: int = 0


@dataclass(frozen=True)
class Money:
    """Micros by currency, of the whole workspace."""

    week: Mapping[str, int]  # spent in the last 7 days that there are figures of
    budgets: Mapping[str, int]  # per day, of what is active


def known(scope: Scope, db: Session, campaign_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, Known]:
    """By campaign; a foreign one, or one of a disconnected account, is left out."""
    query = (
        select(Campaign, AdAccount)
        .join(AdAccount, AdAccount.id == Campaign.account_id)
        .where(Campaign.workspace_id == scope.workspace_id, Campaign.id.in_(campaign_ids), AdAccount.status == "active")
    )
    spent, changed = _week(scope, db), _changes(scope, db, campaign_ids)
    return {
        row.id: Known(
            row.id,
            row.external_id,
            row.name,
            account.id,
            account.name,
            account.currency,
            account.writable,
            spent.get(row.id, 0) if account.data_through else None,
            *changed.get(row.id, (None, 0)),
        )
        for row, account in db.execute(query)
    }


def _week(scope: Scope, db: Session) -> dict[uuid.UUID, int]:
    """Spend of each campaign in the newest 7 days that its account has figures of."""
    query = (
        select(AdDaily.campaign_id, func.sum(AdDaily.spend_micros))
        .join(AdAccount, AdAccount.id == AdDaily.account_id)
        .where(
            AdDaily.workspace_id == scope.workspace_id,
            AdAccount.status == "active",
            AdDaily.day > AdAccount.data_through - WEEK_DAYS,
        )
        .group_by(AdDaily.campaign_id)
    )
    return {id: int(micros) for id, micros in db.execute(query)}


def _changes(scope: Scope, db: Session, ids: Collection[uuid.UUID]) -> dict[uuid.UUID, tuple[datetime | None, int]]:
    """When we last changed each of them, and how often its budget in the last hour."""
    recent = case(
        ((ChangeItem.field == "daily_budget") & (ChangeItem.done_at > func.now() - timedelta(hours=1)), 1), else_=0
    )
    query = (
        select(ChangeItem.campaign_id, func.max(ChangeItem.done_at), func.sum(recent))
        .where(
            ChangeItem.workspace_id == scope.workspace_id,
            ChangeItem.campaign_id.in_(ids),
            ChangeItem.status.in_(("done", "unknown")),
        )
        .group_by(ChangeItem.campaign_id)
    )
    return {id: (at, int(budgets)) for id, at, budgets in db.execute(query)}


def money(scope: Scope, db: Session) -> Money:
    """Of all active campaigns. A budget of a lifetime, or none that we know, counts with the spend of the last week."""
    spent = _week(scope, db)
    week: dict[str, int] = {}
    budgets: dict[str, int] = {}
    query = (
        select(Campaign, AdAccount.currency)
        .join(AdAccount, AdAccount.id == Campaign.account_id)
        .where(Campaign.workspace_id == scope.workspace_id, AdAccount.status == "active")
    )
    shared: set[tuple[uuid.UUID, str]] = set()
    for row, currency in db.execute(query):
        week[currency] = week.get(currency, 0) + spent.get(row.id, 0)
        budget = (row.account_id, row.budget_id)
        if row.status != "active" or (row.budget_level == "shared" and budget in shared):
            continue
        shared.add(budget)
        budgets[currency] = budgets.get(currency, 0) + _per_day(row, spent.get(row.id, 0))
    return Money(week, budgets)


def _per_day(row: Any, week_micros: int) -> int:
    if row.budget_micros is not None and row.budget_period == "daily":
        return int(row.budget_micros)
    budgets = [each.get("budget_micros") for each in row.adsets if each.get("status") == "active"]
    if budgets and all(each is not None for each in budgets):
        return sum(map(int, budgets))
    return week_micros // WEEK_DAYS
