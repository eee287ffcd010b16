"""Indexes by which clients are found by who answers for them, and decisions by incident and client, where there are many."""

from __future__ import annotations

from alembic import op

revision = "0031"
down_revision = "0019"
ROLES = ("post_sale", "substitute", "manager")


def upgrade() -> None:
    """To this version."""
    for role in ROLES:
        op.create_index(f"clients_by_{role}", "clients", [role])
    op.drop_index("decisions_by_incident", "decisions")
    op.create_index("decisions_by_incident", "decisions", ["incident_id", "client_id"])


def downgrade() -> None:
    """Back to the one before."""
    op.drop_index("decisions_by_incident", "decisions")
    op.create_index("decisions_by_incident", "decisions", ["incident_id"])
    for role in ROLES:
        op.drop_index(f"clients_by_{role}", "clients")
