"""The stranger law: who has no business with a thing gets the same answer as for a thing that does not exist.

Generated from the URL map, so that a rule added later is covered by itself. Where a rule has a parameter, MADE knows
how to make a thing of that name for somebody; a name it does not know fails the test with a sentence.

The things are alice's, in Acme. Who asks for them: a browser nobody is signed in with; charlie, a stranger with a
workspace of his own; dan, who was removed from Acme while signed in; and for what is private olga, its other owner.
"""

from __future__ import annotations

import hashlib
import secrets
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import delete, func, select
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from tests import people
from tests.people import Browser
from webapp.accounts import RIGHTS, Right, Role, a_role, browsers, enter, invitations, members
from webapp.config import Settings
from webapp.db.models import (
    AdAccount,
    Budget,
    Campaign,
    ChangePlan,
    ChatMessage,
    ChatSession,
    ChatTurn,
    Invitation,
    Upload,
    UserSession,
)
from webapp.llm.blocks import Text, block_to_json
from webapp.secret import Secret
from webapp.usage.policy import Policy, set_policy
from webapp.vault import byok

CANARY = "canary-3f9c"  # in every text of Acme's things: it may show up in no stranger's answer

PUBLIC = {
    "auth.home",
    "auth.sign_in",
    "auth.check_sign_in",
    "auth.sign_up",
    "auth.create_account",
    "auth.sign_out",
    "members.invitation",
    "docs.index",
    "docs.byok",
    "docs.approvals",
    "docs.dashboard",
    "docs.money",
    "docs.provider",
    "docs.ads",
    "collect.receive",
    "collect.script",
}
STREAM = "stream"  # a policy of its own: always 200 and one frame that ends it (reference/htmx.md §1.2, trap 3)


# --- a thing for every parameter --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Whose:
    """Somebody in a workspace, and the things made for them so far: a turn goes into the session made before it."""

    browser: Browser
    workspace_id: uuid.UUID
    made: dict[str, object]

    def insert(self, *rows: object) -> None:
        with self.browser.database.begin() as db:
            for row in rows:
                db.add(row)
                db.flush()


def a_session(whose: Whose) -> uuid.UUID:
    row = ChatSession(
        id=uuid.uuid4(), workspace_id=whose.workspace_id, user_id=whose.browser.user_id, title=f"Plan {CANARY}"
    )
    whose.insert(row)
    return row.id


def a_turn(whose: Whose) -> uuid.UUID:
    """Answered, with a question and an answer."""
    session_id = whose.made.get("session_id") or a_session(whose)
    here = {"workspace_id": whose.workspace_id, "session_id": session_id}
    turn = ChatTurn(
        id=uuid.uuid4(),
        user_id=whose.browser.user_id,
        position=0,
        request_id=uuid.uuid4(),
        provider="anthropic",
        model="claude-sonnet-4-5",
        state="done",
        owner="a worker",
        lease_until=datetime.now(UTC),
        ended_at=datetime.now(UTC),
        **here,
    )
    said = [(0, "user", "What next?"), (1, "assistant", f"The {CANARY} plan.")]
    messages = [
        ChatMessage(turn_id=turn.id, position=position, role=role, blocks=[block_to_json(Text(text))], **here)
        for position, role, text in said
    ]
    whose.insert(turn, *messages)
    return turn.id


def an_invitation(whose: Whose) -> uuid.UUID:
    row = Invitation(
        id=uuid.uuid4(),
        workspace_id=whose.workspace_id,
        token_hash=secrets.token_bytes(32),
        role="member",
        note=f"for {CANARY}",
        created_by=whose.browser.user_id,
        expires_at=func.now() + invitations.LIFETIME,
    )
    whose.insert(row)
    return row.id


def a_used_token(whose: Whose) -> str:
    """A link is for strangers while it is open; once it is used it is nobody's business."""
    token = secrets.token_urlsafe(32)
    row = Invitation(
        workspace_id=whose.workspace_id,
        token_hash=hashlib.sha256(token.encode()).digest(),
        role="member",
        created_by=whose.browser.user_id,
        expires_at=func.now() + invitations.LIFETIME,
        accepted_at=func.now(),
        accepted_by=whose.browser.user_id,
    )
    whose.insert(row)
    return token


