"""Roll-ups: whatever is written, by whomever, a daily sum is the GROUP BY of its table. And the files that say so on
Tinybird (rollups/*.pipe) are the judge of it: the same SQL, run here over the rows."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from tests.analytics.shop import ask, by, order, store, visit
from tests.campaigns import account, campaign, day, newcomer
from tests.rollups import ROLLUPS, kept, worked_out
from webapp.accounts import Scope
from webapp.analytics import shop as the_shop
from webapp.analytics.compiler import ROLLUPS as KNOWN
from webapp.db import Database, Session

TABLES = ("ad_daily", "store_orders", "visits")
KEYS = st.integers(0, 5)
SOME = st.lists(KEYS, min_size=1, max_size=4, unique=True)
Statement = tuple[str, dict[str, Any]]

# A row of each table by a number, so that one statement can name several; written again, it is replaced.
PUT = {
    "ad_daily": """insert into ad_daily (campaign_id, day, ad_id, workspace_id, account_id, spend_micros, impressions,
            clicks, orders, revenue_micros)
        select :campaign, date '2026-11-01' + n % 2, n, :alice, :account, :a, :b, 1, :b / 4.0, :a from unnest(:keys) n
        on conflict (campaign_id, day, adset_id, ad_id) do update
        set spend_micros = excluded.spend_micros, orders = excluded.orders""",
    "visits": """insert into visits (id, workspace_id, source, session_key, visitor_id, started_at, day, channel,
            viewed)
        select gen_random_uuid(), :alice, 'collect', n, 'v', now(), date '2026-11-01' + n % 2, 'meta', :b > 1
        from unnest(:keys) n
        on conflict (workspace_id, source, session_key) do update set viewed = excluded.viewed, checkout = true""",
    "store_orders": """insert into store_orders (id, workspace_id, source, external_id, ordered_at, day, currency,
            gross_micros, refund_micros, is_first)
        select gen_random_uuid(), :alice, 'shopify', n, now(), date '2026-11-01' + n % 2, 'EUR', :a, :b, n % 2 = 0
        from unnest(:keys) n
        on conflict (workspace_id, source, external_id) do update set refund_micros = excluded.refund_micros""",
}
NAMED = {"ad_daily": "ad_id", "visits": "session_key", "store_orders": "external_id"}
CHANGES = {
    "ad_daily": ("day = day + 1", "account_id = :other", "orders = orders + 0.25", "spend_micros = 0", "ad_name = 'x'"),
    "visits": ("day = day + 1", "channel = 'google'", "country = 'AT'", "is_new = not is_new", "carted = not carted",
               "purchased = true", "landing_page = '/x'"),
    "store_orders": ("day = day + 1", "channel = 'email'", "currency = 'USD'", "is_first = null", "gross_micros = :a"),
}  # fmt: skip


def statements() -> st.SearchStrategy[Statement]:
    values = st.fixed_dictionaries({"keys": SOME, "a": st.integers(0, 10**12), "b": st.integers(0, 3)})

    def of(table: str) -> st.SearchStrategy[str]:
        these = f"where {NAMED[table]} = any(select unnest(:keys)::text)"
        changes = st.sampled_from((*CHANGES[table], "workspace_id = :charlie"))
        return st.one_of(
            st.just(PUT[table]),
            changes.map(lambda change: f"update {table} set {change} {these}"),
            st.just(f"delete from {table} {these}"),
        )

    return st.tuples(st.sampled_from(TABLES).flatmap(of), values)


@pytest.fixture
def place(database: Database) -> dict[str, Any]:
    """Whom the statements name."""
    alice, charlie = newcomer(database, "Alice"), newcomer(database, "Charlie")
    meta, google = account(database, alice), account(database, alice, platform="google")
    return {
        "alice": alice.workspace_id,
        "charlie": charlie.workspace_id,
        "account": meta,
        "other": google,
        "campaign": campaign(database, alice, meta, "Shoes"),
    }


def run(db: Session, statement: Statement, place: dict[str, Any]) -> None:
    """A statement that may fail for two rows with one key; then nothing of it is left."""
    try:
        with db.begin_nested():
            db.execute(text(statement[0]), {**place, **statement[1]})
    except IntegrityError:
        pass


def assert_equal(db: Session) -> None:
    for name in ROLLUPS:
        assert kept(db, name) == worked_out(db, name), name


@given(st.lists(st.tuples(st.booleans(), st.lists(statements(), min_size=1, max_size=4)), min_size=1, max_size=5))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_written_a_rollup_is_the_sum_of_its_rows(
    database: Database, place: dict[str, Any], transactions: list[tuple[bool, list[Statement]]]
) -> None:
    with database.begin() as db:
        db.execute(text("truncate ad_daily, store_orders, visits"))
        assert [kept(db, name) for name in ROLLUPS] == [[], [], []]
    for regretted, several in transactions:
        with database.begin() as db:
            for statement in several:
                run(db, statement, place)
                assert_equal(db)
            if regretted:
                db.rollback()
        with database.begin() as db:
            assert_equal(db)


def test_parts_of_orders_leave_nothing_behind(database: Database, place: dict[str, Any]) -> None:
    """0.1 + 0.2 - 0.1 - 0.2 is not zero, as floats."""
    for parts in (0.1, 0.2, 0.7):
        day(database, place["campaign"], 5, 1, 1, orders=parts, ad_id=str(parts))
    with database.begin() as db:
        db.execute(text("delete from ad_daily where ad_id <> '0.7'"))
        assert [row.orders for row in kept(db, "account_daily")] == [0.7]
        db.execute(text("delete from ad_daily"))
        assert kept(db, "account_daily") == []


@pytest.mark.parametrize("reached", range(5))
def test_who_came_further_is_counted_in_every_step_before(
    database: Database, place: dict[str, Any], reached: int
) -> None:
    steps = ("sessions", "viewed", "carted", "checkout", "purchased")
    with database.begin() as db:
        db.execute(text(PUT["visits"]), {**place, "keys": [1], "a": 0, "b": 0})
        db.execute(text(f"update visits set {steps[reached]} = true") if reached else text("select 1"))
        (row,) = kept(db, "visits_daily")
        assert [getattr(row, step) for step in steps] == [1] * (reached + 1) + [0] * (4 - reached)
        assert_equal(db)


# --- two at once ------------------------------------------------------------------------------------------------


@pytest.fixture
def second() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


def waiting(database: Database) -> int:
    """How many locks of this database's sessions are not granted yet."""
    query = "select count(*) from pg_locks join pg_stat_activity using (pid) where not granted"
    with database.begin() as db:
        return int(db.execute(text(f"{query} and datname = current_database()")).scalar_one())


