"""How visitors became customers, whether they came back, and which days stood out: funnel, cohorts, anomalies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from webapp.analytics.answers import PipeResult, Row
from webapp.analytics.columns import meaning
from webapp.pages import charts, figures
from webapp.pages.board import sight
from webapp.pages.board.asked import plain
from webapp.pages.board.sight import About, Sight
from webapp.pages.charts import Cohort, CohortChart, RowChart
from webapp.pages.figures import Unit

MONTHS = 11  # after the first one
SHOWN = {"cumulative_ltv": "LTV so far", "repeat_rate": "Came back", "revenue_per_customer": "Revenue in the month"}
WATCHED = ("revenue", "spend", "roas", "cvr")  # for anomalies, unless one metric is chosen
AROUND = timedelta(days=14)  # of an anomaly, in the link to it
CAUSES = {
    "spend": "what was spent",
    "sessions": "how many came",
    "cpm": "the price of impressions (CPM)",
    "ctr": "how many clicked (CTR)",
    "cvr": "how many of them bought",
    "aov": "how much an order was worth (AOV)",
}


@dataclass(frozen=True)
class Funnel:
    chart: RowChart
    through: str
    about: About


def funnel(of: Sight) -> Funnel:
    found = of.ask("conversion_funnel", channel=of.asked.channel, device=of.asked.device)
    steps = [(plain(row["step"]), sight.value(row, "sessions") or 0) for row in found.rows]
    last = sight.value(found.rows[-1], "overall_rate") if found.rows else None
    through = "" if last is None else f"{figures.spell(last, 'percent')} of all sessions end in a purchase."
    return Funnel(charts.funnel("funnel", "Sessions by how far they came", steps), through, sight.about(of, found))


# --- cohorts ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Cohorts:
    charts: tuple[CohortChart, ...]
    about: About


def cohorts(of: Sight) -> Cohorts:
    """The year up to the period's last day: a month's customers need months to come back."""
    found = of.ask("cohort_ltv", date_from=str(of.days.until - timedelta(364)), periods=MONTHS)
    currencies = dict.fromkeys(sight.currency_of(row, found) for row in found.rows)
    return Cohorts(tuple(_heat(of, found, currency) for currency in currencies), sight.about(of, found))


def _heat(of: Sight, found: PipeResult, currency: str) -> CohortChart:
    key = of.asked.show
    unit: Unit = "percent" if key == "repeat_rate" else "money"
    rows = [row for row in found.rows if sight.currency_of(row, found) == currency]
    beside = f" in {currency}" if unit == "money" else ""
    columns = ["First month", *(f"+{n}" for n in range(1, MONTHS + 1))]
    title = f"{SHOWN[key]}{beside}, by months since the first order"
    return charts.cohorts(f"cohorts-{currency.lower()}", title, list(_cohorts(rows, key)), columns, unit,
                          currency=currency)  # fmt: skip


def _cohorts(rows: Sequence[Row], key: str) -> Iterator[Cohort]:
    for first in dict.fromkeys(str(row["cohort"]) for row in rows):
        months = [row for row in rows if row["cohort"] == first]
        size = int(sight.value(months[0], "customers") or 0)
        yield Cohort(f"{date.fromisoformat(first):%b %Y}", size, [sight.value(row, key) for row in months])


# --- anomalies --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Anomaly:
    """A day on which a metric was far from its usual. `up` is no judgement: `tone` says whether it is good news."""

    day: date
    words: str
    metric: str
    up: bool
    tone: str
    change: str
    value: str
    expected: str
    cause: str
    url: str
    question: str


@dataclass(frozen=True)
class Anomalies:
    found: tuple[Anomaly, ...]
    watched: str
    about: About


def anomalies(of: Sight) -> Anomalies:
    watched = (of.asked.metric,) if of.asked.metric else WATCHED
    answers = [of.ask("metric_anomalies", metric=metric) for metric in watched if _known(of, metric)]
    rows = [_anomaly(of, answer, row) for answer in answers for row in answer.rows]
    words = ", ".join(meaning(metric).label for metric in watched)
    return Anomalies(tuple(sorted(rows, key=lambda it: it.day, reverse=True)), words, sight.about(of, *answers))


def _known(of: Sight, metric: str) -> bool:
    """Something is known of it; or it was asked for, and then its absence is the answer."""
    return bool(of.asked.metric) or meaning(metric).made_from <= of.standing.sources


def _anomaly(of: Sight, answer: PipeResult, row: Row) -> Anomaly:
    metric, up = str(row["metric"]), row["direction"] == "up"
    currency, unit = sight.currency_of(row, answer), sight.unit(metric)
    value, expected = sight.value(row, "value"), sight.value(row, "expected")
    day, label = date.fromisoformat(str(row["date"])), meaning(metric).label
    delta = figures.delta(value, expected, unit, currency, good=sight.good_way(metric))
    return Anomaly(
        day,
        figures.weekday(day),
        label + ("" if answer.currency or unit != "money" else f" in {currency}"),
        up,
        delta.tone,
        delta.text,
        figures.number(value, unit, currency).text,
        figures.number(expected, unit, currency).text,
        CAUSES.get(str(row.get("likely_cause") or ""), ""),
        _around(of, day, metric),
        f"Why was {label} so {'high' if up else 'low'} on {figures.weekday(day)}?",
    )


def _around(of: Sight, day: date, metric: str) -> str:
    """The course of the metric with the day in its middle."""
    until = min(day + AROUND, of.standing.today - timedelta(1))
    days = {"period": "custom", "since": str(day - AROUND), "until": str(until)}
    return of.asked.url("metric_timeseries", metrics=metric, granularity="day", **days)
