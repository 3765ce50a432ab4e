"""The ledger's laws: a call is booked once, however its turn ends; what is shown anywhere is the sum of the entries."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import reduce
from typing import get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text, update

from tests.chat.conftest import Somebody
from tests.usage.conftest import HAIKU, NAMELESS, SONNET
from webapp.chat import approvals, transcript
from webapp.chat.events import (
    Answered,
    Asked,
    Cause,
    Ended,
    FirstWord,
    Heard,
    Resumed,
    Retrying,
    ToolFinished,
    ToolProposed,
    ToolStarted,
    Trouble,
    TurnEvent,
    TurnState,
    Waiting,
    to_json,
)
from webapp.chat.fold import fold
from webapp.chat.transcript import Asking, TurnRef
from webapp.db import Database, Session
from webapp.db.models import ChatSession, ChatTurn, Prefix, TurnEventRow
from webapp.llm.blocks import ToolResult
from webapp.llm.errors import Fault, Kind
from webapp.llm.events import BlockEnd, BlockStart, Finish, FinishReason, Notice, Start, TextDelta, Usage
from webapp.usage import ledger, totals
from webapp.usage.calls import Call
from webapp.usage.receipts import Entry, Spent, total
from webapp.usage.totals import By, Days

NOON = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0).timestamp()
TODAY = Days(*[datetime.now(UTC).date()] * 2)
ALWAYS = Days(TODAY.since - timedelta(30), TODAY.until)
WORDS = "Half an answer, about ten tokens..."  # 35 bytes


def asked(at: float = NOON, tokens: int = 700) -> Asked:
    return Asked("anthropic_messages", SONNET, at, tokens)


def heard(counted: Usage | None = None) -> list[TurnEvent]:
    """The beginning of an answer, whose input a provider may have counted by then."""
    said = [] if counted is None else [Heard(counted)]
    text: list[TurnEvent] = [Heard(BlockStart(0, "text")), Heard(TextDelta(0, WORDS))]
    return [Heard(Start("served", "msg_1")), *said, FirstWord(250), *text]


def whole(used: Usage, finish: FinishReason = FinishReason.STOP, at: float = NOON) -> list[TurnEvent]:
    """A call from its beginning to its end."""
    return [asked(at), *heard(), Heard(BlockEnd(0)), Heard(used), Heard(Finish(finish)), Answered(1500)]


TOOLS = whole(Usage(input=100, output=20), FinishReason.TOOL_CALLS)
RAN: list[TurnEvent] = [ToolStarted("c", "t", NOON), ToolFinished(ToolResult("c", "ok"))]
OVERLOADED = Fault(Kind.OVERLOADED, "Overloaded", 529, retryable=True)
DONE, STOPPED, CRASHED = Ended(TurnState.DONE), Ended(TurnState.STOPPED), Ended(TurnState.INTERRUPTED)
REFUSED = Ended(TurnState.FAILED, Trouble(Cause.PROVIDER, OVERLOADED))


def ask(person: Somebody, db: Session, session_id: uuid.UUID | None = None, model: str = SONNET) -> TurnRef:
    asking = Asking(uuid.uuid4(), "Why?", "anthropic", model, "M", person.key.id, person.key.label)
    ref, _ = transcript.open_turn(person.scope, db, session_id, asking, "w1")
    assert transcript.begin(db, ref, person.key.id, person.key.label)
    return ref


def answer(person: Somebody, db: Session, events: Sequence[TurnEvent], **more: str) -> TurnRef:
    ref = ask(person, db, **more)  # type: ignore[arg-type]
    transcript.finish(db, ref, fold(events))
    return ref


def entries(person: Somebody, db: Session, ref: TurnRef) -> tuple[Entry, ...]:
    return transcript.turn(person.scope, db, ref.id).entries


def log(db: Session, ref: TurnRef, events: Sequence[TurnEvent]) -> None:
    for seq, event in enumerate(events, start=1):
        db.add(TurnEventRow(turn_id=ref.id, seq=seq, body=to_json(event)))


def lose_worker(db: Session, ref: TurnRef) -> None:
    db.execute(text("update chat_turns set lease_until = now() - interval '1 s' where id = :id"), {"id": ref.id})
    assert transcript.reap(db) == ref.id


# --- booked once, however it ends -------------------------------------------------------------------------------

ENDINGS: list[tuple[str, list[TurnEvent], list[tuple[Usage, bool]]]] = [
    ("done", [*whole(Usage(100, 50, 0, 0, 20)), DONE], [(Usage(100, 50, 0, 0, 20), False)]),
    (
        "done after a tool",
        [*TOOLS, *RAN, *whole(Usage(input=130, output=9)), DONE],
        [(Usage(input=100, output=20), False), (Usage(input=130, output=9), False)],
    ),
    (
        "stopped in the middle, its input counted",
        [asked(), *heard(Usage(input=90, cache_read=8, output=1)), STOPPED],
        [(Usage(input=90, cache_read=8, output=10), True)],
    ),
    ("stopped in the middle, nothing counted", [asked(), *heard(), STOPPED], [(Usage(input=700, output=10), True)]),
    ("stopped before the first word", [asked(), STOPPED], [(Usage(input=700), True)]),
    (
        "cut after the last count",
        [asked(), *heard(), Heard(Usage(input=90, output=12)), CRASHED],
        [(Usage(input=90, output=12), True)],
    ),
    ("refused", [asked(), REFUSED], []),
    ("refused after its head", [asked(), Heard(Start("served")), REFUSED], []),
    ("stopped while it waits for a retry", [asked(), Retrying(OVERLOADED, 1, 9.0), STOPPED], []),
    ("failed in the middle", [asked(), *heard(), REFUSED], [(Usage(input=700, output=10), True)]),
    (
        "a retry that answers",
        [asked(), Retrying(OVERLOADED, 1, 1.0), *whole(Usage(input=100, output=20)), DONE],
        [(Usage(input=100, output=20), False)],
    ),
    (
        "done by a server that counts nothing",
        [asked(), *heard(), Heard(Finish(FinishReason.STOP)), DONE],
        [(Usage(input=700, output=10), True)],
    ),
    ("stopped while its tools run", [*TOOLS, RAN[0], STOPPED], [(Usage(input=100, output=20), False)]),
    ("stopped before it began", [STOPPED], []),
]


@pytest.mark.parametrize(("events", "booked"), [e[1:] for e in ENDINGS], ids=[e[0] for e in ENDINGS])
def test_an_ending_books_each_call_once(
    database: Database, priced: Somebody, events: list[TurnEvent], booked: list[tuple[Usage, bool]]
) -> None:
    with database.begin() as db:
        ref = answer(priced, db, events)
        assert not transcript.finish(db, ref, fold(events)), "an end comes once"
    with database.look() as db:
        found = entries(priced, db, ref)
        assert [(entry.used, entry.estimated) for entry in found] == booked
        assert [entry.round for entry in found] == list(range(len(booked)))
        everywhere_the_same(priced, db, [ref], total(found))


@pytest.mark.parametrize("events", [e[1] for e in ENDINGS if len(e[2])], ids=[e[0] for e in ENDINGS if len(e[2])])
def test_a_killed_workers_turn_is_booked_from_its_log(
    database: Database, priced: Somebody, events: list[TurnEvent]
) -> None:
    """The same log without its end: a finished call is booked as it was counted, a cut one as an estimate."""
    with database.begin() as db:
        ref = ask(priced, db)
        log(db, ref, events[:-1])
        lose_worker(db, ref)
        found = entries(priced, db, ref)
        ended = fold([*events[:-1], CRASHED]).calls()
        assert [(entry.round, entry.used) for entry in found] == [(call.round, call.used) for call in ended]
        everywhere_the_same(priced, db, [ref], total(found))


def test_a_call_booked_between_rounds_is_not_booked_again_at_the_end(database: Database, priced: Somebody) -> None:
    first = [*TOOLS, *RAN]
    with database.begin() as db:
        ref = ask(priced, db)
        turn = db.get_one(ChatTurn, ref.id)
        transcript.book(db, turn, fold(first).calls())
        assert [entry.used.output for entry in entries(priced, db, ref)] == [20], "limits see it while the turn runs"
        log(db, ref, [*first, asked(), *heard()])
        lose_worker(db, ref)
        assert [(e.round, e.estimated) for e in entries(priced, db, ref)] == [(0, False), (1, True)]
        everywhere_the_same(priced, db, [ref], total(entries(priced, db, ref)))


def test_a_resumed_turn_counts_on(database: Database, priced: Somebody) -> None:
    """It waits for a person, is taken up by another process with all of its log, and ends there."""
    waits = [*TOOLS, ToolStarted("c", "t", NOON), ToolProposed("c", str(uuid.uuid4())), Waiting()]
    goes_on = [*waits, Resumed(), ToolFinished(ToolResult("c", "done")), *whole(Usage(input=140, output=7)), DONE]
    with database.begin() as db:
        ref = ask(priced, db)
        assert approvals.park(db, ref, fold(waits).calls())
        assert [entry.used.input for entry in entries(priced, db, ref)] == [100], "what waits is booked"
        taken = TurnRef(ref.id, ref.session_id, "w2", 2)
        again = {"state": "running", "owner": taken.owner, "epoch": taken.epoch}
        db.execute(update(ChatTurn).where(ChatTurn.id == ref.id).values(again))
        assert transcript.finish(db, taken, fold(goes_on))
        assert [(e.round, e.used.input) for e in entries(priced, db, ref)] == [(0, 100), (1, 140)]
        everywhere_the_same(priced, db, [ref], total(entries(priced, db, ref)))


def test_words_that_cannot_be_stored_are_paid_for_all_the_same(database: Database, priced: Somebody) -> None:
    said = fold([*whole(Usage(input=100, output=20)), DONE])
    with database.begin() as db:
        ref = ask(priced, db)
        transcript.finish(db, ref, said.unsaid(Ended(TurnState.FAILED, Trouble(Cause.INTERNAL))))
        turn = transcript.turn(priced.scope, db, ref.id)
        assert (turn.blocks, turn.state) == ((), TurnState.FAILED)
        assert total(turn.entries).used == Usage(input=100, output=20)


def everywhere_the_same(person: Somebody, db: Session, refs: Sequence[TurnRef], expected: Spent) -> None:
    """Sum of receipts = session total = usage page, whichever way it is grouped. Its CSV: tests/pages/test_usage.py."""
    assert transcript.session(person.scope, db, refs[0].session_id).spent == expected
    assert totals.spent(person.scope, db, TODAY) == totals.spent(person.scope, db, TODAY, mine=True) == expected
    assert added(totals.spent_by_day(person.scope, db, ALWAYS).values()) == expected
    for by in get_args(By):
        assert added(row.spent for row in totals.spent_by(person.scope, db, TODAY, by)) == expected
    assert total(totals.entries(person.scope, db, TODAY)) == expected


def added(parts: object) -> Spent:
    return reduce(Spent.__add__, parts, Spent())  # type: ignore[call-overload, no-any-return]


counts = st.integers(0, 2**40)
sums = st.builds(Spent, st.integers(0, 9), st.builds(Usage, counts, counts, counts, counts, counts), counts, counts)


@given(st.lists(sums, max_size=6), st.integers(0, 6))
def test_sums_do_not_depend_on_how_they_are_grouped(parts: list[Spent], cut: int) -> None:
    assert added(parts[:cut]) + added(parts[cut:]) == added(reversed(parts))


tokens = st.integers(0, 10**6)
calls = st.lists(st.tuples(st.builds(Usage, tokens, tokens, tokens, tokens, tokens), st.booleans()), max_size=12)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(calls, st.sampled_from([SONNET, NAMELESS]))
def test_the_database_adds_up_as_python_does(
    database: Database, priced: Somebody, rounds: list[tuple[Usage, bool]], model: str
) -> None:
    with database.begin() as db:
        ref = ask(priced, db, model=model)
        turn = db.get_one(ChatTurn, ref.id)
        transcript.book(db, turn, [Call(n, used, cut, NOON) for n, (used, cut) in enumerate(rounds)])
        here = total(entries(priced, db, ref))
        assert here.used == sum((used for used, _ in rounds), Usage())
        everywhere_the_same(priced, db, [ref], here)
        db.rollback()


def test_a_session_of_all_kinds_adds_up(database: Database, priced: Somebody) -> None:
    with database.begin() as db:
        refs = [answer(priced, db, ENDINGS[0][1])]
        for n, (_, events, _) in enumerate(ENDINGS[1:]):
            model = (SONNET, HAIKU, NAMELESS)[n % 3]
            refs.append(answer(priced, db, events, session_id=refs[0].session_id, model=model))  # type: ignore[arg-type]
    with database.look() as db:
        views = transcript.turns(priced.scope, db, refs[0].session_id)
        receipts = added(total(view.entries) for view in views)
        assert receipts.unpriced
        assert receipts.estimated
        assert receipts.cost
        everywhere_the_same(priced, db, refs, receipts)


# --- what an entry knows ----------------------------------------------------------------------------------------


def test_an_entry_says_when_how_long_by_whom_and_at_what_price(database: Database, priced: Somebody) -> None:
    with database.begin() as db:
        entry = entries(priced, db, answer(priced, db, [*whole(Usage(100, 50, 0, 0, 20)), DONE]))[0]
    assert entry.at.timestamp() == NOON
    assert (entry.first_token_ms, entry.duration_ms) == (250, 1500)
    assert (entry.model, entry.model_served, entry.response_id) == (SONNET, "served", "msg_1")
    assert (entry.key_label, entry.personal, entry.user_name) == (priced.key.label, False, "Alice")
    assert (entry.cost.micros, entry.cost.source) == (300 + 15 + 300, "table")
    assert entry.cost.priced_at > "2026"


def test_a_model_without_a_price_adds_tokens_and_no_money(database: Database, priced: Somebody) -> None:
    with database.begin() as db:
        answer(priced, db, [*whole(Usage(input=100, output=20)), DONE], model=NAMELESS)
        spent = totals.spent(priced.scope, db, TODAY)
    assert (spent.cost, spent.unpriced, spent.unpriced_tokens, spent.tokens) == (None, 1, 120, 120)


def test_charlie_sees_nothing_of_it(database: Database, priced: Somebody, charlie: Somebody) -> None:
    with database.begin() as db:
        ref = answer(priced, db, [*whole(Usage(input=100, output=20)), DONE])
        assert totals.spent(charlie.scope, db, ALWAYS) == Spent()
        assert totals.entries(charlie.scope, db, ALWAYS) == []
        assert ledger.of_turns(charlie.scope, db, [ref.id]) == {}


# --- why a cache was missed -------------------------------------------------------------------------------------

COLD = Usage(cache_write=2000, output=5)
WARM = Usage(cache_read=2000, output=5)


def begin_with(db: Session, ref: TurnRef, system: str, tools: list[dict[str, str]]) -> None:
    """The session's requests begin so, as prefixes.of_session would have it."""
    made = Prefix(hash=f"{system}{tools}".encode(), surface="chat", system=system, tools=tools)
    db.merge(made)
    db.flush()
    db.get_one(ChatSession, ref.session_id).prefix_hash = made.hash
    db.flush()


