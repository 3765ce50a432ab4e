"""`python -m bench.cache`: a scripted day of two people in one workspace, and what of it was read from the cache.

The real product (gunicorn, PostgreSQL, the ledger) asks the simulator, which keeps a prompt cache as Anthropic
describes it and counts honestly. "Time passes" moves the simulator's clock forward and the ledger's entries back, so
that a day takes half a minute. The prefix of a call is its system and tools; how many tokens it has the first call
tells, which writes it. A warm call is one within the cache's lifetime of another on the same prefix and key.
"""

from __future__ import annotations

import argparse
import re
import secrets
import signal
import sys
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import requests
from sqlalchemy import select, text

from bench.stack import environment
from dev import CannotRun, Children, answers, free_port, start_postgres
from webapp.accounts import Scope, browsers, enter, people, workspaces
from webapp.chat import picker, prefixes
from webapp.chat.surfaces import SURFACES
from webapp.config import Settings
from webapp.db import Database, Session
from webapp.db.migrate import upgrade
from webapp.db.models import ChatTurn, Prefix, UsageEntry, WorkspaceMember
from webapp.llm.client import Client
from webapp.llm.providers import catalogue
from webapp.secret import Secret
from webapp.vault import byok
from webapp.vault.keyring import Keyring, start_keyring

TURN = re.compile(r"/chat/turns/([0-9a-f-]{36})/stream")
MODEL = "claude-sonnet-5-5"
GOAL = 0.9  # of the prefix, read on warm calls


@dataclass(frozen=True)
class Ask:
    """`who` asks in `chat`, which is new the first time it is named."""

    who: str
    chat: str
    text: str


@dataclass(frozen=True)
class Wait:
    minutes: float


@dataclass(frozen=True)
class Rotate:
    """The team's key is replaced by another one."""


@dataclass(frozen=True)
class Release:
    """A release changes the description of one tool: new chats get another prefix."""


DAY = (
    Ask("alice", "spend", "Good morning. [[sim tokens=40]]"),
    Wait(1),
    Ask("alice", "spend", "And by channel? [[sim tokens=60]]"),
    Wait(2),
    Ask("bob", "budgets", "Which budgets are tight? [[sim tokens=60]]"),
    Wait(3),
    Ask("bob", "budgets", "Which can wait? [[sim tokens=40]]"),
    Wait(4),
    Ask("alice", "spend", "Compare with last week. [[sim tokens=80]]"),
    Wait(55),
    Ask("bob", "budgets", "After lunch: the same again. [[sim tokens=40]]"),
    Wait(1),
    Ask("alice", "copy", "Three headlines, please. [[sim tokens=60]]"),
    Wait(2),
    Rotate(),
    Ask("alice", "copy", "Shorter. [[sim tokens=30]]"),
    Wait(1),
    Ask("bob", "budgets", "And Friday? [[sim tokens=30]]"),
    Wait(1),
    Release(),
    Ask("alice", "after", "What is new? [[sim tokens=30]]"),
    Wait(1),
    Ask("bob", "budgets", "An old chat keeps its prefix. [[sim tokens=30]]"),
    Wait(1),
    Ask("bob", "after too", "And a new one is warm again. [[sim tokens=30]]"),
)


@dataclass(frozen=True)
class Line:
    """One answer of the day. Tokens of its calls together."""

    minute: float
    who: str
    chat: str
    fresh: int
    read: int
    written: int
    cost: int  # micros of a dollar
    why: str  # of a miss, in the ledger's word
    prefix: int  # tokens
    warm: bool

    @property
    def share(self) -> float:
        """Of the prefix, that was read from the cache."""
        return min(1.0, self.read / self.prefix) if self.prefix else 0.0


@dataclass
class Person:
    scope: Scope
    session: requests.Session


