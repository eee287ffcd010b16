"""What people do: what an act names, by what its caller knows it, the chain over all of them; reopened incidents; signed hand-overs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from monitor.tables import Utc

revision = "0018"
down_revision = "0014"
_ADDED = ("about", "request_key", "hash")


def upgrade() -> None:
    """To this version."""
    for name in _ADDED:
        op.add_column("acts", sa.Column(name, sa.Text, nullable=False, server_default=""))
    op.add_column("incidents", sa.Column("reopened_at", Utc))
    op.create_table(
        "handovers",
        sa.Column("id", sa.Text, primary_key=True, nullable=False),
        *(sa.Column(name, Utc, nullable=False) for name in ("at", "since")),
        *(sa.Column(name, sa.Text, nullable=False, server_default="") for name in ("author", "to", "text", "told")),
    )


def downgrade() -> None:
    """Back to the one before."""
    op.drop_table("handovers")
    op.drop_column("incidents", "reopened_at")
    for name in reversed(_ADDED):
        op.drop_column("acts", name)
