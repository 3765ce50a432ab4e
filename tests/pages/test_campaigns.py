"""Campaigns: the table with its filters, order and totals, how fresh it says it is, and the page of one campaign."""

from __future__ import annotations

import re
import uuid
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any

import pytest
from sqlalchemy import update
from werkzeug.test import TestResponse

from tests import campaigns as made
from tests import people
from tests.people import Browser
from webapp.ads import changes
from webapp.ads.changes import Origin, Wanted
from webapp.ads.local import allow_changes
from webapp.db.models import AdAccount, AdDaily, Campaign

TODAY = datetime.now(UTC).date()
HTMX = {"HX-Request": "true"}


def account(of: Browser, name: str = "Shop", **more: Any) -> uuid.UUID:
    """Read up to yesterday; its days are days of UTC."""
    given = {"timezone": "UTC", "data_through": TODAY - timedelta(1), "synced_at": datetime.now(UTC), **more}
    return made.account(of.database, of.scope, name=name, **given)


def campaign(of: Browser, account_id: uuid.UUID, name: str, **more: Any) -> uuid.UUID:
    return made.campaign(of.database, of.scope, account_id, name, **more)


def spent(of: Browser, campaign_id: uuid.UUID, spend: float, revenue: float, *, ago: int = 10, **more: Any) -> None:
    """A day of a campaign, `ago` days before today, in units of its currency."""
    with of.database.begin() as db:
        row = db.get_one(Campaign, campaign_id)
        counts = {"orders": 5, "clicks": 20, "impressions": 1000, **more}
        ids = {"workspace_id": row.workspace_id, "account_id": row.account_id, "campaign_id": row.id}
        amounts = {"spend_micros": round(spend * 1e6), "revenue_micros": round(revenue * 1e6)}
        db.add(AdDaily(day=TODAY - timedelta(ago), **ids, **amounts, **counts))


def change_account(of: Browser, account_id: uuid.UUID, **values: Any) -> None:
    with of.database.begin() as db:
        db.execute(update(AdAccount).where(AdAccount.id == account_id).values(**values))


@pytest.fixture
def shop(alice: Browser) -> uuid.UUID:
    """Alice's account, in euros."""
    return account(alice)


def rows(page: TestResponse) -> dict[str, list[str]]:
    """The cells of each campaign and total, by what its row is called, without what only a screen reader says."""
    found = {}
    for row in re.findall(r"<tr id=\"(?:campaign|total).*?</tr>", page.text, re.S):
        cells = [cell_text(cell) for cell in re.findall(r"<t[hd].*?</t[hd]>", row, re.S)]
        name = re.search(r'<th scope="row">(?:<a [^>]*><bdi>)?([^<]*)', row)
        assert name
        found[unescape(name[1])] = cells[1:]
    return found


def cell_text(html: str) -> str:
    shown = re.sub(r'<span class="sr-only">.*?</span>', "", html)
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", shown)).split())


def names(page: TestResponse) -> list[str]:
    return [name for name in rows(page) if not name.startswith("Total in")]


def totals(page: TestResponse) -> dict[str, list[str]]:
    return {name: cells for name, cells in rows(page).items() if name.startswith("Total in")}


# --- before there is anything -----------------------------------------------------------------------------------


def test_alice_without_an_ad_account_is_led_to_one(alice, bob):
    page = alice.get("/campaigns").text
    assert "No ad account yet" in page
    assert 'href="/settings/ad-accounts"' in page
    assert "Try the demo account" in page
    assert "An owner or admin can connect one" in bob.get("/campaigns").text


