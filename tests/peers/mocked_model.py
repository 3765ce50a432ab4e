"""What the proxy's mock models answer, as a custom provider of LiteLLM. It runs in the proxy's process, not in ours.

LiteLLM's own `mock_response` cannot stream a call: its `mock_tool_calls` are dropped from streams. So the answer is
made here, as neutral chunks; how it is spelt on each endpoint is LiteLLM's doing. A model that was given a tool calls
it twice; once there are results, it says what they were.
"""

import json
from collections.abc import AsyncIterator, Iterator

import litellm
from litellm import CustomLLM
from litellm.types.utils import Delta, ModelResponseStream, StreamingChoices, Usage

THOUGHTS = ("Two lists ", "are needed.")
WORDS = ("I look ", "at both.")
STATES = ("active", "paused “π”")
USAGE = Usage(prompt_tokens=210, completion_tokens=34, total_tokens=244, prompt_tokens_details={"cached_tokens": 130})
FAULTS = {
    "limited": litellm.RateLimitError,
    "full": litellm.ContextWindowExceededError,
    "down": litellm.InternalServerError,
}


class Mocked(CustomLLM):
    async def astreaming(self, model, messages, optional_params, **_) -> AsyncIterator[ModelResponseStream]:
        if model in FAULTS:
            raise FAULTS[model](message="So it was arranged.", llm_provider="mocked", model=model)
        if model == "breaks":
            yield chunk(model, content="It began ")
            raise litellm.ServiceUnavailableError("The model went away.", llm_provider="mocked", model=model)
        results = [m["content"] for m in messages if m["role"] == "tool"]
        calls = optional_params.get("tools") and not results
        for delta in question(model, optional_params["tools"]) if calls else answer(messages, results):
            yield chunk(model, **delta)
        yield ModelResponseStream(model=model, choices=[StreamingChoices(delta=Delta())], usage=USAGE)
        yield chunk(model, "tool_calls" if calls else "stop")


def question(model: str, tools: list) -> Iterator[dict]:
    """Words and two calls, in pieces; reasoning first where the model reasons."""
    if model == "reasons":
        yield from ({"reasoning_content": piece} for piece in THOUGHTS)
    yield from ({"content": piece} for piece in WORDS)
    name = tools[0]["function"]["name"]
    for index, state in enumerate(STATES):
        arguments = json.dumps({"state": state}, ensure_ascii=False)
        yield call(index, id=f"call_{index}", name=name)
        yield from (call(index, arguments=arguments[i : i + 4]) for i in range(0, len(arguments), 4))


def answer(messages: list, results: list) -> Iterator[dict]:
    """The roles of the whole conversation as they arrived, and every result."""
    said = f"{' '.join(m['role'] for m in messages)}: {' and '.join(map(plain, results))}"
    return ({"content": said[i : i + 5]} for i in range(0, len(said), 5))


def plain(content: object) -> str:
    return content if isinstance(content, str) else "".join(part["text"] for part in content)


def call(index: int, id: str | None = None, name: str | None = None, arguments: str = "") -> dict:
    function = {"name": name, "arguments": arguments}
    return {"tool_calls": [{"index": index, "id": id, "type": "function", "function": function}]}


def chunk(model: str, finish_reason: str | None = None, **delta) -> ModelResponseStream:
    choice = StreamingChoices(index=0, delta=Delta(role="assistant", **delta), finish_reason=finish_reason)
    return ModelResponseStream(model=model, choices=[choice])


mocked = Mocked()
