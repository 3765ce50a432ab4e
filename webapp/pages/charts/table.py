"""Table: the numbers behind a drawing, as text. For screen readers, for copying, for who wants to know exactly."""

from __future__ import annotations

from dataclasses import dataclass

from webapp.pages import figures
from webapp.pages.figures import Unit


@dataclass(frozen=True)
class Table:
    """The first cell of a row is its head; the others are figures."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def cell(value: float | None, unit: Unit, currency: str) -> str:
    return figures.DASH if value is None else figures.spell(value, unit, currency)
