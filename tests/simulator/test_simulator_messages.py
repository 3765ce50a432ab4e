"""The official SDK talks with the simulator: plain, streamed, with tools, with thinking."""

from __future__ import annotations

import json
from typing import Any

import pytest
from anthropic import Anthropic

CAMPAIGNS = {
    "name": "list_campaigns",
    "description": "Lists campaigns",
    "input_schema": {"type": "object", "properties": {"status": {"type": "string"}}},
}
INSIGHTS = {
    "name": "get_account_insights",
    "description": "Figures of the account",
    "input_schema": {"type": "object", "properties": {"days": {"type": "integer"}}, "required": ["days"]},
}


def ask(client: Anthropic, text: Any, **options: Any) -> Any:
    messages = text if isinstance(text, list) else [{"role": "user", "content": text}]
    return client.messages.create(**{"model": "demo-sonnet", "max_tokens": 4000, "messages": messages, **options})


def stream(client: Anthropic, text: Any, **options: Any) -> Any:
    messages = text if isinstance(text, list) else [{"role": "user", "content": text}]
    return client.messages.stream(**{"model": "demo-sonnet", "max_tokens": 4000, "messages": messages, **options})


def test_alice_asks_and_is_told_that_it_is_a_demo(client):
    answer = ask(client, "How do I spend my budget?")
    assert answer.content[0].text.startswith("*I am the built-in **demo model**")
    assert "“How do I spend my budget?”" in answer.content[0].text
    assert (answer.model, answer.role, answer.stop_reason) == ("demo-sonnet", "assistant", "end_turn")
    assert answer.usage.input_tokens > 0
    assert answer.usage.output_tokens > 20


def test_it_says_so_when_asked_in_mid_conversation_and_only_then(client):
    talk = [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": "Hello."},
        {"role": "user", "content": "Is Meta better for us?"},
    ]
    later = ask(client, talk).content[0].text
    assert "demo model" not in later
    assert "2nd question" in later
    asked = [*talk, {"role": "assistant", "content": later}, {"role": "user", "content": "Who are you?"}]
    assert "I am the **demo model**" in ask(client, asked).content[0].text


@pytest.mark.parametrize(
    ("question", "holds"),
    [
        ("Show a table of channels", "|:--------|"),
        ("Write Python for that", "```python\n"),
        ("Give me the SQL query", "```sql\n"),
        ("A checklist please", "1. **"),
        ("Ideas for ad copy, as a list", "> "),
        ("What about e-mail?", "[attribution](https://"),
    ],
)
def test_the_answer_has_the_markdown_that_fits(client, question, holds):
    assert holds in ask(client, question).content[0].text


def test_a_long_answer_has_about_nine_hundred_words(client):
    text = ask(client, "Write a long answer about retargeting").content[0].text
    assert 800 <= len(text.split()) <= 1000
    assert text.count("### ") > 8


def test_a_conversation_gets_a_short_title(client):
    quoted = 'Write a title for: "pause all losing campaigns now [[sim error=529]]"'
    assert ask(client, quoted, max_tokens=30).content[0].text == "Pause all losing campaigns now"
    told = ask(client, "User: how is Meta doing?", max_tokens=30, system="Give the conversation a title.")
    assert told.content[0].text == "How is Meta doing"


def test_the_streamed_answer_is_the_unstreamed_one(client):
    with stream(client, "Write a long answer", stop_sequences=["never said"]) as live:
        heard = "".join(live.text_stream)
        final = live.get_final_message()
    whole = ask(client, "Write a long answer", stop_sequences=["never said"])
    assert heard == final.content[0].text == whole.content[0].text
    same = ("stop_reason", "stop_sequence", "model", "role", "type", "usage")
    assert {name: getattr(final, name) for name in same} == {name: getattr(whole, name) for name in same}


