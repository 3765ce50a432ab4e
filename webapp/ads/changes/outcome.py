"""What a decided plan is to a model: the result of the call that asked for it. Names are fenced."""

from __future__ import annotations

import json
from typing import Any

from webapp.ads.foreign import fence
from webapp.ads.money import Money
from webapp.ads.plans import ItemView, Judged, PlanView

MEANS = {
    "pending": "A person has to approve this. Nothing was changed.",
    "approved": "A person approved this. It is being carried out.",
    "finished": "A person approved this and it was carried out. Items say what became of each.",
    "rejected": "A person rejected this. Nothing was changed. Do not ask again unless they do.",
    "expired": "Nobody decided in time. Nothing was changed.",
    "cancelled": "The turn was stopped. Nothing was changed.",
    "preview": "This workspace only previews changes. Nothing was changed. This is what would be done.",
}
UNTICKED = "A person took this off the plan: leave it as it is."


def outcome(plan: PlanView) -> str:
    """The JSON that the model gets as the call's result, once the plan is settled."""
    said: dict[str, Any] = {
        "status": plan.status,
        "meaning": MEANS[plan.status],
        "decided_by": plan.decided_by,
        "their_note": plan.note,
        "items": [_item(item) for item in plan.items],
        "undecided": [_judged(each) for each in plan.undecided],
        "kept": [_judged(each) for each in plan.kept],
        "warnings": list(plan.warnings),
        "rule": plan.report,
    }
    return json.dumps({key: value for key, value in said.items() if value}, ensure_ascii=False, separators=(",", ":"))


def _item(item: ItemView) -> dict[str, Any]:
    said = {
        "campaign": fence(item.campaign_name),
        "field": item.field,
        "before": _value(item, item.before),
        "after": _value(item, item.after),
        "status": "not approved" if item.status == "unticked" else item.status,
        "message": UNTICKED if item.status == "unticked" else fence(item.message) if item.message else "",
        "evidence": item.evidence.reason if item.evidence else "",
    }
    return {key: value for key, value in said.items() if value != ""}


def _value(item: ItemView, value: str | int | None) -> str:
    match item.field:
        case "daily_budget":
            return f"{Money.from_micros(int(value), item.currency)}/day" if value is not None else "none"
        case "name":
            return fence(str(value))
        case "status":
            return str(value)


def _judged(judged: Judged) -> dict[str, Any]:
    said: dict[str, Any] = {"campaign": fence(judged.campaign_name), "reason": judged.evidence.reason}
    if judged.evidence.needs_micros:
        said["needs_more_spend"] = str(Money.from_micros(judged.evidence.needs_micros, judged.currency))
    return said
