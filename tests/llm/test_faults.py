"""What errors mean, whoever says them: one table of our own, and every real error in ../shared with its kind."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.llm.transcripts import listen, record, shared
from webapp.llm.dialects.faults import fail, fault_in_stream
from webapp.llm.errors import NO_DIAGNOSIS, SAYS, Kind

RETRYABLE = {Kind.OVERLOADED, Kind.RATE_LIMITED, Kind.PROVIDER_ERROR, Kind.TIMEOUT}


def openai(message: str, type: str = "", code: Any = None) -> dict[str, Any]:
    return {"error": {"message": message, "type": type, "param": None, "code": code}}


def glm(code: str, message: str = "") -> dict[str, Any]:
    return {"error": {"code": code, "message": message}}


def google(code: int, status: str, message: str, *details: dict[str, Any]) -> dict[str, Any]:
    return {"error": {"code": code, "message": message, "status": status, "details": list(details)}}


def reason(word: str) -> dict[str, Any]:
    return {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": word}


def quota(id: str) -> dict[str, Any]:
    return {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [{"quotaId": id}]}


def router(code: int, message: str, **metadata: Any) -> dict[str, Any]:
    return {"error": {"code": code, "message": message, "metadata": metadata}, "user_id": "user_2aB"}


MEANS: dict[str, tuple[int, Any, Kind]] = {
    # keys
    "OpenAI: wrong key": (
        401,
        openai("Incorrect API key provided: sk-1***9.", "", "invalid_api_key"),
        Kind.INVALID_KEY,
    ),
    "OpenAI: missing scope": (
        401,
        openai("You have insufficient permissions for this operation. Missing scopes: model.request."),
        Kind.KEY_FORBIDDEN,
    ),
    "Google: wrong key": (
        400,
        google(400, "INVALID_ARGUMENT", "API key not valid.", reason("API_KEY_INVALID")),
        Kind.INVALID_KEY,
    ),
    "Google: in a list": (
        400,
        [google(400, "INVALID_ARGUMENT", "API key not valid.", reason("API_KEY_INVALID"))],
        Kind.INVALID_KEY,
    ),
    "Google: a key it cannot bind": (
        401,
        google(401, "UNAUTHENTICATED", "Request had invalid credentials.", reason("ACCESS_TOKEN_TYPE_UNSUPPORTED")),
        Kind.KEY_FORBIDDEN,
    ),
    "Google: no key": (
        403,
        google(403, "PERMISSION_DENIED", "Method doesn't allow unregistered callers (callers without identity)."),
        Kind.INVALID_KEY,
    ),
    "xAI: wrong key": (400, {"code": "x", "error": "Incorrect API key provided: xa***."}, Kind.INVALID_KEY),
    "Mistral: wrong key": (401, {"detail": "Invalid API Key"}, Kind.INVALID_KEY),
    "Mistral: unauthorized": (401, {"message": "Unauthorized", "request_id": "r1"}, Kind.INVALID_KEY),
    "GLM: token expired": (401, glm("1003"), Kind.INVALID_KEY),
    "Kimi: wrong key": (401, openai("Invalid Authentication", "invalid_authentication_error"), Kind.INVALID_KEY),
    "OpenRouter: wrong key": (401, router(401, "User not found."), Kind.INVALID_KEY),
    "OpenRouter: guardrail": (403, router(403, "Not allowed", error_type="permission_denied"), Kind.KEY_FORBIDDEN),
    "xAI: no permission": (403, {"code": "x", "error": "Team is not authorized."}, Kind.KEY_FORBIDDEN),
    "LiteLLM: wrong key, no database": (
        400,
        openai("No connected db.", "no_db_connection", "400"),
        Kind.INVALID_KEY,
    ),
    # money
    "OpenAI: no quota": (429, openai("You exceeded your current quota.", "", "insufficient_quota"), Kind.NO_CREDIT),
    "OpenAI: hard limit": (429, openai("Limit.", "", "billing_hard_limit_reached"), Kind.NO_CREDIT),
    "DeepSeek: no balance": (402, openai("Insufficient Balance", "unknown_error"), Kind.NO_CREDIT),
    "GLM: no balance": (429, glm("1113", "Insufficient balance or no resource package."), Kind.NO_CREDIT),
    "GLM: plan is used up": (429, glm("1308"), Kind.NO_CREDIT),
    "Kimi: no quota": (429, openai("Your account is suspended", "exceeded_current_quota_error"), Kind.NO_CREDIT),
    "xAI: no credits": (403, {"code": "x", "error": "Your team doesn't have any credits yet."}, Kind.NO_CREDIT),
    "xAI: limit": (
        429,
        {"code": "x", "error": "Your team has used all available credits or reached its monthly spending limit."},
        Kind.NO_CREDIT,
    ),
    "OpenRouter: no credits": (402, router(402, "This request requires more credits."), Kind.NO_CREDIT),
    "Google: the day's quota": (
        429,
        google(429, "RESOURCE_EXHAUSTED", "Quota.", quota("GenerateRequestsPerDayPerProjectPerModel-FreeTier")),
        Kind.NO_CREDIT,
    ),
    "Google: billing": (
        400,
        google(400, "FAILED_PRECONDITION", "Free tier is not available. Please enable billing on your project."),
        Kind.NO_CREDIT,
    ),
    # length
    "OpenAI: too long": (400, openai("Too long.", "", "context_length_exceeded"), Kind.CONTEXT_OVERFLOW),
    "Mistral: too long": (400, {"object": "error", "message": "x", "code": "3051"}, Kind.CONTEXT_OVERFLOW),
    "GLM: too long": (400, glm("1261", "Prompt exceeds max length"), Kind.CONTEXT_OVERFLOW),
    "Kimi: too long": (
        400,
        openai("Invalid request: Your request exceeded model token limit: 8192", "invalid_request_error"),
        Kind.CONTEXT_OVERFLOW,
    ),
    "Google: too long": (
        400,
        google(400, "INVALID_ARGUMENT", "The input token count (9) exceeds the maximum number of tokens allowed (8)."),
        Kind.CONTEXT_OVERFLOW,
    ),
    "Cerebras: too long": (
        400,
        {"message": "Current length is 9 while limit is 8", "type": "x", "code": "context_length_exceeded"},
        Kind.CONTEXT_OVERFLOW,
    ),
    "Together: too long": (
        403,
        openai("The input tokens exceed this model's limit: `inputs` tokens + `max_new_tokens` must be <= 8193"),
        Kind.CONTEXT_OVERFLOW,
    ),
    "OpenRouter: too long, says the upstream": (
        400,
        router(400, "Provider returned error", raw='{"error":{"message":"prompt is too long: 9 > 8"}}'),
        Kind.CONTEXT_OVERFLOW,
    ),
    # reasoning
    "DeepSeek: reasoning is missing": (
        400,
        openai("The `reasoning_content` in the thinking mode must be passed back to the API."),
        Kind.STALE_THINKING,
    ),
    "Google: a signature is missing": (
        400,
        google(400, "INVALID_ARGUMENT", "Function call is missing a thought_signature in functionCall parts."),
        Kind.STALE_THINKING,
    ),
    # models
    "OpenAI: no such model": (404, openai("No.", "invalid_request_error", "model_not_found"), Kind.MODEL_NOT_FOUND),
    "Google: no such model": (
        404,
        google(404, "NOT_FOUND", "models/x is not found for API version v1beta"),
        Kind.MODEL_NOT_FOUND,
    ),
    "xAI: no such model": (400, {"code": "x", "error": "Model not found: grok-9"}, Kind.MODEL_NOT_FOUND),
    "DeepSeek: no such model": (400, openai("Model Not Exist", "invalid_request_error"), Kind.MODEL_NOT_FOUND),
    "Mistral: no such model": (
        400,
        {"object": "error", "message": "Invalid model: x", "type": "invalid_model", "code": "1500"},
        Kind.MODEL_NOT_FOUND,
    ),
    "GLM: no such model": (400, glm("1211", "Unknown Model"), Kind.MODEL_NOT_FOUND),
    "OpenRouter: no such model": (400, router(400, "x/y is not a valid model ID"), Kind.MODEL_NOT_FOUND),
    "Groq: retired": (400, openai("`x` has been decommissioned", "", "model_decommissioned"), Kind.MODEL_NOT_FOUND),
    "OpenRouter: no endpoints": (
        404,
        router(404, "No endpoints found that support tool use."),
        Kind.MODEL_FORBIDDEN,
    ),
    "OpenAI: no access": (403, openai("Project does not have access to model `gpt-6`"), Kind.MODEL_FORBIDDEN),
    "GLM: not in the plan": (429, glm("1311"), Kind.MODEL_FORBIDDEN),
    "Groq: terms": (400, openai("Accept the terms.", "", "model_terms_required"), Kind.MODEL_FORBIDDEN),
    # content
    "Azure: filtered": (200, openai("Filtered.", "", "content_filter"), Kind.CONTENT_BLOCKED),
    "GLM: sensitive": (400, glm("1301"), Kind.CONTENT_BLOCKED),
    "Kimi: filtered": (400, openai("The request was rejected", "content_filter"), Kind.CONTENT_BLOCKED),
    "OpenRouter: moderation": (
        403,
        router(403, "x requires moderation", reasons=["violence"], flagged_input="..."),
        Kind.CONTENT_BLOCKED,
    ),
    "DeepSeek: risk": (400, openai("Content Exists Risk", "invalid_request_error"), Kind.CONTENT_BLOCKED),
    # load
    "GLM: overloaded": (429, glm("1305"), Kind.OVERLOADED),
    "Kimi: overloaded": (429, openai("The engine is currently overloaded", "engine_overloaded_error"), Kind.OVERLOADED),
    "Mistral: unavailable": (
        500,
        {"object": "error", "message": "Service unavailable.", "code": "1000"},
        Kind.OVERLOADED,
    ),
    "Groq: flex": (498, openai("Over capacity"), Kind.OVERLOADED),
    "OpenAI: overloaded": (503, openai("Slow down.", "", "slow_down"), Kind.OVERLOADED),
    "OpenRouter: upstream is down": (502, router(502, "x", error_type="provider_unavailable"), Kind.OVERLOADED),
    "GLM: rate": (429, glm("1302"), Kind.RATE_LIMITED),
    "Mistral: rate": (429, {"object": "error", "message": "Rate limit exceeded", "code": "1300"}, Kind.RATE_LIMITED),
    "Kimi: rate": (429, openai("Slower.", "rate_limit_reached_error"), Kind.RATE_LIMITED),
    "Google: the minute's quota": (
        429,
        google(429, "RESOURCE_EXHAUSTED", "You exceeded your current quota, check your billing.", quota("PerMinute")),
        Kind.RATE_LIMITED,
    ),
    # the rest
    "OpenAI: region": (
        403,
        openai("Country, region, or territory not supported", "", "unsupported_country_region_territory"),
        Kind.REGION_BLOCKED,
    ),
    "Google: region": (
        400,
        google(400, "FAILED_PRECONDITION", "User location is not supported for the API use."),
        Kind.REGION_BLOCKED,
    ),
    "Groq: a call that makes no sense": (400, openai("Failed to call", "", "tool_use_failed"), Kind.PROVIDER_ERROR),
    "Mistral: a field": (
        422,
        {"detail": [{"loc": ["body"], "msg": "Extra inputs", "type": "x"}]},
        Kind.REQUEST_INVALID,
    ),
    "DeepSeek: a field": (422, openai("Failed to deserialize"), Kind.REQUEST_INVALID),
    "OpenRouter: timeout": (408, router(408, "Timed out", error_type="timeout"), Kind.TIMEOUT),
    "Together: gateway": (524, "<html><title>A timeout occurred</title></html>", Kind.TIMEOUT),
    "LiteLLM: too long": (
        400,
        openai("litellm.ContextWindowExceededError: litellm.BadRequestError: no.", "invalid_request_error", "400"),
        Kind.CONTEXT_OVERFLOW,
    ),
    "LiteLLM: unavailable": (
        500,
        openai("litellm.ServiceUnavailableError: The model went away.", "server_error"),
        Kind.OVERLOADED,
    ),
    "any: internal": (500, openai("Oops", "server_error"), Kind.PROVIDER_ERROR),
    "any: another address": (404, {"message": "no Route matched with those values"}, Kind.PROTOCOL),
    "any: a page": (403, "<html><title>Blocked</title></html>", Kind.PROTOCOL),
    "any: too many, as text": (429, "Too many requests", Kind.RATE_LIMITED),
}


@pytest.mark.parametrize(("status", "body", "kind"), MEANS.values(), ids=MEANS)
def test_an_error_is_called_by_its_name(status: int, body: Any, kind: Kind) -> None:
    raw = body if isinstance(body, str) else json.dumps(body)
    fault = fail(status, {}, raw.encode()).fault
    assert fault.kind is kind
    assert fault.retryable is (kind in RETRYABLE)
    assert fault.kind in SAYS


NESTED = {
    name: each for name, each in MEANS.items() if isinstance(each[1], dict) and isinstance(each[1].get("error"), dict)
}


@pytest.mark.parametrize(("status", "body", "kind"), NESTED.values(), ids=NESTED)
def test_it_means_the_same_inside_a_stream(status: int, body: dict[str, Any], kind: Kind) -> None:
    said = {**body, "error": {**body["error"], "status_code": status}}
    fault = fault_in_stream(said).fault
    assert (fault.kind, fault.in_stream) == (kind, True)


def test_a_status_inside_a_stream_may_come_as_text() -> None:
    fault = fault_in_stream(openai("The model went away.", code="503")).fault
    assert (fault.kind, fault.status) == (Kind.OVERLOADED, 503)


@pytest.mark.parametrize("said", [{}, {"error": None}, {"type": "error"}, {"error": "cut"}, {"message": "cut"}])
def test_an_error_that_says_little_is_the_providers(said: dict[str, Any]) -> None:
    assert fault_in_stream(said).fault.kind is Kind.PROVIDER_ERROR


# --- the real ones ------------------------------------------------------------------------------------------------

REAL = {
    "anthropic/error-400-claude-haiku-4-5-rubyllm": Kind.CONTEXT_OVERFLOW,
    "anthropic/error-400-invalid-model-name-otel": Kind.NO_CREDIT,
    "anthropic/error-401-claude-haiku-4-5-rubyllm": Kind.INVALID_KEY,
    "anthropic/error-404-there-is-no-such-model-braintrust": Kind.MODEL_NOT_FOUND,
    "anthropic/error-429-claude-3-opus-langchaingo": Kind.RATE_LIMITED,
    "anthropic/error-429-claude-haiku-4-5-rubyllm": Kind.RATE_LIMITED,
    "azure/error-429-grok-4-1-fast-non-reasoning-rubyllm": Kind.RATE_LIMITED,
    "azure/refusal-json-openllmetry-testing-openllmetry-2": Kind.CONTENT_BLOCKED,
    "cerebras/error-429-qwen-3-coder-480b-pydai": Kind.RATE_LIMITED,
    "cohere/error-400-command-a-03-2025-rubyllm": Kind.CONTEXT_OVERFLOW,
    "cohere/error-401-command-a-03-2025-rubyllm": Kind.INVALID_KEY,
    "deepseek/error-400-deepseek-chat-rubyllm": Kind.CONTEXT_OVERFLOW,
    "deepseek/error-401-deepseek-chat-rubyllm": Kind.INVALID_KEY,
    "gemini/error-400-gemini-2.5-flash-rubyllm": Kind.INVALID_KEY,
    "gemini/error-429-gemini-2.5-flash-rubyllm": Kind.RATE_LIMITED,
    "gemini/error-503-gemini-2.5-pro-pydai": Kind.OVERLOADED,
    "github/error-429-gpt-4.1-chatlas": Kind.RATE_LIMITED,
    "groq/error-404-non-existent-pydai": Kind.MODEL_NOT_FOUND,
    "groq/error-429-llama-4-maverick-17b-128e-instru-pydai": Kind.RATE_LIMITED,
    "huggingface/error-422-gemma-2b-hfjs": Kind.REQUEST_INVALID,
    "llamacpp/error-500-qwen3-llmrb": Kind.PROVIDER_ERROR,
    "mistral/error-429-mistral-small-latest-rubyllm": Kind.RATE_LIMITED,
    "mistral/error-500-mistral-small-latest-rubyllm": Kind.OVERLOADED,
    "ollama/error-401-gpt-oss-120b-rubyllm": Kind.INVALID_KEY,
    "openai/error-401-gpt-4o-mirascope": Kind.INVALID_KEY,
    "openai/error-429-ellmer": Kind.NO_CREDIT,
    "openai/error-429-gpt-5-nano-rubyllm": Kind.RATE_LIMITED,
    "openai/resp-error-400-gpt-5-nano-rubyllm": Kind.CONTEXT_OVERFLOW,
    "openai/resp-error-500-gpt-4.1-nano-rubyllm": Kind.PROVIDER_ERROR,
    "openrouter/error-400-claude-haiku-4.5-rubyllm": Kind.CONTEXT_OVERFLOW,
    "openrouter/error-401-claude-haiku-4.5-rubyllm": Kind.INVALID_KEY,
    "openrouter/error-429-gemini-2.0-flash-exp-free-pydai": Kind.RATE_LIMITED,
    "perplexity/error-400-sonar-rubyllm": Kind.CONTEXT_OVERFLOW,
    "vertex/error-429-gemini-2.5-flash-rubyllm": Kind.RATE_LIMITED,
    "xai/resp-error-400-grok-4.3-rubyllm": Kind.INVALID_KEY,
    "xai/resp-error-400-grok-nonexistent-model-for-ident-rig": Kind.MODEL_NOT_FOUND,
    "zai/error-429-glm-4.7-pydai": Kind.OVERLOADED,
}
WAITS = {
    "azure/error-429-grok-4-1-fast-non-reasoning-rubyllm": 1.0,
    "cerebras/error-429-qwen-3-coder-480b-pydai": 0.66,
    "gemini/error-429-gemini-2.5-flash-rubyllm": 48.0,
    "github/error-429-gpt-4.1-chatlas": 44.0,
    "groq/error-429-llama-4-maverick-17b-128e-instru-pydai": 3.0,
}
HOPELESS = {  # a request that is larger than the limit stays so
    "anthropic/error-429-claude-haiku-4-5-rubyllm",
    "openai/error-429-gpt-5-nano-rubyllm",
}
IN_STREAM = {
    "anthropic/stream-error-claude-3-5-haiku-rubyllm-2": Kind.OVERLOADED,
    "groq/stream-error-gpt-oss-120b-pydai": Kind.PROVIDER_ERROR,
    "openai/resp-stream-error-gpt-4o-prism": Kind.RATE_LIMITED,
    "openrouter/stream-error-minimax-m2-free-pydai": Kind.REQUEST_INVALID,
}
ERRORS = {
    n: e for n, e in shared("*", stream=False).items() if "error-" in n or '"error"' in e["response"]["body"][:12]
}
ERRORS.pop("vertex/stream-error-json-gemini-2.5-flash-rubyllm", None)  # an answer, not an error
STREAMS = {n: e for n, e in shared("*", stream=True).items() if e["kind"] == "stream_error"}


@pytest.mark.parametrize("name", ERRORS)
def test_real_errors_are_called_by_their_names(name: str) -> None:
    response = ERRORS[name]["response"]
    headers = {k.lower(): v for k, v in response["headers"].items()}
    fault = fail(response["status"], headers, response["body"].encode()).fault
    assert fault.kind is REAL[name]
    assert fault.message
    assert fault.retry_after == WAITS.get(name)
    assert fault.retryable is (fault.kind in RETRYABLE and name not in HOPELESS)


@pytest.mark.parametrize("name", STREAMS)
def test_real_errors_inside_streams_too(name: str) -> None:
    exchange = STREAMS[name]
    provider = record(exchange["provider"], exchange["dialect"].replace("-", "_"))
    _, fault = listen([exchange["response"]["body"].encode()], provider)
    assert fault is not None
    assert fault.kind is IN_STREAM[name]
    assert fault.in_stream


# --- words and waits ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("in organization org-AbC123dEf on tokens", "in organization [hidden] on tokens"),
        ("in organization `org_01kkht5b3yfq` tier", "in organization `[hidden]` tier"),
        ("project proj_8sKd92jJ hit", "project [hidden] hit"),
        ("(org: 0f8fad5b-d9cb-469f-a165-70867728950e, model: m)", "(org: [hidden], model: m)"),
        ("Incorrect API key provided: sk-pr*****2345. Find it", "Incorrect API key provided: [hidden]. Find it"),
        ("Your api key: ****-key is invalid", "Your api key: [hidden] is invalid"),
        ("user_location and org-wide stay", "user_location and org-wide stay"),
    ],
)
def test_ids_of_the_customer_and_pieces_of_keys_are_hidden(said: str, shown: str) -> None:
    assert fail(429, {}, json.dumps(openai(said)).encode()).fault.message == shown


@pytest.mark.parametrize("words", ["a", "a*", "**", "org-", "sk-*** ", "org_A"])
def test_no_error_of_a_provider_takes_long_to_read(words: str) -> None:
    """While one is read, no other answer goes on in this process."""
    began = time.monotonic()
    fail(429, {}, json.dumps(openai(words * (60_000 // len(words)))).encode())
    assert time.monotonic() - began < 1


def test_the_words_of_whoever_is_behind_are_shown() -> None:
    for raw in (
        '{"error":{"message":"upstream says no"}}',
        '[{"error":{"message":"upstream says no"}}]',
        "upstream says no",
    ):
        body = router(400, "Provider returned error", raw=raw, provider_name="X")
        assert fail(400, {}, json.dumps(body).encode()).fault.message == "upstream says no"


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, openai("Unknown parameter: 'prompt_cache_options'.")),
        (400, openai("Unsupported parameter: 'prompt_cache_options' is not supported with this model.")),
        (404, openai("Response 'resp_1' not found (prompt_cache_options.comparison_response_id).")),
        (
            400,
            {
                "type": "error",
                "error": {"type": "invalid_request_error", "message": "diagnostics: Extra inputs are not permitted"},
            },
        ),
    ],
)
def test_a_refusal_to_say_why_the_cache_was_missed_has_a_code(status: int, body: dict[str, Any]) -> None:
    """It says nothing about the model: the picker must not mark it."""
    fault = fail(status, {}, json.dumps(body).encode()).fault
    assert (fault.kind, fault.code) == (Kind.REQUEST_INVALID, NO_DIAGNOSIS)


@pytest.mark.parametrize(
    ("headers", "message", "seconds"),
    [
        ({"retry-after": "7"}, "", 7.0),
        ({"retry-after-ms": "250", "retry-after": "1"}, "", 0.25),
        ({"retry-after-ms": "0", "retry-after": "1"}, "", 1.0),
        ({}, "Please try again in 12.3s.", 12.3),
        ({}, "Please try again in 850ms.", 0.85),
        ({}, "Please try again in 7m12.5s. Need more", 432.5),
        ({}, "Please try again in 1h2m3s.", 3723.0),
        ({}, "Please retry in 48.939935699s.", 48.939935699),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "2m59.56s"}, "", 179.56),
        ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "120ms"}, "", 0.12),
        ({"x-ratelimit-remaining-tokens": "9", "x-ratelimit-reset-tokens": "120ms"}, "", None),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "soon"}, "", None),
        ({}, "Try again later.", None),
    ],
)
def test_how_long_to_wait(headers: dict[str, str], message: str, seconds: float | None) -> None:
    assert fail(429, headers, json.dumps(openai(message)).encode()).fault.retry_after == seconds


def test_google_says_the_wait_in_the_body() -> None:
    info = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "14s"}
    body = google(429, "RESOURCE_EXHAUSTED", "Quota.", quota("PerMinute"), info)
    assert fail(429, {}, json.dumps(body).encode()).fault.retry_after == 14.0


def test_the_id_to_ask_the_provider_about_is_kept() -> None:
    assert fail(500, {"x-request-id": "req_1"}, json.dumps(openai("x")).encode()).fault.request_id == "req_1"
    assert fail(500, {}, b'{"message":"x","request_id":"r2"}').fault.request_id == "r2"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.floats(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["error", "message", "code", "type", "detail", "details", "metadata", "raw", "status", "violations"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(st.integers(100, 599), JSON, st.binary(max_size=30), st.booleans())
def test_whatever_comes_is_a_fault(status: int, value: Any, junk: bytes, is_junk: bool) -> None:
    body = junk if is_junk else json.dumps(value).encode()
    fault = fail(status, {"retry-after": junk.decode("latin-1")}, body).fault
    assert fault.kind in SAYS
    json.dumps(fault.to_json(), allow_nan=False).encode()
    if isinstance(value, dict):
        assert fault_in_stream(value).fault.in_stream
