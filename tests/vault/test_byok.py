"""The keys of a workspace: at most one active per provider, nothing left of a revoked one, nothing for a stranger."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable

import pytest
from sqlalchemy import func, select, text, update

from tests.vault.samples import A_KEY
from webapp import audit
from webapp.accounts import Scope, enter, workspaces
from webapp.db import Database
from webapp.db.models import ByokKey, WorkspaceMember
from webapp.errors import UserError
from webapp.llm.errors import Fault, Kind
from webapp.secret import Secret
from webapp.vault import byok, rotation
from webapp.vault.keyring import Keyring

ANOTHER_KEY = Secret("sk-ant-api03-" + "9z" * 46 + "AA")
REFUSED = Fault(Kind.INVALID_KEY, "invalid x-api-key", 401, "authentication_error")


@pytest.fixture
def connect(database: Database, keyring: Keyring) -> Callable[..., uuid.UUID]:
    def act(
        scope: Scope, secret: Secret = A_KEY, provider: str = "anthropic", label: str = "", base_url: str = ""
    ) -> uuid.UUID:
        with database.begin() as db:
            return byok.connect(scope, db, keyring, provider, secret, label, base_url)

    return act


def rows(database: Database) -> list[ByokKey]:
    with database.begin() as db:
        return list(db.scalars(select(ByokKey).order_by(ByokKey.created_at)))


def deeds(database: Database, scope: Scope) -> list[str]:
    with database.begin() as db:
        return [e.action for e in reversed(audit.entries(scope, db)) if e.action.startswith("key.")]


# --- connect and reveal -----------------------------------------------------------------------------------------


def test_a_connected_key_is_revealed_as_it_was(
    database: Database, keyring: Keyring, alice: Scope, connect: Callable[..., uuid.UUID]
) -> None:
    key_id = connect(alice)
    with database.begin() as db:
        assert byok.reveal(alice, db, keyring, key_id) == A_KEY
        assert byok.active(alice, db, "anthropic") == byok.KeyRef(key_id, "anthropic", "Acme", "sk-ant")
        assert byok.active(alice, db, "openai") is None


def test_a_card_shows_who_and_when_and_six_characters(
    database: Database, alice: Scope, connect: Callable[..., uuid.UUID]
) -> None:
    connect(alice, label="  Team key ")
    with database.begin() as db:
        (card,) = byok.cards(alice, db)
    assert (card.label, card.prefix, card.created_by, card.status) == ("Team key", "sk-ant", "Alice", "connected")
    assert card.last_used_at is None
    assert A_KEY.expose() not in repr(card)


def test_a_label_never_holds_the_key(database: Database, alice: Scope, connect: Callable[..., uuid.UUID]) -> None:
    connect(alice, label=f"mine {A_KEY.expose()}")
    assert rows(database)[0].label == "mine [hidden]"


def test_use_is_noted_at_most_once_a_minute(
    database: Database, keyring: Keyring, alice: Scope, connect: Callable[..., uuid.UUID]
) -> None:
    key_id = connect(alice)

    def use() -> object:
        with database.begin() as db:
            byok.reveal(alice, db, keyring, key_id)
        return rows(database)[0].last_used_at

    first = use()
    assert first is not None
    assert use() == first
    with database.begin() as db:
        db.execute(update(ByokKey).values(last_used_at=func.now() - text("interval '61 seconds'")))
    assert use() != first


# --- a server of one's own --------------------------------------------------------------------------------------

OLLAMA = "http://ollama.internal:11434/v1"


def test_a_key_for_a_server_of_one_s_own_opens_for_its_address_only(
    database: Database, keyring: Keyring, alice: Scope, connect: Callable[..., uuid.UUID]
) -> None:
    key_id = connect(alice, provider="self_hosted", base_url=OLLAMA)
    with database.begin() as db:
        ref = byok.active(alice, db, "self_hosted")
        assert ref == byok.KeyRef(key_id, "self_hosted", "Acme", "sk-ant", OLLAMA)
        assert byok.cards(alice, db)[0].ref == ref
        assert byok.reveal(alice, db, keyring, key_id, OLLAMA) == A_KEY
        for other in ("", "https://evil.org/v1", OLLAMA + "/", OLLAMA[:-1]):
            with pytest.raises(byok.KeyUnreadable):
                byok.reveal(alice, db, keyring, key_id, other)
        assert audit.entries(alice, db)[0].details["base_url"] == OLLAMA


def test_a_key_whose_address_was_changed_behind_our_back_is_not_sent_there(
    database: Database, keyring: Keyring, alice: Scope, connect: Callable[..., uuid.UUID]
) -> None:
    """It opens for the address that it was connected with, and the row does not say that any more."""
    key_id = connect(alice, provider="self_hosted", base_url=OLLAMA)
    with database.begin() as db:
        db.execute(update(ByokKey).values(base_url="https://evil.org/v1"))
    with database.begin() as db:
        ref = byok.active(alice, db, "self_hosted")
        assert ref is not None
        with pytest.raises(byok.KeyUnreadable):
            byok.reveal(alice, db, keyring, key_id, ref.base_url)
        assert byok.reveal(alice, db, keyring, key_id, OLLAMA) == A_KEY
    assert rotation.verify(database, keyring) == rotation.Verdict(opened=0, broken=1)


def test_a_provider_s_key_is_never_revealed_for_an_address(
    database: Database, keyring: Keyring, alice: Scope, connect: Callable[..., uuid.UUID]
) -> None:
    key_id = connect(alice)
    with database.begin() as db:
        db.execute(update(ByokKey).values(base_url="https://evil.org/v1"))
        with pytest.raises(byok.KeyUnreadable):
            byok.reveal(alice, db, keyring, key_id, "https://evil.org/v1")


def test_a_server_that_wants_no_key_has_a_row_all_the_same(
    database: Database, keyring: Keyring, alice: Scope, connect: Callable[..., uuid.UUID]
) -> None:
    key_id = connect(alice, Secret(""), provider="self_hosted", base_url=OLLAMA)
    with database.begin() as db:
        assert not byok.reveal(alice, db, keyring, key_id, OLLAMA)
        assert byok.cards(alice, db)[0].prefix == ""
    assert rotation.verify(database, keyring) == rotation.Verdict(opened=1, broken=0)


def test_of_a_short_key_two_characters_are_shown(
    database: Database, alice: Scope, connect: Callable[..., uuid.UUID]
) -> None:
    connect(alice, Secret("sk-12345"), provider="self_hosted", base_url=OLLAMA)
    with database.begin() as db:
        assert byok.cards(alice, db)[0].prefix == "sk"


# --- replace ----------------------------------------------------------------------------------------------------


def test_replacing_erases_the_old_key_and_tells_no_running_turn(
    database: Database, keyring: Keyring, alice: Scope, connect: Callable[..., uuid.UUID]
) -> None:
    listener = database.listen()
    listener.execute(f"listen {byok.CHANNEL}")
    old = connect(alice)
    new = connect(alice, ANOTHER_KEY)
    was, now = rows(database)
    assert (was.id, was.status, was.sealed, was.vault_key_id) == (old, "revoked", None, None)
    assert was.revoked_at is not None
    assert (was.revoked_by, was.prefix, len(was.fingerprint)) == (alice.user_id, "sk-ant", 8)
    assert (now.id, now.status) == (new, "active")
    with database.begin() as db:
        assert byok.reveal(alice, db, keyring, new) == ANOTHER_KEY
        with pytest.raises(byok.KeyRevoked):
            byok.reveal(alice, db, keyring, old)
    assert list(listener.notifies(timeout=0.2)) == []
    listener.close()
    assert deeds(database, alice) == ["key.connected", "key.replaced"]


@pytest.mark.parametrize("tabs", [8])
def test_tabs_that_save_at_once_leave_exactly_one_active_key(
    database: Database, keyring: Keyring, alice: Scope, tabs: int, connect: Callable[..., uuid.UUID]
) -> None:
    ready = threading.Barrier(tabs)
    saved: list[uuid.UUID] = []

    def save(n: int) -> None:
        ready.wait(10)
        saved.append(connect(alice, Secret(f"sk-ant-api03-tab-{n:04}-of-alice")))

    threads = [threading.Thread(target=save, args=(n,)) for n in range(tabs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(saved) == tabs
    found = rows(database)
    (left,) = [row for row in found if row.status == "active"]
    assert all(row.sealed is None and row.revoked_at is not None for row in found if row.id != left.id)
    assert sorted(deeds(database, alice)) == ["key.connected"] + ["key.replaced"] * (tabs - 1)
    with database.begin() as db:
        assert byok.reveal(alice, db, keyring, left.id).expose().startswith("sk-ant-api03-tab-")


def test_who_lost_the_right_during_the_test_keeps_nothing(
    database: Database, alice: Scope, connect: Callable[..., uuid.UUID]
) -> None:
    with database.begin() as db:
        db.execute(update(WorkspaceMember).values(role="member"))
    with pytest.raises(UserError, match="role"):
        connect(alice)
    with database.begin() as db:
        db.execute(update(WorkspaceMember).values(role="owner"))
        workspaces.delete(alice, db, typed_name="Acme")
    with pytest.raises(UserError, match="not found"):
        connect(alice)
    assert rows(database) == []


# --- disconnect -------------------------------------------------------------------------------------------------


def test_disconnecting_erases_at_once_and_tells_every_worker_at_commit(
    database: Database, keyring: Keyring, alice: Scope, connect: Callable[..., uuid.UUID]
) -> None:
    key_id = connect(alice)
    listener = database.listen()
    listener.execute(f"listen {byok.CHANNEL}")
    with database.begin() as db:
        assert byok.disconnect(alice, db, "anthropic")
        assert list(listener.notifies(timeout=0.1)) == []  # not before it is true
    (told,) = listener.notifies(timeout=5, stop_after=1)
    assert told.payload == f"key:{key_id}"
    listener.close()
    (row,) = rows(database)
    assert (row.status, row.sealed, row.vault_key_id, row.revoked_by) == ("revoked", None, None, alice.user_id)
    with database.begin() as db:
        assert byok.cards(alice, db) == []
        with pytest.raises(byok.KeyRevoked):
            byok.reveal(alice, db, keyring, key_id)
    assert deeds(database, alice) == ["key.connected", "key.revoked"]


def test_a_second_click_changes_nothing(database: Database, alice: Scope, connect: Callable[..., uuid.UUID]) -> None:
    connect(alice)
    with database.begin() as db:
        assert byok.disconnect(alice, db, "anthropic")
    before = rows(database)[0].revoked_at
    with database.begin() as db:
        assert not byok.disconnect(alice, db, "anthropic")
    assert rows(database)[0].revoked_at == before
    assert deeds(database, alice) == ["key.connected", "key.revoked"]


def test_deleting_a_workspace_takes_all_its_keys_and_nobody_else_s(
    database: Database, alice: Scope, charlie: Scope, connect: Callable[..., uuid.UUID]
) -> None:
    gone = {connect(alice), connect(alice, provider="openai")}
    kept = connect(charlie)
    listener = database.listen()
    listener.execute(f"listen {byok.CHANNEL}")
    with database.begin() as db:
        assert byok.revoke_all(alice, db) == 2
        workspaces.delete(alice, db, typed_name="Acme")
    told = {n.payload for n in listener.notifies(timeout=5, stop_after=2)}
    listener.close()
    assert told == {f"key:{key_id}" for key_id in gone}
    assert {row.id for row in rows(database) if row.sealed} == {kept}


def test_a_key_saved_while_its_workspace_is_deleted_does_not_outlive_it(
    database: Database, alice: Scope, connect: Callable[..., uuid.UUID]
) -> None:
    refused: list[UserError] = []

    def save() -> None:
        try:
            connect(alice)
        except UserError as error:
            refused.append(error)

    late = threading.Thread(target=save)
    with database.begin() as db:
        byok.revoke_all(alice, db)
        late.start()
        late.join(0.3)
        assert late.is_alive()  # it waits for the deletion
        workspaces.delete(alice, db, typed_name="Acme")
    late.join(10)
    assert [error.status for error in refused] == [404]
    assert rows(database) == []


# --- attention --------------------------------------------------------------------------------------------------


def test_a_refused_key_needs_attention_until_it_is_accepted_replaced_or_gone(
    database: Database, alice: Scope, connect: Callable[..., uuid.UUID]
) -> None:
    key_id = connect(alice)
    with database.begin() as db:
        assert byok.attention(alice, db) == []
        byok.mark_refused(alice, db, key_id, REFUSED)
    with database.begin() as db:
        (card,) = byok.attention(alice, db)
        assert (card.fault, card.status) == (REFUSED, "attention")
        assert card.fault_at is not None
        byok.clear_refused(alice, db, key_id)
    with database.begin() as db:
        assert byok.attention(alice, db) == []
        byok.mark_refused(alice, db, key_id, REFUSED)
    connect(alice, ANOTHER_KEY)
    with database.begin() as db:
        assert byok.attention(alice, db) == []
        byok.mark_refused(alice, db, key_id, REFUSED)  # a late 401 of the old key says nothing about the new one
        assert byok.attention(alice, db) == []


# --- strangers --------------------------------------------------------------------------------------------------


def test_a_stranger_reaches_no_key_by_its_id(
    database: Database, keyring: Keyring, alice: Scope, charlie: Scope, connect: Callable[..., uuid.UUID]
) -> None:
    key_id = connect(alice)
    with database.begin() as db:
        with pytest.raises(byok.KeyRevoked) as theirs:
            byok.reveal(charlie, db, keyring, key_id)
        with pytest.raises(byok.KeyRevoked) as nobody_s:
            byok.reveal(charlie, db, keyring, uuid.uuid4())
        assert (theirs.value.title, theirs.value.hint) == (nobody_s.value.title, nobody_s.value.hint)
        byok.mark_refused(charlie, db, key_id, REFUSED)
        assert not byok.disconnect(charlie, db, "anthropic")
        assert byok.cards(charlie, db) == []
    (row,) = rows(database)
    assert (row.status, row.fault) == ("active", None)


def test_a_row_moved_to_another_workspace_opens_for_nobody(
    database: Database, keyring: Keyring, alice: Scope, charlie: Scope, connect: Callable[..., uuid.UUID]
) -> None:
    key_id = connect(alice)
    with database.begin() as db:
        db.execute(update(ByokKey).values(workspace_id=charlie.workspace_id))
    with database.begin() as db, pytest.raises(byok.KeyUnreadable) as caught:
        byok.reveal(enter(db, charlie.user_id, charlie.workspace_id), db, keyring, key_id)
    assert A_KEY.expose() not in f"{caught.value!r} {caught.value.hint}"
