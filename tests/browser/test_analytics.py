"""The analytics board in a browser: its panels come by themselves, what is chosen is in the URL, words explain
themselves to mouse and keyboard, a phone has room for it, and a browser without script gets it whole."""

from __future__ import annotations

import re
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Browser, Page, expect

from tests import campaigns
from tests.browser.test_campaigns import spent
from tests.browser.test_journeys import enter_as
from tests.serving import Person, Server, someone
from webapp.config import Settings
from webapp.db import Database
from webapp.db.models import Store, StoreOrder

HERE = "/dashboard/analytics"


@pytest.fixture
def alice(database: Database, settings: Settings) -> Person:
    """Her shop sold 900 for 300 of spend ten days ago."""
    alice = someone(database, settings, f"Alice{uuid.uuid4().hex[:8]}")
    account = campaigns.account(database, alice.scope, synced_at=datetime.now(UTC))
    spent(database, campaigns.campaign(database, alice.scope, account, "Brand"), 300, 600)
    moment = datetime.now(UTC) - timedelta(10)
    here = {"workspace_id": alice.scope.workspace_id, "currency": "EUR"}
    with database.begin() as db:
        db.add(Store(timezone="UTC", collect_key=uuid.uuid4().hex, **here))
        db.add(StoreOrder(source="shopify", external_id="1", ordered_at=moment, day=moment.date(), customer="c",
                          is_first=True, gross_micros=900_000_000, channel="meta", **here))  # fmt: skip
    return alice


def test_a_board_that_fills_itself_and_keeps_what_was_chosen(page: Page, server: Server, alice: Person) -> None:
    enter_as(page, server, alice)
    page.goto(f"{server.base}/campaigns")
    page.get_by_role("link", name="Analytics").click()
    figures = page.get_by_role("region", name="Key figures")
    expect(figures.locator("strong", has_text="€900.00").first).to_be_visible()
    expect(page.locator("[aria-busy=true]")).to_have_count(0)

    mer = figures.get_by_role("button", name="MER", exact=True)
    mer.hover()
    meaning = page.get_by_role("tooltip").filter(has_text="blended ROAS")
    expect(meaning).to_be_visible()
    page.mouse.move(0, 0)
    expect(meaning).to_be_hidden()
    figures.get_by_role("button", name="Ad spend").focus()
    page.keyboard.press("Tab")
    expect(mer).to_be_focused()
    expect(meaning).to_be_visible()

    page.get_by_role("button", name=re.compile("^Metric: Revenue and spend")).click()
    page.get_by_role("menuitem", name="Orders").click()
    expect(page.get_by_role("img", name=re.compile("^Orders (Lines|Columns) from"))).to_be_visible()
    page.get_by_role("link", name="First touch").click()
    expect(page).to_have_url(re.compile(r"\?metrics=orders&model=first$"))
    expect(page.get_by_role("link", name="First touch")).to_be_focused()
    page.get_by_role("radio", name="30 days").press("ArrowLeft")
    expect(page).to_have_url(re.compile(r"\?period=14d&metrics=orders&model=first$"))
    expect(page.get_by_role("radio", name="14 days")).to_be_focused()
    expect(page.get_by_role("img", name=re.compile("^Orders (Lines|Columns) from"))).to_be_visible()
    page.go_back()
    expect(page.get_by_role("radio", name="30 days")).to_be_checked()
    expect(figures.locator("strong", has_text="€900.00").first).to_be_visible()

    page.set_viewport_size({"width": 390, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    page.get_by_role("link", name="Ask about attribution").click()
    expect(page.get_by_role("complementary", name="Ask Maxxer")).to_be_visible()


def test_without_script_the_whole_board_comes_and_its_form_works(
    browser: Browser, server: Server, alice: Person
) -> None:
    context = browser.new_context(java_script_enabled=False)
    context.add_cookies([{"name": "sid", "value": alice.token, "url": server.base}])
    page = context.new_page()
    page.goto(server.base + HERE)
    expect(page.get_by_text("€900.00").first).to_be_visible()
    page.get_by_label("Compare with").select_option("none")
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page).to_have_url(re.compile(r"compare=none.*whole=1"))
    page.get_by_role("link", name="Linear").click()
    expect(page.get_by_role("link", name="Linear")).to_have_attribute("aria-current", "true")
    context.close()
