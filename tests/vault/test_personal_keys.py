"""Members' own keys: used by their owner alone, before the team's, while the workspace allows it; nobody else's."""

from __future__ import annotations

import uuid

import pytest
from sqlalchemy import func, select, text, update

from tests.vault.samples import A_KEY
from webapp import audit
from webapp.accounts import Scope, enter, members, people
from webapp.chat import picker
from webapp.db import Database
from webapp.db.models import ByokKey, WorkspaceMember
from webapp.errors import UserError
from webapp.llm.errors import Fault, Kind
from webapp.llm.models import RemoteModel
from webapp.llm.providers import catalogue
from webapp.secret import Secret
from webapp.usage.policy import Policy, set_policy
from webapp.vault import byok, rotation
from webapp.vault.byok import KeyRevoked, KeyUnreadable, OwnKeysOff
from webapp.vault.keyring import Keyring

BOBS = Secret("sk-ant-api03-" + "b0" * 46 + "AA")
REFUSED = Fault(Kind.INVALID_KEY, "invalid x-api-key", 401, "authentication_error")


@pytest.fixture
def bob(database: Database, alice: Scope) -> Scope:
    """A member of Acme, which lets members use their own keys."""
    with database.begin() as db:
        set_policy(alice, db, Policy(personal_keys=True))
        user_id = people.sign_up(db, name="Bob", email="bob@example.com", password_hash="-")
        assert user_id is not None
        db.add(WorkspaceMember(workspace_id=alice.workspace_id, user_id=user_id, role="member"))
        db.flush()
        return enter(db, user_id, alice.workspace_id)


@pytest.fixture
def teams(database: Database, keyring: Keyring, alice: Scope) -> uuid.UUID:
    with database.begin() as db:
        return byok.connect(alice, db, keyring, "anthropic", A_KEY, "Team")


@pytest.fixture
def bobs(database: Database, keyring: Keyring, bob: Scope, teams: uuid.UUID) -> uuid.UUID:
    with database.begin() as db:
        key_id = byok.connect(bob, db, keyring, "anthropic", BOBS, "Bob's", own=True)
        for each in (key_id, teams):
            picker.keep_list(bob, db, each, "anthropic", [RemoteModel("claude-sonnet-4-5")])
    return key_id


def allow(database: Database, alice: Scope, allowed: bool) -> None:
    with database.begin() as db:
        set_policy(alice, db, Policy(personal_keys=allowed))


def used_by(database: Database, scope: Scope) -> list[tuple[str, bool]]:
    """The keys that the person's picker offers: label, and whether it is their own."""
    with database.begin() as db:
        return [(g.key.label, g.key.personal) for g in picker.groups(scope, db, catalogue({}))]


# --- whose it is ------------------------------------------------------------------------------------------------


def test_bobs_turns_use_his_own_key_and_alices_the_teams(
    database: Database, keyring: Keyring, alice: Scope, bob: Scope, teams: uuid.UUID, bobs: uuid.UUID
) -> None:
    assert used_by(database, bob) == [("Bob's", True)]
    assert used_by(database, alice) == [("Team", False)]
    with database.begin() as db:
        assert byok.reveal(bob, db, keyring, bobs) == BOBS
        assert byok.reveal(bob, db, keyring, teams) == A_KEY  # a turn that began on it goes on


def test_bobs_key_is_nobody_elses(
    database: Database, keyring: Keyring, alice: Scope, charlie: Scope, bob: Scope, bobs: uuid.UUID
) -> None:
    for other in (alice, charlie):
        with database.begin() as db, pytest.raises(KeyRevoked):
            byok.reveal(other, db, keyring, bobs)
        with database.begin() as db:
            assert byok.own_cards(other, db) == []
            assert bobs not in {card.id for card in (*byok.cards(other, db), *byok.usable(other, db).values())}
            assert byok.standing_in(other, db, bobs) is None
            assert byok.personal_among(other, db, [bobs]) == set()
            byok.mark_refused(other, db, bobs, REFUSED)
            assert not byok.disconnect(other, db, "anthropic", own=True)
    with database.begin() as db:
        assert byok.attention(bob, db) == []
        assert byok.reveal(bob, db, keyring, bobs) == BOBS


