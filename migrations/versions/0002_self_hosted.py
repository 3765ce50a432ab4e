"""self-hosted servers: the address that a key is for"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("byok_keys", sa.Column("base_url", sa.String(length=300), server_default="", nullable=False))


def downgrade() -> None:
    op.drop_column("byok_keys", "base_url")
