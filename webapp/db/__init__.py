"""Engine and sessions. Which tables there are: models.py. Who may write SQL: the stores named in ARCHITECTURE."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from sqlalchemy import create_engine
from sqlalchemy.orm import Session, sessionmaker

__all__ = ["Database", "Session"]


class Database:
    """A pool of PostgreSQL connections. `begin()` is a unit of work: commit at the end, roll back on an exception."""

    def __init__(self, url: str, *, pool_size: int = 20) -> None:
        self._url = url.replace("postgresql+psycopg://", "postgresql://", 1)
        self.engine = create_engine(
            url, pool_size=pool_size, max_overflow=pool_size, pool_pre_ping=True, hide_parameters=True
        )
        self._sessions = sessionmaker(self.engine, expire_on_commit=False)

    @contextmanager
    def begin(self) -> Iterator[Session]:
        """A session in a transaction. Keep it short: never across a call to a provider, never across a yield."""
        with self._sessions.begin() as session:
            yield session

    def listen(self) -> psycopg.Connection[tuple[object, ...]]:
        """A connection of its own, outside the pool and in autocommit, for LISTEN."""
        return psycopg.connect(self._url, autocommit=True)

    def close(self) -> None:
        self.engine.dispose()
