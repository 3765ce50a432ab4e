"""Thinking: shown or hidden, signed, and refused when what it belongs to was changed."""

from __future__ import annotations

from typing import Any

import anthropic
import pytest

TOOL = {"name": "look", "description": "Looks", "input_schema": {"type": "object", "properties": {}}}
ADAPTIVE = {"type": "adaptive", "display": "summarized"}
BETA = {"anthropic-beta": "thinking-binding-controls-2026-08-01"}
DROP = {**ADAPTIVE, "block_binding": {"prefix_mismatch_behavior": "drop_block"}}


def ask(client: Any, talk: list[Any], **changes: Any) -> Any:
    options = {"model": "claude-sonnet-5-5", "max_tokens": 4000, "thinking": ADAPTIVE, "system": "Be brief."}
    with client.messages.stream(**{**options, "messages": talk, **changes}) as live:
        return live.get_final_message()


def question(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


@pytest.fixture
def talk(client) -> list[dict[str, Any]]:
    """A question answered with thinking, and the next question."""
    begun: list[dict[str, Any]] = [question("How do I spend my budget?")]
    answer = ask(client, begun)
    assert [block.type for block in answer.content] == ["thinking", "text"]
    assert answer.content[0].thinking.startswith("The person asks")
    blocks = [block.model_dump(exclude_none=True) for block in answer.content]
    return [*begun, {"role": "assistant", "content": blocks}, question("And then?")]


def test_thinking_is_replayed_and_accepted(client, talk):
    assert ask(client, talk).stop_reason == "end_turn"


def test_moving_cache_markers_is_no_change(client, talk):
    talk[0] = {
        "role": "user",
        "content": [{"type": "text", "text": talk[0]["content"], "cache_control": {"type": "ephemeral"}}],
    }
    assert ask(client, talk).stop_reason == "end_turn"


def test_a_changed_thought_is_refused(client, talk):
    talk[1]["content"][0]["thinking"] += " I was never here."
    with pytest.raises(anthropic.BadRequestError) as refused:
        ask(client, talk)
    assert refused.value.body["error"]["message"] == "messages.1.content.0: Invalid `signature` in `thinking` block"


def test_a_forged_signature_is_refused(client, talk):
    for forged in ("", "abc", "W10=", talk[1]["content"][0]["signature"][:-8] + "AAAAAAA="):
        talk[1]["content"][0]["signature"] = forged
        with pytest.raises(anthropic.BadRequestError, match="Invalid `signature` in `thinking` block"):
            ask(client, talk)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"system": "Be long."}, "The `system` prompt differs from the one this block was created with."),
        ({"tools": [TOOL]}, "The `tools` differ"),
    ],
)
def test_a_changed_prefix_is_refused_and_can_be_forgiven(client, talk, change, says):
    with pytest.raises(anthropic.BadRequestError) as refused:
        ask(client, talk, **change)
    message = refused.value.body["error"]["message"]
    assert message.startswith("messages.1.content.0: Invalid `signature` in `thinking` block. The block is bound to a ")
    assert message.endswith(says) or says in message
    assert ask(client, talk, **change, thinking=DROP, extra_headers=BETA).stop_reason == "end_turn"


def test_a_changed_earlier_message_is_refused_by_models_that_bind(client, talk):
    talk[0] = question("How do I waste my budget?")
    with pytest.raises(anthropic.BadRequestError, match="bound to a different conversation"):
        ask(client, talk)


def test_older_models_only_verify_the_thought_itself(client):
    budget = {"type": "enabled", "budget_tokens": 1024}
    options: dict[str, Any] = {"model": "claude-haiku-4-5", "thinking": budget}
    first = ask(client, [question("one")], **options)
    assert ask(client, [question("edited"), first.to_param(), question("two")], **options).stop_reason == "end_turn"


def test_another_models_thinking_is_dropped_in_silence(client, talk):
    assert ask(client, talk, model="claude-opus-5-5", system="Other.").stop_reason == "end_turn"


