"""What app.js adds to pages that work without it: the network that goes, drafts, menus, the picker, focus, times."""

from __future__ import annotations

import re
import socket
import threading
import uuid
from contextlib import closing, suppress

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.test_journeys import GOOD, SLOW, enter_as, send, wait_until_done
from tests.serving import PASSWORD, Person, Server, someone
from webapp.accounts import browsers
from webapp.config import Settings
from webapp.db import Database


@pytest.fixture
def alice(database: Database, settings: Settings, provider: str) -> Person:
    return someone(database, settings, "Alice", provider=provider, key=GOOD + uuid.uuid4().hex)


@pytest.fixture
def chat(page: Page, server: Server, alice: Person) -> Page:
    """Alice before an empty chat."""
    enter_as(page, server, alice)
    page.goto(f"{server.base}/chat")
    return page


def renamed(page: Page) -> None:
    """Open the rename form of the only chat, by keyboard."""
    page.get_by_role("button", name=re.compile("^Actions for")).focus()
    page.keyboard.press("Enter")
    page.get_by_role("menuitem", name="Rename").press("Enter")
    expect(page.get_by_label("Title")).to_be_focused()


# --- the network ------------------------------------------------------------------------------------------------


def test_a_message_that_cannot_be_sent_says_so_and_stays(chat: Page) -> None:
    box = chat.get_by_label("Message to Maxxer")
    box.fill("Are you there?")
    chat.context.set_offline(True)
    chat.keyboard.press("Enter")
    notice = chat.get_by_role("dialog")
    expect(notice).to_contain_text("You are offline, or the server cannot be reached")
    expect(notice).to_contain_text("Nothing was sent; your text is still here.")
    expect(box).to_have_value("Are you there?")
    chat.keyboard.press("Enter")
    expect(notice).to_have_count(1)
    expect(chat.locator("form[data-sending]")).to_have_count(0)
    chat.context.set_offline(False)
    chat.keyboard.press("Enter")
    expect(chat.locator(".turn")).to_have_count(1)
    expect(notice).to_have_count(0)
    expect(box).to_have_value("")


def test_any_other_form_says_it_too(chat: Page, server: Server) -> None:
    chat.goto(f"{server.base}/settings/providers")
    chat.get_by_role("button", name="Change the Anthropic key").click()
    chat.context.set_offline(True)
    chat.get_by_role("menuitem", name="Disconnect").click()
    expect(chat.get_by_role("dialog")).to_contain_text("Nothing was sent")
    expect(chat.locator("#provider-anthropic")).to_contain_text("Connected")


class Wire:
    """A way to the server that can be cut: every connection through it at once, and no new one until it is mended."""

    def __init__(self, server: Server) -> None:
        self._to = ("127.0.0.1", server.port)
        self._ends: list[socket.socket] = []
        self._door = self._open(0)
        self.port: int = self._door.getsockname()[1]

    def cut(self) -> None:
        for end in (self._door, *self._ends):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        self._ends.clear()

    def mend(self) -> None:
        self._door = self._open(self.port)

    close = cut

    def _open(self, port: int) -> socket.socket:
        door = socket.create_server(("127.0.0.1", port))
        threading.Thread(target=self._accept, args=(door,), daemon=True).start()
        return door

    def _accept(self, door: socket.socket) -> None:
        with suppress(OSError):
            while True:
                here, _ = door.accept()
                there = socket.create_connection(self._to)
                self._ends += [here, there]
                for source, sink in ((here, there), (there, here)):
                    threading.Thread(target=self._carry, args=(source, sink), daemon=True).start()

    @staticmethod
    def _carry(source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)


def test_an_answer_that_comes_to_a_halt_says_so_until_it_goes_on(chat: Page, server: Server) -> None:
    with closing(Wire(server)) as wire:
        chat.goto(f"http://127.0.0.1:{wire.port}/chat")
        send(chat, SLOW)
        expect(chat.locator(".turn .md")).to_contain_text(re.compile(r"\w+ \w+ \w+"))
        wire.cut()
        expect(chat.locator(".turn .answer")).to_contain_text("Reconnecting…")
        chat.wait_for_timeout(2000)  # it tries again, and fails again
        expect(chat.get_by_text("Reconnecting…")).to_have_count(1)
        wire.mend()
        expect(chat.get_by_text("Reconnecting…")).to_have_count(0)
        wait_until_done(chat)
        expect(chat.locator(".turn")).to_have_attribute("data-state", "done")


# --- drafts -----------------------------------------------------------------------------------------------------


def test_a_draft_outlives_a_reload_and_an_expired_sign_in(chat: Page, alice: Person, database: Database) -> None:
    box = chat.get_by_label("Message to Maxxer")
    box.fill("A long thought")
    chat.reload()
    expect(box).to_have_value("A long thought")
    with database.begin() as db:
        browsers.close_by_token(db, alice.token)
    box.press("Enter")
    chat.get_by_label("Email").fill(alice.email)
    chat.get_by_label("Password").fill(PASSWORD)
    chat.get_by_role("button", name="Sign in").click()
    expect(box).to_have_value("A long thought")
    box.press("Enter")
    expect(chat.locator(".turn")).to_have_count(1)
    chat.get_by_role("link", name="New chat").first.click()
    expect(chat.locator(".turn")).to_have_count(0)
    expect(box).to_have_value("")


