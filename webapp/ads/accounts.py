"""The ad accounts of a workspace: connect, list, open, disconnect. What is in them: sync.py, reports.py.

A token is tested before anything is kept (opener.py), sealed like a provider key, and erased at the moment somebody
disconnects. The row stays: connected again, the account is the same row, with its figures, its change log and its undo.
Connecting an account that is connected replaces its token. A dead token marks the account: it needs attention.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from sqlalchemy import ColumnElement, Update, func, select, update

from webapp import audit
from webapp.accounts import Right, Scope
from webapp.accounts.members import hold
from webapp.ads.faults import NAMES, Fault
from webapp.ads.platform import AccountInfo, PlatformError, Trouble
from webapp.db import Session
from webapp.db.models import AdAccount, User
from webapp.errors import Link, UserError, not_found
from webapp.secret import Secret
from webapp.vault.keyring import Keyring, Place, SealError

log = logging.getLogger(__name__)

WARN_BEFORE = timedelta(days=7)  # of a token's end
PAGE = Link("Ad accounts", "/settings/ad-accounts")


@dataclass(frozen=True)
class Grant:
    """A sign-in that was tested just now. `secret` is what is kept (Google: a JSON of three parts), `token` what names
    it in lists and logs. `writable`: it may change campaigns, and the person lets it."""

    platform: str
    secret: Secret
    token: Secret
    scopes: tuple[str, ...] = ()
    writable: bool = False
    expires_at: datetime | None = None


@dataclass(frozen=True)
class Sync:
    """Where the account's copy stands. `note` says what is read now, or why it stopped."""

    state: str
    done: int
    total: int
    note: str
    at: datetime | None  # it was last complete
    through: date | None  # the newest day there are figures of
    lease_until: datetime | None

    @property
    def running(self) -> bool:
        return self.state == "running" and self.lease_until is not None and self.lease_until > datetime.now(UTC)


@dataclass(frozen=True)
class AccountRow:
    """A connected account, as its row on the page."""

    id: uuid.UUID
    platform: str
    external_id: str
    name: str
    currency: str
    timezone: str
    prefix: str
    scopes: tuple[str, ...]
    writable: bool
    expires_at: datetime | None
    maturing_days: int
    target_cpa_micros: int | None
    fault: Fault | None
    created_by: str
    created_at: datetime
    version: int
    through: str  # Google: the manager account it is reached through
    sync: Sync

    @property
    def platform_name(self) -> str:
        return NAMES[self.platform]

    def expires_in(self, now: datetime) -> int | None:
        """Whole days left of a token that ends within a week; negative: it has ended. None: not soon, or never."""
        if self.expires_at is None or self.expires_at - now > WARN_BEFORE:
            return None
        return (self.expires_at - now).days


class Disconnected(UserError):
    """The account was disconnected."""

    def __init__(self) -> None:
        hint = "Nothing can be read from it or changed in it. Connect it again."
        super().__init__("This ad account is disconnected", hint, link=PAGE, status=409)


class Unreadable(UserError):
    """The sealed token did not open. The operator finds its row in the log."""

    def __init__(self) -> None:
        hint = "It was changed in the database or sealed elsewhere. Connect the account again."
        super().__init__("The stored token cannot be opened", hint, link=PAGE, status=409)


# --- looking ----------------------------------------------------------------------------------------------------


def listed(scope: Scope, db: Session) -> list[AccountRow]:
    """The connected accounts, by platform and name."""
    rows = db.execute(
        select(AdAccount, User.name)
        .join(User, User.id == AdAccount.created_by)
        .where(*_active(scope))
        .order_by(AdAccount.platform, func.lower(AdAccount.name), AdAccount.id)
    )
    return [_shown(row, name) for row, name in rows]


def find(scope: Scope, db: Session, account_id: uuid.UUID) -> AccountRow:
    """Raises the not-found UserError for a foreign or disconnected account."""
    row = _row(scope, db, account_id)
    if row.status != "active":
        raise not_found()
    return _shown(row, db.scalars(select(User.name).where(User.id == row.created_by)).one())


