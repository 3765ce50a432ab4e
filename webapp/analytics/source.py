"""Ask a pipe for a workspace: the only way to an answer, whatever the engine.

In this order: the pipe is looked up, the workspace's standing is read, every parameter is checked, the server's own
values are set, the tenant last; then what is remembered is looked through, and only then an engine is asked.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Protocol

from webapp.accounts import Scope
from webapp.analytics import questions, standing
from webapp.analytics.answers import PipeResult
from webapp.analytics.catalogue import Pipe
from webapp.analytics.caveats import attribution, caveats, definitions
from webapp.analytics.local import Local
from webapp.analytics.memory import Answers, Gate
from webapp.analytics.questions import Question
from webapp.analytics.shape import shape
from webapp.analytics.standing import Standing
from webapp.db import Database


class Engine(Protocol):
    """Whatever can run a pipe: local.py (our PostgreSQL), tinybird.py. Raises PipeRefused."""

    @property
    def name(self) -> str: ...

    def rows(self, pipe: Pipe, values: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]: ...


@dataclass(frozen=True)
class Made:
    """A remembered answer, and when it was made."""

    at: datetime
    result: PipeResult


_answers: Answers[Made] = Answers()
_gate = Gate()


def run(
    scope: Scope,
    database: Database,
    pipe: str,
    params: Mapping[str, Any],
    *,
    engine: Engine | None = None,
    now: datetime | None = None,
    anew: bool = False,
) -> PipeResult:
    """The pipe's answer for the scope's workspace. `params` are the caller's (catalogue.describe has their schemas);
    the workspace is the scope's and can be set by nobody else. Without an engine: our own database. `anew`: not what
    is remembered. Raises PipeRefused."""
    found = questions.find(pipe)
    with database.begin() as db:
        stands = standing.read(scope, db, now)
    question = questions.ask(found, params, stands, scope.workspace_id)
    engine = engine or Local(database)
    key = _key(scope.workspace_id, engine, question, stands)
    made = None if anew else _answers.fresh(key, found.cache_seconds)
    if made:
        return replace(made.result, cached_at=made.at)
    with _gate.through(scope.workspace_id):
        result = _answer(question, stands, engine)
    _answers.keep(key, Made(datetime.now(UTC), result))
    return result


def forget() -> None:
    """What this process remembers."""
    _answers.clear()


def _key(workspace_id: uuid.UUID, engine: Engine, question: Question, stands: Standing) -> Hashable:
    """Everything that decides an answer: the version changes when a day was written, `today` at midnight."""
    values = tuple(sorted((name, str(value)) for name, value in question.values.items()))
    return workspace_id, engine.name, question.pipe.name, values, question.metrics, stands.version, stands.today


def _answer(question: Question, stands: Standing, engine: Engine) -> PipeResult:
    began = time.monotonic()
    raw = engine.rows(question.pipe, question.values)
    elapsed = (time.monotonic() - began) * 1000
    shaped = shape(question, stands, raw)
    return PipeResult(
        pipe=question.pipe.name,
        columns=shaped.columns,
        rows=shaped.rows,
        rows_total=shaped.rows_total,
        truncated=len(shaped.rows) < shaped.rows_total,
        since=question.window.since,
        until=question.window.until,
        timezone=stands.timezone,
        currency=shaped.currencies[0] if len(shaped.currencies) == 1 else "",
        attribution=attribution(question),
        totals=shaped.totals,
        compared=(question.compared.since, question.compared.until) if question.compared else None,
        data_through=stands.data_through,
        maturing_from=question.maturing_from,
        definitions=definitions(question, stands, shaped),
        caveats=caveats(question, stands, shaped),
        elapsed_ms=round(elapsed, 1),
    )
