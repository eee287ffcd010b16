"""By which door each act came; of those from before, it is not known, and their seals hold as they are."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0071"
down_revision = "0061"


def upgrade() -> None:
    """To this version."""
    op.add_column("acts", sa.Column("door", sa.Text, nullable=False, server_default=""))


def downgrade() -> None:
    """Back to the one before: what was sealed with its door no longer verifies."""
    op.drop_column("acts", "door")
