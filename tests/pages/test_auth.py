"""Signing up, in and out; what every answer carries; what may be sent from where."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text, update
from werkzeug.test import TestResponse

from tests import people
from tests.people import PASSWORD, Browser
from webapp.accounts import passwords
from webapp.config import Settings
from webapp.db.models import User, UserSession

SIGN_UP = {"name": "Dana", "email": "dana@example.com", "company": "", "password": PASSWORD}


def sign_in(browser: FlaskClient, email: str, password: str = PASSWORD, **more: str) -> TestResponse:
    return browser.post("/sign-in", data={"email": email, "password": password, **more})


def token(browser: FlaskClient) -> str:
    cookie = browser.get_cookie("sid")
    return cookie.value if cookie else ""


# --- signing up -------------------------------------------------------------------------------------------------


def test_a_newcomer_signs_up_and_owns_a_workspace(anyone: FlaskClient) -> None:
    answer = anyone.post("/sign-up", data=SIGN_UP)
    assert (answer.status_code, answer.location) == (303, "/chat")
    page = anyone.get("/settings/members")
    assert "Members of Dana&#39;s workspace" in page.text
    assert "dana@example.com" in page.text
    assert "Owner" in page.text


def test_the_workspace_is_named_after_the_company(anyone: FlaskClient) -> None:
    anyone.post("/sign-up", data={**SIGN_UP, "company": "  Dana   Ltd "})
    assert "Members of Dana Ltd" in anyone.get("/settings/members").text


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"name": ""}, "Enter your name"),
        ({"name": "x" * 81}, "at most 80"),
        ({"email": "dana"}, "does not look like an email"),
        ({"company": "x" * 81}, "at most 80"),
        ({"password": "too short"}, "at least 12"),
        ({"password": "password1234"}, "attacker"),
        ({"password": "dana@example.com"}, "contains your email"),
    ],
)
def test_a_refused_form_keeps_what_was_typed_and_says_why_beside_the_field(
    anyone: FlaskClient, changed: dict[str, str], says: str
) -> None:
    answer = anyone.post("/sign-up", data={**SIGN_UP, **changed})
    [field] = changed
    assert answer.status_code == 422
    assert says in answer.text
    assert f'aria-describedby="field-{field}-error"' in answer.text
    assert answer.text.count('aria-invalid="true"') == 1
    for name in ("name", "email"):
        assert f'value="{({**SIGN_UP, **changed})[name]}"' in answer.text
    assert PASSWORD not in answer.text
    assert "sid" not in answer.headers.get("Set-Cookie", "")


def test_an_address_that_is_taken_is_said_to_be(anyone: FlaskClient, alice: Browser) -> None:
    answer = anyone.post("/sign-up", data={**SIGN_UP, "email": "ALICE@example.com"})
    assert answer.status_code == 422
    assert "already" in answer.text


# --- signing in -------------------------------------------------------------------------------------------------


def test_a_person_signs_in_and_goes_where_they_wanted(anyone: FlaskClient, alice: Browser) -> None:
    asked = anyone.get("/settings/members?from=mail")
    assert asked.status_code == 302
    target = parse_qs(urlsplit(asked.location).query)["next"][0]
    answer = sign_in(anyone, " Alice@Example.com ", next=target)
    assert (answer.status_code, answer.location) == (303, "/settings/members?from=mail")
    assert "Members of Acme" in anyone.get(answer.location).text


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "/\t/evil.example",
        "\\\\evil.example",
        "javascript:1",
        "",
    ],
)
def test_next_leads_nowhere_else(anyone: FlaskClient, alice: Browser, target: str) -> None:
    assert sign_in(anyone, alice.email, next=target).location == "/chat"


def test_an_unknown_address_and_a_wrong_password_look_the_same(anyone: FlaskClient, alice: Browser) -> None:
    wrong = sign_in(anyone, "alice@example.com", "not her password")
    unknown = sign_in(anyone, "nobody@example.com", "not her password")
    assert wrong.status_code == unknown.status_code == 422
    assert "Email or password is wrong." in wrong.text
    assert wrong.text.replace("alice@", "nobody@") == unknown.text
    assert "not her password" not in wrong.text
    assert not token(anyone)


def test_the_cookie_is_for_the_server_only(anyone: FlaskClient, alice: Browser) -> None:
    cookie = sign_in(anyone, alice.email).headers["Set-Cookie"]
    assert cookie.startswith("sid=")
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))


def test_with_https_the_cookie_is_bound_to_the_host(settings: Settings) -> None:
    with people.running(replace(settings, secure_cookies=True)) as app:
        anyone = app.test_client()
        answer = anyone.post("/sign-up", data=SIGN_UP, base_url="https://localhost")
        cookie = answer.headers["Set-Cookie"]
        assert cookie.startswith("__Host-sid=")
        assert {"Secure", "HttpOnly", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))
        assert "Domain" not in cookie
        assert anyone.get("/settings/account", base_url="https://localhost").status_code == 200
        anyone.post("/sign-out", base_url="https://localhost")
        assert anyone.get("/settings/account", base_url="https://localhost").status_code == 302


def test_a_planted_session_does_not_survive_signing_in(anyone: FlaskClient, alice: Browser, charlie: Browser) -> None:
    planted = token(charlie)
    anyone.set_cookie("sid", planted)
    sign_in(anyone, alice.email)
    assert token(anyone) not in ("", planted)
    assert "alice@example.com" in anyone.get("/settings/account").text
    assert charlie.get("/settings/account").status_code == 302, "the planted session is over"


def test_an_old_hash_is_renewed_at_sign_in(app: Flask, anyone: FlaskClient, alice: Browser) -> None:
    weak = passwords.Argon2id(salt=b"saltsalt", length=32, iterations=1, lanes=1, memory_cost=8 * 1024)
    with alice.database.begin() as db:
        db.execute(update(User).values(password_hash=weak.derive_phc_encoded(PASSWORD.encode())))
    assert sign_in(anyone, alice.email).status_code == 303
    with alice.database.begin() as db:
        [phc] = db.scalars(text("select password_hash from users")).all()
    assert phc.startswith(passwords.PARAMETERS)
    assert sign_in(app.test_client(), alice.email).status_code == 303


def test_the_eleventh_try_at_an_account_waits(app: Flask, alice: Browser) -> None:
    for _ in range(10):
        assert sign_in(app.test_client(), alice.email, "not her password").status_code == 422
    answer = sign_in(app.test_client(), alice.email, PASSWORD)
    assert answer.status_code == 429
    assert "Try again in" in answer.text
    assert 'value="alice@example.com"' in answer.text
    elsewhere = app.test_client().post(
        "/sign-in", data={"email": alice.email, "password": PASSWORD}, environ_base={"REMOTE_ADDR": "192.0.2.9"}
    )
    assert elsewhere.status_code == 303, "a stranger's guesses do not lock alice out everywhere"


def test_signing_out_ends_the_session_for_good(alice: Browser) -> None:
    kept = token(alice)
    answer = alice.post("/sign-out")
    assert (answer.status_code, answer.location) == (303, "/sign-in")
    assert not token(alice)
    alice.set_cookie("sid", kept)
    assert alice.get("/settings/account").status_code == 302


def test_an_idle_session_is_over(alice: Browser) -> None:
    assert alice.get("/settings/account").status_code == 200
    with alice.database.begin() as db:
        db.execute(update(UserSession).values(seen_at=UserSession.seen_at - timedelta(hours=13)))
    assert alice.get("/settings/account").status_code == 302


def test_htmx_is_told_to_load_the_sign_in_page(anyone: FlaskClient) -> None:
    """reference: htmx follows a redirect into the fragment's place; 401 with HX-Redirect loads the page instead."""
    answer = anyone.get(
        "/settings/members", headers={"HX-Request": "true", "HX-Current-URL": "http://localhost/settings/members?x=1"}
    )
    assert answer.status_code == 401
    assert answer.headers["HX-Redirect"] == "/sign-in?next=/settings/members?x%3D1"


