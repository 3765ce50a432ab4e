"""Runner: the greenlets of a worker process that run turns, keep their leases, and end what others left behind.

What reaches a running turn from outside, on any worker of any host: Stop and Disconnect. Both are written to the
database and told by NOTIFY; should that be lost, the lease renewal finds them within KEEP seconds. Both kill the
turn's greenlet, which closes the provider's connection on its way out, and what was heard is kept.

A turn that waits for a person has no greenlet at all (approvals.py). What a person approved is carried out in a
greenlet here; whatever of that a dying process leaves undone, the KEEP loop of any other one finds.
"""

from __future__ import annotations

import logging
import os
import socket
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import gevent
import psycopg
from gevent.greenlet import Greenlet

from webapp.ads import changes
from webapp.ads.platform import Platforms
from webapp.chat import approvals, transcript
from webapp.chat.answering import Answering
from webapp.chat.approvals import GoesOn
from webapp.chat.events import Cause, Ended, Trouble, TurnState
from webapp.chat.job import Cut, Job, interrupted, revoked, stopped
from webapp.chat.log import BUFFER_SECONDS, LiveTurn, TurnLog
from webapp.db import UNAVAILABLE, UNSTORABLE, Database
from webapp.llm.providers import Provider, at

logger = logging.getLogger(__name__)

KEEP = 2.0  # seconds between lease renewals; a lease is transcript.LEASE, and both together end a dead turn in 15
REAPED_AT_ONCE = 100
SLICE = 0.01  # seconds of hearing after which others get their turn: a fast provider must not hold the process
SWEEP = 300.0
CHANNELS = ("turn_news", "turn_control")


@dataclass(frozen=True)
class Running:
    """The greenlet that hears the provider and may be cut. Another waits for it and stores the end."""

    hearing: Greenlet
    key_id: uuid.UUID


def owner_name() -> str:
    """This process, told apart from every other one and from an earlier one with the same pid."""
    return f"{socket.gethostname()[:40]}:{os.getpid()}:{uuid.uuid4().hex[:8]}"


