"""Anthropic's Messages API, version 2026-10-21: our values to its requests, its answers to our events. Pure.

The order of a request is the order of its cached prefix: tools, system, messages. Breakpoints stand on the last tool
and on the system block (both the same for a whole workspace, kept for five minutes or an hour); an automatic one, of
five minutes, moves along with the conversation. That makes three of the four that a request may have, and the longer
ones come first, as they must. With `follows` the answer says why the cache was missed (`diagnostics`).
Sampling parameters are never sent: newer models refuse them, whatever their value.

A stream is message_start, then blocks (start, deltas, stop), message_delta with the stop reason, message_stop; an error
event may stand anywhere, even first. What we do not know is skipped: events, deltas, kinds of blocks (server tools).
https://platform.claude.com/docs/en/build-with-claude/streaming. What its errors mean is in faults.py.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from webapp.llm.blocks import Block, Context, Image, Json, Message, Text, Thinking, ToolResult, ToolUse
from webapp.llm.dialects.answers import (
    clip,
    count,
    cut_off,
    error_body,
    not_the_provider,
    obj,
    parse,
    text,
)
from webapp.llm.dialects.faults import fail, fault_in_stream
from webapp.llm.events import (
    CACHE_MISS,
    BlockEnd,
    BlockKind,
    BlockStart,
    Event,
    Finish,
    FinishReason,
    Heartbeat,
    Notice,
    Start,
    TextDelta,
    ThinkingDelta,
    ToolArgsDelta,
    Usage,
)
from webapp.llm.history import replayable
from webapp.llm.models import ModelPage, RemoteModel
from webapp.llm.providers import Provider
from webapp.llm.request import HttpCall, ModelRequest, ToolSpec
from webapp.llm.sse import COMMENT, Frame
from webapp.secret import Secret

NAME = "anthropic_messages"
VERSION = "2026-10-21"
THINKING_BINDING = "thinking-binding-controls-2026-08-01"
PAGE = 1000  # models a page of the list

__all__ = ["NAME", "call", "check_call", "fail", "listen", "models_call", "read_check", "read_models"]

_CACHED = {"type": "ephemeral"}
_CACHED_LONG = {"type": "ephemeral", "ttl": "1h"}
_NOT_IN_AN_ID = re.compile(r"[^A-Za-z0-9_-]")


# --- asking -----------------------------------------------------------------------------------------------------


def call(provider: Provider, request: ModelRequest, key: Secret) -> HttpCall:
    """POST /v1/messages, streaming."""
    headers = {"content-type": "application/json", "accept": "text/event-stream"}
    if _binding_dropped(request):
        headers["anthropic-beta"] = THINKING_BINDING
    body = json.dumps(_body(request), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return _http("POST", f"{provider.base_url}/v1/messages", key, headers, body.encode())


def models_call(provider: Provider, key: Secret, after: str = "") -> HttpCall:
    """GET /v1/models."""
    query = {"limit": PAGE, **({"after_id": after} if after else {})}
    return _http("GET", f"{provider.base_url}/v1/models?{urlencode(query)}", key, {"accept": "application/json"})


def check_call(provider: Provider, key: Secret) -> HttpCall | None:
    """There is none: the list of models is as far as one gets for free."""
    return None


def read_check(provider: Provider, body: bytes) -> None:
    """See check_call."""


def _http(method: Any, url: str, key: Secret, headers: dict[str, str], body: bytes = b"") -> HttpCall:
    return HttpCall(method, url, {"anthropic-version": VERSION, **headers}, body, key, key_header="x-api-key")


def _body(request: ModelRequest) -> dict[str, Any]:
    body: dict[str, Any] = {"model": request.model, "max_tokens": request.max_output, "stream": True}
    body["cache_control"] = _CACHED
    if request.thinking == "adaptive":
        body["thinking"] = {"type": request.thinking, "display": "summarized"}
    if _binding_dropped(request):
        body["thinking"]["block_binding"] = {"prefix_mismatch_behavior": "drop_block"}
    if request.user_hash:
        body["metadata"] = {"user_id": request.user_hash}
    if request.follows is not None:
        body["diagnostics"] = {"previous_message_id": request.follows or None}
    shared = _CACHED_LONG if request.cache_ttl == "1h" else _CACHED
    if request.tools:
        body["tools"] = [_tool(t) for t in request.tools]
        body["tools"][-1]["cache_control"] = shared
    if request.system:
        body["system"] = [{"type": "text", "text": request.system, "cache_control": shared}]
    messages = replayable(request.messages, NAME, drop_thinking=request.drop_thinking)
    body["messages"] = [_message(m) for m in messages]
    return body


def _binding_dropped(request: ModelRequest) -> bool:
    """Whether to ask that reasoning which no longer fits its conversation be dropped instead of refused."""
    return request.drop_thinking and request.thinking == "adaptive"


def _tool(tool: ToolSpec) -> dict[str, Any]:
    return {"name": tool.name, "description": tool.description, "input_schema": _ordered(tool.schema)}


def _ordered(value: Any) -> Any:
    """The same JSON with its keys sorted: equal values give equal bytes, wherever they were stored meanwhile."""
    if isinstance(value, Mapping):
        return {k: _ordered(value[k]) for k in sorted(value)}
    if isinstance(value, list | tuple):
        return [_ordered(v) for v in value]
    return value


def _message(message: Message) -> dict[str, Any]:
    return {"role": message.role, "content": [_content(b) for b in message.blocks]}


def _content(block: Block) -> dict[str, Any]:
    match block:
        case Text(words) | Context(_, words):  # of the latter history.py has made the former
            return {"type": "text", "text": words}
        case Thinking(words, opaque):
            return _thinking(words, opaque or {})
        case ToolUse(id, name, arguments):
            return {"type": "tool_use", "id": _tool_id(id), "name": name, "input": _ordered(arguments)}
        case ToolResult(id, content, is_error):
            return {"type": "tool_result", "tool_use_id": _tool_id(id), "content": content, "is_error": is_error}
        case Image(media_type, data):
            return {"type": "image", "source": {"type": "base64", "media_type": media_type, "data": data}}


def _thinking(words: str, opaque: Json) -> dict[str, Any]:
    if "data" in opaque:
        return {"type": "redacted_thinking", "data": opaque["data"]}
    return {"type": "thinking", "thinking": words, "signature": opaque["signature"]}


def _tool_id(id: str) -> str:
    """Another dialect's id in the letters that this one allows."""
    return _NOT_IN_AN_ID.sub("_", id)


