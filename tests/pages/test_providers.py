"""Settings › AI providers: what a card shows in each state, that a key is kept only when it works, and never shown."""

from __future__ import annotations

import base64
import json
import logging
import re
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pytest
from flask import Flask
from sqlalchemy import select, text

from tests import people
from tests.pages.anthropic_stand_in import GOOD, Reply, StandIn, error, stand_in, stream
from tests.pages.dom import words
from tests.people import Browser
from webapp import audit
from webapp.config import Settings
from webapp.db import Database
from webapp.db.models import ByokKey
from webapp.llm import client
from webapp.llm.errors import Fault, Kind
from webapp.pages.providers import pasted
from webapp.secret import Secret
from webapp.vault import byok

KEY = "sk-ant-api03-" + "Q7" * 40 + "AA"
NEXT_KEY = "sk-ant-api03-" + "9z" * 40 + "AA"
CARDS = "/settings/providers"
CONNECT, DISCONNECT = f"{CARDS}/anthropic/connect", f"{CARDS}/anthropic/disconnect"
ROOT = Path(__file__).resolve().parents[2]
HTMX = {"HX-Request": "true"}


@pytest.fixture
def settings(settings: Settings, anthropic: StandIn) -> Settings:
    return replace(settings, base_urls={"anthropic": anthropic.url})


def keys(database: Database) -> list[ByokKey]:
    with database.begin() as db:
        return list(db.scalars(select(ByokKey).order_by(ByokKey.created_at)))


def card(html: str) -> str:
    found = re.search(r'<article class="card provider [^>]*id="provider-anthropic".*?</article>', html, re.DOTALL)
    assert found is not None
    return found[0]


def refuse(there: StandIn, alice: Browser) -> None:
    """The provider refuses the connected key, later, in a chat."""
    with alice.database.begin() as db:
        ref = byok.active(alice.scope, db, "anthropic")
        assert ref is not None
        byok.mark_refused(alice.scope, db, ref.id, Fault(Kind.INVALID_KEY, "invalid x-api-key", 401))


# --- the states of a card ---------------------------------------------------------------------------------------


def test_a_provider_that_is_not_connected_offers_to_connect(alice: Browser) -> None:
    shown = card(alice.get(CARDS).text)
    assert "Anthropic" in words(shown)
    assert "Connect" in words(shown)
    assert "https://platform.claude.com/settings/keys" in shown
    assert alice.get("/settings").headers["Location"] == CARDS


def test_the_form_asks_for_a_key_and_a_label_and_can_be_left(alice: Browser) -> None:
    page = alice.get(CONNECT)
    shown = card(page.text)
    assert page.status_code == 200
    assert 'type="password"' in shown
    assert 'placeholder="Acme"' in shown
    assert "Testing the key…" in words(shown)
    assert alice.get(CONNECT, headers=HTMX).text.count("<article") == 1
    left = alice.get(f"{CARDS}/anthropic", headers=HTMX).text
    assert "<form" not in left
    assert "<html" not in left
    assert alice.get(f"{CARDS}/anthropic").headers["Location"] == f"{CARDS}#provider-anthropic"


def test_alice_connects_a_key_without_javascript(alice: Browser, anthropic: StandIn) -> None:
    saved = alice.send(CONNECT, key=KEY, label="Team key")
    assert (saved.status_code, saved.headers["Location"]) == (303, f"{CARDS}#provider-anthropic")
    assert anthropic.keys == [KEY]
    page = alice.get(CARDS).text
    assert "Anthropic is connected. claude-haiku-4-5 answered in" in words(page)
    said = words(card(page))
    assert "Connected" in said
    assert "Label Team key Key sk-ant…" in said
    assert "by Alice Last used Not yet" in said
    assert "https://platform.claude.com/usage" in page
    assert "Replace" in said
    assert "Disconnect" in said


