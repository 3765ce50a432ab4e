"""The demo model acts: which of the offered tools it calls next for what somebody wishes (wishes.py).

It knows the tools by the names that Maxxer and the analytics surface give them, and sends only arguments that the
offered schema has. A campaign that is called by name is looked up first; only if exactly one fits is anything proposed
for it. Of results it reads ids, budgets and counts, never the text of a name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Any

from simulator import periods
from simulator.conversation import Conversation, Result
from simulator.directives import PlannedCall
from simulator.values import Json, parsed
from simulator.wishes import Change, Figures, OneCampaign, PauseLosers, wish

KNOWN = frozenset({"list_campaigns", "get_account_insights", "query_metrics", "kpi_summary"})
CHANGES = frozenset({"update_campaign", "pause_all_low_roas"})
REASON = "The person asked for it."
LOOKED_UP = 5  # rows: enough to see that a name fits more than one


def calls(talk: Conversation) -> tuple[PlannedCall, ...]:
    """What to call in this round; nothing if there is nothing (more) to do, or the tools are of another kind."""
    offered = {tool["name"]: tool for tool in talk.tools}
    if talk.wants_title or not KNOWN & offered.keys():
        return ()
    planned = _first(talk, offered) if talk.round == 0 else _next(talk)
    return tuple(_fitting(call, offered[call.name]) for call in planned if call.name in offered)


def _first(talk: Conversation, offered: Json) -> list[PlannedCall]:
    match wish(talk.question, talk.about):
        case Figures(tools, arguments, pipe):
            name = next((tool for tool in tools if tool in offered), "")
            if name == "query_metrics":
                return [PlannedCall(name, {"pipe": pipe, "params": _dated(arguments)})]
            if name and "period" not in _known(offered[name]):
                return [PlannedCall(name, _dated(arguments))]
            return [PlannedCall(name, _series(name, pipe, arguments))] if name else []
        case OneCampaign("", arguments) if talk.about:
            return [PlannedCall("get_campaign_insights", {"campaign_id": talk.about, **arguments})]
        case Change("", arguments, None) if talk.about:
            return [_update(talk.about, arguments)]
        case Change("", _, _) if not talk.about:
            return []
        case OneCampaign(name, _) | Change(name, _, _):
            return [_look_up(name or talk.about)]
        case PauseLosers(arguments):
            return [PlannedCall("pause_all_low_roas", {**arguments, "reason": REASON})]
    return []


def _next(talk: Conversation) -> list[PlannedCall]:
    """After a campaign was looked up: what was wanted of it."""
    found = only_one(talk.results)
    if talk.round != 1 or found is None:
        return []
    match wish(talk.question, talk.about):
        case OneCampaign(_, arguments):
            return [PlannedCall("get_campaign_insights", {"campaign_id": found["campaign_id"], **arguments})]
        case Change(_, arguments, None):
            return [_update(found["campaign_id"], arguments)]
        case Change(_, _, float(percent)) if isinstance(found.get("budget"), int | float):
            budget = f"{found['budget'] * (1 + percent / 100):.2f}"
            return [_update(found["campaign_id"], {"daily_budget": budget})]
    return []


def only_one(results: Sequence[Result]) -> Json | None:
    """The row of the one campaign that a look-up found; None if there are none or several."""
    if len(results) != 1 or results[0].name != "list_campaigns" or results[0].is_error:
        return None
    rows = parsed(results[0].content).get("rows") or []
    return rows[0] if len(rows) == 1 and "campaign_id" in rows[0] else None


def waits(talk: Conversation) -> bool:
    """Whether a look-up is behind us that found none or several: the answer has to say so."""
    wanted = wish(talk.question, talk.about)
    looked_up = talk.round == 1 and [result.name for result in talk.results] == ["list_campaigns"]
    return looked_up and isinstance(wanted, OneCampaign | Change)


def _look_up(name: str) -> PlannedCall:
    return PlannedCall("list_campaigns", {"query": name, "limit": LOOKED_UP})


def _update(campaign_id: str, arguments: Json) -> PlannedCall:
    return PlannedCall("update_campaign", {"campaign_id": campaign_id, **arguments, "reason": REASON})


def _series(tool: str, pipe: str, arguments: Json) -> Json:
    """A trend is a series of the accounts."""
    if tool == "get_account_insights" and pipe == "metric_timeseries":
        return {"granularity": "day", **arguments}
    return arguments


def _dated(arguments: Json) -> Json:
    """As pipes take them: with the first and the last day instead of a period's name."""
    if "period" not in arguments:
        return arguments
    first, last = periods.days(arguments["period"], date.today())
    rest = {name: value for name, value in arguments.items() if name != "period"}
    return {"date_from": str(first), "date_to": str(last), **rest}


def _fitting(call: PlannedCall, tool: Json) -> PlannedCall:
    """The call with those arguments that the tool's schema has."""
    known = _known(tool)
    return replace(call, arguments={name: value for name, value in call.arguments.items() if name in known})


def _known(tool: Json) -> dict[str, Any]:
    """The arguments of a tool, by name."""
    return tool["input_schema"].get("properties") or {}
