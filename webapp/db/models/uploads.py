"""The table of files on their way in: between looking at a file and saving what is in it. No behaviour.

A table and not the disk, because the next request may meet another host. Not sealed, because nothing in it is secret
or about a person: e-mail addresses are hashed and columns with names and addresses are dropped before a row is made
(ads/imports/sniff.py). It is bound to its workspace, lives for an hour, and its text is erased when it was saved.
"""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from webapp.db.models.spine import Base, id_column, now_column, workspace_column


class Upload(Base):
    """`body` is CSV of our own: the line in the person's file, then the cells under `header`. `choices` are what the
    person corrected; `report` is what was saved, and there only then."""

    __tablename__ = "uploads"
    id: Mapped[uuid.UUID] = id_column()
    workspace_id: Mapped[uuid.UUID] = workspace_column()
    created_by: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    filename: Mapped[str] = mapped_column(String(160))
    kind: Mapped[str] = mapped_column(String(8))
    header: Mapped[list[Any]]
    dropped: Mapped[list[Any]] = mapped_column(server_default=text("'[]'::jsonb"))  # columns not kept: names, addresses
    body: Mapped[str] = mapped_column(Text)
    choices: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))
    report: Mapped[dict[str, Any] | None]
    created_at: Mapped[datetime] = now_column()
    expires_at: Mapped[datetime] = mapped_column(index=True)
    __table_args__ = (CheckConstraint("kind in ('meta','google','shopify')", name="kind"),)
