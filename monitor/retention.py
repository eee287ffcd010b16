"""Retention: what is past its limit is dropped, and the many small blobs of a day gone by become one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

import pyarrow as pa
import sqlalchemy as sa

from monitor import tables as t
from monitor.blobs import blob_row, unpacked
from monitor.claims import OVER
from monitor.database import Database
from monitor.trail import forget

DAY = 1440
"""Minutes."""


def prune(
    store: Database, limits: Mapping[str, datetime], *, spared: Iterable[tuple[int, int]] = (), step: int = 500
) -> int:
    """Drop what is older than its limit (cells, ledger, incidents, clients, outbox), `step` rows a transaction; how many.

    spared: from which minute to which the ledger is needed still.
    """
    dropped = 0
    for table, where in _old(limits, spared):
        keys = list(table.primary_key)
        while True:
            with store.writing() as c:
                some = sa.select(*keys).where(where).limit(step)
                found = c.execute(sa.delete(table).where(sa.tuple_(*keys).in_(some))).rowcount
            dropped += found
            if found < step:
                break
    return dropped + forget(store, limits["incidents"], step)


def compact(store: Database, before: datetime, *, most: int = 2000) -> int:
    """Join the many small blobs of each day that ended before `before` into one; how many were joined."""
    b, joined = t.cells.c, 0
    day = b.last_minute // DAY
    with store.writing() as c:
        full = sa.select(b.kind, day).where(b.kind != "ledger", b.last_minute < _minute(before))
        days = c.execute(full.group_by(b.kind, day).having(sa.func.count() > 1).limit(7)).all()
    for kind, number in days:
        with store.writing() as c:
            rows = c.execute(sa.select(t.cells).where(b.kind == kind, day == number).order_by(b.id).limit(most)).all()
            whole = pa.concat_tables(unpacked(row.blob, row.kind, row.version) for row in rows)
            c.execute(sa.insert(t.cells).values(blob_row(kind, whole)))
            c.execute(sa.delete(t.cells).where(b.id.in_([row.id for row in rows])))
            joined += len(rows)
    return joined


def _old(
    limits: Mapping[str, datetime], spared: Iterable[tuple[int, int]]
) -> Iterator[tuple[sa.Table, sa.ColumnElement[bool]]]:
    """What is to go, table by table."""
    cells, ledger, incidents, clients, outbox = (
        limits[name] for name in ("cells", "ledger", "incidents", "clients", "outbox")
    )
    either = sa.func.coalesce
    i, blob, theirs, change = t.incidents.c, t.cells.c, t.their_cases.c, t.case_changes.c
    # one that was merged into another is never resolved itself
    over = sa.case((i.state != "firing", either(i.resolved_at, i.detected_at)))
    yield t.cells, (blob.kind != "ledger") & (blob.last_minute < _minute(cells))
    unneeded = (~blob.last_minute.between(*minutes) for minutes in spared)
    yield t.cells, sa.and_(blob.kind == "ledger", blob.last_minute < _minute(ledger), *unneeded)
    yield t.gaps, t.gaps.c.stop < _minute(cells)
    gone = sa.select(i.id).where(over < max(clients, incidents))  # without its incident it is nobody's
    for table in (t.impacts, t.decisions, t.doubts, t.traces, t.pushed):
        yield table, table.c.incident_id.in_(gone)
    yield t.stories, either(t.stories.c.sprint_end, t.stories.c.updated_at) < incidents
    yield t.threads, t.threads.c.subject.in_(gone)
    yield t.threads, t.threads.c.ended_at < outbox
    yield t.their_cases, either(theirs.closed_at, theirs.resolved_at) < clients
    yield t.case_changes, ~sa.exists().where(theirs.source == change.source, theirs.case_id == change.case_id)
    yield t.silences, either(t.silences.c.ended_at, t.silences.c.until) < incidents
    yield t.works, either(t.works.c.ended_at, t.works.c.until) < min(cells, incidents)
    yield t.handovers, t.handovers.c.at < clients
    yield t.reads, t.reads.c.at < clients
    yield t.incidents, over < incidents
    yield t.escalations, t.escalations.c.last_at < incidents
    sent = t.outbox.c.state.in_(OVER) & t.outbox.c.key.not_in(t.still_told())
    kept_since = sa.case(
        (t.outbox.c.state == "dead", t.outbox.c.due_at), else_=t.outbox.c.created_at
    )  # or since it was given up
    yield t.outbox, sent & (kept_since < outbox)
    yield t.outbox, sent & (t.outbox.c.action == "notify") & (t.outbox.c.created_at < clients)


def _minute(time: datetime) -> int:
    return int(time.timestamp() // 60)
