"""Tool, Toolbox, ToolContext: what a model may call. The tools themselves live in the modules beside this one.

A Toolbox is an ordered tuple: its order is part of the provider's cached prefix, so it never depends on import order.
A tool that would change something changes nothing: it makes a plan and returns Proposed. Only a person's approval of
that plan changes anything, and its outcome then becomes the call's result.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass

from webapp.accounts import Scope
from webapp.ads.platform import Platforms
from webapp.analytics.source import Engine
from webapp.db import Database
from webapp.llm.blocks import Json
from webapp.llm.request import ToolSpec


@dataclass(frozen=True)
class ToolContext:
    """For whom and in which turn a tool runs. It asks the stores; it gets no key and writes no SQL."""

    scope: Scope
    database: Database
    platforms: Platforms
    turn_id: uuid.UUID
    model: str = ""  # that asks, by its display name
    engine: Engine | None = None  # of analytics; None: our own database


class ToolError(Exception):
    """A failure the model can act on: its text goes back as the tool's result."""


@dataclass(frozen=True)
class Proposed:
    """The call waits for a person: this plan is to be approved or rejected."""

    plan_id: uuid.UUID


Outcome = str | Proposed


@dataclass(frozen=True)
class Tool:
    """`run` gets the context, the call's id and its arguments; it returns text for the model (see results.py), or
    Proposed if it is `destructive`. It raises ToolError. Tools that only read run at the same time."""

    spec: ToolSpec
    run: Callable[[ToolContext, str, Json], Outcome]
    destructive: bool = False


@dataclass(frozen=True)
class Toolbox:
    tools: tuple[Tool, ...] = ()

    def specs(self) -> tuple[ToolSpec, ...]:
        return tuple(tool.spec for tool in self.tools)

    def find(self, name: str) -> Tool:
        """Raises ToolError for a name that is not in the box."""
        for tool in self.tools:
            if tool.spec.name == name:
                return tool
        raise ToolError(f"There is no tool named {name!r}.")
