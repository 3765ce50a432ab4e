"""The JSON shapes and event frames of Anthropic's Messages API. No sockets, no clock, no opinion on what is said.

A Reply is what the model says; `as_message` is its JSON, `as_events` its stream. Both come from one Reply, so that a
streamed answer adds up to the unstreamed one. Tokens are pieces of at most five characters with the space before them.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

Json = dict[str, Any]
_PIECE = re.compile(r"\s*\S{1,5}|\s+$")
_ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_GROUPS = (1, 3, 6, 2, 8, 4)  # tokens an event, in turn: the real one is as uneven
_THINKING_TOKENS_PER_PING = 40

ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    405: "invalid_request_error",
    409: "invalid_request_error",
    413: "request_too_large",
    422: "invalid_request_error",
    429: "rate_limit_error",
    500: "api_error",
    502: "api_error",
    503: "api_error",
    504: "timeout_error",
    529: "overloaded_error",
}


class ApiError(Exception):
    """A request ends with this error: an HTTP status and Anthropic's error body."""

    def __init__(self, status: int, message: str, *, type: str = "", retry_after: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.type = type or ERROR_TYPES.get(status, "api_error")
        self.message = message
        self.retry_after = retry_after

    @property
    def retryable(self) -> bool:
        return self.status in (408, 409, 429) or self.status >= 500

    def body(self, request_id: str) -> Json:
        return {"type": "error", "error": {"type": self.type, "message": self.message}, "request_id": request_id}


@dataclass(frozen=True)
class Text:
    text: str


@dataclass(frozen=True)
class Thinking:
    """`hidden` thinking is thought and billed but not shown: its text is empty on the wire, its signature is not."""

    text: str
    signature: str
    hidden: bool = False

    @property
    def shown(self) -> str:
        return "" if self.hidden else self.text


@dataclass(frozen=True)
class Redacted:
    data: str


@dataclass(frozen=True)
class Call:
    """A tool call. `arguments` is JSON text, which `max_tokens` may have cut in the middle."""

    id: str
    name: str
    arguments: str


Block = Text | Thinking | Redacted | Call
StopReason = Literal["end_turn", "max_tokens", "stop_sequence", "tool_use", "pause_turn", "refusal"]


@dataclass(frozen=True)
class Reply:
    blocks: tuple[Block, ...]
    stop_reason: StopReason
    stop_sequence: str | None = None
    stop_details: Json | None = None

    @property
    def tokens(self) -> int:
        return sum(_size(block) for block in self.blocks)

    @property
    def thinking_tokens(self) -> int:
        return sum(_size(block) for block in self.blocks if isinstance(block, Thinking))


@dataclass(frozen=True)
class Event:
    """One server-sent event, how many output tokens it carries, and how many the model made before it came."""

    name: str
    data: Json
    tokens: int = 0
    spent: int = 0


def new_id(prefix: str) -> str:
    """An id as Anthropic makes them: `msg_01` + 22 characters."""
    return f"{prefix}01" + "".join(secrets.choice(_ALPHABET) for _ in range(22))


def pieces(text: str) -> list[str]:
    """The tokens of a text; joined they are the text."""
    return _PIECE.findall(text)


def compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def frame(name: str, data: Json, padding: int = 0) -> bytes:
    """An event as bytes. The real server pads the object with spaces before its last brace, to hide lengths."""
    if name == "ping":
        return b'event: ping\ndata: {"type": "ping"}\n\n'
    text = compact(data)
    return f"event: {name}\ndata: {text[:-1]}{' ' * padding}}}\n\n".encode()


def limited(reply: Reply, max_tokens: int, stop_sequences: Sequence[str] = ()) -> Reply:
    """The reply as far as `stop_sequences` and then `max_tokens` let it come."""
    return _within(_stopped(reply, stop_sequences), max_tokens)


def as_message(reply: Reply, message: Json) -> Json:
    """The whole answer as one JSON object; `message` is the one `message_start` would carry."""
    return {
        **message,
        "content": [_block_json(block) for block in reply.blocks],
        "stop_reason": reply.stop_reason,
        "stop_sequence": reply.stop_sequence,
        "stop_details": reply.stop_details,
        "usage": {**message["usage"], **_output(reply)},
    }


def as_events(reply: Reply, message: Json, group: int = 0) -> Iterator[Event]:
    """The answer as a stream. `group` fixes the tokens an event; 0 varies them."""
    yield Event("message_start", {"type": "message_start", "message": message})
    for index, block in enumerate(reply.blocks):
        opened = {"type": "content_block_start", "index": index, "content_block": _opening(block)}
        yield Event("content_block_start", opened)
        if index == 0:
            yield _ping()
        for delta, tokens, spent in _deltas(block, group):
            if not delta:
                yield _ping(spent)
                continue
            data = {"type": "content_block_delta", "index": index, "delta": delta}
            yield Event("content_block_delta", data, tokens, spent)
        yield Event("content_block_stop", {"type": "content_block_stop", "index": index})
    yield Event("message_delta", _message_delta(reply, message))
    yield Event("message_stop", {"type": "message_stop"})


def error_event(error: ApiError, request_id: str) -> Event:
    return Event("error", error.body(request_id))


def _ping(spent: int = 0) -> Event:
    return Event("ping", {"type": "ping"}, 0, spent)


def _message_delta(reply: Reply, message: Json) -> Json:
    usage = message["usage"]
    repeated = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
    return {
        "type": "message_delta",
        "delta": {
            "stop_reason": reply.stop_reason,
            "stop_sequence": reply.stop_sequence,
            "stop_details": reply.stop_details,
        },
        "usage": {**{name: usage[name] for name in repeated}, **_output(reply)},
    }


def _output(reply: Reply) -> Json:
    return {
        "output_tokens": reply.tokens,
        "output_tokens_details": {"thinking_tokens": reply.thinking_tokens},
    }


def _block_json(block: Block) -> Json:
    match block:
        case Text(text):
            return {"type": "text", "text": text}
        case Thinking():
            return {"type": "thinking", "thinking": block.shown, "signature": block.signature}
        case Redacted(data):
            return {"type": "redacted_thinking", "data": data}
        case Call(id, name, arguments):
            return {"type": "tool_use", "id": id, "name": name, "input": _parsed(arguments)}


def _opening(block: Block) -> Json:
    match block:
        case Text():
            return {"type": "text", "text": ""}
        case Thinking():
            return {"type": "thinking", "thinking": "", "signature": ""}
        case Redacted(data):
            return {"type": "redacted_thinking", "data": data}
        case Call(id, name, _):
            return {"type": "tool_use", "id": id, "name": name, "input": {}}


def _deltas(block: Block, group: int) -> Iterator[tuple[Json, int, int]]:
    """(delta, tokens shown, tokens made) of one block, in order; an empty delta is a ping."""
    match block:
        case Text(text):
            for part, tokens in _grouped(text, group):
                yield {"type": "text_delta", "text": part}, tokens, tokens
        case Thinking():
            yield from _thinking_deltas(block, group)
        case Call(_, _, arguments):
            yield {"type": "input_json_delta", "partial_json": ""}, 0, 0
            for part, tokens in _grouped("" if arguments == "{}" else arguments, group):
                yield {"type": "input_json_delta", "partial_json": part}, tokens, tokens
        case Redacted():
            return


def _thinking_deltas(block: Thinking, group: int) -> Iterator[tuple[Json, int, int]]:
    since_ping = 0
    for part, tokens in _grouped(block.text, group):
        since_ping += tokens
        if not block.hidden:
            yield {"type": "thinking_delta", "thinking": part}, tokens, tokens
        if since_ping >= _THINKING_TOKENS_PER_PING:
            yield {}, 0, since_ping if block.hidden else 0
            since_ping = 0
    yield {"type": "signature_delta", "signature": block.signature}, 0, since_ping if block.hidden else 0


def _grouped(text: str, group: int) -> Iterator[tuple[str, int]]:
    parts, at, turn = pieces(text), 0, 0
    while at < len(parts):
        size = group or _GROUPS[turn % len(_GROUPS)]
        chosen = parts[at : at + size]
        yield "".join(chosen), len(chosen)
        at, turn = at + size, turn + 1


def _size(block: Block) -> int:
    match block:
        case Text(text) | Thinking(text):
            return len(pieces(text))
        case Redacted(data):
            return len(data) // 8
        case Call(_, name, arguments):
            return len(pieces(name)) + len(pieces(arguments))


def _parsed(arguments: str) -> object:
    try:
        return json.loads(arguments)
    except ValueError:
        return {}


def _stopped(reply: Reply, stop_sequences: Sequence[str]) -> Reply:
    kept: list[Block] = []
    for block in reply.blocks:
        hits = [(block.text.find(s), s) for s in stop_sequences if s in block.text] if isinstance(block, Text) else []
        if hits and isinstance(block, Text):
            at, sequence = min(hits)
            blocks = (*kept, Text(block.text[:at])) if at else tuple(kept)
            return Reply(blocks, "stop_sequence", sequence)
        kept.append(block)
    return reply


def _within(reply: Reply, max_tokens: int) -> Reply:
    kept: list[Block] = []
    left = max_tokens
    for block in reply.blocks:
        if _size(block) > left:
            cut = _cut(block, left)
            return Reply((*kept, *([cut] if cut else [])), "max_tokens")
        kept.append(block)
        left -= _size(block)
    return reply


def _cut(block: Block, tokens: int) -> Block | None:
    """What fits of a block. Thinking is left out whole, as it could not be signed."""
    match block:
        case Text(text) if tokens > 0:
            return Text("".join(pieces(text)[:tokens]))
        case Call(_, name, arguments) if tokens > len(pieces(name)):
            return replace(block, arguments="".join(pieces(arguments)[: tokens - len(pieces(name))]))
    return None
