"""Where the marks of a chart's axes stand: round numbers on the upright one, days or months on the other. Pure.

Places are fractions: 0 is the bottom or the start of the first day, 1 the top or the end of the last day.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from math import ceil, floor, log10

from webapp.pages import figures
from webapp.pages.figures import Unit

STEPS = (1, 2, 2.5, 5, 10)
FINEST: dict[Unit, float] = {"money": 0.01, "ratio": 0.01, "percent": 0.0001, "count": 1, "days": 1}
DAY_STEPS = (1, 2, 3, 7, 14)
MONTH_STEPS = (1, 2, 3, 6, 12)
MOST_DAYS = 112  # more of them are marked by their months


@dataclass(frozen=True)
class Tick:
    """A mark: where it stands, what it says. `fine` ones may be left out where there is little room."""

    at: float
    label: str
    fine: bool = False


@dataclass(frozen=True)
class Upright:
    """An axis of values from `low` to `high`, both round and one of them zero or beyond."""

    low: float
    high: float
    ticks: tuple[Tick, ...]

    def place(self, value: float) -> float:
        return (value - self.low) / (self.high - self.low)


def upright(values: Iterable[float], unit: Unit, currency: str = "", *, marks: int = 4) -> Upright:
    """An axis that shows zero and all of the values with about `marks` round marks."""
    there = [*values, 0.0]
    step = _step(max(there) - min(there), unit, marks)
    low, high = floor(min(there) / step), max(ceil(max(there) / step), floor(min(there) / step) + 1)
    span = high - low
    ticks = tuple(
        Tick((n - low) / span, figures.spell(round(n * step, 9), unit, currency, short=True))
        for n in range(low, high + 1)
    )
    return Upright(low * step, high * step, ticks)


def _step(span: float, unit: Unit, marks: int) -> float:
    """A round distance between marks that can be said in the unit's decimals."""
    finest = FINEST[unit]
    if span <= 0:
        return 100 * finest
    rough = max(span / marks, finest)
    size = 10.0 ** floor(log10(rough))
    steps = (size * each for each in STEPS if size * each >= rough * (1 - 1e-9))
    return next(step for step in steps if abs(step / finest - round(step / finest)) < 1e-6)


def along(days: Sequence[date], *, marks: int = 8) -> tuple[Tick, ...]:
    """Marks on an axis of days: every day, every few, Mondays, or the firsts of months. Every second one is fine."""
    first, last = days[0], days[-1]
    by_month = (last - first).days > MOST_DAYS
    chosen = _months(first, last, marks) if by_month else _days(first, last, marks)
    return tuple(
        Tick(place(each, first, last), _label(each, by_month), fine=bool((len(chosen) - 1 - n) % 2))
        for n, each in enumerate(chosen)
    )


def place(of: date, first: date, last: date) -> float:
    """The middle of a day's strip on an axis that is cut into one strip a day."""
    return ((of - first).days + 0.5) / ((last - first).days + 1)


def _label(of: date, by_month: bool) -> str:
    if not by_month:
        return figures.day(of)
    return f"{of:%b %Y}" if of.month == 1 else f"{of:%b}"


def _days(first: date, last: date, marks: int) -> list[date]:
    """From the newest day backwards, so that the end of the data has its mark; weeks begin on Mondays."""
    span = (last - first).days
    step = next((each for each in DAY_STEPS if span / each < marks), DAY_STEPS[-1])
    start = last - timedelta(last.weekday()) if step % 7 == 0 else last
    return [start - timedelta(n * step) for n in range((start - first).days // step, -1, -1)]


def _months(first: date, last: date, marks: int) -> list[date]:
    begin = first.year * 12 + first.month - (1 if first.day == 1 else 0)
    end = last.year * 12 + last.month - 1
    step = next((each for each in MONTH_STEPS if (end - begin) / each < marks), MONTH_STEPS[-1])
    return [date(month // 12, month % 12 + 1, 1) for month in range(begin, end + 1) if month % step == 0]
