"""The card of a server of one's own: its address, a key only where it wants one, and what is said where it fails."""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, text

from tests import people
from tests.llm.upstream import Line, Script, Upstream, answer, close, self_signed, whole
from tests.pages.test_providers import HTMX, dump, words
from tests.people import Browser
from webapp import audit
from webapp.chat import picker
from webapp.config import Settings
from webapp.db import Database
from webapp.db.models import ByokKey
from webapp.llm import client
from webapp.llm.blocks import Message, Text
from webapp.llm.client import Client
from webapp.llm.errors import Fault, Kind
from webapp.llm.request import ModelRequest
from webapp.pages.own_server import base_url
from webapp.secret import Secret
from webapp.vault import byok

CARDS = "/settings/providers"
CONNECT, DISCONNECT = f"{CARDS}/self_hosted/connect", f"{CARDS}/self_hosted/disconnect"
KEY = "token-Q7Q7Q7Q7-of-acme"
VECTORS = Path(__file__).resolve().parents[3] / "shared" / "vectors" / "ssrf" / "must_block.json"
MUST_BLOCK: list[str] = json.loads(VECTORS.read_text("utf-8"))["must_block"] if VECTORS.exists() else []

CHUNKS = (
    {"choices": [{"index": 0, "delta": {"role": "assistant", "content": "Hi"}, "finish_reason": None}]},
    {"choices": [{"index": 0, "delta": {}, "finish_reason": "length"}]},
)
SAID = "".join(f"data: {json.dumps({'id': 'c', 'model': 'qwen3:8b', **c})}\n\n" for c in CHUNKS) + "data: [DONE]\n\n"
MODELS = json.dumps({"object": "list", "data": [{"id": "nomic-embed-text"}, {"id": "qwen3:8b"}]}).encode()


class Server:
    """Ollama's part, on loopback: `models` and `chat` say what it answers next."""

    def __init__(self) -> None:
        self.models: bytes | Script = answer(200, MODELS)
        self.chat: bytes | Script = whole(SAID.encode())

    def __call__(self, line: Line) -> None:
        reply = self.models if line.request.line.startswith("GET") else self.chat
        if callable(reply):
            reply(line)
        else:
            line.send(reply)


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def ollama(server: Server) -> Iterator[Upstream]:
    with Upstream(server) as there:
        yield there


@pytest.fixture
def settings(settings: Settings, ollama: Upstream) -> Settings:
    return replace(settings, self_hosted_hosts=frozenset({("127.0.0.1", ollama.port), ("localhost", ollama.port)}))


@pytest.fixture
def url(ollama: Upstream) -> str:
    return f"{ollama.url}/v1"


def keys(database: Database) -> list[ByokKey]:
    with database.begin() as db:
        return list(db.scalars(select(ByokKey).order_by(ByokKey.created_at)))


def card(html: str) -> str:
    found = re.search(r'<article class="card provider [^>]*id="provider-self_hosted".*?</article>', html, re.DOTALL)
    assert found is not None
    return found[0]


def refused(person: Browser, **form: str) -> str:
    """What the card says after a form that was not accepted; nothing was kept."""
    before = [(row.id, row.status) for row in keys(person.database)]
    sent = person.send(CONNECT, **form)
    assert sent.status_code == 422
    assert [(row.id, row.status) for row in keys(person.database)] == before
    return card(sent.text)


# --- the states of the card -------------------------------------------------------------------------------------


def test_the_card_says_what_it_is_for(alice: Browser) -> None:
    shown = words(card(alice.get(CARDS).text))
    assert "Your server" in shown
    assert "Ollama, vLLM, LM Studio, llama.cpp, LiteLLM" in shown
    assert "Not connected." in shown
    assert "Connect Your server" in shown


def test_the_form_asks_for_an_address_and_only_perhaps_for_a_key(alice: Browser) -> None:
    shown = card(alice.get(CONNECT, headers=HTMX).text)
    (address,) = re.findall(r'<input id="provider-self_hosted-base-url"[^>]*>', shown)
    (key,) = re.findall(r'<input id="provider-self_hosted-key"[^>]*>', shown)
    assert " required" in address
    assert 'placeholder="https://llm.example.com/v1"' in address
    assert " required" not in key
    assert 'type="password"' in key
    assert "Only if the server was started with one." in words(shown)
    assert "Testing the server…" in words(shown)
    assert 'value="Acme"' not in shown


