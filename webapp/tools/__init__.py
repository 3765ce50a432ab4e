"""Tool, Toolbox, ToolContext: what a model may call. The tools themselves live in the modules beside this one.

A Toolbox is an ordered tuple: its order is part of the provider's cached prefix, so it never depends on import order.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from webapp.accounts import Scope
from webapp.llm.blocks import Json
from webapp.llm.request import ToolSpec


@dataclass(frozen=True)
class ToolContext:
    """For whom a tool runs. Tools get no key and no session of ours."""

    scope: Scope


class ToolError(Exception):
    """A failure the model can act on: its text goes back as the tool's result."""


@dataclass(frozen=True)
class Tool:
    spec: ToolSpec
    run: Callable[[ToolContext, Json], str]  # returns text for the model; raises ToolError


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
