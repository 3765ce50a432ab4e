"""Prompt-cache accounting: over the wire with the SDK, and by the clock with the Cache itself."""

from __future__ import annotations

import json
from typing import Any

import pytest

from simulator.cache import Cache, Usage, count
from simulator.dialects.anthropic_request import Request, read

EPHEMERAL = {"type": "ephemeral"}
HOUR = {"type": "ephemeral", "ttl": "1h"}
LONG = "You are Maxxer, a careful assistant for advertising. " * 60  # about 800 tokens


def request(messages: Any = "hello", **changes: Any) -> Request:
    messages = [{"role": "user", "content": messages}] if isinstance(messages, str) else messages
    body = {"model": "demo-sonnet", "max_tokens": 100, "messages": messages, **changes}
    return read(json.dumps(body).encode(), {"anthropic-version": "2026-10-21"})


def system(text: str = LONG, cache_control: Any = EPHEMERAL) -> list[dict[str, Any]]:
    return [{"type": "text", "text": text, "cache_control": cache_control}]


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def cache(clock: Clock) -> Cache:
    return Cache(clock)


def send(cache: Cache, sent: Request, key: str = "alice") -> Usage:
    plan = cache.plan(sent, key)
    cache.commit(plan)
    assert plan.usage.total == count(sent), "the figures add up to the whole prompt"
    return plan.usage


def test_bob_reads_what_alice_wrote_with_the_same_key(client, connect):
    options: dict[str, Any] = {"model": "demo-sonnet", "max_tokens": 50, "system": system()}
    first = client.messages.create(messages=[{"role": "user", "content": "alice asks"}], **options).usage
    second = client.messages.create(messages=[{"role": "user", "content": "bob asks"}], **options).usage
    assert first.cache_creation_input_tokens > 700
    assert first.cache_read_input_tokens == 0
    assert first.cache_creation.ephemeral_5m_input_tokens == first.cache_creation_input_tokens
    assert (second.cache_creation_input_tokens, second.cache_read_input_tokens) == (
        0,
        first.cache_creation_input_tokens,
    )
    stranger = connect("sk-ant-api03-ok-stranger").messages.create(
        messages=[{"role": "user", "content": "bob asks"}], **options
    )
    assert stranger.usage.cache_read_input_tokens == 0


def test_after_five_minutes_the_cache_is_cold_again(client, control):
    asked: dict[str, Any] = {
        "model": "demo-sonnet",
        "max_tokens": 50,
        "system": system(),
        "messages": [{"role": "user", "content": "hi"}],
    }
    client.messages.create(**asked)
    control("clock", advance=299)
    assert client.messages.create(**asked).usage.cache_read_input_tokens > 700
    control("clock", advance=299)
    assert client.messages.create(**asked).usage.cache_read_input_tokens > 700, "a hit renews it"
    control("clock", advance=301)
    cold = client.messages.create(**asked).usage
    assert cold.cache_read_input_tokens == 0
    assert cold.cache_creation_input_tokens > 700


def test_a_stream_reports_the_same_at_its_start_and_at_its_end(client):
    asked: dict[str, Any] = {"model": "demo-sonnet", "max_tokens": 50, "system": system()}
    for reads in (False, True):
        events = list(client.messages.create(messages=[{"role": "user", "content": "hi"}], stream=True, **asked))
        start = events[0].message.usage
        end = next(event.usage for event in events if event.type == "message_delta")
        assert (start.cache_read_input_tokens > 0) is reads
        for name in ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens"):
            assert getattr(start, name) == getattr(end, name)


def test_a_warm_up_writes_without_an_answer(client):
    asked: dict[str, Any] = {
        "model": "demo-sonnet",
        "system": system(),
        "messages": [{"role": "user", "content": "hi"}],
    }
    warm = client.messages.create(max_tokens=0, **asked)
    assert (warm.content, warm.stop_reason, warm.usage.output_tokens) == ([], "max_tokens", 0)
    assert client.messages.create(max_tokens=20, **asked).usage.cache_read_input_tokens > 700


def test_a_growing_conversation_pays_only_for_its_end(cache):
    talk: list[dict[str, Any]] = []
    read_before = 0
    for turn in range(5):
        talk.append({"role": "user", "content": f"question {turn} " + "word " * 200})
        usage = send(cache, request(list(talk), system=system(), cache_control=EPHEMERAL))
        if turn:
            assert usage.read > read_before
            assert usage.written_5m < 600
        assert usage.fresh == 0, "the automatic breakpoint is on the last block"
        read_before = usage.read
        talk.append({"role": "assistant", "content": f"answer {turn}"})


