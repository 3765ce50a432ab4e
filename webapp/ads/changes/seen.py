"""The state that a plan was made from, as JSON in its items; and whether the campaign is still in it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import date, datetime
from typing import Any

from webapp.ads.platform import AdSetState, CampaignState, Field

BOUND = {
    "name": "name",
    "status": "status",
    "budget_micros": "budget",
    "budget_period": "kind of budget",
    "budget_level": "place of its budget",
    "budget_id": "budget",
    "shared_with": "sharing of its budget",
    "learning": "learning phase",
}  # what whoever approved saw, and may rely on
HOLDS: dict[Field, str] = {"status": "status", "daily_budget": "budget_micros", "name": "name"}


def to_json(state: CampaignState) -> dict[str, Any]:
    raw = asdict(state)
    raw["started_on"] = state.started_on.isoformat() if state.started_on else None
    raw["changed_at"] = state.changed_at.isoformat() if state.changed_at else None
    return {**raw, **{name: list(raw[name]) for name in ("issues", "shared_with", "adsets")}}


def from_json(raw: Mapping[str, Any]) -> CampaignState:
    return CampaignState(
        **{
            **raw,
            "issues": tuple(raw["issues"]),
            "shared_with": tuple(raw["shared_with"]),
            "adsets": tuple(AdSetState(**each) for each in raw["adsets"]),
            "started_on": date.fromisoformat(raw["started_on"]) if raw["started_on"] else None,
            "changed_at": datetime.fromisoformat(raw["changed_at"]) if raw["changed_at"] else None,
        }
    )


def value(state: CampaignState | Mapping[str, Any], field: Field) -> Any:
    """What the field holds: a status, micros per day, or a name."""
    return state[HOLDS[field]] if isinstance(state, Mapping) else getattr(state, HOLDS[field])


def drift(before: Mapping[str, Any], now: CampaignState, ours: Mapping[Field, Any]) -> str:
    """What somebody else changed since, in words; empty: nothing. `ours` is what this very plan has already changed of
    the campaign, which may also start its learning phase anew."""
    expected = {**before, **{HOLDS[name]: new for name, new in ours.items()}}
    found = to_json(now)
    differs = [name for name in BOUND if expected[name] != found[name] and not (name == "learning" and ours)]
    words = dict.fromkeys(BOUND[name] for name in differs)
    return ", ".join(words)
