"""Files for spreadsheets: CSV that Excel takes for UTF-8, in which no cell is a formula, whatever a thing is called."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator

FORMULA = tuple("=+-@\t\r\n＝＋－＠")  # a spreadsheet would calculate what begins so; the wide ones in East Asia
MARK = "\ufeff"  # Excel takes a file without it for Latin-1


def text(value: object) -> str:
    """A cell of words that others chose."""
    said = str(value)
    return f"'{said}" if said.startswith(FORMULA) else said


def lines(rows: Iterable[Iterable[str]]) -> Iterator[str]:
    """The file, a row at a time. What is not ours to vouch for went through text()."""
    yield MARK
    for row in rows:
        out = io.StringIO()
        csv.writer(out).writerow(row)
        yield out.getvalue()
