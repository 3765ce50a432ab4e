"""Accounts without pages: passwords, sign-in sessions, throttles, and who may do what in a workspace."""

from __future__ import annotations

import time
import unicodedata
import uuid
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from typing import TypeVar

import gevent
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select, text, update

from webapp import audit
from webapp.accounts import (
    Right,
    Role,
    Scope,
    browsers,
    enter,
    invitations,
    members,
    passwords,
    people,
    throttle,
    throttles,
    workspaces,
)
from webapp.db import Database, Session
from webapp.db.models import Invitation, Throttle, User, UserSession, WorkspaceMember
from webapp.errors import UserError

Result = TypeVar("Result")


@pytest.fixture
def alice(database: Database) -> Scope:
    """Owner of Acme."""
    with database.begin() as db:
        return workspaces.create(db, register(db, "Alice"), "Acme")


@pytest.fixture
def bob(database: Database, alice: Scope) -> Scope:
    """Member of Acme."""
    return joined(database, alice, "Bob", "member")


@pytest.fixture
def charlie(database: Database) -> Scope:
    """A stranger to Acme."""
    with database.begin() as db:
        return workspaces.create(db, register(db, "Charlie"), "Charlie's Cameras")


def register(db: Session, name: str) -> uuid.UUID:
    made = people.sign_up(db, name=name, email=f"{name.lower()}@example.com", password_hash="none")
    assert made is not None
    return made


def joined(database: Database, scope: Scope, name: str, role: Role) -> Scope:
    with database.begin() as db:
        user_id = register(db, name)
        db.add(WorkspaceMember(workspace_id=scope.workspace_id, user_id=user_id, role=role))
    return again(database, Scope(user_id, scope.workspace_id, role, name, ""))


def again(database: Database, scope: Scope) -> Scope:
    with database.begin() as db:
        return enter(db, scope.user_id, scope.workspace_id)


def refused(deed: Callable[[], object]) -> UserError:
    with pytest.raises(UserError) as caught:
        deed()
    return caught.value


def in_one(database: Database, deed: Callable[[Session], Result]) -> Result:
    """The deed in a transaction of its own."""
    with database.begin() as db:
        return deed(db)


def while_held(
    database: Database, first: Callable[[Session], object], second: Callable[[Session], Result]
) -> Future[Result]:
    """Do `first`, start `second` in another connection, see it wait for a lock, then commit `first`."""
    with ThreadPoolExecutor(1) as pool, database.begin() as db:
        first(db)
        meanwhile = pool.submit(in_one, database, second)
        until_somebody_waits(database)
        assert not meanwhile.done()
    return meanwhile


def until_somebody_waits(database: Database) -> None:
    deadline = time.monotonic() + 10
    waiting = text("select count(*) from pg_locks where not granted")
    while in_one(database, lambda db: db.scalar(waiting)) == 0:
        assert time.monotonic() < deadline, "nobody waited for a lock"
        time.sleep(0.01)


# --- passwords --------------------------------------------------------------------------------------------------


def test_a_password_fits_its_own_hash_and_no_other() -> None:
    phc = passwords.hashed("seven green lanterns")
    assert phc.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert "lanterns" not in phc
    assert passwords.fits("seven green lanterns", phc)
    assert not passwords.fits("seven green lantern", phc)
    assert passwords.hashed("seven green lanterns") != phc, "each hash has its own salt"


def test_a_password_typed_on_another_keyboard_fits() -> None:
    composed, decomposed = (unicodedata.normalize(form, "sieben grüne Laternen") for form in ("NFC", "NFD"))
    assert composed != decomposed
    assert passwords.fits(decomposed, passwords.hashed(composed))


def test_nobody_has_no_password_and_takes_as_long_to_find_out() -> None:
    phc = passwords.hashed("seven green lanterns")

    def seconds(phc: str | None) -> float:
        start = time.perf_counter()
        assert not passwords.fits("a wrong password", phc)
        return time.perf_counter() - start

    somebody, nobody = (min(seconds(which) for _ in range(5)) for which in (phc, None))
    assert 0.4 < nobody / somebody < 2.5
    assert passwords.NOBODY.startswith(passwords.PARAMETERS), "else checking nobody takes another time"