def test_a_stream_has_every_kind_of_event_in_order(client):
    asked = ask(client, "[[sim thinking=90 redacted tool=list_campaigns {}]] look", tools=[CAMPAIGNS], stream=True)
    events = list(asked)
    names = [event.type for event in events]
    assert names[0] == "message_start"
    assert names[-2:] == ["message_delta", "message_stop"]
    starts = [event.content_block.type for event in events if event.type == "content_block_start"]
    assert starts == ["thinking", "redacted_thinking", "text", "tool_use"]
    deltas = [event.delta.type for event in events if event.type == "content_block_delta"]
    assert set(deltas) == {"thinking_delta", "signature_delta", "text_delta", "input_json_delta"}


def test_a_tool_is_called_and_its_result_is_used(client):
    talk: list[dict[str, Any]] = [{"role": "user", "content": 'Look [[sim tool=list_campaigns {"status": "active"}]]'}]
    with stream(client, talk, tools=[CAMPAIGNS]) as live:
        called = live.get_final_message()
    assert called.stop_reason == "tool_use"
    (use,) = [block for block in called.content if block.type == "tool_use"]
    assert (use.name, use.input) == ("list_campaigns", {"status": "active"})
    rows = json.dumps({"campaigns": [{"name": "Spring", "roas": 1.4}, {"name": "Brand", "roas": 6.2}]})
    talk += [called.to_param(), {"role": "user", "content": [_result(use.id, rows)]}]
    with stream(client, talk, tools=[CAMPAIGNS]) as live:
        answered = live.get_final_message()
    assert answered.stop_reason == "end_turn"
    assert "| Spring | 1.4 |" in answered.content[0].text


def test_a_failed_tool_is_reported_not_papered_over(client):
    talk: list[dict[str, Any]] = [{"role": "user", "content": "Which campaigns run?"}]
    called = ask(client, talk, tools=[CAMPAIGNS])
    use = called.content[-1]
    assert use.name == "list_campaigns", "a tool that only reads is called by the question's own words"
    talk += [called.to_param(), {"role": "user", "content": [_result(use.id, "token expired", is_error=True)]}]
    assert "`list_campaigns` did not work: token expired" in ask(client, talk, tools=[CAMPAIGNS]).content[0].text


def test_parallel_calls_come_in_one_message_and_want_all_results(client):
    talk: list[dict[str, Any]] = [{"role": "user", "content": "[[sim tools=2]] look at both"}]
    with stream(client, talk, tools=[CAMPAIGNS, INSIGHTS]) as live:
        called = live.get_final_message()
    uses = [block for block in called.content if block.type == "tool_use"]
    assert [(use.name, use.input) for use in uses] == [("list_campaigns", {}), ("get_account_insights", {"days": 1})]
    assert len({use.id for use in uses}) == 2
    talk += [called.to_param(), {"role": "user", "content": [_result(use.id, f"{use.name}: fine") for use in uses]}]
    text = ask(client, talk, tools=[CAMPAIGNS, INSIGHTS]).content[0].text
    assert "> list_campaigns: fine" in text
    assert "> get_account_insights: fine" in text


def test_calls_one_after_the_other_come_in_rounds(client):
    talk: list[dict[str, Any]] = [
        {"role": "user", "content": '[[sim tool=list_campaigns {}]] [[sim tool=get_account_insights {"days": 7}]] go'}
    ]
    names = []
    for _ in range(2):
        called = ask(client, talk, tools=[CAMPAIGNS, INSIGHTS])
        use = called.content[-1]
        names.append((use.name, use.input))
        talk += [called.to_param(), {"role": "user", "content": [_result(use.id, "[]")]}]
    assert names == [("list_campaigns", {}), ("get_account_insights", {"days": 7})]
    assert ask(client, talk, tools=[CAMPAIGNS, INSIGHTS]).stop_reason == "end_turn"


def test_a_tool_that_is_not_offered_is_not_called(client):
    assert ask(client, "[[sim tool=drop_tables {}]] go", tools=[CAMPAIGNS]).stop_reason == "end_turn"


