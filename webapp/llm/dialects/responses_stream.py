"""How the Responses API is heard: the events of a stream to ours. Pure.

A stream is response.created, then items (added, deltas of their parts, done), then the response as a whole: completed,
incomplete or failed. The item in `done` is the authoritative one; what deltas left out is taken from it, and a call
whose deltas say something else is refused. A call is closed, which lets it run, only when it is complete.
The response as a whole also says why its cache was missed, if that was asked: `prompt_cache_diagnostics`, one of
cache_miss (with a reason), cache_hit, comparison_response_not_found and unavailable. Only the first says anything.
https://platform.openai.com/docs/api-reference/responses-streaming
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from webapp.llm.dialects.answers import count, cut_off, not_the_provider, obj, parse, sayings, storable, text
from webapp.llm.dialects.faults import fault_in_stream
from webapp.llm.dialects.ids import short
from webapp.llm.events import (
    CACHE_MISS,
    BlockEnd,
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
from webapp.llm.providers import Provider
from webapp.llm.sse import COMMENT, Frame

_TICKS = 10_000_000_000  # a dollar in cost_in_usd_ticks
_TEXT = {"response.output_text.delta": "output_text", "response.refusal.delta": "refusal"}
_REASONING = {  # the delta -> what is numbered by which field
    "response.reasoning_summary_text.delta": ("summary", "summary_index"),
    "response.reasoning_text.delta": ("content", "content_index"),
}
_ENDS = {
    "response.completed": "completed",
    "response.done": "completed",
    "response.incomplete": "incomplete",
    "response.failed": "failed",
    "response.cancelled": "cancelled",
}
_INCOMPLETE = {
    "max_output_tokens": FinishReason.LENGTH,
    "max_tokens": FinishReason.LENGTH,
    "content_filter": FinishReason.CONTENT_FILTER,
    "max_messages": FinishReason.PAUSE,
    "steered": FinishReason.PAUSE,
}


def listen(provider: Provider, frames: Iterator[Frame]) -> Iterator[Event]:
    """The events of a stream, up to its one Finish. Raises ProviderError for an error event or a failed response, for
    what is not this dialect (PROTOCOL) and for an end without the response as a whole (TRUNCATED)."""
    ear = _Ear()
    for frame in frames:
        if frame is COMMENT:
            yield Heartbeat()
            continue
        for said in sayings(frame):
            yield from ear.hear(text(said.get("type")) or frame.event, said)
            if ear.finished:
                return
    raise cut_off()


@dataclass
class _Item:
    """An item of the answer between its beginning and its end. `kind` is "" for those that we skip."""

    kind: str
    id: str = ""
    call_id: str = ""
    name: str = ""
    parts: dict[object, int] = field(default_factory=dict)  # the number of a part -> its block
    heard: list[str] = field(default_factory=list)  # reasoning or arguments so far
    counted: tuple[str, object] | None = None  # which reasoning the last delta belonged to
    arguments: str | None = None  # whole, as they may come before the item's end
    settled: bool = False


class _Ear:
    """What must be remembered between two events of a stream."""

    def __init__(self) -> None:
        self.finished = False
        self._started = False
        self._items: list[_Item] = []
        self._by_id: dict[str, _Item] = {}
        self._by_index: dict[int, _Item] = {}
        self._blocks = 0
        self._call_ids: set[str] = set()
        self._refused = False
        self._called = False

    def hear(self, kind: str, said: dict[str, Any]) -> Iterator[Event]:
        if kind == "error" or (not said.get("type") and said.get("error")):
            raise fault_in_stream(said)
        if kind in _ENDS:
            yield from self._end(kind, obj(said.get("response")))
        elif kind in ("response.created", "response.queued", "response.in_progress"):
            yield from self._start(obj(said.get("response")))
        elif kind == "keepalive":
            yield Heartbeat()
        elif kind.startswith("response."):
            yield from self._hear_item(kind, said)

    def _start(self, response: dict[str, Any]) -> Iterator[Event]:
        if self._started:
            yield Heartbeat()
        else:
            self._started = True
            yield Start(text(response.get("model")), text(response.get("id")))

    def _hear_item(self, kind: str, said: dict[str, Any]) -> Iterator[Event]:
        if not self._started:
            yield from self._start({})
        if kind == "response.output_item.added":
            yield from self._added(said)
        elif kind == "response.output_item.done":
            final = obj(said.get("item"))
            yield from self._settle(self._found(said, text(final.get("id"))) or self._new(said, final), final)
        elif kind in _TEXT:
            yield from self._words(self._must_find(said, "message"), said, kind)
        elif kind in _REASONING:
            yield from self._reasoning(self._must_find(said, "reasoning"), said, *_REASONING[kind])
        elif kind == "response.function_call_arguments.delta":
            yield from self._arguments(self._must_find(said, "function_call"), text(said.get("delta")))
        elif kind == "response.function_call_arguments.done":
            self._must_find(said, "function_call").arguments = text(said.get("arguments"))

    # finding items: by their id, which a gateway may change on the way, or by their place

    def _found(self, said: dict[str, Any], id: str = "") -> _Item | None:
        index = said.get("output_index")
        by_index = self._by_index.get(index) if isinstance(index, int) else None
        return self._by_id.get(id or text(said.get("item_id"))) or by_index

    def _must_find(self, said: dict[str, Any], kind: str) -> _Item:
        """The item of a delta. One that was never announced begins with it, unless it must have a name."""
        item = self._found(said)
        if item is None:
            self._need(kind != "function_call", "A piece of a call has no call.")
            item = self._new(said, {"type": kind, "id": said.get("item_id")})
        self._need(item.kind in (kind, "") and not item.settled, "A delta is in the wrong item.")
        return item

    def _new(self, said: dict[str, Any], item: dict[str, Any]) -> _Item:
        kind = text(item.get("type"))
        new = _Item(kind if kind in ("message", "reasoning", "function_call") else "", text(item.get("id")))
        new.call_id, new.name = text(item.get("call_id")), text(item.get("name"))
        index = said.get("output_index")
        self._items.append(new)
        if new.id:
            self._by_id[new.id] = new
        if isinstance(index, int):
            self._by_index[index] = new
        return new

    def _added(self, said: dict[str, Any]) -> Iterator[Event]:
        raw = obj(said.get("item"))
        known = self._found(said, text(raw.get("id")))
        self._need(known is None or not known.parts, "An item began twice.")
        item = self._new(said, raw)
        if item.kind == "reasoning" or (item.kind == "function_call" and item.name):
            yield self._open(item)

    # growing

    def _open(self, item: _Item, part: object = 0) -> BlockStart:
        number, self._blocks = self._blocks, self._blocks + 1
        item.parts[part] = number
        if item.kind == "function_call":
            return BlockStart(number, "tool_use", self._call_id(item, number), item.name)
        return BlockStart(number, "thinking" if item.kind == "reasoning" else "text")

    def _call_id(self, item: _Item, number: int) -> str:
        """The call's id, unless it has none or another call of this answer has the same."""
        id = item.call_id
        if not id or id in self._call_ids:
            id = "call_" + short(f"{item.id}/{number}/{id}")
        self._call_ids.add(id)
        return id

    def _words(self, item: _Item, said: dict[str, Any], kind: str) -> Iterator[Event]:
        piece = text(said.get("delta"))
        if not piece or not item.kind:
            return
        self._refused = self._refused or _TEXT[kind] == "refusal"
        index = said.get("content_index")
        part = index if isinstance(index, int) else 0
        if part not in item.parts:
            yield self._open(item, part)
        yield TextDelta(item.parts[part], piece)

    def _reasoning(self, item: _Item, said: dict[str, Any], kind: str, counter: str) -> Iterator[Event]:
        """Summaries or the reasoning itself, whichever comes first: they say the same."""
        piece = text(said.get("delta"))
        if not piece or not item.kind or (item.counted and item.counted[0] != kind):
            return
        part = (kind, said.get(counter) if isinstance(said.get(counter), int) else 0)
        if not item.parts:
            yield self._open(item)
        if item.counted and item.counted != part:
            piece = "\n\n" + piece
        item.counted = part
        item.heard.append(piece)
        yield ThinkingDelta(item.parts[0], piece)

    def _arguments(self, item: _Item, piece: str) -> Iterator[Event]:
        if not piece or not item.kind:
            return
        item.heard.append(piece)
        if item.parts:
            yield ToolArgsDelta(item.parts[0], piece)

    # closing

    def _settle(self, item: _Item, final: dict[str, Any]) -> Iterator[Event]:
        """The end of an item: what the deltas left out, and what must be sent back of it."""
        if item.settled or not item.kind:
            return
        self._need(text(final.get("type")) == item.kind, "An item changed its kind.")
        item.settled = True
        match item.kind:
            case "message":
                yield from self._settle_message(item, final)
            case "reasoning":
                yield from self._settle_reasoning(item, final)
            case "function_call":
                yield from self._settle_call(item, final)

    def _settle_message(self, item: _Item, final: dict[str, Any]) -> Iterator[Event]:
        rest = storable({k: v for k, v in final.items() if k not in ("type", "role", "content")})
        content = final.get("content") if isinstance(final.get("content"), list) else []
        for number, part in enumerate(map(obj, content or [])):
            refusal = part.get("type") == "refusal"
            words = text(part.get("refusal" if refusal else "text"))
            if number not in item.parts:
                if not words:
                    continue
                yield self._open(item, number)
                yield TextDelta(item.parts[number], words)
            self._refused = self._refused or refusal
            kept = storable({k: v for k, v in part.items() if k not in ("text", "refusal")})
            yield BlockEnd(item.parts.pop(number), {"item": rest, "part": kept})
        for block in item.parts.values():
            yield BlockEnd(block)

    def _settle_reasoning(self, item: _Item, final: dict[str, Any]) -> Iterator[Event]:
        if not item.parts:
            yield self._open(item)
        if not item.heard:
            words = _joined(final.get("summary")) or _joined(final.get("content"))
            if words:
                yield ThinkingDelta(item.parts[0], words)
        kept = storable(final) if text(final.get("encrypted_content")) else None
        yield BlockEnd(item.parts[0], kept)

    def _settle_call(self, item: _Item, final: dict[str, Any]) -> Iterator[Event]:
        """A call is closed, which allows it to run, only when it is complete and there is no doubt about it."""
        heard, whole = "".join(item.heard), text(final.get("arguments")) or item.arguments or ""
        self._need(not heard or not whole or _same(heard, whole), "The arguments of a call changed.")
        shown = bool(heard and item.parts)
        if not item.parts:
            item.name, item.call_id = text(final.get("name")), text(final.get("call_id")) or item.call_id
            self._need(bool(item.name), "A call has no name.")
            yield self._open(item)
        if not shown and (whole or heard):
            yield ToolArgsDelta(item.parts[0], whole or heard)
        if final.get("status") in ("incomplete", "in_progress"):
            return
        self._called = True
        kept = {k: v for k, v in final.items() if k not in ("type", "call_id", "name")}
        yield BlockEnd(item.parts[0], storable({**kept, "arguments": whole or heard}))

    def _end(self, kind: str, response: dict[str, Any]) -> Iterator[Event]:
        if not self._started:
            yield from self._start(response)
        status = text(response.get("status")) or _ENDS[kind]
        if status == "failed" or obj(response.get("error")):
            raise fault_in_stream(response)
        yield from _missed(obj(response.get("prompt_cache_diagnostics")))
        yield from self._settle_rest(response.get("output"), completed=status == "completed")
        if isinstance(response.get("usage"), dict):
            yield _usage(response["usage"])
        self.finished = True
        yield self._finish(status, text(obj(response.get("incomplete_details")).get("reason")))

    def _settle_rest(self, output: object, *, completed: bool) -> Iterator[Event]:
        """Items whose end was not told by itself; some servers tell nothing but the whole."""
        for index, final in enumerate(map(obj, output if isinstance(output, list) else [])):
            place = {"output_index": index}
            item = self._found(place, text(final.get("id")))
            if item is None or (item.kind and item.kind != final.get("type")):
                item = self._new(place, final)
            yield from self._settle(item, final)
        for item in self._items:
            if item.kind == "function_call" and item.arguments is not None and completed:
                yield from self._settle(item, {"type": item.kind, "name": item.name, "arguments": item.arguments})
            elif item.kind in ("message", "reasoning") and not item.settled:
                for block in item.parts.values():
                    yield BlockEnd(block)

    def _finish(self, status: str, reason: str) -> Finish:
        if status == "incomplete":
            return Finish(_INCOMPLETE.get(reason, FinishReason.UNKNOWN), reason or status)
        if status != "completed":
            return Finish(FinishReason.UNKNOWN, status)
        if self._refused:
            return Finish(FinishReason.REFUSAL, "refusal")
        return Finish(FinishReason.TOOL_CALLS if self._called else FinishReason.STOP, status)

    def _need(self, right: bool, otherwise: str) -> None:
        if not right:
            raise not_the_provider(f"The stream makes no sense. {otherwise}", in_stream=True)


