"""The client's side: who was called exposed, how sure a link is, what became of a case at N1 and N2."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def _time(name: str) -> sa.Column[datetime]:
    return sa.Column(name, sa.DateTime(timezone=True))


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), server_default="", nullable=False)


def _many(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), server_default="0", nullable=False)


def _new() -> list[tuple[str, sa.Column[Any]]]:
    return [
        *(
            ("impacts", column)
            for column in (_time("exposed_at"), sa.Column("chance", sa.Float()), _time("next_use_at"))
        ),
        *(("decisions", _time(name)) for name in ("informed_at", "promoted_at", "withdrawn_at")),
        *(("decisions", column) for column in (sa.Column("confidence", sa.Float()), _text("confirmed_by"))),
        *(("their_cases", column) for column in (_text("level"), _many("returns"), _many("reopened"))),
        *(("case_changes", column) for column in (_text("kind"), _text("level"))),
        ("acts", _text("case_key")),
    ]


def upgrade() -> None:
    """To this version. Who was called exposed before is not known any more."""
    for table, column in _new():
        op.add_column(table, column)


def downgrade() -> None:
    """Back to the one before."""
    for table, column in _new():
        op.drop_column(table, column.name)
