"""Signatures of thinking blocks: made when the model thinks, verified when the block comes back on a later turn.

A signature is base64 of a JSON list: model, digests of tools, system and the messages before it, a tag of the thinking
block before it, and an HMAC over all that and the thinking text as it was shown. So a changed text breaks the HMAC; a
changed conversation leaves the HMAC whole but no longer matches, which newer models refuse ("bound to a different
conversation") and older ones do not mind. A block of another model is dropped in silence. `cache_control` is not
compared, nor is earlier thinking. The key is a constant: a signature stays good when the simulator restarts.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace

from simulator.dialects.anthropic_request import Request
from simulator.errors import ApiError
from simulator.prompt import Turn, merged
from simulator.values import Json, compact

_KEY = b"simulator: not a secret"
_THINKING = ("thinking", "redacted_thinking")
_REMEDY = (
    'Remove the block, or set `thinking.block_binding.prefix_mismatch_behavior` to "drop_block". That setting '
    "requires the `thinking-binding-controls-2026-08-01` value in the `anthropic-beta` header."
)


@dataclass(frozen=True)
class Seal:
    """What a signature says about the moment it was made."""

    model: str
    tools: str
    system: str
    messages: str
    before: str  # tag of the thinking block that preceded it, "" for none

    def sign(self, text: str) -> str:
        fields = [self.model, self.tools, self.system, self.messages, self.before]
        return base64.b64encode(compact([*fields, _mac(fields, text)]).encode()).decode()

    def after(self, signature: str) -> Seal:
        """The seal of the block that follows the one so signed."""
        return replace(self, before=_tag(signature))


def seal(request: Request) -> Seal:
    """The seal for what the model thinks in answer to this request."""
    tags = [_tag(_signature(b)) for t in request.turns for b in t.blocks if b["type"] in _THINKING]
    return _seal(request, request.turns, tags[-1] if tags else "")


def verify(request: Request) -> None:
    """Checks every replayed thinking block. Raises ApiError 400 with the place and the reason."""
    previous = ""
    for turn in request.turns:
        for i, block in enumerate(turn.blocks):
            if block["type"] in _THINKING:
                _verify_block(request, turn, i, previous)
                previous = _tag(_signature(block))


def _verify_block(request: Request, turn: Turn, i: int, previous: str) -> None:
    block = turn.blocks[i]
    where = f"messages.{turn.index}.content.{i}"
    found = _open(_signature(block), block.get("thinking", ""))
    if found is None:
        name = "signature" if block["type"] == "thinking" else "data"
        raise ApiError(400, f"{where}: Invalid `{name}` in `{block['type']}` block")
    if found.model != request.model.id or not request.model.binds or request.drops_unbound_thinking:
        return
    now = _seal(request, request.turns[: request.turns.index(turn)], found.before)
    difference = _difference(found, now, previous)
    if difference:
        raise ApiError(
            400,
            f"{where}: Invalid `signature` in `{block['type']}` block. "
            f"The block is bound to a different conversation. {_REMEDY} {difference}",
        )


def _difference(then: Seal, now: Seal, previous: str) -> str:
    if then.system != now.system:
        return "The `system` prompt differs from the one this block was created with."
    if then.tools != now.tools:
        return "The `tools` differ from those this block was created with."
    if then.messages != now.messages:
        return "The messages before this block differ from those it was created with."
    if previous and then.before != previous:
        return "The `thinking` block that preceded this one when it was created is missing from this request."
    return ""


def _open(signature: str, text: str) -> Seal | None:
    """The seal inside a signature, None if it is forged, altered, or not for this text."""
    try:
        *fields, mac = json.loads(base64.b64decode(signature, validate=True))
        genuine = hmac.compare_digest(mac, _mac(fields, text))
        return Seal(*fields) if genuine else None
    except (ValueError, TypeError):
        return None


def _seal(request: Request, turns: tuple[Turn, ...], before: str) -> Seal:
    return Seal(
        model=request.model.id,
        tools=_digest(_bare(request.tools)),
        system=_digest(_bare(request.system)),
        messages=_digest([[t.role, _bare(b for b in t.blocks if b["type"] not in _THINKING)] for t in merged(turns)]),
        before=before,
    )


def _signature(block: Json) -> str:
    value: str = block["signature"] if block["type"] == "thinking" else block["data"]
    return value


def _bare(blocks: Iterable[Json]) -> list[Json]:
    """Blocks without cache markers: moving a breakpoint changes nothing that was said."""
    return [{k: v for k, v in block.items() if k != "cache_control"} for block in blocks]


def _mac(fields: list[str], text: str) -> str:
    return hmac.new(_KEY, compact([fields, text]).encode(), hashlib.sha256).hexdigest()


def _digest(value: object) -> str:
    return hashlib.sha256(compact(value).encode()).hexdigest()[:16]


def _tag(signature: str) -> str:
    return hashlib.sha256(signature.encode()).hexdigest()[:16]
