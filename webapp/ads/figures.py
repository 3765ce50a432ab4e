"""Figures of campaigns and accounts as pages and tools get them. Values only; the store that fills them is reports.py.

Every ratio is a ratio of sums and is made here, once; a zero denominator gives None, never 0. Amounts of different
currencies are never added: totals come one per currency.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Literal, get_args

from webapp.ads.foreign import fence
from webapp.ads.money import Money
from webapp.ads.windows import Period, Window

SortKey = Literal[
    "name",
    "account",
    "platform",
    "status",
    "spend",
    "revenue",
    "roas",
    "cpa",
    "ctr",
    "cpc",
    "cpm",
    "orders",
    "impressions",
    "clicks",
    "budget",
    "learning",
    "age",
]
SORT_KEYS: tuple[SortKey, ...] = get_args(SortKey)
StatusFilter = Literal["live", "active", "paused", "archived", "deleted", "all"]
STATUS_FILTERS: tuple[StatusFilter, ...] = get_args(StatusFilter)
PLATFORMS = ("meta", "google", "import", "demo")

DEFINITIONS = {
    "roas": "revenue / spend, revenue as the ad platform attributes it",
    "cpa": "spend / orders",
    "ctr": "clicks / impressions (link clicks where the platform tells them apart)",
    "cpc": "spend / clicks",
    "cpm": "1000 * spend / impressions",
}


@dataclass(frozen=True)
class Figures:
    """Sums over days, campaigns or both, all in one currency; micros are millionths of its unit."""

    spend_micros: int = 0
    revenue_micros: int = 0
    orders: float = 0
    impressions: int = 0
    clicks: int = 0

    def __add__(self, other: Figures) -> Figures:
        return Figures(
            self.spend_micros + other.spend_micros,
            self.revenue_micros + other.revenue_micros,
            self.orders + other.orders,
            self.impressions + other.impressions,
            self.clicks + other.clicks,
        )

    @property
    def roas(self) -> float | None:
        return self.revenue_micros / self.spend_micros if self.spend_micros else None

    @property
    def cpa_micros(self) -> int | None:
        return round(self.spend_micros / self.orders) if self.orders else None

    @property
    def ctr(self) -> float | None:
        return self.clicks / self.impressions if self.impressions else None

    @property
    def cpc_micros(self) -> int | None:
        return round(self.spend_micros / self.clicks) if self.clicks else None

    @property
    def cpm_micros(self) -> int | None:
        return round(1000 * self.spend_micros / self.impressions) if self.impressions else None


NOTHING = Figures()


def total(of: Iterable[Figures]) -> Figures:
    """Their sum. The caller sees to it that they are of one currency."""
    return sum(of, NOTHING)


@dataclass(frozen=True)
class Day:
    day: date
    figures: Figures
    maturing: bool = False


@dataclass(frozen=True)
class Compared:
    """The window's mature days against as many days one window earlier."""

    window: Window
    earlier: Window
    now: Figures
    before: Figures


@dataclass(frozen=True)
class Account:
    """An ad account, with the window as it sees it and how far its data goes. `name` is untrusted text."""

    id: uuid.UUID
    ref: str  # the short id that a model uses: a_1f2e3d4c5b
    name: str
    platform: str
    network: str  # where its ads run: meta or google, also for a demo account or a file; empty: not known
    currency: str
    timezone: str
    writable: bool
    window: Window
    maturing_from: date
    data_through: date | None
    synced_at: datetime | None
    target_cpa_micros: int | None = None
    fault: str = ""  # why it needs attention

    @property
    def mature_until(self) -> date:
        """The newest day that no longer grows."""
        return self.maturing_from - timedelta(1)


@dataclass(frozen=True)
class Report:
    """Figures of something in the window, the comparison, and the days (all of the window's, also those without)."""

    figures: Figures
    compared: Compared | None = None
    days: tuple[Day, ...] = ()


@dataclass(frozen=True)
class AdSet:
    """`budget_micros` is per day; figures are None where the platform gave none for ad sets."""

    id: str
    name: str
    status: str
    budget_micros: int | None
    learning: str
    figures: Figures | None = None


@dataclass(frozen=True)
class Ad:
    id: str
    name: str
    adset_id: str
    adset_name: str
    figures: Figures