def test_alice_connects_a_key_with_htmx(alice: Browser) -> None:
    saved = alice.post(CONNECT, data={"workspace": str(alice.workspace_id), "key": KEY}, headers=HTMX)
    assert saved.status_code == 200
    assert "Label Acme" in words(card(saved.text))
    assert "<html" not in saved.text
    assert re.search(r'id="notice"[^>]*hx-swap-oob="true"', saved.text)
    assert re.search(r'id="banner"[^>]*hx-swap-oob="true"', saved.text)
    assert "Anthropic is connected" in words(saved.text)


def test_a_refused_key_needs_attention_on_every_page_until_it_is_replaced(
    alice: Browser, bob: Browser, anthropic: StandIn
) -> None:
    alice.send(CONNECT, key=KEY)
    refuse(anthropic, alice)
    shown = card(alice.get(CARDS).text)
    assert "Needs attention" in words(shown)
    assert "Anthropic said (HTTP 401): invalid x-api-key" in words(shown)
    assert "Reconnect with a new key" in words(shown)
    assert "usually starts with" not in words(shown)
    for page in ("/settings/audit", "/settings/members", CARDS):
        assert 'class="banner"' in alice.get(page).text
        assert "Anthropic refused the workspace's key" in words(bob.get(page).text)
    again = alice.post(CONNECT, data={"key": NEXT_KEY}, headers=HTMX).text
    assert 'class="banner"' not in again
    assert 'class="banner"' not in alice.get("/settings/audit").text


def test_disconnecting_takes_one_click_and_says_what_remains(alice: Browser) -> None:
    alice.send(CONNECT, key=KEY)
    gone = alice.send(DISCONNECT)
    assert gone.status_code == 303
    page = words(alice.get(CARDS).text)
    assert "Anthropic is disconnected. The key stays valid at Anthropic until you revoke it there." in page
    assert "Not connected." in page
    (row,) = keys(alice.database)
    assert (row.status, row.sealed) == ("revoked", None)
    assert alice.send(DISCONNECT).status_code == 303


def test_replacing_keeps_the_label_and_shows_the_old_key_in_use_until_then(alice: Browser, anthropic: StandIn) -> None:
    alice.send(CONNECT, key=KEY, label="Team key")
    form = card(alice.get(CONNECT, headers=HTMX).text)
    assert "Until it works, Team key stays in use." in words(form)
    assert 'value="Team key"' in form
    alice.send(CONNECT, key=NEXT_KEY, label="Team key")
    old, new = keys(alice.database)
    assert (old.status, old.sealed, new.status) == ("revoked", None, "active")
    assert anthropic.keys == [KEY, NEXT_KEY]


# --- what is pasted ---------------------------------------------------------------------------------------------

PASTES = [
    KEY,
    f"  {KEY}\n",
    f'"{KEY}"',
    f"\u201c{KEY}\u201d",
    f"Bearer {KEY}",
    f"bearer  '{KEY}'",
    f"\ufeff{KEY[:20]}\u200b{KEY[20:]}\u2060",
    f"{KEY[:40]}\r\n{KEY[40:]}",
    f"\u00a0{KEY}\u3000",
]


@pytest.mark.parametrize("paste", PASTES)
def test_a_paste_is_read_as_the_key_it_holds(paste: str) -> None:
    assert pasted(paste) == KEY


def test_the_provider_is_shown_the_key_not_the_paste(alice: Browser, anthropic: StandIn) -> None:
    alice.send(CONNECT, key=f'\u200b "Bearer {KEY}" \r\n')
    assert anthropic.keys == [KEY]