def test_the_start_page_leads_on(anyone: FlaskClient, alice: Browser) -> None:
    assert anyone.get("/").location == "/sign-in"
    assert alice.get("/").location == "/chat"
    assert alice.get("/sign-in").location == "/chat"
    assert alice.get("/sign-up?next=/settings/account").location == "/settings/account"


def test_the_demo_sign_in_is_shown_only_where_it_is_set(settings: Settings, anyone: FlaskClient) -> None:
    assert "Use the demo" not in anyone.get("/sign-in").text
    with people.running(replace(settings, demo_sign_in="demo@example.com / swordfish")) as app:
        page = app.test_client().get("/sign-in").text
    assert "Use the demo" in page
    assert '<input type="hidden" name="email" value="demo@example.com">' in page
    assert '<input type="hidden" name="password" value="swordfish">' in page


def test_flasks_own_cookies_sign_nobody_in(app: Flask, anyone: FlaskClient, alice: Browser) -> None:
    with anyone.session_transaction() as session:
        session["_user_id"] = str(alice.user_id)
        session["_fresh"] = True
    assert anyone.get("/settings/account").status_code == 302
    anyone.set_cookie("remember_token", f"{alice.user_id}|0")
    assert anyone.get("/settings/account").status_code == 302


JUNK = ["\x00", "a\x00b", "\u202e", "\ud83d".encode("utf-8", "surrogatepass"), "😀" * 3000, "' or 1=1 --"]


