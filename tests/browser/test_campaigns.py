"""The table of campaigns in a browser: what is typed, chosen and clicked narrows and orders it in place, Back undoes
it; on a phone the figures scroll under names that stay."""

from __future__ import annotations

import re
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Page, expect

from tests import campaigns
from tests.browser.test_journeys import enter_as
from tests.serving import Person, Server, someone
from webapp.config import Settings
from webapp.db import Database
from webapp.db.models import AdDaily, Campaign


@pytest.fixture
def table(page: Page, server: Server, database: Database, settings: Settings) -> Page:
    """Alice before three campaigns: Brand spent most, Shoes has the best ROAS."""
    alice: Person = someone(database, settings, f"Alice{uuid.uuid4().hex[:8]}")
    account = campaigns.account(database, alice.scope, synced_at=datetime.now(UTC))
    for name, spend, revenue in (("Brand", 300, 600), ("Shoes", 200, 800), ("Bags", 100, 100)):
        spent(database, campaigns.campaign(database, alice.scope, account, name), spend, revenue)
    enter_as(page, server, alice)
    page.goto(f"{server.base}/campaigns")
    return page


def spent(database: Database, campaign_id: uuid.UUID, spend: int, revenue: int) -> None:
    with database.begin() as db:
        row = db.get_one(Campaign, campaign_id)
        ids = {"workspace_id": row.workspace_id, "account_id": row.account_id, "campaign_id": row.id}
        amounts = {"spend_micros": spend * 1_000_000, "revenue_micros": revenue * 1_000_000}
        day = datetime.now(UTC).date() - timedelta(10)
        db.add(AdDaily(day=day, orders=1, clicks=10, impressions=100, **ids, **amounts))


def names(page: Page) -> list[str]:
    return page.locator("tbody th a").all_inner_texts()


def test_the_table_is_narrowed_and_ordered_in_place_and_back_undoes_it(table: Page) -> None:
    assert names(table) == ["Brand", "Shoes", "Bags"]
    table.get_by_label("Name or id").press_sequentially("s")
    expect(table).to_have_url(re.compile(r"\?q=s$"))
    expect(table.locator("tbody tr")).to_have_count(2)
    expect(table.get_by_label("Name or id")).to_be_focused()

    table.get_by_role("link", name="ROAS").click()
    expect(table.get_by_role("columnheader", name="ROAS", exact=True)).to_have_attribute("aria-sort", "descending")
    assert names(table) == ["Shoes", "Bags"]
    table.get_by_role("radio", name="30 days").press("ArrowRight")
    expect(table).to_have_url(re.compile(r"\?period=90d&q=s&sort=roas$"))
    expect(table.get_by_role("radio", name="90 days")).to_be_focused()

    table.go_back()
    expect(table).to_have_url(re.compile(r"\?q=s&sort=roas$"))
    expect(table.get_by_role("radio", name="30 days")).to_be_checked()
    expect(table.get_by_role("heading", name="Campaigns")).to_be_visible()


def test_on_a_phone_the_names_stay_while_the_figures_scroll(table: Page) -> None:
    table.set_viewport_size({"width": 390, "height": 800})
    assert table.evaluate("document.documentElement.scrollWidth") == 390
    name, orders = table.get_by_role("link", name="Brand", exact=True), table.locator("#by-orders")
    before = name.bounding_box()
    orders.scroll_into_view_if_needed()
    assert name.bounding_box() == before
    expect(orders).to_be_in_viewport()


def test_a_chart_keeps_the_size_of_its_words_on_a_phone(table: Page) -> None:
    table.get_by_role("link", name="Brand", exact=True).click()
    expect(table.get_by_role("img", name=re.compile("^Spend and revenue"))).to_be_visible()

    def height() -> float:
        box = table.locator("#chart-course .tick").first.bounding_box()
        assert box
        return box["height"]

    wide = height()
    table.set_viewport_size({"width": 390, "height": 800})
    assert height() == wide
    assert table.evaluate("document.documentElement.scrollWidth") == 390
