"""Tables of people, workspaces, keys and chats, and the Base of all tables. No behaviour. The stores own the SQL.

Names are the mission's: workspaces, workspace_members, byok_keys, chat_sessions, chat_messages.
A column here is one line here and one Alembic revision; tests/db/test_migrations.py keeps the two equal.
"""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

CONVENTION = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=CONVENTION)
    type_annotation_map = {
        datetime: DateTime(timezone=True),
        dict[str, Any]: JSONB(none_as_null=True),
        list[Any]: JSONB(none_as_null=True),
        bytes: LargeBinary,
    }


def id_column() -> Mapped[uuid.UUID]:
    return mapped_column(primary_key=True, default=uuid.uuid4)


def now_column() -> Mapped[datetime]:
    return mapped_column(server_default=func.now())


def workspace_column() -> Mapped[uuid.UUID]:
    return mapped_column(ForeignKey("workspaces.id"), index=True)


# --- people -----------------------------------------------------------------------------------------------------


class User(Base):
    __tablename__ = "users"
    id: Mapped[uuid.UUID] = id_column()
    email: Mapped[str] = mapped_column(String(254), unique=True)  # stored in lower case
    name: Mapped[str] = mapped_column(String(80))
    password_hash: Mapped[str] = mapped_column(String(200))  # PHC string, Argon2id
    theme: Mapped[str] = mapped_column(String(8), server_default="system")  # system, light, dark
    created_at: Mapped[datetime] = now_column()


class UserSession(Base):
    """A signed-in browser. The cookie holds the token; we hold its SHA-256."""

    __tablename__ = "user_sessions"
    id: Mapped[uuid.UUID] = id_column()
    token_hash: Mapped[bytes] = mapped_column(unique=True)
    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"), index=True)
    workspace_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("workspaces.id"))  # the one being looked at
    ip: Mapped[str] = mapped_column(String(45), server_default="")
    user_agent: Mapped[str] = mapped_column(String(300), server_default="")
    created_at: Mapped[datetime] = now_column()
    seen_at: Mapped[datetime] = now_column()
    expires_at: Mapped[datetime]


class Throttle(Base):
    """Counters that hold across worker processes: attempts per bucket and window."""

    __tablename__ = "throttles"
    bucket: Mapped[str] = mapped_column(String(160), primary_key=True)
    window_start: Mapped[datetime] = mapped_column(primary_key=True)
    count: Mapped[int] = mapped_column(server_default="0")


# --- workspaces -------------------------------------------------------------------------------------------------


class Workspace(Base):
    __tablename__ = "workspaces"
    id: Mapped[uuid.UUID] = id_column()
    name: Mapped[str] = mapped_column(String(80))
    created_by: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[datetime] = now_column()
    deleted_at: Mapped[datetime | None]
    deleted_by: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("users.id"))


class WorkspaceMember(Base):
    __tablename__ = "workspace_members"
    workspace_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("workspaces.id"), primary_key=True)
    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"), primary_key=True, index=True)
    role: Mapped[str] = mapped_column(String(8))
    joined_at: Mapped[datetime] = now_column()
    __table_args__ = (CheckConstraint("role in ('owner','admin','member','viewer')", name="role"),)


class Invitation(Base):
    __tablename__ = "invitations"
    id: Mapped[uuid.UUID] = id_column()
    workspace_id: Mapped[uuid.UUID] = workspace_column()
    token_hash: Mapped[bytes] = mapped_column(unique=True)
    role: Mapped[str] = mapped_column(String(8))
    note: Mapped[str] = mapped_column(String(120), server_default="")  # for whom, in the inviter's words
    created_by: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[datetime] = now_column()
    expires_at: Mapped[datetime]
    accepted_at: Mapped[datetime | None]
    accepted_by: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("users.id"))
    revoked_at: Mapped[datetime | None]
    __table_args__ = (CheckConstraint("role in ('admin','member','viewer')", name="role"),)


