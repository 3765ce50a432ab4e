"""The numbered log of live turns: kept in memory where a turn runs, in PostgreSQL for everybody else.

Numbering. Events of a turn are numbered 1, 2, 3 ... in the order in which its one writer stores them. A reader never
counts: it looks at the fold of everything up to now, and asks again when the fold has changed. So joining late, joining
again and joining from another process are the same thing, and nothing can come twice.

Ticks. A turn that hears something marks itself dirty; the process's one ticker wakes the readers of all dirty turns
together (20 times a second, 10 when many are watched) and stores what is new in one INSERT and one NOTIFY (10 times a
second). The first visible words of a turn do not wait for the tick. NOTIFY takes a database-wide lock at commit, hence
one a tick, never one a row.

Mirrors. A process that is asked for a turn of another process reads its stored events into a mirror, and reads on
whenever NOTIFY (or, should that be lost, the one-second poll) says that there is news.

Waiting turns. A turn that waits for a person belongs to no process. Its writer lets go of it (`let_go`: what it said is
stored in the transaction that makes it wait) and its readers here go on with the same LiveTurn, as a mirror. Whoever
goes on with the turn takes it up again (`take_up`), from the stored events and, if somebody here watches, with that
mirror. So a reader keeps its connection, and never sees a turn wait before everything it said is stored.
"""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import gevent
from gevent.event import Event as Bell
from gevent.lock import BoundedSemaphore
from sqlalchemy import text

from webapp.chat import transcript
from webapp.chat.events import Ended, Heard, Pending, TurnEvent, TurnState, to_json, worth_storing
from webapp.chat.fold import TurnFold
from webapp.chat.seats import Seats
from webapp.chat.transcript import News, TurnRef
from webapp.db import UNAVAILABLE, UNSTORABLE, Database, Session
from webapp.llm.events import TextDelta, ThinkingDelta

logger = logging.getLogger(__name__)

TICK = 0.05  # seconds between wake-ups of readers
SLOW_TICK = 0.1  # with more than MANY watched turns
MANY = 20
STORE_EVERY = 0.1  # seconds between stores
POLL = 1.0  # seconds after which a mirror looks by itself
BUFFER_SECONDS = 60  # how long events are held while the database is away

INSERT = text("""
    insert into turn_events (turn_id, seq, body)
    select v.turn_id, v.seq, v.body::jsonb
    from unnest(cast(:turns as uuid[]), cast(:epochs as int[]), cast(:seqs as int[]), cast(:bodies as text[]))
         as v(turn_id, epoch, seq, body)
    join chat_turns t on t.id = v.turn_id and t.epoch = v.epoch and t.owner = :owner
    on conflict do nothing
""")


@dataclass(eq=False)
class LiveTurn:
    """A turn as this process knows it: its fold, and the bell that rings when the fold has changed."""

    id: uuid.UUID
    ref: TurnRef | None  # None: a mirror of another process's turn
    fold: TurnFold = field(default_factory=TurnFold)
    version: int = 0
    stored: int = 0  # number of the last event that is stored (writer) or read (mirror)
    readers: int = 0
    ended: bool = False
    news: News | None = None  # of a mirror: how the turn stands in the database
    loaded: bool = False  # a mirror: what was stored before it came has been read
    pending: Pending = field(default_factory=Pending)
    frames: Any = None  # what the page layer keeps for its readers; it goes when the turn goes
    _bell: Bell = field(default_factory=Bell)
    _spoken: bool = False

    @property
    def waiting(self) -> bool:
        """Whether it waits for a person, and all that it said is stored."""
        return self.ref is None and self.news is not None and self.news.state is TurnState.WAITING

    def stands(self, news: News) -> None:
        if news != self.news:
            self.news = news
            self.version += 1

    def apply(self, event: TurnEvent) -> None:
        self.fold.apply(event)
        self.version += 1
        if isinstance(event, Ended):
            self.ring()
        elif isinstance(event, Heard) and isinstance(event.event, TextDelta | ThinkingDelta) and not self._spoken:
            self._spoken = True
            self.ring()

    def ring(self) -> None:
        bell, self._bell = self._bell, Bell()
        bell.set()

    def wait(self, seen: int, timeout: float) -> None:
        """Return at the next ring, or after `timeout` seconds. What is newer than version `seen` waits at most a tick,
        so that a reader who was busy while the bell rang misses nothing and still sends no more than a frame a tick."""
        if not self.ended:
            self._bell.wait(TICK if self.version != seen else timeout)

    def close(self) -> None:
        self.ended = True
        self.version += 1
        self.ring()


