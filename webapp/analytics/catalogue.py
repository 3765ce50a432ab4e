"""PIPE_ALLOWLIST: the pipes that may be asked, and what may be asked of each. A pipe is one file in pipes/."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from webapp.analytics.answers import Column

ParameterType = Literal["date", "string", "integer", "number", "list"]


@dataclass(frozen=True)
class Parameter:
    """What a caller may set. `choices` are all values of a string, or of a list's items."""

    name: str
    type: ParameterType
    description: str
    choices: tuple[str, ...] = ()
    default: str | int | float | None = None
    least: float | None = None
    most: float | None = None


@dataclass(frozen=True)
class Pipe:
    """A question: `max_days` of one window, `max_rows` of one answer, an answer is fresh for `cache_seconds`."""

    name: str
    title: str
    description: str
    parameters: tuple[Parameter, ...]
    columns: tuple[Column, ...]
    definitions: Mapping[str, str]
    max_days: int = 400
    max_rows: int = 500
    cache_seconds: int = 300


PIPE_ALLOWLIST: Mapping[str, Pipe] = {}


def describe(pipe: Pipe) -> dict[str, Any]:
    """Its parameters as JSON Schema (an object that takes nothing else), for a tool and for the docs."""
    raise NotImplementedError
