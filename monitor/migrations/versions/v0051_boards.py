"""What boards are told: stories, indicators by month, leads and what was pushed; and views over them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from monitor.tables import Utc

revision = "0051"
down_revision = "0041"

KEYS = {
    "stories": ("source", "sprint", "story_id"),
    "pushed": ("board", "place", "sheet", "incident_id", "id"),
    "months": ("month", "name"),
    "leads": ("incident_id", "client_id"),
}
TEXTS = {
    "stories": ("title", "state"),
    "pushed": ("mark",),
    "months": ("unit", "formula"),
    "leads": ("product", "segment", "reported_by"),
}
TIMES = {
    "stories": ("sprint_start", "sprint_end", "planned_at", "done_at", "updated_at"),
    "leads": ("detected_at", "named_at", "case_at", "informed_at", "reached_at", "reported_at"),
}
VIEWS = {
    "v_stories": "SELECT source, sprint, story_id, title, state, sprint_start, sprint_end, planned_at, done_at, updated_at,"
    " CASE WHEN planned_at IS NULL THEN 0 ELSE 1 END AS planned,"
    " CASE WHEN planned_at IS NOT NULL AND done_at <= sprint_end THEN 1 ELSE 0 END AS done FROM stories",
    "v_indicators": "SELECT month, name, unit, value, numerator, denominator, formula, kept_at FROM months",
    "v_leads": "SELECT l.incident_id, l.client_id, c.name AS client, l.segment, l.product, l.detected_at, l.named_at, l.case_at,"
    " l.informed_at, l.reached_at, l.reported_at, l.reported_by, l.first AS reached_first, l.lead_seconds, l.kept_at"
    " FROM leads l LEFT JOIN clients c ON c.client_id = l.client_id",
}


def upgrade() -> None:
    """To this version."""

    def text(name: str, *, key: bool = False) -> sa.Column[str]:
        return sa.Column(name, sa.Text, primary_key=key, nullable=False, server_default=None if key else "")

    others = {
        "stories": [],
        "pushed": [sa.Column("version", sa.BigInteger, nullable=False)],
        "months": [
            *(sa.Column(name, sa.Float) for name in ("value", "numerator", "denominator")),
            sa.Column("kept_at", Utc, nullable=False),
        ],
        "leads": [
            sa.Column("first", sa.Integer, nullable=False),
            sa.Column("lead_seconds", sa.Float),
            sa.Column("kept_at", Utc, nullable=False),
        ],
    }
    for name, keys in KEYS.items():
        op.create_table(
            name,
            *(text(key, key=True) for key in keys),
            *map(text, TEXTS[name]),
            *(sa.Column(time, Utc) for time in TIMES.get(name, ())),
            *others[name],
        )
    for name, query in VIEWS.items():
        op.execute(f"CREATE VIEW {name} AS {query}")


def downgrade() -> None:
    """Back to the one before."""
    for name in VIEWS:
        op.execute(f"DROP VIEW {name}")
    for name in KEYS:
        op.drop_table(name)
