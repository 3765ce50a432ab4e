"""Ad accounts in the vault: tested before they are kept, opened only for their workspace, erased at once."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, text

from tests.ads.connected import Acme, acme, ad_account, someone
from tests.ads.fakes.google_ads import GoogleAds, customer
from tests.ads.fakes.server import serving
from webapp import audit
from webapp.accounts import members
from webapp.ads import accounts, envelope
from webapp.ads.google import Google
from webapp.ads.meta import Meta
from webapp.ads.opener import Opener
from webapp.ads.platform import AccountInfo, PlatformError, Trouble
from webapp.config import Settings
from webapp.db import Database
from webapp.db.models import AdAccount, VaultKey, WorkspaceMember
from webapp.errors import UserError
from webapp.secret import Secret
from webapp.vault import rotation
from webapp.vault.keyring import Cost, Keyring, KeyringError, start_keyring

OTHER = "EAAthe-next-token-9876543210abcdef"


@pytest.fixture
def here(database: Database, settings: Settings) -> Iterator[Acme]:
    with acme(database, settings) as made:
        yield made


# --- connecting -------------------------------------------------------------------------------------------------


def test_a_token_is_kept_sealed_with_what_meta_says_of_it(here: Acme) -> None:
    [account_id] = here.connect()
    with here.database.begin() as db:
        [account] = accounts.listed(here.alice, db)
    assert (account.name, account.currency, account.timezone) == ("Acme Shop", "EUR", "Europe/Berlin")
    assert account.scopes == ("ads_read", "ads_management")
    assert account.writable
    assert account.expires_at is None
    assert account.prefix == here.meta.token[:6]
    assert account.created_by == "Alice"
    assert here.meta.token.encode() not in (here.row(account_id).sealed or b"")


def test_a_dead_token_is_refused_in_metas_words_and_nothing_is_kept(here: Acme) -> None:
    here.meta.dead = "Error validating access token: Session has expired"
    with pytest.raises(PlatformError) as refused:
        here.connect()
    assert refused.value.trouble is Trouble.TOKEN
    assert "Session has expired" in refused.value.message
    with here.database.begin() as db:
        assert db.scalars(select(AdAccount)).all() == []


@pytest.mark.parametrize(("scopes", "read_only"), [(("ads_read",), False), (("ads_read", "ads_management"), True)])
def test_what_may_only_read_opens_as_read_only(here: Acme, scopes: tuple[str, ...], read_only: bool) -> None:
    here.meta.scopes = scopes
    [account_id] = here.connect(read_only=read_only)
    assert not here.opener.open(here.alice, account_id).writable


def test_the_operators_switch_makes_everything_read_only(here: Acme) -> None:
    [account_id] = here.connect()
    off = replace(here.opener, settings=replace(here.opener.settings, ads_writes=False))
    assert (here.opener.writes, off.writes) == (True, False)
    assert here.opener.open(here.alice, account_id).writable
    assert not off.open(here.alice, account_id).writable


def test_one_token_may_lead_to_several_accounts_each_sealed_in_its_own_row(here: Acme) -> None:
    here.meta.accounts = [ad_account("1", "Shop"), ad_account("2", "Outlet", currency="JPY"), ad_account("3", "Old")]
    first, second = here.connect("Shop", "Outlet")
    here.set(second, sealed=here.row(first).sealed)
    assert isinstance(here.opener.open(here.alice, first), Meta)
    with pytest.raises(UserError, match="cannot be opened"):
        here.opener.open(here.alice, second)


def test_connecting_again_replaces_the_token_in_place(here: Acme) -> None:
    [account_id] = here.connect()
    with here.database.begin() as db:
        accounts.heed(here.alice, db, account_id, PlatformError(Trouble.TOKEN, "It has expired.", code="190/463"))
    here.meta.token = OTHER
    assert here.connect() == [account_id]
    row = here.row(account_id)
    assert (row.prefix, row.fault) == (OTHER[:6], None)
    assert here.opener.open(here.alice, account_id).campaigns() == []


def test_google_keeps_three_parts_and_opens_through_the_manager(database: Database, settings: Settings) -> None:
    alice, there = someone(database, "Alice", "Acme"), GoogleAds()
    there.customers = {"5550001112": customer("5550001112", manager=True)}
    there.clients = {"5550001112": [customer("9990001112", descriptiveName="Shop")]}
    with serving(there) as url:
        settings = replace(settings, google_ads_url=url, google_token_url=f"{url}/token")
        opener = Opener(database, start_keyring(database, settings), settings)
        parts = dict(zip(("client_id", "client_secret"), there.client, strict=True))
        seen = opener.test_google(Secret(_json({**parts, "refresh_token": there.refresh_token})))
        with database.begin() as db:
            [account_id] = accounts.keep(alice, db, opener.keyring, seen.grant, seen.usable)
            account = accounts.find(alice, db, account_id)
        assert (account.external_id, account.through) == ("9990001112", "5550001112")
        assert account.prefix == there.refresh_token[:6]
        assert isinstance(opener.open(alice, account_id), Google)


def _json(parts: dict[str, str]) -> str:
    return "{" + ", ".join(f'"{name}": "{value}"' for name, value in parts.items()) + "}"


# --- who may ----------------------------------------------------------------------------------------------------


def test_a_stranger_neither_sees_nor_opens_nor_disconnects(here: Acme) -> None:
    charlie = someone(here.database, "Charlie", "Charlie's Cameras")
    [account_id] = here.connect()
    with pytest.raises(UserError, match="Page not found"):
        here.opener.open(charlie, account_id)
    for act in (accounts.find, accounts.disconnect):
        with pytest.raises(UserError, match="Page not found"), here.database.begin() as db:
            act(charlie, db, account_id)
    with here.database.begin() as db:
        accounts.heed(charlie, db, account_id, PlatformError(Trouble.TOKEN, "dead"))
        assert accounts.listed(charlie, db) == []
    assert here.row(account_id).status == "active"
    assert here.row(account_id).fault is None


def test_who_lost_the_right_while_the_token_was_tested_keeps_nothing(here: Acme) -> None:
    bob = someone(here.database, "Bob", "Bob's")
    with here.database.begin() as db:
        db.add(WorkspaceMember(workspace_id=here.alice.workspace_id, user_id=bob.user_id, role="admin"))
    seen = here.opener.test_meta(Secret(here.meta.token))
    as_admin = replace(bob, workspace_id=here.alice.workspace_id, role="admin")
    with here.database.begin() as db:
        members.change_role(here.alice, db, bob.user_id, "member")
    with pytest.raises(UserError, match="does not allow"), here.database.begin() as db:
        accounts.keep(as_admin, db, here.opener.keyring, seen.grant, seen.usable)
    with here.database.begin() as db:
        assert db.scalars(select(AdAccount)).all() == []


# --- ends -------------------------------------------------------------------------------------------------------


def test_disconnecting_erases_the_token_keeps_the_row_and_connecting_brings_it_back(here: Acme) -> None:
    [account_id] = here.connect()
    with here.database.begin() as db:
        gone = accounts.disconnect(here.alice, db, account_id)
        assert gone is not None
        assert gone.name == "Acme Shop"
        assert accounts.disconnect(here.alice, db, account_id) is None
    row = here.row(account_id)
    assert (row.status, row.sealed, row.vault_key_id) == ("revoked", None, None)
    with pytest.raises(UserError, match="disconnected"):
        here.opener.open(here.alice, account_id)
    assert here.connect() == [account_id]
    with here.database.begin() as db:
        deeds = [(entry.action, entry.subject) for entry in audit.entries(here.alice, db)]
    assert deeds[:3] == [(f"ads.{deed}", "Acme Shop") for deed in ("connected", "disconnected", "connected")]


def test_a_deleted_workspace_keeps_no_token(here: Acme) -> None:
    here.meta.accounts.append(ad_account("4", "Outlet"))
    both = here.connect()
    with here.database.begin() as db:
        assert accounts.revoke_all(here.alice, db) == 2
    assert [here.row(account_id).sealed for account_id in both] == [None, None]


@pytest.mark.parametrize(("trouble", "needs"), [(Trouble.TOKEN, True), (Trouble.CHECKPOINT, False)])
def test_a_dead_token_needs_attention_and_a_checkpoint_does_not(here: Acme, trouble: Trouble, needs: bool) -> None:
    [account_id] = here.connect()
    with here.database.begin() as db:
        accounts.heed(here.alice, db, account_id, PlatformError(trouble, "Meta says no.", code="190/459"))
        assert [row.id for row in accounts.attention(here.alice, db)] == [account_id] * needs


@pytest.mark.parametrize(("days", "left"), [(4.5, 4), (6.9, 6), (7.5, None), (-0.5, -1)])
def test_a_token_that_ends_within_a_week_is_announced(here: Acme, days: float, left: int | None) -> None:
    here.meta.expires_at = int((datetime.now(UTC) + timedelta(days=days)).timestamp())
    [account_id] = here.connect()
    with here.database.begin() as db:
        assert accounts.find(here.alice, db, account_id).expires_in(datetime.now(UTC)) == left
        assert len(accounts.attention(here.alice, db)) == (left is not None)


# --- between test and choice ------------------------------------------------------------------------------------


def test_a_sign_in_in_the_form_opens_for_its_person_workspace_and_hour_only(here: Acme) -> None:
    ring, secret, at = here.opener.keyring, Secret(here.meta.token), 1_800_000_000.0
    sealed = envelope.seal(here.alice, ring, "meta", secret, at)
    assert here.meta.token not in sealed
    assert envelope.unseal(here.alice, ring, "meta", sealed, at + 3000) == secret
    assert envelope.unseal(here.alice, ring, "meta", sealed, at + 2 * 3600) is None
    assert envelope.unseal(here.alice, ring, "google", sealed, at) is None
    assert envelope.unseal(someone(here.database, "Charlie", "Other"), ring, "meta", sealed, at) is None
    assert envelope.unseal(here.alice, ring, "meta", "bm90IG91cnM=", at) is None
    assert envelope.unseal(here.alice, ring, "meta", "é", at) is None


# --- rotation ---------------------------------------------------------------------------------------------------


def test_tokens_are_sealed_anew_with_the_provider_keys_and_none_is_lost(here: Acme, settings: Settings) -> None:
    old, new = settings.encryption_key, Secret("the-new-encryption-key-0123456789abcdef")
    [account_id] = here.connect()
    both = _ring(here, settings, new, old)
    with pytest.raises(KeyringError, match="1 keys in ad_accounts were sealed under another ENCRYPTION_KEY"):
        _ring(here, settings, new)
    assert list(rotation.rotate(here.database, both))[-1] == rotation.Rotation(resealed=1, left=0, broken=0)
    alone = _ring(here, settings, new)
    assert rotation.verify(here.database, alone) == rotation.Verdict(opened=1, broken=0)
    with here.database.begin() as db:
        _, token = accounts.reveal(here.alice, db, alone, account_id)
        assert db.scalars(select(VaultKey.status).where(VaultKey.key_id != alone.key_id)).all() == ["retired"]
    assert token == Secret(here.meta.token)


def test_a_token_that_was_moved_is_counted_and_keeps_its_root(here: Acme, settings: Settings) -> None:
    new = Secret("the-new-encryption-key-0123456789abcdef")
    [account_id] = here.connect()
    with here.database.begin() as db:
        db.execute(text("update ad_accounts set platform = 'google'"))
    both = _ring(here, settings, new, settings.encryption_key)
    assert list(rotation.rotate(here.database, both))[-1].broken == 1
    assert rotation.verify(here.database, both) == rotation.Verdict(opened=0, broken=1)
    with pytest.raises(UserError, match="cannot be opened"):
        here.opener.open(here.alice, account_id)


def _ring(here: Acme, settings: Settings, key: Secret, *others: Secret) -> Keyring:
    given = replace(settings, encryption_key=key, other_encryption_keys=others)
    return start_keyring(here.database, given, cost=Cost(n=2))


# --- silence ----------------------------------------------------------------------------------------------------


def test_a_database_error_and_the_log_hold_no_token(here: Acme, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    seen = here.opener.test_meta(Secret(here.meta.token))
    broken = AccountInfo("1", "Shop", "EURO-which-is-too-long", "Europe/Berlin")
    with pytest.raises(Exception, match="value too long") as failed, here.database.begin() as db:
        accounts.keep(here.alice, db, here.opener.keyring, seen.grant, [broken])
    here.connect()
    said = f"{failed.value!r} {failed.value} {seen!r} {caplog.text}"
    assert here.meta.token not in said
    assert here.meta.token[10:30] not in said
    assert here.meta.token[:6] in caplog.text  # the prefix names it


def test_unknown_accounts_are_not_found(here: Acme) -> None:
    with pytest.raises(UserError, match="Page not found"):
        here.opener.open(here.alice, uuid.uuid4())
