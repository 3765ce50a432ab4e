"""Rotating ENCRYPTION_KEY: nothing is lost when it is killed, nothing stops while it runs, nothing of the old stays."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select, text, update

from tests.vault.samples import CHEAP
from webapp.accounts import Scope
from webapp.config import Settings
from webapp.db import Database
from webapp.db.models import ByokKey, VaultKey
from webapp.secret import Secret
from webapp.vault import byok, rotation
from webapp.vault.keyring import Keyring, start_keyring

ROOT = Path(__file__).resolve().parents[2]
OLD = Secret("the-old-encryption-key-0123456789abcdef")
NEW = Secret("the-new-encryption-key-0123456789abcdef")
ROTATE = """
import sys
from webapp.config import Settings
from webapp.db import Database
from webapp.vault import byok, rotation
from webapp.vault.keyring import start_keyring
settings = Settings.from_environ()
database = Database(settings.database_url)
rotation.BATCH = 5
print("started", flush=True)
for step in rotation.rotate(database, start_keyring(database, settings)):
    print(step.left, flush=True)
"""


@pytest.fixture
def old(untouched: Database, settings: Settings) -> Keyring:
    return ring(untouched, settings, OLD)


def ring(database: Database, settings: Settings, key: Secret, *others: Secret) -> Keyring:
    given = Settings(database_url=settings.database_url, encryption_key=key, other_encryption_keys=others)
    return start_keyring(database, given, cost=CHEAP)


def secret_of(n: int) -> Secret:
    return Secret(f"sk-ant-api03-number-{n:06}")


def fill(database: Database, keyring: Keyring, scope: Scope, count: int) -> dict[uuid.UUID, Secret]:
    """`count` active keys, each of a provider of its own."""
    with database.begin() as db:
        return {byok.connect(scope, db, keyring, f"p{n}", secret_of(n)): secret_of(n) for n in range(count)}


def unreadable(database: Database, scope: Scope, keyring: Keyring, keys: dict[uuid.UUID, Secret]) -> list[uuid.UUID]:
    with database.begin() as db:
        return [key_id for key_id, secret in keys.items() if byok.reveal(scope, db, keyring, key_id) != secret]


def test_every_key_is_resealed_and_the_old_root_retired(
    untouched: Database, settings: Settings, old: Keyring, alice: Scope
) -> None:
    keys = fill(untouched, old, alice, 7)
    both = ring(untouched, settings, NEW, OLD)
    steps = list(rotation.rotate(untouched, both))
    assert steps[-1] == rotation.Rotation(resealed=7, left=0, broken=0)
    alone = ring(untouched, settings, NEW)
    assert unreadable(untouched, alice, alone, keys) == []
    with untouched.begin() as db:
        found = {row.key_id: row.status for row in db.scalars(select(VaultKey))}
        assert set(db.scalars(select(ByokKey.vault_key_id))) == {alone.key_id}
    assert found == {old.key_id: "retired", alone.key_id: "active"}
    assert rotation.verify(untouched, alone) == rotation.Verdict(opened=7, broken=0)


def test_rotating_again_does_nothing(untouched: Database, settings: Settings, old: Keyring, alice: Scope) -> None:
    fill(untouched, old, alice, 3)
    both = ring(untouched, settings, NEW, OLD)
    list(rotation.rotate(untouched, both))
    with untouched.begin() as db:
        before = db.execute(text("select id, sealed, xmin::text from byok_keys order by id")).all()
    assert list(rotation.rotate(untouched, both)) == [rotation.Rotation(0, 0, 0)]
    with untouched.begin() as db:
        assert db.execute(text("select id, sealed, xmin::text from byok_keys order by id")).all() == before


def test_a_row_that_does_not_open_is_counted_left_alone_and_keeps_its_root(
    untouched: Database, settings: Settings, old: Keyring, alice: Scope
) -> None:
    keys = fill(untouched, old, alice, 3)
    broken = next(iter(keys))
    with untouched.begin() as db:
        db.execute(update(ByokKey).where(ByokKey.id == broken).values(provider="elsewhere"))
    both = ring(untouched, settings, NEW, OLD)
    assert list(rotation.rotate(untouched, both))[-1] == rotation.Rotation(resealed=2, left=0, broken=1)
    assert rotation.verify(untouched, both) == rotation.Verdict(opened=2, broken=1)
    with untouched.begin() as db:
        assert db.scalars(select(VaultKey.status).where(VaultKey.key_id == old.key_id)).one() == "decrypt_only"


def test_a_row_that_someone_holds_is_waited_for(
    untouched: Database, settings: Settings, old: Keyring, alice: Scope
) -> None:
    keys = fill(untouched, old, alice, 2)
    both = ring(untouched, settings, NEW, OLD)
    steps: list[rotation.Rotation] = []
    with untouched.begin() as db:
        db.execute(select(ByokKey.id).where(ByokKey.id == next(iter(keys))).with_for_update())
        beside = threading.Thread(target=lambda: steps.extend(rotation.rotate(untouched, both)))
        beside.start()
        beside.join(1)
        assert beside.is_alive()
        assert rotation.Rotation(1, 1, 0) in steps
    beside.join(10)
    assert steps[-1] == rotation.Rotation(2, 0, 0)


@pytest.mark.timeout(300)  # six processes that derive keys, on a machine that may be busy
def test_killed_at_any_moment_it_goes_on_while_others_read_and_replace(
    untouched: Database, settings: Settings, old: Keyring, alice: Scope
) -> None:
    """A real process, killed at random moments. Two readers run beside it all the time, and somebody who replaces keys
    on a worker that does not seal with the new root yet."""
    keys = fill(untouched, old, alice, 300)
    both = ring(untouched, settings, NEW, OLD)
    over, troubles, lock = threading.Event(), [], threading.Lock()

    def read() -> None:
        while not over.is_set():
            with lock:
                sample = dict(random.sample(list(keys.items()), 20))
            troubles.extend(str(key_id) for key_id in unreadable_but_replaced(sample))

    def unreadable_but_replaced(sample: dict[uuid.UUID, Secret]) -> Iterator[uuid.UUID]:
        for key_id, secret in sample.items():
            try:
                with untouched.begin() as db:
                    if byok.reveal(alice, db, both, key_id) != secret:
                        yield key_id
            except byok.KeyRevoked:
                with lock:
                    if key_id in keys:
                        yield key_id

    def replace() -> None:
        n = 1000
        while not over.wait(0.02):
            n += 1
            with lock, untouched.begin() as db:
                ref = byok.active(alice, db, f"p{n % 300}")
                assert ref is not None
                keys[byok.connect(alice, db, old, ref.provider, secret_of(n))] = secret_of(n)
                del keys[ref.id]

    others = [threading.Thread(target=each) for each in (read, read, replace)]
    for thread in others:
        thread.start()
    kills = 0
    try:
        while kills < 6:
            process = start_rotation(settings)
            lines = random.randint(1, 12)
            for _ in range(lines):
                if not process.stdout or not process.stdout.readline():
                    break
            os.kill(process.pid, signal.SIGKILL)
            kills += process.wait(10) == -signal.SIGKILL
    finally:
        over.set()
        for thread in others:
            thread.join(20)
    assert troubles == []
    finished = start_rotation(settings)
    assert finished.communicate(timeout=60)[0].splitlines()[-1] == "0"
    assert finished.returncode == 0
    assert len(keys) == 300
    assert unreadable(untouched, alice, ring(untouched, settings, NEW), keys) == []


def start_rotation(settings: Settings) -> subprocess.Popen[str]:
    env = os.environ | {
        "DATABASE_URL": settings.database_url.replace("+psycopg", ""),
        "ENCRYPTION_KEY": NEW.expose(),
        "ENCRYPTION_KEY_PREVIOUS": OLD.expose(),
    }
    return subprocess.Popen(
        [sys.executable, "-c", ROTATE], cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True, bufsize=1
    )
