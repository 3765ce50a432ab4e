"""About how many tokens something is, where no provider has counted it: before a call, and after one that was cut."""

from __future__ import annotations

import json

from webapp.llm.blocks import Block, Context, Image, Text, Thinking, ToolResult, ToolUse
from webapp.llm.request import ModelRequest, ToolSpec

BYTES = 3.5  # of a token of English (Anthropic, glossary: "Tokens"); counted in bytes, since other scripts need more
IMAGE = 1600  # tokens, the most that Anthropic counts for one


def tokens(text: str) -> int:
    return round(len(text.encode(errors="replace")) / BYTES)


def request_tokens(request: ModelRequest) -> int:
    """The input of the whole request: instructions, tools and messages."""
    said = sum(_block(block) for message in request.messages for block in message.blocks)
    return tokens(request.system) + sum(map(_tool, request.tools)) + said


def _tool(tool: ToolSpec) -> int:
    return tokens(tool.name + tool.description + json.dumps(dict(tool.schema)))


def _block(block: Block) -> int:
    match block:
        case Text(text) | Thinking(text) | Context(_, text):
            return tokens(text)
        case ToolUse(_, name, input):
            return tokens(name + json.dumps(dict(input), ensure_ascii=False))
        case ToolResult(_, content):
            return tokens(content)
        case Image():
            return IMAGE
