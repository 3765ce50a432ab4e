"""What an export of ad figures adds to an imported account: compared first, then written. Read-only for ever after.

A file may come again, and files may overlap: a day of a campaign is replaced as a whole by what the newest import says
of it, so importing twice changes nothing. Days that a file does not mention stay: an export leaves out what it was told
to filter. A campaign is recognised by its id, else by its name; one that was first seen without an id takes the id of a
later file, so that the two are one campaign.
"""

from __future__ import annotations

import uuid
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Text, any_, delete, func, literal, select, tuple_
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import InstrumentedAttribute

from webapp import audit
from webapp.accounts import Right, Scope
from webapp.accounts.members import hold
from webapp.ads.imports.ad_days import ID, AdDay, AdFile, FileCampaign
from webapp.ads.imports.choices import Choices
from webapp.ads.imports.headers import KIND_NAMES, Kind
from webapp.db import Session
from webapp.db.models import AdAccount, AdDaily, Campaign
from webapp.errors import UserError

ROWS = 1000  # of one statement
FIGURES = ("spend_micros", "impressions", "clicks", "orders", "revenue_micros")
VALUES = ("adset_name", "ad_name", *FIGURES)

CampaignDay = tuple[uuid.UUID, date]
Rows = dict[CampaignDay, dict[tuple[str, str], dict[str, Any]]]  # by ad set and ad


@dataclass(frozen=True)
class Target:
    """An imported account that days can go to."""

    id: uuid.UUID
    name: str
    currency: str
    timezone: str


@dataclass(frozen=True)
class Compared:
    """Days of campaigns: what the file has beside what is there."""

    new: int
    changed: int
    unchanged: int
    campaigns: int  # of them are new


def targets(scope: Scope, db: Session, kind: Kind) -> list[Target]:
    """The imported accounts of that network, by name."""
    ours = AdAccount.workspace_id == scope.workspace_id, AdAccount.status == "active", AdAccount.platform == "import"
    rows = db.scalars(select(AdAccount).where(*ours, AdAccount.network == kind).order_by(AdAccount.name, AdAccount.id))
    return [Target(row.id, row.name, row.currency, row.timezone) for row in rows]


def best_target(scope: Scope, db: Session, found: list[Target], file: AdFile, currency: str) -> Target | None:
    """The account that knows most of the file's campaigns, else the only one in its currency; None: a new one."""
    fit = [target for target in found if target.currency == currency]
    names = {campaign.id or campaign.name for campaign in file.campaigns.values()}
    names |= {campaign.name for campaign in file.campaigns.values()}
    known = select(Campaign.account_id, func.count()).where(
        Campaign.account_id.in_([target.id for target in fit]),
        _among(Campaign.external_id, names) | _among(Campaign.name, names),
    )
    counted: dict[uuid.UUID, int] = dict(db.execute(known.group_by(Campaign.account_id)).all())
    best = max(fit, key=lambda target: counted.get(target.id, 0), default=None)
    return best if best and (counted.get(best.id) or len(fit) == 1) else None


def _among(column: InstrumentedAttribute[str], values: Collection[str]) -> ColumnElement[bool]:
    """As one parameter: a file can have more campaigns than the 65,535 that a statement may take."""
    return column == any_(literal(list(values), ARRAY(Text)))


def also_live(scope: Scope, db: Session, kind: Kind, file: AdFile) -> list[str]:
    """The names of connected accounts that have campaigns of this file: their days would be counted twice."""
    ids = {campaign.id for campaign in file.campaigns.values() if campaign.id}
    names = {campaign.name for campaign in file.campaigns.values()}
    rows = db.scalars(
        select(AdAccount.name)
        .join(Campaign, Campaign.account_id == AdAccount.id)
        .where(AdAccount.workspace_id == scope.workspace_id, AdAccount.status == "active", AdAccount.platform == kind)
        .where(_among(Campaign.external_id, ids) | _among(Campaign.name, names))
        .distinct()
        .order_by(AdAccount.name)
    )
    return list(rows)


