"""The eight tools of the analytics drawer: one for each pipe of PIPE_ALLOWLIST, in its order. All of them only read.

Name, description and parameters are the pipe's own; what it answers goes through metrics.py like any other pipe.
"""

from __future__ import annotations

from webapp.analytics.catalogue import PIPE_ALLOWLIST, Pipe, describe
from webapp.llm.blocks import Json
from webapp.llm.request import ToolSpec
from webapp.tools import Tool, Toolbox, ToolContext, metrics


def tool(pipe: Pipe) -> Tool:
    def run(context: ToolContext, call_id: str, given: Json) -> str:
        return metrics.ask(context, pipe, given)

    return Tool(ToolSpec(pipe.name, pipe.description, describe(pipe)), run)


ANALYTICS = Toolbox(tuple(tool(pipe) for pipe in PIPE_ALLOWLIST.values()))
