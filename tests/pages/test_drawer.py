"""The drawer over HTTP: where it is, what is in it, what it is about, and which surface it speaks with."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import gevent
import pytest
from flask import Flask
from sqlalchemy import select

from tests import campaigns, people
from tests.people import Browser
from webapp.chat import transcript
from webapp.chat.events import Ended, TurnState
from webapp.chat.fold import fold
from webapp.chat.surfaces import SURFACES, Surface
from webapp.chat.transcript import Asking, SessionRow
from webapp.config import Settings
from webapp.db.models import Prefix
from webapp.pages import drawer as pages
from webapp.tools.maxxer import MAXXER

HTMX = {"HX-Request": "true"}
IN_DRAWER = {**HTMX, "X-Drawer": "true"}


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """No turn leaves this machine: nobody listens where the provider should be."""
    return replace(settings, base_urls={"anthropic": "http://127.0.0.1:9"})


@pytest.fixture
def alice(alice: Browser, connect: Callable[[Browser], None]) -> Browser:
    """Owner of Acme, which has a key."""
    connect(alice)
    return alice


@pytest.fixture
def notes(monkeypatch: pytest.MonkeyPatch) -> Surface:
    """A second surface: one record."""
    made = Surface("notes", "Notary", "You take notes.", MAXXER)
    monkeypatch.setitem(SURFACES, "notes", made)
    return made


def drawer(person: Browser, path: str = "/drawer", **more: Any) -> str:
    answer = person.get(path, headers=HTMX, **more)
    assert answer.status_code == 200
    assert answer.text.lstrip().startswith('<div class="drawer-body" id="drawer-body">')
    return answer.text


def send(person: Browser, headers: dict[str, str] = IN_DRAWER, **form: str) -> Any:
    form = {"text": "How is it going?", "request_id": str(uuid.uuid4()), **form}
    return person.post("/chat/send", data={"workspace": str(person.workspace_id), **form}, headers=headers)


def sessions(person: Browser, surface: str = "chat") -> list[SessionRow]:
    with person.database.look() as db:
        return transcript.sessions(person.scope, db, surface)


# --- where it is ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/campaigns", "/changes", "/settings/providers", "/docs", "/nothing-here"])
def test_every_page_of_a_workspace_has_it_closed_and_empty(alice: Browser, path: str) -> None:
    page = alice.get(path).text
    assert page.count('id="drawer"') == 1
    assert page.index("</main>") < page.index('id="drawer"')
    assert 'popovertarget="drawer"' in page
    assert 'data-drawer="/drawer?surface=chat"' in page
    assert 'id="composer"' not in page
    assert '<noscript><a class="ask" href="/chat">' in page


def test_the_chat_has_none_and_leaving_it_loads_the_page_whole(alice: Browser) -> None:
    page = alice.get("/chat").text
    assert 'id="drawer"' not in page
    assert 'popovertarget="drawer"' not in page
    assert "hx-boost:inherited" not in page
    campaigns_page = alice.get("/campaigns").text
    assert re.search(r'<a id="nav-chat" href="/chat" hx-boost="false"', campaigns_page)


def test_who_is_not_signed_in_or_has_no_workspace_has_none(app: Flask, anyone: Any) -> None:
    assert 'id="drawer"' not in anyone.get("/docs").text
    assert 'id="drawer"' not in people.newcomer(app, "Nora").get("/workspaces/new").text


def test_as_a_page_it_is_the_chat(alice: Browser) -> None:
    assert alice.get("/drawer?draft=Why%3F%20A%26B").location == "/chat?draft=Why%3F%20A%26B"
    send(alice)
    [session] = sessions(alice)
    assert alice.get(f"/drawer/{session.id}").location == f"/chat/{session.id}"


# --- what is in it ----------------------------------------------------------------------------------------------


def test_what_is_sent_in_it_stays_in_it(alice: Browser) -> None:
    answer = send(alice)
    [session] = sessions(alice)
    assert "HX-Push-Url" not in answer.headers
    assert "<title>" not in answer.text
    assert f'data-place="/drawer/{session.id}"' in answer.text
    assert 'hx-target="#sessions-today-rows"' not in answer.text
    assert "How is it going?" in drawer(alice, f"/drawer/{session.id}")
    assert "How is it going?" in alice.get(f"/chat/{session.id}").text
    assert "HX-Push-Url" in send(alice, HTMX).headers


def test_a_second_click_leads_to_what_the_first_one_started(alice: Browser) -> None:
    once = str(uuid.uuid4())
    send(alice, request_id=once)
    again = send(alice, request_id=once)
    [session] = sessions(alice)
    assert f'"path": "/drawer/{session.id}"' in again.headers["HX-Location"]
    assert send(alice, HTMX, request_id=once).headers["HX-Redirect"] == f"/chat/{session.id}"


def test_an_error_is_said_where_it_happened(alice: Browser) -> None:
    refused = send(alice, text=" ")
    assert (refused.status_code, refused.headers["HX-Retarget"]) == (422, "#drawer-notice")
    assert 'id="drawer-notice"' in refused.text
    assert send(alice, HTMX, text=" ").headers["HX-Retarget"] == "#notice"


def test_it_offers_the_chats_used_last_and_nobody_elses(alice: Browser, bob: Browser) -> None:
    send(alice, text="Alice's plan")
    assert "Alice&#39;s plan" in drawer(alice)
    assert "Alice&#39;s plan" in alice.get("/drawer/recent", headers=HTMX).text
    assert "Alice&#39;s plan" not in drawer(bob) + bob.get("/drawer/recent", headers=HTMX).text
    [session] = sessions(alice)
    assert bob.get(f"/drawer/{session.id}", headers=HTMX).status_code == 404


def test_a_viewer_is_told_that_viewers_do_not_chat(app: Flask, alice: Browser) -> None:
    vera = people.join(people.newcomer(app, "Vera"), alice.workspace_id, "viewer")
    assert "Viewers do not chat" in drawer(vera)
    assert "<textarea" not in drawer(vera)


# --- what a question is about -----------------------------------------------------------------------------------


@pytest.fixture
def shoes(alice: Browser) -> uuid.UUID:
    account = campaigns.account(alice.database, alice.scope)
    return campaigns.campaign(alice.database, alice.scope, account, "Shoes <b>")


@pytest.mark.parametrize("path", ["/drawer", "/chat"])
def test_a_link_prepares_a_question_and_what_it_is_about(alice: Browser, shoes: uuid.UUID, path: str) -> None:
    page = alice.get(f"{path}?context=campaign:{shoes}&draft=Why%3F", headers=HTMX).text
    assert "Why?</textarea>" in page
    assert f'name="context" value="campaign:{shoes}" checked' in page
    assert "About: <bdi>Campaign Shoes &lt;b&gt;</bdi>" in page
    assert 'class="suggestions"' not in page


def test_the_campaigns_lead_there(alice: Browser, shoes: uuid.UUID) -> None:
    for page in (alice.get("/campaigns").text, alice.get(f"/campaigns/{shoes}").text):
        assert f'href="/chat?context=campaign:{shoes}&amp;draft=' in page
        assert f'hx-get="/drawer?context=campaign:{shoes}&amp;draft=' in page


def test_what_it_is_about_is_looked_up_by_the_server(alice: Browser, charlie: Browser, shoes: uuid.UUID) -> None:
    about = f"campaign:{shoes}"
    assert "About: <bdi>Campaign Shoes" in send(alice, context=about).text
    assert "About:" not in send(alice).text
    for wrong in (f"campaign:{uuid.uuid4()}", "campaign:x", f"account:{shoes}"):
        assert alice.get(f"/drawer?context={wrong}", headers=HTMX).status_code == 404
        assert send(alice, context=wrong).status_code == 404
    assert charlie.get(f"/drawer?context={about}", headers=HTMX).status_code == 404


# --- which surface ----------------------------------------------------------------------------------------------


def test_a_surface_has_its_own_sessions_and_keeps_them(alice: Browser, notes: Surface) -> None:
    first = drawer(alice, "/drawer?surface=notes")
    assert '<h2 id="drawer-title" title="">Notary</h2>' in first
    assert '<input type="hidden" name="surface" value="notes">' in first
    send(alice, text="A note", surface="notes")
    send(alice, text="A chat")
    assert [row.title for row in sessions(alice, "notes")] == ["A note"]
    assert [row.title for row in sessions(alice)] == ["A chat"]
    assert "A chat" not in drawer(alice, "/drawer?surface=notes")
    assert "A note" not in drawer(alice) + alice.get("/chat").text
    [note] = sessions(alice, "notes")
    assert 'data-home="/drawer?surface=notes"' in drawer(alice, f"/drawer/{note.id}")


def test_a_turn_runs_with_the_surface_of_its_session_whatever_the_form_says(alice: Browser, notes: Surface) -> None:
    with alice.database.begin() as db:
        asking = Asking(uuid.uuid4(), "A note", "anthropic", "claude-sonnet-5-5", "Sonnet", None, "", surface="notes")
        ref, _ = transcript.open_turn(alice.scope, db, None, asking, "w1")
        transcript.finish(db, ref, fold([Ended(TurnState.STOPPED)]))
    send(alice, session_id=str(ref.session_id), surface="chat")
    assert [row.title for row in sessions(alice, "notes")] == ["A note"]
    assert sessions(alice) == []
    gevent.sleep(0.1)  # the runner's turn
    with alice.database.look() as db:
        assert db.scalars(select(Prefix.surface)).all() == ["notes"]
        assert db.scalars(select(Prefix.system)).all() == ["You take notes."]


def test_a_section_with_the_name_of_a_surface_opens_that_one(app: Flask, notes: Surface) -> None:
    with app.test_request_context():
        assert pages.home("notes") == "/drawer?surface=notes"
        assert pages.home("campaigns") == pages.home("") == "/drawer?surface=chat"


def test_a_surface_that_there_is_not_is_not_found(alice: Browser) -> None:
    assert alice.get("/drawer?surface=poetry", headers=HTMX).status_code == 404
    assert alice.get("/drawer/recent?surface=poetry", headers=HTMX).status_code == 404
    assert send(alice, surface="poetry").status_code == 404