@pytest.mark.parametrize(
    ("directive", "reason"),
    [("refuse", "refusal"), ("pause", "pause_turn"), ("max-tokens", "max_tokens")],
)
def test_other_ends_can_be_asked_for(client, directive, reason):
    with stream(client, f"[[sim {directive}]] hello") as live:
        final = live.get_final_message()
    assert final.stop_reason == reason
    assert (final.stop_details is not None) == (reason == "refusal")


def test_max_tokens_cuts_the_text_and_even_the_arguments_of_a_call(client, post):
    cut = ask(client, "Write a long answer", max_tokens=50)
    assert (cut.stop_reason, cut.usage.output_tokens) == ("max_tokens", 50)
    body = {
        "model": "demo-sonnet",
        "max_tokens": 20,
        "stream": True,
        "tools": [CAMPAIGNS],
        "messages": [{"role": "user", "content": '[[sim tool=list_campaigns {"status": "%s"}]]' % ("x" * 300)}],
    }
    lines = [line[6:] for line in post(body).text.splitlines() if line.startswith("data: ")]
    parts = [
        data["delta"]["partial_json"] for data in map(json.loads, lines) if "partial_json" in data.get("delta", {})
    ]
    assert parts[0] == ""
    with pytest.raises(ValueError):
        json.loads("".join(parts))


def test_a_stop_sequence_ends_the_answer_before_it(client):
    answer = ask(client, "[[sim echo]] one two STOP three", stop_sequences=["STOP"])
    assert (answer.content[0].text, answer.stop_reason, answer.stop_sequence) == ("one two ", "stop_sequence", "STOP")


def test_echo_says_the_message_to_the_letter(client):
    nasty = '<script>alert(1)</script> **bold** \u2028 é 🙂 [x](javascript:alert(1)) "\\"'
    with stream(client, f"[[sim echo]]{nasty}") as live:
        assert live.get_final_text() == nasty


def test_the_length_can_be_asked_for(client):
    for tokens in (1, 7, 400, 5000):
        answer = ask(client, f"[[sim tokens={tokens}]] hello", max_tokens=6000)
        assert answer.usage.output_tokens == tokens


def test_tokens_can_be_counted_before(client):
    messages = [{"role": "user", "content": "hello"}]
    counted = client.messages.count_tokens(model="demo-sonnet", messages=messages, system="Be brief.")
    asked = ask(client, messages, system="Be brief.")
    assert counted.input_tokens == asked.usage.input_tokens


def test_models_are_listed_page_by_page(client):
    whole = [model.id for model in client.models.list(limit=1000)]
    assert whole[:3] == ["demo-opus", "demo-sonnet", "demo-haiku"]
    assert [model.id for model in client.models.list(limit=3)] == whole, "the SDK follows after_id"
    first = client.models.list(limit=3)
    assert (first.has_more, first.first_id, first.last_id) == (True, whole[0], whole[2])
    back = client.models.list(limit=2, before_id=whole[3])
    assert [model.id for model in back.data] == whole[1:3]


def test_a_model_tells_what_it_can_do(client):
    model = client.models.retrieve("claude-sonnet-5-5")
    assert (model.display_name, model.line, model.lifecycle) == ("Claude Sonnet 5.5", "sonnet", "active")
    assert (model.max_input_tokens, model.max_tokens) == (1_000_000, 128_000)
    types = model.capabilities.thinking.types
    assert (types.adaptive.supported, types.between_tools.supported, types.enabled.supported) == (True, True, False)
    old = client.models.retrieve("claude-sonnet-4-5")
    assert (old.id, old.lifecycle, old.retires_at.year) == ("claude-sonnet-4-5-20250929", "deprecated", 2026)


def _result(id: str, content: str, is_error: bool = False) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": id, "content": content, "is_error": is_error}
