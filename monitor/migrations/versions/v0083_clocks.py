"""Clocks are kept until they change: what each was made of, when it turns by itself; how long an open case lasts is counted by the view."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from monitor.columns import Utc
from monitor.migrations.versions.v0019_views import CASE

revision = "0083"
down_revision = "0081"

TOLD = ", ".join(f"k.{name}" for name in CASE if name != "client_id")
VIEW = (
    f"SELECT k.source, k.case_id, k.client_id, c.name AS client, {TOLD}, k.returns, k.reopened, k.opened_at, k.ended_at, k.due_at,"
    " {seconds} AS seconds, {kept} AS kept_at FROM clocks k LEFT JOIN clients c ON c.client_id = k.client_id"
)
MARK = "(SELECT m.value FROM meta m WHERE m.key = 'clocks_kept')"
SQLITE = {
    "kept": f"coalesce({MARK}, k.kept_at)",
    "seconds": "CASE WHEN k.ended_at IS NULL THEN"
    f" (julianday(coalesce({MARK}, k.kept_at)) - julianday(k.opened_at)) * 86400.0 ELSE k.seconds END",
}
POSTGRES = {
    "kept": f"coalesce(({MARK} || '+00')::timestamptz, k.kept_at)",
    "seconds": "CASE WHEN k.ended_at IS NULL THEN"
    f" extract(epoch FROM coalesce(({MARK} || '+00')::timestamptz, k.kept_at) - k.opened_at)::double precision ELSE k.seconds END",
}
BEFORE = {"kept": "k.kept_at", "seconds": "k.seconds"}


def _view(said: dict[str, str]) -> None:
    op.execute("DROP VIEW v_clocks")
    op.execute(f"CREATE VIEW v_clocks AS {VIEW.format(**said)}")


def upgrade() -> None:
    """To this version."""
    for name in ("decision", "read"):
        op.add_column("clocks", sa.Column(name, sa.Text, nullable=False, server_default=""))
    op.add_column("clocks", sa.Column("turns_at", Utc))
    _view(POSTGRES if op.get_context().dialect.name == "postgresql" else SQLITE)


def downgrade() -> None:
    """Back to the one before."""
    _view(BEFORE)
    for name in ("turns_at", "read", "decision"):
        op.drop_column("clocks", name)
