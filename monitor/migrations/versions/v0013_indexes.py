"""Indexes by which messages of one case, and cases by their number, are found where there are many."""

from __future__ import annotations

from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """To this version."""
    op.create_index("outbox_by_case", "outbox", ["case_key", "id"])
    op.create_index("their_cases_by_number", "their_cases", ["case_id"])


def downgrade() -> None:
    """Back to the one before."""
    op.drop_index("outbox_by_case", "outbox")
    op.drop_index("their_cases_by_number", "their_cases")
