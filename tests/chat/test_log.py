"""The turn log: a writer in one process, mirrors in another; nothing twice, nothing lost, nobody left behind."""

from __future__ import annotations

import uuid

import pytest

from tests.chat.conftest import Somebody
from webapp.chat import transcript
from webapp.chat.events import Asked, Ended, Heard, TurnState
from webapp.chat.log import LiveTurn, TurnLog
from webapp.chat.transcript import Asking, TurnRef
from webapp.db import Database
from webapp.llm.events import BlockStart, Start, TextDelta


@pytest.fixture
def ref(database: Database, alice: Somebody) -> TurnRef:
    with database.begin() as db:
        asking = Asking(uuid.uuid4(), "Why?", "anthropic", "m", "M", alice.key.id, "Acme")
        return transcript.open_turn(alice.scope, db, None, asking, "w1")[0]


@pytest.fixture
def here(database: Database) -> TurnLog:
    return TurnLog(database, "w1")


@pytest.fixture
def elsewhere(database: Database) -> TurnLog:
    return TurnLog(database, "w2")


def speak(log: TurnLog, live: LiveTurn, *words: str) -> None:
    if not live.version:
        for event in (Asked("anthropic_messages", "m"), Heard(Start("m")), Heard(BlockStart(0, "text"))):
            log.append(live, event)
    for word in words:
        log.append(live, Heard(TextDelta(0, word)))


def text_of(live: LiveTurn) -> str:
    return "".join(block.text for block in live.fold.blocks())


def begin(database: Database, ref: TurnRef) -> None:
    with database.begin() as db:
        assert transcript.begin(db, ref, None, "Acme")


def test_a_reader_in_the_same_process_needs_no_database(here: TurnLog, ref: TurnRef) -> None:
    live = here.open(ref)
    speak(here, live, "once", " only")
    with here.watch(ref.id) as seen:
        assert seen is live
        assert text_of(seen) == "once only"


def test_a_mirror_has_what_was_stored_and_reads_on(
    database: Database, here: TurnLog, elsewhere: TurnLog, ref: TurnRef
) -> None:
    begin(database, ref)
    live = here.open(ref)
    speak(here, live, "once")
    here.store()
    with elsewhere.watch(ref.id) as mirror:
        assert text_of(mirror) == "once"
        speak(here, live, " only")
        here.store()
        elsewhere._read_on([mirror])
        elsewhere._read_on([mirror])
        assert text_of(mirror) == "once only"
        assert not mirror.ended


def test_a_reader_who_leaves_takes_nobody_elses_mirror(
    database: Database, here: TurnLog, elsewhere: TurnLog, ref: TurnRef
) -> None:
    begin(database, ref)
    here.open(ref)
    with elsewhere.watch(ref.id) as first:
        with elsewhere.watch(ref.id) as second:
            assert second is first
        assert elsewhere.live() == [first]
    assert elsewhere.live() == []


def test_a_mirror_learns_of_the_end(database: Database, here: TurnLog, elsewhere: TurnLog, ref: TurnRef) -> None:
    begin(database, ref)
    live = here.open(ref)
    speak(here, live, "once")
    with elsewhere.watch(ref.id) as mirror:
        here.append(live, Ended(TurnState.DONE))
        with database.begin() as db:
            transcript.finish(db, ref, live.fold)
        here.close(live)
        elsewhere._read_on([mirror])
        assert mirror.ended
    assert live.ended


def test_events_of_a_newer_release_keep_no_other_mirror_waiting(
    database: Database, here: TurnLog, elsewhere: TurnLog, ref: TurnRef, alice: Somebody
) -> None:
    with database.begin() as db:
        asking = Asking(uuid.uuid4(), "And?", "anthropic", "m", "M", alice.key.id, "Acme")
        other, _ = transcript.open_turn(alice.scope, db, None, asking, "w1")
    begin(database, ref)
    begin(database, other)
    live = here.open(other)
    with elsewhere.watch(ref.id) as strange, elsewhere.watch(other.id) as plain:
        speak(here, live, "once")
        here.store()
        row = 'insert into turn_events (turn_id, seq, body) values (%s, 1, \'{"kind": "of a later day"}\')'
        with database.begin() as db:
            db.connection().exec_driver_sql(row, (ref.id,))
        elsewhere.follow([strange, plain])
        assert strange.ended
        assert (text_of(plain), plain.ended) == ("once", False)


def test_a_turn_that_was_taken_over_stores_nothing_more(database: Database, here: TurnLog, ref: TurnRef) -> None:
    begin(database, ref)
    live = here.open(ref)
    speak(here, live, "mine")
    here.store()
    with database.begin() as db:
        db.connection().exec_driver_sql("update chat_turns set epoch = epoch + 1")
    speak(here, live, " no more")
    here.store()
    with database.begin() as db:
        assert "no more" not in str(transcript.events_of(db, ref.id))


def test_events_wait_while_the_database_is_away(database_url: str, database: Database, ref: TurnRef) -> None:
    begin(database, ref)
    away = TurnLog(Database(database_url.replace("test_", "gone_")), "w1")
    live = away.open(ref)
    speak(away, live, "held")
    away.store()
    assert [e for e in live.pending.take() if isinstance(e, Heard) and e.event == TextDelta(0, "held")]


def test_literal_escapes_in_a_text_are_stored_as_they_are(database: Database, here: TurnLog, ref: TurnRef) -> None:
    begin(database, ref)
    live = here.open(ref)
    speak(here, live, "a JSON escape: \\u0000, a path: C:\\new")
    here.store()
    with database.begin() as db:
        (*_, (_, last)) = transcript.events_of(db, ref.id)
    assert last == Heard(TextDelta(0, "a JSON escape: \\u0000, a path: C:\\new"))
