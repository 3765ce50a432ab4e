"""Assembler: the fold of a stream's events into a message, and the only place where a tool's arguments are parsed.

Parsing happens once, after the block was closed, so it is linear and never acts on a piece of JSON that happens to be
valid. `tool_uses` is empty until a clean Finish asked for tools: a cut stream never runs one.
"""

from __future__ import annotations

import json
from functools import cached_property
from typing import Any

from webapp.llm.blocks import Block, Json, Message, Text, Thinking, ToolUse
from webapp.llm.events import (
    BlockEnd,
    BlockKind,
    BlockStart,
    Event,
    Finish,
    FinishReason,
    Start,
    TextDelta,
    ThinkingDelta,
    ToolArgsDelta,
    Usage,
)


class BlockSoFar:
    """A block as far as it was heard. Read it; only the Assembler writes."""

    def __init__(self, start: BlockStart) -> None:
        self.kind: BlockKind = start.kind
        self.id = start.id
        self.name = start.name
        self.closed = False
        self.opaque: Json | None = None
        self._pieces: list[str] = []

    @property
    def text(self) -> str:
        """The text, reasoning or arguments' JSON so far."""
        if len(self._pieces) > 1:
            self._pieces = ["".join(self._pieces)]
        return self._pieces[0] if self._pieces else ""

    def grow(self, text: str) -> None:
        self._pieces.append(text)

    def close(self, opaque: Json | None) -> None:
        self.closed, self.opaque = True, opaque

    @cached_property
    def tool_use(self) -> ToolUse:
        """The call, once the block is closed. Arguments that cannot be read become {} and an `error`."""
        try:
            return ToolUse(self.id, self.name, parse_arguments(self.text), opaque=self.opaque)
        except (ValueError, RecursionError) as error:
            return ToolUse(self.id, self.name, {}, error=str(error)[:200], opaque=self.opaque)


class Assembler:
    """Apply events in order; ask for `blocks` or `message` at any moment."""

    def __init__(self) -> None:
        self.start: Start | None = None
        self.finish: Finish | None = None
        self.usage = Usage()
        self._blocks: list[BlockSoFar] = []

    def apply(self, event: Event) -> None:
        match event:
            case TextDelta(block, text) | ThinkingDelta(block, text) | ToolArgsDelta(block, text):
                self._blocks[block].grow(text)
            case BlockStart():
                self._blocks.append(BlockSoFar(event))
            case BlockEnd(block, opaque):
                self._blocks[block].close(opaque)
            case Usage():
                self.usage = event
            case Start():
                self.start = event
            case Finish():
                self.finish = event

    @property
    def blocks(self) -> tuple[BlockSoFar, ...]:
        """Every block so far, in the order of opening. Cheap: nothing is copied or joined."""
        return tuple(self._blocks)

    def message(self, dialect: str) -> Message:
        """The assistant's message so far. Open blocks are in it as they are, but no call that never closed."""
        made = [_made(b) for b in self._blocks if b.closed or b.kind != "tool_use"]
        return Message("assistant", tuple(made), dialect, self.start.model if self.start else "")

    def tool_uses(self) -> tuple[ToolUse, ...]:
        """The calls to run: only after a clean finish that asks for them."""
        if self.finish is None or self.finish.reason is not FinishReason.TOOL_CALLS:
            return ()
        return tuple(b.tool_use for b in self._blocks if b.kind == "tool_use" and b.closed)


def _made(block: BlockSoFar) -> Block:
    match block.kind:
        case "text":
            return Text(block.text, block.opaque)
        case "thinking":
            return Thinking(block.text, block.opaque)
        case "tool_use":
            return block.tool_use


def parse_arguments(raw: str) -> dict[str, Any]:
    """A tool's arguments; "" means none. Raises ValueError or RecursionError for what is no object, or what neither
    JSON nor PostgreSQL can hold: NaN, infinities, half surrogate pairs, NUL."""
    if not raw.strip():
        return {}
    value = json.loads(raw)
    if not isinstance(value, dict):
        raise ValueError("the arguments are not an object")
    again = json.dumps(value, ensure_ascii=False, allow_nan=False)
    again.encode()
    if "\\u0000" in again:
        raise ValueError("the arguments hold a NUL character")
    return value
