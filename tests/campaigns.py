"""Ad accounts, campaigns and days as tests make them: straight into the tables, as a sync would leave them."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime, timedelta
from typing import Any

from webapp.accounts import Scope, people, workspaces
from webapp.db import Database
from webapp.db.models import AdAccount, AdDaily, Campaign

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)  # a Tuesday
TODAY = date(2026, 11, 24)
EUR = 1_000_000


def newcomer(database: Database, name: str) -> Scope:
    with database.begin() as db:
        user_id = people.sign_up(db, name=name, email=f"{name.lower()}@example.com", password_hash="none")
        assert user_id is not None
        return workspaces.create(db, user_id, f"{name}'s workspace")


def account(database: Database, scope: Scope, **more: Any) -> uuid.UUID:
    given = {"platform": "meta", "name": "Shop", "currency": "EUR", "timezone": "Europe/Berlin", **more}
    with database.begin() as db:
        row = AdAccount(
            workspace_id=scope.workspace_id,
            external_id=uuid.uuid4().hex[:12],
            created_by=scope.user_id,
            **{"writable": True, "data_through": TODAY - timedelta(1), **given},
        )
        db.add(row)
        db.flush()
        return row.id


def campaign(database: Database, scope: Scope, account_id: uuid.UUID, name: str, **more: Any) -> uuid.UUID:
    with database.begin() as db:
        row = Campaign(
            workspace_id=scope.workspace_id,
            account_id=account_id,
            external_id=uuid.uuid4().hex[:12],
            name=name,
            **{"status": "active", "started_on": TODAY - timedelta(30), **more},
        )
        db.add(row)
        db.flush()
        return row.id


def day(database: Database, campaign_id: uuid.UUID, ago: int, spend: float, revenue: float, **more: Any) -> None:
    """A day of a campaign, `ago` days before TODAY, in units of its currency."""
    with database.begin() as db:
        of = db.get_one(Campaign, campaign_id)
        db.add(
            AdDaily(
                workspace_id=of.workspace_id,
                account_id=of.account_id,
                campaign_id=of.id,
                day=TODAY - timedelta(ago),
                spend_micros=round(spend * EUR),
                revenue_micros=round(revenue * EUR),
                **{"orders": 1, "clicks": 10, "impressions": 1000, **more},
            )
        )
