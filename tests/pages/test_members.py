"""Settings › Members, and the links that let others in."""

from __future__ import annotations

import re
import uuid

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests import people
from tests.people import PASSWORD, Browser
from webapp.accounts import invitations, members

HTMX = {"HX-Request": "true"}


def roles(browser: Browser) -> dict[str, str]:
    with browser.database.begin() as db:
        return {member.name: member.role for member in members.listed(browser.scope, db)}


def link_in(answer: TestResponse) -> str:
    """The path of the invitation that the page shows, once."""
    [link] = re.findall(r'value="http://localhost(/invitations/[\w-]{43})"', answer.text)
    return link


def invite(browser: Browser, role: str = "member", note: str = "") -> str:
    return link_in(browser.send("/settings/invitations", role=role, note=note))


# --- the list ---------------------------------------------------------------------------------------------------


def test_everyone_sees_who_is_in_acme(alice: Browser, bob: Browser) -> None:
    for browser in (alice, bob):
        page = browser.get("/settings/members").text
        assert "alice@example.com" in page
        assert "bob@example.com" in page


def test_only_who_may_change_members_gets_the_menus(alice: Browser, bob: Browser) -> None:
    assert "Change Bob" in alice.get("/settings/members").text
    page = bob.get("/settings/members").text
    assert "Change Alice" not in page
    assert "Create link" not in page


def test_charlie_sees_nothing_of_acme(alice: Browser, charlie: Browser) -> None:
    page = charlie.get("/settings/members").text
    assert "Acme" not in page
    assert "alice@example.com" not in page


# --- roles ------------------------------------------------------------------------------------------------------


def test_alice_makes_bob_an_admin(alice: Browser, bob: Browser) -> None:
    answer = alice.send(f"/settings/members/{bob.user_id}/role", role="admin")
    assert (answer.status_code, answer.location) == (303, "/settings/members")
    assert roles(alice) == {"Alice": "owner", "Bob": "admin"}
    assert "Bob is now an admin of Acme." in alice.get("/settings/members").text


def test_with_htmx_the_list_comes_back_changed(alice: Browser, bob: Browser) -> None:
    answer = alice.post(f"/settings/members/{bob.user_id}/role", data={"role": "viewer"}, headers=HTMX)
    assert answer.status_code == 200
    assert answer.text.lstrip().startswith('<section class="panel" id="members"')
    assert "Viewer" in answer.text
    assert 'id="notice"' in answer.text


def test_who_changes_their_own_role_gets_a_whole_new_page(alice: Browser, bob: Browser) -> None:
    alice.send(f"/settings/members/{bob.user_id}/role", role="owner")
    answer = alice.post(f"/settings/members/{alice.user_id}/role", data={"role": "viewer"}, headers=HTMX)
    assert answer.headers["HX-Redirect"] == "/settings/members"
    assert "Create link" not in alice.get("/settings/members").text
    assert roles(bob) == {"Bob": "owner", "Alice": "viewer"}


def test_a_refusal_says_why_in_the_notice(alice: Browser) -> None:
    answer = alice.post(f"/settings/members/{alice.user_id}/role", data={"role": "admin"}, headers=HTMX)
    assert answer.status_code == 409
    assert answer.headers["HX-Retarget"] == "#notice"
    assert "last owner of Acme" in answer.text


def test_an_admin_is_not_offered_what_an_owner_may(app: Flask, alice: Browser, bob: Browser) -> None:
    dana = people.join(people.newcomer(app, "Dana"), alice.workspace_id, "admin")
    page = dana.get("/settings/members").text
    assert "Change Bob" in page
    assert "Change Alice" not in page
    assert "Make owner" not in page
    assert dana.send(f"/settings/members/{alice.user_id}/remove").status_code == 403
    assert dana.send(f"/settings/members/{bob.user_id}/role", role="owner").status_code == 403


def test_bob_changes_nobody(alice: Browser, bob: Browser) -> None:
    assert bob.send(f"/settings/members/{bob.user_id}/role", role="owner").status_code == 403
    assert bob.send(f"/settings/members/{alice.user_id}/remove").status_code == 403
    assert roles(alice) == {"Alice": "owner", "Bob": "member"}


# --- leaving ----------------------------------------------------------------------------------------------------


def test_a_removed_member_stops_seeing_acme_at_once(alice: Browser, bob: Browser) -> None:
    assert bob.get("/settings/members").status_code == 200
    assert alice.send(f"/settings/members/{bob.user_id}/remove").status_code == 303
    assert bob.get("/settings/members").location == "/workspaces/new"
    assert "You are no longer in Acme." in bob.get("/workspaces/new").text
    assert bob.post(f"/workspaces/{alice.workspace_id}/switch").status_code == 404
    assert "Acme" not in bob.get("/settings/account").text, "told once"
    assert roles(alice) == {"Alice": "owner"}


