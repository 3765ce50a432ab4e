"""Anthropic's dialect: what its streams mean, what its errors mean, what we ask."""

from __future__ import annotations

import json
from typing import Any

import pytest
from anthropic.lib.streaming._messages import accumulate_event

from tests.llm.transcripts import assembled, every_own, listen, own, shared
from webapp.llm.assembler import Assembler
from webapp.llm.blocks import Image, Message, Text, Thinking, ToolResult, ToolUse, block_from_json, block_to_json
from webapp.llm.dialects import anthropic_messages as dialect
from webapp.llm.errors import Fault, Kind, ProviderError
from webapp.llm.events import Finish, FinishReason, Heartbeat, Start, Usage
from webapp.llm.providers import ANTHROPIC
from webapp.llm.request import HttpCall, ModelRequest, ToolSpec
from webapp.secret import Secret

KEY = Secret("sk-ant-api03-CANARY-CANARY-CANARY")


# --- what streams mean --------------------------------------------------------------------------------------------

MEANS: dict[str, tuple[tuple[Any, ...], Finish, Usage]] = {
    "text": (
        (Text("Spend rose 12 % to €4,210 📈\n\n- line one\u2028still line one"),),
        Finish(FinishReason.STOP, "end_turn"),
        Usage(input=21, cache_write=1000, cache_write_1h=200, output=31),
    ),
    "thinking": (
        (
            Thinking("Compare the two weeks.", {"signature": "EtABCkYICxgCKkD+made/up=="}),
            Thinking("", {"data": "EmwKAhgBEgy+redacted/data=="}),
            Thinking("", {"signature": "EmptyButSigned=="}),
            Text("The second week was better."),
        ),
        Finish(FinishReason.STOP, "end_turn"),
        Usage(input=34, cache_read=2048, output=88, thinking=70),
    ),
    "parallel_tools": (
        (
            Text("I look at both."),
            ToolUse("toolu_01list", "list_campaigns", {}),
            ToolUse("toolu_02insights", "get_campaign_insights", {"campaign": 'Winter "25"', "days": 70}),
        ),
        Finish(FinishReason.TOOL_CALLS, "tool_use"),
        Usage(input=905, output=96),
    ),
    "pause": (
        (Text("Revenue over spend."),),
        Finish(FinishReason.PAUSE, "pause_turn"),
        Usage(input=4500, output=90),
    ),
}


@pytest.mark.parametrize(("name", "meaning"), MEANS.items(), ids=MEANS)
def test_a_stream_adds_up_to_its_message(name: str, meaning: tuple[tuple[Any, ...], Finish, Usage]) -> None:
    events, fault = listen([own(name)])
    assert fault is None
    fold = assembled(events)
    blocks, finish, usage = meaning
    assert fold.message("d").blocks == blocks
    assert fold.finish == finish
    assert fold.usage == usage
    assert isinstance(events[0], Start)
    assert events[-1] is fold.finish
    assert sum(isinstance(e, Finish) for e in events) == 1


def test_a_refusal_in_mid_call_says_why_and_runs_nothing() -> None:
    fold = assembled(listen([own("refusal")])[0])
    assert fold.finish == Finish(FinishReason.REFUSAL, "refusal", "This request may not be answered.")
    assert fold.tool_uses() == ()


def test_a_call_cut_by_the_token_limit_is_kept_as_unreadable_and_runs_nothing() -> None:
    fold = assembled(listen([own("length")])[0])
    assert fold.finish == Finish(FinishReason.LENGTH, "max_tokens")
    assert fold.tool_uses() == ()
    (call,) = fold.message("d").blocks
    assert isinstance(call, ToolUse)
    assert (call.input, bool(call.error)) == ({}, True)


def test_an_error_in_mid_stream_comes_after_what_was_said() -> None:
    events, fault = listen([own("error_in_stream")])
    assert assembled(events).message("d").blocks == (Text("Half an "),)
    assert fault == Fault(
        Kind.PROVIDER_ERROR,
        "Internal server error",
        500,
        "api_error",
        "req_in_stream",
        retryable=True,
        in_stream=True,
    )


def test_an_overload_may_come_as_the_first_event_of_a_200() -> None:
    events, fault = listen([own("overloaded_first")])
    assert events == []
    assert fault is not None
    assert (fault.kind, fault.status, fault.retryable) == (Kind.OVERLOADED, 529, True)


