"""What was said: chat sessions, turns and their messages. The store of chat_sessions, chat_turns and chat_messages.

A session is private to its author. A live turn is written only by its owner: every write of a turn names the owner and
the epoch it believes in, and writes nothing when another process has taken the turn over (an expired lease raises the
epoch). Leases use PostgreSQL's clock, so that hosts need not agree on the time.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlalchemy import ColumnElement, delete, func, select, text, true, update
from sqlalchemy.dialects.postgresql import aggregate_order_by

from webapp.accounts import Scope
from webapp.ads import changes
from webapp.ads.plans import PlanView
from webapp.chat import picker
from webapp.chat.events import Trouble, TurnEvent, TurnState, from_json
from webapp.chat.fold import BlockView, TurnFold, blocks_of, fold
from webapp.chat.turn import LEFT_OUT
from webapp.db import UNSTORABLE, Session
from webapp.db.models import ChangePlan, ChatMessage, ChatSession, ChatTurn, TurnEventRow
from webapp.errors import UserError, not_found
from webapp.llm.blocks import Context, Message, Role, Text, ToolResult, ToolUse, block_from_json, block_to_json
from webapp.llm.events import Notice
from webapp.usage import budgets, ledger
from webapp.usage.calls import Call
from webapp.usage.ledger import Caller
from webapp.usage.receipts import Entry, Spent
from webapp.vault import byok

logger = logging.getLogger(__name__)

LEASE = 10  # seconds a turn stays its owner's without being renewed
LIVE = ("queued", "running", "waiting")
MAX_QUESTION = 100_000  # characters
UNREADABLE = (*UNSTORABLE, KeyError, ValueError, TypeError, IndexError)  # a log that cannot be folded, or its messages
NOTHING = Spent()
KEEP_LOG = 3600  # seconds after its end that a turn's events are kept


@dataclass(frozen=True)
class SessionRow:
    id: uuid.UUID
    title: str
    provider: str
    model: str
    updated_at: datetime
    live: bool = False
    surface: str = "chat"
    spent: Spent = field(default_factory=Spent)  # in it; known where one session is looked at

    @property
    def choice(self) -> tuple[str, str]:
        """Provider and model that this session speaks with."""
        return self.provider, self.model


@dataclass(frozen=True)
class TurnRef:
    """A turn and the right to write it: only while owner and epoch still hold."""

    id: uuid.UUID
    session_id: uuid.UUID
    owner: str
    epoch: int


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


@dataclass(frozen=True)
class Asking:
    """What a new turn asks, and on which key."""

    request_id: uuid.UUID
    text: str
    provider: str
    model: str
    model_name: str
    key_id: uuid.UUID | None
    key_label: str
    context: Context | None = None
    surface: str = "chat"  # of the session, if this one makes it


# --- sessions -----------------------------------------------------------------------------------------------------


def sessions(scope: Scope, db: Session, surface: str = "chat", *, limit: int = 1000) -> list[SessionRow]:
    """The author's sessions of a surface in this workspace, last used first."""
    query = (
        select(ChatSession, _has_live_turn())
        .where(*_mine(scope), ChatSession.surface == surface)
        .order_by(ChatSession.updated_at.desc())
        .limit(limit)
    )
    return [_session_row(*row) for row in db.execute(query)]


def session(scope: Scope, db: Session, session_id: uuid.UUID) -> SessionRow:
    """Raises the not-found UserError if it is not the author's own, in this workspace."""
    used = ledger.of_session(ChatSession.id)
    query = select(ChatSession, _has_live_turn(), *used.c).join(used, true()).where(*_mine(scope))
    row = db.execute(query.where(ChatSession.id == session_id)).one_or_none()
    if row is None:
        raise not_found()
    return _session_row(row[0], row[1], ledger.as_spent(row[2:]))


def rename(scope: Scope, db: Session, session_id: uuid.UUID, title: str) -> SessionRow:
    session(scope, db, session_id)
    title = " ".join(title.split())
    if not title or len(title) > 120:
        raise UserError("The title was not changed", "A title has 1 to 120 characters.", status=422)
    db.execute(update(ChatSession).where(ChatSession.id == session_id).values(title=title))
    return session(scope, db, session_id)


