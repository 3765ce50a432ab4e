"""OpenAI's Responses API, as OpenAI and xAI speak it: requests read, items and events written.

A reasoning item is sealed (`encrypted_content`, bound to provider, model family and item) and verified when it comes
back. Nothing is stored: a request that refers to something stored is refused, as with `store: false`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from simulator.answers import Draft
from simulator.dialects.openai_parts import body_of, checked_results, image, limit_of, noise
from simulator.errors import ApiError
from simulator.flavour import Answer, Arrival, Flavour
from simulator.models import Model
from simulator.prompt import Prompt, Turn, text
from simulator.reply import Block, Call, Redacted, Reply, Text, Thinking
from simulator.sealing import seal, unseal
from simulator.sse import Event, comment
from simulator.sse import frame as framed
from simulator.values import Json, compact, grouped, new_id, parsed, pieces

_FIELDS = {
    "model",
    "input",
    "instructions",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "max_output_tokens",
    "store",
    "stream",
    "stream_options",
    "include",
    "reasoning",
    "text",
    "prompt_cache_key",
    "prompt_cache_retention",
    "prompt_cache_options",
    "safety_identifier",
    "metadata",
    "service_tier",
    "truncation",
    "user",
    "temperature",
    "top_p",
    "top_logprobs",
    "max_tool_calls",
    "previous_response_id",
    "conversation",
    "background",
    "prompt",
}
_ROLES = ("assistant", "system", "developer", "user")
_LEAST = 16  # of max_output_tokens
_ENCRYPTED = "reasoning.encrypted_content"
_SORRY = "I'm sorry, but I can't assist with that request."


# --- reading


def read(arrival: Arrival) -> Prompt:
    flavour = arrival.flavour
    raw = body_of(arrival)
    model = _model(flavour, raw)
    _check_fields(flavour, raw, model)
    items = _items(flavour, raw)
    _check_order(flavour, items)
    for index, item in enumerate(items):
        if item.get("type") == "reasoning":
            _check_reasoning(flavour, items, index, model)
    effort = (raw.get("reasoning") or {}).get("effort")
    if effort == "none" and model.always:
        raise flavour.failure("always thinks", model=model.id)
    instructions = raw.get("instructions")
    told = [item for item in items if item.get("role") in ("system", "developer")]
    return Prompt(
        model=model,
        raw=raw,
        max_tokens=limit_of(flavour, raw, ("max_output_tokens",), model.max_output),
        stream=bool(raw.get("stream")),
        system=tuple(text(words) for words in ([instructions] if instructions else []) + [_plain(i) for i in told]),
        tools=tuple(_tool(flavour, i, tool) for i, tool in enumerate(raw.get("tools") or [])),
        turns=tuple(_turns(items)),
        choice=_choice(raw),
        thinks=model.thinks and effort != "none",
        may_think=effort != "none",
        hides=not (raw.get("reasoning") or {}).get("summary"),
    )


def _model(flavour: Flavour, raw: Json) -> Model:
    if not raw.get("model"):
        raise flavour.invalid("Missing required parameter: 'model'.", param="model", code="missing_required_parameter")
    model = flavour.find(str(raw["model"]))
    if model is None:
        own = "nomodel in responses"
        raise flavour.failure(own if own in flavour.failures else "nomodel", model=raw["model"])
    return model


def _check_fields(flavour: Flavour, raw: Json, model: Model) -> None:
    extra = sorted(set(raw) - _FIELDS)
    if extra:
        raise flavour.invalid(f"Unknown parameter: '{extra[0]}'.", param=extra[0], code="unknown_parameter")
    _check_cache_options(flavour, raw, model)
    for name in ("temperature", "top_p"):
        if name in raw and model.thinks:
            raise flavour.invalid(f"Unsupported parameter: '{name}' is not supported with this model.", param=name)
    least = raw.get("max_output_tokens")
    if isinstance(least, int) and least < _LEAST:
        raise flavour.invalid(
            f"Invalid 'max_output_tokens': integer below minimum value. Expected a value >= {_LEAST}, but got {least} "
            "instead.",
            param="max_output_tokens",
            code="integer_below_min_value",
        )
    if raw.get("previous_response_id"):
        raise flavour.invalid(
            f"Previous response with id '{raw['previous_response_id']}' not found.",
            code="previous_response_not_found",
            param="previous_response_id",
        )


def _check_cache_options(flavour: Flavour, raw: Json, model: Model) -> None:
    """Older models, and xAI, know no `prompt_cache_options`."""
    options = raw.get("prompt_cache_options")
    if options is None:
        return
    if not flavour.diagnoses or not re.match(flavour.diagnoses, model.id):
        raise flavour.invalid(
            "Unsupported parameter: 'prompt_cache_options' is not supported with this model.",
            param="prompt_cache_options",
            code="unsupported_parameter",
        )
    extra = sorted(set(options) - {"comparison_response_id", "mode", "prewarm", "ttl"})
    if extra:
        name = f"prompt_cache_options.{extra[0]}"
        raise flavour.invalid(f"Unknown parameter: '{name}'.", param=name, code="unknown_parameter")


def _items(flavour: Flavour, raw: Json) -> list[Json]:
    given = raw.get("input")
    if isinstance(given, str):
        return [{"type": "message", "role": "user", "content": given}]
    if not isinstance(given, list) or not given:
        raise flavour.invalid("Missing required parameter: 'input'.", param="input", code="missing_required_parameter")
    items = [{"type": "message", **item} for item in given]
    known = ("message", "reasoning", "function_call", "function_call_output")
    for index, item in enumerate(items):
        if item["type"] == "message" and item.get("role") not in _ROLES:
            raise flavour.invalid(
                f"Invalid value: '{item.get('role')}'. Supported values are: {', '.join(_ROLES)}.",
                param=f"input[{index}].role",
                code="invalid_value",
            )
        if item["type"] not in known:
            raise flavour.invalid(
                f"Invalid value: '{item['type']}'. Supported values are: {', '.join(known)}.",
                param=f"input[{index}]",
                code="invalid_value",
            )
    return items


def _check_order(flavour: Flavour, items: list[Json]) -> None:
    steps: list[tuple[str, list[str]]] = []
    calls: list[str] = []
    for item in items:
        answers = item["type"] == "function_call_output"
        if item["type"] == "function_call":
            calls.append(str(item.get("call_id")))
        elif answers or item.get("role") == "user":
            if calls or not answers:
                steps.append(("call", calls))
            calls = []
            if answers:
                steps.append(("answer", [str(item.get("call_id"))]))
    if calls:
        steps.append(("call", calls))
    for problem, id in checked_results(steps):
        said = {
            "unanswered": f"No tool output found for function call {id}.",
            "unasked": f"No tool call found for function call output with call_id {id}.",
        }
        raise flavour.invalid(said[problem], param="input")


def _check_reasoning(flavour: Flavour, items: list[Json], index: int, model: Model) -> None:
    """A reasoning item belongs to the item behind it, and to whom it was made for."""
    item = items[index]
    id, sealed = str(item.get("id", "")), item.get("encrypted_content")
    if not sealed:
        raise ApiError(
            404,
            f"Item with id '{id}' not found. Items are not persisted when `store` is set to false. Try "
            "again with `store` set to true, or remove this item from your input.",
            type="invalid_request_error",
            param="input",
        )
    behind = items[index + 1] if index + 1 < len(items) else {}
    if behind.get("type") not in ("function_call", "reasoning") and behind.get("role") != "assistant":
        raise flavour.invalid(
            f"Item '{id}' of type 'reasoning' was provided without its required following item.", param="input"
        )
    if unseal(str(sealed), flavour.slug, model.line, prefix=flavour.seals) is None:
        raise flavour.failure("bad reasoning", id=id, start=str(sealed)[:8])


def _tool(flavour: Flavour, index: int, tool: Json) -> Json:
    if not isinstance(tool, dict) or not tool.get("name"):
        raise flavour.invalid(
            f"Missing required parameter: 'tools[{index}].name'.",
            param=f"tools[{index}].name",
            code="missing_required_parameter",
        )
    schema = tool.get("parameters") or {"type": "object", "properties": {}}
    if tool.get("strict") and (schema.get("additionalProperties") is not False or _optional(schema)):
        raise flavour.invalid(
            f"Invalid schema for function '{tool['name']}': In context=(), 'additionalProperties' is required to be "
            "supplied and to be false, and 'required' to include every key in properties.",
            param=f"tools[{index}].parameters",
            code="invalid_function_parameters",
        )
    return {"name": tool["name"], "description": tool.get("description", ""), "input_schema": schema}


def _optional(schema: Json) -> set[str]:
    return set(schema.get("properties") or {}) - set(schema.get("required") or [])


def _choice(raw: Json) -> str:
    choice = raw.get("tool_choice") or "auto"
    return str(choice.get("name") or choice.get("type")) if isinstance(choice, dict) else str(choice)


def _turns(items: list[Json]) -> Iterator[Turn]:
    for index, item in enumerate(items):
        match item["type"]:
            case "message" if item.get("role") in ("user", "assistant"):
                yield Turn(index, item["role"], tuple(_parts(item.get("content"))))
            case "reasoning":
                yield Turn(index, "assistant", ({"type": "thinking", "thinking": str(item.get("id"))},))
            case "function_call":
                call = {
                    "type": "tool_use",
                    "id": item["call_id"],
                    "name": item["name"],
                    "input": parsed(item["arguments"]),
                }
                yield Turn(index, "assistant", (call,))
            case "function_call_output":
                output = _output(item.get("output"))
                failed = output.startswith('{"error"')
                yield Turn(
                    index,
                    "user",
                    ({"type": "tool_result", "tool_use_id": item["call_id"], "content": output, "is_error": failed},),
                )


def _parts(content: Any) -> Iterator[Json]:
    if isinstance(content, str):
        yield text(content)
        return
    for part in content or []:
        match part.get("type"):
            case "input_text" | "output_text":
                yield text(part["text"])
            case "refusal":
                yield text(part["refusal"])
            case "input_image":
                yield image()
            case "input_file":
                yield {"type": "document", "source": {}}


def _plain(item: Json) -> str:
    return "".join(part["text"] for part in _parts(item.get("content")) if part["type"] == "text")


def _output(output: Any) -> str:
    return output if isinstance(output, str) else "".join(part.get("text", "") for part in output or [])


# --- writing


def spell(arrival: Arrival, prompt: Prompt, draft: Draft) -> list[Block]:
    flavour = arrival.flavour
    blocks: list[Block] = []
    if draft.thinking:
        sealed = seal(draft.thinking, flavour.slug, prompt.model.line, prefix=flavour.seals)
        blocks.append(Thinking(draft.thinking, sealed, prompt.hides))
    if draft.redacted:
        blocks.append(Redacted(seal("redacted", flavour.slug, prompt.model.line, prefix=flavour.seals)))
    refused = draft.stop == "refusal" and not draft.calls
    if draft.text:
        blocks.append(Text(_SORRY if refused else draft.text))
    blocks += [Call(new_id("call_", 24), call.name, compact(call.arguments)) for call in draft.calls]
    return blocks


@dataclass
class _Stream:
    """The events of one answer, numbered."""

    answer: Answer
    number: int = 0

    def event(self, type: str, tokens: int = 0, *, spent: int = 0, closing: bool = False, **fields: Any) -> Event:
        data = {"type": type, **fields, "sequence_number": self.number}
        self.number += 1
        opening = type in ("response.created", "response.in_progress")
        return Event(type, data, tokens, spent or tokens, opening=opening, closing=closing)

    def delta(self, type: str, tokens: int, delta: str, **fields: Any) -> Event:
        options = self.answer.prompt.raw.get("stream_options") or {}
        hides: Json = {} if options.get("include_obfuscation") is False else {"obfuscation": noise(delta)}
        return self.event(type, tokens, delta=delta, **fields, **hides)


def events(answer: Answer) -> Iterator[Event]:
    stream = _Stream(answer)
    begun = _response(answer, "in_progress")
    yield stream.event("response.created", response=begun)
    yield stream.event("response.in_progress", response=begun)
    for index, block in enumerate(answer.reply.blocks):
        match block:
            case Thinking() | Redacted():
                yield from _reasoning(stream, index, block)
            case Text():
                yield from _message(stream, index, block)
            case Call():
                yield from _call(stream, index, block)
    status = _status(answer.reply)
    yield stream.event(f"response.{status}", closing=True, response=_response(answer, status))


def _reasoning(stream: _Stream, index: int, block: Thinking | Redacted) -> Iterator[Event]:
    answer = stream.answer
    item = _item(answer, index)
    place: Json = {"item_id": item["id"], "output_index": index}
    spent = 0
    yield stream.event("response.output_item.added", output_index=index, item={**item, "summary": []})
    if isinstance(block, Thinking) and not block.hidden:
        part = {**place, "summary_index": 0}
        empty, full = ({"type": "summary_text", "text": words} for words in ("", block.text))
        yield stream.event("response.reasoning_summary_part.added", **part, part=empty)
        for said, tokens in grouped(block.text, answer.group):
            yield stream.delta("response.reasoning_summary_text.delta", tokens, said, **part)
        yield stream.event("response.reasoning_summary_text.done", **part, text=block.text)
        yield stream.event("response.reasoning_summary_part.done", **part, part=full)
    elif isinstance(block, Thinking):
        spent = len(pieces(block.text))
    yield stream.event("response.output_item.done", spent=spent, output_index=index, item=item)


def _message(stream: _Stream, index: int, block: Text) -> Iterator[Event]:
    answer = stream.answer
    item = _item(answer, index)
    place: Json = {"item_id": item["id"], "output_index": index, "content_index": 0}
    begun = {**item, "status": "in_progress", "content": []}
    yield stream.event("response.output_item.added", output_index=index, item=begun)
    refused = answer.reply.stop_reason == "refusal"
    name, field = ("refusal", "refusal") if refused else ("output_text", "text")
    more: Json = {} if refused else {"logprobs": []}
    yield stream.event("response.content_part.added", **place, part=_part(name, ""))
    for said, tokens in grouped(block.text, answer.group):
        yield stream.delta(f"response.{name}.delta", tokens, said, **place, **more)
    ended: Json = {field: block.text, **more}
    yield stream.event(f"response.{name}.done", **place, **ended)
    yield stream.event("response.content_part.done", **place, part=_part(name, block.text))
    yield stream.event("response.output_item.done", output_index=index, item=item)


def _call(stream: _Stream, index: int, block: Call) -> Iterator[Event]:
    answer = stream.answer
    item = _item(answer, index)
    place: Json = {"item_id": item["id"], "output_index": index}
    begun = {**item, "status": "in_progress", "arguments": ""}
    yield stream.event("response.output_item.added", output_index=index, item=begun)
    for said, tokens in grouped(block.arguments, answer.group):
        yield stream.delta("response.function_call_arguments.delta", tokens, said, **place)
    yield stream.event("response.function_call_arguments.done", **place, arguments=block.arguments)
    yield stream.event("response.output_item.done", output_index=index, item=item)


def _part(kind: str, words: str) -> Json:
    if kind == "refusal":
        return {"type": "refusal", "refusal": words}
    return {"type": "output_text", "annotations": [], "logprobs": [], "text": words}


def _item(answer: Answer, index: int) -> Json:
    """An item of the output, as it is when it is done. The last one is incomplete if the answer is cut."""
    block = answer.reply.blocks[index]
    suffix = f"{answer.id}{index:02}"
    cut = index == len(answer.reply.blocks) - 1 and _status(answer.reply) == "incomplete"
    status = "incomplete" if cut else "completed"
    match block:
        case Thinking(shown, sealed, hidden):
            summary = [] if hidden else [{"type": "summary_text", "text": shown}]
            return _reasoning_item(answer, f"rs_{suffix}", summary, sealed)
        case Redacted(data):
            return _reasoning_item(answer, f"rs_{suffix}", [], data)
        case Text(words):
            kind = "refusal" if answer.reply.stop_reason == "refusal" else "output_text"
            content = [_part(kind, words)]
            return {"id": f"msg_{suffix}", "type": "message", "status": status, "content": content, "role": "assistant"}
        case Call(id, name, arguments):
            return {
                "id": f"fc_{suffix}",
                "type": "function_call",
                "status": status,
                "arguments": arguments,
                "call_id": id,
                "name": name,
            }


def _reasoning_item(answer: Answer, id: str, summary: list[Json], sealed: str) -> Json:
    asked = _ENCRYPTED in (answer.prompt.raw.get("include") or [])
    return {"id": id, "type": "reasoning", "summary": summary, **({"encrypted_content": sealed} if asked else {})}


def _status(reply: Reply) -> str:
    return "incomplete" if reply.stop_reason == "max_tokens" or reply.finish else "completed"


def _response(answer: Answer, status: str, error: Json | None = None) -> Json:
    """The response object: empty while it is in progress."""
    raw, ended = answer.prompt.raw, status != "in_progress"
    why = answer.reply.finish or "max_output_tokens"
    return {
        "id": f"resp_{answer.id}",
        "object": "response",
        "created_at": answer.created,
        "status": status,
        "background": False,
        "completed_at": answer.created if status == "completed" else None,
        "error": error,
        "incomplete_details": {"reason": why} if status == "incomplete" else None,
        "instructions": raw.get("instructions"),
        "max_output_tokens": raw.get("max_output_tokens"),
        "max_tool_calls": None,
        "model": answer.prompt.model.id,
        "output": [_item(answer, i) for i in range(len(answer.reply.blocks))] if ended and not error else [],
        "parallel_tool_calls": raw.get("parallel_tool_calls", True),
        "previous_response_id": None,
        "prompt_cache_key": raw.get("prompt_cache_key"),
        **({"prompt_cache_diagnostics": answer.diagnostics} if ended and answer.diagnostics else {}),
        "reasoning": {"effort": "medium", "summary": None} | (raw.get("reasoning") or {}),
        "safety_identifier": raw.get("safety_identifier"),
        "service_tier": "default" if ended else "auto",
        "store": raw.get("store", True),
        "temperature": 1.0,
        "text": {"format": {"type": "text"}, "verbosity": "medium"},
        "tool_choice": raw.get("tool_choice", "auto"),
        "tools": raw.get("tools") or [],
        "top_logprobs": 0,
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": _usage(answer) if ended and not error else None,
        "user": None,
        "metadata": raw.get("metadata") or {},
    }


def _usage(answer: Answer) -> Json:
    """xAI has been seen to leave the cached tokens out of `input_tokens`, and so to report more of them than of all."""
    used, reply = answer.usage, answer.reply
    adds = answer.flavour.adds_cached and used.read > used.total - used.read
    asked = used.total - used.read if adds else used.total
    cached: Json = {"cached_tokens": used.read}
    if answer.flavour.cache_writes:
        cached["cache_write_tokens"] = used.written_5m
    return {
        "input_tokens": asked,
        "input_tokens_details": cached,
        "output_tokens": reply.tokens,
        "output_tokens_details": {"reasoning_tokens": reply.thinking_tokens},
        "total_tokens": used.total + reply.tokens,
    }


def whole(answer: Answer) -> Json:
    return _response(answer, _status(answer.reply))


def failing(error: ApiError, answer: Answer, sent: int) -> Iterator[Event]:
    """`error`, and then `response.failed` which says the same."""
    stream = _Stream(answer, sent)
    code = error.code or "server_error"
    told = {"type": error.type or "server_error", "code": code, "message": error.message, "param": error.param}
    yield stream.event("error", error=told)
    failed = {"code": code, "message": error.message}
    yield stream.event("response.failed", response=_response(answer, "failed", failed))


def beat(flavour: Flavour) -> Event:
    return comment("keep-alive")


def frame(event: Event, padding: int) -> bytes:
    return framed(event)
