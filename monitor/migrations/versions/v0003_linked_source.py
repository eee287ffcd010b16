"""Which tool a linked case is of: two tools may give the same number."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """To this version. Of what is linked already: the first tool that has a case of that number and client."""
    op.add_column("decisions", sa.Column("linked_source", sa.Text(), server_default="", nullable=False))
    op.execute("""
        UPDATE decisions SET linked_source = coalesce(
            (SELECT min(source) FROM their_cases AS t
             WHERE t.case_id = decisions.linked_case_id AND t.client_id = decisions.client_id), '')
        WHERE linked_case_id <> ''""")


def downgrade() -> None:
    """Back to the one before."""
    op.drop_column("decisions", "linked_source")