@pytest.mark.parametrize(
    ("paste", "said"),
    [
        ("", "Paste a key first"),
        ("   \n", "Paste a key first"),
        ("sk-ant-short", "This is not an API key"),
        ("sk-ant-api03-" + "x" * 600, "This is not an API key"),
        ("my key is sk-ant-api03-abcdefgh", "This is not an API key"),
        ("sk-ant-api03-schlüssel-mit-umlaut", "This is not an API key"),
        ("sk-ant-admin01-abcdefghijklmnop", "This is an Anthropic admin key"),
        ("sk-ant-oat01-abcdefghijklmnopqrs", "This is an OAuth token"),
        ("sk-ant-ort01-abcdefghijklmnopqrs", "This is an OAuth refresh token"),
        ("sk-ant-sid01-abcdefghijklmnopqrs", "This is a browser session key"),
    ],
)
def test_what_cannot_be_a_key_is_told_without_asking_the_provider(
    alice: Browser, anthropic: StandIn, paste: str, said: str
) -> None:
    refused = alice.send(CONNECT, key=paste, label="Team key")
    assert refused.status_code == 422
    assert said in words(card(refused.text))
    assert 'value="Team key"' in refused.text
    assert not paste.strip() or paste not in refused.text
    assert anthropic.paths == []
    assert keys(alice.database) == []


def test_a_key_in_the_label_is_refused_and_not_repeated(alice: Browser, anthropic: StandIn) -> None:
    for label in (KEY, f"mine: {KEY}", NEXT_KEY):
        refused = alice.send(CONNECT, key=KEY, label=label)
        assert refused.status_code == 422
        assert "The label holds a key" in words(refused.text)
        assert label not in refused.text
    assert anthropic.paths == []


# --- nothing kept -----------------------------------------------------------------------------------------------

FAILURES = {
    "wrong key": (error(401, "authentication_error", "invalid x-api-key"), "Anthropic refused the key"),
    "no access": (error(403, "permission_error", "not allowed"), "This key has no permission for that"),
    "limited": (error(429, "rate_limit_error", "slow down", **{"retry-after": "30"}), "Try again in 30 s."),
    "overloaded": (error(529, "overloaded_error", "Overloaded"), "Anthropic is overloaded The key is fine."),
    "no credit": (
        error(400, "invalid_request_error", "Your credit balance is too low to access the Anthropic API."),
        "No credit left at Anthropic",
    ),
    "broken": (error(500, "api_error", "Internal server error"), "Anthropic had an internal error"),
    "login page": (
        Reply(200, b"<html>Sign in to the hotel</html>", {"content-type": "text/html"}),
        "That was not Anthropic answering",
    ),
    "nothing": (Reply(200, b"", {"content-type": "text/event-stream"}), "cut off"),
    "late error": (
        stream(("error", {"error": {"type": "overloaded_error", "message": "Overloaded"}})),
        "Anthropic is overloaded",
    ),
}
JUDGED = {"wrong key", "no access", "no credit"}


@pytest.mark.parametrize("case", FAILURES)
def test_a_key_that_fails_its_test_is_told_why_and_not_kept(alice: Browser, anthropic: StandIn, case: str) -> None:
    anthropic.reply, said = FAILURES[case]
    refused = alice.send(CONNECT, key=KEY, label="Team key")
    assert refused.status_code == 422
    shown = words(card(refused.text))
    assert said in shown
    assert "The key was not kept." in shown
    assert 'value="Team key"' in refused.text
    assert KEY not in refused.text
    assert case in JUDGED or "refused the key" not in shown
    assert keys(alice.database) == []


@pytest.mark.parametrize("case", FAILURES)
def test_a_failed_replacement_leaves_the_old_key_in_use(alice: Browser, anthropic: StandIn, case: str) -> None:
    alice.send(CONNECT, key=KEY, label="Team key")
    before = [vars(row) | {"_sa_instance_state": None} for row in keys(alice.database)]
    anthropic.reply, _ = FAILURES[case]
    refused = alice.post(CONNECT, data={"key": NEXT_KEY, "label": "Newer"}, headers=HTMX)
    assert refused.status_code == 422
    assert "The new key was not kept. Team key stays in use." in words(refused.text)
    assert [vars(row) | {"_sa_instance_state": None} for row in keys(alice.database)] == before
    with alice.database.begin() as db:
        ref = byok.active(alice.scope, db, "anthropic")
        assert ref is not None
        assert byok.reveal(alice.scope, db, alice.parts.keyring, ref.id) == Secret(KEY)
        assert audit.entries(alice.scope, db)[0].action == "key.connected"


