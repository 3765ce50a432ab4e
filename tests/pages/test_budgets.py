"""Settings › Budgets, and members' own keys on the providers page: what each person sees and may do, in plain forms."""

from __future__ import annotations

import re
import uuid
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from flask import Flask
from sqlalchemy import select

from tests import people
from tests.pages.anthropic_stand_in import StandIn
from tests.pages.dom import words
from tests.pages.test_usage import SONNET, answered, connect, sheet
from tests.people import Browser
from webapp.chat import picker
from webapp.config import Settings
from webapp.db.models import Budget, ByokKey
from webapp.llm.events import Usage
from webapp.llm.models import RemoteModel
from webapp.usage.policy import Policy, policy, set_policy
from webapp.vault import byok
from webapp.vault.byok import KeyRef

BUDGETS, CARDS = "/settings/budgets", "/settings/providers"
OWN = f"{CARDS}/anthropic/own"
KEY = "sk-ant-api03-" + "Q7" * 40 + "AA"
USD = {"applies_to": "workspace", "period": "day", "unit": "usd", "amount": "25.50"}
HTMX = {"HX-Request": "true"}


@pytest.fixture
def settings(settings: Settings, anthropic: StandIn) -> Settings:
    return replace(settings, base_urls={"anthropic": anthropic.url})


def limits(person: Browser) -> list[tuple[str, str, str, int]]:
    with person.database.begin() as db:
        rows = db.scalars(select(Budget).order_by(Budget.applies_to, Budget.unit))
        return [(row.applies_to, row.period, row.unit, row.amount) for row in rows]


def allow_own_keys(alice: Browser, allowed: bool = True) -> None:
    with alice.database.begin() as db:
        set_policy(alice.scope, db, Policy(personal_keys=allowed))


# --- budgets ----------------------------------------------------------------------------------------------------


def test_alice_sets_changes_and_removes_a_limit(alice: Browser) -> None:
    assert "No limits" in alice.get(BUDGETS).text
    assert alice.send(BUDGETS, **USD).status_code == 303
    assert limits(alice) == [("workspace", "day", "usd", 25_500_000)]
    page = alice.get(BUDGETS).text
    assert "The whole workspace 25.50 USD a day" in words(page)
    alice.send(BUDGETS, **{**USD, "amount": "30"})
    assert limits(alice) == [("workspace", "day", "usd", 30_000_000)]
    remove = re.search(r'action="(/settings/budgets/[^"]+/remove)"', page)
    assert remove
    alice.send(remove[1])
    assert limits(alice) == []


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"amount": "lots"}, "Enter an amount such as 25"),
        ({"amount": ""}, "Enter an amount."),
        ({"amount": "0"}, "more than zero"),
        ({"amount": "-5"}, "Enter an amount such as 25"),
        ({"amount": "NaN"}, "Enter an amount such as 25"),
        ({"amount": "1e9"}, "Enter an amount such as 25"),
        ({"amount": "999999999"}, "at most 100,000,000"),
        ({"unit": "tokens", "amount": "-1"}, "Enter a whole number of tokens"),
        ({"unit": "tokens", "amount": "0"}, "Enter a whole number of tokens"),
        ({"unit": "tokens", "amount": "١٢"}, "Enter a whole number of tokens"),
        ({"unit": "tokens", "amount": "9999999999999"}, "Enter a whole number of tokens"),
        ({"unit": "tokens", "amount": "1.5"}, "Enter a whole number of tokens"),
        ({"period": "week"}, "Choose one from the list."),
        ({"applies_to": "member"}, "Choose whom it is for."),
        ({"applies_to": "turn", "amount": "5"}, "This installation allows one answer 2.00 USD."),
    ],
)
def test_what_is_wrong_is_said_and_nothing_typed_is_lost(alice: Browser, typed: dict[str, str], said: str) -> None:
    sent = alice.send(BUDGETS, **{**USD, **typed})
    assert sent.status_code == 422
    assert said in sent.text
    assert f'value="{typed.get("amount", "25.50")}"' in sent.text
    assert limits(alice) == []


def test_tokens_may_have_separators_and_an_answers_limit_needs_no_period(alice: Browser) -> None:
    alice.send(BUDGETS, **{**USD, "unit": "tokens", "amount": "2,000 000"})
    alice.send(BUDGETS, applies_to="turn", unit="usd", amount="1.50")
    assert limits(alice) == [("turn", "turn", "usd", 1_500_000), ("workspace", "day", "tokens", 2_000_000)]


