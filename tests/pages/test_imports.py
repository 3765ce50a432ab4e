"""Importing files and setting up a shop, as alice does it in a browser: looked at first, saved once, never doubled."""

from __future__ import annotations

import io
import re
import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from html import unescape
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, update

from tests.ads import exports
from tests.people import Browser
from webapp.ads import local
from webapp.ads.imports import keeping
from webapp.ads.imports.ad_days import AdFile, FileCampaign
from webapp.ads.money import MICROS
from webapp.db.models import AdAccount, AdDaily, AuditEvent, Campaign, Store, StoreOrder, Upload, Visit
from webapp.pages import imports

IMPORT = "/settings/ad-accounts/import"
SHOP = "/settings/ad-accounts/shop"
BERLIN = {"timezone": "Europe/Berlin"}


def upload(person: Browser, text: str | bytes, name: str = "export.csv") -> Any:
    data = text.encode() if isinstance(text, str) else text
    form = {"workspace": str(person.workspace_id), "file": (io.BytesIO(data), name)}
    return person.post(IMPORT, data=form, content_type="multipart/form-data")


def looked_at(person: Browser, text: str, **typed: str) -> tuple[str, str]:
    """The URL of the file while it is looked at, and the page, after correcting what is typed."""
    answer = upload(person, text)
    assert answer.status_code == 303, answer.text
    where: str = answer.location
    if typed:
        assert person.send(where, **{**form_of(person, where), **typed}).status_code == 303
    return where, person.get(where).text


def form_of(person: Browser, where: str) -> dict[str, str]:
    """What stands in the form of the page."""
    page = person.get(where).text
    found = dict(re.findall(r'<input id="[^"]*" name="(\w+)"[^>]*? value="([^"]*)"', page))
    for name, inside in re.findall(r'<select[^>]* name="([\w-]+)".*?>(.*?)</select>', page, flags=re.S):
        chosen = re.search(r'value="([^"]*)" selected', inside)
        found[name] = chosen[1] if chosen else ""
    return found


def imported(person: Browser, text: str, **typed: str) -> str:
    """The page that says what was saved."""
    where, _ = looked_at(person, text, **typed)
    saved = person.send(f"{where}/save", **form_of(person, where))
    assert saved.status_code == 303, re.sub(r"<[^>]+>", " ", saved.text)[-3000:]
    return str(person.get(where).text)


def said(page: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page)).split())


def rows(person: Browser, what: Any, *where: Any) -> list[Any]:
    with person.database.begin() as db:
        found = list(db.scalars(select(what).where(what.workspace_id == person.workspace_id, *where)))
        db.expunge_all()
    return found


def open_shop(person: Browser, **values: str) -> None:
    given = {"name": "Acme shop", "currency": "USD", "timezone": "America/New_York", "basis": "net", **values}
    assert person.send(SHOP, **given).status_code == 303


# --- ad figures -------------------------------------------------------------------------------------------------


def test_alice_looks_at_a_file_before_it_is_saved(alice: Browser) -> None:
    _, page = looked_at(alice, exports.META, **BERLIN)
    text = said(page)
    assert "Meta Ads Manager" in text
    assert "2 new, 0 changed, 0 unchanged days of campaigns" in text
    assert "Spend 36.50 EUR" in text
    assert "Revenue 180.50 EUR" in text
    assert "1 line Totals (2)" in text
    assert "A ratio: computed again from the sums" in text
    assert rows(alice, AdAccount) == []


def test_what_alice_saves_is_an_account_that_can_only_be_looked_at(alice: Browser) -> None:
    text = said(imported(alice, exports.META, **BERLIN, name="Old Meta account"))
    assert "New 2 days of campaigns" in text
    (account,) = rows(alice, AdAccount)
    assert (account.platform, account.network, account.writable) == ("import", "meta", False)
    assert (account.name, account.currency, account.timezone) == ("Old Meta account", "EUR", "Europe/Berlin")
    assert account.data_through == date(2026, 9, 2)
    assert sum(day.spend_micros for day in rows(alice, AdDaily)) == 36_500_000
    assert "Old Meta account" in alice.get("/settings/ad-accounts").text
    assert rows(alice, AuditEvent, AuditEvent.action == "ads.imported")[0].subject == "Old Meta account"


def test_the_newest_days_of_an_old_file_never_count_as_mature(alice: Browser) -> None:
    imported(alice, exports.META, **BERLIN)
    (account,) = rows(alice, AdAccount)
    assert account.synced_at == datetime(2026, 9, 2, 22, tzinfo=UTC)  # when its newest day was over in Berlin


