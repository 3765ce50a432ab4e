"""Tables of what was used and what may be: calls with their tokens and cost, budgets, frozen prefixes. No behaviour.

Money is a whole number of micros of a US dollar, the currency of every price list. The stores are in usage/.
"""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from webapp.db.models.spine import Base, id_column, now_column, workspace_column


class Prefix(Base):
    """What a session's requests begin with, by the hash of its bytes. A session keeps the one it began with, whatever
    the surface says by now: reasoning is bound to it, and so is the cache."""

    __tablename__ = "prefixes"
    hash: Mapped[bytes] = mapped_column(primary_key=True)  # SHA-256 of its canonical JSON
    surface: Mapped[str] = mapped_column(String(16))
    system: Mapped[str]
    tools: Mapped[list[Any]]  # name, description, schema; in order
    created_at: Mapped[datetime] = now_column()


class UsageEntry(Base):
    """One call to a provider: a round of a turn. Written once, when the round is over; a turn that ends without one has
    none. `cost_micros` is None where nobody knows the price."""

    __tablename__ = "usage_entries"
    id: Mapped[uuid.UUID] = id_column()
    workspace_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("workspaces.id"))
    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    session_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("chat_sessions.id"))
    turn_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("chat_turns.id"))
    round: Mapped[int]  # 0, 1, 2 ... of the turn
    surface: Mapped[str] = mapped_column(String(16))
    provider: Mapped[str] = mapped_column(String(24))
    model: Mapped[str] = mapped_column(String(160))  # asked for
    model_served: Mapped[str] = mapped_column(String(160), server_default="")
    byok_key_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("byok_keys.id"))
    key_label: Mapped[str] = mapped_column(String(80), server_default="")
    personal: Mapped[bool] = mapped_column(server_default=text("false"))  # the member's own key paid
    response_id: Mapped[str] = mapped_column(String(160), server_default="")  # the provider's
    input: Mapped[int] = mapped_column(BigInteger)
    cache_read: Mapped[int] = mapped_column(BigInteger)
    cache_write: Mapped[int] = mapped_column(BigInteger)
    cache_write_1h: Mapped[int] = mapped_column(BigInteger)
    output: Mapped[int] = mapped_column(BigInteger)
    thinking: Mapped[int] = mapped_column(BigInteger)
    estimated: Mapped[bool] = mapped_column(server_default=text("false"))  # the stream was cut before its figures came
    cost_micros: Mapped[int | None] = mapped_column(BigInteger)
    saved_micros: Mapped[int | None] = mapped_column(BigInteger)  # by caching, against the same tokens fresh
    price_source: Mapped[str] = mapped_column(String(12), server_default="unknown")
    priced_at: Mapped[str] = mapped_column(String(10), server_default="")  # the date of the price table
    miss: Mapped[str] = mapped_column(String(40), server_default="")  # why the cache was missed, in a word
    prefix_hash: Mapped[bytes | None]
    first_token_ms: Mapped[int | None]
    duration_ms: Mapped[int | None]
    at: Mapped[datetime] = now_column()
    __table_args__ = (
        CheckConstraint("price_source in ('provider','table','unknown')", name="price_source"),
        UniqueConstraint("turn_id", "round"),
        Index("ix_usage_entries_workspace_at", "workspace_id", "at"),
        Index("ix_usage_entries_session", "session_id"),
    )


class ChatPolicy(Base):
    """How a workspace wants its chats paid and cached. No row: the defaults."""

    __tablename__ = "chat_policies"
    workspace_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("workspaces.id"), primary_key=True)
    cache_ttl: Mapped[str] = mapped_column(String(2), server_default="5m")
    personal_keys: Mapped[bool] = mapped_column(server_default=text("false"))  # members may connect their own
    unpriced: Mapped[str] = mapped_column(String(5), server_default="allow")  # models whose price nobody knows
    updated_by: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    updated_at: Mapped[datetime] = now_column()
    __table_args__ = (
        CheckConstraint("cache_ttl in ('5m','1h')", name="cache_ttl"),
        CheckConstraint("unpriced in ('allow','block')", name="unpriced"),
    )


class Budget(Base):
    """A limit: for the workspace, for every member, for one member, or for one turn; per day or month (UTC)."""

    __tablename__ = "budgets"
    id: Mapped[uuid.UUID] = id_column()
    workspace_id: Mapped[uuid.UUID] = workspace_column()
    applies_to: Mapped[str] = mapped_column(String(9))
    user_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("users.id"))  # applies_to member
    period: Mapped[str] = mapped_column(String(5))
    unit: Mapped[str] = mapped_column(String(6))
    amount: Mapped[int] = mapped_column(BigInteger)  # micros of a dollar, or tokens
    updated_by: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    updated_at: Mapped[datetime] = now_column()
    __table_args__ = (
        CheckConstraint("applies_to in ('workspace','everyone','member','turn')", name="applies_to"),
        CheckConstraint("(applies_to = 'member') = (user_id is not null)", name="one_member"),
        CheckConstraint("period in ('day','month','turn')", name="period"),
        CheckConstraint("(applies_to = 'turn') = (period = 'turn')", name="turn"),
        CheckConstraint("unit in ('usd','tokens')", name="unit"),
        CheckConstraint("amount > 0", name="positive"),
        UniqueConstraint("workspace_id", "applies_to", "user_id", "period", "unit", postgresql_nulls_not_distinct=True),
    )


class BudgetHold(Base):
    """What a running call may cost at most, held until its entry is written. Past `until` its process is gone."""

    __tablename__ = "budget_holds"
    turn_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("chat_turns.id"), primary_key=True)
    workspace_id: Mapped[uuid.UUID] = workspace_column()
    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    micros: Mapped[int] = mapped_column(BigInteger)
    tokens: Mapped[int] = mapped_column(BigInteger)
    until: Mapped[datetime]