def test_a_stream_that_stops_in_the_middle_is_truncated_and_runs_nothing() -> None:
    events, fault = listen([own("truncated")])
    assert fault is not None
    assert fault.kind is Kind.TRUNCATED
    fold = assembled(events)
    assert fold.tool_uses() == ()
    assert [b for b in fold.message("d").blocks if isinstance(b, ToolUse)] == [
        ToolUse("toolu_01list", "list_campaigns")
    ]


@pytest.mark.parametrize("name", MEANS)
def test_every_cut_but_the_last_is_truncated(name: str) -> None:
    body = own(name)
    end = body.rindex(b"event: message_stop")
    for cut in [*range(0, end, 41), end]:
        events, fault = listen([body[:cut]])
        assert fault is not None
        assert fault.kind is Kind.TRUNCATED, f"cut at {cut}: {fault}"
        assert assembled(events).tool_uses() == ()


def test_the_last_empty_line_may_be_missing() -> None:
    assert listen([own("text").rstrip()])[1] is None


def test_a_server_may_leave_out_the_empty_lines_between_events() -> None:
    joined = own("text").replace(b"\n\nevent: content_block_delta", b"\nevent: content_block_delta")
    assert listen([joined]) == listen([own("text")])


def test_done_and_unknown_events_are_passed_over() -> None:
    extra = b'event: data\ndata: [DONE]\n\ndata: {"type":"new"}\n\ndata: 7\n\n'
    assert listen([extra + own("text") + extra]) == listen([own("text")])


def test_arguments_that_come_whole_with_the_block_count() -> None:
    """Some gateways do not stream them."""
    start = {"type": "tool_use", "id": "t", "name": "n", "input": {"a": 1}}
    body = stream_of(begin(start), {"type": "content_block_stop", "index": 0}, *end("tool_use"))
    assert assembled(listen([body])[0]).tool_uses() == (ToolUse("t", "n", {"a": 1}),)


def test_text_that_no_database_holds_is_replaced() -> None:
    delta = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "a\0b\ud83d"}}
    body = stream_of(begin({"type": "text", "text": ""}), delta, *end("end_turn"))
    assert assembled(listen([body])[0]).message("d").text() == "a\ufffdb\ufffd"


@pytest.mark.parametrize(
    "events",
    [
        [{"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}],
        [{"type": "message_stop"}],
        [{"type": "message_start", "message": {}}, {"type": "message_start", "message": {}}],
        [{"type": "message_start", "message": {}}, {"type": "content_block_delta", "index": 0, "delta": {}}],
        [
            {"type": "message_start", "message": {}},
            {"type": "content_block_start", "index": 0, "content_block": {"type": "tool_use", "id": "t"}},
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "x"}},
        ],
        [
            {"type": "message_start", "message": {}},
            {"type": "content_block_start", "index": 0, "content_block": {"type": "text"}},
            {"type": "content_block_start", "index": 0, "content_block": {"type": "text"}},
        ],
    ],
    ids=["block before start", "end before start", "two starts", "no block", "wrong block", "block begun twice"],
)
def test_a_stream_that_makes_no_sense_is_refused(events: list[dict[str, Any]]) -> None:
    _, fault = listen([stream_of(*events)])
    assert fault is not None
    assert fault.kind is Kind.PROTOCOL


def stream_of(*events: dict[str, Any]) -> bytes:
    return b"".join(b"data: %s\n\n" % json.dumps(e).encode() for e in _flat(events))


def _flat(events: Any) -> list[dict[str, Any]]:
    return [e for each in events for e in (each if isinstance(each, list) else [each])]


def begin(block: dict[str, Any]) -> Any:
    return [
        {"type": "message_start", "message": {"id": "m", "model": "m"}},
        {"type": "content_block_start", "index": 0, "content_block": block},
    ]


def end(reason: str) -> list[dict[str, Any]]:
    return [{"type": "message_delta", "delta": {"stop_reason": reason}}, {"type": "message_stop"}]


# --- fold and echo (the laws of all dialects are in test_laws.py) -------------------------------------------------

STREAMS = {
    **{name: own(name) for name in every_own()},
    **{name: exchange["response"]["body"].encode() for name, exchange in shared(stream=True).items()},
}