def test_the_same_file_again_changes_nothing(alice: Browser) -> None:
    imported(alice, exports.GOOGLE, **BERLIN)
    before = sorted(map(_figures, rows(alice, AdDaily)))
    again = said(imported(alice, exports.GOOGLE))
    assert "New 0 days of campaigns Changed 0 Unchanged 3" in again
    assert sorted(map(_figures, rows(alice, AdDaily))) == before
    assert len(rows(alice, AdAccount)) == 1


def test_files_that_overlap_replace_days_and_keep_the_others(alice: Browser) -> None:
    imported(alice, exports.META, **BERLIN)
    later = "\n".join(line for line in exports.META.splitlines() if "2026-09-01,active" not in line)
    later = later.replace("24.00,2000", "25.00,2000").replace(",,,,36.50", ",,,,25.00")
    later += "\n" + later.splitlines()[-1].replace("2026-09-02", "2026-09-03")
    assert "New 1 days of campaigns Changed 1 Unchanged 0" in said(imported(alice, later))
    spent = {day.day.day: day.spend_micros // MICROS for day in rows(alice, AdDaily)}
    assert spent == {1: 12, 2: 25, 3: 25}


def test_a_campaign_first_seen_without_its_id_is_the_same_with_it(alice: Browser) -> None:
    nameless = exports.META.replace("Campaign ID", "Some ID")
    imported(alice, nameless, **BERLIN)
    assert "Unchanged 2" in said(imported(alice, exports.META))
    (campaign,) = rows(alice, Campaign)
    assert (campaign.external_id, campaign.name) == ("1201", "Brand")
    assert "Unchanged 2" in said(imported(alice, nameless))


def test_an_older_file_does_not_take_a_name_back(alice: Browser) -> None:
    imported(alice, exports.META, **BERLIN)
    older = exports.META.replace("2026-09-0", "2026-08-0").replace("Brand", "Old Brand").replace("active", "paused")
    imported(alice, older)
    (campaign,) = rows(alice, Campaign)
    assert (campaign.name, campaign.status) == ("Brand", "active")
    assert len(rows(alice, AdDaily)) == 4


def test_a_file_in_another_currency_is_kept_out_of_the_account(alice: Browser) -> None:
    imported(alice, exports.META, **BERLIN)
    account = str(rows(alice, AdAccount)[0].id)
    where, page = looked_at(alice, exports.META.replace("EUR", "USD"), account=account)
    assert "counts in EUR, the file in USD. Choose a new account." in said(page)
    assert alice.send(f"{where}/save", **form_of(alice, where)).status_code == 422
    assert len(rows(alice, AdDaily)) == 2


def test_campaigns_that_are_connected_live_are_warned_about(alice: Browser) -> None:
    with alice.database.begin() as db:
        live = AdAccount(
            id=uuid.uuid4(), workspace_id=alice.workspace_id, platform="meta", external_id="9", name="Acme live",
            currency="EUR", timezone="Europe/Berlin", created_by=alice.user_id,
        )  # fmt: skip
        db.add(live)
        db.flush()
        here = {"workspace_id": alice.workspace_id, "account_id": live.id}
        db.add(Campaign(id=uuid.uuid4(), external_id="1201", name="Brand", status="active", **here))
    _, page = looked_at(alice, exports.META)
    assert "Acme live is connected and has campaigns of the same name or id." in said(page)


# --- correcting -------------------------------------------------------------------------------------------------


def test_what_the_file_does_not_decide_is_asked_and_then_known(alice: Browser) -> None:
    text = exports.GOOGLE.replace("2026-09-01", "03/04/2026").replace("2026-09-02", "04/03/2026")
    where, page = looked_at(alice, text, **BERLIN)
    assert "Say whether the day or the month comes first." in said(page)
    assert alice.send(f"{where}/save", **form_of(alice, where)).status_code == 422
    assert alice.send(where, **{**form_of(alice, where), "dates": "dmy"}).status_code == 303
    assert "4 Mar 2026 to 3 Apr 2026" in said(alice.get(where).text).replace("04 Mar", "4 Mar")
    assert alice.send(f"{where}/save", **form_of(alice, where)).status_code == 303
    assert {day.day for day in rows(alice, AdDaily)} == {date(2026, 4, 3), date(2026, 3, 4)}


def test_nothing_is_saved_but_what_was_shown(alice: Browser) -> None:
    where, _ = looked_at(alice, exports.GOOGLE, **BERLIN)
    changed = {**form_of(alice, where), "column-11": ""}  # the value of conversions
    answer = alice.send(f"{where}/save", **changed)
    assert (answer.status_code, answer.location) == (303, where)
    assert rows(alice, AdDaily) == []
    page = said(alice.get(where).text)
    assert "Look at it once more, then save." in page
    assert "Revenue 0.00 CAD" in page


def test_one_field_cannot_come_from_two_columns(alice: Browser) -> None:
    where, _ = looked_at(alice, exports.META, **BERLIN)
    answer = alice.send(where, **{**form_of(alice, where), "column-9": "orders"})
    assert answer.status_code == 422
    assert "Two columns are chosen for Orders: Results and Purchases." in said(answer.text)


def test_a_second_click_saves_nothing_twice(alice: Browser) -> None:
    where, _ = looked_at(alice, exports.META, **BERLIN)
    form = form_of(alice, where)
    assert [alice.send(f"{where}/save", **form).status_code for _ in range(2)] == [303, 303]
    assert len(rows(alice, AdAccount)) == 1
    assert rows(alice, Upload)[0].body == ""


def test_alice_throws_a_file_away(alice: Browser) -> None:
    where, _ = looked_at(alice, exports.META)
    assert alice.send(f"{where}/discard").status_code == 303
    assert alice.get(where).status_code == 404
    assert rows(alice, Upload) == []


def test_a_file_waits_for_an_hour_and_five_at_once(alice: Browser) -> None:
    first, _ = looked_at(alice, exports.META)
    with alice.database.begin() as db:
        db.execute(update(Upload).values(expires_at=datetime.now(UTC) - timedelta(seconds=1)))
    assert alice.get(first).status_code == 404
    for _ in range(7):
        upload(alice, exports.META)
    assert len(rows(alice, Upload)) == 5


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"PK\x03\x04", "This is an Excel workbook"),
        (b"Name,Age\nAnn,7\n", "The file begins with: Name,Age"),
        (b"", "The file is empty"),
    ],
)
def test_what_is_no_export_is_refused_in_words(alice: Browser, data: bytes, words: str) -> None:
    answer = upload(alice, data)
    assert answer.status_code == 422
    assert words in said(answer.text)


