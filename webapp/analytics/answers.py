"""PipeResult: a pipe's answer as a value, with everything a number needs beside it; and PipeRefused, why there is none.

No SQL here. Rows hold plain numbers, ISO dates and text by column key. None means "not defined" (a zero denominator,
no shop connected), never zero. Text from an ad platform (unit "name") is untrusted: whoever shows it escapes or fences.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Literal

from webapp.errors import UserError

Unit = Literal["text", "name", "id", "date", "count", "money", "ratio", "percent", "days", "status", "flag"]
Value = str | int | float | bool | None
Row = Mapping[str, Value]


@dataclass(frozen=True)
class Column:
    """`unit` "money" is in units of the result's currency, or of the row's; "percent" 0.031 is 3.1 %; "flag" is true
    or false."""

    key: str
    label: str
    unit: Unit = "text"


@dataclass(frozen=True)
class PipeResult:
    """`rows_total` counts all rows there are; `truncated` says that `rows` are fewer. `totals` cover all of them,
    by currency. `currency` is empty if rows say theirs. `compared` is the earlier window of the `_prev` columns."""

    pipe: str
    columns: tuple[Column, ...]
    rows: Sequence[Row]
    rows_total: int
    truncated: bool
    since: date
    until: date
    timezone: str
    currency: str
    attribution: str
    totals: Mapping[str, Row] = field(default_factory=dict)
    compared: tuple[date, date] | None = None
    data_through: date | None = None
    maturing_from: date | None = None  # days from here on still grow; None: no day of the window does
    cached_at: datetime | None = None  # None: asked just now
    definitions: Mapping[str, str] = field(default_factory=dict)
    caveats: tuple[str, ...] = ()
    elapsed_ms: float = 0.0


class PipeRefused(UserError):
    """The question cannot be asked like that, or not now. Title and hint say what to ask instead."""

    def __init__(self, title: str, hint: str = "", *, status: int = 422) -> None:
        super().__init__(title, hint, status=status)

    def __str__(self) -> str:
        return f"{self.title} {self.hint}".strip()
