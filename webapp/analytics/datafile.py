"""Tinybird's datafile format, as far as our pipes use it: a .pipe file as a value. Its templates: template.py.

    DESCRIPTION >
        What the pipe answers.

    NODE ads
    SQL >
        %
        SELECT ... {{Date(date_from)}} ... {% if defined(platform) %} ... {% end %}

    TYPE endpoint

A command stands at the margin; `>` opens a block of indented lines. Nodes come in the order they build on each other,
the last is the endpoint. Everything else the format knows (TOKEN, INCLUDE, materialised nodes ...) is refused.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

NAME = re.compile(r"[a-z][a-z0-9_]*\Z")


class DatafileError(Exception):
    """A file we do not take: which, where and why."""

    def __init__(self, file: str, line: int, why: str) -> None:
        super().__init__(f"{file}:{line}: {why}")


@dataclass(frozen=True)
class Node:
    """`sql` is a template; its first line is `line` of the file."""

    name: str
    sql: str
    line: int


@dataclass(frozen=True)
class Datafile:
    name: str
    description: str
    nodes: tuple[Node, ...]


@dataclass(frozen=True)
class _Command:
    word: str
    argument: str
    block: str
    line: int
    block_line: int


def read(path: Path) -> Datafile:
    """Raises DatafileError."""
    return parse(path.read_text(), path.name)


def parse(text: str, file: str) -> Datafile:
    """`file` is the name the pipe is called by, with .pipe. Raises DatafileError."""
    commands = list(_commands(text, file))
    description = ""
    if commands and commands[0].word == "DESCRIPTION":
        description = " ".join(commands.pop(0).block.split())
    if not commands or commands[-1].word != "TYPE" or commands[-1].argument.lower() != "endpoint":
        raise DatafileError(file, text.count("\n") or 1, "the last line must be TYPE endpoint")
    nodes = tuple(_nodes(commands[:-1], file))
    if not nodes:
        raise DatafileError(file, 1, "there is no NODE")
    return Datafile(file.removesuffix(".pipe"), description, nodes)


def _commands(text: str, file: str) -> Iterator[_Command]:
    lines = text.splitlines()
    at = 0
    while at < len(lines):
        line, start = lines[at], at + 1
        at += 1
        if not line.strip():
            continue
        if line[0].isspace():
            raise DatafileError(file, start, "an indented line belongs to no command")
        word, _, argument = line.strip().partition(" ")
        block: list[str] = []
        if argument.strip() == ">":
            while at < len(lines) and (not lines[at].strip() or lines[at][0].isspace()):
                block.append(lines[at])
                at += 1
        yield _Command(word, argument.strip(), textwrap.dedent("\n".join(block)).rstrip(), start, start + 1)


def _nodes(commands: list[_Command], file: str) -> Iterator[Node]:
    seen: set[str] = set()
    for head, body in _pairs(commands, file):
        if not NAME.match(head.argument):
            raise DatafileError(file, head.line, f"{head.argument!r} is no name for a node")
        if head.argument in seen:
            raise DatafileError(file, head.line, f"there are two nodes named {head.argument}")
        if not body.block.strip():
            raise DatafileError(file, body.line, "SQL > must be followed by an indented block")
        seen.add(head.argument)
        yield Node(head.argument, *_sql(body))


def _pairs(commands: list[_Command], file: str) -> Iterator[tuple[_Command, _Command]]:
    """Each NODE with its SQL; a node's DESCRIPTION is for whoever reads the file."""
    words = [command for command in commands if command.word != "DESCRIPTION"]
    for each in words:
        if each.word not in ("NODE", "SQL"):
            raise DatafileError(file, each.line, f"{each.word} is not a command of ours")
    for n in range(0, len(words), 2):
        head, body = words[n], words[n + 1] if n + 1 < len(words) else None
        if head.word != "NODE" or body is None or body.word != "SQL":
            raise DatafileError(file, head.line, "a NODE is followed by its SQL, and SQL by the next NODE")
        yield head, body


def _sql(body: _Command) -> tuple[str, int]:
    """The block without the % that marks a template. (Ours all are: without a workspace there is no pipe.)"""
    stripped = body.block.lstrip("\n")
    skipped = body.block.count("\n") - stripped.count("\n")
    first, _, rest = stripped.partition("\n")
    return (rest, body.block_line + skipped + 1) if first.strip() == "%" else (stripped, body.block_line + skipped)