def test_a_form_without_a_file_asks_for_one(alice: Browser) -> None:
    assert "Choose a file" in alice.send(IMPORT).text


def test_names_from_a_file_are_text_on_the_page(alice: Browser) -> None:
    _, page = looked_at(alice, exports.META.replace("Brand", "<script>alert(1)</script>"))
    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_only_this_upload_may_be_large(alice: Browser, app: Flask) -> None:
    padding = "x" * (9 * 1024 * 1024)
    big = exports.META + f"Brand,1201,2026-09-03,{padding},1.00,1,1,1,1,1,,1,1.00,1,2026-09-01,2026-09-30\n"
    assert upload(alice, big).status_code == 422  # a cell of nine megabytes: read, and refused for what it is
    assert upload(alice, "x" * (21 * 1024 * 1024)).status_code == 413
    assert "A file may have 20 MB" in upload(alice, "x" * (21 * 1024 * 1024)).text
    assert alice.send(SHOP, name=padding).status_code == 413
    form = {"file": (io.BytesIO(big.encode()), "export.csv")}
    anyone = app.test_client().post(IMPORT, data=form, content_type="multipart/form-data")
    assert anyone.status_code == 413


def test_a_file_may_have_more_campaigns_than_a_statement_has_parameters(alice: Browser) -> None:
    imported(alice, "Day,Campaign,Currency code,Cost\n2026-09-01,Brand 7,EUR,1.50\n", timezone="Europe/Berlin")
    campaigns = {f"Brand {n}": FileCampaign("", f"Brand {n}", "", "") for n in range(70_000)}
    file = AdFile(campaigns, (), {}, ())
    with alice.database.begin() as db:
        found = keeping.targets(alice.scope, db, "google")
        assert keeping.best_target(alice.scope, db, found, file, "EUR") == found[0]
        assert keeping.also_live(alice.scope, db, "google", file) == []


def test_bob_may_not_import(alice: Browser, bob: Browser) -> None:
    where, _ = looked_at(alice, exports.META)
    assert upload(bob, exports.META).status_code == 403
    assert bob.get(where).status_code == 403
    assert bob.send(f"{where}/save").status_code == 403