@pytest.mark.parametrize("headers", [{}, HTMX], ids=["plain", "htmx"])
def test_alice_connects_a_server_without_a_key(
    alice: Browser, ollama: Upstream, url: str, headers: dict[str, str]
) -> None:
    form = {"workspace": str(alice.workspace_id), "base_url": url, "key": "", "label": "Box under the desk"}
    saved = alice.post(CONNECT, data=form, headers=headers)
    assert saved.status_code == (200 if headers else 303)
    page = saved.text if headers else alice.get(CARDS).text
    assert "Your server is connected. qwen3:8b answered in" in words(page)
    shown = words(card(page))
    assert f"Label Box under the desk Address {url} Key None" in shown
    assert [r.line.split()[:2] for r in ollama.requests] == [["GET", "/v1/models"], ["POST", "/v1/chat/completions"]]
    assert all("authorization" not in r.headers for r in ollama.requests)
    (row,) = keys(alice.database)
    assert (row.provider, row.base_url, row.status, row.prefix) == ("self_hosted", url, "active", "")


def test_alice_connects_a_server_that_wants_a_key(alice: Browser, ollama: Upstream, url: str) -> None:
    assert alice.send(CONNECT, base_url=f" {url}/chat/completions ", key=f'"Bearer {KEY}"').status_code == 303
    assert {r.headers["authorization"] for r in ollama.requests} == {f"Bearer {KEY}"}
    page = alice.get(CARDS).text
    assert f"Label Acme Address {url} Key token-…" in words(card(page))
    assert KEY not in page
    assert KEY not in dump(alice.database)


def test_a_new_address_is_tested_first_and_the_old_key_does_not_go_there(
    alice: Browser, ollama: Upstream, url: str
) -> None:
    alice.send(CONNECT, base_url=url, key=KEY, label="Box")
    form = card(alice.get(CONNECT, headers=HTMX).text)
    assert "The new server is tested first. Until it works, Box stays in use." in words(form)
    assert f'value="{url}"' in form
    before = len(ollama.requests)
    elsewhere = url.replace("127.0.0.1", "localhost").replace("/v1", "/other/v1")
    assert alice.send(CONNECT, base_url=elsewhere, key="", label="Box").status_code == 303
    later = ollama.requests[before:]
    assert [r.line.split()[1] for r in later] == ["/other/v1/models", "/other/v1/chat/completions"]
    assert all("authorization" not in r.headers for r in later)
    old, new = keys(alice.database)
    assert (old.status, old.sealed, new.base_url) == ("revoked", None, elsewhere)


def test_a_failed_replacement_leaves_the_old_server_in_use(alice: Browser, server: Server, url: str) -> None:
    alice.send(CONNECT, base_url=url, label="Box")
    server.models = answer(200, b'{"data":[]}')
    shown = refused(alice, base_url=f"{url}/x", label="Other")
    assert "The new server was not kept. Box stays in use." in words(shown)
    assert f'value="{url}/x"' in shown


def test_a_server_that_refuses_later_needs_attention(alice: Browser, bob: Browser, url: str) -> None:
    alice.send(CONNECT, base_url=url)
    with alice.database.begin() as db:
        ref = byok.active(alice.scope, db, "self_hosted")
        assert ref is not None
        byok.mark_refused(alice.scope, db, ref.id, Fault(Kind.INVALID_KEY, "no key", 401))
    shown = card(alice.get(CARDS).text)
    assert "Needs attention" in words(shown)
    assert "This server wants a key" in words(shown)
    assert f'value="{url}"' in shown
    assert "Connect it again" in words(shown)
    assert "Your server refused the workspace's key" in words(bob.get("/settings/audit").text)


def test_disconnecting_forgets_it(alice: Browser, url: str) -> None:
    alice.send(CONNECT, base_url=url, key=KEY)
    assert alice.send(DISCONNECT).status_code == 303
    page = words(alice.get(CARDS).text)
    assert "Your server is disconnected." in page
    assert "until you revoke it there" not in page
    assert [row.sealed for row in keys(alice.database)] == [None]


def test_the_audit_page_names_the_address(alice: Browser, url: str) -> None:
    alice.send(CONNECT, base_url=url, label="Box")
    alice.send(CONNECT, base_url=url, key=KEY, label="Box")
    said = words(alice.get("/settings/audit").text)
    assert f"Alice connected a key for Your server Box without a key {url}" in said
    assert re.search(rf"Alice replaced the key for Your server Box token-… [0-9a-f]{{8}} {re.escape(url)}", said)