def a_browser(whose: Whose) -> uuid.UUID:
    with whose.browser.database.begin() as db:
        browsers.open_session(db, whose.browser.user_id, user_agent=CANARY)
        newest = select(UserSession.id).where(UserSession.user_id == whose.browser.user_id)
        found: uuid.UUID = db.scalars(newest.order_by(UserSession.created_at.desc())).first()  # type: ignore[assignment]
    return found


def a_plan(whose: Whose) -> uuid.UUID:
    """A change that waits for approval."""
    row = ChangePlan(
        id=uuid.uuid4(),
        workspace_id=whose.workspace_id,
        proposed_by=whose.browser.user_id,
        tool="update_campaign",
        arguments={"name": CANARY},
        warnings=[f"{CANARY} runs on a shared budget."],
        plan_hash=secrets.token_bytes(32),
        expires_at=func.now() + timedelta(minutes=10),
    )
    whose.insert(row)
    return row.id


def an_ad_account(whose: Whose) -> uuid.UUID:
    """Connected; its campaigns are of last night."""
    row = AdAccount(
        id=uuid.uuid4(),
        workspace_id=whose.workspace_id,
        platform="meta",
        external_id=str(uuid.uuid4().int)[:16],
        name=f"Acme ads {CANARY}",
        currency="EUR",
        timezone="Europe/Berlin",
        created_by=whose.browser.user_id,
        synced_at=datetime.now(UTC),
    )
    whose.insert(row)
    return row.id


def a_campaign(whose: Whose) -> uuid.UUID:
    """In an ad account of its own."""
    row = Campaign(
        id=uuid.uuid4(),
        workspace_id=whose.workspace_id,
        account_id=an_ad_account(whose),
        external_id="1",
        name=f"Brand {CANARY}",
        status="active",
    )
    whose.insert(row)
    return row.id


def an_upload(whose: Whose) -> uuid.UUID:
    """An export that was looked at, and not saved yet."""
    row = Upload(
        id=uuid.uuid4(),
        workspace_id=whose.workspace_id,
        created_by=whose.browser.user_id,
        filename=f"{CANARY}.csv",
        kind="google",
        header=["Day", "Campaign", "Currency code", "Cost"],
        body=f"2,,2026-09-01,Brand {CANARY},EUR,12.50\n",
        expires_at=func.now() + timedelta(hours=1),
    )
    whose.insert(row)
    return row.id


def a_budget(whose: Whose) -> uuid.UUID:
    """A limit for the whole workspace."""
    row = Budget(
        id=uuid.uuid4(),
        workspace_id=whose.workspace_id,
        applies_to="workspace",
        period="day",
        unit="tokens",
        amount=secrets.randbelow(10**9) + 1,
        updated_by=whose.browser.user_id,
    )
    with whose.browser.database.begin() as db:  # one of a kind
        db.execute(delete(Budget).where(Budget.workspace_id == whose.workspace_id))
    whose.insert(row)
    return row.id


def a_members_key(whose: Whose) -> uuid.UUID:
    """An own key, which only a workspace that allows them has."""
    with whose.browser.database.begin() as db:
        scope = enter(db, whose.browser.user_id, whose.workspace_id)
        set_policy(scope, db, Policy(personal_keys=True))
        secret = Secret("sk-ant-api03-" + "x" * 40)
        return byok.connect(scope, db, whose.browser.parts.keyring, "anthropic", secret, f"mine {CANARY}", own=True)


