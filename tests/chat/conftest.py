"""alice with a workspace and a connected key, on a database of the test's own."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from webapp.accounts import Scope, people, workspaces
from webapp.config import Settings
from webapp.db import Database
from webapp.secret import Secret
from webapp.vault import byok
from webapp.vault.byok import KeyRef
from webapp.vault.keyring import Keyring, start_keyring


@dataclass(frozen=True)
class Somebody:
    scope: Scope
    key: KeyRef


@pytest.fixture
def keyring(database: Database, settings: Settings) -> Keyring:
    return start_keyring(database, settings)


@pytest.fixture
def alice(database: Database, keyring: Keyring) -> Somebody:
    return newcomer(database, keyring, "Alice")


@pytest.fixture
def charlie(database: Database, keyring: Keyring) -> Somebody:
    return newcomer(database, keyring, "Charlie")


def newcomer(database: Database, keyring: Keyring, name: str) -> Somebody:
    with database.begin() as db:
        user_id = people.sign_up(db, name=name, email=f"{name}@example.com", password_hash="none")
        assert user_id is not None
        scope = workspaces.create(db, user_id, f"{name}'s workspace")
        byok.connect(scope, db, keyring, "anthropic", Secret("sk-ant-api03-" + "x" * 40), "")
        key = byok.active(scope, db, "anthropic")
    assert key is not None
    return Somebody(scope, key)
