"""A datafile as SQL for PostgreSQL: nodes become CTEs, typed parameters become bound ones. Nothing is ever pasted in.

What a file must keep to is checked as it is loaded, so that a pipe which might leave its workspace does not start:
every table it reads is one of TABLES, stands outside conditions, and comes with its own `workspace_id = {{...}}`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any as Anything

from webapp.analytics.datafile import Datafile, DatafileError, Node
from webapp.analytics.template import All, Any, Choice, Condition, Defined, Equals, Not, Piece, Slot, asked, read, slots

ROLLUPS = ("account_daily", "orders_daily", "visits_daily")  # daily sums: tables here, rollups/*.pipe on Tinybird
TABLES = (*ROLLUPS, "ad_accounts", "ad_daily", "campaigns", "store_orders", "visits")
TENANT = "workspace_id"
SQL_TYPES = {"String": "text", "Date": "date", "Int32": "integer", "Float64": "double precision"}

FORBIDDEN = re.compile(
    r";|--|/\*|::|:[a-z_]|%|\b(?:insert|update|delete|drop|alter|create|grant|copy)\b", re.IGNORECASE
)
SOURCE = re.compile(r"\b(?:from|join)\s+(\(|[^\s()]+)", re.IGNORECASE)
LISTED = re.compile(r"\bfrom\s+\w+(?:\s+(?:as\s+)?\w+)?\s*,", re.IGNORECASE)  # FROM a, b
EXTRACT = re.compile(r"\bextract\s*\(\s*\w+\s+from\b", re.IGNORECASE)
GUARDED = re.compile(rf"\b{TENANT} = \x00{TENANT}\x00")


@dataclass(frozen=True)
class Compiled:
    """A pipe that was checked. `parameters` are all it declares, the tenant's and the server's among them; `columns`
    are those of its endpoint."""

    name: str
    description: str
    nodes: tuple[tuple[str, tuple[Piece, ...]], ...]
    parameters: Mapping[str, Slot]
    columns: tuple[str, ...]

    def render(self, values: Mapping[str, Anything]) -> tuple[str, dict[str, Anything]]:
        """The statement and its bound values. `values` are checked by then; a missing one takes its default."""
        bound: dict[str, Anything] = {}
        texts = [(name, "".join(_text(pieces, self.parameters, values, bound))) for name, pieces in self.nodes]
        *before, (last, _) = texts
        ctes = ",\n".join(f"{name} AS (\n{text}\n)" for name, text in texts)
        assert before or last
        return f"WITH {ctes}\nSELECT * FROM {last}", bound


def compile_pipe(datafile: Datafile) -> Compiled:
    """Raises DatafileError for whatever the file may not say."""
    file = f"{datafile.name}.pipe"
    nodes = tuple((node.name, read(node, file)) for node in datafile.nodes)
    parameters = _parameters(datafile, nodes, file)
    known: set[str] = set()
    for node, (_, pieces) in zip(datafile.nodes, nodes, strict=True):
        _check(node, pieces, known, file)
        known.add(node.name)
    for node, (_, pieces) in zip(datafile.nodes, nodes, strict=True):
        for name in asked(pieces):
            if name not in parameters:
                raise DatafileError(
                    file, node.line, f"a condition asks for {name}, which no {{{{Type({name})}}}} declares"
                )
    return Compiled(
        datafile.name, datafile.description, nodes, parameters, _columns(datafile.nodes[-1], nodes[-1][1], file)
    )


def _parameters(datafile: Datafile, nodes: tuple[tuple[str, tuple[Piece, ...]], ...], file: str) -> dict[str, Slot]:
    """Each parameter by the fullest of its declarations, which must not disagree."""
    found: dict[str, Slot] = {}
    for node, (_, pieces) in zip(datafile.nodes, nodes, strict=True):
        for slot in slots(pieces):
            kept = found.setdefault(slot.name, slot)
            if (kept.type, kept.default) != (slot.type, slot.default):
                raise DatafileError(file, node.line, f"{slot.name} is declared in two ways")
            if slot.description:
                found[slot.name] = slot
    return found


def _check(node: Node, pieces: tuple[Piece, ...], known: set[str], file: str) -> None:
    fixed = _fixed(pieces)
    for text in (fixed, *_conditional(pieces)):
        if found := FORBIDDEN.search(text.replace("\x00", "")):
            raise DatafileError(file, node.line, f"{found[0]!r} has no place in a pipe")
    for text in _conditional(pieces):
        if SOURCE.search(EXTRACT.sub("", text)):
            raise DatafileError(file, node.line, "a condition must not decide what is read")
    if LISTED.search(fixed):
        raise DatafileError(file, node.line, "tables are joined with JOIN, not listed")
    read_ = [name for name in SOURCE.findall(EXTRACT.sub("", fixed)) if name not in known]
    if strange := [name for name in read_ if name not in TABLES]:
        raise DatafileError(file, node.line, f"{strange[0]} is neither an earlier node nor one of {', '.join(TABLES)}")
    if len(GUARDED.findall(fixed)) != len(read_):
        raise DatafileError(
            file, node.line, f"each table of node {node.name} needs its own {TENANT} = {{{{String({TENANT})}}}}"
        )


def _fixed(pieces: tuple[Piece, ...]) -> str:
    """What stands outside conditions; a parameter is its name between NULs."""
    return "".join(
        f"\x00{piece.name}\x00" if isinstance(piece, Slot) else piece
        for piece in pieces
        if not isinstance(piece, Choice)
    )


def _conditional(pieces: tuple[Piece, ...]) -> Iterator[str]:
    for piece in pieces:
        if isinstance(piece, Choice):
            for _, inner in piece.cases:
                yield _fixed(inner)
                yield from _conditional(inner)


def _columns(node: Node, pieces: tuple[Piece, ...], file: str) -> tuple[str, ...]:
    """The endpoint's columns: its SELECT names one a line, as `name` or `... AS name`."""
    body = _fixed(pieces).strip()
    found = re.match(r"SELECT\s+(.*?)\n\s*FROM\b", body, re.DOTALL | re.IGNORECASE)
    lines = [line.strip().rstrip(",") for line in found[1].splitlines()] if found else []
    names = [re.search(r"(?:\bAS\s+|\A)([a-z][a-z0-9_]*)\Z", line) for line in lines]
    if not names or None in names or any("," in _outside_parentheses(line) for line in lines):
        raise DatafileError(file, node.line, "the endpoint names its columns one a line, and FROM begins a line")
    return tuple(name[1] for name in names if name)