def choose_model(scope: Scope, db: Session, session_id: uuid.UUID, provider: str, model: str) -> None:
    """The model that the session speaks with from its next turn on."""
    session(scope, db, session_id)
    db.execute(update(ChatSession).where(ChatSession.id == session_id).values(provider=provider, model=model))


def delete_session(scope: Scope, db: Session, session_id: uuid.UUID) -> list[uuid.UUID]:
    """Hide the session and stop what still runs in it; the live turns are returned."""
    session(scope, db, session_id)
    live = list(db.scalars(select(ChatTurn.id).where(ChatTurn.session_id == session_id, ChatTurn.state.in_(LIVE))))
    for turn_id in live:
        request_stop(scope, db, turn_id)
    db.execute(update(ChatSession).where(ChatSession.id == session_id).values(deleted_at=func.now()))
    return live


def _mine(scope: Scope) -> tuple[ColumnElement[bool], ...]:
    return (
        ChatSession.workspace_id == scope.workspace_id,
        ChatSession.user_id == scope.user_id,
        ChatSession.deleted_at.is_(None),
    )


def _has_live_turn() -> ColumnElement[bool]:
    live = select(ChatTurn.id).where(ChatTurn.session_id == ChatSession.id, ChatTurn.state.in_(LIVE))
    return live.correlate(ChatSession).exists()


def _session_row(row: ChatSession, live: bool, spent: Spent = NOTHING) -> SessionRow:
    return SessionRow(row.id, row.title, row.provider, row.model, row.updated_at, live, row.surface, spent)


# --- asking -------------------------------------------------------------------------------------------------------


def open_turn(
    scope: Scope, db: Session, session_id: uuid.UUID | None, asking: Asking, owner: str
) -> tuple[TurnRef, bool]:
    """Store the question and a queued turn that `owner` will run. A new session is made where none is named.

    Asking twice with one request id gives the first turn and False. Raises UserError for an empty or overlong
    question, for a foreign session, and while the session's last turn still runs.
    """
    _lock(db, asking.request_id)
    known = _asked_before(scope, db, asking.request_id)
    if known is not None:
        return known, False
    question = asking.text.strip()
    if not question:
        raise UserError("Nothing was sent", "Type a message first.", status=422)
    if len(question) > MAX_QUESTION:
        raise UserError("The message is too long", f"It may have {MAX_QUESTION:,} characters.", status=422)
    place = session(scope, db, session_id).id if session_id else _new_session(scope, db, asking.surface, question)
    turn = _new_turn(scope, db, place, asking, owner)
    said = (asking.context, Text(question)) if asking.context else (Text(question),)
    db.add(_message(turn, 0, Message("user", said)))
    db.execute(
        update(ChatSession)
        .where(ChatSession.id == place)
        .values(updated_at=func.now(), provider=asking.provider, model=asking.model)
    )
    return TurnRef(turn.id, place, owner, turn.epoch), True


def _lock(db: Session, key: uuid.UUID) -> None:
    db.execute(text("select pg_advisory_xact_lock(hashtextextended(:key, 0))"), {"key": str(key)})


def _asked_before(scope: Scope, db: Session, request_id: uuid.UUID) -> TurnRef | None:
    query = select(ChatTurn).where(
        ChatTurn.user_id == scope.user_id,
        ChatTurn.workspace_id == scope.workspace_id,
        ChatTurn.request_id == request_id,
    )
    row = db.scalars(query).one_or_none()
    return TurnRef(row.id, row.session_id, row.owner, row.epoch) if row else None


def _new_session(scope: Scope, db: Session, surface: str, question: str) -> uuid.UUID:
    made = ChatSession(
        id=uuid.uuid4(),
        workspace_id=scope.workspace_id,
        user_id=scope.user_id,
        surface=surface,
        title=title_from(question),
    )
    db.add(made)
    db.flush()
    return made.id


def title_from(question: str) -> str:
    """The first words of the question: at most 60 characters, cut at a word."""
    line = " ".join(question.split())
    if len(line) <= 60:
        return line
    return line[:60].rsplit(" ", 1)[0] + "…"


