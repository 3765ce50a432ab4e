"""The collector: how somebody came, what an event may say, and what becomes of it in the shop's rows."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from webapp.accounts import Scope, people, workspaces
from webapp.analytics import collector, shop
from webapp.analytics.pace import Pace
from webapp.analytics.touch import touch
from webapp.db import Database
from webapp.db.models import AdAccount, Campaign, Store, StoreOrder, Visit, Workspace

STATIC = Path(__file__).resolve().parents[2] / "static"
ORIGIN = "https://shop.example"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148 Safari/604.1"
LAPTOP = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


# --- how somebody came ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "referrer", "channel"),
    [
        ("", "", "direct"),
        ("", "https://shop.example/cart", "direct"),
        ("", "https://www.shop.example/cart", "direct"),
        ("", "https://www.paypal.com/checkout", "direct"),
        ("", "https://hooks.stripe.com/3d", "direct"),
        ("", "https://www.google.com/", "organic"),
        ("", "https://www.google.co.uk/", "organic"),
        ("", "https://search.brave.com/search", "organic"),
        ("", "https://duckduckgo.com/", "organic"),
        ("", "android-app://com.google.android.googlequicksearchbox/", "organic"),
        ("", "android-app://com.google.android.gm/", "email"),
        ("", "https://mail.google.com/mail/u/0/", "email"),
        ("", "https://outlook.live.com/", "email"),
        ("", "https://l.instagram.com/", "social"),
        ("", "https://m.facebook.com/", "social"),
        ("", "https://t.co/abc", "social"),
        ("", "https://x.com/acme", "social"),
        ("", "https://www.reddit.com/r/bags", "social"),
        ("", "https://x.example.org/post", "referral"),
        ("", "https://bags.blog/best-of", "referral"),
        ("", "https://shop.other.example/links", "referral"),
        ("", "not an address", "direct"),
        ("", "https://[broken", "direct"),
        ("gclid=abc", "https://www.google.com/", "google"),
        ("wbraid=abc", "", "google"),
        ("gclid=abc&utm_source=newsletter&utm_medium=email", "", "google"),
        ("utm_source=google&utm_medium=cpc", "", "google"),
        ("utm_source=Google&utm_medium=CPC", "", "google"),
        ("utm_source=google&utm_medium=organic", "", "organic"),
        ("utm_source=facebook&utm_medium=paid_social", "", "meta"),
        ("utm_source=ig&utm_medium=paid", "", "meta"),
        ("utm_source=fb&utm_medium=ads&fbclid=x", "https://l.facebook.com/", "meta"),
        ("utm_source=facebook&utm_medium=social", "", "social"),
        ("fbclid=x", "https://l.facebook.com/", "social"),
        ("fbclid=x", "", "social"),
        ("utm_source=tiktok&utm_medium=cpc", "", "social"),
        ("utm_source=bing&utm_medium=cpc", "", "unknown"),
        ("utm_source=klaviyo&utm_medium=flow", "", "email"),
        ("utm_source=autumn&utm_medium=email", "https://www.google.com/", "email"),
        ("utm_source=partner&utm_medium=affiliate", "", "referral"),
        ("utm_source=instagram", "", "social"),
        ("utm_source=flyer", "", "unknown"),
        ("page=2", "https://www.google.com/", "organic"),
    ],
)
def test_the_first_rule_that_fits_says_how_somebody_came(query: str, referrer: str, channel: str) -> None:
    assert touch(query, referrer, ["shop.example"]).channel == channel


def test_the_campaign_is_what_the_address_names() -> None:
    found = touch("utm_id=1201&utm_campaign=Autumn+Sale%20%F0%9F%8D%82", "")
    assert (found.campaign_id, found.campaign) == ("1201", "Autumn Sale 🍂")


def test_an_address_with_more_marks_than_anybody_sets_is_read_as_far_as_it_goes() -> None:
    assert touch("utm_source=newsletter&" + "a=b&" * 900, "").channel == "email"


# --- what an event may say --------------------------------------------------------------------------------------

GOOD: dict[str, Any] = {
    "k": "0" * 32, "e": "pageview", "v": "11-22-33-44", "s": "mabc123", "p": "/products/bag", "q": "", "r": ""
}  # fmt: skip


def body(**changed: Any) -> bytes:
    return json.dumps({**GOOD, **changed}).encode()


def test_a_good_event_is_read() -> None:
    event = collector.read(body(e="purchase", o="#1001", a=59.9, c="usd", p="/thanks?token=secret"))
    assert event is not None
    assert (event.name, event.order, event.micros, event.currency) == ("purchase", "1001", 59_900_000, "USD")
    assert event.page == "/thanks"


@pytest.mark.parametrize(
    "wrong",
    [
        b"", b"[]", b"null", b"{", b"\xff\xfe", b"[" * 4000, b'"text"',
        body(k="short"), body(k="Z" * 32), body(k=None), body(e="delete"), body(e=["pageview"]), body(v="x"),
        body(v="a" * 41), body(v="<script>"), body(s=""), body(s="a b"), body(v="11-22-33\0-44"),
        json.dumps({}).encode(),
    ],
)  # fmt: skip
def test_anything_else_is_no_event(wrong: bytes) -> None:
    assert collector.read(wrong) is None


@pytest.mark.parametrize(
    ("value", "micros"),
    [
        (59.9, 59_900_000),
        ("59.90", 59_900_000),
        (0, 0),
        (-1, None),
        (1e12, None),
        ("NaN", None),
        (True, None),
        ([], None),
    ],
)
def test_a_value_is_an_amount_or_none(value: object, micros: int | None) -> None:
    event = collector.read(body(a=value))
    assert event is not None
    assert event.micros == micros


@pytest.mark.parametrize(
    ("value", "order"),
    [("#1001", "1001"), (1001, "1001"), ("gid://shopify/Order/99001", "99001"), (None, ""), (True, "")],
)
def test_an_order_has_one_number_however_it_is_written(value: object, order: str) -> None:
    event = collector.read(body(o=value))
    assert event is not None
    assert event.order == order


@pytest.mark.parametrize(
    ("user_agent", "kind"),
    [
        (IPHONE, "mobile"),
        (LAPTOP, "desktop"),
        ("Mozilla/5.0 (iPad; CPU OS 19_0 like Mac OS X) Safari/604.1", "tablet"),
        ("Mozilla/5.0 (Linux; Android 16; Pixel 10) Chrome/140.0 Mobile Safari/537.36", "mobile"),
        ("Mozilla/5.0 (Linux; Android 16; Tab S11) Chrome/140.0 Safari/537.36", "tablet"),
        ("Mozilla/5.0 (compatible; Googlebot/2.1)", ""),
        ("python-requests/2.32", ""),
        ("", ""),
    ],
)
def test_the_kind_of_device_is_told_and_robots_are_not_counted(user_agent: str, kind: str) -> None:
    assert collector.device(user_agent) == kind


def test_the_script_is_small_and_needs_nothing() -> None:
    source = (STATIC / "collect.js").read_text()
    assert len(source.encode()) < 2048
    assert "document.cookie" not in source
    assert "import" not in source


# --- how much ---------------------------------------------------------------------------------------------------


def test_one_address_and_one_shop_may_send_so_much_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr("webapp.analytics.pace.time.monotonic", lambda: clock[0])
    pace = Pace(per_address=3, per_shop=5)
    assert [pace.allows("1.2.3.4", "acme") for _ in range(4)] == [True, True, True, False]
    assert [pace.allows(f"9.9.9.{n}", "acme") for n in range(3)] == [True, True, False]
    assert pace.allows("8.8.8.8", "charlies")
    clock[0] = 60.0
    assert pace.allows("1.2.3.4", "acme")


def test_nobody_can_read_an_address_out_of_the_counters() -> None:
    pace = Pace()
    pace.allows("203.0.113.7", "acme")
    assert "203.0.113.7" not in str(vars(pace))


# --- rows -------------------------------------------------------------------------------------------------------


@dataclass
class Acme:
    """Alice's workspace with a shop that counts in dollars, in New York."""

    database: Database
    scope: Scope
    key: str

    def hears(self, event: str = "pageview", *, origin: str = ORIGIN, agent: str = IPHONE, **changed: Any) -> bool:
        read = collector.read(body(k=self.key, e=event, **changed))
        assert read is not None
        with self.database.begin() as db:
            return collector.receive(db, read, origin=origin, user_agent=agent)

    def rows(self, what: Any) -> list[Any]:
        with self.database.begin() as db:
            found = list(db.scalars(select(what).where(what.workspace_id == self.scope.workspace_id).order_by(what.id)))
            db.expunge_all()
        return found

    def visit(self) -> Visit:
        (found,) = self.rows(Visit)
        assert isinstance(found, Visit)
        return found

    @property
    def store(self) -> Store:
        with self.database.begin() as db:
            row = db.get_one(Store, self.scope.workspace_id)
            db.expunge_all()
        return row

    def insert(self, *rows: Any) -> None:
        with self.database.begin() as db:
            for row in rows:
                row.workspace_id = self.scope.workspace_id
                db.add(row)
                db.flush()


