"""Chat sessions: whose they are, what they are called, which model they speak with. Private to their author."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import ColumnElement, select, true, update

from webapp.accounts import Scope
from webapp.chat.events import TurnState
from webapp.db import Session
from webapp.db.models import ChatSession, ChatTurn
from webapp.errors import UserError, not_found
from webapp.usage import ledger
from webapp.usage.receipts import Spent

LIVE = tuple(state for state in TurnState if state.live)
RUNS = tuple(state for state in LIVE if state is not TurnState.WAITING)  # or is about to: some process has it
NOTHING = Spent()


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


def sessions(scope: Scope, db: Session, surface: str = "chat", *, limit: int = 1000) -> list[SessionRow]:
    """The author's sessions of a surface in this workspace, last used first."""
    query = (
        select(ChatSession, _has_live_turn())
        .where(*mine(scope), ChatSession.surface == surface)
        .order_by(ChatSession.updated_at.desc())
        .limit(limit)
    )
    return [_session_row(*row) for row in db.execute(query)]


def session(scope: Scope, db: Session, session_id: uuid.UUID) -> SessionRow:
    """Raises the not-found UserError if it is not the author's own, in this workspace."""
    used = ledger.of_session(ChatSession.id)
    query = select(ChatSession, _has_live_turn(), *used.c).join(used, true()).where(*mine(scope))
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


def mine(scope: Scope) -> tuple[ColumnElement[bool], ...]:
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