MADE: dict[str, Callable[[Whose], object]] = {
    "workspace_id": lambda whose: whose.workspace_id,
    "user_id": lambda whose: whose.browser.user_id,
    "session_id": a_session,
    "turn_id": a_turn,
    "invitation_id": an_invitation,
    "token": a_used_token,
    "browser_id": a_browser,
    "account_id": an_ad_account,
    "campaign_id": a_campaign,
    "plan_id": a_plan,
    "upload_id": an_upload,
    "budget_id": a_budget,
    "key_id": a_members_key,
}
# Names that belong to nobody.
SHARED = {"slug": "anthropic", "platform": "meta", "topic": "meta", "pipe": "kpi_summary"}
PRIVATE = {"session_id", "turn_id", "browser_id"}  # not even the other owner's business


# --- asking -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Asked:
    """A rule with one method."""

    rule: Rule
    method: str
    policy: str | Right

    @property
    def owned(self) -> list[str]:
        return sorted((name for name in self.rule.arguments if name in MADE), key=list(MADE).index)

    def things(self, browser: Browser, workspace_id: uuid.UUID) -> dict[str, object]:
        """A new thing of somebody for each parameter of the rule."""
        whose = Whose(browser, workspace_id, {})
        for name in self.owned:
            whose.made[name] = MADE[name](whose)
        return whose.made

    def nothings(self) -> dict[str, object]:
        return {name: people.some_value(self.rule, name) for name in self.owned}

    def by(
        self, browser: FlaskClient, values: dict[str, object], *, form: dict[str, object] | None = None, **headers: str
    ) -> TestResponse:
        adapter = browser.application.url_map.bind("localhost")
        path = adapter.build(self.rule.endpoint, {**shared_by(self.rule), **values}, method=self.method)
        return browser.open(path, method=self.method, headers=headers, data=form, buffered=True)

    def __str__(self) -> str:
        return f"{self.method} {self.rule.rule} ({self.rule.endpoint})"


def shared_by(rule: Rule) -> dict[str, object]:
    return {name: value for name, value in SHARED.items() if name in rule.arguments}


def everything(app: Flask) -> Iterator[Asked]:
    for rule in app.url_map.iter_rules():
        if rule.endpoint != "static":
            policy = app.view_functions[rule.endpoint].policy  # type: ignore[attr-defined]
            for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
                yield Asked(rule, method, policy)


def with_things(app: Flask) -> list[Asked]:
    return [asked for asked in everything(app) if asked.owned]


def seen(answer: TestResponse, values: dict[str, object]) -> tuple[int, str | None, str]:
    """What the asker learns, with the ids they named themselves taken out."""
    body = answer.text
    for name, value in values.items():
        body = body.replace(str(value), f"<{name}>")
    return answer.status_code, answer.headers.get("Location"), body


def judge(asked: Asked, browser: FlaskClient, foreign: dict[str, object], unknown: dict[str, object]) -> Iterator[str]:
    """What is wrong with how a stranger is answered; nothing, if all is well."""
    for headers in ({}, {"HX-Request": "true"}):
        answer, nothing = asked.by(browser, foreign, **headers), asked.by(browser, unknown, **headers)
        if seen(answer, foreign) != seen(nothing, unknown):
            yield f"{asked} answers {answer.status_code} for a foreign thing, {nothing.status_code} for none"
        if answer.status_code != 404 and not ends_a_stream(asked, answer):
            yield f"{asked} answers {answer.status_code} to a stranger, with {headers}"
        if CANARY in answer.text or "Acme" in answer.text or "alice@example.com" in answer.text:
            yield f"{asked} tells a stranger what is in Acme"


def ends_a_stream(asked: Asked, answer: TestResponse) -> bool:
    return asked.policy == STREAM and answer.status_code == 200 and answer.mimetype == "text/event-stream"


@pytest.fixture
def app(settings: Settings) -> Iterator[Flask]:
    with people.running(settings) as made:
        yield made


@pytest.fixture
def alice(app: Flask) -> Browser:
    return people.newcomer(app, "Alice", owns="Acme")


@pytest.fixture
def charlie(app: Flask) -> Browser:
    return people.newcomer(app, "Charlie", owns="Charlie's Cameras")


def colleague(app: Flask, alice: Browser, name: str, role: Role) -> Browser:
    return people.join(people.newcomer(app, name), alice.workspace_id, role)


