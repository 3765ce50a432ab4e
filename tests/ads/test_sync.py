"""A sync keeps our copy equal to what the platform tells, one process at a time, and it says what stops it."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import select, update

from tests.ads.connected import Acme, acme, ago, day, someone, yesterday
from tests.ads.fakes import graph
from tests.ads.fakes.server import Reply
from webapp.accounts import Scope
from webapp.ads import accounts, sync
from webapp.ads.accounts import AccountRow
from webapp.ads.platform import AdPlatform, CampaignState, DailyInsight, PlatformError, Trouble
from webapp.config import Settings
from webapp.db import Database
from webapp.db.models import Campaign, Workspace

HOUR = timedelta(hours=1)


@pytest.fixture
def here(database: Database, settings: Settings) -> Iterator[Acme]:
    """Two campaigns of Acme's, with days in all the windows of a first sync."""
    with acme(database, settings) as made:
        made.meta.add(graph.campaign("1", name="Boots"), graph.campaign("2", name="Bags"))
        made.meta.days = [day("1", 1, "10.00"), day("1", 40, "40.00"), day("2", 90, "90.00"), day("1", 91, "91.00")]
        yield made


@pytest.fixture
def account_id(here: Acme) -> uuid.UUID:
    return here.connect()[0]


def account(here: Acme, account_id: uuid.UUID) -> AccountRow:
    with here.database.begin() as db:
        return accounts.find(here.alice, db, account_id)


# --- what is read -----------------------------------------------------------------------------------------------


def test_the_first_sync_reads_ninety_days_in_windows_the_oldest_first(here: Acme, account_id: uuid.UUID) -> None:
    assert here.sync(account_id)
    assert here.windows() == [(90, 61), (60, 31), (30, 1)]
    assert here.spend() == {("1", 1): 10, ("1", 40): 40, ("2", 90): 90}
    assert {id: row.name for id, row in here.campaigns().items()} == {"1": "Boots", "2": "Bags"}
    told = account(here, account_id).sync
    assert (told.state, told.done, told.total, told.note, told.through) == ("idle", 4, 4, "", yesterday())
    assert told.at is not None


@pytest.mark.parametrize(("maturing", "first"), [(3, 7), (12, 12)])
def test_the_next_sync_reads_the_days_that_may_still_change(
    here: Acme, account_id: uuid.UUID, maturing: int, first: int
) -> None:
    here.sync(account_id)
    here.set(account_id, maturing_days=maturing)
    here.meta.requests.clear()
    here.meta.days = [day("1", 2, "22.00"), day("1", 40, "0.40")]
    version = here.row(account_id).version
    assert here.sync(account_id)
    assert here.windows() == [(first, 1)]
    assert here.spend() == {("1", 2): 22, ("1", 40): 40, ("2", 90): 90}  # yesterday's row is gone, day 40 not looked at
    assert here.row(account_id).version > version


def test_what_was_missed_meanwhile_is_read(here: Acme, account_id: uuid.UUID) -> None:
    here.set(account_id, data_through=yesterday() - timedelta(days=50))
    assert here.sync(account_id)
    assert here.windows() == [(57, 28), (27, 1)]


def test_what_is_no_longer_listed_is_marked_as_deleted_and_its_days_stay(here: Acme, account_id: uuid.UUID) -> None:
    here.sync(account_id)
    here.meta.campaigns["2"]["effective_status"] = "DELETED"
    here.sync(account_id)
    assert here.campaigns()["2"].status == "deleted"
    assert here.campaigns()["1"].status == "active"
    assert here.spend()[("2", 90)] == 90


def test_days_of_a_campaign_that_is_not_listed_bring_it_along(here: Acme, account_id: uuid.UUID) -> None:
    here.meta.add(graph.campaign("9", name="Long gone", status="DELETED"))
    here.meta.days.append(day("9", 20, "9.00"))
    assert here.sync(account_id)
    found = here.campaigns()["9"]
    assert (found.name, found.status) == ("Long gone", "deleted")
    assert here.spend()[("9", 20)] == 9


def test_a_renamed_campaign_is_renamed_and_its_change_is_known(here: Acme, account_id: uuid.UUID) -> None:
    here.sync(account_id)
    before = here.campaigns()["1"]
    here.meta.campaigns["1"] |= {"name": "Winter boots", "status": "PAUSED", "effective_status": "PAUSED"}
    here.meta.campaigns["1"]["updated_time"] = "2026-11-20T10:00:00+0100"
    here.sync(account_id)
    after = here.campaigns()["1"]
    assert (after.id, after.name, after.status) == (before.id, "Winter boots", "paused")
    assert after.changed_at == datetime(2026, 11, 20, 9, tzinfo=UTC)


