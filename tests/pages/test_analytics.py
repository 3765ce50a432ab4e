"""/dashboard/analytics: what it says of a shop's numbers, in every state of every panel, with script and without."""

from __future__ import annotations

import json
import re
import uuid
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from html import unescape
from typing import Any

import pytest
from sqlalchemy import update
from werkzeug.test import TestResponse

from tests import campaigns as made
from tests import people
from tests.people import Browser
from tests.serving import free_port
from webapp.analytics import source
from webapp.analytics.catalogue import PIPE_ALLOWLIST
from webapp.config import Settings
from webapp.db.models import AdAccount, AdDaily, Campaign, Store, StoreOrder, Visit
from webapp.pages.board.panels import PANELS
from webapp.secret import Secret
from webapp.tools import ToolContext, metrics

TODAY = datetime.now(UTC).date()
HTMX = {"HX-Request": "true"}
HERE = "/dashboard/analytics"


@pytest.fixture(autouse=True)
def _nothing_is_remembered() -> None:
    source.forget()


def shop(of: Browser, currency: str = "EUR") -> None:
    with of.database.begin() as db:
        key = uuid.uuid4().hex
        db.add(Store(workspace_id=of.workspace_id, currency=currency, timezone="UTC", collect_key=key))


def account(of: Browser, name: str = "Shop ads", **more: Any) -> uuid.UUID:
    given = {"timezone": "UTC", "data_through": TODAY - timedelta(1), "synced_at": datetime.now(UTC), **more}
    return made.account(of.database, of.scope, name=name, **given)


def spent(of: Browser, account_id: uuid.UUID, spend: float, claimed: float, *, ago: int = 10, name: str = "") -> None:
    """A day of a campaign of its own, `ago` days before today."""
    name = name or f"Campaign {uuid.uuid4().hex[:6]}"
    campaign_id = made.campaign(of.database, of.scope, account_id, name)
    with of.database.begin() as db:
        row = db.get_one(Campaign, campaign_id)
        ids = {"workspace_id": row.workspace_id, "account_id": row.account_id, "campaign_id": row.id}
        amounts = {"spend_micros": round(spend * 1e6), "revenue_micros": round(claimed * 1e6)}
        db.add(AdDaily(day=TODAY - timedelta(ago), orders=2, clicks=20, impressions=1000, **ids, **amounts))


def sold(of: Browser, amount: float, *, ago: int = 10, channel: str = "meta", **more: Any) -> None:
    """An order and the visit that led to it."""
    day, who = TODAY - timedelta(ago), uuid.uuid4().hex
    moment = datetime.combine(day, time(12), UTC)
    here = {"workspace_id": of.workspace_id, "visitor_id": who, "day": day, "channel": channel}
    order = {"currency": "EUR", "customer": who, "is_first": True, "device": "mobile", **more}
    with of.database.begin() as db:
        db.add(Visit(source="collect", session_key=who, started_at=moment - timedelta(minutes=5), device="mobile",
                     viewed=True, carted=True, checkout=True, purchased=True, **here))  # fmt: skip
        db.add(StoreOrder(source="collect", external_id=who, ordered_at=moment, gross_micros=round(amount * 1e6),
                          **here, **order))  # fmt: skip


@pytest.fixture
def selling(alice: Browser) -> Browser:
    """Alice, whose shop sold 300 for 100 of spend ten days ago; the platform claims 250 of it."""
    shop(alice)
    spent(alice, account(alice), 100, 250, name="Brand")
    sold(alice, 200)
    sold(alice, 100, channel="email")
    return alice


def panel(of: Browser, pipe: str, query: str = "") -> TestResponse:
    return of.get(f"{HERE}/{pipe}?{query}", headers=HTMX)


def text(html: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", html)).split())


def tiles(page: TestResponse) -> dict[str, str]:
    """What each tile says under its label; of the first currency."""
    first = page.text.partition("</ul>")[0]
    found = {}
    for tile in re.findall(r"<li>.*?</li>", first, re.S):
        said = re.sub(r'<span class="(?:definition|sr-only)".*?</span>|<svg.*?</svg>', "", tile, flags=re.S)
        label, _, rest = said.partition("</button>")
        found[text(label)] = text(rest)
    return found


def rows(page: TestResponse) -> dict[str, list[str]]:
    """The cells of each row of a table, by its head."""
    found = {}
    for row in re.findall(r'<tr><th scope="row">.*?</tr>', page.text, re.S):
        head, *cells = re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.S)
        said = re.compile(r'<span class="sr-only">.*?</span>|<small>.*?</small>', re.S)
        found[text(said.sub("", head))] = [text(said.sub("", cell)) for cell in cells]
    return found


