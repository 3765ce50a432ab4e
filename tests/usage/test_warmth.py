"""Whether the team's prefix is warm: by whose calls, on which key and model, and for how long."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

from tests.chat.conftest import Somebody
from tests.usage.conftest import HAIKU, SONNET
from tests.usage.test_ledger import DONE, answer, whole
from webapp.chat import prefixes
from webapp.chat.surfaces import SURFACES
from webapp.db import Database, Session
from webapp.llm.events import Usage
from webapp.llm.models import Model
from webapp.usage.policy import Policy, set_policy
from webapp.usage.warmth import Begins, Warmth, warmth

FILLED = Usage(input=10, cache_write=3000, output=5)
PREFIX = prefixes.current(SURFACES["chat"])


def ask(person: Somebody, db: Session, used: Usage = FILLED, minutes_ago: float = 1) -> uuid.UUID:
    """An answer of a chat that keeps today's prefix; the chat."""
    at = datetime.now(UTC) - timedelta(minutes=minutes_ago)
    ref = answer(person, db, [*whole(used, at=at.timestamp()), DONE])
    prefixes.of_session(db, ref.session_id, SURFACES["chat"])
    db.flush()
    db.connection().exec_driver_sql(
        "update usage_entries set prefix_hash = s.prefix_hash from chat_sessions s where s.id = session_id"
    )
    return ref.session_id


def look(
    person: Somebody,
    db: Session,
    *,
    model: str = SONNET,
    key_id: uuid.UUID | None = None,
    session_id: uuid.UUID | None = None,
    least: int | None = None,
) -> Warmth | None:
    return warmth(
        person.scope,
        db,
        provider="anthropic",
        model=Model(model, model, cache_min=least),
        key_id=key_id or person.key.id,
        session_id=session_id,
        begins=Begins(PREFIX.hash, PREFIX.tokens),
    )


def test_nobody_has_asked_yet(database: Database, priced: Somebody) -> None:
    with database.begin() as db:
        assert look(priced, db) == Warmth(None, 5)


def test_an_answer_warms_it_for_five_minutes(database: Database, priced: Somebody) -> None:
    with database.begin() as db:
        ask(priced, db)
        found = look(priced, db)
        assert found is not None
        assert found.until is not None
        assert timedelta(minutes=3.5) < found.until - datetime.now(UTC) < timedelta(minutes=4.1)


def test_then_it_is_cold_unless_the_workspace_keeps_it_for_an_hour(database: Database, priced: Somebody) -> None:
    with database.begin() as db:
        ask(priced, db, minutes_ago=6)
        assert look(priced, db) == Warmth(None, 5)
        set_policy(priced.scope, db, Policy(cache_ttl="1h"))
        db.expire_all()
        found = look(priced, db)
        assert found is not None
        assert found.until is not None
        assert found.minutes == 60


def test_another_model_or_key_is_as_cold_as_before(database: Database, priced: Somebody) -> None:
    with database.begin() as db:
        ask(priced, db)
        assert look(priced, db, model=HAIKU) == Warmth(None, 5)
        assert look(priced, db, key_id=uuid.uuid4()) == Warmth(None, 5)


def test_an_answer_that_cached_nothing_warms_nothing(database: Database, priced: Somebody) -> None:
    with database.begin() as db:
        ask(priced, db, Usage(input=3000, output=5))
        assert look(priced, db) == Warmth(None, 5)


def test_a_prefix_shorter_than_the_model_caches_is_not_called_cold_or_warm(
    database: Database, priced: Somebody
) -> None:
    """A chat that has grown long enough has a cache of its own, which warms no other."""
    with database.begin() as db:
        enough = PREFIX.tokens
        assert look(priced, db, least=enough) == Warmth(None, 5)
        assert look(priced, db, least=enough + 1) == Warmth(None, 5, enough + 1)
        grown = ask(priced, db)
        assert look(priced, db, least=enough + 1) == Warmth(None, 5, enough + 1)
        own = look(priced, db, least=enough + 1, session_id=grown)
        assert own is not None
        assert own.until is not None


def test_another_workspace_warms_nothing(database: Database, priced: Somebody, charlie: Somebody) -> None:
    with database.begin() as db:
        ask(charlie, db)
        assert look(priced, db) == Warmth(None, 5)
