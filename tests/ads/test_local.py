"""The demo account in the database: seeded once, growing by a day a day, changed as an ad platform would be."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import create_engine, func, make_url, select, text, update

from tests.ads.demo_world import played
from webapp.accounts import Scope, people, workspaces
from webapp.ads import guards, local
from webapp.ads.demo import ACCOUNTS, CAMPAIGNS, STORY
from webapp.ads.local import LocalPlatform
from webapp.ads.platform import Change, Field, PlatformError, Trouble
from webapp.db import Database
from webapp.db.models import AdAccount, AdDaily, Campaign, GuardRails, Store, StoreOrder, Visit

TODAY = date(2026, 11, 24)
VISIT_DAYS = 4
LOSER = STORY["loser"].campaigns[0]
SHARED = STORY["shared_budget"].campaigns


@dataclass(frozen=True)
class Demo:
    """Alice's workspace with the demo in it, as of TODAY."""

    database: Database
    scope: Scope
    ids: tuple[uuid.UUID, ...]

    def platform(self, key: str = "meta", *, days: int = 0) -> LocalPlatform:
        """One of the demo's accounts, looked at so many days after TODAY."""
        [at] = [n for n, it in enumerate(ACCOUNTS) if it.key == key]
        return LocalPlatform(self.database, self.scope, self.ids[at], True, today=TODAY + timedelta(days))

    def change(self, external_id: str, field: Field, value: str | int, key: str = "meta", **at: int) -> str:
        platform = self.platform(key, **at)
        wanted = Change(external_id, field, value, platform.read(external_id))
        platform.validate(wanted)
        return platform.update(wanted)

    def refusal(self, external_id: str, field: Field, value: str | int, key: str = "meta") -> PlatformError:
        """What validate says; update must say the same and change nothing."""
        platform = self.platform(key)
        before = platform.read(external_id)
        with pytest.raises(PlatformError) as asked:
            platform.validate(Change(external_id, field, value, before))
        with pytest.raises(PlatformError) as done:
            platform.update(Change(external_id, field, value, before))
        assert asked.value.message == done.value.message
        assert platform.read(external_id) == before
        return asked.value

    def spend(self, external_id: str, key: str = "meta", *, days: int) -> dict[int, int]:
        """Micros by day after TODAY, as seen `days` later."""
        found: dict[int, int] = {}
        for row in self.platform(key, days=days).insights(TODAY - timedelta(1), TODAY + timedelta(days)):
            if row.campaign_id == external_id:
                n = (row.day - TODAY).days
                found[n] = found.get(n, 0) + row.spend_micros
        return found

    def rows(self, statement: Any) -> list[Any]:
        with self.database.begin() as db:
            return list(db.execute(statement).all())


def make(database: Database, name: str = "Alice") -> Demo:
    with database.begin() as db:
        user_id = people.sign_up(db, name=name, email=f"{name}@example.com".lower(), password_hash="x")
        assert user_id is not None
        scope = workspaces.create(db, user_id, "Acme")
        ids = local.seed_demo(scope, db, TODAY, visit_days=VISIT_DAYS)
    return Demo(database, scope, ids)


@contextmanager
def copied(postgres: str, source: str) -> Iterator[str]:
    """The URL of a copy of a database, dropped in the end."""
    name = f"demo_{uuid.uuid4().hex[:12]}"
    admin = create_engine(postgres, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"create database {name} template {source}"))
        yield make_url(postgres).set(database=name).render_as_string(hide_password=False)
        connection.execute(text(f"drop database {name} with (force)"))
    admin.dispose()


@pytest.fixture(scope="module")
def seeded(postgres: str, template_database: str) -> Iterator[tuple[str, Demo]]:
    """The name of a database with the demo in it, that each test's is copied from."""
    with copied(postgres, template_database) as url:
        database = Database(url)
        demo = make(database)
        database.close()
        yield str(make_url(url).database), demo


@pytest.fixture
def demo(postgres: str, seeded: tuple[str, Demo]) -> Iterator[Demo]:
    name, made = seeded
    with copied(postgres, name) as url:
        database = Database(url, pool_size=5)
        yield replace(made, database=database)
        database.close()


@pytest.fixture(scope="module")
def standing(postgres: str, seeded: tuple[str, Demo]) -> Iterator[Demo]:
    """One copy for all tests that change nothing."""
    name, made = seeded
    with copied(postgres, name) as url:
        database = Database(url)
        yield replace(made, database=database)
        database.close()