# --- before there is anything -----------------------------------------------------------------------------------


def test_alice_with_nothing_to_measure_is_led_to_what_can_be_measured(alice, bob):
    page = alice.get(HERE).text
    assert "Nothing to measure yet" in page
    assert 'href="/settings/ad-accounts"' in page
    assert "Try the demo" in page
    assert "hx-trigger" not in page
    assert "An owner or admin can do that" in bob.get(HERE).text


def test_with_ads_alone_the_platforms_figures_stand_first_and_the_rest_is_named_as_missing(alice):
    spent(alice, account(alice), 100, 250)
    page = alice.get(HERE).text
    assert "No orders of a shop are here" in page
    assert 'href="/settings/ad-accounts/import">Import orders</a>' in page
    assert "No sessions of a shop are here" in page
    assert 'href="/settings/ad-accounts/shop">Set up the collector</a>' in page
    assert 'id="panel-campaign_performance"' in page
    assert 'id="panel-cohort_ltv"' not in page
    assert list(tiles(panel(alice, "kpi_summary")))[:3] == ["Ad spend", "Platform ROAS", "Platform revenue"]
    assert "What it is made from is not connected" in panel(alice, "cohort_ltv").text


def test_with_a_shop_alone_what_needs_ads_is_not_there(alice):
    shop(alice)
    sold(alice, 100)
    page = alice.get(HERE).text
    assert "No ad account is connected" in page
    assert 'href="/settings/ad-accounts"' in page
    assert {"Revenue", "Orders", "AOV"} <= set(tiles(panel(alice, "kpi_summary")))
    assert "Ad spend" not in tiles(panel(alice, "kpi_summary"))


# --- the page and its panels ------------------------------------------------------------------------------------


def test_the_page_is_there_before_any_figure_and_each_panel_comes_by_itself(selling):
    page = selling.get(f"{HERE}?period=14d&model=first").text
    fetched = re.findall(r'hx-get="([^"]*)" hx-trigger="load"', page)
    assert [re.sub(r"\?.*", "", url) for url in fetched] == [f"{HERE}/{pipe}" for pipe in PANELS]
    assert all(unescape(url).endswith("?period=14d&model=first") for url in fetched)
    assert "€300.00" not in page


def test_without_script_the_same_page_comes_whole(selling):
    assert (
        '<meta http-equiv="refresh" content="0; url=/dashboard/analytics?period=14d&amp;whole=1">'
        in selling.get(f"{HERE}?period=14d").text
    )
    page = selling.get(f"{HERE}?whole=1").text
    assert 'hx-trigger="load"' not in page
    assert 'http-equiv="refresh"' not in page
    assert "€300.00" in page
    for each in PANELS.values():
        assert f">{each.title}</h2>" in page
    assert '<input type="hidden" name="whole" value="1">' in page
    assert f'href="{HERE}?model=first&amp;whole=1#panel-channel_attribution"' in page


def test_a_panels_own_address_leads_a_plain_browser_to_it(selling):
    answer = selling.get(f"{HERE}/cohort_ltv?show=repeat_rate")
    assert answer.location == f"{HERE}?show=repeat_rate#panel-cohort_ltv"
    assert selling.get(f"{HERE}/drop_table", headers=HTMX).status_code == 404


def test_charlie_sees_nothing_of_it(selling, charlie):
    shop(charlie)
    sold(charlie, 7)
    for pipe in PANELS:
        page = panel(charlie, pipe).text
        assert "300.00" not in page
        assert "Brand" not in page
    assert tiles(panel(charlie, "kpi_summary"))["Revenue"].startswith("€7.00")


# --- figures ----------------------------------------------------------------------------------------------------


def test_the_key_figures_are_ratios_of_sums_with_mer_spelled_out(selling):
    shown = tiles(panel(selling, "kpi_summary"))
    assert shown["Revenue"].startswith("€300.00")
    assert shown["MER"].startswith("3.00×")
    assert shown["MER"].endswith("revenue ÷ spend = €300 ÷ €100")
    assert shown["Platform ROAS"].startswith("2.50×")
    assert shown["AOV"].startswith("€150.00")
    assert shown["CAC (nCPA)"].startswith("€50.00")
    assert shown["Conversion rate"].startswith("100.00%")


