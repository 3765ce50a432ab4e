"""Budgets and members' own keys on real processes: two hosts, one limit; a key that goes while an answer runs on it."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from sqlalchemy import func, select

from tests.serving import Person, Server, asked, final_turn, has_ended, look, someone, wait_for
from webapp.accounts import enter
from webapp.chat import picker
from webapp.chat.events import Cause, TurnState
from webapp.chat.transcript import TurnView
from webapp.config import Settings
from webapp.db import Database
from webapp.db.models import BudgetHold, UsageEntry, WorkspaceMember
from webapp.llm.client import Client
from webapp.llm.events import Usage
from webapp.llm.providers import catalogue
from webapp.secret import Secret
from webapp.usage import budgets, ledger
from webapp.usage.calls import Call
from webapp.usage.ledger import Caller
from webapp.usage.policy import Policy, set_policy
from webapp.vault import byok
from webapp.vault.keyring import start_keyring

SHORT = "Hello [[sim tokens=30 delay=20]]"
ENDLESS = "Go on and on. [[sim tokens=4000 delay=20]]"


def spent(database: Database, person: Person) -> int:
    with database.begin() as db:
        where = UsageEntry.workspace_id == person.scope.workspace_id
        tokens = UsageEntry.input + UsageEntry.cache_read + UsageEntry.cache_write + UsageEntry.output
        return int(db.scalar(select(func.coalesce(func.sum(tokens), 0)).where(where)) or 0)


def limit(database: Database, person: Person, tokens: int) -> None:
    """For the whole workspace, a day."""
    with database.begin() as db:
        budgets.set_limit(person.scope, db, applies_to="workspace", period="day", unit="tokens", amount=tokens)


def holds(database: Database, person: Person) -> int:
    with database.begin() as db:
        here = BudgetHold.workspace_id == person.scope.workspace_id
        return db.scalar(select(func.count()).select_from(BudgetHold).where(here)) or 0


def test_answers_asked_at_once_on_two_hosts_stay_within_one_limit(
    server: Server, other_server: Server, database: Database, alice: Person
) -> None:
    """A call holds some 21,000 tokens and uses 3,300: the limit has room for two at once, and for few in all."""
    first = alice.ask(server, SHORT)
    alice.stream(server, first)
    one = spent(database, alice)
    size = 45_000 + one
    limit(database, alice, size)

    def ask(number: int) -> TurnView:
        where = server if number % 2 else other_server
        turn_id = alice.ask(where, SHORT)
        alice.stream(where, turn_id)
        return look(database, alice, turn_id)

    with ThreadPoolExecutor(8) as pool:
        turns = list(pool.map(ask, range(8)))
    refused = [turn for turn in turns if turn.trouble and turn.trouble.cause is Cause.BUDGET]
    assert {turn.state for turn in turns if turn not in refused} == {TurnState.DONE}
    assert refused
    assert len(refused) < 8
    assert spent(database, alice) <= size
    assert holds(database, alice) == 0


def test_an_answer_that_a_budget_forbids_says_all_there_is_to_know(
    server: Server, database: Database, alice: Person, provider: str, key: str
) -> None:
    limit(database, alice, 1000)
    before = asked(provider, key)
    shown = final_turn(alice.stream(server, alice.ask(server, "Hello")))
    assert "A budget stopped this answer" in shown
    assert "The workspace&#39;s limit is 1,000 tokens a day: 0 tokens spent, and this call may need up to" in shown
    assert "00:00 UTC. You can change that." in shown
    assert 'href="/settings/budgets"' in shown
    assert asked(provider, key) == before


def test_a_model_without_a_price_is_refused_where_the_workspace_blocks_them(
    server: Server, database: Database, alice: Person, provider: str, key: str
) -> None:
    """As the simulator's are."""
    with database.begin() as db:
        set_policy(alice.scope, db, Policy(unpriced="block"))
    before = asked(provider, key)
    shown = final_turn(alice.stream(server, alice.ask(server, "Hello")))
    assert "This model is not allowed here" in shown
    assert "Nobody has told us the price of demo-sonnet" in shown
    assert asked(provider, key) == before


def test_an_answer_near_a_limit_says_so_once(server: Server, database: Database, alice: Person) -> None:
    """Also if it takes several calls."""
    first = alice.ask(server, SHORT)
    alice.stream(server, first)
    scope, answered = alice.scope, look(database, alice, first)
    caller = Caller(scope.workspace_id, scope.user_id, answered.session_id, first, "anthropic", "m", None, "")
    with database.begin() as db:
        ledger.book(db, caller, [Call(99, Usage(input=240_000))], None)
    limit(database, alice, 300_000)
    turn_id = alice.ask(server, "How did my campaigns do?")
    said = final_turn(alice.stream(server, turn_id))
    assert len(look(database, alice, turn_id).entries) > 1
    assert said.count("81% of a budget is used") == 1


# --- own keys ---------------------------------------------------------------------------------------------------


@pytest.fixture
def bob(database: Database, settings: Settings, alice: Person) -> Person:
    """A member of alice's workspace, which allows own keys."""
    bob = someone(database, settings, "Bob")
    with database.begin() as db:
        set_policy(alice.scope, db, Policy(personal_keys=True))
        db.add(WorkspaceMember(workspace_id=alice.scope.workspace_id, user_id=bob.scope.user_id, role="member"))
        db.flush()
        scope = enter(db, bob.scope.user_id, alice.scope.workspace_id)
    return replace(bob, scope=scope)


def own_key(database: Database, settings: Settings, person: Person, provider: str) -> str:
    """Connected, its models listed."""
    secret = f"sk-ant-api03-ok-{uuid.uuid4().hex}"
    models = Client().models(catalogue({"anthropic": provider})["anthropic"], Secret(secret))
    keyring = start_keyring(database, settings)
    with database.begin() as db:
        key_id = byok.connect(person.scope, db, keyring, "anthropic", Secret(secret), "Bob's", own=True)
        picker.keep_list(person.scope, db, key_id, "anthropic", models)
    return secret


def test_bobs_answer_on_his_own_key_is_cut_when_own_keys_are_switched_off(
    server: Server, database: Database, settings: Settings, alice: Person, bob: Person, provider: str, key: str
) -> None:
    """And nothing falls back to the team's key: not the answer that runs, not the button that asks again."""
    bob.post(server, f"/workspaces/{alice.scope.workspace_id}/switch")
    secret = own_key(database, settings, bob, provider)
    teams = asked(provider, key)
    mine = asked(provider, secret)
    turn_id = bob.ask(server, ENDLESS)
    wait_for(lambda: asked(provider, secret) > mine, 10, "the provider to be asked on bob's key")
    wait_for(lambda: look(database, bob, turn_id).blocks, 10, "some words")
    with database.begin() as db:
        set_policy(alice.scope, db, Policy(personal_keys=False))
    wait_for(lambda: has_ended(database, bob, turn_id), 5, "the answer to be cut")
    turn = look(database, bob, turn_id)
    assert turn.own_key
    assert turn.trouble is not None
    assert turn.trouble.cause is Cause.KEY_REVOKED
    shown = final_turn(bob.stream(server, turn_id))
    assert "Your own key is no longer used" in shown
    assert "your own key “Bob&#39;s”" in shown
    again = bob.post(
        server,
        "/chat/send",
        text="Again",
        request_id=str(uuid.uuid4()),
        session_id=str(turn.session_id),
        payer="me",
    )
    assert again.status_code == 409
    assert "Another key would pay now" in again.text
    assert asked(provider, key) == teams
