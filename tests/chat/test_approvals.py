"""Turns that wait for a person, in the store: what lets them go on, what ends them, and that each moves once."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from sqlalchemy import delete, text, update
from sqlalchemy.engine import make_url

from tests.approving import BRAND, open_demo, plans, status_of
from tests.chat.conftest import Somebody, newcomer
from tests.conftest import ENCRYPTION_KEY, copied
from webapp.ads import changes
from webapp.ads.opener import Opener
from webapp.ads.plans import Click, Origin, PlanView, Wanted
from webapp.ads.platform import Platforms
from webapp.chat import approvals, transcript
from webapp.chat.approvals import GoesOn, IsOver
from webapp.chat.events import (
    EXPIRED,
    Asked,
    Cause,
    Heard,
    Resumed,
    ToolFinished,
    ToolProposed,
    ToolStarted,
    TurnEvent,
    TurnState,
    Waiting,
)
from webapp.chat.log import LiveTurn, TurnLog
from webapp.chat.transcript import Asking, TurnRef
from webapp.config import Settings
from webapp.db import Database
from webapp.db.models import Campaign, ChangePlan, WorkspaceMember
from webapp.errors import UserError
from webapp.llm.blocks import ToolResult
from webapp.llm.events import BlockEnd, BlockStart, Finish, FinishReason, Start, ToolArgsDelta, Usage
from webapp.secret import Secret
from webapp.vault import byok
from webapp.vault.keyring import Keyring, start_keyring

CALL = "call-1"
BROWSER = uuid.uuid4()


@dataclass
class Waits:
    """Alice's turn that waits for her word on pausing one campaign."""

    alice: Somebody
    database: Database
    keyring: Keyring
    platforms: Platforms
    ref: TurnRef
    log: TurnLog
    live: LiveTurn

    @property
    def plan(self) -> PlanView:
        return plans(self.database, self.alice.scope)[0]

    @property
    def view(self) -> transcript.TurnView:
        with self.database.look() as db:
            return transcript.turn(self.alice.scope, db, self.ref.id)

    @property
    def result(self) -> ToolResult | None:
        return self.view.blocks[0].result

    def approve(self) -> None:
        with self.database.begin() as db:
            ticked = frozenset(item.id for item in self.plan.items)
            token = changes.token(self.keyring, self.plan, BROWSER)
            click = Click(self.plan.plan_hash, ticked, token, BROWSER)
            changes.approve(self.alice.scope, db, self.keyring, self.plan.id, click)

    def carry_out(self) -> None:
        changes.carry_out(self.database, self.platforms, self.plan.id, "w1")

    def reject(self) -> None:
        with self.database.begin() as db:
            changes.reject(self.alice.scope, db, self.plan.id, self.plan.plan_hash, "Not before Friday")

    def expire(self) -> None:
        with self.database.begin() as db:
            db.execute(update(ChangePlan).values(expires_at=text("now() - interval '1 s'")))
            changes.expire(db)

    def move_on(self, owner: str = "w2") -> GoesOn | IsOver | None:
        with self.database.begin() as db:
            return approvals.move_on(db, owner)


@pytest.fixture(scope="module")
def demo(postgres: str, template_database: str) -> Iterator[tuple[str, Somebody]]:
    """A database with the demo account in alice's workspace, which each test gets a copy of."""
    with copied(postgres, template_database) as url:
        database = Database(url)
        keyring = start_keyring(database, Settings(database_url=url, encryption_key=ENCRYPTION_KEY))
        alice = newcomer(database, keyring, "Alice")
        open_demo(alice.scope, database)
        database.close()
        yield url, alice


@pytest.fixture
def database_url(postgres: str, demo: tuple[str, Somebody]) -> Iterator[str]:
    with copied(postgres, str(make_url(demo[0]).database)) as url:
        yield url


@pytest.fixture
def alice(demo: tuple[str, Somebody]) -> Somebody:
    return demo[1]


@pytest.fixture
def waits(database: Database, alice: Somebody, keyring: Keyring, settings: Settings) -> Waits:
    opener = Opener(database, keyring, settings)
    ref = asks(database, alice)
    propose(database, alice, opener, ref)
    log = TurnLog(database, "w1")
    live = log.open(ref)
    for event in said(plans(database, alice.scope)[0]):
        log.append(live, event)
    made = Waits(alice, database, keyring, opener, ref, log, live)
    assert log.let_go(live, lambda db: approvals.park(db, ref))
    return made


def asks(database: Database, alice: Somebody) -> TurnRef:
    with database.begin() as db:
        asking = Asking(uuid.uuid4(), "Pause it", "anthropic", "m", "M", alice.key.id, "Acme")
        ref = transcript.open_turn(alice.scope, db, None, asking, "w1")[0]
        assert transcript.begin(db, ref, alice.key.id, "Acme")
    return ref


def propose(database: Database, alice: Somebody, platforms: Platforms, ref: TurnRef) -> None:
    with database.look() as db:
        campaign_id = db.query(Campaign).filter_by(name=BRAND).one().id
    origin = Origin(ref.id, CALL, "m", "update_campaign", {})
    changes.propose(alice.scope, database, platforms, [Wanted(campaign_id, "status", "paused")], origin)


