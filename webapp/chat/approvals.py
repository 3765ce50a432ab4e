"""Turns that wait for a person's decision: let go, found again, gone on with or ended. Which plans there are, and who
may decide on them: ads/changes. Everything here is one transaction on one locked row of chat_turns.

A waiting turn belongs to no process: it has no owner, no lease, no greenlet; what it said is in the log. It is looked
for by every process (and at once by the one that took the click), and moves exactly once, under its row's lock:

    a stop was asked for, its chat is deleted, its author is out of the workspace  -> stopped; pending plans cancelled
    every plan is settled                all of them expired   -> done, with the finish "expired"; nobody is asked
                                         the key is gone       -> failed; what was carried out is in the results
                                         else                  -> running again: a new epoch, this process as owner

The outcomes of the plans are stored as the results of the calls in the same transaction, numbered on from the log, so
a process that dies a moment later has lost nothing, and readers elsewhere see them.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, exists, func, insert, or_, select, text, update

from webapp.accounts import Right, Scope, enter
from webapp.ads import changes
from webapp.ads.plans import PlanView
from webapp.chat.events import (
    EXPIRED,
    Cause,
    Ended,
    Resumed,
    ToolFinished,
    Trouble,
    TurnEvent,
    TurnState,
    to_json,
)
from webapp.chat.fold import TurnFold, fold
from webapp.chat.transcript import (
    LEASE,
    UNREADABLE,
    TurnRef,
    author_may_chat,
    book,
    events_of,
    held,
    outcome_of,
    plans_of,
    tell,
    write_end,
)
from webapp.db import Session
from webapp.db.models import ChangePlan, ChatSession, ChatTurn, TurnEventRow
from webapp.errors import UserError
from webapp.llm.blocks import ToolResult
from webapp.usage.calls import Call
from webapp.vault import byok
from webapp.vault.byok import KeyRef

logger = logging.getLogger(__name__)

NOBODY = ""  # the owner of a waiting turn


@dataclass(frozen=True)
class GoesOn:
    """A turn that this process runs from now on: for whom, on which key, and what its log holds so far."""

    scope: Scope
    ref: TurnRef
    provider: str
    model: str
    key: KeyRef
    surface: str
    events: tuple[tuple[int, TurnEvent], ...]


@dataclass(frozen=True)
class IsOver:
    """A turn that ended without a process."""

    turn_id: uuid.UUID


def park(db: Session, ref: TurnRef, calls: Sequence[Call] = ()) -> bool:
    """running -> waiting, with its `calls` so far booked. False if the turn is no longer ours, or somebody has pressed
    Stop."""
    parked = db.scalars(
        update(ChatTurn)
        .where(*held(ref), ChatTurn.stop_requested_at.is_(None))
        .values(state=TurnState.WAITING, owner=NOBODY)
        .returning(ChatTurn)
    )
    turn = parked.first()
    if turn is None:
        return False
    book(db, turn, calls)
    tell(db, ref.id)
    return True


def move_on(db: Session, owner: str) -> GoesOn | IsOver | None:
    """Move one waiting turn whose wait is over; None if there is none. A turn that goes on is `owner`'s."""
    turn = db.scalars(
        select(ChatTurn)
        .where(ChatTurn.state == TurnState.WAITING, or_(_given_up(), ~_undecided()))
        .order_by(ChatTurn.created_at)
        .with_for_update(skip_locked=True, key_share=True)
        .limit(1)
    ).one_or_none()
    if turn is None:
        return None
    try:
        with db.begin_nested():
            return _moved(db, turn, owner)
    except UNREADABLE:
        logger.exception("the log of turn %s cannot be read or stored", turn.id)
        db.refresh(turn)
        changes.cancel(db, turn.id)
        return _end(db, turn, fold([]), Ended(TurnState.INTERRUPTED))


