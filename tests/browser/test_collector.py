"""The collector's script in a real shop's pages: another site, a real browser, our server."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from playwright.sync_api import Browser
from sqlalchemy import select

from tests.serving import Person, Server, someone, wait_for
from webapp.analytics import shop
from webapp.config import Settings
from webapp.db import Database
from webapp.db.models import StoreOrder, Visit

CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
PAGE = """<!doctype html><meta charset="utf-8"><title>Acme bags</title>{snippet}
<button id="buy">Buy</button>
<script>window.collect = window.collect || function () {{ (collect.q = collect.q || []).push(arguments) }};
collect("add_to_cart");</script>"""


class Shop:
    """A shop's site on a port of its own, with the snippet on its page."""

    def __init__(self) -> None:
        shop = self
        self.snippet = ""

        class Pages(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = PAGE.format(snippet=shop.snippet).encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Pages)
        self.origin = f"http://localhost:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def bags() -> Iterator[Shop]:
    made = Shop()
    yield made
    made.close()


@pytest.fixture
def alice(database: Database, settings: Settings, server: Server, bags: Shop) -> Person:
    """Her shop listens to that site, which has her snippet."""
    alice = someone(database, settings, "Alice")
    with database.begin() as db:
        shop.save(alice.scope, db, name="Bags", currency="EUR", timezone="UTC", basis="net")
        shop.allow(alice.scope, db, [bags.origin])
        found = shop.find(alice.scope, db)
    assert found
    bags.snippet = f'<script async src="{server.base}/collect.js" data-shop="{found.collect_key}"></script>'
    return alice


def rows(database: Database, alice: Person, what: Any) -> list[Any]:
    with database.begin() as db:
        found = list(db.scalars(select(what).where(what.workspace_id == alice.scope.workspace_id)))
        db.expunge_all()
    return found


def test_a_shops_visitor_looks_fills_the_cart_and_buys(
    database: Database, alice: Person, bags: Shop, browser: Browser
) -> None:
    """Through an ad; the cart is filled before the script has loaded; what the address says of a person stays there."""
    context = browser.new_context(user_agent=CHROME)  # without "Headless", which is a robot's
    page = context.new_page()
    page.goto(f"{bags.origin}/products/bag?utm_source=fb&utm_medium=paid&email=ann@example.com")
    wait_for(lambda: any(visit.carted for visit in rows(database, alice, Visit)), 10, "the cart")
    page.evaluate('collect("purchase", {order: "1001", value: 59.9, currency: "EUR"})')
    wait_for(lambda: rows(database, alice, StoreOrder), 10, "the order")
    page.goto(f"{bags.origin}/thanks")
    (visit,), (order,) = rows(database, alice, Visit), rows(database, alice, StoreOrder)
    assert (visit.channel, visit.landing_page, visit.device) == ("meta", "/products/bag", "desktop")
    assert (order.channel, order.gross_micros, order.visitor_id) == ("meta", 59_900_000, visit.visitor_id)
    assert context.cookies() == []
    assert list(page.evaluate("Object.keys(localStorage)")) == ["collect"]
    assert "example.com" not in str([vars(row) for row in (visit, order)])
    context.close()


@pytest.mark.parametrize("signal", ["navigator.globalPrivacyControl", "navigator.doNotTrack"])
def test_a_visitor_who_asks_not_to_be_counted_is_not(
    database: Database, alice: Person, bags: Shop, browser: Browser, signal: str
) -> None:
    context = browser.new_context()
    value = "true" if "Privacy" in signal else '"1"'
    context.add_init_script(f"Object.defineProperty(navigator, '{signal.split('.')[1]}', {{get: () => {value}}})")
    page = context.new_page()
    sent: list[str] = []
    page.on("request", lambda request: sent.append(f"{request.method} {request.url.rsplit('/', 1)[-1]}"))
    with page.expect_response("**/collect.js"):
        page.goto(bags.origin)
    page.wait_for_load_state("networkidle")
    page.evaluate('collect("purchase", {order: "1", value: 1, currency: "EUR"})')
    assert "GET collect.js" in sent
    assert "POST collect" not in sent
    assert page.evaluate("localStorage.length") == 0
    assert rows(database, alice, Visit) == []
    context.close()
