"""Puts the demo into a workspace: its ad accounts, its campaigns, and the shop if the workspace has none.

What the demo is: demo.py. How time passes in it: demo_replay.py. What is there stays, so that it can be asked for at
any time; orders of the demo are never put among those of a shop that was there before it.
"""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from webapp.accounts import Scope
from webapp.ads.demo import (
    ACCOUNTS,
    CAMPAIGNS,
    MATURING_DAYS,
    SHOP_CURRENCY,
    SHOP_NAME,
    SHOP_TIMEZONE,
    VISIT_DAYS,
    DemoAccount,
    DemoCampaign,
)
from webapp.ads.demo_replay import catch_up, kept
from webapp.ads.money import MICROS
from webapp.db import Session
from webapp.db.models import AdAccount, Campaign, GuardRails, Store, Workspace

WORDS = {  # a status as the network spells it
    "meta": {"active": "ACTIVE", "paused": "PAUSED", "archived": "ARCHIVED"},
    "google": {"active": "ENABLED", "paused": "PAUSED", "archived": "REMOVED"},
}


def seed_demo(scope: Scope, db: Session, today: date, *, visit_days: int = VISIT_DAYS) -> tuple[uuid.UUID, ...]:
    """The demo's ad accounts (Meta and Google in dollars, Meta in yen), with all data up to the day before `today`, and
    the shop behind them if the workspace has none. Their ids. What is there stays; an account that was disconnected is
    connected again. Takes some seconds the first time."""
    until = today - timedelta(1)
    db.execute(select(Workspace.id).where(Workspace.id == scope.workspace_id).with_for_update(key_share=True))
    known = {row.external_id: row for row in kept(scope, db)}
    anchor = min((row.details["anchor"] for row in known.values()), default=until.isoformat())
    with_shop = _open_shop(scope, db) or any(row.details["shop"] for row in known.values())
    visits_since = str(until - timedelta(visit_days - 1))
    details: dict[str, Any] = {"anchor": anchor, "writes": [], "shop": with_shop, "visits_since": visits_since}
    rows = [known.get(it.external_id) or _new_account(scope, it, details) for it in ACCOUNTS]
    for row in rows:
        row.status, row.revoked_at, row.revoked_by = "active", None, None
    db.add_all(rows)
    db.flush()
    _add_campaigns(scope, db, rows, date.fromisoformat(anchor))
    catch_up(scope, db, lambda _: today)
    return tuple(row.id for row in rows)


def allow_changes(scope: Scope, db: Session) -> None:
    """Guard rails that let plans be approved, unless the workspace has some: for a workspace made to try things in."""
    rails = {"workspace_id": scope.workspace_id, "mode": "on", "updated_by": scope.user_id}
    db.execute(insert(GuardRails).values(rails).on_conflict_do_nothing())


# --- accounts, campaigns, the shop ------------------------------------------------------------------------------


def _new_account(scope: Scope, account: DemoAccount, details: Mapping[str, Any]) -> AdAccount:
    return AdAccount(
        id=uuid.uuid4(),
        workspace_id=scope.workspace_id,
        platform="demo",
        network=account.network,
        external_id=account.external_id,
        name=account.name,
        currency=account.currency,
        timezone=account.timezone,
        writable=True,
        maturing_days=MATURING_DAYS,
        details={**details, "shop": details["shop"] and account.shop},
        created_by=scope.user_id,
    )


def _open_shop(scope: Scope, db: Session) -> bool:
    """True if it is ours because there was none."""
    shop = {
        "workspace_id": scope.workspace_id,
        "name": SHOP_NAME,
        "currency": SHOP_CURRENCY,
        "timezone": SHOP_TIMEZONE,
        "collect_key": secrets.token_hex(16),
    }
    made = db.execute(insert(Store).values(shop).on_conflict_do_nothing().returning(Store.workspace_id))
    return made.first() is not None


def _add_campaigns(scope: Scope, db: Session, accounts: Sequence[AdAccount], anchor: date) -> None:
    """Those that are not there yet."""
    by_key = {account.key: row for account, row in zip(ACCOUNTS, accounts, strict=True)}
    for campaign in CAMPAIGNS:
        row = _campaign_row(scope, campaign, by_key[campaign.account], anchor)
        db.execute(insert(Campaign).values(row).on_conflict_do_nothing())


def _campaign_row(scope: Scope, campaign: DemoCampaign, account: AdAccount, anchor: date) -> dict[str, Any]:
    shared = [it.name for it in CAMPAIGNS if it.budget_id and it.budget_id == campaign.budget_id and it != campaign]
    return {
        "id": uuid.uuid4(),
        "workspace_id": scope.workspace_id,
        "account_id": account.id,
        "external_id": campaign.id,
        "name": campaign.name,
        "status": campaign.status,
        "effective_status": WORDS[account.network][campaign.status],
        "objective": campaign.objective,
        "bid_strategy": campaign.bid_strategy,
        "budget_micros": None if campaign.level == "adset" else round(campaign.budget * MICROS),
        "budget_period": "" if campaign.level == "adset" else campaign.period,
        "budget_level": campaign.level,
        "budget_id": campaign.budget_id,
        "shared_with": shared,
        "adsets": _adsets(campaign),
        "started_on": anchor - timedelta(campaign.age - 1),
    }


def _adsets(campaign: DemoCampaign) -> list[dict[str, Any]]:
    shares: dict[tuple[str, str], Decimal] = {}
    for ad in campaign.ads:
        if ad.adset_id:
            key = (ad.adset_id, ad.adset_name)
            shares[key] = shares.get(key, Decimal(0)) + Decimal(str(ad.share))
    own = campaign.level == "adset"
    return [
        {
            "id": id,
            "name": name,
            "status": "active",
            "budget_micros": int(share * Decimal(str(campaign.budget)) * MICROS) if own else None,
            "learning": "learned",
        }
        for (id, name), share in shares.items()
    ]