def attention(scope: Scope, db: Session) -> list[AccountRow]:
    """The accounts whose token is dead or ends within a week: the banner on every page of the workspace."""
    soon = AdAccount.token_expires_at < func.now() + WARN_BEFORE
    rows = db.scalars(select(AdAccount).where(*_active(scope), AdAccount.fault.is_not(None) | soon))
    return [_shown(row, "") for row in rows]


def reveal(scope: Scope, db: Session, keyring: Keyring, account_id: uuid.UUID) -> tuple[AccountRow, Secret]:
    """The account and its token, at this moment: never keep it. A file or demo account has an empty one.

    Raises the not-found UserError, Disconnected or Unreadable.
    """
    row = _row(scope, db, account_id)
    if row.status != "active":
        raise Disconnected
    shown = _shown(row, "")
    if row.sealed is None:
        return shown, Secret("")
    try:
        return shown, keyring.open(row.sealed, Place.of(row))
    except SealError:
        log.error("the token of ad account %s (%s…) does not open", row.id, row.prefix)
        raise Unreadable from None


# --- changing ---------------------------------------------------------------------------------------------------


def keep(scope: Scope, db: Session, keyring: Keyring, grant: Grant, chosen: Sequence[AccountInfo]) -> list[uuid.UUID]:
    """Connect these accounts with a sign-in that was tested just now, or give them its token; the ids of their rows.

    Raises the UserErrors of hold(): who asked may have lost the right meanwhile.
    """
    scope = hold(scope, db, Right.MANAGE_ADS)
    return [_keep(scope, db, keyring, grant, info) for info in chosen]


def disconnect(scope: Scope, db: Session, account_id: uuid.UUID) -> AccountRow | None:
    """Erase the token and end a sync that runs; the account as it was. None if it was gone: a second click does
    nothing. Raises the not-found UserError for a foreign account."""
    scope = hold(scope, db, Right.MANAGE_ADS)
    row = _row(scope, db, account_id)
    if row.status != "active":
        return None
    gone = _shown(row, "")
    _revoke(scope, db, row)
    return gone


def revoke_all(scope: Scope, db: Session) -> int:
    """Disconnect everything, for a workspace that is being deleted in this transaction. How many there were."""
    rows = db.scalars(select(AdAccount).where(*_active(scope)).order_by(AdAccount.id).with_for_update()).all()
    for row in rows:
        _revoke(scope, db, row)
    return len(rows)


def set_target_cpa(scope: Scope, db: Session, account_id: uuid.UUID, micros: int | None) -> None:
    """What an order may cost, per account; None: not set. Raises the not-found UserError."""
    scope = hold(scope, db, Right.MANAGE_ADS)
    row = find(scope, db, account_id)
    db.execute(_update(scope, account_id).values(target_cpa_micros=micros, version=AdAccount.version + 1))
    audit.record(scope, db, "ads.target_set", row.name, target_micros=micros, currency=row.currency)


def heed(scope: Scope, db: Session, account_id: uuid.UUID, error: PlatformError) -> None:
    """Learn from what a platform said: a dead token marks the account until it gets another. A checkpoint does not,
    nor does anything else that leaves the token good."""
    if error.trouble is Trouble.TOKEN:
        db.execute(_update(scope, account_id).values(fault=Fault.of(error).to_json()))


def clear_fault(scope: Scope, db: Session, account_id: uuid.UUID) -> None:
    """The platform accepts the token (again)."""
    db.execute(_update(scope, account_id).where(AdAccount.fault.is_not(None)).values(fault=None))


