"""What the operator types: flask rotate-encryption-key and flask vault-verify."""

from __future__ import annotations

from dataclasses import replace

import pytest
from flask import Flask
from sqlalchemy import update

from tests import people
from tests.conftest import ENCRYPTION_KEY
from tests.vault.samples import A_KEY, CHEAP
from webapp.accounts import Scope
from webapp.config import Settings
from webapp.db import Database
from webapp.db.models import ByokKey
from webapp.secret import Secret
from webapp.vault import byok
from webapp.vault.keyring import start_keyring

NEW = Secret("the-new-encryption-key-0123456789abcdef")


def run(app: Flask, command: str) -> tuple[int, str]:
    done = app.test_cli_runner().invoke(args=[command])
    return done.exit_code, done.output


@pytest.fixture
def rotating(database: Database, settings: Settings, alice: Scope) -> Settings:
    """The second deploy of a rotation: alice's key is sealed with the old root still."""
    with database.begin() as db:
        byok.connect(alice, db, start_keyring(database, settings), "anthropic", A_KEY)
    promoted = replace(settings, encryption_key=NEW, other_encryption_keys=(ENCRYPTION_KEY,))
    start_keyring(database, promoted, cost=CHEAP)
    return promoted


def test_after_a_rotation_the_old_key_can_be_removed(rotating: Settings) -> None:
    with people.running(rotating) as app:
        assert run(app, "vault-verify") == (0, "1 keys open, 0 do not.\n")
        status, said = run(app, "rotate-encryption-key")
        assert status == 0
        assert "1 sealed anew, 0 left" in said
        assert "ENCRYPTION_KEY_PREVIOUS can be removed" in said
        assert "0 sealed anew, 0 left" in run(app, "rotate-encryption-key")[1]
    with people.running(replace(rotating, other_encryption_keys=())) as app:
        assert run(app, "vault-verify") == (0, "1 keys open, 0 do not.\n")


def test_a_key_that_does_not_open_is_told_and_nothing_of_it_shown(rotating: Settings, database: Database) -> None:
    with database.begin() as db:
        db.execute(update(ByokKey).values(provider="elsewhere"))
    with people.running(rotating) as app:
        for command in ("vault-verify", "rotate-encryption-key"):
            status, said = run(app, command)
            assert status == 1
            assert "1" in said
            assert "ENCRYPTION_KEY_PREVIOUS can be removed" not in said
            assert A_KEY.expose() not in said
