"""Tables of ad accounts, their campaigns and daily figures, and of the changes made to them. No behaviour.

The stores that own the SQL are in ads/. Money is a whole number of micros (millionths) of the account's currency, so
that no total depends on the order of adding; a day is a day in the account's timezone.
"""

from __future__ import annotations

import uuid
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Integer, Numeric, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from webapp.db.models.spine import Base, id_column, now_column, workspace_column

EMPTY = text("'[]'::jsonb")


class AdAccount(Base):
    """An ad account of a workspace. `sealed` is its token (Google: a JSON of the OAuth parts), sealed like a provider
    key with its place (workspace, "ads:<platform>", row). A file or demo account has none. `version` counts the writes
    of its data, so that a cached result can tell that it is old."""

    __tablename__ = "ad_accounts"
    id: Mapped[uuid.UUID] = id_column()
    workspace_id: Mapped[uuid.UUID] = workspace_column()
    platform: Mapped[str] = mapped_column(String(8))
    network: Mapped[str] = mapped_column(String(8), server_default="")  # demo, import: where its ads ran (meta, google)
    external_id: Mapped[str] = mapped_column(String(64))  # Meta: without act_; Google: digits only
    name: Mapped[str] = mapped_column(String(160))
    currency: Mapped[str] = mapped_column(String(3))
    timezone: Mapped[str] = mapped_column(String(64))
    prefix: Mapped[str] = mapped_column(String(6), server_default="")
    fingerprint: Mapped[bytes | None]
    sealed: Mapped[bytes | None]
    vault_key_id: Mapped[bytes | None] = mapped_column(ForeignKey("vault_keys.key_id"), index=True)
    scopes: Mapped[list[Any]] = mapped_column(server_default=EMPTY)
    writable: Mapped[bool] = mapped_column(server_default=text("false"))
    token_expires_at: Mapped[datetime | None]  # None: never, or not known
    details: Mapped[dict[str, Any]] = mapped_column(
        server_default=text("'{}'::jsonb")
    )  # not secret: login customer ...
    maturing_days: Mapped[int] = mapped_column(server_default="3")  # newest days whose conversions still come in
    target_cpa_micros: Mapped[int | None] = mapped_column(BigInteger)  # set by a person
    status: Mapped[str] = mapped_column(String(8), server_default="active")
    fault: Mapped[dict[str, Any] | None]  # why it needs attention: kind, message, at
    created_by: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[datetime] = now_column()
    revoked_by: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("users.id"))
    revoked_at: Mapped[datetime | None]
    sync_state: Mapped[str] = mapped_column(String(8), server_default="idle")
    sync_done: Mapped[int] = mapped_column(server_default="0")  # steps
    sync_total: Mapped[int] = mapped_column(server_default="0")
    sync_note: Mapped[str] = mapped_column(String(300), server_default="")  # what it does now, or why it failed
    sync_lease_until: Mapped[datetime | None]  # whoever syncs renews it; past, another process may take over
    synced_at: Mapped[datetime | None]
    data_through: Mapped[date | None]  # the newest day with figures
    version: Mapped[int] = mapped_column(BigInteger, server_default="0")
    __table_args__ = (
        CheckConstraint("platform in ('meta','google','import','demo')", name="platform"),
        CheckConstraint("network in ('','meta','google')", name="network"),
        CheckConstraint("status in ('active','revoked')", name="status"),
        CheckConstraint("sync_state in ('idle','running','failed')", name="sync_state"),
        CheckConstraint("status = 'active' or sealed is null", name="erased_when_revoked"),
        Index(
            "uq_ad_accounts_active",
            "workspace_id",
            "platform",
            "external_id",
            unique=True,
            postgresql_where=text("status = 'active'"),
        ),
    )