def _keep(scope: Scope, db: Session, keyring: Keyring, grant: Grant, info: AccountInfo) -> uuid.UUID:
    row = _known(scope, db, grant.platform, info.external_id)
    action = "ads.replaced" if row and row.status == "active" else "ads.connected"
    if row is None:
        row = AdAccount(id=uuid.uuid4(), workspace_id=scope.workspace_id, platform=grant.platform, details={})
        row.external_id = info.external_id
        db.add(row)
    if action == "ads.connected":
        row.status, row.created_by, row.created_at = "active", scope.user_id, datetime.now(UTC)
        row.revoked_by = row.revoked_at = None
    row.name, row.currency, row.timezone = info.name[:160], info.currency, info.timezone
    row.prefix, row.fingerprint = grant.token.prefix(), keyring.fingerprint(grant.token)
    row.sealed, row.vault_key_id = keyring.seal(grant.secret, Place.of(row)), keyring.key_id
    row.scopes, row.writable, row.token_expires_at = list(grant.scopes), grant.writable, grant.expires_at
    row.details = {**row.details, "through": info.through}
    row.fault, row.sync_state, row.sync_lease_until = None, "idle", None  # a sync on the old token writes no more
    db.flush()
    _record(scope, db, action, row)
    return row.id


def _known(scope: Scope, db: Session, platform: str, external_id: str) -> AdAccount | None:
    """The account's row: the connected one, else the one that was disconnected last."""
    found = db.scalars(
        select(AdAccount)
        .where(AdAccount.workspace_id == scope.workspace_id, AdAccount.platform == platform)
        .where(AdAccount.external_id == external_id)
        .order_by(AdAccount.status, AdAccount.created_at.desc())
        .limit(1)
        .with_for_update()
    )
    return found.one_or_none()


def _revoke(scope: Scope, db: Session, row: AdAccount) -> None:
    db.execute(
        _update(scope, row.id)
        .values(status="revoked", revoked_at=func.now(), revoked_by=scope.user_id, sealed=None, vault_key_id=None)
        .values(fault=None, sync_state="idle", sync_note="", sync_lease_until=None)
    )
    _record(scope, db, "ads.disconnected", row)


def _record(scope: Scope, db: Session, action: str, row: AdAccount) -> None:
    fingerprint = row.fingerprint.hex() if row.fingerprint else ""
    token = {"label": row.external_id, "prefix": row.prefix, "fingerprint": fingerprint} if fingerprint else {}
    audit.record(scope, db, action, row.name, platform=NAMES[row.platform], **token)
    log.info("%s %s %s… %s in workspace %s", action, row.platform, row.prefix, fingerprint, row.workspace_id)


def _update(scope: Scope, account_id: uuid.UUID) -> Update:
    changed = update(AdAccount).where(*_active(scope), AdAccount.id == account_id)
    return changed.execution_options(synchronize_session=False)


def _active(scope: Scope) -> tuple[ColumnElement[bool], ...]:
    return AdAccount.workspace_id == scope.workspace_id, AdAccount.status == "active"


def _row(scope: Scope, db: Session, account_id: uuid.UUID) -> AdAccount:
    query = select(AdAccount).where(AdAccount.workspace_id == scope.workspace_id, AdAccount.id == account_id)
    row = db.scalars(query).one_or_none()
    if row is None:
        raise not_found()
    return row


def _shown(row: AdAccount, created_by: str) -> AccountRow:
    return AccountRow(
        id=row.id,
        platform=row.platform,
        external_id=row.external_id,
        name=row.name,
        currency=row.currency,
        timezone=row.timezone,
        prefix=row.prefix,
        scopes=tuple(row.scopes),
        writable=row.writable,
        expires_at=row.token_expires_at,
        maturing_days=row.maturing_days,
        target_cpa_micros=row.target_cpa_micros,
        fault=Fault.from_json(row.fault) if row.fault else None,
        created_by=created_by,
        created_at=row.created_at,
        version=row.version,
        through=row.details.get("through", ""),
        sync=Sync(
            row.sync_state,
            row.sync_done,
            row.sync_total,
            row.sync_note,
            row.synced_at,
            row.data_through,
            row.sync_lease_until,
        ),
    )
