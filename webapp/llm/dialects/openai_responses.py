"""The Responses API of OpenAI and xAI: our values to its requests, its answers to our events. Pure.

Nothing is stored there: each request carries the whole conversation as a list of items. An answer is such items too.
A message, a call and the reasoning behind them go back as they came, in their order; reasoning only as the encrypted
text that we ask for. Items name their partners by id, so ids are sent along with reasoning or not at all.

With `follows` OpenAI compares the request with that earlier answer and says why it read less from its cache than it
could have (responses_stream.py). Whether it can although nothing is stored (`store: false`) is not known to us: where
it answers that it finds no such response, our own comparison stands in (usage/misses.py), and a refusal of the question
costs one more request, not the answer (faults.py, chat/turn.py).
https://developers.openai.com/api/docs/guides/prompt-caching/diagnostics
https://platform.openai.com/docs/api-reference/responses. How its streams are heard is in responses_stream.py.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from webapp.llm.blocks import Image, Json, Message, Text, Thinking, ToolResult, ToolUse
from webapp.llm.dialects import faults
from webapp.llm.dialects.answers import (
    count,
    error_body,
    not_the_provider,
    obj,
    ordered,
    text,
)
from webapp.llm.dialects.ids import short
from webapp.llm.dialects.responses_stream import listen
from webapp.llm.dialects.verdicts import judge
from webapp.llm.errors import Kind, ProviderError
from webapp.llm.history import replayable
from webapp.llm.models import ModelPage, RemoteModel
from webapp.llm.providers import Provider
from webapp.llm.request import HttpCall, ModelRequest, ToolSpec
from webapp.secret import Secret

NAME = "openai_responses"

__all__ = ["NAME", "call", "check_call", "fail", "listen", "models_call", "read_check", "read_models"]

_CALL_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_PRICE_UNIT = 10_000  # a list with prices gives them in this part of a dollar per million tokens


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
    if request.follows and re.match(quirks.diagnoses, request.model):
        body["prompt_cache_options"] = {"comparison_response_id": request.follows}
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
