"""Budgets: what is booked never passes a limit, however many turns ask at once; holds always end; UTC's boundaries."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event, func, select, text, update

from tests.chat.conftest import Somebody
from tests.usage.conftest import SONNET
from webapp import audit
from webapp.accounts import Scope, enter, people
from webapp.chat import limits, transcript
from webapp.chat.answering import Answering
from webapp.chat.events import Asked, Cause, Ended, Heard, Trouble, TurnEvent, TurnState
from webapp.chat.fold import fold
from webapp.chat.job import Cut
from webapp.chat.limits import Limit, Limits
from webapp.chat.log import LiveTurn
from webapp.chat.transcript import Asking, TurnRef
from webapp.db import Database
from webapp.db.models import Budget, BudgetHold, ChatTurn, UsageEntry, WorkspaceMember
from webapp.errors import UserError
from webapp.llm.blocks import Message, Text
from webapp.llm.events import Finish, FinishReason, Usage
from webapp.llm.models import Model
from webapp.llm.request import ModelRequest
from webapp.usage import budgets, ledger
from webapp.usage.budgets import AppliesTo, Granted, Most, Period, Refused, Standing, Unit
from webapp.usage.calls import Call
from webapp.usage.ledger import Caller
from webapp.usage.policy import Policy

DEFAULTS = Policy()
PRICED = Model(SONNET, "Sonnet", price_in=3.0, price_out=15.0)
NOON = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)


@pytest.fixture
def bob(database: Database, alice: Somebody) -> Scope:
    """A member of alice's workspace."""
    with database.begin() as db:
        user_id = people.sign_up(db, name="Bob", email="bob@example.com", password_hash="-")
        assert user_id is not None
        db.add(WorkspaceMember(workspace_id=alice.scope.workspace_id, user_id=user_id, role="member"))
        db.flush()
        return enter(db, user_id, alice.scope.workspace_id)


def a_turn(database: Database, alice: Somebody, who: Scope | None = None) -> Caller:
    """Somebody's question, on alice's team's key."""
    who = who or alice.scope
    asking = Asking(uuid.uuid4(), "Why?", "anthropic", SONNET, "M", alice.key.id, alice.key.label)
    with database.begin() as db:
        ref, _ = transcript.open_turn(who, db, None, asking, "a worker")
    key = "anthropic", SONNET, alice.key.id, alice.key.label
    return Caller(who.workspace_id, who.user_id, ref.session_id, ref.id, *key)


def limit(
    database: Database,
    scope: Scope,
    amount: int,
    applies_to: AppliesTo = "workspace",
    period: Period = "day",
    unit: Unit = "tokens",
    user_id: uuid.UUID | None = None,
) -> None:
    with database.begin() as db:
        wanted = {"applies_to": applies_to, "period": period, "unit": unit, "amount": amount, "user_id": user_id}
        budgets.set_limit(scope, db, **wanted)  # type: ignore[arg-type]


def ask(
    database: Database, caller: Caller, tokens: int, *, micros: int = 0, now: datetime = NOON, lasts: float = 60
) -> Granted | Refused:
    with database.begin() as db:
        return budgets.reserve(db, caller, Most(micros, tokens), lasts=lasts, now=now)


def book(database: Database, caller: Caller, tokens: int, number: int = 0, at: datetime = NOON) -> None:
    with database.begin() as db:
        ledger.book(db, caller, [Call(number, Usage(input=tokens), asked_at=at.timestamp())], PRICED)


def held(database: Database) -> int:
    with database.begin() as db:
        return db.scalar(select(func.count()).select_from(BudgetHold)) or 0


def booked(database: Database, caller: Caller) -> int:
    with database.begin() as db:
        where = UsageEntry.workspace_id == caller.workspace_id
        return int(
            db.scalar(select(func.coalesce(func.sum(UsageEntry.input + UsageEntry.output), 0)).where(where)) or 0
        )


