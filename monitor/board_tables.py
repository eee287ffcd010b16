"""The tables of what boards are told, and of stories: as in `monitor.tables`, by whose name they are used."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Float, Integer, Table, Text

from monitor.columns import Utc, metadata


def _text(name: str, *, key: bool = False) -> Column[str]:
    return Column(name, Text, primary_key=key, nullable=False, server_default=None if key else "")


stories = Table(
    "stories", metadata, *(_text(name, key=True) for name in ("source", "sprint", "story_id")), _text("title"), _text("state"),
    *(Column(name, Utc) for name in ("sprint_start", "sprint_end", "planned_at", "done_at", "updated_at")),
)  # fmt: skip
"""A story in a sprint: planned there (planned_at) or added later, and done or not when the sprint ended. The newest row wins."""

pushed = Table(
    "pushed", metadata, *(_text(name, key=True) for name in ("board", "place", "sheet", "incident_id", "id")), _text("mark"),
    Column("version", BigInteger, nullable=False),
)  # fmt: skip
"""What each board holds of each row: its mark (a digest; see `monitor.boards`) and version. mark '': told as gone."""

months = Table(
    "months", metadata, *(_text(name, key=True) for name in ("month", "name")), *(_text(name) for name in ("unit", "formula")),
    *(Column(name, Float) for name in ("value", "numerator", "denominator")), Column("kept_at", Utc, nullable=False),
)  # fmt: skip
"""The indicators of each month as they stood at `kept_at` (see `monitor.months`): no database knows business hours."""

_LINE = ("product", "segment", "reported_by")
leads = Table(
    "leads", metadata, *(_text(name, key=True) for name in ("incident_id", "client_id")), *map(_text, _LINE),
    *(Column(name, Utc) for name in ("detected_at", "named_at", "case_at", "informed_at", "reached_at", "reported_at")),
    Column("first", Integer, nullable=False), Column("lead_seconds", Float), Column("kept_at", Utc, nullable=False),
)  # fmt: skip
"""Who reported lately, and whether they were reached first, at `kept_at` (see `monitor.months`)."""