def test_a_refused_own_key_is_bobs_trouble_alone(database: Database, alice: Scope, bob: Scope, bobs: uuid.UUID) -> None:
    with database.begin() as db:
        byok.mark_refused(bob, db, bobs, REFUSED)
        assert [card.id for card in byok.attention(bob, db)] == [bobs]
        assert byok.attention(alice, db) == []


def test_the_teams_key_goes_and_comes_beside_it(
    database: Database, keyring: Keyring, alice: Scope, bob: Scope, teams: uuid.UUID, bobs: uuid.UUID
) -> None:
    with database.begin() as db:
        byok.connect(alice, db, keyring, "anthropic", Secret("sk-ant-api03-" + "9z" * 46 + "AA"))
        assert byok.disconnect(alice, db, "anthropic")
        assert byok.disconnected(db, [teams, bobs]) == {teams}
        assert byok.reveal(bob, db, keyring, bobs) == BOBS
    with database.begin() as db:
        assert byok.cards(alice, db) == []


def test_a_row_that_changes_hands_does_not_open(
    database: Database, keyring: Keyring, alice: Scope, bob: Scope, bobs: uuid.UUID, teams: uuid.UUID
) -> None:
    """Whoever can write to the database must not make bob's key the team's, or alice's."""
    with database.begin() as db:
        byok.disconnect(alice, db, "anthropic")
    for owner in (None, alice.user_id):
        with database.begin() as db:
            db.execute(update(ByokKey).where(ByokKey.id == bobs).values(owner_id=owner))
        with database.begin() as db, pytest.raises(KeyUnreadable):
            byok.reveal(alice, db, keyring, bobs)


def test_own_keys_are_rotated_and_verified_like_all(
    database: Database, keyring: Keyring, bob: Scope, bobs: uuid.UUID
) -> None:
    assert rotation.verify(database, keyring) == rotation.Verdict(opened=2, broken=0)


# --- the policy -------------------------------------------------------------------------------------------------


def test_no_own_key_is_kept_where_none_are_allowed(
    database: Database, keyring: Keyring, alice: Scope, bob: Scope
) -> None:
    allow(database, alice, False)
    with database.begin() as db, pytest.raises(OwnKeysOff):
        byok.connect(bob, db, keyring, "anthropic", BOBS, own=True)


def test_switching_own_keys_off_stops_their_use_at_once_and_erases_nothing(
    database: Database, keyring: Keyring, alice: Scope, bob: Scope, teams: uuid.UUID, bobs: uuid.UUID
) -> None:
    with database.listen() as listening:
        listening.execute("listen turn_control")
        allow(database, alice, False)
        told = [note.payload for note in listening.notifies(timeout=5, stop_after=1)]
    assert told == [f"key:{bobs}"]
    with database.begin() as db:
        assert byok.disconnected(db, [teams, bobs]) == {bobs}
        assert byok.standing_in(bob, db, bobs) is None  # a turn that waits on it does not go on, on any key
    with database.begin() as db, pytest.raises(KeyRevoked):
        byok.reveal(bob, db, keyring, bobs)
    assert used_by(database, bob) == [("Team", False)]
    allow(database, alice, True)
    assert used_by(database, bob) == [("Bob's", True)]


def test_a_viewer_has_no_own_key(database: Database, keyring: Keyring, alice: Scope, bob: Scope) -> None:
    with database.begin() as db:
        members.change_role(alice, db, bob.user_id, "viewer")
    with database.begin() as db, pytest.raises(UserError) as refused:
        byok.connect(bob, db, keyring, "anthropic", BOBS, own=True)
    assert refused.value.status == 403


# --- replacing, disconnecting, leaving --------------------------------------------------------------------------


def test_a_turn_on_a_replaced_own_key_goes_on_with_its_successor_not_the_teams(
    database: Database, keyring: Keyring, bob: Scope, bobs: uuid.UUID, teams: uuid.UUID
) -> None:
    with database.begin() as db:
        fresh = byok.connect(bob, db, keyring, "anthropic", BOBS, "Newer", own=True)
        found = byok.standing_in(bob, db, bobs)
        assert found is not None
        assert (found.id, found.personal) == (fresh, True)
        assert byok.disconnect(bob, db, "anthropic", own=True)
        assert byok.standing_in(bob, db, bobs) is None
        assert byok.disconnected(db, [bobs, fresh, teams]) == {bobs, fresh}