def _outside_parentheses(line: str) -> str:
    while (shorter := re.sub(r"\([^()]*\)", "", line)) != line:
        line = shorter
    return line


def _text(
    pieces: tuple[Piece, ...],
    parameters: Mapping[str, Slot],
    values: Mapping[str, Anything],
    bound: dict[str, Anything],
) -> Iterator[str]:
    for piece in pieces:
        match piece:
            case str(text):
                yield text
            case Slot(name, type_, default):
                bound[name] = value if (value := values.get(name)) is not None else default
                if bound[name] is None:
                    raise ValueError(f"{name} is required")
                yield f"CAST(:{name} AS {'uuid' if name == TENANT else SQL_TYPES[type_]})"
            case Choice(cases):
                taken = next((inner for condition, inner in cases if holds(condition, values)), ())
                yield from _text(taken, parameters, values, bound)


def holds(condition: Condition, values: Mapping[str, Anything]) -> bool:
    """As Tinybird decides it: a default does not count as defined."""
    match condition:
        case Defined(name):
            return values.get(name) is not None
        case Equals(name, word):
            return bool(values.get(name) == word)
        case Not(of):
            return not holds(of, values)
        case All(several):
            return all(holds(each, values) for each in several)
        case Any(several):
            return any(holds(each, values) for each in several)
