"""Google's generateContent: requests read, responses written. Lines end in CR LF; there is no `[DONE]`.

Models of the third generation sign the first function call of a turn, or an empty part at the end of one without calls,
and refuse a replayed call whose signature is missing (the documented sentinel is accepted) or not theirs.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from simulator.answers import Draft
from simulator.errors import ApiError
from simulator.flavour import Answer, Arrival, Flavour
from simulator.models import Model
from simulator.prompt import Prompt, Turn, text
from simulator.reply import Block, Call, Redacted, Text, Thinking
from simulator.sealing import seal, unseal
from simulator.sse import Event, comment
from simulator.sse import frame as framed
from simulator.values import Json, compact, grouped, new_id, parsed

_FIELDS = {
    "contents",
    "systemInstruction",
    "system_instruction",
    "tools",
    "toolConfig",
    "tool_config",
    "safetySettings",
    "safety_settings",
    "generationConfig",
    "generation_config",
    "cachedContent",
    "labels",
    "store",
    "serviceTier",
    "continuationToken",
}
SENTINEL = "skip_thought_signature_validator"
PROMPT_BLOCKED = "PROMPT_BLOCKED"  # `finish=` with this word: no candidate at all
_UNDERSCORE = re.compile("_([a-z])")
_SIGNING = ("gemini-3", "gemini-4")
_STOPS = {"max_tokens": "MAX_TOKENS", "refusal": "SAFETY"}
_STATUS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
_TYPE = "type.googleapis.com/google.rpc."
_HARMS = ("HATE_SPEECH", "DANGEROUS_CONTENT", "HARASSMENT", "SEXUALLY_EXPLICIT")


def error_body(error: ApiError, request_id: str) -> Json:
    """`details` of the error stand in the body as they are; a wait becomes a RetryInfo."""
    status = error.type or _STATUS.get(error.status, "UNKNOWN")
    body: Json = {"code": error.status, "message": error.message, "status": status}
    details = list(error.details.get("details", []))
    if error.retry_after:
        details.append({"@type": f"{_TYPE}RetryInfo", "retryDelay": f"{error.retry_after}s"})
    return {"error": body | ({"details": details} if details else {})}


def error_info(reason: str, message: str) -> Json:
    """The details of a refused key."""
    metadata = {"service": "generativelanguage.googleapis.com"}
    info = {"@type": f"{_TYPE}ErrorInfo", "reason": reason, "domain": "googleapis.com", "metadata": metadata}
    return {"details": [info, {"@type": f"{_TYPE}LocalizedMessage", "locale": "en-US", "message": message}]}


def quota_failure(quota_id: str) -> Json:
    violation = {
        "quotaMetric": "generativelanguage.googleapis.com/generate_content_free_tier_requests",
        "quotaId": quota_id,
        "quotaDimensions": {"model": "gemini-3.5-flash", "location": "global"},
        "quotaValue": "20",
    }
    return {"details": [{"@type": f"{_TYPE}QuotaFailure", "violations": [violation]}]}


# --- reading


def read(arrival: Arrival) -> Prompt:
    flavour = arrival.flavour
    streams = ":stream" in arrival.path
    if streams and arrival.query.get("alt") != "sse":
        raise flavour.invalid("simulator: only alt=sse is streamed")
    raw = _body(arrival)
    model = flavour.find(arrival.rest)
    if model is None:
        raise flavour.failure("nomodel", model=arrival.rest)
    contents = _contents(flavour, raw)
    _check_order(flavour, contents)
    if model.line in _SIGNING:
        _check_signatures(flavour, contents, model)
    config = _camel(raw.get("generationConfig") or {})
    thinking = config.get("thinkingConfig") or {}
    if "thinkingLevel" in thinking and "thinkingBudget" in thinking:
        raise flavour.invalid("You can only set only one of thinking budget and thinking level.")
    off = thinking.get("thinkingBudget") == 0
    if off and model.always:
        raise flavour.invalid("Budget 0 is invalid. This model only works in thinking mode.")
    return Prompt(
        model=model,
        raw=raw,
        max_tokens=_max_tokens(flavour, config, model),
        stream=streams,
        system=tuple(_system(raw)),
        tools=tuple(_tools(flavour, raw)),
        turns=tuple(Turn(i, _role(c), tuple(_blocks(contents, i))) for i, c in enumerate(contents)),
        choice=_choice(raw),
        stops=tuple(config.get("stopSequences") or ()),
        thinks=model.thinks and not off,
        may_think=not off,
        hides=not thinking.get("includeThoughts"),
    )


def _body(arrival: Arrival) -> Json:
    try:
        raw = json.loads(arrival.body)
    except ValueError:
        raw = None
    if not isinstance(raw, dict):
        raise arrival.flavour.invalid("Invalid JSON payload received. Expected an object.")
    extra = sorted(set(raw) - _FIELDS)
    if extra:
        raise arrival.flavour.invalid(f'Invalid JSON payload received. Unknown name "{extra[0]}": Cannot find field.')
    return raw


def _contents(flavour: Flavour, raw: Json) -> list[Json]:
    contents = raw.get("contents")
    if not isinstance(contents, list) or not contents:
        raise flavour.invalid("* GenerateContentRequest.contents: contents is not specified\n")
    for index, content in enumerate(contents):
        if content.get("role", "user") not in ("user", "model", "function"):
            raise flavour.invalid("Please use a valid role: user, model.")
        if not content.get("parts"):
            raise flavour.invalid(
                f"* GenerateContentRequest.contents[{index}].parts: contents.parts must not be empty.\n"
            )
        for number, part in enumerate(content["parts"]):
            if not set(part) - {"thoughtSignature", "thought"} and "thoughtSignature" not in part:
                raise flavour.invalid(
                    f"* GenerateContentRequest.contents[{index}].parts[{number}].data: required oneof field 'data' "
                    "must have one initialized field\n"
                )
    return contents


def _check_order(flavour: Flavour, contents: list[Json]) -> None:
    """Each call is answered in the content behind it."""
    for content, behind in zip(contents, [*contents[1:], {}], strict=True):
        calls, answers = _all(content, "functionCall"), _all(behind, "functionResponse")
        if calls and (len(calls) != len(answers) or {c["name"] for c in calls} != {a["name"] for a in answers}):
            raise flavour.invalid(
                "Please ensure that the number of function response parts is equal to the number of function call "
                "parts of the function call turn."
            )
        if answers and not calls:
            raise flavour.invalid(
                "Please ensure that function response turn comes immediately after a function call turn."
            )


def _check_signatures(flavour: Flavour, contents: list[Json], model: Model) -> None:
    for content in contents:
        calls = [part for part in content["parts"] if "functionCall" in part]
        for number, part in enumerate(content["parts"]):
            signature = part.get("thoughtSignature")
            if calls and part is calls[0] and not signature:
                name = part["functionCall"]["name"]
                raise flavour.failure("no reasoning", name=name, position=number + 1)
            if signature and signature != SENTINEL and unseal(signature, flavour.slug, model.line) is None:
                raise flavour.failure("bad reasoning")


def _max_tokens(flavour: Flavour, config: Json, model: Model) -> int:
    value = config.get("maxOutputTokens", model.max_output)
    if not isinstance(value, int) or not 1 <= value <= model.max_output:
        most = model.max_output + 1
        raise flavour.invalid(
            f"Unable to submit request because it has a maxOutputTokens value of {value} but the supported range is "
            f"from 1 (inclusive) to {most} (exclusive)."
        )
    return value


def _system(raw: Json) -> Iterator[Json]:
    told = raw.get("systemInstruction") or {}
    yield from (text(part["text"]) for part in told.get("parts") or [] if part.get("text"))


def _tools(flavour: Flavour, raw: Json) -> Iterator[Json]:
    for group in raw.get("tools") or []:
        for tool in group.get("functionDeclarations") or []:
            if not tool.get("name"):
                raise flavour.invalid(
                    "* GenerateContentRequest.tools[0].function_declarations[0].name: Invalid function name.\n"
                )
            schema = tool.get("parametersJsonSchema") or tool.get("parameters") or {"type": "object"}
            yield {"name": tool["name"], "description": tool.get("description", ""), "input_schema": _lower(schema)}


def _lower(schema: Any) -> Any:
    """A schema whose types may be spelled in capitals, as the SDK does."""
    if isinstance(schema, list):
        return [_lower(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: _lower(value) for key, value in schema.items()}
    return found | {"type": found["type"].lower()} if isinstance(found.get("type"), str) else found


def _choice(raw: Json) -> str:
    calling = _camel(raw.get("toolConfig") or {}).get("functionCallingConfig") or {}
    return {"NONE": "none", "ANY": "any"}.get(calling.get("mode", "AUTO"), "auto")


def _camel(value: Any) -> Any:
    """Names in camel case: the real API reads both, and the SDK mixes them."""
    if not isinstance(value, dict):
        return value
    return {_UNDERSCORE.sub(lambda found: found[1].upper(), name): _camel(inner) for name, inner in value.items()}


def _role(content: Json) -> str:
    return "assistant" if content.get("role") == "model" else "user"


def _blocks(contents: list[Json], index: int) -> Iterator[Json]:
    calls = 0
    for part in contents[index]["parts"]:
        if part.get("text"):
            thought = {"type": "thinking", "thinking": part["text"]}
            yield thought if part.get("thought") else text(part["text"])
        elif "functionCall" in part:
            call = part["functionCall"]
            yield {
                "type": "tool_use",
                "id": call.get("id") or f"{index}.{calls}",
                "name": call["name"],
                "input": call.get("args") or {},
            }
            calls += 1
        elif "functionResponse" in part:
            answer = part["functionResponse"]
            content = answer.get("response") or {}
            yield {
                "type": "tool_result",
                "tool_use_id": answer.get("id") or f"{index - 1}.{calls}",
                "content": _said(content),
                "is_error": "error" in content,
            }
            calls += 1
        elif "inlineData" in part or "fileData" in part:
            data = part.get("inlineData") or part.get("fileData")
            yield {"type": "image" if data.get("mimeType", "").startswith("image/") else "document", "source": {}}


def _said(response: Json) -> str:
    """What a tool answered: the documented keys `result`, `output` and `error` are unwrapped."""
    if len(response) == 1:
        (value,) = response.values()
        if isinstance(value, str):
            return value
    return compact(response)


def _all(content: Json, name: str) -> list[Json]:
    return [part[name] for part in content.get("parts") or [] if name in part]


# --- writing


def spell(arrival: Arrival, prompt: Prompt, draft: Draft) -> list[Block]:
    signature = seal(draft.thinking or "nothing", arrival.flavour.slug, prompt.model.line)
    blocks: list[Block] = []
    if draft.thinking:
        blocks.append(Thinking(draft.thinking, signature, prompt.hides))
    if draft.redacted:
        blocks.append(Redacted(signature))
    if draft.text and draft.stop != "refusal":
        blocks.append(Text(draft.text))
    named = prompt.model.line in _SIGNING
    for call in draft.calls:
        blocks.append(Call(new_id(length=8) if named else "", call.name, compact(call.arguments)))
    return blocks


def events(answer: Answer) -> Iterator[Event]:
    if answer.reply.finish == PROMPT_BLOCKED:
        yield Event("", _blocked(answer), closing=True)
        return
    said = thought = waited = 0
    for parts, tokens, thinks in _steps(answer):
        said, thought = said + (0 if thinks else tokens), thought + (tokens if thinks else 0)
        waited += tokens
        if parts:
            yield Event("", _response(answer, parts, said, thought), tokens, waited)
            waited = 0
    last = _last_parts(answer)
    counted = answer.reply.tokens - answer.reply.thinking_tokens
    ended = _response(answer, last, counted, answer.reply.thinking_tokens, _finish(answer))
    yield Event("", ended, 0, waited, closing=True)


def _steps(answer: Answer) -> Iterator[tuple[list[Json], int, bool]]:
    """(parts, tokens, whether they are thoughts) of all but the last chunk. Hidden thoughts have no parts."""
    for block in answer.reply.blocks:
        match block:
            case Thinking():
                for part, tokens in grouped(block.text, answer.group):
                    yield ([] if block.hidden else [{"text": part, "thought": True}]), tokens, True
            case Text(words):
                for part, tokens in grouped(words, answer.group):
                    yield [{"text": part}], tokens, False


def _last_parts(answer: Answer) -> list[Json]:
    """The calls, the first of them signed; or else the signature alone, on an empty part."""
    calls = answer.reply.calls
    signature = _signature(answer)
    if not calls:
        return [{"text": "", **signature}]
    parts = []
    for number, call in enumerate(calls):
        named = {"id": call.id} if call.id else {}
        function = {**named, "name": call.name, "args": parsed(call.arguments)}
        parts.append({"functionCall": function, **(signature if number == 0 else {})})
    return parts


def _signature(answer: Answer) -> Json:
    """Third-generation models sign every call, and what they thought; older ones only what they thought."""
    made = [block.signature for block in answer.reply.blocks if isinstance(block, Thinking)]
    made += [block.data for block in answer.reply.blocks if isinstance(block, Redacted)]
    signs = answer.prompt.model.line in _SIGNING and (made or answer.reply.calls)
    if not made and not signs:
        return {}
    fresh = seal("nothing", answer.flavour.slug, answer.prompt.model.line)
    return {"thoughtSignature": made[0] if made else fresh}


def _finish(answer: Answer) -> Json:
    reply = answer.reply
    reason = reply.finish or _STOPS.get(reply.stop_reason, "STOP")
    called = {"finishMessage": "Model generated function call(s)."} if reply.calls else {}
    return {"finishReason": reason, **called, **(_ratings() if reason == "SAFETY" else {})}


def _ratings() -> Json:
    ratings: list[Json] = [{"category": f"HARM_CATEGORY_{harm}", "probability": "NEGLIGIBLE"} for harm in _HARMS]
    return {"safetyRatings": [{**ratings[0], "probability": "HIGH", "blocked": True}, *ratings[1:]]}


def _response(answer: Answer, parts: list[Json], said: int, thought: int, finish: Json | None = None) -> Json:
    content = {"parts": parts, "role": "model"} if parts else {}
    candidate = {"content": content, **(finish or {}), "index": 0}
    return {"candidates": [candidate], "usageMetadata": _usage(answer, said, thought), **_names(answer)}


def _usage(answer: Answer, said: int, thought: int) -> Json:
    used = answer.usage
    usage: Json = {
        "promptTokenCount": used.total,
        "totalTokenCount": used.total + said + thought,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": used.total}],
    }
    if used.read:
        usage["cachedContentTokenCount"] = used.read
        usage["cacheTokensDetails"] = [{"modality": "TEXT", "tokenCount": used.read}]
    if said:
        usage["candidatesTokenCount"] = said
    if thought:
        usage["thoughtsTokenCount"] = thought
    return usage


def _names(answer: Answer) -> Json:
    return {"modelVersion": answer.prompt.model.id, "responseId": answer.id}


def _blocked(answer: Answer) -> Json:
    return {
        "promptFeedback": {"blockReason": "PROHIBITED_CONTENT"},
        "usageMetadata": _usage(answer, 0, 0),
        **_names(answer),
    }


def whole(answer: Answer) -> Json:
    reply = answer.reply
    if reply.finish == PROMPT_BLOCKED:
        return _blocked(answer)
    parts: list[Json] = [{"text": reply.thought, "thought": True}] if reply.thought else []
    if reply.shown:
        parts.append({"text": reply.shown})
    if reply.calls:
        parts += _last_parts(answer)
    elif parts:
        parts[-1] |= _signature(answer)
    said = reply.tokens - reply.thinking_tokens
    return _response(answer, parts, said, reply.thinking_tokens, _finish(answer))


def failing(error: ApiError, answer: Answer, sent: int) -> Iterator[Event]:
    yield Event("", answer.flavour.body(error, ""))


def beat(flavour: Flavour) -> Event:
    return comment("keep-alive")


def frame(event: Event, padding: int) -> bytes:
    return framed(event, end="\r\n")