def test_while_an_account_is_read_the_page_says_how_far_and_looks_again(alice, shop):
    lease = datetime.now(UTC) + timedelta(minutes=5)
    change_account(
        alice,
        shop,
        sync_state="running",
        sync_note="Reading campaigns",
        sync_done=1,
        sync_total=4,
        sync_lease_until=lease,
    )
    page = alice.get("/campaigns").text
    assert "Reading your campaigns" in page
    assert "Reading campaigns. Step 1 of 4." in page
    assert 'hx-get="/campaigns/freshness"' in page
    assert 'hx-get="/campaigns/freshness"' in alice.get("/campaigns/freshness").text
    change_account(alice, shop, sync_state="idle", sync_lease_until=None)
    done = alice.get("/campaigns/freshness").text
    assert "New figures are here" in done
    assert "hx-get" not in done


def test_an_account_that_could_not_be_read_or_is_late_says_so(alice, shop):
    campaign(alice, shop, "Brand")
    assert "not up to date" not in alice.get("/campaigns").text
    change_account(alice, shop, data_through=TODAY - timedelta(9))
    assert "Shop: not up to date" in alice.get("/campaigns").text
    change_account(alice, shop, sync_state="failed", sync_note="Meta is out of order.")
    page = alice.get("/campaigns").text
    assert "Shop: cannot be read" in page
    assert "Meta is out of order." in page


# --- figures ----------------------------------------------------------------------------------------------------


def test_a_row_says_what_was_spent_and_what_came_of_it(alice, shop):
    budget = {"budget_micros": 50_000_000, "budget_period": "daily", "budget_level": "campaign", "learning": "learning"}
    spent(alice, campaign(alice, shop, "Brand", **budget), 100, 250)
    (row,) = [cells for name, cells in rows(alice.get("/campaigns")).items() if name == "Brand"]
    assert row[:2] == ["Active Learning", "€50.00 a day"]
    assert row[2:8] == ["€100.00 new", "€250.00 new", "2.50× –", "€20.00 –", "2.00% –", "5 new"]


def test_a_ratio_without_a_denominator_is_a_dash_that_says_why(alice, shop):
    spent(alice, campaign(alice, shop, "New"), 10, 0, orders=0, impressions=0, clicks=0)
    page = alice.get("/campaigns")
    assert [cell.split()[0] for cell in rows(page)["New"][4:7]] == ["0.00×", "–", "–"]
    assert 'title="No orders, so no CPA"' in page.text
    assert 'title="No impressions, so no CTR"' in page.text


def test_a_total_is_a_ratio_of_sums_one_for_each_currency(alice, shop):
    tokyo = account(alice, "Tokyo", currency="JPY")
    spent(alice, campaign(alice, shop, "Small"), 10, 100)
    spent(alice, campaign(alice, shop, "Large"), 1000, 1000)
    spent(alice, campaign(alice, tokyo, "Yen"), 5000, 20000)
    page = alice.get("/campaigns")
    shown = {name: [cell.split()[0] for cell in cells[2:5]] for name, cells in totals(page).items()}
    assert shown == {
        "Total in EUR": ["€1,010.00", "€1,100.00", "1.09×"],
        "Total in JPY": ["¥5,000", "¥20,000", "4.00×"],
    }
    assert "Amounts of different currencies are never added up." in page.text


def test_a_change_leaves_out_the_days_that_are_not_final(alice, shop):
    brand = campaign(alice, shop, "Brand")
    spent(alice, brand, 100, 300, ago=6)
    spent(alice, brand, 100, 200, ago=13)
    spent(alice, brand, 100, 0, ago=1)  # not final: no revenue has come in
    page = alice.get("/campaigns?period=7d")
    assert rows(page)["Brand"][3] == "€300.00 +50.0%"
    assert "up 50.0%, from €200.00 to €300.00" in page.text
    assert "are not final: conversions still come in" in page.text


# --- filters, order, pages --------------------------------------------------------------------------------------


