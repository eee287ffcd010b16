"""What people are told and do: threads of notices, silences, declared maintenance, an incident's curves and who it is assigned to."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from monitor.tables import Utc

revision = "0014"
down_revision = "0013"


def _text(name: str, *, key: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text, primary_key=key, nullable=False, server_default=None if key else "")


def upgrade() -> None:
    """To this version."""
    op.add_column("incidents", _text("assigned_to"))
    op.create_table(
        "threads",
        *(_text(name, key=True) for name in ("subject", "receiver", "recipient")),
        sa.Column("sequence", sa.Integer, nullable=False),
        sa.Column("told", sa.JSON, nullable=False),
        sa.Column("began_at", Utc, nullable=False),
        sa.Column("told_at", Utc, nullable=False),
        sa.Column("ended_at", Utc),
    )
    op.create_index("threads_by_time", "threads", ["receiver", "told_at"])
    op.create_table(
        "silences",
        _text("id", key=True),
        sa.Column("matchers", sa.JSON, nullable=False),
        _text("reason"),
        _text("author"),
        *(sa.Column(name, Utc, nullable=False) for name in ("created_at", "starts_at", "until")),
        _text("ended_by"),
        sa.Column("ended_at", Utc),
    )
    op.create_table(
        "works",
        _text("id", key=True),
        *(_text(name) for name in ("product", "channel", "cron", "reason", "author")),
        sa.Column("created_at", Utc, nullable=False),
        *(sa.Column(name, Utc) for name in ("starts_at", "until")),
        sa.Column("minutes", sa.Integer),
        _text("ended_by"),
        sa.Column("ended_at", Utc),
    )
    op.create_table(
        "traces",
        _text("incident_id", key=True),
        sa.Column("start", sa.BigInteger, nullable=False),
        sa.Column("curves", sa.JSON, nullable=False),
    )


def downgrade() -> None:
    """Back to the one before."""
    for table in ("traces", "works", "silences", "threads"):
        op.drop_table(table)
    op.drop_column("incidents", "assigned_to")