def test_thinking_can_go_from_the_front_but_not_from_the_middle(client):
    talk: list[dict[str, Any]] = [question("[[sim tool=look {}]] [[sim tool=look {}]] go")]
    for _ in range(2):
        called = ask(client, talk, tools=[TOOL])
        use = called.content[-1]
        result = {"type": "tool_result", "tool_use_id": use.id, "content": "fine"}
        blocks = [block.model_dump(exclude_none=True) for block in called.content]
        talk += [{"role": "assistant", "content": blocks}, {"role": "user", "content": [result]}]
    talk.append(
        {
            "role": "assistant",
            "content": [b.model_dump(exclude_none=True) for b in ask(client, talk, tools=[TOOL]).content],
        }
    )
    talk.append(question("And then?"))
    assert ask(client, talk, tools=[TOOL]).stop_reason == "end_turn"
    front = [talk[0], _without_thinking(talk[1]), *talk[2:]]
    assert ask(client, front, tools=[TOOL]).stop_reason == "end_turn"
    middle = [*talk[:3], _without_thinking(talk[3]), *talk[4:]]
    with pytest.raises(anthropic.BadRequestError, match="preceded this one when it was created is missing"):
        ask(client, middle, tools=[TOOL])


def test_hidden_thinking_is_empty_but_signed_and_billed(client):
    events = list(
        client.messages.create(
            model="claude-opus-5-5", max_tokens=4000, messages=[question("[[sim thinking=200]] why?")], stream=True
        )
    )
    assert [e.content_block.type for e in events if e.type == "content_block_start"] == ["thinking", "text"]
    thinking = [e.delta for e in events if e.type == "content_block_delta" and e.index == 0]
    assert [delta.type for delta in thinking] == ["signature_delta"]
    end = next(e for e in events if e.type == "message_delta")
    assert end.usage.output_tokens_details.thinking_tokens == 200
    answer = client.messages.create(
        model="claude-sonnet-5-5",
        max_tokens=4000,
        system="Be brief.",
        thinking={"type": "adaptive"},
        messages=[question("[[sim thinking=200]] why?")],
    )
    assert answer.content[0].thinking == ""
    assert answer.content[0].signature
    assert (
        ask(client, [question("[[sim thinking=200]] why?"), answer.to_param(), question("x")]).stop_reason == "end_turn"
    )


def test_long_thinking_is_kept_alive_with_pings(post):
    body = {
        "model": "demo-sonnet",
        "max_tokens": 4000,
        "stream": True,
        "messages": [question("[[sim thinking=300]] why?")],
    }
    text = post(body).text
    assert text.index("event: ping") < text.index("signature_delta")
    assert text[: text.index("signature_delta")].count("event: ping") >= 6


def test_redacted_thinking_is_replayed_and_a_changed_one_refused(client):
    first = ask(client, [question("[[sim thinking=20 redacted]] why?")])
    assert [block.type for block in first.content] == ["thinking", "redacted_thinking", "text"]
    blocks = [block.model_dump(exclude_none=True) for block in first.content]
    talk = [question("[[sim thinking=20 redacted]] why?"), {"role": "assistant", "content": blocks}, question("go on")]
    assert ask(client, talk).stop_reason == "end_turn"
    blocks[1]["data"] = "AAAA"
    with pytest.raises(anthropic.BadRequestError, match=r"content\.1: Invalid `data` in `redacted_thinking` block"):
        ask(client, talk)


def test_who_turns_thinking_off_gets_none(client):
    off = {"type": "between_tools"}
    answer = ask(client, [question("[[sim thinking=50]] why?")], thinking=off)
    assert [block.type for block in answer.content] == ["text"]


def test_a_probe_with_one_token_is_answered_by_a_model_that_thinks(client):
    probe = client.messages.create(model="claude-opus-5-5", max_tokens=1, messages=[question("ping")])
    assert (probe.stop_reason, probe.usage.output_tokens, probe.content[0].type) == ("max_tokens", 1, "text")


def _without_thinking(message: dict[str, Any]) -> dict[str, Any]:
    return {**message, "content": [block for block in message["content"] if block["type"] != "thinking"]}