def test_charlie_finds_no_file_of_alice(alice: Browser, charlie: Browser) -> None:
    where, _ = looked_at(alice, exports.META)
    assert charlie.get(where).status_code == 404
    assert charlie.send(f"{where}/save").status_code == 404
    assert charlie.send(f"{where}/discard").status_code == 404
    assert alice.get(where).status_code == 200


def test_charlies_account_is_no_place_for_alices_days(alice: Browser, charlie: Browser) -> None:
    imported(charlie, exports.META, **BERLIN)
    foreign = str(rows(charlie, AdAccount)[0].id)
    where, page = looked_at(alice, exports.META, **BERLIN, account=foreign)
    assert foreign not in page
    for _ in range(2):  # what was typed is not what was shown: once more
        alice.send(f"{where}/save", **form_of(alice, where))
    assert rows(alice, AdAccount)[0].id != uuid.UUID(foreign)
    assert len(rows(charlie, AdDaily)) == 2


# --- orders -----------------------------------------------------------------------------------------------------


def test_alices_orders_come_in_once(alice: Browser) -> None:
    zone = {"timezone": "America/New_York"}
    _, page = looked_at(alice, exports.SHOPIFY, **zone)
    assert "Orders 3 Gross 1,338.00 USD Refunded 59.00 USD Customers 2" in said(page)
    assert "New 3 orders" in said(imported(alice, exports.SHOPIFY, **zone))
    assert "New 0 orders Changed 0 Unchanged 3" in said(imported(alice, exports.SHOPIFY))
    orders = {row.external_id: row for row in rows(alice, StoreOrder)}
    assert {number: row.is_first for number, row in orders.items()} == {"#1001": True, "#1002": True, "#1003": False}
    assert orders["#1001"].day == date(2026, 5, 1)
    assert orders["#1001"].other_id == "99001"
    (store,) = rows(alice, Store)
    assert (store.currency, store.timezone) == ("USD", "America/New_York")


def test_nobody_in_the_database_has_an_address(alice: Browser) -> None:
    imported(alice, exports.SHOPIFY, timezone="America/New_York")
    kept = " ".join(str(vars(row)) for row in [*rows(alice, StoreOrder), *rows(alice, Upload)])
    for personal in ("example.com", "Ann Lee", "Main St", "555 0100"):
        assert personal not in kept
    (ann,) = {row.customer for row in rows(alice, StoreOrder) if row.external_id in ("#1001", "#1003")}
    assert re.fullmatch("[0-9a-f]{32}", ann)


def test_the_same_customer_of_two_workspaces_is_two(alice: Browser, charlie: Browser) -> None:
    for person in (alice, charlie):
        imported(person, exports.SHOPIFY, timezone="America/New_York")
    assert {row.customer for row in rows(alice, StoreOrder)} & {
        row.customer for row in rows(charlie, StoreOrder)
    } == set()


def test_an_order_that_was_refunded_or_cancelled_since_is_corrected(alice: Browser) -> None:
    imported(alice, exports.SHOPIFY, timezone="America/New_York")
    later = exports.SHOPIFY.replace("US,,,0.00,99003", "US,,2026-06-09 09:30:00 -0400,0.00,99003")
    later = later.replace('at the door",,0.00,99001', 'at the door",,9.00,99001')
    page = said(imported(alice, later))
    assert "Changed 1 Unchanged 1 Taken back 1" in page
    refunds = {row.external_id: row.refund_micros for row in rows(alice, StoreOrder)}
    assert refunds == {"#1001": 9_000_000, "#1002": 59_000_000}


def test_orders_in_another_currency_than_the_shops_wait(alice: Browser) -> None:
    open_shop(alice, currency="EUR")
    where, page = looked_at(alice, exports.SHOPIFY)
    assert "The shop counts in EUR, the file in USD." in said(page)
    assert alice.send(f"{where}/save", **form_of(alice, where)).status_code == 422
    assert rows(alice, StoreOrder) == []