def test_a_hash_made_with_other_parameters_is_outdated() -> None:
    assert not passwords.outdated(passwords.hashed("seven green lanterns"))
    assert passwords.outdated("$argon2id$v=19$m=8192,t=1,p=1$c2FsdHNhbHQ$aGFzaA")


def test_hashing_leaves_the_hub_free() -> None:
    """While three passwords are hashed, another greenlet keeps ticking."""
    ticks = 0

    def tick() -> None:
        nonlocal ticks
        while True:
            gevent.sleep(0.002)
            ticks += 1

    ticker = gevent.spawn(tick)
    gevent.joinall([gevent.spawn(passwords.hashed, "seven green lanterns") for _ in range(3)], raise_error=True)
    ticker.kill()
    assert ticks >= 5


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("", "at least 12"),
        ("eleven char", "at least 12"),
        ("a" * 201, "at most 200"),
        ("Password1234", "attacker"),
        ("QWERTYUIOP123", "attacker"),
        ("abababababab", "attacker"),
        ("my ALICE@example.com", "email address"),
    ],
)
def test_a_weak_password_is_refused_with_a_reason(password: str, why: str) -> None:
    assert why in passwords.problem(password, "alice@example.com")


@pytest.mark.parametrize(
    "password", ["seven green lanterns", "пароль для магазина", "z9#Kq!m2Vw$x", "🐢🦊🐝🐙🦀🐌 six animals"]
)
def test_a_good_password_is_taken(password: str) -> None:
    assert passwords.problem(password, "alice@example.com") == ""


@given(st.text(max_size=300))
@settings(max_examples=200, deadline=None)
def test_whatever_is_typed_has_an_answer(typed: str) -> None:
    assert isinstance(passwords.problem(typed, typed), str)
    assert isinstance(people.email_problem(typed), str)


# --- people -----------------------------------------------------------------------------------------------------


def test_an_address_is_taken_once_however_it_is_written(database: Database) -> None:
    with database.begin() as db:
        first = people.sign_up(db, name="Alice", email="Alice@Example.com", password_hash="x")
        second = people.sign_up(db, name="Eve", email="alice@example.COM ", password_hash="y")
        found = people.by_email(db, " ALICE@example.com")
    assert first is not None
    assert second is None
    assert found == people.Credentials(first, "x")


def test_of_two_who_sign_up_at_once_with_one_address_one_gets_it(database: Database) -> None:
    def sign_up(db: Session) -> uuid.UUID | None:
        return people.sign_up(db, name="Alice", email="alice@example.com", password_hash="x")

    second = while_held(database, sign_up, sign_up)
    assert second.result() is None
    assert in_one(database, lambda db: db.scalar(select(func.count(User.id)))) == 1


@pytest.mark.parametrize(
    "email",
    ["", "alice", "alice@", "@example.com", "a b@example.com", "alice@example", "a@b@c.de", "x" * 255 + "@a.de"],
)
def test_what_is_no_address_is_refused(email: str) -> None:
    assert people.email_problem(email)


# --- browsers ---------------------------------------------------------------------------------------------------


def signed_in(database: Database, scope: Scope, replacing: str = "") -> str:
    with database.begin() as db:
        return browsers.open_session(db, scope.user_id, ip="127.0.0.1", user_agent="Firefox", replacing=replacing)


def who(database: Database, token: str) -> browsers.Visitor | None:
    with database.begin() as db:
        return browsers.find(db, token)


def travel(database: Database, **past: object) -> None:
    with database.begin() as db:
        db.execute(update(UserSession).values(**past))


def test_a_token_finds_its_person_and_the_table_does_not_hold_it(database: Database, alice: Scope) -> None:
    token = signed_in(database, alice)
    visitor = who(database, token)
    assert visitor is not None
    assert (visitor.user_id, visitor.name, visitor.workspace_id) == (alice.user_id, "Alice", alice.workspace_id)
    assert len(token) >= 43, "256 bits"
    row = in_one(database, lambda db: db.execute(text("select user_sessions::text from user_sessions")).scalar_one())
    assert token not in row
    assert token.encode().hex() not in row