@pytest.mark.parametrize("name", STREAMS)
def test_our_fold_agrees_with_the_official_sdk(name: str) -> None:
    events, fault = listen([STREAMS[name]])
    expected = official_message(STREAMS[name])
    if expected is None:
        assert fault is not None
        return
    fold = assembled(events)
    ours = [block for block in fold.message("d").blocks if not (isinstance(block, ToolUse) and block.error)]
    readable = [b for b in expected["content"] if b["type"] in ("text", "thinking", "redacted_thinking", "tool_use")]
    theirs = [b for b in readable if not (b["type"] == "tool_use" and fault_of(b, fold))]
    assert [dialect._content(b) for b in ours] == [essence(b) for b in theirs]
    if fault is None:
        assert fold.finish is not None
        assert fold.finish.raw_reason == expected["stop_reason"]
        assert fold.usage.output == expected["usage"]["output_tokens"]
        assert fold.start is not None
        assert (fold.start.model, fold.start.response_id) == (expected["model"], expected["id"])


def official_message(body: bytes) -> dict[str, Any] | None:
    """What Anthropic's SDK makes of the stream, up to an error or a cut; None if nothing began."""
    snapshot: Any = None
    buffers: dict[int, bytes] = {}
    for part in body.decode().split("\n\n"):
        line = next((x for x in part.split("\n") if x.startswith("data:")), "")
        try:
            event = json.loads(line.removeprefix("data:"))
        except ValueError:
            continue
        if event["type"].startswith(("message_", "content_")):
            snapshot = accumulate_event(event=event, current_snapshot=snapshot, json_bufs=buffers)
    return snapshot.to_dict(mode="json", warnings=False) if snapshot else None


def fault_of(block: dict[str, Any], fold: Assembler) -> bool:
    """Whether we hold this call unreadable or unfinished; the SDK reads half of a JSON text as well."""
    ours = {b.id: b for b in fold.message("d").blocks if isinstance(b, ToolUse)}
    return block["id"] not in ours or ours[block["id"]].error is not None


def essence(block: dict[str, Any]) -> dict[str, Any]:
    keys = {
        "text": ("type", "text"),
        "thinking": ("type", "thinking", "signature"),
        "redacted_thinking": ("type", "data"),
        "tool_use": ("type", "id", "name", "input"),
    }
    return {key: block[key] for key in keys[block["type"]]}


@pytest.mark.parametrize("name", STREAMS)
def test_what_came_as_opaque_goes_back_unchanged(name: str) -> None:
    """Through the stored form too, since a reload must not break it."""
    said = assembled(listen([STREAMS[name]])[0]).message(dialect.NAME)
    stored = tuple(block_from_json(json.loads(json.dumps(block_to_json(b)))) for b in said.blocks)
    history = (
        Message("user", (Text("hi"),)),
        Message("assistant", stored, said.dialect),
        Message("user", (Text("?"),)),
    )
    sent = [b for m in body_of(ModelRequest("m", history))["messages"] for b in m["content"] if "thinking" in b["type"]]
    came = [b for b in (official_message(STREAMS[name]) or {"content": []})["content"] if "thinking" in b["type"]]
    assert sent == [essence(b) for b in came if b.get("signature") or b.get("data")]


# --- what we ask ----------------------------------------------------------------------------------------------------

TOOLS = (
    ToolSpec("list_campaigns", "Lists campaigns.", {"type": "object", "properties": {}, "required": []}),
    ToolSpec("pause", "Pauses.", {"type": "object", "properties": {"b": {"type": "string"}, "a": {"type": "integer"}}}),
)
ASKED = ModelRequest(
    "claude-sonnet-5-5",
    (Message("user", (Text("Hello"),)),),
    system="You are Maxxer.",
    tools=TOOLS,
    thinking="adaptive",
    user_hash="u1",
)


def called(request: ModelRequest = ASKED) -> HttpCall:
    return dialect.call(ANTHROPIC, request, KEY)


def body_of(request: ModelRequest) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(called(request).body)
    return body


def test_the_request_as_it_is_sent() -> None:
    call = called()
    assert (call.method, call.url) == ("POST", "https://api.anthropic.com/v1/messages")
    assert call.headers == {
        "anthropic-version": "2026-10-21",
        "content-type": "application/json",
        "accept": "text/event-stream",
    }
    assert (call.key_header, call.key_prefix, call.key) == ("x-api-key", "", KEY)
    mark = {"type": "ephemeral"}
    assert json.loads(call.body) == {
        "model": "claude-sonnet-5-5",
        "max_tokens": 16_000,
        "stream": True,
        "cache_control": mark,
        "thinking": {"type": "adaptive", "display": "summarized"},
        "metadata": {"user_id": "u1"},
        "tools": [
            {
                "name": "list_campaigns",
                "description": "Lists campaigns.",
                "input_schema": {"type": "object", "properties": {}, "required": []},
            },
            {
                "name": "pause",
                "description": "Pauses.",
                "input_schema": {
                    "type": "object",
                    "properties": {"a": {"type": "integer"}, "b": {"type": "string"}},
                },
                "cache_control": mark,
            },
        ],
        "system": [{"type": "text", "text": "You are Maxxer.", "cache_control": mark}],
        "messages": [{"role": "user", "content": [{"type": "text", "text": "Hello"}]}],
    }


