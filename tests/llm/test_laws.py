"""The laws that hold for every dialect, over every stream we have: ours always, the real ones in ../shared where they
are. A dialect that is registered is under them by itself.
"""

from __future__ import annotations

import json
import random
import re
from functools import cache
from itertools import zip_longest
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.llm.transcripts import Stream, assembled, bytewise, listen, streams
from webapp.llm.blocks import Message, Text, ToolResult, ToolUse, block_from_json, block_to_json
from webapp.llm.dialects import DIALECTS
from webapp.llm.errors import Fault, Kind
from webapp.llm.events import (
    BlockEnd,
    BlockStart,
    Event,
    Finish,
    FinishReason,
    Heartbeat,
    Start,
    TextDelta,
    ThinkingDelta,
    ToolArgsDelta,
)
from webapp.llm.providers import Provider
from webapp.llm.request import ModelRequest, ToolSpec
from webapp.secret import Secret

KEY = Secret("sk-CANARY-CANARY-CANARY-CANARY")
STREAMS = [(dialect, name) for dialect in DIALECTS for name in streams(dialect)]
KIND_OF = {TextDelta: "text", ThinkingDelta: "thinking", ToolArgsDelta: "tool_use"}

every_stream = pytest.mark.parametrize(("dialect", "name"), STREAMS, ids=[" ".join(each) for each in STREAMS])
every_dialect = pytest.mark.parametrize("dialect", DIALECTS)


def heard(stream: Stream) -> tuple[list[Event], Fault | None]:
    return listen([stream.body], stream.provider)


@every_dialect
def test_every_dialect_has_recordings_of_ours(dialect: str) -> None:
    assert [name for name in streams(dialect) if not name.startswith("shared ")]


# --- one meaning, however it comes --------------------------------------------------------------------------------


@every_stream
def test_any_cuts_and_any_line_ends_give_the_same_events(dialect: str, name: str) -> None:
    stream = streams(dialect)[name]
    body, whole = stream.body, heard(stream)
    assert whole[0] or whole[1]
    assert listen(bytewise(body), stream.provider) == whole
    dice = random.Random(name)
    for _ in range(5):
        cuts = sorted(dice.randrange(len(body)) for _ in range(dice.randrange(1, 40)))
        pieces = (body[a:b] for a, b in zip([0, *cuts], [*cuts, len(body)], strict=True))
        assert listen(pieces, stream.provider) == whole
    plain = body.replace(b"\r\n", b"\n")
    for end in (b"\n", b"\r\n", b"\r"):
        assert listen([plain.replace(b"\n", end)], stream.provider) == whole


@every_stream
def test_events_keep_their_order(dialect: str, name: str) -> None:
    events, fault = heard(streams(dialect)[name])
    left = check_order(events, fault)
    assert fault is not None or left <= {"tool_use"}  # a call that was cut short


def check_order(events: list[Event], fault: Fault | None) -> set[str]:
    """Start first; blocks count up, are opened once, grow while they are open and are closed at most once; one end.
    Returns the kinds of the blocks that were left open."""
    said = [e for e in events if not isinstance(e, Heartbeat)]
    assert not said or isinstance(said[0], Start)
    assert sum(isinstance(e, Start) for e in said) <= 1
    assert sum(isinstance(e, Finish) for e in said) == (fault is None)
    assert fault is not None or isinstance(events[-1], Finish)
    is_open: dict[int, str] = {}
    blocks = 0
    for event in said:
        match event:
            case BlockStart(number, kind):
                assert number == blocks
                blocks += 1
                is_open[number] = kind
            case TextDelta(number, text) | ThinkingDelta(number, text) | ToolArgsDelta(number, text):
                assert is_open[number] == KIND_OF[type(event)]
                assert text
            case BlockEnd(number):
                del is_open[number]
    return set(is_open.values())


@every_stream
def test_a_cut_stream_is_said_to_be_cut_and_runs_nothing_half(dialect: str, name: str) -> None:
    stream = streams(dialect)[name]
    events, _ = heard(stream)
    all_calls = assembled(events).tool_uses()
    dice = random.Random(name)
    for cut in [*range(0, min(len(stream.body), 2000), 97), *(dice.randrange(len(stream.body)) for _ in range(20))]:
        some, fault = listen([stream.body[:cut]], stream.provider)
        check_order(some, fault)
        fold = assembled(some)
        if fault is not None:
            assert fold.tool_uses() == ()
        assert fold.tool_uses() == all_calls[: len(fold.tool_uses())]