# --- seeding ----------------------------------------------------------------------------------------------------


def test_alice_gets_three_accounts_with_fourteen_months_of_figures(standing: Demo) -> None:
    found = standing.rows(select(AdAccount).order_by(AdAccount.external_id))
    assert [(row.platform, row.network, row.currency, row.writable) for (row,) in found] == [
        ("demo", "meta", "USD", True),
        ("demo", "google", "USD", True),
        ("demo", "meta", "JPY", True),
    ]
    assert {row.data_through for (row,) in found} == {TODAY - timedelta(1)}
    assert standing.rows(select(func.min(AdDaily.day), func.max(AdDaily.day))) == [
        (TODAY - timedelta(420), TODAY - timedelta(1))
    ]
    assert len(standing.platform("meta").campaigns()) + len(standing.platform("google").campaigns()) == 22
    assert len(standing.platform("japan").campaigns()) == 4


def test_what_is_stored_is_what_was_played(standing: Demo) -> None:
    world = played(TODAY - timedelta(1))
    for key, external_id in (("meta", LOSER), ("google", SHARED[0])):
        stored = [
            row for row in standing.platform(key).insights(world.world.first, TODAY) if row.campaign_id == external_id
        ]
        sums = world.sums(420, 0, lambda ad, id=external_id: ad.campaign.id == id)  # type: ignore[misc]
        assert sum(row.spend_micros for row in stored) == pytest.approx(sums.spend * 1e6)
        assert sum(row.revenue_micros for row in stored) == pytest.approx(sums.revenue * 1e6)
        assert sum(row.orders for row in stored) == pytest.approx(sums.orders)


def test_the_shops_orders_name_the_campaigns_that_brought_them(standing: Demo) -> None:
    query = (
        select(AdAccount.network, StoreOrder.channel, func.count())
        .join(Campaign, Campaign.id == StoreOrder.campaign_id)
        .join(AdAccount, AdAccount.id == Campaign.account_id)
        .group_by(AdAccount.network, StoreOrder.channel)
    )
    found = standing.rows(query)
    assert {(network, channel) for network, channel, _ in found} == {("meta", "meta"), ("google", "google")}
    assert sum(count for _, _, count in found) > 4_000
    assert standing.rows(select(func.min(Visit.day), func.max(Visit.day))) == [
        (TODAY - timedelta(VISIT_DAYS), TODAY - timedelta(1))
    ]


def test_moments_are_on_their_day_in_the_shops_timezone(standing: Demo) -> None:
    """Also on the two days a year that have 23 and 25 hours."""
    there = func.date(func.timezone("America/New_York", StoreOrder.ordered_at))
    assert standing.rows(select(func.count()).select_from(StoreOrder).where(there != StoreOrder.day)) == [(0,)]


def test_seeding_again_on_the_same_day_changes_nothing(demo: Demo) -> None:
    before = demo.rows(select(AdAccount.version, AdAccount.data_through)), _content(demo)
    with demo.database.begin() as db:
        assert local.seed_demo(demo.scope, db, TODAY) == demo.ids
    assert (demo.rows(select(AdAccount.version, AdAccount.data_through)), _content(demo)) == before


def test_a_week_later_there_is_a_week_more_and_the_past_is_what_it_was(demo: Demo) -> None:
    mature = AdDaily.day < TODAY - timedelta(3)
    before, newest = _days(demo, mature), _days(demo, ~mature)
    with demo.database.begin() as db:
        local.seed_demo(demo.scope, db, TODAY + timedelta(7))
    assert _days(demo, mature) == before
    for key, (spend, orders, revenue) in newest.items():
        now = _days(demo, ~mature)[key]
        assert (now[0], now[1] >= orders, now[2] >= revenue) == (spend, True, True)
    assert demo.rows(select(func.max(AdDaily.day))) == [(TODAY + timedelta(6),)]
    assert demo.rows(select(func.count(Visit.day.distinct()))) == [(VISIT_DAYS + 7,)]


def test_growing_day_by_day_gives_what_one_long_step_gives(demo: Demo, database: Database) -> None:
    other = make(database)
    for days in (2, 5):
        with demo.database.begin() as db:
            local.seed_demo(demo.scope, db, TODAY + timedelta(days))
    with other.database.begin() as db:
        local.seed_demo(other.scope, db, TODAY + timedelta(5))
    assert _content(demo) == _content(other)


