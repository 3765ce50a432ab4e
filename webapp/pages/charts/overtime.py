"""Figures over days: lines or upright columns, with the period before, and the days that are not final yet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from typing import Literal

from webapp.pages import figures
from webapp.pages.charts import axes
from webapp.pages.charts.axes import Tick, Upright
from webapp.pages.charts.table import Table, cell
from webapp.pages.figures import Unit

WIDE = 1000  # x of a path, from the start of the first day to the end of the last
HIGH = 180  # pixels of a plot
SHAPES = ("circle", "square", "triangle", "diamond", "ring", "bar")
MOST_COLUMNS = 45  # bars that can still be told apart
MARKERS = 7  # of a line among others
CHARACTER = 7  # pixels, at most, in the words of the upright axis
GUTTER = 14  # pixels beside them
COLUMN = 0.7  # of a day's strip

Values = Sequence[float | None]
Kind = Literal["line", "columns"]


@dataclass(frozen=True)
class Series:
    """`values` one for each day; `previous` those of as many days one period earlier, drawn dashed."""

    name: str
    values: Values
    previous: Values = ()


@dataclass(frozen=True)
class Drawn:
    """A series: paths in WIDE x HIGH, markers in percent across and pixels down."""

    number: int
    name: str
    shape: str
    path: str
    previous: str
    markers: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Column:
    """A bar of series `number`: left and width in percent, top and height in pixels."""

    number: int
    left: float
    width: float
    top: float
    height: float


@dataclass(frozen=True)
class Moment:
    """A day that can be pointed at: its strip in percent, what it says, where each series stands on it."""

    left: float
    width: float
    middle: float
    says: str
    points: tuple[tuple[int, float], ...]
    columns: tuple[Column, ...]


@dataclass(frozen=True)
class Maturing:
    """The newest days, whose conversions still come in: where their strip begins, and the sentence about them."""

    left: float
    words: str


@dataclass(frozen=True)
class TimeChart:
    kind: Kind
    id: str
    title: str
    says: str = ""
    series: tuple[Drawn, ...] = ()
    moments: tuple[Moment, ...] = ()
    across: tuple[Tick, ...] = ()
    up: tuple[tuple[float, str], ...] = ()  # pixels from the top
    zero: float = HIGH
    gutter: int = GUTTER  # pixels for the words of the upright axis
    maturing: Maturing | None = None
    previous_name: str = ""  # empty: nothing is compared
    table: Table | None = None  # None: there is nothing to draw
    high: int = HIGH


@dataclass(frozen=True)
class _Plot:
    """What is to be drawn, with its scales. `step` is the days from one point to the next, `strip` the percent that a
    point owns, `xs` the middle of each day's strip in percent."""

    kind: Kind
    days: Sequence[date]
    series: Sequence[Series]
    unit: Unit
    currency: str
    scale: Upright
    previous_name: str
    maturing_from: date | None
    step: int
    strip: float
    xs: Sequence[float]

    def y(self, value: float) -> float:
        return round(HIGH * (1 - self.scale.place(value)), 1)

    def words(self, value: float | None) -> str:
        return cell(value, self.unit, self.currency)


def line(
    id: str,
    title: str,
    days: Sequence[date],
    series: Sequence[Series],
    unit: Unit,
    *,
    currency: str = "",
    maturing_from: date | None = None,
    previous_name: str = "Previous period",
) -> TimeChart:
    """Up to six series of one unit over ascending days. A day that is not among `days` is a gap, as a None is."""
    return _chart("line", id, title, days, series, unit, currency, maturing_from, previous_name)


def columns(
    id: str,
    title: str,
    days: Sequence[date],
    series: Sequence[Series],
    unit: Unit,
    *,
    currency: str = "",
    maturing_from: date | None = None,
    previous_name: str = "Previous period",
) -> TimeChart:
    """The same as upright bars; with more than MOST_COLUMNS of them a line, since they would be hairs."""
    kind: Kind = "columns" if len(days) * len(series) <= MOST_COLUMNS else "line"
    return _chart(kind, id, title, days, series, unit, currency, maturing_from, previous_name)


def _chart(
    kind: Kind,
    id: str,
    title: str,
    days: Sequence[date],
    series: Sequence[Series],
    unit: Unit,
    currency: str,
    maturing_from: date | None,
    previous_name: str,
) -> TimeChart:
    series = series[: len(SHAPES)]
    there = [value for each in series for value in (*each.values, *each.previous) if value is not None]
    if not days or not there:
        return TimeChart(kind, id, title)
    scale = axes.upright(there, unit, currency)
    compared = previous_name if any(each.previous for each in series) else ""
    step = min(((b - a).days for a, b in pairwise(days)), default=1)
    strip = 100 * step / ((days[-1] - days[0]).days + 1)
    xs = [100 * axes.place(day, days[0], days[-1]) for day in days]
    plot = _Plot(kind, days, series, unit, currency, scale, compared, maturing_from, step, strip, xs)
    table = _table(plot)
    return TimeChart(
        kind,
        id,
        title,
        _says(plot),
        tuple(_drawn(plot, number, each) for number, each in enumerate(series)),
        tuple(_moments(plot, table)),
        axes.along(days),
        tuple((round(HIGH * (1 - tick.at), 1), tick.label) for tick in scale.ticks),
        plot.y(0),
        GUTTER + CHARACTER * max(len(tick.label) for tick in scale.ticks),
        _maturing(plot),
        compared,
        table,
    )