def _new_turn(scope: Scope, db: Session, session_id: uuid.UUID, asking: Asking, owner: str) -> ChatTurn:
    _lock(db, session_id)
    busy = db.scalar(select(ChatTurn.state).where(ChatTurn.session_id == session_id, ChatTurn.state.in_(LIVE)))
    if busy == TurnState.WAITING:
        hint = "Approve or reject it on its card, or stop the answer. A message approves nothing."
        raise UserError("A change waits for a decision", hint, status=409)
    if busy is not None:
        raise UserError("Maxxer is still answering", "Wait for the answer, or stop it first.", status=409)
    last = db.scalar(select(func.max(ChatTurn.position)).where(ChatTurn.session_id == session_id))
    turn = ChatTurn(
        id=uuid.uuid4(),
        session_id=session_id,
        workspace_id=scope.workspace_id,
        user_id=scope.user_id,
        position=0 if last is None else last + 1,
        request_id=asking.request_id,
        byok_key_id=asking.key_id,
        key_label=asking.key_label,
        provider=asking.provider,
        model=asking.model,
        model_name=asking.model_name[:160],
        state=TurnState.QUEUED,
        epoch=1,
        owner=owner,
        lease_until=func.now() + text(f"interval '{LEASE} seconds'"),
    )
    db.add(turn)
    db.flush()
    return turn


def _message(turn: ChatTurn, position: int, message: Message) -> ChatMessage:
    return ChatMessage(
        workspace_id=turn.workspace_id,
        session_id=turn.session_id,
        turn_id=turn.id,
        position=position,
        role=message.role,
        blocks=[block_to_json(b) for b in message.blocks],
        dialect=message.dialect,
        model=message.model[:160],
    )


# --- reading ------------------------------------------------------------------------------------------------------


def turns(scope: Scope, db: Session, session_id: uuid.UUID) -> list[TurnView]:
    """Every turn of the session, oldest first."""
    session(scope, db, session_id)
    rows = db.scalars(select(ChatTurn).where(ChatTurn.session_id == session_id).order_by(ChatTurn.position)).all()
    said = _messages_by_turn(db, [row.id for row in rows])
    entries = ledger.of_turns(scope, db, [row.id for row in rows])
    own = byok.personal_among(scope, db, {row.byok_key_id for row in rows})
    views = [
        _turn_view(scope, db, row, said.get(row.id, []), last, entries.get(row.id, []))
        for row, last in zip(rows, [None, *rows], strict=False)
    ]
    return [replace(view, own_key=row.byok_key_id in own) for row, view in zip(rows, views, strict=True)]


def turn(scope: Scope, db: Session, turn_id: uuid.UUID) -> TurnView:
    """One turn. Raises the not-found UserError unless its session is the author's own, in this workspace."""
    query = select(ChatTurn).join(ChatSession).where(*_mine(scope), ChatTurn.id == turn_id)
    row = db.scalars(query).one_or_none()
    if row is None:
        raise not_found()
    before = select(ChatTurn).where(ChatTurn.session_id == row.session_id, ChatTurn.position == row.position - 1)
    last = db.scalars(before).one_or_none() if row.position else None
    said, entries = _messages_by_turn(db, [row.id]), ledger.of_turns(scope, db, [row.id])
    view = _turn_view(scope, db, row, said.get(row.id, []), last, entries.get(row.id, []))
    return replace(view, own_key=bool(byok.personal_among(scope, db, [row.byok_key_id])))


@dataclass(frozen=True)
class Standing:
    """Enough of a turn to follow it."""

    state: TurnState
    provider: str


def standing(scope: Scope, db: Session, turn_id: uuid.UUID) -> Standing | None:
    """None unless the turn's session is the author's own, in this workspace."""
    query = select(ChatTurn.state, ChatTurn.provider).join(ChatSession).where(*_mine(scope), ChatTurn.id == turn_id)
    row = db.execute(query).one_or_none()
    return Standing(TurnState(row.state), row.provider) if row else None


def _messages_by_turn(db: Session, turn_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, list[Message]]:
    query = (
        select(ChatMessage).where(ChatMessage.turn_id.in_(turn_ids)).order_by(ChatMessage.turn_id, ChatMessage.position)
    )
    found: dict[uuid.UUID, list[Message]] = {}
    for row in db.scalars(query):
        found.setdefault(row.turn_id, []).append(_read_message(row))
    return found


