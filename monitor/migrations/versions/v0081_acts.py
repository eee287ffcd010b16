"""Whom an act is about, in the view of the acts: a report that hides clients hides what was done about them too."""

from __future__ import annotations

from alembic import op

revision = "0081"
down_revision = "0071"

BEFORE = "SELECT id, incident_id, case_key, at, who, action, text FROM acts"
VIEW = (
    "SELECT a.id, a.incident_id, a.case_key, coalesce(d.client_id, i.client_id, '') AS client_id, a.at, a.who, a.action, a.text"
    " FROM acts a LEFT JOIN decisions d ON d.key = a.case_key LEFT JOIN incidents i ON i.id = a.incident_id"
)


def upgrade() -> None:
    """To this version."""
    op.execute("DROP VIEW v_acts")
    op.execute(f"CREATE VIEW v_acts AS {VIEW}")


def downgrade() -> None:
    """Back to the one before."""
    op.execute("DROP VIEW v_acts")
    op.execute(f"CREATE VIEW v_acts AS {BEFORE}")
