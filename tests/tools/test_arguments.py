"""What a model sends is held against the schema; what is wrong is named with what is allowed."""

from __future__ import annotations

from typing import Any

import pytest

from webapp.tools import ToolError
from webapp.tools.arguments import checked
from webapp.tools.maxxer import MAXXER

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "status": {"type": "string", "enum": ["active", "paused"], "default": "active"},
        "day": {"type": "string", "format": "date"},
        "amount": {"type": "string", "pattern": r"^\d+(\.\d\d?)?$", "description": "an amount, such as 12.50"},
        "limit": {"type": "integer", "minimum": 1, "maximum": 100, "default": 25},
        "share": {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
        "deep": {"type": "boolean"},
        "metrics": {"type": "array", "items": {"type": "string", "enum": ["spend", "roas"]}, "maxItems": 2},
        "name": {"type": "string", "maxLength": 5},
        "params": {"type": "object"},
    },
    "required": ["status"],
}


@pytest.mark.parametrize(
    ("sent", "understood"),
    [
        ({"status": "paused"}, {"status": "paused", "limit": 25}),
        ({"status": "paused", "day": None, "name": ""}, {"status": "paused", "limit": 25}),
        ({"status": " paused ", "limit": 7.0}, {"status": "paused", "limit": 7}),
        ({"status": "paused", "limit": "7"}, {"status": "paused", "limit": 7}),
        ({"status": "paused", "amount": 50}, {"status": "paused", "limit": 25, "amount": "50"}),
        ({"status": "paused", "amount": 12.5}, {"status": "paused", "limit": 25, "amount": "12.5"}),
        ({"status": "paused", "deep": "true"}, {"status": "paused", "limit": 25, "deep": True}),
        ({"status": "paused", "metrics": "roas"}, {"status": "paused", "limit": 25, "metrics": ["roas"]}),
    ],
)
def test_what_is_meant_is_taken_in_any_spelling(sent, understood):
    assert checked(SCHEMA, sent) == understood


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ({}, "status is missing: it must be one of active, paused."),
        ({"status": "deleted"}, "status is ⟦deleted⟧, but it must be one of active, paused."),
        (
            {"status": "paused", "day": "2026-02-30"},
            "day is ⟦2026-02-30⟧, but it must be a day that exists, as YYYY-MM-DD.",
        ),
        (
            {"status": "paused", "amount": "1,200"},
            "amount is ⟦1,200⟧, but it must be a text: an amount, such as 12.50.",
        ),
        ({"status": "paused", "limit": 101}, "limit is ⟦101⟧, but it must be a whole number from 1 to 100."),
        ({"status": "paused", "limit": 2.5}, "but it must be a whole number from 1 to 100."),
        ({"status": "paused", "limit": True}, "but it must be a whole number from 1 to 100."),
        ({"status": "paused", "limit": float("inf")}, "but it must be a whole number from 1 to 100."),
        ({"status": "paused", "share": 0}, "share is ⟦0⟧, but it must be a number above 0 to 1."),
        ({"status": "paused", "deep": 1}, "deep is ⟦1⟧, but it must be true or false."),
        ({"status": "paused", "metrics": ["ctr"]}, "but it must be one of spend, roas."),
        ({"status": "paused", "metrics": ["roas"] * 3}, "it must be a list, at most 2 long."),
        ({"status": "paused", "name": "too long"}, "name is ⟦too long⟧, but it must be a text."),
        ({"status": "paused", "params": "all"}, "params is ⟦all⟧, but it must be an object."),
        ({"status": "paused", "state": 1}, "⟦state⟧ is no argument of this tool; did you mean status?"),
        ({"status": "paused", "zzz": 1}, "⟦zzz⟧ is no argument of this tool; there are status, day,"),
    ],
)
def test_what_is_wrong_is_named_with_what_is_allowed(sent, said):
    with pytest.raises(ToolError) as refused:
        checked(SCHEMA, sent)
    assert said in str(refused.value)


def test_all_that_is_wrong_is_said_at_once():
    with pytest.raises(ToolError) as refused:
        checked(SCHEMA, {"limit": 0, "deep": "perhaps", "workspace_id": "x"})
    assert all(name in str(refused.value) for name in ("status", "limit", "deep", "workspace_id"))


@pytest.mark.parametrize("tool", MAXXER.tools, ids=lambda tool: tool.spec.name)
def test_every_tool_has_a_schema_whose_arguments_are_all_described_and_checked(tool):
    schema = tool.spec.schema
    assert schema["type"] == "object"
    assert schema["additionalProperties"] is False
    assert set(schema["required"]) <= set(schema["properties"])
    assert "workspace" not in " ".join(schema["properties"])
    for name, property in schema["properties"].items():
        assert property["description"], name
        assert property["type"] in ("string", "integer", "number", "boolean", "object")
    assert len(tool.spec.description) > 80
