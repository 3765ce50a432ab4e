"""OpenAI, xAI and Google as the simulator plays them: whole conversations, faults by name, and going on elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.simulation import start_simulator
from webapp.llm.assembler import Assembler
from webapp.llm.blocks import Message, Text, Thinking, ToolResult
from webapp.llm.client import Client
from webapp.llm.errors import NO_DIAGNOSIS, Kind, ProviderError
from webapp.llm.events import CACHE_MISS, FinishReason, Notice
from webapp.llm.models import join
from webapp.llm.providers import GOOGLE, OPENAI, XAI, Provider
from webapp.llm.request import ModelRequest, ToolSpec
from webapp.secret import Secret

PLAYED = {
    "openai": (OPENAI, "/openai/v1", "sk-proj-"),
    "xai": (XAI, "/xai/v1", "xai-"),
    "google": (GOOGLE, "/google/v1beta", "AQ."),
}
TOOL = ToolSpec("list_campaigns", "Lists campaigns.", {"type": "object", "properties": {}, "required": []})
client = Client(idle_timeout=2.0, total_timeout=20.0)
every_provider = pytest.mark.parametrize("slug", PLAYED)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    url, stop = start_simulator()
    yield url
    stop()


def played(url: str, slug: str, key: str = "ok-0123456789") -> tuple[Provider, Secret]:
    provider, path, prefix = PLAYED[slug]
    return replace(provider, base_url=url + path), Secret(prefix + key)


def user(text: str) -> Message:
    return Message("user", (Text(text),))


def ask(provider: Provider, request: ModelRequest, key: Secret) -> Assembler:
    heard = Assembler()
    for event in client.stream(provider, request, key):
        heard.apply(event)
    return heard


def thinker(provider: Provider, key: Secret) -> str:
    return next(m.id for m in join(provider.slug, client.models(provider, key)) if "adaptive" in m.thinking)


def round_of_calls(provider: Provider, key: Secret) -> tuple[ModelRequest, Assembler]:
    asked = user("[[sim round=0 thinking=20 tools=2]] [[sim round=1 thinking=10 tokens=30]] How is it going?")
    model = thinker(provider, key)
    request = ModelRequest(
        model, (asked,), "You are Maxxer.", (TOOL,), thinking="adaptive", user_hash="u", cache_key="w"
    )
    return request, ask(provider, request, key)


@every_provider
def test_a_conversation_with_reasoning_and_two_calls(url: str, slug: str) -> None:
    provider, key = played(url, slug)
    request, first = round_of_calls(provider, key)
    assert first.finish is not None
    assert first.finish.reason is FinishReason.TOOL_CALLS
    assert first.usage.thinking == 20
    said = first.message(provider.dialect)
    assert any(isinstance(b, Thinking) and b.text and b.opaque for b in said.blocks)
    results = Message("user", tuple(ToolResult(call.id, "[]") for call in first.tool_uses()))
    assert len(results.blocks) == 2
    second = ask(provider, replace(request, messages=(*request.messages, said, results)), key)
    assert second.finish is not None
    assert second.finish.reason is FinishReason.STOP
    history = (*request.messages, said, results, second.message(provider.dialect), user("And now?"))
    assert ask(provider, replace(request, messages=history), key).message(provider.dialect).text()


@every_provider
@pytest.mark.parametrize("next_slug", PLAYED)
def test_a_conversation_goes_on_at_another_provider(url: str, slug: str, next_slug: str) -> None:
    """In the middle of a turn even: the calls of the one are answered to the other."""
    provider, key = played(url, slug)
    request, first = round_of_calls(provider, key)
    results = Message("user", tuple(ToolResult(call.id, "[]") for call in first.tool_uses()))
    other, other_key = played(url, next_slug)
    history = (*request.messages, first.message(provider.dialect), results)
    moved = replace(request, model=thinker(other, other_key), messages=history)
    heard = ask(other, moved, other_key)
    assert heard.finish is not None
    assert heard.finish.reason is FinishReason.STOP
    assert heard.message(other.dialect).text()


@every_provider
def test_a_good_key_passes(url: str, slug: str) -> None:
    assert client.probe(*played(url, slug)).model


@pytest.mark.parametrize(
    ("slug", "key", "kind"),
    [
        *[(slug, "never-issued-0", Kind.INVALID_KEY) for slug in PLAYED],
        *[(slug, "revoked-012345", Kind.INVALID_KEY) for slug in PLAYED],
        *[(slug, "nocredit-01234", Kind.NO_CREDIT) for slug in PLAYED],
        *[(slug, "forbidden-0123", Kind.KEY_FORBIDDEN) for slug in PLAYED],
        *[(slug, "ratelimited-01", Kind.RATE_LIMITED) for slug in PLAYED],
        *[(slug, "overloaded-012", Kind.OVERLOADED) for slug in PLAYED],
        *[(slug, "html-012345678", Kind.PROTOCOL) for slug in PLAYED],
        ("google", "unbound-012345", Kind.KEY_FORBIDDEN),
    ],
)
def test_a_test_call_says_what_is_wrong_with_a_key(url: str, slug: str, key: str, kind: Kind) -> None:
    with pytest.raises(ProviderError) as refused:
        client.probe(*played(url, slug, key))
    assert refused.value.fault.kind is kind


def test_a_key_that_may_not_list_models_may_chat(url: str) -> None:
    assert client.probe(*played(url, "openai", "nolist-0123456")).model == OPENAI.probe_model


@every_provider
@pytest.mark.parametrize(
    ("directive", "kind"),
    [
        ("error=context", Kind.CONTEXT_OVERFLOW),
        ("error=credit", Kind.NO_CREDIT),
        ("error=500", Kind.PROVIDER_ERROR),
        ("error=nomodel", Kind.MODEL_NOT_FOUND),
        ("tokens=50 fail-after=10", Kind.OVERLOADED),
        ("tokens=50 truncate-after=10", Kind.TRUNCATED),
        ("tokens=50 drop-after=10", Kind.TRUNCATED),
        ("tokens=50 silence-after=10", Kind.TIMEOUT),
    ],
)
def test_a_scripted_fault_is_called_by_its_name(url: str, slug: str, directive: str, kind: Kind) -> None:
    provider, key = played(url, slug)
    request = ModelRequest(thinker(provider, key), (user(f"[[sim {directive}]] Hello"),))
    with pytest.raises(ProviderError) as refused:
        list(client.stream(provider, request, key))
    assert refused.value.fault.kind is kind


def test_openai_says_why_its_cache_was_missed(url: str) -> None:
    provider, key = played(url, "openai")
    request = ModelRequest("gpt-6-luna", (user("Hi"),), "You are Maxxer.", (TOOL,), cache_key="w")
    first = ask(provider, request, key).start
    assert first is not None
    changed = replace(request, tools=(replace(TOOL, description="Lists."),), follows=first.response_id)
    told = [event for event in client.stream(provider, changed, key) if isinstance(event, Notice)]
    assert told == [Notice(CACHE_MISS, "tools_changed")]


def test_a_model_that_cannot_say_why_is_refused_by_name(url: str) -> None:
    """As it would be if OpenAI took the question back: the turn then goes on without it."""
    provider, key = played(url, "openai")
    asks = replace(provider, responses=replace(provider.responses, diagnoses="gpt-4"))
    with pytest.raises(ProviderError) as refused:
        ask(asks, ModelRequest("gpt-4.1", (user("Hi"),), follows="resp_1"), key)
    assert refused.value.fault.code == NO_DIAGNOSIS