def _read_message(row: ChatMessage) -> Message:
    role: Role = "user" if row.role == "user" else "assistant"
    return Message(role, tuple(block_from_json(b) for b in row.blocks), row.dialect, row.model)


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
    query = select(ChatTurn).join(ChatSession).where(*_mine(scope), ChatSession.id == place).order_by(ChatTurn.position)
    rows = db.scalars(query).all()
    if not rows:
        raise not_found()
    said = _messages_by_turn(db, [row.id for row in rows])
    kept = [row for row in rows if row.id == turn_id or len(said.get(row.id, [])) > 1]
    refused = frozenset(n["kind"] for row in rows for n in row.notices if n["kind"] in LEFT_OUT)
    messages = [m for row in kept for m in _with_outcomes(scope, db, row.id, said.get(row.id, []))]
    return History(tuple(messages), refused)


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


# --- writing a live turn ------------------------------------------------------------------------------------------


def held(ref: TurnRef) -> tuple[ColumnElement[bool], ...]:
    return (
        ChatTurn.id == ref.id,
        ChatTurn.owner == ref.owner,
        ChatTurn.epoch == ref.epoch,
        ChatTurn.state.in_(LIVE),
    )


def begin(db: Session, ref: TurnRef, key_id: uuid.UUID | None, key_label: str) -> bool:
    """queued -> running. False if the turn is no longer ours or was asked to stop."""
    changed = db.execute(
        update(ChatTurn)
        .where(*held(ref), ChatTurn.stop_requested_at.is_(None))
        .values(
            state=TurnState.RUNNING,
            byok_key_id=key_id,
            key_label=key_label,
            lease_until=func.now() + text(f"interval '{LEASE} seconds'"),
        )
        .returning(ChatTurn.id)
    )
    return changed.first() is not None


def finish(db: Session, ref: TurnRef, folded: TurnFold) -> bool:
    """Write the end: messages, state, use. False if another process has ended it already. News goes out on commit."""
    turn = db.scalars(select(ChatTurn).where(*held(ref)).with_for_update(key_share=True)).one_or_none()
    if turn is None:
        return False
    write_end(db, turn, folded)
    return True


def write_end(db: Session, turn: ChatTurn, folded: TurnFold) -> None:
    """The end of a turn whose row is locked: its messages, state, use. Nobody can approve its plans any more."""
    if folded.acted:
        changes.cancel(db, turn.id)
    for position, message in enumerate(folded.messages(), start=1):
        db.add(_message(turn, position, message))
    turn.state = folded.state
    turn.model_served = folded.model_served[:160]
    turn.finish = folded.finish
    turn.notices = [vars(n) for n in folded.notices]
    turn.error = folded.trouble.to_json() if folded.trouble else None
    book(db, turn, folded.calls())
    turn.ended_at = func.now()
    db.execute(update(ChatSession).where(ChatSession.id == turn.session_id).values(updated_at=func.now()))
    tell(db, turn.id)


def book(db: Session, turn: ChatTurn, calls: Sequence[Call]) -> None:
    """What the turn has used so far, into the ledger: whoever books the same again changes nothing. A turn that ends or
    waits holds nothing of a budget."""
    if not calls:
        budgets.release(db, turn.id)
        return
    facts = picker.facts(db, turn.byok_key_id, turn.model) if turn.byok_key_id else None
    caller = Caller(
        turn.workspace_id,
        turn.user_id,
        turn.session_id,
        turn.id,
        turn.provider,
        turn.model,
        turn.byok_key_id,
        turn.key_label,
    )
    ledger.book(db, caller, calls, facts)


def tell(db: Session, turn_id: uuid.UUID | None = None) -> None:
    """News of turns on this commit, for the log's listeners in other processes."""
    db.execute(text("select pg_notify('turn_news', :id)"), {"id": str(turn_id or "")})


