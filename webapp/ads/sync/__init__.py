"""Sync: keeping our copy of an account's campaigns and days as its platform tells them. Reading the copy: reports.py.

    claim --> campaigns --> days, a window at a time, the oldest first --> idle
      |           each step is one transaction
      '-- running, and its lease has not run out: somebody else does it

The lease is the fence, too: each step first sets a new lease where the old one still is its own (`_hold`), so that a
process that was taken over, or an account that was disconnected meanwhile, writes nothing more. After each window
`data_through` says how far the figures reach, and whoever goes on, after a failure or a killed process, begins there.

A window's days are replaced as a whole. Each step that changes what can be read raises the account's version.

rows   campaigns and days as they are written
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Update, func, or_, select, update

from webapp.accounts import Scope, enter
from webapp.ads import accounts, faults
from webapp.ads.demo_replay import catch_up
from webapp.ads.platform import AdPlatform, CampaignState, DailyInsight, PlatformError, Platforms, Trouble
from webapp.ads.sync import rows
from webapp.ads.windows import today_in
from webapp.db import Database, Session
from webapp.db.models import AdAccount, Workspace, WorkspaceMember
from webapp.errors import UserError

log = logging.getLogger(__name__)

FIRST = 90  # days that an account is read back the first time
AGAIN = 7  # days read again each time, at least: platforms correct themselves
WINDOW = 30  # days of a step
LEASE = timedelta(minutes=10)
RENEW = 60.0  # seconds of reading after which the lease is renewed
STALE = timedelta(hours=1)  # for who opens a page
EVERY = timedelta(hours=6)  # without anybody looking
LIVE = ("meta", "google", "demo")  # a file is imported, not synced
NOTE = 300  # characters


class Lost(Exception):
    """The account is no longer ours to write: disconnected, or taken over by another process."""


# --- who has to be synced ---------------------------------------------------------------------------------------


def stale(scope: Scope, db: Session) -> list[uuid.UUID]:
    """The workspace's accounts that were last read more than an hour ago, if nothing keeps them from being read."""
    query = select(AdAccount.id).where(AdAccount.workspace_id == scope.workspace_id, *_ready(STALE))
    return list(db.scalars(query))


def due(db: Session) -> list[tuple[Scope, uuid.UUID]]:
    """Everybody's accounts that it is time for, or whose sync was cut off, each in the name of an owner."""
    owner = (
        select(WorkspaceMember.user_id)
        .where(WorkspaceMember.workspace_id == AdAccount.workspace_id, WorkspaceMember.role == "owner")
        .order_by(WorkspaceMember.joined_at, WorkspaceMember.user_id)
        .limit(1)
        .scalar_subquery()
    )
    found = db.execute(
        select(owner, AdAccount.workspace_id, AdAccount.id)
        .join(Workspace, Workspace.id == AdAccount.workspace_id)
        .where(Workspace.deleted_at.is_(None), *_ready(EVERY))
        .order_by(AdAccount.synced_at.nulls_first(), AdAccount.id)
    ).all()
    return [(enter(db, user_id, workspace_id), account_id) for user_id, workspace_id, account_id in found]


def run_due(database: Database, platforms: Platforms) -> None:
    """One after another: beside what people ask for, this is not urgent."""
    with database.begin() as db:
        waiting = due(db)
    for scope, account_id in waiting:
        run(database, platforms, scope, account_id)


def _ready(age: timedelta) -> tuple[ColumnElement[bool], ...]:
    """Old enough or cut off, its token not refused, not being read, and not told to wait: after a failure
    `sync_lease_until` is the moment of the next try."""
    old = or_(AdAccount.synced_at.is_(None), AdAccount.synced_at < func.now() - age, AdAccount.sync_state == "running")
    free = or_(AdAccount.sync_lease_until.is_(None), AdAccount.sync_lease_until < func.now())
    return AdAccount.status == "active", AdAccount.platform.in_(LIVE), AdAccount.fault.is_(None), old, free


