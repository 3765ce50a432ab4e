"""The provider keys of a workspace: connect, reveal, disconnect. What sealing is: keyring.py.

A row of `byok_keys` is active, and then holds sealed material, or revoked, and then holds none: the row stays for the
audit, the material is erased at once, because a revoked key is never opened again. A workspace has at most one active
key per provider. An active key that its provider refused keeps working and carries a `fault`: it needs attention.

A row with an owner is a member's own key: used for that member's turns alone, before the team's, and only while the
workspace's policy allows it. Each of its functions says which keys it means: the team's, the reader's own, or both
("usable"). Nobody else's key is ever found; owners and admins see that there is one, and may disconnect it.

Changes of one workspace's keys happen one after another (the workspace's row lock, as for its members). Disconnecting
tells every worker through NOTIFY, at commit, to cut the answers that run on that key; replacing does not, they finish.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import ColumnElement, and_, func, or_, select, true, update
from sqlalchemy.orm import aliased

from webapp import audit
from webapp.accounts import Right, Scope
from webapp.accounts.members import hold
from webapp.db import Session
from webapp.db.models import ByokKey, ChatPolicy, User, Workspace
from webapp.errors import Link, UserError, not_found
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
    """A key by name, without its material: what a turn keeps of it. `personal`: the member's own, not the team's."""

    id: uuid.UUID
    provider: str
    label: str
    prefix: str
    base_url: str = ""  # of a server of their own
    personal: bool = False


@dataclass(frozen=True)
class CardRow:
    """What the card of a connected provider shows. A personal key is owned by who connected it."""

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
    personal: bool = False

    @property
    def status(self) -> Literal["connected", "attention"]:
        return "attention" if self.fault else "connected"

    @property
    def ref(self) -> KeyRef:
        return KeyRef(self.id, self.provider, self.label, self.prefix, self.base_url, self.personal)


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


class OwnKeysOff(UserError):
    """The workspace's policy allows no keys of members' own."""

    TITLE = "Own keys are switched off here"
    HINT = "An owner or admin of the workspace can allow them under Settings › Budgets."

    def __init__(self) -> None:
        super().__init__(self.TITLE, f"{self.HINT} The key was not kept.", link=PROVIDERS_PAGE, status=403)


# --- looking ----------------------------------------------------------------------------------------------------


def cards(scope: Scope, db: Session) -> list[CardRow]:
    """The team's keys, by provider."""
    return _cards(db, *_active(scope), _whose(scope, own=False))


def own_cards(scope: Scope, db: Session) -> list[CardRow]:
    """The reader's own keys, by provider, whether the policy lets them be used or not."""
    return _cards(db, *_active(scope), _whose(scope, own=True))


def members_cards(scope: Scope, db: Session) -> list[CardRow]:
    """Every member's own keys, for who may disconnect them; for others none."""
    if not scope.may(Right.MANAGE_KEYS):
        return []
    return _cards(db, *_active(scope), ByokKey.owner_id.is_not(None))


def usable(scope: Scope, db: Session) -> dict[str, CardRow]:
    """The key that the person's next turn would use, by provider: their own, else the team's."""
    found = _cards(db, *_usable(scope))
    return {card.provider: card for card in sorted(found, key=lambda card: card.personal)}


def attention(scope: Scope, db: Session) -> list[CardRow]:
    """The usable keys that their provider refused: the banner on every page of the workspace."""
    return _cards(db, *_usable(scope), ByokKey.fault.is_not(None))


def active(scope: Scope, db: Session, provider: str) -> KeyRef | None:
    """The team's key."""
    row = _find(scope, db, provider)
    return _ref(row) if row else None


def standing_in(scope: Scope, db: Session, key_id: uuid.UUID | None) -> KeyRef | None:
    """The key on which a turn that began on `key_id` may go on: that one, or its successor with the same payer. None
    if it was disconnected, or may not be used any more."""
    began = aliased(ByokKey)
    same = began.id == key_id, began.provider == ByokKey.provider, began.owner_id.is_not_distinct_from(ByokKey.owner_id)
    row = db.scalars(select(ByokKey).join(began, and_(*same)).where(*_usable(scope))).one_or_none()
    return _ref(row) if row else None


