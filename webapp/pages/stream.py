"""From a live turn to the frames its readers get. No SQL, no routes (chat.py). How a frame is built: frames.py.

A reader first gets a snapshot (the answer as it is now, morphed into place), then only what changed, then the final
turn as any page shows it, without the connection. What changed is worked out once per turn and process and sent to all
its readers; a turn that nobody watches costs no rendering.

While a turn waits for a person nothing in it changes but the cards of its plans, and these hold what belongs to one
browser (the form's token). So a reader then gets the whole turn as their own page shows it, and again when a plan has
changed; the connection stays. Frames for all readers show a card only once its plan is settled.
"""

from __future__ import annotations

import html
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from flask import current_app

from webapp.ads.plans import PlanView
from webapp.chat.events import Retrying, TurnState
from webapp.chat.fold import BlockView
from webapp.chat.log import LiveTurn, TurnLog
from webapp.chat.seats import Seat
from webapp.llm.errors import explain
from webapp.pages import frames
from webapp.pages.markdown_stream import MarkdownStream, Patch

HEARTBEAT = 10.0  # seconds; proxies cut silent connections at 60 and more
KEPT = 256  # frames a slow reader may lag behind before it gets a snapshot instead


@dataclass(frozen=True)
class Looks:
    """How a reader of a turn sees it now, each asked when needed: whether they still may, the plans of its calls, the
    frame with the whole turn while it waits, and that after its end. `reader` is the person."""

    reader: uuid.UUID
    allowed: Callable[[], bool]
    plans: Callable[[], Mapping[str, PlanView]]
    waiting: Callable[[], bytes]
    final: Callable[[], bytes]


class Broadcast:
    """What the readers of one live turn are sent."""

    def __init__(self, live: LiveTurn, provider: str, plans: Callable[[], Mapping[str, PlanView]]) -> None:
        self._live = live
        self._provider = provider
        self._plans = plans
        self._turn = f"turn-{live.id}"
        self._text: dict[int, MarkdownStream] = {}
        self._seen: dict[int, BlockView] = {}
        self._status: str | None = None
        self._frames: deque[bytes] = deque(maxlen=KEPT)
        self.end = 0  # number of frames made so far
        self.version = -1

    def advance(self) -> None:
        """Make the frame that brings readers from the last version to the present one."""
        if self._live.version == self.version and not self.behind:
            return
        self.version = self._live.version
        partials = [*self._changes(), *self._status_change()]
        if partials:
            self._frames.append(frames.sse(*partials))
            self.end += 1

    @property
    def behind(self) -> bool:
        """Whether text that was heard waits to be rendered: a long open block is not rendered at every tick."""
        return any(stream.behind for stream in self._text.values())

    def since(self, number: int) -> list[bytes] | None:
        """The frames after the first `number` ones; None if some of them are no longer kept."""
        missing = self.end - number
        if missing > len(self._frames):
            return None
        return list(self._frames)[len(self._frames) - missing :] if missing else []

    def snapshot(self) -> bytes:
        """One frame that makes the answer what it is at `end`, whatever a reader had before."""
        blocks = "".join(self._whole(view) for view in self._seen.values())
        whole = frames.partial(f"{self._turn}-blocks", frames.GROW, blocks)
        status = frames.partial(f"{self._turn}-status", frames.REPLACE, self._status_html(self._status or ""))
        return frames.sse(whole, status)

    def _changes(self) -> Iterator[str]:
        for view in self._live.fold.blocks():
            known = self._seen.get(view.number)
            self._seen[view.number] = view
            if known is None:
                yield frames.partial(f"{self._turn}-blocks", frames.APPEND, self._opened(view))
            elif known != view or view.kind == "text":
                yield from self._grown(known, view)

    def _opened(self, view: BlockView) -> str:
        if view.kind == "text":
            self._text[view.number] = MarkdownStream(self._id(view))
            self._feed(replace(view, text="", open=True), view)
        return self._whole(view)

    def _grown(self, known: BlockView, view: BlockView) -> Iterator[str]:
        if view.kind == "text":
            for patch in self._feed(known, view):
                yield frames.partial(patch.target_id, patch.swap, patch.html)
        elif view.kind == "thinking" and view.open and view.text.startswith(known.text):
            yield frames.partial(
                f"{self._id(view)}-text", frames.APPEND, html.escape(view.text[len(known.text) :], quote=False)
            )
        else:
            yield frames.partial(self._id(view), frames.REPLACE, self._whole(view))

    def _feed(self, known: BlockView, view: BlockView) -> list[Patch]:
        stream = self._text[view.number]
        stream.feed(view.text[len(known.text) :])
        if view.open:
            return stream.patches(time.monotonic())
        return stream.close() if known.open else []

    def _whole(self, view: BlockView) -> str:
        shown = self._text[view.number].snapshot() if view.kind == "text" else None
        plans = {call: p for call, p in self._plans().items() if p.settled} if view.plan else {}
        return render("chat/_block.html", block=view, turn_id=self._live.id, live=True, shown=shown, plans=plans)

    def _status_change(self) -> Iterator[str]:
        status = self._says()
        if status != self._status:
            self._status = status
            yield frames.partial(f"{self._turn}-status", frames.REPLACE, self._status_html(status))

    def _status_html(self, status: str) -> str:
        return render("chat/_status.html", turn_id=self._live.id, status=status)

    def _says(self) -> str:
        return waiting_for(self._live.fold.state, self._live.fold.retrying, self._seen.values(), self._provider)

    def _id(self, view: BlockView) -> str:
        return f"block-{self._live.id}-{view.number}"


