"""What a run needs, started and stopped: PostgreSQL, the stamping provider, gunicorn, and people who have a key."""

from __future__ import annotations

import json
import os
import secrets
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.browser import Browser, fetch
from bench.measure import Group
from dev import Children, answers, free_port, start_postgres
from webapp.accounts import passwords, people, workspaces
from webapp.config import Settings
from webapp.db import Database
from webapp.db.migrate import upgrade
from webapp.secret import Secret
from webapp.vault import byok
from webapp.vault.keyring import start_keyring

PEOPLE = 40  # fewer than one network may sign in within a quarter of an hour


@dataclass(frozen=True)
class Stack:
    """Ports and process groups of what runs."""

    upstream_port: int
    port: int
    workers: Group
    postgres: int  # the postmaster; its backends come and go
    browsers: list[Browser]

    def everything_in_postgres(self) -> Group:
        return Group.tree(self.postgres)


@contextmanager
def upstream(models: list[str]) -> Iterator[int]:
    """The stamping provider. Gives its port."""
    children, port = Children(), free_port()
    try:
        child = children.start(
            "The provider",
            [sys.executable, "-m", "bench.upstream", "--port", str(port), *models],
            stop_with=signal.SIGTERM,
            patience=3,
        )
        child.wait_until(lambda: answers("127.0.0.1", port, "/__stats"), 10)
        yield port
    finally:
        children.stop()


@asynccontextmanager
async def product(upstream_port: int, workers: int, models: list[str]) -> AsyncIterator[Stack]:
    """The product with `workers` processes, its database in a temporary folder, and people who are signed in."""
    children = Children()
    with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as folder:
        try:
            url = start_postgres(children, Path(folder))
            postgres = children.named("PostgreSQL").process.pid
            env = environment(url, upstream_port, workers)
            password = secrets.token_urlsafe(12)
            emails = add_people(Settings.from_environ(env), password)
            port = int(env["PORT"])
            gunicorn = children.start(
                "gunicorn",
                [sys.executable, "-m", "gunicorn", "-c", "gunicorn.conf.py", "--log-level", "warning", "wsgi:app"],
                stop_with=signal.SIGINT,
                patience=10,
                env=env,
            )
            gunicorn.wait_until(lambda: answers("127.0.0.1", port), 30)
            browsers = [await signed_in(port, email, password, models) for email in emails]
            yield Stack(upstream_port, port, Group.children_of(gunicorn.process.pid), postgres, browsers)
        finally:
            children.stop()


def environment(url: str, upstream_port: int, workers: int) -> dict[str, str]:
    return {
        **os.environ,
        "DATABASE_URL": url,
        "ENCRYPTION_KEY": secrets.token_urlsafe(32),
        "ANTHROPIC_BASE_URL": f"http://127.0.0.1:{upstream_port}",
        "INSECURE_COOKIES": "1",
        "LOG_LEVEL": "WARNING",
        "HOST": "127.0.0.1",
        "PORT": str(free_port()),
        "WEB_CONCURRENCY": str(workers),
    }


def add_people(settings: Settings, password: str) -> list[str]:
    """Their addresses. Each has a workspace with an Anthropic key that was not tested, as the provider takes any."""
    upgrade(settings.database_url)
    database = Database(settings.database_url, pool_size=2)
    keyring = start_keyring(database, settings)
    password_hash = passwords.hashed(password)
    emails = [f"bench{number}@example.com" for number in range(PEOPLE)]
    for email in emails:
        with database.begin() as db:
            user_id = people.sign_up(db, name="Bench", email=email, password_hash=password_hash)
            assert user_id is not None
            scope = workspaces.create(db, user_id, "Bench")
            byok.connect(scope, db, keyring, "anthropic", Secret(f"sk-ant-api03-{secrets.token_urlsafe(32)}"), label="")
    database.close()
    return emails


async def signed_in(port: int, email: str, password: str, models: list[str]) -> Browser:
    browser = Browser(port)
    await browser.sign_in(email, password)
    await browser.wait_for_model(models[-1])
    return browser


async def written(upstream_port: int) -> tuple[int, int]:
    """How many tokens the provider has written so far, and how many answers it is writing."""
    reply = await fetch(upstream_port, "GET", "/__stats")
    stats = json.loads(reply.body)
    return stats["tokens"], stats["active"]