# --- listening --------------------------------------------------------------------------------------------------

_KINDS: dict[str, BlockKind] = {
    "text": "text",
    "thinking": "thinking",
    "redacted_thinking": "thinking",
    "tool_use": "tool_use",
}
_DELTAS: dict[str, tuple[BlockKind, str]] = {  # delta type -> the kind of block it belongs to, its field
    "text_delta": ("text", "text"),
    "thinking_delta": ("thinking", "thinking"),
    "signature_delta": ("thinking", "signature"),
    "input_json_delta": ("tool_use", "partial_json"),
}
_REASONS = {
    "end_turn": FinishReason.STOP,
    "stop_sequence": FinishReason.STOP,
    "max_tokens": FinishReason.LENGTH,
    "tool_use": FinishReason.TOOL_CALLS,
    "pause_turn": FinishReason.PAUSE,
    "refusal": FinishReason.REFUSAL,
    "model_context_window_exceeded": FinishReason.CONTEXT_OVERFLOW,
}


def listen(provider: Provider, frames: Iterator[Frame]) -> Iterator[Event]:
    """The events of a stream, up to its one Finish. Raises ProviderError for an error event, for what is not this
    dialect (PROTOCOL) and for an end without message_stop (TRUNCATED)."""
    ear = _Ear()
    for frame in frames:
        if frame is COMMENT:
            yield Heartbeat()
            continue
        for said in _sayings(frame):
            yield from ear.hear(said)
            if ear.finished:
                return
    raise cut_off()


def _sayings(frame: Frame) -> list[dict[str, Any]]:
    """The JSON objects of a frame: one, or one a line where a server left out the empty lines between them."""
    if frame.data == "[DONE]":
        return []
    try:
        return [obj(parse(frame.data))]
    except ValueError:
        if not frame.whole:
            raise cut_off() from None
    try:
        return [obj(parse(line)) for line in frame.data.split("\n")]
    except ValueError:
        raise not_the_provider("An event of the stream is not JSON.", in_stream=True) from None


@dataclass
class _OpenBlock:
    """A block between its start and its stop. `number` is None for kinds that we skip."""

    number: int | None
    kind: BlockKind = "text"
    opaque: dict[str, str] = field(default_factory=dict)


