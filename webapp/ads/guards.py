"""Guard rails: what changes a workspace allows at most. Its settings, who may approve, and the checks of a plan."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from webapp.accounts import Scope
from webapp.db import Session

Mode = Literal["off", "preview", "on"]
Approvers = Literal["admins", "members"]


@dataclass(frozen=True)
class Rails:
    """Caps are micros per day in `cap_currency`. The defaults are those of a workspace that has set nothing."""

    mode: Mode = "preview"
    approvers: Approvers = "admins"
    budget_change_pct: int = 20
    campaign_cap_micros: int | None = None
    workspace_cap_micros: int | None = None
    step_up_micros: int | None = None  # a plan that moves more per day has to be typed
    cap_currency: str = ""
    max_campaigns: int = 10  # in one plan that pauses several
    max_spend_share_pct: int = 30  # of the last 7 days' spend, in one plan that pauses several
    cooldown_hours: int = 24


def rails(scope: Scope, db: Session) -> Rails:
    """The workspace's rails, or the defaults."""
    raise NotImplementedError


def set_rails(scope: Scope, db: Session, wanted: Rails) -> None:
    """Needs Right.MANAGE_ADS. Raises a 422 UserError for a value out of range, which names it."""
    raise NotImplementedError


def may_approve(scope: Scope, rails: Rails) -> bool:
    """Whether the person may approve and reject: by role, or as a member where the rails let members."""
    raise NotImplementedError
