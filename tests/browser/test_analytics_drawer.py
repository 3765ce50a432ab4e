"""From a question at the dashboard to its chart: the analytics drawer in a browser, on the demo's shop."""

from __future__ import annotations

import re
import uuid
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Page, expect

from tests.browser.test_journeys import GOOD, enter_as
from tests.serving import Person, Server, someone
from webapp.ads import local
from webapp.config import Settings
from webapp.db import Database


@pytest.fixture
def alice(database: Database, settings: Settings, provider: str) -> Person:
    """She has a key, and the demo's ad accounts and shop."""
    alice = someone(database, settings, "Alice", provider=provider, key=GOOD + uuid.uuid4().hex)
    with database.begin() as db:
        local.seed_demo(alice.scope, db, datetime.now(UTC).date(), visit_days=40)
    return alice


def test_a_question_at_the_dashboard_is_answered_with_its_chart_and_figures_lead_to_their_row(
    page: Page, server: Server, alice: Person
) -> None:
    enter_as(page, server, alice)
    page.goto(f"{server.base}/dashboard/analytics")
    page.keyboard.press("Control+j")
    drawer = page.get_by_role("complementary", name="Ask Maxxer")
    drawer.get_by_label("Message to Maxxer").fill("Which channel brings the most revenue?")
    page.keyboard.press("Enter")
    expect(drawer.locator(".turn[aria-busy]")).to_have_count(0, timeout=30_000)
    expect(drawer.get_by_role("img", name=re.compile("Revenue")).first).to_be_visible()
    expect(drawer.locator(".tool summary").first).to_contain_text("done")

    figure = drawer.locator(".md a.cite").first
    said = figure.inner_text()
    row = drawer.locator(f"tr{figure.get_attribute('href')}")
    expect(row).to_be_hidden()  # its table is folded
    figure.click()
    expect(row).to_be_visible()
    expect(row).to_contain_text(re.compile(re.escape(said.split(".")[0])))
    expect(page).to_have_url(re.compile("/dashboard/analytics"))
    expect(drawer).to_be_visible()
