"""Changes to ad accounts: proposed, decided by a person, carried out, read back, undone. Values are in ads/plans.py.

A plan is frozen when it is made: tool, arguments, targets, the state they were seen in, workspace and turn go into its
`plan_hash`. Everything after that is bound to the hash: the click, the log's entry of the click, and the executor,
which reads nothing but rows.

    propose (a model's call)  --.
    undo    (a person's click) --+--> pending --approve--> approved --carry_out--> finished
                                 |       '--> rejected | expired | cancelled
                                 '--> preview            (guard rails: preview only)

rows         the tables read and written; PlanView; the hash
proposing    propose, undo: targets read from the platform, guards, the platform's own dry run
deciding     token, approve, reject, cancel, expire
executing    carry_out, abandoned
outcome      what a decided plan is to a model
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from webapp.accounts import Scope
from webapp.ads.plans import Evidence, Judged, PlanView
from webapp.ads.platform import Field, Platforms
from webapp.db import Database, Session
from webapp.errors import UserError
from webapp.vault.keyring import Keyring


class Refused(UserError):
    """A change that may not even be proposed. `words` say why, for a model; title and hint say it to a person."""

    @property
    def words(self) -> str:
        return f"{self.args[0]}. {self.hint}"


@dataclass(frozen=True)
class Wanted:
    """One change that is asked for. `value`: a status ("active", "paused"), micros per day, or a name. A budget names
    its `currency`, which must be the account's."""

    campaign_id: uuid.UUID
    field: Field
    value: str | int
    currency: str = ""
    evidence: Evidence | None = None


@dataclass(frozen=True)
class Origin:
    """Who asks: a call of a turn. `reason` is the model's and is never shown on the card."""

    turn_id: uuid.UUID | None
    tool_use_id: str
    model: str
    tool: str
    arguments: dict[str, Any]
    reason: str = ""


@dataclass(frozen=True)
class Findings:
    """What the tool found besides: campaigns that it leaves alone, and the small print (window, threshold, rule)."""

    kept: tuple[Judged, ...] = ()
    undecided: tuple[Judged, ...] = ()
    report: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Click:
    """What a person's approval carries: the plan as they saw it, the items they left ticked, what they typed."""

    plan_hash: str
    ticked: frozenset[uuid.UUID]
    token: str
    session_id: uuid.UUID  # of the sign-in session that clicked
    typed: str = ""


@dataclass(frozen=True)
class Lapsed:
    """A plan that expired, and the turn that waits for it."""

    plan_id: uuid.UUID
    turn_id: uuid.UUID | None


def propose(
    scope: Scope,
    database: Database,
    platforms: Platforms,
    wanted: Sequence[Wanted],
    origin: Origin,
    findings: Findings = Findings(),
) -> PlanView:
    """Make and store a plan. It reads each target from its platform now, checks the guard rails (what is not known
    refuses) and has the platform validate each item. Asked again for the same tool call it returns that call's plan.

    In mode "preview" the plan's status is "preview" and nothing waits. Raises Refused."""
    raise NotImplementedError


def plan(scope: Scope, db: Session, plan_id: uuid.UUID) -> PlanView:
    """Raises the not-found UserError for a foreign one."""
    raise NotImplementedError


def of_turn(scope: Scope, db: Session, turn_id: uuid.UUID) -> list[PlanView]:
    """In the order they were made."""
    return []


def open_plans(scope: Scope, db: Session) -> list[PlanView]:
    """Pending (and not expired) or being carried out, the oldest first."""
    raise NotImplementedError


def history(scope: Scope, db: Session, *, before: datetime | None = None, limit: int = 20) -> list[PlanView]:
    """Settled plans, the newest first; `before` is the created_at of the last one seen."""
    raise NotImplementedError


def token(keyring: Keyring, plan: PlanView, session_id: uuid.UUID) -> str:
    """What the approval form carries: good for this plan as it is, this sign-in session, until the plan expires."""
    raise NotImplementedError


def approve(scope: Scope, db: Session, keyring: Keyring, plan_id: uuid.UUID, click: Click) -> None:
    """Let the plan be carried out: exactly one of many clicks wins. Raises a UserError (404 foreign, 403 not allowed or
    a token that is not this click's, 409 no longer pending, 422 nothing ticked or not typed as asked)."""
    raise NotImplementedError


def reject(scope: Scope, db: Session, plan_id: uuid.UUID, plan_hash: str, note: str = "") -> None:
    """Raises a UserError as approve does."""
    raise NotImplementedError


def cancel(db: Session, turn_id: uuid.UUID) -> list[uuid.UUID]:
    """The turn was stopped: its pending plans, which nobody can approve any more. What is approved goes on."""
    return []


def expire(db: Session) -> list[Lapsed]:
    """Settle the pending plans whose time is over, wherever they are."""
    return []


def carry_out(database: Database, platforms: Platforms, plan_id: uuid.UUID, owner: str) -> PlanView:
    """Do what was approved, one item after another; returns the plan as it then is. Whoever finds it taken by another
    process (or already finished) does nothing. Call it after approve() has committed, and for each of abandoned()."""
    raise NotImplementedError


def abandoned(db: Session) -> list[uuid.UUID]:
    """Approved plans that nobody carries out (any more): their lease ran out."""
    return []


def undo(scope: Scope, database: Database, platforms: Platforms, plan_id: uuid.UUID) -> PlanView:
    """A plan that takes back the done items of a finished one, for 7 days. It waits for a click like any other; if one
    waits already, that. Raises Refused where there is nothing (left) to undo or somebody changed it since."""
    raise NotImplementedError


def outcome(plan: PlanView) -> str:
    """The JSON that the model gets as the call's result, once the plan is settled. Names are fenced."""
    raise NotImplementedError
