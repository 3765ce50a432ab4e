"""What the demo model says, before it is put on any wire: a Reply of blocks, within the limits of its request."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from simulator.answers import Draft, StopReason, compose
from simulator.conversation import Conversation
from simulator.prompt import Prompt
from simulator.values import pieces

_ROOM_TO_THINK = 200  # tokens; with less allowed, all of them are for the answer


@dataclass(frozen=True)
class Text:
    text: str


@dataclass(frozen=True)
class Thinking:
    """`hidden` thinking is thought and billed but not shown. `signature` is the dialect's, "" where it has none."""

    text: str
    signature: str = ""
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


@dataclass(frozen=True)
class Reply:
    """`finish` is a word of the wire that a directive wants said instead of the stop reason's."""

    blocks: tuple[Block, ...]
    stop_reason: StopReason
    stop_sequence: str | None = None
    finish: str = ""

    @property
    def tokens(self) -> int:
        return sum(_size(block) for block in self.blocks)

    @property
    def shown(self) -> str:
        """Its text without its thinking."""
        return "".join(block.text for block in self.blocks if isinstance(block, Text))

    @property
    def thought(self) -> str:
        return "".join(block.shown for block in self.blocks if isinstance(block, Thinking))

    @property
    def calls(self) -> tuple[Call, ...]:
        return tuple(block for block in self.blocks if isinstance(block, Call))

    @property
    def thinking_tokens(self) -> int:
        return sum(_size(block) for block in self.blocks if isinstance(block, Thinking))


def build(prompt: Prompt, talk: Conversation, spell: Callable[[Draft], Sequence[Block]]) -> Reply:
    """The answer, within `max_tokens` and the stop sequences. With `max_tokens` 0 it is empty: a cache warm-up.

    `spell` makes blocks of a draft: ids, signatures and whatever else its dialect adds.
    """
    draft = compose(talk, prompt.thinks and prompt.max_tokens >= _ROOM_TO_THINK)
    if not prompt.may_think:
        draft = replace(draft, thinking="", redacted=False)
    reply = Reply(tuple(spell(draft)), draft.stop, finish=talk.directives.finish)
    return limited(reply, prompt.max_tokens, prompt.stops)


def limited(reply: Reply, max_tokens: int, stop_sequences: Sequence[str] = ()) -> Reply:
    """The reply as far as `stop_sequences` and then `max_tokens` let it come."""
    return _within(_stopped(reply, stop_sequences), max_tokens)


def _size(block: Block) -> int:
    match block:
        case Text(text) | Thinking(text):
            return len(pieces(text))
        case Redacted(data):
            return len(data) // 8
        case Call(_, name, arguments):
            return len(pieces(name)) + len(pieces(arguments))


def _stopped(reply: Reply, stop_sequences: Sequence[str]) -> Reply:
    kept: list[Block] = []
    for block in reply.blocks:
        hits = [(block.text.find(s), s) for s in stop_sequences if s in block.text] if isinstance(block, Text) else []
        if hits and isinstance(block, Text):
            at, sequence = min(hits)
            blocks = (*kept, Text(block.text[:at])) if at else tuple(kept)
            return replace(reply, blocks=blocks, stop_reason="stop_sequence", stop_sequence=sequence)
        kept.append(block)
    return reply


def _within(reply: Reply, max_tokens: int) -> Reply:
    kept: list[Block] = []
    left = max_tokens
    for block in reply.blocks:
        if _size(block) > left:
            cut = _cut(block, left)
            return replace(reply, blocks=(*kept, *([cut] if cut else [])), stop_reason="max_tokens")
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