def test_bobs_workspace_has_a_demo_of_its_own(demo: Demo) -> None:
    bobs = make(demo.database, "Bob")
    assert not set(bobs.ids) & set(demo.ids)
    with pytest.raises(PlatformError) as error:
        LocalPlatform(demo.database, bobs.scope, demo.ids[0], True, today=TODAY).campaigns()
    assert error.value.trouble is Trouble.NOT_FOUND
    with pytest.raises(PlatformError):
        LocalPlatform(demo.database, bobs.scope, demo.ids[0], True, today=TODAY).read(LOSER)


def test_a_shop_that_was_there_before_gets_no_orders_of_the_demo(database: Database) -> None:
    with database.begin() as db:
        user_id = people.sign_up(db, name="Alice", email="alice@example.com", password_hash="x")
        assert user_id is not None
        scope = workspaces.create(db, user_id, "Acme")
        db.add(Store(workspace_id=scope.workspace_id, currency="EUR", timezone="Europe/Berlin", collect_key="k"))
        db.flush()
        local.seed_demo(scope, db, TODAY)
        assert db.scalars(select(Store.currency)).all() == ["EUR"]
        for table, least in ((AdDaily, 9_000), (StoreOrder, 0), (Visit, 0)):
            count = db.scalar(select(func.count()).select_from(table))
            assert (count == 0) if not least else (count or 0) > least


def test_a_demo_that_was_disconnected_comes_back_with_its_past_and_its_changes(demo: Demo) -> None:
    demo.change(LOSER, "status", "paused")
    with demo.database.begin() as db:
        db.execute(update(AdAccount).values(status="revoked"))
    with pytest.raises(PlatformError) as error:
        demo.platform().campaigns()
    assert error.value.trouble is Trouble.NOT_FOUND
    with demo.database.begin() as db:
        assert local.seed_demo(demo.scope, db, TODAY + timedelta(3)) == demo.ids
    assert demo.platform(days=3).read(LOSER).status == "paused"
    assert sorted(demo.spend(LOSER, days=3)) == [-1, 0]


def test_guard_rails_of_a_persons_own_stay(demo: Demo) -> None:
    with demo.database.begin() as db:
        local.allow_changes(demo.scope, db)
        assert db.scalars(select(GuardRails.mode)).all() == ["on"]
        db.execute(update(GuardRails).values(mode="off"))
        local.allow_changes(demo.scope, db)
        assert guards.rails(demo.scope, db).mode == "off"


# --- what a campaign looks like ---------------------------------------------------------------------------------


def test_budgets_sit_where_they_sit_on_a_platform(standing: Demo) -> None:
    meta = {it.external_id: it for it in standing.platform().campaigns()}
    one, sets = meta[STORY["campaign_budget"].campaigns[0]], meta[STORY["adset_budgets"].campaigns[0]]
    assert (one.budget_level, one.budget_micros, len(one.adsets)) == ("campaign", 100_000_000, 2)
    assert (sets.budget_level, sets.budget_micros, len(sets.adsets)) == ("adset", None, 4)
    assert sum(it.budget_micros or 0 for it in sets.adsets) == 80_000_000
    shared = standing.platform("google").read(SHARED[0])
    assert (shared.budget_level, shared.budget_micros, shared.budget_id) == ("shared", 75_000_000, "70010001")
    assert shared.shared_with == ("Search | Accessories", "Search | Gifts")
    assert standing.platform("japan").read("238410300001").budget_micros == 8_000_000_000


def test_a_network_speaks_its_own_words(standing: Demo) -> None:
    assert standing.platform("meta").read(LOSER).effective_status == "ACTIVE"
    assert standing.platform("google").read(SHARED[0]).effective_status == "ENABLED"


def test_the_new_campaign_is_learning_and_the_old_ones_have_learned(standing: Demo) -> None:
    found = {it.external_id: (it.learning, it.learning_events) for it in standing.platform().campaigns()}
    assert found[LOSER] == ("learned", 50)
    state, events = found[STORY["learning"].campaigns[0]]
    assert state == "learning"
    assert events is not None
    assert events < 50
    assert standing.platform().read(STORY["learning"].campaigns[0]).started_on == TODAY - timedelta(6)