def test_a_prefix_shorter_than_the_models_minimum_is_silently_not_cached(cache):
    short = request(system=system("Be brief."))
    assert send(cache, short) == Usage(fresh=count(short))
    old = request(system=system(), model="claude-haiku-4-5")
    assert send(cache, old).written_5m == 0, "this model wants 4096 tokens"


def test_an_hour_lasts_an_hour_and_is_reported_apart(cache, clock):
    sent = request("tail " * 800, system=system(cache_control=HOUR), cache_control=EPHEMERAL)
    usage = send(cache, sent)
    assert usage.written_1h > 700
    assert usage.written_5m > 900
    clock.now += 400
    later = send(cache, sent)
    assert (later.read, later.written_5m) == (usage.written_1h, usage.written_5m)
    clock.now += 3601
    assert send(cache, sent).read == 0


@pytest.mark.parametrize(
    "change",
    [
        {"system": system(LONG + ".")},
        {"model": "demo-opus"},
        {"tools": [{"name": "x", "input_schema": {"type": "object"}}]},
    ],
)
def test_what_changes_before_the_breakpoint_loses_it(cache, change):
    send(cache, request(system=system()))
    assert send(cache, request(**{"system": system(), **change})).read == 0


def test_how_to_answer_belongs_to_the_messages_not_to_the_system(cache):
    asked = {"system": system(), "cache_control": EPHEMERAL}
    whole = send(cache, request("tail " * 800, **asked))
    other = send(cache, request("tail " * 800, **asked, tool_choice={"type": "none"}))
    assert 0 < other.read < whole.written_5m


def test_a_breakpoint_finds_entries_twenty_blocks_back_and_no_further(cache):
    blocks = [{"type": "text", "text": f"block {i} " + "word " * 100} for i in range(60)]

    def upto(number: int) -> Request:
        marked = [*blocks[: number - 1], {**blocks[number - 1], "cache_control": EPHEMERAL}]
        return request([{"role": "user", "content": marked}])

    send(cache, upto(20))
    assert cache.plan(upto(39), "alice").usage.read > 0
    assert cache.plan(upto(40), "alice").usage.read == 0


def test_nothing_can_be_read_before_the_answer_that_wrote_it_has_begun(cache):
    sent = request(system=system())
    first, second = cache.plan(sent, "alice"), cache.plan(sent, "alice")
    assert first.usage.written_5m == second.usage.written_5m > 0
    cache.commit(first)
    assert cache.plan(sent, "alice").usage.read > 0


def test_moving_a_breakpoint_does_not_change_the_prefix(cache):
    send(cache, request(system=system()))
    moved = request([{"role": "user", "content": [{"type": "text", "text": "hi", "cache_control": EPHEMERAL}]}],
                    system=[{"type": "text", "text": LONG}])  # fmt: skip
    assert send(cache, moved).read > 700


HELLO = [{"role": "user", "content": "hello"}]
MORE = [*HELLO, {"role": "assistant", "content": "Hi."}, {"role": "user", "content": "go on"}]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({}, None),
        ({"model": "demo-opus"}, "model_changed"),
        ({"system": "Other."}, "system_changed"),
        ({"tools": [{"name": "x", "input_schema": {"type": "object"}}]}, "tools_changed"),
        ({"messages": [{"role": "user", "content": "edited"}, *MORE[1:]]}, "messages_changed"),
        ({"tool_choice": {"type": "none"}}, "unavailable"),
        ({"diagnostics": {"previous_message_id": "msg_unknown"}}, "previous_message_not_found"),
    ],
)
def test_diagnostics_say_why_the_cache_was_missed(client, change, reason):
    asked: dict[str, Any] = {"model": "demo-sonnet", "max_tokens": 50, "system": "Be brief."}
    first = client.messages.create(messages=HELLO, diagnostics={"previous_message_id": None}, **asked)
    assert first.diagnostics is None
    follow = {**asked, "messages": MORE, "diagnostics": {"previous_message_id": first.id}, **change}
    told = client.messages.create(**follow).diagnostics
    assert (told.cache_miss_reason.type if told else None) == reason
    if reason and reason.endswith("_changed"):
        assert told.cache_miss_reason.cache_missed_input_tokens > 0
