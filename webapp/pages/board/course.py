"""Figures over time: one chart for each currency and unit of the metrics that were chosen, the period before dashed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby

from webapp.analytics.answers import PipeResult, Row
from webapp.analytics.columns import meaning
from webapp.pages import charts
from webapp.pages.board import sight
from webapp.pages.board.sight import About, Sight
from webapp.pages.charts import Series, TimeChart
from webapp.pages.figures import Unit

PICKS = {
    "revenue,spend": "Revenue and spend",
    "revenue,platform_revenue": "Shop and platform revenue",
    "mer": "MER",
    "roas": "Platform ROAS",
    "orders": "Orders",
    "aov": "AOV",
    "new_customers": "New customers",
    "cac": "CAC",
    "sessions": "Sessions",
    "cvr": "Conversion rate",
    "cpa": "CPA",
    "ctr": "CTR",
    "cpm": "CPM",
}


@dataclass(frozen=True)
class Drawing:
    """The charts of one currency."""

    currency: str
    charts: tuple[TimeChart, ...]


@dataclass(frozen=True)
class Course:
    """The first drawing is of the shop's currency."""

    drawings: tuple[Drawing, ...]
    about: About


def course(of: Sight) -> Course:
    bucket, metrics = of.asked.bucket(of.days), of.asked.drawn
    found = of.ask("metric_timeseries", metrics=list(metrics), granularity=bucket)
    earlier = _earlier(of, bucket, metrics)
    currencies = dict.fromkeys(sight.currency_of(row, found) for row in found.rows)
    drawings = (Drawing(each, tuple(_charts(of, found, earlier, metrics, each))) for each in currencies)
    return Course(tuple(each for each in drawings if each.charts), sight.about(of, found))


def picks(metrics: str) -> list[tuple[str, str]]:
    """What can be drawn, with its words; also what is drawn, if a link asked for something else."""
    named = [] if metrics in PICKS else [(metrics, in_words(metrics))]
    return [*named, *PICKS.items()]


def in_words(metrics: str) -> str:
    return PICKS.get(metrics) or " and ".join(meaning(each).label for each in metrics.split(","))


def _earlier(of: Sight, bucket: str, metrics: Sequence[str]) -> PipeResult | None:
    """The same a period earlier. Months are not drawn over each other: they begin in the middle of one another."""
    days = of.compared
    if days is None or bucket == "month":
        return None
    dates = {"date_from": str(days.since), "date_to": str(days.until)}
    return of.ask("metric_timeseries", metrics=[metrics[0]], granularity=bucket, **dates)


def _charts(
    of: Sight, found: PipeResult, earlier: PipeResult | None, metrics: Sequence[str], currency: str
) -> Iterator[TimeChart]:
    """One a unit: what is measured differently has no common axis."""
    rows = [row for row in found.rows if sight.currency_of(row, found) == currency]
    before = [row for row in earlier.rows if sight.currency_of(row, earlier) == currency] if earlier else []
    days = [date.fromisoformat(str(row["bucket"])) for row in rows]
    for unit, keys in groupby(sorted(metrics, key=sight.unit), key=sight.unit):
        named = sorted(keys, key=metrics.index)
        there = [key for key in named if any(row.get(key) is not None for row in rows)]
        if there:
            series = [_series(key, rows, before if key == metrics[0] else []) for key in there]
            yield _chart(of, found, days, series, unit, currency, there)


def _chart(
    of: Sight, found: PipeResult, days: Sequence[date], series: Sequence[Series], unit: Unit, currency: str,
    keys: Sequence[str],
) -> TimeChart:  # fmt: skip
    draw = charts.columns if unit == "count" and len(days) <= charts.overtime.MOST_COLUMNS else charts.line
    return draw(
        f"course-{currency.lower()}-{unit}",
        " and ".join(each.name for each in series) + (f" in {currency}" if unit == "money" else ""),
        days,
        series,
        unit,
        currency=currency,
        maturing_from=sight.growing(found, *keys),
        previous_name=of.before,
    )


def _series(key: str, rows: Sequence[Row], before: Sequence[Row]) -> Series:
    earlier = [sight.value(row, key) for row in before] if len(before) == len(rows) else []
    return Series(meaning(key).label, [sight.value(row, key) for row in rows], earlier)
