"""The indicators of each month and who spoke first lately, kept for boards as the product itself counts them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from monitor import tables as t
from monitor.columns import adding, either
from monitor.config import Config
from monitor.indicators import indicators, month_of
from monitor.leading import reported
from monitor.sla import SHOWN
from monitor.standing import Row, rows, tuples
from monitor.store import Store

BACK = 12
"""Months before this one, at most."""
WHOLE = (t.incidents.c.detected_at, t.their_cases.c.opened_at, t.case_changes.c.at, t.stories.c.sprint_end)
"""Times of facts of which a month is counted: there are fewer only where some were pruned."""
MORE = (t.their_cases.c.resolved_at, t.decisions.c.client_reported_at, t.stories.c.done_at)
"""Times that a fact may get, or lose, later."""
_KEY = "months"


def keep_months(store: Store, config: Config, clock: Callable[[], datetime]) -> None:
    """Count this month anew, and of the last and those before, since the first incident, what `_wanted` finds; and the leads of SHOWN."""
    now = clock().astimezone(ZoneInfo(config.monitor.timezone))
    wanted, there = _wanted(store, now)
    for month in wanted:
        since, until = month_of(now, month)
        found = indicators(store, config.promises, config.losses, config.causes.recurrence, since, until)["indicators"]
        store.put(t.months, [_month(row, month, now) for row in found])
    store.put(t.meta, [{"key": _KEY, "value": json.dumps(there)}])
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


def _wanted(store: Store, now: datetime) -> tuple[list[str], dict[str, list[int]]]:
    """The months to count, and how many facts there are now of each that is kept (see `_facts`).

    The last month is counted again, and one before it if it was counted before its end or facts have come for it since. What was pruned
    since its end was counted leaves it as it stands: fewer facts would tell less than it was.
    """
    detected = t.incidents.c.detected_at
    first = rows(store, t.incidents.select().with_only_columns(detected).order_by(detected).limit(1))
    oldest = first[0]["detected_at"].astimezone(now.tzinfo) if first else now
    kept = {row["month"]: row["kept_at"] for row in rows(store, t.months.select().order_by(t.months.c.kept_at.desc()))}
    before: dict[str, list[int]] = json.loads(store.marks().get(_KEY, "{}"))
    spans = _spans(now)
    there = _facts(store, spans)
    found = []
    for back, (month, (_, until)) in enumerate(spans.items()):
        was = before.get(month, there[month])
        pruned = any(now < then for now, then in zip(there[month][: len(WHOLE)], was, strict=False))
        more = any(now > then for now, then in zip(there[month], was, strict=True))
        whole = month in kept and kept[month] >= until
        again = (not whole or more) and not pruned if month in kept else month >= f"{oldest:%Y-%m}"
        if again or back == 0 or (back == 1 and not (whole and pruned)):
            found.append(month)
        else:
            there[month] = was
    return found, there


def _spans(now: datetime) -> dict[str, tuple[datetime, datetime]]:
    """[since, until) of this month and the BACK before it, the newest first."""
    found, since = {}, now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    for _ in range(BACK + 1):
        found[f"{since:%Y-%m}"] = since, (since + timedelta(days=32)).replace(day=1)
        since = (since - timedelta(days=1)).replace(day=1)
    return found


def _facts(store: Store, spans: Mapping[str, tuple[datetime, datetime]]) -> dict[str, list[int]]:
    """By month, how many times of WHOLE and MORE lie in it."""
    found: dict[str, list[int]] = {month: [] for month in spans}
    for column in (*WHOLE, *MORE):
        sums = [adding(either((column >= since) & (column < until), 1, 0)) for since, until in spans.values()]
        (many,) = tuples(store, column.table.select().with_only_columns(*sums))
        for month, n in zip(spans, many, strict=True):
            found[month].append(int(n or 0))
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
