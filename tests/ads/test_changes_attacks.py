"""Attacks on the approval: each ends with nothing written at the platform, or with exactly one write."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, text

from tests.ads.acme import RING, Acme, acme, raising
from tests.campaigns import EUR
from webapp.ads import changes
from webapp.ads.changes import Refused, deciding
from webapp.ads.plans import PlanView
from webapp.ads.platform import PlatformError, Trouble
from webapp.db import Database
from webapp.db.models import ChangeItem, ChangePlan, WorkspaceMember
from webapp.errors import UserError

ONCE = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def at(database: Database) -> Acme:
    return acme(database)


def refused(at: Acme, plan: PlanView, *args: Any, **but: Any) -> int:
    """The status of the answer to a click that must not count; and nothing happened."""
    with pytest.raises(UserError) as answer:
        at.approve(plan, *args, **but)
    at.carry_out(plan)
    assert at.elsewhere.writes == []
    return answer.value.status


# --- the model --------------------------------------------------------------------------------------------------


CONFIRMED = st.sampled_from([True, "true", 1, "yes, do it", {"approved": True}, ["confirmed"]])


@given(st.lists(st.tuples(st.sampled_from(["Brand", "Summer", "Winter"]), CONFIRMED), min_size=1, max_size=6))
@ONCE
def test_whatever_a_model_says_about_confirmation_nothing_is_carried_out(at, calls):
    turn = at.turn()
    for name, confirmed in calls:
        try:
            plan = at.propose(at.wants(name), turn=turn, arguments={"campaign_id": name, "confirmed": confirmed})
        except Refused:
            continue  # the same again, or one too many
        assert plan.status == "pending"
        assert "confirmed" not in plan.arguments
        assert at.carry_out(plan).status == "pending"
    with at.database.begin() as db:
        assert changes.abandoned(db) == []
        changes.cancel(db, turn)
    assert at.elsewhere.writes == []


def test_a_plan_that_was_only_proposed_is_not_carried_out(at):
    plan = at.propose(at.wants("Summer"))
    assert at.carry_out(plan).status == "pending"
    assert at.elsewhere.writes == []


# --- the token --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("token", ["", ".", "9999999999.", "9999999999.00ff", "x.y", "-1.a", "١٢٣.a", "9" * 40 + ".a"])
def test_a_forged_token_is_refused(at, token):
    assert refused(at, at.propose(at.wants("Summer")), token=token) == 403


def test_the_token_of_another_browser_another_plan_or_another_hash_is_refused(at):
    plan, other = at.propose(at.wants("Summer")), at.propose(at.wants("Winter"))
    elsewhere = changes.token(RING, plan, uuid.uuid4())
    assert refused(at, plan, token=elsewhere) == 403
    assert refused(at, plan, session_id=uuid.uuid4()) == 403
    assert refused(at, plan, token=at.click(other).token) == 403
    assert refused(at, plan, plan_hash=other.plan_hash) == 403


def test_a_token_whose_time_was_lengthened_is_refused(at):
    plan = at.propose(at.wants("Summer"))
    expiry, _, mac = at.click(plan).token.partition(".")
    assert refused(at, plan, token=f"{int(expiry) + 3600}.{mac}") == 403


def test_a_click_after_the_end_is_too_late_even_before_anybody_settled_it(at):
    plan = at.propose(at.wants("Summer"))
    at.edit(ChangePlan, plan.id, expires_at=datetime.now(UTC) - timedelta(seconds=1))
    assert refused(at, plan) == 409
    late = at.now(plan)
    assert refused(at, late, token=changes.token(RING, late, at.session_id)) == 403


def test_a_token_is_good_once(at):
    plan = at.propose(at.wants("Summer"))
    click = at.click(plan)
    at.approve(plan)
    at.carry_out(plan)
    with pytest.raises(UserError) as answer:
        at.approve(plan, token=click.token)
    assert answer.value.status == 409
    assert len(at.elsewhere.writes) == 1


# --- who clicks -------------------------------------------------------------------------------------------------


def test_a_viewer_a_member_and_a_stranger_approve_nothing(at):
    plan = at.propose(at.wants("Summer"))
    assert refused(at, plan, at.vera) == 403
    assert refused(at, plan, at.bob) == 403
    assert refused(at, plan, at.charlie) == 404


def test_a_role_that_was_taken_away_no_longer_counts(at):
    """Bob's page was made while members were let approve, and Bob still had his seat."""
    at.rails(approvers="members")
    plan = at.propose(at.wants("Summer"))
    with at.database.begin() as db:
        db.execute(delete(WorkspaceMember).where(WorkspaceMember.user_id == at.bob.user_id))
    assert refused(at, plan, at.bob) == 404


