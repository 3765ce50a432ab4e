"""OpenAI's chat completions as others speak them: our values to requests, their answers to our events. Pure.

What differs between providers is in their record (`provider.chat`). How answers are heard is in chat_stream.py, what
model lists say in chat_models.py, what errors mean in faults.py. Sampling parameters and tool_choice are never sent:
newer models refuse the former, and of the latter only the default works everywhere.

The order of a request is the order of its cached prefix: tools, then messages, the system's first. Reasoning goes back
only where the record wants it, and only in the field that it came in: it is dropped for any other provider.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from webapp.llm.blocks import Block, Image, Json, Message, Text, Thinking, ToolResult, ToolUse
from webapp.llm.dialects.answers import ordered
from webapp.llm.dialects.chat_models import read_models
from webapp.llm.dialects.chat_reasoning import Details, add_details
from webapp.llm.dialects.chat_stream import listen
from webapp.llm.dialects.faults import fail
from webapp.llm.dialects.ids import short
from webapp.llm.dialects.verdicts import judge
from webapp.llm.history import replayable
from webapp.llm.providers import Provider
from webapp.llm.quirks import ChatQuirks
from webapp.llm.request import HttpCall, ModelRequest, ToolSpec
from webapp.secret import Secret

NAME = "openai_chat"

__all__ = ["NAME", "call", "check_call", "fail", "listen", "models_call", "read_check", "read_models"]

_CACHED = {"type": "ephemeral"}


def call(provider: Provider, request: ModelRequest, key: Secret) -> HttpCall:
    """POST /chat/completions, streaming."""
    body = json.dumps(_body(provider.chat, request), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    headers = {"content-type": "application/json", "accept": "text/event-stream", **provider.chat.headers}
    return _http("POST", f"{provider.base_url}/chat/completions", key, headers, body.encode())


def models_call(provider: Provider, key: Secret, after: str = "") -> HttpCall:
    """The list of models, which comes in one page."""
    return _http("GET", provider.base_url + provider.chat.models_path, key, {"accept": "application/json"})


def check_call(provider: Provider, key: Secret) -> HttpCall | None:
    """A free request whose answer says what the key may do, where there is one."""
    path = provider.chat.check_path
    return _http("GET", provider.base_url + path, key, {"accept": "application/json"}) if path else None


def read_check(provider: Provider, body: bytes) -> None:
    """Raises ProviderError for a key that cannot chat, as the answer says; nothing for an answer it cannot read."""
    judge(body, provider.chat.verdicts)


def _http(method: Any, url: str, key: Secret, headers: Mapping[str, str], body: bytes = b"") -> HttpCall:
    return HttpCall(method, url, headers, body, key, key_header="authorization", key_prefix="Bearer ")


# --- the body -----------------------------------------------------------------------------------------------------


def _body(quirks: ChatQuirks, request: ModelRequest) -> dict[str, Any]:
    marked = request.model.removeprefix("~").startswith(quirks.marks_cache or ("\0",))
    body: dict[str, Any] = {"model": request.model, "stream": True, quirks.max_tokens: request.max_output}
    body |= quirks.body
    if quirks.stream_options:
        body["stream_options"] = {"include_usage": True}
    if request.thinking:
        body |= quirks.thinking if request.thinking == "adaptive" else quirks.no_thinking
    if quirks.user and request.user_hash:
        body[quirks.user] = request.user_hash
    if quirks.cache_key and request.cache_key:
        body[quirks.cache_key] = request.cache_key
    if marked:
        body["cache_control"] = _CACHED
    if request.tools:
        body |= quirks.with_tools
        body["tools"] = [_tool(t) for t in request.tools]
    body["messages"] = [*_system(request.system, marked=marked), *_messages(quirks, request)]
    return body


def _tool(tool: ToolSpec) -> dict[str, Any]:
    function = {"name": tool.name, "description": tool.description, "parameters": ordered(tool.schema)}
    return {"type": "function", "function": function}


def _system(instructions: str, *, marked: bool) -> list[dict[str, Any]]:
    if not instructions:
        return []
    if marked:
        return [{"role": "system", "content": [{"type": "text", "text": instructions, "cache_control": _CACHED}]}]
    return [{"role": "system", "content": instructions}]


def _messages(quirks: ChatQuirks, request: ModelRequest) -> Iterator[dict[str, Any]]:
    fit = [_without_foreign_reasoning(quirks, message) for message in request.messages]
    names: dict[str, str] = {}
    for message in replayable(fit, NAME, request.model, drop_thinking=request.drop_thinking):
        if message.role == "assistant":
            names = {b.id: b.name for b in message.blocks if isinstance(b, ToolUse)}
            yield _answer(quirks, message)
        else:
            yield from _question(quirks, message, names)


def _without_foreign_reasoning(quirks: ChatQuirks, message: Message) -> Message:
    """Reasoning that this provider does not want goes before the history is made fit, so that no empty turn stays. So
    does reasoning that led to nothing: a turn of nothing else is refused."""
    led_to_something = any(isinstance(b, Text | ToolUse) for b in message.blocks)
    kept = [b for b in message.blocks if not isinstance(b, Thinking) or (led_to_something and _echoed(quirks, b))]
    return replace(message, blocks=tuple(kept))


def _echoed(quirks: ChatQuirks, block: Thinking) -> bool:
    opaque = block.opaque or {}
    return opaque.get("in") in quirks.echo or ("details" in opaque and "reasoning_details" in quirks.echo)


# --- the person's side --------------------------------------------------------------------------------------------


def _question(quirks: ChatQuirks, message: Message, names: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """Answers of tools are messages of their own, and come first."""
    results = [b for b in message.blocks if isinstance(b, ToolResult)]
    said = [b for b in message.blocks if not isinstance(b, ToolResult)]
    for result in results:
        yield _result(quirks, result, names)
    if results and said and quirks.between:
        yield {"role": "assistant", "content": quirks.between}
    if said:
        yield {"role": "user", "content": _content(said)}


def _result(quirks: ChatQuirks, result: ToolResult, names: Mapping[str, str]) -> dict[str, Any]:
    content = json.dumps({"error": result.content}, ensure_ascii=False) if result.is_error else result.content
    made = {"role": "tool", "tool_call_id": _call_id(quirks, result.tool_use_id), "content": content}
    if quirks.names_results:
        made["name"] = names.get(result.tool_use_id, "")
    return made


def _content(blocks: Sequence[Block]) -> str | list[dict[str, Any]]:
    """Plain text where there is nothing else: some take only that."""
    if all(isinstance(b, Text) for b in blocks):
        return "\n\n".join(b.text for b in blocks if isinstance(b, Text))
    return [part for b in blocks for part in _part(b)]


def _part(block: Block) -> Iterator[dict[str, Any]]:
    match block:
        case Text(words):
            yield {"type": "text", "text": words}
        case Image(media_type, data):
            yield {"type": "image_url", "image_url": {"url": f"data:{media_type};base64,{data}"}}


# --- the model's side ---------------------------------------------------------------------------------------------


def _answer(quirks: ChatQuirks, message: Message) -> dict[str, Any]:
    said = "".join(b.text for b in message.blocks if isinstance(b, Text))
    thoughts = [b for b in message.blocks if isinstance(b, Thinking)]
    calls = [_tool_call(quirks, b) for b in message.blocks if isinstance(b, ToolUse)]
    parts = [b for b in thoughts if (b.opaque or {}).get("in") == "content"]
    made: dict[str, Any] = {"role": "assistant"}
    made["content"] = [*map(_thinking_part, parts), *_said_part(said)] if parts else said or (None if calls else "")
    made |= _reasoning(quirks, thoughts, called=bool(calls))
    if calls:
        made["tool_calls"] = calls
    return made


def _thinking_part(block: Thinking) -> dict[str, Any]:
    part: dict[str, Any] = {"type": "thinking", "thinking": [{"type": "text", "text": block.text}]}
    return part | {k: v for k, v in (block.opaque or {}).items() if k == "signature"}


def _said_part(said: str) -> list[dict[str, Any]]:
    return [{"type": "text", "text": said}] if said else []


def _reasoning(quirks: ChatQuirks, thoughts: Sequence[Thinking], *, called: bool) -> dict[str, Any]:
    """The turn's reasoning, each block in the field that it came in; where the record says so, a turn with calls has
    that field even if there was none."""
    made: dict[str, Any] = {}
    details: Details = []
    for block in thoughts:
        opaque: Json = block.opaque or {}
        if "details" in opaque and "reasoning_details" in quirks.echo:
            add_details(details, opaque["details"])
        elif opaque.get("in") in quirks.echo and opaque["in"] != "content":
            made[opaque["in"]] = made.get(opaque["in"], "") + block.text
    if details:
        made["reasoning_details"] = details
    if called and quirks.on_calls:
        made.setdefault(quirks.on_calls, "")
    return made


def _tool_call(quirks: ChatQuirks, block: ToolUse) -> dict[str, Any]:
    arguments = json.dumps(ordered(block.input), ensure_ascii=False, separators=(",", ":"))
    function = {"name": block.name, "arguments": arguments}
    made = {"id": _call_id(quirks, block.id), "type": "function", "function": function}
    if quirks.echoes_extras:
        made = {**(block.opaque or {}).get("extras", {}), **made}
    return made


def _call_id(quirks: ChatQuirks, id: str) -> str:
    """An id of a call in a form that the provider takes: its own as they are, any other's made short."""
    return id if re.fullmatch(quirks.tool_ids, id) else short(id)
