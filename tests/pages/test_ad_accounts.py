"""Settings › Ad accounts: connected only when tested, chosen among several, watched while it is read, never shown."""

from __future__ import annotations

import logging
import re
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import gevent
import pytest
from flask import Flask
from sqlalchemy import select, text, update

from tests import people
from tests.ads.connected import ad_account, day
from tests.ads.fakes import graph
from tests.ads.fakes.google_ads import GoogleAds, customer
from tests.ads.fakes.graph import Graph
from tests.ads.fakes.server import serving
from tests.pages.dom import words
from tests.people import Browser
from webapp.ads import accounts, guards
from webapp.ads.guards import Rails
from webapp.ads.platform import PlatformError, Trouble
from webapp.config import Settings
from webapp.db.models import AdAccount, AdDaily, AuditEvent

PAGE = "/settings/ad-accounts"
META, GOOGLE = f"{PAGE}/meta/connect", f"{PAGE}/google/connect"
HTMX = {"HX-Request": "true"}
TOKEN = "EAAGcanaryTOKENofaSystemUser" + "Zz9" * 30


@pytest.fixture
def meta() -> Graph:
    """One account, one campaign with a day."""
    there = Graph(token=TOKEN, accounts=[ad_account("100200300", "Acme Shop")])
    there.add(graph.campaign("1", name="Boots"))
    there.days = [day("1", 1, "12.00")]
    return there


@pytest.fixture
def google() -> GoogleAds:
    return GoogleAds(customers={"9990001112": customer("9990001112", descriptiveName="Acme Search")})


@pytest.fixture
def settings(settings: Settings, meta: Graph, google: GoogleAds) -> Iterator[Settings]:
    with serving(meta) as at_meta, serving(google) as at_google:
        yield replace(settings, meta_graph_url=at_meta, google_ads_url=at_google, google_token_url=f"{at_google}/token")


def settle() -> None:
    """Let what runs in the background end."""
    gevent.wait(timeout=30)


def rows(alice: Browser) -> list[AdAccount]:
    with alice.database.begin() as db:
        return list(db.scalars(select(AdAccount).order_by(AdAccount.external_id)))


def place(alice: Browser) -> str:
    return f"{PAGE}/{rows(alice)[0].id}"


def sign_in(google: GoogleAds, **more: str) -> dict[str, str]:
    client_id, client_secret = google.client
    return {"client_id": client_id, "client_secret": client_secret, "refresh_token": google.refresh_token, **more}


def htmx(who: Browser, path: str, **form: str) -> Any:
    return who.post(path, data={"workspace": str(who.workspace_id), **form}, headers=HTMX)


# --- Meta -------------------------------------------------------------------------------------------------------


def test_alice_connects_meta_without_javascript_and_the_figures_are_read(alice: Browser, meta: Graph) -> None:
    assert "No ad account yet" in words(alice.get(PAGE).text)
    assert 'type="password"' in alice.get(META).text
    answer = alice.send(META, token=f'  "{TOKEN[:40]}\n{TOKEN[40:]}" ')
    assert (answer.status_code, answer.headers["Location"]) == (303, PAGE)
    said = words(alice.get(PAGE).text)
    assert "Acme Shop connected. The figures are being read." in said
    assert "Meta · 100200300 · EUR · Europe/Berlin" in said
    assert "Read and change" in said
    assert "ads_read, ads_management" in said
    assert "does not expire" in said
    assert "Reading campaigns" in said
    settle()
    assert "Figures up to" in words(alice.get(PAGE).text)
    with alice.database.begin() as db:
        assert db.scalars(select(AdDaily.spend_micros)).all() == [12_000_000]


def test_a_token_that_meta_refuses_is_not_kept_and_metas_words_are_shown(alice: Browser, meta: Graph) -> None:
    meta.dead = "Session has expired on Sunday, 01-Nov-26."
    answer = alice.send(META, token=TOKEN, read_only="1")
    said = words(answer.text)
    assert answer.status_code == 422
    assert "Meta does not accept this sign-in" in said
    assert "Meta said (190): Session has expired on Sunday" in said
    assert re.search(r'name="read_only"[^>]*checked', answer.text)
    assert rows(alice) == []
    assert TOKEN not in answer.text


