"""The reading tools on the demo account: its planted stories are found, and every number says what it is."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from tests.campaigns import EUR, account, campaign, day, newcomer
from tests.tools.conftest import Chat, Made, chat
from webapp.ads.demo import CAMPAIGN, INJECTION, STORY
from webapp.ads.foreign import fence
from webapp.db import Database
from webapp.pages import charts
from webapp.tools import ToolError

TOOLS = ("list_campaigns", "get_campaign_insights", "get_account_insights", "query_metrics")


@pytest.fixture
def alice(reading: Database, demo: Made, settings) -> Chat:
    return chat(reading, settings, demo.alice)


@pytest.fixture
def charlie(reading: Database, demo: Made, settings) -> Chat:
    return chat(reading, settings, demo.charlie)


def name_of(story: str) -> str:
    return fence(CAMPAIGN[STORY[story].campaigns[0]].name)


def rows_by_name(result) -> dict[str, dict]:
    return {row["name"]: row for row in result["rows"]}


# --- the planted stories ----------------------------------------------------------------------------------------


def test_the_hidden_winner_leads_by_roas_and_the_old_loser_trails(alice):
    best = alice.call("list_campaigns", sort="roas", period="last_30d", status="active", platform="google")
    assert best["rows"][0]["name"] == name_of("winner")
    assert best["rows"][0]["spend"] < 0.07 * best["totals"]["spend"]
    worst = alice.call("list_campaigns", sort="roas", order="asc", period="last_30d", status="active", platform="meta")
    selling = [row for row in worst["rows"] if row["objective"] == "sales"]
    assert name_of("loser") in [row["name"] for row in selling[:2]]


def test_one_in_learning_and_one_that_is_not_about_sales_say_so(alice):
    found = rows_by_name(alice.call("list_campaigns"))
    assert found[name_of("learning")]["learning"] == "learning"
    assert found[name_of("learning")]["age_days"] < 14
    assert found[name_of("awareness")]["objective"] == "awareness"


def test_where_a_budget_sits_is_said(alice):
    found = rows_by_name(alice.call("list_campaigns"))
    assert found[name_of("campaign_budget")]["budget_level"] == "campaign"
    assert found[name_of("adset_budgets")]["budget_level"] == "its 4 ad sets"
    assert found[name_of("shared_budget")]["budget_level"] == "shared with 2 more campaigns"
    assert found[name_of("lifetime")]["budget_per"] == "lifetime"


def test_the_three_days_without_a_pixel_stand_in_the_series(alice):
    series = alice.call("get_account_insights", account_id="Harbour & Hide (Meta)", granularity="day")["rows"]
    blind = [row for row in series if row["spend"] > 0 and row["orders"] == 0]
    assert len(blind) == 3
    assert all(row["roas"] == 0 and row["cpa"] is None for row in blind)


def test_the_newest_days_are_marked_and_not_compared(alice):
    found = alice.call("get_account_insights", platform="google", granularity="day", period="last_14d")
    assert [row["maturing"] for row in found["rows"]] == [False] * 11 + [True] * 3
    assert found["maturing_from"] == found["rows"][11]["date"]
    assert date.fromisoformat(found["compared"]["until"]) == date.fromisoformat(found["maturing_from"]) - timedelta(1)
    assert date.fromisoformat(found["previous"]["until"]) < date.fromisoformat(found["compared"]["since"])
    assert any("still grow" in caveat for caveat in found["caveats"])


def test_a_name_that_is_an_injection_comes_fenced_as_data(alice):
    found = alice.call("list_campaigns", query="ignore all previous")
    assert [row["name"] for row in found["rows"]] == [f"⟦{INJECTION}⟧"]
    about = alice.call("get_campaign_insights", campaign_id=found["rows"][0]["campaign_id"])
    assert about["title"] == f"Campaign ⟦{INJECTION}⟧"


# --- money ------------------------------------------------------------------------------------------------------


def test_dollars_and_yen_are_never_added(alice):
    found = alice.call("get_account_insights")
    assert "totals" not in found
    assert "currency" not in found
    rows = {row["account"]: row for row in found["rows"]}
    dollars = [row["spend"] for row in found["rows"] if row["currency"] == "USD" and "account_id" in row]
    assert rows["Total in USD"]["spend"] == pytest.approx(sum(dollars), abs=0.02)
    assert rows["Total in JPY"]["spend"] == rows["⟦Harbour & Hide Japan (Meta)⟧"]["spend"]
    listed = alice.call("list_campaigns")
    assert "totals" not in listed
    said = [caveat for caveat in listed["caveats"] if caveat.startswith("Total in")]
    assert said[0].startswith("Total in USD: spend")


def test_a_total_is_a_ratio_of_sums(alice):
    found = alice.call("list_campaigns", platform="google", status="all", limit=100)
    totals = found["totals"]
    assert totals["spend"] == pytest.approx(sum(row["spend"] for row in found["rows"]), abs=0.1)
    assert totals["roas"] == pytest.approx(totals["revenue"] / totals["spend"], abs=0.006)
    known = [row["roas"] for row in found["rows"] if row["roas"] is not None]
    assert totals["roas"] != pytest.approx(sum(known) / len(known), abs=0.05)


def test_a_number_says_its_window_currency_timezone_attribution_and_definition(alice):
    found = alice.call("get_account_insights", account_id="Harbour & Hide (Google)", period="last_7d")
    assert (found["currency"], found["timezone"]) == ("USD", "America/New_York")
    assert date.fromisoformat(found["until"]) - date.fromisoformat(found["since"]) == timedelta(6)
    assert all(found[key] for key in ("attribution", "data_through", "definitions", "link"))
    assert found["definitions"]["roas"].startswith("revenue / spend")


# --- size and shape ---------------------------------------------------------------------------------------------


def test_a_page_says_that_there_is_more_and_how_to_get_it(alice):
    first = alice.call("list_campaigns", limit=5)
    assert len(first["rows"]) == 5
    assert first["truncated"].startswith(f"5 of {first['rows_total']} rows")
    assert f"Rows 1 to 5 of {first['rows_total']}. The next: offset=5." in first["caveats"]
    second = alice.call("list_campaigns", limit=5, offset=5)
    assert not {row["campaign_id"] for row in first["rows"]} & {row["campaign_id"] for row in second["rows"]}
    assert any("past the last" in caveat for caveat in alice.call("list_campaigns", offset=900)["caveats"])


def test_a_result_leads_to_the_page_that_shows_the_same(alice):
    found = alice.call("list_campaigns", platform="google", period="last_7d", query="Brand")
    path, _, query = found["link"].partition("?")
    assert path == "/campaigns"
    assert {"period=custom", f"since={found['since']}", "platform=google", "q=Brand"} <= set(query.split("&"))


def test_a_series_of_two_currencies_is_drawn_as_a_chart_of_each(alice):
    found = alice.call("get_account_insights", granularity="day", period="last_7d")
    drawn = charts.from_result(found, "result")
    assert [chart.title for chart in drawn] == ["Spend, Revenue (USD)", "Spend, Revenue (JPY)"]


def test_a_long_series_is_told_by_week_and_says_so(alice):
    google = alice.call("get_account_insights", platform="google", granularity="day", period="last_90d")
    assert len(google["rows"]) == 90
    found = alice.call("get_account_insights", platform="meta", granularity="day", period="last_90d")
    assert len(found["rows"]) <= 40
    assert "By week in place of by day: the window is long." in found["caveats"]


def test_one_campaign_comes_as_a_series_or_by_ad_set(alice):
    by_day = alice.call("get_campaign_insights", campaign_id="Prospecting | Broad | campaign budget", period="last_7d")
    assert len(by_day["rows"]) == 7
    assert by_day["totals"]["spend"] == pytest.approx(sum(row["spend"] for row in by_day["rows"]), abs=0.05)
    assert by_day["caveats"][0].startswith("Now: campaign_id c_")
    whole = alice.call("get_campaign_insights", campaign_id="238410100001", granularity="total", period="last_7d")
    assert {row["adset"] for row in whole["rows"]} == {"⟦Broad | US⟧", "⟦Broad | Canada⟧"}
    assert sum(row["spend"] for row in whole["rows"]) == pytest.approx(whole["totals"]["spend"], abs=0.05)


def test_a_hundred_rows_with_long_names_are_cut_with_a_note_and_their_totals_cover_all(database, settings):
    alice = chat(database, settings, newcomer(database, "Alice"))
    shop = account(database, alice.scope)
    for number in range(60):
        row = campaign(database, alice.scope, shop, f"{number:03} " + "very " * 70)
        day(database, row, 5, 10, 30)
    found = alice.call("list_campaigns", limit=100, date_from="2026-11-01", date_to="2026-11-23")
    assert len(found["rows"]) < 60
    assert found["truncated"].startswith(f"{len(found['rows'])} of 60 rows. Totals cover all of them.")
    assert found["totals"]["spend"] == 600


# --- what the shop counted --------------------------------------------------------------------------------------


def test_a_pipe_tells_the_shops_revenue_beside_what_platforms_claim(alice):
    found = alice.call("query_metrics", pipe="kpi_summary")
    (row,) = [row for row in found["rows"] if row["currency"] == "USD"]
    assert row["platform_revenue"] > 0
    assert row["revenue"] > 0
    assert "totals" not in found  # of dollars and yen


def test_a_pipe_that_is_not_on_the_list_and_a_parameter_it_does_not_have_are_refused_with_what_there_is(alice):
    with pytest.raises(ToolError, match="it must be one of campaign_performance, channel_attribution"):
        alice.call("query_metrics", pipe="select * from users")
    with pytest.raises(ToolError, match="workspace_id⟧ is no argument of this tool; there are date_from"):
        alice.call("query_metrics", pipe="kpi_summary", params={"workspace_id": "x"})
    with pytest.raises(ToolError, match="it must be one of channel, platform"):
        alice.call("query_metrics", pipe="segment_breakdown", params={"dimension": "email"})


def test_names_in_a_pipes_answer_are_fenced(alice):
    found = alice.call("query_metrics", pipe="campaign_performance", params={"limit": 50})
    names = [row["name"] for row in found["rows"]]
    assert f"⟦{INJECTION}⟧" in names
    assert all(name.startswith("⟦") for name in names)


# --- what is wrong ----------------------------------------------------------------------------------------------


def test_an_unknown_campaign_is_answered_with_what_is_near(alice):
    with pytest.raises(ToolError) as refused:
        alice.call("get_campaign_insights", campaign_id="Prospecting Unboxing vidio")
    assert "is not known; near it: c_" in str(refused.value)
    assert "⟦Prospecting | Unboxing video⟧" in str(refused.value)
    with pytest.raises(ToolError, match=r"campaign_id ⟦c_12⟧ is not known\. Call list_campaigns for the ids"):
        alice.call("get_campaign_insights", campaign_id="c_12")


def test_a_name_that_two_campaigns_have_is_not_guessed(database, settings):
    alice = chat(database, settings, newcomer(database, "Alice"))
    shop = account(database, alice.scope)
    ids = [campaign(database, alice.scope, shop, "Twin") for _ in range(2)]
    with pytest.raises(ToolError) as refused:
        alice.call("get_campaign_insights", campaign_id="twin")
    assert all(str(id) in str(refused.value) for id in ids)
    assert alice.call("get_campaign_insights", campaign_id=str(ids[0]))["title"] == "Campaign ⟦Twin⟧"


@pytest.mark.parametrize(
    ("window", "said"),
    [
        ({"date_from": "2026-11-01"}, "date_from and date_to go together"),
        ({"date_from": "2026-11-02", "date_to": "2026-11-01"}, "date_from 2026-11-02 is after date_to 2026-11-01"),
        ({"date_from": "2024-11-01", "date_to": "2026-11-01"}, "A window has at most 400 days; this one has 731."),
        ({"date_from": "2026-11-01", "date_to": "2026-11-02", "period": "last_7d"}, "either period, or date_from"),
        ({"period": "last_10d"}, "it must be one of yesterday, last_7d"),
    ],
)
def test_a_window_that_is_none_is_refused_in_words(alice, window, said):
    with pytest.raises(ToolError, match=said):
        alice.call("get_account_insights", **window)


def test_an_account_with_a_fault_or_old_figures_says_so(database, settings):
    alice = chat(database, settings, newcomer(database, "Alice"))
    fault = {"trouble": "token", "said": "The session has expired.", "code": "190"}
    shop = account(database, alice.scope, fault=fault, data_through=date(2026, 1, 31))
    day(database, campaign(database, alice.scope, shop, "Spring"), 5, 10, 30)
    caveats = alice.call("get_account_insights", period="last_7d")["caveats"]
    assert any("figures end on 2026-01-31; later days of the window are missing, not zero" in it for it in caveats)
    assert any("needs attention under Settings, Ad accounts: ⟦The session has expired.⟧" in it for it in caveats)


# --- whose it is ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tool", ["list_campaigns", "get_account_insights"])
def test_charlie_without_an_account_is_told_where_to_connect_one(charlie, tool):
    with pytest.raises(ToolError, match=r"No ad account is connected.*Settings, Ad accounts"):
        charlie.call(tool)


def test_charlie_reaches_nothing_of_alice_by_any_id(alice, charlie):
    row = alice.call("list_campaigns", limit=1)["rows"][0]
    head = alice.call("get_account_insights")["rows"][0]
    for given in (row["campaign_id"], "238410100001", row["name"].strip("⟦⟧")):
        with pytest.raises(ToolError) as refused:
            charlie.call("get_campaign_insights", campaign_id=given)
        assert "is not known. Call list_campaigns" in str(refused.value)
    with pytest.raises(ToolError, match="No ad account is connected"):
        charlie.call("get_account_insights", account_id=head["account_id"])


def test_charlie_with_an_account_of_his_own_sees_only_that(database, settings):
    alice, charlie = (newcomer(database, name) for name in ("Alice", "Charlie"))
    theirs = campaign(database, alice, account(database, alice), "Hers")
    mine = campaign(database, charlie, account(database, charlie), "His")
    day(database, theirs, 5, 1000, 1), day(database, mine, 5, 10, 30)
    found = chat(database, settings, charlie).call("list_campaigns", date_from="2026-11-01", date_to="2026-11-23")
    assert [row["name"] for row in found["rows"]] == ["⟦His⟧"]
    assert found["totals"]["spend"] == 10 * EUR / EUR
