"""The AdPlatform of what is kept in our own tables: the demo account, which can be changed, and imported files.

Looking at the demo lets time pass in it (demo_seed.py). A write counts from the day after it, as the next days are not
made yet: a paused campaign then spends nothing, a new budget is spent. To try what goes wrong, the demo account's
`details["faults"]` may name a Trouble by campaign id: every write to that campaign meets it. An unknown outcome is
written first, as by a platform whose answer got lost.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, assert_never

from sqlalchemy import select, update

from webapp.accounts import Scope
from webapp.ads.demo_replay import catch_up
from webapp.ads.demo_seed import WORDS, allow_changes, seed_demo
from webapp.ads.money import META_WHOLE, Money
from webapp.ads.platform import AdSetState, CampaignState, Change, DailyInsight, PlatformError, Trouble
from webapp.ads.windows import today_in
from webapp.db import Database, Session
from webapp.db.models import AdAccount, AdDaily, Campaign

__all__ = ["LocalPlatform", "allow_changes", "seed_demo"]

LONGEST_NAME = 400


class LocalPlatform:
    """An account of the scope's workspace. Its methods raise PlatformError; one of an account that is not there, or
    not local, says NOT_FOUND. `writable` is False for files. `today` is for tests; None is the calendar's."""

    def __init__(
        self, database: Database, scope: Scope, account_id: uuid.UUID, writable: bool, *, today: date | None = None
    ) -> None:
        self.writable = writable
        self._database = database
        self._scope = scope
        self._account_id = account_id
        self._fixed = today

    def campaigns(self) -> Sequence[CampaignState]:
        with self._database.begin() as db:
            account = self._up_to_date(db)
            rows = db.scalars(select(Campaign).where(Campaign.account_id == account.id).order_by(Campaign.external_id))
            return [state(row) for row in rows]

    def insights(self, since: date, until: date) -> Iterator[DailyInsight]:
        with self._database.begin() as db:
            account = self._up_to_date(db)
            rows = db.execute(
                select(Campaign.external_id, AdDaily)
                .join(AdDaily, AdDaily.campaign_id == Campaign.id)
                .where(AdDaily.account_id == account.id, AdDaily.day.between(since, until))
            ).all()
        return (_insight(external_id, row) for external_id, row in rows)

    def read(self, external_id: str) -> CampaignState:
        with self._database.begin() as db:
            return state(self._campaign(db, self._account(db), external_id))

    def validate(self, change: Change) -> None:
        with self._database.begin() as db:
            account = self._account(db)
            self._check(account, self._campaign(db, account, change.external_id), change)

    def update(self, change: Change) -> str:
        with self._database.begin() as db:
            account = self._account(db, lock=True)
            row = self._campaign(db, account, change.external_id)
            self._check(account, row, change)
            trouble = _planted(account, change.external_id)
            if trouble not in (None, Trouble.UNKNOWN_OUTCOME):
                raise PlatformError(trouble, f"A planted fault: {trouble}.", retry_after=60)
            self._write(db, account, row, change)
        if trouble:
            raise PlatformError(trouble, "A planted fault: no answer came.")
        return f"demo-{uuid.uuid4().hex}"

    # --- looking things up ------------------------------------------------------------------------------------

    def _today(self, timezone: str) -> date:
        return self._fixed or today_in(timezone, datetime.now(UTC))

    def _up_to_date(self, db: Session) -> AdAccount:
        account = self._account(db)
        yesterday = self._today(account.timezone) - timedelta(1)
        if account.platform == "demo" and not (account.data_through and account.data_through >= yesterday):
            catch_up(self._scope, db, self._today)
        return account

    def _account(self, db: Session, *, lock: bool = False) -> AdAccount:
        query = select(AdAccount).where(
            AdAccount.id == self._account_id,
            AdAccount.workspace_id == self._scope.workspace_id,
            AdAccount.platform.in_(("demo", "import")),
            AdAccount.status == "active",
        )
        row = db.scalar(query.with_for_update(key_share=True) if lock else query)
        if row is None:
            raise PlatformError(Trouble.NOT_FOUND, "There is no such ad account in this workspace.")
        return row

    def _campaign(self, db: Session, account: AdAccount, external_id: str) -> Campaign:
        row = db.scalar(select(Campaign).where(Campaign.account_id == account.id, Campaign.external_id == external_id))
        if row is None:
            raise PlatformError(Trouble.NOT_FOUND, f"{account.name} has no campaign {external_id}.")
        return row

    # --- changing them ----------------------------------------------------------------------------------------

    def _check(self, account: AdAccount, row: Campaign, change: Change) -> None:
        """Raises what a platform would say."""
        if account.platform != "demo":
            said = f"{account.name} came from a file: it can be read, not changed. Make the change in the ad platform."
            raise PlatformError(Trouble.PERMISSION, said)
        if not self.writable:
            raise PlatformError(Trouble.PERMISSION, f"{account.name} can be read here, not changed.")
        if row.status in ("archived", "deleted"):
            raise PlatformError(Trouble.REFUSED, f"The campaign is {row.status}. It cannot be changed any more.")
        if why := _refusal(account, row, change):
            raise PlatformError(Trouble.REFUSED, why)

    def _write(self, db: Session, account: AdAccount, row: Campaign, change: Change) -> None:
        now = datetime.now(UTC)
        match change.field:
            case "status":
                row.status = str(change.value)
                row.effective_status = WORDS[account.network][row.status]
                self._remember(account, row.external_id, change)
            case "daily_budget":
                purse = Campaign.budget_id == row.budget_id if row.budget_id else Campaign.id == row.id
                its = update(Campaign).where(Campaign.account_id == account.id, purse)
                db.execute(its.values(budget_micros=change.value, changed_at=now))
                self._remember(account, row.budget_id or row.external_id, change)
            case "name":
                row.name = str(change.value)
            case _:
                assert_never(change.field)
        row.changed_at = now
        account.version += 1

    def _remember(self, account: AdAccount, purse: str, change: Change) -> None:
        """For the days that are still to be made."""
        written = [purse, change.field, change.value, self._today(account.timezone).isoformat()]
        account.details = {**account.details, "writes": [*account.details.get("writes", []), written]}


