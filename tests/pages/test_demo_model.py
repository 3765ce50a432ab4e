"""The demo model, where an installation has one: a newcomer without any key is chatting after one click."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.people import Browser
from tests.simulation import start_simulator
from webapp.config import Settings

CARDS = "/settings/providers"


@pytest.fixture(scope="module")
def demo() -> Iterator[str]:
    url, stop = start_simulator()
    yield url
    stop()


@pytest.fixture
def settings(settings: Settings, demo: str) -> Settings:
    return replace(settings, base_urls={"demo": demo})


def test_alice_without_a_key_looks_around_with_the_demo_model_in_one_click(alice: Browser) -> None:
    assert "Look around with the demo model" in alice.get("/chat").text
    answer = alice.send(f"{CARDS}/demo/connect", then="chat")
    assert (answer.status_code, answer.location) == (303, "/chat")
    chat = alice.get("/chat").text
    assert "Demo model is connected." in chat
    assert "Answers run on the team’s key “Demo model”." in chat
    assert "Look around" not in chat


def test_its_card_asks_for_no_key_and_moves_to_the_head_once_it_is_connected(alice: Browser) -> None:
    before = alice.get(CARDS).text
    assert before.index('id="provider-demo"') > before.index('id="provider-anthropic"')
    assert "Use the demo model" in before
    assert alice.send(f"{CARDS}/demo/connect").status_code == 303
    after = alice.get(CARDS).text
    assert after.index('id="provider-demo"') < after.index('id="provider-anthropic"')
    assert "Use the demo model" not in after


def test_bob_who_may_not_connect_is_offered_none(alice: Browser, bob: Browser) -> None:
    assert "Look around" not in bob.get("/chat").text
    assert "Use the demo model" not in bob.get(CARDS).text
