"""A case as a desk is asked to open it, and when it is read."""

from __future__ import annotations

from datetime import UTC, datetime

from connectors import Case

CASE = Case(
    key="VG-AF-20260303-pagos-900123456",
    incident_id="AF-20260303-pagos",
    client_id="900123456",
    product="pagos",
    channel="",
    opened_at=datetime(2026, 3, 3, 12, tzinfo=UTC),
    priority=80,
    subject="Afectación en pagos",
    body='Desde las 7:00\nfallan "algunos" pagos; estamos trabajando en ello, gracias.',
)
NOW = datetime(2026, 3, 3, 14, tzinfo=UTC)
