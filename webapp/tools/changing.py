"""update_campaign and pause_all_low_roas. They change nothing: they make plans, which a person approves or rejects.

`confirmed` stands in the schemas because the model's side of the contract has it; what a model sends in it is read by
nobody. Whether a change may be proposed at all is decided in ads/changes, from what the platform says now. Where it may
not, or where there is nothing to change, the tool answers with the reasons and nothing waits.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

from webapp.ads import changes
from webapp.ads.foreign import fence
from webapp.ads.money import MICROS
from webapp.ads.plans import NOTHING_BESIDES, Findings, Judged, Origin, Refused, Wanted
from webapp.llm.blocks import Json
from webapp.llm.request import ToolSpec
from webapp.tools import Outcome, Proposed, Tool, ToolContext, ToolError, arguments, judging, targets, telling
from webapp.tools.results import Column, Result, to_text

CONFIRMED: Json = {
    "type": "boolean",
    "description": "Set by the app once a person has approved the plan. Leave it out: what you send is ignored.",
}
AMOUNT = r"^\d{1,9}(\.\d{1,2})?$"
UPDATE_CAMPAIGN = ToolSpec(
    "update_campaign",
    "Propose changes to one campaign: pause or activate it, set its daily budget, rename it. Nothing is changed by the "
    "call: it makes a plan with before and after that a person approves or rejects in the app, and the result tells "
    "what was really done. Call it only when the person asks for this change. Never deletes or archives.",
    {
        "type": "object",
        "properties": {
            "campaign_id": targets.CAMPAIGN,
            "status": {"type": "string", "enum": ["active", "paused"], "description": "The wanted status."},
            "daily_budget": {
                "type": "string",
                "pattern": AMOUNT,
                "description": 'the wanted budget per day in units of the account\'s currency, such as "120.50"',
            },
            "currency": {
                "type": "string",
                "pattern": "^[A-Za-z]{3}$",
                "description": "of daily_budget, ISO 4217, such as EUR; refused if it is not the account's",
            },
            "name": {"type": "string", "minLength": 1, "maxLength": 400, "description": "the wanted name"},
            "reason": {"type": "string", "minLength": 1, "maxLength": 500, "description": "why, in a sentence"},
            "confirmed": CONFIRMED,
        },
        "required": ["campaign_id", "reason"],
        "additionalProperties": False,
    },
)
PAUSE_LOW_ROAS = ToolSpec(
    "pause_all_low_roas",
    "Propose to pause the active sales campaigns whose ROAS is below a threshold beyond reasonable doubt. Only mature "
    "days count; a campaign is paused only at a probability of 90 %, kept, or left undecided with the spend that would "
    "decide it. Nothing is changed by the call: a person approves or rejects the plan, and the result tells what was "
    "really done. Call it only when the person asks to pause what does not pay.",
    {
        "type": "object",
        "properties": {
            "threshold": {
                "type": "number",
                "exclusiveMinimum": 0,
                "maximum": 100,
                "description": "Pause below this ROAS: revenue / spend as the platform attributes it, such as 1.5.",
            },
            "window_days": {
                "type": "integer",
                "minimum": 7,
                "maximum": 90,
                "default": 14,
                "description": "How many mature days are looked at.",
            },
            "min_spend": {
                "type": "string",
                "pattern": AMOUNT,
                "description": "leave campaigns undecided that spent less in these days, in units of their currency",
            },
            "platform": {
                "type": "string",
                "enum": ["meta", "google", "demo"],
                "description": "Only campaigns of this platform.",
            },
            "account_id": targets.ACCOUNT,
            "reason": {"type": "string", "maxLength": 500, "description": "why, in a sentence"},
            "confirmed": CONFIRMED,
        },
        "required": ["threshold"],
        "additionalProperties": False,
    },
)
NOTHING_CHANGED = "Nothing was changed and nothing waits for approval."


# --- update_campaign --------------------------------------------------------------------------------------------


def update_campaign(context: ToolContext, call_id: str, given: Json) -> Outcome:
    asked = arguments.checked(UPDATE_CAMPAIGN.schema, given)
    named = targets.campaign(context, asked["campaign_id"])
    account = targets.account_of(context, named)
    wanted = [Wanted(named.id, *change) for change in _fields(asked, account.currency)]
    if not wanted:
        raise ToolError("Not called. It says nothing to change: give status, daily_budget or name.")
    if not account.writable:
        return _nothing(f"Campaign {fence(named.name)}", (targets.read_only(account),))
    return _propose(context, call_id, UPDATE_CAMPAIGN.name, asked, wanted, NOTHING_BESIDES)


def _fields(asked: dict[str, Any], currency: str) -> Iterator[tuple[Any, ...]]:
    """Field, value and currency of each change."""
    if "status" in asked:
        yield "status", asked["status"]
    if "daily_budget" in asked:
        yield "daily_budget", _micros(asked["daily_budget"]), asked.get("currency", currency).upper()
    if "name" in asked:
        yield "name", asked["name"]


def _micros(amount: str) -> int:
    return int(Decimal(amount) * MICROS)


# --- pause_all_low_roas -----------------------------------------------------------------------------------------


def pause_all_low_roas(context: ToolContext, call_id: str, given: Json) -> Outcome:
    asked = arguments.checked(PAUSE_LOW_ROAS.schema, given)
    minimum = _micros(asked["min_spend"]) if "min_spend" in asked else None
    rule = judging.Rule(asked["threshold"], asked["window_days"], minimum)
    found = judging.judged(context, rule, asked.get("platform"), asked.get("account_id"))
    losing = [it for it in found.verdicts if it.evidence.verdict == "pause" and it.campaign_id in found.writable]
    if not losing:
        return _nothing(f"ROAS below {rule.threshold:g}", found.caveats, found.verdicts)
    wanted = [Wanted(it.campaign_id, "status", "paused", evidence=it.evidence) for it in losing]
    return _propose(context, call_id, PAUSE_LOW_ROAS.name, asked, wanted, found.besides(rule), found)


# --- either -----------------------------------------------------------------------------------------------------


def _propose(
    context: ToolContext,
    call_id: str,
    tool: str,
    asked: dict[str, Any],
    wanted: Sequence[Wanted],
    findings: Findings,
    found: judging.Found | None = None,
) -> Outcome:
    """A plan that waits; or the outcome of one that does not (preview only); or why there is none."""
    origin = Origin(context.turn_id, call_id, context.model, tool, asked, asked.get("reason", ""))
    try:
        plan = changes.propose(context.scope, context.database, context.platforms, wanted, origin, findings)
    except Refused as refused:
        caveats = (refused.words, *(found.caveats if found else ()))
        return _nothing("Not proposed", caveats, found.verdicts if found else ())
    return changes.outcome(plan) if plan.settled else Proposed(plan.id)


VERDICT_COLUMNS = (
    Column("name", "Campaign", "name"),
    Column("campaign_id", "Id", "id"),
    Column("verdict", "Verdict", "status"),
    Column("reason", "Why", "text"),
    Column("spend", "Spend", "money"),
    Column("roas", "ROAS", "ratio"),
    Column("orders", "Orders", "count"),
    Column("probability", "P(ROAS below)", "percent"),
    Column("needs", "Needs more spend", "money"),
    Column("currency", "Currency", "text"),
)


def _nothing(title: str, caveats: Sequence[str], verdicts: Sequence[Judged] = ()) -> str:
    """That nothing happened and why, with the verdict on each campaign that was looked at."""
    return to_text(
        Result(
            title=title,
            columns=VERDICT_COLUMNS if verdicts else (),
            rows=[_verdict(it) for it in verdicts],
            caveats=(NOTHING_CHANGED, *caveats),
        )
    )


def _verdict(of: Judged) -> dict[str, Any]:
    its = of.evidence
    return {
        "name": fence(of.campaign_name),
        "campaign_id": targets.ref("c", of.campaign_id),
        "verdict": its.verdict,
        "reason": its.reason,
        "spend": telling.units(its.spend_micros),
        "roas": None if its.roas is None else round(its.roas, 2),
        "orders": round(its.orders, 2),
        "probability": None if its.probability is None else round(its.probability, 3),
        "needs": telling.units(its.needs_micros),
        "currency": of.currency,
    }


CHANGING = (
    Tool(UPDATE_CAMPAIGN, update_campaign, destructive=True),
    Tool(PAUSE_LOW_ROAS, pause_all_low_roas, destructive=True),
)