def said(plan: PlanView) -> list[TurnEvent]:
    return [
        Asked("anthropic_messages", "m"),
        Heard(Start("m")),
        Heard(BlockStart(0, "tool_use", CALL, "update_campaign")),
        Heard(ToolArgsDelta(0, "{}")),
        Heard(BlockEnd(0)),
        Heard(Usage(input=5, output=3)),
        Heard(Finish(FinishReason.TOOL_CALLS)),
        ToolStarted(CALL, "update_campaign", 1.0),
        ToolProposed(CALL, str(plan.id)),
        Waiting(),
    ]


# --- waiting ----------------------------------------------------------------------------------------------------


def test_all_that_was_said_is_stored_with_the_wait_and_nobody_owns_it(waits: Waits) -> None:
    assert waits.view.state is TurnState.WAITING
    with waits.database.look() as db:
        assert [e for _, e in transcript.events_of(db, waits.ref.id)] == said(waits.plan)
        assert transcript.renew(db, "w1", [waits.ref.id]) == []
        db.execute(text("update chat_turns set lease_until = now() - interval '1 h'"))
    with waits.database.begin() as db:
        assert transcript.reap(db) is None
        assert not transcript.finish(db, waits.ref, waits.live.fold)
    assert waits.view.state is TurnState.WAITING


def test_it_stays_as_long_as_nobody_has_decided(waits: Waits) -> None:
    assert waits.move_on() is None
    waits.approve()
    assert waits.move_on() is None  # approved is not yet carried out


def test_a_turn_that_was_stopped_does_not_begin_to_wait(database: Database, alice: Somebody) -> None:
    ref = asks(database, alice)
    with database.begin() as db:
        transcript.request_stop(alice.scope, db, ref.id)
        assert not approvals.park(db, ref)


def test_a_message_is_no_consent(waits: Waits) -> None:
    asking = Asking(uuid.uuid4(), "yes, do it", "anthropic", "m", "M", waits.alice.key.id, "Acme")
    with pytest.raises(UserError, match="A change waits") as refused, waits.database.begin() as db:
        transcript.open_turn(waits.alice.scope, db, waits.ref.session_id, asking, "w1")
    assert refused.value.status == 409
    assert waits.plan.status == "pending"


# --- going on ---------------------------------------------------------------------------------------------------


def test_after_the_deed_it_goes_on_under_a_new_epoch_with_the_outcome_as_result(waits: Waits) -> None:
    waits.approve()
    waits.carry_out()
    on = waits.move_on("w2")
    assert isinstance(on, GoesOn)
    assert (on.ref.owner, on.ref.epoch, on.key.id) == ("w2", 2, waits.alice.key.id)
    assert [seq for seq, _ in on.events] == list(range(1, 13))
    assert on.events[-2][1] == Resumed()
    assert isinstance(on.events[-1][1], ToolFinished)
    assert waits.view.state is TurnState.RUNNING
    assert waits.result is not None
    assert '"status":"finished"' in waits.result.content
    assert not waits.result.is_error
    assert status_of(waits.database, waits.alice.scope, BRAND) == "paused"


def test_a_rejection_is_a_result_too(waits: Waits) -> None:
    waits.reject()
    assert isinstance(waits.move_on(), GoesOn)
    assert waits.result is not None
    assert waits.result.is_error
    assert "Not before Friday" in waits.result.content
    assert status_of(waits.database, waits.alice.scope, BRAND) == "active"


def test_of_many_workers_one_goes_on(waits: Waits) -> None:
    waits.reject()
    with ThreadPoolExecutor(5) as pool:
        moved = list(pool.map(waits.move_on, [f"w{n}" for n in range(10)]))
    assert sum(isinstance(each, GoesOn) for each in moved) == 1


def test_readers_keep_their_turn_over_waiting_and_going_on_elsewhere(waits: Waits) -> None:
    elsewhere = TurnLog(waits.database, "w2")
    with waits.log.watch(waits.ref.id) as here, elsewhere.watch(waits.ref.id) as there:
        assert here.waiting
        assert there.waiting
        waits.reject()
        on = waits.move_on("w2")
        assert isinstance(on, GoesOn)
        taken = elsewhere.take_up(on.ref, on.events)
        assert taken is there
        waits.log._read_on([here])
        assert [live.fold.state for live in (here, there)] == [TurnState.RUNNING] * 2
        assert not here.waiting
        assert not there.waiting
        elsewhere.append(taken, Asked("anthropic_messages", "m"))
        elsewhere.store()
        waits.log._read_on([here])
        assert here.fold.rounds == there.fold.rounds == 2
        assert here.fold.blocks() == there.fold.blocks()


def test_the_one_who_was_its_writer_cannot_write_any_more(waits: Waits) -> None:
    waits.reject()
    assert isinstance(waits.move_on("w2"), GoesOn)
    with waits.database.begin() as db:
        assert not transcript.finish(db, waits.ref, waits.live.fold)


