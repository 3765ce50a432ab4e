"""files on their way in, and what the collector heard last"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "uploads",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("filename", sa.String(length=160), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("header", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.Column(
            "dropped",
            postgresql.JSONB(none_as_null=True, astext_type=sa.Text()),
            server_default=sa.text("'[]'::jsonb"),
            nullable=False,
        ),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column(
            "choices",
            postgresql.JSONB(none_as_null=True, astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.Column("report", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("kind in ('meta','google','shopify')", name=op.f("ck_uploads_kind")),
        sa.ForeignKeyConstraint(["created_by"], ["users.id"], name=op.f("fk_uploads_created_by_users")),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], name=op.f("fk_uploads_workspace_id_workspaces")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_uploads")),
    )
    op.create_index(op.f("ix_uploads_expires_at"), "uploads", ["expires_at"], unique=False)
    op.create_index(op.f("ix_uploads_workspace_id"), "uploads", ["workspace_id"], unique=False)
    op.add_column("store_orders", sa.Column("other_id", sa.String(length=80), server_default="", nullable=False))
    op.create_index(
        "ix_store_orders_customer",
        "store_orders",
        ["workspace_id", "customer"],
        unique=False,
        postgresql_where=sa.text("customer <> ''"),
    )
    op.create_index(
        "ix_store_orders_other_id",
        "store_orders",
        ["workspace_id", "other_id"],
        unique=False,
        postgresql_where=sa.text("other_id <> ''"),
    )
    op.add_column("stores", sa.Column("collected_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column(
        "stores", sa.Column("collected", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True)
    )


def downgrade() -> None:
    op.drop_column("stores", "collected")
    op.drop_column("stores", "collected_at")
    op.drop_index("ix_store_orders_other_id", table_name="store_orders", postgresql_where=sa.text("other_id <> ''"))
    op.drop_index("ix_store_orders_customer", table_name="store_orders", postgresql_where=sa.text("customer <> ''"))
    op.drop_column("store_orders", "other_id")
    op.drop_index(op.f("ix_uploads_workspace_id"), table_name="uploads")
    op.drop_index(op.f("ix_uploads_expires_at"), table_name="uploads")
    op.drop_table("uploads")
