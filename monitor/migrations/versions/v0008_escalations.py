"""Causes that came back and were escalated: when, with which incidents, to whom."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def _time(name: str) -> sa.Column[datetime]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=False)


def upgrade() -> None:
    """To this version. What came back before is counted from the incidents that are kept."""
    op.create_table(
        "escalations",
        sa.Column("key", sa.Text(), primary_key=True, nullable=False),
        sa.Column("cause", sa.Text(), server_default="", nullable=False),
        *(_time(name) for name in ("first_at", "last_at", "escalated_at")),
        sa.Column("returns", sa.Integer(), nullable=False),
        sa.Column("incidents", sa.JSON(), nullable=False),
        sa.Column("owners", sa.JSON(), nullable=False),
        sa.Column("desk", sa.Text(), server_default="", nullable=False),
    )
    op.create_index("escalations_by_cause", "escalations", ["cause"])


def downgrade() -> None:
    """Back to the one before."""
    op.drop_table("escalations")