class TurnLog:
    """The live turns of this process, and mirrors of others that somebody here watches."""

    def __init__(self, database: Database, owner: str) -> None:
        self.owner = owner
        self.draining = False
        self.seats = Seats()
        self._database = database
        self._own: dict[uuid.UUID, LiveTurn] = {}
        self._mirrors: dict[uuid.UUID, LiveTurn] = {}
        self._dirty: set[uuid.UUID] = set()
        self._news = Bell()
        self._storing = BoundedSemaphore()  # one at a time: a turn's numbers follow from what is stored of it

    # writing

    def open(self, ref: TurnRef) -> LiveTurn:
        """Begin the log of a turn that this process runs."""
        live = self._own[ref.id] = LiveTurn(ref.id, ref)
        return live

    def let_go(self, live: LiveTurn, park: Callable[[Session], bool]) -> bool:
        """Store what is pending together with what `park` does, in one transaction, and be the turn's writer no longer.
        False if `park` would not: then it stays ours. Raises what the database raises; nothing is lost by it."""
        with self._storing:
            events = live.pending.take()
            try:
                with self._database.begin() as db:
                    self._insert(db, [(live, events)])
                    parked = park(db)
            except UNAVAILABLE:
                live.pending.put_back(events)
                raise
            live.stored += len(events)
        if parked:
            self._become_mirror(live)
        return parked

    def _become_mirror(self, live: LiveTurn) -> None:
        self._own.pop(live.id, None)
        self._dirty.discard(live.id)
        live.ref, live.loaded = None, True
        live.stands(News(TurnState.WAITING))
        if live.readers:
            self._mirrors[live.id] = live
        live.ring()

    def take_up(self, ref: TurnRef, events: Sequence[tuple[int, TurnEvent]]) -> LiveTurn:
        """Go on writing a turn that waited: `events` is all that is stored of it."""
        live = self._mirrors.pop(ref.id, None) or LiveTurn(ref.id, None)
        self._read(live, events)
        live.ref, live.loaded = ref, True
        self._own[ref.id] = live
        self._dirty.add(ref.id)
        live.version += 1
        return live

    def append(self, live: LiveTurn, event: TurnEvent) -> None:
        """Number and fold one event; it is stored with the next tick."""
        if not worth_storing(event):
            return
        live.apply(event)
        if not isinstance(event, Ended):  # the end is stored with the messages, in one transaction
            live.pending.add(event)
        self._dirty.add(live.id)

    def close(self, live: LiveTurn) -> None:
        """The turn has ended and its messages are stored: readers turn to those."""
        live.close()
        self._own.pop(live.id, None)
        self._dirty.discard(live.id)

    # reading

    @contextmanager
    def watch(self, turn_id: uuid.UUID) -> Iterator[LiveTurn]:
        """The turn as it is and as it goes on, wherever it runs. An ended turn comes back as ended."""
        live = self._own.get(turn_id) or self._mirrors.setdefault(turn_id, LiveTurn(turn_id, None))
        live.readers += 1
        try:
            if live.ref is None and not live.loaded:
                self._read_on([live])
            yield live
        finally:
            live.readers -= 1
            if live.readers == 0 and self._mirrors.get(turn_id) is live:
                del self._mirrors[turn_id]

    def live(self) -> list[LiveTurn]:
        return [*self._own.values(), *self._mirrors.values()]

    def watched(self) -> int:
        return sum(1 for live in self.live() if live.readers)

    def _read_on(self, mirrors: Sequence[LiveTurn]) -> None:
        with self._database.begin() as db:
            found = transcript.news_of(db, [m.id for m in mirrors])
            for mirror in mirrors:
                self._read(mirror, transcript.events_of(db, mirror.id, mirror.stored))
        for mirror in mirrors:
            if mirror.ref is not None:  # this process took it up in the meantime
                continue
            news = found.get(mirror.id)
            if news is None or not news.state.live:
                mirror.close()
            else:
                mirror.stands(news)
            mirror.ring()

    def _read(self, mirror: LiveTurn, events: Sequence[tuple[int, TurnEvent]]) -> None:
        if mirror.ref is not None:
            return
        for seq, event in events:
            if seq > mirror.stored:  # another greenlet may have read on in the meantime
                mirror.stored = seq
                mirror.apply(event)
        mirror.loaded = True

    # the process's greenlets; the runner starts them

    def news(self) -> None:
        """Some turn somewhere has news."""
        self._news.set()

    def tick_forever(self) -> None:
        """Wake readers, for ever."""
        while True:
            gevent.sleep(SLOW_TICK if self.watched() > MANY else TICK)
            self._wake()

    def store_forever(self) -> None:
        """Store events, for ever. Apart from the ticker: a database that hangs must not silence readers."""
        while True:
            gevent.sleep(STORE_EVERY)
            self.store()

    def mirror_forever(self) -> None:
        """Keep the mirrors up to date, for ever."""
        while True:
            self._news.wait(POLL)
            self._news.clear()
            mirrors = [m for m in self._mirrors.values() if not m.ended]
            if mirrors:
                self.follow(mirrors)
                gevent.sleep(TICK)

    def follow(self, mirrors: Sequence[LiveTurn]) -> None:
        """Read on. What one of them cannot read, as events of a newer release in the middle of a deploy, keeps no other
        waiting: it is closed, and its readers turn to the page."""
        try:
            self._read_on(mirrors)
        except UNAVAILABLE:
            logger.warning("mirrors wait: the database does not answer")
        except transcript.UNREADABLE:
            if len(mirrors) == 1:
                logger.exception("events of turn %s cannot be read", mirrors[0].id)
                mirrors[0].close()
                return
            for mirror in mirrors:
                self.follow([mirror])

    def _wake(self) -> None:
        for turn_id in tuple(self._dirty):
            live = self._own.get(turn_id)
            if live is None:
                self._dirty.discard(turn_id)
                continue
            live.ring()
            if not live.pending:
                self._dirty.discard(turn_id)

    def store(self) -> None:
        """Store what is pending of every turn of this process. On failure it stays pending until the next tick."""
        with self._storing:
            self._store()

    def _store(self) -> None:
        batch = [(live, live.pending.take()) for live in self._own.values() if live.pending and live.ref]
        if not batch:
            return
        try:
            self._store_batch(batch)
        except UNSTORABLE:
            self._insert_one_by_one(batch)
        except UNAVAILABLE:
            logger.warning("turn events wait: the database does not answer")
            for live, events in batch:
                live.pending.put_back(events)

    def _insert_one_by_one(self, batch: Sequence[tuple[LiveTurn, list[TurnEvent]]]) -> None:
        """Something PostgreSQL cannot hold slipped into one turn's events: the other turns must not wait for it."""
        for live, events in batch:
            try:
                self._store_batch([(live, events)])
            except UNSTORABLE:
                logger.exception("events of turn %s cannot be stored", live.id)
            except UNAVAILABLE:
                live.pending.put_back(events)

    def _store_batch(self, batch: Sequence[tuple[LiveTurn, list[TurnEvent]]]) -> None:
        with self._database.begin() as db:
            db.execute(text("set local synchronous_commit = off"))
            self._insert(db, batch)
            transcript.tell(db)
        for live, events in batch:
            live.stored += len(events)

    def _insert(self, db: Session, batch: Sequence[tuple[LiveTurn, list[TurnEvent]]]) -> None:
        turns: list[uuid.UUID] = []
        epochs: list[int] = []
        seqs: list[int] = []
        bodies: list[str] = []
        for live, events in batch:
            assert live.ref is not None
            for offset, event in enumerate(events, start=1):
                turns.append(live.id)
                epochs.append(live.ref.epoch)
                seqs.append(live.stored + offset)
                bodies.append(json.dumps(to_json(event)))
        db.execute(INSERT, {"turns": turns, "epochs": epochs, "seqs": seqs, "bodies": bodies, "owner": self.owner})