def until(holds: Callable[[], bool]) -> None:
    ends = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < ends
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("first", "sessions"),
    [(PUT["visits"], 2), ("delete from visits", 1), ("update visits set channel = 'google'", 2)],
    ids=["adds", "deletes the last", "moves the last"],
)
def test_the_second_of_two_writers_adds_to_what_the_first_left(
    database: Database, place: dict[str, Any], second: ThreadPoolExecutor, first: str, sessions: int
) -> None:
    def write(statement: str, key: int) -> None:
        with database.begin() as db:
            db.execute(text(statement), {**place, "keys": [key], "a": 1, "b": 0})

    if first != PUT["visits"]:
        write(PUT["visits"], 2)
    with database.begin() as db:
        db.execute(text(first), {**place, "keys": [2], "a": 1, "b": 0})
        other = second.submit(write, PUT["visits"], 4)
        until(lambda: waiting(database) > 0)
    other.result(timeout=10)
    with database.begin() as db:
        assert sum(row.sessions for row in kept(db, "visits_daily")) == sessions
        assert_equal(db)


def test_writers_of_the_same_days_do_not_wait_in_a_circle(database: Database, place: dict[str, Any]) -> None:
    """Forty days in one statement, of two sessions: one would take them as they sort, the other as they hash. Both meet
    while somebody holds the first day."""

    def write(name: str, setting: str = "enable_seqscan") -> None:
        rows = """insert into visits (id, workspace_id, source, session_key, visitor_id, started_at, day)
            select gen_random_uuid(), :alice, 'collect', :name || n, 'v', now(), date '2026-10-01' + n
            from generate_series(0, 39) n"""
        with database.engine.begin() as connection:
            connection.execute(text(f"set local {setting} = off"))
            connection.execute(text(rows), {**place, "name": name})

    write("before")
    with ThreadPoolExecutor(2) as pool:
        with database.begin() as db:
            db.execute(text("select 1 from visits_daily where day = '2026-10-01' for update"))
            sorts = pool.submit(write, "a", "enable_hashagg")
            until(lambda: waiting(database) >= 1)
            hashes = pool.submit(write, "b", "enable_sort")
            until(lambda: waiting(database) >= 2)
        sorts.result(timeout=10)
        hashes.result(timeout=10)
    with database.begin() as db:
        assert {row.sessions for row in kept(db, "visits_daily")} == {3}


