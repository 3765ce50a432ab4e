"""Rows of campaigns and days, as a sync writes them. When, and whether it still may: the package.

`began` is the moment before the platform was asked. What was written since (a change plan that was carried out and read
back) is newer than what the platform told, and stays.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import asdict
from datetime import date, datetime
from typing import Any

from sqlalchemy import case, delete, func, insert, or_, select, update
from sqlalchemy.dialects.postgresql import Insert
from sqlalchemy.dialects.postgresql import insert as upsert

from webapp.accounts import Scope
from webapp.ads.platform import CampaignState, DailyInsight
from webapp.db import Session
from webapp.db.models import AdDaily, Campaign

ROWS = 1000  # of one INSERT
NAME = 400  # characters
KEPT = ("id", "workspace_id", "account_id", "external_id")  # columns of a campaign that never change
GUESSED = ("learning_events", "started_on")  # a platform may leave them out: then the old value stays


def ids(scope: Scope, db: Session, account_id: uuid.UUID) -> dict[str, uuid.UUID]:
    """Our id of each of the account's campaigns, by the platform's."""
    query = select(Campaign.external_id, Campaign.id).where(
        Campaign.workspace_id == scope.workspace_id, Campaign.account_id == account_id
    )
    return {row.external_id: row.id for row in db.execute(query)}


def keep_campaigns(
    scope: Scope, db: Session, account_id: uuid.UUID, states: Sequence[CampaignState], began: datetime
) -> None:
    """New ones are added, known ones take the platform's word."""
    rows = list({state.external_id: _campaign(scope, account_id, state) for state in states}.values())
    for start in range(0, len(rows), ROWS):
        statement = upsert(Campaign).values(rows[start : start + ROWS])
        db.execute(
            statement.on_conflict_do_update(
                index_elements=["account_id", "external_id"],
                set_=_taken_over(statement),
                where=Campaign.seen_at <= began,
            )
        )


def mark_deleted(scope: Scope, db: Session, account_id: uuid.UUID, there: Sequence[str], began: datetime) -> None:
    """What the platform no longer lists was deleted there. Its days stay."""
    db.execute(
        update(Campaign)
        .where(Campaign.workspace_id == scope.workspace_id, Campaign.account_id == account_id)
        .where(Campaign.external_id.not_in(there), Campaign.status != "deleted", Campaign.seen_at <= began)
        .values(status="deleted", effective_status="", issues=[], seen_at=func.clock_timestamp())
        .execution_options(synchronize_session=False)
    )


def replace_days(
    scope: Scope, db: Session, account_id: uuid.UUID, first: date, last: date, days: Sequence[DailyInsight]
) -> None:
    """These are all days of the account from `first` to `last`. Each day's campaign is known (keep_campaigns). Of what
    came twice, which happens when rows move between two pages, the later counts."""
    ours = ids(scope, db, account_id)
    found = {(d.campaign_id, d.day, d.adset_id, d.ad_id): d for d in days if first <= d.day <= last}
    db.execute(delete(AdDaily).where(AdDaily.account_id == account_id, AdDaily.day.between(first, last)))
    rows = [_day(scope, account_id, ours[day.campaign_id], day) for day in found.values()]
    for start in range(0, len(rows), ROWS):
        db.execute(insert(AdDaily), rows[start : start + ROWS])


def _taken_over(statement: Insert) -> dict[str, Any]:
    new = statement.excluded
    taken = {column.name: new[column.name] for column in Campaign.__table__.columns if column.name not in KEPT}
    taken |= {name: func.coalesce(new[name], getattr(Campaign, name)) for name in GUESSED}
    differs = or_(
        *(getattr(Campaign, name).is_distinct_from(new[name]) for name in ("status", "budget_micros", "name"))
    )
    unseen = case((differs, func.clock_timestamp()), else_=Campaign.changed_at)
    told = func.greatest(new.changed_at, Campaign.changed_at)
    return taken | {"changed_at": case((new.changed_at.is_(None), unseen), else_=told)}


def _campaign(scope: Scope, account_id: uuid.UUID, state: CampaignState) -> dict[str, Any]:
    return {
        "id": uuid.uuid4(),
        "workspace_id": scope.workspace_id,
        "account_id": account_id,
        "external_id": state.external_id,
        "name": _name(state.name),
        "status": state.status,
        "effective_status": state.effective_status[:40],
        "issues": list(state.issues),
        "objective": state.objective,
        "bid_strategy": state.bid_strategy[:60],
        "budget_micros": state.budget_micros,
        "budget_period": state.budget_period,
        "budget_level": state.budget_level,
        "budget_id": state.budget_id,
        "shared_with": list(state.shared_with),
        "adsets": [{**asdict(adset), "id": adset.external_id} for adset in state.adsets],
        "learning": state.learning,
        "learning_events": state.learning_events,
        "started_on": state.started_on,
        "changed_at": state.changed_at,
        "seen_at": func.clock_timestamp(),
    }


def _day(scope: Scope, account_id: uuid.UUID, campaign_id: uuid.UUID, day: DailyInsight) -> dict[str, Any]:
    return {
        "campaign_id": campaign_id,
        "day": day.day,
        "adset_id": day.adset_id,
        "ad_id": day.ad_id,
        "workspace_id": scope.workspace_id,
        "account_id": account_id,
        "adset_name": _name(day.adset_name),
        "ad_name": _name(day.ad_name),
        "spend_micros": day.spend_micros,
        "impressions": day.impressions,
        "clicks": day.clicks,
        "orders": day.orders,
        "revenue_micros": day.revenue_micros,
    }


def _name(text: str) -> str:
    """PostgreSQL's text holds no NUL."""
    return text.replace("\0", "")[:NAME]
