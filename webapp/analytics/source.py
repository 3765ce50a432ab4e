"""Ask a pipe for a workspace: the only way to an answer, whatever the engine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from webapp.accounts import Scope
from webapp.analytics.answers import PipeResult, Row
from webapp.analytics.catalogue import Pipe
from webapp.db import Database


class Engine(Protocol):
    """Whatever can run a pipe: local.py (our PostgreSQL), tinybird.py. Raises PipeRefused."""

    name: str

    def rows(self, pipe: Pipe, values: Mapping[str, Any]) -> list[Row]: ...


def run(
    scope: Scope, database: Database, pipe: str, params: Mapping[str, Any], *, engine: Engine | None = None
) -> PipeResult:
    """The pipe's answer for the scope's workspace. `params` are the caller's (catalogue.describe has their schemas);
    the workspace is the scope's and can be set by nobody else. Raises PipeRefused."""
    raise NotImplementedError
