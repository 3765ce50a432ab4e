"""Lines of a Meta or Google export to days of campaigns: the second pass, once it is known how the file is written.

Left out, and said: totals, and sums that stand beside what they sum ("All" in a breakdown; a campaign's line beside
those of its ad sets). Lines that differ only in a breakdown are added up. A line that is about more than one day is
refused, not spread: spread figures would look like days that were measured. Ratios are never read.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from functools import cached_property
from typing import Any

from webapp.ads.imports import days, headers, numbers
from webapp.ads.imports.headers import COUNTS, LABELS
from webapp.ads.imports.sniff import Line, Sheet
from webapp.ads.imports.survey import NOBODY, Problem, Survey, is_all, is_total
from webapp.ads.money import MICROS

MOST = 20  # problems; what follows is most likely the same
ID, NAME, MOST_UNITS = 200, 400, Decimal(10**11)

STATUSES = {
    "active": "active", "enabled": "active", "eligible": "active", "aktiv": "active", "aktiviert": "active",
    "activee": "active", "activa": "active", "habilitada": "active", "activo": "active", "activado": "active",
    "inactive": "paused", "paused": "paused", "not delivering": "paused", "off": "paused", "inaktiv": "paused",
    "pausiert": "paused", "en veille": "paused", "en pause": "paused", "inactiva": "paused", "pausada": "paused",
    "en pausa": "paused", "detenida": "paused", "completed": "paused", "ended": "paused", "archived": "archived",
    "archiviert": "archived", "archivee": "archived", "archivada": "archived", "removed": "deleted",
    "deleted": "deleted", "entfernt": "deleted", "geloscht": "deleted", "supprimee": "deleted",
    "eliminada": "deleted", "quitada": "deleted",
}  # fmt: skip


@dataclass(frozen=True)
class FileCampaign:
    """`id` is empty where the file gives none. `status` is empty where it says nothing that we know."""

    id: str
    name: str
    status: str = ""
    said: str = ""


@dataclass(frozen=True)
class AdDay:
    """One day of one campaign, ad set or ad. `campaign` is a key of AdFile.campaigns."""

    campaign: str
    day: date
    adset_id: str = ""
    ad_id: str = ""
    adset_name: str = ""
    ad_name: str = ""
    spend_micros: int = 0
    impressions: int = 0
    clicks: int = 0
    orders: Decimal = Decimal(0)
    revenue_micros: int = 0


@dataclass(frozen=True)
class AdFile:
    """What an export says, read to its end. `left_out`: reason -> the lines' numbers."""

    campaigns: Mapping[str, FileCampaign]
    days: tuple[AdDay, ...]
    left_out: Mapping[str, Sequence[int]]
    problems: tuple[Problem, ...]

    @cached_property
    def since(self) -> date:
        return min(day.day for day in self.days)

    @cached_property
    def until(self) -> date:
        return max(day.day for day in self.days)


Key = tuple[str, date, str, str]


def read(
    sheet: Sheet, columns: Mapping[str, int], found: Survey, *, order: days.Order, mark: numbers.Mark, today: date
) -> AdFile:
    """Every line but those left out. `today`: days after tomorrow are taken for a mistake."""
    reader = _Reader(sheet, columns, found, order, mark, today + timedelta(1))
    for line in sheet.lines():
        reader.take(line)
        if len(reader.problems) >= MOST:
            break
    return reader.file()


class _Wrong(ValueError):
    """A cell that cannot be read: a sentence, and the field it belongs to."""

    def __init__(self, said: str, field: str) -> None:
        super().__init__(said)
        self.field = field


