"""All state, in one database: SQLite by default, PostgreSQL in production.

One transaction commits a step whole: cursors, cells, alerts, incidents, impacts, decisions and the messages they send. People's
acts are short transactions of their own, which the judging thread takes in at its next step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from alerts import Alert, Changes, Client, Decision, Escalation, Holding, Impact, Incident, TheirCase
from alerts.rows import alert_of, decision_of, escalation_of, impact_of, incident_of, plain
from connectors import Cursor
from monitor import tables as t
from monitor.blobs import blob_row, unpacked
from monitor.claims import post
from monitor.database import CLIENTS, Database, StoreError, insert, put
from monitor.step import Act, Message, Step
from monitor.trail import append

__all__ = ["Act", "Message", "Step", "Store", "StoreError"]


class Store(Database):
    """The state of one Vigía."""

    def migrate(self) -> None:
        """Bring the database to this version's tables; make it if there is none."""
        from monitor.migrations import upgrade  # noqa: PLC0415 - reading commands need none of it

        self.make_room()
        with self.writing() as connection:
            try:
                upgrade(connection)
            except LookupError as error:
                raise StoreError(f"{self.shown}: {error}") from None

    # ---- what the judging thread writes ----------------------------------------------------------------------------

    def commit(self, step: Step, now: datetime) -> None:
        """All of it, or nothing."""
        with self.writing() as c:
            for source, (cursor, until) in step.cursors.items():
                put(c, t.cursors, [{"source": source, "cursor": cursor, "complete_until": until}])
            for kind, table in step.cells:
                if table.num_rows:
                    c.execute(sa.insert(t.cells).values(blob_row(kind, table)))
            put(c, t.gaps, [{"source": s, "start": a, "stop": b} for s, a, b in step.gaps])
            marks = step.marks | ({} if step.judged_until is None else {"judged_until": str(step.judged_until)})
            put(c, t.meta, [{"key": k, "value": v} for k, v in marks.items()])
            if step.verdicts is not None:
                c.execute(sa.delete(t.verdicts))
                put(c, t.verdicts, step.verdicts)
            put(c, t.traces, step.traces)
            self._changes(c, step.changes)
            self._case_changes(c, step.cases, now)
            put(c, t.their_cases, [plain(case) for case in step.cases])
            put(c, t.clients, [plain(client) for client in step.clients])
            put(c, t.holdings, [plain(holding) for holding in step.holdings])
            put(c, t.stories, step.stories)
            post(c, step.messages, now)
        of = step.changes
        self.note({*of.incidents, *(key[0] for key in of.impacts), *(d.incident_id for d in of.decisions.values())})
        self.note({CLIENTS, ""} if step.clients else ())

    def tell(self, threads: Sequence[Mapping[str, Any]], messages: Iterable[Message], now: datetime) -> None:
        """What recipients are told (rows of `threads`), with the messages that tell them.

        A thread that somebody else has taken as far meanwhile stays as it is, and so does the message of that key.
        """
        keys = [column.name for column in t.threads.primary_key]
        with self.writing() as c:
            if threads:
                query = insert(c, t.threads)
                new = {column.name: query.excluded[column.name] for column in t.threads.c if column.name not in keys}
                older = t.threads.c.sequence < query.excluded.sequence
                c.execute(
                    query.on_conflict_do_update(index_elements=keys, set_=new, where=older),
                    [dict(row) for row in threads],
                )
            post(c, messages, now)

    def put(self, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> None:
        """Insert the rows, or write over the ones with their keys, in a transaction of their own."""
        with self.writing() as c:
            put(c, table, rows)

    def _changes(self, c: Connection, changes: Changes) -> None:
        for (rule, scope), alert in changes.alerts.items():
            if alert is None:
                where = dict(zip(("product", "channel", "client_id", "series"), scope.values, strict=True)) | {
                    "rule": rule
                }
                c.execute(sa.delete(t.alerts).where(*(t.alerts.c[k] == v for k, v in where.items())))
        put(c, t.alerts, [plain(alert) for alert in changes.alerts.values() if alert])
        put(c, t.incidents, [plain(incident) for incident in changes.incidents.values()])
        for incident_id, client, product in [key for key, impact in changes.impacts.items() if impact is None]:
            i = t.impacts.c
            c.execute(
                sa.delete(t.impacts).where(i.incident_id == incident_id, i.client_id == client, i.product == product)
            )
        put(c, t.impacts, [plain(impact) for impact in changes.impacts.values() if impact])
        put(c, t.decisions, [plain(decision) for decision in changes.decisions.values()])
        put(c, t.escalations, [plain(escalation) for escalation in changes.escalations.values()])
        put(c, t.doubts, [plain(doubt) for doubt in changes.doubts.values()])

    def _case_changes(self, c: Connection, cases: Sequence[TheirCase], now: datetime) -> None:
        """Keep each change of a case's status, kind or level: the tools tell the newest alone. When they do not say when, it is now."""
        held = t.their_cases.c
        known: dict[tuple[str, str], tuple[str, str, str]] = {}
        ids = list({case.case_id for case in cases})
        for i in range(0, len(ids), 500):
            query = sa.select(held.source, held.case_id, held.status, held.kind, held.level)
            query = query.where(held.case_id.in_(ids[i : i + 500]))
            known |= {(row.source, row.case_id): (row.status, row.kind, row.level) for row in c.execute(query)}
        changes = []
        for case in cases:
            key = (case.source, case.case_id)
            told = (case.status, case.kind, case.level)
            if known.get(key) != told:
                row = dict(zip(("source", "case_id", "status", "kind", "level"), (*key, *told), strict=True))
                changes.append(row | {"at": case.updated_at or now})
            known[key] = told
        put(c, t.case_changes, changes)

    # ---- what people do --------------------------------------------------------------------------------------------

    def act(
        self,
        *acts: Act,
        also: Sequence[tuple[sa.Table, Mapping[str, Any]]] = (),
        done: Callable[[Connection], None] = lambda _: None,
    ) -> list[Act]:
        """Note what somebody did; the judging thread takes it in at its next step. As noted, or the first where it repeats one.

        also: rows that come with it, but not with a repeat; done: likewise what else is written, and what it raises undoes all.
        """
        with self.writing() as c:
            noted, fresh = append(c, acts)
            if fresh:
                done(c)
            for table, row in also if fresh else ():
                put(c, table, [row])
            return noted

    def acts(self, *, incident_id: str | None = None, after: int = 0) -> list[Act]:
        """What was done, in order; of one incident, or all after an id."""
        wanted = sa.select(t.acts).where(t.acts.c.id > after).order_by(t.acts.c.id)
        return [
            Act(**row)
            for row in self._all(wanted if incident_id is None else wanted.where(t.acts.c.incident_id == incident_id))
        ]

    # ---- what is read at start -------------------------------------------------------------------------------------

    def cursors(self) -> dict[str, tuple[Cursor, datetime | None]]:
        """Where each source stopped, and until when it is complete."""
        with self.reading() as c:
            return {row.source: (row.cursor, row.complete_until) for row in c.execute(sa.select(t.cursors))}

    def marks(self) -> dict[str, str]:
        """Small facts: judged_until, first_minute, ..."""
        with self.reading() as c:
            return {row.key: row.value for row in c.execute(sa.select(t.meta))}

    def gaps(self) -> list[tuple[str, int, int]]:
        """Minutes for which a source did not answer, in order; what follows on one another, as each minute of an outage does, is one."""
        joined: list[tuple[str, int, int]] = []
        with self.reading() as c:
            for source, start, stop in c.execute(sa.select(t.gaps).order_by(t.gaps.c.source, t.gaps.c.start)):
                before = joined[-1] if joined else ("", 0, 0)
                if before[0] == source and start <= before[2]:
                    joined[-1] = (source, before[1], max(stop, before[2]))
                else:
                    joined.append((source, start, stop))
        return joined

    def cells(self, kind: str, since: int) -> Iterator[pa.Table]:
        """What was stored of a kind (cells, metrics, ledger) and is known from minute `since` on or later, in order of commit."""
        with self.reading() as c:
            query = (
                sa.select(t.cells).where(t.cells.c.kind == kind, t.cells.c.last_minute >= since).order_by(t.cells.c.id)
            )
            for row in c.execute(query):
                yield _table(row)

    def counted(self) -> Iterator[tuple[str, int, pa.Table]]:
        """All cells and metrics: their kind, the first minute that one of the table is known from, and the table; in order of that."""
        blob = t.cells.c
        query = sa.select(blob.id).where(blob.kind.in_(("cells", "metrics"))).order_by(blob.first_minute, blob.id)
        with self.reading() as c:
            for number in c.execute(query).scalars().all():  # what is sorted are numbers, not blobs
                row = c.execute(sa.select(t.cells).where(blob.id == number)).one()
                yield row.kind, row.first_minute, _table(row)

    def alerts(self) -> list[Alert]:
        """Pending and firing."""
        return [alert_of(row) for row in self._all(sa.select(t.alerts))]

    def incidents(self, *where: sa.ColumnElement[bool]) -> list[Incident]:
        """Newest first."""
        return [
            incident_of(row)
            for row in self._all(sa.select(t.incidents).where(*where).order_by(t.incidents.c.started_at.desc()))
        ]

    def impacts(self, *where: sa.ColumnElement[bool]) -> list[Impact]:
        """By priority."""
        order = (t.impacts.c.touch, t.impacts.c.priority.desc(), t.impacts.c.client_id, t.impacts.c.product)
        return [impact_of(row) for row in self._all(sa.select(t.impacts).where(*where).order_by(*order))]

    def decisions(self, *where: sa.ColumnElement[bool]) -> list[Decision]:
        """Newest first, then by priority."""
        order = (t.decisions.c.opened_at.desc(), t.decisions.c.priority.desc(), t.decisions.c.key)
        return [decision_of(row) for row in self._all(sa.select(t.decisions).where(*where).order_by(*order))]

    def escalations(self, *where: sa.ColumnElement[bool]) -> list[Escalation]:
        """Root causes, the newest first."""
        order = (t.escalations.c.escalated_at.desc(), t.escalations.c.key)
        return [escalation_of(row) for row in self._all(sa.select(t.escalations).where(*where).order_by(*order))]

    def their_cases(self, *where: sa.ColumnElement[bool]) -> list[TheirCase]:
        """By when they were opened."""
        rows = self._all(sa.select(t.their_cases).where(*where).order_by(t.their_cases.c.opened_at))
        return [TheirCase(**row) for row in rows]

    def case_changes(self, *where: sa.ColumnElement[bool]) -> dict[tuple[str, str], list[tuple[datetime, str]]]:
        """By tool and case: when its status changed to what, in order."""
        found: dict[tuple[str, str], list[tuple[datetime, str]]] = {}
        for row in self._all(sa.select(t.case_changes).where(*where).order_by(t.case_changes.c.at)):
            told = found.setdefault((row["source"], row["case_id"]), [])
            if not told or told[-1][1] != row["status"]:
                told.append((row["at"], row["status"]))
        return found

    def clients(self, *where: sa.ColumnElement[bool]) -> list[Client]:
        """All, or some."""
        return [Client(**row) for row in self._all(sa.select(t.clients).where(*where))]

    def holdings(self, *where: sa.ColumnElement[bool]) -> list[Holding]:
        """All, or some."""
        return [Holding(**row) for row in self._all(sa.select(t.holdings).where(*where))]

    def _all(self, query: sa.Select[Any]) -> list[dict[str, Any]]:
        with self.reading() as c:
            return [dict(row) for row in c.execute(query).mappings()]


def _table(row: Any) -> pa.Table:
    return unpacked(row.blob, row.kind, row.version)