@pytest.mark.parametrize("token", ["", "x", "\x00", "ü" * 50])
def test_an_unknown_token_finds_nobody(database: Database, alice: Scope, token: str) -> None:
    signed_in(database, alice)
    assert who(database, token) is None


def test_a_session_ends_after_twelve_idle_hours(database: Database, alice: Scope) -> None:
    token = signed_in(database, alice)
    travel(database, seen_at=func.now() - timedelta(hours=11, minutes=59))
    assert who(database, token) is not None
    travel(database, seen_at=func.now() - timedelta(hours=12, seconds=1))
    assert who(database, token) is None


def test_a_session_ends_after_fourteen_days_however_busy(database: Database, alice: Scope) -> None:
    token = signed_in(database, alice)
    left = in_one(database, lambda db: db.scalar(select(UserSession.expires_at - func.now())))
    assert left is not None
    assert timedelta(days=13, hours=23) < left <= timedelta(days=14)
    travel(database, expires_at=func.now())
    assert who(database, token) is None


def test_being_seen_is_written_at_most_once_a_minute(database: Database, alice: Scope) -> None:
    token = signed_in(database, alice)

    def seen() -> object:
        return in_one(database, lambda db: db.scalar(select(UserSession.seen_at)))

    first = seen()
    who(database, token)
    assert seen() == first
    travel(database, seen_at=func.now() - timedelta(seconds=61))
    earlier = seen()
    who(database, token)
    assert seen() != earlier


def test_signing_in_again_ends_the_session_before(database: Database, alice: Scope, charlie: Scope) -> None:
    before = signed_in(database, charlie)
    after = signed_in(database, alice, replacing=before)
    assert who(database, before) is None
    visitor = who(database, after)
    assert visitor is not None
    assert visitor.name == "Alice"


def test_a_person_signs_out_only_their_own_browsers(database: Database, alice: Scope, charlie: Scope) -> None:
    phone, laptop, stranger = signed_in(database, alice), signed_in(database, alice), signed_in(database, charlie)
    here, theirs = who(database, laptop), who(database, stranger)
    assert here is not None
    assert theirs is not None
    with database.begin() as db:
        assert not browsers.close(db, alice.user_id, theirs.session_id)
        assert browsers.close_others(db, alice.user_id, here.session_id) == 1
        assert [browser.id for browser in browsers.of(db, alice.user_id)] == [here.session_id]
    assert who(database, phone) is None
    assert who(database, laptop) is not None
    assert who(database, stranger) is not None


def test_a_renewed_session_goes_on_under_another_token(database: Database, alice: Scope) -> None:
    old = signed_in(database, alice)
    before = who(database, old)
    assert before is not None
    new = in_one(database, lambda db: browsers.renew(db, before.session_id))
    assert who(database, old) is None
    assert who(database, new) == before


def test_who_is_taken_out_of_a_workspace_looks_at_another_of_theirs(
    database: Database, alice: Scope, bob: Scope
) -> None:
    token = signed_in(database, bob)
    with database.begin() as db:
        own = workspaces.create(db, bob.user_id, "Bob's Bikes")
    first = who(database, token)
    assert first is not None
    assert first.workspace_id == bob.workspace_id
    with database.begin() as db:
        members.remove(alice, db, bob.user_id)
    second = who(database, token)
    assert second is not None
    assert second.workspace_id == own.workspace_id
    with database.begin() as db:
        workspaces.delete(own, db, typed_name="Bob's Bikes")
    third = who(database, token)
    assert third is not None
    assert third.workspace_id is None


# --- throttles --------------------------------------------------------------------------------------------------


def test_one_attempt_too_many_is_told_how_long_to_wait(database: Database) -> None:
    hour = 3600
    for _ in range(3):
        in_one(database, lambda db: throttle(db, "sign-in alice", 3, hour))
    error = refused(lambda: in_one(database, lambda db: throttle(db, "sign-in alice", 3, hour)))
    assert error.status == 429
    assert "minute" in error.hint or "seconds" in error.hint
    in_one(database, lambda db: throttle(db, "sign-in bob", 3, hour))


