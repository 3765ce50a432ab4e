"""Parts of a whole: one bar of segments, and a legend that says each part's size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from webapp.pages import figures
from webapp.pages.charts.overtime import SHAPES
from webapp.pages.charts.table import Table
from webapp.pages.figures import Unit


@dataclass(frozen=True)
class Part:
    number: int
    name: str
    shape: str
    value: str
    percent: str
    left: float
    width: float


@dataclass(frozen=True)
class ShareChart:
    kind: Literal["share"]
    id: str
    title: str
    says: str = ""
    parts: tuple[Part, ...] = ()
    table: Table | None = None  # None: there is nothing to draw


def share(
    id: str, title: str, parts: Sequence[tuple[str, float]], unit: Unit = "count", *, currency: str = ""
) -> ShareChart:
    """The largest first; what is beyond six parts is drawn as one "other". Parts that are not positive are left out."""
    largest = sorted(((name, value) for name, value in parts if value > 0), key=lambda part: -part[1])
    whole = sum(value for _, value in largest)
    if not whole:
        return ShareChart("share", id, title)
    few = _few(largest)
    drawn, left = [], 0.0
    for number, (name, value) in enumerate(few):
        width = 100 * value / whole
        words = figures.spell(value, unit, currency), f"{value / whole:.1%}"
        drawn.append(Part(number, name, SHAPES[number], *words, round(left, 2), round(width, 2)))
        left += width
    says = ", ".join(f"{part.name} {part.percent}" for part in drawn) + "."
    rows = tuple((name, figures.spell(value, unit, currency), f"{value / whole:.1%}") for name, value in largest)
    return ShareChart("share", id, title, says, tuple(drawn), Table(("Part", title, "Share"), rows))


def _few(largest: list[tuple[str, float]]) -> list[tuple[str, float]]:
    if len(largest) <= len(SHAPES):
        return largest
    rest = largest[len(SHAPES) - 1 :]
    return [*largest[: len(SHAPES) - 1], (f"{len(rest)} others", sum(value for _, value in rest))]