def test_nothing_is_sent_that_was_not_asked_for() -> None:
    body = body_of(ModelRequest("m", (Message("user", (Text("ping"),)),), max_output=1))
    assert sorted(body) == ["cache_control", "max_tokens", "messages", "model", "stream"]


def test_the_prefix_is_the_same_bytes_whatever_is_said_and_however_schemas_were_stored() -> None:
    def prefix(request: ModelRequest) -> bytes:
        return called(request).body.partition(b'"messages":')[0]

    other_order = ToolSpec(
        "pause", "Pauses.", {"properties": {"a": {"type": "integer"}, "b": {"type": "string"}}, "type": "object"}
    )
    later = ModelRequest(
        **{**vars(ASKED), "messages": (Message("user", (Text("Later"),)),), "tools": (TOOLS[0], other_order)}
    )
    assert prefix(later) == prefix(ASKED)
    assert list(json.loads(called().body))[-3:] == ["tools", "system", "messages"]


def test_a_printed_call_holds_no_key() -> None:
    call = called()
    assert "CANARY" not in repr(call)
    assert b"CANARY" not in call.body
    assert not any("CANARY" in value for value in call.headers.values())


def test_stale_reasoning_is_dropped_on_both_sides() -> None:
    history = (
        Message("user", (Text("one"),)),
        Message("assistant", (Thinking("old", {"signature": "S1"}), Text("first")), dialect.NAME),
        Message("user", (Text("two"),)),
        Message("assistant", (Thinking("new", {"signature": "S2"}), ToolUse("t1", "pause")), dialect.NAME),
        Message("user", (ToolResult("t1", "{}"),)),
    )
    call = called(ModelRequest("m", history, thinking="adaptive", drop_thinking=True))
    assert call.headers["anthropic-beta"] == "thinking-binding-controls-2026-08-01"
    body = json.loads(call.body)
    assert body["thinking"] == {
        "type": "adaptive",
        "display": "summarized",
        "block_binding": {"prefix_mismatch_behavior": "drop_block"},
    }
    kept = [b["signature"] for m in body["messages"] for b in m["content"] if b["type"] == "thinking"]
    assert kept == ["S2"]  # the running turn's own: it has calls that belong to it
    quiet = called(ModelRequest("m", history, drop_thinking=True))
    assert "anthropic-beta" not in quiet.headers
    assert "thinking" not in json.loads(quiet.body)


def test_blocks_in_the_words_of_the_wire() -> None:
    history = (
        Message("user", (Text("Look"), Image("image/png", "aGk="))),
        Message("assistant", (ToolUse("call.1|x", "pause", {"b": 1, "a": {"d": 1, "c": 2}}),), "openai_chat"),
        Message("user", (ToolResult("call.1|x", '{"ok":true}'),)),
    )
    user, assistant, result = body_of(ModelRequest("m", history))["messages"]
    assert user["content"][1] == {
        "type": "image",
        "source": {"type": "base64", "media_type": "image/png", "data": "aGk="},
    }
    assert assistant["content"] == [
        {"type": "tool_use", "id": "call_1_x", "name": "pause", "input": {"a": {"c": 2, "d": 1}, "b": 1}}
    ]
    assert list(assistant["content"][0]["input"]) == ["a", "b"]
    assert result["content"] == [
        {"type": "tool_result", "tool_use_id": "call_1_x", "content": '{"ok":true}', "is_error": False}
    ]


# --- what errors mean -----------------------------------------------------------------------------------------------


def answer(type: str, message: str, code: str = "") -> bytes:
    error = {"type": type, "message": message, "details": {"error_code": code} if code else None}
    return json.dumps({"type": "error", "error": error, "request_id": "req_1"}).encode()