class Campaign(Base):
    """A campaign as its platform last told it. `budget_level` says where the budget sits: on the campaign, on its ad
    sets (Meta without Advantage budget), on a budget shared with other campaigns (Google), or unknown."""

    __tablename__ = "campaigns"
    id: Mapped[uuid.UUID] = id_column()
    workspace_id: Mapped[uuid.UUID] = workspace_column()
    account_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("ad_accounts.id"))
    external_id: Mapped[str] = mapped_column(String(200))
    name: Mapped[str] = mapped_column(String(400))  # untrusted: whoever names a campaign writes it
    status: Mapped[str] = mapped_column(String(10))
    effective_status: Mapped[str] = mapped_column(String(40), server_default="")  # the platform's own word
    issues: Mapped[list[Any]] = mapped_column(server_default=EMPTY)  # the platform's sentences
    objective: Mapped[str] = mapped_column(String(10), server_default="unknown")
    bid_strategy: Mapped[str] = mapped_column(String(60), server_default="")
    budget_micros: Mapped[int | None] = mapped_column(BigInteger)
    budget_period: Mapped[str] = mapped_column(String(8), server_default="")
    budget_level: Mapped[str] = mapped_column(String(8), server_default="unknown")
    budget_id: Mapped[str] = mapped_column(String(64), server_default="")  # Google: the budget's own id
    shared_with: Mapped[list[Any]] = mapped_column(server_default=EMPTY)  # names of the others on a shared budget
    adsets: Mapped[list[Any]] = mapped_column(server_default=EMPTY)  # id, name, status, budget_micros, learning
    learning: Mapped[str] = mapped_column(String(8), server_default="unknown")
    learning_events: Mapped[int | None]  # of the 50 that end learning
    started_on: Mapped[date | None]
    changed_at: Mapped[datetime | None]  # the last change known to us, by whomever
    seen_at: Mapped[datetime] = now_column()  # when the platform told us
    __table_args__ = (
        CheckConstraint("status in ('active','paused','archived','deleted')", name="status"),
        CheckConstraint(
            "objective in ('sales','leads','traffic','engagement','awareness','app','unknown')", name="objective"
        ),
        CheckConstraint("budget_period in ('daily','lifetime','')", name="budget_period"),
        CheckConstraint("budget_level in ('campaign','adset','shared','none','unknown')", name="budget_level"),
        CheckConstraint("learning in ('learning','learned','limited','unknown')", name="learning"),
        UniqueConstraint("account_id", "external_id"),
    )


class AdDaily(Base):
    """One day of one campaign, ad set or ad, as the platform attributes it. The grain is what the source gives; a
    campaign's day is replaced as a whole, so two grains never stand side by side. Empty ids: not broken down."""

    __tablename__ = "ad_daily"
    campaign_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("campaigns.id"), primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    adset_id: Mapped[str] = mapped_column(String(200), primary_key=True, server_default="")
    ad_id: Mapped[str] = mapped_column(String(200), primary_key=True, server_default="")
    workspace_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("workspaces.id"))
    account_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("ad_accounts.id"))
    adset_name: Mapped[str] = mapped_column(String(400), server_default="")
    ad_name: Mapped[str] = mapped_column(String(400), server_default="")
    spend_micros: Mapped[int] = mapped_column(BigInteger)
    impressions: Mapped[int] = mapped_column(BigInteger)
    clicks: Mapped[int] = mapped_column(BigInteger)  # link clicks where the platform tells them apart
    orders: Mapped[float]  # conversions; Google counts parts of one
    revenue_micros: Mapped[int] = mapped_column(BigInteger)
    __table_args__ = (
        Index(
            "ix_ad_daily_workspace_day",
            "workspace_id",
            "day",
            postgresql_include=["account_id", "spend_micros", "revenue_micros", "orders", "impressions", "clicks"],
        ),
        Index("ix_ad_daily_account_day", "account_id", "day"),
    )


class AccountDaily(Base):
    """A roll-up: ad_daily summed by account and day. Triggers keep it (migration 0006), nothing else writes it.
    `orders` is decimal, because parts of an order that are added and taken away again have to come to nothing."""

    __tablename__ = "account_daily"
    workspace_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    account_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    parts: Mapped[int] = mapped_column(BigInteger)  # rows of ad_daily; at least one
    spend_micros: Mapped[int] = mapped_column(BigInteger)
    impressions: Mapped[int] = mapped_column(BigInteger)
    clicks: Mapped[int] = mapped_column(BigInteger)
    orders: Mapped[Decimal] = mapped_column(Numeric)
    revenue_micros: Mapped[int] = mapped_column(BigInteger)


class GuardRails(Base):
    """What changes a workspace allows at most. No row: the defaults, which only preview. ads/guards.py reads them."""

    __tablename__ = "guard_rails"
    workspace_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("workspaces.id"), primary_key=True)
    mode: Mapped[str] = mapped_column(String(8), server_default="preview")
    approvers: Mapped[str] = mapped_column(String(8), server_default="admins")
    budget_change_pct: Mapped[int] = mapped_column(server_default="20")
    campaign_cap_micros: Mapped[int | None] = mapped_column(BigInteger)  # per day; None: no cap of its own
    workspace_cap_micros: Mapped[int | None] = mapped_column(BigInteger)  # per day, active budgets of one currency
    step_up_micros: Mapped[int | None] = mapped_column(BigInteger)  # a plan that moves more per day must be typed
    cap_currency: Mapped[str] = mapped_column(String(3), server_default="")
    max_campaigns: Mapped[int] = mapped_column(server_default="10")  # in one pause plan
    max_spend_share_pct: Mapped[int] = mapped_column(server_default="30")  # of the last 7 days' spend
    cooldown_hours: Mapped[int] = mapped_column(server_default="24")
    updated_by: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    updated_at: Mapped[datetime] = now_column()
    __table_args__ = (
        CheckConstraint("mode in ('off','preview','on')", name="mode"),
        CheckConstraint("approvers in ('admins','members')", name="approvers"),
    )


