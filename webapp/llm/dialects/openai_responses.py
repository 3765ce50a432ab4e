"""The Responses API of OpenAI and xAI: our values to its requests, its answers to our events. Pure.

Nothing is stored there: each request carries the whole conversation as a list of items. An answer is such items too.
A message, a call and the reasoning behind them go back as they came, in their order; reasoning only as the encrypted
text that we ask for. Items name their partners by id, so ids are sent along with reasoning or not at all.

A stream is response.created, then items (added, deltas of their parts, done), then the response as a whole: completed,
incomplete or failed. The item in `done` is the authoritative one; what deltas left out is taken from it, and a call
whose deltas say something else is refused. https://platform.openai.com/docs/api-reference/responses-streaming
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from webapp.llm.blocks import Image, Json, Message, Text, Thinking, ToolResult, ToolUse
from webapp.llm.dialects import faults
from webapp.llm.dialects.answers import (
    count,
    cut_off,
    error_body,
    not_the_provider,
    obj,
    ordered,
    parse,
    sayings,
    storable,
    text,
)
from webapp.llm.dialects.faults import fault_in_stream
from webapp.llm.dialects.ids import short
from webapp.llm.dialects.verdicts import judge
from webapp.llm.errors import Kind, ProviderError
from webapp.llm.events import (
    BlockEnd,
    BlockStart,
    Event,
    Finish,
    FinishReason,
    Heartbeat,
    Start,
    TextDelta,
    ThinkingDelta,
    ToolArgsDelta,
    Usage,
)
from webapp.llm.history import replayable
from webapp.llm.models import ModelPage, RemoteModel
from webapp.llm.providers import Provider
from webapp.llm.request import HttpCall, ModelRequest, ToolSpec
from webapp.llm.sse import COMMENT, Frame
from webapp.secret import Secret

NAME = "openai_responses"

__all__ = ["NAME", "call", "check_call", "fail", "listen", "models_call", "read_check", "read_models"]

_CALL_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_PRICE_UNIT = 10_000  # a list with prices gives them in this part of a dollar per million tokens
_TICKS = 10_000_000_000  # a dollar in cost_in_usd_ticks


# --- asking -----------------------------------------------------------------------------------------------------


def call(provider: Provider, request: ModelRequest, key: Secret) -> HttpCall:
    """POST /responses, streaming."""
    body = json.dumps(_body(provider, request), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    headers = {"content-type": "application/json", "accept": "text/event-stream"}
    return HttpCall("POST", f"{provider.base_url}/responses", headers, body.encode(), key, "authorization", "Bearer ")


def models_call(provider: Provider, key: Secret, after: str = "") -> HttpCall:
    """The list of models, which comes in one page."""
    return _get(provider, provider.responses.models_path, key)


def check_call(provider: Provider, key: Secret) -> HttpCall | None:
    """A free request whose answer says what the key may do, where there is one."""
    return _get(provider, provider.responses.check_path, key) if provider.responses.check_path else None


def _get(provider: Provider, path: str, key: Secret) -> HttpCall:
    url = provider.base_url + path
    return HttpCall("GET", url, {"accept": "application/json"}, b"", key, "authorization", "Bearer ")


def _body(provider: Provider, request: ModelRequest) -> dict[str, Any]:
    """The prefix (tools, instructions) comes before what changes. That a model shall not think is not sent: the list of
    models does not say which of them would refuse that."""
    quirks = provider.responses
    body: dict[str, Any] = {"model": request.model, "stream": True, "store": False, **quirks.body}
    body["max_output_tokens"] = max(request.max_output, provider.probe_tokens)
    if request.thinking == "adaptive" and not request.drop_thinking:
        body["include"] = ["reasoning.encrypted_content"]
        body["reasoning"] = {"summary": "auto"}
    if request.user_hash:
        body[quirks.user] = request.user_hash
    if request.cache_key:
        body["prompt_cache_key"] = request.cache_key
    if request.tools:
        body["tools"] = [_tool(t) for t in request.tools]
    if request.system:
        body["instructions"] = request.system
    messages = replayable(request.messages, NAME, request.model, drop_thinking=request.drop_thinking)
    body["input"] = [item for m in messages for item in (_answered(m) if m.role == "assistant" else _asked(m))]
    return body


def _tool(tool: ToolSpec) -> dict[str, Any]:
    said = {"type": "function", "name": tool.name, "description": tool.description}
    return {**said, "parameters": ordered(tool.schema), "strict": False}


def _asked(message: Message) -> list[dict[str, Any]]:
    """The items of a user's message: the results of calls, then what the person says."""
    items = [_result(b) for b in message.blocks if isinstance(b, ToolResult)]
    content = [_input(b) for b in message.blocks if isinstance(b, Text | Image)]
    return items + ([{"role": "user", "content": content}] if content else [])


