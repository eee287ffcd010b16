"""Operations that an incident left in doubt, by id."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from monitor.tables import Money

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """To this version. What incidents left in doubt that are over already is not known."""
    op.create_table(
        "doubts",
        *(
            sa.Column(name, sa.Text(), nullable=False, primary_key=True)
            for name in ("incident_id", "client_id", "product", "channel", "id", "state", "source")
        ),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("amount", Money(), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True)),
        sa.Column("settled_as", sa.Text(), server_default="", nullable=False),
    )
    op.create_index("doubts_by_client", "doubts", ["client_id"])


def downgrade() -> None:
    """Back to the one before."""
    op.drop_table("doubts")
