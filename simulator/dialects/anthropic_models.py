"""Anthropic's models, one record each, and their JSON. Facts of the real models as of November 2026."""

from __future__ import annotations

from dataclasses import dataclass

from simulator.models import Model
from simulator.values import Json

DEFAULT_LIMIT = 20
MOST = 1000


@dataclass(frozen=True)
class Claude(Model):
    """`thinking` holds the accepted `thinking.type` values. `binds`: replayed thinking is tied to its conversation."""

    thinking: frozenset[str] = frozenset({"adaptive", "disabled"})
    shows: bool = False  # thinking text is shown when the request does not say
    binds: bool = False
    forced_tools: bool = True
    sampling: bool = False
    prefill: bool = False
    system_turns: bool = True  # accepts {"role": "system"} inside messages
    deprecated: str = ""
    retires: str = ""


_ALWAYS = frozenset({"adaptive"})
_SONNET = frozenset({"adaptive", "between_tools"})
_BUDGET = frozenset({"enabled", "disabled"})

MODELS: tuple[Claude, ...] = (
    Claude("demo-opus", "Demo Opus", "opus", "2026-11-24", shows=True, binds=True),
    Claude("demo-sonnet", "Demo Sonnet", "sonnet", "2026-11-24", shows=True, binds=True),
    Claude("demo-haiku", "Demo Haiku", "haiku", "2026-11-24", shows=True, binds=True),
    Claude(
        "claude-opus-5-5",
        "Claude Opus 5.5",
        "opus",
        "2026-10-21",
        thinking=_ALWAYS,
        thinks=True,
        binds=True,
        forced_tools=False,
    ),
    Claude(
        "claude-sonnet-5-5",
        "Claude Sonnet 5.5",
        "sonnet",
        "2026-10-21",
        thinking=_SONNET,
        thinks=True,
        binds=True,
        forced_tools=False,
    ),
    Claude("claude-haiku-5-5", "Claude Haiku 5.5", "haiku", "2026-10-21", thinks=True, binds=True),
    Claude("claude-opus-5", "Claude Opus 5", "opus", "2026-07-24", thinks=True),
    Claude(
        "claude-sonnet-5", "Claude Sonnet 5", "sonnet", "2026-06-29", thinks=True, cache_min=1024, system_turns=False
    ),
    Claude(
        "claude-haiku-4-5-20251001",
        "Claude Haiku 4.5",
        "haiku",
        "2025-10-15",
        alias="claude-haiku-4-5",
        max_input=200_000,
        max_output=64_000,
        cache_min=4096,
        thinking=_BUDGET,
        shows=True,
        sampling=True,
        prefill=True,
        system_turns=False,
    ),
    Claude(
        "claude-sonnet-4-5-20250929",
        "Claude Sonnet 4.5",
        "sonnet",
        "2025-09-29",
        alias="claude-sonnet-4-5",
        max_input=200_000,
        max_output=64_000,
        cache_min=1024,
        thinking=_BUDGET,
        shows=True,
        sampling=True,
        prefill=True,
        system_turns=False,
        deprecated="2026-09-30",
        retires="2026-11-30",
    ),
)
_BY_NAME = {name: model for model in MODELS for name in (model.id, model.alias) if name}


def find(name: str) -> Claude | None:
    """The model of that id or alias."""
    return _BY_NAME.get(name)


def page(limit: int, after: str = "", before: str = "") -> Json:
    """One page of `GET /v1/models`. An id that is not in the list starts from the beginning."""
    ids = [m.id for m in MODELS]
    start = ids.index(after) + 1 if after in ids else 0
    end = ids.index(before) if before in ids else len(ids)
    if before:
        start = max(start, end - limit)
    chosen = MODELS[start : min(end, start + limit)]
    more = start > 0 if before else start + limit < len(ids)
    return {
        "data": [describe(m) for m in chosen],
        "has_more": more,
        "first_id": chosen[0].id if chosen else None,
        "last_id": chosen[-1].id if chosen else None,
    }


def describe(model: Claude) -> Json:
    """The JSON of one model, as `GET /v1/models/{id}` gives it."""
    return {
        "type": "model",
        "id": model.id,
        "display_name": model.name,
        "created_at": _midnight(model.released),
        "line": model.line,
        "lifecycle": "deprecated" if model.deprecated else "active",
        "deprecated_at": _midnight(model.deprecated),
        "retires_at": _midnight(model.retires),
        "max_input_tokens": model.max_input,
        "max_tokens": model.max_output,
        "capabilities": _capabilities(model),
    }


def _capabilities(model: Claude) -> Json:
    new = "adaptive" in model.thinking
    thinking = {kind: _flag(kind in model.thinking) for kind in ("adaptive", "between_tools", "disabled", "enabled")}
    effort = {level: _flag(new) for level in ("low", "medium", "high", "xhigh", "max")}
    edits = ("clear_tool_uses_20250919", "clear_thinking_20251015", "compact_20260112")
    return {
        "batch": _flag(False),
        "citations": _flag(False),
        "code_execution": _flag(False),
        "context_management": {"supported": False, **{name: _flag(False) for name in edits}},
        "effort": {"supported": new, **effort},
        "image_input": _flag(True),
        "pdf_input": _flag(True),
        "server_tools": {"supported": False, "code_execution": _flag(False), "web_search": _flag(False)},
        "structured_outputs": _flag(False),
        "thinking": {"supported": True, "types": thinking},
    }


def _flag(supported: bool) -> dict[str, bool]:
    return {"supported": supported}


def _midnight(day: str) -> str | None:
    return f"{day}T00:00:00Z" if day else None
