"""The evidence rule of pause_all_low_roas: is a campaign's ROAS really below the threshold? Pure arithmetic."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol

from webapp.ads.figures import Figures
from webapp.ads.plans import Evidence


@dataclass(frozen=True)
class Rule:
    """What was asked for. `min_spend_micros` is what a person asks beyond the rule's own minimum."""

    threshold: float
    window_days: int = 14
    min_spend_micros: int | None = None
    confidence: float = 0.9


class Standing(Protocol):
    """A campaign as its platform last told it: figures.Campaign or platform.CampaignState."""

    @property
    def status(self) -> str: ...
    @property
    def objective(self) -> str: ...
    @property
    def learning(self) -> str: ...
    @property
    def learning_events(self) -> int | None: ...
    @property
    def started_on(self) -> date | None: ...
    @property
    def changed_at(self) -> datetime | None: ...


@dataclass(frozen=True)
class Basis:
    """What an account's campaigns are judged on. With a `refusal` (no mature day, no revenue at all: a broken pixel)
    nothing may be paused."""

    rule: Rule
    since: date
    until: date
    blind: frozenset[date]  # days that nothing was tracked on, left out
    floor_micros: int  # spend below this says nothing
    rate: float  # the account's orders per unit of currency spent
    aov: float  # its revenue per order, in units
    refusal: str = ""


def basis(
    days: Mapping[date, Figures], rule: Rule, *, until: date, target_cpa_micros: int | None = None
) -> Basis:
    """From the days of the whole ad account; `until` is the last mature day (the day before `maturing_from`)."""
    raise NotImplementedError


def judge(campaign: Standing, days: Mapping[date, Figures], on: Basis, *, now: datetime) -> Evidence:
    """pause, keep or undecided, and why. `days` are the campaign's; those outside the window are not looked at."""
    raise NotImplementedError