@dataclass
class _Reader:
    """The lines read so far."""

    sheet: Sheet
    columns: Mapping[str, int]
    found: Survey
    order: days.Order
    mark: numbers.Mark
    last_day: date
    campaigns: dict[str, FileCampaign] = field(default_factory=dict)
    sums: dict[Key, dict[str, Any]] = field(default_factory=dict)
    lines: dict[Key, list[int]] = field(default_factory=lambda: defaultdict(list))
    left_out: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    problems: list[Problem] = field(default_factory=list)

    def take(self, line: Line) -> None:
        reason = self._not_needed(line)
        if reason:
            self.left_out[reason].append(line.number)
            return
        if line.too_many:
            columns = len(self.sheet.header)
            said = f"It has more cells than the header has columns ({columns}). A decimal comma without quotes?"
            self.problems.append(Problem(said, line.number))
            return
        try:
            self._add(line)
        except _Wrong as wrong:
            self.problems.append(Problem(str(wrong), line.number, self.sheet.header[self.columns[wrong.field]]))

    def file(self) -> AdFile:
        for key in _sums_of_others(self.sums):
            del self.sums[key]
            self.left_out["sums of lines that are there, too"] += self.lines[key]
        read = tuple(
            AdDay(campaign, day, adset, ad, **values) for (campaign, day, adset, ad), values in self.sums.items()
        )
        return AdFile(self.campaigns, read, dict(self.left_out), tuple(self.problems))

    # --- a line -----------------------------------------------------------------------------------------------

    def _cell(self, line: Line, name: str) -> str:
        return line.cells[self.columns[name]] if name in self.columns else ""

    def _not_needed(self, line: Line) -> str:
        if is_total(line, self.columns):
            return "totals"
        if is_all(self._cell(line, "day")) or is_all(self._cell(line, "campaign")):
            return "subtotals (“All”)"
        if any(is_all(line.cells[at]) for at in self.found.subtotals):
            return "subtotals (“All”)"
        return ""

    def _add(self, line: Line) -> None:
        campaign = self._campaign(line)
        day = self._day(line)
        adset, adset_name = self._part(line, "adset")
        ad, ad_name = self._part(line, "ad")
        key = (campaign, day, adset, ad)
        new = {"adset_name": adset_name, "ad_name": ad_name, **self._figures(line)}
        old = self.sums.get(key)
        self.sums[key] = (
            {name: old[name] + value if _adds(name) else value for name, value in new.items()} if old else new
        )
        self.lines[key].append(line.number)

    def _campaign(self, line: Line) -> str:
        id, name = self._cell(line, "campaign_id"), self._cell(line, "campaign")[:NAME]
        id = "" if id in NOBODY else id[:ID]
        key, said = id or name[:ID], self._cell(line, "status")
        status = STATUSES.get(headers.plain(said).replace("_", " "), "")
        self.campaigns[key] = FileCampaign(id, name, status, said[:40])
        return key

    def _day(self, line: Line) -> date:
        cell = self._cell(line, "day")
        try:
            day = days.parse(cell, self.order)
        except ValueError:
            raise _Wrong(f"“{cell}” is not a day written like {days.ORDER_NAMES[self.order]}.", "day") from None
        if day > self.last_day:
            raise _Wrong(f"{day} lies in the future. Is the order of day and month right?", "day")
        self._check_range(line, day)
        return day

    def _check_range(self, line: Line, day: date) -> None:
        cell = self._cell(line, "day_end")
        if not cell:
            return
        try:
            end = days.parse(cell, self.order)
        except ValueError:
            raise _Wrong(f"“{cell}” is not a day written like {days.ORDER_NAMES[self.order]}.", "day_end") from None
        if end != day:
            said = f"The line is about {(end - day).days + 1} days. Export again by day: Breakdown › Time › Day."
            raise _Wrong(said, "day_end")

    def _part(self, line: Line, what: str) -> tuple[str, str]:
        """Id and name of an ad set or ad; the name stands in for a missing id. Both empty: not broken down."""
        name, id = self._cell(line, what), self._cell(line, f"{what}_id")
        if name in NOBODY or is_all(name):
            name = ""
        return (id if id not in NOBODY and not is_all(id) else name)[:ID], name[:NAME]

    def _figures(self, line: Line) -> dict[str, Any]:
        money = {f"{name}_micros": _micros(self._number(line, name)) for name in ("spend", "revenue")}
        return {**money, **{name: self._whole(line, name) for name in COUNTS}, "orders": self._number(line, "orders")}

    def _number(self, line: Line, name: str) -> Decimal:
        cell = self._cell(line, name)
        try:
            number = numbers.parse(cell, self.mark)
        except ValueError:
            example = "1,234.50" if self.mark == "." else "1.234,50"
            raise _Wrong(f"“{cell}” is not a number written like {example}.", name) from None
        if not 0 <= number <= MOST_UNITS:
            raise _Wrong(f"“{cell}”: {LABELS[name]} cannot be less than zero, nor that much.", name)
        return number

    def _whole(self, line: Line, name: str) -> int:
        number = self._number(line, name)
        if number != number.to_integral_value():
            raise _Wrong(
                f"“{self._cell(line, name)}”: {LABELS[name]} are whole numbers. Is the decimal mark right?", name
            )
        return int(number)


def _micros(amount: Decimal) -> int:
    return int((amount * MICROS).to_integral_value())


def _adds(name: str) -> bool:
    return not name.endswith("_name")


def _sums_of_others(keys: Iterable[Key]) -> list[Key]:
    """Those that stand beside what they sum: of a campaign's day beside its ad sets, of an ad set's beside its ads."""
    fine = {(campaign, day, "") for campaign, day, adset, ad in keys if adset or ad}
    finer = {(campaign, day, adset) for campaign, day, adset, ad in keys if ad}
    return [
        key for key in keys if not key[3] and ((not key[2] and key[:3] in fine) or (bool(key[2]) and key[:3] in finer))
    ]