def test_a_figure_without_a_denominator_is_a_dash_that_says_why(alice):
    shop(alice)
    account(alice)
    sold(alice, 100)
    page = panel(alice, "kpi_summary")
    assert tiles(page)["MER"].startswith("–")
    assert 'title="No spend, so no MER"' in page.text


def test_a_change_is_against_the_period_that_was_chosen(selling):
    sold(selling, 200, ago=10 + 35)  # 30 days are compared with those five weeks earlier
    sold(selling, 100, ago=10 + 364)
    assert "+50.0% from €200.00" in tiles(panel(selling, "kpi_summary"))["Revenue"]
    assert "+200% from €100.00" in tiles(panel(selling, "kpi_summary", "compare=year"))["Revenue"]
    assert tiles(panel(selling, "kpi_summary", "compare=none"))["Revenue"] == "€300.00"


def test_currencies_stand_apart(selling):
    spent(selling, account(selling, "Tokyo", currency="JPY"), 5000, 20000)
    page = panel(selling, "kpi_summary")
    assert tiles(page)["Ad spend"].startswith("€100.00")
    assert "In JPY, counted apart" in page.text
    assert "¥5,000" in page.text
    totals = {name: cells[0] for name, cells in rows(panel(selling, "campaign_performance")).items()}
    assert (totals["Total in EUR"], totals["Total in JPY"]) == ("€100.00", "¥5,000")
    assert "they are never added" in panel(selling, "campaign_performance").text


def test_days_that_still_grow_are_marked_where_platforms_claim_and_only_there(selling):
    spent(selling, account(selling, "New"), 10, 5, ago=1)
    shown = tiles(panel(selling, "kpi_summary"))
    assert "Still grows from" in shown["Platform ROAS"]
    assert "Still grows from" not in shown["Revenue"]
    assert "not final" in panel(selling, "metric_timeseries", "metrics=roas").text
    assert "not final" not in panel(selling, "metric_timeseries", "metrics=orders").text


def test_the_course_has_its_period_before_and_its_table(selling):
    sold(selling, 80, ago=10 + 35)
    page = panel(selling, "metric_timeseries").text
    assert "Previous 30 days" in page
    assert 'class="trace before' in page
    day = TODAY - timedelta(10)
    cells = re.search(rf'<th scope="row">{day:%a} {day.day} {day:%b %Y}</th>(.*?)</tr>', page)
    assert cells
    assert re.findall(r">([^<]*)</td>", cells[1]) == ["€300.00", "€100.00", "€80.00"]


def test_channels_say_what_each_brought(selling):
    shown = rows(panel(selling, "segment_breakdown"))
    assert shown["Meta"][:3] == ["€200.00", "66.67%", "1"]
    assert shown["Email"][:3] == ["€100.00", "33.33%", "1"]
    assert shown["Total in EUR"][0] == "€300.00"
    assert "Mobile" in rows(panel(selling, "segment_breakdown", "dimension=device"))


def test_attribution_says_how_much_more_the_platforms_claim(selling):
    page = panel(selling, "channel_attribution")
    assert "Ad platforms claim €250. This model credits them with €200: they claim 25% more." in text(page.text)
    assert rows(page)["Meta"][:3] == ["€200.00", "€250.00", "€50.00"]
    platforms = panel(selling, "channel_attribution", "model=platform").text
    assert "Ad platforms claim €250. The shop sold €300 in all." in text(platforms)


def test_campaigns_lead_to_their_pages_about_the_same_days(selling):
    page = panel(selling, "campaign_performance", "period=14d")
    assert rows(page)["Brand"][:3] == ["€100.00 new", "€250.00", "2.50× –"]
    since, until = TODAY - timedelta(14), TODAY - timedelta(1)
    link = re.search(r'href="(/campaigns/[^"]*)"', page.text)
    assert link
    assert unescape(link[1]).endswith(f"?period=custom&since={since}&until={until}")
    assert "€100.00" in selling.get(unescape(link[1])).text


def test_the_funnel_can_be_narrowed(selling):
    page = panel(selling, "conversion_funnel").text
    assert "100.00% of all sessions end in a purchase." in page
    assert rows(panel(selling, "conversion_funnel"))["Visit"][0] == "2"
    assert rows(panel(selling, "conversion_funnel", "channel=email"))["Visit"][0] == "1"


