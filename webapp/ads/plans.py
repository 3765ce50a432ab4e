"""What a change plan looks like to a page, a model and an executor. Values only; the store is changes/.

pending  -> approved -> finished          approved: somebody with the right clicked; being carried out
         -> rejected | expired | cancelled            cancelled: the turn that asked was stopped
preview                                   the workspace only previews: nobody can approve it

item:  pending -> unticked                            a person took it off the plan
               -> claimed -> done | drifted | failed | unknown | skipped
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Literal

from webapp.ads.platform import Field
from webapp.errors import UserError

PlanStatus = Literal["pending", "approved", "finished", "rejected", "expired", "cancelled", "preview"]
ItemStatus = Literal["pending", "unticked", "claimed", "done", "skipped", "drifted", "failed", "unknown"]
Verdict = Literal["pause", "keep", "undecided"]


@dataclass(frozen=True)
class Evidence:
    """What speaks for a verdict on a campaign, in a window of whole, mature days. Made by evidence.py."""

    verdict: Verdict
    reason: str  # one sentence for people and models
    since: date | None = None
    until: date | None = None
    spend_micros: int = 0
    revenue_micros: int = 0
    orders: float = 0
    roas: float | None = None
    low: float | None = None  # the ROAS' 80 % interval
    high: float | None = None
    probability: float | None = None  # that the true ROAS is below the threshold
    needs_micros: int | None = None  # roughly so much more spend would decide


@dataclass(frozen=True)
class Judged:
    """A campaign that the plan leaves alone, and why."""

    campaign_id: uuid.UUID
    campaign_name: str
    currency: str
    evidence: Evidence


@dataclass(frozen=True)
class ItemView:
    """`before` and `after` are of the field: a status, micros per day, or a name."""

    id: uuid.UUID
    position: int
    account_name: str
    platform: str
    currency: str
    campaign_id: uuid.UUID
    campaign_name: str
    field: Field
    before: str | int | None
    after: str | int
    effect_micros: int  # of spend per day; negative saves
    status: ItemStatus
    evidence: Evidence | None = None
    message: str = ""  # what happened, once something did
    request_id: str = ""


@dataclass(frozen=True)
class PlanView:
    id: uuid.UUID
    workspace_id: uuid.UUID
    turn_id: uuid.UUID | None
    tool_use_id: str
    tool: str
    arguments: dict[str, Any]
    status: PlanStatus
    plan_hash: str  # hex; what an approval names
    items: tuple[ItemView, ...]
    proposed_by: str  # a person's name
    model: str  # that asked for it; empty: a person did
    created_at: datetime
    expires_at: datetime
    kept: tuple[Judged, ...] = ()
    undecided: tuple[Judged, ...] = ()
    warnings: tuple[str, ...] = ()  # sentences; names in them are fenced (foreign.quoted() for people)
    step_up: str = ""  # what has to be typed to approve: "12 campaigns", "180 EUR"; empty: nothing
    decided_by: str = ""
    decided_at: datetime | None = None
    note: str = ""
    finished_at: datetime | None = None
    undo_of: uuid.UUID | None = None
    undone_by: uuid.UUID | None = None  # the plan that took it back, or is about to
    undo_until: datetime | None = None  # None: nothing to undo, or too late
    report: dict[str, Any] = field(default_factory=dict)  # window, threshold, rule: for the page's small print

    @property
    def settled(self) -> bool:
        """Nothing more will happen to it."""
        return self.status not in ("pending", "approved")


# --- what goes in -----------------------------------------------------------------------------------------------


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


NOTHING_BESIDES = Findings()


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


class Refused(UserError):
    """A change that may not even be proposed. `words` say why to a model; title and hint say it to a person."""

    def __init__(self, hint: str, *, title: str = "This change is not allowed") -> None:
        super().__init__(title, hint, status=409)

    @property
    def words(self) -> str:
        return f"{self.title}. {self.hint}"