def _moved(db: Session, turn: ChatTurn, owner: str) -> GoesOn | IsOver:
    try:
        scope = enter(db, turn.user_id, turn.workspace_id)
    except UserError:  # out of the workspace
        return _stop(db, turn)
    place = db.get_one(ChatSession, turn.session_id)
    if turn.stop_requested_at or place.deleted_at or not scope.may(Right.CHAT):
        return _stop(db, turn)
    return _decided(scope, db, turn, place.surface, owner)


def _undecided() -> ColumnElement[bool]:
    plans = select(ChangePlan.id).where(ChangePlan.turn_id == ChatTurn.id)
    return exists(plans.where(ChangePlan.status.in_(("pending", "approved"))).correlate(ChatTurn))


def _given_up() -> ColumnElement[bool]:
    deleted = select(ChatSession.id).where(ChatSession.id == ChatTurn.session_id, ChatSession.deleted_at.is_not(None))
    return or_(
        ChatTurn.stop_requested_at.is_not(None),
        exists(deleted.correlate(ChatTurn)),
        ~author_may_chat(),
    )


def _stop(db: Session, turn: ChatTurn) -> IsOver:
    changes.cancel(db, turn.id)
    return _end(db, turn, fold([event for _, event in events_of(db, turn.id)]), Ended(TurnState.STOPPED))


def _decided(scope: Scope, db: Session, turn: ChatTurn, surface: str, owner: str) -> GoesOn | IsOver:
    events = events_of(db, turn.id)
    folded = fold([event for _, event in events])
    plans = plans_of(scope, db, turn.id)
    results = [ToolFinished(r) for r in _results(folded, plans)]
    for result in results:
        folded.apply(result)
    if plans and all(plan.status == "expired" for plan in plans if plan.tool_use_id in _ids(results)):
        return _end(db, turn, folded, Ended(TurnState.DONE, finish=EXPIRED))
    key = byok.standing_in(scope, db, turn.byok_key_id)
    if key is None:
        return _end(db, turn, folded, Ended(TurnState.FAILED, Trouble(Cause.KEY_REVOKED)))
    _take(db, turn, owner, key)
    added = _append(db, turn.id, events[-1][0] if events else 0, [Resumed(), *results])
    ref = TurnRef(turn.id, turn.session_id, owner, turn.epoch)
    return GoesOn(scope, ref, turn.provider, turn.model, key, surface, (*events, *added))


def _results(folded: TurnFold, plans: Sequence[PlanView]) -> list[ToolResult]:
    """For every call that waits, what became of its plan."""
    by_id = {str(plan.id): plan for plan in plans}
    waiting = folded.proposals()
    lost = [
        ToolResult(call, "The plan no longer exists.", is_error=True) for call in waiting if waiting[call] not in by_id
    ]
    return [*(outcome_of(by_id[plan]) for plan in waiting.values() if plan in by_id), *lost]


def _ids(results: Sequence[ToolFinished]) -> set[str]:
    return {each.result.tool_use_id for each in results}


def _take(db: Session, turn: ChatTurn, owner: str, key: KeyRef) -> None:
    turn.epoch += 1
    turn.state, turn.owner = TurnState.RUNNING, owner
    turn.byok_key_id, turn.key_label = key.id, key.label
    turn.lease_until = func.now() + text(f"interval '{LEASE} seconds'")
    db.flush()
    tell(db, turn.id)


def _append(db: Session, turn_id: uuid.UUID, last: int, events: Sequence[TurnEvent]) -> list[tuple[int, TurnEvent]]:
    numbered = list(enumerate(events, start=last + 1))
    rows = [{"turn_id": turn_id, "seq": seq, "body": to_json(event)} for seq, event in numbered]
    db.execute(insert(TurnEventRow), rows)
    return numbered


def _end(db: Session, turn: ChatTurn, folded: TurnFold, end: Ended) -> IsOver:
    folded.apply(end)
    turn.epoch += 1
    write_end(db, turn, folded)
    return IsOver(turn.id)