def test_a_provider_that_does_not_answer_is_told_as_that(
    alice: Browser, anthropic: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "SHORT", 0.5)
    anthropic.reply = Reply(200, b"", silence=3)
    refused = alice.send(CONNECT, key=KEY)
    assert "Anthropic did not answer in time The key was not judged." in words(refused.text)
    assert keys(alice.database) == []


def test_a_redirect_is_not_followed_with_the_key(alice: Browser, anthropic: StandIn) -> None:
    with stand_in() as elsewhere:
        anthropic.reply = Reply(302, b"", {"location": f"{elsewhere.url}/v1/messages"})
        refused = alice.send(CONNECT, key=KEY)
        assert elsewhere.paths == []
    assert refused.status_code == 422
    assert "That was not Anthropic answering" in words(refused.text)
    assert keys(alice.database) == []


def test_a_closed_port_is_told_as_the_network(settings: Settings) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound, but nobody listens
        nowhere = {"anthropic": f"http://127.0.0.1:{closed.getsockname()[1]}"}
        with people.running(replace(settings, base_urls=nowhere)) as app:
            alice = people.newcomer(app, "Alice", owns="Acme")
            refused = alice.send(CONNECT, key=KEY)
            assert "Anthropic could not be reached" in words(refused.text)
            assert keys(alice.database) == []


def test_a_key_of_another_shape_is_only_hinted_at(alice: Browser, anthropic: StandIn) -> None:
    anthropic.reply = FAILURES["wrong key"][0]
    odd = "key_abcdefghijklmnopqrstuvwxyz"
    assert "usually starts with sk-ant-" in words(alice.send(CONNECT, key=odd).text)
    assert "usually starts with sk-ant-" not in words(alice.send(CONNECT, key=KEY).text)
    anthropic.reply = GOOD
    assert alice.send(CONNECT, key=odd).status_code == 303


OTHERS = {
    "sk-or-v1-" + "0a" * 32: "an OpenRouter key",
    "sk-proj-" + "aB3" * 20: "an OpenAI key",
    "gsk_" + "aB3" * 17: "a Groq key",
    "AIza" + "aB3" * 12: "a Google key",
    "xai-" + "aB3" * 20: "an xAI key",
}


@pytest.mark.parametrize("key", OTHERS, ids=OTHERS.values())
def test_the_key_of_another_provider_is_named_and_sent_only_when_a_person_insists(
    alice: Browser, anthropic: StandIn, key: str
) -> None:
    refused = alice.send(CONNECT, key=key, label="Team key")
    assert refused.status_code == 422
    assert f"This looks like {OTHERS[key]}" in words(refused.text)
    assert "Test it anyway" in words(refused.text)
    assert anthropic.keys == []
    assert key not in refused.text
    assert alice.send(CONNECT, key=key, anyway="1").status_code == 303
    assert anthropic.keys == [key]


def test_a_beginning_that_several_providers_share_names_none_of_them(alice: Browser, anthropic: StandIn) -> None:
    key = "sk-" + "0a" * 24
    assert alice.send(CONNECT, key=key).status_code == 303
    assert anthropic.keys == [key]


def test_every_answer_of_a_card_takes_an_older_notice_away(alice: Browser) -> None:
    for answer in (alice.get(CONNECT, headers=HTMX), alice.post(CONNECT, data={"key": ""}, headers=HTMX)):
        assert 'id="notice" class="notices" hx-swap-oob="true"' in answer.text


def test_a_connected_card_leads_on_to_the_chat(alice: Browser, anthropic: StandIn) -> None:
    assert "Start a chat" not in words(alice.get("/settings/providers").text)
    saved = alice.post(CONNECT, data={"key": KEY}, headers=HTMX)
    assert "Start a chat" in words(saved.text)


