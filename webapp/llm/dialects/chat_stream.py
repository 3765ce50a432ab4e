"""How chat completions are heard: the chunks of a stream to our events, whoever's variant of them they are. Pure.

A stream is chunks {id, model, choices: [{index, delta, finish_reason}], usage}, then [DONE]. That is all one can say of
all of them, so as little as possible is relied on:

    text       a string or a list of parts, null or "" beside anything; a refusal has a field of its own
    reasoning  in reasoning_content, in reasoning, in reasoning_details (often the same text as in reasoning: counted
               once), as parts of the text, or between <think> tags at its beginning
    calls      in fragments or whole, in one chunk or many; told apart by index, else by id; an index that comes again
               with another id or name is another call; ids and names are repeated, ids empty, arguments null or objects
    the end    finish_reason: twice, "null", or never before [DONE]. Usage comes before, with or after it, at the top,
               in choices[0] or in x_groq, the last one counts. Neither usage nor [DONE] need come at all
    errors     beside or instead of choices, under `event: error`, or as a reason to finish

Calls are closed by a clean end only: a cut stream leaves none. What we do not know is skipped.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

from webapp.llm.dialects.answers import clip, count, cut_off, obj, parse, sayings, storable, text
from webapp.llm.dialects.chat_reasoning import Details, ThinkTags, add_details, details_text, have_substance
from webapp.llm.dialects.faults import fault_in_stream, is_error
from webapp.llm.dialects.ids import short
from webapp.llm.errors import Fault, Kind, ProviderError
from webapp.llm.events import (
    BlockEnd,
    BlockKind,
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
from webapp.llm.providers import Provider
from webapp.llm.sse import COMMENT, Frame

DONE = "[DONE]"
END_TOKENS = ("</s>", "<|eot_id|>", "<|im_end|>", "<|endoftext|>", "<end_of_turn>")

_REASONS = {
    "stop": FinishReason.STOP,
    "eos": FinishReason.STOP,
    "eos_token": FinishReason.STOP,
    "end_turn": FinishReason.STOP,
    "stop_sequence": FinishReason.STOP,
    "": FinishReason.STOP,
    "length": FinishReason.LENGTH,
    "max_tokens": FinishReason.LENGTH,
    "tool_calls": FinishReason.TOOL_CALLS,
    "tool_use": FinishReason.TOOL_CALLS,
    "function_call": FinishReason.TOOL_CALLS,
    "content_filter": FinishReason.CONTENT_FILTER,
    "sensitive": FinishReason.CONTENT_FILTER,
    "safety": FinishReason.CONTENT_FILTER,
    "refusal": FinishReason.REFUSAL,
    "model_context_window_exceeded": FinishReason.CONTEXT_OVERFLOW,
    "model_length": FinishReason.CONTEXT_OVERFLOW,
}
_BREAKDOWNS = {  # reasons to finish that are faults
    "error": Kind.PROVIDER_ERROR,
    "abort": Kind.PROVIDER_ERROR,
    "network_error": Kind.PROVIDER_ERROR,
    "insufficient_system_resource": Kind.OVERLOADED,
}
_REASONING = ("reasoning_content", "reasoning", "reasoning_text")
_OF_A_CALL = {"index", "id", "type", "function"}
_TICKS = 10_000_000_000  # a dollar in xAI's cost_in_usd_ticks


def listen(provider: Provider, frames: Iterator[Frame]) -> Iterator[Event]:
    """The events of a stream, up to its one Finish. Raises ProviderError for an error inside it, for what is not this
    dialect (PROTOCOL) and for an end without a reason or [DONE] (TRUNCATED)."""
    ear = _Ear(think_tags=provider.chat.think_tags)
    for frame in frames:
        if frame is COMMENT:
            yield Heartbeat()
            continue
        if frame.event == "error":
            raise _error_event(frame)
        for said in _sayings(frame, ear):
            yield from ear.hear(said)
        if frame.data.rstrip().endswith(DONE):
            yield from ear.finish(done=True)
            return
    yield from ear.finish(done=False)


def _sayings(frame: Frame, ear: _Ear) -> list[dict[str, Any]]:
    """What a frame says. Half a chunk after the reason to finish takes nothing back."""
    try:
        return sayings(frame)
    except ProviderError as error:
        if error.fault.kind is Kind.TRUNCATED and ear.has_reason:
            return []
        raise


def _error_event(frame: Frame) -> ProviderError:
    try:
        said = obj(parse(frame.data))
    except ValueError:
        if not frame.whole:
            return cut_off()
        said = {}
    return fault_in_stream(said or {"message": frame.data})


@dataclass
class _Spoken:
    """The block of text or reasoning that is open. `where` names the field that its reasoning came in."""

    number: int
    kind: BlockKind
    where: str = ""
    opaque: dict[str, Any] = field(default_factory=dict)


@dataclass
class _Call:
    """A call so far. `number` is None until its name is known; its arguments wait in `early` meanwhile."""

    id: str = ""
    name: str = ""
    number: int | None = None
    early: list[str] = field(default_factory=list)
    argued: bool = False
    extras: dict[str, Any] = field(default_factory=dict)


class _Ear:
    """What must be remembered between two chunks of a stream."""

    def __init__(self, *, think_tags: bool) -> None:
        self._tags = ThinkTags() if think_tags else None
        self._start: Start | None = None
        self._blocks = 0
        self._spoken: _Spoken | None = None
        self._calls: list[_Call] = []
        self._by_index: dict[int, _Call] = {}
        self._by_id: dict[str, _Call] = {}
        self._ids: set[str] = set()
        self._details: Details = []  # those that no block has been closed with
        self._usage: Usage | None = None
        self._refused = False
        self._reason: str | None = None

    def hear(self, said: dict[str, Any]) -> Iterator[Event]:
        choices = [c for c in _list(said.get("choices")) if isinstance(c, dict) and c.get("index") in (0, None)]
        usage = _usage_of(said, choices)
        if self._start is None and (choices or usage):
            self._start = Start(text(said.get("model")), text(said.get("id")))
            yield self._start
        if usage and usage != self._usage:
            self._usage = usage
            yield usage
        for choice in choices:
            self._note_reason(choice.get("finish_reason"))
            yield from self._delta(obj(choice.get("delta", choice.get("message"))))
        if is_error(said):
            raise fault_in_stream(said)
        if self._reason in _BREAKDOWNS:
            kind = _BREAKDOWNS[self._reason]
            raise ProviderError(Fault(kind, code=self._reason, retryable=True, in_stream=True))

    def _note_reason(self, reason: object) -> None:
        if isinstance(reason, str) and reason not in ("", "null"):
            self._reason = clip(reason)

    @property
    def has_reason(self) -> bool:
        return self._reason is not None

    def finish(self, *, done: bool) -> Iterator[Event]:
        """The end of the stream, with its [DONE] or without. Raises ProviderError (TRUNCATED)."""
        if self._start is None or (self._reason is None and not done):
            raise cut_off()
        for reasoned, piece in self._tags.close() if self._tags else ():
            yield from self._say("thinking" if reasoned else "text", piece, "<think>")
        yield from self._settle()
        for call in self._calls:
            if call.number is not None:
                yield BlockEnd(call.number, {"extras": call.extras} if call.extras else None)
        yield self._finish()

    def _finish(self) -> Finish:
        raw = self._reason or ""
        reason = _REASONS.get(raw.lower(), FinishReason.UNKNOWN)
        called = any(call.number is not None for call in self._calls)
        if reason in (FinishReason.STOP, FinishReason.TOOL_CALLS):
            reason = FinishReason.TOOL_CALLS if called else FinishReason.STOP
            if self._refused:
                reason = FinishReason.REFUSAL
        return Finish(reason, raw)

    # --- text and reasoning ---

    def _delta(self, delta: dict[str, Any]) -> Iterator[Event]:
        yield from self._reasoning(delta)
        content = delta.get("content")
        if self._reason == "eos_token" and content in END_TOKENS:  # TGI shows what ended the text
            content = ""
        for part in content if isinstance(content, list) else (content,):
            yield from self._part(part)
        refusal = text(delta.get("refusal"))
        if refusal:
            self._refused = True
            yield from self._say("text", refusal)
        for fragment in _list(delta.get("tool_calls")):
            if isinstance(fragment, dict):
                yield from self._call(fragment)

    def _reasoning(self, delta: dict[str, Any]) -> Iterator[Event]:
        details = [storable(d) for d in _list(delta.get("reasoning_details")) if isinstance(d, dict)]
        where = next((name for name in _REASONING if text(delta.get(name))), "reasoning_details")
        piece = text(delta.get(where)) or details_text(details)
        yield from self._say("thinking", piece, where)
        add_details(self._details, details)

    def _part(self, part: object) -> Iterator[Event]:
        match part:
            case str():
                yield from self._answer(text(part))
            case {"type": "thinking", "thinking": thought, **more}:
                pieces = thought if isinstance(thought, list) else [thought]
                said = "".join(text(p) or text(obj(p).get("text")) for p in pieces)
                yield from self._say("thinking", said, "content")
                if self._spoken and self._spoken.kind == "thinking" and text(more.get("signature")):
                    self._spoken.opaque["signature"] = text(more.get("signature"))
            case {"text": str(words)}:
                yield from self._answer(text(words))

    def _answer(self, piece: str) -> Iterator[Event]:
        if self._tags is None:
            yield from self._say("text", piece)
            return
        for reasoned, words in self._tags.feed(piece):
            yield from self._say("thinking" if reasoned else "text", words, "<think>")

    def _say(self, kind: BlockKind, piece: str, where: str = "") -> Iterator[Event]:
        if not piece:
            return
        if self._spoken is None or self._spoken.kind != kind:
            yield from self._open(kind, where)
        if self._spoken:
            delta = TextDelta if kind == "text" else ThinkingDelta
            yield delta(self._spoken.number, piece)

    def _open(self, kind: BlockKind, where: str = "") -> Iterator[Event]:
        yield from self._hush() if kind == "thinking" else self._settle()
        self._spoken = _Spoken(self._number(), kind, where)
        yield BlockStart(self._spoken.number, kind)

    def _hush(self) -> Iterator[Event]:
        """Close what is being said. Reasoning takes along what its provider wants back."""
        ended, self._spoken = self._spoken, None
        if ended is None:
            return
        if ended.kind == "text":
            yield BlockEnd(ended.number)
            return
        opaque = {"in": ended.where, **ended.opaque}
        if have_substance(self._details):
            opaque["details"], self._details = self._details, []
        yield BlockEnd(ended.number, opaque)

    def _settle(self) -> Iterator[Event]:
        """Close what is being said; details of reasoning that nobody can read get a block of their own."""
        yield from self._hush()
        if have_substance(self._details):
            yield from self._open("thinking", "reasoning_details")
            yield from self._hush()

    def _number(self) -> int:
        self._blocks += 1
        return self._blocks - 1

    # --- calls ---

    def _call(self, fragment: dict[str, Any]) -> Iterator[Event]:
        function = obj(fragment.get("function"))
        id, name, piece = text(fragment.get("id")), text(function.get("name")), _arguments(function.get("arguments"))
        call = self._known(fragment.get("index"), id, name) or self._new()
        self._file(call, fragment.get("index"), id)
        call.id, call.name = call.id or id, call.name or name
        call.extras.update({text(k): storable(v) for k, v in fragment.items() if k not in _OF_A_CALL and v is not None})
        call.argued = call.argued or bool(piece)
        call.early.append(piece)
        if not call.name:
            return
        if call.number is None:
            yield from self._settle()
            call.number = self._number()
            yield BlockStart(call.number, "tool_use", self._own_id(call), call.name)
        words = "".join(call.early)
        call.early = []
        if words:
            yield ToolArgsDelta(call.number, words)

    def _known(self, index: object, id: str, name: str) -> _Call | None:
        """The call that a fragment belongs to, None for a new one."""
        if isinstance(index, int):
            call = self._by_index.get(index)
        elif id:
            return self._by_id.get(id)
        else:
            call = self._calls[-1] if self._calls else None
            if call and name and call.argued:
                return None
        if call and ((id and call.id and id != call.id) or (name and call.name and name != call.name)):
            return None
        return call

    def _new(self) -> _Call:
        self._calls.append(_Call())
        return self._calls[-1]

    def _file(self, call: _Call, index: object, id: str) -> None:
        if isinstance(index, int):
            self._by_index[index] = call
        if id:
            self._by_id.setdefault(id, call)

    def _own_id(self, call: _Call) -> str:
        """Its id, unless it has none or another call of this answer has the same."""
        id = call.id
        if not id or id in self._ids:
            id = short(f"{self._start.response_id if self._start else ''}/{call.number}/{id}")
        self._ids.add(id)
        return id


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _arguments(value: object) -> str:
    """A piece of the arguments' JSON; some send it parsed."""
    if value is None or isinstance(value, str):
        return text(value)
    return json.dumps(storable(value), ensure_ascii=False)