def standing(database: Database, scope: Scope, now: datetime = NOON) -> Standing:
    with database.begin() as db:
        [only] = budgets.standings(scope, db, now)
    return only


# --- many at once -----------------------------------------------------------------------------------------------


Turns = list[list[tuple[int, int]]]  # of each turn its calls: what is held, and of that what is used

CALLS = st.tuples(st.integers(1, 400), st.integers(0, 100)).map(lambda call: (call[0], call[0] * call[1] // 100))
TURNS = st.lists(st.lists(CALLS, min_size=1, max_size=4), min_size=2, max_size=6)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(turns=TURNS, size=st.integers(1, 1500), whose=st.sampled_from(["workspace", "everyone", "turn"]))
def test_turns_that_run_at_once_never_pass_a_limit_together(
    database: Database, alice: Somebody, turns: Turns, size: int, whose: AppliesTo
) -> None:
    with database.begin() as db:
        db.execute(text("delete from usage_entries"))
        db.execute(text("delete from budgets"))
        db.execute(update(ChatTurn).values(state=TurnState.DONE))  # of the example before
    limit(database, alice.scope, size, whose, "turn" if whose == "turn" else "day")
    callers = [a_turn(database, alice) for _ in turns]
    together = threading.Barrier(len(turns))

    def run(caller: Caller, calls: Iterable[tuple[int, int]]) -> int:
        together.wait(10)
        used = 0
        for number, (most, actual) in enumerate(calls):
            if isinstance(ask(database, caller, most), Refused):
                break
            book(database, caller, actual, number)
            used += actual
        return used

    with ThreadPoolExecutor(len(turns)) as threads:
        used = list(threads.map(run, callers, turns))
    assert (max(used) if whose == "turn" else sum(used)) <= size
    assert booked(database, callers[0]) == sum(used)
    assert held(database) == 0


def test_of_ten_turns_with_room_for_three_exactly_three_may_ask(database: Database, alice: Somebody) -> None:
    """All ten have asked before one of them is booked: nothing but the holds keeps them apart."""
    limit(database, alice.scope, 300)
    callers = [a_turn(database, alice) for _ in range(10)]
    together = threading.Barrier(5)

    def run(caller: Caller) -> bool:
        together.wait(10)
        return isinstance(ask(database, caller, 100), Granted)

    with ThreadPoolExecutor(5) as threads:
        granted = list(threads.map(run, callers))
    assert sum(granted) == held(database) == 3


def test_a_lock_is_held_until_the_hold_can_be_seen(database: Database, alice: Somebody) -> None:
    """The second one waits for the first to commit, and then sees what it holds."""
    limit(database, alice.scope, 100)
    first, second = a_turn(database, alice), a_turn(database, alice)
    with ThreadPoolExecutor(1) as other, database.begin() as db:
        assert isinstance(budgets.reserve(db, first, Most(0, 100), lasts=60, now=NOON), Granted)
        asking = other.submit(ask, database, second, 100)
        with pytest.raises(TimeoutError):
            asking.result(0.2)
        db.commit()
        found = asking.result(5)
    assert isinstance(found, Refused)
    assert (found.standing.spent, found.standing.held, found.needs) == (0, 100, 100)


# --- holds end --------------------------------------------------------------------------------------------------


def test_a_hold_ends_with_the_transaction_that_books_its_call(database: Database, alice: Somebody) -> None:
    limit(database, alice.scope, 100)
    caller = a_turn(database, alice)
    ask(database, caller, 90)
    assert (standing(database, alice.scope).spent, standing(database, alice.scope).held) == (0, 90)
    book(database, caller, 40)
    assert (standing(database, alice.scope).spent, standing(database, alice.scope).held) == (40, 0)


def test_the_next_call_of_a_turn_is_held_in_place_of_the_last_one(database: Database, alice: Somebody) -> None:
    limit(database, alice.scope, 100)
    caller = a_turn(database, alice)
    assert isinstance(ask(database, caller, 90), Granted)
    assert isinstance(ask(database, caller, 100), Granted)
    assert standing(database, alice.scope).held == 100


@pytest.mark.parametrize("state", [TurnState.FAILED, TurnState.STOPPED])
def test_a_turn_that_ends_without_a_call_holds_nothing(database: Database, alice: Somebody, state: TurnState) -> None:
    limit(database, alice.scope, 100)
    caller = a_turn(database, alice)
    ask(database, caller, 90)
    with database.begin() as db:
        turn = db.get_one(ChatTurn, caller.turn_id)
        transcript.write_end(db, turn, fold([Ended(state)]))
    assert held(database) == 0


def test_a_killed_workers_hold_ends_when_its_turn_is_reaped(database: Database, alice: Somebody) -> None:
    limit(database, alice.scope, 100)
    caller = a_turn(database, alice)
    ask(database, caller, 90)
    with database.begin() as db:
        db.execute(update(ChatTurn).values(lease_until=func.now() - timedelta(seconds=1)))
        assert transcript.reap(db) == caller.turn_id
    assert held(database) == 0


def test_a_process_that_slept_until_its_turn_was_taken_over_holds_and_asks_nothing(
    database: Database, alice: Somebody
) -> None:
    """What it heard meanwhile is in the books."""
    limit(database, alice.scope, 1_000_000)
    caller = a_turn(database, alice)
    mine = TurnRef(caller.turn_id, caller.session_id, "a worker", 1)
    with database.begin() as db:
        db.execute(update(ChatTurn).values(lease_until=func.now() - timedelta(seconds=1)))
        assert transcript.reap(db) == mine.id
    awake = LiveTurn(mine.id, mine, fold(round_that_is_over()))
    nothing: Any = None
    answering = Answering(database, database, nothing, nothing, nothing, 60, 2)
    with pytest.raises(Cut):
        answering._before_call(awake, of(caller), ModelRequest(SONNET, ()), Usage())
    assert (held(database), booked(database, caller)) == (0, 120)


def round_that_is_over() -> list[TurnEvent]:
    used, finish = Usage(input=100, output=20), Finish(FinishReason.TOOL_CALLS)
    return [Asked("anthropic_messages", SONNET, NOON.timestamp(), 100), Heard(used), Heard(finish)]


def test_a_hold_that_nobody_ends_lapses(database: Database, alice: Somebody) -> None:
    limit(database, alice.scope, 100)
    lost, caller = a_turn(database, alice), a_turn(database, alice)
    ask(database, lost, 90, lasts=60)
    assert isinstance(ask(database, caller, 90, now=NOON + timedelta(seconds=59)), Refused)
    assert isinstance(ask(database, caller, 90, now=NOON + timedelta(seconds=61)), Granted)


# --- what counts, for whom, and when ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("period", "last", "first"),
    [
        ("day", datetime(2026, 3, 31, 23, 59, 59, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC)),
        ("month", datetime(2026, 3, 31, 23, 59, 59, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC)),
        ("month", datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)),
        ("month", datetime(2028, 2, 29, 23, 59, 59, tzinfo=UTC), datetime(2028, 3, 1, tzinfo=UTC)),
    ],
)
def test_a_period_ends_at_midnight_utc(
    database: Database, alice: Somebody, period: Period, last: datetime, first: datetime
) -> None:
    limit(database, alice.scope, 100, period=period)
    book(database, a_turn(database, alice), 100, at=last)
    caller = a_turn(database, alice)
    found = ask(database, caller, 1, now=last)
    assert isinstance(found, Refused)
    assert found.standing.resets == first
    assert isinstance(ask(database, caller, 100, now=first), Granted)


