"""What goes wrong: keys, requests the real API refuses, and faults before and inside a stream, as the SDK sees them."""

from __future__ import annotations

import time
from typing import Any

import anthropic
import httpx2
import pytest
import requests
from anthropic import Anthropic

HELLO: list[Any] = [{"role": "user", "content": "hello"}]
TOOL = {"name": "look", "description": "", "input_schema": {"type": "object", "properties": {}}}
USE = {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {}}
RESULT = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "x"}


def ask(client: Anthropic, text: str = "hello", model: str = "demo-sonnet", **options: Any) -> Any:
    return client.messages.create(model=model, max_tokens=1000, messages=[{"role": "user", "content": text}], **options)


@pytest.mark.parametrize(
    ("flaw", "error", "says"),
    [
        ("revoked", anthropic.AuthenticationError, "Invalid bearer token"),
        ("never-issued", anthropic.AuthenticationError, "Invalid bearer token"),
        ("nocredit", anthropic.BadRequestError, "credit balance is too low"),
        ("forbidden", anthropic.PermissionDeniedError, "does not have permission"),
        ("ratelimited", anthropic.RateLimitError, "rate limit"),
        ("overloaded", anthropic.OverloadedError, "Overloaded"),
    ],
)
def test_a_key_has_its_flaw_for_chat_and_for_the_model_list(connect, flaw, error, says):
    client = connect(f"sk-ant-api03-{flaw}-1")
    with pytest.raises(error, match=says) as chat:
        ask(client)
    with pytest.raises(error):
        client.models.list()
    assert chat.value.request_id.startswith("req_")
    assert chat.value.body["request_id"] == chat.value.request_id
    assert chat.value.body["type"] == "error"


def test_a_limited_key_is_told_when_to_come_back(connect):
    with pytest.raises(anthropic.RateLimitError) as limited:
        ask(connect("sk-ant-api03-ratelimited"))
    assert limited.value.response.headers["retry-after"] == "7"
    assert limited.value.response.headers["x-should-retry"] == "true"


def test_a_key_may_be_shut_out_of_one_line_of_models(connect):
    client = connect("sk-ant-api03-noopus-1")
    with pytest.raises(anthropic.PermissionDeniedError, match="claude-opus-5-5"):
        ask(client, model="claude-opus-5-5")
    assert ask(client, model="claude-haiku-5-5").stop_reason == "end_turn"


def test_a_login_page_can_answer_instead(simulator):
    got = requests.get(f"{simulator}/v1/models", headers={"x-api-key": "sk-ant-api03-html"}, timeout=5)
    assert (got.status_code, got.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "<h1>Sign in" in got.text


def test_a_slow_key_is_left_by_an_impatient_client(connect):
    begun = time.monotonic()
    with pytest.raises(anthropic.APITimeoutError):
        ask(connect("sk-ant-api03-slow", timeout=0.5))
    assert time.monotonic() - begun < 5


def test_a_key_is_revoked_while_the_product_runs(client, control, key):
    assert ask(client).stop_reason == "end_turn"
    control("revoke", key=key)
    with pytest.raises(anthropic.AuthenticationError):
        ask(client)
    control("restore", key=key)
    assert ask(client).stop_reason == "end_turn"


def test_both_ways_to_send_a_key_work_and_none_is_asked_for(simulator, post):
    body = {"model": "demo-sonnet", "max_tokens": 10, "messages": HELLO}
    bearer = {"Authorization": "Bearer sk-ant-demo-1", "anthropic-version": "2023-06-01"}
    assert requests.post(f"{simulator}/v1/messages", json=body, headers=bearer, timeout=5).status_code == 200
    got = post(body, **{"x-api-key": ""})
    assert (got.status_code, got.json()["error"]["message"]) == (401, "x-api-key header is required")
    got = post(body, **{"x-api-key": "sk-ant-api03-revoked"})
    assert (got.status_code, got.json()["error"]["message"]) == (401, "invalid x-api-key")


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 413, 429, 500, 503, 504, 529])
def test_any_status_can_be_scripted(client, status):
    with pytest.raises(anthropic.APIStatusError) as failed:
        ask(client, f"[[sim error={status}]] hello", stream=True)
    assert failed.value.status_code == status


def test_an_error_once_is_healed_by_the_sdks_own_retry(connect, stats, key):
    answer = ask(connect(max_retries=1), "[[sim error-once=529]] hello")
    assert answer.stop_reason == "end_turn"
    assert stats()["keys"][key] == 2


@pytest.mark.parametrize("type", ["overloaded_error", "api_error", "rate_limit_error"])
def test_an_error_inside_a_stream_comes_after_its_text(client, type):
    heard: list[Any] = []
    asked = ask(client, f"[[sim tokens=200 fail-after=50 error={type}]] hello", stream=True)
    with pytest.raises(anthropic.APIStatusError) as failed:
        heard.extend(asked)
    assert failed.value.body["error"]["type"] == type
    assert failed.value.status_code == 200, "the status line had gone out long before"
    text = "".join(event.delta.text for event in heard if event.type == "content_block_delta")
    assert text.startswith("*I am the built-in")


