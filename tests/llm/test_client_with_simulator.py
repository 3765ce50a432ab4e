"""The client and the dialect against the simulator: whole conversations, whose signatures it checks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.simulation import start_simulator
from webapp.llm.assembler import Assembler
from webapp.llm.blocks import Message, Text, Thinking, ToolResult, ToolUse
from webapp.llm.client import Client
from webapp.llm.dialects.anthropic_messages import NAME
from webapp.llm.errors import Kind, ProviderError
from webapp.llm.events import FinishReason
from webapp.llm.models import join
from webapp.llm.providers import ANTHROPIC, Provider
from webapp.llm.request import ModelRequest, ToolSpec
from webapp.secret import Secret

KEY = Secret("sk-ant-api03-ok-0123456789")
TOOL = ToolSpec("list_campaigns", "Lists campaigns.", {"type": "object", "properties": {}, "required": []})
client = Client(idle_timeout=2.0, total_timeout=20.0)


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    url, stop = start_simulator()
    yield replace(ANTHROPIC, base_url=url)
    stop()


def ask(provider: Provider, request: ModelRequest) -> Assembler:
    heard = Assembler()
    for event in client.stream(provider, request, KEY):
        heard.apply(event)
    return heard


def user(text: str) -> Message:
    return Message("user", (Text(text),))


def test_a_conversation_with_reasoning_and_two_calls(provider: Provider) -> None:
    model = join(provider.slug, client.models(provider, KEY))[0].id
    asked = user("[[sim round=0 thinking=20 tools=2]] [[sim round=1 thinking=10 tokens=30]] How is it going?")
    request = ModelRequest(model, (asked,), "You are Maxxer.", (TOOL,), thinking="adaptive")
    first = ask(provider, request)
    assert first.finish is not None
    assert first.finish.reason is FinishReason.TOOL_CALLS
    calls = first.tool_uses()
    assert len(calls) == 2
    said = first.message(NAME)
    assert any(isinstance(b, Thinking) and b.opaque for b in said.blocks)
    results = Message("user", tuple(ToolResult(call.id, "[]") for call in calls))
    second = ask(provider, replace(request, messages=(asked, said, results)))
    assert second.finish is not None
    assert second.finish.reason is FinishReason.STOP
    history = (asked, said, results, second.message(NAME), user("And now?"))
    third = ask(provider, replace(request, messages=history))
    assert third.message(NAME).text()


def test_a_stopped_conversation_goes_on(provider: Provider) -> None:
    """What was cut has an unsigned thought and a call that nobody ran; the provider accepts the rest."""
    cut = Message("assistant", (Thinking("Hm"), Text("Half an"), ToolUse("toolu_1", "list_campaigns")), NAME)
    model = join(provider.slug, client.models(provider, KEY))[0].id
    heard = ask(provider, ModelRequest(model, (user("Go"), cut), tools=(TOOL,)))
    assert heard.finish is not None


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        ("sk-ant-api03-never-issued-0", Kind.INVALID_KEY),
        ("sk-ant-api03-revoked-012345", Kind.INVALID_KEY),
        ("sk-ant-api03-nocredit-01234", Kind.NO_CREDIT),
        ("sk-ant-api03-forbidden-0123", Kind.KEY_FORBIDDEN),
        ("sk-ant-api03-ratelimited-01", Kind.RATE_LIMITED),
        ("sk-ant-api03-overloaded-012", Kind.OVERLOADED),
        ("sk-ant-api03-html-012345678", Kind.PROTOCOL),
    ],
)
def test_a_test_call_says_what_is_wrong_with_a_key(provider: Provider, key: str, kind: Kind) -> None:
    with pytest.raises(ProviderError) as refused:
        client.probe(provider, Secret(key))
    assert refused.value.fault.kind is kind


@pytest.mark.parametrize("key", ["sk-ant-api03-ok-0123456789", "sk-ant-api03-noopus-0123456"])
def test_a_good_key_passes_with_a_haiku(provider: Provider, key: str) -> None:
    assert "haiku" in client.probe(provider, Secret(key)).model


@pytest.mark.parametrize(
    ("directive", "kind"),
    [
        ("error=529", Kind.OVERLOADED),
        ("error=429", Kind.RATE_LIMITED),
        ("error=context", Kind.CONTEXT_OVERFLOW),
        ("error=credit", Kind.NO_CREDIT),
        ("error=500", Kind.PROVIDER_ERROR),
        ("tokens=50 fail-after=10", Kind.OVERLOADED),
        ("tokens=50 truncate-after=10", Kind.TRUNCATED),
        ("tokens=50 drop-after=10", Kind.TRUNCATED),
        ("tokens=50 silence-after=10", Kind.TIMEOUT),
        ("tokens=50 revoke-after=10", Kind.INVALID_KEY),
    ],
)
def test_a_scripted_fault_is_called_by_its_name(provider: Provider, directive: str, kind: Kind) -> None:
    key = Secret("sk-ant-api03-ok-" + directive.replace(" ", "-"))  # one of its own, since one of them is revoked
    request = ModelRequest("claude-haiku-4-5", (user(f"[[sim {directive}]] Hello"),))
    with pytest.raises(ProviderError) as refused:
        list(client.stream(provider, request, key))
    assert refused.value.fault.kind is kind


def test_reasoning_that_no_longer_fits_is_refused_and_then_left_out(provider: Provider) -> None:
    model = join(provider.slug, client.models(provider, KEY))[0].id
    asked = user("[[sim thinking=20 tokens=5]] Hello")
    request = ModelRequest(model, (asked,), "You are Maxxer.", (TOOL,), thinking="adaptive")
    said = ask(provider, request).message(NAME)
    changed = replace(request, system="You are another.", messages=(asked, said, user("And now?")))
    with pytest.raises(ProviderError) as refused:
        ask(provider, changed)
    assert refused.value.fault.kind is Kind.STALE_THINKING
    assert ask(provider, replace(changed, drop_thinking=True)).finish is not None
