"""Cohorts: a row for each group that began together, a column for each month since. A table whose cells have heat."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from webapp.pages import figures
from webapp.pages.charts.table import cell
from webapp.pages.figures import Unit

HEATS = 5  # classes heat-1 ... heat-5; 0 is no heat


@dataclass(frozen=True)
class Cohort:
    """`values` from the cohort's first column on; shorter rows are younger."""

    label: str
    size: int
    values: Sequence[float | None]


@dataclass(frozen=True)
class HeatCell:
    text: str
    heat: int


@dataclass(frozen=True)
class HeatRow:
    label: str
    size: str
    cells: tuple[HeatCell, ...]


@dataclass(frozen=True)
class CohortChart:
    kind: Literal["cohorts"]
    id: str
    title: str
    size_label: str = ""
    columns: tuple[str, ...] = ()
    rows: tuple[HeatRow, ...] = ()


def cohorts(
    id: str,
    title: str,
    rows: Sequence[Cohort],
    columns: Sequence[str],
    unit: Unit,
    *,
    currency: str = "",
    size_label: str = "Customers",
) -> CohortChart:
    """The oldest first. The heat of a cell is its part of the largest value."""
    hottest = max((value for row in rows for value in row.values if value is not None), default=0.0)
    heated = tuple(
        HeatRow(
            row.label,
            figures.spell(row.size, "count"),
            tuple(HeatCell(cell(value, unit, currency), _heat(value, hottest)) for value in row.values),
        )
        for row in rows
    )
    return CohortChart("cohorts", id, title, size_label, tuple(columns), heated)


def _heat(value: float | None, hottest: float) -> int:
    if value is None or value <= 0 or hottest <= 0:
        return 0
    return min(HEATS, 1 + int(HEATS * value / hottest))
