"""All state, in one database: SQLite by default, PostgreSQL in production.

One transaction commits a step whole: cursors, cells, alerts, incidents, impacts, decisions and the messages they send. People's
acts are short transactions of their own, which the judging thread takes in at its next step.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from alerts import Alert, AlertState, Changes, Client, Decision, Holding, Impact, Incident, TheirCase
from alerts.rows import alert_of, decision_of, impact_of, incident_of, plain
from connectors import Cursor
from monitor import tables as t

CELLS_VERSION = 1
"""Of the cells at rest. Cells of another version are refused, never misread."""


class StoreError(Exception):
    """The state cannot be used, in words."""


@dataclass(slots=True)
class Message:
    """One outside effect: `key` is what the outside knows it by, so that sending it again does no harm."""

    key: str
    desk: str
    action: str
    payload: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Act:
    """What a person did to an incident: ack, resolve or note."""

    incident_id: str
    at: datetime
    who: str
    action: str
    text: str = ""
    id: int = 0


@dataclass(slots=True)
class Step:
    """What is committed together."""

    cursors: dict[str, tuple[Cursor, datetime | None]] = field(default_factory=dict)
    cells: list[tuple[str, pa.Table]] = field(default_factory=list)
    gaps: list[tuple[str, int, int]] = field(default_factory=list)
    judged_until: int | None = None
    changes: Changes = field(default_factory=Changes)
    messages: list[Message] = field(default_factory=list)
    cases: list[TheirCase] = field(default_factory=list)
    clients: list[Client] = field(default_factory=list)
    holdings: list[Holding] = field(default_factory=list)
    marks: dict[str, str] = field(default_factory=dict)


def connect(url: str) -> sa.Engine:
    """An engine for the state's address. On SQLite a transaction that may write takes the lock when it begins.

    SQLite's default (lock at the first write) silently loses what another thread wrote between a read and a write.
    """
    address = sa.make_url(url)
    if address.get_backend_name() != "sqlite":
        return sa.create_engine(address, pool_pre_ping=True)
    if address.database and address.database != ":memory:":
        Path(address.database).parent.mkdir(parents=True, exist_ok=True)
    engine = sa.create_engine(address, connect_args={"timeout": 30})

    @sa.event.listens_for(engine, "connect")
    def _(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        for pragma in ("journal_mode = WAL", "synchronous = NORMAL", "foreign_keys = ON"):
            connection.execute(f"PRAGMA {pragma}")

    @sa.event.listens_for(engine, "begin")
    def _(connection: Connection) -> None:
        reading = connection.get_execution_options().get("reading", False)
        connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")

    return engine


class Store:
    """The state of one Vigía."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.engine = connect(url)

    def migrate(self) -> None:
        """Bring the database to this version's tables."""
        from alembic import command  # noqa: PLC0415 - costs most of a second, and reading commands need none of it
        from alembic.config import Config  # noqa: PLC0415

        config = Config()
        config.set_main_option("script_location", str(Path(__file__).with_name("migrations")))
        with self.engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    def close(self) -> None:
        """Let go of the database."""
        self.engine.dispose()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A consistent look; waits for nobody. StoreError if there is no state there."""
        try:
            with self.engine.connect().execution_options(reading=True) as connection, connection.begin():
                yield connection
        except sa.exc.OperationalError as error:
            raise StoreError(f"no state in {self.engine.url.render_as_string()}: {error.orig}") from None

    # ---- what the judging thread writes ----------------------------------------------------------------------------

    def commit(self, step: Step, now: datetime) -> None:
        """All of it, or nothing."""
        with self.engine.begin() as c:
            for source, (cursor, until) in step.cursors.items():
                self._put(c, t.cursors, [{"source": source, "cursor": cursor, "complete_until": until}])
            for kind, table in step.cells:
                if table.num_rows:
                    self._put_blob(c, kind, table)
            self._put(c, t.gaps, [{"source": s, "start": a, "stop": b} for s, a, b in step.gaps])
            marks = step.marks | ({} if step.judged_until is None else {"judged_until": str(step.judged_until)})
            self._put(c, t.meta, [{"key": k, "value": v} for k, v in marks.items()])
            self._changes(c, step.changes)
            self._put(c, t.their_cases, [plain(case) for case in step.cases])
            self._put(c, t.clients, [plain(client) for client in step.clients])
            self._put(c, t.holdings, [plain(holding) for holding in step.holdings])
            for message in step.messages:
                row = {
                    "key": message.key, "desk": message.desk, "action": message.action, "payload": message.payload,
                    "state": "due", "attempts": 0, "due_at": now, "created_at": now,
                }  # fmt: skip
                c.execute(self._insert(t.outbox).values(row).on_conflict_do_nothing(index_elements=["key"]))

    def _changes(self, c: Connection, changes: Changes) -> None:
        for (rule, scope), alert in changes.alerts.items():
            if alert is None:
                where = dict(zip(("product", "channel", "client_id", "series"), scope.values, strict=True)) | {
                    "rule": rule
                }
                c.execute(sa.delete(t.alerts).where(*(t.alerts.c[k] == v for k, v in where.items())))
        self._put(c, t.alerts, [plain(alert) for alert in changes.alerts.values() if alert])
        self._put(c, t.incidents, [plain(incident) for incident in changes.incidents.values()])
        for incident_id, client, product in [key for key, impact in changes.impacts.items() if impact is None]:
            i = t.impacts.c
            c.execute(
                sa.delete(t.impacts).where(i.incident_id == incident_id, i.client_id == client, i.product == product)
            )
        self._put(c, t.impacts, [plain(impact) for impact in changes.impacts.values() if impact])
        self._put(c, t.decisions, [plain(decision) for decision in changes.decisions.values()])

    def _put_blob(self, c: Connection, kind: str, table: pa.Table) -> None:
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
            writer.write_table(table.combine_chunks())
        minutes = table["known"].to_numpy()
        row = {
            "kind": kind,
            "first_minute": int(minutes.min()),
            "last_minute": int(minutes.max()),
            "version": CELLS_VERSION,
        }
        c.execute(sa.insert(t.cells).values(row | {"blob": sink.getvalue().to_pybytes()}))

    def _insert(self, table: sa.Table) -> Any:
        return postgresql.insert(table) if self.engine.dialect.name == "postgresql" else sqlite.insert(table)

    def _put(self, c: Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> None:
        """Insert the rows, or write over the ones with their keys."""
        if not rows:
            return
        keys = [column.name for column in table.primary_key]
        query = self._insert(table)
        others = {name: query.excluded[name] for name in rows[0] if name not in keys}
        over = (
            query.on_conflict_do_update(index_elements=keys, set_=others) if others else query.on_conflict_do_nothing()
        )
        c.execute(over, list(rows))

    # ---- what people do --------------------------------------------------------------------------------------------

    def act(self, act: Act) -> None:
        """Note what somebody did; the judging thread takes it in at its next step."""
        with self.engine.begin() as c:
            row = {"incident_id": act.incident_id, "at": act.at, "who": act.who, "action": act.action, "text": act.text}
            c.execute(sa.insert(t.acts).values(row))

    def acts(self, *, incident_id: str | None = None, after: int = 0) -> list[Act]:
        """What was done, in order; of one incident, or all after an id."""
        wanted = sa.select(t.acts).where(t.acts.c.id > after).order_by(t.acts.c.id)
        return [Act(**row) for row in self._all(wanted if incident_id is None else wanted.where(t.acts.c.incident_id == incident_id))]

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
        """Minutes for which a source did not answer."""
        with self.reading() as c:
            return [tuple(row) for row in c.execute(sa.select(t.gaps.c.source, t.gaps.c.start, t.gaps.c.stop))]

    def cells(self, kind: str, since: int) -> Iterator[pa.Table]:
        """What was stored of a kind (cells, metrics, ledger) and is known from minute `since` on or later, in order of commit."""
        with self.reading() as c:
            query = (
                sa.select(t.cells).where(t.cells.c.kind == kind, t.cells.c.last_minute >= since).order_by(t.cells.c.id)
            )
            for row in c.execute(query):
                if row.version != CELLS_VERSION:
                    raise StoreError(f"the stored {kind} are of version {row.version}, this is {CELLS_VERSION}")
                with pa.ipc.open_stream(row.blob) as reader:
                    yield reader.read_all()

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

    def their_cases(self, *where: sa.ColumnElement[bool]) -> list[TheirCase]:
        """By when they were opened."""
        rows = self._all(sa.select(t.their_cases).where(*where).order_by(t.their_cases.c.opened_at))
        return [TheirCase(**row) for row in rows]

    def clients(self, *where: sa.ColumnElement[bool]) -> list[Client]:
        """All, or some."""
        return [Client(**row) for row in self._all(sa.select(t.clients).where(*where))]

    def holdings(self, *where: sa.ColumnElement[bool]) -> list[Holding]:
        """All, or some."""
        return [Holding(**row) for row in self._all(sa.select(t.holdings).where(*where))]

    def _all(self, query: sa.Select[Any]) -> list[dict[str, Any]]:
        with self.reading() as c:
            return [dict(row) for row in c.execute(query).mappings()]