@dataclass
class Workspace:
    """The product at work for alice and bob."""

    base: str
    provider: str
    database: Database
    keyring: Keyring
    people: dict[str, Person]
    chats: dict[str, str] = field(default_factory=dict)
    minute: float = 0.0

    def ask(self, what: Ask) -> uuid.UUID:
        """Raises CannotRun unless the answer came whole."""
        person = self.people[what.who]
        form = {
            "workspace": str(person.scope.workspace_id),
            "text": what.text,
            "request_id": str(uuid.uuid4()),
            "session_id": self.chats.get(what.chat, ""),
            "model": f"anthropic:{MODEL}",
        }
        sent = person.session.post(f"{self.base}/chat/send", data=form, headers={"HX-Request": "true"}, timeout=30)
        found = TURN.search(sent.text)
        if not found:
            raise CannotRun(f"{what.who} could not ask: {sent.status_code} {sent.text[:300]}")
        said = person.session.get(f"{self.base}/chat/turns/{found[1]}/stream", timeout=60).text
        if 'data-state="done"' not in said:
            raise CannotRun(f"{what.who} got no whole answer: {said[-500:]}")
        return uuid.UUID(found[1])

    def wait(self, minutes: float) -> None:
        self.minute += minutes
        requests.post(f"{self.provider}/__control/clock", json={"advance": minutes * 60}, timeout=10).raise_for_status()
        with self.database.begin() as db:
            db.execute(text("update usage_entries set at = at - make_interval(secs => :s)"), {"s": minutes * 60})

    def rotate(self) -> None:
        self.connect(f"sk-ant-api03-ok-{secrets.token_hex(16)}")

    def connect(self, key: str) -> None:
        """As the settings page does it."""
        scope, secret = self.people["alice"].scope, Secret(key)
        anthropic = catalogue({"anthropic": self.provider})["anthropic"]
        models = Client().models(anthropic, secret)
        with self.database.begin() as db:
            key_id = byok.connect(scope, db, self.keyring, "anthropic", secret, "The team's key")
            picker.keep_list(scope, db, key_id, "anthropic", models)

    def of(self, turn_id: uuid.UUID) -> tuple[str, Sequence[UsageEntry]]:
        """Its session, and its calls."""
        with self.database.begin() as db:
            session_id = db.scalars(select(ChatTurn.session_id).where(ChatTurn.id == turn_id)).one()
            calls = db.scalars(select(UsageEntry).where(UsageEntry.turn_id == turn_id).order_by(UsageEntry.round)).all()
        return str(session_id), calls

    def release(self) -> None:
        """What a deployment with another tool does, without one: chats that begin from now on have the new prefix."""
        now = prefixes.current(SURFACES["chat"])
        changed = [
            {"name": t.name, "description": f"{t.description} (New.)", "schema": dict(t.schema)} for t in now.tools
        ]
        with self.database.begin() as db:
            db.add(Prefix(hash=b"released" * 4, surface="chat", system=now.system, tools=changed))
            db.flush()
            db.execute(text(NEW_CHATS_BEGIN_WITH_IT))


NEW_CHATS_BEGIN_WITH_IT = """
create function released() returns trigger language plpgsql as
$$ begin new.prefix_hash := convert_to(repeat('released', 4), 'UTF8'); return new; end $$;
create trigger released before insert on chat_sessions for each row execute function released()
"""


def live_through(day: Sequence[Ask | Wait | Rotate | Release], at: Workspace, ttl: float) -> Iterator[Line]:
    """The lines of the day. `ttl` is the cache's life in minutes."""
    prefix, key, warmed = 0, 0, dict[tuple[int, bytes | None], float]()
    for step in day:
        match step:
            case Wait(minutes):
                at.wait(minutes)
            case Rotate():
                at.rotate()
                key += 1
            case Release():
                at.release()
            case Ask():
                session_id, calls = at.of(at.ask(step))
                at.chats[step.chat] = session_id
                prefix = prefix or calls[0].cache_write + calls[0].cache_write_1h
                kind = (key, calls[0].prefix_hash)
                warm = at.minute - warmed.get(kind, -1e9) <= ttl
                warmed[kind] = at.minute
                yield _line(at.minute, step, calls, prefix, warm)


def _line(minute: float, step: Ask, calls: Sequence[UsageEntry], prefix: int, warm: bool) -> Line:
    return Line(
        minute,
        step.who,
        step.chat,
        fresh=sum(c.input for c in calls),
        read=sum(c.cache_read for c in calls),
        written=sum(c.cache_write + c.cache_write_1h for c in calls),
        cost=sum(c.cost_micros or 0 for c in calls),
        why=next((c.miss for c in calls if c.miss), ""),
        prefix=prefix,
        warm=warm,
    )