@pytest.mark.parametrize("field", ["name", "email", "company", "password", "next"])
def test_no_junk_in_a_field_breaks_the_page(app: Flask, field: str) -> None:
    for junk in JUNK:
        anyone = app.test_client()
        expected = (400,) if b"\x00" in (junk.encode() if isinstance(junk, str) else junk) else (303, 422)
        assert anyone.post("/sign-up", data={**SIGN_UP, field: junk}).status_code in expected
        answer = anyone.post("/sign-in", data={"email": "a@b.de", "password": "x", field: junk})
        assert answer.status_code in expected


def test_nul_gets_nowhere_near_the_database(app: Flask, alice: Browser) -> None:
    """PostgreSQL refuses it, which would be a 500: so every rule refuses it first, in the query too."""
    for method, path in unsafe_rules(app):
        assert alice.open(path, method=method, data={"anything": "a\x00b"}).status_code == 400, path
    assert alice.get("/chat/models?q=a%00b").status_code == 400


# --- what may be sent from where, and what every answer carries ---------------------------------------------------

HOME = "http://localhost"
SENT = [
    # Sec-Fetch-Site, Origin, whether it may change something
    ("same-origin", HOME, True),
    ("same-origin", None, True),
    ("none", None, True),
    ("same-site", HOME, False),
    ("same-site", "http://sub.localhost", False),
    ("cross-site", "https://evil.example", False),
    ("cross-site", HOME, False),
    ("cross-site", None, False),
    ("nonsense", HOME, False),
    ("", HOME, False),
    (None, HOME, True),
    (None, None, True),
    (None, "https://evil.example", False),
    (None, "null", False),
    (None, "http://localhost:81", False),
    (None, "https://localhost", False),
]


def unsafe_rules(app: Flask) -> list[tuple[str, str]]:
    adapter = app.url_map.bind("localhost")
    found = []
    for rule in app.url_map.iter_rules():
        values = {name: people.some_value(rule, name) for name in rule.arguments}
        for method in sorted((rule.methods or set()) - {"GET", "HEAD", "OPTIONS"}):
            found.append((method, adapter.build(rule.endpoint, values, method=method)))
    return found


def test_only_our_own_pages_may_change_anything(app: Flask, anyone: FlaskClient) -> None:
    rules = unsafe_rules(app)
    assert ("POST", "/sign-in") in rules
    assert len(rules) > 10
    rules.remove(("POST", "/collect"))  # a shop's pages send there: collect.py judges their origin
    for method, path in rules:
        for site, origin, allowed in SENT:
            headers = {"Sec-Fetch-Site": site, "Origin": origin}
            answer = anyone.open(path, method=method, headers={k: v for k, v in headers.items() if v is not None})
            refused = answer.status_code == 403 and "came from another site" in answer.text
            assert refused is not allowed, f"{method} {path} with {headers}"


def test_every_answer_is_private_and_confined(app: Flask, anyone: FlaskClient, alice: Browser) -> None:
    """Pages, errors, redirects and fragments; of every rule that can be asked without an id."""
    paths = [rule.rule for rule in app.url_map.iter_rules() if not rule.arguments and "GET" in (rule.methods or set())]
    assert "/settings/account" in paths
    for browser in (anyone, alice):
        for path in [*paths, "/no-such-page", f"/invitations/{'x' * 43}"]:
            for headers in ({}, {"HX-Request": "true"}):
                answer = browser.get(path, headers=headers)
                assert answer.status_code < 500, path
                policy = answer.headers["Content-Security-Policy"]
                assert "default-src 'none'" in policy, path
                assert "script-src 'self';" in policy, path
                assert "unsafe" not in policy, path
                shared = path == "/collect.js"  # for the shop's visitors: the same for everybody
                assert answer.headers["Cache-Control"] == ("public, max-age=3600" if shared else "no-store"), path
                assert "Cookie" in answer.vary, path
                assert answer.headers["X-Content-Type-Options"] == "nosniff", path
                assert answer.headers["Referrer-Policy"] == "no-referrer", path
                assert answer.headers["X-Frame-Options"] == "DENY", path
                answer.close()