class ChangePlan(Base):
    """What somebody may approve: exactly these items, made from exactly this state. `plan_hash` covers tool, arguments,
    targets, workspace and turn; ads/plans.py has the states, ads/changes/rows.py how the hash is made."""

    __tablename__ = "change_plans"
    id: Mapped[uuid.UUID] = id_column()
    workspace_id: Mapped[uuid.UUID] = workspace_column()
    turn_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("chat_turns.id"), index=True)  # None: from a page
    tool_use_id: Mapped[str] = mapped_column(String(200), server_default="")
    undo_of: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("change_plans.id"))
    proposed_by: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    model: Mapped[str] = mapped_column(String(160), server_default="")  # that asked for it; empty: a person did
    tool: Mapped[str] = mapped_column(String(40))
    arguments: Mapped[dict[str, Any]]
    reason: Mapped[str] = mapped_column(String(500), server_default="")  # the model's words: never on the card
    report: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))  # kept, undecided, window, rule
    warnings: Mapped[list[Any]] = mapped_column(server_default=EMPTY)
    step_up: Mapped[str] = mapped_column(String(60), server_default="")  # what has to be typed to approve
    plan_hash: Mapped[bytes]
    status: Mapped[str] = mapped_column(String(10), server_default="pending")
    decided_by: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("users.id"))
    decided_at: Mapped[datetime | None]
    note: Mapped[str] = mapped_column(String(300), server_default="")  # why it was rejected, in a person's words
    owner: Mapped[str] = mapped_column(String(64), server_default="")  # the process that carries it out
    lease_until: Mapped[datetime | None]
    created_at: Mapped[datetime] = now_column()
    expires_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    __table_args__ = (
        CheckConstraint(
            "status in ('pending','approved','finished','rejected','expired','cancelled','preview')", name="status"
        ),
        Index(
            "uq_change_plans_tool_use",
            "turn_id",
            "tool_use_id",
            unique=True,
            postgresql_where=text("turn_id is not null"),
        ),
        Index(
            "uq_change_plans_once_a_turn",
            "turn_id",
            "plan_hash",
            unique=True,
            postgresql_where=text("turn_id is not null"),
        ),
        Index("ix_change_plans_open", "expires_at", postgresql_where=text("status in ('pending','approved')")),
    )


class ChangeItem(Base):
    """One write of a plan: one campaign, one field. `claimed` is written before the platform is asked and stays if the
    process dies in between: then the outcome is unknown until it has been read back."""

    __tablename__ = "change_items"
    id: Mapped[uuid.UUID] = id_column()
    plan_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("change_plans.id"))
    workspace_id: Mapped[uuid.UUID] = workspace_column()
    position: Mapped[int] = mapped_column(Integer)
    account_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("ad_accounts.id"))
    campaign_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("campaigns.id"))
    campaign_name: Mapped[str] = mapped_column(String(400))  # as it was called then
    field: Mapped[str] = mapped_column(String(12))
    before: Mapped[dict[str, Any]]  # the observed state: status, budget_micros, budget_level, name, learning ...
    after: Mapped[dict[str, Any]]  # {field: wanted value}
    evidence: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))
    effect_micros: Mapped[int] = mapped_column(BigInteger, server_default="0")  # spend per day, negative saves
    currency: Mapped[str] = mapped_column(String(3))
    status: Mapped[str] = mapped_column(String(8), server_default="pending")
    result: Mapped[dict[str, Any] | None]  # what was read back, the platform's request id, what went wrong
    done_at: Mapped[datetime | None]
    __table_args__ = (
        CheckConstraint("field in ('status','daily_budget','name')", name="field"),
        CheckConstraint(
            "status in ('pending','unticked','claimed','done','skipped','drifted','failed','unknown')", name="status"
        ),
        UniqueConstraint("plan_id", "position"),
        UniqueConstraint("plan_id", "campaign_id", "field"),
    )


class AdAudit(Base):
    """The change log: append-only (a trigger refuses update and delete), one hash chain per workspace."""

    __tablename__ = "ad_audit"
    workspace_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("workspaces.id"), primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True)  # 1, 2, 3 ... without a gap
    at: Mapped[datetime]
    actor_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("users.id"))
    event: Mapped[str] = mapped_column(String(24))  # plan.proposed, plan.approved, item.done, item.drifted, plan.undone
    plan_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("change_plans.id"))
    item_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("change_items.id"))
    body: Mapped[dict[str, Any]]  # campaign, before, after, outcome, request id, model, turn
    prev_hash: Mapped[bytes]
    hash: Mapped[bytes]