def disconnected(db: Session, key_ids: Iterable[uuid.UUID]) -> set[uuid.UUID]:
    """Which of the keys no turn may use any more. One that was replaced may finish its turns while its successor is
    active; a member's own also needs the policy."""
    successor = aliased(ByokKey)
    connected = select(successor.id).where(
        successor.workspace_id == ByokKey.workspace_id,
        successor.provider == ByokKey.provider,
        successor.owner_id.is_not_distinct_from(ByokKey.owner_id),
        successor.status == "active",
    )
    fine = connected.correlate(ByokKey).exists(), or_(ByokKey.owner_id.is_(None), _own_keys_allowed())
    return set(db.scalars(select(ByokKey.id).where(ByokKey.id.in_(list(key_ids)), ~and_(*fine))))


def personal_among(scope: Scope, db: Session, key_ids: Iterable[uuid.UUID | None]) -> set[uuid.UUID]:
    """Which of the keys are, or were, the reader's own."""
    return set(db.scalars(select(ByokKey.id).where(ByokKey.id.in_(list(key_ids)), _whose(scope, own=True))))


def reveal(scope: Scope, db: Session, keyring: Keyring, key_id: uuid.UUID, base_url: str = "") -> Secret:
    """The key itself, if it is active at this moment: call it right before each request to the provider, never keep it.

    `base_url` is where it is about to be sent, if not to a provider of ours: it opens for the address that it was
    connected with and for no other, whatever the row says now. Raises KeyRevoked or KeyUnreadable.
    """
    row = db.scalars(select(ByokKey).where(*_usable(scope), ByokKey.id == key_id)).one_or_none()
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
    scope: Scope,
    db: Session,
    keyring: Keyring,
    provider: str,
    secret: Secret,
    label: str = "",
    base_url: str = "",
    *,
    own: bool = False,
) -> uuid.UUID:
    """Keep a key that was tested just now, in the place of the one before; the id of its row. `base_url` is that of a
    server of their own, which may want no key: then `secret` is empty. `own`: the member's, not the team's.

    Raises the UserErrors of hold(): who asked may have lost the right while the key was tested. And 403 for an own key
    where the policy allows none.
    """
    scope = hold(scope, db, Right.CHAT if own else Right.MANAGE_KEYS)
    if own and not own_keys_allowed(scope, db):
        raise OwnKeysOff
    old = _find(scope, db, provider, own=own)
    if old is not None:
        _erase(scope, db, ByokKey.id == old.id)
    row = ByokKey(
        id=uuid.uuid4(),
        workspace_id=scope.workspace_id,
        provider=provider,
        base_url=base_url,
        owner_id=scope.user_id if own else None,
        label=_fit_label(label, secret) or (scope.user_name if own else scope.workspace_name),
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


def disconnect(scope: Scope, db: Session, provider: str, *, own: bool = False) -> bool:
    """Revoke and erase the key, and cut what runs on it. False if there was none: a second click changes nothing."""
    scope = hold(scope, db, Right.READ if own else Right.MANAGE_KEYS)
    row = _find(scope, db, provider, own=own)
    if row is None:
        return False
    _revoke(scope, db, row)
    return True


def disconnect_members(scope: Scope, db: Session, key_id: uuid.UUID) -> CardRow:
    """Disconnect a member's own key, as an owner or admin. Raises the not-found UserError if there is no such key."""
    scope = hold(scope, db, Right.MANAGE_KEYS)
    found = _cards(db, *_active(scope), ByokKey.owner_id.is_not(None), ByokKey.id == key_id)
    if not found:
        raise not_found()
    _revoke(scope, db, db.get_one(ByokKey, key_id))
    return found[0]


def forget_member(scope: Scope, db: Session, user_id: uuid.UUID) -> None:
    """Erase the own keys of who leaves the workspace in this transaction, which holds its lock (accounts/members)."""
    _revoke_each(scope, db, ByokKey.owner_id == user_id)


def revoke_all(scope: Scope, db: Session) -> int:
    """Disconnect everything, for a workspace that is being deleted in this transaction. How many keys there were."""
    db.execute(select(Workspace.id).where(Workspace.id == scope.workspace_id).with_for_update(key_share=True))
    return _revoke_each(scope, db, true())


def stop_own_keys(scope: Scope, db: Session) -> None:
    """Cut what runs on members' own keys: the policy stops allowing them in this transaction. They stay sealed."""
    own = ByokKey.workspace_id == scope.workspace_id, ByokKey.owner_id.is_not(None)
    for key_id in db.scalars(select(ByokKey.id).where(*own)):
        _tell_cut(db, key_id)


def mark_refused(scope: Scope, db: Session, key_id: uuid.UUID, fault: Fault) -> None:
    """The provider refused the key: it needs attention. Nothing happens to a key that is no longer active."""
    refused = update(ByokKey).where(*_usable(scope), ByokKey.id == key_id)
    db.execute(refused.values(fault=fault.to_json(), fault_at=func.now()))


def clear_refused(scope: Scope, db: Session, key_id: uuid.UUID) -> None:
    """The provider accepted the key again."""
    accepted = update(ByokKey).where(*_usable(scope), ByokKey.id == key_id, ByokKey.fault.is_not(None))
    db.execute(accepted.values(fault=None, fault_at=None))


def _revoke_each(scope: Scope, db: Session, which: ColumnElement[bool]) -> int:
    rows = db.scalars(select(ByokKey).where(*_active(scope), which).order_by(ByokKey.provider, ByokKey.id)).all()
    for row in rows:
        _revoke(scope, db, row)
    return len(rows)


def _revoke(scope: Scope, db: Session, row: ByokKey) -> None:
    _erase(scope, db, ByokKey.id == row.id)
    _record(scope, db, "key.revoked", row)
    for key_id in db.scalars(select(ByokKey.id).where(*_lineage(row))):
        _tell_cut(db, key_id)


def _tell_cut(db: Session, key_id: uuid.UUID) -> None:
    db.execute(select(func.pg_notify(CHANNEL, f"key:{key_id}")))


def _lineage(row: ByokKey) -> tuple[ColumnElement[bool], ...]:
    """The key and those it replaced, on which answers may still run."""
    same_payer = ByokKey.owner_id.is_not_distinct_from(row.owner_id)
    return ByokKey.workspace_id == row.workspace_id, ByokKey.provider == row.provider, same_payer


def _erase(scope: Scope, db: Session, which: ColumnElement[bool]) -> None:
    db.execute(
        update(ByokKey)
        .where(*_active(scope), which)
        .values(status="revoked", revoked_at=func.now(), revoked_by=scope.user_id, sealed=None, vault_key_id=None)
        .execution_options(synchronize_session=False)
    )


def _record(scope: Scope, db: Session, action: str, row: ByokKey) -> None:
    """The audit log is read by all members: of a member's own key it says that there was one."""
    key = {"label": row.label, "prefix": row.prefix, "fingerprint": row.fingerprint.hex()}
    key |= {"base_url": row.base_url} if row.base_url else {}
    own = row.owner_id is not None
    audit.record(scope, db, f"own_{action}" if own else action, row.provider, **({} if own else key))
    log.info("%s %s %s… %s in workspace %s", action, row.provider, row.prefix, row.fingerprint.hex(), row.workspace_id)


def _fit_label(label: str, secret: Secret) -> str:
    """A person may paste the key into the wrong box: a label never holds one."""
    return scrub(label.strip(), secret)[:LABEL_LENGTH]


def _active(scope: Scope) -> tuple[ColumnElement[bool], ...]:
    return ByokKey.workspace_id == scope.workspace_id, ByokKey.status == "active"


def _whose(scope: Scope, *, own: bool) -> ColumnElement[bool]:
    return ByokKey.owner_id == scope.user_id if own else ByokKey.owner_id.is_(None)


def _usable(scope: Scope) -> tuple[ColumnElement[bool], ...]:
    """What the person's turns may run on: the team's keys, and their own while the policy allows it."""
    own = and_(_whose(scope, own=True), _own_keys_allowed())
    return *_active(scope), or_(_whose(scope, own=False), own)


def _own_keys_allowed() -> ColumnElement[bool]:
    allowed = select(ChatPolicy.personal_keys).where(ChatPolicy.workspace_id == ByokKey.workspace_id)
    return func.coalesce(allowed.correlate(ByokKey).scalar_subquery(), False)


def own_keys_allowed(scope: Scope, db: Session) -> bool:
    """Whether members may connect and use keys of their own."""
    return db.scalar(select(ChatPolicy.personal_keys).where(ChatPolicy.workspace_id == scope.workspace_id)) or False


def _find(scope: Scope, db: Session, provider: str, *, own: bool = False) -> ByokKey | None:
    which = ByokKey.provider == provider, _whose(scope, own=own)
    return db.scalars(select(ByokKey).where(*_active(scope), *which)).one_or_none()


def _cards(db: Session, *which: ColumnElement[bool]) -> list[CardRow]:
    query = select(ByokKey, User.name).join(User, User.id == ByokKey.created_by).where(*which)
    return [_card(row, name) for row, name in db.execute(query.order_by(ByokKey.provider, User.name))]


def _ref(row: ByokKey) -> KeyRef:
    return KeyRef(row.id, row.provider, row.label, row.prefix, row.base_url, row.owner_id is not None)


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
        personal=row.owner_id is not None,
    )
