"""How a file writes its numbers: `1,234.50` or `1.234,50`. One mark for a whole file, decided from all of it.

"1,234" alone says nothing: it is 1234 or 1.234. In a column that counts (impressions) it can only be 1234. What no
cell decides is asked. A grouping mark may also be a space or an apostrophe; Indian groups (1,23,456) are read, too.
"""

from __future__ import annotations

import re
from decimal import Decimal
from functools import lru_cache
from typing import Literal

Mark = Literal[".", ","]
NOTHING = frozenset(("", "-", "--", "—", "–", "n/a", "na", "null"))
AROUND = re.compile(r"^[^\d\-(]+(?=[\d\-])|[^\d)]+$")  # a currency's sign or letters, before or behind
SPACES = re.compile(r"[\s\u00a0\u202f\u2009'’]")

REMEMBERED = 1 << 14  # small numbers come again and again

Evidence = Literal[".", ",", "open", "none", "bad"]


def is_nothing(cell: str) -> bool:
    """Exports write "no value" in several ways; all of them count as zero, never as a mistake."""
    return cell.strip().casefold() in NOTHING


@lru_cache(maxsize=REMEMBERED)
def evidence(cell: str, *, counts: bool = False) -> Evidence:
    """What a cell says about the decimal mark. "open": both readings fit. "bad": it is no number."""
    if is_nothing(cell):
        return "none"
    text = _bare(cell)
    if re.fullmatch(r"-?\d+", text):
        return "none"
    if _only(text, ".", ",", counts=counts):
        return "."
    if _only(text, ",", ".", counts=counts):
        return ","
    if re.fullmatch(r"-?\d{1,3}[.,]\d{3}", text):
        return "open"
    return "bad"


@lru_cache(maxsize=REMEMBERED)
def parse(cell: str, mark: Mark) -> Decimal:
    """Raises ValueError for what is no number in a file with that decimal mark. Nothing is 0."""
    if is_nothing(cell):
        return Decimal(0)
    text = _bare(cell)
    group = "," if mark == "." else "."
    whole, _, part = text.partition(mark)
    if not re.fullmatch(rf"-?(?:\d+|\d{{1,3}}(?:{re.escape(group)}\d{{2,3}})*{re.escape(group)}\d{{3}})", whole):
        raise ValueError(cell)
    if part and not part.isdecimal():
        raise ValueError(cell)
    return Decimal(f"{whole.replace(group, '')}.{part or '0'}")


def _bare(cell: str) -> str:
    return AROUND.sub("", SPACES.sub("", cell)).replace("−", "-")


def _only(text: str, mark: str, group: str, *, counts: bool) -> bool:
    """True if the text reads as a number with this decimal mark, and with no other."""
    m, g = re.escape(mark), re.escape(group)
    grouped = rf"\d{{1,3}}(?:{g}\d{{2,3}})*{g}\d{{3}}"
    certain = (
        rf"-?{grouped}{m}\d+",  # 1,234.50
        rf"-?\d{{1,3}}(?:{g}\d{{2,3}})+{g}\d{{3}}",  # 1,234,567
        rf"-?\d+{m}(?:\d{{1,2}}|\d{{4,}})",  # 12.5
        rf"-?(?:0|\d{{4,}}){m}\d+",  # 0.125, 1234.500
    )
    if counts and re.fullmatch(grouped, text):
        return True
    return any(re.fullmatch(pattern, text) for pattern in certain)
