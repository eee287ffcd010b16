"""What boards read: how each case's promise stands (clocks), and views with stable names over the state.

A later version that changes a table under a view drops the view first and makes it anew: PostgreSQL keeps a column that a view shows.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from monitor.tables import Utc

revision = "0019"
down_revision = "0021"

CASE = ("client_id", "product", "channel", "segment", "kind", "typology", "status", "level", "reported_by", "state")
NAMED = "c.name AS client, lower(coalesce(c.segment, '')) AS segment"
COUNTS = {
    "affected": "SELECT count(DISTINCT m.client_id) FROM impacts m WHERE m.incident_id = i.id AND m.touch = 'affected'",
    "exposed": "SELECT count(DISTINCT m.client_id) FROM impacts m WHERE m.incident_id = i.id AND m.touch = 'exposed'"
    " AND NOT EXISTS (SELECT 1 FROM impacts a WHERE a.incident_id = i.id AND a.client_id = m.client_id AND a.touch = 'affected')",
    "cases_opened": "SELECT count(*) FROM decisions d WHERE d.incident_id = i.id AND d.action = 'open' AND d.withdrawn_at IS NULL",
    "cases_linked": "SELECT count(*) FROM decisions d WHERE d.incident_id = i.id AND d.action = 'link'",
    "cases_left": "SELECT count(*) FROM decisions d WHERE d.incident_id = i.id"
    " AND (d.action = 'none' OR (d.action = 'open' AND d.withdrawn_at IS NOT NULL))",
    "priority": "SELECT coalesce(max(m.priority), 0) FROM impacts m WHERE m.incident_id = i.id AND m.touch = 'affected'",
}
VIEWS = {
    "v_incidents": "SELECT i.id, i.product, i.channel, i.client_id, i.kind, i.severity, i.state, i.started_at, i.detected_at, i.ended_at,"
    " i.resolved_at, {lasted} AS seconds, i.guide, i.acknowledged_by, i.assigned_to, i.resolved_by, i.value, i.expected, "
    + ", ".join(f"({query}) AS {name}" for name, query in COUNTS.items())
    + " FROM incidents i WHERE i.state <> 'merged'",
    "v_impacts": f"SELECT m.incident_id, m.client_id, {NAMED}, m.product, m.touch, m.failures, m.missing, {{amount}} AS amount,"
    " m.first_failure_at, m.exposed_at, m.priority, m.chance, m.next_use_at"
    " FROM impacts m LEFT JOIN clients c ON c.client_id = m.client_id",
    "v_cases": f"SELECT d.key, d.incident_id, d.client_id, {NAMED}, d.product, i.channel, d.action, d.reason, d.priority, d.decided_at,"
    " d.opened_at, d.desk, coalesce(o.reference, '') AS reference, coalesce(o.state, '') AS delivery, d.linked_source, d.linked_case_id,"
    " d.client_reported_at, d.informed_at, d.promoted_at, d.withdrawn_at, CASE WHEN d.action <> 'none' AND (d.withdrawn_at IS NULL"
    " OR d.withdrawn_at > d.client_reported_at) THEN {lead} END AS lead_seconds"
    " FROM decisions d LEFT JOIN incidents i ON i.id = d.incident_id LEFT JOIN clients c ON c.client_id = d.client_id"
    " LEFT JOIN outbox o ON o.key = d.key",
    "v_clocks": f"SELECT k.source, k.case_id, k.client_id, c.name AS client, {', '.join(f'k.{n}' for n in CASE if n != 'client_id')},"
    " k.returns, k.reopened, k.opened_at, k.ended_at, k.due_at, k.seconds, k.kept_at"
    " FROM clocks k LEFT JOIN clients c ON c.client_id = k.client_id",
    "v_clients": "SELECT client_id, name AS client, lower(segment) AS segment, value_rank, sensitivity, post_sale, substitute, manager,"
    " group_id, sector FROM clients",
    "v_holdings": "SELECT client_id, product, channel, since, until FROM holdings",
    "v_acts": "SELECT id, incident_id, case_key, at, who, action, text FROM acts",
    "v_doubts": "SELECT incident_id, client_id, product, channel, id, state, at, {doubtful} AS amount, n, settled_at, settled_as"
    " FROM doubts",
    "v_escalations": "SELECT key, cause, first_at, last_at, returns, escalated_at, desk FROM escalations",
    "v_verdicts": "SELECT product, channel, healthy, unknown, breach FROM verdicts",
}
"""By name. `{...}` is where the two databases differ: an age in seconds, an amount of money."""


def words(dialect: str) -> dict[str, str]:
    """What stands in the views' braces."""
    postgres = dialect == "postgresql"
    now = "now()" if postgres else "'now'"

    def age(end: str, start: str) -> str:
        if postgres:
            return f"extract(epoch FROM {end} - {start})::double precision"
        return f"((julianday({end}) - julianday({start})) * 86400.0)"

    def money(column: str) -> str:
        return column if postgres else f"CAST({column} AS REAL)"

    end = f"CASE WHEN i.state = 'firing' THEN {now} ELSE coalesce(i.ended_at, i.resolved_at, i.detected_at) END"
    return {
        "lasted": age(f"({end})", "i.started_at"), "lead": age("d.client_reported_at", "d.opened_at"),
        "amount": money("m.amount"), "doubtful": money("amount"),
    }  # fmt: skip


def upgrade() -> None:
    """To this version."""

    def text(name: str, *, key: bool = False) -> sa.Column[str]:
        return sa.Column(name, sa.Text, primary_key=key, nullable=False, server_default=None if key else "")

    op.create_table(
        "clocks",
        *(text(name, key=True) for name in ("source", "case_id")),
        *(text(name) for name in CASE),
        *(sa.Column(name, sa.Integer, nullable=False) for name in ("returns", "reopened")),
        sa.Column("opened_at", Utc, nullable=False),
        *(sa.Column(name, Utc) for name in ("ended_at", "due_at")),
        sa.Column("seconds", sa.Float, nullable=False),
        sa.Column("kept_at", Utc, nullable=False),
    )
    said = words(op.get_context().dialect.name)
    for name, query in VIEWS.items():
        op.execute(f"CREATE VIEW {name} AS {query.format(**said)}")


def downgrade() -> None:
    """Back to the one before."""
    for name in VIEWS:
        op.execute(f"DROP VIEW {name}")
    op.drop_table("clocks")
