"""Where an incident shows only because that rests on what fails."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """To this version."""
    op.add_column("incidents", sa.Column("symptoms", sa.JSON()))


def downgrade() -> None:
    """Back to the one before."""
    op.drop_column("incidents", "symptoms")
