"""Files between two requests: kept for an hour, in their workspace only. What the table keeps and why: db/models."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, func, select

from webapp.accounts import Right, Scope
from webapp.accounts.members import hold
from webapp.ads.imports.choices import Choices
from webapp.ads.imports.sniff import Sheet
from webapp.db import Session
from webapp.db.models import Upload
from webapp.errors import not_found

LIFETIME = timedelta(hours=1)
AT_ONCE = 5  # of one workspace; the oldest gives way


@dataclass(frozen=True)
class Kept:
    """An upload. `report` is what was saved; None: nothing yet."""

    id: uuid.UUID
    filename: str
    sheet: Sheet
    choices: Choices
    report: Mapping[str, Any] | None


def keep(scope: Scope, db: Session, filename: str, sheet: Sheet) -> uuid.UUID:
    """Its id. Raises the UserErrors of hold()."""
    scope = hold(scope, db, Right.MANAGE_ADS)
    db.execute(delete(Upload).where(Upload.expires_at < func.now()))
    newest = select(Upload.id).where(*_ours(scope)).order_by(Upload.created_at.desc()).limit(AT_ONCE - 1)
    db.execute(delete(Upload).where(*_ours(scope), Upload.id.not_in(newest)))
    row = Upload(
        id=uuid.uuid4(),
        workspace_id=scope.workspace_id,
        created_by=scope.user_id,
        filename=filename[:160],
        kind=sheet.kind,
        header=list(sheet.header),
        dropped=list(sheet.dropped),
        body=sheet.body,
        expires_at=func.now() + LIFETIME,
    )
    db.add(row)
    db.flush()
    return row.id


def find(scope: Scope, db: Session, upload_id: uuid.UUID, *, lock: bool = False) -> Kept:
    """Raises the not-found UserError for one that is foreign, gone or too old. `lock`: ours alone until commit."""
    row = _row(scope, db, upload_id, lock=lock)
    kind: Any = row.kind
    sheet = Sheet(kind, tuple(row.header), tuple(row.dropped), row.body)
    return Kept(row.id, row.filename, sheet, Choices.of(sheet, row.choices), row.report)


def choose(scope: Scope, db: Session, upload_id: uuid.UUID, choices: Choices) -> None:
    """Keep what the person corrected. Raises the not-found UserError."""
    _row(scope, db, upload_id).choices = choices.to_json()


def close(scope: Scope, db: Session, upload_id: uuid.UUID, report: Mapping[str, Any]) -> None:
    """It was saved: the report stays for the rest of the hour, the text is erased."""
    row = _row(scope, db, upload_id)
    row.report, row.body = dict(report), ""


def discard(scope: Scope, db: Session, upload_id: uuid.UUID) -> None:
    """Raises the not-found UserError."""
    db.delete(_row(scope, db, upload_id))


def _row(scope: Scope, db: Session, upload_id: uuid.UUID, *, lock: bool = False) -> Upload:
    query = select(Upload).where(*_ours(scope), Upload.id == upload_id, Upload.expires_at > func.now())
    row = db.scalars(query.with_for_update() if lock else query).one_or_none()
    if row is None:
        raise not_found()
    return row


def _ours(scope: Scope) -> tuple[Any, ...]:
    return (Upload.workspace_id == scope.workspace_id,)
