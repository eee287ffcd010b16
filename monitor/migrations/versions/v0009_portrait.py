"""What the rules last said of each product and channel, and who has read what of which client."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def _text(name: str, *, key: bool = False) -> sa.Column[str]:
    if key:
        return sa.Column(name, sa.Text(), primary_key=True, nullable=False)
    return sa.Column(name, sa.Text(), server_default="", nullable=False)


def upgrade() -> None:
    """To this version. What the rules say is known from the next judged minute on."""
    op.create_table(
        "verdicts",
        *(_text(name, key=True) for name in ("product", "channel")),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in ("healthy", "unknown", "breach")),
    )
    op.create_table(
        "reads",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        *(_text(name) for name in ("who", "client_id", "door")),
    )
    op.create_index("reads_by_client", "reads", ["client_id", "at"])


def downgrade() -> None:
    """Back to the one before."""
    op.drop_table("reads")
    op.drop_table("verdicts")
