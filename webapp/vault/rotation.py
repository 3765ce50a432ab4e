"""Every workspace's sealed keys, for the operator: sealing them all anew, opening them all. How to rotate: keyring.py.

Two tables hold sealed keys, `byok_keys` and `ad_accounts`; a third would be one more in keyring.SEALED and in Place.of.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, func, or_, select, update

from webapp.db import Database, Session
from webapp.db.models import VaultKey
from webapp.vault.keyring import SEALED, Keyring, Place, Sealed, SealError

log = logging.getLogger(__name__)

BATCH = 100  # rows re-sealed in one transaction
BUSY = 0.2  # seconds to wait for rows that someone else holds


@dataclass(frozen=True)
class Rotation:
    """How far it is: rows re-sealed by this run, rows still under another root, rows that do not open at all."""

    resealed: int
    left: int
    broken: int


@dataclass(frozen=True)
class Verdict:
    opened: int
    broken: int


def rotate(database: Database, keyring: Keyring) -> Iterator[Rotation]:
    """Wrap every active key with the ring's first root, in small transactions; yields after each.

    May run beside everything else, and beside itself. Killed at any moment, it leaves whole rows, and the next run goes
    on. At the end, roots that seal nothing any more are marked retired.
    """
    resealed, broken = 0, set[uuid.UUID]()
    while left := _left(database, keyring, broken):
        done = _reseal_batch(database, keyring, broken)
        resealed += done
        if not done:
            time.sleep(BUSY)
        yield Rotation(resealed, left - done, len(broken))
    _retire(database, keyring)
    yield Rotation(resealed, 0, len(broken))


def verify(database: Database, keyring: Keyring) -> Verdict:
    """Open every active key and count."""
    opened = [_opens(keyring, row) for table in SEALED for row in _every(database, table)]
    return Verdict(sum(opened), len(opened) - sum(opened))


def _every(database: Database, table: type[Sealed]) -> Iterator[Sealed]:
    after = uuid.UUID(int=0)
    while True:
        with database.begin() as db:
            query: Select[Any] = select(table).where(table.sealed.is_not(None), table.id > after)
            rows: Sequence[Sealed] = db.scalars(query.order_by(table.id).limit(BATCH)).all()
        if not rows:
            return
        yield from rows
        after = rows[-1].id


def _opens(keyring: Keyring, row: Sealed) -> bool:
    try:
        keyring.open(row.sealed or b"", Place.of(row))
    except SealError:
        log.error("%s %s does not open", row.__tablename__, row.id)
        return False
    return True


def _elsewhere(table: type[Sealed], keyring: Keyring, broken: set[uuid.UUID]) -> tuple[ColumnElement[bool], ...]:
    """Rows that hold material of another root, but for those found broken."""
    other = or_(table.vault_key_id.is_(None), table.vault_key_id != keyring.key_id)
    return table.sealed.is_not(None), other, table.id.not_in(broken)


def _left(database: Database, keyring: Keyring, broken: set[uuid.UUID]) -> int:
    with database.begin() as db:
        return sum(
            db.scalars(select(func.count(table.id)).where(*_elsewhere(table, keyring, broken))).one()
            for table in SEALED
        )


def _reseal_batch(database: Database, keyring: Keyring, broken: set[uuid.UUID]) -> int:
    return sum(_reseal_some(database, table, keyring, broken) for table in SEALED)


def _reseal_some(database: Database, table: type[Sealed], keyring: Keyring, broken: set[uuid.UUID]) -> int:
    with database.begin() as db:
        query: Select[Any] = select(table).where(*_elsewhere(table, keyring, broken)).limit(BATCH)
        rows: Sequence[Sealed] = db.scalars(query.with_for_update(skip_locked=True)).all()
        return sum(_reseal(db, table, keyring, row, broken) for row in rows)


def _reseal(db: Session, table: type[Sealed], keyring: Keyring, row: Sealed, broken: set[uuid.UUID]) -> int:
    """1 if the row changed. It is compared with what was read, also under our lock: never write over newer material."""
    sealed = row.sealed or b""
    try:
        renewed = keyring.reseal(sealed, Place.of(row))
    except SealError:
        log.error("%s %s does not open and stays as it is", row.__tablename__, row.id)
        broken.add(row.id)
        return 0
    changed = db.execute(
        update(table)
        .where(table.id == row.id, table.sealed == sealed)
        .values(sealed=renewed, vault_key_id=keyring.key_id)
        .returning(table.id)
        .execution_options(synchronize_session=False)
    )
    return len(changed.all())


def _retire(database: Database, keyring: Keyring) -> None:
    in_use = [
        VaultKey.key_id.not_in(
            select(table.vault_key_id).where(table.sealed.is_not(None), table.vault_key_id.is_not(None))
        )
        for table in SEALED
    ]
    with database.begin() as db:
        db.execute(
            update(VaultKey)
            .where(VaultKey.key_id != keyring.key_id, *in_use)
            .values(status="retired")
            .execution_options(synchronize_session=False)
        )
