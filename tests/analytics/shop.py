"""A shop, its orders and visits as tests make them, straight into the tables; and pipes asked as of a fixed Tuesday."""

from __future__ import annotations

import uuid
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from tests.campaigns import EUR, NOW, TODAY
from webapp.accounts import Scope
from webapp.analytics import source
from webapp.analytics.answers import PipeResult, Row
from webapp.db import Database
from webapp.db.models import Store, StoreOrder, Visit

BERLIN = ZoneInfo("Europe/Berlin")


def store(database: Database, scope: Scope, **more: Any) -> None:
    given = {"currency": "EUR", "timezone": "Europe/Berlin", "collect_key": uuid.uuid4().hex, **more}
    with database.begin() as db:
        db.add(Store(workspace_id=scope.workspace_id, **given))


def order(database: Database, scope: Scope, ago: int, gross: float, **more: Any) -> None:
    """An order at six in the evening, `ago` days before TODAY, in units of its currency."""
    day = TODAY - timedelta(ago)
    given = {"currency": "EUR", "refund": 0, "customer": "", "is_first": None, "channel": "unknown", **more}
    with database.begin() as db:
        db.add(
            StoreOrder(
                workspace_id=scope.workspace_id,
                source="demo",
                external_id=uuid.uuid4().hex,
                ordered_at=datetime.combine(day, time(18), BERLIN),
                day=day,
                gross_micros=round(gross * EUR),
                refund_micros=round(given.pop("refund") * EUR),
                **given,
            )
        )


def visit(database: Database, scope: Scope, ago: int, visitor: str, **more: Any) -> None:
    """A visit at noon, `ago` days before TODAY."""
    day = TODAY - timedelta(ago)
    with database.begin() as db:
        db.add(
            Visit(
                workspace_id=scope.workspace_id,
                source="demo",
                session_key=uuid.uuid4().hex,
                visitor_id=visitor,
                started_at=datetime.combine(day, time(12), BERLIN),
                day=day,
                **{"channel": "direct", "device": "mobile", "country": "DE", **more},
            )
        )


def ask(database: Database, scope: Scope, pipe: str, /, **params: Any) -> PipeResult:
    """The answer as of NOW, not a remembered one. Raises PipeRefused."""
    source.forget()
    return source.run(scope, database, pipe, params, now=NOW)


def by(result: PipeResult, key: str) -> dict[Any, Row]:
    return {row[key]: row for row in result.rows}


def ago(days: int) -> str:
    return (TODAY - timedelta(days)).isoformat()
