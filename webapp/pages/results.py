"""A tool's result as a page draws it: the JSON of tools/results.py read back into a table, its facts and its charts.

What is not such a result (plain text, an error, another shape) is None here and is shown as text. All of it is data:
fenced names lose their fence, what would not be seen is made visible, and only a path of ours becomes a link.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, get_args

from webapp.ads.foreign import quoted, unfence
from webapp.llm.blocks import Json
from webapp.pages import charts, figures, web
from webapp.pages.charts import Chart
from webapp.pages.figures import Unit

NUMBERS: tuple[Unit, ...] = get_args(Unit)
HIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")


@dataclass(frozen=True)
class Head:
    """The head of a column; `means` is its definition."""

    label: str
    unit: str
    means: str = ""

    @property
    def number(self) -> bool:
        return self.unit in NUMBERS


@dataclass(frozen=True)
class Cell:
    """`why` says what a dash stands for."""

    text: str
    unit: str
    why: str = ""


Cells = tuple[Cell, ...]


@dataclass(frozen=True)
class Drawn:
    """`sums` are the rows below the others: totals, and two periods compared. `facts` are the window, attribution and
    the like, as short sentences; `count` says how many rows are not here."""

    title: str
    heads: tuple[Head, ...]
    rows: tuple[Cells, ...]
    sums: tuple[Cells, ...] = ()
    facts: tuple[str, ...] = ()
    caveats: tuple[str, ...] = ()
    count: str = ""
    link: str = ""
    charts: tuple[Chart, ...] = ()


def drawn(content: str, id: str) -> Drawn | None:
    """The table that a result holds; `id` must be the page's only one. None for what is no such result."""
    raw = _read(content)
    if raw is None:
        return None
    columns = raw.get("columns", ())
    heads = tuple(_head(column, raw) for column in columns)
    keys = [str(column["key"]) for column in columns]
    rows = [row for row in raw["rows"] if isinstance(row, dict)]
    return Drawn(
        title=quoted(raw["title"]),
        heads=heads,
        rows=tuple(_cells(row, keys, heads, raw) for row in rows),
        sums=tuple(_sums(raw, keys, heads)),
        facts=tuple(_facts(raw)),
        caveats=tuple(quoted(str(caveat)) for caveat in raw.get("caveats", ())),
        count=_count(len(rows), raw.get("rows_total")),
        link=web.local_path(str(raw.get("link", "")), ""),
        charts=charts.from_result(raw, id),
    )


def _read(content: str) -> Json | None:
    try:
        raw = json.loads(content)
    except ValueError:
        return None
    if not isinstance(raw, dict) or not isinstance(raw.get("rows"), list) or not isinstance(raw.get("title"), str):
        return None
    columns = raw.get("columns", [])
    whole = isinstance(columns, list) and all(isinstance(column, dict) and "key" in column for column in columns)
    return raw if whole else None


def _head(column: Json, raw: Json) -> Head:
    means = raw.get("definitions", {})
    key, label = str(column["key"]), str(column.get("label") or column["key"])
    said = means.get(key) or means.get(label) if isinstance(means, dict) else ""
    return Head(label, str(column.get("unit", "text")), str(said or ""))


def _cells(row: Json, keys: Sequence[str], heads: Sequence[Head], raw: Json) -> Cells:
    currency = str(row.get("currency") or raw.get("currency", ""))
    return tuple(_cell(row.get(key), head.unit, currency) for key, head in zip(keys, heads, strict=True))


def _cell(value: object, unit: str, currency: str) -> Cell:
    if unit in NUMBERS and isinstance(value, (int, float)) and not isinstance(value, bool):
        return Cell(figures.spell(value, unit, currency), unit)
    if isinstance(value, bool):
        return Cell("yes" if value else "no", unit)
    if value is None:
        return Cell(figures.DASH, unit, "Not defined")
    return Cell(visible(unfence(str(value))), unit)


def _sums(raw: Json, keys: Sequence[str], heads: Sequence[Head]) -> Iterator[Cells]:
    """The totals, and the sums of two periods with the change between them. The first column says which is which."""
    changes = tuple(Head(head.label, "percent" if head.number else head.unit) for head in heads)
    for name, label, units in (
        ("totals", "Total", heads),
        ("compared", "Compared", heads),
        ("previous", "With", heads),
        ("change", "Change", changes),
    ):
        sums = raw.get(name)
        if heads and isinstance(sums, dict) and sums:
            days = _days(sums.get("since"), sums.get("until"))
            yield _sum({**raw, **sums}, f"{label} {days}".strip(), set(sums), keys, units)


def _sum(row: Json, name: str, known: set[str], keys: Sequence[str], heads: Sequence[Head]) -> Cells:
    """What has no sum stays empty."""
    cells = _cells({key: row.get(key) for key in {*known, "currency"}}, keys, heads, row)
    named = not heads[0].number
    return tuple(
        Cell(name, "text") if named and number == 0 else cell if key in known else Cell("", cell.unit)
        for number, (key, cell) in enumerate(zip(keys, cells, strict=True))
    )


def _facts(raw: Json) -> list[str]:
    window = _days(raw.get("since"), raw.get("until"))
    named = (
        ("{}", window),
        ("in {}", raw.get("currency")),
        ("attribution: {}", raw.get("attribution")),
        ("days of {}", raw.get("timezone")),
        ("data through {}", _day(raw.get("data_through"))),
        ("still growing from {} on", _day(raw.get("maturing_from"))),
        ("as of {}", raw.get("cached_at")),
    )
    return [words.format(value) for words, value in named if value]


def _days(since: object, until: object) -> str:
    first, last = _date(since), _date(until)
    return figures.days(first, last) if first and last else ""


def _day(value: object) -> str:
    found = _date(value)
    return figures.day(found, year=True) if found else str(value or "")


def _date(value: object) -> date | None:
    try:
        return date.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _count(shown: int, total: object) -> str:
    return f"{shown:,} of {total:,} rows" if isinstance(total, int) and total > shown else ""


def visible(text: str) -> str:
    """Text of foreign origin for a page, nothing of it unseen: control, direction and zero-width marks as their code
    point, so that no name can look like another one or turn the line around."""
    return HIDDEN.sub(lambda mark: f"[U+{ord(mark[0]):04X}]", text)


def visible_lines(text: str) -> str:
    """The same for a text whose lines may stay lines."""
    return "\n".join(visible(line) for line in text.splitlines())


TOOLS: Mapping[str, str] = {
    "list_campaigns": "Listing campaigns",
    "get_campaign_insights": "Reading a campaign's figures",
    "get_account_insights": "Reading the account's figures",
    "query_metrics": "Querying metrics",
    "update_campaign": "Proposing a change to a campaign",
    "pause_all_low_roas": "Looking for campaigns to pause",
}


def tool_words(name: str) -> str:
    """What a call does, in words; a tool without words of its own by its name."""
    return TOOLS.get(name) or visible(name.replace("_", " ").strip().capitalize())


def for_templates() -> dict[str, Any]:
    return {"drawn": drawn, "tool_words": tool_words}


def filters_for_templates() -> dict[str, Any]:
    return {"visible": visible, "visible_lines": visible_lines}
