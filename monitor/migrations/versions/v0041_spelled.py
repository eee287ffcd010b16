"""Segments and addresses of clients spelled as the intake now spells them."""

from __future__ import annotations

from alembic import op

revision = "0041"
down_revision = "0031"
ROLES = ("post_sale", "substitute", "manager")


def upgrade() -> None:
    """To this version."""
    op.execute("UPDATE clients SET segment = lower(trim(segment)) WHERE segment <> lower(trim(segment))")
    for role in ROLES:
        op.execute(
            f"UPDATE clients SET {role} = lower(trim({role})) WHERE {role} LIKE '%@%' AND {role} <> lower(trim({role}))"
        )


def downgrade() -> None:
    """Back to the one before: how the bank wrote them comes with its next rows."""