# --- the address ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("https://LLM.acme.org", "https://llm.acme.org/v1"),
        ("https://llm.acme.org/", "https://llm.acme.org/v1"),
        ("https://llm.acme.org/v1/", "https://llm.acme.org/v1"),
        ("https://llm.acme.org:443/v1/chat/completions", "https://llm.acme.org/v1"),
        ("https://llm.acme.org/v1/models", "https://llm.acme.org/v1"),
        ("https://llm.acme.org/api/v1/responses/", "https://llm.acme.org/api/v1"),
        ("https://llm.acme.org/chat/completions", "https://llm.acme.org/v1"),
        ("https://llm.acme.org:4000/openai", "https://llm.acme.org:4000/openai"),
    ],
)
def test_the_base_url_is_found_in_what_people_paste(typed: str, kept: str) -> None:
    assert base_url(typed, frozenset()) == kept


BLOCKED = {
    "": "must begin with https://",
    "llm.acme.org": "must begin with https://",
    "http://llm.acme.org/v1": "Plain http is only for hosts that the operator named",
    "http://10.0.0.5:8000/v1": "Plain http is only for hosts that the operator named",
    "https://10.0.0.5:8000/v1": "private or reserved network",
    "https://localhost/v1": "private or reserved network",
    "https://169.254.169.254/latest": "private or reserved network",
    "https://me:hunter2@llm.acme.org/v1": "user name or password",
    "https://llm.acme.org/v1?key=1": "no ? and no #",
    "https://llm.acme.org\\@127.0.0.1/": "a backslash",
    "https://１２７.0.0.1/": "outside of ASCII",
    "https://0x7f000001/": "four plain numbers",
    "gopher://127.0.0.1:6379/_INFO": "gopher is not spoken here",
    "https://llm.acme.org/" + "a" * 400: "longer than 300 characters",
}


@pytest.mark.parametrize("typed", BLOCKED)
def test_an_address_that_is_not_taken_says_why_and_stays(alice: Browser, ollama: Upstream, typed: str) -> None:
    shown = refused(alice, base_url=typed, label="Box")
    assert "This address is not taken" in words(shown)
    assert BLOCKED[typed] in words(shown)
    assert 'value="Box"' in shown
    assert re.search(r'name="base_url"[^>]* value="([^"]*)"', shown.replace("\n", " "))[1] == typed[:400]  # type: ignore[index]
    assert ollama._open == []


def test_nothing_on_the_list_is_taken(alice: Browser, ollama: Upstream) -> None:
    """Most are refused as they stand; the public names among them that lead inside are http, so they are, too."""
    for typed in MUST_BLOCK:
        answered = alice.send(CONNECT, base_url=typed)
        tidied = " ".join(typed.split())
        if tidied in ("https://api.anthropic.com/",):  # only the spaces around it were wrong
            continue
        assert answered.status_code in (422, 429), typed
        assert answered.status_code == 429 or "This address is" in words(card(answered.text)), typed
    assert keys(alice.database) == []
    assert ollama._open == []


def test_a_name_that_leads_inside_is_told_after_it_was_looked_up(app: Flask, alice: Browser, ollama: Upstream) -> None:
    use(app, Client(resolve=lambda host, port: ["93.184.215.14", "127.0.0.1"]))
    shown = words(refused(alice, base_url=f"https://llm.acme.org:{ollama.port}/v1"))
    assert "This address is closed to us" in shown
    assert "SELF_HOSTED_HOSTS" in shown
    assert ollama._open == []


def use(app: Flask, made: Client) -> None:
    app.extensions["parts"] = replace(app.extensions["parts"], client=made)


# --- what goes wrong there --------------------------------------------------------------------------------------


def hang_up(line: Line) -> None:
    line.reset()