def compare(scope: Scope, db: Session, account_id: uuid.UUID | None, file: AdFile) -> Compared:
    """What keep() would write. None: into a new account."""
    if account_id is None:
        return Compared(len({(day.campaign, day.day) for day in file.days}), 0, 0, len(file.campaigns))
    known = _recognised(scope, db, account_id, file)
    added = {key: uuid.uuid4() for key in file.campaigns if key not in known}
    ids = {key: row.id for key, row in known.items()} | added
    _, counts = _differing(_rows(file, ids), _stored(scope, db, account_id, file))
    return Compared(counts["new"], counts["changed"], counts["unchanged"], len(added))


def keep(
    scope: Scope, db: Session, kind: Kind, choices: Choices, currency: str, file: AdFile
) -> tuple[uuid.UUID, Compared]:
    """Write the file's days; the account they went to. Raises the UserErrors of hold(), and one for an account that
    is not there or counts in another currency."""
    scope = hold(scope, db, Right.MANAGE_ADS)
    account = _account(scope, db, kind, choices, currency)
    known = _recognised(scope, db, account.id, file)
    is_newest = account.data_through is None or file.until >= account.data_through
    ids = {key: row.id for key, row in known.items()}
    ids |= _add_campaigns(scope, db, account, file, known, is_newest)
    stored = _stored(scope, db, account.id, file)
    differing, counts = _differing(_rows(file, ids), stored)
    _replace(scope, db, account, differing, stored)
    account.data_through = max(file.until, account.data_through or file.until)
    account.synced_at = _complete_at(account)
    account.version += 1
    compared = Compared(counts["new"], counts["changed"], counts["unchanged"], len(ids) - len(known))
    details = {"network": KIND_NAMES[kind], "new": compared.new, "changed": compared.changed}
    audit.record(scope, db, "ads.imported", account.name, **details)
    return account.id, compared


def _account(scope: Scope, db: Session, kind: Kind, choices: Choices, currency: str) -> AdAccount:
    if not choices.account:
        return _new_account(scope, db, kind, choices, currency)
    row = db.scalar(
        select(AdAccount)
        .where(AdAccount.workspace_id == scope.workspace_id, AdAccount.id == uuid.UUID(choices.account))
        .where(AdAccount.platform == "import", AdAccount.network == kind, AdAccount.status == "active")
        .with_for_update(key_share=True)
    )
    if row is None:
        raise UserError("The account is gone", "It was removed meanwhile. Choose another one.", status=422)
    if row.currency != currency:
        hint = f"{row.name} counts in {row.currency}, the file in {currency}. Choose a new account."
        raise UserError("Another currency", hint, status=422)
    return row


def _new_account(scope: Scope, db: Session, kind: Kind, choices: Choices, currency: str) -> AdAccount:
    row = AdAccount(
        id=uuid.uuid4(),
        workspace_id=scope.workspace_id,
        platform="import",
        network=kind,
        external_id=f"file-{uuid.uuid4().hex[:8]}",
        name=choices.name[:160] or f"{KIND_NAMES[kind]} (file)",
        currency=currency,
        timezone=choices.timezone,
        writable=False,
        created_by=scope.user_id,
        version=0,
    )
    db.add(row)
    db.flush()
    return row


def _complete_at(account: AdAccount) -> datetime:
    """When the export was made at the earliest: the end of its newest day. What was still to come then is missing in
    the file for ever, so its newest days never count as mature just because it was imported late."""
    assert account.data_through
    after = account.data_through + timedelta(1)
    end = datetime(after.year, after.month, after.day, tzinfo=ZoneInfo(account.timezone))
    return min(end.astimezone(UTC), datetime.now(UTC))


# --- campaigns --------------------------------------------------------------------------------------------------


def _recognised(scope: Scope, db: Session, account_id: uuid.UUID, file: AdFile) -> dict[str, Campaign]:
    """The file's campaigns that the account knows, by their key in the file."""
    ours = Campaign.workspace_id == scope.workspace_id, Campaign.account_id == account_id
    rows = db.scalars(select(Campaign).where(*ours)).all()
    by_id = {row.external_id: row for row in rows}
    names = Counter(row.name for row in rows)
    by_name = {row.name: row for row in rows if names[row.name] == 1}
    found = {key: _same(campaign, by_id, by_name) for key, campaign in file.campaigns.items()}
    return {key: row for key, row in found.items() if row is not None}


