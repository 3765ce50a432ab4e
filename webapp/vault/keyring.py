"""The keyring: ENCRYPTION_KEY stretched into keys, and the sealed form of a provider key. Which rows hold it: byok.py,
and for the tokens of ad accounts ads/accounts.py.

The keys, each derived from the one before and none doing two jobs:

    ENCRYPTION_KEY --scrypt(salt, n, r, p)--> root
    root --HKDF-SHA256(purpose)--> key id (8 bytes, public) · check value (public)
                                   wrapping key · fingerprint key · subkey(purpose)
    payload (32 random bytes for every record) --HKDF-SHA256--> data key (32) · commitment (16)

scrypt runs once per ENCRYPTION_KEY and process start. Its salt and cost stand in `vault_keys`, beside the check value.

A sealed key is one string of bytes:

    offset 0        1         9           21                  69              85          97
           version  key id    nonce       wrapped payload     commitment      nonce       ciphertext and tag
           1        8         12          32 + 16             16              12          256·k + 16

    wrapped    = AES-256-GCM(wrapping key, nonce, payload,  AAD of the place with the key id)
    ciphertext = AES-256-GCM(data key,     nonce, padded,   AAD of the place)
    padded     = length (4 bytes) | UTF-8 | zeros up to a multiple of 256, so that the length gives no provider away

The AAD lists, each with its length in front: the format, the deployment, the workspace, the provider ("ads:meta" for an
ad account's token), the row, for the wrap the key id, and last the base URL where the row has one. So a sealed key
opens only in its own row, in its own deployment, and a key for a server of one's own only together with that server's
address. The key is chosen by the id in the blob, never by trial. The commitment is compared before anything is
decrypted with the data key: GCM alone would let a forger make one ciphertext that opens under two keys.

Rotation re-wraps the 32 payload bytes and touches nothing behind offset 69; that is why the ciphertext's AAD leaves
the key id to the wrap. To rotate ENCRYPTION_KEY without downtime, in two deploys:

    1. deploy with ENCRYPTION_KEY_NEXT=<new>: every process can open what the new key will seal, none seals with it yet
    2. deploy with ENCRYPTION_KEY=<new> and ENCRYPTION_KEY_PREVIOUS=<old>: new keys are sealed with the new one
    3. run `flask rotate-encryption-key` until it reports nothing left (it may be killed and run again at any time)
    4. remove ENCRYPTION_KEY_PREVIOUS and destroy the old value: every older backup becomes unreadable

Whatever is wrong with a sealed key (cut, flipped, moved, of an unknown key), the answer is one SealError with one text.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from psycopg.errors import UndefinedTable
from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import ProgrammingError

from webapp.config import Settings, SettingsError
from webapp.db import Database, Session
from webapp.db.models import AdAccount, ByokKey, Deployment, VaultKey
from webapp.secret import Secret

FORMAT = b"byok/1"
VERSION = b"\x01"
KEY_ID, NONCE, TAG, PAYLOAD, COMMITMENT, PAD = 8, 12, 16, 32, 16, 256
WRAP_END = 1 + KEY_ID + NONCE + PAYLOAD + TAG
HEADER = WRAP_END + COMMITMENT + NONCE
SALT = 16
Sealed = ByokKey | AdAccount  # a row that may hold a sealed key
SEALED: tuple[type[Sealed], ...] = (ByokKey, AdAccount)
STARTING = 0x76_61_75_6C_74  # "vault": the advisory lock under which a process adds a row to vault_keys


class KeyringError(SettingsError):
    """ENCRYPTION_KEY does not fit this database. The message says what to set, and never holds a value."""


class SealError(Exception):
    """A sealed key that does not open here. One text for every reason: it must not help whoever made it."""

    def __init__(self) -> None:
        super().__init__("This sealed key does not open here.")


@dataclass(frozen=True)
class Cost:
    """What scrypt may cost: memory is 128·n·r bytes. The default takes 0.4 s and 128 MiB, once per process start."""

    n: int = 2**17
    r: int = 8
    p: int = 1


@dataclass(frozen=True)
class Place:
    """Where a sealed key lives. It opens nowhere else."""

    workspace_id: uuid.UUID
    provider: str
    row_id: uuid.UUID
    base_url: str = ""  # of a server of their own: the only one that may be sent the key
    owner_id: uuid.UUID | None = None  # whose own key it is; None: the team's

    @staticmethod
    def of(row: Sealed) -> Place:
        match row:
            case ByokKey():
                return Place(row.workspace_id, row.provider, row.id, row.base_url, row.owner_id)
            case AdAccount():
                return Place(row.workspace_id, f"ads:{row.platform}", row.id)


class RootKey:
    """One ENCRYPTION_KEY, stretched. Its id and check value are public; the rest stays inside and does not print."""

    __slots__ = ("_root", "_wrapping", "check_value", "key_id")

    def __init__(self, root: bytes) -> None:
        self._root = root
        self.key_id = self.derive("key id", KEY_ID)
        self.check_value = self.derive("check value")
        self._wrapping = AESGCM(self.derive("wrapping key"))

    @staticmethod
    def stretch(secret: Secret, salt: bytes, cost: Cost) -> RootKey:
        """scrypt: the slow step, on purpose."""
        return RootKey(Scrypt(salt=salt, length=32, n=cost.n, r=cost.r, p=cost.p).derive(_bytes(secret)))

    def derive(self, purpose: str, length: int = 32) -> bytes:
        return _hkdf(self._root, purpose.encode(), length)

    def wrap(self, payload: bytes, aad: bytes) -> bytes:
        nonce = os.urandom(NONCE)
        return nonce + self._wrapping.encrypt(nonce, payload, aad)

    def unwrap(self, wrapped: bytes, aad: bytes) -> bytes:
        """Raises InvalidTag."""
        return self._wrapping.decrypt(wrapped[:NONCE], wrapped[NONCE:], aad)

    def __repr__(self) -> str:
        return f"RootKey({self.key_id.hex()})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a RootKey does not pickle")


class Keyring:
    """Seals with its first key, opens with any. Made by start_keyring(); holds no database and no plaintext."""

    __slots__ = ("_deployment", "_fingerprint", "_keys", "_primary")

    def __init__(self, deployment_id: uuid.UUID, primary: RootKey, others: Sequence[RootKey] = ()) -> None:
        self._deployment = deployment_id
        self._primary = primary
        self._keys = {key.key_id: key for key in (primary, *others)}
        self._fingerprint = primary.derive("fingerprint key")

    @property
    def key_id(self) -> bytes:
        """The id of the key that seals (`byok_keys.vault_key_id` of a new row)."""
        return self._primary.key_id

    def seal(self, secret: Secret, place: Place) -> bytes:
        payload, nonce = os.urandom(PAYLOAD), os.urandom(NONCE)
        data_key, commitment = _split(payload)
        ciphertext = AESGCM(data_key).encrypt(nonce, _pad(secret), self._aad(place, b""))
        return self._wrap(payload, place) + commitment + nonce + ciphertext

    def open(self, sealed: bytes, place: Place) -> Secret:
        """Raises SealError."""
        data_key, _ = _split(self._unwrap(sealed, place))
        nonce, ciphertext = sealed[WRAP_END + COMMITMENT : HEADER], sealed[HEADER:]
        try:
            return _unpad(AESGCM(data_key).decrypt(nonce, ciphertext, self._aad(place, b"")))
        except InvalidTag:
            raise SealError from None

    def reseal(self, sealed: bytes, place: Place) -> bytes:
        """The same key under the ring's first root: a new wrap, the same ciphertext. Raises SealError."""
        return self._wrap(self._unwrap(sealed, place), place) + sealed[WRAP_END:]

    def needs_reseal(self, sealed: bytes) -> bool:
        return sealed[1 : 1 + KEY_ID] != self.key_id

    def fingerprint(self, secret: Secret) -> bytes:
        """8 bytes that tell two keys apart in logs and in the audit, and mean nothing without the root."""
        return hmac.digest(self._fingerprint, _bytes(secret), hashlib.sha256)[:8]

    def subkey(self, purpose: str) -> bytes:
        """32 bytes for another use in this installation, such as signing cookies."""
        return self.subkeys(purpose)[0]

    def subkeys(self, purpose: str) -> tuple[bytes, ...]:
        """The same from every key of the ring, the first first: what was signed before a rotation still verifies."""
        return tuple(key.derive(f"for {purpose}") for key in self._keys.values())

    def _wrap(self, payload: bytes, place: Place) -> bytes:
        return VERSION + self.key_id + self._primary.wrap(payload, self._aad(place, self.key_id))

    def _unwrap(self, sealed: bytes, place: Place) -> bytes:
        key_id = sealed[1 : 1 + KEY_ID]
        key = self._keys.get(key_id)
        if sealed[:1] != VERSION or len(sealed) < HEADER + PAD + TAG or key is None:
            raise SealError
        try:
            payload = key.unwrap(sealed[1 + KEY_ID : WRAP_END], self._aad(place, key_id))
        except InvalidTag:
            raise SealError from None
        _, commitment = _split(payload)
        if not hmac.compare_digest(commitment, sealed[WRAP_END : WRAP_END + COMMITMENT]):
            raise SealError
        return payload

    def _aad(self, place: Place, key_id: bytes) -> bytes:
        fields = (
            FORMAT,
            self._deployment.bytes,
            place.workspace_id.bytes,
            place.provider.encode(),
            place.row_id.bytes,
            key_id,
            *([place.base_url.encode()] if place.base_url or place.owner_id else []),
            *([place.owner_id.bytes] if place.owner_id else []),
        )
        return b"".join(len(field).to_bytes(4) + field for field in fields)

    def __repr__(self) -> str:
        return f"Keyring({', '.join(key_id.hex() for key_id in self._keys)})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Keyring does not pickle")


