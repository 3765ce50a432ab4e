"""Blocks and messages: what a conversation is made of, as we store and replay it. No wire format, no identity.

`opaque` is what a provider sent and wants back unchanged (Anthropic: `signature` or `data` of a thinking block;
other dialects keep their own keys in it). We never read it outside the dialect that wrote it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Json = Mapping[str, Any]
Role = Literal["user", "assistant"]


@dataclass(frozen=True)
class Text:
    text: str
    opaque: Json | None = None


@dataclass(frozen=True)
class Thinking:
    """The model's reasoning. `opaque` is None when it was cut before its signature came: then it is not replayed."""

    text: str
    opaque: Json | None = None


@dataclass(frozen=True)
class ToolUse:
    """A call the model asks for. `input` is {} unless `error` says why the arguments could not be read."""

    id: str
    name: str
    input: Json = field(default_factory=dict)
    error: str | None = None
    opaque: Json | None = None


@dataclass(frozen=True)
class ToolResult:
    """What a tool answered: text for the model (JSON as a string). `seconds` is how long it took, for the reader."""

    tool_use_id: str
    content: str
    is_error: bool = False
    seconds: float | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Image:
    """An image in a user's message: base64 data and its media type."""

    media_type: str
    data: str


@dataclass(frozen=True)
class Context:
    """What a question is about, put before it by us: `label` for people, `text` for the model. history.py turns it into
    fenced text, so no dialect meets it."""

    label: str
    text: str


Block = Text | Thinking | ToolUse | ToolResult | Image | Context


@dataclass(frozen=True)
class Message:
    """One message. `dialect` and `model` say who wrote it, so that foreign opaque parts can be dropped on replay."""

    role: Role
    blocks: tuple[Block, ...]
    dialect: str = ""
    model: str = ""

    def text(self) -> str:
        return "".join(b.text for b in self.blocks if isinstance(b, Text))


def block_to_json(block: Block) -> dict[str, Any]:
    """The stored form (chat_messages.blocks), typed as the mission names them: text, tool_use, tool_result."""
    match block:
        case Text(text, opaque):
            return _sparse(type="text", text=text, opaque=opaque)
        case Thinking(text, opaque):
            return _sparse(type="thinking", text=text, opaque=opaque)
        case ToolUse(id, name, input, error, opaque):
            return _sparse(type="tool_use", id=id, name=name, input=dict(input), error=error, opaque=opaque)
        case ToolResult():
            return _sparse(type="tool_result", **vars(block))
        case Image(media_type, data):
            return {"type": "image", "media_type": media_type, "data": data}
        case Context(label, text):
            return {"type": "context", "label": label, "text": text}


def block_from_json(raw: Json) -> Block:
    """The inverse of block_to_json. Raises ValueError for a type it does not know."""
    fields = {k: v for k, v in raw.items() if k != "type"}
    match raw["type"]:
        case "text":
            return Text(**fields)
        case "thinking":
            return Thinking(**fields)
        case "tool_use":
            return ToolUse(**fields)
        case "tool_result":
            return ToolResult(**fields)
        case "image":
            return Image(**fields)
        case "context":
            return Context(**fields)
    raise ValueError(f"unknown block type {raw['type']!r}")


def _sparse(**fields: Any) -> dict[str, Any]:
    return {k: v for k, v in fields.items() if v is not None}
