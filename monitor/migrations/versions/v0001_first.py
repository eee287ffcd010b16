"""The first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from monitor.tables import SERIAL, Money, Utc

revision = "0001"
down_revision = None


def upgrade() -> None:
    """To this version."""
    op.create_table(
        "acts",
        sa.Column("id", SERIAL, nullable=False),
        sa.Column("incident_id", sa.Text(), server_default="", nullable=False),
        sa.Column("at", Utc(), nullable=False),
        sa.Column("who", sa.Text(), server_default="", nullable=False),
        sa.Column("action", sa.Text(), server_default="", nullable=False),
        sa.Column("text", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("acts_by_incident", "acts", ["incident_id"], unique=False)
    op.create_table(
        "alerts",
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("product", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("series", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default="", nullable=False),
        sa.Column("since", Utc(), nullable=False),
        sa.Column("last_breach", Utc(), nullable=False),
        sa.Column("incident_id", sa.Text(), server_default="", nullable=False),
        sa.Column("value", sa.Float(), nullable=True),
        sa.Column("expected", sa.Float(), nullable=True),
        sa.Column("score", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("rule", "product", "channel", "client_id", "series"),
    )
    op.create_table(
        "cells",
        sa.Column("id", SERIAL, nullable=False),
        sa.Column("kind", sa.Text(), server_default="", nullable=False),
        sa.Column("first_minute", sa.BigInteger(), nullable=False),
        sa.Column("last_minute", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("blob", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("cells_by_minute", "cells", ["kind", "last_minute"], unique=False)
    op.create_table(
        "clients",
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        sa.Column("segment", sa.Text(), server_default="", nullable=False),
        sa.Column("post_sale", sa.Text(), server_default="", nullable=False),
        sa.Column("substitute", sa.Text(), server_default="", nullable=False),
        sa.Column("manager", sa.Text(), server_default="", nullable=False),
        sa.Column("group_id", sa.Text(), server_default="", nullable=False),
        sa.Column("sector", sa.Text(), server_default="", nullable=False),
        sa.Column("value_rank", sa.BigInteger(), nullable=True),
        sa.Column("sensitivity", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("client_id"),
    )
    op.create_table(
        "cursors",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("cursor", sa.JSON(), nullable=False),
        sa.Column("complete_until", Utc(), nullable=True),
        sa.PrimaryKeyConstraint("source"),
    )
    op.create_table(
        "decisions",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("incident_id", sa.Text(), server_default="", nullable=False),
        sa.Column("client_id", sa.Text(), server_default="", nullable=False),
        sa.Column("product", sa.Text(), server_default="", nullable=False),
        sa.Column("action", sa.Text(), server_default="", nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("opened_at", Utc(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("desk", sa.Text(), server_default="", nullable=False),
        sa.Column("linked_case_id", sa.Text(), server_default="", nullable=False),
        sa.Column("client_reported_at", Utc(), nullable=True),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_index("decisions_by_client", "decisions", ["client_id"], unique=False)
    op.create_index("decisions_by_incident", "decisions", ["incident_id"], unique=False)
    op.create_table(
        "gaps",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("start", sa.BigInteger(), nullable=False),
        sa.Column("stop", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("source", "start"),
    )
    op.create_table(
        "holdings",
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("product", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("since", Utc(), nullable=True),
        sa.Column("until", Utc(), nullable=True),
        sa.PrimaryKeyConstraint("client_id", "product", "channel"),
    )
    op.create_table(
        "impacts",
        sa.Column("incident_id", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("product", sa.Text(), nullable=False),
        sa.Column("touch", sa.Text(), server_default="", nullable=False),
        sa.Column("failures", sa.BigInteger(), nullable=False),
        sa.Column("missing", sa.BigInteger(), nullable=False),
        sa.Column("amount", Money(), nullable=False),
        sa.Column("first_failure_at", Utc(), nullable=True),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("terms", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("incident_id", "client_id", "product"),
    )
    op.create_index("impacts_by_client", "impacts", ["client_id"], unique=False)
    op.create_table(
        "incidents",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("product", sa.Text(), server_default="", nullable=False),
        sa.Column("channel", sa.Text(), server_default="", nullable=False),
        sa.Column("client_id", sa.Text(), server_default="", nullable=False),
        sa.Column("series", sa.Text(), server_default="", nullable=False),
        sa.Column("kind", sa.Text(), server_default="", nullable=False),
        sa.Column("severity", sa.Text(), server_default="", nullable=False),
        sa.Column("state", sa.Text(), server_default="", nullable=False),
        sa.Column("started_at", Utc(), nullable=False),
        sa.Column("detected_at", Utc(), nullable=False),
        sa.Column("ended_at", Utc(), nullable=True),
        sa.Column("resolved_at", Utc(), nullable=True),
        sa.Column("rules", sa.JSON(), nullable=False),
        sa.Column("ways", sa.JSON(), nullable=False),
        sa.Column("parent_id", sa.Text(), server_default="", nullable=False),
        sa.Column("resolved_by", sa.Text(), server_default="", nullable=False),
        sa.Column("acknowledged_by", sa.Text(), server_default="", nullable=False),
        sa.Column("guide", sa.Text(), server_default="", nullable=False),
        sa.Column("value", sa.Float(), nullable=True),
        sa.Column("expected", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("incidents_by_state", "incidents", ["state", "started_at"], unique=False)
    op.create_table(
        "meta",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_table(
        "outbox",
        sa.Column("id", SERIAL, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("case_key", sa.Text(), server_default="", nullable=False),
        sa.Column("desk", sa.Text(), server_default="", nullable=False),
        sa.Column("action", sa.Text(), server_default="", nullable=False),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.Column("state", sa.Text(), server_default="", nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_at", Utc(), nullable=False),
        sa.Column("created_at", Utc(), nullable=False),
        sa.Column("sent_at", Utc(), nullable=True),
        sa.Column("reference", sa.Text(), server_default="", nullable=False),
        sa.Column("error", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("key"),
    )
    op.create_index("outbox_due", "outbox", ["state", "due_at"], unique=False)
    op.create_table(
        "their_cases",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("case_id", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Text(), server_default="", nullable=False),
        sa.Column("product", sa.Text(), server_default="", nullable=False),
        sa.Column("channel", sa.Text(), server_default="", nullable=False),
        sa.Column("kind", sa.Text(), server_default="", nullable=False),
        sa.Column("status", sa.Text(), server_default="", nullable=False),
        sa.Column("reported_by", sa.Text(), server_default="", nullable=False),
        sa.Column("subject", sa.Text(), server_default="", nullable=False),
        sa.Column("opened_at", Utc(), nullable=False),
        sa.Column("reported_at", Utc(), nullable=False),
        sa.Column("resolved_at", Utc(), nullable=True),
        sa.Column("closed_at", Utc(), nullable=True),
        sa.Column("updated_at", Utc(), nullable=True),
        sa.PrimaryKeyConstraint("source", "case_id"),
    )
    op.create_index("their_cases_by_client", "their_cases", ["client_id"], unique=False)


def downgrade() -> None:
    """Back to nothing."""
    op.drop_index("their_cases_by_client", table_name="their_cases")
    op.drop_table("their_cases")
    op.drop_index("outbox_due", table_name="outbox")
    op.drop_table("outbox")
    op.drop_table("meta")
    op.drop_index("incidents_by_state", table_name="incidents")
    op.drop_table("incidents")
    op.drop_index("impacts_by_client", table_name="impacts")
    op.drop_table("impacts")
    op.drop_table("holdings")
    op.drop_table("gaps")
    op.drop_index("decisions_by_incident", table_name="decisions")
    op.drop_index("decisions_by_client", table_name="decisions")
    op.drop_table("decisions")
    op.drop_table("cursors")
    op.drop_table("clients")
    op.drop_index("cells_by_minute", table_name="cells")
    op.drop_table("cells")
    op.drop_table("alerts")
    op.drop_index("acts_by_incident", table_name="acts")
    op.drop_table("acts")
