"""The product as it is served: real gunicorn processes on a test's database, the simulator as its provider, and people
who sign in over HTTP. For the laws that only processes can break."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import psutil
import requests

from webapp.accounts import Scope, browsers, passwords, people, workspaces
from webapp.chat import picker, transcript
from webapp.chat.transcript import TurnView
from webapp.config import Settings
from webapp.db import Database
from webapp.llm.client import Client
from webapp.llm.providers import catalogue
from webapp.secret import Secret
from webapp.vault import byok
from webapp.vault.keyring import Keyring, start_keyring

ROOT = Path(__file__).parents[1]
PASSWORD = "seven green lanterns"
TURN_STREAM = re.compile(r"/chat/turns/([0-9a-f-]{36})/stream")


@dataclass
class Server:
    """One gunicorn, as on one host."""

    port: int
    process: subprocess.Popen[bytes]

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def workers(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children()

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(5)


@contextmanager
def served(
    settings: Settings,
    *,
    provider: str,
    workers: int = 1,
    grace: int = 8,
    config: str = "gunicorn.conf.py",
    log: IO[bytes] | None = None,
    **environment: str,
) -> Iterator[Server]:
    """gunicorn with the repository's own configuration; Anthropic's base URL is `provider`. `log` takes its words."""
    port = free_port()
    env = {
        **os.environ,
        "DATABASE_URL": settings.database_url.replace("postgresql+psycopg://", "postgresql://"),
        "ENCRYPTION_KEY": settings.encryption_key.expose(),
        "ANTHROPIC_BASE_URL": provider,
        "INSECURE_COOKIES": "1",
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "WEB_CONCURRENCY": str(workers),
        "LOG_LEVEL": "WARNING",
        **environment,
    }
    command = [sys.executable, "-m", "gunicorn", "-c", config, "--graceful-timeout", str(grace)]
    process = subprocess.Popen([*command, "--log-level", "warning", "wsgi:app"], cwd=ROOT, env=env, stderr=log)
    server = Server(port, process)
    try:
        wait_for(lambda: answers(port), 60, "the server to answer")
        yield server
    finally:
        server.stop()


@dataclass
class Person:
    """Somebody signed in over HTTP. `scope` is for looking into the database, never for acting."""

    scope: Scope
    session: requests.Session
    key_id: uuid.UUID | None = None
    password: str = PASSWORD
    email: str = ""
    token: str = field(default="", repr=False)

    def get(self, server: Server, path: str, **more: Any) -> requests.Response:
        return self.session.get(server.base + path, timeout=20, **more)

    def post(self, server: Server, path: str, *, htmx: bool = True, **form: str) -> requests.Response:
        headers = {"HX-Request": "true"} if htmx else {}
        data = {"workspace": str(self.scope.workspace_id), **form}
        return self.session.post(server.base + path, data=data, headers=headers, timeout=20, allow_redirects=False)

    def ask(self, server: Server, text: str, **form: str) -> uuid.UUID:
        """Send a message as the page does; the id of the turn."""
        sent = self.post(server, "/chat/send", **{"text": text, "request_id": str(uuid.uuid4()), **form})
        assert sent.status_code == 200, (sent.status_code, sent.text[:500])
        return turn_in(sent.text)

    def stream(self, server: Server, turn_id: uuid.UUID, *, seconds: float = 30) -> str:
        """Everything the stream says until it ends."""
        with self.session.get(f"{server.base}/chat/turns/{turn_id}/stream", stream=True, timeout=seconds) as reply:
            assert reply.headers["Content-Type"].startswith("text/event-stream")
            return b"".join(reply.iter_content(None)).decode()


def someone(database: Database, settings: Settings, name: str, *, provider: str = "", key: str = "") -> Person:
    """A newcomer with a workspace, signed in; with `key`, an Anthropic key that was connected and its models listed."""
    email = f"{name.lower()}-{uuid.uuid4().hex[:8]}@example.com"
    with database.begin() as db:
        user_id = people.sign_up(db, name=name, email=email, password_hash=passwords.hashed(PASSWORD))
        assert user_id is not None
        scope = workspaces.create(db, user_id, f"{name}'s workspace")
        token = browsers.open_session(db, user_id, ip="127.0.0.1", user_agent="Firefox/140")
    person = Person(scope, requests.Session(), email=email, token=token)
    person.session.trust_env = False
    person.session.cookies.set("sid", token, domain="127.0.0.1")
    if key:
        person.key_id = connect(database, start_keyring(database, settings), scope, provider, key)
    return person


def connect(database: Database, keyring: Keyring, scope: Scope, provider: str, key: str) -> uuid.UUID:
    """As the settings page does it: test, keep, list the models."""
    anthropic = catalogue({"anthropic": provider})["anthropic"]
    client = Client()
    secret = Secret(key)
    client.probe(anthropic, secret)
    with database.begin() as db:
        key_id = byok.connect(scope, db, keyring, "anthropic", secret, "")
        picker.keep_list(scope, db, key_id, "anthropic", client.models(anthropic, secret))
    return key_id


def turn_in(html: str) -> uuid.UUID:
    found = TURN_STREAM.search(html)
    assert found, html[:2000]
    return uuid.UUID(found[1])


def final_turn(stream: str) -> str:
    """The turn's article as the last frame brought it, on one line without white space between tags."""
    data = "\n".join(line[6:] for line in stream.splitlines() if line.startswith("data: "))
    return tidy(data[data.rindex("<article") : data.rindex("</article>") + len("</article>")])


def turn_on(page: str, turn_id: uuid.UUID) -> str:
    """The same article as the whole page shows it."""
    start = page.index(f'<article class="turn" id="turn-{turn_id}"')
    return tidy(page[start : page.index("</article>", start) + len("</article>")])


def tidy(html: str) -> str:
    html = re.sub(r'name="request_id" value="[^"]*"', 'name="request_id"', html)
    return re.sub(r">\s+<", "><", html).strip()


def stats(provider: str) -> dict[str, Any]:
    """What the simulator counted."""
    found: dict[str, Any] = requests.get(f"{provider}/__stats", timeout=5).json()
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def answers(port: int) -> bool:
    try:
        return requests.get(f"http://127.0.0.1:{port}/sign-in", timeout=2).status_code == 200
    except requests.RequestException:
        return False


def wait_for(true: Any, seconds: float, what: str) -> float:
    """Seconds until `true()` was; fails the test after `seconds`."""
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        if true():
            return time.monotonic() - began
        time.sleep(0.05)
    raise AssertionError(f"waited {seconds} s for {what}")


def look(database: Database, person: Person, turn_id: uuid.UUID) -> TurnView:
    """The turn as a page would show it to the person now."""
    with database.look() as db:
        return transcript.turn(person.scope, db, turn_id)


def has_ended(database: Database, person: Person, turn_id: uuid.UUID) -> bool:
    return not look(database, person, turn_id).live


def ended(database: Database, person: Person, turn_id: uuid.UUID, seconds: float = 30) -> TurnView:
    """The turn, once it has ended."""
    wait_for(lambda: has_ended(database, person, turn_id), seconds, "the turn to end")
    return look(database, person, turn_id)


def asked(provider: str, key: str) -> int:
    """How often the provider was asked for an answer or a list on this key."""
    return int(stats(provider)["keys"].get(key, 0))
