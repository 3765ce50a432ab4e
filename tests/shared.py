"""Fixtures of a whole run, for tests on real processes: one database, in which each test makes people of its own. A
conftest takes them by importing them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import ENCRYPTION_KEY, copied
from webapp.config import Settings
from webapp.db import Database

__all__ = ["database", "database_url", "settings"]


@pytest.fixture(scope="session")
def database_url(postgres: str, template_database: str) -> Iterator[str]:
    with copied(postgres, template_database) as url:
        yield url


@pytest.fixture(scope="session")
def database(database_url: str) -> Iterator[Database]:
    made = Database(database_url, pool_size=5)
    yield made
    made.close()


@pytest.fixture(scope="session")
def settings(database_url: str) -> Settings:
    return Settings(database_url=database_url, encryption_key=ENCRYPTION_KEY, secure_cookies=False)