def _hkdf(material: bytes, info: bytes, length: int) -> bytes:
    return HKDF(algorithm=SHA256(), length=length, salt=None, info=FORMAT + b" " + info).derive(material)


def _split(payload: bytes) -> tuple[bytes, bytes]:
    """The data key and the commitment of a record."""
    both = _hkdf(payload, b"data key and commitment", 32 + COMMITMENT)
    return both[:32], both[32:]


def _bytes(secret: Secret) -> bytes:
    """UTF-8 that never fails: an encoding error would carry the key in its arguments."""
    return secret.expose().encode("utf-8", "surrogatepass")


def _pad(secret: Secret) -> bytes:
    text = _bytes(secret)
    plain = len(text).to_bytes(4) + text
    return plain + bytes(-len(plain) % PAD)


def _unpad(padded: bytes) -> Secret:
    length = int.from_bytes(padded[:4])
    return Secret(padded[4 : 4 + length].decode("utf-8", "surrogatepass"))


# --- start ------------------------------------------------------------------------------------------------------


def start_keyring(database: Database, settings: Settings, *, cost: Cost | None = None) -> Keyring:
    """The ring of this process. The first start makes the deployment's row and the key's row in `vault_keys`.

    `cost` is that of rows made now; a known key keeps the cost it was stored with. Several processes may start at once.
    Raises KeyringError when stored keys would not open with what the environment gives.
    """
    given = _distinct((settings.encryption_key, *settings.other_encryption_keys))
    deployment_id, known = _read(database)
    keys = [_recognise(secret, known) for secret in given]
    if None in keys:
        keys = _add_missing(database, given, keys, known, cost or Cost())
    ring = [key for key in keys if key is not None]
    with database.begin() as db:
        _refuse_to_lose(db, ring)
        _mark(db, ring)
    return Keyring(deployment_id, ring[0], ring[1:])


