"""Of a read also what was looked at where it was not one client, and whether it was refused."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0018"


def upgrade() -> None:
    """To this version."""
    op.add_column("reads", sa.Column("subject", sa.Text, nullable=False, server_default=""))
    op.add_column("reads", sa.Column("refused", sa.Integer, nullable=False, server_default="0"))


def downgrade() -> None:
    """Back to the one before."""
    for column in ("refused", "subject"):
        op.drop_column("reads", column)
