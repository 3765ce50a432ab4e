"""The drawer in a browser: a conversation that is opened anywhere, and stays while one walks on."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, expect

from tests import campaigns
from tests.approving import BRAND, open_demo, pause, status_of
from tests.browser.test_journeys import GOOD, SLOW, enter_as, send, wait_until_done
from tests.serving import Person, Server, someone
from webapp.config import Settings
from webapp.db import Database


@pytest.fixture
def alice(database: Database, settings: Settings, provider: str) -> Person:
    return someone(database, settings, "Alice", provider=provider, key=GOOD + uuid.uuid4().hex)


@pytest.fixture
def page(page: Page) -> Iterator[Page]:
    """One that the browser does not complain of."""
    heard: list[str] = []
    page.on("console", lambda message: heard.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: heard.append(str(error)))
    yield page
    assert [each for each in heard if not re.search("ERR_INTERNET_DISCONNECTED|Failed to fetch", each)] == []


@pytest.fixture
def beside(page: Page, server: Server, database: Database, alice: Person) -> Page:
    """Alice before two campaigns, the drawer closed."""
    account = campaigns.account(database, alice.scope)
    for name in ("Brand", "Shoes"):
        campaigns.campaign(database, alice.scope, account, name)
    page.set_viewport_size({"width": 1440, "height": 900})
    enter_as(page, server, alice)
    page.goto(f"{server.base}/campaigns")
    return page


def drawer(page: Page) -> Locator:
    return page.get_by_role("complementary", name="Ask Maxxer")


def box(page: Page) -> Locator:
    return page.get_by_label("Message to Maxxer")


def opened(page: Page) -> Locator:
    page.keyboard.press("Control+j")
    expect(box(page)).to_be_focused()
    return drawer(page)


def test_a_conversation_goes_along_from_page_to_page(beside: Page) -> None:
    shown = opened(beside)
    send(beside, SLOW)
    text = shown.locator(".turn .md")
    expect(text).to_contain_text(re.compile(r"\w+ \w+ \w+"))
    box(beside).fill("And then")

    beside.get_by_role("link", name="Changes").click()
    expect(beside.get_by_role("heading", name="Changes", exact=True)).to_be_visible()
    expect(shown.locator(".turn[aria-busy]")).to_be_visible()
    said = text.inner_text()
    expect(text).not_to_have_text(said)
    expect(box(beside)).to_have_value("And then")
    beside.go_back()
    expect(beside.get_by_role("heading", name="Campaigns", exact=True)).to_be_visible()
    expect(box(beside)).to_have_value("And then")
    expect(shown.locator(".turn[aria-busy]")).to_be_visible()
    beside.reload()
    expect(box(beside)).to_have_value("And then")
    expect(shown.locator(".turn .question")).to_contain_text("Take your time")
    wait_until_done(beside)
    expect(shown.locator(".turn")).to_have_attribute("data-state", "done")
    expect(beside).to_have_url(re.compile(r"/campaigns$"))
    assert Axe().run(beside).response["violations"] == []

    shown.get_by_role("link", name="Open in chat").click()
    expect(beside).to_have_url(re.compile(r"/chat/[0-9a-f-]{36}$"))
    expect(beside.locator("main .turn .question")).to_contain_text("Take your time")
    expect(box(beside)).to_have_value("And then")


def test_escape_closes_what_is_on_top_and_the_focus_goes_back(beside: Page) -> None:
    beside.get_by_role("button", name="Ask Maxxer").press("Enter")
    shown = drawer(beside)
    expect(box(beside)).to_be_focused()
    shown.get_by_role("button", name="Model:").click()
    expect(beside.get_by_label("Search models")).to_be_focused()
    beside.keyboard.press("Escape")
    expect(beside.get_by_label("Search models")).to_be_hidden()
    expect(shown).to_be_visible()
    beside.keyboard.press("Escape")
    expect(shown).to_be_hidden()
    expect(beside.get_by_role("button", name="Ask Maxxer")).to_be_focused()
    opened(beside)
    beside.get_by_label("Name or id").focus()
    beside.keyboard.press("Escape")
    expect(shown).to_be_visible()
    beside.keyboard.press("Control+j")
    expect(shown).to_be_hidden()
    expect(beside.get_by_label("Name or id")).to_be_focused()
    beside.reload()
    expect(beside.get_by_role("heading", name="Campaigns", exact=True)).to_be_visible()
    expect(shown).to_be_hidden()


def test_a_question_about_a_campaign_is_prepared_and_replaces_no_draft(beside: Page) -> None:
    beside.get_by_role("link", name="Ask Maxxer about Shoes").click()
    about = drawer(beside).get_by_role("checkbox", name="About: Campaign Shoes")
    expect(about).to_be_checked()
    expect(box(beside)).to_be_focused()
    expect(box(beside)).to_have_value(re.compile("^How is this campaign doing"))
    beside.get_by_role("link", name="Ask Maxxer about Brand").click()
    expect(drawer(beside).get_by_role("checkbox", name="About: Campaign Brand")).to_be_checked()
    box(beside).fill("What I think of")
    beside.get_by_role("link", name="Ask Maxxer about Shoes").click()
    expect(about).to_be_checked()
    expect(box(beside)).to_have_value(re.compile("^What I think of\n\nHow is this campaign doing"))
    box(beside).fill("Is it any good? [[sim tokens=5]]")
    beside.reload()
    expect(box(beside)).to_have_value("Is it any good? [[sim tokens=5]]")
    box(beside).press("Enter")
    expect(drawer(beside).locator(".turn")).to_contain_text("About: Campaign Shoes")
    expect(about).to_have_count(0)
    wait_until_done(beside)

    beside.get_by_role("link", name="Ask Maxxer about Brand").click()
    drawer(beside).get_by_role("checkbox", name="About: Campaign Brand").uncheck()
    send(beside, "In general? [[sim tokens=5]]")
    expect(drawer(beside).locator(".turn .question")).to_have_text(re.compile("^In general"))
    expect(drawer(beside).locator(".turn")).not_to_contain_text("About:")


def test_recent_chats_are_a_menu_and_new_ones_begin_empty(beside: Page) -> None:
    shown = opened(beside)
    send(beside, "First thought [[sim tokens=5]]")
    wait_until_done(beside)
    shown.get_by_role("link", name="New chat").click()
    expect(shown.get_by_role("heading", name="What are we looking at today?")).to_be_visible()
    expect(box(beside)).to_be_focused()
    shown.get_by_role("button", name="Recent chats").press("Enter")
    recent = beside.get_by_role("menuitem", name="First thought")
    expect(recent).to_be_focused()
    recent.press("Enter")
    expect(shown.locator(".turn .question")).to_contain_text("First thought")
    expect(shown.get_by_role("heading", name="First thought")).to_be_visible()


def test_what_goes_wrong_in_the_drawer_is_said_in_the_drawer(beside: Page) -> None:
    shown = opened(beside)
    box(beside).fill("Are you there?")
    beside.context.set_offline(True)
    box(beside).press("Enter")
    expect(shown.get_by_role("dialog")).to_contain_text("Nothing was sent; your text is still here.")
    beside.context.set_offline(False)
    expect(box(beside)).to_have_value("Are you there?")


def test_on_a_phone_it_is_the_whole_screen_and_leaves_with_the_page(beside: Page, server: Server) -> None:
    beside.set_viewport_size({"width": 390, "height": 700})
    beside.get_by_role("button", name="Ask Maxxer").click()
    shown = drawer(beside)
    expect(box(beside)).to_be_focused()
    beside.wait_for_function("document.getElementById('drawer').getBoundingClientRect().x === 0")
    assert shown.bounding_box() == {"x": 0, "y": 0, "width": 390, "height": 700}
    assert beside.evaluate("document.documentElement.scrollWidth") == 390
    expect(shown.get_by_role("button", name="Send")).to_be_in_viewport(ratio=1)
    beside.reload()
    expect(beside.get_by_role("heading", name="Campaigns", exact=True)).to_be_visible()
    expect(shown).to_be_hidden()


def test_the_chat_itself_has_no_drawer_and_the_keys_lead_to_its_box(beside: Page, server: Server) -> None:
    opened(beside)
    beside.get_by_role("link", name="Chat", exact=True).click()
    expect(beside).to_have_url(f"{server.base}/chat")
    expect(drawer(beside)).to_have_count(0)
    expect(box(beside)).to_have_count(1)
    beside.get_by_role("link", name="New chat").first.focus()
    beside.keyboard.press("Control+j")
    expect(box(beside)).to_be_focused()
    beside.get_by_role("link", name="Campaigns").click()
    expect(drawer(beside)).to_be_visible()
    expect(beside).to_have_url(f"{server.base}/campaigns")


def test_a_change_is_approved_in_the_drawer_beside_the_same_card(
    page: Page, server: Server, database: Database, alice: Person
) -> None:
    open_demo(alice.scope, database)
    page.set_viewport_size({"width": 1440, "height": 900})
    enter_as(page, server, alice)
    page.goto(f"{server.base}/settings")
    opened(page)
    send(page, pause(BRAND))
    card = drawer(page).get_by_role("region", name="Pause 1 campaign")
    expect(card.get_by_role("button", name="Approve")).to_be_visible(timeout=20_000)
    page.get_by_role("link", name="Changes", exact=True).click()
    other = page.locator("main").get_by_role("region", name="Pause 1 campaign")
    card.get_by_text(BRAND).first.click()
    expect(card.get_by_role("checkbox", name=BRAND)).not_to_be_checked()
    expect(other.get_by_role("checkbox", name=BRAND)).to_be_checked()
    card.get_by_text(BRAND).first.click()
    card.get_by_role("button", name="Approve").click()
    expect(drawer(page).locator(".turn[data-state=done]")).to_be_visible(timeout=20_000)
    assert status_of(database, alice.scope, BRAND) == "paused"
    ids = page.eval_on_selector_all("[id]", "all => all.map((e) => e.id)")
    assert sorted(set(ids)) == sorted(ids)
