"""From an engine's rows to an answer's: plain numbers, changes, totals, whole series, and None for what is not known.

Both engines' rows come through here, so that the rules of a number are written once:
- what is made from something that the workspace does not have is None, and so is a day before it had it;
- a change is of equal length and equal maturity: of what platforms claim, only the mature days are compared;
- amounts of two currencies stand in two rows; totals are given if there is one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from webapp.analytics.answers import Column, Unit, Value
from webapp.analytics.columns import ADS, ORDERS, VISITS, Source, hidden, meaning, plain
from webapp.analytics.questions import Question
from webapp.analytics.standing import Standing

PLACES: dict[Unit, int] = {"money": 4, "count": 4, "ratio": 4, "percent": 6, "days": 2}
SUMS = frozenset({"spend", "revenue", "orders", "platform_revenue", "platform_orders", "sessions", "impressions",
                  "clicks"})  # fmt: skip

Raw = Mapping[str, Any]
Cells = dict[str, Value]


@dataclass(frozen=True)
class Shaped:
    columns: tuple[Column, ...]
    rows: tuple[Cells, ...]
    rows_total: int
    totals: dict[str, Cells]
    currencies: tuple[str, ...]


def shape(question: Question, standing: Standing, raw: Sequence[Raw]) -> Shaped:
    every = [_cells(question, row) for row in raw]
    total = int(raw[0]["rows_total"]) if raw and "rows_total" in raw[0] else len(raw)
    currencies = tuple(sorted({str(row["currency"]) for row in every if row.get("currency")}))
    rows = [_known(row, standing) for row in every]
    if "granularity" in question.pipe.compiled.parameters and total == len(rows):
        rows = list(_series(rows, question, standing))
        total = len(rows)
    columns = _columns(question, currencies)
    return Shaped(
        columns=columns,
        rows=tuple({each.key: row.get(each.key) for each in columns} for row in rows),
        rows_total=total,
        totals=_totals(rows, question),
        currencies=currencies or ((standing.currency,) if standing.currency else ()),
    )


# --- columns ----------------------------------------------------------------------------------------------------


def _columns(question: Question, currencies: tuple[str, ...]) -> tuple[Column, ...]:
    """Those that were asked for and say something."""
    unit = _unit_of_metric(question)
    return tuple(
        Column(each.key, each.label, unit) if unit and each.key in ("value", "expected") else each
        for each in question.pipe.columns
        if _wanted(each.key, question, currencies)
    )


def _wanted(key: str, question: Question, currencies: tuple[str, ...]) -> bool:
    if key == "currency":
        return len(currencies) > 1
    if key.endswith(("_prev", "_change")):
        return question.compared is not None
    return not question.metrics or key in question.metrics or key in ("bucket", "is_maturing")


def _unit_of_metric(question: Question) -> Unit | None:
    """What an anomaly's value is measured in."""
    metric = question.pipe.parameter("metric")
    return meaning(str(question.values.get("metric") or metric.default)).unit if metric else None


# --- cells ------------------------------------------------------------------------------------------------------


def _cells(question: Question, raw: Raw) -> Cells:
    """A row's values as plain ones, with the changes."""
    metric = _unit_of_metric(question)
    cells: Cells = {}
    for key, value in raw.items():
        if key != "rows_total":
            unit = metric if metric and key in ("value", "expected") else meaning(key).unit
            cells[key] = _plain(value, unit)
    changes = {f"{plain(key)}_change": _change(raw, key) for key in raw if _before(key)}
    return cells | changes


def _before(key: str) -> bool:
    return key.endswith("_prev") and not hidden(key)


def _plain(value: Any, unit: Unit) -> Value:
    if value is None:
        return None
    match unit:
        case "money" | "count" | "ratio" | "percent" | "days":
            return _number(value, PLACES[unit])
        case "flag":
            return bool(int(value))
        case "date":
            return str(value)[:10]
        case _:
            return str(value)