# --- one at a time ----------------------------------------------------------------------------------------------


@dataclass
class Between:
    """The platform, with somebody who does something while it is asked."""

    platform: AdPlatform
    do: Callable[[], object]
    writable: bool = False

    def campaigns(self) -> Sequence[CampaignState]:
        found = self.platform.campaigns()
        self.do()
        return found

    def insights(self, since: date, until: date) -> Iterator[DailyInsight]:
        return self.platform.insights(since, until)

    def __getattr__(self, name: str) -> object:
        return getattr(self.platform, name)


@dataclass
class Meanwhile:
    here: Acme
    do: Callable[[], object]
    writes: bool = True

    def open(self, scope: Scope, account_id: uuid.UUID) -> AdPlatform:
        return Between(self.here.opener.open(scope, account_id), self.do)  # type: ignore[return-value]

    def sync(self, account_id: uuid.UUID) -> bool:
        return sync.run(self.here.database, self, self.here.alice, account_id)


def test_two_workers_never_read_one_account_at_once(here: Acme, account_id: uuid.UUID) -> None:
    others: list[bool] = []
    assert Meanwhile(here, lambda: others.append(here.sync(account_id))).sync(account_id)
    assert others == [False]
    assert len(here.meta.asked("/campaigns")) == 1


def test_a_worker_that_was_taken_over_writes_nothing_more(here: Acme, account_id: uuid.UUID) -> None:
    """It hung in the call for longer than its lease; the other is at it when it wakes."""
    others: list[sync.Claimed | None] = []

    def taken_over() -> None:
        here.set(account_id, sync_lease_until=ago(seconds=1))
        others.append(sync.claim(here.database, here.alice, account_id))

    assert not Meanwhile(here, taken_over).sync(account_id)
    assert here.campaigns() == {}
    [other] = others
    assert other is not None
    assert other.run(here.opener)
    assert here.campaigns().keys() == {"1", "2"}


def test_an_account_that_is_disconnected_meanwhile_gets_no_more_rows(here: Acme, account_id: uuid.UUID) -> None:
    def leave() -> None:
        with here.database.begin() as db:
            accounts.disconnect(here.alice, db, account_id)

    assert not Meanwhile(here, leave).sync(account_id)
    assert here.campaigns() == {}
    assert here.row(account_id).sync_state == "idle"


def test_a_sync_on_an_old_token_ends_when_the_token_is_replaced(here: Acme, account_id: uuid.UUID) -> None:
    assert not Meanwhile(here, here.connect).sync(account_id)
    assert here.sync(account_id)


def test_a_change_that_was_carried_out_meanwhile_is_not_overwritten(here: Acme, account_id: uuid.UUID) -> None:
    here.sync(account_id)

    def paused_and_read_back() -> None:
        with here.database.begin() as db:
            changed = update(Campaign).where(Campaign.external_id == "1")
            db.execute(changed.values(status="paused", seen_at=datetime.now(UTC) + timedelta(seconds=1)))

    assert Meanwhile(here, paused_and_read_back).sync(account_id)
    assert here.campaigns()["1"].status == "paused"


def test_a_killed_sync_goes_on_where_it_was(here: Acme, account_id: uuid.UUID) -> None:
    """Its last words were a window's; the lease has run out."""
    claimed = sync.claim(here.database, here.alice, account_id)
    assert claimed is not None
    assert account(here, account_id).sync.running
    through = yesterday() - timedelta(days=30)
    here.set(account_id, sync_lease_until=ago(seconds=1), data_through=through)
    assert not account(here, account_id).sync.running
    sync.run_due(here.database, here.opener)
    assert account(here, account_id).sync.through == yesterday()
    assert here.windows() == [(37, 8), (7, 1)]


# --- what stops it ----------------------------------------------------------------------------------------------


def test_a_dead_token_stops_it_says_so_and_is_not_tried_again(here: Acme, account_id: uuid.UUID) -> None:
    here.meta.dead = "Session has expired on Sunday."
    assert not here.sync(account_id)
    told = account(here, account_id)
    assert told.sync.state == "failed"
    assert "Meta said: " in told.sync.note
    assert "Generate a new token" in told.sync.note
    assert told.fault is not None
    with here.database.begin() as db:
        assert sync.stale(here.alice, db) == []
        assert sync.due(db) == []


