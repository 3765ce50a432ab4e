"""The card of a change in a real Chromium: it comes by itself, tells every tab, and stops asking when it is done."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, Request, expect

from tests.approving import BRAND, VIDEO, call, open_demo, pause, status_of
from tests.serving import Person, Server, someone, tidy
from webapp.config import Settings
from webapp.db import Database


@pytest.fixture
def alice(database: Database, settings: Settings, provider: str) -> Person:
    person = someone(database, settings, "Alice", provider=provider, key=f"sk-ant-api03-ok-{uuid.uuid4().hex}")
    open_demo(person.scope, database)
    return person


@pytest.fixture
def complaints(page: Page) -> Iterator[list[str]]:
    heard: list[str] = []
    page.on("console", lambda message: heard.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: heard.append(str(error)))
    yield heard
    assert heard == []


@pytest.fixture
def requests(page: Page) -> list[str]:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(_named(request)))
    return asked


def _named(request: Request) -> str:
    return f"{request.method} {re.sub(r'[0-9a-f-]{36}', '*', request.url.partition('?')[0].split('/', 3)[-1])}"


def ask(page: Page, server: Server, person: Person, text: str) -> None:
    page.context.add_cookies([{"name": "sid", "value": person.token, "url": server.base}])
    page.goto(f"{server.base}/chat")
    page.get_by_label("Message to Maxxer").fill(text)
    page.keyboard.press("Enter")


def turn(page: Page) -> str:
    """htmx leaves an empty style on inputs that it morphed."""
    return tidy(page.locator(".turn").evaluate("e => e.outerHTML")).replace(' style=""', "")


def test_from_the_card_to_the_deed_over_one_connection(
    page: Page, server: Server, database: Database, alice: Person, requests: list[str], complaints: list[str]
) -> None:
    ask(page, server, alice, pause(BRAND))
    card = page.get_by_role("region", name="Pause 1 campaign")
    expect(card.get_by_role("button", name="Approve")).to_be_visible(timeout=20_000)
    expect(page.locator("#announce")).to_have_text("Maxxer asks you to approve a change.")
    expect(card.get_by_role("checkbox", name=BRAND)).to_be_checked()
    page.reload()
    expect(card.get_by_role("button", name="Approve")).to_be_visible()
    assert Axe().run(page).response["violations"] == []
    assert status_of(database, alice.scope, BRAND) == "active"
    requests.clear()
    card.get_by_role("button", name="Approve").press("Enter")
    expect(card.get_by_role("heading", name="Pause 1 campaign")).to_be_focused()
    expect(card).to_contain_text("carried out", timeout=20_000)
    expect(page.locator(".turn[data-state=done]")).to_be_visible(timeout=20_000)
    assert status_of(database, alice.scope, BRAND) == "paused"
    before = [each for each in requests if each.endswith("/card")]
    streamed = turn(page)
    page.wait_for_timeout(3000)
    assert [each for each in requests if each.endswith("/card")] == before
    assert [each for each in requests if each.endswith("/stream")] == []
    page.reload()
    assert turn(page) == streamed


def test_what_is_unticked_in_one_tab_is_seen_in_the_other(
    page: Page, server: Server, database: Database, alice: Person
) -> None:
    ask(page, server, alice, pause(BRAND, VIDEO))
    cards = page.get_by_role("region", name="Pause 1 campaign")
    expect(cards).to_have_count(2, timeout=20_000)
    other = page.context.new_page()
    other.goto(page.url)
    first, second = other.get_by_role("region", name="Pause 1 campaign").all()
    first.get_by_label("Why you reject it, if you do").fill("Not the brand")
    first.get_by_role("button", name="Reject").click()
    expect(cards.first).to_contain_text("“Not the brand”")
    expect(cards.nth(1).get_by_role("button", name="Approve")).to_be_visible()
    expect(page.locator(".turn[data-state=waiting]")).to_be_visible()
    cards.nth(1).get_by_role("button", name="Approve").click()
    expect(second).to_contain_text("carried out", timeout=20_000)
    expect(other.locator(".turn[data-state=done]")).to_be_visible(timeout=20_000)
    assert [status_of(database, alice.scope, name) for name in (BRAND, VIDEO)] == ["active", "paused"]


def test_a_table_and_a_card_fit_a_phone(page: Page, server: Server, alice: Person) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    ask(page, server, alice, f"List them. {call('list_campaigns')} [[sim tokens=12]]")
    expect(page.locator(".turn[data-state=done]")).to_be_visible(timeout=20_000)
    page.get_by_text("Listing campaigns").click()
    expect(page.get_by_role("cell", name=BRAND)).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.get_by_label("Message to Maxxer").fill(pause(BRAND))
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("button", name="Approve")).to_be_visible(timeout=20_000)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.locator(".plan").evaluate("e => e.scrollWidth <= e.clientWidth")
