"""Who let a case be opened, and which ties were undone and must not come again."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """To this version. Nothing was approved or undone before."""
    op.add_column("decisions", sa.Column("approved_by", sa.Text(), server_default="", nullable=False))
    op.add_column("decisions", sa.Column("undone", sa.JSON()))


def downgrade() -> None:
    """Back to the one before."""
    op.drop_column("decisions", "undone")
    op.drop_column("decisions", "approved_by")
