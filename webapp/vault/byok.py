"""The provider keys of a workspace: connect, reveal, disconnect. What sealing is: keyring.py.

A row of `byok_keys` is active, and then holds sealed material, or revoked, and then holds none: the row stays for the
audit, the material is erased at once, because a revoked key is never opened again. A workspace has at most one active
key per provider. An active key that its provider refused keeps working and carries a `fault`: it needs attention.

Changes of one workspace's keys happen one after another (the workspace's row lock, as for its members). Disconnecting
tells every worker through NOTIFY, at commit, to cut the answers that run on that key; replacing does not, they finish.
"""

from __future__ import annotations

import logging
import uuid
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import ColumnElement, func, or_, select, update

from webapp import audit
from webapp.accounts import Right, Scope
from webapp.accounts.members import hold
from webapp.db import Session
from webapp.db.models import ByokKey, User, Workspace
from webapp.errors import Link, UserError
from webapp.llm.errors import Fault
from webapp.secret import Secret, scrub
from webapp.vault.keyring import Keyring, Place, SealError

log = logging.getLogger(__name__)

CHANNEL = "turn_control"  # what chat/runner.py listens on; our payload is "key:<id of the byok_keys row>"
LABEL_LENGTH = 80
USED_AT_MOST_EVERY = timedelta(minutes=1)  # last_used_at is for people: no write for every call
PROVIDERS_PAGE = Link("AI providers", "/settings/providers")


@dataclass(frozen=True)
class KeyRef:
    """A key by name, without its material: what a turn keeps of it."""

    id: uuid.UUID
    provider: str
    label: str
    prefix: str
    base_url: str = ""  # of a server of their own


@dataclass(frozen=True)
class CardRow:
    """What the card of a connected provider shows."""

    id: uuid.UUID
    provider: str
    label: str
    prefix: str
    created_by: str  # a name
    created_at: datetime
    last_used_at: datetime | None
    base_url: str = ""
    fault: Fault | None = None
    fault_at: datetime | None = None

    @property
    def status(self) -> Literal["connected", "attention"]:
        return "attention" if self.fault else "connected"

    @property
    def ref(self) -> KeyRef:
        return KeyRef(self.id, self.provider, self.label, self.prefix, self.base_url)


class KeyRevoked(UserError):
    """The key was disconnected or replaced, or never was this workspace's."""

    def __init__(self) -> None:
        super().__init__(
            "This key is no longer connected",
            "It was disconnected or replaced. Connect a key, or send the message again with the new one.",
            link=PROVIDERS_PAGE,
            status=409,
        )


class KeyUnreadable(UserError):
    """The sealed key did not open. The operator finds its row in the log."""

    def __init__(self) -> None:
        super().__init__(
            "The stored key cannot be opened",
            "It was changed in the database or sealed elsewhere. Connect the key again.",
            link=PROVIDERS_PAGE,
            status=409,
        )


# --- looking ----------------------------------------------------------------------------------------------------


def cards(scope: Scope, db: Session) -> list[CardRow]:
    """The connected keys of the workspace, by provider."""
    rows = db.execute(
        select(ByokKey, User.name)
        .join(User, User.id == ByokKey.created_by)
        .where(*_active(scope))
        .order_by(ByokKey.provider)
    )
    return [_card(row, name) for row, name in rows]


def attention(scope: Scope, db: Session) -> list[CardRow]:
    """The keys that their provider refused: the banner on every page of the workspace."""
    return [card for card in cards(scope, db) if card.fault]


def active(scope: Scope, db: Session, provider: str) -> KeyRef | None:
    row = _find(scope, db, provider)
    return KeyRef(row.id, row.provider, row.label, row.prefix, row.base_url) if row else None


def reveal(scope: Scope, db: Session, keyring: Keyring, key_id: uuid.UUID, base_url: str = "") -> Secret:
    """The key itself, if it is active at this moment: call it right before each request to the provider, never keep it.

    `base_url` is where it is about to be sent, if not to a provider of ours: it opens for the address that it was
    connected with and for no other, whatever the row says now. Raises KeyRevoked or KeyUnreadable.
    """
    row = db.scalars(select(ByokKey).where(*_active(scope), ByokKey.id == key_id)).one_or_none()
    if row is None or row.sealed is None:
        raise KeyRevoked
    try:
        secret = keyring.open(row.sealed, replace(Place.of(row), base_url=base_url))
    except SealError:
        log.error("key %s (%s…, %s) does not open", row.id, row.prefix, row.fingerprint.hex())
        raise KeyUnreadable from None
    _note_use(db, row)
    return secret


def _note_use(db: Session, row: ByokKey) -> None:
    stale = or_(ByokKey.last_used_at.is_(None), ByokKey.last_used_at < func.now() - USED_AT_MOST_EVERY)
    lock = select(ByokKey.id).where(ByokKey.id == row.id, stale).with_for_update(skip_locked=True)
    db.execute(update(ByokKey).where(ByokKey.id.in_(lock)).values(last_used_at=func.now()))


# --- changing ---------------------------------------------------------------------------------------------------


