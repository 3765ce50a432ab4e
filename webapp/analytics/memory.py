"""What a process remembers between two questions: answers for a while, and how many a workspace is asking right now.

Bounded, per process, and forgotten with it. Keys hold the workspace, so that no answer is ever found for another.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from webapp.analytics.answers import PipeRefused

AT_ONCE = 4  # questions of one workspace
WAIT = 5.0  # seconds until the fifth is refused
MOST = 512  # answers that are kept

T = TypeVar("T")


@dataclass
class Answers(Generic[T]):
    """The newest `most` answers, each with the moment it was made. `clock` is seconds of any origin."""

    most: int = MOST
    clock: Callable[[], float] = time.monotonic
    _kept: OrderedDict[Hashable, tuple[float, T]] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def fresh(self, key: Hashable, seconds: float) -> T | None:
        """What was kept under the key less than `seconds` ago."""
        with self._lock:
            if key not in self._kept:
                return None
            made, answer = self._kept[key]
            if self.clock() - made >= seconds:
                del self._kept[key]
                return None
            self._kept.move_to_end(key)
            return answer

    def keep(self, key: Hashable, answer: T) -> None:
        with self._lock:
            self._kept[key] = (self.clock(), answer)
            self._kept.move_to_end(key)
            while len(self._kept) > self.most:
                self._kept.popitem(last=False)

    def clear(self) -> None:
        with self._lock:
            self._kept.clear()


@dataclass
class Gate:
    """Lets `at_once` questions of a workspace through at a time. The others wait a little, then are refused."""

    at_once: int = AT_ONCE
    wait: float = WAIT
    _asking: dict[uuid.UUID, int] = field(default_factory=dict)
    _changed: threading.Condition = field(default_factory=threading.Condition)

    @contextmanager
    def through(self, workspace_id: uuid.UUID) -> Iterator[None]:
        """Raises PipeRefused."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._asking.get(workspace_id, 0) < self.at_once, self.wait):
                raise PipeRefused(
                    f"{self.at_once} questions of this workspace are being answered already.",
                    "Ask again in a few seconds, or fewer at once.",
                    status=429,
                )
            self._asking[workspace_id] = self._asking.get(workspace_id, 0) + 1
        try:
            yield
        finally:
            self._leave(workspace_id)

    def _leave(self, workspace_id: uuid.UUID) -> None:
        with self._changed:
            self._asking[workspace_id] -= 1
            if not self._asking[workspace_id]:
                del self._asking[workspace_id]
            self._changed.notify_all()