def test_an_approval_of_somebody_who_is_removed_before_it_is_carried_out_does_nothing(at):
    at.rails(approvers="members")
    plan = at.propose(at.wants("Summer"))
    at.approve(plan, at.bob)
    with at.database.begin() as db:
        db.execute(delete(WorkspaceMember).where(WorkspaceMember.user_id == at.bob.user_id))
    item = at.carry_out(plan).items[0]
    assert (item.status, item.message) == ("skipped", "Whoever approved it is no longer in the workspace.")
    assert at.elsewhere.writes == []


@pytest.mark.parametrize("switch", ["rails", "approvers", "operator"])
def test_whatever_is_switched_off_between_click_and_write_holds(at, switch):
    at.rails(approvers="members")
    plan = at.propose(at.wants("Summer"))
    at.approve(plan, at.bob)
    match switch:
        case "rails":
            at.rails(mode="preview", approvers="members")
        case "approvers":
            at.rails()
        case "operator":
            at.doors.writes = False
    assert at.carry_out(plan).items[0].status == "skipped"
    assert at.elsewhere.writes == []


# --- edits in the database --------------------------------------------------------------------------------------


EDITS: dict[str, Callable[[Acme, PlanView], None]] = {
    "another value": lambda at, plan: at.edit(ChangeItem, plan.items[0].id, after={"daily_budget": 9_000 * EUR}),
    "another campaign": lambda at, plan: at.edit(ChangeItem, plan.items[0].id, campaign_id=at.ids["Brand"]),
    "another field": lambda at, plan: at.edit(
        ChangeItem, plan.items[0].id, field="status", after={"status": "paused", "daily_budget": 110 * EUR}
    ),
    "another state": lambda at, plan: at.edit(ChangeItem, plan.items[0].id, before=_aimed_at(at, "Brand", plan)),
    "other arguments": lambda at, plan: at.edit(ChangePlan, plan.id, arguments={"campaign_id": "x"}),
    "another tool": lambda at, plan: at.edit(ChangePlan, plan.id, tool="pause_all_low_roas"),
    "nothing to type": lambda at, plan: at.edit(ChangePlan, plan.id, step_up="x"),
    "another hash": lambda at, plan: at.edit(ChangePlan, plan.id, plan_hash=b"0" * 32),
    "another approver": lambda at, plan: at.edit(ChangePlan, plan.id, decided_by=at.bob.user_id),
}


def _aimed_at(at: Acme, name: str, plan: PlanView) -> dict[str, Any]:
    with at.database.begin() as db:
        before = dict(db.get_one(ChangeItem, plan.items[0].id).before)
    return {**before, "external_id": at.of(name).external_id}


@pytest.mark.parametrize("edit", EDITS)
def test_a_row_that_was_edited_after_the_approval_is_not_carried_out(at, edit):
    at.rails(approvers="members")
    plan = at.approved(at.wants("Summer", "daily_budget", 110 * EUR))
    EDITS[edit](at, plan)
    found = at.carry_out(plan)
    assert (found.items[0].status, found.items[0].message) == (
        "failed",
        "The stored plan is not the one that was approved. Nothing was changed.",
    )
    assert at.elsewhere.writes == []


@pytest.mark.parametrize("edit", ["another value", "other arguments", "another state"])
def test_a_row_that_was_edited_before_the_approval_is_not_carried_out_either(at, edit):
    plan = at.propose(at.wants("Summer", "daily_budget", 110 * EUR))
    click = at.click(plan)
    EDITS[edit](at, plan)
    try:
        with at.database.begin() as db:
            changes.approve(at.alice, db, RING, plan.id, click)
    except UserError:
        pass
    at.carry_out(plan)
    assert at.elsewhere.writes == []