def test_campaigns_with_ads_have_a_row_for_each_ad_and_day(standing: Demo) -> None:
    yesterday = TODAY - timedelta(1)
    rows = [row for row in standing.platform().insights(yesterday, yesterday) if row.ad_id]
    assert len({(row.campaign_id, row.adset_id, row.ad_id) for row in rows}) == len(rows) == 9
    assert all(row.adset_name and row.ad_name for row in rows)


# --- writing ----------------------------------------------------------------------------------------------------


def test_pausing_stops_the_spend_of_later_days_and_undoing_it_starts_it_again(demo: Demo) -> None:
    before = demo.platform().read(LOSER)
    assert demo.change(LOSER, "status", "paused").startswith("demo-")
    paused = demo.platform().read(LOSER)
    assert (paused.status, paused.effective_status) == ("paused", "PAUSED")
    assert paused.changed_at is not None
    assert sorted(demo.spend(LOSER, days=4)) == [-1, 0]
    demo.change(LOSER, "status", "active", days=4)
    assert replace(demo.platform(days=4).read(LOSER), changed_at=None) == before
    assert sorted(demo.spend(LOSER, days=7)) == [-1, 0, 5, 6]


def test_a_new_budget_is_what_later_days_spend(demo: Demo) -> None:
    demo.change(LOSER, "daily_budget", 45_000_000)
    spend = demo.spend(LOSER, days=6)
    assert demo.platform(days=6).read(LOSER).budget_micros == 45_000_000
    assert spend[-1] / 1e6 == pytest.approx(90 * 0.93, rel=0.2)
    assert sum(spend[n] for n in range(1, 6)) / 5e6 == pytest.approx(45 * 0.93, rel=0.1)


def test_a_shared_budget_changes_for_all_who_share_it(demo: Demo) -> None:
    demo.change(SHARED[1], "daily_budget", 90_000_000, "google")
    assert [demo.platform("google").read(id).budget_micros for id in SHARED] == [90_000_000] * 3
    spent = [demo.spend(id, "google", days=6) for id in SHARED]
    assert sum(days[n] for days in spent for n in range(1, 6)) / 5e6 == pytest.approx(90 * 0.93, rel=0.1)


def test_a_new_name_is_only_a_name(demo: Demo) -> None:
    demo.change(LOSER, "name", "Summer, the last of it")
    with demo.database.begin() as db:
        local.seed_demo(demo.scope, db, TODAY + timedelta(1))
    assert demo.platform().read(LOSER).name == "Summer, the last of it"
    assert demo.spend(LOSER, days=2)[1] > 0


def test_a_write_makes_cached_results_old(demo: Demo) -> None:
    def version() -> int:
        [(found,)] = demo.rows(select(AdAccount.version).where(AdAccount.id == demo.ids[0]))
        return int(found)

    before = version()
    demo.change(LOSER, "status", "paused")
    assert version() == before + 1


ARCHIVED = next(it.id for it in CAMPAIGNS if it.status == "archived")


@pytest.mark.parametrize(
    ("key", "campaign", "field", "value", "says"),
    [
        ("meta", STORY["adset_budgets"].campaigns[0], "daily_budget", 90_000_000,
         "The budget sits on 4 ad sets: Runners, Yoga, Travel, Home office."),
        ("meta", STORY["lifetime"].campaigns[0], "daily_budget", 30_000_000, "lifetime budget"),
        ("meta", LOSER, "daily_budget", 990_000, "The smallest daily budget is 1.00 USD, and 0.99 USD is less."),
        ("meta", LOSER, "daily_budget", -5_000_000, "smallest daily budget"),
        ("meta", LOSER, "daily_budget", 20_005_000, "finer than the currency"),
        ("japan", "238410300001", "daily_budget", 8_000_500_000, "finer than the currency"),
        ("japan", "238410300001", "daily_budget", 99_000_000, "100 JPY"),
        ("meta", ARCHIVED, "status", "active", "The campaign is archived."),
        ("meta", ARCHIVED, "name", "Old", "The campaign is archived."),
        ("meta", LOSER, "status", "archived", "can be active or paused, not archived"),
        ("meta", LOSER, "status", "deleted", "not deleted"),
        ("meta", LOSER, "name", "  ", "The name cannot be"),
        ("meta", LOSER, "name", "n" * 401, "The name cannot be"),
        ("meta", LOSER, "daily_budget", "20", "The daily budget cannot be '20'"),
    ],
)  # fmt: skip
def test_what_a_platform_would_refuse_the_demo_refuses(
    standing: Demo, key: str, campaign: str, field: Field, value: str | int, says: str
) -> None:
    error = standing.refusal(campaign, field, value, key)
    assert error.trouble is Trouble.REFUSED
    assert says in error.message


