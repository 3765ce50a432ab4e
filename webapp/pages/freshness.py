"""How fresh the figures of ad accounts are, in words: how far they reach, what is being read, what is in the way; and
which days they are about."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Literal

from webapp.ads.accounts import AccountRow
from webapp.ads.faults import explain
from webapp.ads.figures import Account, Compared
from webapp.ads.windows import Window, today_in
from webapp.pages import figures

State = Literal["fresh", "running", "stale", "fault"]
LATE = timedelta(days=2)  # the newest day is older than this: something is wrong


@dataclass(frozen=True)
class Freshness:
    """An account's. `words` is a sentence; `done` of `total` steps while it is read."""

    name: str
    state: State
    words: str
    done: int = 0
    total: int = 0


@dataclass(frozen=True)
class Outlook:
    """Those accounts that there is something to say about."""

    said: tuple[Freshness, ...]
    running: bool


def outlook(rows: Sequence[AccountRow], now: datetime | None = None) -> Outlook:
    each = [_of(row, now or datetime.now(UTC)) for row in rows]
    said = tuple(it for it in each if it.state != "fresh")
    return Outlook(said, any(it.state == "running" for it in each))


def _through(days: Iterable[date | None]) -> str:
    """The newest day that all have; empty if one has none."""
    known = list(days)
    ends = [day for day in known if day]
    return figures.day(min(ends), year=True) if ends and len(ends) == len(known) else ""


def _of(row: AccountRow, now: datetime) -> Freshness:
    sync, through = row.sync, row.sync.through
    if sync.running:
        return Freshness(
            row.name, "running", f"{sync.note or 'Reading its campaigns and days'}.", sync.done, sync.total
        )
    if row.fault:
        words = explain(row.fault.trouble, row.platform)
        return Freshness(row.name, "fault", f"{words.title}. {words.hint}")
    if sync.state == "failed":
        return Freshness(row.name, "fault", sync.note or "It could not be read.")
    if through is None:
        return Freshness(row.name, "stale", "No day of it has been read yet.")
    if row.platform != "import" and today_in(row.timezone, now) - through > LATE:
        return Freshness(row.name, "stale", f"Its figures end on {figures.day(through, year=True)}.")
    return Freshness(row.name, "fresh", "")


# --- the days ---------------------------------------------------------------------------------------------------


def hull(windows: Iterable[Window]) -> Window | None:
    """From the first to the last day, where accounts see different ones; empty windows do not count."""
    whole = [window for window in windows if window.days > 0]
    return Window(min(it.since for it in whole), max(it.until for it in whole)) if whole else None


def notes(accounts: Sequence[Account], compared: Sequence[Compared | None]) -> list[str]:
    """What the figures of a page are about, what they are compared with, and which of their days are not final."""
    days = hull(account.window for account in accounts)
    if days is None:
        return ["This period has no whole day yet. Today is left out, because it is not over."]
    whose = "the account's" if len(accounts) == 1 else "each account's"
    said = [f"{_span(days)}, in whole days of {whose} own timezone. Today is left out."]
    if through := _through(account.data_through for account in accounts):
        said[0] += f" Figures reach to {through}."
    then = [it for it in compared if it]
    now, earlier = hull(it.window for it in then), hull(it.earlier for it in then)
    if now and earlier:
        said.append(
            f"Changes compare {_span(now)} with {_span(earlier)}: only days that are final, and as many before."
        )
    else:
        said.append("Nothing is compared: no day of this period is final yet.")
    fresh = [account for account in accounts if account.maturing_from <= account.window.until]
    if fresh:
        since = figures.day(min(max(it.maturing_from, it.window.since) for it in fresh), year=True)
        said.append(f"Days from {since} on are not final: conversions still come in, and revenue, ROAS and CPA change.")
    if len({account.currency for account in accounts}) > 1:
        said.append("Amounts of different currencies are never added up.")
    return said


def _span(days: Window) -> str:
    return figures.days(days.since, days.until)
