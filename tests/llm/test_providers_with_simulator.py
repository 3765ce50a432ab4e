"""Every provider's record and dialect against the simulator's stand-in for it: list, probe, whole conversations."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.simulation import start_simulator
from tests.simulator.providers import BASES, KEYS, MODELS
from webapp.llm.assembler import Assembler
from webapp.llm.blocks import Message, Text, ToolResult
from webapp.llm.client import Client
from webapp.llm.errors import Kind, ProviderError
from webapp.llm.events import FinishReason
from webapp.llm.providers import PROVIDERS, Provider
from webapp.llm.request import ModelRequest, ToolSpec
from webapp.secret import Secret

OTHERS = [provider for provider in PROVIDERS if provider.slug in BASES]
REST = "0123456789abcdef012345"
TOOL = ToolSpec("list_campaigns", "Lists campaigns.", {"type": "object", "properties": {}, "required": []})
client = Client(idle_timeout=5.0, total_timeout=20.0)


@pytest.fixture(scope="module")
def simulator() -> Iterator[str]:
    url, stop = start_simulator()
    yield url
    stop()


@pytest.fixture(params=OTHERS, ids=lambda provider: provider.slug)
def provider(request: pytest.FixtureRequest, simulator: str) -> Provider:
    return replace(request.param, base_url=simulator + BASES[request.param.slug])


def key(provider: Provider, word: str = "ok") -> Secret:
    return Secret(f"{KEYS[provider.slug]}{word}{REST}")


def user(text: str) -> Message:
    return Message("user", (Text(text),))


def ask(provider: Provider, request: ModelRequest) -> Assembler:
    heard = Assembler()
    for event in client.stream(provider, request, key(provider)):
        heard.apply(event)
    return heard


def reason(heard: Assembler) -> FinishReason:
    assert heard.finish is not None
    return heard.finish.reason


def test_a_conversation_with_reasoning_and_two_calls_goes_on_and_on(provider: Provider) -> None:
    """What each answer holds is sent back: a simulator that wants it back, or checks it, accepts the next question."""
    asked = user("[[sim round=0 thinking=20 tools=2]] [[sim round=1 thinking=10 tokens=30]] How is it going?")
    request = ModelRequest(MODELS[provider.slug], (asked,), "You are Maxxer.", (TOOL,), thinking="adaptive")
    first = ask(provider, request)
    assert reason(first) is FinishReason.TOOL_CALLS
    calls = first.tool_uses()
    assert [call.name for call in calls] == [TOOL.name, TOOL.name]
    said = first.message(provider.dialect)
    results = Message("user", tuple(ToolResult(call.id, "[]") for call in calls))
    second = ask(provider, replace(request, messages=(asked, said, results)))
    assert reason(second) is FinishReason.STOP
    history = (asked, said, results, second.message(provider.dialect), user("And now?"))
    assert ask(provider, replace(request, messages=history)).message(provider.dialect).text()
    abandoned = (asked, said, user("Never mind. And now?"))
    assert ask(provider, replace(request, messages=abandoned)).message(provider.dialect).text()


def test_a_key_is_probed_and_its_models_are_listed(provider: Provider) -> None:
    assert client.probe(provider, key(provider)).model
    assert MODELS[provider.slug] in [model.id for model in client.models(provider, key(provider))]


@pytest.mark.parametrize(
    ("word", "kind"),
    [("revoked", Kind.INVALID_KEY), ("ratelimited", Kind.RATE_LIMITED), ("overloaded", Kind.OVERLOADED)],
)
def test_a_probe_says_what_is_wrong(provider: Provider, word: str, kind: Kind) -> None:
    with pytest.raises(ProviderError) as failed:
        client.probe(provider, key(provider, word))
    assert failed.value.fault.kind is kind


@pytest.mark.parametrize("fault", ["truncate-after=250", "drop-after=250", "fail-after=250"])
def test_an_answer_that_breaks_off_is_never_taken_for_whole(provider: Provider, fault: str) -> None:
    request = ModelRequest(MODELS[provider.slug], (user(f"[[sim tokens=300 {fault}]] hello"),))
    with pytest.raises(ProviderError):
        ask(provider, request)