@pytest.mark.parametrize(
    ("pasted", "why"),
    [
        ("", "Paste a token first"),
        ("1234567890|AbCdEfGhIjKlMnOpQrStUvWxYz", "This is an app token"),
        ("a b c", "This is not a token of Meta"),
    ],
)
def test_what_is_no_token_is_not_sent_anywhere(alice: Browser, meta: Graph, pasted: str, why: str) -> None:
    answer = htmx(alice, META, token=pasted)
    assert answer.status_code == 422
    assert why in words(answer.text)
    assert answer.text.count("<article") == 1
    assert meta.requests == []


def test_a_token_without_an_account_says_what_to_do(alice: Browser, meta: Graph) -> None:
    meta.accounts = []
    said = words(alice.send(META, token=TOKEN).text)
    assert "The sign-in is good, but sees no ad account" in said
    assert "Assign an ad account to the system user" in said


def test_a_token_that_may_only_read_connects_and_says_so(alice: Browser, meta: Graph) -> None:
    meta.scopes = ("ads_read",)
    alice.send(META, token=TOKEN)
    said = words(alice.get(PAGE).text)
    assert "Read-only: Maxxer can look, not change." in said
    assert "connect again with a token that has ads_management" in said


def test_a_token_that_sees_several_accounts_asks_which(alice: Browser, meta: Graph) -> None:
    meta.accounts += [ad_account("2", "Outlet"), ad_account("3", "Closed", account_status=2)]
    asked = alice.send(META, token=TOKEN)
    assert asked.status_code == 200
    assert "Which accounts?" in words(asked.text)
    assert re.search(r'value="3" disabled', asked.text)
    assert rows(alice) == []
    assert TOKEN not in asked.text
    [sealed] = re.findall(r'name="sealed" value="([^"]+)"', asked.text)
    nothing = alice.send(f"{PAGE}/meta/choose", sealed=sealed)
    assert (nothing.status_code, "Tick an account" in words(nothing.text)) == (422, True)
    chosen = alice.send(f"{PAGE}/meta/choose", sealed=sealed, account=["2", "3", "999"])
    assert chosen.status_code == 303
    assert [row.name for row in rows(alice)] == ["Outlet"]
    again = alice.send(META, token=TOKEN).text
    assert re.search(r'value="2" checked', again)
    assert "connected, gets the new token" in words(again)


def test_a_choice_of_somebody_else_or_too_late_connects_nothing(alice: Browser, charlie: Browser, meta: Graph) -> None:
    meta.accounts.append(ad_account("2", "Outlet"))
    [sealed] = re.findall(r'name="sealed" value="([^"]+)"', alice.send(META, token=TOKEN).text)
    asked = len(meta.requests)
    answer = charlie.send(f"{PAGE}/meta/choose", sealed=sealed, account="2")
    assert answer.status_code == 422
    assert "The choice came too late" in words(answer.text)
    assert len(meta.requests) == asked
    assert rows(alice) == []


def test_with_htmx_the_whole_list_comes_back_in_its_place(alice: Browser) -> None:
    answer = htmx(alice, META, token=TOKEN)
    assert answer.headers["HX-Retarget"] == "#ad-accounts"
    assert answer.text.lstrip().startswith('<div class="stack" id="ad-accounts">')
    assert re.search(r'id="notice"[^>]*hx-swap-oob="true"', answer.text)
    assert "<html" not in answer.text


# --- Google -----------------------------------------------------------------------------------------------------


def test_alice_connects_google_with_a_sign_in_of_her_own(alice: Browser, google: GoogleAds) -> None:
    answer = alice.send(GOOGLE, **sign_in(google, customer_id="999-000-1112"))
    assert answer.status_code == 303
    said = words(alice.get(PAGE).text)
    assert "Acme Search" in said
    assert "Google Ads · 9990001112" in said
    assert f"{google.refresh_token[:6]}…" in said


def test_a_refused_sign_in_at_google_keeps_what_is_no_secret_in_the_form(alice: Browser, google: GoogleAds) -> None:
    google.ended = True
    answer = alice.send(GOOGLE, **sign_in(google, customer_id="999-000-1112", login_customer_id="111-222-3333"))
    assert answer.status_code == 422
    assert "Publish the consent screen" in words(answer.text)
    for shown in (google.client[0], "999-000-1112", "111-222-3333"):
        assert f'value="{shown}"' in answer.text
    assert google.client[1] not in answer.text
    assert google.refresh_token not in answer.text
    assert rows(alice) == []