def _read(database: Database) -> tuple[uuid.UUID, list[VaultKey]]:
    try:
        with database.begin() as db:
            return _deployment_id(db), _stored(db)
    except ProgrammingError as error:
        if isinstance(error.orig, UndefinedTable):
            raise KeyringError("The database has no tables yet. Run make migrate first.") from None
        raise


def _distinct(secrets: Sequence[Secret]) -> list[Secret]:
    found: list[Secret] = []
    for secret in secrets:
        if secret not in found:
            found.append(secret)
    return found


def _deployment_id(db: Session) -> uuid.UUID:
    db.execute(insert(Deployment).values(singleton=True, id=uuid.uuid4()).on_conflict_do_nothing())
    return db.execute(select(Deployment.id)).scalar_one()


def _stored(db: Session) -> list[VaultKey]:
    """The keys in use first, so that a usual start pays for one scrypt."""
    order = (VaultKey.status == "retired", VaultKey.status != "active", VaultKey.created_at.desc())
    return list(db.scalars(select(VaultKey).order_by(*order)))


def _recognise(secret: Secret, stored: Sequence[VaultKey]) -> RootKey | None:
    """The stretched key, if one of the stored rows was made from it. Costs one scrypt a row tried."""
    for row in stored:
        key = RootKey.stretch(secret, row.salt, Cost(row.n, row.r, row.p))
        if hmac.compare_digest(key.check_value, row.check_value):
            return key
    return None


