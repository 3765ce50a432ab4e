"""The result of a tool as a value: a table with its window, currency and caveats. One JSON for the model and the page.

The model gets the JSON text; the page reads the same text back and draws the table (pages/results.py). Text that came
from an ad platform is fenced: ⟦like this⟧. The instructions say that what stands between ⟦ and ⟧ is data. Ratios are
made from sums before they get here; the model never does arithmetic on rows.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from webapp.ads.foreign import fence, unfence

__all__ = ["Column", "Result", "Unit", "fence", "to_text", "unfence"]

Unit = Literal["text", "name", "id", "date", "count", "money", "ratio", "percent", "days", "status", "flag"]

MAX_ROWS = 100  # of one result; the rest is counted in `rows_total`
MAX_CHARACTERS = 24_000  # of a whole result


@dataclass(frozen=True)
class Column:
    """`unit` "money" is in units of the result's (or the row's) currency; "percent" 0.031 is 3.1 %; "flag" is
    true or false."""

    key: str
    label: str
    unit: Unit = "text"


@dataclass(frozen=True)
class Result:
    """What a reading tool found. `rows` hold plain JSON values by column key; None is "not defined", never zero."""

    title: str
    columns: tuple[Column, ...]
    rows: Sequence[Mapping[str, Any]]
    rows_total: int | None = None
    totals: Mapping[str, Any] | None = None
    compared: Mapping[str, Any] | None = None  # the totals of the days that are compared: since, until, and by column
    previous: Mapping[str, Any] | None = None  # of the earlier days they are compared with: as long, as mature
    change: Mapping[str, Any] | None = None  # from previous to compared, by column: 0.12 is 12 % more
    currency: str = ""  # empty: rows say theirs
    timezone: str = ""
    since: str = ""
    until: str = ""
    attribution: str = ""
    data_through: str = ""
    maturing_from: str = ""  # days from here on still grow
    cached_at: str = ""
    definitions: Mapping[str, str] = field(default_factory=dict)
    caveats: tuple[str, ...] = ()
    chart: Mapping[str, Any] | None = None  # {"kind": "line" | "bar", "x": key, "y": [keys]}
    link: str = ""  # a page of ours with the same data


def to_text(result: Result) -> str:
    """The JSON that the model reads, cut to MAX_ROWS and MAX_CHARACTERS with a note. Empty fields are left out."""
    raw = {k: v for k, v in asdict(result).items() if v not in ("", None, (), {})}
    rows = [dict(row) for row in result.rows]
    total = result.rows_total if result.rows_total is not None else len(rows)
    kept = rows[:MAX_ROWS]
    while kept and len(text := _dump(raw, kept, total)) > MAX_CHARACTERS:
        kept = kept[: max(1, len(kept) * MAX_CHARACTERS // len(text) - 1)] if len(kept) > 1 else []
    return _dump(raw, kept, total)


def _dump(raw: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], total: int) -> str:
    whole = {**raw, "rows": rows, "rows_total": total}
    if len(rows) < total:
        whole["truncated"] = f"{len(rows)} of {total} rows. Totals cover all of them. Narrow the question for the rest."
    return json.dumps(whole, ensure_ascii=False, separators=(",", ":"))
