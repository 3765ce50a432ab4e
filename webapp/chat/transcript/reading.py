"""Turns as they are read: by a page in every state, by whoever follows one, and by a provider as the history of the
next question. Nothing is written here."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import select

from webapp.accounts import Scope
from webapp.ads import changes
from webapp.ads.plans import PlanView
from webapp.chat.events import Trouble, TurnEvent, TurnState, from_json
from webapp.chat.fold import BlockView, blocks_of, fold
from webapp.chat.transcript import messages
from webapp.chat.transcript.keeping import mine, session
from webapp.chat.turn import LEFT_OUT
from webapp.db import Session
from webapp.db.models import ChatSession, ChatTurn, TurnEventRow
from webapp.errors import not_found
from webapp.llm.blocks import Context, Message, ToolResult, ToolUse
from webapp.llm.events import Notice
from webapp.usage import ledger
from webapp.usage.receipts import Entry
from webapp.vault import byok


@dataclass(frozen=True)
class TurnView:
    """A turn as a page shows it, in every state."""

    id: uuid.UUID
    session_id: uuid.UUID
    position: int
    state: TurnState
    question: str
    blocks: tuple[BlockView, ...]
    provider: str
    model: str  # the one that served, by the provider's id
    model_name: str  # the one that was asked for, by its display name
    key_label: str
    own_key: bool = False  # the author's own key paid, not the team's
    about: str = ""  # what the question is about, if it was asked from a page
    plans: tuple[PlanView, ...] = ()  # the changes that its tools proposed
    previous: uuid.UUID | None = None  # the turn before
    came_from: str = ""  # its provider, if it was another one
    finish: str = ""
    notices: tuple[Notice, ...] = ()
    trouble: Trouble | None = None
    entries: tuple[Entry, ...] = ()  # of the ledger, one a round
    created_at: datetime | None = None
    ended_at: datetime | None = None

    @property
    def live(self) -> bool:
        return self.state.live


def turns(scope: Scope, db: Session, session_id: uuid.UUID) -> list[TurnView]:
    """Every turn of the session, oldest first."""
    session(scope, db, session_id)
    rows = db.scalars(select(ChatTurn).where(ChatTurn.session_id == session_id).order_by(ChatTurn.position)).all()
    said = messages.by_turn(db, [row.id for row in rows])
    entries = ledger.of_turns(scope, db, [row.id for row in rows])
    own = byok.personal_among(scope, db, {row.byok_key_id for row in rows})
    views = [
        _turn_view(scope, db, row, said.get(row.id, []), last, entries.get(row.id, []))
        for row, last in zip(rows, [None, *rows], strict=False)
    ]
    return [replace(view, own_key=row.byok_key_id in own) for row, view in zip(rows, views, strict=True)]


def turn(scope: Scope, db: Session, turn_id: uuid.UUID) -> TurnView:
    """One turn. Raises the not-found UserError unless its session is the author's own, in this workspace."""
    query = select(ChatTurn).join(ChatSession).where(*mine(scope), ChatTurn.id == turn_id)
    row = db.scalars(query).one_or_none()
    if row is None:
        raise not_found()
    before = select(ChatTurn).where(ChatTurn.session_id == row.session_id, ChatTurn.position == row.position - 1)
    last = db.scalars(before).one_or_none() if row.position else None
    said, entries = messages.by_turn(db, [row.id]), ledger.of_turns(scope, db, [row.id])
    view = _turn_view(scope, db, row, said.get(row.id, []), last, entries.get(row.id, []))
    return replace(view, own_key=bool(byok.personal_among(scope, db, [row.byok_key_id])))


@dataclass(frozen=True)
class Standing:
    """Enough of a turn to follow it."""

    state: TurnState
    provider: str


def standing(scope: Scope, db: Session, turn_id: uuid.UUID) -> Standing | None:
    """None unless the turn's session is the author's own, in this workspace."""
    query = select(ChatTurn.state, ChatTurn.provider).join(ChatSession).where(*mine(scope), ChatTurn.id == turn_id)
    row = db.execute(query).one_or_none()
    return Standing(TurnState(row.state), row.provider) if row else None