def test_what_the_collector_saw_of_an_order_goes_into_it(alice: Browser) -> None:
    """Seen under the number people know, and under Shopify's own."""
    open_shop(alice)
    now = {"ordered_at": datetime.now(UTC), "day": date(2026, 5, 1), "currency": "USD", "gross_micros": 1}
    with alice.database.begin() as db:
        for number, channel in (("1001", "meta"), ("99002", "email"), ("555", "direct")):
            seen = {"visitor_id": f"visitor-{number}", "channel": channel, "device": "mobile"}
            db.add(StoreOrder(workspace_id=alice.workspace_id, source="collect", external_id=number, **now, **seen))
    imported(alice, exports.SHOPIFY)
    orders = {row.external_id: row for row in rows(alice, StoreOrder)}
    assert set(orders) == {"#1001", "#1002", "#1003", "555"}
    assert (orders["#1001"].channel, orders["#1001"].gross_micros) == ("meta", 59_000_000)
    assert (orders["#1002"].channel, orders["#1002"].visitor_id) == ("email", "visitor-99002")
    imported(alice, exports.SHOPIFY)
    assert {row.channel for row in rows(alice, StoreOrder)} == {"meta", "email", "unknown", "direct"}


# --- the shop ---------------------------------------------------------------------------------------------------


@pytest.fixture
def with_demo(alice: Browser) -> Callable[[], None]:
    def seed() -> None:
        with alice.database.begin() as db:
            local.seed_demo(alice.scope, db, date(2026, 11, 24), visit_days=1)

    return seed


def test_the_demos_shop_has_to_go_before_real_orders_come(alice: Browser, with_demo: Callable[[], None]) -> None:
    with_demo()
    where, page = looked_at(alice, exports.SHOPIFY)
    assert "This workspace has the demo's shop" in said(page)
    assert alice.send(f"{where}/save", **form_of(alice, where)).status_code == 422
    assert alice.send(f"{SHOP}/sites", origins="https://shop.example").status_code == 409
    assert alice.send(f"{SHOP}/remove-demo").status_code == 303
    assert rows(alice, StoreOrder) == rows(alice, Visit) == []
    assert len(rows(alice, AdAccount)) == 3
    imported(alice, exports.SHOPIFY)
    assert {row.source for row in rows(alice, StoreOrder)} == {"shopify"}
    with alice.database.begin() as db:  # a day later the demo makes no orders again
        local.seed_demo(alice.scope, db, date(2026, 11, 25), visit_days=1)
    assert {row.source for row in rows(alice, StoreOrder)} == {"shopify"}


def test_another_time_zone_gives_every_order_its_day_anew(alice: Browser) -> None:
    imported(alice, exports.SHOPIFY, timezone="America/New_York")
    version = rows(alice, Store)[0].version
    open_shop(alice, timezone="Europe/Berlin")
    assert {row.day for row in rows(alice, StoreOrder)} == {date(2026, 5, 2), date(2026, 6, 3)}
    assert rows(alice, Store)[0].version > version


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("currency", "dollars", "The orders are in another currency"),
        ("currency", "EU", "Write it with three letters, like EUR."),
        ("timezone", "Mars/Olympus", "Choose one from the list, like Europe/Berlin."),
    ],
)
def test_what_no_shop_can_be_is_refused_and_stays_typed(alice: Browser, field: str, value: str, words: str) -> None:
    imported(alice, exports.SHOPIFY, timezone="America/New_York")
    form = {"name": "Acme shop", "currency": "USD", "timezone": "America/New_York", "basis": "gross", field: value}
    answer = alice.send(SHOP, **form)
    assert answer.status_code == 422
    assert words in said(answer.text)
    assert f'value="{value}"' in answer.text
    assert 'value="Acme shop"' in answer.text


def test_bob_sees_the_shop_and_cannot_change_it(alice: Browser, bob: Browser) -> None:
    open_shop(alice)
    page = bob.get(SHOP).text
    assert "Acme shop" in page
    assert '<fieldset class="panel-body stack rails" disabled' in page
    for path in ("", "/sites", "/new-key", "/remove-demo"):
        assert bob.send(SHOP + path).status_code == 403


def test_the_way_to_import_and_shop_stands_under_ad_accounts(alice: Browser) -> None:
    page = alice.get("/settings/ad-accounts").text
    assert f'href="{IMPORT}"' in page
    assert f'href="{SHOP}"' in page


def test_uploads_are_counted(alice: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imports, "UPLOADS", 1)
    assert upload(alice, exports.META).status_code == 303
    assert upload(alice, exports.META).status_code == 429


def _figures(row: AdDaily) -> tuple[Any, ...]:
    return str(row.campaign_id), row.day, row.spend_micros, row.impressions, row.clicks, row.orders, row.revenue_micros