def request_stop(scope: Scope, db: Session, turn_id: uuid.UUID) -> None:
    """Ask the owner, wherever it is, to stop; what waits for approval can no longer be approved. Raises the not-found
    UserError for a foreign turn."""
    turn(scope, db, turn_id)
    changes.cancel(db, turn_id)
    db.execute(
        update(ChatTurn)
        .where(ChatTurn.id == turn_id, ChatTurn.state.in_(LIVE), ChatTurn.stop_requested_at.is_(None))
        .values(stop_requested_at=func.now())
    )
    tell_stop(db, turn_id)


def tell_stop(db: Session, turn_id: uuid.UUID) -> None:
    """To whichever process runs the turn, on this commit: stop it."""
    db.execute(text("select pg_notify('turn_control', :what)"), {"what": f"stop:{turn_id}"})


@dataclass(frozen=True)
class Held:
    """What the owner learns when it renews its leases."""

    turn_id: uuid.UUID
    stop: bool
    revoked: bool


def renew(db: Session, owner: str, turn_ids: Iterable[uuid.UUID]) -> list[Held]:
    """Keep these turns for another LEASE seconds. One that is missing in the answer was taken over."""
    renewed = db.execute(
        update(ChatTurn)
        .where(ChatTurn.id.in_(list(turn_ids)), ChatTurn.owner == owner, ChatTurn.state.in_(("queued", "running")))
        .values(lease_until=func.now() + text(f"interval '{LEASE} seconds'"))
        .returning(ChatTurn.id, ChatTurn.stop_requested_at, ChatTurn.byok_key_id)
    ).all()
    gone = byok.disconnected(db, {row.byok_key_id for row in renewed if row.byok_key_id})
    return [Held(row.id, row.stop_requested_at is not None, row.byok_key_id in gone) for row in renewed]


def events_of(db: Session, turn_id: uuid.UUID, after: int = 0) -> list[tuple[int, TurnEvent]]:
    """The stored events of a turn numbered above `after`."""
    query = (
        select(TurnEventRow.seq, TurnEventRow.body)
        .where(TurnEventRow.turn_id == turn_id, TurnEventRow.seq > after)
        .order_by(TurnEventRow.seq)
    )
    return [(seq, from_json(body)) for seq, body in db.execute(query)]


@dataclass(frozen=True)
class News:
    """How a turn stands: its state, and how the plans stand that it waits for."""

    state: TurnState
    plans: str = ""


def news_of(db: Session, turn_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, News]:
    statuses = select(func.string_agg(ChangePlan.status, aggregate_order_by(text("','"), ChangePlan.id)))
    plans = statuses.where(ChangePlan.turn_id == ChatTurn.id, ChatTurn.state == TurnState.WAITING).scalar_subquery()
    rows = db.execute(select(ChatTurn.id, ChatTurn.state, plans).where(ChatTurn.id.in_(list(turn_ids))))
    return {turn_id: News(TurnState(state), plans or "") for turn_id, state, plans in rows}


def reap(db: Session) -> uuid.UUID | None:
    """End one turn that lost its owner: a live one with an expired lease becomes interrupted, with what the log has of
    it. One a transaction, so that what cannot be stored of one keeps no other waiting. None if there is none."""
    turn = db.scalars(
        select(ChatTurn)
        .where(ChatTurn.state.in_(("queued", "running")), ChatTurn.lease_until < func.now())
        .order_by(ChatTurn.lease_until)
        .with_for_update(skip_locked=True, key_share=True)
        .limit(1)
    ).one_or_none()
    if turn is None:
        return None
    turn.epoch += 1
    changes.cancel(db, turn.id)
    try:
        with db.begin_nested():
            write_end(db, turn, _interrupted([event for _, event in events_of(db, turn.id)]))
    except UNREADABLE:
        logger.exception("the log of turn %s cannot be read or stored", turn.id)
        write_end(db, turn, _interrupted([]))
    return turn.id


def _interrupted(events: Sequence[TurnEvent]) -> TurnFold:
    folded = fold(events)
    folded.state, folded.trouble = TurnState.INTERRUPTED, None
    return folded


def sweep_log(db: Session) -> None:
    """Drop the events of turns that ended a while ago: their messages tell it all."""
    ended = select(ChatTurn.id).where(ChatTurn.ended_at < func.now() - text(f"interval '{KEEP_LOG} seconds'"))
    db.execute(delete(TurnEventRow).where(TurnEventRow.turn_id.in_(ended)))
