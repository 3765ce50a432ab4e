"""The Responses API's dialect: what its streams mean, what we ask of OpenAI and of xAI, what they list and refuse."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import Any

import pytest

from tests.llm.transcripts import assembled, listen, own, shared, streams
from webapp.llm import models
from webapp.llm.blocks import (
    Block,
    Image,
    Message,
    Text,
    Thinking,
    ToolResult,
    ToolUse,
    block_from_json,
    block_to_json,
)
from webapp.llm.dialects import openai_responses as dialect
from webapp.llm.errors import Fault, Kind, ProviderError, explain
from webapp.llm.events import CACHE_MISS, Event, Finish, FinishReason, Heartbeat, Notice, Start, Usage
from webapp.llm.providers import OPENAI, XAI, Provider
from webapp.llm.request import HttpCall, ModelRequest, ToolSpec
from webapp.secret import Secret

KEY = Secret("sk-proj-CANARY-CANARY-CANARY")
HELLO = Message("user", (Text("Hello"),))


def hear(name: str, provider: Provider = OPENAI) -> tuple[list[Event], Fault | None]:
    return listen([own(name, provider.slug)], provider)


def stream_of(*events: dict[str, Any]) -> bytes:
    return b"".join(b"data: %s\n\n" % json.dumps(e).encode() for e in events)


def heard(*events: dict[str, Any]) -> tuple[list[Event], Fault | None]:
    return listen([stream_of(*events)], OPENAI)


def begin(item: dict[str, Any], index: int = 0) -> dict[str, Any]:
    return {"type": "response.output_item.added", "output_index": index, "item": item}


def done(item: dict[str, Any], index: int = 0) -> dict[str, Any]:
    return {"type": "response.output_item.done", "output_index": index, "item": item}


def completed(**response: Any) -> dict[str, Any]:
    return {"type": "response.completed", "response": {"status": "completed", **response}}


# --- what streams mean --------------------------------------------------------------------------------------------


def test_a_text_with_its_usage() -> None:
    events, fault = hear("text")
    assert fault is None
    fold = assembled(events)
    (block,) = fold.message("d").blocks
    assert isinstance(block, Text)
    assert block.text == "Spend rose 12 % to €4,210 📈\n\n- line one\u2028still line one"
    assert fold.start == Start("gpt-6.1-terra-2026-09-10", "resp_text")
    assert fold.usage == Usage(input=176, cache_read=1024, cache_write=300, output=31)
    assert (events[-1], fold.finish) == (fold.finish, Finish(FinishReason.STOP, "completed"))
    assert sum(isinstance(e, Heartbeat) for e in events) == 1


def test_reasoning_a_remark_and_two_calls_at_once() -> None:
    fold = assembled(hear("thinking_tools")[0])
    thought, remark, first, second = fold.message("d").blocks
    assert isinstance(thought, Thinking)
    assert thought.text == "**Two lists**\n\nI need both.\n\nThen I compare."
    assert isinstance(remark, Text)
    assert remark.text == "I look at both."
    assert fold.tool_uses() == (first, second)
    assert [(c.id, c.name, c.input) for c in fold.tool_uses()] == [
        ("call_list", "list_campaigns", {}),
        ("call_insights", "get_campaign_insights", {"campaign": 'Winter "25"', "days": 70}),
    ]
    assert fold.finish == Finish(FinishReason.TOOL_CALLS, "completed")
    assert fold.usage == Usage(input=905, output=96, thinking=40)


def test_a_refusal_is_shown_and_named() -> None:
    fold = assembled(hear("refusal")[0])
    assert fold.message("d").text() == "I cannot help with that."
    assert fold.finish == Finish(FinishReason.REFUSAL, "refusal")


def test_a_call_cut_by_the_token_limit_is_not_there() -> None:
    fold = assembled(hear("length")[0])
    assert fold.finish == Finish(FinishReason.LENGTH, "max_output_tokens")
    assert fold.tool_uses() == ()
    assert [type(b) for b in fold.message("d").blocks] == [Thinking]


def test_a_filter_cuts_the_answer() -> None:
    fold = assembled(hear("filtered")[0])
    assert fold.finish == Finish(FinishReason.CONTENT_FILTER, "content_filter")
    assert fold.message("d").text() == "Half a sen"
    assert all(b.closed for b in fold.blocks)


def test_no_credit_may_be_said_after_a_200() -> None:
    _, fault = hear("failed")
    assert fault is not None
    assert (fault.kind, fault.code, fault.in_stream, fault.retryable) == (
        Kind.NO_CREDIT,
        "insufficient_quota",
        True,
        False,
    )
    failed = own("failed", "openai").split(b"\n\n")
    without_event = b"\n\n".join(f for f in failed if not f.startswith(b"event: error"))
    assert listen([without_event], OPENAI)[1] == fault


def test_an_error_in_mid_stream_comes_after_what_was_said() -> None:
    events, fault = hear("error_in_stream")
    assert assembled(events).message("d").text() == "Half an "
    assert fault is not None
    assert (fault.kind, fault.retryable) == (Kind.OVERLOADED, True)


def test_a_cut_stream_runs_nothing_though_a_call_was_whole() -> None:
    events, fault = hear("truncated")
    assert fault is not None
    assert fault.kind is Kind.TRUNCATED
    fold = assembled(events)
    assert [b.name for b in fold.blocks if b.closed] == ["list_campaigns"]
    assert fold.tool_uses() == ()


@pytest.mark.parametrize("name", ["text", "thinking_tools", "refusal"])
def test_every_cut_but_the_last_is_truncated(name: str) -> None:
    body = own(name, "openai")
    end = body.rindex(b"event: response.completed")
    for cut in [*range(0, end, 97), end]:
        events, fault = listen([body[:cut]], OPENAI)
        assert fault is not None
        assert fault.kind is Kind.TRUNCATED, f"cut at {cut}: {fault}"
        assert assembled(events).tool_uses() == ()


def test_xai_counts_cached_tokens_beside_the_input_and_says_the_price() -> None:
    fold = assembled(hear("whole_call", XAI)[0])
    assert fold.usage == Usage(input=120, cache_read=640, output=48, thinking=30, cost=0.00025)


def test_reasoning_that_comes_raw_and_summed_up_is_shown_once() -> None:
    thought, call = assembled(hear("whole_call", XAI)[0]).message("d").blocks
    assert isinstance(thought, Thinking)
    assert thought.text == "The active ones are enough."
    assert isinstance(call, ToolUse)
    assert (call.id, call.input) == ("call-7f-0", {"status": "active"})


@pytest.mark.parametrize(
    ("response", "finish"),
    [
        ({"status": "completed"}, Finish(FinishReason.STOP, "completed")),
        ({"status": "incomplete", "incomplete_details": None}, Finish(FinishReason.UNKNOWN, "incomplete")),
        (
            {"status": "incomplete", "incomplete_details": {"reason": "new"}},
            Finish(FinishReason.UNKNOWN, "new"),
        ),
        (
            {"status": "incomplete", "incomplete_details": {"reason": "max_messages"}},
            Finish(FinishReason.PAUSE, "max_messages"),
        ),
        ({"status": "cancelled"}, Finish(FinishReason.UNKNOWN, "cancelled")),
        ({}, Finish(FinishReason.STOP, "completed")),
    ],
)
def test_how_a_response_may_end(response: dict[str, Any], finish: Finish) -> None:
    events, _ = heard({"type": "response.done", "response": response})
    assert events[-1] == finish


def test_a_server_may_tell_nothing_but_the_whole() -> None:
    output = [
        {"type": "message", "id": "m", "content": [{"type": "output_text", "text": "Hi"}]},
        {"type": "function_call", "id": "f", "call_id": "c", "name": "pause", "arguments": '{"a":1}'},
    ]
    fold = assembled(heard(completed(model="m", output=output))[0])
    assert fold.message("d").text() == "Hi"
    assert [(c.id, c.input) for c in fold.tool_uses()] == [("c", {"a": 1})]


def test_a_server_may_leave_out_the_ends_of_items() -> None:
    call = {"type": "function_call", "id": "f", "call_id": "c", "name": "pause", "arguments": ""}
    whole = {"type": "response.function_call_arguments.done", "item_id": "f", "arguments": '{"a":1}'}
    words = {"type": "response.output_text.delta", "item_id": "m", "output_index": 0, "delta": "Hi"}
    fold = assembled(heard(words, begin(call, 1), whole, completed())[0])
    assert fold.message("d").blocks == (Text("Hi"), ToolUse("c", "pause", {"a": 1}, opaque={"arguments": '{"a":1}'}))
    assert fold.tool_uses()


def test_ids_of_items_may_change_on_the_way() -> None:
    """Some gateways make them up anew for every event: then the place counts."""
    call = {"type": "function_call", "call_id": "c", "name": "pause", "arguments": ""}
    piece = {"type": "response.function_call_arguments.delta", "item_id": "2", "output_index": 0, "delta": "{}"}
    end = done({**call, "id": "3", "arguments": "{}"})
    fold = assembled(heard(begin({**call, "id": "1"}), piece, end, completed(output=[{**call, "id": "4"}]))[0])
    assert [c.id for c in fold.tool_uses()] == ["c"]


def test_a_name_may_come_late() -> None:
    call = {"type": "function_call", "id": "f"}
    piece = {"type": "response.function_call_arguments.delta", "item_id": "f", "delta": '{"a":1}'}
    end = done({**call, "call_id": "c", "name": "pause", "arguments": ""})
    fold = assembled(heard(begin(call), piece, end, completed())[0])
    assert [(c.id, c.name, c.input) for c in fold.tool_uses()] == [("c", "pause", {"a": 1})]


def test_an_incomplete_call_is_not_run_though_the_response_is_complete() -> None:
    whole = {"type": "function_call", "id": "f1", "call_id": "c1", "name": "a", "arguments": "{}"}
    half = {**whole, "id": "f2", "call_id": "c2", "name": "b", "status": "incomplete"}
    fold = assembled(heard(done(whole, 0), done(half, 1), completed())[0])
    assert [c.name for c in fold.tool_uses()] == ["a"]
    assert assembled(heard(done(half), completed())[0]).finish == Finish(FinishReason.STOP, "completed")


def test_calls_with_one_id_or_none_are_told_apart() -> None:
    call = {"type": "function_call", "name": "pause", "arguments": "{}"}
    calls = [{**call, "id": "1", "call_id": "c"}, {**call, "id": "2", "call_id": "c"}, {**call, "id": "3"}]
    fold = assembled(heard(*(done(c, n) for n, c in enumerate(calls)), completed())[0])
    assert len({c.id for c in fold.tool_uses()}) == 3
    assert fold.tool_uses()[0].id == "c"


CALL = {"type": "function_call", "id": "f", "call_id": "c", "name": "pause"}


@pytest.mark.parametrize(
    "events",
    [
        [begin(CALL), {"type": "response.output_text.delta", "item_id": "f", "delta": "x"}],
        [{"type": "response.function_call_arguments.delta", "item_id": "f", "delta": "{"}],
        [done({**CALL, "arguments": "{}"}), {"type": "response.function_call_arguments.delta", "item_id": "f"}],
        [begin(CALL), done({"type": "message", "id": "f", "content": []})],
        [done({"type": "function_call", "id": "f", "arguments": "{}"})],
        [begin(CALL), begin(CALL)],
        [
            begin(CALL),
            {"type": "response.function_call_arguments.delta", "item_id": "f", "delta": '{"roas":1'},
            done({**CALL, "arguments": '{"roas":10}'}),
        ],
    ],
    ids=["wrong item", "no item", "after its end", "another kind", "no name", "begun twice", "other arguments"],
)
def test_a_stream_that_makes_no_sense_is_refused(events: list[dict[str, Any]]) -> None:
    _, fault = heard(*events, completed())
    assert fault is not None
    assert fault.kind is Kind.PROTOCOL


def test_what_we_do_not_know_is_skipped() -> None:
    search = {"type": "web_search_call", "id": "ws"}
    extra = stream_of(
        {"type": "response.new_thing", "x": 1},
        begin(search, 7),
        {"type": "response.web_search_call.searching", "item_id": "ws", "output_index": 7},
        done(search, 7),
        {"type": "codex.rate_limits"},
    )
    first, rest = own("text", "openai").split(b"\n\n", 1)
    assert listen([first + b"\n\n" + extra + b"data: 7\n\ndata: [DONE]\n\n" + rest], OPENAI) == hear("text")


def test_a_keepalive_begins_nothing() -> None:
    body = stream_of({"type": "keepalive"}) + own("text", "openai")
    events, _ = listen([body], OPENAI)
    assert events == [Heartbeat(), *hear("text")[0]]


def test_an_error_of_xai_in_a_200_has_no_type() -> None:
    _, fault = listen([stream_of({"code": "The service is currently unavailable", "error": "at capacity"})], XAI)
    assert fault is not None
    assert (fault.kind, fault.message) == (Kind.OVERLOADED, "at capacity")


def test_long_streams_take_time_in_proportion() -> None:
    """Text, reasoning and arguments of 16 times the length must not take 64 times as long."""

    def seconds(pieces: int) -> float:
        reasoning, message = {"type": "reasoning", "id": "r"}, {"type": "message", "id": "m"}
        growing = [
            *({"type": "response.reasoning_text.delta", "item_id": "r", "delta": "hm "} for _ in range(pieces)),
            *({"type": "response.output_text.delta", "item_id": "m", "delta": "word "} for _ in range(pieces)),
            *({"type": "response.function_call_arguments.delta", "item_id": "f", "delta": " "} for _ in range(pieces)),
        ]
        ends = [done({**reasoning, "summary": []}), done({**message, "content": []}, 1)]
        body = stream_of(begin(reasoning), begin(message, 1), begin(CALL, 2), *growing, *ends, completed())
        began = time.process_time()
        assert listen([body], OPENAI)[1] is None
        return time.process_time() - began

    seconds(100)
    assert min(seconds(8_000) for _ in range(2)) < 64 * min(seconds(500) for _ in range(3))


# --- what goes back -----------------------------------------------------------------------------------------------

WHOLE = {name: s for name, s in streams(dialect.NAME).items() if listen([s.body], s.provider)[1] is None}


@pytest.mark.parametrize("name", WHOLE)
def test_an_answer_goes_back_as_its_items_ended(name: str) -> None:
    """The oracle is the items as their last events have them, which our fold of the deltas must agree with. Through the
    stored form too, since a reload must not break it."""
    stream = WHOLE[name]
    events, _ = listen([stream.body], stream.provider)
    said = assembled(events).message(dialect.NAME)
    assert sent_items(stored(said), said.model) == expected_items(stream.body)


def stored(message: Message) -> Message:
    blocks = tuple(block_from_json(json.loads(json.dumps(block_to_json(b)))) for b in message.blocks)
    return replace(message, blocks=blocks)


def sent_items(said: Message, model: str) -> list[dict[str, Any]]:
    items = body_of(ModelRequest(model, (HELLO, said, HELLO)))["input"]
    return [i for i in items[1:-1] if i.get("type") != "function_call_output"]


def expected_items(body: bytes) -> list[dict[str, Any]]:
    events = [json.loads(line[6:]) for line in body.decode().split("\n") if line.startswith("data: {")]
    items = dict(enumerate(events[-1]["response"]["output"]))
    items |= {e["output_index"]: e["item"] for e in events if e["type"] == "response.output_item.done"}
    known = [i for i in items.values() if i["type"] in ("message", "reasoning", "function_call")]
    kept = [i for i in known if not (i["type"] == "reasoning" and not i.get("encrypted_content"))]
    kept = [i for i in kept if not (i["type"] == "function_call" and i["status"] == "incomplete")]
    while kept and kept[-1]["type"] == "reasoning":
        kept.pop()
    if not any(i["type"] == "reasoning" for i in kept):
        kept = [{k: v for k, v in i.items() if k != "id"} for i in kept]
    return kept


def test_only_what_this_family_of_models_wrote_goes_back_as_it_was() -> None:
    said = assembled(hear("thinking_tools")[0]).message(dialect.NAME)
    for model in ("grok-4.3", "o4-mini", "gpt-5.4"):
        sent = sent_items(said, model)
        assert [i["type"] for i in sent] == ["message", "function_call", "function_call"]
        assert not any("id" in i or "phase" in i for i in sent)
    assert sent_items(said, "gpt-6-luna")[0]["type"] == "reasoning"
    dropped = ModelRequest("gpt-6-luna", (HELLO, said, HELLO), drop_thinking=True)
    assert "made-up-one" not in json.dumps(body_of(dropped))


def test_reasoning_without_its_encrypted_text_stays_here() -> None:
    item = {"type": "reasoning", "id": "rs", "summary": [{"type": "summary_text", "text": "Hm"}]}
    message = {"type": "message", "id": "m", "status": "completed", "content": [{"type": "output_text", "text": "Hi"}]}
    said = assembled(heard(done(item, 0), done(message, 1), completed())[0]).message(dialect.NAME)
    assert said.blocks[0] == Thinking("Hm")
    assert sent_items(said, "") == [
        {
            "type": "message",
            "role": "assistant",
            "status": "completed",
            "content": [{"type": "output_text", "text": "Hi"}],
        }
    ]


def test_parts_of_one_message_stay_together() -> None:
    parts = [{"type": "output_text", "text": "One"}, {"type": "refusal", "refusal": "Two"}]
    message = {"type": "message", "id": "m", "role": "assistant", "status": "completed", "content": parts}
    events, _ = heard(done(message), completed())
    assert sent_items(assembled(events).message(dialect.NAME), "")[0]["content"] == parts


# --- what we ask ----------------------------------------------------------------------------------------------------

TOOLS = (
    ToolSpec("list_campaigns", "Lists campaigns.", {"type": "object", "properties": {}, "required": []}),
    ToolSpec("pause", "Pauses.", {"type": "object", "properties": {"b": {"type": "string"}, "a": {"type": "integer"}}}),
)
ASKED = ModelRequest(
    "gpt-6.1-terra",
    (HELLO,),
    system="You are Maxxer.",
    tools=TOOLS,
    thinking="adaptive",
    user_hash="u1",
    cache_key="w1",
)


def called(request: ModelRequest = ASKED, provider: Provider = OPENAI) -> HttpCall:
    return dialect.call(provider, request, KEY)


def body_of(request: ModelRequest, provider: Provider = OPENAI) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(called(request, provider).body)
    return body


def test_the_request_as_it_is_sent() -> None:
    call = called()
    assert (call.method, call.url) == ("POST", "https://api.openai.com/v1/responses")
    assert call.headers == {"content-type": "application/json", "accept": "text/event-stream"}
    assert (call.key_header, call.key_prefix, call.key) == ("authorization", "Bearer ", KEY)
    assert json.loads(call.body) == {
        "model": "gpt-6.1-terra",
        "stream": True,
        "store": False,
        "stream_options": {"include_obfuscation": False},
        "max_output_tokens": 16_000,
        "include": ["reasoning.encrypted_content"],
        "reasoning": {"summary": "auto"},
        "safety_identifier": "u1",
        "prompt_cache_key": "w1",
        "tools": [
            {
                "type": "function",
                "name": "list_campaigns",
                "description": "Lists campaigns.",
                "parameters": {"type": "object", "properties": {}, "required": []},
                "strict": False,
            },
            {
                "type": "function",
                "name": "pause",
                "description": "Pauses.",
                "parameters": {
                    "type": "object",
                    "properties": {"a": {"type": "integer"}, "b": {"type": "string"}},
                },
                "strict": False,
            },
        ],
        "instructions": "You are Maxxer.",
        "input": [{"role": "user", "content": [{"type": "input_text", "text": "Hello"}]}],
    }


def test_what_xai_wants_otherwise() -> None:
    call = called(replace(ASKED, model="grok-4.3"), XAI)
    assert call.url == "https://api.x.ai/v1/responses"
    body, openai = json.loads(call.body), body_of(ASKED)
    assert set(body.keys() ^ openai.keys()) == {"stream_options", "safety_identifier", "user"}
    assert body["user"] == "u1"


def test_the_probe_asks_for_as_little_as_is_allowed() -> None:
    body = body_of(ModelRequest("m", (HELLO,), max_output=1, thinking="off"))
    assert sorted(body) == ["input", "max_output_tokens", "model", "store", "stream", "stream_options"]
    assert body["max_output_tokens"] == 16


def test_the_prefix_is_the_same_bytes_whatever_is_said_and_however_schemas_were_stored() -> None:
    def prefix(request: ModelRequest) -> bytes:
        return called(request).body.partition(b'"input":')[0]

    other_order = ToolSpec(
        "pause", "Pauses.", {"properties": {"a": {"type": "integer"}, "b": {"type": "string"}}, "type": "object"}
    )
    later = replace(ASKED, messages=(Message("user", (Text("Later"),)),), tools=(TOOLS[0], other_order))
    assert prefix(later) == prefix(ASKED)
    assert next(reversed(json.loads(called().body))) == "input"


def test_a_printed_call_holds_no_key() -> None:
    for call in (called(), dialect.models_call(OPENAI, KEY), dialect.check_call(XAI, KEY)):
        assert "CANARY" not in repr(call)


def test_blocks_in_the_words_of_the_wire() -> None:
    long = "toolu_" + "x" * 80
    calls: tuple[Block, ...] = (ToolUse("call.1|x", "pause", {"b": 1, "a": {"d": 1, "c": 2}}), ToolUse(long, "pause"))
    history = (
        Message("user", (Text("Look"), Image("image/png", "aGk="))),
        Message("assistant", (Text("Well"), *calls), "anthropic_messages", "claude-x"),
        Message("user", (ToolResult("call.1|x", '{"ok":true}'), ToolResult(long, "no", is_error=True), Text("And?"))),
    )
    user, said, one, two, first, second, then = body_of(ModelRequest("m", history))["input"]
    assert user["content"][1] == {"type": "input_image", "image_url": "data:image/png;base64,aGk="}
    assert said == {"role": "assistant", "type": "message", "content": [{"type": "output_text", "text": "Well"}]}
    assert one["arguments"] == '{"a": {"c": 2, "d": 1}, "b": 1}'
    assert (first["call_id"], second["call_id"]) == (one["call_id"], two["call_id"])
    assert one["call_id"] != two["call_id"]
    assert all(dialect._CALL_ID.fullmatch(i["call_id"]) for i in (one, two))
    assert (first["output"], second["output"]) == ('{"ok":true}', '{"error": "no"}')
    assert then["content"] == [{"type": "input_text", "text": "And?"}]


@pytest.mark.parametrize(
    ("model", "provider", "asks"),
    [
        ("gpt-5.6-sol", OPENAI, True),
        ("gpt-6.1-terra", OPENAI, True),
        ("gpt-10-sol", OPENAI, True),
        ("gpt-5.5", OPENAI, False),
        ("gpt-5", OPENAI, False),
        ("gpt-4.1", OPENAI, False),
        ("o3", OPENAI, False),
        ("grok-4.7", XAI, False),
        ("gpt-6.1-terra", XAI, False),
    ],
)
def test_who_is_asked_why_the_cache_was_missed(model: str, provider: Provider, asks: bool) -> None:
    body = body_of(replace(ASKED, model=model, follows="resp_1"), provider)
    assert body.get("prompt_cache_options") == ({"comparison_response_id": "resp_1"} if asks else None)


@pytest.mark.parametrize("follows", ["", None])
def test_without_an_earlier_answer_nothing_is_compared(follows: str | None) -> None:
    assert "prompt_cache_options" not in body_of(replace(ASKED, follows=follows))


@pytest.mark.parametrize(
    ("diagnosis", "words"),
    [
        ({"type": "cache_miss", "reason": "tools_changed", "cache_missed_tokens": 900}, ["tools_changed"]),
        ({"type": "cache_miss"}, []),
        ({"type": "cache_hit"}, []),
        ({"type": "comparison_response_not_found"}, []),
        ({"type": "unavailable"}, []),
        ({}, []),
        ("cache_miss", []),
    ],
)
def test_the_end_says_why_the_cache_was_missed(diagnosis: Any, words: list[str]) -> None:
    events, fault = heard(completed(prompt_cache_diagnostics=diagnosis))
    assert fault is None
    assert [e.detail for e in events if isinstance(e, Notice) and e.kind == CACHE_MISS] == words


def test_an_account_without_summaries_is_asked_again_without_them() -> None:
    """The turn repeats itself once after STALE_THINKING, with `drop_thinking`: that leaves out what was refused."""
    fault = dialect.fail(*NO_SUMMARIES).fault
    assert fault.kind is Kind.STALE_THINKING
    body = body_of(replace(ASKED, drop_thinking=True))
    assert "reasoning" not in body
    assert "include" not in body


# --- what errors mean -----------------------------------------------------------------------------------------------


def answer(
    message: str, code: str | None = None, type: str = "invalid_request_error", param: str | None = None
) -> bytes:
    return json.dumps({"error": {"message": message, "type": type, "param": param, "code": code}}).encode()


def xai_answer(error: str, code: str = "invalid-argument") -> bytes:
    return json.dumps({"code": code, "error": error}).encode()


NO_SUMMARIES: tuple[int, dict[str, str], bytes] = (
    400,
    {},
    answer(
        "Your organization must be verified to generate reasoning summaries.",
        "unsupported_value",
        param="reasoning.summary",
    ),
)
FAILURES: dict[str, tuple[int, bytes, Kind]] = {
    "wrong key": (401, answer("Incorrect API key provided: sk-abc***xyz.", "invalid_api_key"), Kind.INVALID_KEY),
    "missing scope": (
        401,
        answer("You have insufficient permissions for this operation. Missing scopes: api.responses.write."),
        Kind.KEY_FORBIDDEN,
    ),
    "no credit": (429, answer("You exceeded your current quota.", "insufficient_quota"), Kind.NO_CREDIT),
    "balance": (429, answer("Empty.", "credit_balance_exhausted", "requests"), Kind.NO_CREDIT),
    "project limit": (429, answer("Stop.", "project_spend_limit_exceeded"), Kind.NO_CREDIT),
    "rate": (429, answer("Rate limit reached.", "rate_limit_exceeded", "tokens"), Kind.RATE_LIMITED),
    "too long": (
        400,
        answer("Your input exceeds the context window.", "context_length_exceeded"),
        Kind.CONTEXT_OVERFLOW,
    ),
    "no model": (
        404,
        answer("The model `x` does not exist or you do not have access.", "model_not_found"),
        Kind.MODEL_NOT_FOUND,
    ),
    "no model, as Responses says it": (
        400,
        answer("The requested model 'x' does not exist.", "model_not_found", param="model"),
        Kind.MODEL_NOT_FOUND,
    ),
    "region": (
        403,
        answer("Country, region, or territory not supported", "unsupported_country_region_territory"),
        Kind.REGION_BLOCKED,
    ),
    "model forbidden": (
        403,
        answer("Project `p` does not have access to model `x`", "model_not_found"),
        Kind.MODEL_FORBIDDEN,
    ),
    "stale": (
        400,
        answer("The encrypted content gAAA... could not be verified.", "invalid_encrypted_content"),
        Kind.STALE_THINKING,
    ),
    "no encrypted content": (
        400,
        answer("Encrypted content is not supported with this model.", param="include"),
        Kind.STALE_THINKING,
    ),
    "overloaded": (503, answer("Slow down.", "slow_down", "server_error"), Kind.OVERLOADED),
    "internal": (500, answer("An error occurred.", "server_error", "server_error"), Kind.PROVIDER_ERROR),
    "an error with a 200": (200, answer("Bad thing.", "rate_limit_exceeded"), Kind.RATE_LIMITED),
    "JSON of another kind": (200, b'{"object":"response","output":[]}', Kind.PROTOCOL),
    "xai: wrong key": (400, xai_answer("Incorrect API key provided: xa***yz."), Kind.INVALID_KEY),
    "xai: no such model": (400, xai_answer("Model not found: grok-9"), Kind.MODEL_NOT_FOUND),
    "xai: no credit": (
        403,
        xai_answer("Your team doesn't have any credits yet.", "The caller does not have permission"),
        Kind.NO_CREDIT,
    ),
    "xai: limit": (
        429,
        xai_answer("Your team has either used all available credits or reached its monthly spending limit."),
        Kind.NO_CREDIT,
    ),
    "xai: rights": (403, xai_answer("The API key lacks the ACL.", "permission-denied"), Kind.KEY_FORBIDDEN),
    "xai: error in a 200": (
        200,
        xai_answer("Service temporarily unavailable: at capacity", "unavailable"),
        Kind.OVERLOADED,
    ),
    "xai: too long": (
        400,
        xai_answer("This model's maximum prompt length is 131072 but the request contains 140000 tokens."),
        Kind.CONTEXT_OVERFLOW,
    ),
}


@pytest.mark.parametrize(("status", "body", "kind"), FAILURES.values(), ids=FAILURES)
def test_an_error_is_called_by_its_name(status: int, body: bytes, kind: Kind) -> None:
    assert dialect.fail(status, {}, body).fault.kind is kind


def test_a_missing_permission_says_which_one_to_give() -> None:
    status, body, _ = FAILURES["missing scope"]
    fault = dialect.fail(status, {"x-request-id": "req_1"}, body).fault
    assert (fault.code, fault.request_id) == ("missing_scope", "req_1")
    assert "Missing scopes" in fault.message
    assert "Model capabilities" in explain(fault, "OpenAI").hint


REAL_KINDS = {  # by the beginning of the recording's name
    "openai/resp-error-400": Kind.CONTEXT_OVERFLOW,
    "openai/resp-error-500": Kind.PROVIDER_ERROR,
    "xai/resp-error-400-grok-4.3": Kind.INVALID_KEY,
    "xai/resp-error-400-grok-nonexistent": Kind.MODEL_NOT_FOUND,
}
REAL_ERRORS = {
    n: e for n, e in shared("*", stream=False).items() if e["dialect"] == "openai-responses" and e["kind"] == "error"
}


@pytest.mark.parametrize("name", REAL_ERRORS)
def test_real_errors_are_called_by_their_names(name: str) -> None:
    response = REAL_ERRORS[name]["response"]
    fault = dialect.fail(response["status"], response["headers"], response["body"].encode()).fault
    assert fault.kind is next(kind for start, kind in REAL_KINDS.items() if name.startswith(start))
    assert fault.message


# --- models, and the key --------------------------------------------------------------------------------------------


def test_a_list_without_abilities_is_read_by_its_names() -> None:
    call = dialect.models_call(OPENAI, KEY)
    assert (call.method, call.url, call.key_prefix) == ("GET", "https://api.openai.com/v1/models", "Bearer ")
    ids = [
        "gpt-6-luna",
        "gpt-5-chat-latest",
        "o4-mini",
        "gpt-4.1",
        "gpt-4o-audio",
        "whisper-1",
        "gpt-image-2",
        "gpt-3.5-turbo",
        "",
    ]
    page = dialect.read_models(OPENAI, json.dumps({"data": [{"id": i} for i in ids] + [7, {"id": None}]}).encode())
    assert [(m.id, m.thinking) for m in page.models] == [
        ("gpt-6-luna", ("adaptive",)),
        ("gpt-5-chat-latest", ()),
        ("o4-mini", ("adaptive",)),
        ("gpt-4.1", ()),
    ]
    assert page.after == ""


def test_a_list_with_abilities_and_prices() -> None:
    assert dialect.models_call(XAI, KEY).url == "https://api.x.ai/v1/language-models"
    grok = {
        "id": "grok-4.3",
        "input_modalities": ["text", "image"],
        "output_modalities": ["text"],
        "prompt_text_token_price": 20000,
        "cached_prompt_text_token_price": 5000,
        "completion_text_token_price": 100000,
    }
    others = [
        {**grok, "id": "grok-4-fast-non-reasoning", "input_modalities": ["text"], "prompt_text_token_price": None},
        {**grok, "id": "grok-4.20-multi-agent-1"},
        {**grok, "id": "grok-imagine", "output_modalities": ["image"]},
    ]
    first, second = dialect.read_models(XAI, json.dumps({"models": [grok, *others]}).encode()).models
    assert (first.id, first.vision, first.tools, first.thinking) == ("grok-4.3", True, True, ("adaptive",))
    assert (first.price_in, first.cache_read, first.price_out) == (2.0, 0.5, 10.0)
    assert (second.vision, second.thinking, second.price_in) == (False, (), None)


def test_a_dated_model_is_found_in_the_table_without_its_date() -> None:
    table = {"gpt-5.4": {"in": 2.5}, "gpt-4.1-2025-04-14": {"in": 2.0}}
    assert models._entry(table, "gpt-5.4-2026-03-05") == {"in": 2.5}
    assert models._entry(table, "gpt-4.1-2025-04-14") == {"in": 2.0}


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"data":"x"}', b'{"error":{}}'])
def test_what_is_no_list_of_models_is_refused(body: bytes) -> None:
    with pytest.raises(ProviderError) as refused:
        dialect.read_models(OPENAI, body)
    assert refused.value.fault.kind is Kind.PROTOCOL


def test_a_real_list_names_the_models_that_chat() -> None:
    exchange = shared("openai", stream=False).get("models-chatlas")
    if exchange is None:
        pytest.skip("no ../shared")
    ids = [m.id for m in dialect.read_models(OPENAI, exchange["response"]["body"].encode()).models]
    assert "gpt-4o" in ids
    assert not any("audio" in i or "embedding" in i or "tts" in i or "realtime" in i for i in ids)


def test_xai_tells_for_free_whether_a_key_is_blocked() -> None:
    call = dialect.check_call(XAI, KEY)
    assert call is not None
    assert (call.method, call.url) == ("GET", "https://api.x.ai/v1/api-key")
    assert dialect.check_call(OPENAI, KEY) is None
    good = {"api_key_blocked": False, "api_key_disabled": False, "team_blocked": False, "acls": ["api-key:model:*"]}
    dialect.read_check(XAI, json.dumps(good).encode())
    dialect.read_check(XAI, b"<html>")
    with pytest.raises(ProviderError) as refused:
        dialect.read_check(XAI, json.dumps({**good, "api_key_disabled": True}).encode())
    assert (refused.value.fault.kind, refused.value.fault.message) == (Kind.KEY_FORBIDDEN, "This key is disabled.")