@pytest.fixture
def dan(app: Flask, alice: Browser) -> Browser:
    """Removed from Acme while he looked at it."""
    dan = people.newcomer(app, "Dan", owns="Dan's Den")
    own = dan.workspace_id
    people.join(dan, alice.workspace_id, "admin")
    assert dan.get("/settings/members").status_code == 200
    with alice.database.begin() as db:
        members.remove(alice.scope, db, dan.user_id)
    dan.workspace_id = own
    assert "You are no longer in Acme" in dan.get("/settings/account").text  # told once, on whatever page comes first
    return dan


# --- the law ----------------------------------------------------------------------------------------------------


def test_every_parameter_of_every_rule_is_known_here(app: Flask) -> None:
    for rule in app.url_map.iter_rules():
        for name in rule.arguments - {"filename"}:
            assert name in MADE or name in SHARED, (
                f"{rule.rule} has the parameter {name}. Add it to MADE in tests/test_stranger.py, with a function that "
                "makes such a thing for somebody; or to SHARED, if its values belong to nobody."
            )


def test_the_public_rules_are_those_we_know(app: Flask) -> None:
    assert {asked.rule.endpoint for asked in everything(app) if asked.policy == "public"} == PUBLIC
    assert {asked.policy for asked in everything(app)} <= {"public", "signed_in", STREAM, *Right}


def test_alice_herself_is_let_in(app: Flask, alice: Browser) -> None:
    """Else the law would hold for a house without doors."""
    assert len(with_things(app)) > 5
    for asked in everything(app):
        if asked.method == "GET" and "token" not in asked.owned:
            answer = asked.by(alice, asked.things(alice, alice.workspace_id))
            assert answer.status_code < 400, f"{asked} answers {answer.status_code} to its owner"
    for asked in with_things(app):
        if asked.method == "POST" and "token" not in asked.owned:
            answer = asked.by(alice, asked.things(alice, alice.workspace_id))
            assert answer.status_code not in (403, 404, 405, 500), f"{asked} answers {answer.status_code} to its owner"


def test_nobody_gets_further_than_the_sign_in_page(app: Flask, alice: Browser) -> None:
    anyone = app.test_client()
    for asked in everything(app):
        if asked.policy in ("public", STREAM):
            continue
        for values in (asked.things(alice, alice.workspace_id), asked.nothings()):
            plain, htmx = asked.by(anyone, values), asked.by(anyone, values, **{"HX-Request": "true"})
            assert plain.status_code == 302, f"{asked} answers {plain.status_code} to anybody"
            assert plain.location.partition("?")[0] == "/sign-in", str(asked)
            assert htmx.status_code == 401, f"{asked} answers {htmx.status_code} to anybody's htmx"
            assert htmx.headers["HX-Redirect"].partition("?")[0] == "/sign-in", str(asked)
            assert CANARY not in plain.text + htmx.text


def test_nobody_sees_a_thing_on_a_public_page_or_stream(app: Flask, alice: Browser) -> None:
    anyone = app.test_client()
    open_to_all = [asked for asked in with_things(app) if asked.policy in ("public", STREAM)]
    assert open_to_all
    for asked in open_to_all:
        wrong = list(judge(asked, anyone, asked.things(alice, alice.workspace_id), asked.nothings()))
        assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("stranger", ["charlie", "dan"])
def test_a_stranger_cannot_tell_a_foreign_thing_from_none(
    request: pytest.FixtureRequest, app: Flask, alice: Browser, stranger: str
) -> None:
    """Also where one rule names two things: each may be foreign beside the stranger's own."""
    browser: Browser = request.getfixturevalue(stranger)
    for asked in with_things(app):
        foreign, unknown = asked.things(alice, alice.workspace_id), asked.nothings()
        own = asked.things(browser, browser.workspace_id)
        for which in product((True, False), repeat=len(asked.owned)):
            names = [name for name, is_foreign in zip(asked.owned, which, strict=True) if is_foreign]
            if names:
                mixed = {**own, **{name: foreign[name] for name in names}}
                beside = {**own, **{name: unknown[name] for name in names}}
                wrong = list(judge(asked, browser, mixed, beside))
                assert not wrong, "\n".join(wrong)


