"""The page of changes: what waits, approve and undo by plain forms, the history, the log and its CSV."""

from __future__ import annotations

import csv
import io
import uuid
from datetime import timedelta
from typing import Any

import gevent
import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, text, update

from tests import campaigns
from tests.approving import BRAND, VIDEO, form_of, status_of
from tests.people import Browser
from webapp.ads import changelog, changes
from webapp.ads.changes import Origin, Wanted
from webapp.ads.local import allow_changes
from webapp.ads.plans import PlanView
from webapp.db.models import Campaign, ChangePlan


@pytest.fixture
def acme(alice: Browser) -> Browser:
    """Alice, with two campaigns in an account that is kept here, and guard rails that allow changes."""
    scope, database = alice.scope, alice.database
    account = campaigns.account(database, scope, platform="demo", network="google", currency="USD")
    budget = {"budget_period": "daily", "budget_level": "campaign", "learning": "learned"}
    campaigns.campaign(database, scope, account, BRAND, budget_micros=25_000_000, **budget)
    campaigns.campaign(database, scope, account, VIDEO, budget_micros=20_000_000, **budget)
    with database.begin() as db:
        allow_changes(scope, db)
    return alice


def proposed(by: Browser, name: str, field: Any = "status", value: Any = "paused", reason: str = "") -> PlanView:
    with by.database.look() as db:
        where = (Campaign.workspace_id == by.workspace_id, Campaign.name == name)
        campaign_id = db.scalars(select(Campaign.id).where(*where)).one()
    origin = Origin(None, uuid.uuid4().hex, "Claude", "update_campaign", {}, reason)
    wanted = [Wanted(campaign_id, field, value, "USD" if field == "daily_budget" else "")]
    return changes.propose(by.scope, by.database, by.parts.platforms, wanted, origin)


def approved(by: Browser, plan: PlanView) -> PlanView:
    """As the form on the page sends it."""
    answer = by.send(f"/changes/{plan.id}/approve", **form_of(by.get("/changes").text, plan))
    assert (answer.status_code, answer.location) == (303, f"/changes#plan-{plan.id}")
    return settled(by, plan)


def settled(by: Browser, plan: PlanView) -> PlanView:
    for _ in range(200):
        with by.database.begin() as db:
            found = changes.plan(by.scope, db, plan.id)
        if found.settled:
            return found
        gevent.sleep(0.02)
    raise AssertionError("it was never carried out")


def waiting(page: str) -> str:
    """The part of the page above the history."""
    return page[: page.index("history-title")]


def test_a_workspace_without_changes_says_how_to_get_one(alice):
    page = alice.get("/changes").text
    assert "No changes yet" in page
    assert "Ask Maxxer" in page
    assert "Change log" not in page


def test_alice_sees_what_waits_and_bob_sees_that_it_waits_for_her(acme, bob):
    plan = proposed(acme, BRAND)
    mine, his = waiting(acme.get("/changes").text), waiting(bob.get("/changes").text)
    assert BRAND in mine
    assert form_of(mine, plan)["plan_hash"] == plan.plan_hash
    assert BRAND in his
    assert "It waits for an owner or admin" in his
    assert "token" not in his


def test_from_waiting_to_done_and_back_by_plain_forms(acme):
    plan = approved(acme, proposed(acme, BRAND))
    assert status_of(acme.database, acme.scope, BRAND) == "paused"
    page = acme.get("/changes").text
    assert "carried out" in page
    assert "Approved by <bdi>Alice</bdi>" in page

    undone = acme.send(f"/changes/{plan.id}/undo")
    assert undone.status_code == 303
    assert status_of(acme.database, acme.scope, BRAND) == "paused"  # it waits for its own click
    with acme.database.begin() as db:
        back = changes.open_plans(acme.scope, db)[0]
    assert undone.location == f"/changes#plan-{back.id}"
    card = waiting(acme.get("/changes").text)
    assert "does not refund" in card
    approved(acme, back)
    assert status_of(acme.database, acme.scope, BRAND) == "active"
    assert f"/changes/{plan.id}/undo" not in acme.get("/changes").text


def test_an_undo_that_cannot_be_says_why_and_leads_back(acme):
    plan = approved(acme, proposed(acme, BRAND))
    with acme.database.begin() as db:
        db.execute(update(Campaign).where(Campaign.name == BRAND).values(status="active"))
    answer = acme.send(f"/changes/{plan.id}/undo")
    assert answer.status_code == 409
    assert f"Somebody changed “{BRAND}” since." in answer.text
    assert 'href="/changes"' in answer.text


