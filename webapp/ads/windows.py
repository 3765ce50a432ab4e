"""Windows: which whole days a report covers, and which of them may be compared. Pure; a day is an account's own day.

Today is left out, because it is not over. Conversions are dated back to the click, so an account's newest days still
grow ("maturing"). A comparison therefore takes the mature days of the window and the same stretch of days one window
earlier: equal length, equal maturity.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Literal, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

Preset = Literal[
    "yesterday",
    "last_7d",
    "last_14d",
    "last_28d",
    "last_30d",
    "last_90d",
    "this_week",
    "last_week",
    "this_month",
    "last_month",
    "this_quarter",
    "this_year",
]
PRESETS: tuple[Preset, ...] = get_args(Preset)
LONGEST = 400  # days of one window


@dataclass(frozen=True)
class Window:
    """Both days are included. `until` is the day before `since` in a window without a whole day (this month, on the
    1st)."""

    since: date
    until: date

    @property
    def days(self) -> int:
        return (self.until - self.since).days + 1

    def earlier(self) -> Window:
        """The window of the same length that ends the day before this one begins."""
        return Window(self.since - timedelta(self.days), self.since - timedelta(1))

    def dates(self) -> list[date]:
        return [self.since + timedelta(n) for n in range(self.days)]

    def __str__(self) -> str:
        return f"{self.since} to {self.until}"


Period = Preset | Window


@dataclass(frozen=True)
class Span:
    """A window as one account sees it. Days from `maturing_from` on still grow. `compared` are the window's mature
    days and the days they are compared with; None if no day is mature."""

    window: Window
    maturing_from: date
    compared: tuple[Window, Window] | None


def today_in(timezone: str, now: datetime) -> date:
    """The date in a timezone (IANA name); a name that nobody knows counts as UTC."""
    try:
        return now.astimezone(ZoneInfo(timezone)).date()
    except (ZoneInfoNotFoundError, ValueError):
        return now.astimezone(UTC).date()


def window(period: Period, today: date) -> Window:
    """The days of a period, as of `today`, which is not one of them. A given window loses what it has of the future."""
    yesterday = today - timedelta(1)
    if isinstance(period, Window):
        return Window(period.since, max(min(period.until, yesterday), period.since - timedelta(1)))
    if period.startswith("last_") and period.endswith("d"):
        return Window(today - timedelta(int(period[5:-1])), yesterday)
    monday, first = today - timedelta(today.weekday()), today.replace(day=1)
    match period:
        case "this_week":
            return Window(monday, yesterday)
        case "last_week":
            return Window(monday - timedelta(7), monday - timedelta(1))
        case "this_month":
            return Window(first, yesterday)
        case "last_month":
            return Window((first - timedelta(1)).replace(day=1), first - timedelta(1))
        case "this_quarter":
            return Window(first.replace(month=(today.month - 1) // 3 * 3 + 1), yesterday)
        case "this_year":
            return Window(today.replace(month=1, day=1), yesterday)
        case _:
            return Window(yesterday, yesterday)


def span(days: Window, maturing_from: date) -> Span:
    """What of a window may be compared, and with which days."""
    mature = Window(days.since, min(days.until, maturing_from - timedelta(1)))
    if mature.days < 1:
        return Span(days, maturing_from, None)
    shift = timedelta(days.days)
    return Span(days, maturing_from, (mature, Window(mature.since - shift, mature.until - shift)))
