"""Tables of the shop's own truth: its orders, and what visitors did on the way to them. No behaviour.

Analytics reads them beside ad_daily. Days are days in the store's timezone, money is micros of the store's currency.
People are told apart by keyed hashes; no e-mail address, name or IP address is kept.

A roll-up's row is locked from the write that changed it until its writer commits. So whoever writes several tables for
a shop begins with its visits, then comes the row of `stores`, then orders: nobody waits for each other in a circle.

`channel` says how somebody came: meta or google after a click on an ad there (as in ad_accounts.network, else its
platform), so that spend and what came of it meet; otherwise organic, social, email, referral, direct, unknown.
"""

from __future__ import annotations

import uuid
from datetime import date, datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from webapp.db.models.spine import Base, id_column, now_column


class Store(Base):
    """The shop of a workspace: what its numbers are counted in. No row: the first ad account's, else UTC."""

    __tablename__ = "stores"
    workspace_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("workspaces.id"), primary_key=True)
    name: Mapped[str] = mapped_column(String(120), server_default="")
    currency: Mapped[str] = mapped_column(String(3))
    timezone: Mapped[str] = mapped_column(String(64))
    revenue_basis: Mapped[str] = mapped_column(String(8), server_default="net")  # net: total less refunds; gross: total
    collect_key: Mapped[str] = mapped_column(String(40), unique=True)  # public: names the shop to the collector
    origins: Mapped[list[Any]] = mapped_column(server_default=text("'[]'::jsonb"))  # that may send to it
    version: Mapped[int] = mapped_column(BigInteger, server_default="0")  # counts writes, for cached results
    collected_at: Mapped[datetime | None]  # the newest event the collector got, and
    collected: Mapped[dict[str, Any] | None]  # what it was: event, page, origin; why it was left out, if it was
    created_at: Mapped[datetime] = now_column()
    __table_args__ = (CheckConstraint("revenue_basis in ('net','gross')", name="revenue_basis"),)


class StoreOrder(Base):
    """An order. `visitor_id` joins it to the visits that led to it, where the collector saw them."""

    __tablename__ = "store_orders"
    id: Mapped[uuid.UUID] = id_column()
    workspace_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("workspaces.id"))
    source: Mapped[str] = mapped_column(String(8))
    external_id: Mapped[str] = mapped_column(String(80))  # the number people know: #1001
    other_id: Mapped[str] = mapped_column(String(80), server_default="")  # the shop software's own, where it has one
    ordered_at: Mapped[datetime]
    day: Mapped[date]
    currency: Mapped[str] = mapped_column(String(3))
    gross_micros: Mapped[int] = mapped_column(BigInteger)
    refund_micros: Mapped[int] = mapped_column(BigInteger, server_default="0")
    customer: Mapped[str] = mapped_column(String(32), server_default="")  # a keyed hash; empty: not known
    is_first: Mapped[bool | None]  # the customer's first order; None: not known
    visitor_id: Mapped[str] = mapped_column(String(40), server_default="")
    channel: Mapped[str] = mapped_column(String(24), server_default="unknown")  # of the last touch
    campaign_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("campaigns.id"))
    country: Mapped[str] = mapped_column(String(2), server_default="")
    device: Mapped[str] = mapped_column(String(8), server_default="")
    landing_page: Mapped[str] = mapped_column(String(200), server_default="")
    __table_args__ = (
        CheckConstraint("source in ('demo','shopify','collect')", name="source"),
        UniqueConstraint("workspace_id", "source", "external_id"),
        Index(
            "ix_store_orders_workspace_day",
            "workspace_id",
            "day",
            postgresql_include=["currency", "gross_micros", "refund_micros", "is_first", "channel"],
        ),
        Index("ix_store_orders_visitor", "workspace_id", "visitor_id", "ordered_at"),
        Index("ix_store_orders_other_id", "workspace_id", "other_id", postgresql_where=text("other_id <> ''")),
        Index("ix_store_orders_customer", "workspace_id", "customer", postgresql_where=text("customer <> ''")),
    )


class Visit(Base):
    """A session on the shop's site, with how far it came: one row a visit, its steps as moments."""

    __tablename__ = "visits"
    id: Mapped[uuid.UUID] = id_column()
    workspace_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("workspaces.id"))
    source: Mapped[str] = mapped_column(String(8))
    session_key: Mapped[str] = mapped_column(String(64))  # of the source: a visit that goes on is found again by it
    visitor_id: Mapped[str] = mapped_column(String(40))
    started_at: Mapped[datetime]
    day: Mapped[date]
    channel: Mapped[str] = mapped_column(String(24), server_default="direct")
    campaign_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("campaigns.id"))
    country: Mapped[str] = mapped_column(String(2), server_default="")
    device: Mapped[str] = mapped_column(String(8), server_default="")
    landing_page: Mapped[str] = mapped_column(String(200), server_default="")
    is_new: Mapped[bool] = mapped_column(server_default=text("true"))  # the visitor's first visit
    viewed: Mapped[bool] = mapped_column(server_default=text("false"))  # a product
    carted: Mapped[bool] = mapped_column(server_default=text("false"))
    checkout: Mapped[bool] = mapped_column(server_default=text("false"))
    purchased: Mapped[bool] = mapped_column(server_default=text("false"))
    __table_args__ = (
        CheckConstraint("source in ('demo','collect')", name="source"),
        UniqueConstraint("workspace_id", "source", "session_key"),
        Index(
            "ix_visits_workspace_day",
            "workspace_id",
            "day",
            postgresql_include=["channel", "country", "device", "is_new", "viewed", "carted", "checkout", "purchased"],
        ),
        Index("ix_visits_visitor", "workspace_id", "visitor_id", "started_at"),
    )


class OrdersDaily(Base):
    """A roll-up: store_orders summed by day and by what can be asked of them. Triggers keep it (migration 0006),
    nothing else writes it. `buyer` says is_first in words: new, returning, or empty for not known."""

    __tablename__ = "orders_daily"
    workspace_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    currency: Mapped[str] = mapped_column(String(3), primary_key=True)
    channel: Mapped[str] = mapped_column(String(24), primary_key=True)
    device: Mapped[str] = mapped_column(String(8), primary_key=True)
    country: Mapped[str] = mapped_column(String(2), primary_key=True)
    buyer: Mapped[str] = mapped_column(String(9), primary_key=True)
    orders: Mapped[int] = mapped_column(BigInteger)  # at least one
    gross_micros: Mapped[int] = mapped_column(BigInteger)
    refund_micros: Mapped[int] = mapped_column(BigInteger)


class VisitsDaily(Base):
    """A roll-up: visits counted by day and by what can be asked of them. Triggers keep it (migration 0006), nothing
    else writes it. Who came further is counted in every step before: a purchase is a checkout, a cart, a view too."""

    __tablename__ = "visits_daily"
    workspace_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    channel: Mapped[str] = mapped_column(String(24), primary_key=True)
    device: Mapped[str] = mapped_column(String(8), primary_key=True)
    country: Mapped[str] = mapped_column(String(2), primary_key=True)
    is_new: Mapped[bool] = mapped_column(primary_key=True)
    sessions: Mapped[int] = mapped_column(BigInteger)  # at least one
    viewed: Mapped[int] = mapped_column(BigInteger)
    carted: Mapped[int] = mapped_column(BigInteger)
    checkout: Mapped[int] = mapped_column(BigInteger)
    purchased: Mapped[int] = mapped_column(BigInteger)
