"""Starting the keyring: the first start, the second, several at once, and with a key that does not fit."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import create_engine, func, select, text

from tests.vault.samples import A_KEY, CHEAP, a_place
from webapp.accounts import Scope
from webapp.config import Settings
from webapp.db import Database
from webapp.db.models import ByokKey, Deployment, VaultKey
from webapp.secret import Secret
from webapp.vault import byok, rotation
from webapp.vault.keyring import Cost, Keyring, KeyringError, start_keyring

ROOT = Path(__file__).resolve().parents[2]
ONE = Secret("first-encryption-key-0123456789abcdefgh")
TWO = Secret("second-encryption-key-0123456789abcdefg")
THREE = Secret("third-encryption-key-0123456789abcdefgh")


@pytest.fixture
def one(settings: Settings) -> Settings:
    return replace(settings, encryption_key=ONE)


def start(database: Database, settings: Settings) -> Keyring:
    return start_keyring(database, settings, cost=CHEAP)


def statuses(database: Database) -> dict[bytes, str]:
    with database.begin() as db:
        return {row.key_id: row.status for row in db.scalars(select(VaultKey))}


def test_the_second_start_opens_what_the_first_sealed(untouched: Database, one: Settings) -> None:
    place = a_place()
    sealed = start(untouched, one).seal(A_KEY, place)
    again = start(untouched, one)
    assert again.open(sealed, place) == A_KEY
    assert statuses(untouched) == {again.key_id: "active"}


def test_by_default_scrypt_costs_what_the_mission_needs(untouched: Database, one: Settings) -> None:
    start_keyring(untouched, one)
    with untouched.begin() as db:
        row = db.scalars(select(VaultKey)).one()
    assert (row.n, row.r, row.p) == (131072, 8, 1)
    assert len(row.salt) == 16


def test_a_known_key_keeps_the_cost_it_was_stored_with(untouched: Database, one: Settings) -> None:
    first = start(untouched, one)
    assert start_keyring(untouched, one, cost=Cost(n=4)).key_id == first.key_id
    with untouched.begin() as db:
        assert db.scalars(select(VaultKey.n)).all() == [CHEAP.n]


def test_two_databases_with_one_key_have_nothing_in_common(untouched: Database, one: Settings) -> None:
    first = start(untouched, one)
    with untouched.begin() as db:
        db.execute(text("delete from vault_keys"))
        db.execute(text("delete from deployment"))
    second = start(untouched, one)
    assert first.key_id != second.key_id
    assert first.subkey("cookies") != second.subkey("cookies")


@pytest.mark.parametrize("processes", [8])
def test_workers_that_start_at_once_agree(untouched: Database, one: Settings, processes: int) -> None:
    rings: list[Keyring] = []
    ready = threading.Barrier(processes)

    def work() -> None:
        database = Database(one.database_url, pool_size=1)
        ready.wait(10)
        rings.append(start(database, replace(one, other_encryption_keys=(TWO,))))
        database.close()

    threads = [threading.Thread(target=work) for _ in range(processes)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(rings) == processes
    place = a_place()
    sealed = rings[0].seal(A_KEY, place)
    assert all(ring.open(sealed, place) == A_KEY for ring in rings)
    assert sorted(statuses(untouched).values()) == ["active", "decrypt_only"]
    with untouched.begin() as db:
        assert db.scalar(select(func.count()).select_from(Deployment)) == 1


# --- a key that does not fit ------------------------------------------------------------------------------------


def test_a_wrong_key_does_not_start_and_changes_nothing(untouched: Database, one: Settings) -> None:
    ring = start(untouched, one)
    with pytest.raises(KeyringError) as caught:
        start(untouched, replace(one, encryption_key=TWO))
    said = str(caught.value)
    assert "ENCRYPTION_KEY" in said
    assert ring.key_id.hex() in said
    assert ONE.expose() not in said
    assert TWO.expose() not in said
    assert statuses(untouched) == {ring.key_id: "active"}


def test_a_wrong_spare_key_does_not_help(untouched: Database, one: Settings) -> None:
    start(untouched, one)
    with pytest.raises(KeyringError):
        start(untouched, replace(one, encryption_key=TWO, other_encryption_keys=(THREE,)))


def test_the_old_key_cannot_be_taken_away_while_something_is_sealed_with_it(
    untouched: Database, one: Settings, alice: Scope
) -> None:
    ring = start(untouched, one)
    with untouched.begin() as db:
        byok.connect(alice, db, ring, "anthropic", A_KEY)
    both = replace(one, encryption_key=TWO, other_encryption_keys=(ONE,))
    start(untouched, both)
    with pytest.raises(KeyringError, match="1 keys in byok_keys were sealed under another ENCRYPTION_KEY"):
        start(untouched, replace(one, encryption_key=TWO))
    list(rotation.rotate(untouched, start(untouched, both)))
    alone = start(untouched, replace(one, encryption_key=TWO))
    with untouched.begin() as db:
        key = byok.active(alice, db, "anthropic")
        assert key is not None
        assert byok.reveal(alice, db, alone, key.id) == A_KEY


def test_after_the_readme_s_statements_for_a_lost_key_a_new_one_starts(
    untouched: Database, one: Settings, alice: Scope
) -> None:
    with untouched.begin() as db:
        byok.connect(alice, db, start(untouched, one), "anthropic", A_KEY)
    lost = replace(one, encryption_key=TWO)
    with pytest.raises(KeyringError):
        start(untouched, lost)
    recipe = re.search(r"```sql\n(update byok_keys .*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert recipe is not None
    with untouched.begin() as db:
        db.execute(text(recipe[1]))
    ring = start(untouched, lost)
    with untouched.begin() as db:
        assert byok.cards(alice, db) == []
        byok.connect(alice, db, ring, "anthropic", A_KEY)


def test_a_rotation_in_two_deploys_never_leaves_a_process_blind(untouched: Database, one: Settings) -> None:
    before = start(untouched, replace(one, other_encryption_keys=(TWO,)))  # step 1: the next key is at hand
    after = start(untouched, replace(one, encryption_key=TWO, other_encryption_keys=(ONE,)))  # step 2: it seals
    place = a_place()
    assert before.key_id != after.key_id
    assert before.open(after.seal(A_KEY, place), place) == A_KEY
    assert after.open(before.seal(A_KEY, place), place) == A_KEY
    assert statuses(untouched) == {before.key_id: "decrypt_only", after.key_id: "active"}


def test_the_same_key_given_twice_is_one_key(untouched: Database, one: Settings) -> None:
    start(untouched, replace(one, other_encryption_keys=(ONE,)))
    assert list(statuses(untouched).values()) == ["active"]


def test_a_changed_check_value_does_not_start(untouched: Database, one: Settings) -> None:
    start(untouched, one)
    with untouched.begin() as db:
        db.execute(text("update vault_keys set check_value = decode(repeat('00', 32), 'hex')"))
    with pytest.raises(KeyringError):
        start(untouched, one)


def test_a_database_without_tables_is_told_as_that(postgres: str, one: Settings) -> None:
    engine = create_engine(postgres, isolation_level="AUTOCOMMIT")
    url = engine.url.set(database="template1").render_as_string(hide_password=False)
    engine.dispose()
    bare = Database(url)
    with pytest.raises(KeyringError, match="no tables"):
        start(bare, one)
    bare.close()


def test_a_whole_process_with_a_wrong_key_ends_at_once_and_says_what_to_set(untouched: Database, one: Settings) -> None:
    start(untouched, one)
    env = {k: v for k, v in os.environ.items() if not k.startswith("ENCRYPTION_KEY")}
    env |= {"DATABASE_URL": one.database_url.replace("+psycopg", ""), "ENCRYPTION_KEY": TWO.expose()}
    ended = subprocess.run([sys.executable, "wsgi.py"], cwd=ROOT, env=env, capture_output=True, text=True, timeout=60)
    assert ended.returncode != 0
    assert "Set ENCRYPTION_KEY to the earlier value" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert TWO.expose() not in ended.stdout + ended.stderr


def test_nothing_of_the_root_is_stored(untouched: Database, one: Settings) -> None:
    start(untouched, one)
    with untouched.begin() as db:
        stored = "".join(str(row) for row in db.execute(text("select vault_keys::text from vault_keys")))
        assert db.scalar(select(func.count()).select_from(ByokKey)) == 0
    assert ONE.expose() not in stored
    assert ONE.expose().encode().hex() not in stored
