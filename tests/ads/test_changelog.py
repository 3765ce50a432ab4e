"""The change log: appended without a gap, one chain per workspace, and every edit of the past is found."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from tests.campaigns import newcomer
from webapp.accounts import Scope
from webapp.ads import changelog
from webapp.db import Database


@pytest.fixture
def alice(database: Database) -> Scope:
    return newcomer(database, "Alice")


@pytest.fixture
def charlie(database: Database) -> Scope:
    return newcomer(database, "Charlie")


def note(database: Database, scope: Scope, event: str, **body: Any) -> int:
    with database.begin() as db:
        return changelog.append(db, scope.workspace_id, event, actor_id=scope.user_id, **body)


def broken_at(database: Database, scope: Scope) -> int | None:
    with database.begin() as db:
        return changelog.verify(scope, db)


def by_force(database: Database, statement: str) -> None:
    """As somebody who owns the tables can."""
    with database.begin() as db:
        db.execute(text("alter table ad_audit disable trigger append_only"))
        db.execute(text(statement))
        db.execute(text("alter table ad_audit enable trigger append_only"))


def test_entries_are_numbered_and_come_newest_first(database, alice, charlie):
    note(database, alice, "plan.proposed", tool="update_campaign")
    note(database, charlie, "plan.proposed", tool="undo")
    note(database, alice, "plan.approved")
    with database.begin() as db:
        found = changelog.entries(alice, db)
        older = changelog.entries(alice, db, before=2)
    assert [(each.seq, each.event, each.actor) for each in found] == [
        (2, "plan.approved", "Alice"),
        (1, "plan.proposed", "Alice"),
    ]
    assert [each.body for each in older] == [{"tool": "update_campaign"}]
    assert len({each.hash for each in found}) == 2


def test_whatever_json_an_entry_holds_the_chain_is_whole_when_it_is_read_again(database, alice):
    note(database, alice, "a", ratio=1.5, whole=2.0, large=1e16, tiny=1e-7, minus=-0.0)
    note(database, alice, "b", nested=[{"z": None, "a": True}, []], text='Ümlaut ⟦name⟧ \u202e "quoted" 💶')
    note(database, alice, "c")
    assert broken_at(database, alice) is None


def test_nobody_can_change_the_log_through_the_product(database, alice):
    note(database, alice, "plan.approved")
    for statement in ("update ad_audit set event = 'x'", "delete from ad_audit", "truncate ad_audit"):
        with pytest.raises(DBAPIError, match="append-only"), database.begin() as db:
            db.execute(text(statement))


@pytest.mark.parametrize(
    ("deed", "broken"),
    [
        ("update ad_audit set body = '{\"n\": 9}' where seq = 2", 2),
        ("update ad_audit set event = 'plan.rejected' where seq = 1", 1),
        ("update ad_audit set at = at - interval '1 hour' where seq = 3", 3),
        ("update ad_audit set actor_id = null where seq = 2", 2),
        ("delete from ad_audit where seq = 2", 2),
        ("delete from ad_audit where seq = 1", 1),
        ("update ad_audit set hash = sha256('x') where seq = 2", 2),
        ("update ad_audit set prev_hash = sha256('x') where seq = 3", 3),
        ("update ad_audit set seq = 7 where seq = 3", 3),
    ],
)
def test_an_edit_of_the_past_breaks_the_chain_where_it_was_made(database, alice, deed, broken):
    for n in range(3):
        note(database, alice, "plan.proposed", n=n)
    by_force(database, deed)
    assert broken_at(database, alice) == broken


def test_an_entry_moved_to_another_workspace_breaks_that_ones_chain(database, alice, charlie):
    note(database, alice, "plan.approved")
    by_force(database, f"update ad_audit set workspace_id = '{charlie.workspace_id}'")
    assert broken_at(database, charlie) == 1


def test_writers_at_the_same_time_leave_no_gap(database, alice, charlie):
    def five(scope: Scope) -> None:
        for n in range(5):
            note(database, scope, "item.done", n=n)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(five, [alice, charlie] * 3))
    with database.begin() as db:
        assert [each.seq for each in changelog.entries(alice, db)] == list(range(15, 0, -1))
    assert broken_at(database, alice) is None
    assert broken_at(database, charlie) is None


def test_a_deed_that_is_rolled_back_leaves_no_entry_and_no_gap(database, alice):
    with database.begin() as db:
        changelog.append(db, alice.workspace_id, "plan.approved")
        db.rollback()
    assert note(database, alice, "plan.rejected") == 1
    assert broken_at(database, alice) is None