def waiting_for(state: TurnState, retrying: Retrying | None, blocks: object, provider: str) -> str:
    """The sentence under a live answer: what is being waited for; empty while words arrive."""
    if state is TurnState.WAITING:
        return ""  # the card says it
    if retrying is not None:
        why = explain(retrying.fault, provider).title
        return f"{why}. Trying again in {max(1, round(retrying.wait))} s (try {retrying.attempt + 1} of 3)."
    if not blocks:
        return f"Waiting for {provider}…"
    return ""


def broadcast_of(live: LiveTurn, provider: str, plans: Callable[[], Mapping[str, PlanView]]) -> Broadcast:
    """The one of this turn. It hangs on the turn, so that both go together. All its readers are one person: the author
    of the chat, whose plans these are."""
    if live.frames is None:
        live.frames = Broadcast(live, provider, plans)
    found: Broadcast = live.frames
    return found


def follow(log: TurnLog, turn_id: uuid.UUID, provider: str, looks: Looks) -> Iterator[bytes]:
    """The frames for one reader, from a snapshot to the final frame. A reader who may no longer see the turn, asked at
    each heartbeat, gets no more of it; nor does one whose seat somebody newer needs (seats.py). Ends early, without a
    final frame, when the worker drains."""
    yield frames.comment("open")
    with log.watch(turn_id) as live, log.seats.seat(looks.reader, live.ring) as seat:
        if not seat.taken:
            yield from _while_live(log, live, broadcast_of(live, provider, looks.plans), looks, seat)
        if live.ended:
            yield looks.final()
        elif seat.taken:
            yield crowded(turn_id)


def _while_live(log: TurnLog, live: LiveTurn, broadcast: Broadcast, looks: Looks, seat: Seat) -> Iterator[bytes]:
    broadcast.advance()
    sent, beat, whole = broadcast.end, time.monotonic(), -1
    if not live.waiting:
        yield broadcast.snapshot()
    while not (live.ended or log.draining or seat.taken):
        if live.waiting and whole != live.version:
            whole = live.version
            yield looks.waiting()
        live.wait(-1 if broadcast.behind else broadcast.version, HEARTBEAT)
        broadcast.advance()
        news = broadcast.since(sent)
        sent = broadcast.end
        if news is None:
            yield broadcast.snapshot()
        elif news:
            yield b"".join(news)
        if time.monotonic() - beat >= HEARTBEAT:
            beat = time.monotonic()
            if not looks.allowed():
                yield gone(live.id)
                return
            yield frames.comment("beat")


def gone(turn_id: uuid.UUID) -> bytes:
    """The last frame for whom there is nothing (more) to see: it takes the connection out of the page."""
    return frames.sse(frames.partial(f"turn-{turn_id}-live", frames.REMOVE))


def crowded(turn_id: uuid.UUID) -> bytes:
    """The last frame for who follows too much at once: the answer goes on, this page does not follow it any more."""
    status = frames.partial(f"turn-{turn_id}-status", frames.REPLACE, render("chat/_crowded.html", turn_id=turn_id))
    return frames.sse(status, frames.partial(f"turn-{turn_id}-live", frames.REMOVE))


def render(template: str, **context: object) -> str:
    """A fragment without the page's furniture: no context processors run for every frame."""
    return current_app.jinja_env.get_template(template).render(**context)
