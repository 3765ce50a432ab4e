"""From a request and what the demo model wants to say to the Reply on the wire: ids, signatures, limits."""

from __future__ import annotations

from dataclasses import replace

from simulator import thinking
from simulator.answers import Draft, compose
from simulator.conversation import Conversation
from simulator.request import Request
from simulator.wire import Block, Call, Json, Redacted, Reply, Text, Thinking, compact, limited, new_id

_ROOM_TO_THINK = 200  # tokens; with less allowed, all of them are for the answer
_REFUSAL: Json = {
    "type": "refusal",
    "category": "general_harms",
    "explanation": "The demo model was told to refuse this request.",
}


def build(request: Request, talk: Conversation) -> Reply:
    """The answer, within `max_tokens` and `stop_sequences`. With `max_tokens: 0` it is empty: a cache warm-up."""
    draft = compose(talk, _thinks(request))
    if _may_not_think(request):
        draft = replace(draft, thinking="", redacted=False)
    reply = Reply(tuple(_blocks(request, draft)), draft.stop, None, _REFUSAL if draft.stop == "refusal" else None)
    return limited(reply, request.max_tokens, request.raw.get("stop_sequences") or ())


def _blocks(request: Request, draft: Draft) -> list[Block]:
    blocks: list[Block] = []
    seal = thinking.seal(request)
    if draft.thinking:
        hidden = _hides_thinking(request)
        signature = seal.sign("" if hidden else draft.thinking)
        blocks.append(Thinking(draft.thinking, signature, hidden))
        seal = seal.after(signature)
    if draft.redacted:
        blocks.append(Redacted(seal.sign("")))
    if draft.text:
        blocks.append(Text(draft.text))
    blocks += [Call(new_id("toolu_"), call.name, compact(call.arguments)) for call in draft.calls]
    return blocks


def _thinks(request: Request) -> bool:
    asked = request.thinking.get("type")
    wants = request.model.thinks if asked is None else asked in ("adaptive", "enabled")
    return wants and request.max_tokens >= _ROOM_TO_THINK


def _may_not_think(request: Request) -> bool:
    return request.thinking.get("type") in ("disabled", "between_tools")


def _hides_thinking(request: Request) -> bool:
    display = request.thinking.get("display") or ("summarized" if request.model.shows else "omitted")
    return bool(display == "omitted")
