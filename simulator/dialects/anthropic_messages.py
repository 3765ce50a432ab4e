"""Anthropic's Messages API: JSON shapes, event frames, error bodies. Requests are read in `anthropic_request.py`.

A streamed answer adds up to the unstreamed one, since both come from one Reply.
"""

from __future__ import annotations

from collections.abc import Iterator

from simulator import cache
from simulator.answers import Draft
from simulator.dialects import anthropic_models as models
from simulator.dialects import anthropic_thinking as thinking
from simulator.dialects.anthropic_request import Request, check_version
from simulator.dialects.anthropic_request import read as read_request
from simulator.errors import ApiError
from simulator.flavour import Answer, Arrival, Flavour
from simulator.prompt import Prompt
from simulator.reply import Block, Call, Redacted, Reply, Text, Thinking
from simulator.sse import Event
from simulator.values import Json, compact, grouped, new_id, parsed

_THINKING_TOKENS_PER_PING = 40
_REFUSAL: Json = {
    "type": "refusal",
    "category": "general_harms",
    "explanation": "The demo model was told to refuse this request.",
}

ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    405: "invalid_request_error",
    409: "invalid_request_error",
    413: "request_too_large",
    422: "invalid_request_error",
    429: "rate_limit_error",
    500: "api_error",
    502: "api_error",
    503: "api_error",
    504: "timeout_error",
    529: "overloaded_error",
}


def error_body(error: ApiError, request_id: str) -> Json:
    kind = error.type or ERROR_TYPES.get(error.status, "api_error")
    return {"type": "error", "error": {"type": kind, "message": error.message}, "request_id": request_id}


def read(arrival: Arrival) -> Prompt:
    request = read_request(arrival.body, arrival.headers)
    thinking.verify(request)
    return request


def counted(arrival: Arrival) -> Json:
    """The answer of `/count_tokens`."""
    return {"input_tokens": cache.count(read_request(arrival.body, arrival.headers, counting=True))}


def model_list(arrival: Arrival) -> Json:
    """A page of the model list, or one model."""
    check_version(arrival.headers)
    if arrival.rest:
        model = models.find(arrival.rest)
        if model is None:
            raise ApiError(404, f"model: {arrival.rest}")
        return models.describe(model)
    limit = arrival.query.get("limit", str(models.DEFAULT_LIMIT))
    if not limit.isdigit() or not 1 <= int(limit) <= models.MOST:
        raise ApiError(400, f"limit: Input should be between 1 and {models.MOST}")
    return models.page(int(limit), arrival.query.get("after_id", ""), arrival.query.get("before_id", ""))


def spell(arrival: Arrival, prompt: Prompt, draft: Draft) -> list[Block]:
    """A draft as blocks: what it thinks is signed, and bound to the request."""
    assert isinstance(prompt, Request)
    blocks: list[Block] = []
    seal = thinking.seal(prompt)
    if draft.thinking:
        signature = seal.sign("" if prompt.hides else draft.thinking)
        blocks.append(Thinking(draft.thinking, signature, prompt.hides))
        seal = seal.after(signature)
    if draft.redacted:
        blocks.append(Redacted(seal.sign("")))
    if draft.text:
        blocks.append(Text(draft.text))
    blocks += [Call(new_id("toolu_01"), call.name, compact(call.arguments)) for call in draft.calls]
    return blocks


def frame(event: Event, padding: int = 0) -> bytes:
    """An event as bytes. The real server pads the object with spaces before its last brace, to hide lengths."""
    if event.name == "ping":
        return b'event: ping\ndata: {"type": "ping"}\n\n'
    text = compact(event.data)
    return f"event: {event.name}\ndata: {text[:-1]}{' ' * padding}}}\n\n".encode()


def beat(flavour: Flavour) -> Event:
    return _ping()


def failing(error: ApiError, answer: Answer, sent: int) -> Iterator[Event]:
    yield Event("error", error_body(error, new_id("req_01")))


def whole(answer: Answer) -> Json:
    """The whole answer as one JSON object."""
    message = _message(answer)
    content = [_block_json(block) for block in answer.reply.blocks]
    usage = {**message["usage"], **_output(answer.reply)}
    return {**message, "content": content, **_stop(answer.reply), "usage": usage}