def test_bob_sees_what_concerns_him_and_who_can_change_it(alice: Browser, bob: Browser) -> None:
    alice.send(BUDGETS, **{**USD, "applies_to": "everyone"})
    alice.send(BUDGETS, **{**USD, "applies_to": "member", "user_id": str(alice.user_id), "amount": "77"})
    alice.send(BUDGETS, **{**USD, "applies_to": "member", "user_id": str(bob.user_id), "amount": "11"})
    page = words(bob.get(BUDGETS).text)
    assert "Each member 25.50 USD a day You: 0.00 USD spent." in page
    assert "You 11.00 USD a day" in page
    assert "77" not in page
    assert "It can be changed by Alice." in page
    assert 'action="/settings/budgets"' not in bob.get(BUDGETS).text
    assert bob.send(BUDGETS, **USD).status_code == 403
    assert "Bob 11.00 USD a day" in words(alice.get(BUDGETS).text)


def test_a_limit_that_is_nearly_reached_is_said_on_both_pages(alice: Browser) -> None:
    connect(alice, "Acme's key")
    alice.send(BUDGETS, **{**USD, "unit": "tokens", "amount": "1000"})
    answered(alice, Usage(input=850), at=datetime.now(UTC))
    assert "85 % used" in alice.get(BUDGETS).text
    assert 'aria-label="85 % spent"' in alice.get(BUDGETS).text
    assert "85% of a budget is used: 850 tokens spent." in words(alice.get("/settings/usage").text)
    answered(alice, Usage(input=150), at=datetime.now(UTC))
    assert "Used up" in alice.get(BUDGETS).text


def test_the_policy_is_kept_and_only_by_who_may(alice: Browser, bob: Browser) -> None:
    sent = {"cache_ttl": "1h", "unpriced": "block", "personal_keys": "on"}
    assert bob.send(f"{BUDGETS}/policy", **sent).status_code == 403
    alice.send(f"{BUDGETS}/policy", **sent)
    with alice.database.begin() as db:
        assert policy(alice.scope, db) == Policy("1h", True, "block")
    page = alice.get(BUDGETS).text
    for name, value in sent.items():
        assert re.search(rf'name="{name}" value="{value}" checked', page), name
    assert "changed how answers are cached and paid" in words(alice.get("/settings/audit").text)


# --- own keys ---------------------------------------------------------------------------------------------------


def own(person: Browser) -> list[ByokKey]:
    with person.database.begin() as db:
        return list(db.scalars(select(ByokKey).where(ByokKey.owner_id.is_not(None), ByokKey.status == "active")))


def test_bob_connects_replaces_and_disconnects_a_key_of_his_own(alice: Browser, bob: Browser) -> None:
    allow_own_keys(alice)
    assert f'href="{OWN}/connect"' in bob.get(CARDS).text
    assert "It is used for your answers only" in words(bob.get(f"{OWN}/connect").text)
    sent = bob.send(f"{OWN}/connect", key=KEY, label="Bob's")
    assert (sent.status_code, sent.headers["Location"]) == (303, f"{CARDS}#own-anthropic")
    [kept] = own(bob)
    assert kept.owner_id == kept.created_by == bob.user_id
    page = bob.get(CARDS).text
    assert "Your own keys" in page
    assert "Bob&#39;s" in page
    assert KEY not in page
    bob.send(f"{OWN}/connect", key=KEY, label="Newer")
    assert [row.label for row in own(bob)] == ["Newer"]
    bob.send(f"{OWN}/disconnect")
    assert own(bob) == []


def test_bobs_key_is_shown_to_nobody_and_that_there_is_one_to_those_who_may_disconnect_it(
    app: Flask, alice: Browser, bob: Browser, charlie: Browser
) -> None:
    allow_own_keys(alice)
    carol = people.join(people.newcomer(app, "Carol"), alice.workspace_id, "member")
    bob.send(f"{OWN}/connect", key=KEY, label="Mine alone")
    [kept] = own(bob)
    for other in (carol, charlie):
        for page in (CARDS, "/chat", "/chat/models", "/settings/audit", BUDGETS):
            assert "Mine alone" not in other.get(page).text, page
    assert "Bob Anthropic since " in words(alice.get(CARDS).text)
    for page in (CARDS, "/chat", "/chat/models", "/settings/audit"):
        assert "Mine alone" not in alice.get(page).text, page
    assert "Mine alone" in bob.get(CARDS).text
    taken_off = f"/settings/members-keys/{kept.id}/disconnect"
    assert carol.send(taken_off).status_code == 403
    assert charlie.send(taken_off).status_code == 404
    assert alice.send(taken_off).status_code == 303
    assert own(bob) == []


