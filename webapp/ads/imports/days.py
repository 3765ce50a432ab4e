"""How a file writes its days: 2026-09-01, 01/09/2026 or 09/01/2026. One order for a whole file, decided from all of it.

A day above 12 decides. Dots are only used with the day first. What no cell decides is asked, never guessed.
"""

from __future__ import annotations

import re
from datetime import date, datetime, tzinfo
from functools import lru_cache
from typing import Literal

Order = Literal["ymd", "dmy", "mdy"]
ORDER_NAMES: dict[Order, str] = {
    "ymd": "2026-12-31",
    "dmy": "31/12/2026, the day first",
    "mdy": "12/31/2026, the month first",
}
YEAR_FIRST = re.compile(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})")
YEAR_LAST = re.compile(r"(\d{1,2})([-/.])(\d{1,2})\2(\d{4})")
MOMENT = re.compile(r"(\d{4}-\d{2}-\d{2})[ T](\d{2}:\d{2}(?::\d{2})?)(?:\.\d+)?\s*(Z|UTC|[+-]\d{2}:?\d{2})?")

Evidence = Literal["ymd", "dmy", "mdy", "open", "bad"]


@lru_cache(maxsize=1 << 12)
def evidence(cell: str) -> Evidence:
    """What a cell says about the order. "open": day and month could be either. "bad": it is no day of this kind."""
    text = _bare(cell)
    if YEAR_FIRST.fullmatch(text):
        return "ymd"
    found = YEAR_LAST.fullmatch(text)
    if found is None:
        return "bad"
    first, mark, second = int(found[1]), found[2], int(found[3])
    if first > 12 or mark == ".":
        return "dmy"
    return "mdy" if second > 12 else "open"


@lru_cache(maxsize=1 << 12)
def parse(cell: str, order: Order) -> date:
    """Raises ValueError for what is no day in that order."""
    text = _bare(cell)
    if found := YEAR_FIRST.fullmatch(text):
        return date(int(found[1]), int(found[2]), int(found[3]))
    found = YEAR_LAST.fullmatch(text)
    if found is None or order == "ymd":
        raise ValueError(cell)
    day, month = (found[1], found[3]) if order == "dmy" else (found[3], found[1])
    return date(int(found[4]), int(month), int(day))


def moment(cell: str, zone: tzinfo) -> datetime:
    """A moment as Shopify writes it: "2026-05-01 09:00:00 -0400"; without an offset, in `zone`. Raises ValueError."""
    found = MOMENT.fullmatch(cell.strip())
    if found is None:
        raise ValueError(cell)
    offset = {"Z": "+00:00", "UTC": "+00:00"}.get(found[3], found[3] or "")
    read = datetime.fromisoformat(f"{found[1]}T{found[2]}{offset}")
    return read if read.tzinfo else read.replace(tzinfo=zone)


def _bare(cell: str) -> str:
    """Spreadsheets put a midnight behind a day."""
    return cell.strip().partition(" ")[0].partition("T")[0]
