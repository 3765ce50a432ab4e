"""OpenAI's SDK talks Responses with the simulator, as OpenAI and as xAI."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import openai
import pytest
from openai import OpenAI
from openai.types.responses import ResponseStreamEvent
from pydantic import TypeAdapter

from tests.simulator.providers import BASES, MODELS, asked, send, working

LOOK: Any = {
    "type": "function",
    "name": "look",
    "description": "Looks",
    "parameters": {"type": "object", "properties": {"where": {"type": "string"}}},
    "strict": False,
}
SPEAKERS = ["openai", "xai"]
Connect = Callable[..., OpenAI]


@pytest.fixture
def connect(simulator: str, openai_pool: Any) -> Connect:
    def connected(slug: str = "openai", key: str = "") -> OpenAI:
        key = key or working(slug)
        url = simulator + BASES[slug]
        return OpenAI(api_key=key, base_url=url, max_retries=0, timeout=20.0, http_client=openai_pool)

    return connected


def ask(client: OpenAI, text: Any, slug: str = "openai", **options: Any) -> Any:
    options = {"model": MODELS[slug], "store": False, "include": ["reasoning.encrypted_content"], **options}
    return client.responses.create(input=text, **options)


def stream(client: OpenAI, text: Any, slug: str = "openai", **options: Any) -> list[Any]:
    return list(ask(client, text, slug, stream=True, **options))


@pytest.mark.parametrize("slug", SPEAKERS)
def test_a_streamed_answer_is_the_unstreamed_one(connect, slug):
    client = connect(slug)
    events = stream(client, "Write a long answer about retargeting", slug)
    heard = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    whole = ask(client, "Write a long answer about retargeting", slug)
    assert heard == events[-1].response.output_text == whole.output_text
    assert len(heard) > 3000
    assert whole.status == "completed"
    assert whole.usage.output_tokens == events[-1].response.usage.output_tokens


def test_the_events_come_in_full_and_in_order(connect):
    client = connect()
    text = '[[sim thinking=20 tool=look {"where": "here"}]] go'
    events = stream(client, text, tools=[LOOK], reasoning={"summary": "auto"})
    assert [event.sequence_number for event in events] == list(range(len(events)))
    names = [event.type.removeprefix("response.") for event in events]
    once = [name for i, name in enumerate(names) if i == 0 or names[i - 1] != name]
    assert once == [
        "created", "in_progress",
        "output_item.added", "reasoning_summary_part.added", "reasoning_summary_text.delta",
        "reasoning_summary_text.done", "reasoning_summary_part.done", "output_item.done",
        "output_item.added", "content_part.added", "output_text.delta", "output_text.done", "content_part.done",
        "output_item.done",
        "output_item.added", "function_call_arguments.delta", "function_call_arguments.done", "output_item.done",
        "completed",
    ]  # fmt: skip
    output = events[-1].response.output
    assert [item.type for item in output] == ["reasoning", "message", "function_call"]
    assert json.loads(output[2].arguments) == {"where": "here"}
    done = [event.item for event in events if event.type == "response.output_item.done"]
    assert [item.id for item in done] == [item.id for item in output]


def test_every_event_is_one_the_sdk_knows(simulator):
    known: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
    path, body = asked("openai", "[[sim thinking=9 tool=look {}]] go", tools=[LOOK], reasoning={"summary": "auto"},
                       stream=True)  # fmt: skip
    for block in send(simulator, "openai", path, body).text.strip().split("\n\n"):
        name, data = block.split("\n", 1)
        event = known.validate_python(json.loads(data.removeprefix("data: ")))
        assert name == f"event: {event.type}"


@pytest.mark.parametrize("slug", SPEAKERS)
def test_a_tool_goes_round_with_its_reasoning(connect, slug):
    client = connect(slug)
    talk: list[Any] = [{"role": "user", "content": '[[sim thinking=9 tool=look {"where": "a"}]] go'}]
    called = ask(client, talk, slug, tools=[LOOK])
    talk += [item.model_dump(exclude_none=True) for item in called.output]
    call = called.output[-1]
    assert (call.type, call.name, called.output[0].type) == ("function_call", "look", "reasoning")
    rows = json.dumps([{"name": "Spring", "roas": 1.4}])
    talk.append({"type": "function_call_output", "call_id": call.call_id, "output": rows})
    answered = ask(client, talk, slug, tools=[LOOK])
    assert "| Spring | 1.4 |" in answered.output_text


def test_parallel_calls_want_all_their_outputs(connect):
    client = connect()
    talk: list[Any] = [{"role": "user", "content": "[[sim tool=look {} tools=2]] [[sim tool=look {}]] go"}]
    called = ask(client, talk, tools=[LOOK])
    calls = [item for item in called.output if item.type == "function_call"]
    assert len({call.call_id for call in calls}) == 2
    talk += [item.model_dump(exclude_none=True) for item in called.output]
    talk.append({"type": "function_call_output", "call_id": calls[0].call_id, "output": "fine"})
    with pytest.raises(openai.BadRequestError, match=f"No tool output found for function call {calls[1].call_id}"):
        ask(client, talk, tools=[LOOK])
    talk.append({"type": "function_call_output", "call_id": calls[1].call_id, "output": "fine"})
    assert ask(client, talk, tools=[LOOK]).status == "completed"
    talk.append({"type": "function_call_output", "call_id": "call_nobody", "output": "fine"})
    with pytest.raises(openai.BadRequestError, match="No tool call found for function call output"):
        ask(client, talk, tools=[LOOK])


@pytest.fixture
def talk(connect: Connect) -> list[Any]:
    """A question answered with reasoning, and the next question."""
    begun: list[Any] = [{"role": "user", "content": "[[sim thinking=9]] why?"}]
    answered = ask(connect(), begun)
    assert answered.output[0].encrypted_content.startswith("gAAAAA")
    items = [item.model_dump(exclude_none=True) for item in answered.output]
    return [*begun, *items, {"role": "user", "content": "And then?"}]


def test_reasoning_is_replayed_and_verified(connect, talk):
    assert ask(connect(), talk).status == "completed"
    assert ask(connect(), talk, model="gpt-6-sol").status == "completed", "another model of its family can read it"
    with pytest.raises(openai.BadRequestError) as refused:
        ask(connect(), talk, model="gpt-4.1")
    assert refused.value.code == "invalid_encrypted_content"
    with pytest.raises(openai.BadRequestError) as foreign:
        ask(connect("xai"), talk, "xai")
    assert foreign.value.body == "Could not decrypt the provided encrypted content."
    talk[1]["encrypted_content"] = talk[1]["encrypted_content"][:-9] + "AAAAAAAA="
    with pytest.raises(openai.BadRequestError, match="could not be verified"):
        ask(connect(), talk)


def test_reasoning_needs_its_seal_and_the_item_behind_it(connect, talk):
    alone = [*talk[:2], talk[3]]
    with pytest.raises(openai.BadRequestError, match="without its required following item"):
        ask(connect(), alone)
    del talk[1]["encrypted_content"]
    with pytest.raises(openai.NotFoundError, match=r"not found\. Items are not persisted"):
        ask(connect(), talk)


def test_hidden_reasoning_is_billed_and_sealed(connect):
    events = stream(connect(), "[[sim thinking=50]] why?")
    assert not [event for event in events if "summary_text" in event.type]
    end = events[-1].response
    assert end.usage.output_tokens_details.reasoning_tokens == 50
    assert (end.output[0].summary, bool(end.output[0].encrypted_content)) == ([], True)
    assert ask(connect(), "hello", include=[]).output[0].encrypted_content is None


def test_who_turns_reasoning_off_gets_none_if_the_model_can(connect):
    answer = ask(connect(), "[[sim thinking=50]] why?", reasoning={"effort": "none"})
    assert [item.type for item in answer.output] == ["message"]
    with pytest.raises(openai.BadRequestError, match="'none' is not supported with the"):
        ask(connect(), "why?", model="gpt-6.2-sol", reasoning={"effort": "none"})


def test_a_refusal_has_its_own_events(connect):
    events = stream(connect(), "[[sim refuse]] go")
    assert "response.refusal.delta" in {event.type for event in events}
    part = events[-1].response.output[-1].content[0]
    assert (part.type, part.refusal) == ("refusal", "I'm sorry, but I can't assist with that request.")


def test_an_answer_that_is_cut_is_incomplete_even_its_call(connect):
    end = stream(connect(), "Write a long answer", max_output_tokens=16)[-1]
    assert (end.type, end.response.incomplete_details.reason) == ("response.incomplete", "max_output_tokens")
    cut = ask(connect(), '[[sim tool=look {"where": "%s"}]] go' % ("x" * 300), tools=[LOOK], max_output_tokens=20)
    assert (cut.output[-1].type, cut.output[-1].status) == ("function_call", "incomplete")
    with pytest.raises(ValueError):
        json.loads(cut.output[-1].arguments)
    filtered = ask(connect(), "[[sim finish=content_filter]] go")
    assert filtered.incomplete_details.reason == "content_filter"


@pytest.mark.parametrize(
    ("flaw", "error", "code"),
    [
        ("revoked", openai.AuthenticationError, "invalid_api_key"),
        ("forbidden", openai.AuthenticationError, "missing_scope"),
        ("region", openai.PermissionDeniedError, "unsupported_country_region_territory"),
        ("ratelimited", openai.RateLimitError, "rate_limit_exceeded"),
        ("nocredit", openai.RateLimitError, "insufficient_quota"),
        ("overloaded", openai.InternalServerError, "server_is_overloaded"),
    ],
)
def test_openai_fails_in_the_sdks_classes(connect, flaw, error, code):
    with pytest.raises(error) as failed:
        ask(connect(key=f"sk-proj-{flaw}"), "hello")
    assert failed.value.code == code
    assert failed.value.request_id.startswith("req_")


def test_a_restricted_key_may_chat_and_not_list(connect):
    client = connect(key="sk-proj-nolist")
    assert ask(client, "hello").status == "completed"
    with pytest.raises(openai.AuthenticationError, match=r"Missing scopes: api\.model\.read"):
        client.models.list()


def test_no_credit_is_said_inside_the_stream_by_error_and_then_failed(connect, simulator):
    with pytest.raises(openai.APIError) as failed:
        stream(connect(key="sk-proj-nocredit"), "hello")
    assert failed.value.code == "insufficient_quota"
    path, body = asked("openai", "hello", stream=True)
    got = send(simulator, "openai", path, body, key="sk-proj-nocredit")
    names = [line.removeprefix("event: ") for line in got.text.splitlines() if line.startswith("event: ")]
    assert got.status_code == 200
    assert names == ["response.created", "response.in_progress", "error", "response.failed"]
    last = json.loads(got.text.strip().splitlines()[-1].removeprefix("data: "))
    assert last["response"]["error"]["code"] == "insufficient_quota"
    assert last["sequence_number"] == 3


def test_an_unknown_model_is_400_here_and_404_in_chat(connect):
    with pytest.raises(openai.BadRequestError, match="'gpt-99' does not exist"):
        ask(connect(), "hello", model="gpt-99")
    with pytest.raises(openai.NotFoundError, match="`gpt-99` does not exist"):
        connect().chat.completions.create(model="gpt-99", messages=[{"role": "user", "content": "hello"}])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"max_output_tokens": 1}, "Expected a value >= 16, but got 1"),
        ({"temperature": 1.0}, "'temperature' is not supported with this model"),
        ({"extra_body": {"mood": "good"}}, "Unknown parameter: 'mood'"),
        ({"previous_response_id": "resp_1"}, "Previous response with id 'resp_1' not found"),
        ({"tools": [{**LOOK, "strict": True}]}, "'additionalProperties' is required to be supplied and to be false"),
    ],
)
def test_what_the_real_one_refuses_is_refused(connect, change, says):
    with pytest.raises(openai.BadRequestError, match=says):
        ask(connect(), "hello", **change)


def test_xai_says_a_bad_key_with_400_and_may_answer_200_with_an_error(connect, simulator):
    with pytest.raises(openai.BadRequestError) as failed:
        ask(connect("xai", "xai-revoked"), "hello", "xai")
    assert "Incorrect API key provided" in failed.value.response.json()["error"]
    with pytest.raises(openai.PermissionDeniedError) as poor:
        ask(connect("xai", "xai-nocredit"), "hello", "xai")
    assert "doesn't have any credits" in poor.value.response.json()["error"]
    path, body = asked("xai", "hello", stream=True)
    quiet = send(simulator, "xai", path, body, key="xai-quiet")
    assert (quiet.status_code, quiet.headers["content-type"]) == (200, "application/json")
    assert set(quiet.json()) == {"code", "error"}


def test_xai_may_report_more_cached_tokens_than_tokens(connect):
    client = connect("xai", "xai-ok-cached")
    instructions = "You are careful with budgets. " * 400
    first = ask(client, "one", "xai", instructions=instructions).usage
    second = ask(client, "two", "xai", instructions=instructions).usage
    assert first.input_tokens > 2000
    assert second.input_tokens_details.cached_tokens > 2000 > second.input_tokens
    total = second.input_tokens + second.input_tokens_details.cached_tokens
    assert second.total_tokens == total + second.output_tokens


def test_openai_reports_what_it_wrote_to_its_cache(connect):
    client = connect(key="sk-proj-ok-cached")
    instructions = "You are careful with budgets. " * 400
    first = ask(client, "one", instructions=instructions).usage
    second = ask(client, "two", instructions=instructions).usage
    assert first.input_tokens_details.cache_write_tokens > 2000
    assert second.input_tokens_details.cached_tokens > 2000
    assert second.input_tokens_details.cached_tokens % 128 == 0


@pytest.mark.parametrize("slug", SPEAKERS)
def test_models_are_listed(connect, slug):
    client = connect(slug)
    listed = [model.id for model in client.models.list()]
    assert MODELS[slug] in listed
    assert client.models.retrieve(MODELS[slug]).id == MODELS[slug]
    with pytest.raises(openai.APIStatusError):
        client.models.retrieve("nothing")


def test_xai_lists_language_models_with_prices(simulator):
    (model,) = [m for m in send(simulator, "xai", "/language-models").json()["models"] if m["id"] == "grok-4.3"]
    assert (model["prompt_text_token_price"], model["completion_text_token_price"]) == (12_500, 25_000)


def test_images_are_seen(connect):
    content = [
        {"type": "input_text", "text": "What about this?"},
        {"type": "input_image", "image_url": "data:image/png;base64,AAAA", "detail": "auto"},
    ]
    assert "attached 1 image(s)" in ask(connect(), [{"role": "user", "content": content}]).output_text


OTHER: Any = {**LOOK, "name": "other"}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({}, ("cache_hit", None)),
        ({"model": "gpt-6-sol"}, ("cache_miss", "model_changed")),
        ({"tools": [OTHER]}, ("cache_miss", "tools_changed")),
        ({"instructions": "Be long."}, ("cache_miss", "input_changed")),
        ({"prompt_cache_options": {"comparison_response_id": "resp_unknown"}}, ("comparison_response_not_found", None)),
    ],
)
def test_a_response_says_why_the_cache_was_missed(connect, change, says):
    client = connect()
    first = ask(client, "Hi", instructions="Be brief.", tools=[LOOK])
    assert first.prompt_cache_diagnostics is None
    asked = {"instructions": "Be brief.", "tools": [LOOK], "prompt_cache_options": {"comparison_response_id": first.id}}
    told = stream(client, "Hi", **{**asked, **change})[-1].response.prompt_cache_diagnostics
    assert (told.type, getattr(told, "reason", None)) == says


@pytest.mark.parametrize(("slug", "model"), [("openai", "gpt-4.1"), ("xai", "grok-4.3")])
def test_older_models_and_xai_do_not_compare_responses(connect, slug, model):
    options: Any = {"comparison_response_id": "resp_1"}
    with pytest.raises(openai.BadRequestError) as refused:
        ask(connect(slug), "Hi", slug, model=model, prompt_cache_options=options, include=[])
    assert "prompt_cache_options" in refused.value.response.text