class AuditEvent(Base):
    """Append-only: who did what, when. `subject` is a short human-readable word, never a secret."""

    __tablename__ = "audit_events"
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=True)
    workspace_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("workspaces.id"))
    actor_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("users.id"))
    action: Mapped[str] = mapped_column(String(40))  # key.connected, key.replaced, key.revoked, member.invited, ...
    subject: Mapped[str] = mapped_column(String(200), server_default="")
    details: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))
    created_at: Mapped[datetime] = now_column()
    __table_args__ = (Index("ix_audit_events_workspace_id_id", "workspace_id", "id"),)


# --- the vault --------------------------------------------------------------------------------------------------


class Deployment(Base):
    """One row: the id of this installation, bound into every sealed key."""

    __tablename__ = "deployment"
    singleton: Mapped[bool] = mapped_column(primary_key=True, server_default=text("true"))
    id: Mapped[uuid.UUID] = mapped_column(default=uuid.uuid4)
    __table_args__ = (CheckConstraint("singleton", name="one_row"),)


class VaultKey(Base):
    """A root key that once came from an ENCRYPTION_KEY: its salt, scrypt cost and check value, none of them secret."""

    __tablename__ = "vault_keys"
    key_id: Mapped[bytes] = mapped_column(primary_key=True)  # 8 bytes, derived from the root
    salt: Mapped[bytes]
    n: Mapped[int]
    r: Mapped[int]
    p: Mapped[int]
    check_value: Mapped[bytes]
    status: Mapped[str] = mapped_column(String(12))  # active, decrypt_only, retired
    created_at: Mapped[datetime] = now_column()
    __table_args__ = (CheckConstraint("status in ('active','decrypt_only','retired')", name="status"),)


class ByokKey(Base):
    """A provider key of a workspace. The row stays after revocation (audit); the sealed material is erased."""

    __tablename__ = "byok_keys"
    id: Mapped[uuid.UUID] = id_column()
    workspace_id: Mapped[uuid.UUID] = workspace_column()
    provider: Mapped[str] = mapped_column(String(24))
    base_url: Mapped[str] = mapped_column(String(300), server_default="")  # of a server of their own
    label: Mapped[str] = mapped_column(String(80))
    prefix: Mapped[str] = mapped_column(String(6))
    fingerprint: Mapped[bytes]  # 8 bytes of a keyed hash
    sealed: Mapped[bytes | None]
    vault_key_id: Mapped[bytes | None] = mapped_column(ForeignKey("vault_keys.key_id"), index=True)
    status: Mapped[str] = mapped_column(String(8))
    fault: Mapped[dict[str, Any] | None]  # why it needs attention: a Fault as JSON
    fault_at: Mapped[datetime | None]
    owner_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("users.id"))  # a member's own key; None: the team's
    created_by: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[datetime] = now_column()
    last_used_at: Mapped[datetime | None]
    revoked_by: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("users.id"))
    revoked_at: Mapped[datetime | None]
    replaced_by: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("byok_keys.id"))  # None: disconnected
    __table_args__ = (
        CheckConstraint("status in ('active','revoked')", name="status"),
        CheckConstraint("(status = 'active') = (sealed is not null)", name="sealed_while_active"),
        Index(
            "uq_byok_keys_active",
            "workspace_id",
            "provider",
            "owner_id",
            unique=True,
            postgresql_nulls_not_distinct=True,
            postgresql_where=text("status = 'active'"),
        ),
    )


class ModelList(Base):
    """What a key can use, as its provider last said; and what it was refused."""

    __tablename__ = "model_lists"
    byok_key_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("byok_keys.id"), primary_key=True)
    models: Mapped[list[Any]]
    refused: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))  # model id -> when and why
    fetched_at: Mapped[datetime] = now_column()


class ModelChoice(Base):
    """The model a workspace picked last: the default of its next chat."""

    __tablename__ = "model_choices"
    workspace_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("workspaces.id"), primary_key=True)
    provider: Mapped[str] = mapped_column(String(24))
    model: Mapped[str] = mapped_column(String(160))
    chosen_by: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    chosen_at: Mapped[datetime] = now_column()


# --- chat -------------------------------------------------------------------------------------------------------


