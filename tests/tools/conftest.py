"""alice's demo account, made once a run and copied for whoever changes something; and tools called as a turn does."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from tests.campaigns import newcomer
from webapp.accounts import Scope
from webapp.ads import guards, local, opener
from webapp.ads.guards import Rails
from webapp.config import Settings
from webapp.db import Database
from webapp.db.models import ChatSession, ChatTurn
from webapp.tools import Proposed, ToolContext
from webapp.tools.maxxer import MAXXER
from webapp.vault.keyring import start_keyring


@dataclass(frozen=True)
class Chat:
    """Somebody's turn, in which tools are called."""

    context: ToolContext

    @property
    def scope(self) -> Scope:
        return self.context.scope

    @property
    def database(self) -> Database:
        return self.context.database

    def call(self, tool: str, /, **arguments: Any) -> Any:
        """The result as the model would read it, or Proposed."""
        outcome = MAXXER.find(tool).run(self.context, f"call-{uuid.uuid4().hex[:8]}", arguments)
        return outcome if isinstance(outcome, Proposed) else json.loads(outcome)

    def rails(self, **values: Any) -> None:
        with self.database.begin() as db:
            guards.set_rails(self.scope, db, Rails(**{"mode": "on", "max_spend_share_pct": 100, **values}))


def chat(database: Database, settings: Settings, scope: Scope) -> Chat:
    keyring = start_keyring(database, settings)
    turn_id = _turn(database, scope)
    return Chat(ToolContext(scope, database, opener.Opener(database, keyring, settings), turn_id, "Demo Sonnet"))


def _turn(database: Database, scope: Scope) -> uuid.UUID:
    with database.begin() as db:
        session = ChatSession(workspace_id=scope.workspace_id, user_id=scope.user_id)
        db.add(session)
        db.flush()
        turn = ChatTurn(
            session_id=session.id,
            workspace_id=scope.workspace_id,
            user_id=scope.user_id,
            position=0,
            request_id=uuid.uuid4(),
            provider="anthropic",
            model="demo-sonnet",
            state="running",
            owner="test",
            lease_until=datetime.now(UTC),
        )
        db.add(turn)
        db.flush()
        return turn.id


@dataclass(frozen=True)
class Made:
    """A database with the demo in alice's workspace; charlie is a stranger."""

    url: str
    alice: Scope
    charlie: Scope


@pytest.fixture(scope="session")
def demo(postgres: str, template_database: str) -> Iterator[Made]:
    url = make_url(postgres).set(database=f"demo_{uuid.uuid4().hex[:8]}")
    _admin(postgres, f"create database {url.database} template {template_database}")
    database = Database(url.render_as_string(False), pool_size=2)
    alice, charlie = newcomer(database, "Alice"), newcomer(database, "Charlie")
    with database.begin() as db:
        local.seed_demo(alice, db, datetime.now(UTC).date(), visit_days=30)
    database.close()
    yield Made(url.render_as_string(False), alice, charlie)
    _admin(postgres, f"drop database {url.database} with (force)")


@pytest.fixture(scope="module")
def reading(demo: Made) -> Iterator[Database]:
    """The demo, for those who only read."""
    database = Database(demo.url, pool_size=5)
    yield database
    database.close()


@pytest.fixture(scope="module")
def changing(demo: Made, postgres: str) -> Iterator[Database]:
    """A copy of the demo, for a module whose tests leave plans and rails behind."""
    url = make_url(postgres).set(database=f"test_{uuid.uuid4().hex[:12]}")
    _admin(postgres, f"create database {url.database} template {make_url(demo.url).database}")
    database = Database(url.render_as_string(False), pool_size=5)
    yield database
    database.close()
    _admin(postgres, f"drop database {url.database} with (force)")


def _admin(postgres: str, statement: str) -> None:
    engine = create_engine(postgres, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()