def half(line: Line) -> None:
    line.send(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: {")
    close(line)


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "Ollama's root": ({"models": answer(200, b"Ollama is running", "text/plain")}, "not an OpenAI-compatible server"),
    "a web site": ({"models": answer(200, b"<html>Welcome</html>", "text/html")}, "not an OpenAI-compatible server"),
    "no such page": ({"models": answer(404, b"404 page not found", "text/plain")}, "not an OpenAI-compatible server"),
    "another API": ({"models": answer(200, b'{"items":[]}')}, "not an OpenAI-compatible server"),
    "a redirect": ({"models": answer(302, b"", extra="location: http://127.0.0.1:1/\r\n")}, "not an OpenAI-compatible"),
    "no models": ({"models": answer(200, b'{"data":[]}')}, "Your server lists no model to chat with"),
    "only embeddings": ({"models": answer(200, b'{"data":[{"id":"bge-m3"}]}')}, "lists no model to chat with"),
    "hangs up": ({"models": hang_up}, "The server hung up"),
    "no chat": ({"chat": answer(200, b"<html></html>", "text/html")}, "not an OpenAI-compatible server"),
    "half a word": ({"chat": half}, "cut off"),
    "out of memory": ({"chat": answer(500, b'{"error":{"message":"CUDA out of memory"}}')}, "CUDA out of memory"),
    "wants a key": ({"models": answer(401, b'{"error":{"message":"Unauthorized"}}')}, "This server wants a key"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_server_that_fails_its_test_is_told_why_and_not_kept(
    alice: Browser, server: Server, url: str, case: str
) -> None:
    replies, said = WRONG[case]
    vars(server).update(replies)
    shown = refused(alice, base_url=url, label="Box")
    assert said in words(shown)
    assert "The server was not kept." in words(shown)
    assert f'value="{url}"' in shown
    assert 'value="Box"' in shown


def test_a_wrong_key_is_told_as_that_and_not_repeated(alice: Browser, server: Server, url: str) -> None:
    echo = json.dumps({"error": {"message": f"Invalid key {KEY}"}}).encode()
    server.models = answer(401, echo)
    shown = refused(alice, base_url=url, key=KEY)
    assert "Your server refused the key" in words(shown)
    assert "Your server said (HTTP 401): Invalid key [hidden]" in words(shown)
    assert KEY not in shown


@pytest.mark.parametrize("key", ["short", "has a space in it", "umläute-im-schlüssel", "x" * 600])
def test_what_is_no_key_is_told_without_asking(alice: Browser, ollama: Upstream, url: str, key: str) -> None:
    shown = refused(alice, base_url=url, key=key)
    assert "Leave it empty if the server wants none." in words(shown)
    assert key not in shown
    assert ollama._open == []


@pytest.mark.parametrize(
    "form", [{"label": f"mine {KEY}"}, {"base_url": f"https://llm.acme.org/{KEY}/v1"}, {"label": "sk-" + "a1" * 10}]
)
def test_a_key_in_the_wrong_field_is_refused_and_not_repeated(
    alice: Browser, ollama: Upstream, url: str, form: dict[str, str]
) -> None:
    shown = refused(alice, **{"base_url": url, "key": KEY, **form})
    assert "holds a key" in words(shown)
    assert KEY not in shown
    assert "a1a1a1a1" not in shown
    assert ollama._open == []


def test_nobody_at_the_address_is_told_as_that(settings: Settings) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound, but nobody listens
        port = closed.getsockname()[1]
        with people.running(replace(settings, self_hosted_hosts=frozenset({("127.0.0.1", port)}))) as app:
            alice = people.newcomer(app, "Alice", owns="Acme")
            shown = words(refused(alice, base_url=f"http://127.0.0.1:{port}"))
            assert "Nobody answers at this address" in shown
            assert "listen to their own machine only" in shown


def test_a_name_that_does_not_exist_is_told_as_that(app: Flask, alice: Browser) -> None:
    def unknown(host: str, port: int) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    use(app, Client(resolve=unknown))
    assert "There is no host of that name" in words(refused(alice, base_url="https://llm.acme.org"))


def test_a_certificate_that_does_not_fit_is_told_as_that(settings: Settings, server: Server, tmp_path: Path) -> None:
    with Upstream(server, self_signed(tmp_path / "server.pem")) as there:
        named = frozenset({("127.0.0.1", there.port)})
        with people.running(replace(settings, self_hosted_hosts=named)) as app:
            alice = people.newcomer(app, "Alice", owns="Acme")
            assert "The connection is not secure" in words(refused(alice, base_url=there.url))


def test_a_model_that_takes_too_long_to_load_is_told_as_that(
    alice: Browser, server: Server, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "SHORT", 0.3)
    server.chat = lambda line: time.sleep(2)
    began = time.monotonic()
    shown = words(refused(alice, base_url=url))
    assert 0.8 < time.monotonic() - began < 2  # it is given three times the usual patience
    assert "Your server did not answer in time" in shown
    assert "A large model can take minutes to load." in shown


def test_tests_are_counted(alice: Browser, server: Server, url: str) -> None:
    """Nobody looks around in the operator's network by the hundred."""
    server.models = answer(404, b"")
    assert [alice.send(CONNECT, base_url=url).status_code for _ in range(22)] == [422] * 20 + [429] * 2


# --- who may ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ["member", "viewer"])
def test_others_see_it_and_cannot_change_it(alice: Browser, app: Flask, ollama: Upstream, url: str, role: str) -> None:
    alice.send(CONNECT, base_url=url, key=KEY)
    dora = people.join(people.newcomer(app, "Dora"), alice.workspace_id, role)  # type: ignore[arg-type]
    shown = card(dora.get(CARDS).text)
    assert "Connected" in words(shown)
    assert "<form" not in shown
    asked = len(ollama.requests)
    for sent in (dora.get(CONNECT), dora.send(CONNECT, base_url=url), dora.send(DISCONNECT)):
        assert sent.status_code == 403
    assert len(ollama.requests) == asked
    assert [row.status for row in keys(alice.database)] == ["active"]


def test_charlie_s_server_is_his_own(alice: Browser, charlie: Browser, url: str) -> None:
    alice.send(CONNECT, base_url=url, label="Box of Acme")
    page = charlie.get(CARDS).text
    assert "Box of Acme" not in page
    assert url not in page
    charlie.send(CONNECT, base_url=f"{url}/charlie")
    assert {row.base_url for row in keys(alice.database)} == {url, f"{url}/charlie"}


def test_an_address_sent_to_another_provider_s_card_means_nothing(alice: Browser, ollama: Upstream, url: str) -> None:
    alice.send(f"{CARDS}/anthropic/connect", base_url=url, key="short")
    assert ollama._open == []


# --- chatting ---------------------------------------------------------------------------------------------------


def test_the_picker_offers_its_models_and_the_chat_reaches_it(alice: Browser, ollama: Upstream, url: str) -> None:
    alice.send(CONNECT, base_url=url, key=KEY)
    with alice.database.begin() as db:
        (group,) = picker.groups(alice.scope, db, alice.parts.providers)
    alice.parts.models.fetch(alice.scope, group.key)
    with alice.database.begin() as db:
        (group,) = picker.groups(alice.scope, db, alice.parts.providers)
        secret = byok.reveal(alice.scope, db, alice.parts.keyring, group.key.id, group.key.base_url)
    assert group.provider.base_url == url
    assert [pick.value for pick in group.picks] == ["self_hosted:qwen3:8b"]
    assert picker.must_find([group], "self_hosted:qwen3:8b").provider.base_url == url
    request = ModelRequest("qwen3:8b", (Message("user", (Text("Hello"),)),))
    assert list(alice.parts.client.stream(group.provider, request, secret))
    assert ollama.requests[-1].headers["authorization"] == f"Bearer {KEY}"
    assert "qwen3:8b" in alice.get("/chat").text


def test_an_address_changed_behind_our_back_is_sent_nothing(alice: Browser, url: str) -> None:
    with Upstream(lambda line: line.send(answer(200, MODELS))) as evil:
        alice.send(CONNECT, base_url=url, key=KEY)
        with alice.database.begin() as db:
            db.execute(text("update byok_keys set base_url = :url"), {"url": f"{evil.url}/v1"})
            ref = byok.active(alice.scope, db, "self_hosted")
            assert ref is not None
            assert ref.base_url == f"{evil.url}/v1"
        alice.parts.models.fetch(alice.scope, ref)
        assert evil._open == []


def test_a_server_that_lost_its_models_does_not_make_every_page_wait(
    alice: Browser, server: Server, ollama: Upstream, url: str
) -> None:
    alice.send(CONNECT, base_url=url)
    server.models = answer(500, b"")
    assert alice.get("/chat").status_code == 200
    asked = len(ollama.requests)
    assert alice.get("/chat").status_code == 200
    assert len(ollama.requests) == asked


def test_the_store_and_the_log_hold_the_address_and_no_key(alice: Browser, url: str) -> None:
    alice.send(CONNECT, base_url=url, key=KEY)
    with alice.database.begin() as db:
        (entry, *_) = audit.entries(alice.scope, db)
        ref = byok.active(alice.scope, db, "self_hosted")
        assert ref is not None
        assert byok.reveal(alice.scope, db, alice.parts.keyring, ref.id, url) == Secret(KEY)
    assert entry.details["base_url"] == url
    assert KEY not in dump(alice.database)
