"""The reading store over campaigns and their days: lists, one campaign, account totals. It writes nothing.

Values are in figures.py, windows in windows.py. Each account is read in its own timezone, so "last week" may be other
days for two of them. Only connected accounts are read: what a disconnected one left behind is not shown.
"""

from __future__ import annotations

import uuid
from datetime import datetime

from webapp.accounts import Scope
from webapp.ads.figures import CampaignDetail, Listing, Overview, Query
from webapp.ads.windows import Period
from webapp.db import Session


def campaigns(scope: Scope, db: Session, query: Query, *, now: datetime | None = None) -> Listing:
    """The campaigns that fit the query, with figures, a comparison and their days."""
    raise NotImplementedError


def campaign(
    scope: Scope, db: Session, campaign_id: uuid.UUID, period: Period = "last_30d", *, now: datetime | None = None
) -> CampaignDetail:
    """One campaign. Raises the not-found UserError for a foreign one."""
    raise NotImplementedError


def overview(
    scope: Scope,
    db: Session,
    period: Period = "last_30d",
    *,
    account_id: uuid.UUID | None = None,
    now: datetime | None = None,
) -> Overview:
    """All connected accounts (or the one), each with its figures, and the totals per currency."""
    raise NotImplementedError


def campaign_context(
    scope: Scope, db: Session, campaign_id: uuid.UUID, *, now: datetime | None = None
) -> tuple[str, str]:
    """A label for people and a short, fenced text for the model, for "Ask Maxxer about this campaign". Raises the
    not-found UserError for a foreign campaign."""
    raise NotImplementedError