def test_a_click_on_a_plan_that_is_another_by_now_counts_for_nothing(at):
    """Its hash was replaced, too: the click names the plan that was seen."""
    plan = at.propose(at.wants("Summer"))
    at.edit(ChangePlan, plan.id, plan_hash=b"0" * 32)
    assert refused(at, plan) == 409
    with pytest.raises(UserError, match="not the change you saw"):
        at.reject(plan)
    assert at.now(plan).status == "pending"


def test_an_approval_that_is_only_a_column_in_the_database_counts_for_nothing(at):
    plan = at.propose(at.wants("Summer"))
    at.edit(ChangePlan, plan.id, status="approved", decided_by=at.alice.user_id, lease_until=datetime.now(UTC))
    assert at.carry_out(plan).items[0].status == "failed"
    assert at.elsewhere.writes == []


def test_an_item_that_alice_unticked_cannot_be_ticked_in_the_database(at):
    at.rails(max_spend_share_pct=100)
    plan = at.propose(at.wants("Summer"), at.wants("Winter"))
    at.approve(plan, ticked=frozenset([plan.items[0].id]))
    at.edit(ChangeItem, plan.items[1].id, status="pending")
    assert [item.status for item in at.carry_out(plan).items] == ["failed", "failed"]
    assert at.elsewhere.writes == []


# --- races ------------------------------------------------------------------------------------------------------


def at_once(*deeds: Callable[[], object]) -> list[object]:
    """All of them from threads that start together; what each returned or raised."""
    start = threading.Barrier(len(deeds))

    def run(deed: Callable[[], object]) -> object:
        start.wait()
        try:
            return deed()
        except UserError as error:
            return error

    with ThreadPoolExecutor(len(deeds)) as pool:
        return list(pool.map(run, deeds))


def test_of_fifty_clicks_exactly_one_is_carried_out(at):
    plan = at.propose(at.wants("Summer"))

    def click() -> str:
        at.approve(plan)
        at.carry_out(plan)
        return "approved"

    said = at_once(*[click] * 50)
    assert said.count("approved") == 1
    assert {error.status for error in said if isinstance(error, UserError)} == {409}
    assert len(at.elsewhere.writes) == 1
    assert at.now(plan).items[0].status == "done"


@pytest.mark.parametrize("round_", range(4))
def test_approve_reject_stop_and_expiry_at_once_have_one_winner(at, round_):
    turn = at.turn()
    plan = at.propose(at.wants("Summer"), turn=turn)

    def in_a_transaction(deed: Callable[[Any], object]) -> Callable[[], object]:
        def run() -> object:
            with at.database.begin() as db:
                return deed(db)

        return run

    deeds = [lambda: at.approve(plan), lambda: at.reject(plan), in_a_transaction(lambda db: changes.cancel(db, turn))]
    at_once(*deeds[round_ % 3 :], *deeds[: round_ % 3], in_a_transaction(changes.expire))
    status = at.now(plan).status
    at.carry_out(plan)
    assert status in ("approved", "rejected", "cancelled")
    assert len(at.elsewhere.writes) == (status == "approved")
    with at.database.begin() as db:
        decisions = db.execute(text("select event from ad_audit where event ~ 'approved|rejected|cancelled'")).all()
    assert [row.event for row in decisions] == [f"plan.{status}"]


def test_two_who_carry_it_out_at_once_write_once(at):
    plan = at.approved(at.wants("Summer"))
    at.elsewhere.before["update"] = lambda: time.sleep(0.05)
    at_once(*[lambda: at.carry_out(plan)] * 4)
    assert len(at.elsewhere.writes) == 1
    assert at.now(plan).status == "finished"


def test_two_calls_of_one_turn_at_once_make_one_plan(at):
    turn = at.turn()
    said = at_once(*[lambda: at.propose(at.wants("Summer"), turn=turn, tool_use_id="call_1").id] * 5)
    assert len(set(said)) == 1


# --- crashes ----------------------------------------------------------------------------------------------------


class Killed(BaseException):
    """The process is gone: no code of ours runs after this point."""


def its_lease_runs_out(at: Acme, plan: PlanView) -> None:
    with at.database.begin() as db:
        assert plan.id not in changes.abandoned(db)
    at.edit(ChangePlan, plan.id, lease_until=datetime.now(UTC) - timedelta(seconds=1))
    with at.database.begin() as db:
        assert changes.abandoned(db) == [plan.id]


