"""Messages of a turn as rows: its question at position 0, what was answered after it."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from sqlalchemy import select

from webapp.db import Session
from webapp.db.models import ChatMessage, ChatTurn
from webapp.llm.blocks import Message, Role, block_from_json, block_to_json


def row_of(turn: ChatTurn, position: int, message: Message) -> ChatMessage:
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


def _read_message(row: ChatMessage) -> Message:
    role: Role = "user" if row.role == "user" else "assistant"
    return Message(role, tuple(block_from_json(b) for b in row.blocks), row.dialect, row.model)


def by_turn(db: Session, turn_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, list[Message]]:
    query = (
        select(ChatMessage).where(ChatMessage.turn_id.in_(turn_ids)).order_by(ChatMessage.turn_id, ChatMessage.position)
    )
    found: dict[uuid.UUID, list[Message]] = {}
    for row in db.scalars(query):
        found.setdefault(row.turn_id, []).append(_read_message(row))
    return found
