"""One row a thing: bars that lie, and the funnel, whose rows are steps. The label stands above its bar, so that long
names need no room of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from webapp.pages import figures
from webapp.pages.charts.table import Table, cell
from webapp.pages.figures import Unit

ROW = 38  # pixels
LONGEST = 30  # characters of a label; the whole one is in the tooltip and the table
MOST_ROWS = 25


@dataclass(frozen=True)
class Bar:
    """`note` is said beside the value: a share, a comparison."""

    label: str
    value: float | None
    note: str = ""


@dataclass(frozen=True)
class Row:
    """Its top in pixels, and its bar in percent."""

    top: int
    label: str
    value: str
    says: str
    left: float
    width: float


@dataclass(frozen=True)
class RowChart:
    kind: Literal["bars", "funnel"]
    id: str
    title: str
    says: str = ""
    rows: tuple[Row, ...] = ()
    zero: float = 0  # percent; bars of negative values end there
    more: str = ""  # what is in the table only
    table: Table | None = None  # None: there is nothing to draw

    @property
    def high(self) -> int:
        return ROW * len(self.rows)


def bars(id: str, title: str, rows: Sequence[Bar], unit: Unit, *, currency: str = "", label: str = "Name") -> RowChart:
    """In the order given. `label` is the head of the first column of the table."""
    there = [row.value for row in rows if row.value is not None]
    if not there:
        return RowChart("bars", id, title)
    noted = any(row.note for row in rows)
    head = (label, title, *(["Note"] if noted else []))
    table = Table(head, tuple((r.label, cell(r.value, unit, currency), *([r.note] if noted else [])) for r in rows))
    low, high = min(0.0, *there), max(0.0, *there)
    drawn = tuple(_row(n, row, unit, currency, low, high) for n, row in enumerate(rows[:MOST_ROWS]))
    says = f"{len(rows)} bars. " + ", ".join(f"{row.label} {row.value}" for row in drawn[:5]) + "."
    more = f"{len(rows) - MOST_ROWS} more are in the table." if len(rows) > MOST_ROWS else ""
    return RowChart("bars", id, title, says, drawn, round(100 * _part(0, low, high), 2), more, table)


def funnel(id: str, title: str, steps: Sequence[tuple[str, float]]) -> RowChart:
    """Counts from step to step; each row says how many of the step before go on, the table also of the first."""
    if not steps or not steps[0][1]:
        return RowChart("funnel", id, title)
    first = steps[0][1]
    before = [None, *(count for _, count in steps[:-1])]
    onward = [_of(count, earlier) for (_, count), earlier in zip(steps, before, strict=True)]
    notes = ["", *(f"{share} go on" if share != figures.DASH else "" for share in onward[1:])]
    drawn = tuple(
        _row(n, Bar(label, count, note), "count", "", 0, max(first, *(count for _, count in steps)))
        for n, ((label, count), note) in enumerate(zip(steps, notes, strict=True))
    )
    head = ("Step", "Count", "Of the step before", "Of the first step")
    table = Table(
        head,
        tuple(
            (label, cell(count, "count", ""), share, _of(count, first))
            for (label, count), share in zip(steps, onward, strict=True)
        ),
    )
    says = f"{len(steps)} steps. " + ", ".join(f"{row.label} {row.value}" for row in drawn) + "."
    return RowChart("funnel", id, title, says, drawn, table=table)


def _row(n: int, bar: Bar, unit: Unit, currency: str, low: float, high: float) -> Row:
    value = cell(bar.value, unit, currency)
    shown = f"{value} · {bar.note}" if bar.note else value
    ends = sorted((_part(0, low, high), _part(bar.value or 0, low, high)))
    left, width = round(100 * ends[0], 2), round(100 * (ends[1] - ends[0]), 2)
    return Row(n * ROW, _cut(bar.label), shown, f"{bar.label}\n{shown}", left, width)


def _part(value: float, low: float, high: float) -> float:
    return (value - low) / (high - low) if high > low else 0.0


def _of(count: float, whole: float | None) -> str:
    return f"{count / whole:.1%}" if whole else figures.DASH


def _cut(label: str) -> str:
    return label if len(label) <= LONGEST else label[: LONGEST - 1].rstrip() + "…"