@pytest.fixture
def three(alice: Browser, shop: uuid.UUID) -> Browser:
    """Alice, with three campaigns of two accounts."""
    search = account(alice, "Search", platform="google")
    for name, where, spend, revenue, more in (
        ("Brand", shop, 300, 600, {}),
        ("Shoes", shop, 200, 800, {"status": "paused"}),
        ("bags", search, 100, 100, {"status": "archived"}),
    ):
        spent(alice, campaign(alice, where, name, **more), spend, revenue)
    return alice


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["Brand", "Shoes"]),
        ("status=all", ["Brand", "Shoes", "bags"]),
        ("status=paused", ["Shoes"]),
        ("status=all&q=BAG", ["bags"]),
        ("status=all&platform=google", ["bags"]),
        ("status=all&sort=name&order=asc", ["bags", "Brand", "Shoes"]),
        ("sort=roas", ["Shoes", "Brand"]),
        ("sort=roas&order=asc", ["Brand", "Shoes"]),
        ("status=all&sort=nothing&order=up&page=minus", ["Brand", "Shoes", "bags"]),
    ],
)
def test_the_url_says_which_campaigns_in_which_order(three, query, expected):
    assert names(three.get(f"/campaigns?{query}")) == expected


def test_one_account_can_be_looked_at_alone_but_not_a_strangers(three, shop, charlie):
    assert names(three.get(f"/campaigns?status=all&account={shop}")) == ["Brand", "Shoes"]
    account(charlie, "Cameras")
    assert names(charlie.get(f"/campaigns?status=all&account={shop}")) == []


def test_the_column_that_is_sorted_by_says_so_and_turns_round(three):
    page = three.get("/campaigns?sort=roas&q=s").text
    head = re.search(r'<th scope="col" id="by-roas".*?</th>', page, re.S)
    assert head
    assert 'aria-sort="descending"' in head[0]
    assert unescape(re.search(r'href="([^"]*)"', head[0])[1]) == "/campaigns?q=s&sort=roas&order=asc"
    assert page.count("aria-sort") == 1


def test_htmx_gets_the_table_alone_and_the_url_that_shows_the_same(three):
    table = three.get("/campaigns?q=bra&status=live&period=30d&since=2026-01-01&sort=spend&order=desc", headers=HTMX)
    assert names(table) == ["Brand"]
    assert table.headers["HX-Push-Url"] == "/campaigns?q=bra"
    assert "<html" not in table.text
    back = three.get("/campaigns?q=bra", headers={**HTMX, "HX-History-Restore-Request": "true"})
    assert "<html" in back.text


def test_filters_that_nothing_fits_can_be_cleared(three):
    page = three.get("/campaigns?q=zzz&period=90d").text
    assert "No campaign fits" in page
    assert 'href="/campaigns?period=90d"' in page


def test_a_period_of_ones_own(three):
    since, until = TODAY - timedelta(40), TODAY - timedelta(5)
    page = three.get(f"/campaigns?period=custom&since={since}&until={until}")
    assert page.status_code == 200
    assert names(page) == ["Brand", "Shoes"]
    assert f'value="{since}"' in page.text
    earlier = three.get(f"/campaigns?period=custom&since={since}&until={TODAY - timedelta(20)}")
    assert rows(earlier)["Brand"][2].split()[0] == "€0.00"


@pytest.mark.parametrize(
    ("since", "until", "says"),
    [
        ("2026-11-20", "2026-11-01", "The last day is before the first one."),
        ("2026-11-20", "", "Give both days"),
        ("soon", "later", "Give both days"),
        ("2020-01-01", "2026-01-01", "more than 400 days"),
    ],
)
def test_dates_that_make_no_period_are_told_and_kept(three, since, until, says):
    page = three.get(f"/campaigns?period=custom&since={since}&until={until}")
    assert page.status_code == 422
    assert says in page.text
    assert f'value="{since}"' in page.text
    assert names(page) == ["Brand", "Shoes"]


def test_fifty_rows_are_a_page(alice, shop):
    with alice.database.begin() as db:
        for n in range(51):
            ids = {"workspace_id": alice.workspace_id, "account_id": shop, "external_id": str(n)}
            db.add(Campaign(name=f"C{n:02}", status="active", **ids))
    first = alice.get("/campaigns?sort=name&order=asc")
    assert len(names(first)) == 50
    assert "1–50 of 51 campaigns" in first.text
    second = alice.get("/campaigns?sort=name&order=asc&page=2")
    assert names(second) == ["C50"]
    assert "51–51 of 51 campaigns" in second.text