def _missed(diagnosis: dict[str, Any]) -> Iterator[Notice]:
    reason = text(diagnosis.get("reason"))
    if diagnosis.get("type") == "cache_miss" and reason:
        yield Notice(CACHE_MISS, reason)


def _joined(parts: object) -> str:
    return "\n\n".join(text(obj(p).get("text")) for p in parts) if isinstance(parts, list) else ""


def _same(one: str, other: str) -> bool:
    """Whether two texts of arguments say the same, however they are spaced."""
    if one == other:
        return True
    try:
        return bool(parse(one) == parse(other))
    except (ValueError, RecursionError):
        return False


def _usage(said: dict[str, Any]) -> Usage:
    """Tokens read from and written to a cache are part of the input; where they are more than it, they come on top."""
    details = obj(said.get("input_tokens_details"))
    sent, read, written = (
        count(said.get("input_tokens")),
        count(details.get("cached_tokens")),
        count(details.get("cache_write_tokens")),
    )
    return Usage(
        input=sent - read - written if read + written <= sent else sent,
        cache_read=read,
        cache_write=written,
        output=count(said.get("output_tokens")),
        thinking=count(obj(said.get("output_tokens_details")).get("reasoning_tokens")),
        cost=ticks / _TICKS if (ticks := count(said.get("cost_in_usd_ticks"))) else None,
    )
