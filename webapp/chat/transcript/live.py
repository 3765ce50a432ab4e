"""Live turns as they are written: begun, booked, ended, stopped, and those whose owner is gone.

A live turn is written only by its owner: every write of a turn names the owner and the epoch it believes in, and
writes nothing when another process has taken the turn over (an expired lease raises the epoch). Leases use PostgreSQL's
clock, so that hosts need not agree on the time.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, delete, exists, func, or_, select, text, update
from sqlalchemy.dialects.postgresql import aggregate_order_by

from webapp.accounts import RIGHTS, Right, Scope
from webapp.ads import changes
from webapp.chat import picker
from webapp.chat.events import TurnEvent, TurnState
from webapp.chat.fold import TurnFold, fold
from webapp.chat.transcript import messages
from webapp.chat.transcript.keeping import LIVE, RUNS, session
from webapp.chat.transcript.reading import events_of, turn
from webapp.db import UNSTORABLE, Session
from webapp.db.models import ChangePlan, ChatSession, ChatTurn, TurnEventRow, Workspace, WorkspaceMember
from webapp.usage import budgets, ledger
from webapp.usage.calls import Call
from webapp.usage.ledger import Caller
from webapp.vault import byok

logger = logging.getLogger(__name__)

LEASE = 10  # seconds a turn stays its owner's without being renewed
UNREADABLE = (*UNSTORABLE, KeyError, ValueError, TypeError, IndexError)  # a log that cannot be folded, or its messages
KEEP_LOG = 3600  # seconds after its end that a turn's events are kept
CHATTING = tuple(role for role, rights in RIGHTS.items() if Right.CHAT in rights)


@dataclass(frozen=True)
class TurnRef:
    """A turn and the right to write it: only while owner and epoch still hold."""

    id: uuid.UUID
    session_id: uuid.UUID
    owner: str
    epoch: int


def held(ref: TurnRef) -> tuple[ColumnElement[bool], ...]:
    return (
        ChatTurn.id == ref.id,
        ChatTurn.owner == ref.owner,
        ChatTurn.epoch == ref.epoch,
        ChatTurn.state.in_(LIVE),
    )


def is_held(db: Session, ref: TurnRef) -> bool:
    """Whether the turn is still that owner's, and live."""
    return db.scalar(select(ChatTurn.id).where(*held(ref))) is not None


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
        db.add(messages.row_of(turn, position, message))
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


def delete_session(scope: Scope, db: Session, session_id: uuid.UUID) -> list[uuid.UUID]:
    """Hide the session and stop what still runs in it; the live turns are returned."""
    session(scope, db, session_id)
    live = list(db.scalars(select(ChatTurn.id).where(ChatTurn.session_id == session_id, ChatTurn.state.in_(LIVE))))
    for turn_id in live:
        request_stop(scope, db, turn_id)
    db.execute(update(ChatSession).where(ChatSession.id == session_id).values(deleted_at=func.now()))
    return live


@dataclass(frozen=True)
class Held:
    """What the owner learns when it renews its leases."""

    turn_id: uuid.UUID
    stop: bool
    revoked: bool


def author_may_chat() -> ColumnElement[bool]:
    """Of a row of chat_turns: whether its author is still in the workspace, in a role that may chat."""
    chatting = (
        select(WorkspaceMember.user_id)
        .join(Workspace, Workspace.id == WorkspaceMember.workspace_id)
        .where(
            WorkspaceMember.workspace_id == ChatTurn.workspace_id,
            WorkspaceMember.user_id == ChatTurn.user_id,
            WorkspaceMember.role.in_(CHATTING),
            Workspace.deleted_at.is_(None),
        )
    )
    return exists(chatting.correlate(ChatTurn))


def renew(db: Session, owner: str, turn_ids: Iterable[uuid.UUID]) -> list[Held]:
    """Keep these turns for another LEASE seconds. One that is missing in the answer was taken over. One whose author
    may not chat there any more is to be stopped: it spends the team's money, and reads the team's figures."""
    renewed = db.execute(
        update(ChatTurn)
        .where(ChatTurn.id.in_(list(turn_ids)), ChatTurn.owner == owner, ChatTurn.state.in_(RUNS))
        .values(lease_until=func.now() + text(f"interval '{LEASE} seconds'"))
        .returning(ChatTurn.id, or_(ChatTurn.stop_requested_at.is_not(None), ~author_may_chat()), ChatTurn.byok_key_id)
    ).all()
    gone = byok.disconnected(db, {key_id for _, _, key_id in renewed if key_id})
    return [Held(turn_id, stop, key_id in gone) for turn_id, stop, key_id in renewed]


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
        .where(ChatTurn.state.in_(RUNS), ChatTurn.lease_until < func.now())
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
