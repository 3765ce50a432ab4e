"""Every provider: its keys and their flaws, its lists, its way to fail before and inside a stream, over plain HTTP."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
import requests

from simulator.flavours import FLAVOURS
from tests.simulator.providers import BASES, CHAT, KEYS, LOOK, MODELS, asked, send, working

EVERYBODY = list(BASES)


@pytest.fixture
def ask(simulator: str) -> Callable[..., requests.Response]:
    def sent(slug: str, text: str = "hello", *, key: str = "", **changes: Any) -> requests.Response:
        path, body = asked(slug, text, **changes)
        return send(simulator, slug, path, body, key=key)

    return sent


def text_of(answer: Any) -> str:
    """Everything that is said anywhere in an answer."""
    if isinstance(answer, dict):
        return "".join(text_of(value) for value in answer.values())
    if isinstance(answer, list):
        return "".join(text_of(value) for value in answer)
    return answer if isinstance(answer, str) else ""


@pytest.mark.parametrize("slug", EVERYBODY)
def test_a_working_key_is_answered_by_the_same_demo_model(ask, slug):
    got = ask(slug, "How do I spend my budget?")
    assert got.status_code == 200
    assert "built-in **demo model**" in text_of(got.json())


@pytest.mark.parametrize("slug", EVERYBODY)
def test_a_stream_says_what_the_whole_answer_says(ask, slug):
    whole = ask(slug, "[[sim echo]] one two three four five six", key=working(slug, "whole")).json()
    streamed = ask(slug, "[[sim echo each=2]] one two three four five six", stream=True)
    assert streamed.headers["content-type"].startswith("text/event-stream")
    assert "one two three four five six" in text_of(whole)
    parts = [json.loads(line[6:]) for line in streamed.text.splitlines() if line.startswith("data: {")]
    said = "".join(_delta(part) for part in parts)
    assert said == "one two three four five six"


def _delta(part: dict[str, Any]) -> str:
    """The text of one event, of whichever dialect."""
    if part.get("type") == "response.output_text.delta":
        return str(part["delta"])
    for candidate in part.get("candidates", []):
        said = [p["text"] for p in candidate["content"].get("parts", []) if not p.get("thought")]
        return "".join(said)
    for choice in part.get("choices", []):
        content = choice["delta"].get("content")
        return content if isinstance(content, str) else ""
    return ""


STATUS = {  # of the flaws revoked, nocredit, forbidden, ratelimited, overloaded
    "openai": (401, 429, 401, 429, 503),
    "xai": (400, 403, 403, 429, 503),
    "google": (400, 429, 403, 429, 503),
    "openrouter": (401, 402, 403, 429, 503),
    "mistral": (401, 402, 403, 429, 500),
    "zai": (401, 429, 403, 429, 429),
    "deepseek": (401, 402, 403, 429, 503),
    "groq": (401, 400, 403, 429, 498),
    "moonshot": (401, 429, 403, 429, 429),
    "together": (401, 402, 403, 429, 503),
    "fireworks": (401, 412, 403, 429, 503),
    "cerebras": (401, 402, 403, 429, 503),
}


@pytest.mark.parametrize("slug", EVERYBODY)
def test_each_flaw_has_the_status_it_has_there(ask, simulator, slug):
    flaws = ("revoked", "nocredit", "forbidden", "ratelimited", "overloaded")
    assert tuple(ask(slug, key=f"{KEYS[slug]}{flaw}-1").status_code for flaw in flaws) == STATUS[slug]
    models = [send(simulator, slug, _list(slug), key=f"{KEYS[slug]}{flaw}-1").status_code for flaw in flaws]
    assert models[1] == 200, "a list costs nothing"
    assert [models[0], *models[2:]] == [STATUS[slug][0], *STATUS[slug][2:]]


def _list(slug: str) -> str:
    return "/language-models" if slug == "xai" else "/models"


@pytest.mark.parametrize("slug", EVERYBODY)
def test_who_has_no_key_or_the_key_of_somebody_else_is_refused(ask, simulator, slug):
    nobody = requests.get(f"{simulator}{BASES[slug]}{_list(slug)}", timeout=5)
    assert 400 <= nobody.status_code < 500
    never_issued = ask(slug, key=f"{KEYS[slug]}0000")
    assert never_issued.status_code == STATUS[slug][0]
    assert ask(slug, key="sk-ant-api03-0000").status_code == STATUS[slug][0]


@pytest.mark.parametrize("slug", EVERYBODY)
def test_a_key_is_revoked_and_restored_while_the_product_runs(ask, control, slug):
    key = working(slug, f"-restless-{slug}")
    assert ask(slug, key=key).status_code == 200
    control("revoke", key=key)
    assert ask(slug, key=key).status_code == STATUS[slug][0]
    control("restore", key=key)
    assert ask(slug, key=key).status_code == 200


@pytest.mark.parametrize("slug", EVERYBODY)
def test_a_login_page_can_answer_instead(ask, slug):
    got = ask(slug, key=f"{KEYS[slug]}html")
    assert (got.status_code, got.headers["content-type"]) == (200, "text/html; charset=utf-8")


def test_the_first_word_of_a_key_counts_and_slow_keys_are_slow(ask, simulator):
    assert ask("groq", key="gsk_ok-ratelimited").status_code == 200
    assert ask("groq", key="gsk_ratelimited-ok").status_code == 429
    path, body = asked("groq", "hello")
    headers = {"authorization": "Bearer gsk_slow"}
    with pytest.raises(requests.exceptions.ReadTimeout):
        requests.post(f"{simulator}{BASES['groq']}{path}", json=body, headers=headers, timeout=0.4)


@pytest.mark.parametrize("slug", EVERYBODY)
def test_a_key_may_be_refused_the_top_model_only(ask, slug):
    flavour = next(flavour for flavour in FLAVOURS if flavour.slug == slug)
    key = f"{KEYS[slug]}notop"
    refused = ask(slug, key=key, model=flavour.models[0].id)
    assert refused.status_code in (403, 404, 429)
    assert ask(slug, key=key, model=flavour.models[1].id).status_code == 200


@pytest.mark.parametrize("slug", EVERYBODY)
def test_an_unknown_model_is_refused_by_its_name(ask, slug):
    got = ask(slug, model="nothing-9")
    assert got.status_code in (400, 404)
    assert "nothing-9" in got.text or got.json().get("error", {}).get("code") in ("1211", "NOT_FOUND") or (
        "Model Not Exist" in got.text
    )  # fmt: skip


WORDS = {
    "openai": {"error": {"code": "invalid_api_key", "type": "invalid_request_error", "param": None}},
    "xai": {"code": "invalid-argument"},
    "google": {"error": {"code": 400, "status": "INVALID_ARGUMENT"}},
    "openrouter": {"error": {"code": 401}},
    "mistral": {"detail": "Invalid API Key"},
    "zai": {"error": {"code": "1000"}},
    "deepseek": {"error": {"code": "invalid_request_error", "type": "authentication_error"}},
    "groq": {"error": {"code": "invalid_api_key", "type": "invalid_request_error"}},
    "moonshot": {"error": {"type": "invalid_authentication_error"}},
    "together": {"error": {"code": "invalid_api_key"}},
    "fireworks": {"error": {"code": "UNAUTHORIZED"}},
    "cerebras": {"code": "wrong_api_key", "type": "invalid_request_error"},
}


@pytest.mark.parametrize("slug", EVERYBODY)
def test_a_bad_key_is_said_in_the_providers_own_shape(ask, slug):
    body = ask(slug, key=f"{KEYS[slug]}revoked").json()
    _holds(body, WORDS[slug])


def _holds(body: Any, wanted: Any) -> None:
    if isinstance(wanted, dict):
        for name, value in wanted.items():
            _holds(body[name], value)
    else:
        assert body == wanted


@pytest.mark.parametrize("slug", EVERYBODY)
def test_an_error_is_scripted_by_status_and_by_name_and_once(ask, slug):
    by_name = ask(slug, "[[sim error=ratelimited]] hello")
    assert by_name.status_code == STATUS[slug][3]
    assert ask(slug, "[[sim error=500]] hello").status_code == 500
    assert ask(slug, "[[sim error=context]] hello").status_code in (400, 422)
    key = working(slug, f"-once-{slug}")
    codes = [ask(slug, "[[sim error-once=overloaded]] hello", key=key).status_code for _ in range(2)]
    assert codes == [STATUS[slug][4], 200]
    typo = ask(slug, "[[sim error=teapot fail-after=3]] hello", stream=True)
    assert typo.status_code == 400
    assert "cannot read this directive" in typo.text


@pytest.mark.parametrize("slug", EVERYBODY)
def test_an_error_comes_inside_a_stream_after_its_text(ask, slug):
    got = ask(slug, "[[sim tokens=300 fail-after=250]] hello", stream=True)
    assert got.status_code == 200
    parts = [json.loads(line[6:]) for line in got.text.splitlines() if line.startswith("data: {")]
    assert 400 < len("".join(_delta(part) for part in parts)) < 1500
    lines = [line for line in got.text.splitlines() if line]
    tail = "\n".join(lines[-4:])
    assert "error" in tail or "code" in tail
    assert ("[DONE]" in tail) is (slug == "openrouter")


@pytest.mark.parametrize("slug", EVERYBODY)
def test_a_stream_may_break_or_just_stop(ask, slug, stats):
    whole = ask(slug, "[[sim echo]] one two three four", stream=True).text
    cut = ask(slug, "[[sim echo truncate-after=90]] one two three four", stream=True).text
    assert 0 < len(cut) < len(whole)
    assert not any(end in cut for end in ("[DONE]", "response.completed", '"finishReason"', '"finish_reason":"'))
    before = stats()["streams"]["broken"]
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        ask(slug, "[[sim tokens=300 drop-after=250]] hello", stream=True)
    assert stats()["streams"]["broken"] == before + 1


@pytest.mark.parametrize("slug", EVERYBODY)
def test_a_silence_is_broken_by_signs_of_life(ask, slug):
    begun = time.monotonic()
    got = ask(slug, "[[sim echo silence-after=1 seconds=0.3 pings=0.1]] one two three", stream=True)
    assert time.monotonic() - begun > 0.3
    comments = [line for line in got.text.splitlines() if line.startswith(":")]
    assert len(comments) >= 2


@pytest.mark.parametrize("slug", EVERYBODY)
def test_a_revoked_key_ends_its_own_stream(ask, slug):
    key = working(slug, f"-midway-{slug}")
    got = ask(slug, "[[sim echo revoke-after=2]] one two three four", key=key, stream=True)
    assert got.status_code == 200
    assert ask(slug, key=key).status_code == STATUS[slug][0]


@pytest.mark.parametrize("slug", EVERYBODY)
def test_statistics_are_shared(ask, stats, slug):
    key = working(slug, f"-counted-{slug}")
    ask(slug, "[[sim tokens=30]] count me", key=key)
    told = stats()
    assert told["keys"][key] == 1
    assert "count me" in json.dumps(told["last_request"])
    assert told["last_usage"]["output_tokens"] >= 30


@pytest.mark.parametrize("slug", EVERYBODY)
def test_a_prefix_that_was_sent_before_is_read_from_the_cache(ask, slug, stats):
    key = working(slug, f"-cached-{slug}")
    long = "You are careful with budgets. " * 800
    ask(slug, long, key=key)
    first = stats()["last_usage"]
    ask(slug, long, key=key)
    second = stats()["last_usage"]
    assert first["cache_read_input_tokens"] == 0
    assert second["cache_read_input_tokens"] > 4000
    ask(slug, long, key=working(slug, "-other"))
    assert stats()["last_usage"]["cache_read_input_tokens"] == 0


@pytest.mark.parametrize("slug", EVERYBODY)
def test_the_list_of_models_names_those_that_answer(ask, simulator, slug):
    got = send(simulator, slug, _list(slug)).json()
    entries = got if isinstance(got, list) else got.get("data") or got["models"]
    ids = {str(entry.get("id") or entry["name"]).removeprefix("models/") for entry in entries}
    known = {name for flavour in FLAVOURS if flavour.slug == slug for m in flavour.models for name in (m.id, m.alias)}
    assert MODELS[slug] in known
    assert ids & known
    assert isinstance(got, list) is (slug == "together")


def test_free_checks_tell_what_is_left(simulator):
    def check(slug: str, path: str, flaw: str) -> Any:
        return send(simulator, slug, path, key=f"{KEYS[slug]}{flaw}").json()

    assert check("deepseek", "/user/balance", "ok")["is_available"] is True
    assert check("deepseek", "/user/balance", "nocredit")["is_available"] is False
    assert check("moonshot", "/users/me/balance", "nocredit")["data"]["available_balance"] == 0
    assert check("openrouter", "/key", "nocredit")["data"]["limit_remaining"] == 0
    assert check("openrouter", "/key", "manages")["data"]["is_management_key"] is True
    assert check("xai", "/api-key", "forbidden")["api_key_blocked"] is True
    assert send(simulator, "deepseek", "/user/balance", key="sk-revoked").status_code == 401


def test_waits_are_said_where_the_provider_says_them(ask):
    def limited(slug: str) -> requests.Response:
        return ask(slug, key=f"{KEYS[slug]}ratelimited")

    for slug, seconds in (("openai", "7"), ("groq", "3"), ("together", "7")):
        assert limited(slug).headers["retry-after"] == seconds
    assert limited("openai").headers["retry-after-ms"] == "7000"
    assert limited("cerebras").headers["retry-after-ms"] == "7000"
    google = limited("google")
    assert "retry-after" not in google.headers
    assert google.json()["error"]["details"][-1]["retryDelay"] == "7s"
    for slug in ("mistral", "deepseek", "moonshot", "zai"):
        assert "retry-after" not in limited(slug).headers


def test_content_types_lie_where_the_real_ones_do(ask):
    assert ask("deepseek", key="sk-revoked").headers["content-type"] == "application/octet-stream"
    assert "content-type" not in ask("zai", key=f"{KEYS['zai']}overloaded").headers
    failed = ask("google", key="AQ.revoked", stream=True)
    assert (failed.status_code, failed.headers["content-type"]) == (400, "text/event-stream")
    assert failed.json()["error"]["details"][0]["reason"] == "API_KEY_INVALID"
    assert ask("google", key="AQ.revoked").headers["content-type"] == "application/json; charset=UTF-8"


@pytest.mark.parametrize("slug", CHAT)
def test_history_that_does_not_fit_is_refused(simulator, slug):
    _, body = asked(slug, "hello", tools=[LOOK])
    call = {"id": "abcdefghi", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    asks = {"role": "assistant", "content": "", "reasoning_content": "", "tool_calls": [call]}
    answer = {"role": "tool", "tool_call_id": "abcdefghi", "name": "look", "content": "fine"}
    hello = body["messages"][0]

    def status(*messages: Any) -> int:
        return send(simulator, slug, "/chat/completions", {**body, "messages": list(messages)}).status_code

    assert status(hello, asks, answer) == 200
    assert status(hello, asks, hello) == 400
    assert status(hello, asks) == 400
    assert status(hello, answer) == 400
    assert status(hello, asks, {**answer, "tool_call_id": "zzzzzzzzz"}) == 400
    assert status(hello, {"role": "assistant", "content": ""}, hello) == 400


@pytest.mark.parametrize("slug", EVERYBODY)
@pytest.mark.parametrize("broken", ["text", "number", "role", "call", "tool", "nothing"])
def test_a_malformed_request_is_refused_not_a_crash(simulator, slug, broken):
    path, body = asked(slug, "hello")
    (name,) = {"messages", "input", "contents"} & set(body)
    odd: Any = {
        "text": "x" if name != "input" else 7,
        "number": [7],
        "role": [{"role": 7, "content": 7, "parts": 7}],
        "call": [{"role": "assistant", "type": "function_call", "tool_calls": [7], "parts": [{"functionCall": 7}]}],
        "tool": [{"role": "tool", "type": "function_call_output", "parts": [{"functionResponse": {}}]}],
        "nothing": None,
    }[broken]
    got = send(simulator, slug, path, {**body, name: odd})
    assert 400 <= got.status_code < 500


def test_every_flavour_fails_in_all_the_common_ways():
    common = {"invalid", "revoked", "nokey", "nocredit", "forbidden", "barred", "nomodel", "ratelimited", "overloaded",
              "server", "context"}  # fmt: skip
    for flavour in FLAVOURS:
        missing = common - set(flavour.failures) - ({"server"} if flavour.slug == "mistral" else set())
        assert not missing, flavour.slug
    prefixes = [flavour.prefix for flavour in FLAVOURS]
    assert len(set(prefixes)) == len(prefixes)
