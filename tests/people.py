"""The people of the tests: alice owns Acme, bob is a member of it, charlie is a stranger with a workspace of his own.

Each is a signed-in test client with a name. They are made through the stores, not through the sign-up page: that page
has its own tests.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from jinja2.bccache import Bucket, BytecodeCache
from werkzeug.routing import AnyConverter, IntegerConverter, Rule, UUIDConverter

from webapp.accounts import Role, browsers, enter, passwords, people, workspaces
from webapp.accounts.scope import Scope
from webapp.app import create_app
from webapp.config import Settings
from webapp.db import Database
from webapp.db.models import WorkspaceMember
from webapp.pages.web import Parts

PASSWORD = "seven green lanterns"


class Compiled(BytecodeCache):
    """Templates compiled once for a test run: each test has an application of its own, and they have the same ones."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if bucket.key in self.kept:
            bucket.bytecode_from_string(self.kept[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        self.kept[bucket.key] = bucket.bytecode_to_string()


_compiled = Compiled()


class Browser(FlaskClient):
    """A browser somebody is signed in with. `workspace_id` is the one they look at."""

    name: str
    email: str
    user_id: uuid.UUID
    workspace_id: uuid.UUID

    @property
    def parts(self) -> Parts:
        found: Parts = self.application.extensions["parts"]
        return found

    @property
    def database(self) -> Database:
        return self.parts.database

    @property
    def scope(self) -> Scope:
        """Their scope in that workspace; raises the not-found UserError once they are out."""
        with self.database.begin() as db:
            return enter(db, self.user_id, self.workspace_id)

    def send(self, path: str, **form: Any) -> Any:
        """A form of the workspace they look at, posted without htmx, the redirect not followed."""
        return self.post(path, data={"workspace": str(self.workspace_id), **form})


@contextmanager
def running(settings: Settings) -> Iterator[Flask]:
    """The real application, on a test's own database."""
    app = create_app(settings)
    app.testing = True
    app.jinja_env.bytecode_cache = _compiled
    yield app
    app.extensions["parts"].database.close()


def newcomer(app: Flask, name: str, *, owns: str = "") -> Browser:
    """Somebody new, signed in; with a workspace of their own if it is given a name."""
    parts: Parts = app.extensions["parts"]
    email = f"{name.lower()}@example.com"
    with parts.database.begin() as db:
        user_id = people.sign_up(db, name=name, email=email, password_hash=_hash())
        assert user_id is not None
        workspace_id = workspaces.create(db, user_id, owns).workspace_id if owns else uuid.UUID(int=0)
    return sign_in(app, name, email, user_id, workspace_id)


def sign_in(app: Flask, name: str, email: str, user_id: uuid.UUID, workspace_id: uuid.UUID) -> Browser:
    """One more browser of somebody who exists."""
    browser = Browser(app, app.response_class)
    browser.name, browser.email, browser.user_id, browser.workspace_id = name, email, user_id, workspace_id
    with browser.database.begin() as db:
        token = browsers.open_session(db, user_id, ip="127.0.0.1", user_agent="Mozilla/5.0 (X11; Linux) Firefox/140")
    browser.set_cookie("sid", token)
    return browser


def another_browser_of(person: Browser) -> Browser:
    return sign_in(person.application, person.name, person.email, person.user_id, person.workspace_id)


def join(person: Browser, workspace_id: uuid.UUID, role: Role) -> Browser:
    """Put somebody into a workspace as `role`, and let them look at it."""
    with person.database.begin() as db:
        db.add(WorkspaceMember(workspace_id=workspace_id, user_id=person.user_id, role=role))
    answer = person.post(f"/workspaces/{workspace_id}/switch")
    assert answer.status_code == 303
    person.workspace_id = workspace_id
    return person


@cache
def _hash() -> str:
    """Argon2id takes its 40 ms once, not for everybody in every test."""
    return passwords.hashed(PASSWORD)


def some_value(rule: Rule, name: str) -> Any:
    """A value that the rule's parameter takes and that names nothing."""
    converter = rule._converters[name]
    if isinstance(converter, UUIDConverter):
        return uuid.uuid4()
    if isinstance(converter, AnyConverter):  # it takes what it lists and nothing else
        return min(converter.items)
    return 2**31 - 1 if isinstance(converter, IntegerConverter) else "nothing-by-this-name"
