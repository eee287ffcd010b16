"""What an incident's failures have in common, and how far its alerts reach."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """To this version."""
    for name in ("shares", "reach"):
        op.add_column("incidents", sa.Column(name, sa.JSON(), nullable=True))


def downgrade() -> None:
    """Back to the one before."""
    for name in ("shares", "reach"):
        op.drop_column("incidents", name)