def test_a_replaced_key_goes_on_with_its_successor(waits: Waits) -> None:
    with waits.database.begin() as db:
        new = byok.connect(waits.alice.scope, db, waits.keyring, "anthropic", Secret("sk-ant-api03-" + "y" * 40), "")
    waits.reject()
    on = waits.move_on()
    assert isinstance(on, GoesOn)
    assert on.key.id == new


# --- ending -----------------------------------------------------------------------------------------------------


def test_a_disconnected_key_ends_it_and_the_deed_is_told_truthfully(waits: Waits) -> None:
    waits.approve()
    waits.carry_out()
    with waits.database.begin() as db:
        byok.disconnect(waits.alice.scope, db, "anthropic")
    assert isinstance(waits.move_on(), IsOver)
    view = waits.view
    assert view.state is TurnState.FAILED
    assert view.trouble is not None
    assert view.trouble.cause is Cause.KEY_REVOKED
    assert [plan.status for plan in view.plans] == ["finished"]
    assert waits.result is not None
    assert '"status":"finished"' in waits.result.content


def test_time_ends_it_without_a_provider(waits: Waits) -> None:
    waits.expire()
    assert isinstance(waits.move_on(), IsOver)
    assert (waits.view.state, waits.view.finish) == (TurnState.DONE, EXPIRED)
    assert waits.result is not None
    assert "Nobody decided in time" in waits.result.content


def stop(waits: Waits) -> None:
    with waits.database.begin() as db:
        transcript.request_stop(waits.alice.scope, db, waits.ref.id)


def leave(waits: Waits) -> None:
    with waits.database.begin() as db:
        db.execute(delete(WorkspaceMember).where(WorkspaceMember.user_id == waits.alice.scope.user_id))


def become_viewer(waits: Waits) -> None:
    with waits.database.begin() as db:
        db.execute(update(WorkspaceMember).values(role="viewer"))


def delete_chat(waits: Waits) -> None:
    with waits.database.begin() as db:
        transcript.delete_session(waits.alice.scope, db, waits.ref.session_id)


@pytest.mark.parametrize("end", [stop, leave, become_viewer, delete_chat], ids=lambda f: f.__name__)
def test_what_takes_the_turn_away_cancels_what_it_asked_for(waits: Waits, end: Callable[[Waits], None]) -> None:
    end(waits)
    assert isinstance(waits.move_on(), IsOver)
    assert waits.move_on() is None
    assert waits.plan.status == "cancelled"
    assert waits.log._own == {}
    with waits.database.look() as db:
        state, finished = db.execute(text("select state, ended_at is not null from chat_turns")).one()
    assert (state, finished) == ("stopped", True)
    assert status_of(waits.database, waits.alice.scope, BRAND) == "active"


def test_what_was_approved_before_the_stop_is_done_and_the_next_turn_knows(waits: Waits) -> None:
    waits.approve()
    stop(waits)
    assert isinstance(waits.move_on(), IsOver)
    waits.carry_out()
    with waits.database.begin() as db:
        asking = Asking(uuid.uuid4(), "And?", "anthropic", "m", "M", waits.alice.key.id, "Acme")
        after = transcript.open_turn(waits.alice.scope, db, waits.ref.session_id, asking, "w1")[0]
        history = transcript.history(waits.alice.scope, db, after.id)
    results = [b for m in history.messages for b in m.blocks if isinstance(b, ToolResult)]
    assert [r.tool_use_id for r in results] == [CALL]
    assert '"status":"finished"' in results[0].content


def test_a_worker_that_died_before_the_wait_leaves_nothing_to_approve(
    database: Database, alice: Somebody, keyring: Keyring, settings: Settings
) -> None:
    """Killed between the plan and the wait."""
    ref = asks(database, alice)
    propose(database, alice, Opener(database, keyring, settings), ref)
    with database.begin() as db:
        db.execute(text("update chat_turns set lease_until = now() - interval '1 s'"))
        assert transcript.reap(db) == ref.id
    assert [plan.status for plan in plans(database, alice.scope)] == ["cancelled"]


def test_a_log_that_cannot_be_read_ends_its_own_turn_and_keeps_no_other_waiting(waits: Waits) -> None:
    waits.reject()
    with waits.database.begin() as db:
        db.execute(text('update turn_events set body = \'{"e": "unheard-of"}\' where seq = 2'))
    assert isinstance(waits.move_on(), IsOver)
    assert waits.move_on() is None
    assert waits.view.state is TurnState.INTERRUPTED


def test_every_way_out_has_one_end(waits: Waits) -> None:
    waits.expire()
    with racing(waits) as moved:
        assert sum(isinstance(each, IsOver) for each in moved) == 1
    with waits.database.begin() as db:
        assert not transcript.finish(db, waits.ref, waits.live.fold)
        assert db.scalar(text("select count(*) from chat_messages where role = 'assistant'")) == 1


@contextmanager
def racing(waits: Waits) -> Iterator[list[GoesOn | IsOver | None]]:
    with ThreadPoolExecutor(5) as pool:
        yield list(pool.map(waits.move_on, [f"w{n}" for n in range(10)]))
