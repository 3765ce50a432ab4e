"""What can be asked of an ad account: the words every platform is translated into, and the protocol they all speak.

Four things speak it: meta.py and google.py (HTTP), local.py (the demo account and imported files, in our own tables).
No SQL and no HTTP here. Text in these values (names, issues) comes from whoever names a campaign: it is data, never
instruction, and is escaped or fenced by whoever shows it.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Literal, Protocol

from webapp.accounts import Scope

Status = Literal["active", "paused", "archived", "deleted"]
Objective = Literal["sales", "leads", "traffic", "engagement", "awareness", "app", "unknown"]
BudgetPeriod = Literal["daily", "lifetime", ""]
BudgetLevel = Literal["campaign", "adset", "shared", "none", "unknown"]
Learning = Literal["learning", "learned", "limited", "unknown"]
Field = Literal["status", "daily_budget", "name"]


class Trouble(StrEnum):
    """Why a platform did not do what it was asked; what follows from it is the caller's."""

    TOKEN = "token"  # dead: reconnect
    CHECKPOINT = "checkpoint"  # the person must do something at the platform; the token is still good
    PERMISSION = "permission"  # the token may not do this
    THROTTLED = "throttled"  # wait `retry_after` seconds
    TOO_MUCH = "too_much"  # a smaller window or page would do
    REFUSED = "refused"  # the platform's own rule; its words are for the person and the model
    NOT_FOUND = "not_found"
    POLICY = "policy"  # all writes of the account stop
    VERSION = "version"  # the API version we speak is dead: an operator's matter
    CONFLICT = "conflict"  # somebody else changes the same thing: read again
    TRANSIENT = "transient"  # a read may be repeated
    UNREACHABLE = "unreachable"
    UNKNOWN_OUTCOME = "unknown_outcome"  # a write that got no answer: read back, never repeat blindly


class PlatformError(Exception):
    """`message` is fit for a person: the platform's own sentence, without a token in it. `code` is the platform's
    ("190/463"), `retry_after` seconds, `request_id` what its support asks for (fbtrace_id, requestId)."""

    def __init__(
        self, trouble: Trouble, message: str, *, code: str = "", retry_after: float | None = None, request_id: str = ""
    ) -> None:
        super().__init__(message)
        self.trouble = trouble
        self.message = message
        self.code = code
        self.retry_after = retry_after
        self.request_id = request_id


@dataclass(frozen=True)
class AccountInfo:
    """An ad account that a token can see."""

    external_id: str
    name: str
    currency: str
    timezone: str
    usable: bool = True
    why_not: str = ""  # the platform's reason, where it is not
    through: str = ""  # Google: the manager account it is reached through (login-customer-id)


@dataclass(frozen=True)
class AdSetState:
    external_id: str
    name: str
    status: str
    budget_micros: int | None = None
    learning: Learning = "unknown"


@dataclass(frozen=True)
class CampaignState:
    """A campaign as its platform tells it now. Budgets are micros of the account's currency."""

    external_id: str
    name: str
    status: Status
    effective_status: str = ""
    issues: tuple[str, ...] = ()
    objective: Objective = "unknown"
    bid_strategy: str = ""
    budget_micros: int | None = None
    budget_period: BudgetPeriod = ""
    budget_level: BudgetLevel = "unknown"
    budget_id: str = ""
    shared_with: tuple[str, ...] = ()
    adsets: tuple[AdSetState, ...] = ()
    learning: Learning = "unknown"
    learning_events: int | None = None
    started_on: date | None = None
    changed_at: datetime | None = None


@dataclass(frozen=True)
class DailyInsight:
    """A day of a campaign, ad set or ad. Revenue and orders are the platform's attribution, counted once."""

    campaign_id: str  # the platform's
    day: date
    spend_micros: int
    impressions: int
    clicks: int
    orders: float
    revenue_micros: int
    adset_id: str = ""
    adset_name: str = ""
    ad_id: str = ""
    ad_name: str = ""


@dataclass(frozen=True)
class Change:
    """One write: `value` is a Status, a budget in micros per day, or a name. `state` is what it was planned from."""

    external_id: str
    field: Field
    value: str | int
    state: CampaignState


class AdPlatform(Protocol):
    """An ad account that can be asked. Every method raises PlatformError."""

    writable: bool

    def campaigns(self) -> Sequence[CampaignState]: ...

    def insights(self, since: date, until: date) -> Iterator[DailyInsight]:
        """Both days included, in the account's timezone. A day and campaign comes once per grain, in no set order."""
        ...

    def read(self, external_id: str) -> CampaignState:
        """As it is now, straight from the platform."""
        ...

    def validate(self, change: Change) -> None:
        """Ask the platform whether it would do it; nothing is changed."""
        ...

    def update(self, change: Change) -> str:
        """Do it; the platform's request id. UNKNOWN_OUTCOME if no answer came."""
        ...


class Platforms(Protocol):
    """Opens the platform behind an account. ads/opener.py has the one that reads tokens from the vault. `writes` is
    False while the operator's switch is off (ADS_WRITES=off): nothing may be changed in any account."""

    @property
    def writes(self) -> bool: ...

    def open(self, scope: Scope, account_id: uuid.UUID) -> AdPlatform:
        """Raises UserError for a foreign or disconnected account."""
        ...