@pytest.mark.parametrize(
    ("part", "value", "why"),
    [
        ("client_id", "42", "The client ID does not look right"),
        ("client_secret", "", "Paste the client secret"),
        ("refresh_token", "ya29.a-token-that-ends-in-an-hour", "This is an access token"),
        ("refresh_token", "4/0Adeu5BW-authorization-code", "This is an authorization code"),
        ("customer_id", "12", "The customer ID does not look right"),
        ("customer_id", "123-456-7890", "This sign-in does not see 123-456-7890"),
    ],
)
def test_what_is_wrong_with_a_google_sign_in_is_said(
    alice: Browser, google: GoogleAds, part: str, value: str, why: str
) -> None:
    answer = alice.send(GOOGLE, **sign_in(google, **{part: value}))
    assert answer.status_code == 422
    assert why in words(answer.text)
    assert rows(alice) == []


# --- a connected account ----------------------------------------------------------------------------------------


@pytest.fixture
def connected(alice: Browser) -> Browser:
    alice.send(META, token=TOKEN)
    settle()
    alice.get(PAGE)
    return alice


def test_a_row_asks_for_itself_only_while_it_is_read(connected: Browser) -> None:
    assert "hx-trigger" not in connected.get(PAGE).text
    started = htmx(connected, f"{place(connected)}/sync").text
    assert 'hx-trigger="every 2s"' in started
    watched = connected.get(place(connected), headers=HTMX)
    assert watched.text.lstrip().startswith('<div class="account-sync"')
    assert "HX-Retarget" not in watched.headers
    settle()
    done = connected.get(place(connected), headers=HTMX)
    assert done.headers["HX-Retarget"] == f"#account-{rows(connected)[0].id}"
    assert "hx-trigger" not in done.text
    assert "last read" in words(done.text)


def test_a_sync_that_stops_says_why_and_what_next(connected: Browser, meta: Graph) -> None:
    meta.stumble("/campaigns", graph.error(190, "You cannot access the app till you log in.", error_subcode=459))
    assert connected.send(f"{place(connected)}/sync").status_code == 303
    settle()
    said = words(connected.get(PAGE).text)
    assert "The last sync stopped" in said
    assert "Sign in at Meta and do what it asks" in said
    assert "Needs attention" not in said


def test_a_dead_token_is_announced_on_every_page_until_it_is_replaced(
    connected: Browser, bob: Browser, meta: Graph
) -> None:
    meta.dead = "The session was invalidated."
    connected.send(f"{place(connected)}/sync")
    settle()
    assert "Needs attention" in words(connected.get(PAGE).text)
    assert "Meta refused the sign-in for Acme Shop." in words(bob.get("/settings/members").text)
    meta.dead = ""
    answer = htmx(connected, META, token=TOKEN)
    assert 'class="banner"' not in answer.text
    assert "Meta refused" not in words(bob.get("/settings/members").text)


@pytest.mark.parametrize(("days", "said"), [(5, "expires in 5 days"), (1, "expires tomorrow"), (-1, "has expired")])
def test_a_token_that_ends_soon_is_announced_a_week_before(connected: Browser, days: int, said: str) -> None:
    with connected.database.begin() as db:
        db.execute(update(AdAccount).values(token_expires_at=datetime.now(UTC) + timedelta(days=days, hours=1)))
    page = words(connected.get(PAGE).text)
    assert f"The Meta token for Acme Shop {said}." in page
    assert f"Token {said}" in page


def test_the_target_cpa_is_kept_in_the_accounts_currency(connected: Browser) -> None:
    assert connected.send(f"{place(connected)}/target", target="24,50").status_code == 303
    assert rows(connected)[0].target_cpa_micros == 24_500_000
    assert 'value="24.50"' in connected.get(PAGE).text
    wrong = connected.send(f"{place(connected)}/target", target="about 20")
    assert wrong.status_code == 422
    assert 'value="about 20"' in wrong.text
    assert "Enter an amount such as 25 or 25.50." in words(wrong.text)
    connected.send(f"{place(connected)}/target", target="")
    assert rows(connected)[0].target_cpa_micros is None