def test_an_error_can_be_the_first_event_of_a_stream(post):
    got = post(_body("[[sim fail-after=0]] hello", stream=True))
    assert got.status_code == 200
    assert got.text.startswith("event: error\n")
    assert "overloaded_error" in got.text


def test_a_truncated_stream_ends_properly_but_without_its_end(client, stats):
    before = stats()["streams"]["done"]
    events = list(ask(client, "[[sim tokens=200 truncate-after=50]] hello", stream=True))
    assert events[-1].type == "content_block_delta"
    assert stats()["streams"]["done"] == before + 1


def test_a_text_too_short_for_its_fault_has_it_at_the_end(client):
    events = list(ask(client, "[[sim tokens=5 truncate-after=50]] hello", stream=True))
    assert events[-1].type == "content_block_stop"


def test_a_dropped_connection_is_an_error_of_the_network(client):
    with pytest.raises((anthropic.APIConnectionError, httpx2.RemoteProtocolError)):
        list(ask(client, "[[sim tokens=200 drop-after=50]] hello", stream=True))


def test_a_silence_with_pings_goes_on_after_it(client):
    begun = time.monotonic()
    asked = ask(client, "[[sim tokens=60 silence-after=20 seconds=0.6 pings=0.2]] hello", stream=True)
    assert list(asked)[-1].type == "message_stop"
    assert 0.5 < time.monotonic() - begun < 3


def test_a_silence_without_an_end_is_left_by_the_client(client, connect, stats):
    before = stats()["streams"]
    with pytest.raises((anthropic.APITimeoutError, httpx2.ReadTimeout)):
        list(ask(connect(timeout=0.4), "[[sim silence-after=20]] hello", stream=True))
    _until(lambda: stats()["streams"]["aborted"] == before["aborted"] + 1)
    assert stats()["streams"]["active"] == before["active"]


def test_a_key_revoked_in_mid_stream_is_dead_afterwards(client):
    with pytest.raises(anthropic.APIStatusError) as failed:
        list(ask(client, "[[sim tokens=200 revoke-after=50]] hello", stream=True))
    assert failed.value.body["error"]["type"] == "authentication_error"
    with pytest.raises(anthropic.AuthenticationError):
        ask(client)


def test_faults_of_a_stream_are_errors_without_one(client):
    with pytest.raises(anthropic.OverloadedError):
        ask(client, "[[sim fail-after=10]] hello")
    with pytest.raises(anthropic.APIConnectionError):
        ask(client, "[[sim drop-after=10]] hello")


def test_a_fault_can_wait_for_a_later_round(client):
    question = {"role": "user", "content": "[[sim tool=look {}]] [[sim error=529 round=1]] go"}
    first = client.messages.create(model="demo-sonnet", max_tokens=500, tools=[TOOL], messages=[question])
    assert first.stop_reason == "tool_use"
    results = [{"type": "tool_result", "tool_use_id": first.content[-1].id, "content": "x"}]
    talk = [question, first.to_param(), {"role": "user", "content": results}]
    with pytest.raises(anthropic.OverloadedError):
        client.messages.create(model="demo-sonnet", max_tokens=500, tools=[TOOL], messages=talk)


def test_a_mistyped_directive_says_so(client):
    for text in ("[[sim tokns=4]]", "[[sim tokens=many]]", "[[sim error=teapot]]", "[[sim tool=x {oops}]]", "[[sim"):
        with pytest.raises(anthropic.BadRequestError, match="cannot read this directive"):
            ask(client, text)


def _body(text: str = "hello", **changes: Any) -> dict[str, Any]:
    body = {"model": "demo-sonnet", "max_tokens": 100, "messages": [{"role": "user", "content": text}], **changes}
    return {name: value for name, value in body.items() if value is not None}


def _cached(n: int) -> list[dict[str, Any]]:
    return [{"type": "text", "text": f"part {i}", "cache_control": {"type": "ephemeral"}} for i in range(n)]


def _user(*blocks: Any) -> dict[str, Any]:
    return {"role": "user", "content": list(blocks)}


