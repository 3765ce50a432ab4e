"""What the demo model sees of a request: the last question, what came before it, and what its tools answered."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from simulator.directives import Directives, for_round, split
from simulator.prompt import Prompt, Turn, merged
from simulator.values import Json

_CONTEXT = re.compile(r"<(context|facts|page)\b[^>]*>.*?</\1>", re.DOTALL)  # what a product tells beside a question
_ABOUT = re.compile(r"^The question is about this\.[^\n]*\n⟦(?P<said>[^⟧]*)⟧\s*", re.MULTILINE)  # the same, fenced
_CAMPAIGN = re.compile(r"^campaign_id (c_[0-9a-f]{10}):", re.MULTILINE)  # at the start of a line: no name gets there

_TITLE_MAX_TOKENS = 100  # a request for a title allows few tokens; a question about titles does not


@dataclass(frozen=True)
class Result:
    """What a tool answered in this turn."""

    name: str
    content: str
    is_error: bool


@dataclass(frozen=True)
class Conversation:
    """`number` counts the person's questions from 1; `round` the model calls since the question, from 0.

    A product that wants a title for a conversation quotes its first message: directives in that quote do not count.
    """

    question: str
    about: str  # the id of the campaign that a product says the question is about; empty: none
    number: int
    round: int
    wants_title: bool
    images: int
    tools: tuple[Json, ...]
    results: tuple[Result, ...]
    directives: Directives


def view(request: Prompt) -> Conversation:
    """Reads a request as the demo model does. Raises ApiError for a directive that cannot be read."""
    turns = [t for t in merged(request.turns) if t.role != "system"] or [Turn(0, "user", ())]
    asked = [i for i, turn in enumerate(turns) if turn.role == "user" and not _results(turn)]
    at = asked[-1] if asked else 0
    since = turns[at + 1 :]
    round = sum(turn.role == "assistant" for turn in since)
    texts = [block["text"] for block in turns[at].blocks if block["type"] == "text"]
    question, groups = split(_last_text(texts))
    wants_title = _wants_title(request, question)
    return Conversation(
        question=_CONTEXT.sub("", question).strip(),
        about=_about("\n".join(texts)),
        number=len(asked),
        round=round,
        wants_title=wants_title,
        images=sum(block["type"] == "image" for block in turns[at].blocks),
        tools=_offered(request),
        results=tuple(_answered(since)),
        directives=for_round([] if wants_title else groups, round),
    )


def _wants_title(request: Prompt, question: str) -> bool:
    asked = "\n".join([question, *(block["text"] for block in request.system)])
    return request.max_tokens <= _TITLE_MAX_TOKENS and "title" in asked.lower()


def _offered(request: Prompt) -> tuple[Json, ...]:
    return () if request.choice == "none" else request.tools


def _last_text(texts: Sequence[str]) -> str:
    """The words of a message. Facts that a product puts in blocks of their own may stand before or after them; what it
    fences is nobody's words, and holds no directive."""
    bare = [_ABOUT.sub("", text) for text in texts]
    own = [text for text in bare if _CONTEXT.sub("", text).strip()]
    return own[-1] if own else ""


def _about(text: str) -> str:
    fenced = _ABOUT.search(text)
    named = _CAMPAIGN.search(fenced["said"]) if fenced else None
    return named[1] if named else ""


def _results(turn: Turn) -> list[Json]:
    return [block for block in turn.blocks if block["type"] == "tool_result"]


def _answered(turns: Sequence[Turn]) -> list[Result]:
    names = {b["id"]: b["name"] for t in turns for b in t.blocks if b["type"] == "tool_use"}
    return [
        Result(names.get(b["tool_use_id"], "tool"), _content(b), bool(b.get("is_error")))
        for turn in turns
        for b in _results(turn)
    ]


def _content(block: Json) -> str:
    content = block.get("content") or ""
    if isinstance(content, str):
        return content
    return "\n".join(part.get("text", "") for part in content)
