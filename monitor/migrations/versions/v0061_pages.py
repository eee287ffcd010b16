"""An index by which an incident's clients are paged by priority, however many they are."""

from __future__ import annotations

from alembic import op

revision = "0061"
down_revision = "0051"


def upgrade() -> None:
    """To this version."""
    op.create_index("impacts_by_priority", "impacts", ["incident_id", "touch", "priority", "client_id", "product"])


def downgrade() -> None:
    """Back to the one before."""
    op.drop_index("impacts_by_priority", "impacts")