def _number(value: Any, places: int) -> int | float | None:
    """ClickHouse may spell long integers as text; a ratio it could not make is nan."""
    number = round(float(value), places)
    if number != number:
        return None
    return int(number) if number == int(number) else number


def _change(raw: Raw, key: str) -> float | None:
    """Of x_prev: x against it, or the mature part of each where the row has them."""
    name = plain(key)
    fair = f"{name}_fair" in raw
    now, before = (raw[f"{name}_fair"], raw[f"{name}_fair_prev"]) if fair else (raw[name], raw[key])
    if now is None or before is None or not float(before):
        return None
    return round(float(now) / float(before) - 1, PLACES["percent"])


def _known(row: Cells, standing: Standing) -> Cells:
    """None for what is made from something that is not there; in a currency that is not the shop's, for the shop's
    figures as a whole, unless it sold in that currency."""
    there = standing.sources
    if row.get("currency") not in (None, "", standing.currency) and not row.get("orders") and not _credited(row):
        there = there & ADS
    return {key: value if meaning(key).made_from <= there else None for key, value in row.items()}


def _credited(row: Cells) -> bool:
    """A row of a pipe that starts from the shop's own orders."""
    return bool(row.get("customers") or row.get("attributed_orders") or row.get("metric"))


# --- the whole answer -------------------------------------------------------------------------------------------


def _totals(rows: Sequence[Cells], question: Question) -> dict[str, Cells]:
    """By currency: any of its rows tells them."""
    found: dict[str, Cells] = {}
    for row in rows:
        cells = {
            key.removeprefix("total_"): value
            for key, value in row.items()
            if key.startswith("total_") and (question.compared or not key.endswith("_prev"))
        }
        if cells:
            found.setdefault(str(row.get("currency", "")), cells)
    return found


def _series(rows: Sequence[Cells], question: Question, standing: Standing) -> Iterator[Cells]:
    """Every bucket of the window in every currency; None where a source had not begun, or has not been read yet."""
    found = {(row["bucket"], row["currency"]): row for row in rows}
    foreign = {str(row["currency"]) for row in rows} - {standing.currency}
    currencies = [*({standing.currency} if len(foreign) < len(rows) or not rows else ()), *sorted(foreign)]
    for first, last in _buckets(question):
        for currency in currencies:
            row = found.get((first.isoformat(), currency)) or _empty(rows, first, currency, standing)
            yield _lived(row, first, last, question, standing)


def _buckets(question: Question) -> Iterator[tuple[date, date]]:
    """The first day of each bucket as the database names it, and the last day of it within the window."""
    granularity = question.values.get("granularity", "day")
    day, until = question.window.since, question.window.until
    while day <= until:
        start = _start(day, str(granularity))
        following = _start(start + timedelta({"day": 1, "week": 7, "month": 31}[str(granularity)]), str(granularity))
        yield start, min(until, following - timedelta(1))
        day = following


def _start(day: date, granularity: str) -> date:
    if granularity == "week":
        return day - timedelta(day.weekday())
    return day.replace(day=1) if granularity == "month" else day


def _empty(rows: Iterable[Cells], first: date, currency: str, standing: Standing) -> Cells:
    keys = next((list(row) for row in rows), [*SUMS, "bucket", "currency"])
    row: Cells = {key: 0 if key in SUMS else None for key in keys}
    return _known(row | {"bucket": first.isoformat(), "currency": currency}, standing)


def _lived(row: Cells, first: date, last: date, question: Question, standing: Standing) -> Cells:
    lost: set[Source] = set()
    if standing.orders is None or last < standing.orders.since:
        lost |= ORDERS
    if standing.visits is None or last < standing.visits.since:
        lost |= VISITS
    if standing.data_through and first > standing.data_through:
        lost |= ADS
    still = question.maturing_from is not None and last >= question.maturing_from
    return {key: None if meaning(key).made_from & lost else value for key, value in row.items()} | {
        "is_maturing": still
    }
