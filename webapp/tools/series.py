"""Days told as a series: by day, week or month, and never more rows than a result holds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from typing import Any

from webapp.ads.figures import Day, total
from webapp.tools import telling
from webapp.tools.results import MAX_ROWS, Column

MATURING = Column("maturing", "Still grows", "flag")
COLUMNS: dict[str, tuple[Column, ...]] = {
    key: (Column("date", label, "date"), *telling.FIGURES, MATURING)
    for key, label in (("day", "Day"), ("week", "Week from"), ("month", "Month from"))
}
LINE = {"kind": "line", "x": "date", "y": ["spend", "revenue"]}
FIRST_DAY: dict[str, Callable[[date], date]] = {
    "day": lambda day: day,
    "week": lambda day: day - timedelta(day.weekday()),
    "month": lambda day: day.replace(day=1),
}


def series(days: Sequence[Day], granularity: str) -> list[dict[str, Any]]:
    """A row for each day, week (from Monday) or month, with what of it lies in the window; the newest is the last."""
    grouped: dict[date, list[Day]] = {}
    for day in days:
        grouped.setdefault(FIRST_DAY[granularity](day.day), []).append(day)
    return [
        {
            "date": str(max(first, of[0].day)),
            **telling.figures(total(day.figures for day in of)),
            "maturing": any(day.maturing for day in of),
        }
        for first, of in grouped.items()
    ]


def fitting(granularity: str, days: int, series_count: int = 1) -> str:
    """The granularity asked for, or the next coarser that fits into a result."""
    rows = {"day": days, "week": days // 7 + 2, "month": days // 28 + 2}
    finer = list(rows)[list(rows).index(granularity) :]
    return next((each for each in finer if rows[each] * series_count <= MAX_ROWS), "month")


def coarser(asked: str, given: str) -> tuple[str, ...]:
    """The caveat where another granularity was given than asked for."""
    return (f"By {given} in place of by {asked}: the window is long.",) if asked != given else ()