def _result(result: ToolResult) -> dict[str, Any]:
    output = json.dumps({"error": result.content}, ensure_ascii=False) if result.is_error else result.content
    return {"type": "function_call_output", "call_id": _call_id(result.tool_use_id), "output": output}


def _input(block: Text | Image) -> dict[str, Any]:
    if isinstance(block, Text):
        return {"type": "input_text", "text": block.text}
    return {"type": "input_image", "image_url": f"data:{block.media_type};base64,{block.data}"}


def _answered(message: Message) -> list[dict[str, Any]]:
    """The items of an answer. Reasoning with nothing after it is left out: it may not stand alone."""
    blocks = [b for b in message.blocks if isinstance(b, Text | Thinking | ToolUse)]
    while blocks and isinstance(blocks[-1], Thinking):
        blocks.pop()
    with_ids = any(isinstance(b, Thinking) for b in blocks)
    items: list[dict[str, Any]] = []
    last: Json | None = None  # the message item to which the next part may belong
    for block in blocks:
        whole = obj(obj(block.opaque).get("item")) if isinstance(block, Text) else None
        if isinstance(block, Text) and whole and whole == last:
            items[-1]["content"].append(_part(block))
        else:
            items.append(_item(block, with_ids=with_ids))
        last = whole
    return items


def _item(block: Text | Thinking | ToolUse, *, with_ids: bool) -> dict[str, Any]:
    match block:
        case Thinking(_, opaque):
            return dict(opaque or {})
        case ToolUse(id, name, arguments, _, opaque):
            item = {"arguments": json.dumps(ordered(arguments), ensure_ascii=False), **(opaque or {})}
            item |= {"type": "function_call", "call_id": _call_id(id), "name": name}
        case Text(_, opaque):
            item = {**obj(obj(opaque).get("item")), "role": "assistant", "type": "message", "content": [_part(block)]}
    if not with_ids:
        item.pop("id", None)
    return item


def _part(block: Text) -> dict[str, Any]:
    rest = obj(obj(block.opaque).get("part"))
    if rest.get("type") == "refusal":
        return {**rest, "refusal": block.text}
    return {"type": "output_text", **rest, "text": block.text}


def _call_id(id: str) -> str:
    """An id that this dialect takes, for one that another gave."""
    return id if _CALL_ID.fullmatch(id) else "call_" + short(id)


# --- listening --------------------------------------------------------------------------------------------------

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


# --- errors -----------------------------------------------------------------------------------------------------

_SCOPES = re.compile(r"missing scopes", re.IGNORECASE)


def fail(status: int, headers: Mapping[str, str], body: bytes) -> ProviderError:
    """What an answer that is no stream means. A missing permission has no code of its own there; here it has."""
    fault = faults.fail(status, headers, body).fault
    if fault.kind is Kind.KEY_FORBIDDEN and _SCOPES.search(fault.message):
        fault = replace(fault, code="missing_scope")
    return ProviderError(fault)


# --- models, and the key ----------------------------------------------------------------------------------------


def read_models(provider: Provider, body: bytes) -> ModelPage:
    """The models that can chat, of a list with or without abilities and prices. Raises ProviderError (PROTOCOL) for
    anything else."""
    said = error_body(body) or {}
    listed = said.get("models") if isinstance(said.get("models"), list) else said.get("data")
    if not isinstance(listed, list):
        raise not_the_provider("The answer is no list of models.", status=200)
    entries = [e for e in map(obj, listed) if provider.offers(text(e.get("id"))) and "text" in _outputs(e)]
    return ModelPage(tuple(_model(provider, e) for e in entries))


def _outputs(entry: dict[str, Any]) -> Iterable[object]:
    said = entry.get("output_modalities")
    return said if isinstance(said, list) else ("text",)


def _model(provider: Provider, entry: dict[str, Any]) -> RemoteModel:
    inputs, id = entry.get("input_modalities"), text(entry.get("id"))
    return RemoteModel(
        id=id,
        context=count(entry.get("context_length")) or None,
        vision="image" in inputs if isinstance(inputs, list) else None,
        tools=True if "output_modalities" in entry else None,
        thinking=("adaptive",) if re.match(provider.responses.reasons, id) else (),
        price_in=_price(entry.get("prompt_text_token_price")),
        price_out=_price(entry.get("completion_text_token_price")),
        cache_read=_price(entry.get("cached_prompt_text_token_price")),
    )


def _price(said: object) -> float | None:
    """USD per million tokens."""
    return said / _PRICE_UNIT if isinstance(said, int) and not isinstance(said, bool) and said >= 0 else None


def read_check(provider: Provider, body: bytes) -> None:
    """Raises ProviderError for a key that cannot chat, as the answer says; nothing for an answer it cannot read."""
    judge(body, provider.responses.verdicts)
