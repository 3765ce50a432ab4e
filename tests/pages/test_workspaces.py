"""Create, switch, rename and delete workspaces."""

from __future__ import annotations

import uuid

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from tests import people
from tests.people import Browser
from webapp.accounts import workspaces
from webapp.db.models import ByokKey
from webapp.secret import Secret
from webapp.vault import byok


def connect_key(browser: Browser) -> uuid.UUID:
    with browser.database.begin() as db:
        key = Secret("sk-ant-api03-a-key-of-the-tests")
        return byok.connect(browser.scope, db, browser.parts.keyring, "anthropic", key, label="Acme")


def looks_at(browser: Browser) -> str:
    """The workspace that the rail names."""
    page = browser.get("/settings/account").text
    return page.partition('<span class="switcher-text"><strong>')[2].partition("</strong>")[0]


# --- create and switch ------------------------------------------------------------------------------------------


def test_a_new_workspace_is_owned_and_looked_at(alice: Browser) -> None:
    answer = alice.post("/workspaces", data={"name": " Second   Shop "})
    assert (answer.status_code, answer.location) == (303, "/chat")
    assert looks_at(alice) == "Second Shop"
    with alice.database.begin() as db:
        mine = [(w.name, w.role) for w in workspaces.of(db, alice.user_id)]
    assert mine == [("Acme", "owner"), ("Second Shop", "owner")]


@pytest.mark.parametrize("name", ["", "  ", "x" * 81])
def test_a_refused_name_stays_in_its_field(alice: Browser, name: str) -> None:
    answer = alice.post("/workspaces", data={"name": name})
    assert answer.status_code == 422
    assert 'id="field-name-error"' in answer.text
    assert f'value="{name}"' in answer.text


def test_switching_is_kept_by_this_browser_only(alice: Browser) -> None:
    alice.post("/workspaces", data={"name": "Second Shop"})
    phone = people.another_browser_of(alice)
    assert looks_at(phone) == "Acme"
    assert alice.post(f"/workspaces/{alice.workspace_id}/switch").status_code == 303
    assert looks_at(alice) == "Acme"


def test_a_stranger_cannot_switch_into_acme(alice: Browser, charlie: Browser) -> None:
    foreign = charlie.post(f"/workspaces/{alice.workspace_id}/switch")
    random = charlie.post(f"/workspaces/{uuid.uuid4()}/switch")
    assert foreign.status_code == random.status_code == 404
    assert foreign.text == random.text
    assert looks_at(charlie) == "Charlie&#39;s Cameras"


def test_a_form_from_a_stale_tab_changes_nothing(alice: Browser) -> None:
    """Opened in Acme, sent after switching to another workspace in another tab."""
    alice.post("/workspaces", data={"name": "Second Shop"})
    answer = alice.send("/settings/workspace", name="Renamed by mistake")
    assert answer.status_code == 409
    assert "switched to another workspace" in answer.text
    assert "Second Shop" in answer.text, "the page around the error stands"
    fragment = alice.get("/settings/workspace", headers={"HX-Request": "true", "X-Workspace": str(alice.workspace_id)})
    assert fragment.status_code == 409
    assert fragment.headers["HX-Retarget"] == "#notice"
    with alice.database.begin() as db:
        assert [w.name for w in workspaces.of(db, alice.user_id)] == ["Acme", "Second Shop"]


def test_who_has_no_workspace_is_led_to_create_one(app: Flask) -> None:
    dana = people.newcomer(app, "Dana")
    assert dana.get("/settings/members").location == "/workspaces/new"
    assert "You are in no workspace now" in dana.get("/workspaces/new").text
    assert dana.get("/settings/account").status_code == 200


# --- rename -----------------------------------------------------------------------------------------------------


def test_alice_renames_acme(alice: Browser) -> None:
    assert alice.send("/settings/workspace", name="Acme Ltd").status_code == 303
    assert looks_at(alice) == "Acme Ltd"


def test_a_name_is_only_text(alice: Browser) -> None:
    alice.send("/settings/workspace", name='<b>"Acme"</b> {{ 7*7 }}')
    for path in ("/settings/workspace", "/settings/members"):
        page = alice.get(path).text
        assert '<b>"Acme"' not in page
        assert "&lt;b&gt;&#34;Acme&#34;&lt;/b&gt; {{ 7*7 }}" in page


def test_bob_sees_the_workspace_but_cannot_rename_or_delete_it(bob: Browser) -> None:
    page = bob.get("/settings/workspace").text
    assert "You are a member here" in page
    assert "Delete workspace" not in page
    assert bob.send("/settings/workspace", name="Bob's").status_code == 403
    assert bob.send("/settings/workspace/delete", typed_name="Acme").status_code == 403
    assert looks_at(bob) == "Acme"


# --- delete -----------------------------------------------------------------------------------------------------


def test_deleting_erases_the_keys_and_says_where_to_revoke_them(alice: Browser, bob: Browser) -> None:
    key_id = connect_key(alice)
    console = alice.parts.providers["anthropic"].keys_url
    before = alice.get("/settings/workspace").text
    assert "stays valid at its provider until you revoke it there" in before
    assert console in before

    answer = alice.send("/settings/workspace/delete", typed_name="Acme")
    assert (answer.status_code, answer.location) == (303, "/workspaces/deleted?provider=anthropic")
    page = alice.get(answer.location).text
    assert "until you revoke it there" in page
    assert console in page
    assert "Acme is deleted." in page

    with alice.database.begin() as db:
        row = db.scalars(select(ByokKey).where(ByokKey.id == key_id)).one()
    assert (row.status, row.sealed, row.revoked_by) == ("revoked", None, alice.user_id)
    for browser in (alice, bob):
        assert browser.get("/settings/members").location == "/workspaces/new"
        assert browser.post(f"/workspaces/{alice.workspace_id}/switch").status_code == 404


def test_after_deleting_one_lands_in_another_workspace(alice: Browser) -> None:
    alice.post("/workspaces", data={"name": "Second Shop"})
    alice.post(f"/workspaces/{alice.workspace_id}/switch")
    answer = alice.send("/settings/workspace/delete", typed_name="Acme")
    assert (answer.status_code, answer.location) == (303, "/chat")
    assert looks_at(alice) == "Second Shop"


def test_a_wrong_name_deletes_nothing(alice: Browser) -> None:
    key_id = connect_key(alice)
    answer = alice.send("/settings/workspace/delete", typed_name="acme")
    assert answer.status_code == 422
    assert 'id="field-typed_name-error"' in answer.text
    assert 'value="acme"' in answer.text
    assert looks_at(alice) == "Acme"
    with alice.database.begin() as db:
        assert db.scalars(select(ByokKey.status).where(ByokKey.id == key_id)).one() == "active", (
            "the whole deed is undone"
        )


def test_an_admin_cannot_delete(app: Flask, alice: Browser) -> None:
    dana = people.join(people.newcomer(app, "Dana"), alice.workspace_id, "admin")
    assert "Delete workspace" not in dana.get("/settings/workspace").text
    assert dana.send("/settings/workspace/delete", typed_name="Acme").status_code == 403


def test_the_page_after_deleting_knows_only_real_providers(alice: Browser, anyone: FlaskClient) -> None:
    page = alice.get("/workspaces/deleted?provider=<script>&provider=anthropic&provider=anthropic").text
    assert page.count("Revoke at Anthropic") == 1
    assert "<script>&" not in page
