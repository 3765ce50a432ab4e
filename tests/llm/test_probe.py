"""Testing keys of those who speak chat completions: what is asked for free, which model, what counts as an answer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from tests.llm.transcripts import own
from tests.llm.upstream import Line, Upstream, answer, whole
from webapp.llm.client import Client
from webapp.llm.errors import Kind, ProviderError
from webapp.llm.providers import DEEPSEEK, GROQ, MISTRAL, OPENROUTER, TOGETHER, Provider
from webapp.secret import Secret

KEY = Secret("sk-CANARY-CANARY-CANARY-CANARY")
WRONG = json.dumps({"error": {"message": "Incorrect API key provided.", "code": "invalid_api_key"}}).encode()
NO_MODEL = json.dumps({"error": {"message": "No such model.", "code": "model_not_found"}}).encode()
BALANCE = {"is_available": True, "balance_infos": []}


@dataclass
class Account:
    """What a provider says to a key: about itself, about its models, in a chat with each of them."""

    check: bytes = b""
    models: tuple[str, ...] = ()
    chat: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    bodies: list[dict[str, Any]] = field(default_factory=list)

    def __call__(self, line: Line) -> None:
        path = line.request.line.split()[1]
        self.asked.append(path)
        if "/models" in path:
            line.send(answer(200, json.dumps({"data": [{"id": id} for id in self.models]}).encode()))
        elif line.request.line.startswith("GET"):
            line.send(self.check)
        else:
            self.bodies.append(json.loads(line.request.body))
            line.send(self.chat.get(self.bodies[-1]["model"], answer(404, NO_MODEL)))


@pytest.fixture
def client() -> Iterator[Client]:
    made = Client()
    yield made
    made.close()


def probed(client: Client, provider: Provider, account: Account) -> str:
    with Upstream(account) as server:
        return client.probe(replace(provider, base_url=server.url), KEY).model


def refused(client: Client, provider: Provider, account: Account) -> Kind:
    with pytest.raises(ProviderError) as error:
        probed(client, provider, account)
    assert "CANARY" not in str(error.value.fault)
    return error.value.fault.kind


def test_the_usual_model_is_asked_for_one_token(client: Client) -> None:
    account = Account(
        answer(200, json.dumps(BALANCE).encode()),
        ("deepseek-v4-pro", "deepseek-flash"),
        {"deepseek-flash": whole(own("thinking_tools", "deepseek"))},
    )
    assert probed(client, DEEPSEEK, account) == "deepseek-flash"
    assert account.asked == ["/user/balance", "/models", "/chat/completions"]
    (body,) = account.bodies
    assert (body["max_tokens"], body["thinking"]) == (1, {"type": "disabled"})


def test_a_key_without_credit_is_told_so_before_any_chat(client: Client) -> None:
    empty = json.dumps({"is_available": False}).encode()
    account = Account(answer(200, empty), ("deepseek-flash",))
    assert refused(client, DEEPSEEK, account) is Kind.NO_CREDIT
    assert account.asked == ["/user/balance"]


def test_a_key_that_manages_keys_is_refused_by_name(client: Client) -> None:
    account = Account(answer(200, b'{"data":{"is_management_key":true}}'))
    assert refused(client, OPENROUTER, account) is Kind.KEY_FORBIDDEN
    assert account.asked == ["/key"]


def test_a_wrong_key_is_known_after_one_free_question(client: Client) -> None:
    account = Account(answer(401, WRONG))
    assert refused(client, OPENROUTER, account) is Kind.INVALID_KEY
    assert account.asked == ["/key"]


@pytest.mark.parametrize(
    "check", [answer(404, b"{}"), answer(500, b"oops"), answer(200, b"<html>"), answer(429, b"{}")]
)
def test_a_free_question_that_is_not_answered_decides_nothing(client: Client, check: bytes) -> None:
    account = Account(check, ("openai/gpt-6-luna",), {"openai/gpt-6-luna": whole(own("encrypted", "openrouter"))})
    assert probed(client, OPENROUTER, account) == "openai/gpt-6-luna"
    assert account.bodies[0]["max_tokens"] == 16


def test_a_model_that_the_key_may_not_use_is_not_the_last_try(client: Client) -> None:
    account = Account(
        b"", ("openai/gpt-oss-20b", "llama-3.1-8b-instant"), {"llama-3.1-8b-instant": whole(own("glued", "groq"))}
    )
    assert probed(client, GROQ, account) == "llama-3.1-8b-instant"
    assert [b["model"] for b in account.bodies] == ["openai/gpt-oss-20b", "llama-3.1-8b-instant"]
    assert account.bodies[0]["max_completion_tokens"] == 16


def test_an_answer_that_breaks_after_its_first_word_has_shown_that_the_key_may_chat(client: Client) -> None:
    for recording in ("error_in_chunk", "encrypted"):
        account = Account(answer(404, b"{}"), ("openai/gpt-6-luna",))
        account.chat = {"openai/gpt-6-luna": whole(own(recording, "openrouter"))}
        assert probed(client, OPENROUTER, account) == "openai/gpt-6-luna"


def test_an_error_instead_of_a_first_word_is_no_answer(client: Client) -> None:
    overloaded = b'data: {"error":{"code":503,"message":"Overloaded"}}\n\n'
    account = Account(b"", (TOGETHER.probe_model,), {TOGETHER.probe_model: whole(overloaded)})
    assert refused(client, TOGETHER, account) is Kind.OVERLOADED


def test_where_no_list_can_be_read_the_usual_model_is_tested(client: Client) -> None:
    account = Account(b"", (), {MISTRAL.probe_model: whole(own("tools", "mistral"))})
    assert probed(client, MISTRAL, account) == MISTRAL.probe_model
