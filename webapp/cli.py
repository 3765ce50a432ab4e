"""`flask --app wsgi ...`: what an operator does from the shell. `make migrate` is not here: db/migrate.py says why."""

from __future__ import annotations

import secrets
import uuid
from datetime import UTC, datetime
from pathlib import Path

import click
from flask.cli import with_appcontext

from webapp.accounts import Scope, enter, passwords, people, workspaces
from webapp.ads import local
from webapp.ads.demo import SHOP_TIMEZONE
from webapp.ads.windows import today_in
from webapp.db import Session
from webapp.pages import web
from webapp.pages.providers import made_up_key
from webapp.secret import Secret
from webapp.vault import byok, rotation

DEMO_EMAIL, DEMO_NAME, DEMO_WORKSPACE = "demo@example.com", "Demo", "Demo Store"


@click.command("create-user")
@click.option("--email", prompt=True)
@click.option("--name", prompt="Their name")
@click.option("--workspace", prompt="Name of their workspace")
@click.password_option()
@with_appcontext
def create_user(email: str, name: str, workspace: str, password: str) -> None:
    """Make an account with a workspace of its own."""
    problem = (
        people.email_problem(email)
        or people.name_problem(name)
        or workspaces.name_problem(workspace)
        or passwords.problem(password, email)
    )
    if problem:
        raise click.ClickException(problem)
    password_hash = passwords.hashed(password)
    with web.database().begin() as db:
        user_id = people.sign_up(db, name=name, email=email, password_hash=password_hash)
        if user_id is None:
            raise click.ClickException(f"There is an account with {email} already.")
        workspaces.create(db, user_id, workspace)
    click.echo(f"{email} can sign in.")


@click.command("seed-demo")
@click.option(
    "--password-file", type=click.Path(path_type=Path), help="Read the password there, or make one and keep it."
)
@click.option("--without-ads", is_flag=True, help="No ad accounts and no shop: those take some seconds.")
@with_appcontext
def seed_demo(password_file: Path | None, without_ads: bool) -> None:
    """The demo's sign-in, its workspace, the demo model's key, and ad accounts in which changes can be approved. Run it
    again at any time: what is there stays, and the figures go on up to yesterday.

    The password is the one in DEMO_SIGN_IN, or else the one in --password-file.
    """
    password_hash = passwords.hashed(_demo_password(password_file))
    with web.database().begin() as db:
        user_id = _demo_user(db, password_hash)
        scope = _demo_workspace(db, user_id)
        _demo_key(scope, db)
    if not without_ads:
        with web.database().begin() as db:
            local.seed_demo(scope, db, today_in(SHOP_TIMEZONE, datetime.now(UTC)))
            local.allow_changes(scope, db)
    click.echo(f"{DEMO_EMAIL} has the workspace {DEMO_WORKSPACE}.")


def _demo_password(file: Path | None) -> str:
    email, _, password = web.parts().settings.demo_sign_in.partition(" / ")
    if email == DEMO_EMAIL and password:
        return password
    if file is None:
        raise click.ClickException(f'Set DEMO_SIGN_IN to "{DEMO_EMAIL} / password", or give --password-file.')
    if not file.exists():
        file.touch(mode=0o600)
        file.write_text(secrets.token_urlsafe(12) + "\n")
    return file.read_text().strip()


def _demo_user(db: Session, password_hash: str) -> uuid.UUID:
    """New, or the one that is there, with this password."""
    made = people.sign_up(db, name=DEMO_NAME, email=DEMO_EMAIL, password_hash=password_hash)
    if made:
        return made
    known = people.by_email(db, DEMO_EMAIL)
    assert known is not None
    people.set_password(db, known.user_id, password_hash)
    return known.user_id


def _demo_workspace(db: Session, user_id: uuid.UUID) -> Scope:
    for joined in workspaces.of(db, user_id):
        if joined.name == DEMO_WORKSPACE:
            return enter(db, user_id, joined.id)
    return workspaces.create(db, user_id, DEMO_WORKSPACE)


def _demo_key(scope: Scope, db: Session) -> None:
    """The simulator takes any key of this form, so nothing is tested, as it would be for a real provider."""
    parts = web.parts()
    if "demo" in parts.providers and byok.active(scope, db, "demo") is None:
        byok.connect(scope, db, parts.keyring, "demo", Secret(made_up_key()), label="Demo model")


@click.command("rotate-encryption-key")
@with_appcontext
def rotate_encryption_key() -> None:
    """Seal with ENCRYPTION_KEY what ENCRYPTION_KEY_PREVIOUS sealed. Kill it and run it again: it goes on."""
    parts = web.parts()
    done = rotation.Rotation(0, 0, 0)
    for done in rotation.rotate(parts.database, parts.keyring):
        click.echo(f"{done.resealed} sealed anew, {done.left} left")
    if done.broken:
        raise click.ClickException(f"{done.broken} keys do not open and stay as they are. The log names their rows.")
    click.echo("Nothing is left under another key. ENCRYPTION_KEY_PREVIOUS can be removed.")


@click.command("vault-verify")
@with_appcontext
def vault_verify() -> None:
    """Open every stored key, show none, and count."""
    parts = web.parts()
    found = rotation.verify(parts.database, parts.keyring)
    click.echo(f"{found.opened} keys open, {found.broken} do not.")
    if found.broken:
        raise click.ClickException("The log names the rows that do not open.")


COMMANDS = (create_user, seed_demo, rotate_encryption_key, vault_verify)
