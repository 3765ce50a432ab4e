"""A file, and what a person chose: what would be saved, how that was decided, and what is in the way. Pure.

The page shows a Review and the save uses the same one, so that nothing is saved but what was shown.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from itertools import islice
from typing import Any
from zoneinfo import available_timezones

from webapp.ads.imports import ad_days, headers, shop_orders, survey
from webapp.ads.imports.ad_days import AdFile
from webapp.ads.imports.choices import Choices
from webapp.ads.imports.headers import ALIASES, LABELS, REQUIRED
from webapp.ads.imports.shop_orders import OrderFile
from webapp.ads.imports.sniff import Sheet
from webapp.ads.imports.survey import Decided, Problem, Survey

SAMPLES = 3
TIMEZONES = frozenset(available_timezones())


@dataclass(frozen=True)
class Column:
    """A column of the file, with its first values; `field` it goes into, else why it is left out."""

    at: int
    name: str
    field: str
    why_not: str
    samples: tuple[str, ...]


@dataclass(frozen=True)
class Review:
    """`found` is None while something is in the way that keeps the file from being read at all."""

    sheet: Sheet
    choices: Choices
    columns: tuple[Column, ...]
    dates: Decided
    mark: Decided
    currency: Decided
    found: AdFile | OrderFile | None
    problems: tuple[Problem, ...]
    account_name: str  # as the file names it; empty if it does not

    @property
    def ready(self) -> bool:
        return self.found is not None and not self.problems


def review(sheet: Sheet, choices: Choices, *, today: date) -> Review:
    """Read the file as the choices say. `choices.timezone` must be known to the time zone database."""
    columns = {name: at for name, at in choices.columns.items() if name in ALIASES[sheet.kind]}
    evidence = survey.survey(sheet, columns)
    decided = _decide(sheet, columns, evidence, choices)
    problems = [*_missing(sheet, columns, choices), *(each.problem for each in decided if each.problem)]
    if len(evidence.accounts) > 1:
        problems.append(_several_accounts(evidence))
    found = None if problems else _read(sheet, columns, evidence, decided, choices, today)
    if found is not None:
        problems += found.problems or _nothing(found)
    dates, mark, currency = decided
    shown = tuple(_columns(sheet, columns))
    account = next(iter(evidence.accounts), "")
    return Review(sheet, choices, shown, dates, mark, currency, found, tuple(problems), account)


def _decide(
    sheet: Sheet, columns: Mapping[str, int], found: Survey, choices: Choices
) -> tuple[Decided, Decided, Decided]:
    money = "total" if sheet.kind == "shopify" else "spend"
    name = sheet.header[columns[money]] if money in columns else ""
    days = Decided("ymd", "") if sheet.kind == "shopify" else survey.dates(found, choices.dates)
    return days, survey.marks(found, choices.mark), survey.currency(found, name, choices.currency)


def _missing(sheet: Sheet, columns: Mapping[str, int], choices: Choices) -> Iterator[Problem]:
    """What a file cannot do without. A day is the one that exports leave out by themselves."""
    for name in REQUIRED[sheet.kind]:
        if name in columns:
            continue
        if name == "day":
            coarser = [each for each in sheet.header if headers.plain(each) in headers.COARSER]
            instead = f" It goes by {coarser[0].lower()}." if coarser else " It sums up its whole period."
            where = "Breakdown › Time › Day" if sheet.kind == "meta" else "Segment › Time › Day"
            yield Problem(f"No column says the day.{instead} Export again with {where}.")
        else:
            yield Problem(f"No column is chosen for {LABELS[name]}.")
    if choices.timezone not in TIMEZONES:
        yield Problem("Choose the time zone that the days are counted in.")


def _several_accounts(found: Survey) -> Problem:
    one, other = list(found.accounts.values())[:2]
    said = (
        f"The file holds figures of {len(found.accounts)} accounts: {one}, and {other}. Export one account at a time."
    )
    return Problem(said)


def _read(
    sheet: Sheet,
    columns: Mapping[str, int],
    found: Survey,
    decided: tuple[Decided, Decided, Decided],
    choices: Choices,
    today: date,
) -> AdFile | OrderFile:
    how: Any = {"mark": decided[1].value}
    if sheet.kind == "shopify":
        return shop_orders.read(sheet, columns, timezone=choices.timezone, **how)
    return ad_days.read(sheet, columns, found, order=decided[0].value, today=today, **how)  # type: ignore[arg-type]


def _nothing(found: AdFile | OrderFile) -> tuple[Problem, ...]:
    match found:
        case AdFile(days=()) | OrderFile(orders=()):
            return (Problem("No line is left to save. The period may have no figures."),)
        case _:
            return ()


def _columns(sheet: Sheet, columns: Mapping[str, int]) -> Iterator[Column]:
    taken = {at: name for name, at in columns.items()}
    figures = (line.cells for line in sheet.lines() if not survey.is_total(line, columns))
    first = list(islice(figures, SAMPLES))
    for at, name in enumerate(sheet.header):
        field = taken.get(at, "")
        why_not = "" if field else headers.why_left_out(name)
        yield Column(at, name, field, why_not, tuple(cells[at] for cells in first))
