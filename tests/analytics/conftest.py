"""Two databases that tests only read: alice's small shop with figures to check by hand, and the demo's."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from sqlalchemy import create_engine, make_url, text

from tests.analytics.shop import order, store, visit
from tests.campaigns import TODAY, account, campaign, day, newcomer
from webapp.accounts import Scope
from webapp.ads import local
from webapp.db import Database


@dataclass(frozen=True)
class Place:
    """A database and whose workspace in it is looked at."""

    database: Database
    alice: Scope
    charlie: Scope


@contextmanager
def place(postgres: str, template: str) -> Iterator[Place]:
    url = make_url(postgres).set(database=f"pipes_{uuid.uuid4().hex[:8]}")
    admin = create_engine(postgres, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"create database {url.database} template {template}"))
    database = Database(url.render_as_string(hide_password=False), pool_size=5)
    yield Place(database, newcomer(database, "Alice"), newcomer(database, "Charlie"))
    database.close()
    with admin.connect() as connection:
        connection.execute(text(f"drop database {url.database} with (force)"))
    admin.dispose()


@pytest.fixture(scope="session")
def shop(postgres: str, template_database: str) -> Iterator[Place]:
    """Two campaigns, three orders of two customers, six visits of four people. Nothing is younger than five days."""
    with place(postgres, template_database) as made:
        fill_by_hand(made.database, made.alice)
        yield made


def fill_by_hand(database: Database, alice: Scope) -> None:
    store(database, alice)
    meta = account(database, alice, platform="meta")
    small = campaign(database, alice, meta, "Small and good")
    large = campaign(database, alice, meta, "Large and poor")
    day(database, small, 15, 10, 100)
    day(database, large, 14, 1000, 1000, orders=4, adset_id="s1", adset_name="Set one")
    day(database, large, 40, 500, 1000, orders=2)
    visit(database, alice, 20, "anna", channel="meta", viewed=True)
    visit(database, alice, 18, "anna", channel="organic", is_new=False)
    visit(database, alice, 15, "anna", channel="email", is_new=False, viewed=True, carted=True, purchased=True)
    visit(database, alice, 10, "ben", channel="google", device="desktop", carted=True, checkout=True, purchased=True)
    visit(database, alice, 9, "carla", channel="direct", country="", viewed=True)
    visit(database, alice, 9, "dora", channel="direct", country="AT")
    order(database, alice, 15, 100, customer="c1", is_first=True, visitor_id="anna", channel="email", country="DE")
    order(
        database,
        alice,
        10,
        60,
        refund=10,
        customer="c2",
        is_first=True,
        visitor_id="ben",
        channel="google",
        country="AT",
    )
    order(database, alice, 5, 40, customer="c1", is_first=False)


@pytest.fixture(scope="session")
def demo(postgres: str, template_database: str) -> Iterator[Place]:
    """The demo as of TODAY, in alice's workspace."""
    with place(postgres, template_database) as made:
        with made.database.begin() as db:
            local.seed_demo(made.alice, db, TODAY, visit_days=90)
        yield made