def test_a_month_counts_the_days_before(database: Database, alice: Somebody) -> None:
    limit(database, alice.scope, 100, period="month")
    book(database, a_turn(database, alice), 60, at=datetime(2026, 3, 1, tzinfo=UTC))
    assert standing(database, alice.scope, datetime(2026, 3, 31, tzinfo=UTC)).spent == 60


def test_limits_hold_for_those_they_are_for(database: Database, alice: Somebody, bob: Scope) -> None:
    limit(database, alice.scope, 100, "everyone")
    limit(database, alice.scope, 30, "member", user_id=bob.user_id)
    book(database, a_turn(database, alice), 90)
    assert isinstance(ask(database, a_turn(database, alice), 11), Refused)
    assert isinstance(ask(database, a_turn(database, alice, bob), 30), Granted)
    refused = ask(database, a_turn(database, alice, bob), 31)
    assert isinstance(refused, Refused)
    assert refused.standing.limit.applies_to == "member"


def test_a_limit_of_one_answer_counts_its_own_calls(database: Database, alice: Somebody) -> None:
    limit(database, alice.scope, 100, "turn", "turn")
    first, second = a_turn(database, alice), a_turn(database, alice)
    book(database, first, 80)
    assert isinstance(ask(database, first, 21), Refused)
    assert isinstance(ask(database, second, 100), Granted)


