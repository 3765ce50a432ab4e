"""The reading store over campaigns and their days: lists, one campaign, account totals. It writes nothing.

Values are in figures.py, windows in windows.py. Each account is read in its own timezone, so "last week" may be other
days for two of them; a file's presets count back from its newest day, for it has no other today. Only connected
accounts are read: what a disconnected one left behind is not shown.

Days are added up in three parts per thing: `before` (the earlier days that are compared), `mature` and `fresh` (the
window's days up to and from `maturing_from`). The window is mature + fresh, the comparison mature against before.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, Date, Select, Text, Uuid, Values, case, cast, column, func, or_, select, values
from sqlalchemy.sql import ColumnElement

from webapp.accounts import Scope
from webapp.ads.figures import (
    Account,
    Ad,
    AdSet,
    Campaign,
    CampaignDetail,
    Figures,
    Listing,
    Named,
    Overview,
    Query,
    arranged,
    in_brief,
)
from webapp.ads.foreign import fence, unfence
from webapp.ads.totals import report, totals, with_days
from webapp.ads.windows import Period, Span, Window, span, today_in, window
from webapp.db import Session
from webapp.db.models import AdAccount, AdDaily
from webapp.db.models import Campaign as CampaignRow
from webapp.errors import not_found

Seen = Mapping[uuid.UUID, tuple[Account, Span]]  # the accounts that are read, by id
Parts = Mapping[str, Figures]
SUMS: tuple[ColumnElement[Any], ...] = (
    cast(func.sum(AdDaily.spend_micros), BigInteger),
    cast(func.sum(AdDaily.revenue_micros), BigInteger),
    func.sum(AdDaily.orders),
    cast(func.sum(AdDaily.impressions), BigInteger),
    cast(func.sum(AdDaily.clicks), BigInteger),
)


# --- what pages and tools ask -----------------------------------------------------------------------------------


def campaigns(scope: Scope, db: Session, query: Query, *, now: datetime | None = None) -> Listing:
    """The campaigns that fit the query, with figures, a comparison and their days."""
    everywhere = _accounts(scope, db, query.period, now)
    seen = {id: it for id, it in everywhere.items() if _fits(it[0], query)}
    parts = _parts(scope, db, seen, AdDaily.campaign_id)
    found = [
        _campaign(row, *seen[row.account_id], parts.get(row.id, {}))
        for row in db.scalars(select(CampaignRow).where(*_where(scope, query, list(seen))))
    ]
    page = arranged(found, query.sort, query.descending)[query.offset : query.offset + query.limit]
    days = _days(scope, db, seen, AdDaily.campaign_id, [row.id for row in page])
    rows = tuple(replace(row, report=with_days(row.report, days[row.id], seen[row.account.id][1])) for row in page)
    sums = totals((row.account, row.report) for row in found)
    return Listing(rows, len(found), sums, tuple(account for account, _ in seen.values()))


def campaign(
    scope: Scope, db: Session, campaign_id: uuid.UUID, period: Period = "last_30d", *, now: datetime | None = None
) -> CampaignDetail:
    """One campaign. Raises the not-found UserError for a foreign one."""
    row = db.scalar(
        select(CampaignRow).where(CampaignRow.id == campaign_id, CampaignRow.workspace_id == scope.workspace_id)
    )
    seen = _accounts(scope, db, period, now)
    if row is None or row.account_id not in seen:
        raise not_found()
    account, its_span = seen[row.account_id]
    only = {row.account_id: (account, its_span)}
    parts = _parts(scope, db, only, AdDaily.campaign_id, row.id).get(row.id, {})
    found = _campaign(row, account, its_span, parts)
    days = _days(scope, db, only, AdDaily.campaign_id, [row.id])[row.id]
    adsets, ads = _below(scope, db, row, account.window)
    return CampaignDetail(replace(found, report=with_days(found.report, days, its_span)), adsets, ads)


def overview(
    scope: Scope,
    db: Session,
    period: Period = "last_30d",
    *,
    account_id: uuid.UUID | None = None,
    now: datetime | None = None,
) -> Overview:
    """All connected accounts (or the one), each with its figures, and the totals per currency."""
    everywhere = _accounts(scope, db, period, now)
    seen = {id: it for id, it in everywhere.items() if account_id in (None, id)}
    parts = _parts(scope, db, seen, AdDaily.account_id)
    days = _days(scope, db, seen, AdDaily.account_id, list(seen))
    reports = tuple(
        (account, with_days(report(parts.get(id, {}), its_span), days[id], its_span))
        for id, (account, its_span) in seen.items()
    )
    return Overview(reports, totals(reports))


def accounts(
    scope: Scope, db: Session, period: Period = "last_30d", *, now: datetime | None = None
) -> tuple[Account, ...]:
    """The connected accounts, by name, with the window as each sees it."""
    return tuple(account for account, _ in _accounts(scope, db, period, now).values())


def campaign_context(
    scope: Scope, db: Session, campaign_id: uuid.UUID, *, now: datetime | None = None
) -> tuple[str, str]:
    """A label for people, and what a question about the campaign begins with for a model. Raises the not-found
    UserError for a foreign campaign."""
    found = campaign(scope, db, campaign_id, "last_30d", now=now).campaign
    return f"Campaign {unfence(fence(found.name))}", in_brief(found)


def names(scope: Scope, db: Session) -> list[Named]:
    """Every campaign of the connected accounts, by name. To find which one is meant."""
    rows = db.execute(
        select(CampaignRow.id, CampaignRow.external_id, CampaignRow.name)
        .join(AdAccount, AdAccount.id == CampaignRow.account_id)
        .where(CampaignRow.workspace_id == scope.workspace_id, AdAccount.status == "active")
        .order_by(CampaignRow.name, CampaignRow.id)
    )
    return [Named(id, ref("c", id), external_id, name) for id, external_id, name in rows]


def ref(kind: str, id: uuid.UUID) -> str:
    """The short id that a model uses. Who reads it back must refuse one that fits two things."""
    return f"{kind}_{id.hex[:10]}"


# --- accounts ---------------------------------------------------------------------------------------------------


def _accounts(scope: Scope, db: Session, period: Period, now: datetime | None) -> dict[uuid.UUID, tuple[Account, Span]]:
    rows = db.scalars(
        select(AdAccount)
        .where(AdAccount.workspace_id == scope.workspace_id, AdAccount.status == "active")
        .order_by(AdAccount.name, AdAccount.id)
    )
    return {row.id: _account(row, period, now or datetime.now(UTC)) for row in rows}


def _account(row: AdAccount, period: Period, now: datetime) -> tuple[Account, Span]:
    today = today_in(row.timezone, now)
    read_on = today_in(row.timezone, row.synced_at) if row.synced_at else today
    maturing_from = min(today, read_on) - timedelta(row.maturing_days)
    its_span = span(window(period, _anchor(row, today)), maturing_from)
    account = Account(
        id=row.id,
        ref=ref("a", row.id),
        name=row.name,
        platform=row.platform,
        network=row.network or (row.platform if row.platform in ("meta", "google") else ""),
        currency=row.currency,
        timezone=row.timezone,
        writable=row.writable,
        window=its_span.window,
        maturing_from=maturing_from,
        data_through=row.data_through,
        synced_at=row.synced_at,
        target_cpa_micros=row.target_cpa_micros,
        fault=str((row.fault or {}).get("said", "")),
    )
    return account, its_span


def _anchor(row: AdAccount, today: date) -> date:
    """The day that presets count back from."""
    if row.platform == "import" and row.data_through:
        return min(today, row.data_through + timedelta(1))
    return today


def _fits(account: Account, query: Query) -> bool:
    return query.account_id in (None, account.id) and query.platform in ("", account.platform, account.network)


# --- campaigns --------------------------------------------------------------------------------------------------


def _where(scope: Scope, query: Query, account_ids: Sequence[uuid.UUID]) -> list[ColumnElement[bool]]:
    where = [CampaignRow.workspace_id == scope.workspace_id, CampaignRow.account_id.in_(account_ids)]
    if query.status == "live":
        where.append(CampaignRow.status.in_(("active", "paused")))
    elif query.status != "all":
        where.append(CampaignRow.status == query.status)
    if text := query.text.strip():
        named = CampaignRow.name.icontains(text, autoescape=True)
        where.append(or_(named, CampaignRow.external_id == text, _ref_of(CampaignRow.id) == text.lower()))
    return where


def _ref_of(id: Any) -> ColumnElement[str]:
    """`ref` in SQL."""
    return "c_" + func.left(func.replace(cast(id, Text), "-", ""), 10)


def _campaign(row: CampaignRow, account: Account, its_span: Span, parts: Parts) -> Campaign:
    return Campaign(
        id=row.id,
        ref=ref("c", row.id),
        external_id=row.external_id,
        name=row.name,
        account=account,
        status=row.status,
        effective_status=row.effective_status,
        issues=tuple(map(str, row.issues)),
        objective=row.objective,
        bid_strategy=row.bid_strategy,
        budget_micros=row.budget_micros,
        budget_period=row.budget_period,
        budget_level=row.budget_level,
        shared_with=tuple(map(str, row.shared_with)),
        adset_count=len(row.adsets),
        learning=row.learning,
        learning_events=row.learning_events,
        started_on=row.started_on,
        age_days=(its_span.window.until - row.started_on).days + 1 if row.started_on else None,
        changed_at=row.changed_at,
        report=report(parts, its_span),
    )


def _below(scope: Scope, db: Session, row: CampaignRow, days: Window) -> tuple[tuple[AdSet, ...], tuple[Ad, ...]]:
    """Ad sets and ads of a campaign: those the platform told of, and those that only the daily rows name."""
    found = [
        Ad(ad_id, ad_name, adset_id, adset_name, Figures(*sums))
        for adset_id, adset_name, ad_id, ad_name, *sums in db.execute(_broken_down(scope, row, days))
    ]
    sums: dict[str, Figures] = defaultdict(Figures)
    for ad in found:
        sums[ad.adset_id] += ad.figures
    told = [_adset(raw, sums.pop(str(raw.get("id", "")), None)) for raw in row.adsets]
    called = {ad.adset_id: ad.adset_name for ad in found}
    others = [AdSet(id, called[id], "", None, "unknown", figures) for id, figures in sums.items() if id]
    ads = sorted((ad for ad in found if ad.id), key=lambda ad: -ad.figures.spend_micros)
    return (*told, *others), tuple(ads)


def _broken_down(scope: Scope, row: CampaignRow, days: Window) -> Select[Any]:
    return (
        select(AdDaily.adset_id, func.max(AdDaily.adset_name), AdDaily.ad_id, func.max(AdDaily.ad_name), *SUMS)
        .where(
            AdDaily.workspace_id == scope.workspace_id,
            AdDaily.campaign_id == row.id,
            AdDaily.day.between(days.since, days.until),
            or_(AdDaily.adset_id != "", AdDaily.ad_id != ""),
        )
        .group_by(AdDaily.adset_id, AdDaily.ad_id)
    )


def _adset(raw: Mapping[str, Any], figures: Figures | None) -> AdSet:
    return AdSet(
        id=str(raw.get("id", "")),
        name=str(raw.get("name", "")),
        status=str(raw.get("status", "")),
        budget_micros=raw.get("budget_micros"),
        learning=str(raw.get("learning", "unknown")),
        figures=figures,
    )


# --- adding up --------------------------------------------------------------------------------------------------


def _parts(
    scope: Scope, db: Session, seen: Seen, key: Any, only: uuid.UUID | None = None
) -> dict[uuid.UUID, dict[str, Figures]]:
    """The sums of each campaign or account (`key`), by part."""
    if not seen:
        return {}
    spans = _spans(seen)
    part = case(
        (AdDaily.day >= spans.c.since, case((AdDaily.day >= spans.c.maturing_from, "fresh"), else_="mature")),
        else_="before",
    ).label("part")
    query = (
        select(key, part, *SUMS)
        .join(spans, AdDaily.account_id == spans.c.account_id)
        .where(
            AdDaily.workspace_id == scope.workspace_id,
            or_(
                AdDaily.day.between(spans.c.since, spans.c.until),
                AdDaily.day.between(spans.c.earlier_since, spans.c.earlier_until),
            ),
            *([key == only] if only else []),
        )
        .group_by(key, part)
    )
    found: dict[uuid.UUID, dict[str, Figures]] = defaultdict(dict)
    for id, name, *numbers in db.execute(query):
        found[id][name] = Figures(*numbers)
    return found


def _days(
    scope: Scope, db: Session, seen: Seen, key: Any, only: Sequence[uuid.UUID]
) -> dict[uuid.UUID, dict[date, Figures]]:
    found: dict[uuid.UUID, dict[date, Figures]] = defaultdict(dict)
    if not seen or not only:
        return found
    spans = _spans(seen)
    query = (
        select(key, AdDaily.day, *SUMS)
        .join(spans, AdDaily.account_id == spans.c.account_id)
        .where(
            AdDaily.workspace_id == scope.workspace_id,
            AdDaily.day.between(spans.c.since, spans.c.until),
            key.in_(only),
        )
        .group_by(key, AdDaily.day)
    )
    for id, day, *numbers in db.execute(query):
        found[id][day] = Figures(*numbers)
    return found


def _spans(seen: Seen) -> Values:
    """The accounts' spans as a table to join with. Without a comparison its earlier days are none."""
    names = ("since", "until", "maturing_from", "earlier_since", "earlier_until")
    rows = []
    for id, (_, its) in seen.items():
        none = Window(its.window.since, its.window.since - timedelta(1))
        earlier = its.compared[1] if its.compared else none
        rows.append((id, its.window.since, its.window.until, its.maturing_from, earlier.since, earlier.until))
    return values(column("account_id", Uuid), *(column(name, Date) for name in names), name="spans").data(rows)
