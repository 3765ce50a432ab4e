"""The migrations: equal to the models, from nothing to the newest, back and forth, and safe when two deploys race."""

from __future__ import annotations

import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, inspect, make_url, text

from tests.rollups import ROLLUPS, kept, worked_out
from webapp.db import Database
from webapp.db.migrate import MIGRATIONS, config, upgrade
from webapp.db.models import Base

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def empty_url(postgres: str) -> Iterator[str]:
    """A database that no migration has seen."""
    name = f"empty_{uuid.uuid4().hex[:12]}"
    execute(postgres, f"create database {name}")
    yield make_url(postgres).set(database=name).render_as_string(hide_password=False)
    execute(postgres, f"drop database {name} with (force)")


@contextmanager
def connected(url: str) -> Iterator[Connection]:
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def execute(url: str, statement: str) -> None:
    with connected(url) as connection:
        connection.execute(text(statement))


def differences(url: str) -> list[object]:
    with connected(url) as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, Base.metadata))


def constraints(url: str) -> set[str]:
    """What the comparison leaves out: checks, and the conditions of partial indexes."""
    query = text(
        "select conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid) from pg_constraint"
        " where connamespace = 'public'::regnamespace and conrelid::regclass::text <> 'alembic_version'"
        " union all select indexdef from pg_indexes where schemaname = 'public' and tablename <> 'alembic_version'"
    )
    with connected(url) as connection:
        return set(connection.execute(query).scalars())


def revision(url: str) -> str | None:
    with connected(url) as connection:
        return MigrationContext.configure(connection).get_current_revision()


def newest() -> str | None:
    return ScriptDirectory(str(MIGRATIONS)).get_current_head()


def test_the_migrations_make_what_the_models_say(database_url: str) -> None:
    assert differences(database_url) == []


def test_checks_and_partial_indexes_are_equal_too(database_url: str, empty_url: str) -> None:
    with connected(empty_url) as connection:
        Base.metadata.create_all(connection)
    assert constraints(database_url) == constraints(empty_url)


def test_a_missing_column_would_be_noticed(database_url: str) -> None:
    execute(database_url, "alter table users drop column theme")
    assert differences(database_url) != []


def test_an_empty_database_becomes_the_newest(empty_url: str) -> None:
    upgrade(empty_url)
    assert revision(empty_url) == newest()
    with connected(empty_url) as connection:
        tables = set(inspect(connection).get_table_names())
    assert {"workspaces", "workspace_members", "byok_keys", "chat_sessions", "chat_messages"} <= tables


def test_upgrading_twice_changes_nothing(database_url: str) -> None:
    before = constraints(database_url)
    upgrade(database_url)
    assert constraints(database_url) == before


def test_the_last_revision_goes_back_and_forth(database_url: str) -> None:
    before = constraints(database_url)
    command.downgrade(config(database_url), "-1")
    assert revision(database_url) != newest()
    upgrade(database_url)
    assert revision(database_url) == newest()
    assert constraints(database_url) == before


def test_two_deploys_that_migrate_at_once_do_not_collide(empty_url: str) -> None:
    code = f"from webapp.db.migrate import upgrade; upgrade({empty_url!r})"
    racing = [
        subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stderr=subprocess.PIPE, text=True) for _ in range(3)
    ]
    said = [process.communicate(timeout=60)[1] for process in racing]
    assert [process.returncode for process in racing] == [0, 0, 0], said
    assert revision(empty_url) == newest()


def test_there_is_one_line_of_revisions() -> None:
    assert len(ScriptDirectory(str(MIGRATIONS)).get_heads()) == 1


A_TURN_OF_0003 = """
with u as (insert into users (id, email, name, password_hash) values (gen_random_uuid(), 'a@example.com', 'Alice', '')
        returning id),
    w as (insert into workspaces (id, name, created_by) select gen_random_uuid(), 'Acme', id from u returning id),
    s as (insert into chat_sessions (id, workspace_id, user_id) select gen_random_uuid(), w.id, u.id from w, u
        returning id)
insert into chat_turns (id, session_id, workspace_id, user_id, position, request_id, provider, model, state, owner,
    lease_until, total_tokens, usage)
select gen_random_uuid(), s.id, w.id, u.id, 0, gen_random_uuid(), 'anthropic', 'm', 'stopped', 'w1', now(), 7,
    '{"input": 1, "cache_read": 2, "cache_write": 0, "cache_write_1h": 0, "output": 4, "thinking": 3, "cost": null}'
from s, w, u
"""


def test_what_turns_used_before_the_ledger_is_in_it(empty_url: str) -> None:
    command.upgrade(config(empty_url), "0003")
    execute(empty_url, A_TURN_OF_0003)
    upgrade(empty_url)
    booked = "select input + cache_read + output, thinking, estimated, cost_micros, surface from usage_entries"
    with connected(empty_url) as connection:
        assert connection.execute(text(booked)).all() == [(7, 3, True, None, "chat")]


ROWS_OF_0005 = """
with u as (insert into users (id, email, name, password_hash) values (gen_random_uuid(), 'a@example.com', 'Alice', '')
        returning id),
    w as (insert into workspaces (id, name, created_by) select gen_random_uuid(), 'Acme', id from u returning id),
    a as (insert into ad_accounts (id, workspace_id, platform, external_id, name, currency, timezone, created_by)
        select gen_random_uuid(), w.id, 'meta', '1', 'Shop', 'EUR', 'UTC', u.id from w, u returning id, workspace_id),
    c as (insert into campaigns (id, workspace_id, account_id, external_id, name, status)
        select gen_random_uuid(), workspace_id, id, '1', 'Shoes', 'active' from a
        returning id, workspace_id, account_id),
    d as (insert into ad_daily (campaign_id, day, ad_id, workspace_id, account_id, spend_micros, impressions, clicks,
            orders, revenue_micros)
        select c.id, '2026-11-01', n, c.workspace_id, c.account_id, n, 2, 3, 0.5, 4 from c, generate_series(1, 3) n),
    o as (insert into store_orders (id, workspace_id, source, external_id, ordered_at, day, currency, gross_micros,
            is_first)
        select gen_random_uuid(), w.id, 'shopify', n, now(), '2026-11-01', 'EUR', n, nullif(n, 2) = 1
        from w, generate_series(1, 3) n)
insert into visits (id, workspace_id, source, session_key, visitor_id, started_at, day, carted)
select gen_random_uuid(), w.id, 'collect', n, 'v', now(), '2026-11-01', n > 1 from w, generate_series(1, 3) n
"""


def test_what_was_there_before_the_rollups_is_in_them(empty_url: str) -> None:
    command.upgrade(config(empty_url), "0005")
    execute(empty_url, ROWS_OF_0005)
    upgrade(empty_url)
    database = Database(empty_url)
    with database.begin() as db:
        for name in ROLLUPS:
            assert kept(db, name) == worked_out(db, name) != []
    database.close()
