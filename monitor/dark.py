"""The sources that do not answer, as the state has it: what they feed is not known, however empty a list is."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime, tzinfo

from monitor import spanish as es
from monitor.patience import fails_since
from monitor.standing import Row
from monitor.store import Store


def dark(store: Store, down: Collection[str] = ()) -> list[Row]:
    """Those without which the newest minute was judged, those whose polls fail, and since when; None: that is not known.

    down: of which the process that polls them knows it.
    """
    since: dict[str, int] = {}
    marks, known = store.marks(), store.cursors()
    judged = int(marks.get("judged_until", 0))
    for source, start, stop in sorted(store.gaps(), key=lambda gap: -gap[2]) if judged else ():
        if stop >= since.get(source, judged):
            since[source] = min(start, since.get(source, start))
    found: dict[str, datetime | None] = {name: known[name][1] if name in known else None for name in down}
    found |= fails_since(marks)
    found |= {name: datetime.fromtimestamp(start * 60, UTC) for name, start in since.items() if name in known}
    return [{"source": name, "since": at} for name, at in sorted(found.items())]


def in_words(rows: Collection[Row], zone: tzinfo | None) -> list[str]:
    """A line each, for people who look at a list."""
    told = [(row["source"], f" desde {es.moment(row['since'], zone)[:16]}" if row["since"] else "") for row in rows]
    return [f"la fuente {name} no responde{since}: lo que de allí depende no se sabe" for name, since in told]
