"""The served product for the laws of live turns: the simulator as provider, alice with a connected key."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from tests.serving import Person, Server, served, someone
from tests.shared import database, database_url, settings
from tests.simulation import start_simulator
from webapp.config import Settings
from webapp.db import Database

__all__ = ["database", "database_url", "settings"]


@pytest.fixture(scope="session")
def provider() -> Iterator[str]:
    base, stop = start_simulator(first=30, delay=10)
    yield base
    stop()


@pytest.fixture
def key() -> str:
    """A key of the test's own, so that its calls can be counted."""
    return f"sk-ant-api03-ok-{uuid.uuid4().hex}"


@pytest.fixture
def alice(database: Database, settings: Settings, provider: str, key: str) -> Person:
    return someone(database, settings, "Alice", provider=provider, key=key)


@pytest.fixture(scope="session")
def server(settings: Settings, provider: str) -> Iterator[Server]:
    with served(settings, provider=provider) as running:
        yield running


@pytest.fixture(scope="session")
def other_server(settings: Settings, provider: str) -> Iterator[Server]:
    """A second host on the same database."""
    with served(settings, provider=provider) as running:
        yield running