# --- one campaign -----------------------------------------------------------------------------------------------


def test_the_page_of_a_campaign_says_what_it_is_and_how_it_went(alice):
    where = account(alice, platform="meta")
    brand = campaign(
        alice,
        where,
        "Brand <b>",
        objective="sales",
        budget_level="adset",
        issues=["Payment failed"],
        adsets=[{"id": "7", "name": "Broad", "status": "active", "budget_micros": 9_000_000, "learning": "limited"}],
    )
    spent(alice, brand, 100, 250, adset_id="7", adset_name="Broad", ad_id="9", ad_name="Blue shoe")
    page = alice.get(f"/campaigns/{brand}").text
    assert "Brand &lt;b&gt;" in page
    assert "Brand <b>" not in page
    for words in ("Payment failed", "Sales", "Each ad set has a budget of its own", "€9.00 a day", "Learning limited"):
        assert words in page
    for title in ("Spend and revenue", "ROAS", "Orders"):
        assert f">{title}</span>" in page
    assert "Blue shoe" in page
    assert "Open in Meta" in page
    assert "Nobody has changed this campaign from here." in page


def test_the_period_goes_along_from_the_table_to_the_campaign_and_back(alice, shop):
    brand = campaign(alice, shop, "Brand")
    spent(alice, brand, 100, 250, ago=60)
    assert f'href="/campaigns/{brand}?period=90d"' in alice.get("/campaigns?period=90d&q=bra").text
    page = alice.get(f"/campaigns/{brand}?period=90d").text
    assert 'href="/campaigns?period=90d"' in page
    assert "<strong>€100.00" in page
    assert "<strong>€0.00" in alice.get(f"/campaigns/{brand}").text


def test_a_day_that_was_not_read_yet_is_a_gap_and_no_zero(alice):
    where = account(alice, data_through=TODAY - timedelta(3))
    brand = campaign(alice, where, "Brand")
    for ago in range(3, 8):
        spent(alice, brand, 10, 20, ago=ago)
    course = alice.get(f"/campaigns/{brand}?period=7d").text
    numbers = re.findall(r'<tr><th scope="row">[^<]*</th><td class="num">([^<]*)</td>', course)[:7]
    assert numbers == ["€10.00"] * 5 + ["–"] * 2


def test_bob_can_ask_maxxer_about_it_and_a_viewer_cannot(app, alice, bob, shop):
    brand = campaign(alice, shop, "Brand")
    vera = people.join(people.newcomer(app, "Vera"), alice.workspace_id, "viewer")
    for path in ("/campaigns", f"/campaigns/{brand}"):
        link = f'href="/chat?context=campaign:{brand}&amp;draft='
        assert link in bob.get(path).text
        assert link not in vera.get(path).text


def test_what_was_proposed_for_the_campaign_stands_on_its_page(alice):
    where = account(alice, platform="demo", network="google")
    level = {"budget_micros": 25_000_000, "budget_period": "daily", "budget_level": "campaign"}
    brand, other = (campaign(alice, where, name, **level) for name in ("Brand", "Other"))
    with alice.database.begin() as db:
        allow_changes(alice.scope, db)
    origin = Origin(None, "call-1", "Demo model", "update_campaign", {})
    changes.propose(alice.scope, alice.database, alice.parts.platforms, [Wanted(brand, "status", "paused")], origin)
    page = alice.get(f"/campaigns/{brand}").text
    assert "Status: <bdi>active</bdi> → <strong><bdi>paused</bdi></strong>" in page
    assert "Waiting for approval" in page
    assert "Alice, asked for by Demo model" in page
    assert "Waiting for approval" not in alice.get(f"/campaigns/{other}").text
