"""Three dialects against a server that nobody here wrote: LiteLLM's proxy, which spells one mocked answer on its chat,
messages and responses endpoints. `make test-peers` installs it into an environment of its own; CI does not run this.

What its mock models say is in mocked_model.py, and why LiteLLM's `mock_response` alone does not do: it cannot stream a
call anywhere, and on messages and responses it does not stream at all. Reasoning is heard on all three, but cannot be
sent back: mocked reasoning has no signature and no encrypted text. Refusals, limits with a time to wait and redacted
reasoning cannot be mocked either. Gemini's dialect is not tested here.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import requests

from tests.serving import free_port
from webapp.llm.addresses import named_hosts
from webapp.llm.assembler import Assembler
from webapp.llm.blocks import Message, Text, Thinking, ToolResult
from webapp.llm.client import Client
from webapp.llm.errors import Kind, ProviderError
from webapp.llm.events import BlockStart, FinishReason, TextDelta, ToolArgsDelta
from webapp.llm.providers import ANTHROPIC, OPENAI, SELF_HOSTED, Provider
from webapp.llm.request import ModelRequest, ToolSpec
from webapp.secret import Secret

HERE = Path(__file__).parent
PROXY = HERE.parents[1] / ".venv" / "peers" / "bin" / "litellm"
PATIENCE = 100.0  # seconds until it answers; it imports for more than ten
KEY = Secret("sk-peer-0123456789abcdef")
RECORDS = {"chat": (SELF_HOSTED, "/v1"), "messages": (ANTHROPIC, ""), "responses": (OPENAI, "/v1")}
SCHEMA = {"type": "object", "properties": {"state": {"type": "string"}}, "required": ["state"]}
TOOL = ToolSpec("list_campaigns", "Lists campaigns.", SCHEMA)


@pytest.fixture(scope="module")
def proxy() -> Iterator[str]:
    """The address of a LiteLLM that listens on loopback and asks nobody else."""
    if not PROXY.exists():
        pytest.fail("LiteLLM is not installed. Run: make test-peers")
    port = free_port()
    own = {"LITELLM_MASTER_KEY": KEY.expose(), "LITELLM_LOCAL_MODEL_COST_MAP": "True", "PYTHONDONTWRITEBYTECODE": "1"}
    env = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), **own}
    command = [PROXY, "--config", HERE / "litellm.yaml", "--host", "127.0.0.1", "--port", str(port)]
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen([*command, "--telemetry", "False"], env=env, stdout=said, stderr=subprocess.STDOUT)
        try:
            if not answered(process, f"http://127.0.0.1:{port}/health/liveliness"):
                said.seek(0)
                pytest.fail(f"LiteLLM did not start: {said.read()[-2000:].decode(errors='replace')}")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(5)


def answered(process: subprocess.Popen[bytes], url: str) -> bool:
    until = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < until:
        try:
            return requests.get(url, timeout=5).status_code == 200
        except requests.RequestException:
            time.sleep(0.2)
    return False


@pytest.fixture(params=RECORDS)
def provider(request: pytest.FixtureRequest, proxy: str) -> Provider:
    record, path = RECORDS[request.param]
    return replace(record, base_url=proxy + path)


@pytest.fixture
def client(proxy: str) -> Client:
    return Client(idle_timeout=15.0, total_timeout=30.0, named_hosts=named_hosts(proxy.removeprefix("http://")))


def user(text: str) -> Message:
    return Message("user", (Text(text),))


def ask(client: Client, provider: Provider, request: ModelRequest, heard: Assembler | None = None) -> Assembler:
    heard = heard or Assembler()
    for event in client.stream(provider, request, KEY):
        heard.apply(event)
    return heard


def reason(heard: Assembler) -> FinishReason:
    assert heard.finish is not None
    return heard.finish.reason


def test_a_conversation_with_reasoning_and_two_calls(client: Client, provider: Provider) -> None:
    asked = user("Which campaigns are there?")
    request = ModelRequest("mock-reasons", (asked,), "You are Maxxer.", (TOOL,))
    first = ask(client, provider, request)
    said = first.message(provider.dialect)
    assert [b.text for b in said.blocks if isinstance(b, Thinking)] == ["Two lists are needed."]
    assert said.text() == "I look at both."
    assert reason(first) is FinishReason.TOOL_CALLS
    calls = first.tool_uses()
    assert [(call.id, call.name, call.input, call.error) for call in calls] == [
        ("call_0", "list_campaigns", {"state": "active"}, None),
        ("call_1", "list_campaigns", {"state": "paused “π”"}, None),
    ]
    usage = first.usage
    assert (usage.input, usage.cache_read, usage.output) == (80, 130, 34)
    results = Message("user", tuple(ToolResult(call.id, f"none is {call.input['state']}") for call in calls))
    second = ask(client, provider, replace(request, messages=(asked, said, results)))
    roles, _, results_read = second.message(provider.dialect).text().partition(": ")
    assert roles == "system user assistant tool tool"
    assert results_read == "none is active and none is paused “π”"
    assert reason(second) is FinishReason.STOP
    history = (asked, said, results, second.message(provider.dialect), user("And now?"))
    third = ask(client, provider, replace(request, messages=history))
    assert third.message(provider.dialect).text().partition(":")[0].endswith("assistant user")


def test_words_and_arguments_come_in_pieces(client: Client, provider: Provider) -> None:
    request = ModelRequest("mock-plain", (user("Which?"),), tools=(TOOL,))
    events = list(client.stream(provider, request, KEY))
    assert [e.kind for e in events if isinstance(e, BlockStart)] == ["text", "tool_use", "tool_use"]
    assert [e.text for e in events if isinstance(e, TextDelta)] == ["I look ", "at both."]
    assert len([e for e in events if isinstance(e, ToolArgsDelta)]) > 4


def test_a_model_that_may_think_aloud_is_asked_to(client: Client, provider: Provider) -> None:
    request = ModelRequest("mock-reasons", (user("Which?"),), tools=(TOOL,), thinking="adaptive")
    said = ask(client, provider, request).message(provider.dialect)
    assert [type(b).__name__ for b in said.blocks] == ["Thinking", "Text", "ToolUse", "ToolUse"]


@pytest.mark.parametrize(
    ("model", "kind"),
    [
        ("mock-limited", Kind.RATE_LIMITED),
        ("mock-full", Kind.CONTEXT_OVERFLOW),
        ("mock-down", Kind.PROVIDER_ERROR),
        ("mock-breaks", Kind.OVERLOADED),
        ("no-such-model", Kind.MODEL_NOT_FOUND),
    ],
)
def test_what_fails_there_has_its_kind(client: Client, provider: Provider, model: str, kind: Kind) -> None:
    with pytest.raises(ProviderError) as failed:
        ask(client, provider, ModelRequest(model, (user("Hello"),)))
    assert failed.value.fault.kind is kind, failed.value.fault


def test_what_was_heard_before_it_broke_is_kept(client: Client, provider: Provider) -> None:
    heard = Assembler()
    with pytest.raises(ProviderError) as failed:
        ask(client, provider, ModelRequest("mock-breaks", (user("Hello"),)), heard)
    assert heard.message(provider.dialect).text() == "It began "
    assert failed.value.fault.in_stream
    assert "The model went away." in failed.value.fault.message


def test_a_wrong_key_is_told_as_one(client: Client, provider: Provider) -> None:
    with pytest.raises(ProviderError) as failed:
        list(client.stream(provider, ModelRequest("mock-plain", (user("Hello"),)), Secret("sk-other-0123456789")))
    assert failed.value.fault.kind is Kind.INVALID_KEY, failed.value.fault


def test_a_card_for_it_is_probed_and_lists_its_models(client: Client, proxy: str) -> None:
    card = replace(SELF_HOSTED, base_url=proxy + "/v1")
    assert "mock-text" in [model.id for model in client.models(card, KEY)]
    assert client.probe(card, KEY).model.startswith("mock-")
    assert ask(client, card, ModelRequest("mock-text", (user("Hello"),))).message("").text() == "Hello from the peer."
