"""The bank's table of cases: the clients' own and those that a monitor opens, and how the bank's people work them off."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from monitor.demo.bank import EPOCH, Bank, milliseconds
from monitor.demo.clients import written
from monitor.demo.complaints import SUBJECTS, complaints
from monitor.demo.profile import BOGOTA

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

    from monitor.demo.failures import Failure

TABLE = """CREATE TABLE IF NOT EXISTS casos (
  id INTEGER PRIMARY KEY, nit TEXT NOT NULL, producto TEXT NOT NULL, canal TEXT NOT NULL, tipo TEXT NOT NULL,
  estado TEXT NOT NULL, abierto_en TEXT NOT NULL, reportado_en TEXT NOT NULL, actualizado_en TEXT NOT NULL,
  asunto TEXT NOT NULL)"""
ADDED = {
    "clave": "TEXT",
    "reportado_por": "TEXT NOT NULL DEFAULT 'client'",
    "incidente": "TEXT NOT NULL DEFAULT ''",
    "prioridad": "INTEGER",
    "detalle": "TEXT NOT NULL DEFAULT ''",
    "nota": "TEXT NOT NULL DEFAULT ''",
    "resuelto_en": "TEXT",
    "cerrado_en": "TEXT",
}
"""What a file of an earlier version lacks. `clave`: whose key it is that opened the case; a client's own has none."""
INDEXES = (
    "CREATE UNIQUE INDEX IF NOT EXISTS casos_clave ON casos (clave)",
    "CREATE INDEX IF NOT EXISTS casos_cambio ON casos (actualizado_en, id)",
    "CREATE INDEX IF NOT EXISTS casos_sin_cerrar ON casos (abierto_en) WHERE cerrado_en IS NULL",
)
MINUTE = timedelta(minutes=1)
TAKEN, RESOLVED, CLOSED = 16, 25, 10
"""Minutes until somebody takes a case on and until it is resolved, at the least, and from there until it is closed."""


def prepare(database: sqlite3.Connection) -> None:
    """Make the table, or give one of an earlier version what it lacks."""
    database.execute(TABLE)
    there = {row[1] for row in database.execute("PRAGMA table_info(casos)")}
    for name, kind in ADDED.items():
        if name not in there:
            database.execute(f"ALTER TABLE casos ADD COLUMN {name} {kind}")
    for index in INDEXES:
        database.execute(index)


def write_calls(
    database: sqlite3.Connection, bank: Bank, start: datetime, now: datetime, failures: Iterable[Failure]
) -> None:
    """Add the clients' own cases opened from `start` up to `now`.

    A second without transactions leaves `start` where it was: the last case tells what of it has been written already.
    They are never deleted: they are few, and an emptied table would number its rows from 1 again.
    """
    (last,) = database.execute("SELECT max(abierto_en) FROM casos WHERE clave IS NULL").fetchone()
    first = max(milliseconds(start), milliseconds(datetime.fromisoformat(last)) + 1 if last else 0)
    for failure in failures:
        for case in complaints(bank, failure, now):
            if first <= case.opened < milliseconds(now):
                opened, reported = (stamp(EPOCH + timedelta(milliseconds=at)) for at in (case.opened, case.reported))
                nit = written(bank.clients[case.client].nit)[case.client % 3]
                subject = SUBJECTS[failure.status]
                database.execute(
                    "INSERT INTO casos (nit, producto, canal, tipo, estado, abierto_en, reportado_en, actualizado_en,"
                    " asunto) VALUES (?, ?, ?, 'soporte', 'abierto', ?, ?, ?, ?)",
                    (nit, failure.product, failure.channel, opened, reported, stamp(now), subject),
                )


def work(database: sqlite3.Connection, now: datetime) -> None:
    """Take on, resolve and close the cases whose time has come, whoever opened them; every change is told as of `now`."""
    due = "SELECT id, abierto_en FROM casos WHERE cerrado_en IS NULL AND abierto_en <= ?"
    for number, opened in database.execute(due, (stamp(now - TAKEN * MINUTE),)).fetchall():
        begun = datetime.fromisoformat(opened)
        taken = begun + (TAKEN + number % 5) * MINUTE
        resolved = begun + (RESOLVED + 8 * number % 21) * MINUTE
        closed = resolved + CLOSED * MINUTE
        if now >= taken:
            _change(database, number, "estado = 'en gestión'", "estado = 'abierto'", now)
        if now >= resolved:
            at = stamp(resolved)
            _change(database, number, f"estado = 'resuelto', resuelto_en = '{at}'", "resuelto_en IS NULL", now)
        if now >= closed:
            at = stamp(closed)
            _change(database, number, f"estado = 'cerrado', cerrado_en = '{at}'", "cerrado_en IS NULL", now)


def _change(database: sqlite3.Connection, number: int, change: str, where: str, now: datetime) -> None:
    database.execute(f"UPDATE casos SET {change}, actualizado_en = ? WHERE id = ? AND {where}", (stamp(now), number))


def stamp(moment: datetime) -> str:
    """As the bank writes its times; texts of one offset sort as the times do."""
    return moment.astimezone(BOGOTA).isoformat(timespec="milliseconds")
