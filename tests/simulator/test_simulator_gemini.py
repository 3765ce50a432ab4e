"""Google's SDK talks with the simulator."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from google import genai
from google.genai import errors, types

from simulator.dialects.gemini import PROMPT_BLOCKED, SENTINEL
from tests.simulator.providers import asked, send

FLASH, OLD = "gemini-3.8-flash", "gemini-2.5-flash"
LOOK = types.Tool(
    function_declarations=[
        types.FunctionDeclaration(
            name="look",
            description="Looks",
            parameters=types.Schema(type=types.Type.OBJECT, properties={"where": types.Schema(type=types.Type.STRING)}),
        )
    ]
)
MANUAL = types.AutomaticFunctionCallingConfig(disable=True)
Connect = Callable[..., genai.Client]


@pytest.fixture
def connect(simulator: str) -> Connect:
    def connected(key: str = "AQ.ok") -> genai.Client:
        options = types.HttpOptions(
            base_url=f"{simulator}/google", timeout=20_000, retry_options=types.HttpRetryOptions(attempts=1)
        )
        return genai.Client(api_key=key, http_options=options)

    return connected


@pytest.fixture
def client(connect: Connect) -> genai.Client:
    return connect()


def config(**changes: Any) -> types.GenerateContentConfig:
    return types.GenerateContentConfig(automatic_function_calling=MANUAL, **changes)


def ask(client: genai.Client, contents: Any, model: str = FLASH, **changes: Any) -> Any:
    return client.models.generate_content(model=model, contents=contents, config=config(**changes))


def stream(client: genai.Client, contents: Any, model: str = FLASH, **changes: Any) -> list[Any]:
    return list(client.models.generate_content_stream(model=model, contents=contents, config=config(**changes)))


def user(text: str) -> types.Content:
    return types.Content(role="user", parts=[types.Part(text=text)])


def answer(name: str, id: str | None, response: dict[str, Any]) -> types.Content:
    part = types.Part(function_response=types.FunctionResponse(id=id, name=name, response=response))
    return types.Content(role="user", parts=[part])


def test_a_streamed_answer_is_the_unstreamed_one(client):
    chunks = stream(client, "Write a long answer about retargeting")
    whole = ask(client, "Write a long answer about retargeting")
    assert "".join(chunk.text or "" for chunk in chunks) == whole.text
    assert len(whole.text) > 3000
    end = chunks[-1]
    assert end.candidates[0].finish_reason == "STOP"
    assert not any(chunk.candidates[0].finish_reason for chunk in chunks[:-1])
    assert end.usage_metadata.candidates_token_count == whole.usage_metadata.candidates_token_count
    usage = end.usage_metadata
    assert usage.total_token_count == (
        usage.prompt_token_count + usage.candidates_token_count + usage.thoughts_token_count
    )


def test_lines_end_in_cr_lf_and_there_is_no_done(simulator):
    path, body = asked("google", "hello", stream=True)
    got = send(simulator, "google", path, body)
    assert got.headers["content-type"] == "text/event-stream"
    assert got.content.endswith(b"}\r\n\r\n")
    assert b"[DONE]" not in got.content
    assert got.content.count(b"\n") == got.content.count(b"\r\n")


def test_thoughts_are_shown_when_asked_for_and_signed_on_an_empty_part(client):
    thinking = types.ThinkingConfig(include_thoughts=True)
    chunks = stream(client, "[[sim thinking=30]] why?", thinking_config=thinking)
    parts = [part for chunk in chunks for part in (chunk.candidates[0].content.parts or [])]
    thoughts = [part.text for part in parts if part.thought]
    assert "".join(thoughts).startswith("The person asks")
    assert (parts[-1].text or "", bool(parts[-1].thought_signature)) == ("", True)
    assert chunks[-1].usage_metadata.thoughts_token_count == 30
    quiet = stream(client, "[[sim thinking=30]] why?")
    hidden = [part for chunk in quiet for part in (chunk.candidates[0].content.parts or []) if part.thought]
    assert hidden == []
    assert quiet[-1].usage_metadata.thoughts_token_count == 30


def test_a_tool_goes_round_with_its_signature(client):
    talk: list[Any] = [user('[[sim thinking=9 tool=look {"where": "here"}]] go')]
    called = stream(client, talk, tools=[LOOK])[-1].candidates[0].content
    (part,) = called.parts
    assert (part.function_call.name, part.function_call.args) == ("look", {"where": "here"})
    assert part.function_call.id
    assert part.thought_signature
    rows = json.dumps([{"name": "Spring", "roas": 1.4}])
    talk += [called, answer("look", part.function_call.id, {"result": rows})]
    assert "| Spring | 1.4 |" in ask(client, talk, tools=[LOOK]).text


def test_a_third_generation_model_refuses_a_call_without_signature(client):
    talk: list[Any] = [user("[[sim tool=look {}]] go")]
    called = ask(client, talk, tools=[LOOK]).candidates[0].content
    result = answer("look", called.parts[-1].function_call.id, {"result": "fine"})
    called.parts[-1].thought_signature = None
    with pytest.raises(errors.ClientError, match="missing a thought_signature in functionCall parts") as refused:
        ask(client, [*talk, called, result], tools=[LOOK])
    assert (refused.value.code, refused.value.status) == (400, "INVALID_ARGUMENT")
    called.parts[-1].thought_signature = b"forged"
    with pytest.raises(errors.ClientError, match="Corrupted thought signature"):
        ask(client, [*talk, called, result], tools=[LOOK])


def test_the_documented_sentinel_is_accepted_and_older_models_need_nothing(simulator):
    look = {"functionDeclarations": [{"name": "look"}]}
    call: dict[str, Any] = {"functionCall": {"name": "look", "args": {}}}

    def status(model: str, **extra: str) -> int:
        result = {"functionResponse": {"name": "look", "response": {"result": "x"}}}
        contents = [
            {"role": "user", "parts": [{"text": "hello"}]},
            {"role": "model", "parts": [{**call, **extra}]},
            {"role": "user", "parts": [result]},
        ]
        body = {"contents": contents, "tools": [look]}
        return send(simulator, "google", f"/models/{model}:generateContent", body).status_code

    assert status(FLASH) == 400
    assert status(FLASH, thoughtSignature=SENTINEL) == 200
    assert status(OLD) == 200


def test_only_the_first_of_parallel_calls_is_signed_and_all_want_answers(client):
    talk: list[Any] = [user("[[sim thinking=9 tool=look {} tools=2]] [[sim tool=look {}]] go")]
    called = ask(client, talk, tools=[LOOK]).candidates[0].content
    calls = [part for part in called.parts if part.function_call]
    assert [bool(part.thought_signature) for part in calls] == [True, False]
    one = answer("look", calls[0].function_call.id, {"result": "x"})
    with pytest.raises(errors.ClientError, match="number of function response parts is equal"):
        ask(client, [*talk, called, one], tools=[LOOK])
    both = types.Content(role="user", parts=[
        answer("look", part.function_call.id, {"result": "x"}).parts[0] for part in calls
    ])  # fmt: skip
    assert ask(client, [*talk, called, both], tools=[LOOK]).candidates[0].finish_reason == "STOP"


def test_calls_of_older_models_have_no_id(client):
    called = ask(client, [user("[[sim tool=look {}]] go")], OLD, tools=[LOOK]).candidates[0].content
    assert called.parts[-1].function_call.id is None


def test_a_failed_tool_is_reported(client):
    talk: list[Any] = [user("[[sim tool=look {}]] go")]
    called = ask(client, talk, tools=[LOOK]).candidates[0].content
    talk += [called, answer("look", called.parts[-1].function_call.id, {"error": "token expired"})]
    assert "`look` did not work: token expired" in ask(client, talk, tools=[LOOK]).text


def test_other_ends(client):
    cut = ask(client, "Write a long answer", max_output_tokens=30)
    assert cut.candidates[0].finish_reason == "MAX_TOKENS"
    refused = ask(client, "[[sim refuse]] go")
    assert (refused.candidates[0].finish_reason, refused.text) == ("SAFETY", None)
    assert refused.candidates[0].safety_ratings[0].blocked
    assert ask(client, "[[sim finish=MALFORMED_FUNCTION_CALL]] go").candidates[0].finish_reason == (
        "MALFORMED_FUNCTION_CALL"
    )
    blocked = stream(client, f"[[sim finish={PROMPT_BLOCKED}]] go")[-1]
    assert (blocked.candidates, blocked.prompt_feedback.block_reason) == (None, "PROHIBITED_CONTENT")


@pytest.mark.parametrize(
    ("flaw", "error", "code", "status"),
    [
        ("revoked", errors.ClientError, 400, "INVALID_ARGUMENT"),
        ("unbound", errors.ClientError, 401, "UNAUTHENTICATED"),
        ("forbidden", errors.ClientError, 403, "PERMISSION_DENIED"),
        ("nocredit", errors.ClientError, 429, "RESOURCE_EXHAUSTED"),
        ("ratelimited", errors.ClientError, 429, "RESOURCE_EXHAUSTED"),
        ("region", errors.ClientError, 400, "FAILED_PRECONDITION"),
        ("overloaded", errors.ServerError, 503, "UNAVAILABLE"),
    ],
)
def test_it_fails_in_the_sdks_classes(connect, flaw, error, code, status):
    with pytest.raises(error) as failed:
        ask(connect(f"AQ.{flaw}"), "hello")
    assert (failed.value.code, failed.value.status) == (code, status)
    with pytest.raises(error):
        stream(connect(f"AIza{flaw}"), "hello")


def test_a_daily_quota_and_a_limit_a_minute_are_told_apart_by_their_details(connect):
    def details(flaw: str) -> Any:
        with pytest.raises(errors.ClientError) as failed:
            ask(connect(f"AQ.{flaw}"), "hello")
        return failed.value.details["error"]["details"]

    assert "PerDay" in details("nocredit")[0]["violations"][0]["quotaId"]
    limited = details("ratelimited")
    assert "PerMinute" in limited[0]["violations"][0]["quotaId"]
    assert limited[-1] == {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "7s"}


def test_an_error_inside_a_stream_is_an_event_of_its_own(client, simulator):
    path, body = asked("google", "[[sim tokens=200 fail-after=150]] hello", stream=True)
    got = send(simulator, "google", path, body)
    last = json.loads(got.text.strip().splitlines()[-1].removeprefix("data: "))
    assert (got.status_code, last["error"]["code"], last["error"]["status"]) == (200, 503, "UNAVAILABLE")


def test_models_are_listed_page_by_page(client, simulator):
    names = [model.name for model in client.models.list(config={"page_size": 2})]
    assert names == [model.name for model in client.models.list()]
    assert f"models/{FLASH}" in names
    one = client.models.get(model=FLASH)
    assert (one.input_token_limit, one.display_name) == (1_048_576, "Gemini 3.8 Flash")
    assert send(simulator, "google", "/models?pageSize=2").json()["nextPageToken"] == "2"


def test_the_cache_works_by_itself(connect):
    client = connect("AQ.ok-cached")
    told = "You are careful with budgets. " * 800
    first = ask(client, "one", system_instruction=told).usage_metadata
    second = ask(client, "two", system_instruction=told).usage_metadata
    assert first.cached_content_token_count is None
    assert 4096 < second.cached_content_token_count < second.prompt_token_count


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"contents": []}, "contents is not specified"),
        ({"contents": [{"role": "assistant", "parts": [{"text": "x"}]}]}, "Please use a valid role: user, model."),
        ({"contents": [{"role": "user", "parts": []}]}, "must not be empty"),
        ({"contents": [{"role": "user", "parts": [{}]}]}, "must have one initialized field"),
        ({"mood": 1}, 'Unknown name "mood"'),
        (
            {"contents": [{"parts": [{"text": "x"}]}], "generationConfig": {"maxOutputTokens": 0}},
            "supported range is from 1",
        ),
    ],
)
def test_what_the_real_one_refuses_is_refused(simulator, body, says):
    got = send(simulator, "google", f"/models/{FLASH}:generateContent", body)
    assert (got.status_code, says in got.json()["error"]["message"]) == (400, True)
