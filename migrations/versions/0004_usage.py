"""what calls use and cost, budgets, frozen prefixes, members' own keys"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"

# A turn from before the ledger is one entry, with what it counted. Nobody noted its price.
EARLIER = """
insert into usage_entries (id, workspace_id, user_id, session_id, turn_id, round, surface, provider, model,
    model_served, byok_key_id, key_label, input, cache_read, cache_write, cache_write_1h, output, thinking,
    estimated, at)
select gen_random_uuid(), t.workspace_id, t.user_id, t.session_id, t.id, 0, s.surface, t.provider, t.model,
    t.model_served, t.byok_key_id, t.key_label, (t.usage->>'input')::bigint, (t.usage->>'cache_read')::bigint,
    (t.usage->>'cache_write')::bigint, (t.usage->>'cache_write_1h')::bigint, (t.usage->>'output')::bigint,
    (t.usage->>'thinking')::bigint, t.state <> 'done', t.created_at
from chat_turns t join chat_sessions s on s.id = t.session_id
where t.total_tokens > 0 and t.usage is not null
"""


def upgrade() -> None:
    op.create_table(
        "prefixes",
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("surface", sa.String(length=16), nullable=False),
        sa.Column("system", sa.String(), nullable=False),
        sa.Column("tools", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_prefixes")),
    )
    op.create_table(
        "budgets",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("applies_to", sa.String(length=9), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("period", sa.String(length=5), nullable=False),
        sa.Column("unit", sa.String(length=6), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("updated_by", sa.Uuid(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("(applies_to = 'member') = (user_id is not null)", name=op.f("ck_budgets_one_member")),
        sa.CheckConstraint("(applies_to = 'turn') = (period = 'turn')", name=op.f("ck_budgets_turn")),
        sa.CheckConstraint(
            "applies_to in ('workspace','everyone','member','turn')", name=op.f("ck_budgets_applies_to")
        ),
        sa.CheckConstraint("period in ('day','month','turn')", name=op.f("ck_budgets_period")),
        sa.CheckConstraint("unit in ('usd','tokens')", name=op.f("ck_budgets_unit")),
        sa.CheckConstraint("amount > 0", name=op.f("ck_budgets_positive")),
        sa.ForeignKeyConstraint(["updated_by"], ["users.id"], name=op.f("fk_budgets_updated_by_users")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_budgets_user_id_users")),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], name=op.f("fk_budgets_workspace_id_workspaces")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_budgets")),
        sa.UniqueConstraint(
            "workspace_id",
            "applies_to",
            "user_id",
            "period",
            "unit",
            name=op.f("uq_budgets_workspace_id_applies_to_user_id_period_unit"),
            postgresql_nulls_not_distinct=True,
        ),
    )
    op.create_index(op.f("ix_budgets_workspace_id"), "budgets", ["workspace_id"], unique=False)
    op.create_table(
        "chat_policies",
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("cache_ttl", sa.String(length=2), server_default="5m", nullable=False),
        sa.Column("personal_keys", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("unpriced", sa.String(length=5), server_default="allow", nullable=False),
        sa.Column("updated_by", sa.Uuid(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("cache_ttl in ('5m','1h')", name=op.f("ck_chat_policies_cache_ttl")),
        sa.CheckConstraint("unpriced in ('allow','block')", name=op.f("ck_chat_policies_unpriced")),
        sa.ForeignKeyConstraint(["updated_by"], ["users.id"], name=op.f("fk_chat_policies_updated_by_users")),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_chat_policies_workspace_id_workspaces")
        ),
        sa.PrimaryKeyConstraint("workspace_id", name=op.f("pk_chat_policies")),
    )
    op.create_table(
        "budget_holds",
        sa.Column("turn_id", sa.Uuid(), nullable=False),
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("micros", sa.BigInteger(), nullable=False),
        sa.Column("tokens", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["turn_id"], ["chat_turns.id"], name=op.f("fk_budget_holds_turn_id_chat_turns")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_budget_holds_user_id_users")),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_budget_holds_workspace_id_workspaces")
        ),
        sa.PrimaryKeyConstraint("turn_id", name=op.f("pk_budget_holds")),
    )
    op.create_index(op.f("ix_budget_holds_workspace_id"), "budget_holds", ["workspace_id"], unique=False)
    op.create_table(
        "usage_entries",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("turn_id", sa.Uuid(), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("surface", sa.String(length=16), nullable=False),
        sa.Column("provider", sa.String(length=24), nullable=False),
        sa.Column("model", sa.String(length=160), nullable=False),
        sa.Column("model_served", sa.String(length=160), server_default="", nullable=False),
        sa.Column("byok_key_id", sa.Uuid(), nullable=True),
        sa.Column("key_label", sa.String(length=80), server_default="", nullable=False),
        sa.Column("personal", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("response_id", sa.String(length=160), server_default="", nullable=False),
        sa.Column("input", sa.BigInteger(), nullable=False),
        sa.Column("cache_read", sa.BigInteger(), nullable=False),
        sa.Column("cache_write", sa.BigInteger(), nullable=False),
        sa.Column("cache_write_1h", sa.BigInteger(), nullable=False),
        sa.Column("output", sa.BigInteger(), nullable=False),
        sa.Column("thinking", sa.BigInteger(), nullable=False),
        sa.Column("estimated", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("cost_micros", sa.BigInteger(), nullable=True),
        sa.Column("saved_micros", sa.BigInteger(), nullable=True),
        sa.Column("price_source", sa.String(length=12), server_default="unknown", nullable=False),
        sa.Column("priced_at", sa.String(length=10), server_default="", nullable=False),
        sa.Column("miss", sa.String(length=40), server_default="", nullable=False),
        sa.Column("prefix_hash", sa.LargeBinary(), nullable=True),
        sa.Column("first_token_ms", sa.Integer(), nullable=True),
        sa.Column("duration_ms", sa.Integer(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "price_source in ('provider','table','unknown')", name=op.f("ck_usage_entries_price_source")
        ),
        sa.ForeignKeyConstraint(["byok_key_id"], ["byok_keys.id"], name=op.f("fk_usage_entries_byok_key_id_byok_keys")),
        sa.ForeignKeyConstraint(
            ["session_id"], ["chat_sessions.id"], name=op.f("fk_usage_entries_session_id_chat_sessions")
        ),
        sa.ForeignKeyConstraint(["turn_id"], ["chat_turns.id"], name=op.f("fk_usage_entries_turn_id_chat_turns")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_usage_entries_user_id_users")),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_usage_entries_workspace_id_workspaces")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_usage_entries")),
        sa.UniqueConstraint("turn_id", "round", name=op.f("uq_usage_entries_turn_id_round")),
    )
    op.create_index("ix_usage_entries_session", "usage_entries", ["session_id"], unique=False)
    op.create_index("ix_usage_entries_workspace_at", "usage_entries", ["workspace_id", "at"], unique=False)
    op.add_column("byok_keys", sa.Column("owner_id", sa.Uuid(), nullable=True))
    op.drop_index("uq_byok_keys_active", table_name="byok_keys")
    op.create_index(
        "uq_byok_keys_active",
        "byok_keys",
        ["workspace_id", "provider", "owner_id"],
        unique=True,
        postgresql_nulls_not_distinct=True,
        postgresql_where=sa.text("status = 'active'"),
    )
    op.create_foreign_key(op.f("fk_byok_keys_owner_id_users"), "byok_keys", "users", ["owner_id"], ["id"])
    op.add_column("chat_sessions", sa.Column("prefix_hash", sa.LargeBinary(), nullable=True))
    op.create_foreign_key(
        op.f("fk_chat_sessions_prefix_hash_prefixes"), "chat_sessions", "prefixes", ["prefix_hash"], ["hash"]
    )
    op.execute(EARLIER)


def downgrade() -> None:
    op.drop_constraint(op.f("fk_chat_sessions_prefix_hash_prefixes"), "chat_sessions", type_="foreignkey")
    op.drop_column("chat_sessions", "prefix_hash")
    op.drop_constraint(op.f("fk_byok_keys_owner_id_users"), "byok_keys", type_="foreignkey")
    op.drop_index("uq_byok_keys_active", table_name="byok_keys")
    op.create_index(
        "uq_byok_keys_active",
        "byok_keys",
        ["workspace_id", "provider"],
        unique=True,
        postgresql_where=sa.text("status = 'active'"),
    )
    op.drop_column("byok_keys", "owner_id")
    op.drop_index("ix_usage_entries_workspace_at", table_name="usage_entries")
    op.drop_index("ix_usage_entries_session", table_name="usage_entries")
    op.drop_table("usage_entries")
    op.drop_index(op.f("ix_budget_holds_workspace_id"), table_name="budget_holds")
    op.drop_table("budget_holds")
    op.drop_table("chat_policies")
    op.drop_index(op.f("ix_budgets_workspace_id"), table_name="budgets")
    op.drop_table("budgets")
    op.drop_table("prefixes")
