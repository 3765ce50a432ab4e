"""ad accounts, campaigns, changes; the shop's orders and visits"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"


APPEND_ONLY = """
create function refuse_change() returns trigger language plpgsql as
$$ begin raise exception '% is append-only', tg_table_name; end $$;
create trigger append_only before update or delete or truncate on ad_audit
for each statement execute function refuse_change();
"""


def upgrade() -> None:
    op.create_table(
        "ad_accounts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("platform", sa.String(length=8), nullable=False),
        sa.Column("network", sa.String(length=8), server_default="", nullable=False),
        sa.Column("external_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=160), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("timezone", sa.String(length=64), nullable=False),
        sa.Column("prefix", sa.String(length=6), server_default="", nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=True),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.Column("vault_key_id", sa.LargeBinary(), nullable=True),
        sa.Column(
            "scopes",
            postgresql.JSONB(none_as_null=True, astext_type=sa.Text()),
            server_default=sa.text("'[]'::jsonb"),
            nullable=False,
        ),
        sa.Column("writable", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("token_expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "details",
            postgresql.JSONB(none_as_null=True, astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.Column("maturing_days", sa.Integer(), server_default="3", nullable=False),
        sa.Column("target_cpa_micros", sa.BigInteger(), nullable=True),
        sa.Column("status", sa.String(length=8), server_default="active", nullable=False),
        sa.Column("fault", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("revoked_by", sa.Uuid(), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("sync_state", sa.String(length=8), server_default="idle", nullable=False),
        sa.Column("sync_done", sa.Integer(), server_default="0", nullable=False),
        sa.Column("sync_total", sa.Integer(), server_default="0", nullable=False),
        sa.Column("sync_note", sa.String(length=300), server_default="", nullable=False),
        sa.Column("sync_lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("synced_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("data_through", sa.Date(), nullable=True),
        sa.Column("version", sa.BigInteger(), server_default="0", nullable=False),
        sa.CheckConstraint("network in ('','meta','google')", name=op.f("ck_ad_accounts_network")),
        sa.CheckConstraint("platform in ('meta','google','import','demo')", name=op.f("ck_ad_accounts_platform")),
        sa.CheckConstraint("status = 'active' or sealed is null", name=op.f("ck_ad_accounts_erased_when_revoked")),
        sa.CheckConstraint("status in ('active','revoked')", name=op.f("ck_ad_accounts_status")),
        sa.CheckConstraint("sync_state in ('idle','running','failed')", name=op.f("ck_ad_accounts_sync_state")),
        sa.ForeignKeyConstraint(["created_by"], ["users.id"], name=op.f("fk_ad_accounts_created_by_users")),
        sa.ForeignKeyConstraint(["revoked_by"], ["users.id"], name=op.f("fk_ad_accounts_revoked_by_users")),
        sa.ForeignKeyConstraint(
            ["vault_key_id"], ["vault_keys.key_id"], name=op.f("fk_ad_accounts_vault_key_id_vault_keys")
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_ad_accounts_workspace_id_workspaces")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ad_accounts")),
    )
    op.create_index(op.f("ix_ad_accounts_vault_key_id"), "ad_accounts", ["vault_key_id"], unique=False)
    op.create_index(op.f("ix_ad_accounts_workspace_id"), "ad_accounts", ["workspace_id"], unique=False)
    op.create_index(
        "uq_ad_accounts_active",
        "ad_accounts",
        ["workspace_id", "platform", "external_id"],
        unique=True,
        postgresql_where=sa.text("status = 'active'"),
    )
    op.create_table(
        "guard_rails",
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("mode", sa.String(length=8), server_default="preview", nullable=False),
        sa.Column("approvers", sa.String(length=8), server_default="admins", nullable=False),
        sa.Column("budget_change_pct", sa.Integer(), server_default="20", nullable=False),
        sa.Column("campaign_cap_micros", sa.BigInteger(), nullable=True),
        sa.Column("workspace_cap_micros", sa.BigInteger(), nullable=True),
        sa.Column("step_up_micros", sa.BigInteger(), nullable=True),
        sa.Column("cap_currency", sa.String(length=3), server_default="", nullable=False),
        sa.Column("max_campaigns", sa.Integer(), server_default="10", nullable=False),
        sa.Column("max_spend_share_pct", sa.Integer(), server_default="30", nullable=False),
        sa.Column("cooldown_hours", sa.Integer(), server_default="24", nullable=False),
        sa.Column("updated_by", sa.Uuid(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("approvers in ('admins','members')", name=op.f("ck_guard_rails_approvers")),
        sa.CheckConstraint("mode in ('off','preview','on')", name=op.f("ck_guard_rails_mode")),
        sa.ForeignKeyConstraint(["updated_by"], ["users.id"], name=op.f("fk_guard_rails_updated_by_users")),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_guard_rails_workspace_id_workspaces")
        ),
        sa.PrimaryKeyConstraint("workspace_id", name=op.f("pk_guard_rails")),
    )
    op.create_table(
        "stores",
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=120), server_default="", nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("timezone", sa.String(length=64), nullable=False),
        sa.Column("revenue_basis", sa.String(length=8), server_default="net", nullable=False),
        sa.Column("collect_key", sa.String(length=40), nullable=False),
        sa.Column(
            "origins",
            postgresql.JSONB(none_as_null=True, astext_type=sa.Text()),
            server_default=sa.text("'[]'::jsonb"),
            nullable=False,
        ),
        sa.Column("version", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("revenue_basis in ('net','gross')", name=op.f("ck_stores_revenue_basis")),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], name=op.f("fk_stores_workspace_id_workspaces")),
        sa.PrimaryKeyConstraint("workspace_id", name=op.f("pk_stores")),
        sa.UniqueConstraint("collect_key", name=op.f("uq_stores_collect_key")),
    )
    op.create_table(
        "campaigns",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("external_id", sa.String(length=200), nullable=False),
        sa.Column("name", sa.String(length=400), nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("effective_status", sa.String(length=40), server_default="", nullable=False),
        sa.Column(
            "issues",
            postgresql.JSONB(none_as_null=True, astext_type=sa.Text()),
            server_default=sa.text("'[]'::jsonb"),
            nullable=False,
        ),
        sa.Column("objective", sa.String(length=10), server_default="unknown", nullable=False),
        sa.Column("bid_strategy", sa.String(length=60), server_default="", nullable=False),
        sa.Column("budget_micros", sa.BigInteger(), nullable=True),
        sa.Column("budget_period", sa.String(length=8), server_default="", nullable=False),
        sa.Column("budget_level", sa.String(length=8), server_default="unknown", nullable=False),
        sa.Column("budget_id", sa.String(length=64), server_default="", nullable=False),
        sa.Column(
            "shared_with",
            postgresql.JSONB(none_as_null=True, astext_type=sa.Text()),
            server_default=sa.text("'[]'::jsonb"),
            nullable=False,
        ),
        sa.Column(
            "adsets",
            postgresql.JSONB(none_as_null=True, astext_type=sa.Text()),
            server_default=sa.text("'[]'::jsonb"),
            nullable=False,
        ),
        sa.Column("learning", sa.String(length=8), server_default="unknown", nullable=False),
        sa.Column("learning_events", sa.Integer(), nullable=True),
        sa.Column("started_on", sa.Date(), nullable=True),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("seen_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "budget_level in ('campaign','adset','shared','none','unknown')", name=op.f("ck_campaigns_budget_level")
        ),
        sa.CheckConstraint("budget_period in ('daily','lifetime','')", name=op.f("ck_campaigns_budget_period")),
        sa.CheckConstraint(
            "learning in ('learning','learned','limited','unknown')", name=op.f("ck_campaigns_learning")
        ),
        sa.CheckConstraint(
            "objective in ('sales','leads','traffic','engagement','awareness','app','unknown')",
            name=op.f("ck_campaigns_objective"),
        ),
        sa.CheckConstraint("status in ('active','paused','archived','deleted')", name=op.f("ck_campaigns_status")),
        sa.ForeignKeyConstraint(["account_id"], ["ad_accounts.id"], name=op.f("fk_campaigns_account_id_ad_accounts")),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], name=op.f("fk_campaigns_workspace_id_workspaces")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_campaigns")),
        sa.UniqueConstraint("account_id", "external_id", name=op.f("uq_campaigns_account_id_external_id")),
    )
    op.create_index(op.f("ix_campaigns_workspace_id"), "campaigns", ["workspace_id"], unique=False)
    op.create_table(
        "ad_daily",
        sa.Column("campaign_id", sa.Uuid(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("adset_id", sa.String(length=200), server_default="", nullable=False),
        sa.Column("ad_id", sa.String(length=200), server_default="", nullable=False),
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("adset_name", sa.String(length=400), server_default="", nullable=False),
        sa.Column("ad_name", sa.String(length=400), server_default="", nullable=False),
        sa.Column("spend_micros", sa.BigInteger(), nullable=False),
        sa.Column("impressions", sa.BigInteger(), nullable=False),
        sa.Column("clicks", sa.BigInteger(), nullable=False),
        sa.Column("orders", sa.Double(), nullable=False),
        sa.Column("revenue_micros", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["ad_accounts.id"], name=op.f("fk_ad_daily_account_id_ad_accounts")),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaigns.id"], name=op.f("fk_ad_daily_campaign_id_campaigns")),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], name=op.f("fk_ad_daily_workspace_id_workspaces")),
        sa.PrimaryKeyConstraint("campaign_id", "day", "adset_id", "ad_id", name=op.f("pk_ad_daily")),
    )
    op.create_index("ix_ad_daily_account_day", "ad_daily", ["account_id", "day"], unique=False)
    op.create_index(
        "ix_ad_daily_workspace_day",
        "ad_daily",
        ["workspace_id", "day"],
        unique=False,
        postgresql_include=["account_id", "spend_micros", "revenue_micros", "orders", "impressions", "clicks"],
    )
    op.create_table(
        "change_plans",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("turn_id", sa.Uuid(), nullable=True),
        sa.Column("tool_use_id", sa.String(length=200), server_default="", nullable=False),
        sa.Column("undo_of", sa.Uuid(), nullable=True),
        sa.Column("proposed_by", sa.Uuid(), nullable=False),
        sa.Column("model", sa.String(length=160), server_default="", nullable=False),
        sa.Column("tool", sa.String(length=40), nullable=False),
        sa.Column("arguments", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.Column("reason", sa.String(length=500), server_default="", nullable=False),
        sa.Column(
            "report",
            postgresql.JSONB(none_as_null=True, astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.Column(
            "warnings",
            postgresql.JSONB(none_as_null=True, astext_type=sa.Text()),
            server_default=sa.text("'[]'::jsonb"),
            nullable=False,
        ),
        sa.Column("step_up", sa.String(length=60), server_default="", nullable=False),
        sa.Column("plan_hash", sa.LargeBinary(), nullable=False),
        sa.Column("status", sa.String(length=10), server_default="pending", nullable=False),
        sa.Column("decided_by", sa.Uuid(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("note", sa.String(length=300), server_default="", nullable=False),
        sa.Column("owner", sa.String(length=64), server_default="", nullable=False),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "status in ('pending','approved','finished','rejected','expired','cancelled','preview')",
            name=op.f("ck_change_plans_status"),
        ),
        sa.ForeignKeyConstraint(["decided_by"], ["users.id"], name=op.f("fk_change_plans_decided_by_users")),
        sa.ForeignKeyConstraint(["proposed_by"], ["users.id"], name=op.f("fk_change_plans_proposed_by_users")),
        sa.ForeignKeyConstraint(["turn_id"], ["chat_turns.id"], name=op.f("fk_change_plans_turn_id_chat_turns")),
        sa.ForeignKeyConstraint(["undo_of"], ["change_plans.id"], name=op.f("fk_change_plans_undo_of_change_plans")),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_change_plans_workspace_id_workspaces")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_change_plans")),
    )
    op.create_index(
        "ix_change_plans_open",
        "change_plans",
        ["expires_at"],
        unique=False,
        postgresql_where=sa.text("status in ('pending','approved')"),
    )
    op.create_index(op.f("ix_change_plans_turn_id"), "change_plans", ["turn_id"], unique=False)
    op.create_index(op.f("ix_change_plans_workspace_id"), "change_plans", ["workspace_id"], unique=False)
    op.create_index(
        "uq_change_plans_once_a_turn",
        "change_plans",
        ["turn_id", "plan_hash"],
        unique=True,
        postgresql_where=sa.text("turn_id is not null"),
    )
    op.create_index(
        "uq_change_plans_tool_use",
        "change_plans",
        ["turn_id", "tool_use_id"],
        unique=True,
        postgresql_where=sa.text("turn_id is not null"),
    )
    op.create_table(
        "store_orders",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("source", sa.String(length=8), nullable=False),
        sa.Column("external_id", sa.String(length=80), nullable=False),
        sa.Column("ordered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("gross_micros", sa.BigInteger(), nullable=False),
        sa.Column("refund_micros", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("customer", sa.String(length=32), server_default="", nullable=False),
        sa.Column("is_first", sa.Boolean(), nullable=True),
        sa.Column("visitor_id", sa.String(length=40), server_default="", nullable=False),
        sa.Column("channel", sa.String(length=24), server_default="unknown", nullable=False),
        sa.Column("campaign_id", sa.Uuid(), nullable=True),
        sa.Column("country", sa.String(length=2), server_default="", nullable=False),
        sa.Column("device", sa.String(length=8), server_default="", nullable=False),
        sa.Column("landing_page", sa.String(length=200), server_default="", nullable=False),
        sa.CheckConstraint("source in ('demo','shopify','collect')", name=op.f("ck_store_orders_source")),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaigns.id"], name=op.f("fk_store_orders_campaign_id_campaigns")),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_store_orders_workspace_id_workspaces")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_store_orders")),
        sa.UniqueConstraint(
            "workspace_id", "source", "external_id", name=op.f("uq_store_orders_workspace_id_source_external_id")
        ),
    )
    op.create_index(
        "ix_store_orders_visitor", "store_orders", ["workspace_id", "visitor_id", "ordered_at"], unique=False
    )
    op.create_index(
        "ix_store_orders_workspace_day",
        "store_orders",
        ["workspace_id", "day"],
        unique=False,
        postgresql_include=["currency", "gross_micros", "refund_micros", "is_first", "channel"],
    )
    op.create_table(
        "visits",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("source", sa.String(length=8), nullable=False),
        sa.Column("session_key", sa.String(length=64), nullable=False),
        sa.Column("visitor_id", sa.String(length=40), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("channel", sa.String(length=24), server_default="direct", nullable=False),
        sa.Column("campaign_id", sa.Uuid(), nullable=True),
        sa.Column("country", sa.String(length=2), server_default="", nullable=False),
        sa.Column("device", sa.String(length=8), server_default="", nullable=False),
        sa.Column("landing_page", sa.String(length=200), server_default="", nullable=False),
        sa.Column("is_new", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("viewed", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("carted", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("checkout", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("purchased", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.CheckConstraint("source in ('demo','collect')", name=op.f("ck_visits_source")),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaigns.id"], name=op.f("fk_visits_campaign_id_campaigns")),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], name=op.f("fk_visits_workspace_id_workspaces")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_visits")),
        sa.UniqueConstraint(
            "workspace_id", "source", "session_key", name=op.f("uq_visits_workspace_id_source_session_key")
        ),
    )
    op.create_index("ix_visits_visitor", "visits", ["workspace_id", "visitor_id", "started_at"], unique=False)
    op.create_index(
        "ix_visits_workspace_day",
        "visits",
        ["workspace_id", "day"],
        unique=False,
        postgresql_include=["channel", "country", "device", "is_new", "viewed", "carted", "checkout", "purchased"],
    )
    op.create_table(
        "change_items",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("plan_id", sa.Uuid(), nullable=False),
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("campaign_id", sa.Uuid(), nullable=False),
        sa.Column("campaign_name", sa.String(length=400), nullable=False),
        sa.Column("field", sa.String(length=12), nullable=False),
        sa.Column("before", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.Column("after", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.Column(
            "evidence",
            postgresql.JSONB(none_as_null=True, astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.Column("effect_micros", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("status", sa.String(length=8), server_default="pending", nullable=False),
        sa.Column("result", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("field in ('status','daily_budget','name')", name=op.f("ck_change_items_field")),
        sa.CheckConstraint(
            "status in ('pending','unticked','claimed','done','skipped','drifted','failed','unknown')",
            name=op.f("ck_change_items_status"),
        ),
        sa.ForeignKeyConstraint(
            ["account_id"], ["ad_accounts.id"], name=op.f("fk_change_items_account_id_ad_accounts")
        ),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaigns.id"], name=op.f("fk_change_items_campaign_id_campaigns")),
        sa.ForeignKeyConstraint(["plan_id"], ["change_plans.id"], name=op.f("fk_change_items_plan_id_change_plans")),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_change_items_workspace_id_workspaces")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_change_items")),
        sa.UniqueConstraint("plan_id", "campaign_id", "field", name=op.f("uq_change_items_plan_id_campaign_id_field")),
        sa.UniqueConstraint("plan_id", "position", name=op.f("uq_change_items_plan_id_position")),
    )
    op.create_index(op.f("ix_change_items_workspace_id"), "change_items", ["workspace_id"], unique=False)
    op.create_table(
        "ad_audit",
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor_id", sa.Uuid(), nullable=True),
        sa.Column("event", sa.String(length=24), nullable=False),
        sa.Column("plan_id", sa.Uuid(), nullable=True),
        sa.Column("item_id", sa.Uuid(), nullable=True),
        sa.Column("body", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.Column("prev_hash", sa.LargeBinary(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["actor_id"], ["users.id"], name=op.f("fk_ad_audit_actor_id_users")),
        sa.ForeignKeyConstraint(["item_id"], ["change_items.id"], name=op.f("fk_ad_audit_item_id_change_items")),
        sa.ForeignKeyConstraint(["plan_id"], ["change_plans.id"], name=op.f("fk_ad_audit_plan_id_change_plans")),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], name=op.f("fk_ad_audit_workspace_id_workspaces")),
        sa.PrimaryKeyConstraint("workspace_id", "seq", name=op.f("pk_ad_audit")),
    )
    op.execute(APPEND_ONLY)


def downgrade() -> None:
    op.drop_table("ad_audit")
    op.drop_index(op.f("ix_change_items_workspace_id"), table_name="change_items")
    op.drop_table("change_items")
    op.drop_index("ix_visits_workspace_day", table_name="visits")
    op.drop_index("ix_visits_visitor", table_name="visits")
    op.drop_table("visits")
    op.drop_index("ix_store_orders_workspace_day", table_name="store_orders")
    op.drop_index("ix_store_orders_visitor", table_name="store_orders")
    op.drop_table("store_orders")
    op.drop_index(
        "uq_change_plans_once_a_turn", table_name="change_plans", postgresql_where=sa.text("turn_id is not null")
    )
    op.drop_index(
        "uq_change_plans_tool_use", table_name="change_plans", postgresql_where=sa.text("turn_id is not null")
    )
    op.drop_index(op.f("ix_change_plans_workspace_id"), table_name="change_plans")
    op.drop_index(op.f("ix_change_plans_turn_id"), table_name="change_plans")
    op.drop_index(
        "ix_change_plans_open", table_name="change_plans", postgresql_where=sa.text("status in ('pending','approved')")
    )
    op.drop_table("change_plans")
    op.drop_index("ix_ad_daily_workspace_day", table_name="ad_daily")
    op.drop_index("ix_ad_daily_account_day", table_name="ad_daily")
    op.drop_table("ad_daily")
    op.drop_index(op.f("ix_campaigns_workspace_id"), table_name="campaigns")
    op.drop_table("campaigns")
    op.drop_table("stores")
    op.drop_table("guard_rails")
    op.drop_index("uq_ad_accounts_active", table_name="ad_accounts", postgresql_where=sa.text("status = 'active'"))
    op.drop_index(op.f("ix_ad_accounts_workspace_id"), table_name="ad_accounts")
    op.drop_index(op.f("ix_ad_accounts_vault_key_id"), table_name="ad_accounts")
    op.drop_table("ad_accounts")
    op.execute("drop function refuse_change")
