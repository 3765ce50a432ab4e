"""The charts of a tool's result: drawn from its own rows by its `chart` hint, never from a model's text.

The hint is {"kind": "line" | "bar", "x": key, "y": [keys]} (tools/results.py). It is data: what does not fit its rows
gives no chart, and the table that stands beside it shows everything anyway. Columns of different units, and rows of
different currencies, never share an axis: each gets a chart of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from itertools import groupby
from typing import Any, get_args

from webapp.pages.charts.cohorts import CohortChart
from webapp.pages.charts.overtime import Series, TimeChart, columns, line
from webapp.pages.charts.rows import Bar, RowChart, bars
from webapp.pages.charts.shares import ShareChart
from webapp.pages.figures import Unit
from webapp.tools.results import unfence

Chart = TimeChart | RowChart | ShareChart | CohortChart
Drawable = TimeChart | RowChart
Row = Mapping[str, Any]

UNITS: tuple[Unit, ...] = get_args(Unit)
MOST = 4  # charts of one result


def from_result(result: Mapping[str, Any], id: str) -> tuple[Drawable, ...]:
    """The charts that the result (as JSON was read) asks for; `id` must be the page's only one. Empty without a hint,
    for a hint that does not fit, and for fewer than two rows."""
    hint, rows = result.get("chart"), result.get("rows")
    if not isinstance(hint, dict) or not isinstance(rows, list) or len(rows) < 2:
        return ()
    found: list[Drawable] = []
    for currency, some in _by_currency(result, [row for row in rows if isinstance(row, dict)]):
        for unit, keys in _by_unit(result, hint):
            found += _drawn(result, hint, some, unit, keys, currency, f"{id}-{len(found)}")
    return tuple(chart for chart in found[:MOST] if chart.table)


def _by_currency(result: Mapping[str, Any], rows: Sequence[Row]) -> Iterator[tuple[str, list[Row]]]:
    """One currency for all rows where the result says so, else the rows of each."""
    whole = str(result.get("currency", ""))
    if whole:
        yield whole, list(rows)
        return
    for currency in dict.fromkeys(str(row.get("currency", "")) for row in rows):
        yield currency, [row for row in rows if str(row.get("currency", "")) == currency]


def _by_unit(result: Mapping[str, Any], hint: Row) -> Iterator[tuple[Unit, list[tuple[str, str]]]]:
    """The keys and labels of the columns to be drawn, those of one unit together."""
    asked = hint.get("y") if isinstance(hint.get("y"), list) else [hint.get("y")]
    known = {column.get("key"): column for column in result.get("columns", ()) if isinstance(column, dict)}
    drawable = [known[key] for key in asked or () if isinstance(key, str) and known.get(key, {}).get("unit") in UNITS]
    for unit, some in groupby(sorted(drawable, key=lambda c: UNITS.index(c["unit"])), key=lambda c: c["unit"]):
        yield unit, [(str(column["key"]), str(column.get("label") or column["key"])) for column in some]


def _drawn(
    result: Mapping[str, Any],
    hint: Row,
    rows: Sequence[Row],
    unit: Unit,
    keys: Sequence[tuple[str, str]],
    currency: str,
    id: str,
) -> list[Drawable]:
    """One chart of days for all keys of the unit, or for each key its bars."""
    across, beside = str(hint.get("x", "")), "" if result.get("currency") else currency
    dated = _dated(rows, across)
    if dated is None:
        names = [unfence(str(row.get(across, ""))) for row in rows]
        return [
            bars(f"{id}-{n}", _title([label], beside), _bars(names, rows, key), unit, currency=currency)
            for n, (key, label) in enumerate(keys)
        ]
    series = [Series(label, [_number(row.get(key)) for _, row in dated]) for key, label in keys]
    draw = columns if hint.get("kind") == "bar" else line
    title = _title([label for _, label in keys], beside)
    days, maturing = [day for day, _ in dated], _date(result.get("maturing_from"))
    return [draw(id, title, days, series, unit, currency=currency, maturing_from=maturing)]


def _bars(names: Sequence[str], rows: Sequence[Row], key: str) -> list[Bar]:
    return [Bar(name, _number(row.get(key))) for name, row in zip(names, rows, strict=True)]


def _title(labels: Sequence[str], currency: str) -> str:
    return ", ".join(labels) + (f" ({currency})" if currency else "")


def _dated(rows: Sequence[Row], key: str) -> list[tuple[date, Row]] | None:
    """The rows by their day; None if they are not one a day."""
    days = [_date(row.get(key)) for row in rows]
    if None in days or len(set(days)) < len(days):
        return None
    return sorted(((day, row) for day, row in zip(days, rows, strict=True) if day), key=lambda pair: pair[0])


def _date(text: object) -> date | None:
    if not isinstance(text, str):
        return None
    try:
        return date.fromisoformat(f"{text}-01" if len(text) == len("2026-11") else text)
    except ValueError:
        return None


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None