def test_a_checkpoint_says_what_to_do_and_leaves_the_token_good(here: Acme, account_id: uuid.UUID) -> None:
    here.meta.stumble("/campaigns", graph.error(190, "You cannot access the app till you log in.", error_subcode=459))
    assert not here.sync(account_id)
    told = account(here, account_id)
    assert told.fault is None
    assert "Sign in at Meta" in told.sync.note
    assert here.sync(account_id)
    assert account(here, account_id).sync.note == ""


def test_what_was_read_before_a_pause_stays_and_the_pause_is_kept(here: Acme, account_id: uuid.UUID) -> None:
    throttled = graph.error(80000, "There have been too many calls to this ad-account.", error_subcode=2446079)
    real = here.meta.answer
    here.meta.answer = lambda request: (  # type: ignore[method-assign]
        throttled if request.path.endswith("/insights") and len(here.windows()) > 1 else real(request)
    )
    assert not here.sync(account_id)
    told = account(here, account_id).sync
    assert told.through == yesterday() - timedelta(days=60)
    assert here.spend() == {("2", 90): 90}
    assert "Meta asks for a pause" in told.note
    assert "goes on by itself in" in told.note
    with here.database.begin() as db:
        assert sync.stale(here.alice, db) == []  # not before the pause is over
    here.set(account_id, sync_lease_until=ago(seconds=1))
    with here.database.begin() as db:
        assert sync.stale(here.alice, db) == [account_id]


def test_a_person_may_try_before_the_pause_is_over(here: Acme, account_id: uuid.UUID) -> None:
    here.meta.stumble("/campaigns", graph.error(4, "Application request limit reached"), times=4)
    assert not here.sync(account_id)
    here.meta.stumbles.clear()
    assert here.sync(account_id)


def test_a_token_that_does_not_open_says_so(here: Acme, account_id: uuid.UUID) -> None:
    here.set(account_id, sealed=b"something else")
    assert not here.sync(account_id)
    assert "cannot be opened" in account(here, account_id).sync.note


# --- who has to be synced ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("age", "stale", "due"), [(0.5 * HOUR, False, False), (2 * HOUR, True, False), (7 * HOUR, True, True)]
)
def test_an_hour_is_old_for_who_looks_and_six_hours_for_nobody(
    here: Acme, account_id: uuid.UUID, age: timedelta, stale: bool, due: bool
) -> None:
    here.set(account_id, synced_at=datetime.now(UTC) - age)
    with here.database.begin() as db:
        assert (sync.stale(here.alice, db) == [account_id]) is stale
        assert ([id for _, id in sync.due(db)] == [account_id]) is due


def test_it_runs_in_the_name_of_an_owner_and_never_in_a_deleted_workspace(here: Acme, account_id: uuid.UUID) -> None:
    charlie = someone(here.database, "Charlie", "Charlie's Cameras")
    with here.database.begin() as db:
        [(scope, _)] = sync.due(db)
        assert (scope.user_id, scope.role, scope.workspace_id) == (here.alice.user_id, "owner", here.alice.workspace_id)
        assert sync.stale(charlie, db) == []
        db.execute(
            update(Workspace).where(Workspace.id == here.alice.workspace_id).values(deleted_at=datetime.now(UTC))
        )
        assert sync.due(db) == []


def test_a_stranger_starts_no_sync(here: Acme, account_id: uuid.UUID) -> None:
    charlie = someone(here.database, "Charlie", "Charlie's Cameras")
    assert sync.claim(here.database, charlie, account_id) is None


def test_a_platform_that_cannot_be_reached_is_asked_again_soon(here: Acme, account_id: uuid.UUID) -> None:
    def away() -> None:
        raise PlatformError(Trouble.UNREACHABLE, "Meta could not be reached.")

    assert not Meanwhile(here, away).sync(account_id)
    assert "Meta did not answer" in account(here, account_id).sync.note
    assert "in 2 minutes" in account(here, account_id).sync.note
    until = here.row(account_id).sync_lease_until
    assert until is not None
    assert until < datetime.now(UTC) + timedelta(minutes=3)


def test_a_body_that_nobody_understands_stops_it_in_words(here: Acme, account_id: uuid.UUID) -> None:
    here.meta.stumble("/campaigns", Reply({"data": [{"id": "1", "daily_budget": "much"}]}), times=9)
    assert not here.sync(account_id)
    assert account(here, account_id).sync.note
    with here.database.begin() as db:
        assert db.scalars(select(Campaign)).all() == []