FAILURES: dict[str, tuple[int, bytes, Kind]] = {
    "wrong key": (401, answer("authentication_error", "invalid x-api-key"), Kind.INVALID_KEY),
    "browser": (
        401,
        answer("authentication_error", "CORS requests are not allowed for this org"),
        Kind.REQUEST_INVALID,
    ),
    "no credit": (
        400,
        answer("invalid_request_error", "Your credit balance is too low to access the Anthropic API."),
        Kind.NO_CREDIT,
    ),
    "billing": (402, answer("billing_error", "Check your billing."), Kind.NO_CREDIT),
    "own limit": (
        400,
        answer("invalid_request_error", "You have reached your specified API usage limits."),
        Kind.NO_CREDIT,
    ),
    "tier limit": (429, answer("rate_limit_error", "Stop.", "enforced_spend_limit_reached"), Kind.NO_CREDIT),
    "growth limit": (429, answer("rate_limit_error", "Slower.", "ramp_limit_exceeded"), Kind.RATE_LIMITED),
    "rate": (429, answer("rate_limit_error", "Slower."), Kind.RATE_LIMITED),
    "rate as text": (429, b"Too many requests", Kind.RATE_LIMITED),
    "too long": (
        400,
        answer("invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum"),
        Kind.CONTEXT_OVERFLOW,
    ),
    "too long with output": (
        400,
        answer("invalid_request_error", "input length and `max_tokens` exceed context limit: 9 + 9 > 10"),
        Kind.CONTEXT_OVERFLOW,
    ),
    "stale": (
        400,
        answer(
            "invalid_request_error",
            "messages.1.content.0: Invalid `signature` in `thinking` block. "
            "The block is bound to a different conversation.",
        ),
        Kind.STALE_THINKING,
    ),
    "on hold": (400, answer("invalid_request_error", "No.", "organization_on_hold"), Kind.KEY_FORBIDDEN),
    "filtered": (
        400,
        answer("invalid_request_error", "Output blocked by content filtering policy"),
        Kind.CONTENT_BLOCKED,
    ),
    "bad request": (400, answer("invalid_request_error", "max_tokens: must be positive"), Kind.REQUEST_INVALID),
    "too large": (413, answer("request_too_large", "Request exceeds the maximum size"), Kind.REQUEST_INVALID),
    "forbidden": (403, answer("permission_error", "Your API key may not use this resource."), Kind.KEY_FORBIDDEN),
    "model forbidden": (
        403,
        answer("permission_error", "Your API key does not have permission to use the specified model."),
        Kind.MODEL_FORBIDDEN,
    ),
    "region": (
        403,
        answer("permission_error", "Access is not allowed from your country, region, or territory."),
        Kind.REGION_BLOCKED,
    ),
    "no such model": (404, answer("not_found_error", "model: claude-9"), Kind.MODEL_NOT_FOUND),
    "no such page": (404, b'{"detail":"Not Found"}', Kind.PROTOCOL),
    "internal": (500, answer("api_error", "Internal server error"), Kind.PROVIDER_ERROR),
    "timeout": (504, answer("timeout_error", "Request timed out"), Kind.TIMEOUT),
    "overloaded": (529, answer("overloaded_error", "Overloaded"), Kind.OVERLOADED),
    "overloaded as text": (503, b"upstream connect error or disconnect/reset before headers", Kind.OVERLOADED),
    "bad gateway page": (502, b"<html><title>502 Bad Gateway</title></html>", Kind.PROVIDER_ERROR),
    "a login page": (200, b"<!doctype html><title>Sign in</title>", Kind.PROTOCOL),
    "a proxy's page": (403, b"<html><title>Blocked</title></html>", Kind.PROTOCOL),
    "a proxy asks for a password": (407, b"", Kind.PROTOCOL),
    "a redirect": (302, b"", Kind.PROTOCOL),
    "a stranger's 401": (401, b"<h1>Unauthorized</h1>", Kind.PROTOCOL),
    "an error with a 200": (200, answer("overloaded_error", "Overloaded"), Kind.OVERLOADED),
    "JSON of another kind": (200, b'{"object":"chat.completion"}', Kind.PROTOCOL),
    "a list": (400, b"[1]", Kind.PROTOCOL),
    "half of JSON": (400, b'{"type":"error","err', Kind.PROTOCOL),
}


@pytest.mark.parametrize(("status", "body", "kind"), FAILURES.values(), ids=FAILURES)
def test_an_error_is_called_by_its_name(status: int, body: bytes, kind: Kind) -> None:
    fault = dialect.fail(status, {}, body).fault
    assert fault.kind is kind
    again = kind in (Kind.OVERLOADED, Kind.RATE_LIMITED, Kind.PROVIDER_ERROR, Kind.TIMEOUT)
    assert fault.retryable is again