def _turn_view(
    scope: Scope,
    db: Session,
    row: ChatTurn,
    said: Sequence[Message],
    last: ChatTurn | None,
    entries: Sequence[Entry],
) -> TurnView:
    """A turn that still runs has no messages yet but its question: what it has said so far is in the log."""
    said_something = row.state in (TurnState.RUNNING, TurnState.WAITING)
    live = fold([event for _, event in events_of(db, row.id)]) if said_something else None
    blocks = live.blocks() if live else blocks_of(said[1:])
    return TurnView(
        id=row.id,
        session_id=row.session_id,
        position=row.position,
        state=TurnState(row.state),
        question=said[0].text() if said else "",
        blocks=blocks,
        provider=row.provider,
        model=row.model_served or row.model,
        model_name=row.model_name or row.model,
        key_label=row.key_label,
        about=_about(said),
        plans=plans_of(scope, db, row.id) if any(b.kind == "tool_use" for b in blocks) else (),
        previous=last.id if last else None,
        came_from=last.provider if last and last.provider != row.provider else "",
        finish=row.finish,
        notices=tuple(Notice(**n) for n in row.notices),
        trouble=Trouble.from_json(row.error) if row.error else None,
        entries=tuple(entries),
        created_at=row.created_at,
        ended_at=row.ended_at,
    )


def _about(said: Sequence[Message]) -> str:
    return next((b.label for m in said[:1] for b in m.blocks if isinstance(b, Context)), "")


def plans_of(scope: Scope, db: Session, turn_id: uuid.UUID) -> tuple[PlanView, ...]:
    return tuple(changes.of_turn(scope, db, turn_id))


@dataclass(frozen=True)
class History:
    """What a turn is asked with: the earlier messages and its question; and what providers refused (turn.LEFT_OUT)."""

    messages: tuple[Message, ...]
    refused: frozenset[str]


def history(scope: Scope, db: Session, turn_id: uuid.UUID) -> History:
    """The conversation up to and including the question of `turn_id`. A failed turn that said nothing is left out."""
    place = select(ChatTurn.session_id).where(ChatTurn.id == turn_id).scalar_subquery()
    query = select(ChatTurn).join(ChatSession).where(*mine(scope), ChatSession.id == place).order_by(ChatTurn.position)
    rows = db.scalars(query).all()
    if not rows:
        raise not_found()
    said = messages.by_turn(db, [row.id for row in rows])
    kept = [row for row in rows if row.id == turn_id or len(said.get(row.id, [])) > 1]
    refused = frozenset(n["kind"] for row in rows for n in row.notices if n["kind"] in LEFT_OUT)
    conversation = [m for row in kept for m in _with_outcomes(scope, db, row.id, said.get(row.id, []))]
    return History(tuple(conversation), refused)


def _with_outcomes(scope: Scope, db: Session, turn_id: uuid.UUID, said: Sequence[Message]) -> list[Message]:
    """The messages of a turn; a call that it did not live to answer is answered by the plan that the call proposed."""
    answered = {b.tool_use_id for m in said for b in m.blocks if isinstance(b, ToolResult)}
    open_calls = {b.id for m in said for b in m.blocks if isinstance(b, ToolUse)} - answered
    plans = plans_of(scope, db, turn_id) if open_calls else ()
    results = tuple(outcome_of(plan) for plan in plans if plan.tool_use_id in open_calls)
    return [*said, Message("user", results)] if results else list(said)


def outcome_of(plan: PlanView) -> ToolResult:
    """What became of a plan, as the result of the call that proposed it."""
    if not plan.settled:
        return ToolResult(
            plan.tool_use_id, "A person approved it. It is being carried out; the outcome is not known yet."
        )
    return ToolResult(plan.tool_use_id, changes.outcome(plan), is_error=plan.status not in ("finished", "preview"))


def events_of(db: Session, turn_id: uuid.UUID, after: int = 0) -> list[tuple[int, TurnEvent]]:
    """The stored events of a turn numbered above `after`."""
    query = (
        select(TurnEventRow.seq, TurnEventRow.body)
        .where(TurnEventRow.turn_id == turn_id, TurnEventRow.seq > after)
        .order_by(TurnEventRow.seq)
    )
    return [(seq, from_json(body)) for seq, body in db.execute(query)]
