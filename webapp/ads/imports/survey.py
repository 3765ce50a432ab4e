"""The first pass over a file: how it writes days and numbers, whose figures it holds, which lines are sums of others.

Each reading is kept with the first cell that speaks for it, so that whoever is asked, or refused, can look it up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from webapp.ads.imports import days, headers, numbers
from webapp.ads.imports.headers import BREAKDOWNS, COUNTS, NUMBERS
from webapp.ads.imports.sniff import Line, Sheet

NOBODY = ("", "--", "-")


@dataclass(frozen=True)
class Spot:
    """A cell of the person's file."""

    line: int
    column: str
    cell: str

    def __str__(self) -> str:
        return f"“{self.cell}” in line {self.line}, column {self.column}"


@dataclass(frozen=True)
class Problem:
    """Why a file cannot be saved as it is. `line` is 0 where it is about all of it."""

    said: str
    line: int = 0
    column: str = ""

    def __str__(self) -> str:
        where = f"Line {self.line}, column {self.column}: " if self.column else f"Line {self.line}: "
        return f"{where if self.line else ''}{self.said}"


@dataclass(frozen=True)
class Survey:
    """reading -> where it was seen first. `subtotals` are columns in which "All" stands beside single values."""

    dates: dict[str, Spot] = field(default_factory=dict)
    marks: dict[str, Spot] = field(default_factory=dict)
    currencies: dict[str, Spot] = field(default_factory=dict)
    accounts: dict[str, Spot] = field(default_factory=dict)
    subtotals: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Decided:
    """How the file writes something. `value` is empty while it is open; `asks`: the person may say it."""

    value: str
    why: str
    asks: bool = False
    problem: Problem | None = None


def survey(sheet: Sheet, columns: Mapping[str, int]) -> Survey:
    """One pass over all lines, without the totals."""
    found = Survey()
    splits = [at for at, name in enumerate(sheet.header) if headers.plain(name) in BREAKDOWNS]
    values: dict[int, set[bool]] = {at: set() for at in splits}
    for line in sheet.lines():
        if is_total(line, columns):
            continue
        _note(found, sheet, line, columns)
        for at in splits:
            values[at].add(is_all(line.cells[at]))
    both = frozenset(at for at, seen in values.items() if len(seen) == 2)
    return Survey(found.dates, found.marks, found.currencies, found.accounts, both)


def is_total(line: Line, columns: Mapping[str, int]) -> bool:
    """A row of sums at the end (Google) or one without a campaign (Meta). A campaign may be called "Total": then its
    row has a day."""
    if "campaign" not in columns:
        return False
    campaign = line.cells[columns["campaign"]]
    if campaign in NOBODY:
        return True
    first = next((cell for cell in line.cells if cell), "")
    dated = "day" not in columns or line.cells[columns["day"]]
    return bool(headers.TOTAL.fullmatch(headers.plain(first))) and (first != campaign or ":" in first or not dated)


def is_all(cell: str) -> bool:
    return headers.plain(cell) in headers.ALL


def _note(found: Survey, sheet: Sheet, line: Line, columns: Mapping[str, int]) -> None:
    for name, at in columns.items():
        cell = line.cells[at]
        seen, reading = _reading(found, name, cell)
        if reading and reading not in seen:
            seen[reading] = Spot(line.number, sheet.header[at], cell)


def _reading(found: Survey, name: str, cell: str) -> tuple[dict[str, Spot], str]:
    """What a cell speaks for, and where that is noted; empty: for nothing."""
    if name in NUMBERS:
        return found.marks, numbers.evidence(cell, counts=name in COUNTS)
    match name:
        case "day":
            return found.dates, "" if is_all(cell) else days.evidence(cell)
        case "currency":
            return found.currencies, "" if cell in NOBODY else cell.upper()
        case "account":
            return found.accounts, "" if cell in NOBODY else cell
        case _:
            return found.marks, ""


# --- decisions --------------------------------------------------------------------------------------------------


def dates(found: Survey, chosen: str) -> Decided:
    """The order of day, month and year."""
    certain = [order for order in days.ORDER_NAMES if order in found.dates]
    if len(certain) > 1:
        one, other = (found.dates[order] for order in certain[:2])
        return Decided("", "", problem=Problem(f"The days are written in two ways: {one}, but {other}."))
    if certain:
        return Decided(certain[0], f"Decided by {found.dates[certain[0]]}.")
    if "open" not in found.dates:
        return Decided("ymd", "")
    spot = found.dates["open"]
    if chosen in ("dmy", "mdy"):
        return Decided(chosen, "You said so.", asks=True)
    said = f"No day of the file is above 12: {spot}. Say whether the day or the month comes first."
    return Decided("", "", asks=True, problem=Problem(said))


def marks(found: Survey, chosen: str) -> Decided:
    """The decimal mark."""
    certain = [mark for mark in ".," if mark in found.marks]
    if len(certain) > 1:
        one, other = (found.marks[mark] for mark in certain)
        return Decided("", "", problem=Problem(f"The numbers are written in two ways: {one}, but {other}."))
    if certain:
        return Decided(certain[0], f"Decided by {found.marks[certain[0]]}.")
    if "open" not in found.marks:
        return Decided(".", "The file holds whole numbers only.")
    if chosen in (".", ","):
        return Decided(chosen, "You said so.", asks=True)
    said = f"No number says where its decimals begin: {found.marks['open']}. Say how numbers are written."
    return Decided("", "", asks=True, problem=Problem(said))


def currency(found: Survey, header: str, chosen: str) -> Decided:
    """`header` is the name of the money's column."""
    if behind := headers.currency_of(header):
        return Decided(behind, f"It stands in the column {header}.")
    if len(found.currencies) > 1:
        one, other = list(found.currencies.values())[:2]
        said = f"The file holds several currencies: {one}, and {other}. Export one account, or one currency, at a time."
        return Decided("", "", problem=Problem(said))
    for value, spot in found.currencies.items():
        return Decided(value, f"It stands in the column {spot.column}.")
    if len(chosen) == 3 and chosen.isalpha():
        return Decided(chosen.upper(), "You said so.", asks=True)
    return Decided("", "", asks=True, problem=Problem("The file does not say its currency. Say which it is."))