class ChatSession(Base):
    """A conversation: private to its author, inside one workspace."""

    __tablename__ = "chat_sessions"
    id: Mapped[uuid.UUID] = id_column()
    workspace_id: Mapped[uuid.UUID] = workspace_column()
    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    surface: Mapped[str] = mapped_column(String(16), server_default="chat")
    title: Mapped[str] = mapped_column(String(120), server_default="")
    provider: Mapped[str] = mapped_column(String(24), server_default="")
    model: Mapped[str] = mapped_column(String(160), server_default="")
    prefix_hash: Mapped[bytes | None] = mapped_column(ForeignKey("prefixes.hash"))  # that its requests begin with
    created_at: Mapped[datetime] = now_column()
    updated_at: Mapped[datetime] = now_column()
    deleted_at: Mapped[datetime | None]
    __table_args__ = (Index("ix_chat_sessions_author", "workspace_id", "user_id", "updated_at"),)


class ChatTurn(Base):
    """One question and everything done to answer it. States and their changes: chat/turn.py."""

    __tablename__ = "chat_turns"
    id: Mapped[uuid.UUID] = id_column()
    session_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("chat_sessions.id"))
    workspace_id: Mapped[uuid.UUID] = workspace_column()
    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    position: Mapped[int]  # 0, 1, 2 ... within the session
    request_id: Mapped[uuid.UUID]  # from the form: submitting twice makes one turn
    byok_key_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("byok_keys.id"), index=True)
    key_label: Mapped[str] = mapped_column(String(80), server_default="")  # whose key, as it was named then
    provider: Mapped[str] = mapped_column(String(24))
    model: Mapped[str] = mapped_column(String(160))  # asked for
    model_name: Mapped[str] = mapped_column(String(160), server_default="")  # its display name then
    model_served: Mapped[str] = mapped_column(String(160), server_default="")
    state: Mapped[str] = mapped_column(String(12))
    finish: Mapped[str] = mapped_column(String(20), server_default="")  # the model's reason, where it gave one
    notices: Mapped[list[Any]] = mapped_column(server_default=text("'[]'::jsonb"))
    error: Mapped[dict[str, Any] | None]
    # What a turn used stands in usage_entries. These two are no longer written; workers of older releases name them.
    usage: Mapped[dict[str, Any] | None]
    total_tokens: Mapped[int] = mapped_column(BigInteger, server_default="0")
    epoch: Mapped[int] = mapped_column(server_default="1")
    owner: Mapped[str] = mapped_column(String(64))  # the worker process that writes it
    lease_until: Mapped[datetime]
    stop_requested_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = now_column()
    first_token_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    __table_args__ = (
        CheckConstraint(
            "state in ('queued','running','waiting','done','failed','stopped','interrupted')", name="state"
        ),
        UniqueConstraint("user_id", "request_id"),
        UniqueConstraint("session_id", "position"),
        Index(
            "uq_chat_turns_one_live",
            "session_id",
            unique=True,
            postgresql_where=text("state in ('queued','running','waiting')"),
        ),
        Index("ix_chat_turns_lease", "lease_until", postgresql_where=text("state in ('queued','running')")),
    )


class ChatMessage(Base):
    """A message of a turn: its blocks (text, thinking, tool_use, tool_result), kept for replay."""

    __tablename__ = "chat_messages"
    id: Mapped[uuid.UUID] = id_column()
    workspace_id: Mapped[uuid.UUID] = workspace_column()
    session_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("chat_sessions.id"), index=True)
    turn_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("chat_turns.id"))
    position: Mapped[int]  # 0 is the question, then assistant and tool-result messages in order
    role: Mapped[str] = mapped_column(String(9))
    blocks: Mapped[list[Any]]
    dialect: Mapped[str] = mapped_column(String(24), server_default="")
    model: Mapped[str] = mapped_column(String(160), server_default="")
    created_at: Mapped[datetime] = now_column()
    __table_args__ = (
        UniqueConstraint("turn_id", "position"),
        CheckConstraint("role in ('user','assistant')", name="role"),
    )


class TurnEventRow(Base):
    """The numbered log of a live turn. Deleted some time after the turn's messages are stored."""

    __tablename__ = "turn_events"
    turn_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("chat_turns.id"), primary_key=True)
    seq: Mapped[int] = mapped_column(Integer, primary_key=True)
    body: Mapped[dict[str, Any]]