def test_a_strangers_calls_count_nowhere_else(database: Database, alice: Somebody, charlie: Somebody) -> None:
    limit(database, alice.scope, 100)
    theirs = a_turn(database, charlie)
    book(database, theirs, 1000)
    assert isinstance(ask(database, theirs, 1000), Granted)
    assert isinstance(ask(database, a_turn(database, alice), 100), Granted)


def test_calls_without_a_price_count_in_tokens_only(database: Database, alice: Somebody) -> None:
    limit(database, alice.scope, 1_000_000, unit="usd")
    limit(database, alice.scope, 500)
    caller = a_turn(database, alice)
    with database.begin() as db:
        ledger.book(db, caller, [Call(0, Usage(input=400), asked_at=NOON.timestamp())], Model("x", "X"))
        found = {each.limit.unit: each.spent for each in budgets.standings(alice.scope, db, NOON)}
    assert found == {"usd": 0, "tokens": 400}
    assert isinstance(ask(database, caller, 101), Refused)


def test_a_members_own_key_is_under_no_budget(database: Database, alice: Somebody) -> None:
    limit(database, alice.scope, 100)
    caller = a_turn(database, alice)
    book(database, caller, 5000)
    with database.begin() as db:
        db.execute(update(UsageEntry).values(personal=True))
    assert standing(database, alice.scope).spent == 0
    own = Limits(caller, Limit(2.0, PRICED), Policy(unpriced="block"), budgeted=True, personal=True, lasts=60)
    with database.begin() as db:
        assert own.reserve(db, REQUEST) == ()
    assert replace(own, turn=Limit(2.0, None)).known(Usage()) is None


# --- what a turn is told ----------------------------------------------------------------------------------------


REQUEST = ModelRequest(SONNET, (Message("user", (Text("Why? " * 700),)),), max_output=1000)  # about 1,000 tokens


def test_what_is_held_is_the_most_that_the_call_can_cost() -> None:
    """1,500 tokens (1,000 as we count, and half as many for what we count short), each written for an hour (twice the
    price), and 1,000 of output."""
    assert budgets.at_most(1000, 1000, PRICED) == Most(1500 * 6 + 1000 * 15, 2500)
    assert budgets.at_most(1000, 1000, None) == Most(None, 2500)


def of(caller: Caller, model: Model | None = PRICED, policy: Policy = DEFAULTS) -> Limits:
    return Limits(caller, Limit(2.0, model), policy, budgeted=True, personal=False, lasts=60)


def test_a_refusal_says_which_limit_what_is_spent_and_when_it_starts_anew(database: Database, alice: Somebody) -> None:
    limit(database, alice.scope, 30_000, unit="usd")
    book(database, a_turn(database, alice), 4000, at=datetime.now(UTC))  # 0.012 USD
    with database.begin() as db:
        trouble = of(a_turn(database, alice)).reserve(db, REQUEST)
    assert isinstance(trouble, Trouble)
    assert trouble.cause is Cause.BUDGET
    tomorrow = budgets.begins("day", datetime.now(UTC)) + timedelta(1)
    assert trouble.detail == (
        "The workspace's limit is 0.03 USD a day: 0.01 USD spent, and this call may need up to 0.02 USD. "
        f"It starts anew on {tomorrow:%-d %B} at 00:00 UTC."
    )