def test_the_limit_holds_across_processes(database: Database) -> None:
    """Ten connections at once, twenty attempts, eight allowed: exactly twelve are refused."""

    def attempt(_: int) -> bool:
        try:
            in_one(database, lambda db: throttle(db, "sign-in alice", 8, 86_400))
        except UserError:
            return False
        return True

    with ThreadPoolExecutor(10) as pool:
        assert sorted(pool.map(attempt, range(20))) == [False] * 12 + [True] * 8


def test_a_window_ends_and_is_swept_up(database: Database) -> None:
    in_one(database, lambda db: throttle(db, "sign-in alice", 1, 3600))
    with database.begin() as db:
        db.execute(update(Throttle).values(window_start=Throttle.window_start - timedelta(days=2)))
    in_one(database, lambda db: throttle(db, "sign-in alice", 1, 3600))
    with database.begin() as db:
        assert db.scalars(select(Throttle.count)).all() == [1]


def test_a_bucket_may_have_any_length(database: Database) -> None:
    long, longer = "sign-in " + "x" * 300, "sign-in " + "x" * 301
    in_one(database, lambda db: throttle(db, long, 1, 3600))
    in_one(database, lambda db: throttle(db, longer, 1, 3600))
    assert refused(lambda: in_one(database, lambda db: throttle(db, long, 1, 3600))).status == 429


@pytest.mark.parametrize(
    ("ip", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("", ""),
        ("no address", ""),
    ],
)
def test_an_ipv6_customer_is_one_network(ip: str, network: str) -> None:
    assert throttles.network(ip) == network


# --- workspaces and members -------------------------------------------------------------------------------------


def test_a_stranger_cannot_enter_and_neither_can_anyone_once_it_is_deleted(
    database: Database, alice: Scope, charlie: Scope
) -> None:
    stranger = Scope(charlie.user_id, alice.workspace_id, "owner", "Charlie", "Acme")
    nowhere = Scope(charlie.user_id, uuid.uuid4(), "owner", "Charlie", "Acme")
    unknown = refused(lambda: again(database, nowhere))
    foreign = refused(lambda: again(database, stranger))
    assert (foreign.status, foreign.title, foreign.hint) == (unknown.status, unknown.title, unknown.hint)
    assert foreign.status == 404
    in_one(database, lambda db: workspaces.delete(alice, db, typed_name="Acme"))
    assert refused(lambda: again(database, alice)).status == 404
    assert in_one(database, lambda db: workspaces.of(db, alice.user_id)) == []


def test_a_workspace_is_deleted_only_by_its_exact_name(database: Database, alice: Scope) -> None:
    error = refused(lambda: in_one(database, lambda db: workspaces.delete(alice, db, typed_name="acme")))
    assert error.status == 422
    assert again(database, alice) == alice


@pytest.mark.parametrize(
    ("actor", "target", "role", "status"),
    [
        ("owner", "member", "admin", None),
        ("owner", "member", "owner", None),
        ("owner", "admin", "viewer", None),
        ("admin", "member", "viewer", None),
        ("admin", "viewer", "admin", None),
        ("admin", "admin", "member", None),
        ("admin", "member", "owner", 403),
        ("admin", "owner", "member", 403),
        ("member", "viewer", "member", 403),
        ("viewer", "viewer", "owner", 403),
        ("owner", "member", "emperor", 422),
        ("owner", "member", "", 422),
    ],
)
def test_who_may_make_whom_what(
    database: Database, alice: Scope, actor: Role, target: Role, role: str, status: int | None
) -> None:
    acting, touched = joined(database, alice, "Acting", actor), joined(database, alice, "Touched", target)

    def change() -> None:
        in_one(database, lambda db: members.change_role(acting, db, touched.user_id, role))

    if status is None:
        change()
        assert again(database, touched).role == role
    else:
        assert refused(change).status == status
        assert again(database, touched).role == target


