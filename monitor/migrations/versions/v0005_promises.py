"""What a case's promise is told by: its typology, and when its status changed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """To this version. Of what is held already only the newest status is known, since the case was last changed."""
    op.add_column("their_cases", sa.Column("typology", sa.Text(), server_default="", nullable=False))
    op.create_table(
        "case_changes",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("case_id", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("status", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("source", "case_id", "at"),
    )
    op.execute("""
        INSERT INTO case_changes (source, case_id, at, status)
        SELECT source, case_id, coalesce(updated_at, opened_at), status FROM their_cases""")


def downgrade() -> None:
    """Back to the one before."""
    op.drop_table("case_changes")
    op.drop_column("their_cases", "typology")
