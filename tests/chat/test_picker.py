"""The model lists: what a workspace can pick, what it picked last, what it was refused."""

from __future__ import annotations

import pytest

from tests.chat.conftest import Somebody
from webapp.chat import picker
from webapp.db import Database
from webapp.errors import UserError
from webapp.llm.errors import Fault, Kind
from webapp.llm.models import RemoteModel
from webapp.llm.providers import catalogue

PROVIDERS = catalogue({"demo": "http://127.0.0.1:1"})
LISTED = [
    RemoteModel("claude-opus-5-5", "Claude Opus 5.5", "opus", thinking=("adaptive",)),
    RemoteModel("claude-sonnet-5-5", "Claude Sonnet 5.5", "sonnet", thinking=("adaptive",)),
    RemoteModel("claude-new-thing", "Claude New Thing"),
]


@pytest.fixture
def listed(database: Database, alice: Somebody) -> Somebody:
    with database.begin() as db:
        picker.keep_list(alice.scope, db, alice.key.id, "anthropic", LISTED)
    return alice


def test_a_key_without_a_list_asks_for_one(database: Database, alice: Somebody) -> None:
    with database.begin() as db:
        (group,) = picker.groups(alice.scope, db, PROVIDERS)
    assert group.stale
    assert group.picks == ()


def test_the_list_is_joined_with_prices_and_an_unknown_price_stays_unknown(
    database: Database, listed: Somebody
) -> None:
    with database.begin() as db:
        (group,) = picker.groups(listed.scope, db, PROVIDERS)
    assert not group.stale
    prices = {p.model.id: p.model.price_in for p in group.picks}
    assert prices["claude-sonnet-5-5"] is not None
    assert prices["claude-new-thing"] is None


def test_a_workspace_begins_with_a_sonnet_and_then_keeps_its_choice(
    database: Database, listed: Somebody, charlie: Somebody
) -> None:
    with database.begin() as db:
        groups = picker.groups(listed.scope, db, PROVIDERS)
        first = picker.current(listed.scope, db, groups)
        assert first is not None
        assert first.model.id == "claude-sonnet-5-5"
        picker.choose(listed.scope, db, picker.must_find(groups, "anthropic:claude-opus-5-5"))
        chosen = picker.current(listed.scope, db, groups)
        assert chosen is not None
        assert chosen.model.id == "claude-opus-5-5"
        assert picker.current(charlie.scope, db, picker.groups(charlie.scope, db, PROVIDERS)) is None


def test_what_is_not_in_the_list_cannot_be_picked(database: Database, listed: Somebody) -> None:
    with database.begin() as db:
        groups = picker.groups(listed.scope, db, PROVIDERS)
        for value in ("anthropic:gpt-5", "openai:claude-opus-5-5", "", "anthropic:"):
            with pytest.raises(UserError, match="not available"):
                picker.must_find(groups, value)


def test_a_refused_model_is_marked_and_not_the_first_choice(database: Database, listed: Somebody) -> None:
    fault = Fault(Kind.MODEL_FORBIDDEN, "Your key may not use it", 403)
    with database.begin() as db:
        picker.remember_refused(listed.scope, db, listed.key.id, "claude-sonnet-5-5", fault)
    with database.begin() as db:
        groups = picker.groups(listed.scope, db, PROVIDERS)
        refused = picker.find(groups, "anthropic", "claude-sonnet-5-5")
        assert refused is not None
        assert refused.refused == "Your key may not use it"
        first = picker.current(listed.scope, db, groups)
        assert first is not None
        assert first.model.id != "claude-sonnet-5-5"


def test_what_is_known_of_a_model_is_what_its_provider_lists(database: Database, listed: Somebody) -> None:
    with database.begin() as db:
        opus = picker.facts(db, listed.key.id, "claude-opus-5-5")
        assert opus is not None
        assert opus.thinking == ("adaptive",)
        assert picker.facts(db, listed.key.id, "unheard-of") is None


def test_nobody_can_put_a_list_under_anothers_key(database: Database, alice: Somebody, charlie: Somebody) -> None:
    with database.begin() as db:
        picker.keep_list(charlie.scope, db, alice.key.id, "anthropic", LISTED)
        assert not picker.has_list(db, alice.key.id)