class _Ear:
    """What must be remembered between two events of a stream."""

    def __init__(self) -> None:
        self.finished = False
        self._started = False
        self._open: dict[object, _OpenBlock] = {}
        self._blocks = 0
        self._usage: dict[str, Any] = {}
        self._stop: dict[str, Any] = {}

    def hear(self, said: dict[str, Any]) -> Iterator[Event]:
        match said.get("type"):
            case "ping":
                yield Heartbeat()
            case "error":
                raise fault_in_stream(said)
            case "message_start":
                yield from self._start(obj(said.get("message")))
            case "content_block_start":
                yield from self._open_block(said.get("index"), obj(said.get("content_block")))
            case "content_block_delta":
                yield from self._grow(said.get("index"), obj(said.get("delta")))
            case "content_block_stop":
                yield from self._close(said.get("index"))
            case "message_delta":
                self._need(self._started, "It ended before it began.")
                self._stop.update({k: v for k, v in obj(said.get("delta")).items() if v is not None})
                yield self._count(said)
            case "message_stop":
                self._need(self._started, "It ended before it began.")
                self.finished = True
                yield self._finish()

    def _start(self, message: dict[str, Any]) -> Iterator[Event]:
        self._need(not self._started, "It began twice.")
        self._started = True
        yield Start(text(message.get("model")), text(message.get("id")))
        yield self._count(message)
        missed = text(obj(obj(message.get("diagnostics")).get("cache_miss_reason")).get("type"))
        if missed:
            yield Notice(CACHE_MISS, missed)

    def _open_block(self, index: object, block: dict[str, Any]) -> Iterator[Event]:
        self._need(self._started and isinstance(index, int) and index not in self._open, "A block began out of order.")
        kind = _KINDS.get(text(block.get("type")))
        if kind is None:
            self._open[index] = _OpenBlock(None)
            return
        number, self._blocks = self._blocks, self._blocks + 1
        self._open[index] = opened = _OpenBlock(number, kind)
        if kind == "tool_use":
            yield BlockStart(number, kind, text(block.get("id")), text(block.get("name")))
        else:
            yield BlockStart(number, kind)
        if block.get("type") == "redacted_thinking":
            opened.opaque["data"] = text(block.get("data"))
        if block.get("input"):
            yield ToolArgsDelta(number, json.dumps(block["input"]))
        for name in ("text", "thinking", "signature"):  # usually empty here
            yield from _grown(opened, name, text(block.get(name)))

    def _grow(self, index: object, delta: dict[str, Any]) -> Iterator[Event]:
        opened = self._open.get(index) if isinstance(index, int) else None
        if opened is None:
            raise not_the_provider("The stream makes no sense. A delta has no block.", in_stream=True)
        known = _DELTAS.get(text(delta.get("type")))
        if opened.number is None or known is None:
            return
        kind, name = known
        self._need(kind == opened.kind, "A delta is in the wrong kind of block.")
        yield from _grown(opened, name, text(delta.get(name)))

    def _close(self, index: object) -> Iterator[Event]:
        closed = self._open.pop(index, None) if isinstance(index, int) else None
        if closed and closed.number is not None:
            yield BlockEnd(closed.number, closed.opaque or None)

    def _count(self, said: dict[str, Any]) -> Usage:
        """Counts are cumulative, and a later one may leave out what did not change."""
        self._usage.update({k: v for k, v in obj(said.get("usage")).items() if v is not None})
        written = count(self._usage.get("cache_creation_input_tokens"))
        hour = count(obj(self._usage.get("cache_creation")).get("ephemeral_1h_input_tokens"))
        return Usage(
            input=count(self._usage.get("input_tokens")),
            cache_read=count(self._usage.get("cache_read_input_tokens")),
            cache_write=max(written - hour, 0),
            cache_write_1h=hour,
            output=count(self._usage.get("output_tokens")),
            thinking=count(obj(self._usage.get("output_tokens_details")).get("thinking_tokens")),
        )

    def _finish(self) -> Finish:
        raw = text(self._stop.get("stop_reason"))
        details = obj(self._stop.get("stop_details"))
        detail = text(details.get("explanation")) or text(details.get("category"))
        return Finish(_REASONS.get(raw, FinishReason.UNKNOWN), raw, clip(detail))

    def _need(self, right: bool, otherwise: str) -> None:
        if not right:
            raise not_the_provider(f"The stream makes no sense. {otherwise}", in_stream=True)


def _grown(block: _OpenBlock, name: str, piece: str) -> Iterator[Event]:
    if not piece or block.number is None:
        return
    match name:
        case "text":
            yield TextDelta(block.number, piece)
        case "thinking":
            yield ThinkingDelta(block.number, piece)
        case "partial_json":
            yield ToolArgsDelta(block.number, piece)
        case "signature":
            block.opaque["signature"] = piece  # whole, as the official SDK takes it


# --- models -----------------------------------------------------------------------------------------------------


def read_models(provider: Provider, body: bytes) -> ModelPage:
    """A page of GET /v1/models. Raises ProviderError (PROTOCOL) for anything else."""
    said = error_body(body)
    if said is None or not isinstance(said.get("data"), list):
        raise not_the_provider("The answer is no list of models.", status=200)
    entries = [obj(entry) for entry in said["data"]]
    after = text(said.get("last_id")) if said.get("has_more") is True else ""
    return ModelPage(tuple(_model(e) for e in entries if text(e.get("id"))), after)


def _model(entry: dict[str, Any]) -> RemoteModel:
    abilities = obj(entry.get("capabilities"))
    vision = obj(abilities.get("image_input")).get("supported")
    types = obj(obj(abilities.get("thinking")).get("types"))
    return RemoteModel(
        id=text(entry.get("id")),
        name=text(entry.get("display_name")),
        line=text(entry.get("line")),
        context=count(entry.get("max_input_tokens")) or None,
        max_output=count(entry.get("max_tokens")) or None,
        vision=vision if isinstance(vision, bool) else None,
        tools=True,  # every model of this list is a chat model with tools
        thinking=tuple(name for name, type in types.items() if obj(type).get("supported") is True),
        lifecycle=text(entry.get("lifecycle")),
    )
