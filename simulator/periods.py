"""The days that somebody means by "last week" and its kin, for tools that take dates and know no such words.

Whole days up to yesterday; weeks begin on Monday.
"""

from __future__ import annotations

from datetime import date, timedelta

_DAY = timedelta(days=1)


def days(period: str, today: date) -> tuple[date, date]:
    """First and last day of a period as wishes.py names it. Raises ValueError for another one.

    A period that began today has no whole day yet: it is today's.
    """
    first, last = _named(period, today)
    return first, max(first, last)


def _named(period: str, today: date) -> tuple[date, date]:
    yesterday, monday, month = today - _DAY, today - today.weekday() * _DAY, today.replace(day=1)
    match period:
        case "yesterday":
            return yesterday, yesterday
        case "this_week":
            return monday, yesterday
        case "last_week":
            return monday - 7 * _DAY, monday - _DAY
        case "this_month":
            return month, yesterday
        case "last_month":
            return (month - _DAY).replace(day=1), month - _DAY
        case "this_quarter":
            return month.replace(month=(today.month - 1) // 3 * 3 + 1), yesterday
        case "this_year":
            return month.replace(month=1), yesterday
    return today - int(period.removeprefix("last_").removesuffix("d")) * _DAY, yesterday