def _same(campaign: FileCampaign, by_id: Mapping[str, Campaign], by_name: Mapping[str, Campaign]) -> Campaign | None:
    if not campaign.id:
        return by_id.get(campaign.name[:ID]) or by_name.get(campaign.name)
    return by_id.get(campaign.id) or by_id.get(campaign.name[:ID])


def _add_campaigns(
    scope: Scope, db: Session, account: AdAccount, file: AdFile, known: Mapping[str, Campaign], is_newest: bool
) -> dict[str, uuid.UUID]:
    """New ones are added; known ones take over what the file says, if it is the newest. The ids of the new ones."""
    spent = {day.campaign for day in file.days if day.day == file.until and day.spend_micros}
    added = {}
    for key, campaign in file.campaigns.items():
        row = known.get(key)
        if row is None:
            row = Campaign(id=uuid.uuid4(), workspace_id=scope.workspace_id, account_id=account.id, status="paused")
            row.external_id = campaign.id or campaign.name[:ID]
            added[key] = row.id
            db.add(row)
        if key in added or is_newest:
            row.external_id = campaign.id or row.external_id
            row.name = campaign.name
            row.status = campaign.status or ("active" if key in spent else "paused")
            row.effective_status = campaign.said
            row.seen_at = func.now()
    db.flush()
    return added


# --- days -------------------------------------------------------------------------------------------------------


def _rows(file: AdFile, ids: Mapping[str, uuid.UUID]) -> Rows:
    """The file's days as rows. Two keys of one campaign (with an id here, without it there) are added up."""
    found: Rows = defaultdict(dict)
    for day in file.days:
        there = found[ids[day.campaign], day.day]
        new, old = _figures(day), there.get((day.adset_id, day.ad_id))
        there[day.adset_id, day.ad_id] = new | {name: old[name] + new[name] for name in FIGURES} if old else new
    return found


def _figures(day: AdDay) -> dict[str, Any]:
    return {
        "adset_name": day.adset_name,
        "ad_name": day.ad_name,
        "spend_micros": day.spend_micros,
        "impressions": day.impressions,
        "clicks": day.clicks,
        "orders": float(day.orders),
        "revenue_micros": day.revenue_micros,
    }


def _stored(scope: Scope, db: Session, account_id: uuid.UUID, file: AdFile) -> Rows:
    found: Rows = defaultdict(dict)
    columns = [getattr(AdDaily, name) for name in VALUES]
    ours = AdDaily.workspace_id == scope.workspace_id, AdDaily.account_id == account_id
    where = *ours, AdDaily.day.between(file.since, file.until)
    query = select(AdDaily.campaign_id, AdDaily.day, AdDaily.adset_id, AdDaily.ad_id, *columns).where(*where)
    for campaign_id, day, adset, ad, *values in db.execute(query):
        found[campaign_id, day][adset, ad] = dict(zip(VALUES, values, strict=True))
    return found


def _differing(new: Rows, stored: Rows) -> tuple[Rows, Counter[str]]:
    """The days of campaigns that have to be written, and how many are new, changed, unchanged."""
    counts: Counter[str] = Counter()
    differing: Rows = {}
    for key, rows in new.items():
        if stored.get(key) == rows:
            counts["unchanged"] += 1
            continue
        counts["changed" if key in stored else "new"] += 1
        differing[key] = rows
    return differing, counts


def _replace(scope: Scope, db: Session, account: AdAccount, days: Rows, stored: Rows) -> None:
    """By PostgreSQL's COPY: the 150,000 days that fit into a file would take half a minute to insert."""
    for keys in _chunks(key for key in days if key in stored):
        db.execute(delete(AdDaily).where(tuple_(AdDaily.campaign_id, AdDaily.day).in_(keys)))
    columns = ("campaign_id", "day", "adset_id", "ad_id", "workspace_id", "account_id", *VALUES)
    connection: Any = db.connection().connection.driver_connection
    with connection.cursor().copy(f"copy ad_daily ({', '.join(columns)}) from stdin") as copy:
        for (campaign, day), parts in days.items():
            for (adset, ad), values in parts.items():
                where = (campaign, day, adset, ad, scope.workspace_id, account.id)
                copy.write_row((*where, *(values[name] for name in VALUES)))


def _chunks(rows: Iterable[Any]) -> Iterator[list[Any]]:
    chunk: list[Any] = []
    for row in rows:
        chunk.append(row)
        if len(chunk) == ROWS:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
