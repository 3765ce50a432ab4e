"""The figures at the head of the board: a tile each, with its change, what it was before, and its course in small.

Each currency has tiles of its own. Which tiles there are depends on what the workspace has: without a shop the ad
platforms' figures stand where the shop's would, since ten dashes tell nobody anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from webapp.analytics.answers import PipeResult, Row
from webapp.analytics.catalogue import SERIES
from webapp.analytics.columns import ADS, Source, meaning
from webapp.pages import charts, figures
from webapp.pages.board import sight
from webapp.pages.board.sight import About, Sight
from webapp.pages.charts import Spark
from webapp.pages.figures import Delta, Figure

KEYS = ("revenue", "spend", "mer", "roas", "orders", "aov", "cac", "new_customers", "sessions", "cvr",
        "platform_revenue", "platform_orders", "cpa", "ctr", "cpm")  # fmt: skip
MOST = 10  # tiles; of a currency that is not the shop's:
FEW = 5
LABELS = {"spend": "Ad spend", "roas": "Platform ROAS", "cac": "CAC (nCPA)", "cvr": "Conversion rate"}
FORMULAS = {"mer": ("revenue", "spend")}  # spelled out, because other tools mean something else by the word


@dataclass(frozen=True)
class Tile:
    """`note`: what must not be overlooked; `formula`: how it was made, in this period's own figures."""

    key: str
    label: str
    figure: Figure
    means: str
    delta: Delta | None = None
    before: str = ""
    formula: str = ""
    note: str = ""
    course: Spark | None = None


@dataclass(frozen=True)
class Purse:
    """The tiles of one currency."""

    currency: str
    tiles: tuple[Tile, ...]


@dataclass(frozen=True)
class Hero:
    purses: tuple[Purse, ...]
    before: str
    about: About


def hero(of: Sight) -> Hero:
    found = of.ask("kpi_summary")
    course = of.ask("metric_timeseries", granularity="day")
    purses = tuple(_purse(of, found, course, row, first=row is found.rows[0]) for row in found.rows)
    return Hero(tuple(purse for purse in purses if purse.tiles), of.before, sight.about(of, found))


def _purse(of: Sight, found: PipeResult, course: PipeResult, row: Row, *, first: bool) -> Purse:
    currency = sight.currency_of(row, found)
    there = of.standing.sources if first or row.get("orders") else ADS & of.standing.sources
    days = [day for day in course.rows if sight.currency_of(day, course) == currency]
    keys = _keys(there, MOST if first else FEW)
    return Purse(currency, tuple(_tile(found, row, key, currency, days) for key in keys))


def _keys(there: frozenset[Source], most: int) -> list[str]:
    return [key for key in KEYS if meaning(key).made_from <= there][:most]


def _tile(found: PipeResult, row: Row, key: str, currency: str, days: Sequence[Row]) -> Tile:
    since = sight.growing(found, key)
    return Tile(
        key,
        LABELS.get(key, meaning(key).label),
        sight.figure(row, key, currency),
        " ".join(_means(found, key)).strip(),
        sight.change(row, key, currency),
        _before(row, key, currency),
        _formula(row, key, currency),
        f"Still grows from {figures.day(since)}" if since else "",
        _course(found, key, currency, days),
    )


def _means(found: PipeResult, key: str) -> Iterator[str]:
    yield sight.means(found, key)
    if key == "mer":
        yield "Also called blended ROAS."
    if since := sight.growing(found, key):
        yield f"Days from {figures.day(since)} on still grow; the change compares the days before them."


def _before(row: Row, key: str, currency: str) -> str:
    """What the change is against; of what platforms claim it is not the whole of the period before."""
    before = sight.value(row, f"{key}_prev")
    if before is not None and meaning(key).claimed:
        return "over final days"
    return "" if before is None else f"from {figures.spell(before, sight.unit(key), currency)}"


def _formula(row: Row, key: str, currency: str) -> str:
    parts = FORMULAS.get(key)
    if parts is None or sight.value(row, key) is None:
        return ""
    above, below = parts
    numbers = (figures.spell(sight.value(row, part) or 0, "money", currency, short=True) for part in parts)
    return f"{above} ÷ {below} = {' ÷ '.join(numbers)}"


def _course(found: PipeResult, key: str, currency: str, days: Sequence[Row]) -> Spark | None:
    if key not in SERIES or not days:
        return None
    maturing = sum(1 for day in days if day.get("is_maturing")) if sight.growing(found, key) else 0
    values = [sight.value(day, key) for day in days]
    return charts.spark(meaning(key).label, values, sight.unit(key), currency=currency, maturing=maturing)