def test_cohorts_cover_the_year_whatever_the_period_is(selling):
    sold(selling, 40, ago=120)
    page = panel(selling, "cohort_ltv", "period=7d")
    first = TODAY - timedelta(120)
    assert rows(page)[f"{first:%b %Y}"][:2] == ["1", "€40.00"]
    assert rows(panel(selling, "cohort_ltv", "show=repeat_rate"))[f"{first:%b %Y}"][1] == "0.00%"


def test_a_day_far_from_its_usual_stands_out_with_its_cause(alice):
    shop(alice)
    account(alice)
    for week in range(10):
        sold(alice, 1000 if week == 1 else 100, ago=3 + 7 * week)
    page = panel(alice, "metric_anomalies", "metric=revenue").text
    day = TODAY - timedelta(10)
    assert "Revenue far above its usual" in text(page)
    assert f"{day:%a} {day.day} {day:%b %Y}: €1,000.00 where €100.00 was expected." in text(page)
    assert "Moved most: how much an order was worth (AOV)." in text(page)
    assert f"since={day - timedelta(14)}" in page
    assert "No day was far from its usual" in panel(alice, "metric_anomalies", "metric=orders").text


# --- what the URL asks for --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("period", "days"), [("7d", 7), ("14d", 14), ("30d", 30), ("90d", 90), ("nonsense", 30)])
def test_periods_end_yesterday(selling, period, days):
    page = text(selling.get(f"{HERE}?period={period}").text)
    first, last = TODAY - timedelta(days), TODAY - timedelta(1)
    assert f"{last.day} {last:%b %Y} against" in page
    assert str(first.day) in page.partition(" against")[0]


def test_last_month_is_the_whole_of_it(selling):
    end = TODAY.replace(day=1) - timedelta(1)
    assert f"1–{end.day} {end:%b %Y}" in selling.get(f"{HERE}?period=last_month").text


@pytest.mark.parametrize(
    ("since", "until", "says"),
    [
        ("2026-11-20", "2026-11-01", "The last day is before the first one."),
        ("soon", "", "Give both days"),
        ("2020-01-01", "2026-01-01", "more than 400 days"),
        (str(TODAY), str(TODAY), "This period has no whole day yet"),
    ],
)
def test_dates_that_make_no_period_are_told_and_kept(selling, since, until, says):
    page = selling.get(f"{HERE}?period=custom&since={since}&until={until}")
    assert page.status_code == 422
    assert says in page.text
    assert f'value="{since}"' in page.text
    assert len(re.findall('hx-trigger="load"', page.text)) == len(PANELS)


def test_a_platform_narrows_what_can_be_narrowed_and_the_rest_says_that_it_does_not(selling):
    assert tiles(panel(selling, "kpi_summary", "platform=meta"))["Revenue"].startswith("€200.00")
    assert "the platform filter does not reach" in panel(selling, "channel_attribution", "platform=meta").text
    assert "the platform filter does not reach" not in panel(selling, "kpi_summary", "platform=meta").text


def test_htmx_gets_the_board_for_another_period_and_the_url_that_shows_the_same(selling):
    board = selling.get(f"{HERE}?period=7d&compare=prev&platform=&model=first", headers=HTMX)
    assert board.headers["HX-Push-Url"] == f"{HERE}?period=7d&model=first"
    assert "<html" not in board.text
    assert '<input type="hidden" name="model" value="first" form="analytics-filters">' in board.text
    back = selling.get(f"{HERE}?period=7d", headers={**HTMX, "HX-History-Restore-Request": "true"})
    assert "<html" in back.text


def test_a_choice_in_a_panel_brings_that_panel_and_keeps_the_rest_in_the_url(selling):
    answer = selling.get(f"{HERE}?panel=channel_attribution&period=14d&metrics=roas&model=linear", headers=HTMX)
    assert answer.text.count("<section") == 1
    assert 'aria-current="true">Linear</a>' in answer.text
    assert answer.headers["HX-Push-Url"] == f"{HERE}?period=14d&metrics=roas&model=linear"


