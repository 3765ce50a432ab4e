"""A request as the demo model reads it, whatever the dialect. The dialects read bodies into Prompts.

Blocks are spelled as Anthropic spells them: `text`, `image`, `document`, `thinking`, `tool_use` {id, name, input} and
`tool_result` {tool_use_id, content, is_error}, the last in turns of the user. Tools have `name` and `input_schema`.
"""

from __future__ import annotations

from dataclasses import dataclass

from simulator.models import Model
from simulator.values import Json


@dataclass(frozen=True)
class Turn:
    """One message, its content as blocks. `index` is its place in the request."""

    index: int
    role: str
    blocks: tuple[Json, ...]


@dataclass(frozen=True, kw_only=True)
class Prompt:
    """`thinks`: the model thinks by itself. `may_think`: it does if a directive asks. `hides`: what it thinks is
    billed, not shown. `choice` is auto, none, or the name of a tool or `any` for a forced one."""

    model: Model
    raw: Json
    max_tokens: int
    stream: bool = False
    system: tuple[Json, ...] = ()
    tools: tuple[Json, ...] = ()
    turns: tuple[Turn, ...] = ()
    choice: str = "auto"
    stops: tuple[str, ...] = ()
    thinks: bool = False
    may_think: bool = True
    hides: bool = False

    @property
    def automatic_cache(self) -> Json | None:
        """A breakpoint that moves with the end of the prompt; only Anthropic has it."""
        return None


def merged(turns: tuple[Turn, ...]) -> list[Turn]:
    """The turns with neighbours of one role joined, as a model reads them."""
    joined: list[Turn] = []
    for turn in turns:
        if joined and joined[-1].role == turn.role:
            last = joined[-1]
            joined[-1] = Turn(last.index, last.role, last.blocks + turn.blocks)
        else:
            joined.append(turn)
    return joined


def text(value: str) -> Json:
    return {"type": "text", "text": value}


def texts(turn: Turn) -> str:
    return "".join(block["text"] for block in turn.blocks if block["type"] == "text")
