"""Which operations incidents left in doubt: told once, when an incident ends, and kept up with news as long as it is remembered."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import pyarrow as pa
import pyarrow.compute as pc

from alerts import Changes, Decision, Doubt, Incident
from alerts.doubts import Told, in_doubt, settled
from monitor.windows import Windows, minute_of

Id = tuple[str, str]
"""A source and an operation's id in it."""


class Doubts:
    """Of the incidents that are remembered, what they left in doubt."""

    def __init__(self, windows: Windows) -> None:
        self.known: dict[str, dict[tuple[str, ...], Doubt]] = {}
        self._windows = windows
        self._news: dict[int, dict[Id, Told]] = {}
        self._end = 0

    def recall(self, told: Iterable[Doubt]) -> None:
        """Take up what was told before a restart."""
        for doubt in told:
            self.known.setdefault(doubt.incident_id, {})[doubt.key] = doubt

    def of(self, decision: Decision) -> list[Doubt]:
        """What is still in doubt of a client in an incident, in order of time."""
        there = self.known.get(decision.incident_id, {}).values()
        mine = (doubt for doubt in there if doubt.client_id == decision.client_id and not doubt.settled_at)
        return sorted(mine, key=lambda doubt: (doubt.at, doubt.key))

    def listen(self, start: int, end: int) -> None:
        """What becomes known in [start, end) of the ids in doubt is to be heard, each minute in its turn."""
        self._news, self._end = {}, end
        self._expect([doubt for there in self.known.values() for doubt in there.values()], start)

    def hear(self, minute: int, changes: Changes) -> None:
        """Take in what became known in this minute."""
        news = self._news.pop(minute, None)
        if not news:
            return
        for there in self.known.values():
            for key, doubt in there.items():
                newest = news.get((doubt.source, doubt.id))
                now = settled(doubt, newest) if newest else doubt
                if now != doubt:
                    there[key] = changes.doubts[key] = now

    def ended(self, incident: Incident, clients: Collection[str], minute: int, changes: Changes) -> None:
        """The incident is over, by what is known before `minute`: its affected clients' operations that are in doubt."""
        table, start = self._windows.doubtful, minute_of(incident.started_at)
        theirs = pc.is_in(pc.field("client_id"), pa.array(sorted(clients), pa.string()))
        known = (pc.field("known") >= start) & (pc.field("known") < minute)
        found = {doubt.key: doubt for doubt in in_doubt(incident, _told(table.filter(known & theirs)))}
        self.known[incident.id] = found
        changes.doubts |= found
        self._expect(found.values(), minute)

    def forget(self, incident_id: str) -> None:
        """Its time is over."""
        self.known.pop(incident_id, None)

    def _expect(self, doubts: Iterable[Doubt], minute: int) -> None:
        """News of these, from that minute to the end of the span."""
        wanted = {(doubt.source, doubt.id) for doubt in doubts if doubt.id}
        if not wanted or minute >= self._end:
            return
        ids = pc.is_in(pc.field("id"), pa.array(sorted({name for _, name in wanted}), pa.string()))
        table = self._windows.doubtful
        coming = table.filter((pc.field("known") >= minute) & (pc.field("known") < self._end) & ids)
        for known, row in zip(coming["known"].to_pylist(), coming.select(Told._fields).to_pylist(), strict=True):
            told = Told(**row)
            if (told.source, told.id) in wanted:
                self._news.setdefault(known, {})[told.source, told.id] = told


def _told(table: pa.Table) -> list[Told]:
    """Rows in the order in which they became known."""
    ordered = table.take(pc.sort_indices(table, [("known", "ascending")]))  # stable: else in order of arrival
    return [Told(**row) for row in ordered.select(Told._fields).to_pylist()]