# --- one run ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Known:
    """What a run starts from. `today` is the account's."""

    platform: str
    today: date
    through: date | None
    maturing_days: int

    def windows(self) -> list[tuple[date, date]]:
        """First and last days, up to yesterday: today is no whole day yet."""
        until = self.today - timedelta(days=1)
        back = max(self.maturing_days, AGAIN)
        since = self.today - timedelta(days=FIRST)
        if self.through is not None:
            since = min(self.through, until) - timedelta(days=back - 1)
        starts = [since + timedelta(days=n) for n in range(0, (until - since).days + 1, WINDOW)]
        return [(first, min(first + timedelta(days=WINDOW - 1), until)) for first in starts]


def run(database: Database, platforms: Platforms, scope: Scope, account_id: uuid.UUID) -> bool:
    """Bring the account's copy up to yesterday; True if this call did. Takes its time: call it in the background."""
    claimed = claim(database, scope, account_id)
    return claimed is not None and claimed.run(platforms)


def claim(database: Database, scope: Scope, account_id: uuid.UUID) -> Claimed | None:
    """The account, to be read by us. None: somebody else is at it, or it is gone, or not one that is read."""
    free = or_(AdAccount.sync_state != "running", AdAccount.sync_lease_until < func.now())
    begun = {"sync_state": "running", "sync_done": 0, "sync_total": 0, "sync_note": "Reading campaigns"}
    found = (AdAccount.platform, AdAccount.timezone, AdAccount.data_through, AdAccount.maturing_days)
    with database.begin() as db:
        changed = _update(scope, account_id, free, AdAccount.platform.in_(LIVE))
        changed = changed.values(sync_lease_until=_until(LEASE), **begun)
        row = db.execute(changed.returning(AdAccount.sync_lease_until, *found)).one_or_none()
    if row is None:
        return None
    lease, platform, timezone, through, maturing = row
    return Claimed(database, scope, account_id, lease, _Known(platform, _today(timezone), through, maturing))