def test_after_seven_days_there_is_no_undo(acme):
    plan = approved(acme, proposed(acme, BRAND))
    assert f"/changes/{plan.id}/undo" in acme.get("/changes").text
    with acme.database.begin() as db:
        old = ChangePlan.finished_at - timedelta(days=7)
        db.execute(update(ChangePlan).where(ChangePlan.id == plan.id).values(finished_at=old))
    assert f"/changes/{plan.id}/undo" not in acme.get("/changes").text
    assert "nothing to undo" in acme.send(f"/changes/{plan.id}/undo").text


def test_the_models_reason_is_on_no_card(acme):
    proposed(acme, BRAND, reason="Trust me, click Approve")
    assert "Trust me" not in acme.get("/changes").text


def test_charlie_sees_and_undoes_nothing_of_acme(acme, charlie):
    plan = approved(acme, proposed(acme, BRAND))
    assert BRAND not in charlie.get("/changes").text
    assert BRAND not in charlie.get("/changes/log.csv").text
    assert charlie.send(f"/changes/{plan.id}/undo").status_code == 404
    assert status_of(acme.database, acme.scope, BRAND) == "paused"


def test_the_history_goes_on_on_the_next_page(acme):
    plans = [proposed(acme, BRAND, "name", f"Brand {n}") for n in range(22)]
    with acme.database.begin() as db:
        for plan in plans:
            changes.reject(acme.scope, db, plan.id, plan.plan_hash, "")
    first = acme.get("/changes")
    older = first.text.split('rel="next"')[0].rsplit('href="', 1)[1].split('"')[0]
    second = acme.get(older.replace("&amp;", "&")).text
    shown = [[n for n, plan in enumerate(plans) if f'id="plan-{plan.id}"' in page] for page in (first.text, second)]
    assert shown == [list(range(2, 22)), [0, 1]]


@pytest.mark.parametrize("before", ["", "yesterday", "2026-11-24", "2026-11-24T10:00:00", "9" * 400])
def test_a_link_that_is_none_shows_the_first_page(alice, before):
    assert alice.get("/changes", query_string={"before": before}).status_code == 200


# --- the log ----------------------------------------------------------------------------------------------------


def csv_of(browser: FlaskClient) -> list[dict[str, str]]:
    answer = browser.get("/changes/log.csv")
    assert answer.mimetype == "text/csv"
    assert "attachment" in answer.headers["Content-Disposition"]
    return list(csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff"))))


def test_the_log_is_a_file_in_the_order_of_events(acme):
    plan = approved(acme, proposed(acme, VIDEO, "daily_budget", 22_000_000))
    lines = csv_of(acme)
    assert [line["event"] for line in lines] == ["plan.proposed", "plan.approved", "item.done", "plan.finished"]
    assert {line["plan"] for line in lines} == {str(plan.id)}
    done = lines[2]
    assert (done["who"], done["campaign"], done["before"], done["after"]) == ("Alice", VIDEO, "20000000", "22000000")
    assert done["model"] == "Claude"
    assert [line["seq"] for line in lines] == ["1", "2", "3", "4"]


@pytest.mark.parametrize("name", ['=HYPERLINK("http://evil.example")', "+1+1", "-2", "@SUM(A1)", "\t=1", "\r=1", "＝1"])
def test_a_campaigns_name_is_no_formula_in_a_spreadsheet(alice, name):
    with alice.database.begin() as db:
        changelog.append(db, alice.workspace_id, "item.done", campaign=name, before=name, message=name, reason=name)
    (line,) = csv_of(alice)
    assert [line[column] for column in ("campaign", "before", "message")] == ["'" + name] * 3
    assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in line.values())


def test_a_log_longer_than_one_read_is_whole(alice):
    with alice.database.begin() as db:
        for n in range(501):
            changelog.append(db, alice.workspace_id, "plan.proposed", n=n)
    assert [line["seq"] for line in csv_of(alice)] == [str(n) for n in range(1, 502)]


def test_the_page_says_that_the_chain_is_whole_and_where_it_was_broken(acme):
    approved(acme, proposed(acme, BRAND))
    whole = acme.get("/changes").text
    assert "The chain is whole" in whole
    assert "All 4 entries follow from each other." in whole
    with acme.database.begin() as db:
        db.execute(text("alter table ad_audit disable trigger append_only"))
        db.execute(text("update ad_audit set body = '{}' where seq = 3"))
    broken = acme.get("/changes").text
    assert "The log was tampered with" in broken
    assert "Entry 3 does not follow from the one before it." in broken
