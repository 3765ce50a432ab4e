"""Whole journeys in a real Chromium, through real gunicorn workers, against the simulator."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator

import pytest
import requests
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.serving import PASSWORD, Person, Server, someone, tidy
from webapp.config import Settings
from webapp.db import Database

GOOD = "sk-ant-api03-ok-"
SLOW = "Take your time. [[sim tokens=300 delay=20]]"


@pytest.fixture
def key() -> str:
    return GOOD + uuid.uuid4().hex


@pytest.fixture
def alice(database: Database, settings: Settings, provider: str, key: str) -> Person:
    return someone(database, settings, "Alice", provider=provider, key=key)


@pytest.fixture
def complaints(page: Page) -> Iterator[list[str]]:
    """What the browser complained of: nothing, at the end of every journey that asks."""
    heard: list[str] = []
    page.on("console", lambda message: heard.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: heard.append(str(error)))
    yield heard
    assert heard == []


def enter_as(page: Page, server: Server, person: Person) -> None:
    page.context.add_cookies([{"name": "sid", "value": person.token, "url": server.base}])


def send(page: Page, text: str) -> None:
    turns = page.locator(".turn")
    before = turns.count()
    page.get_by_label("Message to Maxxer").fill(text)
    page.keyboard.press("Enter")
    expect(turns).to_have_count(before + 1)


def answer(page: Page) -> str:
    return tidy(page.locator(".turn").last.evaluate("e => e.outerHTML"))


def wait_until_done(page: Page) -> None:
    expect(page.locator(".turn[aria-busy]")).to_have_count(0, timeout=30_000)
    expect(page.get_by_role("button", name="Send")).to_be_visible()


def test_from_nothing_to_the_first_answer(page: Page, server: Server, key: str, complaints: list[str]) -> None:
    page.goto(server.base)
    page.get_by_role("link", name="Create an account").click()
    page.get_by_label("Your name").fill("Alice")
    page.get_by_label("Email").fill("alice@example.com")
    page.get_by_label("Company").fill("Acme")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Create account").click()
    expect(page.get_by_role("heading", name="Connect a provider to begin")).to_be_visible()
    page.get_by_role("link", name="Connect a key").click()
    page.get_by_role("link", name="Connect Anthropic").click()
    page.get_by_label("API key").fill(key)
    page.get_by_role("button", name="Save key").click()
    card = page.locator("#provider-anthropic")
    expect(card.get_by_text("Connected", exact=True).first).to_be_visible(timeout=20_000)
    expect(card).to_contain_text("sk-ant…")
    assert key not in page.content()
    page.get_by_role("link", name="Chat", exact=True).click()
    expect(page.get_by_role("heading", name="What are we looking at today?")).to_be_visible()
    send(page, "Write a table of fruit and their colours")
    expect(page.locator(".turn .question")).to_contain_text("a table of fruit")
    wait_until_done(page)
    expect(page.locator(".turn .md table")).to_be_visible()
    expect(page.locator(".turn .answer-head")).to_contain_text("Acme")
    expect(page.locator("#usage")).to_contain_text("tokens")
    expect(page).to_have_url(re.compile(r"/chat/[0-9a-f-]{36}$"))
    expect(page.get_by_label("Message to Maxxer")).to_have_value("")


def test_a_reload_in_mid_answer_loses_nothing(page: Page, server: Server, alice: Person, complaints: list[str]) -> None:
    enter_as(page, server, alice)
    page.goto(f"{server.base}/chat")
    send(page, SLOW)
    expect(page.locator(".turn .md")).to_contain_text(re.compile(r"\w+ \w+ \w+"))
    page.reload()
    expect(page.locator(".turn .md")).to_contain_text(re.compile(r"\w+ \w+ \w+"))
    wait_until_done(page)
    streamed = answer(page)
    page.reload()
    assert answer(page) == streamed
    expect(page.locator(".turn")).to_have_count(1)


def test_a_second_tab_sees_the_same(page: Page, server: Server, alice: Person) -> None:
    enter_as(page, server, alice)
    page.goto(f"{server.base}/chat")
    send(page, SLOW)
    expect(page).to_have_url(re.compile(r"/chat/[0-9a-f-]{36}$"))
    second = page.context.new_page()
    second.goto(page.url)
    wait_until_done(second)
    page.bring_to_front()
    wait_until_done(page)
    assert answer(page) == answer(second)


def test_after_the_end_the_stream_is_not_asked_for_again(page: Page, server: Server, alice: Person) -> None:
    asked: list[str] = []
    page.on("request", lambda r: asked.append(r.url) if r.url.endswith("/stream") else None)
    enter_as(page, server, alice)
    page.goto(f"{server.base}/chat")
    send(page, "Briefly [[sim tokens=20]]")
    wait_until_done(page)
    page.wait_for_timeout(3000)
    assert len(asked) == 1


def test_stop_keeps_what_came_and_continue_goes_on(page: Page, server: Server, alice: Person) -> None:
    enter_as(page, server, alice)
    page.goto(f"{server.base}/chat")
    send(page, "Endless [[sim tokens=3000 delay=20]]")
    expect(page.locator(".turn .md")).to_contain_text(re.compile(r"\w+ \w+ \w+"))
    page.get_by_role("button", name="Stop answering").click()
    expect(page.locator(".turn-foot")).to_contain_text("Stopped", timeout=3000)
    kept = page.locator(".turn .md").first.inner_text()
    page.get_by_role("button", name="Continue").click()
    expect(page.locator(".turn")).to_have_count(2)
    wait_until_done(page)
    assert page.locator(".turn .md").first.inner_text() == kept


def test_a_rejected_key_is_told_and_the_label_stays(
    page: Page, server: Server, database: Database, settings: Settings
) -> None:
    enter_as(page, server, someone(database, settings, "Bob"))
    page.goto(f"{server.base}/settings/providers")
    page.get_by_role("link", name="Connect Anthropic").click()
    bad = f"sk-ant-api03-revoked-{uuid.uuid4().hex}"
    page.get_by_label("API key").fill(bad)
    page.get_by_label("Label").fill("Our team")
    page.get_by_role("button", name="Save key").click()
    card = page.locator("#provider-anthropic")
    expect(card.get_by_role("alert")).to_contain_text("Anthropic refused the key", timeout=20_000)
    expect(page.get_by_label("Label")).to_have_value("Our team")
    expect(page.get_by_label("API key")).to_have_value("")
    assert bad not in page.content()
    page.get_by_label("API key").fill("sk-ant-admin01-" + "a" * 40)
    page.get_by_role("button", name="Save key").click()
    expect(card.get_by_role("alert")).to_contain_text("admin key")


def test_a_key_revoked_in_mid_chat_is_replaced_and_the_chat_goes_on(
    page: Page, server: Server, alice: Person, provider: str, key: str
) -> None:
    enter_as(page, server, alice)
    page.goto(f"{server.base}/chat")
    send(page, "First [[sim tokens=10]]")
    wait_until_done(page)
    chat = page.url
    requests.post(f"{provider}/__control/revoke", json={"key": key}, timeout=5)
    send(page, "Second")
    expect(page.locator(".turn").last).to_contain_text("Anthropic refused the key")
    expect(page.locator("#banner")).to_contain_text("Reconnect")
    page.locator("#banner").get_by_role("link", name="Reconnect").click()
    card = page.locator("#provider-anthropic")
    expect(card).to_contain_text("Needs attention")
    page.get_by_label("New key").fill(GOOD + uuid.uuid4().hex)
    page.get_by_role("button", name="Save key").click()
    expect(card.get_by_text("Connected", exact=True).first).to_be_visible(timeout=20_000)
    expect(page.locator("#banner")).to_be_empty()
    page.goto(chat)
    expect(page.locator(".turn").first).to_contain_text("First")
    page.get_by_role("button", name="Try again").click()
    expect(page.locator(".turn")).to_have_count(3)
    wait_until_done(page)
    expect(page.locator(".turn").last).to_have_attribute("data-state", "done")


def test_disconnecting_is_one_click(page: Page, server: Server, alice: Person, complaints: list[str]) -> None:
    enter_as(page, server, alice)
    page.goto(f"{server.base}/settings/providers")
    page.get_by_role("button", name="Change the Anthropic key").click()
    page.get_by_role("menuitem", name="Disconnect").click()
    expect(page.get_by_role("link", name="Connect Anthropic")).to_be_visible()
    page.goto(f"{server.base}/chat")
    expect(page.get_by_role("heading", name="Connect a provider to begin")).to_be_visible()


def test_everything_works_without_javascript(browser: Browser, server: Server, key: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{server.base}/sign-up")
    page.get_by_label("Your name").fill("Nora")
    page.get_by_label("Email").fill("nora@example.com")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Create account").click()
    page.get_by_role("link", name="Connect a key").click()
    page.get_by_role("link", name="Connect Anthropic").click()
    page.get_by_label("API key").fill("nonsense")
    page.get_by_label("Label").fill("Mine")
    page.get_by_role("button", name="Save key").click()
    expect(page.get_by_label("Label")).to_have_value("Mine")
    page.get_by_label("API key").fill(key)
    page.get_by_role("button", name="Save key").click()
    expect(page.locator("#provider-anthropic")).to_contain_text("Connected")
    page.goto(f"{server.base}/chat")
    page.get_by_label("Message to Maxxer").fill("Hello [[sim tokens=10]]")
    page.get_by_role("button", name="Send").click()
    expect(page.locator(".turn .question")).to_contain_text("Hello")
    expect(page.locator(".turn")).to_have_attribute("data-state", "done", timeout=15_000)  # it refreshes by itself
    page.get_by_label("Message to Maxxer").fill("Endless [[sim tokens=3000 delay=20]]")
    page.get_by_role("button", name="Send").click()
    page.get_by_role("button", name="Stop answering").click()
    expect(page.locator(".turn").last).to_have_attribute("data-state", "stopped", timeout=15_000)
    context.close()


def test_the_model_is_picked_by_keyboard_and_remembered(page: Page, server: Server, alice: Person) -> None:
    enter_as(page, server, alice)
    page.goto(f"{server.base}/chat")
    page.locator("#picker-button").focus()
    page.keyboard.press("Enter")
    page.get_by_label("Search models").fill("haiku")
    expect(page.locator("#picker-list .model").first).to_contain_text("Haiku")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    expect(page.locator("#picker-button")).to_contain_text("Haiku")
    page.keyboard.press("Escape")
    page.goto(f"{server.base}/chat")
    expect(page.locator("#picker-button")).to_contain_text("Haiku")


def test_a_line_is_broken_with_shift_enter_and_nothing_is_sent(page: Page, server: Server, alice: Person) -> None:
    enter_as(page, server, alice)
    page.goto(f"{server.base}/chat")
    box = page.get_by_label("Message to Maxxer")
    box.fill("one")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("two")
    expect(box).to_have_value("one\ntwo")
    expect(page.locator(".turn")).to_have_count(0)


PAGES = (
    "/chat",
    "/settings/providers",
    "/settings/members",
    "/settings/workspace",
    "/settings/account",
    "/settings/audit",
    "/docs",
    "/docs/byok",
    "/docs/providers/self_hosted",
)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(browser: Browser, server: Server, alice: Person, scheme: str) -> None:
    context = browser.new_context(color_scheme=scheme, reduced_motion="reduce")
    page = context.new_page()
    found: list[str] = []

    def check(where: str) -> None:
        for rule in Axe().run(page).response["violations"]:
            found.append(f"{where}: {rule['id']}: {[n['html'][:120] for n in rule['nodes'][:3]]}")

    for path in ("/sign-in", "/sign-up"):
        page.goto(server.base + path)
        check(path)
    enter_as(page, server, alice)
    for path in (*PAGES, "/workspaces/new", "/nothing-here"):
        page.goto(server.base + path)
        check(path)
    page.goto(f"{server.base}/chat")
    page.locator("#picker-button").click()
    check("/chat with the picker")
    page.keyboard.press("Escape")
    send(page, "A table and code please [[sim thinking=10]]")
    wait_until_done(page)
    check("/chat with an answer")
    send(page, "Fail [[sim error=400]]")
    expect(page.locator(".turn").last).to_have_attribute("data-state", "failed")
    check("/chat with an error")
    page.goto(f"{server.base}/settings/providers/anthropic/connect")
    check("a card's form")
    context.close()
    assert not found, "\n".join(found)


@pytest.mark.parametrize("path", PAGES)
def test_no_page_scrolls_sideways_on_a_phone(browser: Browser, server: Server, alice: Person, path: str) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844})
    page = context.new_page()
    enter_as(page, server, alice)
    page.goto(server.base + path)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    context.close()
