"""A question becomes a queued turn, exactly once however often it is sent, and one at a time in a session."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from sqlalchemy import func, select, text, update

from webapp.accounts import Scope
from webapp.chat.events import TurnState
from webapp.chat.transcript import messages
from webapp.chat.transcript.keeping import LIVE, RUNS, session
from webapp.chat.transcript.live import LEASE, TurnRef
from webapp.db import Session
from webapp.db.models import ChatSession, ChatTurn
from webapp.errors import UserError
from webapp.llm.blocks import Context, Message, Text

MAX_QUESTION = 100_000  # characters
MOST_AT_ONCE = 25  # answers that run for one person; where no budget is set, nothing else slows a script down


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


def open_turn(
    scope: Scope, db: Session, session_id: uuid.UUID | None, asking: Asking, owner: str
) -> tuple[TurnRef, bool]:
    """Store the question and a queued turn that `owner` will run. A new session is made where none is named.

    Asking twice with one request id gives the first turn and False. Raises UserError for an empty or overlong
    question, for a foreign session, while the session's last turn still runs, and while MOST_AT_ONCE others do.
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
    db.add(messages.row_of(turn, 0, Message("user", said)))
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
    _refuse_too_many(scope, db)
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


def _refuse_too_many(scope: Scope, db: Session) -> None:
    """Raises a UserError while the person has MOST_AT_ONCE answers running, in whatever workspace."""
    _lock(db, scope.user_id)
    running = (ChatTurn.user_id == scope.user_id, ChatTurn.state.in_(RUNS))
    if db.scalar(select(func.count()).select_from(ChatTurn).where(*running)) >= MOST_AT_ONCE:  # type: ignore[operator]
        hint = f"You have {MOST_AT_ONCE} answers running in other chats. Wait for one, or stop one."
        raise UserError("Nothing was sent", hint, status=409)
