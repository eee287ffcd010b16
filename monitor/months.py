"""The indicators of each month and who spoke first lately, kept for boards as the product itself counts them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from monitor import tables as t
from monitor.config import Config
from monitor.indicators import indicators, month_of
from monitor.leading import reported
from monitor.sla import SHOWN
from monitor.standing import Row, rows
from monitor.store import Store

BACK = 12
"""Months before this one, at most."""


def keep_months(store: Store, config: Config, clock: Callable[[], datetime]) -> None:
    """Count this month and the last anew, and those before that are not kept yet, since the first incident; and the leads of SHOWN."""
    now = clock().astimezone(ZoneInfo(config.monitor.timezone))
    for month in _wanted(store, now):
        since, until = month_of(now, month)
        found = indicators(store, config.promises, config.losses, config.causes.recurrence, since, until)["indicators"]
        store.put(t.months, [_month(row, month, now) for row in found])
    lines = [
        {
            "incident_id": one.incident_id, "client_id": one.client_id, "product": one.product, "segment": one.segment,
            "reported_by": one.reported_by, "detected_at": one.detected_at, "named_at": one.named_at,
            "case_at": one.case_at, "informed_at": one.informed_at, "reached_at": one.reached_at, "reported_at": one.reported_at,
            "first": int(one.first), "lead_seconds": one.lead.total_seconds() if one.lead is not None else None, "kept_at": now,
        }
        for one in reported(store, now - SHOWN)
    ]  # fmt: skip
    with store.writing() as connection:
        connection.execute(t.leads.delete())
        if lines:
            connection.execute(t.leads.insert(), lines)


def _wanted(store: Store, now: datetime) -> list[str]:
    first = rows(
        store, t.incidents.select().with_only_columns(t.incidents.c.detected_at).order_by("detected_at").limit(1)
    )
    oldest = first[0]["detected_at"].astimezone(now.tzinfo) if first else now
    kept = {row["month"] for row in rows(store, t.months.select().with_only_columns(t.months.c.month))}
    found, start = [], now
    for back in range(BACK + 1):
        month = f"{start:%Y-%m}"
        if back <= 1 or (month >= f"{oldest:%Y-%m}" and month not in kept):
            found.append(month)
        start = start.replace(day=1) - timedelta(days=1)
    return found


def _month(row: Row, month: str, now: datetime) -> Row:
    numbers = {name: None if row[name] is None else float(row[name]) for name in ("value", "numerator", "denominator")}
    return {
        "month": month,
        "name": row["name"],
        "unit": row["unit"],
        "formula": row["formula"],
        "kept_at": now,
    } | numbers
