"""A real Chromium for the journeys: one browser and one server for the run, and for each test a fresh page (and cookie
jar) and new people in a workspace of their own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.serving import Server, served
from tests.shared import database, database_url, settings
from tests.simulation import start_simulator
from webapp.config import Settings

__all__ = ["database", "database_url", "settings"]

CANDIDATES = (os.environ.get("CHROMIUM"), "/usr/bin/chromium", "/usr/bin/chromium-browser")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium, from $CHROMIUM or where Debian puts it. Without one: a failure in CI, a skip elsewhere."""
    executable = next((path for path in CANDIDATES if path and Path(path).exists()), None)
    if executable is None:
        missing = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        missing("no Chromium: install the package chromium, or set CHROMIUM to its path")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
        yield launched
        launched.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page in a browser context of its own. Its patience is 10 seconds."""
    context = browser.new_context()
    context.set_default_timeout(10_000)
    opened = context.new_page()
    yield opened
    context.close()


@pytest.fixture(scope="session")
def provider() -> Iterator[str]:
    base, stop = start_simulator(first=50, delay=8)
    yield base
    stop()


@pytest.fixture(scope="session")
def server(settings: Settings, provider: str) -> Iterator[Server]:
    with served(settings, provider=provider, workers=2) as running:
        yield running