def events(answer: Answer) -> Iterator[Event]:
    """The answer as a stream."""
    reply, message = answer.reply, _message(answer)
    yield Event("message_start", {"type": "message_start", "message": message})
    for index, block in enumerate(reply.blocks):
        opened = {"type": "content_block_start", "index": index, "content_block": _opening(block)}
        yield Event("content_block_start", opened)
        if index == 0:
            yield _ping()
        for delta, tokens, spent in _deltas(block, answer.group):
            if not delta:
                yield _ping(spent)
                continue
            data = {"type": "content_block_delta", "index": index, "delta": delta}
            yield Event("content_block_delta", data, tokens, spent)
        yield Event("content_block_stop", {"type": "content_block_stop", "index": index})
    yield Event("message_delta", _message_delta(reply, message), closing=True)
    yield Event("message_stop", {"type": "message_stop"})


def _message(answer: Answer) -> Json:
    """The message as `message_start` carries it: no content yet."""
    return {
        "model": answer.prompt.model.id,
        "id": answer.id,
        "type": "message",
        "role": "assistant",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "stop_details": None,
        "usage": {
            **answer.usage.as_json(),
            "output_tokens": 1 if answer.prompt.max_tokens else 0,
            "service_tier": "standard",
            "inference_geo": "not_available",
        },
        "diagnostics": answer.diagnostics,
    }


def _stop(reply: Reply) -> Json:
    return {
        "stop_reason": reply.finish or reply.stop_reason,
        "stop_sequence": reply.stop_sequence,
        "stop_details": _REFUSAL if reply.stop_reason == "refusal" else None,
    }


def _ping(spent: int = 0) -> Event:
    return Event("ping", {"type": "ping"}, 0, spent)


def _message_delta(reply: Reply, message: Json) -> Json:
    usage = message["usage"]
    repeated = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
    return {
        "type": "message_delta",
        "delta": _stop(reply),
        "usage": {**{name: usage[name] for name in repeated}, **_output(reply)},
    }


def _output(reply: Reply) -> Json:
    return {
        "output_tokens": reply.tokens,
        "output_tokens_details": {"thinking_tokens": reply.thinking_tokens},
    }


def _block_json(block: Block) -> Json:
    match block:
        case Text(text):
            return {"type": "text", "text": text}
        case Thinking():
            return {"type": "thinking", "thinking": block.shown, "signature": block.signature}
        case Redacted(data):
            return {"type": "redacted_thinking", "data": data}
        case Call(id, name, arguments):
            return {"type": "tool_use", "id": id, "name": name, "input": parsed(arguments)}


def _opening(block: Block) -> Json:
    match block:
        case Text():
            return {"type": "text", "text": ""}
        case Thinking():
            return {"type": "thinking", "thinking": "", "signature": ""}
        case Redacted(data):
            return {"type": "redacted_thinking", "data": data}
        case Call(id, name, _):
            return {"type": "tool_use", "id": id, "name": name, "input": {}}


def _deltas(block: Block, group: int) -> Iterator[tuple[Json, int, int]]:
    """(delta, tokens shown, tokens made) of one block, in order; an empty delta is a ping."""
    match block:
        case Text(text):
            for part, tokens in grouped(text, group):
                yield {"type": "text_delta", "text": part}, tokens, tokens
        case Thinking():
            yield from _thinking_deltas(block, group)
        case Call(_, _, arguments):
            yield {"type": "input_json_delta", "partial_json": ""}, 0, 0
            for part, tokens in grouped("" if arguments == "{}" else arguments, group):
                yield {"type": "input_json_delta", "partial_json": part}, tokens, tokens
        case Redacted():
            return


def _thinking_deltas(block: Thinking, group: int) -> Iterator[tuple[Json, int, int]]:
    since_ping = 0
    for part, tokens in grouped(block.text, group):
        since_ping += tokens
        if not block.hidden:
            yield {"type": "thinking_delta", "thinking": part}, tokens, tokens
        if since_ping >= _THINKING_TOKENS_PER_PING:
            yield {}, 0, since_ping if block.hidden else 0
            since_ping = 0
    yield {"type": "signature_delta", "signature": block.signature}, 0, since_ping if block.hidden else 0
