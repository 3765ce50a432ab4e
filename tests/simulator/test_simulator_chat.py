"""The official SDKs talk chat completions with the simulator: openai, mistralai, groq and together."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import groq
import openai
import pytest
import together
from mistralai.client import Mistral
from mistralai.client.errors import HTTPValidationError, SDKError
from openai import OpenAI

from tests.simulator.providers import BASES, CHAT, KEYS, LOOK, MODELS, asked, send, working

BY_OPENAI = [slug for slug in CHAT if slug != "mistral"]
Connect = Callable[..., OpenAI]


@pytest.fixture
def connect(simulator: str, openai_pool: Any) -> Connect:
    def connected(slug: str, key: str = "") -> OpenAI:
        key = key or working(slug)
        url = simulator + BASES[slug]
        return OpenAI(api_key=key, base_url=url, max_retries=0, timeout=20.0, http_client=openai_pool)

    return connected


def talk(slug: str, text: Any, **options: Any) -> dict[str, Any]:
    messages = text if isinstance(text, list) else [{"role": "user", "content": text}]
    return {"model": MODELS[slug], "messages": messages, **options}


def chunks_of(simulator: str, slug: str, text: str, **options: Any) -> list[dict[str, Any]]:
    path, body = asked(slug, text, stream=True, **options)
    lines = send(simulator, slug, path, body).text.splitlines()
    return [json.loads(line[6:]) for line in lines if line.startswith("data: {")]


def deltas(chunks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [choice["delta"] for chunk in chunks for choice in chunk["choices"]]


@pytest.mark.parametrize("slug", BY_OPENAI)
def test_text_streams_through_the_openai_sdk(connect, slug):
    client = connect(slug)
    whole = client.chat.completions.create(**talk(slug, "Write a long answer about retargeting"))
    heard, last = "", None
    stream = client.chat.completions.create(
        **talk(slug, "Write a long answer about retargeting", stream=True, stream_options={"include_usage": True})
    )
    for chunk in stream:
        heard += "".join(choice.delta.content or "" for choice in chunk.choices)
        last = next((choice.finish_reason for choice in chunk.choices if choice.finish_reason), last)
    assert heard == whole.choices[0].message.content
    assert len(heard) > 3000
    assert last == whole.choices[0].finish_reason == ("eos" if slug == "together" else "stop")


@pytest.mark.parametrize("slug", BY_OPENAI)
def test_a_tool_goes_round_through_the_openai_sdk(connect, slug):
    client = connect(slug)
    said: list[Any] = [{"role": "user", "content": '[[sim thinking=9 tool=look {"where": "here"}]] go'}]
    with client.chat.completions.stream(**talk(slug, said, tools=[LOOK])) as live:
        for _ in live:
            pass
        called = live.current_completion_snapshot if slug == "together" else live.get_final_completion()
    message = called.choices[0].message
    (call,) = message.tool_calls
    assert called.choices[0].finish_reason == "tool_calls"
    if slug != "moonshot":  # whose ids and names come again in each fragment, and the SDK appends them
        assert call.function.name == "look"
    whole = client.chat.completions.create(**talk(slug, said, tools=[LOOK])).choices[0].message
    (call,) = whole.tool_calls
    assert json.loads(call.function.arguments) == {"where": "here"}
    rows = json.dumps([{"name": "Spring", "roas": 1.4}])
    said += [whole.model_dump(exclude_none=True), {"role": "tool", "tool_call_id": call.id, "content": rows}]
    answered = client.chat.completions.create(**talk(slug, said, tools=[LOOK]))
    assert "| Spring | 1.4 |" in answered.choices[0].message.content


@pytest.mark.parametrize("slug", BY_OPENAI)
def test_failures_come_in_the_classes_of_the_openai_sdk(connect, slug):
    classes = {
        400: openai.BadRequestError, 401: openai.AuthenticationError, 403: openai.PermissionDeniedError,
        429: openai.RateLimitError,
    }  # fmt: skip
    for flaw in ("revoked", "nocredit", "forbidden", "ratelimited", "overloaded"):
        with pytest.raises(openai.APIStatusError) as failed:
            connect(slug, f"{KEYS[slug]}{flaw}").chat.completions.create(**talk(slug, "hello"))
        status = failed.value.status_code
        assert type(failed.value) is classes.get(
            status, openai.InternalServerError if status >= 500 else openai.APIStatusError
        )


@pytest.mark.parametrize("slug", [slug for slug in BY_OPENAI if slug != "together"])
def test_models_are_listed_through_the_openai_sdk(connect, slug):
    assert MODELS[slug] in [model.id for model in connect(slug).models.list()]


# --- what each does its own way


def test_openai_itself_refuses_tools_while_its_models_reason(connect):
    client = connect("openai")
    with pytest.raises(openai.BadRequestError, match="To use function tools, use /v1/responses"):
        client.chat.completions.create(**talk("openai", "hello", tools=[LOOK]))
    assert client.chat.completions.create(**talk("openai", "hello", tools=[LOOK], reasoning_effort="none")).choices
    with pytest.raises(openai.BadRequestError, match="Use 'max_completion_tokens' instead"):
        client.chat.completions.create(**talk("openai", "hello", max_tokens=5))
    refused = client.chat.completions.create(**talk("openai", "[[sim refuse]] go")).choices[0]
    assert (refused.message.content, refused.finish_reason) == (None, "stop")
    assert refused.message.refusal.startswith("I'm sorry")


def test_reasoning_is_where_each_provider_puts_it(simulator):
    def reasoning(slug: str) -> list[dict[str, Any]]:
        said = deltas(chunks_of(simulator, slug, "[[sim thinking=20]] why?"))
        return [delta for delta in said if not isinstance(delta.get("content"), str) or len(delta) > 2]

    for slug in ("deepseek", "zai", "moonshot"):
        words = "".join(d.get("reasoning_content") or "" for d in deltas(chunks_of(simulator, slug, "why?")))
        assert words.startswith("The person asks"), slug
    for slug in ("groq", "together", "cerebras"):
        words = "".join(d.get("reasoning") or "" for d in deltas(chunks_of(simulator, slug, "why?")))
        assert words.startswith("The person asks"), slug
    assert {d["channel"] for d in reasoning("groq") if "reasoning" in d} == {"analysis"}
    for delta in reasoning("openrouter"):
        if delta.get("reasoning"):
            assert delta["reasoning"] == delta["reasoning_details"][0]["text"]


def test_deepseek_wants_its_reasoning_back_with_every_call(connect):
    client = connect("deepseek")
    said: list[Any] = [{"role": "user", "content": "[[sim tool=look {}]] go"}]
    message = client.chat.completions.create(**talk("deepseek", said, tools=[LOOK])).choices[0].message
    back = message.model_dump(exclude_none=True)
    result = {"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": "fine"}
    assert back["reasoning_content"].startswith("The person asks")
    assert client.chat.completions.create(**talk("deepseek", [*said, back, result])).choices
    assert client.chat.completions.create(
        **talk("deepseek", [*said, {**back, "reasoning_content": ""}, result])
    ).choices
    del back["reasoning_content"]
    with pytest.raises(openai.BadRequestError) as refused:
        client.chat.completions.create(**talk("deepseek", [*said, back, result]))
    assert refused.value.body["message"] == (
        "The `reasoning_content` in the thinking mode must be passed back to the API."
    )
    quiet = talk("deepseek", [*said, back, result], extra_body={"thinking": {"type": "disabled"}})
    assert client.chat.completions.create(**quiet).choices, "without thinking there is nothing to pass back"


def test_deepseek_keeps_alive_and_counts_hits_and_misses(connect, simulator):
    path, body = asked("deepseek", "hello", stream=True, stream_options={"include_usage": True})
    assert send(simulator, "deepseek", path, body).text.startswith(": keep-alive\n\n")
    client = connect("deepseek", "sk-ok-hits")
    told = {"role": "system", "content": "You are careful with budgets. " * 100}
    usages = [
        client.chat.completions.create(**talk("deepseek", [told, {"role": "user", "content": text}])).usage.model_dump()
        for text in ("one", "two")
    ]
    assert usages[0]["prompt_cache_hit_tokens"] == 0
    hit, miss = usages[1]["prompt_cache_hit_tokens"], usages[1]["prompt_cache_miss_tokens"]
    assert hit + miss == usages[1]["prompt_tokens"]
    assert hit > 600
    assert hit % 64 == 0
    ended = client.chat.completions.create(**talk("deepseek", "[[sim finish=insufficient_system_resource]] go"))
    assert ended.choices[0].finish_reason == "insufficient_system_resource"


def test_forced_tools_are_refused_where_they_are(connect):
    def choose(slug: str, **more: Any) -> Any:
        return connect(slug).chat.completions.create(**talk(slug, "hi", tools=[LOOK], tool_choice="required", **more))

    for slug in ("zai", "moonshot", "deepseek"):
        with pytest.raises(openai.BadRequestError):
            choose(slug)
    assert choose("deepseek", extra_body={"thinking": {"type": "disabled"}}).choices
    assert choose("groq").choices


def test_glm_gives_calls_whole_unless_their_stream_is_asked_for(simulator):
    def fragments(**options: Any) -> int:
        text = '[[sim tool=look {"where": "a long way from here"} each=1]] go'
        return sum(
            "tool_calls" in delta for delta in deltas(chunks_of(simulator, "zai", text, tools=[LOOK], **options))
        )

    assert fragments() == 1
    assert fragments(tool_stream=True) > 4


def test_glm_says_what_is_wrong_in_digits(simulator):
    def code(text: str, **options: Any) -> str:
        path, body = asked("zai", text, **options)
        error = send(simulator, "zai", path, body).json()["error"]
        assert set(error) == {"code", "message"}
        return str(error["code"])

    names = {"nocredit": "1113", "ratelimited": "1302", "overloaded": "1305", "context": "1261", "moderated": "1301"}
    assert {name: code(f"[[sim error={name}]] go") for name in names} == names
    assert code("hello", thinking={"type": "disabled"}) == "1210"
    assert chunks_of(simulator, "zai", "[[sim refuse]] go")[-1]["choices"][0]["finish_reason"] == "sensitive"


def test_openrouter_comments_costs_and_repeats(simulator):
    path, body = asked("openrouter", "hello", stream=True)
    got = send(simulator, "openrouter", path, body)
    assert got.text.startswith(": OPENROUTER PROCESSING\n\n: OPENROUTER PROCESSING\n\n")
    assert got.headers["x-generation-id"].startswith("gen-")
    last = chunks_of(simulator, "openrouter", "hello")[-1]
    assert last["choices"][0]["finish_reason"] == "stop"
    usage = last["usage"]
    assert usage["cost"] > 0
    details = usage["cost_details"]
    total = details["upstream_inference_prompt_cost"] + details["upstream_inference_completions_cost"]
    assert usage["cost"] == pytest.approx(total)


def test_openrouter_puts_an_error_into_a_chunk_like_the_others(simulator):
    chunks = chunks_of(simulator, "openrouter", "[[sim tokens=99 fail-after=60]] hello")
    assert chunks[-1]["error"]["code"] == 503
    assert chunks[-1]["error"]["metadata"]["error_type"] == "provider_overloaded"
    assert json.loads(chunks[-1]["error"]["metadata"]["raw"])["error"]["type"] == "overloaded_error"
    assert chunks[-1]["choices"][0]["finish_reason"] == "error"
    assert chunks[-1]["usage"]["completion_tokens"] > 0


def test_openrouter_verifies_the_reasoning_it_gets_back(connect):
    client = connect("openrouter")
    said: list[Any] = [{"role": "user", "content": "[[sim thinking=9]] why?"}]
    message = client.chat.completions.create(**talk("openrouter", said)).choices[0].message
    back = {"role": "assistant", "content": message.content, "reasoning_details": message.reasoning_details}
    more = {"role": "user", "content": "and then?"}
    assert client.chat.completions.create(**talk("openrouter", [*said, back, more])).choices
    back["reasoning_details"][0]["text"] = "I was never here."
    with pytest.raises(openai.BadRequestError, match="Provider returned error"):
        client.chat.completions.create(**talk("openrouter", [*said, back, more]))


def test_kimi_hides_usage_in_the_choice_and_repeats_who_is_called(simulator):
    chunks = chunks_of(simulator, "moonshot", '[[sim tool=look {"where": "far away"} each=1]] go', tools=[LOOK])
    assert not any("usage" in chunk for chunk in chunks)
    assert chunks[-1]["choices"][0]["usage"]["completion_tokens"] > 0
    calls = [delta["tool_calls"][0] for delta in deltas(chunks) if "tool_calls" in delta]
    assert len(calls) > 3
    assert {(call["id"], call["function"]["name"]) for call in calls} == {("functions.look:0", "look")}
    whole = "".join(call["function"]["arguments"] for call in calls)
    assert json.loads(whole) == {"where": "far away"}


def test_together_has_usage_in_a_chunk_of_its_own_and_ends_with_eos(simulator):
    chunks = chunks_of(simulator, "together", "hello")
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"]["total_tokens"] > 0
    assert chunks[-2]["choices"][0]["finish_reason"] == "eos"


# --- groq


@pytest.fixture
def groq_client(simulator: str) -> Callable[..., groq.Groq]:
    def connected(key: str = "gsk_ok") -> groq.Groq:
        return groq.Groq(api_key=key, base_url=f"{simulator}/groq", max_retries=0, timeout=20.0)

    return connected


def test_groqs_sdk_hears_reasoning_text_and_usage_in_x_groq(groq_client):
    chunks = list(groq_client().chat.completions.create(**talk("groq", "[[sim thinking=20]] why?", stream=True)))
    thought = "".join(chunk.choices[0].delta.reasoning or "" for chunk in chunks if chunk.choices)
    assert thought.startswith("The person asks")
    assert chunks[0].x_groq.id.startswith("req_")
    end = chunks[-1]
    assert (end.choices[0].finish_reason, end.x_groq.usage.completion_tokens > 20) == ("stop", True)


def test_groqs_sdk_gets_a_call_whole_and_brings_its_result(groq_client):
    said: list[Any] = [{"role": "user", "content": '[[sim tool=look {"where": "here"}]] go'}]
    chunks = list(groq_client().chat.completions.create(**talk("groq", said, tools=[LOOK], stream=True)))
    (called,) = [chunk.choices[0].delta for chunk in chunks if chunk.choices and chunk.choices[0].delta.tool_calls]
    (call,) = called.tool_calls
    assert json.loads(call.function.arguments) == {"where": "here"}
    asked_for = {"id": call.id, "type": "function", "function": {"name": "look", "arguments": call.function.arguments}}
    said += [
        {"role": "assistant", "content": None, "tool_calls": [asked_for]},
        {"role": "tool", "tool_call_id": call.id, "content": "all is fine"},
    ]
    answered = groq_client().chat.completions.create(**talk("groq", said, tools=[LOOK]))
    assert "> all is fine" in answered.choices[0].message.content


def test_groq_fails_in_the_sdks_classes(groq_client):
    with pytest.raises(groq.AuthenticationError) as bad:
        groq_client("gsk_revoked").chat.completions.create(**talk("groq", "hello"))
    assert bad.value.body["error"]["code"] == "invalid_api_key"
    with pytest.raises(groq.RateLimitError) as limited:
        groq_client("gsk_ratelimited").chat.completions.create(**talk("groq", "hello"))
    assert limited.value.response.headers["retry-after"] == "3"
    with pytest.raises(groq.APIStatusError) as full:
        groq_client("gsk_overloaded").chat.completions.create(**talk("groq", "hello"))
    assert full.value.status_code == 498
    with pytest.raises(groq.BadRequestError) as failed:
        groq_client().chat.completions.create(**talk("groq", "[[sim error=tool_use_failed]] go"))
    assert failed.value.body["error"]["failed_generation"]
    assert MODELS["groq"] in [model.id for model in groq_client().models.list().data]


def test_groq_ends_a_stream_with_a_named_error_and_no_done(groq_client, simulator):
    text = "[[sim tokens=99 fail-after=60 error=tool_use_failed]] go"
    with pytest.raises(groq.APIError) as failed:
        list(groq_client().chat.completions.create(**talk("groq", text, stream=True)))
    assert failed.value.body["code"] == "tool_use_failed"
    path, body = asked("groq", text, stream=True)
    lines = send(simulator, "groq", path, body).text.strip().splitlines()
    assert lines[-2] == "event: error"
    assert json.loads(lines[-1][6:])["error"]["status_code"] == 400


# --- mistral


@pytest.fixture
def mistral(simulator: str) -> Callable[..., Mistral]:
    def connected(key: str = "ok") -> Mistral:
        return Mistral(api_key=key, server_url=f"{simulator}/mistral", timeout_ms=20_000)

    return connected


def test_mistrals_sdk_hears_thinking_in_parts_and_then_text(mistral):
    stream = mistral().chat.stream(**talk("mistral", "[[sim thinking=20]] why?"))
    contents = [event.data.choices[0].delta.content for event in stream]
    lists = [content for content in contents if isinstance(content, list)]
    thought = "".join(part.text for content in lists for chunk in content for part in chunk.thinking)
    assert thought.startswith("The person asks")
    said = "".join(content for content in contents if isinstance(content, str))
    assert "demo model" in said
    first = next(i for i, content in enumerate(contents) if isinstance(content, str) and content)
    assert not any(isinstance(content, list) for content in contents[first:])


def test_mistrals_sdk_gets_calls_finish_and_usage_in_one_chunk(mistral):
    said: list[Any] = [{"role": "user", "content": "[[sim thinking=5 tool=look {} tools=2]] [[sim tool=look {}]] go"}]
    events = [event.data for event in mistral().chat.stream(**talk("mistral", said, tools=[LOOK]))]
    end = events[-1]
    assert (end.choices[0].finish_reason, end.usage.completion_tokens > 0) == ("tool_calls", True)
    calls = end.choices[0].delta.tool_calls
    assert [len(call.id) for call in calls] == [9, 9]
    whole = mistral().chat.complete(**talk("mistral", said, tools=[LOOK])).choices[0].message
    results = [
        {"role": "tool", "tool_call_id": call.id, "name": "look", "content": "all is fine"} for call in whole.tool_calls
    ]
    answered = mistral().chat.complete(**talk("mistral", [*said, whole, *results], tools=[LOOK]))
    assert "> all is fine" in answered.choices[0].message.content[-1].text


def test_mistral_is_strict_about_fields_ids_names_and_order(simulator):
    hello = {"role": "user", "content": "hello"}

    def refused(*messages: Any, **options: Any) -> Any:
        body = {"model": MODELS["mistral"], "messages": list(messages), **options}
        return send(simulator, "mistral", "/chat/completions", body)

    extra = refused(hello, stream_options={"include_usage": True})
    assert (extra.status_code, extra.json()["detail"][0]["type"]) == (422, "extra_forbidden")
    call = {"id": "call_0123456789", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    asks = {"role": "assistant", "content": "", "tool_calls": [call]}
    answer = {"role": "tool", "tool_call_id": call["id"], "name": "look", "content": "x"}
    long_id = refused(hello, asks, answer).json()
    assert (long_id["object"], long_id["code"]) == ("error", "3280")
    assert "with a length of 9" in long_id["message"]
    call["id"] = answer["tool_call_id"] = "abcDEF123"
    assert refused(hello, asks, answer).status_code == 200
    nameless = {name: value for name, value in answer.items() if name != "name"}
    assert refused(hello, asks, nameless).status_code == 400
    assert refused(hello, asks, answer, hello).json()["message"] == "Unexpected role 'user' after role 'tool'"
    assert "Expected last role User or Tool" in refused(hello, {"role": "assistant", "content": "hi"}).json()["message"]


@pytest.mark.filterwarnings("ignore:Pydantic serializer")
def test_mistral_fails_in_the_sdks_classes(mistral):
    for flaw, status in (("revoked", 401), ("ratelimited", 429), ("overloaded", 500)):
        with pytest.raises(SDKError) as failed:
            mistral(flaw).chat.complete(**talk("mistral", "hello"))
        assert failed.value.status_code == status
    with pytest.raises(HTTPValidationError):
        mistral().chat.complete(**talk("mistral", "hello", tool_choice="sometimes"))


def test_mistrals_models_come_with_aliases_and_abilities(mistral):
    models = {model.id: model for model in mistral().models.list().data}
    assert models["magistral-medium-latest"].name == "magistral-medium-2509"
    assert models["magistral-medium-2509"].aliases == ["magistral-medium-latest"]
    assert models["mistral-large-latest"].capabilities.function_calling


# --- together


@pytest.fixture
def together_client(simulator: str) -> Callable[..., together.Together]:
    def connected(key: str = "tgp_v1_ok") -> together.Together:
        return together.Together(api_key=key, base_url=f"{simulator}/together", max_retries=0, timeout=20.0)

    return connected


def test_togethers_sdk_streams_and_calls(together_client):
    client = together_client()
    chunks = list(client.chat.completions.create(**talk("together", "[[sim echo]] one two three", stream=True)))
    heard = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    assert heard == "one two three"
    assert chunks[-1].usage.total_tokens > 0
    said: list[Any] = [{"role": "user", "content": '[[sim tool=look {"where": "here"}]] go'}]
    message = client.chat.completions.create(**talk("together", said, tools=[LOOK])).choices[0].message
    (call,) = message.tool_calls
    assert json.loads(call.function.arguments) == {"where": "here"}
    said += [
        {"role": "assistant", "content": "", "tool_calls": [call.model_dump(exclude_none=True)]},
        {"role": "tool", "tool_call_id": call.id, "content": "all is fine"},
    ]
    answered = client.chat.completions.create(**talk("together", said, tools=[LOOK]))
    assert "> all is fine" in answered.choices[0].message.content


@pytest.mark.parametrize(
    ("flaw", "error", "status"),
    [
        ("revoked", together.AuthenticationError, 401),
        ("nocredit", together.APIStatusError, 402),
        ("ratelimited", together.RateLimitError, 429),
        ("overloaded", together.InternalServerError, 503),
    ],
)
def test_together_fails_in_the_sdks_classes(together_client, flaw, error, status):
    with pytest.raises(error) as failed:
        together_client(f"tgp_v1_{flaw}").chat.completions.create(**talk("together", "hello"))
    assert failed.value.status_code == status