@dataclass(frozen=True)
class Campaign:
    """A campaign as its platform last told it, with its figures. Names and issues are untrusted text."""

    id: uuid.UUID
    ref: str  # the short id that a model uses: c_1f2e3d4c5b
    external_id: str
    name: str
    account: Account
    status: str
    effective_status: str  # the platform's own word
    issues: tuple[str, ...]
    objective: str
    bid_strategy: str
    budget_micros: int | None
    budget_period: str
    budget_level: str
    shared_with: tuple[str, ...]
    adset_count: int
    learning: str
    learning_events: int | None
    started_on: date | None
    age_days: int | None
    changed_at: datetime | None
    report: Report

    @property
    def why(self) -> str:
        """Why it stands as it does, where the platform says more than `status`: its issues, else its own word."""
        if self.issues:
            return "; ".join(self.issues)
        word = self.effective_status
        return "" if word.lower() == self.status else word.replace("_", " ").lower()


@dataclass(frozen=True)
class Named:
    """What a campaign can be called by."""

    id: uuid.UUID
    ref: str
    external_id: str
    name: str


@dataclass(frozen=True)
class CampaignDetail:
    campaign: Campaign
    adsets: tuple[AdSet, ...] = ()
    ads: tuple[Ad, ...] = ()


@dataclass(frozen=True)
class CurrencyTotal:
    """What is in one currency, added up."""

    currency: str
    accounts: tuple[Account, ...]
    report: Report


@dataclass(frozen=True)
class Listing:
    """A page of campaigns. `totals` cover all `total` that fit, not only this page; `accounts` are all that were
    looked through."""

    rows: tuple[Campaign, ...]
    total: int
    totals: tuple[CurrencyTotal, ...]
    accounts: tuple[Account, ...]


@dataclass(frozen=True)
class Overview:
    """The accounts of a workspace, and their totals per currency."""

    accounts: tuple[tuple[Account, Report], ...]
    totals: tuple[CurrencyTotal, ...]


@dataclass(frozen=True)
class Query:
    """Which campaigns, in which order. Status "live" is active and paused. `platform` is also the network of a demo
    account or a file. `text` is found in names and ids, in any case. Amounts are sorted within their currency."""

    period: Period = "last_30d"
    status: StatusFilter = "live"
    platform: str = ""
    account_id: uuid.UUID | None = None
    text: str = ""
    sort: SortKey = "spend"
    descending: bool = True
    limit: int = 50
    offset: int = 0


def in_brief(of: Campaign) -> str:
    """A campaign in a line for a model. Its names are fenced."""
    figures, account = of.report.figures, of.account
    spent = Money.from_micros(figures.spend_micros, account.currency)
    earned = Money.from_micros(figures.revenue_micros, account.currency)
    roas = "not defined" if figures.roas is None else f"{figures.roas:.2f}"
    return (
        f"campaign_id {of.ref}: {fence(of.name)}, in account {fence(account.name)} ({account.platform}), {of.status}. "
        f"{account.window}: spend {spent}, revenue {earned}, ROAS {roas}, {figures.orders:g} orders; days "
        f"from {account.maturing_from} on still grow."
    )


def arranged(rows: Iterable[Campaign], sort: SortKey, descending: bool) -> list[Campaign]:
    """In order of `sort`: amounts within their currency (the one of most campaigns first), what is not defined last,
    ties by name."""
    value, rows = SORTS[sort], list(rows)
    by_name = sorted(rows, key=lambda row: (row.name.lower(), row.id))
    known = sorted((row for row in by_name if value(row) is not None), key=value, reverse=descending)
    if sort in AMOUNTS:
        many = Counter(row.account.currency for row in rows)
        known.sort(key=lambda row: (-many[row.account.currency], row.account.currency))
    return [*known, *(row for row in by_name if value(row) is None)]


AMOUNTS: frozenset[SortKey] = frozenset({"spend", "revenue", "cpa", "cpc", "cpm", "budget"})
SORTS: dict[SortKey, Callable[[Campaign], Any]] = {
    "name": lambda row: row.name.lower(),
    "account": lambda row: row.account.name.lower(),
    "platform": lambda row: row.account.platform,
    "status": lambda row: row.status,
    "spend": lambda row: row.report.figures.spend_micros,
    "revenue": lambda row: row.report.figures.revenue_micros,
    "roas": lambda row: row.report.figures.roas,
    "cpa": lambda row: row.report.figures.cpa_micros,
    "ctr": lambda row: row.report.figures.ctr,
    "cpc": lambda row: row.report.figures.cpc_micros,
    "cpm": lambda row: row.report.figures.cpm_micros,
    "orders": lambda row: row.report.figures.orders,
    "impressions": lambda row: row.report.figures.impressions,
    "clicks": lambda row: row.report.figures.clicks,
    "budget": lambda row: row.budget_micros,
    "learning": lambda row: row.learning,
    "age": lambda row: row.age_days,
}
