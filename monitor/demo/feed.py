"""The bank's database: a SQLite file in the bank's own names, filled up to now and then second by second.

The write-ahead log lets it be read at any time. Rows go in by time, so ids rise with it. A file from an earlier run is
continued: what it lacks is drawn up to now (the last `HISTORY` hours at most; older rows are dropped), and its ids go
on, so that a reader's cursor stays good.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import datetime, timedelta
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from monitor.demo.bank import Bank, Rows
from monitor.demo.cases import prepare, stamp, work, write_calls
from monitor.demo.clients import clients, written
from monitor.demo.failures import Failure, timetable
from monitor.demo.profile import DEMO, UTC_OFFSET

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

SEED = 20
HISTORY = 26
"""Hours: a day for what learns the hour of day, and some to spare."""
CALLING = timedelta(minutes=10)
"""After a failure ends, how long its last callers may take."""

TABLES = """
CREATE TABLE IF NOT EXISTS transacciones (
  id INTEGER PRIMARY KEY, ocurrio_en TEXT NOT NULL, producto TEXT NOT NULL, canal TEXT NOT NULL, nit TEXT NOT NULL,
  estado TEXT NOT NULL, codigo_error TEXT, latencia_ms INTEGER NOT NULL, valor INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS clientes (
  nit TEXT PRIMARY KEY, nombre TEXT NOT NULL, segmento TEXT NOT NULL, puesto INTEGER NOT NULL,
  sensibilidad REAL NOT NULL, postventa TEXT NOT NULL, suplente TEXT, gerente TEXT NOT NULL,
  grupo TEXT, sector TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS productos_cliente (
  nit TEXT NOT NULL, producto TEXT NOT NULL, canal TEXT NOT NULL, desde TEXT NOT NULL,
  PRIMARY KEY (nit, producto, canal));
"""


@cache
def demo_bank() -> Bank:
    """The one bank of the demo."""
    return Bank(DEMO, clients(DEMO.pairs, SEED), SEED)


def preload(path: Path, now: datetime, hours: int = HISTORY) -> int:
    """Make the file or bring it up to `now`; how many transactions that took.

    All or nothing: a new file is built beside its place and moved there whole; an old one grows in one transaction.
    Raises sqlite3.Error if what is there is not this bank's database.
    """
    if path.exists():
        return _fill(path, now, hours)
    draft = path.with_name(path.name + ".new")
    # A log left behind by a file that somebody removed would be played into the new one.
    for leftover in (draft, *(Path(f"{name}{end}") for name in (draft, path) for end in ("-wal", "-shm", "-journal"))):
        leftover.unlink(missing_ok=True)
    rows = _fill(draft, now, hours)
    draft.replace(path)
    return rows


def follow(path: Path, clock: Callable[[], datetime], stop: Callable[[float], bool]) -> None:
    """Write, each second, what has happened since the last row, until `stop` says so.

    `stop(seconds)` waits that long and answers whether to end. The timetable of failures counts from the first reading
    of `clock`. Raises sqlite3.Error if the file can no longer be written.
    """
    started = clock()
    with closing(_connect(path)) as database:
        now = started
        while True:
            with database:
                _advance(database, now, now - timedelta(hours=HISTORY), partial(timetable, started))
            if stop(1.0):
                return
            now = clock()


def _fill(path: Path, now: datetime, hours: int) -> int:
    oldest = now - timedelta(hours=hours)
    with closing(_connect(path)) as database:
        for statement in TABLES.split(";"):
            database.execute(statement)
        prepare(database)
        with database:
            rows = _advance(database, now, oldest, lambda _since, _until: ())
            _write_clients(database)
            # After the insert: an emptied table would number its rows from 1 again.
            database.execute("DELETE FROM transacciones WHERE ocurrio_en < ?", (stamp(oldest),))
    return rows


def _advance(
    database: sqlite3.Connection,
    now: datetime,
    oldest: datetime,
    failures: Callable[[datetime, datetime], Iterable[Failure]],
) -> int:
    """Begin a transaction and add what happened after the last row (from `oldest` on) and before `now`.

    The last row itself says how far the file has come: all rows up to it were written with it, none after it. The write
    lock is taken before it is read, so two feeds of one file never write the same second twice.
    """
    database.execute("BEGIN IMMEDIATE")
    last = database.execute("SELECT ocurrio_en FROM transacciones ORDER BY id DESC LIMIT 1").fetchone()
    start = max(oldest, datetime.fromisoformat(last[0]) + timedelta(milliseconds=1)) if last else oldest
    if start >= now:
        return 0
    bank = demo_bank()
    rows = bank.rows(start, now)
    for failure in failures(start, now):
        rows = failure.strike(rows, bank.profile.pairs)
    database.executemany(
        "INSERT INTO transacciones (ocurrio_en, producto, canal, nit, estado, codigo_error, latencia_ms, valor)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        _as_written(bank, rows),
    )
    write_calls(database, bank, start, now, failures(start - CALLING, now))
    work(database, now)
    return len(rows)


def _as_written(bank: Bank, rows: Rows) -> Iterator[tuple[object, ...]]:
    """The rows as the bank's systems put them down, each NIT in one of its three forms, as it comes."""
    products = np.array([pair.product for pair in bank.profile.pairs], object)
    channels = np.array([pair.channel for pair in bank.profile.pairs], object)
    nits = np.array([written(client.nit) for client in bank.clients], object)
    form = (rows.at + rows.client) % 3
    local = rows.at + UTC_OFFSET // timedelta(milliseconds=1)
    return zip(
        (f"{time}-05:00" for time in np.datetime_as_string(local.astype("datetime64[ms]")).tolist()),
        products[rows.pair],
        channels[rows.pair],
        nits[rows.client, form],
        rows.status,
        rows.error_code,
        np.rint(rows.latency_ms).astype(np.int64).tolist(),
        rows.amount.tolist(),
        strict=True,
    )


def _write_clients(database: sqlite3.Connection) -> None:
    bank = demo_bank()
    database.execute("DELETE FROM clientes")
    database.execute("DELETE FROM productos_cliente")
    for client in bank.clients:
        database.execute(
            "INSERT INTO clientes VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(client.nit, client.name, client.segment, client.value_rank, client.sensitivity),
                *(client.post_sale, client.substitute, client.manager, client.group, client.sector),
            ),
        )
        held = (bank.profile.pairs[position] for position in client.holdings)
        database.executemany(
            "INSERT INTO productos_cliente VALUES (?, ?, ?, ?)",
            [(client.nit, pair.product, pair.channel, f"{client.since}T00:00:00-05:00") for pair in held],
        )


def _connect(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, isolation_level=None)
    try:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")
    except sqlite3.Error:
        database.close()
        raise
    return database
