"""A server of one's own, from its card to an answer, on real processes; and no further once the operator says no."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.llm.upstream import Line, Upstream, answer, whole
from tests.serving import final_turn, served, someone
from webapp.config import Settings
from webapp.db import Database

CARD = "/settings/providers/self_hosted/connect"
KEY = "token-of-the-box-under-the-desk"
MODELS = {"object": "list", "data": [{"id": "qwen3:8b", "object": "model"}]}
CHUNKS = (
    {"choices": [{"index": 0, "delta": {"role": "assistant", "content": "I run under "}, "finish_reason": None}]},
    {"choices": [{"index": 0, "delta": {"content": "your desk."}, "finish_reason": None}]},
    {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
)
SAID = "".join(f"data: {json.dumps({'id': 'c', 'model': 'qwen3:8b', **c})}\n\n" for c in CHUNKS) + "data: [DONE]\n\n"


def serve(line: Line) -> None:
    line.send(answer(200, json.dumps(MODELS).encode()) if "/models" in line.request.line else whole(SAID.encode()))


@pytest.fixture
def ollama() -> Iterator[Upstream]:
    with Upstream(serve) as there:
        yield there


def test_a_server_is_connected_asked_and_closed_with_the_operator_s_word(
    settings: Settings, database: Database, ollama: Upstream
) -> None:
    alice = someone(database, settings, "Alice")
    with served(settings, provider="", SELF_HOSTED_HOSTS=f"localhost:{ollama.port}") as server:
        url = f"http://localhost:{ollama.port}/v1"
        assert alice.post(server, CARD, base_url=url, key=KEY).status_code == 200
        assert "qwen3:8b" in alice.get(server, "/chat").text
        said = final_turn(alice.stream(server, alice.ask(server, "Where do you run?", model="self_hosted:qwen3:8b")))
        assert "I run under your desk." in said
        assert 'data-state="done"' in said
        assert {r.headers["host"] for r in ollama.requests} == {f"localhost:{ollama.port}"}
        assert {r.headers["authorization"] for r in ollama.requests} == {f"Bearer {KEY}"}
    heard = len(ollama.requests)
    with served(settings, provider="") as server:
        said = final_turn(alice.stream(server, alice.ask(server, "And now?", model="self_hosted:qwen3:8b")))
        assert "This address is closed to us" in said
        assert 'data-state="failed"' in said
        refused = alice.post(server, CARD, base_url=url, key=KEY)
        assert refused.status_code == 422
        assert "This address is not taken" in refused.text
    assert len(ollama.requests) == heard
