"""query_metrics: one of the named pipes, asked with parameters. Never SQL from a model.

Which pipes there are, and what each takes, stands in PIPE_ALLOWLIST: the schema's enum and the description are made
from it. The workspace is the scope's; there is no parameter for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from webapp.ads.foreign import fence
from webapp.analytics import source
from webapp.analytics.answers import PipeRefused, PipeResult
from webapp.analytics.catalogue import PIPE_ALLOWLIST, Parameter, Pipe, describe
from webapp.llm.blocks import Json
from webapp.llm.request import ToolSpec
from webapp.tools import Tool, ToolContext, ToolError, arguments, telling
from webapp.tools.results import Column, Result, to_text

LINK = "/dashboard/analytics"
WINDOW = ("date_from", "date_to")


def _listed(pipe: Pipe) -> str:
    taken = ", ".join(_said(each) for each in pipe.parameters if each.name not in WINDOW)
    return f"{pipe.name}({taken}): {pipe.description}"


def _said(parameter: Parameter) -> str:
    if parameter.type == "list":
        return f"{parameter.name}[]"
    return f"{parameter.name}={'|'.join(parameter.choices)}" if parameter.choices else parameter.name


QUERY_METRICS = ToolSpec(
    "query_metrics",
    "Ask one of the shop's and the ads' prepared reports: what ad platforms claim beside what the shop counted. Each "
    "takes date_from and date_to (YYYY-MM-DD, both or neither) and:\n"
    + "\n".join(_listed(pipe) for pipe in PIPE_ALLOWLIST.values()),
    {
        "type": "object",
        "properties": {
            "pipe": {"type": "string", "enum": list(PIPE_ALLOWLIST), "description": "Which report."},
            "params": {
                "type": "object",
                "description": 'What it takes, by name: {"date_from": "2026-03-01", "date_to": "2026-03-31"}.',
                "properties": {},
                "additionalProperties": True,
            },
        },
        "required": ["pipe"],
        "additionalProperties": False,
    },
)


def query_metrics(context: ToolContext, call_id: str, given: Json) -> str:
    asked = arguments.checked(QUERY_METRICS.schema, given)
    return ask(context, PIPE_ALLOWLIST[asked["pipe"]], asked.get("params", {}))


def ask(context: ToolContext, pipe: Pipe, given: Json) -> str:
    """The pipe's answer to a model's parameters. Raises ToolError with what is wrong with them."""
    return answer(context, pipe, _only_given(arguments.checked(describe(pipe), given), given))


def answer(context: ToolContext, pipe: Pipe, params: dict[str, Any]) -> str:
    """The pipe's answer as a tool's result. Raises ToolError with what to ask instead."""
    try:
        found = source.run(context.scope, context.database, pipe.name, params, engine=context.engine)
    except PipeRefused as refused:
        raise ToolError(str(refused)) from refused
    return to_text(told(pipe, found, params))


def _only_given(checked: dict[str, Any], given: Json) -> dict[str, Any]:
    """Without the schema's defaults: those are the pipe's own matter."""
    return {name: value for name, value in checked.items() if given.get(name) not in (None, "")}


def told(pipe: Pipe, found: PipeResult, params: Mapping[str, Any]) -> Result:
    """A pipe's answer for a model, its names fenced."""
    names = {column.key for column in found.columns if column.unit == "name"}
    return Result(
        title=pipe.title,
        columns=tuple(Column(column.key, column.label, column.unit) for column in found.columns),
        rows=[
            {key: fence(value) if key in names and isinstance(value, str) else value for key, value in row.items()}
            for row in found.rows
        ],
        rows_total=found.rows_total,
        totals=found.totals.get(found.currency),
        currency=found.currency,
        timezone=found.timezone,
        since=str(found.since),
        until=str(found.until),
        attribution=found.attribution,
        data_through=str(found.data_through or ""),
        maturing_from=str(found.maturing_from or ""),
        cached_at=found.cached_at.isoformat(timespec="seconds") if found.cached_at else "",
        definitions=found.definitions,
        caveats=(*found.caveats, *_compared_with(found)),
        chart=_chart(found),
        link=_link(found, params),
    )


def _link(found: PipeResult, params: Mapping[str, Any]) -> str:
    """The panel that shows the same: the page has the pipes' own words for what it is told to show."""
    said = {name: ",".join(value) if isinstance(value, list | tuple) else str(value) for name, value in params.items()}
    chosen = {name: value for name, value in said.items() if name not in WINDOW}
    beside = {"since": str(found.since), "until": str(found.until)}
    return f"{telling.link(LINK, beside, **chosen)}#panel-{found.pipe}"


def _compared_with(found: PipeResult) -> tuple[str, ...]:
    return (f"Columns that end in _prev are of {found.compared[0]} to {found.compared[1]}.",) if found.compared else ()


def _chart(found: PipeResult) -> dict[str, Any] | None:
    """A line over dates, bars over names; nothing for a single row."""
    keys = [column.key for column in found.columns]
    money = [column.key for column in found.columns if column.unit == "money"]
    counts = [column.key for column in found.columns if column.unit == "count"]
    if len(found.rows) < 2 or not (money or counts):
        return None
    over = next((column.key for column in found.columns if column.unit == "date"), keys[0])
    if over == "currency":  # a row of sums for each: nothing that could be compared
        return None
    if any(column.unit == "date" for column in found.columns):
        return {"kind": "line", "x": over, "y": (money or counts)[:2]}
    return {"kind": "bar", "x": over, "y": [*money[:1], *counts[:1]]}


METRICS = Tool(QUERY_METRICS, query_metrics)