def test_a_draft_belongs_to_its_chat_and_to_its_person(
    chat: Page, server: Server, database: Database, settings: Settings, provider: str
) -> None:
    box = chat.get_by_label("Message to Maxxer")
    send(chat, "First [[sim tokens=10]]")
    wait_until_done(chat)
    box.fill("Only here")
    chat.goto(f"{server.base}/chat")
    expect(box).to_have_value("")
    box.fill("For a new chat")
    bob = someone(database, settings, "Bob", provider=provider, key=GOOD + uuid.uuid4().hex)
    enter_as(chat, server, bob)
    chat.goto(f"{server.base}/chat")
    expect(box).to_have_value("")


def test_signing_out_leaves_no_draft_behind(chat: Page) -> None:
    chat.get_by_label("Message to Maxxer").fill("A secret plan")
    assert chat.evaluate("sessionStorage.length") == 1
    chat.locator(".person").click()
    chat.get_by_role("menuitem", name="Sign out").click()
    expect(chat.get_by_role("heading", name="Sign in")).to_be_visible()
    assert chat.evaluate("sessionStorage.length") == 0


# --- the side list ----------------------------------------------------------------------------------------------


def test_a_chat_is_renamed_by_keyboard_and_the_focus_comes_back(chat: Page) -> None:
    send(chat, "First [[sim tokens=10]]")
    wait_until_done(chat)
    renamed(chat)
    chat.get_by_label("Title").fill("Weekly review")
    chat.keyboard.press("Enter")
    link = chat.locator(".sessions a", has_text="Weekly review")
    expect(link).to_be_focused()
    expect(chat.locator("#chat-title")).to_have_text("Weekly review")
    renamed(chat)
    chat.get_by_label("Title").fill("Something else")
    chat.keyboard.press("Escape")
    expect(link).to_be_focused()
    expect(link).to_have_attribute("aria-current", "page")


def test_the_rename_form_fits_its_row_and_can_be_left_by_a_click(chat: Page) -> None:
    send(chat, "First [[sim tokens=10]]")
    wait_until_done(chat)
    chat.goto(re.sub(r"/chat/.*", "/chat", chat.url))
    renamed(chat)
    form = chat.locator(".session.renaming")
    field, save, cancel, whole = (
        part.bounding_box() or {}
        for part in (
            chat.get_by_label("Title"),
            form.get_by_role("button", name="Save"),
            form.get_by_role("link", name="Cancel"),
            form,
        )
    )
    assert save["y"] >= field["y"] + field["height"]
    assert cancel["x"] >= save["x"] + save["width"]
    assert cancel["x"] + cancel["width"] <= whole["x"] + whole["width"]
    form.get_by_role("link", name="Cancel").click()
    expect(form).to_have_count(0)
    expect(chat.locator(".sessions .session > a")).to_be_focused()
    expect(chat.locator(".sessions [aria-current]")).to_have_count(0)
    assert chat.title().startswith("Chat · ")


def test_the_list_stays_where_it_is_when_a_chat_far_down_is_opened(
    browser: Browser, server: Server, alice: Person
) -> None:
    context = browser.new_context(viewport={"width": 1200, "height": 500})
    page = context.new_page()
    for number in range(25):
        alice.ask(server, f"Question {number:02} [[sim tokens=2]]")
    enter_as(page, server, alice)
    page.goto(f"{server.base}/chat")
    link = page.locator(".sessions a", has_text="Question 02")
    link.scroll_into_view_if_needed()
    before = link.bounding_box()
    link.click()
    expect(page.locator(".turn .question")).to_contain_text("Question 02")
    expect(link).to_have_attribute("aria-current", "page")
    assert link.bounding_box() == before
    page.reload()
    expect(link).to_be_in_viewport(ratio=0.9)
    context.close()


def test_going_to_another_chat_and_back_leaves_a_running_answer_whole(chat: Page) -> None:
    send(chat, "Earlier [[sim tokens=10]]")
    wait_until_done(chat)
    chat.get_by_role("link", name="New chat").first.click()
    expect(chat.locator(".turn")).to_have_count(0)
    send(chat, SLOW)
    expect(chat.locator(".turn .md")).to_contain_text(re.compile(r"\w+ \w+ \w+"))
    chat.locator(".sessions a", has_text="Earlier").click()
    expect(chat.locator(".turn .question")).to_contain_text("Earlier")
    chat.go_back()
    expect(chat.locator(".turn .question")).to_contain_text("Take your time")
    wait_until_done(chat)
    expect(chat.locator(".turn")).to_have_attribute("data-state", "done")