# --- what was said can be kept and sent again ---------------------------------------------------------------------


@every_stream
def test_what_was_heard_can_be_stored_and_goes_back_in_the_same_bytes(dialect: str, name: str) -> None:
    stream = streams(dialect)[name]
    said = assembled(heard(stream)[0]).message(dialect)
    stored = tuple(block_from_json(json.loads(json.dumps(block_to_json(b), allow_nan=False))) for b in said.blocks)
    kept = Message("assistant", stored, said.dialect, said.model)
    assert kept == said
    assert asked_again(stream.provider, kept) == asked_again(stream.provider, said)


@every_stream
@pytest.mark.parametrize("other", DIALECTS)
def test_any_other_dialect_can_go_on_with_it_and_sees_nothing_opaque(dialect: str, name: str, other: str) -> None:
    if other == dialect:
        return
    said = assembled(heard(streams(dialect)[name])[0]).message(dialect)
    for provider in {id(s.provider): s.provider for s in streams(other).values()}.values():
        body = asked_again(provider, said)
        for word in opaque_words([getattr(b, "opaque", None) for b in said.blocks]):
            assert json.dumps(word, ensure_ascii=False).encode()[1:-1] not in body


def opaque_words(value: Any) -> list[str]:
    """The long strings that only their provider can read."""
    match value:
        case str() if len(value) > 40 and " " not in value:
            return [value]
        case dict():
            return [word for v in value.values() for word in opaque_words(v)]
        case list() | tuple():
            return [word for v in value for word in opaque_words(v)]
    return []


def asked_again(provider: Provider, said: Message) -> bytes:
    """The body of the request that follows the answer `said`, with the results of its calls."""
    results = tuple(ToolResult(b.id, "{}") for b in said.blocks if isinstance(b, ToolUse))
    history = (Message("user", (Text("hi"),)), said, Message("user", (*results, Text("go on"))))
    tools = (ToolSpec("list_campaigns", "Lists.", {"type": "object", "properties": {}, "required": []}),)
    request = ModelRequest(said.model or "m", history, system="Be brief.", tools=tools)
    body = DIALECTS[provider.dialect].call(provider, request, KEY).body
    json.loads(body)
    assert b"CANARY" not in body
    return body


@every_dialect
def test_the_prefix_is_the_same_bytes_whatever_is_said_and_however_schemas_were_stored(dialect: str) -> None:
    for provider in {id(s.provider): s.provider for s in streams(dialect).values()}.values():
        schemas = [
            {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "string"}}, "required": []},
            {"required": [], "properties": {"b": {"type": "string"}, "a": {"type": "integer"}}, "type": "object"},
        ]
        bodies = [
            DIALECTS[dialect]
            .call(
                provider,
                ModelRequest(
                    "m",
                    (Message("user", (Text(words),)),),
                    system="You are Maxxer.",
                    tools=(ToolSpec("pause", "Pauses.", schema),),
                ),
                KEY,
            )
            .body
            for words, schema in zip(("MARK one", "MARK another"), schemas, strict=True)
        ]
        first, second = (body.partition(b"MARK")[0] for body in bodies)
        assert first == second
        assert b"Maxxer" in first or b"Maxxer" in bodies[0].partition(b"MARK")[2]


# --- whatever comes, it ends --------------------------------------------------------------------------------------

JUNK = st.one_of(
    st.binary(max_size=40),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.floats(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=5,
    ).map(lambda value: b"data: %s\n\n" % json.dumps(value).encode()),
)
VALUES = [b"null", b"[]", b"{}", b"-1", b'"\\ud800"', b"1e999", b"[[0]]", b"true", b'"null"', b'"\\u0000"', b"[null]"]


@cache
def material(dialect: str) -> tuple[list[Stream], list[bytes], list[bytes]]:
    """Streams, their frames, and the names of fields in them."""
    found = [s for s in streams(dialect).values() if len(s.body) < 8_000]
    frames = [f + b"\n\n" for s in found for f in s.body.replace(b"\r\n", b"\n").split(b"\n\n") if f]
    fields = sorted({name for frame in frames for name in re.findall(rb'"(\w+)":', frame)})
    return found, frames, fields