def test_from_80_percent_on_the_turn_is_warned(database: Database, alice: Somebody) -> None:
    limit(database, alice.scope, 100_000)
    now = datetime.now(UTC)
    book(database, a_turn(database, alice), 79_999, at=now)
    with database.begin() as db:
        assert of(a_turn(database, alice)).reserve(db, REQUEST) == ()
    book(database, a_turn(database, alice), 1, at=now)
    with database.begin() as db:
        near = of(a_turn(database, alice)).reserve(db, REQUEST)
    assert isinstance(near, tuple)
    notice = limits.warning(near)
    assert notice is not None
    assert notice.detail.startswith("80% of a budget is used: 80,000 tokens spent. The workspace's limit is 100,000")


@pytest.mark.parametrize("model", [None, Model("x", "X")])
def test_a_model_without_a_price_is_refused_where_they_are_blocked(alice: Somebody, model: Model | None) -> None:
    nobody = uuid.uuid4()
    caller = Caller(nobody, nobody, nobody, nobody, "anthropic", "x", None, "")
    found = of(caller, model, Policy(unpriced="block")).known(Usage())
    assert found == Trouble(Cause.UNPRICED, detail="x")
    assert of(caller, model).known(Usage()) is None
    assert of(caller, PRICED, Policy(unpriced="block")).known(Usage()) is None


def test_without_budgets_one_statement_is_asked(database: Database, alice: Somebody) -> None:
    caller = a_turn(database, alice)
    asked: list[str] = []
    with database.begin() as db:
        db.execute(text("select 1"))
        event.listen(database.engine, "before_cursor_execute", lambda *given: asked.append(given[2]))
        assert budgets.are_set(db, caller) is False
        assert budgets.reserve(db, caller, Most(1, 1), lasts=60) == Granted()
    assert len(asked) == 2  # the runner asks the first one, and the second only between rounds
    assert held(database) == 0


# --- changing them ----------------------------------------------------------------------------------------------


def test_setting_a_limit_twice_changes_it_and_is_on_record(database: Database, alice: Somebody) -> None:
    limit(database, alice.scope, 100)
    limit(database, alice.scope, 200)
    found = standing(database, alice.scope)
    assert found.limit.amount == 200
    with database.begin() as db:
        budgets.remove(alice.scope, db, found.limit.id)
        assert budgets.standings(alice.scope, db) == []
        deeds = [entry.action for entry in audit.entries(alice.scope, db) if entry.action.startswith("budget")]
    assert deeds == ["budget.removed", "budget.set", "budget.set"]


def test_members_see_the_limits_that_concern_them_and_change_none(
    database: Database, alice: Somebody, bob: Scope, charlie: Somebody
) -> None:
    limit(database, alice.scope, 100, "member", user_id=alice.scope.user_id)
    limit(database, alice.scope, 50, "member", user_id=bob.user_id)
    with database.begin() as db:
        assert [each.limit.amount for each in budgets.standings(bob, db)] == [50]
        assert [each.limit.user_name for each in budgets.standings(alice.scope, db)] == ["Alice", "Bob"]
        ids = list(db.scalars(select(Budget.id)))
    with database.begin() as db, pytest.raises(UserError) as refused:
        budgets.remove(bob, db, ids[0])
    assert refused.value.status == 403
    with database.begin() as db, pytest.raises(UserError) as refused:
        budgets.remove(charlie.scope, db, ids[0])
    assert refused.value.status == 404
    with pytest.raises(UserError) as refused:
        limit(database, alice.scope, 5, "member", user_id=charlie.scope.user_id)
    assert refused.value.status == 404
