"""OpenAI's chat completions, as seven providers speak them: requests read, chunks and messages written.

What differs is in `Flavour.chat`. A request is refused for what its provider is known to refuse; what it ignores is
ignored here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

from simulator.answers import Draft
from simulator.dialects.openai_parts import body_of, checked_results, image, limit_of, noise, usage_of
from simulator.errors import ApiError
from simulator.flavour import Answer, Arrival, Chat, Flavour
from simulator.models import Model
from simulator.prompt import Prompt, Turn, text
from simulator.reply import Block, Call, Redacted, Text, Thinking
from simulator.sealing import seal, unseal
from simulator.sse import Event, comment
from simulator.sse import frame as framed
from simulator.values import Json, compact, grouped, new_id, parsed, pieces

_ROLES = ("system", "developer", "user", "assistant", "tool")
_STOPS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "max_tokens": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}
_DETAILS_FORMAT = "simulator-v1"  # of OpenRouter's reasoning details
_SORRY = "I'm sorry, but I can't assist with that request."


# --- reading


def read(arrival: Arrival) -> Prompt:
    flavour, chat = arrival.flavour, arrival.flavour.chat
    raw = body_of(arrival)
    _check_fields(flavour, raw)
    model = _model(flavour, raw)
    thinks, may_think = _thinking(flavour, raw, model)
    messages = _messages(flavour, raw)
    choice = _choice(flavour, raw, thinks)
    tools = tuple(_tool(flavour, i, tool) for i, tool in enumerate(raw.get("tools") or []))
    if tools and thinks and not chat.tools_while_thinking:
        raise flavour.failure("tools while thinking", model=model.id)
    _check_order(flavour, messages)
    for index, message in enumerate(messages):
        _check_message(flavour, index, message, model, thinks)
    return Prompt(
        model=model,
        raw=raw,
        max_tokens=limit_of(flavour, raw, chat.max_fields, model.max_output),
        stream=bool(raw.get("stream")),
        system=tuple(text(_plain(m.get("content"))) for m in messages if m["role"] in ("system", "developer")),
        tools=tools,
        turns=tuple(_turns(messages)),
        choice=choice,
        stops=_stops(raw),
        thinks=thinks,
        may_think=may_think,
        hides=raw.get("reasoning_format") == "hidden",
    )


def _check_fields(flavour: Flavour, raw: Json) -> None:
    known = flavour.chat.fields
    extra = sorted(set(raw) - known) if known is not None else []
    if extra:
        raise flavour.failure("extra field", name=extra[0])
    if flavour.chat.refused_max in raw:
        raise flavour.failure("refused max", name=flavour.chat.refused_max)


def _model(flavour: Flavour, raw: Json) -> Model:
    model = flavour.find(str(raw.get("model", "")))
    if model is None:
        raise flavour.failure("nomodel", model=raw.get("model", ""))
    return model


def _thinking(flavour: Flavour, raw: Json, model: Model) -> tuple[bool, bool]:
    """Whether it thinks by itself, and whether it may."""
    asked = raw.get(flavour.chat.switch)
    value = (asked.get("type") or asked.get("effort")) if isinstance(asked, dict) else asked
    if isinstance(asked, dict) and asked.get("enabled") is False:
        value = "none"
    off = value in ("disabled", "none")
    if off and model.always:
        raise flavour.failure("always thinks", model=model.id)
    return (bool(value) or model.thinks) and not off, not off


def _messages(flavour: Flavour, raw: Json) -> list[Json]:
    messages = raw.get("messages")
    if not isinstance(messages, list) or not messages:
        raise flavour.invalid("Invalid 'messages': empty array. Expected an array with minimum length 1.")
    for index, message in enumerate(messages):
        if not isinstance(message, dict) or message.get("role") not in _ROLES:
            role = message.get("role") if isinstance(message, dict) else message
            raise flavour.invalid(
                f"Invalid value: '{role}'. Supported values are: 'system', 'user', 'assistant' and 'tool'.",
                param=f"messages[{index}].role",
            )
    return messages


def _choice(flavour: Flavour, raw: Json, thinks: bool) -> str:
    chat = flavour.chat
    asked = raw.get("tool_choice") or "auto"
    kind = str(asked.get("type")) if isinstance(asked, dict) else str(asked)
    if kind not in (chat.choices_thinking & chat.choices if thinks else chat.choices):
        raise flavour.failure("tool choice", choice=kind)
    return str(asked["function"]["name"]) if isinstance(asked, dict) else kind


def _tool(flavour: Flavour, index: int, tool: Json) -> Json:
    function = tool.get("function") if isinstance(tool, dict) else None
    if not isinstance(function, dict) or not function.get("name"):
        raise flavour.invalid(f"Missing required parameter: 'tools[{index}].function.name'.")
    schema = function.get("parameters") or {"type": "object", "properties": {}}
    return {"name": function["name"], "description": function.get("description", ""), "input_schema": schema}


def _check_order(flavour: Flavour, messages: list[Json]) -> None:
    """Calls are answered, all of them, right after they were made, and nothing else is."""
    steps: list[tuple[str, list[str]]] = []
    for message in messages:
        if message["role"] == "tool":
            steps.append(("answer", [str(message.get("tool_call_id"))]))
        else:
            calls = [str(call.get("id")) for call in message.get("tool_calls") or []]
            steps.append(("call", calls))
    for problem, id in checked_results(steps):
        raise flavour.failure(problem, id=id)
    roles = [message["role"] for message in messages]
    if roles[-1] == "assistant" and "prefill" in flavour.failures:
        raise flavour.failure("prefill")
    if ("tool", "user") in pairwise(roles) and "user after tool" in flavour.failures:
        raise flavour.failure("user after tool")


def _check_message(flavour: Flavour, index: int, message: Json, model: Model, thinks: bool) -> None:
    chat = flavour.chat
    calls = message.get("tool_calls") or []
    for call in calls:
        arguments = (call.get("function") or {}).get("arguments")
        if not isinstance(arguments, str):
            raise flavour.invalid(f"messages[{index}].tool_calls: function.arguments must be a string of JSON")
        _check_id(flavour, str(call.get("id")))
    if message["role"] == "tool":
        _check_id(flavour, str(message.get("tool_call_id")))
        if chat.tool_name_required and not message.get("name"):
            raise flavour.failure("nameless")
    if message["role"] == "assistant":
        if not calls and not message.get("content"):
            raise flavour.failure("empty assistant", index=index)
        if chat.reasoning_replay and thinks and calls and "reasoning_content" not in message:
            raise flavour.failure("no reasoning")
        for detail in message.get("reasoning_details") or []:
            _check_detail(flavour, detail, model)


def _check_id(flavour: Flavour, id: str) -> None:
    if flavour.chat.call_id and not re.fullmatch(flavour.chat.call_id, id):
        raise flavour.failure("call id", id=id)


def _check_detail(flavour: Flavour, detail: Json, model: Model) -> None:
    signature = detail.get("signature")
    if signature and unseal(signature, flavour.slug, model.line) != detail.get("text"):
        raise flavour.failure("bad reasoning")


def _turns(messages: list[Json]) -> Iterator[Turn]:
    for index, message in enumerate(messages):
        match message["role"]:
            case "user":
                yield Turn(index, "user", tuple(_parts(message.get("content"))))
            case "assistant":
                yield Turn(index, "assistant", tuple(_said(message)))
            case "tool":
                id, content = str(message.get("tool_call_id")), _plain(message.get("content"))
                failed = content.startswith('{"error"')
                yield Turn(
                    index, "user", ({"type": "tool_result", "tool_use_id": id, "content": content, "is_error": failed},)
                )


def _parts(content: Any) -> Iterator[Json]:
    if isinstance(content, str):
        yield text(content)
        return
    for part in content or []:
        kind = part.get("type")
        if kind == "text":
            yield text(part["text"])
        elif kind == "image_url":
            yield image()
        elif kind in ("file", "document_url"):
            yield {"type": "document", "source": {}}


def _said(message: Json) -> Iterator[Json]:
    thought = message.get("reasoning_content") or message.get("reasoning")
    if thought:
        yield {"type": "thinking", "thinking": thought}
    said = _plain(message.get("content"))
    if said:
        yield text(said)
    for call in message.get("tool_calls") or []:
        function = call["function"]
        yield {"type": "tool_use", "id": call["id"], "name": function["name"], "input": parsed(function["arguments"])}


def _plain(content: Any) -> str:
    if isinstance(content, list):
        return "".join(part.get("text", "") for part in content if part.get("type") == "text")
    return content or ""


def _stops(raw: Json) -> tuple[str, ...]:
    stop = raw.get("stop") or ()
    return (stop,) if isinstance(stop, str) else tuple(stop)


# --- writing


def spell(arrival: Arrival, prompt: Prompt, draft: Draft) -> list[Block]:
    blocks: list[Block] = []
    if draft.thinking:
        blocks.append(_sealed(arrival.flavour, prompt, draft.thinking))
    if draft.redacted:
        blocks.append(Redacted(seal("redacted", arrival.flavour.slug, prompt.model.line)))
    refused = draft.stop == "refusal" and not draft.calls
    said = _SORRY if refused else draft.text
    if said:
        blocks.append(Text(said))
    for number, call in enumerate(draft.calls):
        blocks.append(Call(_call_id(arrival.flavour.chat, call.name, number), call.name, compact(call.arguments)))
    return blocks


def _sealed(flavour: Flavour, prompt: Prompt, thought: str) -> Thinking:
    signed = flavour.chat.reasoning == "details"
    return Thinking(thought, seal(thought, flavour.slug, prompt.model.line) if signed else "", prompt.hides)


def _call_id(chat: Chat, name: str, number: int) -> str:
    return f"functions.{name}:{number}" if chat.names_calls else new_id(chat.call_id_prefix, chat.call_id_length)


def events(answer: Answer) -> Iterator[Event]:
    """The chunks of an answer, and `[DONE]`."""
    chat = answer.flavour.chat
    for _ in range(chat.comments):
        yield comment(chat.comment)
    thinks = any(isinstance(block, Thinking) for block in answer.reply.blocks)
    opening = chat.opening_thinking if thinks and chat.opening_thinking else chat.opening
    if opening:
        yield _chunk(answer, {**opening}, extra=_groq_id(answer))
    closed_by_calls = bool(chat.calls_close and answer.reply.calls)
    for block in answer.reply.blocks:
        if isinstance(block, Call) and closed_by_calls:
            break
        yield from _block(answer, block)
    yield _closing(answer, closed_by_calls)
    if "tail" in chat.usage or ("tail-if-asked" in chat.usage and _asked_for_usage(answer)):
        yield _tail(answer)
    yield Event("", "[DONE]")


def _block(answer: Answer, block: Block) -> Iterator[Event]:
    match block:
        case Thinking():
            yield from _thought(answer, block)
        case Redacted(data):
            if answer.flavour.chat.reasoning == "details":
                yield _delta(answer, {"reasoning": None, "reasoning_details": [_detail("encrypted", data=data)]})
        case Text(said):
            for part, tokens in grouped(said, answer.group):
                yield _delta(answer, _spoken(answer, part), tokens)
        case Call():
            yield from _called(answer, block)


def _spoken(answer: Answer, part: str) -> Json:
    chat, reply = answer.flavour.chat, answer.reply
    if chat.refusals and reply.stop_reason == "refusal":
        return {"refusal": part}
    return {"content": part, **({"reasoning_content": None} if chat.nulls and reply.thought else {})}


def _thought(answer: Answer, block: Thinking) -> Iterator[Event]:
    chat = answer.flavour.chat
    for part, tokens in grouped(block.text, answer.group):
        if block.hidden or not chat.reasoning:
            continue
        match chat.reasoning:
            case "parts":
                delta: Json = {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": part}]}]}
            case "details":
                delta = {"reasoning": part, "reasoning_details": [_detail("text", text=part)]}
            case name:
                delta = {name: part, **({"channel": chat.channel} if chat.channel else {})}
        yield _delta(answer, {**({"content": None} if chat.nulls else {}), **delta}, tokens)
    if chat.reasoning == "parts":
        yield _delta(answer, {"content": [{"type": "thinking", "thinking": []}]})
    if chat.reasoning == "details":
        yield _delta(answer, {"reasoning": None, "reasoning_details": [_detail("text", signature=block.signature)]})


def _detail(kind: str, **fields: str) -> Json:
    return {"type": f"reasoning.{kind}", **fields, "format": _DETAILS_FORMAT, "index": 0}


def _called(answer: Answer, call: Call) -> Iterator[Event]:
    chat = answer.flavour.chat
    index = answer.reply.calls.index(call)
    whole = chat.whole_calls and not (chat.streams_on_request and answer.prompt.raw.get("tool_stream"))
    if whole:
        yield _delta(answer, {"tool_calls": [_call_json(call, index)]}, len(pieces(call.arguments)))
        return
    head = {"index": index, "id": call.id, "type": "function"}
    yield _delta(answer, {"tool_calls": [{**head, "function": {"name": call.name, "arguments": ""}}]})
    for part, tokens in grouped(call.arguments, answer.group):
        again = head if chat.repeats_call else {"index": index}
        name = {"name": call.name} if chat.repeats_call else {}
        yield _delta(answer, {"tool_calls": [{**again, "function": {**name, "arguments": part}}]}, tokens)


def _call_json(call: Call, index: int | None = None) -> Json:
    function = {"name": call.name, "arguments": call.arguments}
    place = {} if index is None else {"index": index}
    return {"id": call.id, "type": "function", "function": function, **place}


def _closing(answer: Answer, with_calls: bool) -> Event:
    """The chunk with `finish_reason`."""
    chat = answer.flavour.chat
    delta: Json = {**chat.closing}
    if chat.nulls and answer.reply.thought:
        delta["reasoning_content"] = None
    if with_calls:
        delta = {"tool_calls": [_call_json(call, i) for i, call in enumerate(answer.reply.calls)]}
    usage = usage_of(answer)
    extra: Json = {}
    if "x_groq" in chat.usage:
        extra = {"x_groq": {"id": _groq_id(answer)["x_groq"]["id"], "usage": usage}}
    if "finish" in chat.usage:
        extra["usage"] = usage
    choice = {"usage": usage} if "choice" in chat.usage else {}
    return _chunk(answer, delta, finish=_finish(answer), extra=extra, choice=choice, closing=True)


def _tail(answer: Answer) -> Event:
    """The chunk that only has the usage."""
    chat = answer.flavour.chat
    finish = _finish(answer) if chat.tail_repeats else ""
    return _chunk(
        answer, {**chat.closing}, finish=finish, extra={"usage": usage_of(answer)}, empty=not chat.tail_repeats
    )


def _delta(answer: Answer, delta: Json, tokens: int = 0) -> Event:
    return _chunk(answer, {**answer.flavour.chat.every, **delta}, tokens=tokens)


def _chunk(
    answer: Answer,
    delta: Json,
    *,
    finish: str = "",
    tokens: int = 0,
    extra: Mapping[str, object] | None = None,
    choice: Mapping[str, object] | None = None,
    empty: bool = False,
    closing: bool = False,
) -> Event:
    chat = answer.flavour.chat
    ends: Json = {"finish_reason": finish or None} if finish or chat.finish_null else {}
    if chat.native_finish:
        ends["native_finish_reason"] = finish or None
    one = {"index": 0, "delta": delta, **chat.choice, **ends, **(choice or {})}
    data = {**_head(answer, "chat.completion.chunk"), "choices": [] if empty else [one], **(extra or {})}
    if chat.padding:
        data[chat.padding] = noise(compact(delta))
    if chat.usage_null and _asked_for_usage(answer):
        data.setdefault("usage", None)
    return Event("", data, tokens, tokens, closing=closing)


def _head(answer: Answer, kind: str) -> Json:
    return {
        "id": answer.flavour.chat.id_prefix + answer.id,
        "object": kind,
        "created": answer.created,
        "model": answer.prompt.model.id,
        **answer.flavour.chat.chunk,
    }


def _groq_id(answer: Answer) -> Json:
    asked = "x_groq" in answer.flavour.chat.usage
    return {"x_groq": {"id": f"req_{answer.id[-26:]}", "seed": 1}} if asked else {}


def _finish(answer: Answer) -> str:
    reply, chat = answer.reply, answer.flavour.chat
    if chat.refusals and reply.stop_reason == "refusal":
        return reply.finish or "stop"
    word = _STOPS[reply.stop_reason]
    return reply.finish or chat.stops.get(word, word)


def _asked_for_usage(answer: Answer) -> bool:
    return bool((answer.prompt.raw.get("stream_options") or {}).get("include_usage"))


def whole(answer: Answer) -> Json:
    chat, reply = answer.flavour.chat, answer.reply
    refused = chat.refusals and reply.stop_reason == "refusal"
    message: Json = {"role": "assistant", "content": None if refused else reply.shown or None}
    if refused:
        message["refusal"] = reply.shown
    if reply.calls:
        message["tool_calls"] = [_call_json(call) for call in reply.calls]
    message |= _whole_thought(answer)
    choice = {"index": 0, "message": message, **chat.choice, "finish_reason": _finish(answer)}
    if chat.native_finish:
        choice["native_finish_reason"] = choice["finish_reason"]
    return {**_head(answer, "chat.completion"), "choices": [choice], "usage": usage_of(answer)}


def _whole_thought(answer: Answer) -> Json:
    """What it thought, as further fields of the message."""
    thought = answer.reply.thought
    if not thought or not answer.flavour.chat.reasoning:
        return {}
    match answer.flavour.chat.reasoning:
        case "parts":
            parts: list[Json] = [{"type": "thinking", "thinking": [{"type": "text", "text": thought}]}]
            return {"content": [*parts, *([text(answer.reply.shown)] if answer.reply.shown else [])]}
        case "details":
            signature = next(block.signature for block in answer.reply.blocks if isinstance(block, Thinking))
            return {"reasoning": thought, "reasoning_details": [_detail("text", text=thought, signature=signature)]}
        case name:
            return {name: thought}


def failing(error: ApiError, answer: Answer, sent: int) -> Iterator[Event]:
    """An error inside a stream: alone, as a named event, or in a chunk that looks like the others."""
    chat = answer.flavour.chat
    body = answer.flavour.body(error, "")
    told = body.get("error", body)
    match chat.error_chunk:
        case "event":
            yield Event("error", {"error": {**told, "status_code": error.status}})
        case "choice":
            yield _chunk(answer, {**chat.every}, finish="error", extra={"error": told, "usage": usage_of(answer)})
        case "plain":
            yield Event("", body)
    if chat.done_after_error:
        yield Event("", "[DONE]")


def beat(flavour: Flavour) -> Event:
    return comment(flavour.chat.comment or "keep-alive")


def frame(event: Event, padding: int) -> bytes:
    return framed(event)
