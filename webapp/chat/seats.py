"""Who reads along: at most MOST live turns for one person in this process, of which the oldest gives way to the newest.

A browser follows one answer in each window that can be seen (hidden tabs let go of theirs): a dozen would be many. A
page that is loaded again and again takes a new seat each time, and the old one is noticed to be empty only when it is
written to: that is why the oldest one goes and not the newest. Who holds on to seats that were taken away (a reader
that does not read is cut by gunicorn.conf.py, a minute later) gets no more once there are twice as many.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

MOST = 25


@dataclass(eq=False)
class Seat:
    """`wake` makes its reader look whether the seat was taken away."""

    wake: Callable[[], None]
    taken: bool = False


class Seats:
    """Of all people, in this process."""

    def __init__(self) -> None:
        self._held: dict[uuid.UUID, list[Seat]] = {}

    @contextmanager
    def seat(self, person: uuid.UUID, wake: Callable[[], None]) -> Iterator[Seat]:
        """A seat for one stream of the person. It may come as taken."""
        held = self._held.setdefault(person, [])
        seat = Seat(wake, taken=len(held) >= 2 * MOST)
        held.append(seat)
        _make_room(held)
        try:
            yield seat
        finally:
            held.remove(seat)
            if not held:
                self._held.pop(person, None)


def _make_room(held: list[Seat]) -> None:
    sitting = [seat for seat in held if not seat.taken]
    for oldest in sitting[:-MOST]:
        oldest.taken = True
        oldest.wake()
