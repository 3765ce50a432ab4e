"""From the bytes of a file to a Sheet: encoding, delimiter, where the header is. What is about people stays outside.

Seen in the wild: UTF-8 with and without a mark (Meta), UTF-16 with tabs ("Excel CSV" of Google), semicolons and
Windows-1252 (saved again by Excel), two lines of title before the header (Google), line breaks inside cells (notes of
Shopify orders: a line's number is that of its first one).

A Sheet can be kept: its body is CSV of our own, each line with its number in the person's file. Of Shopify's 79 columns
ten are kept, and of the e-mail address only a keyed hash; names, addresses and phone numbers never reach a table.
"""

from __future__ import annotations

import codecs
import csv
import io
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from webapp.ads.imports import headers
from webapp.ads.imports.headers import Kind

LOOK = 15  # lines in which the header must be
CHUNK = 1 << 16
DELIMITERS = ",;\t"
BREATHE = 500  # lines after which other requests get their turn (under gevent)
MOST_COLUMNS = 500  # Meta has some 400 to choose from
LONGEST_LINE = 1 << 18  # characters; a note with line breaks has several lines

Blind = Callable[[str], str]


class Unreadable(Exception):
    """The file is not one that we can read: what it is, and what to do, in words for a person."""

    def __init__(self, title: str, hint: str) -> None:
        super().__init__(title)
        self.title = title
        self.hint = hint


@dataclass(frozen=True)
class Line:
    """`number` counts from 1, as an editor shows it. There are as many cells as the header has."""

    number: int
    cells: tuple[str, ...]
    too_many: bool = False  # cells behind the last column: a mark inside a number that was not quoted


@dataclass(frozen=True)
class Sheet:
    """A table that was found in a file."""

    kind: Kind
    header: tuple[str, ...]
    dropped: tuple[str, ...]
    body: str

    def lines(self) -> Iterator[Line]:
        for n, (number, flag, *cells) in enumerate(csv.reader(io.StringIO(self.body, newline="")), start=1):
            if n % BREATHE == 0:
                time.sleep(0)
            yield Line(int(number), tuple(cells), flag == "x")


@dataclass(frozen=True)
class _Found:
    """Where the header is and what parts cells. `columns` are kept."""

    kind: Kind
    delimiter: str
    record: int
    names: tuple[str, ...]
    columns: tuple[int, ...]


def read(stream: BinaryIO, blind: Blind) -> Sheet:
    """The table of a seekable stream. `blind` makes the hash of an e-mail address. Raises Unreadable."""
    text = io.TextIOWrapper(stream, encoding=_encoding(stream), newline="")
    try:
        found = _find_header(text)
        text.seek(0)
        body = io.StringIO(newline="")
        csv.writer(body, lineterminator="\n").writerows(_distilled(text, found, blind))
    except UnicodeDecodeError:  # only of UTF-16: half a character
        raise _no_text() from None
    finally:
        text.detach()
    names = tuple(found.names[at] for at in found.columns)
    dropped = tuple(name for at, name in enumerate(found.names) if at not in found.columns and name)
    return Sheet(found.kind, names, dropped, body.getvalue())


def _encoding(stream: BinaryIO) -> str:
    """Leaves the stream at its beginning. Raises Unreadable for an empty file and for what is no text."""
    stream.seek(0)
    start = stream.read(CHUNK)
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        found = "utf-16"
    elif b"\0" in start[1:400:2] and b"\0" not in start[0:400:2]:
        found = "utf-16-le"
    else:
        _refuse_what_is_no_text(start)
        found = "utf-8-sig" if _is_utf8(stream, start) else "cp1252"
    stream.seek(0)
    return found


def _refuse_what_is_no_text(start: bytes) -> None:
    if not start.strip():
        raise Unreadable("The file is empty", "Export it again, with a period that has figures.")
    if start.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        raise Unreadable("This is an Excel workbook", "Export as CSV instead, or save the sheet as CSV.")
    if b"\0" in start:
        raise _no_text()


def _no_text() -> Unreadable:
    return Unreadable("This is not a text file", "Export as CSV.")


def _is_utf8(stream: BinaryIO, start: bytes) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        chunk = start
        while chunk:
            decoder.decode(chunk)
            chunk = stream.read(CHUNK)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _find_header(text: io.TextIOWrapper) -> _Found:
    """The line whose cells we know best, among the first ones. Raises Unreadable."""
    first = [line for _, line in zip(range(LOOK * 4), _Counted(text), strict=False)]
    best: tuple[int, _Found] | None = None
    for delimiter in DELIMITERS:
        for at, cells in enumerate(list(_records(iter(first), delimiter))[:LOOK]):
            kind, known = headers.recognised(cells)
            if kind and (best is None or known > best[0]):
                names = tuple(cell.strip().lstrip("\ufeff")[:120] for cell in cells)
                best = known, _Found(kind, delimiter, at, names, _kept(kind, names))
    if best is None:
        raise _unknown(first)
    return best[1]


def _kept(kind: Kind, names: Sequence[str]) -> tuple[int, ...]:
    if kind == "shopify":
        return tuple(sorted(headers.propose(kind, names).values()))
    return tuple(range(len(names)))


def _unknown(first: Sequence[str]) -> Unreadable:
    if not first:
        return Unreadable("The file is empty", "Export it again, with a period that has figures.")
    shown = " ".join(first[0].split())[:120]
    return Unreadable(
        "No export that we know",
        "No line has the columns of a Meta Ads Manager, Google Ads or Shopify orders export (campaign and spend, or "
        f"order number, date and total). The file begins with: {shown}",
    )


def _records(lines: Iterator[str], delimiter: str) -> Iterator[list[str]]:
    """Raises Unreadable with the line where the CSV breaks, or is wider than any export."""
    reader = csv.reader(lines, delimiter=delimiter)
    try:
        for record in reader:
            if len(record) > MOST_COLUMNS:
                hint = f"Line {reader.line_num} has more than {MOST_COLUMNS} columns. Export fewer."
                raise Unreadable("The file is too wide", hint)
            yield record
    except csv.Error as error:
        hint = f"Line {reader.line_num}: {error}. Export the file again instead of editing it."
        raise Unreadable("The file is not valid CSV", hint) from None


def _distilled(text: io.TextIOWrapper, found: _Found, blind: Blind) -> Iterator[list[object]]:
    """The lines behind the header as the body has them. Raises Unreadable."""
    email = headers.propose(found.kind, found.names).get("email")
    number, width = 1, len(found.names)
    lines = _Counted(text)
    for at, record in enumerate(_records(lines, found.delimiter)):
        begins, number = number, lines.count + 1
        if at % BREATHE == 0:
            time.sleep(0)
        if at <= found.record or not any(cell.strip() for cell in record):
            continue
        too_many = any(cell.strip() for cell in record[width:])
        cells = [cell.replace("\0", "").strip() for cell in record[:width]] + [""] * (width - len(record))
        if email is not None and cells[email]:
            cells[email] = blind(cells[email])
        yield [begins, "x" if too_many else "", *(cells[column] for column in found.columns)]


class _Counted:
    """Lines of a text, and how many were taken. Raises Unreadable at one that is longer than any export's."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self._text = text
        self.count = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._text.readline(LONGEST_LINE)
        if not line:
            raise StopIteration
        self.count += 1
        if len(line) == LONGEST_LINE:
            hint = f"Line {self.count} has more than {LONGEST_LINE:,} characters."
            raise Unreadable("The file is not valid CSV", hint)
        return line