def test_the_link_of_a_tools_result_shows_the_same_days_and_choices(selling):
    asked = {"platform": "meta", "dimension": "device", "date_from": str(TODAY - timedelta(12)),
             "date_to": str(TODAY - timedelta(8))}  # fmt: skip
    context = ToolContext(selling.scope, selling.database, selling.parts.platforms, uuid.uuid4())
    told = json.loads(metrics.ask(context, PIPE_ALLOWLIST["segment_breakdown"], asked))
    url, _, panel_id = told["link"].partition("#")
    page = selling.get(url).text
    assert f'id="{panel_id}"' in page
    assert 'name="dimension" value="device"' in page
    assert 'value="meta" selected' in page
    fetched = re.search(r'hx-get="(/dashboard/analytics/segment_breakdown[^"]*)" hx-trigger="load"', page)
    assert fetched
    shown = rows(selling.get(unescape(fetched[1]), headers=HTMX))
    assert {name: cells[2] for name, cells in shown.items()} == {"Mobile": "1", "Total in EUR": "1"}
    assert [(row["segment"], row["orders"]) for row in told["rows"]] == [("mobile", 1)]


# --- how fresh it is --------------------------------------------------------------------------------------------


def test_what_is_kept_says_its_age_and_is_asked_anew_when_told(selling):
    assert "As of just now" in panel(selling, "kpi_summary").text
    with selling.database.begin() as db:
        db.execute(update(StoreOrder).values(gross_micros=1_000_000_000))  # behind the back of the version
    kept = panel(selling, "kpi_summary")
    assert "As of less than a minute ago" in kept.text
    assert tiles(kept)["Revenue"].startswith("€300.00")
    refresh = re.search(r'hx-get="([^"]*anew=1)"', kept.text)
    assert refresh
    assert tiles(selling.get(unescape(refresh[1]), headers=HTMX))["Revenue"].startswith("€2,000.00")


def test_each_panel_says_what_its_figures_are_about(selling):
    said = text(panel(selling, "kpi_summary").text)
    for words in ("EUR", "days of UTC", "figures to", "by each platform's own rules", "Platform revenue ÷ spend."):
        assert words in said


def test_a_shop_whose_orders_end_early_and_an_account_that_is_read_say_so(selling):
    page = selling.get(HERE).text
    day = TODAY - timedelta(10)
    assert f"The newest order is of {day.day} {day:%b %Y}." in page
    with selling.database.begin() as db:
        lease = datetime.now(UTC) + timedelta(minutes=5)
        values = {"sync_state": "running", "sync_note": "Reading campaigns", "sync_lease_until": lease}
        db.execute(update(AdAccount).values(**values))
    assert "Shop ads: reading" in selling.get(HERE).text
    sold(selling, 10, ago=1)
    assert "The newest order" not in selling.get(HERE).text


# --- when a pipe does not answer --------------------------------------------------------------------------------


def test_a_panel_whose_engine_is_gone_says_so_and_can_be_tried_again(settings: Settings):
    gone = replace(settings, tinybird_host=f"http://127.0.0.1:{free_port()}", tinybird_token=Secret("p." + "x" * 40),
                   tinybird_workspace_id=str(uuid.uuid4()))  # fmt: skip
    with people.running(gone) as app:
        alice = people.newcomer(app, "Alice", owns="Acme")
        shop(alice)
        sold(alice, 100)
        answer = panel(alice, "kpi_summary")
        assert answer.status_code >= 500
        assert 'id="panel-kpi_summary"' in answer.text
        assert 'role="alert"' in answer.text
        assert re.search(r'<a [^>]*hx-get="/dashboard/analytics/kpi_summary"[^>]*>Try again</a>', answer.text)
        page = alice.get(f"{HERE}?whole=1")
        assert page.status_code == 200
        assert page.text.count(">Try again</a>") == 7


# --- asking -----------------------------------------------------------------------------------------------------


def test_bob_can_ask_about_a_panel_and_a_viewer_cannot(app, selling, bob):
    vera = people.join(people.newcomer(app, "Vera"), selling.workspace_id, "viewer")
    asked = re.search(r'href="(/chat\?[^"]*)" hx-get="(/drawer\?[^"]*)"', panel(bob, "channel_attribution").text)
    assert asked
    assert "surface=analytics" in asked[1]
    assert "How+far+apart" in asked[1]
    assert bob.get(unescape(asked[1])).status_code == 200
    assert "How far apart" in bob.get(unescape(asked[2]), headers=HTMX).text
    assert "/chat?" not in panel(vera, "channel_attribution").text