def a_shop(database: Database, name: str) -> Acme:
    with database.begin() as db:
        email = f"{name.lower()}@example.com"
        user_id = people.sign_up(db, name=name, email=email, password_hash="x")
        assert user_id
        scope = workspaces.create(db, user_id, name)
        shop.save(scope, db, name=name, currency="USD", timezone="America/New_York", basis="net")
        shop.allow(scope, db, [ORIGIN])
        found = shop.find(scope, db)
        assert found
    return Acme(database, scope, found.collect_key)


@pytest.fixture
def acme(database: Database) -> Acme:
    return a_shop(database, "Alice")


def test_a_visit_is_one_row_however_far_it_goes(acme: Acme) -> None:
    for step in ("pageview", "view_item", "add_to_cart", "checkout", "pageview"):
        assert acme.hears(step, q="utm_source=fb&utm_medium=paid", p="/products/bag")
    visit = acme.visit()
    assert (visit.channel, visit.device, visit.landing_page, visit.country) == ("meta", "mobile", "/products/bag", "")
    assert (visit.viewed, visit.carted, visit.checkout, visit.purchased) == (True, True, True, False)
    assert visit.is_new
    assert visit.source == "collect"


def test_the_first_event_says_how_they_came_and_a_later_one_does_not(acme: Acme) -> None:
    acme.hears(q="gclid=x")
    acme.hears(r="https://www.paypal.com/")
    assert acme.visit().channel == "google"


