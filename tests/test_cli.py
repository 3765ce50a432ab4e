"""The operator's commands, run as flask runs them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import Result
from flask import Flask
from sqlalchemy import func, select

from tests import people
from tests.people import PASSWORD
from webapp.accounts import enter, workspaces
from webapp.accounts import people as users
from webapp.config import Settings
from webapp.db.models import AdAccount, AuditEvent, ByokKey, User, Workspace
from webapp.pages.web import Parts
from webapp.vault import byok


@pytest.fixture
def app(settings: Settings) -> Iterator[Flask]:
    """An installation with the demo model in its catalogue."""
    with people.running(replace(settings, base_urls={"demo": "http://127.0.0.1:9"})) as made:
        yield made


def run(app: Flask, *words: str, typed: str = "") -> Result:
    return app.test_cli_runner().invoke(args=list(words), input=typed)


def signs_in(app: Flask, email: str, password: str) -> bool:
    return app.test_client().post("/sign-in", data={"email": email, "password": password}).status_code == 303


def count(app: Flask, *tables: type) -> list[int | None]:
    parts: Parts = app.extensions["parts"]
    with parts.database.begin() as db:
        return [db.scalar(select(func.count()).select_from(table)) for table in tables]


# --- create-user ------------------------------------------------------------------------------------------------


def test_a_user_made_from_the_shell_signs_in_and_owns_a_workspace(app: Flask) -> None:
    answer = run(
        app, "create-user", "--email", "dana@example.com", "--name", "Dana", "--workspace", "Dana Ltd",
        typed=f"{PASSWORD}\n{PASSWORD}\n",
    )  # fmt: skip
    assert answer.exit_code == 0, answer.output
    assert PASSWORD not in answer.output
    assert signs_in(app, "dana@example.com", PASSWORD)
    assert count(app, User, Workspace) == [1, 1]


@pytest.mark.parametrize(
    ("email", "password", "says"),
    [
        ("dana", PASSWORD, "does not look like an email"),
        ("dana@example.com", "too short", "at least 12"),
        ("demo@example.com", PASSWORD, "already"),
    ],
)
def test_what_the_page_would_refuse_the_shell_refuses_too(app: Flask, email: str, password: str, says: str) -> None:
    people.newcomer(app, "Demo")
    answer = run(
        app, "create-user", "--email", email, "--name", "Dana", "--workspace", "Dana Ltd", "--password", password
    )
    assert answer.exit_code == 1
    assert says in answer.output
    assert count(app, User, Workspace) == [1, 0]


# --- seed-demo --------------------------------------------------------------------------------------------------


def test_the_demo_is_seeded_once_however_often_it_is_asked_for(app: Flask, tmp_path: Path) -> None:
    kept = tmp_path / "demo.txt"
    for _ in range(3):
        answer = run(app, "seed-demo", "--password-file", str(kept))
        assert answer.exit_code == 0, answer.output
    assert count(app, User, Workspace, ByokKey, AdAccount) == [1, 1, 1, 3]
    password = kept.read_text().strip()
    assert len(password) >= 16
    assert kept.stat().st_mode & 0o777 == 0o600
    assert password not in answer.output
    assert signs_in(app, "demo@example.com", password)


def test_the_demo_workspace_has_the_demo_models_key(app: Flask, tmp_path: Path) -> None:
    run(app, "seed-demo", "--without-ads", "--password-file", str(tmp_path / "demo.txt"))
    parts: Parts = app.extensions["parts"]
    with parts.database.begin() as db:
        user_id = db.scalars(select(User.id)).one()
        [joined] = workspaces.of(db, user_id)
        scope = enter(db, user_id, joined.id)
        [card] = byok.cards(scope, db)
        secret = byok.reveal(scope, db, parts.keyring, card.id)
        actions = db.scalars(select(AuditEvent.action).order_by(AuditEvent.id)).all()
    assert (joined.name, joined.role) == ("Demo Store", "owner")
    assert (card.provider, card.label, card.prefix) == ("demo", "Demo model", "sk-ant")
    assert secret.expose().startswith("sk-ant-demo-")
    assert actions == ["workspace.created", "key.connected"]


def test_a_demo_key_that_was_disconnected_is_connected_anew(app: Flask, tmp_path: Path) -> None:
    arguments = ("seed-demo", "--without-ads", "--password-file", str(tmp_path / "demo.txt"))
    run(app, *arguments)
    parts: Parts = app.extensions["parts"]
    with parts.database.begin() as db:
        user_id = db.scalars(select(User.id)).one()
        [joined] = workspaces.of(db, user_id)
        byok.disconnect(enter(db, user_id, joined.id), db, "demo")
    run(app, *arguments)
    with parts.database.begin() as db:
        assert sorted(db.scalars(select(ByokKey.status))) == ["active", "revoked"]


def test_without_a_demo_model_there_is_no_key(settings: Settings, tmp_path: Path) -> None:
    with people.running(settings) as app:
        assert run(app, "seed-demo", "--without-ads", "--password-file", str(tmp_path / "demo.txt")).exit_code == 0
        assert count(app, User, Workspace, ByokKey) == [1, 1, 0]


def test_the_password_shown_on_the_sign_in_page_is_the_one_that_works(settings: Settings) -> None:
    shown = replace(settings, demo_sign_in=f"demo@example.com / {PASSWORD}")
    with people.running(shown) as app:
        assert run(app, "seed-demo", "--without-ads").exit_code == 0
        assert signs_in(app, "demo@example.com", PASSWORD)
    with people.running(replace(settings, demo_sign_in="demo@example.com / another of its kind")) as app:
        assert run(app, "seed-demo", "--without-ads").exit_code == 0
        with app.extensions["parts"].database.begin() as db:
            assert users.by_email(db, "demo@example.com") is not None
        assert signs_in(app, "demo@example.com", "another of its kind")


def test_without_a_password_it_says_what_to_give(app: Flask) -> None:
    answer = run(app, "seed-demo")
    assert answer.exit_code == 1
    assert "DEMO_SIGN_IN" in answer.output
    assert "--password-file" in answer.output
    assert count(app, User) == [0]