def test_a_campaign_that_is_not_there_is_not_found(demo: Demo) -> None:
    for ask in (demo.platform().read, lambda id: demo.change(id, "status", "paused")):
        with pytest.raises(PlatformError) as error:
            ask(SHARED[0])  # is in the other account
        assert error.value.trouble is Trouble.NOT_FOUND


@pytest.mark.parametrize(("platform", "says"), [("import", "came from a file"), ("demo", "read here, not changed")])
def test_what_is_read_only_is_not_written(demo: Demo, platform: str, says: str) -> None:
    with demo.database.begin() as db:
        db.execute(update(AdAccount).values(platform=platform))
    it = LocalPlatform(demo.database, demo.scope, demo.ids[0], platform == "import", today=TODAY + timedelta(9))
    wanted = Change(LOSER, "status", "paused", it.read(LOSER))
    for write in (it.validate, it.update):
        with pytest.raises(PlatformError, match=says) as error:
            write(wanted)
        assert error.value.trouble is Trouble.PERMISSION
    assert it.read(LOSER).status == "active"


def test_time_does_not_pass_in_a_file(demo: Demo) -> None:
    with demo.database.begin() as db:
        db.execute(update(AdAccount).values(platform="import"))
    days = [row.day for row in demo.platform(days=30).insights(TODAY - timedelta(5), TODAY + timedelta(30))]
    assert max(days) == TODAY - timedelta(1)


# --- planted faults ---------------------------------------------------------------------------------------------


def plant(demo: Demo, trouble: Trouble) -> None:
    with demo.database.begin() as db:
        row = db.get_one(AdAccount, demo.ids[0])
        row.details = {**row.details, "faults": {LOSER: trouble}}


@pytest.mark.parametrize("trouble", [Trouble.THROTTLED, Trouble.UNREACHABLE, Trouble.POLICY])
def test_a_planted_fault_stops_the_write(demo: Demo, trouble: Trouble) -> None:
    plant(demo, trouble)
    with pytest.raises(PlatformError) as error:
        demo.change(LOSER, "status", "paused")
    assert error.value.trouble is trouble
    assert demo.platform().read(LOSER).status == "active"
    assert demo.change("238410100010", "status", "paused")


def test_a_planted_lost_answer_was_written_all_the_same(demo: Demo) -> None:
    plant(demo, Trouble.UNKNOWN_OUTCOME)
    with pytest.raises(PlatformError) as error:
        demo.change(LOSER, "status", "paused")
    assert error.value.trouble is Trouble.UNKNOWN_OUTCOME
    assert demo.platform().read(LOSER).status == "paused"


# --- reading rows -----------------------------------------------------------------------------------------------


def _days(demo: Demo, where: Any) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    query = (
        select(Campaign.external_id, AdDaily.ad_id, AdDaily.day, AdDaily.spend_micros, AdDaily.orders,
               AdDaily.revenue_micros)
        .join(Campaign, Campaign.id == AdDaily.campaign_id).where(where)
    )  # fmt: skip
    return {tuple(row[:3]): tuple(row[3:]) for row in demo.rows(query)}


def _content(demo: Demo) -> tuple[Any, ...]:
    """All there is of the demo's days, but for our own ids."""
    orders = select(
        StoreOrder.external_id, StoreOrder.ordered_at, StoreOrder.gross_micros, StoreOrder.refund_micros,
        StoreOrder.customer, StoreOrder.is_first, StoreOrder.visitor_id, StoreOrder.channel,
    ).order_by(StoreOrder.external_id)  # fmt: skip
    visits = select(Visit.session_key, Visit.visitor_id, Visit.started_at, Visit.channel, Visit.purchased)
    learning = select(Campaign.external_id, Campaign.learning, Campaign.learning_events)
    return (
        _days(demo, AdDaily.day.is_not(None)),
        demo.rows(orders),
        demo.rows(visits.order_by(Visit.session_key)),
        demo.rows(learning.order_by(Campaign.external_id)),
    )