def test_disconnecting_erases_the_token_and_says_what_is_left_to_do(connected: Browser) -> None:
    answer = htmx(connected, f"{place(connected)}/disconnect")
    assert "Acme Shop is disconnected. Its token is erased here. Revoke it at the platform, too." in words(answer.text)
    assert "No ad account yet" in words(answer.text)
    assert rows(connected)[0].sealed is None
    assert connected.send(f"{place(connected)}/disconnect").status_code == 303  # a second click changes nothing
    assert connected.send(f"{place(connected)}/sync").status_code == 404


def test_the_audit_log_says_who_did_it(connected: Browser) -> None:
    connected.send(f"{place(connected)}/disconnect")
    said = words(connected.get("/settings/audit").text)
    assert "Alice connected the Meta account Acme Shop 100200300 EAAGca…" in said
    assert "Alice disconnected the Meta account Acme Shop" in said


def test_deleting_the_workspace_erases_the_tokens(connected: Browser) -> None:
    assert connected.send("/settings/workspace/delete", typed_name="Acme").status_code == 303
    assert [(row.status, row.sealed) for row in rows(connected)] == [("revoked", None)]


# --- who may ----------------------------------------------------------------------------------------------------


def test_bob_sees_the_accounts_and_is_told_who_changes_them(connected: Browser, bob: Browser) -> None:
    page = bob.get(PAGE).text
    assert "Acme Shop" in words(page)
    assert "Ad accounts are changed by an owner or admin of Acme: Alice." in words(page)
    assert "<form" not in page[page.index('id="ad-accounts"') : page.index("</main>")]
    for path in (META, f"{place(connected)}/sync", f"{place(connected)}/disconnect", f"{PAGE}/demo"):
        assert bob.send(path, token=TOKEN).status_code == 403