def test_an_admin_cannot_remove_an_owner_but_a_member(database: Database, alice: Scope, bob: Scope) -> None:
    admin = joined(database, alice, "Dana", "admin")
    assert refused(lambda: in_one(database, lambda db: members.remove(admin, db, alice.user_id))).status == 403
    in_one(database, lambda db: members.remove(admin, db, bob.user_id))
    assert refused(lambda: again(database, bob)).status == 404


def test_a_stranger_cannot_be_touched_as_a_member(database: Database, alice: Scope, charlie: Scope) -> None:
    for user_id in (charlie.user_id, uuid.uuid4()):
        assert refused(lambda u=user_id: in_one(database, lambda db: members.remove(alice, db, u))).status == 404
        assert (
            refused(lambda u=user_id: in_one(database, lambda db: members.change_role(alice, db, u, "admin"))).status
            == 404
        )


def test_the_last_owner_stays(database: Database, alice: Scope, bob: Scope) -> None:
    deeds: list[Callable[[Session], object]] = [
        lambda db: members.leave(alice, db),
        lambda db: members.remove(alice, db, alice.user_id),
        lambda db: members.change_role(alice, db, alice.user_id, "admin"),
    ]
    for deed in deeds:
        error = refused(lambda deed=deed: in_one(database, deed))
        assert error.status == 409
        assert "last owner" in error.hint
    in_one(database, lambda db: members.change_role(alice, db, bob.user_id, "owner"))
    in_one(database, lambda db: members.leave(alice, db))
    assert again(database, bob).role == "owner"


def test_two_owners_who_leave_at_once_leave_one_behind(database: Database, alice: Scope) -> None:
    other = joined(database, alice, "Olga", "owner")
    second = while_held(database, lambda db: members.leave(alice, db), lambda db: members.leave(other, db))
    assert refused(second.result).status == 409
    assert again(database, other).role == "owner"


def test_of_two_owners_who_demote_each_other_at_once_one_is_refused(database: Database, alice: Scope) -> None:
    other = joined(database, alice, "Olga", "owner")
    second = while_held(
        database,
        lambda db: members.change_role(alice, db, other.user_id, "member"),
        lambda db: members.change_role(other, db, alice.user_id, "member"),
    )
    assert refused(second.result).status == 403
    assert again(database, alice).role == "owner"


def test_changing_members_does_not_stop_chat(database: Database, alice: Scope, bob: Scope) -> None:
    """The lock on the workspace lets rows that refer to it be inserted meanwhile."""
    with database.begin() as db:
        members.change_role(alice, db, bob.user_id, "viewer")
        with database.begin() as other:
            other.execute(text("set local lock_timeout = '2s'"))
            audit.record(alice, other, "test.insert")


# --- invitations ------------------------------------------------------------------------------------------------


def invited(database: Database, scope: Scope, role: str = "member") -> str:
    return in_one(database, lambda db: invitations.create(scope, db, role=role, note="for Dana"))


def accepted(database: Database, token: str, user_id: uuid.UUID) -> Scope:
    return in_one(database, lambda db: invitations.accept(db, token, user_id))


def test_an_invitation_says_who_invites_and_lets_one_person_in_once(
    database: Database, alice: Scope, charlie: Scope
) -> None:
    token = invited(database, alice, "viewer")
    offer = in_one(database, lambda db: invitations.offer(db, token))
    assert (offer.workspace_name, offer.role, offer.invited_by) == ("Acme", "viewer", "Alice")
    assert accepted(database, token, charlie.user_id).role == "viewer"
    with database.begin() as db:
        late = register(db, "Late")
    assert refused(lambda: accepted(database, token, late)).status == 404
    assert in_one(database, lambda db: invitations.listed(alice, db)) == []


def test_of_two_who_accept_at_once_one_gets_in(database: Database, alice: Scope, charlie: Scope) -> None:
    token = invited(database, alice)
    with database.begin() as db:
        other = register(db, "Other")
    second = while_held(
        database,
        lambda db: invitations.accept(db, token, charlie.user_id),
        lambda db: invitations.accept(db, token, other),
    )
    assert refused(second.result).status == 404
    with database.begin() as db:
        assert {member.name for member in members.listed(alice, db)} == {"Alice", "Charlie"}