@pytest.mark.parametrize(
    ("moment", "method", "status", "writes"),
    [
        ("before", "read", "done", 1),
        ("after", "read", "done", 1),
        ("before", "validate", "done", 1),
        ("after", "validate", "done", 1),
        ("before", "update", "failed", 0),  # claimed, and it does not show: it is not written again
        ("after", "update", "done", 1),  # claimed, and it shows
    ],
)
@pytest.mark.parametrize("death", [Killed(), KeyError("a bug in a client")])
def test_a_process_that_dies_at_any_step_is_taken_over_and_nothing_is_written_twice(
    at, moment, method, status, writes, death
):
    plan = at.approved(at.wants("Summer"))
    getattr(at.elsewhere, moment)[method] = raising(death)
    with pytest.raises(type(death)):
        at.carry_out(plan)
    getattr(at.elsewhere, moment).clear()
    assert at.carry_out(plan).status == "approved"  # its lease still runs: nobody interferes
    its_lease_runs_out(at, plan)
    found = at.carry_out(plan)
    assert (found.status, found.items[0].status) == ("finished", status)
    assert len(at.elsewhere.writes) == writes


def test_a_process_that_dies_between_click_and_start_is_taken_over(at):
    plan = at.approved(at.wants("Summer"))
    its_lease_runs_out(at, plan)
    assert at.carry_out(plan).items[0].status == "done"


def test_items_that_were_done_before_the_crash_are_not_done_again(at):
    plan = at.approved(at.wants("Summer", "daily_budget", 110 * EUR), at.wants("Winter", "daily_budget", 110 * EUR))

    def die_at_the_second() -> None:
        if at.elsewhere.writes:
            raise Killed

    at.elsewhere.before["update"] = die_at_the_second
    with pytest.raises(Killed):
        at.carry_out(plan)
    at.elsewhere.before.clear()
    its_lease_runs_out(at, plan)
    assert [item.status for item in at.carry_out(plan).items] == ["done", "failed"]
    assert len(at.elsewhere.writes) == 1


def test_a_slow_process_that_lost_its_lease_writes_nothing(at):
    """It slept while it validated; another took over and finished."""
    plan = at.approved(at.wants("Summer"))

    def sleep_through_the_lease() -> None:
        at.elsewhere.before.clear()
        its_lease_runs_out(at, plan)
        assert at.carry_out(plan).items[0].status == "done"

    at.elsewhere.before["validate"] = sleep_through_the_lease
    assert at.carry_out(plan).status == "finished"
    assert len(at.elsewhere.writes) == 1


def test_a_slow_process_leaves_the_work_to_whoever_has_the_lease_now(at):
    """That one has taken over and not yet come to the item."""
    plan = at.approved(at.wants("Summer"))

    def sleep_while_another_takes_over() -> None:
        at.elsewhere.before["read"] = raising(Killed())
        its_lease_runs_out(at, plan)
        with pytest.raises(Killed):
            at.carry_out(plan)
        at.elsewhere.before.clear()

    at.elsewhere.before["validate"] = sleep_while_another_takes_over
    assert at.carry_out(plan).status == "approved"
    assert at.elsewhere.writes == []


def test_a_claimed_item_that_cannot_be_read_stays_uncertain(at):
    plan = at.approved(at.wants("Summer"))
    at.elsewhere.after["update"] = raising(Killed())
    with pytest.raises(Killed):
        at.carry_out(plan)
    its_lease_runs_out(at, plan)
    at.elsewhere.before["read"] = raising(PlatformError(Trouble.UNREACHABLE, "Meta does not answer."))
    assert at.carry_out(plan).items[0].status == "unknown"
    assert len(at.elsewhere.writes) == 1


def test_the_token_is_a_mac_over_all_that_it_stands_for(at):
    """Changing any part changes the token."""
    plan, session, key = at.propose(at.wants("Summer")), uuid.uuid4(), b"k" * 32
    whole = (key, plan.id, plan.plan_hash, session, 100)
    others = [(b"j" * 32, *whole[1:]), (key, uuid.uuid4(), *whole[2:]), (*whole[:2], "ff", *whole[3:])]
    others += [(*whole[:3], uuid.uuid4(), 100), (*whole[:4], 101)]
    assert len({deciding._mac(*each) for each in (whole, *others)}) == 6
