"""POST /collect and /collect.js as a shop's pages meet them: cheap, without cookies, open to the listed sites alone."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select

from tests.people import Browser
from webapp.analytics.pace import Pace
from webapp.db.models import StoreOrder, Throttle, Visit
from webapp.pages import collect

SHOP = "/settings/ad-accounts/shop"
ORIGIN = "https://shop.example"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


@pytest.fixture(autouse=True)
def rested() -> Iterator[None]:
    """The counters live as long as the process: each test begins with none."""
    collect.PACE = Pace()
    yield
    collect.PACE = Pace()


@pytest.fixture
def key(alice: Browser) -> str:
    """Of Acme's shop, which listens to one site."""
    alice.send(SHOP, name="Acme", currency="EUR", timezone="Europe/Berlin", basis="net")
    assert alice.send(f"{SHOP}/sites", origins=f"{ORIGIN}/some/path").status_code == 303
    found = re.search(r"data-shop=&#34;([0-9a-f]{32})&#34;", alice.get(SHOP).text)
    assert found
    return found[1]


def send(browser: FlaskClient, key: str, event: str = "pageview", *, origin: str = ORIGIN, **more: Any) -> Any:
    """As sendBeacon does it: text, with an Origin and the marks of a cross-site request."""
    headers = {"Origin": origin, "Sec-Fetch-Site": "cross-site", "User-Agent": FIREFOX, **more.pop("headers", {})}
    payload = {"k": key, "e": event, "v": "11-22-33-44", "s": "mabc1", "p": "/", "q": "", "r": "", **more}
    return browser.post("/collect", data=json.dumps(payload), headers=headers, content_type="text/plain;charset=UTF-8")


def count(alice: Browser, what: Any) -> int:
    with alice.database.begin() as db:
        return db.scalar(select(func.count()).select_from(what)) or 0


def test_an_event_from_the_shop_counts_and_is_answered_with_nothing(
    anyone: FlaskClient, alice: Browser, key: str
) -> None:
    answer = send(anyone, key)
    assert (answer.status_code, answer.data) == (204, b"")
    assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert "Origin" in answer.headers["Vary"]
    assert "Set-Cookie" not in answer.headers
    assert count(alice, Visit) == 1


@pytest.mark.parametrize("origin", ["https://evil.example", "", "null", "http://localhost"])
def test_another_site_gets_the_same_answer_and_counts_nothing(
    anyone: FlaskClient, alice: Browser, key: str, origin: str
) -> None:
    answer = send(anyone, key, origin=origin)
    assert (answer.status_code, answer.data) == (204, b"")
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert count(alice, Visit) == 0


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"", "text/plain"),
        (b"not json", "text/plain"),
        (b"{}", "application/json"),
        (b"k=1&e=pageview", "application/x-www-form-urlencoded"),
        (b"x" * 5000, "text/plain"),
        (b"x" * 5000, "application/x-www-form-urlencoded"),
        (b"--b\r\n", "multipart/form-data; boundary=b"),
    ],
)
def test_whatever_is_wrong_with_an_event_the_answer_is_the_same(
    anyone: FlaskClient, alice: Browser, key: str, data: bytes, kind: str
) -> None:
    answer = anyone.post("/collect", data=data, content_type=kind, headers={"Origin": ORIGIN})
    assert (answer.status_code, answer.data) == (204, b"")
    assert count(alice, Visit) == 0


@pytest.mark.parametrize("header", ["DNT", "Sec-GPC"])
def test_who_does_not_want_to_be_counted_is_not(anyone: FlaskClient, alice: Browser, key: str, header: str) -> None:
    assert send(anyone, key, headers={header: "1"}).status_code == 204
    assert count(alice, Visit) == 0


def test_who_sends_too_much_is_not_counted_and_no_address_is_kept(
    anyone: FlaskClient, alice: Browser, key: str
) -> None:
    collect.PACE = Pace(per_address=2)
    assert {send(anyone, key, s=f"visit{n}").status_code for n in range(5)} == {204}
    assert count(alice, Visit) == 2
    with alice.database.begin() as db:
        assert [row for row in db.scalars(select(Throttle.bucket)) if "127.0.0.1" in row] == []


def test_alice_does_nothing_as_herself_there(alice: Browser, key: str) -> None:
    """Her cookie comes along where the shop is on the same site; it is not looked at, and not renewed."""
    answer = send(alice, key)
    assert answer.status_code == 204
    assert "Set-Cookie" not in answer.headers


def test_no_other_address_takes_anything_from_another_site(app: Flask, alice: Browser) -> None:
    cross = {"Origin": "https://shop.example", "Sec-Fetch-Site": "cross-site"}
    posts = [rule for rule in app.url_map.iter_rules() if "POST" in (rule.methods or ()) and not rule.arguments]
    assert len(posts) > 20
    taken = [rule.rule for rule in posts if alice.post(rule.rule, headers=cross).status_code != 403]
    assert taken == ["/collect"]


def test_the_script_may_be_loaded_by_any_site_and_kept_for_an_hour(anyone: FlaskClient) -> None:
    answer = anyone.get("/collect.js")
    assert answer.mimetype == "text/javascript"
    assert answer.headers["Cache-Control"] == "public, max-age=3600"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert len(answer.data) < 2048
    assert "Set-Cookie" not in answer.headers


# --- the page ---------------------------------------------------------------------------------------------------


def test_alice_sees_the_snippet_and_the_last_event(anyone: FlaskClient, alice: Browser, key: str) -> None:
    page = alice.get(SHOP).text
    assert "http://localhost/collect.js" in page
    assert "data-copy" in page
    assert f'href="{ORIGIN}"' in page
    assert "No event yet." in page
    send(anyone, key, "purchase", o="7", a=19.9, c="EUR", p="/thanks")
    heard = alice.get(f"{SHOP}/heard", headers={"HX-Request": "true"}).text
    assert 'hx-trigger="every 3s"' in heard
    assert "purchase" in heard
    assert "/thanks" in heard
    assert "1</span> seen by the collector only" in alice.get(SHOP).text
    assert count(alice, StoreOrder) == 1


def test_alice_reads_why_an_event_was_left_out(anyone: FlaskClient, alice: Browser, key: str) -> None:
    send(anyone, key, origin="https://staging.shop.example")
    heard = alice.get(f"{SHOP}/heard", headers={"HX-Request": "true"}).text
    assert "https://staging.shop.example" in heard
    assert "This site is not listed." in heard


@pytest.mark.parametrize("typed", ["shop.example", "ftp://shop.example", "https://user@shop.example", "https://a b"])
def test_what_is_no_site_is_refused_and_stays_typed(alice: Browser, key: str, typed: str) -> None:
    answer = alice.send(f"{SHOP}/sites", origins=typed)
    assert answer.status_code == 422
    assert "is not a site" in answer.text
    assert typed in answer.text


def test_without_a_shop_there_is_nothing_to_listen_for(alice: Browser) -> None:
    assert "Save the shop&#39;s currency and time zone first." in alice.get(SHOP).text.replace("'", "&#39;")
    assert alice.send(f"{SHOP}/sites", origins=ORIGIN).status_code == 422


def test_a_new_key_makes_a_new_snippet(anyone: FlaskClient, alice: Browser, key: str) -> None:
    assert alice.send(f"{SHOP}/new-key").status_code == 303
    assert key not in alice.get(SHOP).text
    send(anyone, key)
    assert count(alice, Visit) == 0
