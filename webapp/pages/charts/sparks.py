"""A trend so small that it fits a cell of a table: no axis, its last point marked, its course in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from webapp.pages import figures
from webapp.pages.figures import Unit

WIDTH, HEIGHT, INSET = 96, 24, 3


@dataclass(frozen=True)
class Spark:
    """Paths in WIDTH x HEIGHT; `unripe` is the part that still grows. Without a path there is nothing to draw."""

    says: str
    path: str = ""
    unripe: str = ""
    end: tuple[float, float] | None = None
    width: int = WIDTH
    height: int = HEIGHT


def spark(name: str, values: Sequence[float | None], unit: Unit, *, currency: str = "", maturing: int = 0) -> Spark:
    """A value a day, oldest first; the last `maturing` of them are not final and drawn dotted."""
    there = [value for value in values if value is not None]
    if not there or not any(there):
        return Spark(f"{name}: nothing in this period")
    top = max(there)
    points = [_point(n, value, len(values), top) for n, value in enumerate(values)]
    ripe = len(points) - maturing
    says = ", ".join(
        f"{word} {figures.spell(value, unit, currency)}"
        for word, value in (("first", there[0]), ("highest", top), ("last", there[-1]))
    )
    return Spark(
        f"{name}: {says}", _path(points[:ripe]), _path(points[max(ripe - 1, 0) :]) if maturing else "", _last(points)
    )


def _point(n: int, value: float | None, count: int, top: float) -> tuple[float, float] | None:
    if value is None:
        return None
    x = INSET + (WIDTH - 2 * INSET) * (n / (count - 1) if count > 1 else 1)
    return round(x, 1), round(HEIGHT - INSET - (HEIGHT - 2 * INSET) * max(value, 0) / (top or 1), 1)


def _path(points: Sequence[tuple[float, float] | None]) -> str:
    path, pen = "", "M"
    for point in points:
        path += f"{pen}{point[0]:g} {point[1]:g}" if point else ""
        pen = "L" if point else "M"
    return path


def _last(points: Sequence[tuple[float, float] | None]) -> tuple[float, float] | None:
    return next((point for point in reversed(points) if point), None)