def state(row: Campaign) -> CampaignState:
    """A stored campaign in the words of platform.py."""
    stored: Any = row  # its words are those of the check constraints
    return CampaignState(
        external_id=row.external_id,
        name=row.name,
        status=stored.status,
        effective_status=row.effective_status,
        issues=tuple(map(str, row.issues)),
        objective=stored.objective,
        bid_strategy=row.bid_strategy,
        budget_micros=row.budget_micros,
        budget_period=stored.budget_period,
        budget_level=stored.budget_level,
        budget_id=row.budget_id,
        shared_with=tuple(map(str, row.shared_with)),
        adsets=tuple(
            AdSetState(it["id"], it["name"], it["status"], it.get("budget_micros"), it.get("learning", "unknown"))
            for it in row.adsets
        ),
        learning=stored.learning,
        learning_events=row.learning_events,
        started_on=row.started_on,
        changed_at=row.changed_at,
    )


def _insight(external_id: str, row: AdDaily) -> DailyInsight:
    return DailyInsight(
        campaign_id=external_id,
        day=row.day,
        spend_micros=row.spend_micros,
        impressions=row.impressions,
        clicks=row.clicks,
        orders=row.orders,
        revenue_micros=row.revenue_micros,
        adset_id=row.adset_id,
        adset_name=row.adset_name,
        ad_id=row.ad_id,
        ad_name=row.ad_name,
    )


def _refusal(account: AdAccount, row: Campaign, change: Change) -> str:
    """Why the demo's platform would not do it; empty if it would."""
    match change.field, change.value:
        case "status", "active" | "paused":
            return ""
        case "status", value:
            return f"The status can be active or paused, not {value}."
        case "daily_budget", int() as micros:
            return _budget_refusal(account, row, micros)
        case "name", str() as name if name.strip() and len(name) <= LONGEST_NAME:
            return ""
        case _:
            return f"The {change.field.replace('_', ' ')} cannot be {change.value!r}."


def _budget_refusal(account: AdAccount, row: Campaign, micros: int) -> str:
    wanted = Money.from_micros(micros, account.currency)
    whole = account.currency in META_WHOLE
    least = Money.from_micros(100_000_000 if whole else 1_000_000, account.currency)
    if row.budget_level == "adset":
        names = ", ".join(str(it["name"]) for it in row.adsets)
        return f"The budget sits on {len(row.adsets)} ad sets: {names}. The campaign has none of its own."
    if row.budget_period != "daily":
        return "The campaign has a lifetime budget. It has no daily one that could be changed."
    if wanted < least:
        return f"The smallest daily budget is {least}, and {wanted} is less."
    if micros % (1_000_000 if whole else 10_000):
        return f"{wanted.amount} {account.currency} is finer than the currency can pay."
    return ""


def _planted(account: AdAccount, external_id: str) -> Trouble | None:
    found = account.details.get("faults", {}).get(external_id)
    return Trouble(found) if found else None