def test_what_dan_made_in_acme_is_no_longer_his_to_see(app: Flask, alice: Browser, dan: Browser) -> None:
    of_chats = [asked for asked in with_things(app) if {"session_id", "turn_id"} & set(asked.owned)]
    assert of_chats
    for asked in of_chats:
        wrong = list(judge(asked, dan, asked.things(dan, alice.workspace_id), asked.nothings()))
        assert not wrong, "\n".join(wrong)


def test_what_is_private_is_hidden_from_the_other_owner_too(app: Flask, alice: Browser) -> None:
    olga = colleague(app, alice, "Olga", "owner")
    private = [asked for asked in with_things(app) if PRIVATE & set(asked.owned)]
    assert private
    for asked in private:
        things, nothings = asked.things(alice, alice.workspace_id), asked.nothings()
        for headers in ({}, {"HX-Request": "true"}):
            answer, nothing = asked.by(olga, things, **headers), asked.by(olga, nothings, **headers)
            assert seen(answer, things) == seen(nothing, nothings), str(asked)
            assert answer.status_code == 404 or ends_a_stream(asked, answer), str(asked)
            assert CANARY not in answer.text, str(asked)


def test_a_form_names_no_foreign_thing_either(app: Flask, alice: Browser, charlie: Browser) -> None:
    """A rule without ids in its path may take one in a field of the same name: /chat/send takes session_id."""
    whose = Whose(alice, alice.workspace_id, {})
    for name in MADE:
        whose.made[name] = MADE[name](whose)
    nothings = {name: uuid.uuid4() for name in MADE}
    for asked in everything(app):
        if asked.method == "POST" and not asked.owned and asked.policy != "public":
            answer, nothing = (asked.by(charlie, {}, form=form) for form in (whose.made, nothings))
            assert seen(answer, whose.made) == seen(nothing, nothings), str(asked)
            assert CANARY not in answer.text, str(asked)
            charlie.get("/settings/account")  # takes the notices, which would be news on the next page


@pytest.mark.parametrize("role", ["viewer", "member", "admin"])
def test_a_role_gets_no_further_than_its_rights(app: Flask, alice: Browser, role: Role) -> None:
    colleague_ = colleague(app, alice, "Bob", role)
    beyond = [asked for asked in everything(app) if isinstance(asked.policy, Right)]
    beyond = [asked for asked in beyond if asked.policy not in RIGHTS[role]]
    assert beyond
    for asked in beyond:
        for values in (asked.things(alice, alice.workspace_id), asked.nothings()):
            answer = asked.by(colleague_, values)
            assert answer.status_code == 403, f"{asked} answers {answer.status_code} to a {role}"
            assert f"You are {a_role(role)} of Acme" in answer.text, str(asked)
            assert CANARY not in answer.text, str(asked)


def test_strangers_change_nothing(app: Flask, alice: Browser, charlie: Browser, dan: Browser) -> None:
    """All of the above once more, and Acme's rows are as before, to the byte."""
    asked_for = [(asked, asked.things(alice, alice.workspace_id)) for asked in with_things(app)]
    before = rows(alice)
    for asked, things in asked_for:
        for browser in (app.test_client(), charlie, dan):
            asked.by(browser, things)
    assert rows(alice) == before


def rows(browser: Browser) -> dict[str, list[str]]:
    """Every row of every table that says it belongs to the workspace, and the owner's browsers."""
    tables = [mapper.local_table for mapper in ChatSession.registry.mappers]
    found = {}
    with browser.database.begin() as db:
        for table in tables:
            if "workspace_id" in table.columns and table.name != "user_sessions":
                query = select(table).where(table.c.workspace_id == browser.workspace_id)
                found[table.name] = sorted(map(str, db.execute(query)))
        sessions = select(UserSession.id).where(UserSession.user_id == browser.user_id)
        found["user_sessions"] = sorted(map(str, db.execute(sessions)))
    return found
