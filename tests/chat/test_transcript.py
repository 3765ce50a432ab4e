"""Sessions and turns in the database: whose they are, asked once, one live turn, leases, what a reaper keeps."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text

from tests.chat.conftest import Somebody
from webapp.chat import transcript, turn
from webapp.chat.events import Asked, Ended, Heard, TurnEvent, TurnState, to_json
from webapp.chat.fold import fold
from webapp.chat.transcript import Asking, TurnRef
from webapp.db import Database, Session
from webapp.db.models import TurnEventRow
from webapp.errors import UserError
from webapp.llm.blocks import Message, Text
from webapp.llm.events import BlockEnd, BlockStart, Finish, FinishReason, Notice, Start, TextDelta, Usage
from webapp.usage.receipts import total

SAID: list[TurnEvent] = [
    Asked("anthropic_messages", "m"),
    Heard(Start("m-served")),
    Heard(BlockStart(0, "text")),
    Heard(TextDelta(0, "Half an ans")),
]
WHOLE: list[TurnEvent] = [
    *SAID,
    Heard(BlockEnd(0)),
    Heard(Usage(input=3, output=4)),
    Heard(Finish(FinishReason.STOP)),
    Ended(TurnState.DONE),
]


def ask(
    somebody: Somebody, db: Session, question: str = "Why?", *, session_id: uuid.UUID | None = None, owner: str = "w1"
) -> TurnRef:
    asking = Asking(uuid.uuid4(), question, "anthropic", "m", "M", somebody.key.id, somebody.key.label)
    ref, fresh = transcript.open_turn(somebody.scope, db, session_id, asking, owner)
    assert fresh
    return ref


def expire_lease(db: Session, ref: TurnRef) -> None:
    db.execute(text("update chat_turns set lease_until = now() - interval '1 s' where id = :id"), {"id": ref.id})


def log(db: Session, ref: TurnRef, events: list[TurnEvent]) -> None:
    for seq, event in enumerate(events, start=1):
        db.add(TurnEventRow(turn_id=ref.id, seq=seq, body=to_json(event)))


def test_a_question_opens_a_session_named_after_it(database: Database, alice: Somebody) -> None:
    with database.begin() as db:
        ref = ask(alice, db, "  What   is\nROAS, and why does everyone in marketing keep talking about it?  ")
        row = transcript.session(alice.scope, db, ref.session_id)
        assert row.title == "What is ROAS, and why does everyone in marketing keep…"
        assert row.live
        assert transcript.turn(alice.scope, db, ref.id).state is TurnState.QUEUED


@pytest.mark.parametrize(("question", "says"), [("  \n ", "Nothing was sent"), ("x" * 100_001, "too long")])
def test_what_is_not_a_question_is_refused(database: Database, alice: Somebody, question: str, says: str) -> None:
    with pytest.raises(UserError, match=says), database.begin() as db:
        ask(alice, db, question)
    with database.begin() as db:
        assert transcript.sessions(alice.scope, db) == []


def test_nobody_else_finds_a_session_or_a_turn(database: Database, alice: Somebody, charlie: Somebody) -> None:
    with database.begin() as db:
        ref = ask(alice, db)
        for look in (
            lambda: transcript.session(charlie.scope, db, ref.session_id),
            lambda: transcript.turns(charlie.scope, db, ref.session_id),
            lambda: transcript.turn(charlie.scope, db, ref.id),
            lambda: transcript.rename(charlie.scope, db, ref.session_id, "Mine now"),
            lambda: transcript.delete_session(charlie.scope, db, ref.session_id),
            lambda: transcript.request_stop(charlie.scope, db, ref.id),
            lambda: transcript.history(charlie.scope, db, ref.id),
            lambda: ask(charlie, db, session_id=ref.session_id),
        ):
            with pytest.raises(UserError) as refused:
                look()
            assert refused.value.status == 404


def test_one_session_has_one_live_turn_however_many_ask(database: Database, alice: Somebody) -> None:
    with database.begin() as db:
        first = ask(alice, db)
        transcript.finish(db, first, fold(WHOLE))

    def try_to_ask(number: int) -> int:
        try:
            with database.begin() as db:
                ask(alice, db, f"Question {number}", session_id=first.session_id)
        except UserError as error:
            return error.status
        return 200

    with ThreadPoolExecutor(8) as pool:
        answers = sorted(pool.map(try_to_ask, range(8)))
    assert answers == [200] + [409] * 7


def test_one_person_has_so_many_answers_at_once_however_fast_they_ask(
    database: Database, alice: Somebody, charlie: Somebody
) -> None:
    def try_once(_: int) -> bool:
        try:
            with database.begin() as db:
                ask(alice, db)
        except UserError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(try_once, range(32))) == 25
    with database.begin() as db, pytest.raises(UserError, match="Nothing was sent") as refused:
        ask(alice, db)
    assert "25 answers running" in refused.value.hint
    with database.begin() as db:
        ask(charlie, db)


def test_a_turn_begins_ends_once_and_is_kept(database: Database, alice: Somebody) -> None:
    with database.begin() as db:
        ref = ask(alice, db)
        assert transcript.begin(db, ref, alice.key.id, "Acme")
        assert transcript.finish(db, ref, fold(WHOLE))
        assert not transcript.finish(db, ref, fold(WHOLE))
        assert not transcript.begin(db, ref, alice.key.id, "Acme")
    with database.begin() as db:
        view = transcript.turn(alice.scope, db, ref.id)
        assert (view.state, view.model, view.key_label, total(view.entries).tokens) == (
            TurnState.DONE,
            "m-served",
            "Acme",
            7,
        )
        assert [b.text for b in view.blocks] == ["Half an ans"]
        assert transcript.session(alice.scope, db, ref.session_id).spent.tokens == 7


def test_a_turn_that_was_stopped_before_it_began_does_not_begin(database: Database, alice: Somebody) -> None:
    with database.begin() as db:
        ref = ask(alice, db)
        transcript.request_stop(alice.scope, db, ref.id)
        assert not transcript.begin(db, ref, alice.key.id, "Acme")


def test_a_reaper_keeps_what_was_heard_and_fences_the_old_writer(database: Database, alice: Somebody) -> None:
    with database.begin() as db:
        ref, healthy = ask(alice, db), ask(alice, db)
        log(db, ref, SAID)
        expire_lease(db, ref)
        assert transcript.reap(db) == ref.id
    with database.begin() as db:
        view = transcript.turn(alice.scope, db, ref.id)
        assert view.state is TurnState.INTERRUPTED
        assert [b.text for b in view.blocks] == ["Half an ans"]
        assert not transcript.finish(db, ref, fold(WHOLE))
        assert transcript.turn(alice.scope, db, healthy.id).live
        assert transcript.reap(db) is None


def test_what_cannot_be_stored_of_one_turn_keeps_no_other_waiting(database: Database, alice: Somebody) -> None:
    with database.begin() as db:
        odd, innocent = ask(alice, db), ask(alice, db)
        log(db, odd, SAID)
        db.execute(text('update turn_events set body = \'{"e": "unheard-of"}\' where seq = 2'))
        log(db, innocent, SAID)
        for ref in (odd, innocent):
            expire_lease(db, ref)
    with database.begin() as db:
        assert transcript.reap(db) == odd.id
    with database.begin() as db:
        assert transcript.reap(db) == innocent.id
    with database.begin() as db:
        assert transcript.turn(alice.scope, db, odd.id).state is TurnState.INTERRUPTED
        assert [b.text for b in transcript.turn(alice.scope, db, innocent.id).blocks] == ["Half an ans"]


def test_long_names_and_large_counts_of_a_provider_are_stored(database: Database, alice: Somebody) -> None:
    huge = [WHOLE[0], Heard(Start("m" * 500)), *WHOLE[2:5], Heard(Usage(output=2**40)), *WHOLE[6:]]
    with database.begin() as db:
        ref = ask(alice, db)
        assert transcript.finish(db, ref, fold(huge))
    with database.begin() as db:
        assert total(transcript.turn(alice.scope, db, ref.id).entries).tokens == 2**40


def test_leases_are_renewed_for_their_owner_alone(database: Database, alice: Somebody) -> None:
    with database.begin() as db:
        mine, other = ask(alice, db, owner="w1"), ask(alice, db, owner="w2")
        for ref in (mine, other):
            expire_lease(db, ref)
        assert [held.turn_id for held in transcript.renew(db, "w1", [mine.id, other.id])] == [mine.id]
        assert transcript.reap(db) == other.id
        assert transcript.turn(alice.scope, db, mine.id).live


@pytest.mark.parametrize(
    "what",
    [
        "delete from workspace_members where user_id = :me",
        "update workspace_members set role = 'viewer' where user_id = :me",
        "update workspaces set deleted_at = now() where id = :here",
    ],
)
def test_an_answer_stops_when_who_asked_may_not_ask_any_more(database: Database, alice: Somebody, what: str) -> None:
    with database.begin() as db:
        ref = ask(alice, db)
        assert [held.stop for held in transcript.renew(db, "w1", [ref.id])] == [False]
        db.execute(text(what), {"me": alice.scope.user_id, "here": alice.scope.workspace_id})
        assert [held.stop for held in transcript.renew(db, "w1", [ref.id])] == [True]


def test_history_is_the_conversation_without_turns_that_said_nothing(database: Database, alice: Somebody) -> None:
    with database.begin() as db:
        first = ask(alice, db, "One?")
        transcript.finish(db, first, fold(WHOLE))
        failed = ask(alice, db, "Two?", session_id=first.session_id)
        transcript.finish(db, failed, fold([Ended(TurnState.FAILED)]))
        third = ask(alice, db, "Two, again?", session_id=first.session_id)
        history = transcript.history(alice.scope, db, third.id)
    assert history.messages == (
        Message("user", (Text("One?"),)),
        Message("assistant", (Text("Half an ans"),), "anthropic_messages", "m-served"),
        Message("user", (Text("Two, again?"),)),
    )
    assert not history.refused


def test_once_reasoning_was_refused_the_session_stays_without_it(database: Database, alice: Somebody) -> None:
    with database.begin() as db:
        first = ask(alice, db)
        transcript.finish(db, first, fold([WHOLE[0], Heard(Notice("thinking_dropped", "bound")), *WHOLE]))
        second = ask(alice, db, session_id=first.session_id)
        assert transcript.history(alice.scope, db, second.id).refused == {turn.THINKING_DROPPED}


def test_a_deleted_session_is_gone_for_its_author_too(database: Database, alice: Somebody) -> None:
    with database.begin() as db:
        ref = ask(alice, db)
        assert transcript.delete_session(alice.scope, db, ref.session_id) == [ref.id]
        assert transcript.sessions(alice.scope, db) == []
        with pytest.raises(UserError):
            transcript.turn(alice.scope, db, ref.id)


def test_the_log_is_swept_an_hour_after_the_end(database: Database, alice: Somebody) -> None:
    with database.begin() as db:
        ref, live = ask(alice, db), ask(alice, db)
        for each in (ref, live):
            log(db, each, SAID)
        transcript.finish(db, ref, fold(WHOLE))
        db.flush()
        transcript.sweep_log(db)
        assert transcript.events_of(db, ref.id)
        db.execute(text("update chat_turns set ended_at = now() - interval '2 h' where id = :id"), {"id": ref.id})
        transcript.sweep_log(db)
        assert not transcript.events_of(db, ref.id)
        assert transcript.events_of(db, live.id)
