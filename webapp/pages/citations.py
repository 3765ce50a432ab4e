"""Figures in an answer's prose that stand in a tool's result of the same turn, and the row that each came from.

Nothing here trusts the model: a figure is linked only if the very number stands in exactly one row. Small and round
numbers (fewer than three digits that say something) and what looks like a year say nothing and are left alone. What
makes links of them is richtext.link_figures().
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from webapp.chat.fold import BlockView
from webapp.pages.results import NUMBERS

FEWEST_DIGITS = 3
SUMS = ("totals", "compared", "previous", "change")


def rows_of(blocks: Sequence[BlockView], turn_id: object) -> Mapping[str, str]:
    """Plain numbers ("5082.12") and the ids of their rows, as chat/_result.html gives them out."""
    found: dict[str, set[str]] = {}
    for block in blocks:
        for row_id, number in _numbers(block, f"block-{turn_id}-{block.number}"):
            found.setdefault(number, set()).add(row_id)
    return {number: next(iter(ids)) for number, ids in found.items() if len(ids) == 1}


def _numbers(block: BlockView, id: str) -> Iterator[tuple[str, str]]:
    raw = _result(block)
    units = {c["key"]: c.get("unit", "") for c in raw.get("columns", ()) if isinstance(c, dict) and "key" in c}
    rows = [row for row in raw.get("rows", ()) if isinstance(row, dict)]
    for n, row in enumerate(rows):
        yield from ((f"{id}-r{n}", said) for said in _said(row, units))
    sums = [name for name in SUMS if isinstance(raw.get(name), dict) and raw[name]]
    shares = {key: "percent" if unit in NUMBERS else unit for key, unit in units.items()}
    for n, name in enumerate(sums):
        said_as = shares if name == "change" else units
        yield from ((f"{id}-s{n}", said) for said in _said(raw[name], said_as))


def _result(block: BlockView) -> dict[str, Any]:
    if block.result is None or block.result.is_error:
        return {}
    try:
        raw = json.loads(block.result.content)
    except ValueError:
        return {}
    return raw if isinstance(raw, dict) and isinstance(raw.get("rows"), list) else {}


def _said(row: Mapping[str, Any], units: Mapping[str, str]) -> Iterator[str]:
    for key, value in row.items():
        unit = units.get(key, "")
        if unit in NUMBERS and isinstance(value, int | float) and not isinstance(value, bool):
            yield from filter(telling, _spellings(abs(value) * (100 if unit == "percent" else 1)))


def _spellings(value: float) -> set[str]:
    """As it stands, and as prose would round it: to two places, one, or none where it is large."""
    exact = str(int(value)) if value == int(value) else repr(value)
    rounded = {f"{value:.2f}", f"{value:.1f}"} | ({f"{value:.0f}"} if value >= 1000 else set())
    return {exact, *rounded}


def telling(number: str) -> bool:
    """Whether a number says enough to be found again: three digits that count, and no year."""
    digits = number.replace(".", "").strip("0")
    return len(digits) >= FEWEST_DIGITS and not (len(number) == 4 and number.isdigit() and 1900 <= int(number) < 2100)