def test_a_workspace_tests_twenty_sign_ins_in_ten_minutes(alice: Browser, meta: Graph) -> None:
    meta.dead = "No."
    with alice.database.begin() as db:
        db.execute(
            text("insert into throttles (bucket, window_start, count) select :b, to_timestamp(:s), 20"),
            {"b": f"ads-test:{alice.workspace_id}", "s": int(datetime.now(UTC).timestamp()) // 600 * 600},
        )
    assert alice.send(META, token=TOKEN).status_code == 429
    assert meta.requests == []


# --- the demo ---------------------------------------------------------------------------------------------------


def test_the_demo_account_is_a_click_away_lives_on_and_can_be_removed(alice: Browser) -> None:
    assert htmx(alice, f"{PAGE}/demo").status_code == 200
    demo = rows(alice)
    assert {row.platform for row in demo} == {"demo"}
    until = demo[0].data_through
    assert until is not None
    with alice.database.begin() as db:
        db.execute(update(AdAccount).values(data_through=until - timedelta(days=2)))
    alice.send(f"{place(alice)}/sync")
    settle()
    assert rows(alice)[0].data_through == until
    for row in demo:
        alice.send(f"{PAGE}/{row.id}/disconnect")
    assert "No ad account yet" in words(alice.get(PAGE).text)


# --- what Maxxer may change -------------------------------------------------------------------------------------


def rails(alice: Browser) -> Rails:
    with alice.database.begin() as db:
        return guards.rails(alice.scope, db)


SENT = {
    "mode": "on",
    "approvers": "members",
    "budget_change_pct": "15",
    "cooldown_hours": "48",
    "cap_currency": "eur",
    "campaign_cap": "1,200.50",
    "workspace_cap": "",
    "step_up": "500",
    "max_campaigns": "5",
    "max_spend_share_pct": "25",
}


def test_alice_sets_what_maxxer_may_change(alice: Browser) -> None:
    assert "nobody can approve it" in words(alice.get(PAGE).text)
    assert alice.send(f"{PAGE}/rails", **SENT).status_code == 303
    assert rails(alice) == Rails("on", "members", 15, 1_200_500_000, None, 500_000_000, "EUR", 5, 25, 48)
    shown = alice.get(f"{PAGE}/rails").text
    assert 'value="1200.50"' in shown
    assert re.search(r'name="mode" value="on" checked', shown)
    assert "What a person approves, within the limits" in words(alice.get(PAGE).text)
    assert "set what Maxxer may change (on)" in words(alice.get("/settings/audit").text)


@pytest.mark.parametrize(
    ("field", "value", "why"),
    [
        ("campaign_cap", "a lot", "Enter an amount such as 25 or 25.50."),
        ("max_campaigns", "ten", "Enter a whole number."),
        ("budget_change_pct", "900", "from 1 to 200 percent"),
        ("cap_currency", "", "Amounts need a currency"),
    ],
)
def test_a_limit_that_is_none_is_refused_and_nothing_typed_is_lost(
    alice: Browser, field: str, value: str, why: str
) -> None:
    answer = alice.send(f"{PAGE}/rails", **{**SENT, field: value})
    assert answer.status_code == 422
    assert why in words(answer.text)
    assert f'value="{value}"' in answer.text
    assert 'value="48"' in answer.text
    assert rails(alice) == Rails()


def test_bob_sees_the_limits_and_cannot_set_them(alice: Browser, bob: Browser) -> None:
    page = bob.get(f"{PAGE}/rails").text
    assert "<fieldset" in page
    assert "Save limits" not in page
    assert bob.send(f"{PAGE}/rails", **SENT).status_code == 403
    assert rails(alice) == Rails()


def test_the_operators_switch_is_shown(settings: Settings) -> None:
    with people.running(replace(settings, ads_writes=False)) as app:
        alice = people.newcomer(app, "Alice", owns="Acme")
        assert "Changes are switched off" in words(alice.get(PAGE).text)
        assert "Changes are switched off" in words(alice.get(f"{PAGE}/rails").text)


# --- silence ----------------------------------------------------------------------------------------------------


def test_a_token_is_nowhere_but_where_it_is_sent(
    app: Flask, alice: Browser, bob: Browser, meta: Graph, google: GoogleAds, caplog: pytest.LogCaptureFixture
) -> None:
    """Pasted, refused, chosen, used, dead, disconnected: in no page, no log, no row."""
    caplog.set_level(logging.DEBUG)
    told: list[str] = []

    def post(path: str, **form: Any) -> str:
        for headers in ({}, HTMX):
            data = {"workspace": str(alice.workspace_id), **form}
            told.append(alice.post(path, data=data, headers=headers, follow_redirects=not headers).text)
        return told[-2]

    meta.dead = f"Malformed access token {TOKEN}"
    post(META, token=TOKEN)
    meta.dead = ""
    meta.accounts.append(ad_account("2", "Outlet"))
    [sealed] = re.findall(r'name="sealed" value="([^"]+)"', post(META, token=TOKEN))
    post(f"{PAGE}/meta/choose", sealed=sealed, account=["2", "100200300"])
    post(GOOGLE, **sign_in(google))
    post(META, token=TOKEN + "\x00")
    meta.dead = f"Error validating {TOKEN}"
    post(f"{PAGE}/{rows(alice)[0].id}/sync")
    settle()
    told += [
        who.get(page).text for who in (alice, bob) for page in (PAGE, META, "/settings/audit", "/settings/members")
    ]
    with alice.database.begin() as db:
        told += map(str, db.execute(select(AuditEvent.details, AuditEvent.subject)))
        told += map(str, db.execute(text("select ad_accounts::text, sync_note from ad_accounts")))
    everything = "\n".join([*told, caplog.text])
    for secret in (TOKEN, google.client[1], google.refresh_token, *google.access_tokens):
        assert secret[6:] not in everything
        assert secret.encode().hex() not in everything
    assert TOKEN[:6] in everything


def test_a_foreign_account_is_not_found_here(connected: Browser, charlie: Browser) -> None:
    for path in ("", "/sync", "/target", "/disconnect"):
        ask = charlie.send if path else charlie.get
        assert ask(f"{place(connected)}{path}").status_code == 404
    with connected.database.begin() as db:
        accounts.heed(charlie.scope, db, uuid.uuid4(), PlatformError(Trouble.TOKEN, "dead"))
    assert rows(connected)[0].fault is None
