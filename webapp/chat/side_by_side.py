"""Tool calls at the same time: a few greenlets, each with a limit of time. What a call is: turn.py."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import gevent
from gevent.lock import BoundedSemaphore
from gevent.queue import SimpleQueue

from webapp.chat.turn import TOOL_SECONDS, Act, Step

AT_ONCE = 6  # calls of one turn; each may hold a database connection


def run(acts: Sequence[Act], seconds: float = TOOL_SECONDS) -> Iterator[Step]:
    """What happens to the calls, as it happens. Whoever stops listening (a turn that is cut) stops them all."""
    news: SimpleQueue = SimpleQueue()
    slots = BoundedSemaphore(AT_ONCE)
    running = [gevent.spawn(_one, number, act, seconds, slots, news) for number, act in enumerate(acts)]
    try:
        for _ in range(2 * len(acts)):
            yield news.get()
    finally:
        gevent.killall(running, block=False)


def _one(number: int, act: Act, seconds: float, slots: BoundedSemaphore, news: SimpleQueue) -> None:
    with slots:
        news.put(Step(number))
        done = None
        with gevent.Timeout(seconds, False):
            done = act()
        news.put(Step(number, done, late=done is None))