def test_the_usage_page_tells_what_ran_on_own_keys_but_not_what_they_are_called(alice: Browser, bob: Browser) -> None:
    connect(alice, "Acme's key")
    answered(alice, Usage(input=2000))
    allow_own_keys(alice)
    bob.send(f"{OWN}/connect", key=KEY, label="Secret plan")
    answered(bob, Usage(input=1000), key=byok_of(bob))
    page = words(alice.get("/settings/usage").text)
    assert "Cost $0.0090" in page
    assert "Of these, 1,000 tokens ($0.0030) ran on members' own keys, not on the team's." in page
    assert "Bob's own key Anthropic $0.0030" in page
    assert {(row["member"], row["key"], row["own_key"]) for row in sheet(alice)} == {
        ("Alice", "Acme's key", ""),
        ("Bob", "", "yes"),
    }
    for where in ("/settings/usage", "/settings/usage.csv", CARDS, "/settings/audit"):
        assert "Secret plan" not in alice.get(where).text, where
    his = words(bob.get("/settings/usage").text)
    assert "Of these, 1,000 tokens ($0.0030) ran on your own keys, not on the team's." in his
    assert "Your own “Secret plan” Anthropic $0.0030" in his
    assert sheet(bob)[0]["key"] == "Secret plan"


def byok_of(person: Browser) -> KeyRef:
    """The key of their next answer, which can use Sonnet."""
    with person.database.begin() as db:
        key = byok.usable(person.scope, db)["anthropic"].ref
        picker.keep_list(person.scope, db, key.id, "anthropic", [RemoteModel(SONNET)])
        return key


def test_a_refused_own_key_is_not_kept_and_the_form_keeps_the_label(alice: Browser, bob: Browser) -> None:
    allow_own_keys(alice)
    sent = bob.post(
        f"{OWN}/connect",
        data={"workspace": str(bob.workspace_id), "key": "not a key", "label": "Mine"},
        headers=HTMX,
    )
    assert sent.status_code == 422
    assert 'id="own-anthropic"' in sent.text
    assert 'value="Mine"' in sent.text
    assert own(bob) == []


def test_where_own_keys_are_off_none_is_taken_and_an_older_one_is_shown_as_unused(
    alice: Browser, bob: Browser, anthropic: StandIn
) -> None:
    assert f"{OWN}/connect" not in bob.get(CARDS).text
    refused = bob.send(f"{OWN}/connect", key=KEY)
    assert refused.status_code == 403
    assert "Own keys are switched off here" in refused.text
    allow_own_keys(alice)
    bob.send(f"{OWN}/connect", key=KEY, label="Bob's")
    allow_own_keys(alice, False)
    assert "Not used" in bob.get(CARDS).text
    assert "Bob&#39;s" not in bob.get("/chat/models").text
    bob.send(f"{OWN}/disconnect")
    assert own(bob) == []


def test_who_leaves_or_is_removed_leaves_no_key_behind(app: Flask, alice: Browser, bob: Browser) -> None:
    allow_own_keys(alice)
    carol = people.join(people.newcomer(app, "Carol"), alice.workspace_id, "member")
    for person in (bob, carol):
        person.send(f"{OWN}/connect", key=KEY, label="Mine")
    bob.send("/settings/members/leave")
    alice.send(f"/settings/members/{carol.user_id}/remove")
    assert own(alice) == []


def test_a_member_cannot_make_the_teams_key_with_the_own_form(alice: Browser, bob: Browser) -> None:
    allow_own_keys(alice)
    assert bob.send(f"{CARDS}/anthropic/connect", key=KEY).status_code == 403
    bob.send(f"{OWN}/connect", key=KEY)
    with bob.database.begin() as db:
        assert db.scalars(select(ByokKey.owner_id)).all() == [bob.user_id]
    assert bob.send(f"{CARDS}/demo/own/connect", key=str(uuid.uuid4())).status_code == 404
