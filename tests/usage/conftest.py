"""alice and charlie with a connected key each (tests/chat), whose list of models has prices."""

from __future__ import annotations

import pytest

from tests.chat.conftest import Somebody, alice, charlie, keyring
from webapp.chat import picker
from webapp.db import Database
from webapp.llm.models import RemoteModel

__all__ = ["alice", "charlie", "keyring"]

SONNET = "claude-sonnet-4-5"  # 3 USD in, 15 out, 0.30 read, 3.75 and 6 written (Anthropic's list), from 1,024 tokens on
HAIKU = "claude-haiku-4-5"
NAMELESS = "a-model-without-a-price"


@pytest.fixture
def priced(database: Database, alice: Somebody) -> Somebody:
    """alice, whose key can use two models with a price and one without."""
    with database.begin() as db:
        models = [RemoteModel(name) for name in (SONNET, HAIKU, NAMELESS)]
        picker.keep_list(alice.scope, db, alice.key.id, "anthropic", models)
    return alice
