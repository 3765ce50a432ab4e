"""Google's generateContent: our values to its requests, its answers to our events. Pure.

A stream is whole responses {candidates: [{content: {parts}, finishReason}], usageMetadata}, one an event, ended by
nothing but its end. A part is text, a thought, or a whole call. What must go back with a part is its thoughtSignature,
wherever it stood: on a call, on text, on a part with no text at all. So a block remembers where its signed parts were.

A reason to finish may come twice, with text after the first. It is always STOP, also for calls; a stream without one
was cut. https://ai.google.dev/api/generate-content, https://ai.google.dev/gemini-api/docs/thought-signatures
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlencode

from webapp.llm.blocks import Image, Json, Message, Text, Thinking, ToolResult, ToolUse
from webapp.llm.dialects.answers import (
    clip,
    count,
    cut_off,
    error_body,
    not_the_provider,
    obj,
    ordered,
    sayings,
    storable,
    text,
)
from webapp.llm.dialects.faults import fail, fault_in_stream
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
from webapp.llm.history import replayable
from webapp.llm.models import ModelPage, RemoteModel
from webapp.llm.providers import Provider
from webapp.llm.request import HttpCall, ModelRequest, ToolSpec
from webapp.llm.sse import COMMENT, Frame
from webapp.secret import Secret

NAME = "gemini"
PAGE = 1000  # models a page of the list
UNSIGNED = "skip_thought_signature_validator"  # in place of a signature, for a call that another model made

__all__ = ["NAME", "call", "check_call", "fail", "listen", "models_call", "read_check", "read_models"]

_CHECKS_NO_SIGNATURE = re.compile(r"gemini-[12]\b|gemma")


# --- asking -----------------------------------------------------------------------------------------------------


def call(provider: Provider, request: ModelRequest, key: Secret) -> HttpCall:
    """POST /models/{model}:streamGenerateContent, as server-sent events."""
    url = f"{provider.base_url}/models/{quote(request.model, safe='')}:streamGenerateContent?alt=sse"
    body = json.dumps(_body(request), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    headers = {"content-type": "application/json", "accept": "text/event-stream"}
    return HttpCall("POST", url, headers, body.encode(), key, "x-goog-api-key")


def models_call(provider: Provider, key: Secret, after: str = "") -> HttpCall:
    """GET /models."""
    query = urlencode({"pageSize": PAGE, **({"pageToken": after} if after else {})})
    return HttpCall(
        "GET", f"{provider.base_url}/models?{query}", {"accept": "application/json"}, b"", key, "x-goog-api-key"
    )


def check_call(provider: Provider, key: Secret) -> HttpCall | None:
    """There is none: the list of models is free, and refuses a wrong key."""
    return None


def read_check(provider: Provider, body: bytes) -> None:
    """Nothing is asked, nothing is read."""


def _body(request: ModelRequest) -> dict[str, Any]:
    body: dict[str, Any] = {}
    if request.system:
        body["systemInstruction"] = {"parts": [{"text": request.system}]}
    if request.tools:
        body["tools"] = [{"functionDeclarations": [_tool(t) for t in request.tools]}]
    body["generationConfig"] = {"maxOutputTokens": request.max_output}
    if request.thinking == "adaptive":
        body["generationConfig"]["thinkingConfig"] = {"includeThoughts": True}
    body["contents"] = list(_contents(request))
    return body


def _tool(tool: ToolSpec) -> dict[str, Any]:
    said = {"name": tool.name, "description": tool.description}
    return {**said, "parametersJsonSchema": ordered(tool.schema)} if tool.schema.get("properties") else said


def _contents(request: ModelRequest) -> Iterator[dict[str, Any]]:
    calls: Mapping[str, ToolUse] = {}
    signs = not _CHECKS_NO_SIGNATURE.match(request.model)
    for message in replayable(request.messages, NAME, request.model, drop_thinking=request.drop_thinking):
        if message.role == "assistant":
            calls = {b.id: b for b in message.blocks if isinstance(b, ToolUse)}
            yield {"role": "model", "parts": _answered(message, signs=signs)}
        else:
            said = [b for b in message.blocks if isinstance(b, Text | Image | ToolResult)]
            yield {"role": "user", "parts": [_asked(b, calls) for b in said]}


def _asked(block: Text | Image | ToolResult, calls: Mapping[str, ToolUse]) -> dict[str, Any]:
    match block:
        case ToolResult(id, content, is_error):
            called = calls[id]
            known = {k: v for k, v in obj(obj(called.opaque).get("call")).items() if k == "id"}
            response = {"error" if is_error else "result": content}
            return {"functionResponse": {**known, "name": called.name, "response": response}}
        case Image(media_type, data):
            return {"inlineData": {"mimeType": media_type, "data": data}}
        case Text(words):
            return {"text": words}


def _answered(message: Message, *, signs: bool) -> list[dict[str, Any]]:
    """The parts of an answer. With `signs`, its first call must have a signature."""
    parts: list[dict[str, Any]] = []
    for block in message.blocks:
        match block:
            case Thinking(words, opaque):
                parts += _said(words, opaque or {}, thought=True)
            case Text(words, opaque):
                parts += _said(words, opaque or {})
            case ToolUse(_, name, arguments, _, opaque):
                called = {**obj(obj(opaque).get("call")), "name": name, "args": ordered(arguments)}
                parts.append({**obj(obj(opaque).get("part")), "functionCall": called})
    first = next((p for p in parts if "functionCall" in p), None)
    if signs and first is not None:
        first.setdefault("thoughtSignature", UNSIGNED)
    return parts


def _said(words: str, opaque: Json, *, thought: bool = False) -> list[dict[str, Any]]:
    """Text as the parts that it came in, as far as they were signed."""
    marks: dict[str, Any] = {"thought": True} if thought else {}
    parts: list[dict[str, Any]] = []
    told = 0
    for start, end, signature in opaque.get("signed", ()):
        if start > told:
            parts.append({"text": words[told:start], **marks})
        parts.append({"text": words[start:end], **marks, "thoughtSignature": signature})
        told = end
    if told < len(words):
        parts.append({"text": words[told:], **marks})
    return parts


# --- listening --------------------------------------------------------------------------------------------------

_REASONS = {
    "STOP": FinishReason.STOP,
    "MAX_TOKENS": FinishReason.LENGTH,
    "CONTINUATION": FinishReason.PAUSE,
    **dict.fromkeys(
        ("SAFETY", "RECITATION", "LANGUAGE", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "ESCALATION", "MODEL_ARMOR"),
        FinishReason.CONTENT_FILTER,
    ),
    **dict.fromkeys(
        ("IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION"),
        FinishReason.CONTENT_FILTER,
    ),
}
_BREAKDOWNS = {  # reasons to finish that are faults
    "MALFORMED_FUNCTION_CALL": Kind.PROVIDER_ERROR,
    "MALFORMED_RESPONSE": Kind.PROVIDER_ERROR,
    "UNEXPECTED_TOOL_CALL": Kind.PROVIDER_ERROR,
    "MISSING_THOUGHT_SIGNATURE": Kind.STALE_THINKING,
    "PUP_LIMITED_DISABLED": Kind.KEY_FORBIDDEN,
}
_UNSPECIFIED = ("", "FINISH_REASON_UNSPECIFIED", "BLOCK_REASON_UNSPECIFIED", "BLOCKED_REASON_UNSPECIFIED")


def listen(provider: Provider, frames: Iterator[Frame]) -> Iterator[Event]:
    """The events of a stream, up to its one Finish. Raises ProviderError for an error inside it, a blocked prompt or an
    answer that broke down, for what is not this dialect (PROTOCOL) and for an end without a reason (TRUNCATED)."""
    ear = _Ear()
    for frame in frames:
        if frame is COMMENT:
            yield Heartbeat()
            continue
        for said in sayings(frame):
            yield from ear.hear(said)
    yield from ear.finish()


class _Spoken:
    """The block of text or thought that is open."""

    def __init__(self, number: int, kind: BlockKind) -> None:
        self.number = number
        self.kind = kind
        self.length = 0
        self.signed: list[list[Any]] = []  # where its signed parts begin and end, and their signatures

    def opaque(self) -> dict[str, Any] | None:
        """What must be sent back. A thought always is, signed or not."""
        return {"signed": self.signed} if self.signed or self.kind == "thinking" else None


class _Ear:
    """What must be remembered between two events of a stream."""

    def __init__(self) -> None:
        self._start: Start | None = None
        self._blocks = 0
        self._spoken: _Spoken | None = None
        self._usage = Usage()
        self._ids: set[str] = set()
        self._called = False
        self._reason = ""
        self._message = ""

    def hear(self, said: dict[str, Any]) -> Iterator[Event]:
        if said.get("error"):
            raise fault_in_stream(said)
        if self._start is None and ("candidates" in said or "usageMetadata" in said):
            self._start = Start(text(said.get("modelVersion")), text(said.get("responseId")))
            yield self._start
        yield from self._count(obj(said.get("usageMetadata")))
        candidates = said.get("candidates")
        for candidate in map(obj, candidates if isinstance(candidates, list) else ()):
            if candidate.get("index") in (0, None):
                yield from self._candidate(candidate)
        self._heed(obj(said.get("promptFeedback")))

    def _candidate(self, candidate: dict[str, Any]) -> Iterator[Event]:
        parts = obj(candidate.get("content")).get("parts")
        for part in map(obj, parts if isinstance(parts, list) else ()):
            yield from self._part(part)
        reason = text(candidate.get("finishReason"))
        if reason not in _UNSPECIFIED:
            self._reason, self._message = clip(reason), clip(text(candidate.get("finishMessage")))

    def _heed(self, feedback: dict[str, Any]) -> None:
        reason = text(feedback.get("blockReason"))
        if reason not in _UNSPECIFIED:
            words = clip(text(feedback.get("blockReasonMessage")))
            raise ProviderError(Fault(Kind.CONTENT_BLOCKED, words, code=clip(reason), in_stream=True))

    def _part(self, part: dict[str, Any]) -> Iterator[Event]:
        """A part. One with substance takes an earlier reason to finish back: more has to come, and another reason."""
        words, signature = text(part.get("text")), text(part.get("thoughtSignature"))
        if words or set(part) - {"text", "thought", "thoughtSignature"}:
            self._reason = ""
        if "functionCall" in part:
            yield from self._call(obj(part["functionCall"]), part)
        elif words or (signature and set(part) <= {"text", "thought", "thoughtSignature"}):
            yield from self._say("thinking" if part.get("thought") is True else "text", words, signature)

    def _say(self, kind: BlockKind, words: str, signature: str) -> Iterator[Event]:
        if self._spoken is None or self._spoken.kind != kind:
            yield from self._hush()
            self._spoken = _Spoken(self._number(), kind)
            yield BlockStart(self._spoken.number, kind)
        spoken = self._spoken
        if words:
            yield (TextDelta if kind == "text" else ThinkingDelta)(spoken.number, words)
        if signature:
            spoken.signed.append([spoken.length, spoken.length + len(words), signature])
        spoken.length += len(words)

    def _call(self, called: dict[str, Any], part: dict[str, Any]) -> Iterator[Event]:
        name = text(called.get("name"))
        whole = not called.get("willContinue") and not called.get("partialArgs")
        self._need(bool(name) and whole, "A call is not whole.")
        yield from self._hush()
        self._called = True
        number = self._number()
        yield BlockStart(number, "tool_use", self._id(text(called.get("id")), number), name)
        if called.get("args"):
            yield ToolArgsDelta(number, self._arguments(called["args"]))
        kept = {
            "part": storable({k: v for k, v in part.items() if k != "functionCall"}),
            "call": storable({k: v for k, v in called.items() if k not in ("name", "args")}),
        }
        yield BlockEnd(number, {k: v for k, v in kept.items() if v} or None)

    def _id(self, id: str, number: int) -> str:
        """The call's id. One that has none (older models), or another's of this answer, gets one: the same one whenever
        this answer is read."""
        if not id or id in self._ids:
            id = "call_" + short(f"{self._start.response_id if self._start else ''}/{number}/{id}")
        self._ids.add(id)
        return id

    def _arguments(self, value: object) -> str:
        try:
            return text(json.dumps(value, ensure_ascii=False))
        except RecursionError:
            raise not_the_provider("The arguments of a call are too deep.", in_stream=True) from None

    def _hush(self) -> Iterator[Event]:
        ended, self._spoken = self._spoken, None
        if ended:
            yield BlockEnd(ended.number, ended.opaque())

    def _number(self) -> int:
        self._blocks += 1
        return self._blocks - 1

    def _count(self, said: dict[str, Any]) -> Iterator[Event]:
        """Counts are cumulative, and the last ones are right."""
        usage = _usage(said)
        if usage not in (Usage(), self._usage):
            self._usage = usage
            yield usage

    def finish(self) -> Iterator[Event]:
        if not self._reason:
            raise cut_off()
        if self._reason in _BREAKDOWNS:
            kind = _BREAKDOWNS[self._reason]
            again = kind is Kind.PROVIDER_ERROR
            raise ProviderError(Fault(kind, self._message, code=self._reason, retryable=again, in_stream=True))
        yield from self._hush()
        reason = _REASONS.get(self._reason, FinishReason.UNKNOWN)
        if reason is FinishReason.STOP:
            yield Finish(FinishReason.TOOL_CALLS if self._called else reason, self._reason)
        else:
            yield Finish(reason, self._reason, self._message)

    def _need(self, right: bool, otherwise: str) -> None:
        if not right:
            raise not_the_provider(f"The stream makes no sense. {otherwise}", in_stream=True)


def _usage(said: dict[str, Any]) -> Usage:
    """What was read from a cache is part of the prompt; what its own tools read and what it thought come on top."""
    prompt, read = count(said.get("promptTokenCount")), count(said.get("cachedContentTokenCount"))
    thinking = count(said.get("thoughtsTokenCount"))
    return Usage(
        input=(prompt - read if read <= prompt else prompt) + count(said.get("toolUsePromptTokenCount")),
        cache_read=read,
        output=count(said.get("candidatesTokenCount")) + thinking,
        thinking=thinking,
    )


# --- models -----------------------------------------------------------------------------------------------------


def read_models(provider: Provider, body: bytes) -> ModelPage:
    """The models of a page that can chat. Raises ProviderError (PROTOCOL) for anything else."""
    said = error_body(body)
    if said is None or not isinstance(said.get("models"), list):
        raise not_the_provider("The answer is no list of models.", status=200)
    found = [_model(e) for e in map(obj, said["models"]) if _generates(e)]
    return ModelPage(tuple(m for m in found if provider.offers(m.id)), text(said.get("nextPageToken")))


def _generates(entry: dict[str, Any]) -> bool:
    methods = entry.get("supportedGenerationMethods")
    return isinstance(methods, list) and "generateContent" in methods


def _model(entry: dict[str, Any]) -> RemoteModel:
    return RemoteModel(
        id=text(entry.get("name")).removeprefix("models/"),
        name=text(entry.get("displayName")),
        context=count(entry.get("inputTokenLimit")) or None,
        max_output=count(entry.get("outputTokenLimit")) or None,
        thinking=("adaptive",) if entry.get("thinking") is True else (),
    )