def test_bob_leaves_and_lands_in_his_own_workspace(alice: Browser, bob: Browser) -> None:
    bob.post("/workspaces", data={"name": "Bob's Bikes"})
    bob.post(f"/workspaces/{alice.workspace_id}/switch")
    answer = bob.send("/settings/members/leave")
    assert (answer.status_code, answer.location) == (303, "/chat")
    page = bob.get("/settings/members").text
    assert "Members of Bob&#39;s Bikes" in page
    assert "You have left Acme." in page
    assert "no longer in" not in page


def test_the_last_owner_cannot_leave(alice: Browser, bob: Browser) -> None:
    answer = alice.send("/settings/members/leave")
    assert answer.status_code == 409
    assert "Make someone else an owner first" in answer.text
    assert alice.get("/settings/members").status_code == 200


# --- invitations ------------------------------------------------------------------------------------------------


def test_the_link_is_shown_once(alice: Browser) -> None:
    link = invite(alice, note="for Dana")
    page = alice.get("/settings/members").text
    assert "for Dana" in page
    assert link not in page


def test_with_htmx_the_panel_comes_back_with_the_link(alice: Browser) -> None:
    answer = alice.post("/settings/invitations", data={"role": "viewer", "note": "for Dana"}, headers=HTMX)
    assert answer.text.lstrip().startswith('<section class="panel" id="invitations"')
    assert link_in(answer)
    assert "readonly" in answer.text


def test_a_newcomer_signs_up_through_a_link_and_joins(app: Flask, alice: Browser, anyone: FlaskClient) -> None:
    link = invite(alice, "viewer")
    page = anyone.get(link)
    assert "Alice invites you into the workspace <strong>Acme</strong> as a viewer" in page.text
    [sign_up] = re.findall(r'href="(/sign-up\?next=[^"]+)"', page.text)
    form = anyone.get(sign_up)
    assert 'name="company"' not in form.text, "who comes to join needs no workspace of their own"
    [back] = re.findall(r'name="next" value="([^"]+)"', form.text)
    answer = anyone.post(
        "/sign-up", data={"name": "Dana", "email": "dana@example.com", "password": PASSWORD, "next": back}
    )
    assert answer.location == link
    assert "Join as Dana" in anyone.get(link).text
    assert anyone.post(f"{link}/accept").location == "/chat"
    assert roles(alice) == {"Alice": "owner", "Dana": "viewer"}
    page = anyone.get("/settings/members").text
    assert "Members of Acme" in page
    assert "Dana&#39;s workspace" not in page


def test_charlie_accepts_and_looks_at_acme(alice: Browser, charlie: Browser) -> None:
    link = invite(alice)
    assert charlie.post(f"{link}/accept").status_code == 303
    assert "Members of Acme" in charlie.get("/settings/members").text
    assert charlie.post(f"/workspaces/{charlie.workspace_id}/switch").status_code == 303


def test_a_used_link_looks_like_an_unknown_one(
    app: Flask, alice: Browser, charlie: Browser, anyone: FlaskClient
) -> None:
    link = invite(alice)
    charlie.post(f"{link}/accept")
    used, unknown = anyone.get(link), anyone.get(f"/invitations/{'x' * 43}")
    assert used.status_code == unknown.status_code == 404
    assert used.text == unknown.text
    dana = people.newcomer(app, "Dana")
    assert dana.post(f"{link}/accept").status_code == 404
    assert "Dana" not in roles(alice)


def test_nobody_joins_without_signing_in(alice: Browser, anyone: FlaskClient) -> None:
    link = invite(alice)
    answer = anyone.post(f"{link}/accept")
    assert answer.status_code == 302
    assert answer.location.startswith("/sign-in")


@pytest.mark.parametrize("headers", [{}, HTMX])
def test_a_withdrawn_link_is_off_the_list(alice: Browser, anyone: FlaskClient, headers: dict[str, str]) -> None:
    link = invite(alice, note="for Dana")
    with alice.database.begin() as db:
        [invitation] = invitations.listed(alice.scope, db)
    answer = alice.post(f"/settings/invitations/{invitation.id}/revoke", headers=headers)
    assert answer.status_code == (200 if headers else 303)
    assert "for Dana" not in alice.get("/settings/members").text
    assert anyone.get(link).status_code == 404


def test_a_stranger_cannot_withdraw_a_link(alice: Browser, charlie: Browser, anyone: FlaskClient) -> None:
    link = invite(alice)
    with alice.database.begin() as db:
        [invitation] = invitations.listed(alice.scope, db)
    assert charlie.post(f"/settings/invitations/{invitation.id}/revoke").status_code == 404
    assert charlie.post(f"/settings/invitations/{uuid.uuid4()}/revoke").status_code == 404
    assert anyone.get(link).status_code == 200


def test_links_cannot_be_guessed_in_bulk(charlie: Browser) -> None:
    answers = [charlie.post(f"/invitations/{'x' * 42}{n % 10}/accept").status_code for n in range(31)]
    assert answers == [404] * 30 + [429]


def test_no_invitation_makes_an_owner(alice: Browser) -> None:
    assert alice.send("/settings/invitations", role="owner").status_code == 422
    with alice.database.begin() as db:
        assert invitations.listed(alice.scope, db) == []
