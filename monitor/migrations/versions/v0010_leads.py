"""Lead: when a client was first found affected, and what their case waited for."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """To this version. Of what was decided before, it is not known any more."""
    op.add_column("decisions", sa.Column("decided_at", sa.DateTime(timezone=True)))
    op.add_column("decisions", sa.Column("waited", sa.Text(), server_default="", nullable=False))


def downgrade() -> None:
    """Back to the one before."""
    for name in ("decided_at", "waited"):
        op.drop_column("decisions", name)