REAL_KINDS = {  # by the beginning of the recording's name
    "error-400-claude-haiku-4-5-rubyllm": Kind.CONTEXT_OVERFLOW,
    "error-400-invalid-model-name-otel": Kind.NO_CREDIT,
    "error-401": Kind.INVALID_KEY,
    "error-404": Kind.MODEL_NOT_FOUND,
    "error-429": Kind.RATE_LIMITED,
}


@pytest.mark.parametrize("name", [n for n, e in shared(stream=False).items() if e["kind"] == "error"])
def test_real_errors_are_called_by_their_names(name: str) -> None:
    response = shared(stream=False)[name]["response"]
    fault = dialect.fail(response["status"], response["headers"], response["body"].encode()).fault
    assert fault.kind is next(kind for start, kind in REAL_KINDS.items() if name.startswith(start))
    assert fault.message
    assert fault.retryable is (response["headers"].get("x-should-retry") == "true")


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after-ms": "250", "retry-after": "1"}, 0.25),
        ({"retry-after": "Tue, 24 Nov 2026 12:00:30 GMT", "date": "Tue, 24 Nov 2026 12:00:00 GMT"}, 30.0),
        ({"retry-after": "Tue, 24 Nov 2026 11:00:00 GMT", "date": "Tue, 24 Nov 2026 12:00:00 GMT"}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-1"}, None),
        ({}, None),
    ],
)
def test_how_long_to_wait(headers: dict[str, str], seconds: float | None) -> None:
    assert dialect.fail(429, headers, answer("rate_limit_error", "Slower.")).fault.retry_after == seconds


def test_the_provider_may_forbid_another_try() -> None:
    body = answer("rate_limit_error", "This request would exceed your limit.")
    assert dialect.fail(429, {"x-should-retry": "false"}, body).fault.retryable is False
    assert dialect.fail(429, {"x-should-retry": "true"}, body).fault.retryable is True


def test_long_words_are_cut_and_pages_become_their_title() -> None:
    assert len(dialect.fail(400, {}, answer("invalid_request_error", "x" * 5000)).fault.message) == 600
    assert dialect.fail(502, {}, b"<TITLE>502 &amp; co</TITLE><p>x").fault.message == "502 & co"
    assert dialect.fail(502, {}, b"<p>no title").fault.message == "an HTML page"


# --- models ---------------------------------------------------------------------------------------------------------


def test_the_list_of_models_comes_in_pages() -> None:
    first = dialect.models_call(ANTHROPIC, KEY)
    assert (first.method, first.url) == ("GET", "https://api.anthropic.com/v1/models?limit=1000")
    assert dialect.models_call(ANTHROPIC, KEY, "a/b").url.endswith("?limit=1000&after_id=a%2Fb")
    entry = {
        "type": "model",
        "id": "claude-haiku-5-5",
        "display_name": "Claude Haiku 5.5",
        "line": "haiku",
        "lifecycle": "active",
        "max_input_tokens": 1_000_000,
        "max_tokens": 128_000,
        "capabilities": {
            "image_input": {"supported": True},
            "thinking": {"types": {"adaptive": {"supported": True}, "enabled": {"supported": False}}},
        },
    }
    said = {"data": [entry], "has_more": True, "last_id": "claude-haiku-5-5"}
    page = dialect.read_models(ANTHROPIC, json.dumps(said).encode())
    assert page.after == "claude-haiku-5-5"
    (model,) = page.models
    assert (model.id, model.name, model.line) == ("claude-haiku-5-5", "Claude Haiku 5.5", "haiku")
    assert (model.context, model.max_output, model.vision, model.thinking) == (1_000_000, 128_000, True, ("adaptive",))
    last = b'{"data":[{"id":"x"},{"no":"id"},7],"has_more":false,"last_id":"x"}'
    assert dialect.read_models(ANTHROPIC, last).after == ""


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"data":"x"}', b'{"error":{}}'])
def test_what_is_no_list_of_models_is_refused(body: bytes) -> None:
    with pytest.raises(ProviderError) as refused:
        dialect.read_models(ANTHROPIC, body)
    assert refused.value.fault.kind is Kind.PROTOCOL


def test_pings_and_comments_are_heartbeats() -> None:
    events, _ = listen([own("text")])
    assert sum(isinstance(e, Heartbeat) for e in events) == 2