def test_a_member_who_opens_a_link_keeps_their_role_and_the_link(
    database: Database, alice: Scope, charlie: Scope
) -> None:
    token = invited(database, alice, "viewer")
    assert accepted(database, token, alice.user_id).role == "owner"
    assert accepted(database, token, charlie.user_id).role == "viewer"


@pytest.mark.parametrize("end", ["expired", "revoked", "workspace deleted", "inviter removed", "inviter demoted"])
def test_a_link_that_ended_lets_nobody_in(database: Database, alice: Scope, charlie: Scope, end: str) -> None:
    dana = joined(database, alice, "Dana", "admin")
    token = invited(database, dana)
    with database.begin() as db:
        [link] = invitations.listed(alice, db)
        match end:
            case "expired":
                assert timedelta(days=6, hours=23) < link.expires_at - link.created_at <= timedelta(days=7)
                db.execute(update(Invitation).values(expires_at=func.now()))
            case "revoked":
                invitations.revoke(alice, db, link.id)
            case "workspace deleted":
                workspaces.delete(alice, db, typed_name="Acme")
            case "inviter removed":
                members.remove(alice, db, dana.user_id)
            case "inviter demoted":
                members.change_role(alice, db, dana.user_id, "member")
    error = refused(lambda: accepted(database, token, charlie.user_id))
    assert error.status == 404
    assert "no longer valid" in error.title


def test_only_who_manages_members_invites_and_nobody_invites_an_owner(
    database: Database, alice: Scope, bob: Scope
) -> None:
    assert refused(lambda: invited(database, bob)).status == 403
    assert refused(lambda: invited(database, alice, "owner")).status == 422


def test_a_stranger_cannot_revoke_a_link(database: Database, alice: Scope, charlie: Scope) -> None:
    invited(database, alice)
    with database.begin() as db:
        [link] = invitations.listed(alice, db)
    assert refused(lambda: in_one(database, lambda db: invitations.revoke(charlie, db, link.id))).status == 404
    assert len(in_one(database, lambda db: invitations.listed(alice, db))) == 1


# --- the record -------------------------------------------------------------------------------------------------


def test_every_change_is_on_record_with_its_actor(database: Database, alice: Scope, charlie: Scope) -> None:
    token = invited(database, alice)
    accepted(database, token, charlie.user_id)
    in_one(database, lambda db: members.change_role(alice, db, charlie.user_id, "admin"))
    in_one(database, lambda db: workspaces.rename(alice, db, "Acme Ltd"))
    in_one(database, lambda db: members.remove(alice, db, charlie.user_id))
    in_one(database, lambda db: workspaces.delete(alice, db, typed_name="Acme Ltd"))
    with database.begin() as db:
        record = [(entry.actor, entry.action, entry.subject) for entry in audit.entries(alice, db)]
    assert record[::-1] == [
        ("Alice", "workspace.created", "Acme"),
        ("Alice", "member.invited", "for Dana"),
        ("Charlie", "member.joined", "Charlie"),
        ("Alice", "member.role_changed", "Charlie"),
        ("Alice", "workspace.renamed", "Acme Ltd"),
        ("Alice", "member.removed", "Charlie"),
        ("Alice", "workspace.deleted", "Acme Ltd"),
    ]
    assert token not in str(in_one(database, lambda db: audit.entries(alice, db)))


def test_owners_may_everything_and_viewers_only_look() -> None:
    def may(role: Role) -> set[Right]:
        scope = Scope(uuid.uuid4(), uuid.uuid4(), role, "", "")
        return {right for right in Right if scope.may(right)}

    assert may("owner") == set(Right)
    assert may("admin") == set(Right) - {Right.DELETE_WORKSPACE}
    assert may("member") == {Right.READ, Right.CHAT}
    assert may("viewer") == {Right.READ}
