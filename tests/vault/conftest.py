"""A workspace of alice's, a ring, and a vault that nothing was ever put in."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from tests.vault.samples import DEPLOYMENT, OLD
from webapp.accounts import Scope, people, workspaces
from webapp.config import Settings
from webapp.db import Database
from webapp.vault.keyring import Keyring, start_keyring


@pytest.fixture
def ring() -> Keyring:
    return Keyring(DEPLOYMENT, OLD)


@pytest.fixture
def untouched(database: Database) -> Database:
    """A migrated database in which no process has started yet."""
    with database.begin() as db:
        db.execute(text("delete from vault_keys"))
        db.execute(text("delete from deployment"))
    return database


@pytest.fixture
def keyring(database: Database, settings: Settings) -> Keyring:
    """The ring an app starts with."""
    return start_keyring(database, settings)


@pytest.fixture
def alice(database: Database) -> Scope:
    """The owner of Acme."""
    with database.begin() as db:
        user_id = people.sign_up(db, name="Alice", email="alice@example.com", password_hash="-")
        assert user_id is not None
        return workspaces.create(db, user_id, "Acme")


@pytest.fixture
def charlie(database: Database) -> Scope:
    """The owner of another workspace."""
    with database.begin() as db:
        user_id = people.sign_up(db, name="Charlie", email="charlie@example.com", password_hash="-")
        assert user_id is not None
        return workspaces.create(db, user_id, "Initech")