def of_warm(lines: Sequence[Line]) -> float:
    """Which share of the prefix tokens was read from the cache on warm calls."""
    warm = [line for line in lines if line.warm]
    return sum(line.share for line in warm) / len(warm) if warm else 0.0


def table(lines: Sequence[Line]) -> str:
    counts = f"{'fresh':>7} {'read':>7} {'written':>8} {'of prefix':>10} {'USD':>8}"
    head = f"{'minute':>6}  {'who':<6} {'chat':<10} {counts}  why not"
    return "\n".join((head, *map(_row, lines)))


def _row(n: Line) -> str:
    counts = f"{n.fresh:>7,} {n.read:>7,} {n.written:>8,} {n.share:>10.0%} {n.cost / 1e6:>8.4f}"
    return f"{n.minute:>6.0f}  {n.who:<6} {n.chat:<10} {counts}  {n.why}"


# --- the stage --------------------------------------------------------------------------------------------------


@contextmanager
def workspace() -> Iterator[Workspace]:
    children = Children()
    with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as folder:
        try:
            url = start_postgres(children, Path(folder))
            env = environment(url, _simulator(children), 1)
            settings = Settings.from_environ(env)
            upgrade(settings.database_url)
            database = Database(settings.database_url, pool_size=2)
            keyring = start_keyring(database, settings)
            _gunicorn(children, env)
            base = f"http://127.0.0.1:{env['PORT']}"
            made = Workspace(base, env["ANTHROPIC_BASE_URL"], database, keyring, _team(database))
            made.rotate()
            yield made
            database.close()
        finally:
            children.stop()


def _simulator(children: Children) -> int:
    port = free_port()
    child = children.start(
        "The simulator",
        [sys.executable, "-m", "simulator", "--port", str(port), "--first", "0", "--delay", "0"],
        stop_with=signal.SIGTERM,
        patience=3,
    )
    child.wait_until(lambda: answers("127.0.0.1", port, "/__stats"), 15)
    return port


def _gunicorn(children: Children, env: dict[str, str]) -> None:
    child = children.start(
        "gunicorn",
        [sys.executable, "-m", "gunicorn", "-c", "gunicorn.conf.py", "--log-level", "warning", "wsgi:app"],
        stop_with=signal.SIGINT,
        patience=10,
        env=env,
    )
    child.wait_until(lambda: answers("127.0.0.1", int(env["PORT"])), 40)


def _team(database: Database) -> dict[str, Person]:
    """Alice owns the workspace, bob is a member."""
    with database.begin() as db:
        alice, bob = _sign_up(db, "alice"), _sign_up(db, "bob")
        scope = workspaces.create(db, alice, "Acme")
        db.add(WorkspaceMember(workspace_id=scope.workspace_id, user_id=bob, role="member"))
    ids = {"alice": alice, "bob": bob}
    return {name: _signed_in(database, user_id, scope.workspace_id) for name, user_id in ids.items()}


def _sign_up(db: Session, name: str) -> uuid.UUID:
    made = people.sign_up(db, name=name, email=f"{name}@example.com", password_hash="-")
    assert made is not None
    return made


def _signed_in(database: Database, user_id: uuid.UUID, workspace_id: uuid.UUID) -> Person:
    with database.begin() as db:
        token = browsers.open_session(db, user_id, ip="127.0.0.1", user_agent="bench")
        scope = enter(db, user_id, workspace_id)
    session = requests.Session()
    session.trust_env = False
    session.cookies.set("sid", token, domain="127.0.0.1")
    return Person(scope, session)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.parse_args()
    with workspace() as at:
        lines = list(live_through(DAY, at, ttl=5))
    print(table(lines))
    share = of_warm(lines)
    print(f"\nThe prefix has {lines[0].prefix:,} tokens.")
    print(f"Read from the cache on warm calls: {share:.1%} (goal {GOAL:.0%}).")
    return 0 if share >= GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