# --- popovers ---------------------------------------------------------------------------------------------------


def test_the_picker_is_searched_walked_and_closed(chat: Page) -> None:
    button, panel = chat.locator("#picker-button"), chat.locator("#picker-panel")
    button.focus()
    chat.keyboard.press("Enter")
    expect(chat.get_by_label("Search models")).to_be_focused()
    chat.keyboard.press("ArrowDown")
    expect(panel.get_by_role("radio").first).to_be_focused()
    chat.keyboard.press("ArrowDown")
    expect(panel.get_by_role("radio").nth(1)).to_be_checked()
    expect(panel).to_be_visible()
    chat.keyboard.press("Escape")
    expect(panel).to_be_hidden()
    expect(button).to_be_focused()
    button.click()
    last = panel.locator(".model").last
    name = last.locator(".model-name").inner_text()
    last.click()
    expect(panel).to_be_hidden()
    expect(button).to_contain_text(name)
    button.click()
    expect(panel.locator(".model", has=chat.locator(":checked"))).to_be_in_viewport(ratio=0.9)


def test_a_menu_is_walked_with_the_arrow_keys(chat: Page) -> None:
    person = chat.locator(".person")
    person.focus()
    chat.keyboard.press("Enter")
    items = chat.locator("#person [role^=menuitem]")
    expect(items.first).to_be_focused()
    for key, now in (("ArrowDown", 1), ("ArrowUp", 0), ("ArrowUp", -1), ("ArrowDown", 0), ("End", -1), ("Home", 0)):
        chat.keyboard.press(key)
        expect(items.nth(now)).to_be_focused()
    chat.keyboard.press("Escape")
    expect(items.first).to_be_hidden()
    expect(person).to_be_focused()


def test_a_menu_opened_with_the_mouse_takes_no_focus(chat: Page) -> None:
    chat.locator(".person").click()
    item = chat.get_by_role("menuitem", name="Account")
    expect(item).to_be_visible()
    expect(item).not_to_be_focused()


# --- the rest ---------------------------------------------------------------------------------------------------


def test_after_a_suggestion_one_can_write_on(chat: Page) -> None:
    chat.locator(".suggestions button").first.click()
    expect(chat.locator(".turn")).to_have_count(1)
    expect(chat.get_by_label("Message to Maxxer")).to_be_focused()


def test_times_are_the_readers_own(browser: Browser, server: Server, alice: Person) -> None:
    shown = {}
    for zone in ("UTC", "Asia/Tokyo"):
        context = browser.new_context(timezone_id=zone, locale="de-DE")
        page = context.new_page()
        enter_as(page, server, alice)
        page.goto(f"{server.base}/settings/members")
        time = page.locator("td time")
        expect(time).to_have_text(re.compile(r"^\d\d\.\d\d\.\d{4}, \d\d:\d\d$"))
        assert (time.get_attribute("title") or "").endswith(" UTC")
        shown[zone] = time.inner_text()
        context.close()
    assert shown["UTC"] != shown["Asia/Tokyo"]
    assert re.search(r"<time [^>]*>\d+ \w{3} \d{4}, \d\d:\d\d UTC</time>", alice.get(server, "/settings/members").text)


@pytest.mark.parametrize("width", [390, 1200])
def test_a_notice_never_covers_the_composer(browser: Browser, server: Server, alice: Person, width: int) -> None:
    context = browser.new_context(viewport={"width": width, "height": 700})
    page = context.new_page()
    enter_as(page, server, alice)
    page.goto(f"{server.base}/chat")
    page.get_by_label("Message to Maxxer").fill("line\n" * 40)
    context.set_offline(True)
    page.get_by_role("button", name="Send").click()
    notice = page.get_by_role("dialog").bounding_box() or {}
    composer = page.locator(".composer").bounding_box() or {}
    assert notice["y"] + notice["height"] <= composer["y"]
    assert notice["x"] >= 0
    assert notice["x"] + notice["width"] <= width
    context.close()


def test_long_names_widen_nothing(browser: Browser, server: Server, alice: Person) -> None:
    alice.post(server, "/settings/workspace", htmx=False, name="W" * 80)
    context = browser.new_context(viewport={"width": 1000, "height": 700})
    page = context.new_page()
    enter_as(page, server, alice)
    for path in ("/settings/members", "/settings/workspace", "/settings/providers", "/chat"):
        page.goto(server.base + path)
        assert page.evaluate("document.documentElement.scrollWidth") <= 1000, path
        for heading in page.locator("main :is(h1, h2, label):not(.sr-only)").all():
            if heading.is_visible():
                assert heading.evaluate("e => e.scrollWidth <= Math.ceil(e.getBoundingClientRect().width)"), path
    page.locator(".switcher").click()
    menu = page.locator("#workspaces")
    expect(menu).to_be_visible()
    assert menu.evaluate("e => e.scrollWidth <= e.clientWidth")
    context.close()
