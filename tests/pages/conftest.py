"""For every page test: the application, and the three people as signed-in browsers (tests/people.py)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests import people
from tests.pages.anthropic_stand_in import StandIn, stand_in
from tests.people import Browser
from webapp.chat import picker
from webapp.config import Settings
from webapp.llm.models import RemoteModel
from webapp.secret import Secret
from webapp.vault import byok


@pytest.fixture
def app(settings: Settings) -> Iterator[Flask]:
    with people.running(settings) as made:
        yield made


@pytest.fixture
def anyone(app: Flask) -> FlaskClient:
    """A browser nobody is signed in with."""
    return app.test_client()


@pytest.fixture
def alice(app: Flask) -> Browser:
    """Owner of Acme."""
    return people.newcomer(app, "Alice", owns="Acme")


@pytest.fixture
def bob(app: Flask, alice: Browser) -> Browser:
    """Member of Acme."""
    return people.join(people.newcomer(app, "Bob"), alice.workspace_id, "member")


@pytest.fixture
def charlie(app: Flask) -> Browser:
    """A stranger to Acme, owner of Charlie's Cameras."""
    return people.newcomer(app, "Charlie", owns="Charlie's Cameras")


@pytest.fixture
def connect() -> Callable[[Browser], None]:
    """Gives somebody's workspace an Anthropic key with one model."""

    def give(person: Browser) -> None:
        secret = Secret("sk-ant-api03-" + "x" * 40)
        with person.database.begin() as db:
            key_id = byok.connect(person.scope, db, person.parts.keyring, "anthropic", secret, "")
            models = [RemoteModel("claude-sonnet-5-5", "Claude Sonnet 5.5", "sonnet")]
            picker.keep_list(person.scope, db, key_id, "anthropic", models)

    return give


@pytest.fixture
def anthropic() -> Iterator[StandIn]:
    """Where a test sends what is meant for Anthropic (`base_urls` of its settings)."""
    with stand_in() as there:
        yield there
