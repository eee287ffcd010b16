"""With which version of the weights a client's priority was made."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """To this version. Of what was ranked before, it is not known."""
    op.add_column("impacts", sa.Column("weights", sa.Text(), server_default="", nullable=False))


def downgrade() -> None:
    """Back to the one before."""
    op.drop_column("impacts", "weights")