def missed(
    person: Somebody,
    db: Session,
    used: Usage = COLD,
    *,
    at: float = NOON,
    model: str = SONNET,
    system: str = "Be brief",
    tool: str = "list",
    word: str = "",
) -> str:
    """The reason in the entry of an answer in a session of its own."""
    ref = ask(person, db, model=model)
    begin_with(db, ref, system, [{"name": tool}])
    said: list[TurnEvent] = [Heard(Notice("cache_miss", word))] if word else []
    call = whole(used, at=at)
    transcript.finish(db, ref, fold([*call[:2], *said, *call[2:], DONE]))
    return entries(person, db, ref)[0].miss


def test_the_first_call_is_a_miss_and_the_second_none(database: Database, priced: Somebody) -> None:
    with database.begin() as db:
        assert missed(priced, db) == "first"
        assert missed(priced, db, WARM, at=NOON + 60) == ""


@pytest.mark.parametrize(
    ("differs", "why"),
    [
        ({"at": NOON + 301}, "expired"),
        ({"tool": "another"}, "tools"),
        ({"system": "Be long"}, "system"),
        ({"model": HAIKU, "used": Usage(cache_write=5000)}, "model"),
        ({"model": HAIKU}, "short"),
        ({"used": Usage(input=500, output=5)}, "short"),
        ({}, "gone"),
        ({"word": "messages_changed"}, "messages"),
        ({"word": "unavailable", "tool": "another"}, "tools"),
        ({"word": "comparison_response_not_found", "at": NOON + 301}, "expired"),
        ({"word": "reasoning_effort_changed"}, "settings"),
        ({"word": "a_new_reason"}, "a_new_reason"),
        ({"used": WARM, "word": "messages_changed"}, "messages"),
        ({"model": NAMELESS, "used": Usage(input=2000)}, ""),
    ],
)
def test_the_reason_is_what_differs_from_the_last_call(
    database: Database, priced: Somebody, differs: dict[str, object], why: str
) -> None:
    with database.begin() as db:
        missed(priced, db)
        assert missed(priced, db, **{"at": NOON + 60, **differs}) == why  # type: ignore[arg-type]


def test_an_hour_can_be_chosen(database: Database, priced: Somebody) -> None:
    with database.begin() as db:
        missed(priced, db)
        db.execute(
            text("insert into chat_policies (workspace_id, cache_ttl, updated_by) values (:workspace, '1h', :user)"),
            {"workspace": priced.scope.workspace_id, "user": priced.scope.user_id},
        )
        assert missed(priced, db, at=NOON + 3599) == "gone"


def test_a_call_whose_input_was_never_counted_missed_nothing_known(database: Database, priced: Somebody) -> None:
    with database.begin() as db:
        assert entries(priced, db, answer(priced, db, [asked(time.time()), *heard(), STOPPED]))[0].miss == ""