def test_a_turn_on_the_teams_key_stays_there_when_bob_connects_his_own(
    database: Database, bob: Scope, teams: uuid.UUID, bobs: uuid.UUID
) -> None:
    with database.begin() as db:
        found = byok.standing_in(bob, db, teams)
    assert found is not None
    assert (found.id, found.personal) == (teams, False)


def test_an_owner_sees_that_there_is_one_and_may_disconnect_it(
    database: Database, alice: Scope, bob: Scope, charlie: Scope, bobs: uuid.UUID, teams: uuid.UUID
) -> None:
    with database.begin() as db:
        assert byok.members_cards(bob, db) == []
        assert [(c.created_by, c.label, c.prefix) for c in byok.members_cards(alice, db)] == [
            ("Bob", "Bob's", "sk-ant")
        ]
    for scope, key_id, status in ((bob, bobs, 403), (charlie, bobs, 404), (alice, teams, 404)):
        with database.begin() as db, pytest.raises(UserError) as refused:
            byok.disconnect_members(scope, db, key_id)
        assert refused.value.status == status
    with database.begin() as db:
        byok.disconnect_members(alice, db, bobs)
    assert used_by(database, bob) == [("Team", False)]


def test_leaving_the_workspace_erases_the_own_key_and_no_other(
    database: Database, alice: Scope, bob: Scope, bobs: uuid.UUID, teams: uuid.UUID
) -> None:
    with database.begin() as db:
        members.leave(bob, db)
        byok.forget_member(bob, db, bob.user_id)
    with database.begin() as db:
        sealed = dict(db.execute(select(ByokKey.id, ByokKey.sealed.is_not(None))).all())
    assert sealed == {teams: True, bobs: False}


def test_deleting_the_workspace_erases_own_keys_too(
    database: Database, alice: Scope, bobs: uuid.UUID, teams: uuid.UUID
) -> None:
    with database.begin() as db:
        assert byok.revoke_all(alice, db) == 2
        assert db.scalar(select(func.count()).where(ByokKey.sealed.is_not(None))) == 0


def test_the_audit_log_says_that_there_was_one_and_nothing_of_it(
    database: Database, alice: Scope, bob: Scope, bobs: uuid.UUID
) -> None:
    with database.begin() as db:
        byok.disconnect(bob, db, "anthropic", own=True)
        told = [(e.action, e.actor, e.details) for e in audit.entries(alice, db) if e.action.startswith("own_key")]
        assert db.scalar(text("select count(*) from audit_events where details::text like '%Bob''s%'")) == 0
    assert told == [("own_key.revoked", "Bob", {}), ("own_key.connected", "Bob", {})]


# --- the picker -------------------------------------------------------------------------------------------------


def test_a_page_that_showed_another_payer_is_refused_not_answered(
    database: Database, alice: Scope, bob: Scope, bobs: uuid.UUID, teams: uuid.UUID
) -> None:
    with database.begin() as db:
        shown = picker.groups(bob, db, catalogue({}))[0].picks[0]
        assert shown.value == "anthropic+own:claude-sonnet-4-5"
        assert picker.must_find(picker.groups(bob, db, catalogue({})), shown.value).key.id == bobs
        byok.disconnect(bob, db, "anthropic", own=True)
    with database.begin() as db, pytest.raises(UserError) as refused:
        picker.must_find(picker.groups(bob, db, catalogue({})), shown.value)
    assert "the team's key “Team”" in refused.value.hint


def test_a_pick_on_an_own_key_is_not_made_the_workspaces_default(
    database: Database, alice: Scope, bob: Scope, bobs: uuid.UUID
) -> None:
    with database.begin() as db:
        picker.choose(bob, db, picker.groups(bob, db, catalogue({}))[0].picks[0])
        assert picker.wanted(alice, db) == ("", "")
