"""PIPE_ALLOWLIST: the pipes that may be asked, and what may be asked of each.

A pipe is one file in pipes/: its parameters, their choices and its columns are read from there. What the columns mean
is in columns.py. Two parameters exist only here: `compare` becomes the dates of the earlier period (questions.py), and
`metrics` picks columns of a series.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from webapp.analytics import datafile
from webapp.analytics.answers import Column
from webapp.analytics.columns import ADS, column, hidden, meaning, plain
from webapp.analytics.compiler import TENANT, Compiled, compile_pipe
from webapp.analytics.template import Slot

FOLDER = Path(__file__).parent / "pipes"
MAX_DAYS, MAX_ROWS, CACHE_SECONDS = 400, 500, 300
PERIOD_DAYS = {"cohort_ltv": 365}  # of the default period; else:
DEFAULT_DAYS = 28  # whole weeks

# Set by the server, the tenant last; nobody else can name them.
SERVERS = (TENANT, "basis", "currency", "prev_from", "prev_to", "mature_to", "prev_mature_to")
RANGES: dict[str, tuple[float, float]] = {
    "limit": (1, MAX_ROWS),
    "lookback": (1, 30),
    "periods": (1, 12),
    "sensitivity": (2, 10),
    "min_spend": (0, 1e12),
}
SERIES = ("spend", "revenue", "orders", "new_customers", "platform_revenue", "platform_orders", "sessions",
          "impressions", "clicks", "roas", "mer", "cpa", "cac", "aov", "ctr", "cpm", "cvr")  # fmt: skip

ParameterType = Literal["date", "string", "integer", "number", "list"]
TYPES: dict[str, ParameterType] = {"Date": "date", "String": "string", "Int32": "integer", "Float64": "number"}


@dataclass(frozen=True)
class Parameter:
    """What a caller may set. `choices` are all values of a string, or of a list's items."""

    name: str
    type: ParameterType
    description: str
    choices: tuple[str, ...] = ()
    default: str | int | float | None = None
    least: float | None = None
    most: float | None = None


@dataclass(frozen=True)
class Pipe:
    """A question: `max_days` of one window, `max_rows` of one answer; an answer is fresh for `cache_seconds`."""

    name: str
    title: str
    description: str
    parameters: tuple[Parameter, ...]
    columns: tuple[Column, ...]
    definitions: Mapping[str, str]
    compiled: Compiled
    default_days: int = DEFAULT_DAYS
    max_days: int = MAX_DAYS
    max_rows: int = MAX_ROWS
    cache_seconds: int = CACHE_SECONDS

    @property
    def compares(self) -> bool:
        return "prev_from" in self.compiled.parameters

    @property
    def claims(self) -> bool:
        """It tells what ad platforms attribute to themselves."""
        return any(meaning(each.key).claimed for each in self.columns) or self.name == "metric_anomalies"

    @property
    def reads_ads(self) -> bool:
        return any(meaning(each.key).made_from & ADS for each in self.columns)

    def parameter(self, name: str) -> Parameter | None:
        return next((each for each in self.parameters if each.name == name), None)


def describe(pipe: Pipe) -> dict[str, Any]:
    """Its parameters as JSON Schema (an object that takes nothing else), for a tool and for the docs."""
    properties = {each.name: _schema(each) for each in pipe.parameters}
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _schema(parameter: Parameter) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": parameter.type, "description": parameter.description}
    if parameter.type == "date":
        schema |= {"type": "string", "format": "date"}
    if parameter.type == "list":
        return schema | {"type": "array", "items": {"type": "string", "enum": list(parameter.choices)}}
    if parameter.choices:
        schema["enum"] = list(parameter.choices)
    if parameter.least is not None:
        schema |= {"minimum": parameter.least, "maximum": parameter.most}
    if parameter.default is not None:
        schema["default"] = parameter.default
    return schema


def load(folder: Path) -> dict[str, Pipe]:
    """Every pipe of the folder. Raises DatafileError for a file that may not be asked, KeyError for a column that
    nobody defined."""
    files = [compile_pipe(datafile.read(path)) for path in sorted(folder.glob("*.pipe"))]
    return {each.name: _pipe(each) for each in files}


def _pipe(compiled: Compiled) -> Pipe:
    columns = tuple(_columns(compiled))
    words = {plain(each.key): meaning(each.key).definition for each in columns}
    return Pipe(
        name=compiled.name,
        title=compiled.name.replace("_", " ").capitalize().replace("Kpi", "KPI").replace("ltv", "LTV"),
        description=compiled.description,
        parameters=tuple(_parameters(compiled)),
        columns=columns,
        definitions={word: definition for word, definition in words.items() if definition},
        compiled=compiled,
        default_days=PERIOD_DAYS.get(compiled.name, DEFAULT_DAYS),
    )


def _columns(compiled: Compiled) -> Iterator[Column]:
    for key in compiled.columns:
        if hidden(key):
            meaning("orders" if key == "rows_total" else key)
            continue
        yield column(key)
        if key.endswith("_prev"):
            yield column(f"{plain(key)}_change")


def _parameters(compiled: Compiled) -> Iterator[Parameter]:
    days = PERIOD_DAYS.get(compiled.name, DEFAULT_DAYS)
    slots = {name: slot for name, slot in compiled.parameters.items() if name not in SERVERS}
    first, last = slots.pop("date_from"), slots.pop("date_to")
    yield Parameter("date_from", "date", f"{first.description}, YYYY-MM-DD. Default: {days} days up to date_to.")
    yield Parameter("date_to", "date", f"{last.description}, YYYY-MM-DD. Default: yesterday; today is not over.")
    if "prev_from" in compiled.parameters:
        yield Parameter("compare", "string", COMPARE, ("prev", "year", "none"), "prev")
    if "bucket" in compiled.columns:
        yield Parameter("metrics", "list", "Only these columns. Default: all.", SERIES)
    for slot in sorted(slots.values(), key=lambda slot: slot.name == "limit"):
        yield _parameter(slot)


COMPARE = (
    "prev: the period before, moved by whole weeks so that weekdays match; year: 364 days earlier, the same weekdays; "
    "none: no comparison."
)


def _parameter(slot: Slot) -> Parameter:
    least, most = RANGES.get(slot.name, (None, None))
    return Parameter(slot.name, TYPES[slot.type], f"{slot.description}.", slot.choices, slot.default, least, most)


PIPE_ALLOWLIST: Mapping[str, Pipe] = load(FOLDER)