def connect(
    scope: Scope, db: Session, keyring: Keyring, provider: str, secret: Secret, label: str = "", base_url: str = ""
) -> uuid.UUID:
    """Keep a key that was tested just now, in the place of the one before; the id of its row. `base_url` is that of a
    server of their own, which may want no key: then `secret` is empty.

    Raises the UserErrors of hold(): who asked may have lost the right while the key was tested.
    """
    scope = hold(scope, db, Right.MANAGE_KEYS)
    old = _find(scope, db, provider)
    if old is not None:
        _erase(scope, db, ByokKey.id == old.id)
    row = ByokKey(
        id=uuid.uuid4(),
        workspace_id=scope.workspace_id,
        provider=provider,
        base_url=base_url,
        label=_fit_label(label, secret) or scope.workspace_name,
        prefix=secret.prefix(),
        fingerprint=keyring.fingerprint(secret),
        vault_key_id=keyring.key_id,
        status="active",
        created_by=scope.user_id,
    )
    row.sealed = keyring.seal(secret, Place.of(row))
    db.add(row)
    db.flush()
    if old is not None:
        db.execute(update(ByokKey).where(ByokKey.id == old.id).values(replaced_by=row.id))
    _record(scope, db, "key.replaced" if old else "key.connected", row)
    return row.id


def disconnect(scope: Scope, db: Session, provider: str) -> bool:
    """Revoke and erase the key, and cut what runs on it. False if there was none: a second click changes nothing."""
    scope = hold(scope, db, Right.MANAGE_KEYS)
    row = _find(scope, db, provider)
    if row is None:
        return False
    _revoke(scope, db, row)
    return True


def revoke_all(scope: Scope, db: Session) -> int:
    """Disconnect everything, for a workspace that is being deleted in this transaction. How many keys there were."""
    db.execute(select(Workspace.id).where(Workspace.id == scope.workspace_id).with_for_update(key_share=True))
    rows = db.scalars(select(ByokKey).where(*_active(scope)).order_by(ByokKey.provider)).all()
    for row in rows:
        _revoke(scope, db, row)
    return len(rows)


def mark_refused(scope: Scope, db: Session, key_id: uuid.UUID, fault: Fault) -> None:
    """The provider refused the key: it needs attention. Nothing happens to a key that is no longer active."""
    refused = update(ByokKey).where(*_active(scope), ByokKey.id == key_id)
    db.execute(refused.values(fault=fault.to_json(), fault_at=func.now()))


def clear_refused(scope: Scope, db: Session, key_id: uuid.UUID) -> None:
    """The provider accepted the key again."""
    accepted = update(ByokKey).where(*_active(scope), ByokKey.id == key_id, ByokKey.fault.is_not(None))
    db.execute(accepted.values(fault=None, fault_at=None))


def _revoke(scope: Scope, db: Session, row: ByokKey) -> None:
    _erase(scope, db, ByokKey.id == row.id)
    _record(scope, db, "key.revoked", row)
    for key_id in db.scalars(select(ByokKey.id).where(*_lineage(row))):
        db.execute(select(func.pg_notify(CHANNEL, f"key:{key_id}")))


def _lineage(row: ByokKey) -> tuple[ColumnElement[bool], ...]:
    """The key and those it replaced, on which answers may still run."""
    return ByokKey.workspace_id == row.workspace_id, ByokKey.provider == row.provider


def _erase(scope: Scope, db: Session, which: ColumnElement[bool]) -> None:
    db.execute(
        update(ByokKey)
        .where(*_active(scope), which)
        .values(status="revoked", revoked_at=func.now(), revoked_by=scope.user_id, sealed=None, vault_key_id=None)
        .execution_options(synchronize_session=False)
    )


def _record(scope: Scope, db: Session, action: str, row: ByokKey) -> None:
    key = {"label": row.label, "prefix": row.prefix, "fingerprint": row.fingerprint.hex()}
    key |= {"base_url": row.base_url} if row.base_url else {}
    audit.record(scope, db, action, row.provider, **key)
    log.info("%s %s %s… %s in workspace %s", action, row.provider, row.prefix, row.fingerprint.hex(), row.workspace_id)


def _fit_label(label: str, secret: Secret) -> str:
    """A person may paste the key into the wrong box: a label never holds one."""
    return scrub(label.strip(), secret)[:LABEL_LENGTH]


def _active(scope: Scope) -> tuple[ColumnElement[bool], ...]:
    return ByokKey.workspace_id == scope.workspace_id, ByokKey.status == "active"


def _find(scope: Scope, db: Session, provider: str) -> ByokKey | None:
    return db.scalars(select(ByokKey).where(*_active(scope), ByokKey.provider == provider)).one_or_none()


def _card(row: ByokKey, created_by: str) -> CardRow:
    return CardRow(
        id=row.id,
        provider=row.provider,
        label=row.label,
        prefix=row.prefix,
        created_by=created_by,
        created_at=row.created_at,
        last_used_at=row.last_used_at,
        base_url=row.base_url,
        fault=Fault.from_json(row.fault) if row.fault else None,
        fault_at=row.fault_at,
    )