def test_no_transaction_is_open_while_the_provider_is_asked(alice: Browser, anthropic: StandIn) -> None:
    seen: list[int] = []
    waiting = "select count(*) from pg_stat_activity where datname = current_database() and state like 'idle in%'"

    def look() -> None:
        with alice.database.begin() as db:
            seen.append(db.execute(text(waiting)).scalar_one())

    anthropic.while_answering = look
    alice.send(CONNECT, key=KEY)
    assert seen == [0]


def test_alice_loses_her_role_while_her_key_is_tested(alice: Browser, anthropic: StandIn) -> None:
    def demote() -> None:
        with alice.database.begin() as db:
            db.execute(text("update workspace_members set role = 'member'"))

    anthropic.while_answering = demote
    assert alice.send(CONNECT, key=KEY).status_code == 403
    assert keys(alice.database) == []


def test_nobody_tries_out_keys_by_the_hundred(alice: Browser, anthropic: StandIn) -> None:
    anthropic.reply = FAILURES["wrong key"][0]
    answers = [alice.send(CONNECT, key=f"sk-ant-api03-guess-{n:04}").status_code for n in range(22)]
    assert answers == [422] * 20 + [429] * 2
    assert len(anthropic.keys) == 20


# --- who may ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ["member", "viewer"])
def test_others_see_the_cards_and_who_can_change_them(alice: Browser, app: Flask, role: str) -> None:
    alice.send(CONNECT, key=KEY)
    dora = people.join(people.newcomer(app, "Dora"), alice.workspace_id, role)  # type: ignore[arg-type]
    page = dora.get(CARDS).text
    assert "Keys are changed by an owner or admin of Acme: Alice." in words(page)
    assert "Connected" in words(card(page))
    assert not re.search("<form|<button|/connect", card(page))
    for answer in (dora.get(CONNECT), dora.send(CONNECT, key=NEXT_KEY), dora.send(DISCONNECT)):
        assert answer.status_code == 403
    assert [row.status for row in keys(alice.database)] == ["active"]


def test_an_admin_may(alice: Browser, app: Flask) -> None:
    erin = people.join(people.newcomer(app, "Erin"), alice.workspace_id, "admin")
    assert erin.send(CONNECT, key=KEY).status_code == 303
    assert "by Erin" in words(card(alice.get(CARDS).text))


def test_charlie_sees_his_own_cards_not_acme_s(alice: Browser, charlie: Browser) -> None:
    alice.send(CONNECT, key=KEY, label="Team key of Acme")
    page = charlie.get(CARDS).text
    assert "Team key of Acme" not in page
    assert "Not connected." in words(card(page))
    assert charlie.send(DISCONNECT).status_code == 303
    assert [row.status for row in keys(alice.database)] == ["active"]


def test_a_page_of_another_workspace_changes_nothing(alice: Browser, charlie: Browser, anthropic: StandIn) -> None:
    stale = alice.post(CONNECT, data={"workspace": str(charlie.workspace_id), "key": KEY})
    assert stale.status_code == 409
    assert anthropic.paths == []


@pytest.mark.parametrize("path", ["/nobody", "/nobody/connect", "/Anthropic", "/demo"])
def test_a_provider_that_does_not_exist_is_not_found(alice: Browser, path: str) -> None:
    assert alice.get(CARDS + path).status_code == 404


@pytest.mark.parametrize("action", ["connect", "disconnect"])
def test_nothing_happens_to_a_provider_that_does_not_exist(alice: Browser, action: str) -> None:
    assert alice.send(f"{CARDS}/nobody/{action}", key=KEY).status_code == 404


def test_the_audit_page_says_who_connected_replaced_and_disconnected(alice: Browser, bob: Browser) -> None:
    alice.send(CONNECT, key=KEY, label="One")
    alice.send(CONNECT, key=NEXT_KEY, label="Two")
    alice.send(DISCONNECT)
    said = words(bob.get("/settings/audit").text)
    found = [said.index(f"Alice {deed}") for deed in ("disconnected Anthropic", "replaced the key for Anthropic")]
    assert found == sorted(found)  # the newest first
    assert "Alice connected a key for Anthropic One sk-ant…" in said
    assert "Alice created the workspace Acme" in said