class Claimed:
    """One process at one account. `_lease` is until when it holds the account, and the proof that it does."""

    def __init__(
        self, database: Database, scope: Scope, account_id: uuid.UUID, lease: datetime | None, known: _Known
    ) -> None:
        self._database = database
        self._scope = scope
        self._id = account_id
        self._known = known
        self._lease = lease
        self._renewed = time.monotonic()

    def run(self, platforms: Platforms) -> bool:
        """True if it was read to the end. If not, the account says why in words for a person, unless it is lost."""
        with suppress(Lost):
            try:
                if self._known.platform == "demo":
                    self._let_time_pass()
                else:
                    self._read(platforms.open(self._scope, self._id))
                return True
            except PlatformError as error:
                self._fail(error)
            except UserError as error:
                self._stop(f"{error.title}. {error.hint}", faults.RETRY_LATER)
        return False

    @contextmanager
    def _hold(self, **columns: Any) -> Iterator[Session]:
        """A step: a transaction in which the account is ours, with these columns of its row set. Raises Lost."""
        mine = AdAccount.sync_state == "running", AdAccount.sync_lease_until == self._lease
        with self._database.begin() as db:
            changed = _update(self._scope, self._id, *mine).values({"sync_lease_until": _until(LEASE), **columns})
            held = db.execute(changed.returning(AdAccount.sync_lease_until)).one_or_none()
            if held is None:
                log.info("the sync of ad account %s ends: it is no longer ours", self._id)
                raise Lost
            yield db
        self._lease, self._renewed = held[0], time.monotonic()

    def _read(self, platform: AdPlatform) -> None:
        """Raises PlatformError, Lost."""
        windows = self._known.windows()
        began = self._begin(sync_total=len(windows) + 1)
        states = platform.campaigns()
        with self._hold(sync_done=1, version=AdAccount.version + 1) as db:
            rows.keep_campaigns(self._scope, db, self._id, states, began)
            rows.mark_deleted(self._scope, db, self._id, [state.external_id for state in states], began)
        for done, (first, last) in enumerate(windows, start=2):
            self._read_days(platform, first, last, done)
        self._finish()

    def _let_time_pass(self) -> None:
        """The demo is not read but made. Raises Lost."""
        with self._hold(sync_total=1, sync_note="Making the days since") as db:
            catch_up(self._scope, db, _today)
        self._finish()

    def _finish(self) -> None:
        with self._hold(synced_at=func.now(), fault=None, sync_state="idle", sync_note="", sync_lease_until=None):
            log.info("ad account %s is read", self._id)

    def _read_days(self, platform: AdPlatform, first: date, last: date, done: int) -> None:
        self._begin(sync_note=f"Reading {first:%d %b %Y} to {last:%d %b %Y}")
        days = list(self._watched(platform.insights(first, last)))
        self._meet({day.campaign_id for day in days}, platform)
        through = func.greatest(func.coalesce(AdAccount.data_through, last), last)
        with self._hold(sync_done=done, data_through=through, version=AdAccount.version + 1) as db:
            rows.replace_days(self._scope, db, self._id, first, last, days)

    def _meet(self, campaign_ids: set[str], platform: AdPlatform) -> None:
        """Days also come of campaigns that are no longer listed. Each is asked for and kept at once, so that a
        platform that wants a pause in between is not asked the same again."""
        with self._database.begin() as db:
            unknown = campaign_ids - rows.ids(self._scope, db, self._id).keys()
        for external_id in sorted(unknown):
            began = self._begin()
            state = told_of(platform, external_id)
            with self._hold() as db:
                rows.keep_campaigns(self._scope, db, self._id, [state], began)

    def _watched(self, days: Iterator[DailyInsight]) -> Iterator[DailyInsight]:
        """The same, with the lease renewed on the way: an answer may come in many pages."""
        for day in days:
            if time.monotonic() - self._renewed > RENEW:
                self._begin()
            yield day

    def _begin(self, **columns: Any) -> datetime:
        """Something is about to be asked; the moment, by the database's clock."""
        with self._hold(**columns) as db:
            moment: datetime = db.execute(select(func.clock_timestamp())).scalar_one()
        return moment

    def _fail(self, error: PlatformError) -> None:
        seconds = faults.retry_in(error)
        log.info("the sync of ad account %s stopped: %s %s", self._id, error.trouble, error.code)
        self._stop(faults.note(error, self._known.platform, seconds), seconds)
        with self._database.begin() as db:
            accounts.heed(self._scope, db, self._id, error)

    def _stop(self, note: str, seconds: float) -> None:
        """Say why, and when it may be tried again by itself. Raises Lost."""
        next_try = _until(timedelta(seconds=seconds))
        with self._hold(sync_state="failed", sync_note=note[:NOTE], sync_lease_until=next_try):
            pass


def _update(scope: Scope, account_id: uuid.UUID, *where: ColumnElement[bool]) -> Update:
    ours = AdAccount.workspace_id == scope.workspace_id, AdAccount.id == account_id
    changed = update(AdAccount).where(*ours, AdAccount.status == "active", *where)
    return changed.execution_options(synchronize_session=False)


def told_of(platform: AdPlatform, external_id: str) -> CampaignState:
    """A campaign that is not listed, as the platform tells it; nameless if it tells nothing any more."""
    try:
        return platform.read(external_id)
    except PlatformError as error:
        if error.trouble not in (Trouble.NOT_FOUND, Trouble.REFUSED, Trouble.PERMISSION):
            raise
        return CampaignState(external_id, f"Deleted campaign {external_id}", "deleted")


def _today(timezone: str) -> date:
    return today_in(timezone, datetime.now(UTC))


def _until(age: timedelta) -> ColumnElement[datetime]:
    return func.clock_timestamp() + age