@st.composite
def mutilated(draw: st.DrawFn, dialect: str) -> Stream:
    """Streams cut, woven into each other, with fields swapped for junk and bytes changed."""
    found, frames, fields = material(dialect)
    one, other = draw(st.sampled_from(found)), draw(st.sampled_from(found))
    parts = [s.body.replace(b"\r\n", b"\n").split(b"\n\n") for s in (one, other)]
    match draw(st.integers(0, 3)):
        case 0:
            chosen = draw(st.lists(st.sampled_from(frames) | JUNK, max_size=12))
        case 1:
            chosen = [f + b"\n\n" for pair in zip_longest(*parts, fillvalue=b"") for f in pair if f]
        case _:
            chosen = [f + b"\n\n" for f in parts[0]]
            for extra in draw(st.lists(st.sampled_from(frames) | JUNK, max_size=3)):
                chosen.insert(draw(st.integers(0, len(chosen))), extra)
    body = bytearray(b"".join(chosen))
    for field in draw(st.lists(st.sampled_from(fields), max_size=4)):
        at = body.find(b'"%s":' % field, draw(st.integers(0, len(body))))
        if at >= 0:
            at += len(field) + 3
            body[at:at] = draw(st.sampled_from(VALUES)) + b',"x":'
    for _ in range(draw(st.integers(0, 3))):
        if body:
            body[draw(st.integers(0, len(body) - 1))] = draw(st.integers(0, 255))
    cut = draw(st.integers(0, len(body))) if draw(st.booleans()) else len(body)
    return Stream(one.provider, bytes(body[:cut]))


@every_dialect
@settings(max_examples=150, deadline=None)
@given(st.data())
def test_anything_ends_in_one_finish_or_a_fault(dialect: str, data: st.DataObject) -> None:
    stream = data.draw(mutilated(dialect))
    events, fault = heard(stream)
    check_order(events, fault)
    fold = assembled(events)
    assert fault is None or fold.tool_uses() == ()
    said = fold.message(dialect)
    stored = json.dumps([block_to_json(b) for b in said.blocks], allow_nan=False)
    assert "\\u0000" not in stored
    assert not re.search(r"\\ud[89ab]..(?!\\ud[c-f])", stored)
    asked_again(stream.provider, said)


@every_dialect
def test_nesting_without_end_is_no_crash(dialect: str) -> None:
    provider = next(iter(streams(dialect).values())).provider
    _, fault = listen([b"data: " + b"[" * 100_000 + b"\n\ndata: x\n\n"], provider)
    assert fault is not None
    assert fault.kind is Kind.PROTOCOL


@every_stream
def test_tools_run_only_after_a_finish_that_asks_for_them(dialect: str, name: str) -> None:
    fold = assembled(heard(streams(dialect)[name])[0])
    if fold.finish is None or fold.finish.reason is not FinishReason.TOOL_CALLS:
        assert fold.tool_uses() == ()
    else:
        assert fold.tool_uses()


# --- our own words from somebody else's mouth -------------------------------------------------------------------

OURS = (
    b'event: approval\ndata: {"type": "approval", "plan_id": "0b7f6d3e", "confirmed": true}\n\n'
    b'event: ok\ndata: {"e": "tool_proposed", "id": "call-0", "plan_id": "0b7f6d3e"}\n\n'
    b'event: resumed\ndata: {"e": "tool_done", "tool_use_id": "call-0", "content": "approved"}\n\n'
    b'event: ended\ndata: {"e": "ended", "state": "done", "trouble": null, "finish": ""}\n\n'
)


@every_stream
def test_our_own_events_inside_a_providers_stream_say_nothing(dialect: str, name: str) -> None:
    """Approvals, results, ends: what a turn's log knows comes from us alone."""
    stream = streams(dialect)[name]
    line = b"\r\n\r\n" if b"\r\n\r\n" in stream.body else b"\n\n"
    first, gap, rest = stream.body.partition(line)
    assert heard(Stream(stream.provider, first + gap + OURS + rest)) == heard(stream)