def _assistant(*blocks: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": list(blocks)}


TEXT = {"type": "text", "text": "hi"}
OLD = "claude-haiku-4-5"


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"{", "The request body is not valid JSON"),
        (_body(max_tokens=None), "max_tokens: Field required"),
        (_body(model=None), "model: Field required"),
        (_body(messages=[]), "messages: at least one message is required"),
        (_body(max_tokens=200_000), "max_tokens: 200000 > 128000, which is the maximum allowed number of output"),
        (_body(max_tokens=0, stream=True), "max_tokens: Input should be greater than or equal to 1"),
        (_body(temperature=1), "temperature: Extra inputs are not permitted"),
        (_body(mood="good"), "mood: Extra inputs are not permitted"),
        (_body(""), "messages.0: all messages must have non-empty content"),
        (_body(messages=[_user({"type": "text", "text": ""}, TEXT)]), "text content blocks must be non-empty"),
        (_body(messages=[_user({"type": "text", "text": " \n"})]), "must contain non-whitespace text"),
        (_body(messages=[_user({**TEXT, "opaque": None})]), "messages.0.content.0.text.opaque: Extra inputs"),
        (_body(messages=[_user({"type": "txt"})]), "messages.0.content.0: Input tag 'txt' found using 'type'"),
        (_body(messages=[{"role": "tool", "content": "x"}]), "messages.0.role: Input should be 'user' or 'assistant'"),
        (_body(messages=[_assistant(TEXT), _user(TEXT)]), 'first message must use the "user" role'),
        (_body(messages=[*HELLO, _assistant(TEXT)]), "does not support assistant message prefill"),
        (_body(messages=[_user(RESULT)]), "messages.0.content.0: unexpected `tool_use_id` found in `tool_result`"),
        (_body(messages=[*HELLO, _assistant(USE), *HELLO]), "messages.1: `tool_use` ids were found without"),
        (_body(messages=[*HELLO, _assistant(USE), _user(TEXT, RESULT)]), "messages.1: `tool_use` ids were found"),
        (_body(messages=[*HELLO, _assistant(USE), _user(RESULT, RESULT)]), "must have a single result"),
        (_body(messages=[*HELLO, _assistant({**USE, "input": ""}), _user(RESULT)]), "tool_use.input: Input should be"),
        (_body(messages=[*HELLO, _assistant({"type": "thinking", "thinking": "x"}), *HELLO]), "signature: Field req"),
        (_body(system=_cached(5)), "A maximum of 4 blocks with cache_control may be provided. Found 5."),
        (_body(system=_cached(4), cache_control={"type": "ephemeral"}), "Found 5."),
        (
            _body(system=[*_cached(1), {**_cached(1)[0], "cache_control": {"type": "ephemeral", "ttl": "1h"}}]),
            "a ttl='1h' cache_control block must not come after a ttl='5m'",
        ),
        (_body(tools=[TOOL, TOOL]), "tools: Tool names must be unique."),
        (_body(tools=[{**TOOL, "name": "a b"}]), "tools.0.custom.name: String should match pattern"),
        (_body(model="claude-opus-5-5", tools=[TOOL], tool_choice={"type": "any"}), "tool_choice"),
        (_body(thinking={"type": "enabled", "budget_tokens": 2000}), '"thinking.type.enabled" is not supported'),
        (_body(model=OLD, thinking={"type": "adaptive"}), "adaptive thinking is not supported on this model"),
        (_body(model=OLD, thinking={"type": "enabled", "budget_tokens": 1}), "greater than or equal to 1024"),
        (_body(model="claude-opus-5-5", thinking={"type": "disabled"}), '"thinking.type.disabled" is not supported'),
        (_body("[[sim error=context]]"), "prompt is too long: 1004321 tokens > 1000000 maximum"),
        (_body("[[sim error=credit]]"), "Your credit balance is too low"),
    ],
)  # fmt: skip
def test_a_bad_request_is_refused_in_the_providers_words(post, body, says):
    got = post(body)
    assert got.status_code == 400
    assert got.json()["error"]["type"] == "invalid_request_error"
    assert says in got.json()["error"]["message"]
    assert got.headers["x-should-retry"] == "false"


def test_a_prompt_longer_than_the_model_is_refused(post):
    got = post(_body("x" * 900_000, model=OLD))
    assert got.status_code == 400
    assert got.json()["error"]["message"].startswith("prompt is too long: 225")


def test_a_body_over_32_megabytes_is_too_large(simulator, key):
    headers = {"x-api-key": key, "anthropic-version": "2026-10-21", "content-length": str(33 * 1024 * 1024)}
    with requests.Session() as session:
        request = session.prepare_request(requests.Request("POST", f"{simulator}/v1/messages", headers=headers))
        request.headers["content-length"] = headers["content-length"]
        got = session.send(request, timeout=5)
    assert got.status_code == 413


def test_the_version_of_the_api_is_checked(post):
    for version, says in (("", "header is required"), ("2020-01-01", "is not a valid version")):
        got = post(_body(), **{"anthropic-version": version})
        assert (got.status_code, says in got.json()["error"]["message"]) == (400, True)


def test_an_unknown_model_is_not_found(client):
    with pytest.raises(anthropic.NotFoundError, match="model: claude-99"):
        ask(client, model="claude-99")


def test_unknown_paths_and_methods_are_refused_in_json(simulator):
    assert requests.get(f"{simulator}/v2/messages", timeout=5).json()["error"]["type"] == "not_found_error"
    assert requests.get(f"{simulator}/v1/messages", timeout=5).status_code == 405


def _until(holds: Any, seconds: float = 3) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "did not come true in time"
        time.sleep(0.02)