# --- silence ----------------------------------------------------------------------------------------------------

CANARY = "sk-ant-api03-Canary+of/the=Mine%20&7f3e9Zq\"x'y"


def forms(key: str) -> set[str]:
    raw = key.encode()
    found = {key, key[::-1], raw.hex(), quote(key, safe=""), quote(key), json.dumps(key)[1:-1], key[13:], key[20:]}
    for shift in range(3):  # base64 of the key within a longer text
        coded = base64.b64encode(b"\0" * shift + raw).decode()
        found |= {coded[8:-8], coded[8:-8].replace("+", "-").replace("/", "_")}
    return found | {form.upper() for form in (raw.hex(),)}


def dump(database: Database) -> str:
    """Every row of every table, as text."""
    with database.begin() as db:
        tables = db.scalars(text("select tablename from pg_tables where schemaname = 'public'")).all()
        rows = [row for name in tables for row in db.scalars(text(f'select t::text from "{name}" t'))]
    return "\n".join(rows)


class Everything(logging.Handler):
    """Keeps every record of every logger with its traceback, before the app's own handler redacts it."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(logging.Formatter("%(name)s %(message)s").format(record))


@pytest.fixture
def logged() -> Iterator[list[str]]:
    handler, root = Everything(), logging.getLogger()
    level = root.level
    root.handlers.insert(0, handler)
    root.setLevel(logging.DEBUG)
    logging.getLogger("sqlalchemy.engine").setLevel(logging.DEBUG)
    yield handler.lines
    root.removeHandler(handler)
    root.setLevel(level)
    logging.getLogger("sqlalchemy.engine").setLevel(logging.NOTSET)


def test_a_key_is_nowhere_but_where_it_is_sent(alice: Browser, anthropic: StandIn, logged: list[str]) -> None:
    """Connect, fail in every way, replace, use, break, disconnect: then search what was logged, shown and stored."""
    alice.application.testing = False
    shown: list[str] = []
    stored: list[str] = []

    def act(path: str, **form: str) -> int:
        for headers in ({}, HTMX):
            answer = alice.post(path, data=form, headers=headers)
            shown.append(f"{answer.headers}{answer.text}")
            shown.append(alice.get(CARDS).text)
            stored.append(dump(alice.database))
        return int(answer.status_code)

    echo = error(401, "authentication_error", f"no such key: {CANARY} ({CANARY[:30]}, {quote(CANARY)})")
    for reply in (echo, *(reply for reply, _ in FAILURES.values())):
        anthropic.reply = reply
        assert act(CONNECT, key=CANARY) in (422, 429)
    with alice.database.begin() as db:
        db.execute(text("delete from throttles"))
    assert act(CONNECT, key=CANARY, label=CANARY) == 422
    anthropic.reply = GOOD
    assert act(CONNECT, key=CANARY) == 200
    with alice.database.begin() as db:
        ref = byok.active(alice.scope, db, "anthropic")
        assert ref is not None
        byok.reveal(alice.scope, db, alice.parts.keyring, ref.id)
        db.execute(text("alter table audit_events rename to hidden"))
    assert alice.post(CONNECT, data={"key": CANARY}).status_code == 500
    with alice.database.begin() as db:
        db.execute(text("alter table hidden rename to audit_events"))
    shown.append(alice.get("/settings/audit").text)
    assert act(DISCONNECT) == 200

    assert CANARY in anthropic.keys  # it was really sent
    assert any("audit_events" in line and "Traceback" in line for line in logged)  # the crash was really logged
    assert any("byok_keys" in line and "INSERT" in line for line in logged)
    assert "sk-ant" in "".join(stored)  # the dump really reads the rows
    for where, texts in {"log": logged, "page": shown, "database": stored}.items():
        everything = "\n".join(texts)
        assert [form for form in forms(CANARY) if form in everything] == [], where