# --- drawing ----------------------------------------------------------------------------------------------------


def _drawn(plot: _Plot, number: int, series: Series) -> Drawn:
    """A line with its markers: where it is one of several, and where a day stands alone between gaps."""
    runs = list(_runs(plot, series.values)) if plot.kind == "line" else []
    points = [point for run in runs for point in run]
    every = max(1, round(len(points) / MARKERS)) if len(plot.series) > 1 else 0
    marked = {n for n in range(len(points)) if every and (len(points) - 1 - n) % every == 0}
    lonely = {run[0] for run in runs if len(run) == 1}
    return Drawn(
        number,
        series.name,
        SHAPES[number],
        _path(runs),
        _path(_runs(plot, series.previous)),
        tuple((round(x, 2), y) for n, (x, y) in enumerate(points) if n in marked or (x, y) in lonely),
    )


def _runs(plot: _Plot, values: Values) -> Iterator[list[tuple[float, float]]]:
    """Points without a gap between them."""
    run: list[tuple[float, float]] = []
    for x, value in zip(plot.xs, values, strict=False):
        if run and (value is None or x - run[-1][0] > 1.5 * plot.strip):
            yield run
            run = []
        if value is not None:
            run.append((x, plot.y(value)))
    if run:
        yield run


def _path(runs: Iterable[list[tuple[float, float]]]) -> str:
    return "".join("M" + "L".join(f"{x * WIDE / 100:.1f} {y:g}" for x, y in run) for run in runs if len(run) > 1)


def _moments(plot: _Plot, table: Table) -> Iterator[Moment]:
    for n, (middle, row) in enumerate(zip(plot.xs, table.rows, strict=True)):
        there = [(number, each.values[n]) for number, each in enumerate(plot.series)]
        points = tuple((number, plot.y(value)) for number, value in there if value is not None)
        bars = tuple(_columns(plot, middle, points)) if plot.kind == "columns" else ()
        left = middle - plot.strip / 2
        yield Moment(
            round(left, 2), round(plot.strip, 2), round(middle, 2), _at(plot, n, table.head, row), points, bars
        )


def _columns(plot: _Plot, middle: float, points: Sequence[tuple[int, float]]) -> Iterator[Column]:
    width = plot.strip * COLUMN / len(plot.series)
    zero = plot.y(0)
    for number, y in points:
        left = middle - plot.strip * COLUMN / 2 + number * width
        yield Column(number, round(left, 2), round(width * 0.92, 2), min(y, zero), round(abs(y - zero), 1))


def _maturing(plot: _Plot) -> Maturing | None:
    since = plot.maturing_from
    if since is None or since > plot.days[-1]:
        return None
    since = max(since, plot.days[0])
    span = figures.days(since, plot.days[-1] + timedelta(plot.step - 1))
    left = 100 * axes.place(since, plot.days[0], plot.days[-1]) - plot.strip / 2 / plot.step
    return Maturing(round(left, 2), f"{span}: not final, conversions of these days still come in.")


# --- in words ---------------------------------------------------------------------------------------------------


def _at(plot: _Plot, n: int, head: Sequence[str], row: Sequence[str]) -> str:
    """The day, then a line for each figure of the table."""
    lines = [f"{name}: {words}" for name, words in zip(head[1:], row[1:], strict=True)]
    unripe = plot.maturing_from is not None and plot.days[n] >= plot.maturing_from
    return "\n".join([row[0], *lines, *(["Not final yet"] if unripe else [])])


def _says(plot: _Plot) -> str:
    """What a look at the drawing tells: the days, and each series' lowest, highest and last value."""
    kind = "Lines" if plot.kind == "line" else "Columns"
    return f"{kind} from {figures.days(plot.days[0], plot.days[-1])}. " + " ".join(
        _course(plot, each) for each in plot.series
    )


def _course(plot: _Plot, series: Series) -> str:
    there = [(value, day) for day, value in zip(plot.days, series.values, strict=False) if value is not None]
    if not there:
        return f"{series.name}: no figures."
    (low, low_day), (high, high_day) = min(there), max(there)
    last, last_day = there[-1]
    return (
        f"{series.name}: lowest {plot.words(low)} on {figures.day(low_day)}, highest {plot.words(high)} on "
        f"{figures.day(high_day)}, last {plot.words(last)} on {figures.day(last_day)}."
    )


def _table(plot: _Plot) -> Table:
    names = [each.name for each in plot.series]
    earlier = [each for each in plot.series if each.previous]
    head = ("Day", *names, *(f"{each.name}, {plot.previous_name.lower()}" for each in earlier))
    every: list[Values] = [*(each.values for each in plot.series), *(each.previous for each in earlier)]
    rows = (
        (figures.weekday(day), *(plot.words(values[n] if n < len(values) else None) for values in every))
        for n, day in enumerate(plot.days)
    )
    return Table(head, tuple(rows))