@pytest.mark.parametrize(
    "said",
    [
        {"p": "/bag\ud800"},
        {"q": "utm_source=\udfff"},
        {"q": "utm_campaign=a%00b&utm_id=%00"},
        {"q": "gclid=%ED%A0%80"},
        {"r": "https://\ud800.example/"},
        {"e": "purchase", "o": "7\ud800", "a": 1, "c": "USD"},
        {"e": "purchase", "o": "7", "a": 1, "c": "\ud800SD"},
    ],
)
def test_what_the_database_cannot_hold_is_left_out_and_the_visit_counts(acme: Acme, said: dict[str, Any]) -> None:
    assert acme.hears(**{"event" if name == "e" else name: value for name, value in said.items()})
    assert acme.visit().device == "mobile"


def test_who_comes_again_is_not_new(acme: Acme) -> None:
    acme.hears(s="first1")
    acme.hears(s="second2")
    assert {row.session_key: row.is_new for row in acme.rows(Visit)} == {
        "11-22-33-44.first1": True,
        "11-22-33-44.second2": False,
    }


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "http://shop.example", "https://shop.example.evil.test", "null"]
)
def test_no_other_site_counts_anything(acme: Acme, origin: str) -> None:
    assert not acme.hears("purchase", origin=origin, o="1", a=1, c="USD")
    assert acme.rows(Visit) == acme.rows(StoreOrder) == []
    assert (acme.store.collected or {})["left_out"] == "This site is not listed."


def test_a_stranger_cannot_write_over_what_the_shop_said(acme: Acme) -> None:
    acme.hears("view_item")
    acme.hears(origin="https://evil.example")
    assert (acme.store.collected or {})["event"] == "view_item"


def test_charlies_site_cannot_write_into_acme_with_acmes_key(database: Database, acme: Acme) -> None:
    charlie = a_shop(database, "Charlie")
    with database.begin() as db:
        shop.allow(charlie.scope, db, ["https://charlie.example"])
    assert not acme.hears(origin="https://charlie.example")
    assert charlie.hears(origin="https://charlie.example")
    assert acme.rows(Visit) == []
    assert len(charlie.rows(Visit)) == 1


def test_an_unknown_key_and_a_deleted_workspace_are_deaf(acme: Acme) -> None:
    assert not Acme(acme.database, acme.scope, "f" * 32).hears()
    with acme.database.begin() as db:
        db.execute(update(Workspace).values(deleted_at=datetime.now(UTC)))
    assert not acme.hears()
    assert acme.rows(Visit) == []


def test_a_new_key_silences_the_old_snippet(acme: Acme) -> None:
    with acme.database.begin() as db:
        shop.new_key(acme.scope, db)
    assert not acme.hears()


