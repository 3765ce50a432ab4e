"""Settings › Account: name, password, theme, signed-in browsers."""

from __future__ import annotations

import re

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from tests import people
from tests.people import PASSWORD, Browser
from webapp.db.models import UserSession
from webapp.pages.account import browser_name

NEW = "eight purple umbrellas"


def works(browser: FlaskClient) -> bool:
    return browser.get("/settings/account").status_code == 200


def session_ids(browser: Browser) -> list[str]:
    with browser.database.begin() as db:
        query = select(UserSession.id).where(UserSession.user_id == browser.user_id).order_by(UserSession.created_at)
        return [str(id) for id in db.scalars(query)]


def can_sign_in(app: Flask, email: str, password: str) -> bool:
    return app.test_client().post("/sign-in", data={"email": email, "password": password}).status_code == 303


# --- name -------------------------------------------------------------------------------------------------------


def test_alice_changes_her_name_and_is_told(alice: Browser) -> None:
    answer = alice.post("/settings/account/name", data={"name": "  Alice\u202e  Cooper "})
    assert (answer.status_code, answer.location) == (303, "/settings/account")
    page = alice.get("/settings/account").text
    assert 'value="Alice Cooper"' in page
    assert "Your name is saved." in page
    assert "Your name is saved." not in alice.get("/settings/account").text, "said once"


def test_an_empty_name_is_refused_beside_its_field(alice: Browser) -> None:
    answer = alice.post("/settings/account/name", data={"name": " \t "})
    assert answer.status_code == 422
    assert 'id="field-name-error"' in answer.text
    assert 'value="Alice"' not in answer.text


# --- password ---------------------------------------------------------------------------------------------------


def test_a_new_password_signs_out_every_other_browser(app: Flask, alice: Browser) -> None:
    phone = people.another_browser_of(alice)
    before = alice.get_cookie("sid")
    answer = alice.post("/settings/account/password", data={"current": PASSWORD, "password": NEW})
    assert (answer.status_code, answer.location) == (303, "/settings/account")
    assert "Your other browsers are signed out." in alice.get("/settings/account").text
    after = alice.get_cookie("sid")
    assert before is not None
    assert after is not None
    assert before.value != after.value, "this browser goes on under a new token"
    assert not works(phone)
    phone.set_cookie("sid", before.value)
    assert not works(phone)
    assert can_sign_in(app, alice.email, NEW)
    assert not can_sign_in(app, alice.email, PASSWORD)


@pytest.mark.parametrize(
    ("current", "new", "field"),
    [
        ("not her password", NEW, "current"),
        ("", NEW, "current"),
        (PASSWORD, "short", "password"),
        (PASSWORD, "alice@example.com", "password"),
    ],
)
def test_a_refused_password_changes_nothing(app: Flask, alice: Browser, current: str, new: str, field: str) -> None:
    phone = people.another_browser_of(alice)
    answer = alice.post("/settings/account/password", data={"current": current, "password": new})
    assert answer.status_code == 422
    assert f'id="field-{field}-error"' in answer.text
    assert NEW not in answer.text
    assert works(phone)
    assert can_sign_in(app, alice.email, PASSWORD)


def test_the_current_password_cannot_be_guessed_for_ever(alice: Browser) -> None:
    tries = [alice.post("/settings/account/password", data={"current": "guess", "password": NEW}) for _ in range(11)]
    assert [answer.status_code for answer in tries] == [422] * 10 + [429]


# --- theme ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("theme", ["dark", "light", "system"])
def test_the_theme_is_kept_with_the_person(alice: Browser, theme: str) -> None:
    answer = alice.post("/settings/theme", data={"theme": theme, "next": "/settings/members"})
    assert (answer.status_code, answer.location) == (303, "/settings/members")
    assert f'data-theme="{theme}"' in alice.get("/settings/members").text
    assert f'data-theme="{theme}"' in people.another_browser_of(alice).get("/settings/members").text


def test_with_htmx_the_page_reloads_in_the_new_theme(alice: Browser) -> None:
    answer = alice.post("/settings/theme", data={"theme": "dark"}, headers={"HX-Request": "true"})
    assert answer.headers["HX-Refresh"] == "true"


def test_there_is_no_other_theme(alice: Browser) -> None:
    assert alice.post("/settings/theme", data={"theme": '"><script>'}).status_code == 422
    assert 'data-theme="system"' in alice.get("/settings/account").text


# --- browsers ---------------------------------------------------------------------------------------------------


def test_every_browser_is_listed_and_this_one_is_marked(alice: Browser) -> None:
    people.another_browser_of(alice)
    page = alice.get("/settings/account").text
    assert page.count("Firefox on Linux") >= 2
    assert page.count("This browser") == 1
    assert "127.0.0.1" in page


@pytest.mark.parametrize("headers", [{}, {"HX-Request": "true"}])
def test_one_browser_is_signed_out(alice: Browser, headers: dict[str, str]) -> None:
    phone = people.another_browser_of(alice)
    [_, phones] = session_ids(alice)
    answer = alice.post(f"/settings/account/browsers/{phones}/sign-out", headers=headers)
    if headers:
        assert answer.status_code == 200
        assert answer.text.lstrip().startswith('<section class="panel" id="browsers"')
        assert phones not in answer.text
        assert "That browser is signed out." in answer.text
    else:
        assert (answer.status_code, answer.location) == (303, "/settings/account")
    assert not works(phone)
    assert works(alice)


def test_all_others_are_signed_out_at_once(alice: Browser, charlie: Browser) -> None:
    phone, tablet = people.another_browser_of(alice), people.another_browser_of(alice)
    assert alice.post("/settings/account/browsers/sign-out").status_code == 303
    assert (works(alice), works(phone), works(tablet), works(charlie)) == (True, False, False, True)
    assert "Sign out all others" not in alice.get("/settings/account").text


def test_nobody_signs_a_stranger_out(alice: Browser, charlie: Browser) -> None:
    [hers] = session_ids(alice)
    assert charlie.post(f"/settings/account/browsers/{hers}/sign-out").status_code == 404
    assert works(alice)


@pytest.mark.parametrize(
    ("user_agent", "name"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Linux"),
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/18.1 Safari/605.1.15",
            "Safari on macOS",
        ),
        (
            "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0",
            "Edge on Windows",
        ),
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/140.0.0.0 Safari/537.36", "Chrome on Windows"),
        (
            "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 Chrome/140.0.0.0 Mobile Safari/537.36",
            "Chrome on Android",
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) Version/18.1 Mobile/15E148 Safari/604.1",
            "Safari on iPhone",
        ),
        ("curl/8.5.0", "Unknown browser"),
        ("", "Unknown browser"),
    ],
)
def test_a_browser_is_named_for_people(user_agent: str, name: str) -> None:
    assert browser_name(user_agent) == name


def test_what_a_browser_calls_itself_is_only_text(app: Flask, alice: Browser) -> None:
    app.test_client().post(
        "/sign-in",
        data={"email": alice.email, "password": PASSWORD},
        headers={"User-Agent": "<script>alert(1)</script>" * 40},
        environ_base={"REMOTE_ADDR": "<b>" * 40},
    )
    page = alice.get("/settings/account").text
    assert not re.search(r"<script>alert|<b><b>", page)
    assert len(session_ids(alice)) == 2