def _refuse_a_stranger(keys: Sequence[RootKey | None], stored: Sequence[VaultKey]) -> None:
    if stored and not any(keys):
        raise KeyringError(
            f"ENCRYPTION_KEY is not the one this database was set up with (its key id is {stored[0].key_id.hex()}). "
            "Set ENCRYPTION_KEY to the earlier value, or keep the new one and set ENCRYPTION_KEY_PREVIOUS as well."
        )


def _add_missing(
    database: Database, given: Sequence[Secret], keys: Sequence[RootKey | None], known: Sequence[VaultKey], cost: Cost
) -> list[RootKey | None]:
    """Under the lock: another process may have added the rows since we looked."""
    seen = {row.key_id for row in known}
    with database.begin() as db:
        db.execute(select(func.pg_advisory_xact_lock(STARTING)))
        news = [row for row in _stored(db) if row.key_id not in seen]
        found = [key or _recognise(secret, news) for secret, key in zip(given, keys, strict=True)]
        _refuse_a_stranger(found, [*known, *news])
        return [key or _add(db, secret, cost) for secret, key in zip(given, found, strict=True)]


def _add(db: Session, secret: Secret, cost: Cost) -> RootKey:
    salt = os.urandom(SALT)
    key = RootKey.stretch(secret, salt, cost)
    db.add(
        VaultKey(
            key_id=key.key_id,
            salt=salt,
            n=cost.n,
            r=cost.r,
            p=cost.p,
            check_value=key.check_value,
            status="decrypt_only",
        )
    )
    return key


def _refuse_to_lose(db: Session, ring: Sequence[RootKey]) -> None:
    """Every stored key must open with this ring, or nothing starts."""
    known = [key.key_id for key in ring]
    for table in SEALED:
        lost = db.execute(
            select(table.vault_key_id, func.count())
            .where(table.sealed.is_not(None), table.vault_key_id.not_in(known))
            .group_by(table.vault_key_id)
        ).first()
        if lost is None or lost[0] is None:
            continue
        raise KeyringError(
            f"{lost[1]} keys in {table.__tablename__} were sealed under another ENCRYPTION_KEY "
            f"(key id {lost[0].hex()}). "
            "Set ENCRYPTION_KEY_PREVIOUS to its value and run flask rotate-encryption-key before it is removed."
        )


def _mark(db: Session, ring: Sequence[RootKey]) -> None:
    """Say in `vault_keys` which key seals now. For people and for the order of trying; nothing is decided by it."""
    for key in ring:
        status = "active" if key is ring[0] else "decrypt_only"
        db.execute(
            update(VaultKey).where(VaultKey.key_id == key.key_id, VaultKey.status != status).values(status=status)
        )