def test_a_robot_is_answered_and_not_counted(acme: Acme) -> None:
    assert acme.hears(agent="Mozilla/5.0 (compatible; Googlebot/2.1)")
    assert acme.rows(Visit) == []


def test_a_purchase_is_an_order_with_the_way_its_buyer_came(acme: Acme) -> None:
    acme.hears(q="utm_source=news&utm_medium=email", p="/new-in")
    for _ in range(2):  # the thank-you page, loaded again
        acme.hears("purchase", o="#1001", a=59.9, c="USD", p="/thanks")
    (order,) = acme.rows(StoreOrder)
    assert (order.source, order.external_id, order.gross_micros, order.currency) == (
        "collect",
        "1001",
        59_900_000,
        "USD",
    )
    assert (order.channel, order.visitor_id, order.landing_page) == ("email", "11-22-33-44", "/new-in")
    assert order.is_first is None
    assert acme.visit().purchased


@pytest.mark.parametrize(
    ("sold", "why"),
    [
        ({"o": "1001", "a": 5, "c": "EUR"}, "The purchase was in EUR, the shop counts in USD."),
        ({"o": "1001", "a": 5}, "The purchase was in no currency, the shop counts in USD."),
        ({"o": "1001", "c": "USD"}, "A purchase needs an order number and a value."),
        ({"a": 5, "c": "USD"}, "A purchase needs an order number and a value."),
    ],
)
def test_a_purchase_that_is_no_order_says_why_and_the_visit_still_counts(
    acme: Acme, sold: dict[str, Any], why: str
) -> None:
    acme.hears("purchase", **sold)
    assert acme.rows(StoreOrder) == []
    assert acme.visit().purchased
    assert (acme.store.collected or {})["left_out"] == why


@pytest.mark.parametrize("sent", ["1001", "#1001", "99001", "gid://shopify/Order/99001"])
def test_an_order_that_was_imported_learns_how_its_buyer_came_once(acme: Acme, sent: str) -> None:
    acme.insert(
        StoreOrder(
            source="shopify", external_id="#1001", other_id="99001", ordered_at=datetime.now(UTC),
            day=datetime.now(UTC).date(), currency="USD", gross_micros=59_000_000,
        )
    )  # fmt: skip
    acme.hears("purchase", o=sent, a=1, c="USD", q="gclid=x")
    acme.hears("purchase", o=sent, a=1, c="USD", v="99-88-77-66", q="utm_source=fb&utm_medium=paid")
    (order,) = acme.rows(StoreOrder)
    assert (order.source, order.gross_micros, order.channel) == ("shopify", 59_000_000, "google")
    assert order.visitor_id == "11-22-33-44"


def campaigns(acme: Acme, *named: tuple[str, str], network: str = "meta") -> list[uuid.UUID]:
    account = AdAccount(
        id=uuid.uuid4(), platform="import", network=network, external_id=uuid.uuid4().hex, name="File", currency="USD",
        timezone="UTC", created_by=acme.scope.user_id,
    )  # fmt: skip
    rows = [
        Campaign(id=uuid.uuid4(), account_id=account.id, external_id=id, name=name, status="active")
        for id, name in named
    ]
    acme.insert(account, *rows)
    return [row.id for row in rows]


@pytest.mark.parametrize(
    "query", ["utm_id=1201", "utm_campaign=1201", "utm_campaign=autumn%20sale", "utm_id=1201&gclid=x"]
)
def test_a_campaign_of_ours_is_proof_of_its_ad(acme: Acme, query: str) -> None:
    autumn, _ = campaigns(acme, ("1201", "Autumn Sale"), ("1202", "Brand"))
    acme.hears(q=query)
    assert (acme.visit().campaign_id, acme.visit().channel) == (autumn, "meta")


def test_a_name_that_two_campaigns_have_names_none(acme: Acme) -> None:
    campaigns(acme, ("1201", "Brand"))
    campaigns(acme, ("55", "Brand"), network="google")
    acme.hears(q="utm_campaign=Brand&utm_source=flyer")
    assert (acme.visit().campaign_id, acme.visit().channel) == (None, "unknown")


def test_no_campaign_of_another_workspace_is_found(database: Database, acme: Acme) -> None:
    campaigns(a_shop(database, "Charlie"), ("1201", "Autumn Sale"))
    acme.hears(q="utm_id=1201")
    assert acme.visit().campaign_id is None
