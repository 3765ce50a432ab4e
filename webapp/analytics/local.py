"""The default engine: a pipe as one statement in our own PostgreSQL, read-only and with an end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import psycopg
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from webapp.analytics.answers import PipeRefused
from webapp.analytics.catalogue import Pipe
from webapp.db import Database

# The planner knows nothing of a CTE's size, and little of tables that were filled a moment ago. It would take two lists
# of ten thousand for short ones and loop over both; with hashes, being wrong costs nothing. No JIT: compiling twenty
# CTEs takes longer than running them. A year of orders sorts in memory.
BEFORE = text(
    "select set_config('transaction_read_only', 'on', true), set_config('statement_timeout', :timeout, true),"
    " set_config('enable_nestloop', 'off', true), set_config('jit', 'off', true), set_config('work_mem', '32MB', true)"
)
TIMEOUT = 10.0  # seconds


@dataclass(frozen=True)
class Local:
    database: Database
    timeout: float = TIMEOUT
    name: str = "postgresql"

    def rows(self, pipe: Pipe, values: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Raises PipeRefused when it takes too long."""
        statement, bound = pipe.compiled.render(values)
        try:
            with self.database.begin() as db:
                db.execute(BEFORE, {"timeout": str(int(self.timeout * 1000))})
                return [dict(row) for row in db.execute(text(statement), bound).mappings()]
        except DBAPIError as error:
            if isinstance(error.orig, psycopg.errors.QueryCanceled):
                raise too_slow(pipe, self.timeout) from None
            raise


def too_slow(pipe: Pipe, seconds: float) -> PipeRefused:
    return PipeRefused(
        f"{pipe.name} took longer than {seconds:g} seconds.", "Ask for fewer days or one platform.", status=504
    )
