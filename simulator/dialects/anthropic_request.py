"""A request to `/v1/messages`, read strictly: what the real API refuses is refused here with its words.

Only `read` is public beside the Request itself; every `_check` raises ApiError 400 (404 for an unknown model).
Message numbers in errors are those of the request as sent.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from simulator.dialects import anthropic_models as models
from simulator.dialects.anthropic_models import Claude
from simulator.errors import ApiError
from simulator.prompt import Prompt, Turn, merged
from simulator.values import Json

VERSIONS = ("2023-06-01", "2026-10-21")
NO_SAMPLING_SINCE = "2026-10-21"
BINDING_BETA = "thinking-binding-controls-2026-08-01"

_FIELDS = {
    "model", "max_tokens", "messages", "stream", "system", "tools", "tool_choice", "thinking", "output_config",
    "metadata", "diagnostics", "cache_control", "stop_sequences", "temperature", "top_p", "top_k", "service_tier",
    "container", "inference_geo", "speed", "prefill", "user_profile_id", "workspace_id",
}  # fmt: skip
_BLOCK_FIELDS: dict[str, set[str]] = {
    "text": {"text", "cache_control", "citations"},
    "thinking": {"thinking", "signature"},
    "redacted_thinking": {"data"},
    "tool_use": {"id", "name", "input", "cache_control", "caller", "toolset_name"},
    "tool_result": {"tool_use_id", "content", "is_error", "cache_control"},
    "image": {"source", "cache_control", "transformations"},
    "document": {"source", "title", "context", "citations", "cache_control"},
}
_NEEDED: dict[str, tuple[str, ...]] = {
    "text": ("text",),
    "thinking": ("thinking", "signature"),
    "redacted_thinking": ("data",),
    "tool_use": ("id", "name", "input"),
    "tool_result": ("tool_use_id",),
    "image": ("source",),
    "document": ("source",),
}
_TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")
_TOOL_ID = re.compile(r"[a-zA-Z0-9_-]+")
_MAX_BREAKPOINTS = 4


@dataclass(frozen=True, kw_only=True)
class Request(Prompt):
    model: Claude
    thinking: Json
    betas: frozenset[str]

    @property
    def automatic_cache(self) -> Json | None:
        """The top-level `cache_control`: a breakpoint on the last block that can have one."""
        found: Json | None = self.raw.get("cache_control")
        return found

    @property
    def drops_unbound_thinking(self) -> bool:
        binding = self.thinking.get("block_binding") or {}
        return BINDING_BETA in self.betas and binding.get("prefix_mismatch_behavior") == "drop_block"


def read(body: bytes, headers: Mapping[str, str], *, counting: bool = False) -> Request:
    """The request of that body. Raises ApiError for everything the real API would refuse.

    `counting` is for `/count_tokens`, whose requests have no `max_tokens`.
    """
    version = check_version(headers)
    raw = {"max_tokens": 1, **_json(body)} if counting else _json(body)
    model = _model(raw)
    turns = tuple(_turns(raw))
    request = Request(
        model=model,
        raw=raw,
        max_tokens=_max_tokens(raw, model),
        stream=bool(raw.get("stream", False)),
        system=_blocks(raw.get("system") or []),
        tools=tuple(raw.get("tools") or []),
        turns=turns,
        choice=_choice(raw),
        stops=tuple(raw.get("stop_sequences") or ()),
        thinking=raw.get("thinking") or {},
        **_thinks(raw.get("thinking") or {}, model),
        betas=frozenset(b.strip() for b in headers.get("anthropic-beta", "").split(",") if b.strip()),
    )
    _check_fields(request, version)
    _check_tools(request)
    _check_system(request)
    for turn in turns:
        _check_turn(turn, model)
    _check_order(request)
    _check_results(merged(turns))
    _check_thinking(request)
    _check_breakpoints(request)
    return request


def _choice(raw: Json) -> str:
    choice = raw.get("tool_choice") or {}
    return str(choice.get("name") or choice.get("type") or "auto")


def _thinks(asked: Json, model: Claude) -> Json:
    kind = asked.get("type")
    display = asked.get("display") or ("summarized" if model.shows else "omitted")
    return {
        "thinks": model.thinks if kind is None else kind in ("adaptive", "enabled"),
        "may_think": kind not in ("disabled", "between_tools"),
        "hides": display == "omitted",
    }


def check_version(headers: Mapping[str, str]) -> str:
    """The `anthropic-version` of a request. Raises ApiError 400 if it is missing or unknown."""
    version = headers.get("anthropic-version", "")
    if not version:
        raise ApiError(400, "anthropic-version: header is required")
    if version not in VERSIONS:
        raise ApiError(400, f'anthropic-version: "{version}" is not a valid version')
    return version


def markers(request: Request) -> Iterator[tuple[str, Json]]:
    """(where, cache_control) of each explicit breakpoint, in the order tools, system, messages."""
    for i, tool in enumerate(request.tools):
        if tool.get("cache_control"):
            yield f"tools.{i}.cache_control", tool["cache_control"]
    for i, block in enumerate(request.system):
        if block.get("cache_control"):
            yield f"system.{i}.cache_control", block["cache_control"]
    for turn in request.turns:
        for i, block in enumerate(turn.blocks):
            if block.get("cache_control"):
                yield f"messages.{turn.index}.content.{i}.cache_control", block["cache_control"]


def _json(body: bytes) -> Json:
    try:
        raw = json.loads(body)
    except ValueError as e:
        raise _bad(f"The request body is not valid JSON: {e}") from None
    if not isinstance(raw, dict):
        raise _bad("Input should be a valid dictionary or object to extract fields from")
    return raw


def _model(raw: Json) -> Claude:
    for name in ("model", "messages", "max_tokens"):
        if name not in raw:
            raise _bad(f"{name}: Field required")
    if not isinstance(raw["model"], str):
        raise _bad("model: Input should be a valid string")
    model = models.find(raw["model"])
    if model is None:
        raise ApiError(404, f"model: {raw['model']}")
    return model


def _max_tokens(raw: Json, model: Claude) -> int:
    value = raw["max_tokens"]
    if not isinstance(value, int) or isinstance(value, bool):
        raise _bad("max_tokens: Input should be a valid integer")
    if value < 0 or (value == 0 and raw.get("stream")):
        raise _bad("max_tokens: Input should be greater than or equal to 1")
    if value > model.max_output:
        raise _bad(
            f"max_tokens: {value} > {model.max_output}, which is the maximum allowed number of output tokens "
            f"for {model.id}"
        )
    return value


def _turns(raw: Json) -> Iterator[Turn]:
    messages = raw["messages"]
    if not isinstance(messages, list):
        raise _bad("messages: Input should be a valid list")
    if not messages:
        raise _bad("messages: at least one message is required")
    for index, message in enumerate(messages):
        if not isinstance(message, dict) or "role" not in message:
            raise _bad(f"messages.{index}.role: Field required")
        if "content" not in message:
            raise _bad(f"messages.{index}.content: Field required")
        extra = sorted(set(message) - {"role", "content"})
        if extra:
            raise _bad(f"messages.{index}.{extra[0]}: Extra inputs are not permitted")
        yield Turn(index, message["role"], _blocks(message["content"]))


def _blocks(content: Any) -> tuple[Json, ...]:
    if isinstance(content, str):
        return ({"type": "text", "text": content},)
    return tuple(content)


def _check_fields(request: Request, version: str) -> None:
    extra = sorted(set(request.raw) - _FIELDS)
    if extra:
        raise _bad(f"{extra[0]}: Extra inputs are not permitted")
    for name in ("temperature", "top_p", "top_k"):
        if name not in request.raw:
            continue
        if version >= NO_SAMPLING_SINCE:
            raise _bad(f"{name}: Extra inputs are not permitted")
        if not request.model.sampling:
            raise _bad(f"`{name}` is deprecated for this model.")


def _check_tools(request: Request) -> None:
    names: set[str] = set()
    for i, tool in enumerate(request.tools):
        if "name" not in tool:
            raise _bad(f"tools.{i}.custom.name: Field required")
        if not _TOOL_NAME.fullmatch(tool["name"]):
            raise _bad(f"tools.{i}.custom.name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'")
        schema = tool.get("input_schema")
        if schema is None:
            raise _bad(f"tools.{i}.custom.input_schema: Field required")
        if schema.get("type") != "object":
            raise _bad(f"tools.{i}.custom.input_schema.type: Field required")
        if tool["name"] in names:
            raise _bad("tools: Tool names must be unique.")
        names.add(tool["name"])
    choice = (request.raw.get("tool_choice") or {}).get("type", "auto")
    if choice in ("any", "tool") and not request.model.forced_tools:
        raise _bad(f"tool_choice: type '{choice}' is not supported for this model. Use 'auto' or 'none'.")


def _check_system(request: Request) -> None:
    if isinstance(request.raw.get("system"), str):
        return
    for i, block in enumerate(request.system):
        if block.get("type") != "text":
            raise _bad(f"system.{i}.type: Input should be 'text'")
        if not block.get("text"):
            raise _bad("system: text content blocks must be non-empty")


def _check_turn(turn: Turn, model: Claude) -> None:
    allowed = ("user", "assistant", "system") if model.system_turns else ("user", "assistant")
    if turn.role not in allowed:
        raise _bad(f"messages.{turn.index}.role: Input should be 'user' or 'assistant'")
    for i, block in enumerate(turn.blocks):
        _check_block(f"messages.{turn.index}.content.{i}", block)
    if not turn.blocks or all(b.get("text") == "" for b in turn.blocks):
        raise _bad(
            f"messages.{turn.index}: all messages must have non-empty content "
            "except for the optional final assistant message"
        )
    _check_texts(turn)


def _check_texts(turn: Turn) -> None:
    for block in turn.blocks:
        if block["type"] != "text":
            continue
        if not block["text"]:
            raise _bad("messages: text content blocks must be non-empty")
        if not block["text"].strip():
            raise _bad("messages: text content blocks must contain non-whitespace text")


def _check_block(where: str, block: Any) -> None:
    if not isinstance(block, dict) or "type" not in block:
        raise _bad(f"{where}.type: Field required")
    kind = block["type"]
    if kind not in _BLOCK_FIELDS:
        tags = ", ".join(f"'{name}'" for name in _BLOCK_FIELDS)
        raise _bad(f"{where}: Input tag '{kind}' found using 'type' does not match any of the expected tags: {tags}")
    for name in _NEEDED[kind]:
        if block.get(name) is None:
            raise _bad(f"{where}.{kind}.{name}: Field required")
    extra = sorted(set(block) - _BLOCK_FIELDS[kind] - {"type"})
    if extra:
        raise _bad(f"{where}.{kind}.{extra[0]}: Extra inputs are not permitted")
    if kind == "tool_use":
        _check_call(where, block)


def _check_call(where: str, block: Json) -> None:
    if not isinstance(block["input"], dict):
        raise _bad(f"{where}.tool_use.input: Input should be a valid dictionary")
    if not _TOOL_ID.fullmatch(block["id"]):
        raise _bad(f"{where}.tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'")


def _check_order(request: Request) -> None:
    talk = [turn for turn in request.turns if turn.role != "system"]
    if not talk or talk[0].role != "user":
        raise _bad('messages: first message must use the "user" role')
    if talk[-1].role == "assistant" and not request.model.prefill:
        raise _bad(
            "This model does not support assistant message prefill. The conversation must end with a user message."
        )


def _check_results(turns: list[Turn]) -> None:
    """Each call is answered once, at the head of the next message, and nothing else is."""
    asked: list[str] = []
    asker = 0
    for turn in turns:
        if turn.role == "system":
            continue
        results = _leading_results(turn)
        _check_expected(turn, asked)
        missing = [id for id in asked if id not in results]
        if missing:
            raise _unanswered(asker, missing)
        asked = [b["id"] for b in turn.blocks if b["type"] == "tool_use"] if turn.role == "assistant" else []
        asker = turn.index
    if asked:
        raise _unanswered(asker, asked)


def _leading_results(turn: Turn) -> list[str]:
    found: list[str] = []
    for block in turn.blocks:
        if block["type"] != "tool_result":
            break
        found.append(block["tool_use_id"])
    return found


def _check_expected(turn: Turn, asked: list[str]) -> None:
    seen: set[str] = set()
    for i, block in enumerate(turn.blocks):
        if block["type"] != "tool_result":
            continue
        id = block["tool_use_id"]
        if id not in asked:
            raise _bad(
                f"messages.{turn.index}.content.{i}: unexpected `tool_use_id` found in `tool_result` blocks: {id}. "
                "Each `tool_result` block must have a corresponding `tool_use` block in the previous message."
            )
        if id in seen:
            raise _bad(
                f"messages.{turn.index}.content.{i}: each tool_use must have a single result. "
                f"Found multiple `tool_result` blocks with id: {id}"
            )
        seen.add(id)


def _unanswered(index: int, ids: list[str]) -> ApiError:
    return _bad(
        f"messages.{index}: `tool_use` ids were found without `tool_result` blocks immediately after: "
        f"{', '.join(ids)}. Each `tool_use` block must have a corresponding `tool_result` block in the next message."
    )


def _check_thinking(request: Request) -> None:
    kind = request.thinking.get("type")
    if kind is None:
        return
    if kind not in ("adaptive", "enabled", "disabled", "between_tools"):
        raise _bad("thinking.type: Input should be 'adaptive', 'between_tools', 'disabled' or 'enabled'")
    if kind not in request.model.thinking:
        raise _bad(_refused_thinking(kind))
    if kind == "enabled":
        _check_budget(request)
    if "block_binding" in request.thinking and BINDING_BETA not in request.betas:
        raise _bad(f"thinking.{kind}.block_binding: Extra inputs are not permitted")


def _refused_thinking(kind: str) -> str:
    match kind:
        case "enabled":
            return (
                '"thinking.type.enabled" is not supported for this model. '
                'Use "thinking.type.adaptive" and "output_config.effort" to control thinking behavior.'
            )
        case "adaptive":
            return "adaptive thinking is not supported on this model"
    return f'"thinking.type.{kind}" is not supported for this model.'


def _check_budget(request: Request) -> None:
    budget = request.thinking.get("budget_tokens")
    if budget is None:
        raise _bad("thinking.enabled.budget_tokens: Field required")
    if budget < 1024:
        raise _bad("thinking.enabled.budget_tokens: Input should be greater than or equal to 1024")
    if budget >= request.max_tokens:
        raise _bad("`max_tokens` must be greater than `thinking.budget_tokens`.")


def _check_breakpoints(request: Request) -> None:
    found = list(markers(request))
    count = len(found) + (1 if request.automatic_cache else 0)
    if count > _MAX_BREAKPOINTS:
        raise _bad(f"A maximum of {_MAX_BREAKPOINTS} blocks with cache_control may be provided. Found {count}.")
    short_seen = False
    for where, marker in found:
        if marker.get("type") != "ephemeral":
            raise _bad(f"{where}.type: Input should be 'ephemeral'")
        ttl = marker.get("ttl") or "5m"
        if ttl not in ("5m", "1h"):
            raise _bad(f"{where}.ttl: Input should be '5m' or '1h'")
        if ttl == "1h" and short_seen:
            raise _bad(
                f"{where}.ttl: a ttl='1h' cache_control block must not come after a ttl='5m' cache_control block. "
                "Note that blocks are processed in the following order: `tools`, `system`, `messages`."
            )
        short_seen = short_seen or ttl == "5m"


def _bad(message: str) -> ApiError:
    return ApiError(400, message)
