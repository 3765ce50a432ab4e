"""Gemini's dialect: what its streams mean, what goes back, what we ask, what Google lists and refuses."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import Any

import pytest

from tests.llm.transcripts import assembled, listen, own, shared, streams
from webapp.llm.blocks import Block, Image, Message, Text, Thinking, ToolResult, ToolUse, block_from_json, block_to_json
from webapp.llm.dialects import gemini as dialect
from webapp.llm.errors import Fault, Kind, ProviderError, explain
from webapp.llm.events import Event, Finish, FinishReason, Start, Usage
from webapp.llm.providers import GOOGLE
from webapp.llm.request import HttpCall, ModelRequest, ToolSpec
from webapp.secret import Secret

KEY = Secret("AQ.CANARY-CANARY-CANARY-CANARY")
HELLO = Message("user", (Text("Hello"),))
MODEL = "gemini-3.8-flash"


def hear(name: str) -> tuple[list[Event], Fault | None]:
    return listen([own(name, "google")], GOOGLE)


def heard(*said: Any) -> tuple[list[Event], Fault | None]:
    return listen([b"data: %s\r\n\r\n" % json.dumps(s).encode() for s in said], GOOGLE)


def answer_of(*parts: dict[str, Any], reason: str | None = None, **more: Any) -> dict[str, Any]:
    candidate = {"content": {"role": "model", "parts": list(parts)}, **({"finishReason": reason} if reason else {})}
    return {"candidates": [candidate], "responseId": "r", "modelVersion": MODEL, **more}


# --- what streams mean --------------------------------------------------------------------------------------------


def test_a_text_with_its_usage() -> None:
    events, fault = hear("text")
    assert fault is None
    fold = assembled(events)
    assert fold.message("d").text() == "Spend rose 12 % to €4,210 📈\n\n- line one\u2028still line one"
    assert len(fold.blocks) == 1
    assert fold.start == Start(MODEL, "r1")
    assert fold.usage == Usage(input=419, cache_read=1081, output=31)
    assert (events[-1], fold.finish) == (fold.finish, Finish(FinishReason.STOP, "STOP"))


def test_a_thought_a_remark_and_calls_in_two_chunks() -> None:
    fold = assembled(hear("thinking_tools")[0])
    thought, remark, *calls = fold.message("d").blocks
    assert isinstance(thought, Thinking)
    assert thought.text == "**Two lists**\n\nI need both."
    assert remark == Text("I look at both.")
    assert fold.tool_uses() == tuple(calls)
    assert [(c.id, c.name, c.input) for c in fold.tool_uses()] == [
        ("8xju7mua", "list_campaigns", {}),
        ("p0q1", "get_campaign_insights", {"campaign": 'Winter "25"', "days": 70}),
    ]
    assert fold.finish == Finish(FinishReason.TOOL_CALLS, "STOP")
    assert fold.usage == Usage(input=54, output=96, thinking=64)


def test_calls_without_ids_get_their_own_and_always_the_same() -> None:
    calls = assembled(hear("parallel_without_ids")[0]).tool_uses()
    assert [c.input for c in calls] == [{"status": "active"}, {"status": "paused"}]
    assert calls[0].id != calls[1].id
    assert calls == assembled(hear("parallel_without_ids")[0]).tool_uses()
    other = own("parallel_without_ids", "google").replace(b'"r3"', b'"r4"')
    assert {c.id for c in assembled(listen([other], GOOGLE)[0]).tool_uses()}.isdisjoint(c.id for c in calls)


def test_calls_with_one_id_are_told_apart() -> None:
    call = {"functionCall": {"id": "c", "name": "pause", "args": {}}}
    calls = assembled(heard(answer_of(call, call, reason="STOP"))[0]).tool_uses()
    assert calls[0].id == "c"
    assert calls[1].id != "c"


def test_text_goes_on_after_a_first_reason_to_stop() -> None:
    fold = assembled(hear("stop_twice")[0])
    assert fold.message("d").blocks == (Text("It is 42."),)
    assert fold.finish == Finish(FinishReason.STOP, "STOP")
    assert fold.usage == Usage(input=330, output=29)
    body = own("stop_twice", "google")
    cut = body[: body.rindex(b"data: ")]
    fault = listen([cut], GOOGLE)[1]
    assert fault is not None
    assert fault.kind is Kind.TRUNCATED


def test_a_chunk_that_says_nothing_takes_no_reason_back() -> None:
    events, fault = heard(answer_of({"text": "Hi"}, reason="STOP"), answer_of({"text": ""}), answer_of())
    assert fault is None
    assert events[-1] == Finish(FinishReason.STOP, "STOP")


def test_a_blocked_prompt() -> None:
    events, fault = hear("blocked_prompt")
    assert fault == Fault(Kind.CONTENT_BLOCKED, code="PROHIBITED_CONTENT", in_stream=True)
    assert assembled(events).usage == Usage(input=12)
    unspecified = answer_of({"text": "Hi"}, reason="STOP", promptFeedback={"blockReason": "BLOCK_REASON_UNSPECIFIED"})
    assert heard(unspecified)[1] is None


def test_an_answer_cut_by_a_filter() -> None:
    fold = assembled(hear("safety")[0])
    assert fold.message("d").text() == "Half a sen"
    assert fold.finish == Finish(FinishReason.CONTENT_FILTER, "SAFETY")


def test_a_call_that_the_model_could_not_write_may_be_asked_for_again() -> None:
    _, fault = hear("unexpected_call")
    assert fault is not None
    assert (fault.kind, fault.code, fault.retryable) == (Kind.PROVIDER_ERROR, "UNEXPECTED_TOOL_CALL", True)
    assert fault.message == "Unexpected tool call: print(1)"


@pytest.mark.parametrize(
    ("reason", "means"),
    {
        "MAX_TOKENS": FinishReason.LENGTH,
        "CONTINUATION": FinishReason.PAUSE,
        "RECITATION": FinishReason.CONTENT_FILTER,
        "SPII": FinishReason.CONTENT_FILTER,
        "TOO_MANY_TOOL_CALLS": FinishReason.UNKNOWN,
        "OTHER": FinishReason.UNKNOWN,
        "NEW": FinishReason.UNKNOWN,
        "MALFORMED_FUNCTION_CALL": Kind.PROVIDER_ERROR,
        "MISSING_THOUGHT_SIGNATURE": Kind.STALE_THINKING,
        "PUP_LIMITED_DISABLED": Kind.KEY_FORBIDDEN,
        "FINISH_REASON_UNSPECIFIED": Kind.TRUNCATED,
    }.items(),
)
def test_every_reason_to_finish(reason: str, means: FinishReason | Kind) -> None:
    call = {"functionCall": {"name": "pause", "args": {}}}
    events, fault = heard(answer_of(call, reason=reason))
    if isinstance(means, Kind):
        assert fault is not None
        assert fault.kind is means
    else:
        assert events[-1] == Finish(means, reason)
    assert assembled(events).tool_uses() == ()


def test_a_message_beside_the_reason_is_told() -> None:
    said = answer_of({"text": "Hi"})
    said["candidates"][0] |= {"finishReason": "OTHER", "finishMessage": "No idea."}
    assert heard(said)[0][-1] == Finish(FinishReason.UNKNOWN, "OTHER", "No idea.")


def test_an_error_in_mid_stream_comes_after_what_was_said() -> None:
    events, fault = hear("error_in_stream")
    assert assembled(events).message("d").text() == "Half an "
    assert fault is not None
    assert (fault.kind, fault.status, fault.in_stream, fault.retryable) == (Kind.OVERLOADED, 503, True, True)


def test_a_stream_without_a_reason_was_cut_and_runs_nothing() -> None:
    events, fault = hear("truncated")
    assert fault is not None
    assert fault.kind is Kind.TRUNCATED
    assert assembled(events).tool_uses() == ()


@pytest.mark.parametrize("name", ["text", "thinking_tools", "length"])
def test_every_cut_but_the_last_is_truncated(name: str) -> None:
    body = own(name, "google")
    end = body.rindex(b"}")
    for cut in [*range(0, end, 41), end]:
        events, fault = listen([body[:cut]], GOOGLE)
        assert fault is not None
        assert fault.kind is Kind.TRUNCATED, f"cut at {cut}: {fault}"
        assert assembled(events).tool_uses() == ()


@pytest.mark.parametrize(
    "call", [{}, {"args": {}}, {"name": "pause", "willContinue": True}, {"name": "pause", "partialArgs": [{}]}]
)
def test_a_call_that_is_not_whole_is_refused(call: dict[str, Any]) -> None:
    _, fault = heard(answer_of({"functionCall": call}, reason="STOP"))
    assert fault is not None
    assert fault.kind is Kind.PROTOCOL


def test_only_the_first_candidate_is_heard() -> None:
    said = answer_of({"text": "Hi"}, reason="STOP")
    said["candidates"].append({"index": 1, "content": {"parts": [{"text": "Ho"}]}, "finishReason": "SAFETY"})
    events, _ = heard(said)
    assert assembled(events).message("d").text() == "Hi"
    assert events[-1] == Finish(FinishReason.STOP, "STOP")


def test_more_cached_than_prompted_is_no_negative_number() -> None:
    usage = {
        "promptTokenCount": 10,
        "cachedContentTokenCount": 30,
        "thoughtsTokenCount": 5,
        "toolUsePromptTokenCount": 2,
    }
    events, _ = heard(answer_of({"text": "Hi"}, reason="STOP", usageMetadata=usage))
    assert assembled(events).usage == Usage(input=12, cache_read=30, output=5, thinking=5)


def test_long_streams_take_time_in_proportion() -> None:
    """Text and thoughts of 16 times the length must not take 64 times as long."""

    def seconds(pieces: int) -> float:
        thoughts = (answer_of({"text": "hm ", "thought": True}) for _ in range(pieces))
        words = (answer_of({"text": "word ", "thoughtSignature": "U2ln"}) for _ in range(pieces))
        said = [*thoughts, *words, answer_of(reason="STOP")]
        body = b"".join(b"data: %s\r\n\r\n" % json.dumps(s).encode() for s in said)
        began = time.process_time()
        assert listen([body], GOOGLE)[1] is None
        return time.process_time() - began

    seconds(100)
    assert min(seconds(8_000) for _ in range(2)) < 64 * min(seconds(500) for _ in range(3))


# --- what goes back -----------------------------------------------------------------------------------------------

WHOLE = {name: s for name, s in streams(dialect.NAME).items() if listen([s.body], s.provider)[1] is None}


@pytest.mark.parametrize("name", WHOLE)
def test_parts_go_back_as_they_came(name: str) -> None:
    """The oracle reads the JSON by itself and joins what has no signature. Through the stored form too."""
    stream = WHOLE[name]
    said = assembled(listen([stream.body], stream.provider)[0]).message(dialect.NAME)
    assert sent_parts(stored(said), said.model) == expected_parts(stream.body)


def stored(message: Message) -> Message:
    blocks = tuple(block_from_json(json.loads(json.dumps(block_to_json(b)))) for b in message.blocks)
    return replace(message, blocks=blocks)


def sent_parts(said: Message, model: str = MODEL, **more: Any) -> list[dict[str, Any]]:
    contents = body_of(ModelRequest(model, (HELLO, said, HELLO), **more))["contents"]
    return [part for content in contents if content["role"] == "model" for part in content["parts"]]


def expected_parts(body: bytes) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = []
    for line in body.decode().replace("\r\n", "\n").split("\n"):
        if not line.startswith("data: "):
            continue
        for part in json.loads(line[6:])["candidates"][0]["content"].get("parts", []):
            if not part.keys() & {"text", "functionCall"} or part == {"text": ""}:
                continue
            before = made[-1] if made else {}
            if part.keys() == before.keys() and part.keys() <= {"text", "thought"}:
                before["text"] += part["text"]
            else:
                made.append(part)
    return made


def test_a_signature_keeps_its_place() -> None:
    said = assembled(hear("text")[0]).message(dialect.NAME)
    assert sent_parts(said) == [
        {"text": "Spend rose 12 % "},
        {"text": "to €4,210 📈\n\n- line one\u2028still line one", "thoughtSignature": "U2lnbmVkVGV4dA=="},
        {"text": "", "thoughtSignature": "TGFzdA=="},
    ]


def test_a_signature_may_come_with_no_text_at_all() -> None:
    for part in ({"text": "", "thoughtSignature": "TGFzdA=="}, {"thoughtSignature": "TGFzdA=="}):
        said = assembled(heard(answer_of(part, reason="STOP"))[0]).message(dialect.NAME)
        assert sent_parts(said) == [{"text": "", "thoughtSignature": "TGFzdA=="}]


def test_results_are_given_under_the_ids_that_were_given() -> None:
    said = assembled(hear("thinking_tools")[0]).message(dialect.NAME)
    answers = (ToolResult("8xju7mua", '{"n":2}'), ToolResult("p0q1", "no such campaign", is_error=True))
    contents = body_of(ModelRequest(MODEL, (HELLO, said, Message("user", answers))))["contents"]
    assert contents[-1] == {
        "role": "user",
        "parts": [
            {"functionResponse": {"id": "8xju7mua", "name": "list_campaigns", "response": {"result": '{"n":2}'}}},
            {
                "functionResponse": {
                    "id": "p0q1",
                    "name": "get_campaign_insights",
                    "response": {"error": "no such campaign"},
                }
            },
        ],
    }


def test_results_of_calls_without_ids_have_none() -> None:
    said = assembled(hear("parallel_without_ids")[0]).message(dialect.NAME)
    answers = tuple(ToolResult(b.id, "{}") for b in said.blocks if isinstance(b, ToolUse))
    contents = body_of(ModelRequest("gemini-2.5-flash", (HELLO, said, Message("user", answers))))["contents"]
    assert "id" not in json.dumps(contents[1:])
    assert "thoughtSignature" not in json.dumps(contents)


def test_calls_that_another_model_made_go_with_the_documented_stand_in() -> None:
    own_call = assembled(hear("thinking_tools")[0]).message(dialect.NAME)
    foreign = Message("assistant", (ToolUse("t1", "pause"), ToolUse("t2", "pause")), "anthropic_messages", "claude-x")
    for said, model in ((foreign, MODEL), (own_call, "gemini-4-argon")):
        calls = [p for p in sent_parts(said, model) if "functionCall" in p]
        assert [p.get("thoughtSignature") for p in calls] == [dialect.UNSIGNED, None]
        assert not any("id" in p["functionCall"] for p in calls)
    assert "thoughtSignature" not in json.dumps(sent_parts(foreign, "gemini-2.5-pro"))


def test_an_alias_of_the_model_is_of_its_family() -> None:
    said = assembled(hear("thinking_tools")[0]).message(dialect.NAME)
    assert sent_parts(said, "gemini-flash-latest") == sent_parts(said, MODEL)


def test_stale_signatures_are_dropped_except_in_the_running_turn() -> None:
    old = assembled(hear("thinking_tools")[0]).message(dialect.NAME)
    new = Message(
        "assistant", (ToolUse("n", "pause", opaque={"part": {"thoughtSignature": "TmV3"}}),), dialect.NAME, MODEL
    )
    history = (HELLO, old, HELLO, new, Message("user", (ToolResult("n", "{}"),)))
    body = json.dumps(body_of(ModelRequest(MODEL, history, drop_thinking=True)))
    assert "Rmlyc3RDYWxs" not in body
    assert "TmV3" in body
    assert body.count(dialect.UNSIGNED) == 1


# --- what we ask ----------------------------------------------------------------------------------------------------

TOOLS = (
    ToolSpec("list_campaigns", "Lists campaigns.", {"type": "object", "properties": {}, "required": []}),
    ToolSpec("pause", "Pauses.", {"type": "object", "properties": {"b": {"type": "string"}, "a": {"type": "integer"}}}),
)
ASKED = ModelRequest(
    MODEL, (HELLO,), system="You are Maxxer.", tools=TOOLS, thinking="adaptive", user_hash="u1", cache_key="w1"
)


def called(request: ModelRequest = ASKED) -> HttpCall:
    return dialect.call(GOOGLE, request, KEY)


def body_of(request: ModelRequest) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(called(request).body)
    return body


def test_the_request_as_it_is_sent() -> None:
    call = called()
    base = "https://generativelanguage.googleapis.com/v1beta"
    assert (call.method, call.url) == ("POST", f"{base}/models/{MODEL}:streamGenerateContent?alt=sse")
    assert call.headers == {"content-type": "application/json", "accept": "text/event-stream"}
    assert (call.key_header, call.key_prefix, call.key) == ("x-goog-api-key", "", KEY)
    assert json.loads(call.body) == {
        "systemInstruction": {"parts": [{"text": "You are Maxxer."}]},
        "tools": [
            {
                "functionDeclarations": [
                    {"name": "list_campaigns", "description": "Lists campaigns."},
                    {
                        "name": "pause",
                        "description": "Pauses.",
                        "parametersJsonSchema": {
                            "type": "object",
                            "properties": {"a": {"type": "integer"}, "b": {"type": "string"}},
                        },
                    },
                ]
            }
        ],
        "generationConfig": {"maxOutputTokens": 16_000, "thinkingConfig": {"includeThoughts": True}},
        "contents": [{"role": "user", "parts": [{"text": "Hello"}]}],
    }


def test_nothing_is_sent_that_was_not_asked_for() -> None:
    body = body_of(ModelRequest("m", (HELLO,), max_output=8, thinking="off"))
    assert body == {
        "generationConfig": {"maxOutputTokens": 8},
        "contents": [{"role": "user", "parts": [{"text": "Hello"}]}],
    }


def test_the_key_is_in_no_address_and_a_model_cannot_leave_its_place_in_it() -> None:
    for call in (called(replace(ASKED, model="../x?key=1")), dialect.models_call(GOOGLE, KEY)):
        assert "key" not in call.url.partition("?")[2]
        assert "CANARY" not in repr(call)
    assert "/models/..%2Fx%3Fkey%3D1:stream" in called(replace(ASKED, model="../x?key=1")).url


def test_blocks_in_the_words_of_the_wire() -> None:
    calls: tuple[Block, ...] = (ToolUse("call.1|x", "pause", {"b": 1, "a": {"d": 1, "c": 2}}),)
    history = (
        Message("user", (Text("Look"), Image("image/png", "aGk="))),
        Message(
            "assistant", (Thinking("Hm", {"signature": "S"}), Text("Well"), *calls), "anthropic_messages", "claude"
        ),
        Message("user", (ToolResult("call.1|x", '{"ok":true}'), Text("And?"))),
    )
    user, model, then = body_of(ModelRequest(MODEL, history))["contents"]
    assert user["parts"][1] == {"inlineData": {"mimeType": "image/png", "data": "aGk="}}
    assert model["parts"] == [
        {"text": "Well"},
        {
            "functionCall": {"name": "pause", "args": {"a": {"c": 2, "d": 1}, "b": 1}},
            "thoughtSignature": dialect.UNSIGNED,
        },
    ]
    assert list(model["parts"][1]["functionCall"]["args"]) == ["a", "b"]
    assert then["parts"] == [
        {"functionResponse": {"name": "pause", "response": {"result": '{"ok":true}'}}},
        {"text": "And?"},
    ]


# --- what errors mean -----------------------------------------------------------------------------------------------


def refusal(code: int, status: str, message: str, *details: dict[str, Any]) -> dict[str, Any]:
    return {"error": {"code": code, "message": message, "status": status, "details": list(details)}}


def info(reason: str) -> dict[str, Any]:
    return {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "domain": "googleapis.com"}


def quota(id: str, delay: str = "48s") -> tuple[dict[str, Any], dict[str, Any]]:
    rpc = "type.googleapis.com/google.rpc."
    failure = {"@type": rpc + "QuotaFailure", "violations": [{"quotaMetric": "x", "quotaId": id}]}
    return failure, {"@type": rpc + "RetryInfo", "retryDelay": delay}


FAILURES: dict[str, tuple[dict[str, Any], Kind]] = {
    "wrong key": (
        refusal(400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.", info("API_KEY_INVALID")),
        Kind.INVALID_KEY,
    ),
    "expired key": (refusal(400, "INVALID_ARGUMENT", "API key expired. Please renew the API key."), Kind.INVALID_KEY),
    "no key": (refusal(403, "PERMISSION_DENIED", "Method doesn't allow unregistered callers."), Kind.INVALID_KEY),
    "unbound key": (
        refusal(401, "UNAUTHENTICATED", "Request had invalid credentials.", info("ACCESS_TOKEN_TYPE_UNSUPPORTED")),
        Kind.KEY_FORBIDDEN,
    ),
    "api off": (
        refusal(403, "PERMISSION_DENIED", "It is disabled.", info("SERVICE_DISABLED")),
        Kind.KEY_FORBIDDEN,
    ),
    "region": (
        refusal(400, "FAILED_PRECONDITION", "User location is not supported for the API use."),
        Kind.REGION_BLOCKED,
    ),
    "billing": (refusal(400, "FAILED_PRECONDITION", "Please enable billing on the project."), Kind.NO_CREDIT),
    "a day's quota": (
        refusal(429, "RESOURCE_EXHAUSTED", "Quota.", *quota("GenerateRequestsPerDayPerProjectPerModel-FreeTier")),
        Kind.NO_CREDIT,
    ),
    "a minute's quota": (
        refusal(429, "RESOURCE_EXHAUSTED", "Quota.", *quota("GenerateRequestsPerMinutePerProject")),
        Kind.RATE_LIMITED,
    ),
    "too long": (
        refusal(400, "INVALID_ARGUMENT", "The input token count (9) exceeds the maximum number of tokens allowed (8)."),
        Kind.CONTEXT_OVERFLOW,
    ),
    "signature": (
        refusal(400, "INVALID_ARGUMENT", "Function call `f` in the 2. content block is missing a `thought_signature`."),
        Kind.STALE_THINKING,
    ),
    "no model": (refusal(404, "NOT_FOUND", "models/x is not found for API version v1beta"), Kind.MODEL_NOT_FOUND),
    "bad request": (refusal(400, "INVALID_ARGUMENT", "Please use a valid role."), Kind.REQUEST_INVALID),
    "overloaded": (refusal(503, "UNAVAILABLE", "The model is overloaded."), Kind.OVERLOADED),
    "internal": (refusal(500, "INTERNAL", "An internal error has occurred."), Kind.PROVIDER_ERROR),
    "late": (refusal(504, "DEADLINE_EXCEEDED", "Deadline expired."), Kind.TIMEOUT),
}


@pytest.mark.parametrize(("said", "kind"), FAILURES.values(), ids=FAILURES)
def test_an_error_is_called_by_its_name_alone_and_in_an_array(said: dict[str, Any], kind: Kind) -> None:
    status = said["error"]["code"]
    fault = dialect.fail(status, {"content-type": "text/event-stream"}, json.dumps(said).encode()).fault
    assert (fault.kind, fault.status) == (kind, status)
    assert dialect.fail(status, {}, json.dumps([said]).encode()).fault == fault
    assert dialect.fail(200, {}, json.dumps(said).encode()).fault == fault
    inside = heard(said)[1]
    assert inside == replace(fault, in_stream=True)


def test_the_wait_is_in_the_body() -> None:
    said, _ = FAILURES["a minute's quota"]
    assert dialect.fail(429, {}, json.dumps(said).encode()).fault.retry_after == 48.0


def test_a_key_that_is_not_bound_to_a_project_has_words_of_its_own() -> None:
    said, _ = FAILURES["unbound key"]
    fault = dialect.fail(401, {}, json.dumps(said).encode()).fault
    assert fault.code == "ACCESS_TOKEN_TYPE_UNSUPPORTED"
    assert "new project" in explain(fault, "Google").hint


REAL_KINDS = {  # by the beginning of the recording's name
    "gemini/error-400": (Kind.INVALID_KEY, None),
    "gemini/error-429": (Kind.RATE_LIMITED, 48.0),
    "gemini/error-503": (Kind.OVERLOADED, None),
    "vertex/error-429": (Kind.RATE_LIMITED, None),
}
REAL_ERRORS = {n: e for n, e in shared("*", stream=False).items() if e["dialect"] == "gemini" and e["kind"] == "error"}


@pytest.mark.parametrize("name", REAL_ERRORS)
def test_real_errors_are_called_by_their_names(name: str) -> None:
    response = REAL_ERRORS[name]["response"]
    fault = dialect.fail(response["status"], response["headers"], response["body"].encode()).fault
    expected = next(means for start, means in REAL_KINDS.items() if name.startswith(start))
    assert (fault.kind, fault.retry_after) == expected
    assert fault.message


REAL_ENDS = {"gemini/refusal": FinishReason.CONTENT_FILTER, "vertex/stream-error": Kind.PROVIDER_ERROR}
REAL_WHOLE = {n: e for n, e in shared("*", stream=False).items() if n.startswith(tuple(REAL_ENDS))}


@pytest.mark.parametrize("name", REAL_WHOLE)
def test_real_answers_that_ended_badly_do_so_here(name: str) -> None:
    """They were recorded without streaming; a stream is the same objects."""
    events, fault = heard(json.loads(REAL_WHOLE[name]["response"]["body"]))
    means = next(means for start, means in REAL_ENDS.items() if name.startswith(start))
    last = events[-1]
    assert means == (fault.kind if fault else last.reason if isinstance(last, Finish) else None)


# --- models ---------------------------------------------------------------------------------------------------------


def test_the_list_of_models_comes_in_pages() -> None:
    first = dialect.models_call(GOOGLE, KEY)
    assert (first.method, first.key_header) == ("GET", "x-goog-api-key")
    assert first.url.endswith("/v1beta/models?pageSize=1000")
    assert dialect.models_call(GOOGLE, KEY, "a/b").url.endswith("?pageSize=1000&pageToken=a%2Fb")
    entry = {
        "name": "models/gemini-3.8-flash",
        "displayName": "Gemini 3.8 Flash",
        "inputTokenLimit": 1_048_576,
        "outputTokenLimit": 65_536,
        "supportedGenerationMethods": ["generateContent", "countTokens"],
        "thinking": True,
    }
    others: list[Any] = [
        {**entry, "name": "models/gemini-embedding-001", "supportedGenerationMethods": ["embedContent"]},
        {**entry, "name": "models/gemini-3-flash-image"},
        {**entry, "name": "models/imagen-4", "supportedGenerationMethods": ["predict"]},
        {**entry, "name": "models/gemini-2.0-flash", "thinking": None},
        {"no": "name"},
        7,
    ]
    page = dialect.read_models(GOOGLE, json.dumps({"models": [entry, *others], "nextPageToken": "p2"}).encode())
    assert page.after == "p2"
    first_model, second = page.models
    assert (first_model.id, first_model.name) == ("gemini-3.8-flash", "Gemini 3.8 Flash")
    assert (first_model.context, first_model.max_output, first_model.thinking) == (1_048_576, 65_536, ("adaptive",))
    assert (second.id, second.thinking) == ("gemini-2.0-flash", ())


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"models":"x"}', b'{"error":{}}'])
def test_what_is_no_list_of_models_is_refused(body: bytes) -> None:
    with pytest.raises(ProviderError) as refused:
        dialect.read_models(GOOGLE, body)
    assert refused.value.fault.kind is Kind.PROTOCOL


def test_a_real_list_names_the_models_that_chat() -> None:
    exchange = shared("gemini", stream=False).get("models-llmgem")
    if exchange is None:
        pytest.skip("no ../shared")
    models = dialect.read_models(GOOGLE, exchange["response"]["body"].encode()).models
    assert "gemini-2.5-pro" in [m.id for m in models]
    assert all(m.context and m.name for m in models)
    assert not any("tts" in m.id or "image" in m.id or "embedding" in m.id for m in models)


def test_no_free_check_is_needed() -> None:
    assert dialect.check_call(GOOGLE, KEY) is None
    dialect.read_check(GOOGLE, b"{}")
