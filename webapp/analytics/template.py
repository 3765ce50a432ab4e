"""The template language of a node's SQL, read once when the app starts. Rendering it: compiler.py.

What is understood, and nothing else:

    {{Date(date_from, '2026-01-01', description='...')}}   a typed parameter: it is bound, never pasted into the SQL
    {% if defined(x) %} {% elif x == 'word' %} {% else %} {% end %}   with and, or, not

Types are String, Date, Int32 and Float64; keywords are default, required, description and enum. Tinybird reads both as
Python; so do we, by its grammar, without ever running it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from webapp.analytics.datafile import DatafileError, Node

TYPES = ("String", "Date", "Int32", "Float64")
KEYWORDS = frozenset({"default", "required", "description", "enum"})
TAG = re.compile(r"(\{\{.*?\}\}|\{%.*?%\})", re.DOTALL)


@dataclass(frozen=True)
class Slot:
    """A place where a parameter's value is bound."""

    name: str
    type: str
    default: str | int | float | None = None
    description: str = ""
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Defined:
    name: str


@dataclass(frozen=True)
class Equals:
    name: str
    word: str


@dataclass(frozen=True)
class Not:
    of: Condition


@dataclass(frozen=True)
class All:
    of: tuple[Condition, ...]


@dataclass(frozen=True)
class Any:
    of: tuple[Condition, ...]


Condition = Defined | Equals | Not | All | Any
Always = All(())


@dataclass(frozen=True)
class Choice:
    """The first case whose condition holds; a case without one is the `else`."""

    cases: tuple[tuple[Condition, tuple[Piece, ...]], ...]


Piece = str | Slot | Choice


@dataclass
class _Open:
    """An {% if %} that is being read."""

    line: int
    cases: list[tuple[Condition, list[Piece]]] = field(default_factory=list)


def read(node: Node, file: str) -> tuple[Piece, ...]:
    """Raises DatafileError, with the line of the file."""
    return _Reader(node, file).read()


def slots(pieces: tuple[Piece, ...]) -> Iterator[Slot]:
    for piece in pieces:
        if isinstance(piece, Slot):
            yield piece
        elif isinstance(piece, Choice):
            for _, inner in piece.cases:
                yield from slots(inner)


def asked(pieces: tuple[Piece, ...]) -> Iterator[str]:
    """The names that its conditions ask for."""
    for piece in pieces:
        if isinstance(piece, Choice):
            for condition, inner in piece.cases:
                yield from _names(condition)
                yield from asked(inner)


def _names(condition: Condition) -> Iterator[str]:
    match condition:
        case Defined(name) | Equals(name, _):
            yield name
        case Not(inner):
            yield from _names(inner)
        case All(several) | Any(several):
            for each in several:
                yield from _names(each)


class _Reader:
    def __init__(self, node: Node, file: str) -> None:
        self._node = node
        self._file = file
        self._line = node.line
        self._whole: list[Piece] = []
        self._open: list[_Open] = []

    def read(self) -> tuple[Piece, ...]:
        for token in TAG.split(self._node.sql):
            self._take(token)
            self._line += token.count("\n")
        if self._open:
            raise self._wrong("an {% if %} has no {% end %}", self._open[-1].line)
        return tuple(self._whole)

    def _take(self, token: str) -> None:
        if token.startswith("{{"):
            self._here().append(self._slot(token[2:-2].strip()))
        elif token.startswith("{%"):
            self._tag(token[2:-2].strip())
        elif brace := re.search("[{}]", token):
            raise self._wrong("a brace stands alone", self._line + token.count("\n", 0, brace.start()))
        elif token:
            self._here().append(token)

    def _here(self) -> list[Piece]:
        return self._open[-1].cases[-1][1] if self._open else self._whole

    def _tag(self, text: str) -> None:
        word, _, rest = text.partition(" ")
        if word == "if":
            self._open.append(_Open(self._line, [(self._condition(rest), [])]))
            return
        if word not in ("elif", "else", "end"):
            raise self._wrong(f"{{% {word} %}} is not understood")
        if not self._open:
            raise self._wrong(f"{{% {word} %}} without an {{% if %}}")
        if word == "end":
            done = self._open.pop()
            self._here().append(Choice(tuple((condition, tuple(inner)) for condition, inner in done.cases)))
            return
        if self._open[-1].cases[-1][0] == Always:
            raise self._wrong(f"{{% {word} %}} after {{% else %}}")
        self._open[-1].cases.append((self._condition(rest) if word == "elif" else Always, []))

    def _condition(self, text: str) -> Condition:
        return self._meaning(self._python(text))

    def _meaning(self, tree: ast.expr) -> Condition:
        match tree:
            case ast.BoolOp(op=ast.And(), values=values):
                return All(tuple(map(self._meaning, values)))
            case ast.BoolOp(op=ast.Or(), values=values):
                return Any(tuple(map(self._meaning, values)))
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return Not(self._meaning(operand))
            case ast.Call(func=ast.Name(id="defined"), args=[ast.Name(id=name)], keywords=[]):
                return Defined(name)
            case ast.Compare(left=ast.Name(id=name), ops=[ast.Eq()], comparators=[ast.Constant(value=str(word))]):
                return Equals(name, word)
        raise self._wrong(f"the condition {ast.unparse(tree)!r} is not understood")

    def _slot(self, text: str) -> Slot:
        match self._python(text):
            case ast.Call(func=ast.Name(id=type_), args=[ast.Name(id=name), *rest], keywords=keywords) if (
                type_ in TYPES and len(rest) < 2
            ):
                return self._declared(type_, name, rest, keywords)
        raise self._wrong(f"{text!r} is not understood; a parameter is written as {'|'.join(TYPES)}(name, default)")

    def _declared(self, type_: str, name: str, rest: list[ast.expr], keywords: list[ast.keyword]) -> Slot:
        given = {word.arg: self._literal(word.value) for word in keywords}
        if rest:
            given["default"] = self._literal(rest[0])
        if unknown := {str(word) for word in given} - KEYWORDS:
            raise self._wrong(f"{name}: {', '.join(sorted(unknown))} is not understood")
        choices = given.get("enum") or []
        if not isinstance(choices, list) or not all(isinstance(each, str) for each in choices):
            raise self._wrong(f"{name}: enum is a list of words")
        default = given.get("default")
        if default is not None and not isinstance(default, str | int | float):
            raise self._wrong(f"{name}: the default is no plain value")
        return Slot(name, type_, default, str(given.get("description", "")), tuple(map(str, choices)))

    def _literal(self, tree: ast.expr) -> object:
        try:
            return ast.literal_eval(tree)
        except ValueError:
            raise self._wrong(f"{ast.unparse(tree)!r} is no plain value") from None

    def _python(self, text: str) -> ast.expr:
        try:
            return ast.parse(text.strip(), mode="eval").body
        except (SyntaxError, ValueError):
            raise self._wrong(f"{text!r} is not understood") from None

    def _wrong(self, why: str, line: int = 0) -> DatafileError:
        return DatafileError(self._file, line or self._line, why)
