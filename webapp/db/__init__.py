"""Engine and sessions. Which tables there are: models.py. Who may write SQL: the stores named in ARCHITECTURE."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from sqlalchemy import create_engine, event
from sqlalchemy.exc import DataError, DisconnectionError, SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

__all__ = ["UNAVAILABLE", "UNSTORABLE", "Database", "Session"]

UNAVAILABLE = (SQLAlchemyError, psycopg.Error)  # the database does not answer, or not with what was asked
UNSTORABLE = (DataError,)  # a value that PostgreSQL cannot hold

KEEPALIVE: dict[str, Any] = {"keepalives_idle": 20, "keepalives_interval": 5, "keepalives_count": 3}  # seconds
RESTED = 5.0  # seconds in the pool after which a connection is asked whether it still lives: a round trip


class Database:
    """A pool of PostgreSQL connections. `begin()` is a unit of work: commit at the end, roll back on an exception."""

    def __init__(self, url: str, *, pool_size: int = 20) -> None:
        self._url = url.replace("postgresql+psycopg://", "postgresql://", 1)
        self.engine = create_engine(
            url,
            pool_size=pool_size,
            max_overflow=pool_size,
            hide_parameters=True,
            connect_args={"connect_timeout": 10, **KEEPALIVE},
        )
        event.listen(self.engine, "checkout", _ask_whether_it_lives)
        event.listen(self.engine, "checkin", _note_when_it_rests)
        self._sessions = sessionmaker(self.engine, expire_on_commit=False)
        self._looks = sessionmaker(self.engine.execution_options(isolation_level="AUTOCOMMIT"), expire_on_commit=False)

    @contextmanager
    def begin(self) -> Iterator[Session]:
        """A session in a transaction. Keep it short: never across a call to a provider, never across a yield."""
        with self._sessions.begin() as session:
            yield session

    @contextmanager
    def look(self) -> Iterator[Session]:
        """A session for reading: each statement by itself, which saves the two round trips of BEGIN and COMMIT."""
        with self._looks() as session:
            yield session

    def listen(self) -> psycopg.Connection[tuple[object, ...]]:
        """A connection of its own, outside the pool and in autocommit, for LISTEN."""
        return psycopg.connect(self._url, autocommit=True, connect_timeout=10, **KEEPALIVE)

    def close(self) -> None:
        self.engine.dispose()


def _note_when_it_rests(_: Any, record: Any) -> None:
    record.info["rests_since"] = time.monotonic()


def _ask_whether_it_lives(connection: psycopg.Connection[Any], record: Any, _: Any) -> None:
    """SQLAlchemy's pre-ping would ask at every checkout. Raises DisconnectionError: the pool then opens another."""
    if time.monotonic() - record.info.get("rests_since", time.monotonic()) < RESTED:
        return
    try:
        connection.execute("select 1")
        connection.rollback()
    except psycopg.Error as error:
        raise DisconnectionError from error
