"""Chat completions as seven providers and many others speak them: what streams mean, what we ask, what lists say."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import Any

import pytest

from tests.llm.transcripts import PLAIN, RECORDS, Stream, assembled, listen, own, shared, streams
from webapp.llm.blocks import Block, Image, Message, Text, Thinking, ToolResult, ToolUse
from webapp.llm.dialects import openai_chat as dialect
from webapp.llm.errors import Fault, Kind, ProviderError
from webapp.llm.events import Event, Finish, FinishReason, Heartbeat, Start, Usage
from webapp.llm.models import RemoteModel
from webapp.llm.providers import (
    DEEPSEEK,
    GROQ,
    MISTRAL,
    MOONSHOT,
    OPENROUTER,
    TOGETHER,
    ZAI,
    Provider,
)
from webapp.llm.request import HttpCall, ModelRequest, ToolSpec
from webapp.secret import Secret

KEY = Secret("sk-CANARY-CANARY-CANARY-CANARY")
SEVEN = (OPENROUTER, MISTRAL, ZAI, DEEPSEEK, GROQ, MOONSHOT, TOGETHER)
STOP, CALLS = FinishReason.STOP, FinishReason.TOOL_CALLS


def heard(name: str) -> tuple[list[Event], Fault | None]:
    stream = streams("openai_chat")[name]
    return listen([stream.body], stream.provider)


# --- what our recordings mean -------------------------------------------------------------------------------------

SIGNED = {"type": "reasoning.text", "text": "Two accounts.", "format": "anthropic-claude-v1", "index": 0}
ENCRYPTED = {
    "type": "reasoning.encrypted",
    "data": "gAAAA-made-up",
    "id": "rs_1",
    "format": "openai-responses-v1",
    "index": 0,
}
MEANS: dict[str, tuple[tuple[Block, ...], Finish, Usage]] = {
    "openrouter/thinking_tools": (
        (
            Thinking("Two accounts.", {"in": "reasoning", "details": [{**SIGNED, "signature": "EtMB+made/up=="}]}),
            Text("I look at both."),
            ToolUse("toolu_01made", "list_campaigns", {"status": "on"}),
            ToolUse("toolu_02made", "get_insights", {"days": 70}),
        ),
        Finish(CALLS, "tool_calls"),
        Usage(input=50, cache_read=1000, cache_write=150, output=80, thinking=20, cost=0.0042),
    ),
    "openrouter/encrypted": (
        (Thinking("", {"in": "reasoning_details", "details": [ENCRYPTED]}), Text("Done.")),
        Finish(STOP, "stop"),
        Usage(),
    ),
    "mistral/thinking": (
        (Thinking("Okay, count.", {"in": "content"}), Text("It is 4.")),
        Finish(STOP, "stop"),
        Usage(input=5, cache_read=5, output=20),
    ),
    "mistral/tools": (
        (ToolUse("yBvJuId6u", "list_campaigns"), ToolUse("ihQrVBDfy", "get_insights", {"days": 7})),
        Finish(CALLS, "tool_calls"),
        Usage(input=164, output=25),
    ),
    "zai/thinking_tools": (
        (
            Thinking("Ask the tool.", {"in": "reasoning_content"}),
            Text("One moment."),
            ToolUse("call_330c", "get_insights", {"days": 7}),
        ),
        Finish(CALLS, "tool_calls"),
        Usage(input=1, cache_read=172, output=87, thinking=63),
    ),
    "zai/sensitive": ((Text("Once "),), Finish(FinishReason.CONTENT_FILTER, "sensitive"), Usage()),
    "deepseek/thinking_tools": (
        (Thinking("The date first.", {"in": "reasoning_content"}), ToolUse("call_00_made", "get_date")),
        Finish(CALLS, "tool_calls"),
        Usage(input=41, cache_read=256, output=35, thinking=7),
    ),
    "groq/glued": (
        (
            Thinking("Both.", {"in": "reasoning"}),
            ToolUse("functions.add:0", "add", {"a": 2, "b": 3}),
            ToolUse("functions.multiply:1", "multiply", {"a": 2, "b": 3}),
        ),
        Finish(CALLS, "tool_calls"),
        Usage(input=201, output=58, thinking=9),
    ),
    "moonshot/usage_in_choice": (
        (
            Thinking("Search.", {"in": "reasoning_content"}),
            ToolUse("functions.search:0", "search", {"q": "roas"}),
        ),
        Finish(CALLS, "tool_calls"),
        Usage(input=18, cache_read=32, output=20),
    ),
    "together/eos": ((Text("Hello there \u2028 📈"),), Finish(STOP, "eos"), Usage(input=4, output=3)),
    "together/refusal": (
        (Text("I cannot help with that."),),
        Finish(FinishReason.REFUSAL, "stop"),
        Usage(),
    ),
    "together/never_ends": ((Text("ab"), ToolUse("call_ok", "go")), Finish(CALLS, ""), Usage()),
    "fireworks/think_tags": (
        (Thinking("Two names", {"in": "<think>"}), Text("Pip and Bill")),
        Finish(STOP, "stop"),
        Usage(input=9, output=8),
    ),
    "cerebras/reasoning": (
        (Thinking("Short names.", {"in": "reasoning"}), Text("Pip, Bill")),
        Finish(STOP, "stop"),
        Usage(input=9, output=8),
    ),
    "plain/think_tags": (
        (Thinking("Compare 1 < 2 </b> and ", {"in": "<think>"}), Text("Two <think> is more.")),
        Finish(STOP, "stop"),
        Usage(),
    ),
}


@pytest.mark.parametrize(("name", "meaning"), MEANS.items(), ids=MEANS)
def test_a_stream_adds_up_to_its_message(name: str, meaning: tuple[tuple[Block, ...], Finish, Usage]) -> None:
    events, fault = heard(name)
    assert fault is None
    fold = assembled(events)
    assert (fold.message("d").blocks, fold.finish, fold.usage) == meaning


def test_calls_are_told_apart_however_they_are_named() -> None:
    """An index that comes again, ids that are empty or the same, arguments that are null, objects or early."""
    calls = assembled(heard("together/odd_calls")[0]).tool_uses()
    assert [(c.name, dict(c.input), c.error) for c in calls] == [
        ("first", {}, None),
        ("second", {"n": 1}, None),
        ("third", {"n": 2}, None),
        ("fourth", {}, None),
        ("fifth", {"early": True}, None),
        ("sixth", {"n": 6}, None),
        ("sixth", {"n": 7}, None),
    ]
    ids = [c.id for c in calls]
    assert len(set(ids)) == 7
    assert (ids[0], ids[1], ids[4]) == ("a", "b", "e")
    assert all(id.isalnum() for id in ids)
    assert calls[4].opaque == {"extras": {"extra_content": {"google": {"thought_signature": "sig-made"}}}}
    assert [c.id for c in assembled(heard("together/odd_calls")[0]).tool_uses()] == ids


def test_a_call_cut_by_the_token_limit_is_kept_as_unreadable_and_runs_nothing() -> None:
    fold = assembled(heard("together/length")[0])
    assert fold.finish == Finish(FinishReason.LENGTH, "length")
    assert fold.tool_uses() == ()
    (call,) = fold.message("d").blocks
    assert isinstance(call, ToolUse)
    assert (call.input, bool(call.error)) == ({}, True)


FAULTS: dict[str, tuple[str, Fault]] = {
    "openrouter/error_in_chunk": (
        "Half an ",
        Fault(Kind.OVERLOADED, "upstream is down", 502, "provider_unavailable", retryable=True, in_stream=True),
    ),
    "groq/error_event": (
        "",
        Fault(
            Kind.PROVIDER_ERROR,
            "Tool call validation failed",
            400,
            "tool_use_failed",
            retryable=True,
            in_stream=True,
        ),
    ),
    "zai/network_error": (
        "Once ",
        Fault(Kind.PROVIDER_ERROR, code="network_error", retryable=True, in_stream=True),
    ),
    "deepseek/no_resources": (
        "Half",
        Fault(Kind.OVERLOADED, code="insufficient_system_resource", retryable=True, in_stream=True),
    ),
    "together/truncated": ("I pause ", Fault(Kind.TRUNCATED, retryable=True, in_stream=True)),
}


@pytest.mark.parametrize(("name", "said"), FAULTS.items(), ids=FAULTS)
def test_an_error_comes_after_what_was_said_and_runs_nothing(name: str, said: tuple[str, Fault]) -> None:
    events, fault = heard(name)
    fold = assembled(events)
    assert (fold.message("d").text(), fault) == said
    assert fold.tool_uses() == ()
    assert not any(isinstance(b, ToolUse) for b in fold.message("d").blocks)


def test_every_recording_of_ours_has_a_meaning_here() -> None:
    ours = {name for name in streams("openai_chat") if not name.startswith("shared ")}
    assert ours == {*MEANS, *FAULTS, "together/odd_calls", "together/length"}


def test_comments_are_heartbeats() -> None:
    events, _ = heard("openrouter/thinking_tools")
    assert events[:2] == [Heartbeat(), Heartbeat()]
    assert sum(isinstance(e, Heartbeat) for e in events) == 3


def sse(*chunks: Any, end: str = "data: [DONE]\n\n") -> bytes:
    return ("".join(f"data: {json.dumps(c)}\n\n" for c in chunks) + end).encode()


def choice(delta: Any, finish: Any = None, **more: Any) -> dict[str, Any]:
    return {"id": "i", "model": "m", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}], **more}


def finish_of(body: bytes, provider: Provider = TOGETHER) -> Finish | None:
    return assembled(listen([body], provider)[0]).finish


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("stop", STOP),
        ("eos", STOP),
        ("eos_token", STOP),
        ("tool_calls", STOP),  # without any call
        ("length", FinishReason.LENGTH),
        ("model_length", FinishReason.CONTEXT_OVERFLOW),
        ("model_context_window_exceeded", FinishReason.CONTEXT_OVERFLOW),
        ("content_filter", FinishReason.CONTENT_FILTER),
        ("sensitive", FinishReason.CONTENT_FILTER),
        ("refusal", FinishReason.REFUSAL),
        ("something_new", FinishReason.UNKNOWN),
    ],
)
def test_every_reason_to_finish_has_a_meaning(raw: str, reason: FinishReason) -> None:
    assert finish_of(sse(choice({"content": "x"}), choice({}, raw))) == Finish(reason, raw)


def test_a_reason_may_come_twice_and_be_followed_by_null() -> None:
    body = sse(choice({"content": "x"}, "length"), choice({}, "length"), choice({}), choice({}, "null"))
    assert finish_of(body) == Finish(FinishReason.LENGTH, "length")


@pytest.mark.parametrize("raw", ["stop", "length", "content_filter", "something_new"])
def test_calls_run_after_stop_but_not_after_what_may_have_cut_them(raw: str) -> None:
    call = {"index": 0, "id": "c", "type": "function", "function": {"name": "pause", "arguments": "{}"}}
    events, _ = listen([sse(choice({"tool_calls": [call]}), choice({}, raw))], TOGETHER)
    assert bool(assembled(events).tool_uses()) is (raw == "stop")


@pytest.mark.parametrize("end", ["", "data: [DONE]", "data: [DONE]\n\n", "data: [DO", 'data: {"choices":[{"ind'])
def test_after_the_reason_to_finish_nothing_more_is_needed(end: str) -> None:
    assert finish_of(sse(choice({"content": "x"}, "stop"), end=end)) == Finish(STOP, "stop")


@pytest.mark.parametrize("end", ["", 'data: {"choices":[{"ind', "data: [DO"])
def test_without_a_reason_to_finish_an_answer_is_cut(end: str) -> None:
    _, fault = listen([sse(choice({"content": "x"}), end=end)], TOGETHER)
    assert fault is not None
    assert fault.kind is Kind.TRUNCATED


def test_an_end_without_a_beginning_is_no_answer() -> None:
    for body in (b"", b"data: [DONE]\n\n", sse({"choices": []}), sse({"other": 1}), b": hm\n\n"):
        _, fault = listen([body], TOGETHER)
        assert fault is not None
        assert fault.kind is Kind.TRUNCATED


def test_an_empty_first_chunk_does_not_name_the_model() -> None:
    """Azure and Copilot begin with the verdict of a filter."""
    body = sse({"choices": [], "id": "", "model": "", "prompt_filter_results": []}, choice({"content": "x"}, "stop"))
    assert listen([body], TOGETHER)[0][0] == Start("m", "i")


USAGES: dict[str, tuple[dict[str, Any], Usage]] = {
    "cached is part of the prompt": (
        {"prompt_tokens": 10, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 4}},
        Usage(input=6, cache_read=4, output=2),
    ),
    "more cached than prompt comes on top": (
        {"prompt_tokens": 10, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 40}},
        Usage(input=10, cache_read=40, output=2),
    ),
    "hits and misses": ({"prompt_tokens": 10, "prompt_cache_hit_tokens": 8}, Usage(input=2, cache_read=8)),
    "kimi": ({"prompt_tokens": 10, "cached_tokens": 8}, Usage(input=2, cache_read=8)),
    "mistral": ({"prompt_tokens": 10, "num_cached_tokens": 8}, Usage(input=2, cache_read=8)),
    "reasoning is in the completion": (
        {
            "prompt_tokens": 1,
            "completion_tokens": 9,
            "total_tokens": 10,
            "completion_tokens_details": {"reasoning_tokens": 5},
        },
        Usage(input=1, output=9, thinking=5),
    ),
    "reasoning is beside the completion": (
        {
            "prompt_tokens": 1,
            "completion_tokens": 4,
            "total_tokens": 10,
            "completion_tokens_details": {"reasoning_tokens": 5},
        },
        Usage(input=1, output=9, thinking=5),
    ),
    "own key behind OpenRouter": (
        {"prompt_tokens": 1, "cost": 0.01, "is_byok": True, "cost_details": {"upstream_inference_cost": 0.2}},
        Usage(input=1, cost=0.21),
    ),
    "ticks": ({"prompt_tokens": 1, "cost_in_usd_ticks": 1_633_800}, Usage(input=1, cost=0.00016338)),
    "no ticks are no price": ({"prompt_tokens": 1, "cost_in_usd_ticks": 0}, Usage(input=1)),
    "nonsense": ({"prompt_tokens": -1, "completion_tokens": "9", "cost": "x", "total_tokens": None}, Usage()),
}


@pytest.mark.parametrize(("said", "usage"), USAGES.values(), ids=USAGES)
def test_usage_has_many_shapes(said: dict[str, Any], usage: Usage) -> None:
    body = sse(choice({"content": "x"}, "stop"), {"choices": [], "usage": {"prompt_tokens": 99}}, {"usage": said})
    assert assembled(listen([body], TOGETHER)[0]).usage == usage


def test_think_tags_are_text_where_the_record_does_not_speak_of_them() -> None:
    body = own("think_tags", "plain")
    assert assembled(listen([body], TOGETHER)[0]).message("d").text().startswith("<think>\nCompare")


@pytest.mark.parametrize(
    ("pieces", "blocks"),
    [
        (["  <thi", "nk>a</think>b"], (Thinking("a", {"in": "<think>"}), Text("b"))),
        (["<think>never closed </thin"], (Thinking("never closed </thin", {"in": "<think>"}),)),
        (["<thi"], (Text("<thi"),)),
        (["no <think>x</think>"], (Text("no <think>x</think>"),)),
        (["<think></think>b"], (Text("b"),)),
    ],
)
def test_think_tags_may_be_cut_anywhere(pieces: list[str], blocks: tuple[Block, ...]) -> None:
    events, _ = listen([sse(*(choice({"content": p}) for p in pieces), choice({}, "stop"))], PLAIN)
    assert assembled(events).message("d").blocks == blocks


def test_hearing_takes_linear_time() -> None:
    def seconds(pieces: int) -> float:
        calls = [
            choice(
                {
                    "tool_calls": [
                        {"index": n % 7, "id": f"c{n % 7}", "function": {"name": f"f{n % 7}", "arguments": " "}}
                    ]
                }
            )
            for n in range(pieces)
        ]
        details = [choice({"reasoning_details": [{"type": "reasoning.text", "text": "x", "index": 0}]})] * 300
        thoughts = [choice({"content": "<"})] * pieces
        body = sse(*details, choice({"content": "<think>"}), *thoughts, *calls, choice({}, "stop"))
        began = time.process_time()
        assert listen([body], PLAIN)[1] is None
        return time.process_time() - began

    small = min(seconds(1000) for _ in range(3))
    assert seconds(16_000) < small * 16 * 4


# --- what the real ones mean --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [n for n in streams("openai_chat") if n != "together/odd_calls"])
def test_nothing_said_is_lost_or_said_twice(name: str) -> None:
    """Against a reading that knows nothing of streams: all text, all reasoning, all arguments, added up."""
    stream = streams("openai_chat")[name]
    if stream.provider.chat.think_tags and b"<think>" in stream.body:
        return
    said = assembled(listen([stream.body], stream.provider)[0]).message("d")
    text, thoughts, arguments = added_up(stream)
    assert said.text() == text.removesuffix("</s>")
    assert "".join(b.text for b in said.blocks if isinstance(b, Thinking)) == thoughts
    calls = [b for b in said.blocks if isinstance(b, ToolUse)]
    assert len(calls) == (0 if name == "together/truncated" else len(arguments))
    for call, raw in zip(calls, arguments, strict=False):
        assert call.error or call.input == json.loads(raw or "{}")


def added_up(stream: Stream) -> tuple[str, str, list[str]]:
    text, thoughts = "", ""
    arguments: list[str] = []
    of_index: dict[int, tuple[str, int]] = {}  # index -> id, place in arguments
    for line in stream.body.decode().split("\n"):
        if '"choices":' not in line:
            continue
        for delta in (c["delta"] for c in json.loads(line.partition(":")[2])["choices"]):
            content = delta.get("content") or ""
            for part in content if isinstance(content, list) else [{"type": "text", "text": content}]:
                text += part.get("text", "")
                thoughts += "".join(p["text"] for p in part.get("thinking", []))
            text += delta.get("refusal") or ""
            thoughts += delta.get("reasoning_content") or delta.get("reasoning") or ""
            for call in delta.get("tool_calls") or []:
                id, place = of_index.get(call["index"], ("", -1))
                if place < 0 or (call.get("id") and call["id"] != id):
                    arguments.append("")
                    of_index[call["index"]] = id, place = call["id"], len(arguments) - 1
                arguments[place] += call["function"].get("arguments") or ""
    return text, thoughts, arguments


REAL = {
    "azure/cache-grok-4-1-fast-non-reasoning-rubyllm": Usage(input=7, cache_read=161, output=8),
    "groq/text-llama3-8b-8192-openllmetry": Usage(input=18, output=73),
    "groq/thinking-tools-gpt-oss-120b-pydai": Usage(input=304, output=49, thinking=23),
    "openrouter/thinking-claude-sonnet-4.5-pydai": Usage(input=43, output=36, thinking=13, cost=0.000669),
    "xai/thinking-tools-grok-code-fast-1-fantasy": Usage(
        input=6, cache_read=384, output=103, thinking=77, cost=0.00016338
    ),
    "zai/thinking-tools-glm-4.7-flash-fantasy": Usage(input=1, cache_read=172, output=87, thinking=63),
    "mistral/thinking-magistral-medium-latest-ddtrace": Usage(input=5, cache_read=5, output=63),
}


@pytest.mark.parametrize("name", [n for n in REAL if f"shared {n}" in streams("openai_chat")])
def test_real_streams_count_what_they_cost(name: str) -> None:
    assert assembled(heard(f"shared {name}")[0]).usage == REAL[name]


# --- what we ask --------------------------------------------------------------------------------------------------

TOOLS = (
    ToolSpec("pause", "Pauses.", {"type": "object", "properties": {"b": {"type": "string"}, "a": {"type": "integer"}}}),
)
ASKED = ModelRequest(
    "m",
    (Message("user", (Text("Hello"),)),),
    system="You are Maxxer.",
    tools=TOOLS,
    thinking="adaptive",
    user_hash="u1",
    cache_key="w1",
)
PING = ModelRequest("m", (Message("user", (Text("ping"),)),), max_output=1, thinking="off")


def called(provider: Provider, request: ModelRequest = ASKED) -> HttpCall:
    return dialect.call(provider, request, KEY)


def body_of(provider: Provider, request: ModelRequest = ASKED) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(called(provider, request).body)
    return body


def test_the_request_as_it_is_sent() -> None:
    call = called(TOGETHER)
    assert (call.method, call.url) == ("POST", "https://api.together.ai/v1/chat/completions")
    assert call.headers == {"content-type": "application/json", "accept": "text/event-stream"}
    assert (call.key_header, call.key_prefix, call.key) == ("authorization", "Bearer ", KEY)
    parameters = {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "string"}}}
    assert json.loads(call.body) == {
        "model": "m",
        "stream": True,
        "max_tokens": 16_000,
        "stream_options": {"include_usage": True},
        "tools": [
            {"type": "function", "function": {"name": "pause", "description": "Pauses.", "parameters": parameters}}
        ],
        "messages": [{"role": "system", "content": "You are Maxxer."}, {"role": "user", "content": "Hello"}],
    }


BESIDE = {  # what each of the seven is sent beside the plain request
    "openrouter": {
        "user": "u1",
        "session_id": "w1",
        "provider": {"require_parameters": True},
        "reasoning": {"enabled": True},
    },
    "mistral": {"prompt_cache_key": "w1", "reasoning_effort": "high"},
    "zai": {
        "user_id": "u1",
        "tool_stream": True,
        "thinking": {"type": "enabled", "clear_thinking": False},
        "stream_options": {"include_usage": True},
    },
    "deepseek": {"user_id": "w1", "thinking": {"type": "enabled"}, "stream_options": {"include_usage": True}},
    "groq": {"user": "u1", "reasoning_format": "parsed", "stream_options": {"include_usage": True}},
    "moonshot": {"prompt_cache_key": "w1", "stream_options": {"include_usage": True}},
    "together": {"stream_options": {"include_usage": True}},
}


@pytest.mark.parametrize("provider", SEVEN, ids=lambda p: p.slug)
def test_what_differs_is_in_the_record(provider: Provider) -> None:
    body = body_of(provider)
    limit = "max_completion_tokens" if provider is GROQ else "max_tokens"
    assert body.pop(limit) == 16_000
    plain = ("model", "stream", "tools", "messages")
    assert {k: v for k, v in body.items() if k not in plain} == BESIDE[provider.slug]
    assert called(provider).url == f"{provider.base_url}/chat/completions"
    assert "accept-language" in called(provider).headers or provider is not ZAI


@pytest.mark.parametrize("provider", SEVEN, ids=lambda p: p.slug)
def test_a_test_call_is_as_small_as_can_be(provider: Provider) -> None:
    body = body_of(provider, PING)
    options = {"stream_options", "thinking"} if provider is DEEPSEEK else {"stream_options"}
    assert set(body) - options == {"model", "stream", "messages", provider.chat.max_tokens}
    assert ("thinking" in body) is (provider is DEEPSEEK)


def test_claude_behind_openrouter_is_told_what_to_cache() -> None:
    mark = {"type": "ephemeral"}
    for model in ("anthropic/claude-sonnet-5.5", "~anthropic/claude-sonnet-latest"):
        body = body_of(OPENROUTER, replace(ASKED, model=model))
        assert body["cache_control"] == mark
        assert body["messages"][0]["content"] == [{"type": "text", "text": "You are Maxxer.", "cache_control": mark}]
    assert "cache_control" not in called(OPENROUTER, replace(ASKED, model="openai/gpt-6-sol")).body.decode()
    assert "cache_control" not in called(TOGETHER, replace(ASKED, model="anthropic/claude")).body.decode()


def said(*blocks: Block, model: str = "m") -> Message:
    return Message("assistant", blocks, dialect.NAME, model)


def messages(provider: Provider, *history: Message, **more: Any) -> list[dict[str, Any]]:
    sent: list[dict[str, Any]] = body_of(provider, ModelRequest("m", history, **more))["messages"]
    return sent


QUESTION = Message("user", (Text("Look"),))
RESULT = Message("user", (ToolResult("call_1", '{"ok":true}'),))


def test_blocks_in_the_words_of_the_wire() -> None:
    image = Message("user", (Text("Look"), Image("image/png", "aGk=")))
    call = said(Text("I look."), ToolUse("call_1", "pause", {"b": 1, "a": {"d": 1, "c": 2}}))
    failed = Message("user", (ToolResult("call_1", "no such campaign", is_error=True), Text("and now?")))
    assert messages(TOGETHER, image, call, failed) == [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "Look"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}},
            ],
        },
        {
            "role": "assistant",
            "content": "I look.",
            "tool_calls": [
                {
                    "id": "call_1",
                    "type": "function",
                    "function": {"name": "pause", "arguments": '{"a":{"c":2,"d":1},"b":1}'},
                }
            ],
        },
        {"role": "tool", "tool_call_id": "call_1", "content": '{"error": "no such campaign"}'},
        {"role": "user", "content": "and now?"},
    ]


def test_mistral_gets_ids_of_nine_names_and_no_question_right_after_results() -> None:
    call = said(ToolUse("functions.pause:0", "pause"), ToolUse("abcDEF123", "go"))
    results = Message("user", (ToolResult("functions.pause:0", "{}"), ToolResult("abcDEF123", "{}"), Text("Well?")))
    _, asked, one, two, between, question = messages(MISTRAL, QUESTION, call, results)
    ids = [c["id"] for c in asked["tool_calls"]]
    assert ids[1] == "abcDEF123"
    assert (len(ids[0]), ids[0].isalnum()) == (9, True)
    assert [(m["role"], m["tool_call_id"], m["name"]) for m in (one, two)] == [
        ("tool", ids[0], "pause"),
        ("tool", ids[1], "go"),
    ]
    assert between["role"] == "assistant"
    assert question == {"role": "user", "content": "Well?"}
    assert messages(MISTRAL, QUESTION, call, results) == messages(MISTRAL, QUESTION, call, results)


def test_kimi_keeps_its_own_ids_and_others_make_them_short() -> None:
    call = said(ToolUse("functions.pause:0", "pause"))
    result = Message("user", (ToolResult("functions.pause:0", "{}"),))
    for provider in SEVEN:
        _, asked, answered = messages(provider, QUESTION, call, result)
        id = asked["tool_calls"][0]["id"]
        assert id == answered["tool_call_id"]
        assert (id == "functions.pause:0") is (provider in (MOONSHOT, GROQ, TOGETHER))


@pytest.mark.parametrize(
    ("provider", "block", "field"),
    [
        (DEEPSEEK, Thinking("why", {"in": "reasoning_content"}), {"reasoning_content": "why"}),
        (ZAI, Thinking("why", {"in": "reasoning_content"}), {"reasoning_content": "why"}),
        (MOONSHOT, Thinking("why", {"in": "reasoning_content"}), {"reasoning_content": "why"}),
        (GROQ, Thinking("why", {"in": "reasoning"}), {"reasoning": "why"}),
        (OPENROUTER, Thinking("why", {"in": "reasoning"}), {"reasoning": "why"}),
        (
            OPENROUTER,
            Thinking("why", {"in": "reasoning", "details": [ENCRYPTED]}),
            {"reasoning_details": [ENCRYPTED]},
        ),
        (
            MISTRAL,
            Thinking("why", {"in": "content"}),
            {
                "content": [
                    {"type": "thinking", "thinking": [{"type": "text", "text": "why"}]},
                    {"type": "text", "text": "Because."},
                ]
            },
        ),
    ],
    ids=lambda v: v.slug if isinstance(v, Provider) else "",
)
def test_reasoning_goes_back_where_it_came_from(provider: Provider, block: Thinking, field: dict[str, Any]) -> None:
    sent = messages(provider, QUESTION, said(block, Text("Because.")), QUESTION)[1]
    assert sent == {"role": "assistant", "content": "Because.", **field}


@pytest.mark.parametrize("provider", SEVEN, ids=lambda p: p.slug)
def test_reasoning_from_elsewhere_is_dropped(provider: Provider) -> None:
    fields = ("reasoning_content", "reasoning", "content", "<think>", "reasoning_text")
    foreign = [Thinking("SECRET", {"in": f}) for f in fields if f not in provider.chat.echo]
    foreign.append(Thinking("SECRET", None))
    history = (
        QUESTION,
        said(*foreign, Text("Because.")),
        QUESTION,
        Message(
            "assistant", (Thinking("SECRET", {"signature": "SECRET"}), Text("So.")), "anthropic_messages", "claude"
        ),
        QUESTION,
        said(Thinking("SECRET", {"in": provider.chat.echo[0] if provider.chat.echo else "reasoning"})),
        QUESTION,
    )
    sent = messages(provider, *history)
    assert "SECRET" not in json.dumps(sent)
    assert [m["role"] for m in sent] == ["user", "assistant", "user", "assistant", "user"]


def test_deepseek_gets_its_field_on_every_turn_with_calls() -> None:
    """Without it: 400 "The reasoning_content in the thinking mode must be passed back to the API."."""
    foreign = Message("assistant", (ToolUse("call_1", "pause"),), "anthropic_messages", "claude")
    assert messages(DEEPSEEK, QUESTION, foreign, RESULT)[1]["reasoning_content"] == ""
    thought = said(Thinking("why", {"in": "reasoning_content"}), ToolUse("call_1", "pause"))
    later = (RESULT, said(Text("Done.")), QUESTION)
    assert messages(DEEPSEEK, QUESTION, thought, *later)[1]["reasoning_content"] == "why"
    assert messages(DEEPSEEK, QUESTION, thought, *later, drop_thinking=True)[1]["reasoning_content"] == ""
    assert "reasoning_content" not in messages(DEEPSEEK, QUESTION, said(Text("Hi")), QUESTION)[1]
    assert "reasoning_content" not in messages(TOGETHER, QUESTION, foreign, RESULT)[1]


def test_what_else_a_call_had_goes_back_to_those_who_want_it() -> None:
    signed = {"extra_content": {"google": {"thought_signature": "sig"}}}
    call = said(ToolUse("call_1", "pause", opaque={"extras": signed}))
    assert messages(OPENROUTER, QUESTION, call, RESULT)[1]["tool_calls"][0]["extra_content"] == signed["extra_content"]
    assert "extra_content" not in messages(MISTRAL, QUESTION, call, RESULT)[1]["tool_calls"][0]


@pytest.mark.parametrize("name", [n for n in streams("openai_chat") if "openrouter/thinking" in n])
def test_details_go_back_as_they_came(name: str) -> None:
    """Piece by piece they came, as one list they go, every character once."""
    stream = streams("openai_chat")[name]
    fold = assembled(listen([stream.body], OPENROUTER)[0])
    model = fold.start.model if fold.start else ""
    answer = fold.message(dialect.NAME)
    results = tuple(ToolResult(b.id, "{}") for b in answer.blocks if isinstance(b, ToolUse))
    request = ModelRequest(model, (QUESTION, answer, Message("user", (*results, Text("?")))))
    sent = body_of(OPENROUTER, request)["messages"][1].get("reasoning_details", [])
    pieces = [
        d
        for line in stream.body.decode().split("\n")
        if '"reasoning_details"' in line
        for d in json.loads(line[6:])["choices"][0]["delta"].get("reasoning_details") or []
    ]
    for field in ("text", "summary", "data", "signature"):
        assert "".join(d.get(field) or "" for d in sent) == "".join(d.get(field) or "" for d in pieces)
    assert len(sent) == len({(d["type"], d.get("index")) for d in pieces})


# --- models -------------------------------------------------------------------------------------------------------


def listed(provider: Provider, *entries: Any, bare: bool = False) -> tuple[RemoteModel, ...]:
    body = json.dumps(list(entries) if bare else {"object": "list", "data": entries}).encode()
    return dialect.read_models(provider, body).models


@pytest.mark.parametrize("provider", SEVEN, ids=lambda p: p.slug)
def test_the_list_of_models_is_asked_for_once(provider: Provider) -> None:
    call = dialect.models_call(provider, KEY)
    assert call.method == "GET"
    assert call.url.startswith(provider.base_url + "/models")
    assert (call.key_header, call.key_prefix) == ("authorization", "Bearer ")
    assert dialect.read_models(provider, b'{"data":[{"id":"x"}]}').after == ""


def test_openrouter_says_everything() -> None:
    entry = {
        "id": "anthropic/claude-sonnet-5.5",
        "name": "Anthropic: Claude Sonnet 5.5",
        "context_length": 1_000_000,
        "architecture": {"input_modalities": ["text", "image"], "output_modalities": ["text"]},
        "pricing": {
            "prompt": "0.000003",
            "completion": "0.000015",
            "input_cache_read": "0.0000003",
            "input_cache_write": "0.00000375",
            "overrides": [{"min_prompt_tokens": 200_000, "prompt": "0.000006", "completion": "0.0000225"}],
        },
        "top_provider": {"max_completion_tokens": 64_000},
        "supported_parameters": ["tools", "reasoning", "max_tokens"],
        "expiration_date": None,
    }
    image = {"id": "x/draw", "architecture": {"output_modalities": ["image"]}}
    router = {"id": "openrouter/auto", "pricing": {"prompt": "-1", "completion": "-1"}, "supported_parameters": []}
    model, auto = listed(OPENROUTER, entry, image, router)
    assert model == RemoteModel(
        "anthropic/claude-sonnet-5.5",
        "Anthropic: Claude Sonnet 5.5",
        context=1_000_000,
        max_output=64_000,
        vision=True,
        tools=True,
        thinking=("adaptive",),
        price_in=3.0,
        price_out=15.0,
        cache_read=0.3,
        cache_write=3.75,
        long_from=200_000,
        long_in=6.0,
        long_out=22.5,
    )
    assert (auto.price_in, auto.tools) == (None, False)


def test_mistral_lists_a_model_once_whatever_its_names() -> None:
    able = {"completion_chat": True, "function_calling": True, "vision": True}
    names = ("mistral-medium-2508", "mistral-medium-latest", "mistral-medium")
    entries = [
        {
            "id": id,
            "name": "mistral-medium-2508",
            "max_context_length": 131_072,
            "aliases": [n for n in names if n != id],
            "capabilities": able,
            "type": "base",
        }
        for id in names
    ]
    embed = {"id": "mistral-embed", "aliases": [], "capabilities": {"completion_chat": False}}
    (model,) = listed(MISTRAL, *entries, embed)
    assert (model.id, model.context, model.tools, model.vision) == ("mistral-medium-latest", 131_072, True, True)


def test_groq_and_zai_leave_out_what_does_not_chat() -> None:
    ids = ["openai/gpt-oss-20b", "whisper-large-v3", "meta-llama/llama-guard-4", "groq/compound", "playai-tts"]
    active = [{"id": id, "active": True, "context_window": 131_072, "max_completion_tokens": 65_536} for id in ids]
    (model,) = listed(GROQ, *active, {"id": "old-chat", "active": False})
    assert (model.id, model.context, model.max_output) == ("openai/gpt-oss-20b", 131_072, 65_536)
    assert [m.id for m in listed(ZAI, {"id": "glm-5.3"}, {"id": "embedding-3"}, {"id": "cogview-4"})] == ["glm-5.3"]


def test_together_gives_a_bare_array_with_prices_a_million() -> None:
    chat = {
        "id": "meta-llama/Llama-5",
        "type": "chat",
        "display_name": "Llama 5",
        "context_length": 8192,
        "pricing": {"input": 0.88, "output": 0.9, "hourly": 0},
    }
    for bare in (True, False):
        (model,) = listed(TOGETHER, chat, {"id": "x/flux", "type": "image"}, {"id": "y", "type": "language"}, bare=bare)
        assert model == RemoteModel("meta-llama/Llama-5", "Llama 5", context=8192, price_in=0.88, price_out=0.9)


def test_kimi_says_what_its_models_see() -> None:
    entry = {"id": "kimi-k2.6", "context_length": 262_144, "supports_image_in": True, "supports_reasoning": True}
    (model,) = listed(MOONSHOT, entry)
    assert (model.context, model.vision, model.thinking) == (262_144, True, ("adaptive",))


@pytest.mark.parametrize("body", [b"", b"<html>", b'"x"', b'{"data":"x"}', b'{"error":{}}', b"[" * 100_000])
def test_what_is_no_list_of_models_is_refused(body: bytes) -> None:
    with pytest.raises(ProviderError) as refused:
        dialect.read_models(TOGETHER, body)
    assert refused.value.fault.kind is Kind.PROTOCOL


def test_entries_that_make_no_sense_are_passed_over() -> None:
    odd = [
        7,
        None,
        {"no": "id"},
        {"id": 7},
        {"id": "x", "pricing": {"prompt": "free"}, "aliases": [1], "capabilities": 3},
    ]
    assert listed(TOGETHER, *odd) == (RemoteModel("x"),)


REAL_LISTS = {
    n: e for n, e in shared("*", stream=False).items() if e["kind"] == "models" and e["dialect"] == "openai-chat"
}


@pytest.mark.parametrize("name", REAL_LISTS)
def test_real_lists_are_read(name: str) -> None:
    slug = name.partition("/")[0]
    provider = RECORDS.get(slug, TOGETHER)
    models = dialect.read_models(provider, REAL_LISTS[name]["response"]["body"].encode()).models
    assert models
    ids = [m.id for m in models]
    assert len(set(ids)) == len(ids)
    assert not any("embed" in id or "whisper" in id for id in ids if slug in ("mistral", "groq"))
    if slug in ("openrouter", "groq", "mistral"):
        assert all(m.context for m in models)


# --- keys ---------------------------------------------------------------------------------------------------------

VERDICTS: list[tuple[Provider, dict[str, Any], Kind | None]] = [
    (OPENROUTER, {"data": {"is_management_key": True}}, Kind.KEY_FORBIDDEN),
    (OPENROUTER, {"data": {"is_management_key": False, "limit_remaining": 0}}, Kind.NO_CREDIT),
    (OPENROUTER, {"data": {"is_management_key": False, "limit_remaining": -0.02}}, Kind.NO_CREDIT),
    (OPENROUTER, {"data": {"is_management_key": False, "limit_remaining": 4.2}}, None),
    (OPENROUTER, {"data": {"limit": None, "limit_remaining": None}}, None),
    (DEEPSEEK, {"is_available": False, "balance_infos": []}, Kind.NO_CREDIT),
    (DEEPSEEK, {"is_available": True}, None),
    (MOONSHOT, {"code": 0, "data": {"available_balance": 0}}, Kind.NO_CREDIT),
    (MOONSHOT, {"code": 0, "data": {"available_balance": 49.5}}, None),
    (MOONSHOT, {"code": 0, "data": [1]}, None),
]


@pytest.mark.parametrize(("provider", "answer", "kind"), VERDICTS)
def test_a_free_question_says_what_a_key_may_do(provider: Provider, answer: dict[str, Any], kind: Kind | None) -> None:
    call = dialect.check_call(provider, KEY)
    assert call is not None
    assert (call.method, call.key) == ("GET", KEY)
    if kind is None:
        dialect.read_check(provider, json.dumps(answer).encode())
        return
    with pytest.raises(ProviderError) as refused:
        dialect.read_check(provider, json.dumps(answer).encode())
    assert refused.value.fault.kind is kind
    assert refused.value.fault.message


def test_an_answer_that_cannot_be_read_says_nothing() -> None:
    for body in (b"", b"<html>", b"[]", b"7"):
        dialect.read_check(OPENROUTER, body)
    assert dialect.check_call(GROQ, KEY) is None