# --- usage --------------------------------------------------------------------------------------------------------


def _usage_of(said: dict[str, Any], choices: list[dict[str, Any]]) -> Usage | None:
    places = (said.get("usage"), obj(said.get("x_groq")).get("usage"), *(c.get("usage") for c in choices))
    found = next((place for place in places if isinstance(place, dict) and place), None)
    return _usage(found) if found else None


def _usage(said: dict[str, Any]) -> Usage:
    """Cached tokens are part of the prompt's; where they are more, they come on top. Reasoning is part of the
    completion's, unless the total says otherwise (xAI)."""
    details, spent = obj(said.get("prompt_tokens_details")), obj(said.get("completion_tokens_details"))
    prompt, completion = count(said.get("prompt_tokens")), count(said.get("completion_tokens"))
    read = _first_count(
        details.get("cached_tokens"),
        said.get("prompt_cache_hit_tokens"),
        said.get("cached_tokens"),
        said.get("num_cached_tokens"),
    )
    written = _first_count(
        details.get("cache_write_tokens"),
        details.get("cache_creation_input_tokens"),
        said.get("cache_creation_input_tokens"),
    )
    thinking = _first_count(spent.get("reasoning_tokens"), said.get("reasoning_tokens"))
    on_top = thinking if thinking and count(said.get("total_tokens")) == prompt + completion + thinking else 0
    return Usage(
        input=prompt - read - written if read + written <= prompt else prompt,
        cache_read=read,
        cache_write=written,
        output=completion + on_top,
        thinking=thinking,
        cost=_cost(said),
    )


def _first_count(*values: object) -> int:
    return next((number for number in map(count, values) if number), 0)


def _cost(said: dict[str, Any]) -> float | None:
    """USD, as OpenRouter, Perplexity and xAI tell. Where the key behind OpenRouter is one's own, its cost is only its
    share. A zero in ticks is no price: Azure sends it for models that cost."""
    cost = _money(said.get("cost"))
    if cost is None:
        cost = _money(obj(said.get("cost")).get("total_cost"))
    ticks = _money(said.get("cost_in_usd_ticks"))
    if cost is None:
        return ticks / _TICKS if ticks else None
    upstream = (
        _money(obj(said.get("cost_details")).get("upstream_inference_cost")) if said.get("is_byok") is True else 0
    )
    return round(cost + (upstream or 0), 12)


def _money(value: object) -> float | None:
    """An amount: a number, finite and not negative."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if isfinite(value) and value >= 0 else None
    except OverflowError:
        return None
