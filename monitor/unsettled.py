"""Operations in doubt as the store keeps them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from alerts import Doubt
from monitor import tables as t
from monitor.doubtful import ONSETS
from monitor.standing import Row, rows
from monitor.store import Store

if TYPE_CHECKING:
    from monitor.pipeline import Pipeline


def doubts(store: Store, *where: Any) -> list[Row]:
    """By client, in order of time."""
    d = t.doubts.c
    return rows(store, t.doubts.select().where(*where).order_by(d.incident_id, d.client_id, d.at, d.id, d.state))


def recall(pipeline: Pipeline, store: Store, judged_until: int | None) -> None:
    """After a restart: what the remembered incidents left in doubt, and the rows that may still count."""
    pipeline.doubts.recall(Doubt(**row) for row in doubts(store, t.doubts.c.incident_id.in_(list(pipeline.recent))))
    latest = (judged_until or 0) - max(ONSETS, pipeline.windows.hold)
    for table in store.cells("doubtful", min(latest, pipeline.doubts_since() or latest)):
        pipeline.windows.note(table)


def in_doubt(store: Store, client_id: str, since: datetime) -> list[Row]:
    """What incidents left in doubt of a client since then, the newest first; what has been settled last."""
    found = doubts(store, t.doubts.c.client_id == client_id, t.doubts.c.at >= since)
    newest = sorted(found, key=lambda row: row["at"], reverse=True)
    return sorted(newest, key=lambda row: row["settled_at"] is not None)