# --- what people see ---------------------------------------------------------------------------------------------


def test_each_rollup_that_pipes_read_is_a_table_here_and_a_pipe_on_tinybird() -> None:
    assert sorted(ROLLUPS) == sorted(KNOWN)


def a_shop(database: Database, name: str) -> Scope:
    scope = newcomer(database, name)
    store(database, scope)
    return scope


def test_what_charlie_writes_never_shows_in_alices_figures(database: Database) -> None:
    alice, charlie = a_shop(database, "Alice"), a_shop(database, "Charlie")
    for who, times in ((alice, 1), (charlie, 3)):
        shoes = campaign(database, who, account(database, who), "Shoes")
        for n in range(times):
            day(database, shoes, 7, 10, 30, ad_id=str(n))
            order(database, who, 7, 50)
            visit(database, who, 7, f"v{n}")
    (row,) = ask(database, alice, "kpi_summary").rows
    assert (row["spend"], row["revenue"], row["orders"], row["sessions"]) == (10, 50, 1, 1)
    (row,) = ask(database, charlie, "kpi_summary").rows
    assert (row["spend"], row["revenue"], row["orders"], row["sessions"]) == (30, 150, 3, 3)


def test_in_another_time_zone_alices_orders_and_visits_move_to_their_days(database: Database) -> None:
    alice = a_shop(database, "Alice")
    order(database, alice, 7, 50)
    visit(database, alice, 7, "anna")
    with database.begin() as db:
        db.execute(text("update store_orders set source = 'shopify'"))
        db.execute(text("update visits set source = 'collect'"))
    week = {"date_from": "2026-11-16", "date_to": "2026-11-19", "metrics": ["orders", "sessions"]}
    before = by(ask(database, alice, "metric_timeseries", **week), "bucket")
    with database.begin() as db:
        the_shop.save(alice, db, name="", currency="EUR", timezone="Pacific/Kiritimati", basis="net")
        assert_equal(db)
    after = by(ask(database, alice, "metric_timeseries", **week), "bucket")
    assert (before["2026-11-17"]["orders"], before["2026-11-17"]["sessions"]) == (1, 1)
    assert (after["2026-11-17"]["orders"], after["2026-11-18"]["orders"]) == (None, 1)


def test_with_the_demos_orders_and_visits_their_sums_go(database: Database) -> None:
    alice = a_shop(database, "Alice")
    day(database, campaign(database, alice, account(database, alice), "Shoes"), 7, 10, 30)
    order(database, alice, 7, 50)
    visit(database, alice, 7, "anna")
    with database.begin() as db:
        the_shop.remove_demo(alice, db)
    with database.begin() as db:
        assert [len(kept(db, name)) for name in ROLLUPS] == [1, 0, 0]