class Runner:
    """Runs turns in this process. `start()` once per worker, after the fork."""

    def __init__(
        self,
        database: Database,
        keeping: Database,
        providers: Mapping[str, Provider],
        log: TurnLog,
        platforms: Platforms,
        answering: Answering,
    ) -> None:
        self._database = database
        self._keeping = keeping  # a pool of its own: under load pages wait for a connection, leases must not
        self._providers = providers
        self._log = log
        self._platforms = platforms
        self._answering = answering
        self._running: dict[uuid.UUID, Running] = {}
        self._whole: set[Greenlet] = set()  # until their ends are stored
        self._unfinished: set[uuid.UUID] = set()  # likewise, by turn
        self._again: list[tuple[float, Callable[[], object]]] = []  # seconds, what to do
        self._started = False

    @property
    def owner(self) -> str:
        return self._log.owner

    def start(self) -> None:
        """Spawn the process's greenlets: ticker, mirrors, listener, leases, reaper. More than once is once."""
        if self._started:
            return
        self._started = True
        for forever in (
            self._log.tick_forever,
            self._log.store_forever,
            self._log.mirror_forever,
            self._listen_forever,
            self._keep_forever,
        ):
            gevent.spawn(forever)
        for seconds, work in self._again:
            gevent.spawn(self._repeat_forever, seconds, work)

    def in_background(self, work: Callable[..., object], *args: object) -> None:
        """Run it in a greenlet of its own: it outlives the request that asked for it, not the process."""
        gevent.spawn(work, *args)

    def every(self, seconds: float, work: Callable[[], object]) -> None:
        """Run it again and again, in each worker process, from `seconds` after start() on. Said before start()."""
        self._again.append((seconds, work))

    # --- running a turn ---

    def submit(self, job: Job) -> None:
        """Run the turn in a greenlet of its own."""
        self._run(job, self._log.open(job.ref))

    def _run(self, job: Job, live: LiveTurn) -> None:
        self._unfinished.add(job.ref.id)
        hearing = gevent.spawn(self._hear, job, live)
        self._running[job.ref.id] = Running(hearing, job.key.id)
        self._spawn(self._see_through, job, live, hearing)

    def _spawn(self, work: Callable[..., None], *args: object) -> None:
        """In a greenlet that a drain waits for."""
        whole = gevent.spawn(work, *args)
        self._whole.add(whole)
        whole.link(self._whole.discard)

    def _see_through(self, job: Job, live: LiveTurn, hearing: Greenlet) -> None:
        hearing.join()
        self._running.pop(job.ref.id, None)
        if isinstance(hearing.value, Cut):
            self._log.append(live, hearing.value.end)
        if live.fold.state is TurnState.WAITING and self._park(job, live):
            self._unfinished.discard(job.ref.id)
            self.move_on()  # somebody may have decided before it waited
            return
        self._finish(job, live)
        self._unfinished.discard(job.ref.id)

    def _hear(self, job: Job, live: LiveTurn) -> None:
        try:
            with gevent.Timeout(self._answering.turn_timeout, Cut(TurnState.FAILED, Trouble(Cause.TOO_LONG))):
                since = time.perf_counter()
                for event in self._answering.events(job, live):
                    self._log.append(live, event)
                    if time.perf_counter() - since > SLICE:
                        gevent.sleep(0)
                        since = time.perf_counter()
        except Exception:  # the other of the two: a defect ends this turn and says so
            logger.exception("turn %s failed", job.ref.id)
            self._log.append(live, Ended(TurnState.FAILED, Trouble(Cause.INTERNAL)))

    def _park(self, job: Job, live: LiveTurn) -> bool:
        """Let go of a turn that waits. False if it has to end instead: it was stopped, or could not be stored."""
        for _ in range(BUFFER_SECONDS):
            try:
                if self._log.let_go(live, partial(approvals.park, ref=job.ref, calls=live.fold.calls())):
                    return True
                self._log.append(live, stopped().end)
                return False
            except UNSTORABLE:
                break
            except UNAVAILABLE:
                logger.warning("turn %s cannot wait yet: the database does not answer", job.ref.id)
                gevent.sleep(1)
        self._log.append(live, Ended(TurnState.FAILED, Trouble(Cause.INTERNAL)))
        return False

    def _finish(self, job: Job, live: LiveTurn) -> None:
        """Store the end. While the database is away it is tried again, as long as the log holds its events."""
        for _ in range(BUFFER_SECONDS):
            try:
                with self._keeping.begin() as db:
                    transcript.finish(db, job.ref, live.fold)
                break
            except UNSTORABLE:
                logger.exception("turn %s said something that cannot be stored", job.ref.id)
                live.fold = live.fold.unsaid(Ended(TurnState.FAILED, Trouble(Cause.INTERNAL)))
            except UNAVAILABLE:
                logger.warning("the end of turn %s waits: the database does not answer", job.ref.id)
                gevent.sleep(1)
        self._log.close(live)

    # --- turns that wait, and what was approved ---

    def carry_out(self, plan_id: uuid.UUID) -> None:
        """A plan was approved: do it in the background, then let its turn go on. Twice is once (ads/changes)."""
        self._spawn(self._carry_out, plan_id)

    def _carry_out(self, plan_id: uuid.UUID) -> None:
        changes.carry_out(self._database, self._platforms, plan_id, self.owner)
        self._move_on()

    def move_on(self) -> None:
        """A plan was settled, or a waiting turn stopped: let go on, or end, every turn whose wait is over."""
        self._spawn(self._move_on)

    def _move_on(self) -> None:
        for _ in range(REAPED_AT_ONCE):
            if self._log.draining:  # others do it
                return
            with self._keeping.begin() as db:
                moved = approvals.move_on(db, self.owner)
            if moved is None:
                return
            if isinstance(moved, GoesOn):
                self._resume(moved)

    def _resume(self, on: GoesOn) -> None:
        provider = at(self._providers[on.provider], on.key.base_url)
        job = Job(on.scope, on.ref, provider, on.model, on.key, on.surface)
        self._run(job, self._log.take_up(on.ref, on.events))

    def _settle(self) -> None:
        """What nobody clicked in time, and what a process left undone."""
        with self._keeping.begin() as db:
            changes.expire(db)
            undone = changes.abandoned(db)
        for plan_id in undone:
            logger.warning("plan %s is carried out again: its process is gone", plan_id)
            self.carry_out(plan_id)
        self._move_on()

    # --- what reaches a turn from outside ---

    def stop(self, turn_id: uuid.UUID) -> None:
        """A person pressed Stop. Nothing happens if the turn does not run here."""
        self._cut(turn_id, stopped())

    def cut_key(self, key_id: uuid.UUID) -> None:
        """The key was disconnected: every turn on it ends now."""
        for turn_id, running in list(self._running.items()):
            if running.key_id == key_id:
                self._cut(turn_id, revoked())

    def _cut(self, turn_id: uuid.UUID, why: Cut) -> None:
        running = self._running.get(turn_id)
        if running is not None:
            running.hearing.kill(why, block=False)

    def drain(self, deadline: float) -> None:
        """Let readers go, wait until the turns here have ended; after `deadline` seconds interrupt the rest."""
        self._log.draining = True
        for live in list(self._log.live()):
            live.ring()
        until = time.monotonic() + deadline
        while self._whole and (left := until - time.monotonic()) > 0:  # a last request may still bring a turn
            gevent.joinall(list(self._whole), timeout=left)
        for turn_id in list(self._running):
            self._cut(turn_id, interrupted())
        gevent.joinall(list(self._whole), timeout=3)

    # --- the process's greenlets ---

    def _listen_forever(self) -> None:
        while True:
            try:
                with self._keeping.listen() as connection:
                    for channel in CHANNELS:
                        connection.execute(f"listen {channel}")
                    self._log.news()
                    for note in connection.notifies():
                        self._heed(note.channel, note.payload)
            except psycopg.Error:
                logger.warning("the listener lost the database; it tries again")
            gevent.sleep(1)

    def _heed(self, channel: str, payload: str) -> None:
        if channel == "turn_news":
            self._log.news()
            return
        what, _, value = payload.partition(":")
        if what == "stop":
            self.stop(uuid.UUID(value))
        elif what == "key":
            self.cut_key(uuid.UUID(value))

    def _keep_forever(self) -> None:
        """Renew our leases, then end what others left behind, every KEEP seconds.

        After an outage of the database, or of this process, every lease looks expired. So nothing is reaped before the
        database has answered for a whole LEASE: until then every owner that lives has renewed. A process that has just
        begun waits for half of one: whoever started it may be looking at what the one before left behind.
        """
        swept = last = time.monotonic()
        answered = last - transcript.LEASE / 2
        while True:
            now = time.monotonic()
            if now - last > 2 * KEEP:
                answered = now
            last = now
            try:
                self._renew()
                if now - answered >= transcript.LEASE:
                    self._reap()
                self._settle()
                if now - swept >= SWEEP:
                    swept = now
                    self._sweep()
            except UNAVAILABLE:
                logger.warning("leases wait: the database does not answer")
                answered = time.monotonic() + KEEP
            gevent.sleep(KEEP)

    def _repeat_forever(self, seconds: float, work: Callable[[], object]) -> None:
        while True:
            gevent.sleep(seconds)
            try:
                work()
            except UNAVAILABLE:
                logger.warning("%s waits: the database does not answer", work)

    def _renew(self) -> None:
        believed = set(self._unfinished)
        if not believed:
            return
        with self._keeping.begin() as db:
            held = transcript.renew(db, self.owner, believed)
        self._heed_leases(believed, held)

    def _reap(self) -> None:
        for _ in range(REAPED_AT_ONCE):
            with self._keeping.begin() as db:
                turn_id = transcript.reap(db)
            if turn_id is None:
                return
            logger.warning("turn %s was interrupted: its worker is gone", turn_id)

    def _sweep(self) -> None:
        with self._keeping.begin() as db:
            transcript.sweep_log(db)

    def _heed_leases(self, believed: set[uuid.UUID], held: list[transcript.Held]) -> None:
        for lease in held:
            if lease.stop:
                self._cut(lease.turn_id, stopped())
            elif lease.revoked:
                self._cut(lease.turn_id, revoked())
        for turn_id in believed - {lease.turn_id for lease in held}:
            self._cut(turn_id, interrupted())  # taken over: our writes are fenced, so just let go
