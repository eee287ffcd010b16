"""A hundred sources every ten seconds, of which some hang: whether the others stay on time.

Forty by HTTP, thirty databases and thirty files, two rows a second each, over real sockets on loopback; whoever feeds them is another
process. Of those that hang, most take the connection and never answer, a few send a byte a second, and a few are databases that never
greet. poll lag: from when each turn was due to when a poll began, turns that were left out included; asked late: how much longer than their
interval those by HTTP were not asked, as their server saw it; taken in: from when a poll was due to the end of the step that judged and
committed what it brought. All are of the sources that do not hang, first polls included. Of a run in which none hangs, to compare with,
and of those in which some do. As the daemon has it: its scheduler, its threads, the shipped catalog.
"""

from __future__ import annotations

import asyncio
import csv
import json
import multiprocessing as mp
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime
from functools import partial
from itertools import pairwise
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np

from tests.bench import Figure, cores
from tests.bench.start import peak_mib

HUNDRED, EVERY = 100, 10
KINDS = ("http", "http", "sql", "file", "http", "sql", "file", "http", "sql", "file")
"""Of every ten sources."""
RUNS = ((0, 120.0), (10, 180.0), (30, 120.0))
"""How many hang, and for how many seconds it runs."""
HANGS = ("http", "http", "http", "trickle", "postgres")
"""How those hang, in turn."""
ASKED = "asked.txt"
"""Who was asked by HTTP, and when."""
LIMIT = 2.0
"""Seconds of poll lag that 99 of 100 polls must keep to."""


def figures() -> Iterator[Figure]:
    """A run with none that hangs, one with ten, and one with thirty."""
    for hanging, seconds in RUNS:
        with TemporaryDirectory(prefix="vigia-sources-") as folder:
            yield from _run(Path(folder), hanging, seconds)


def _run(folder: Path, hanging: int, seconds: float) -> Iterator[Figure]:
    spawn = mp.get_context("spawn")
    ours, theirs = spawn.Pipe()
    feeder = spawn.Process(target=_feed, args=(folder, theirs), daemon=True)
    feeder.start()
    try:
        (folder / "config.toml").write_text(_config(ours.recv(), hanging), encoding="utf-8")
        (folder / "hanging.json").write_text(json.dumps([_name(n) for n in _hang(hanging)]), encoding="utf-8")
        watching = spawn.Process(target=_watch, args=(folder, seconds, theirs), daemon=True)
        watching.start()
        found: dict[str, Any] = ours.recv()
        watching.join(90)
        found["asked"] = _asked(folder, hanging)
    finally:
        feeder.terminate()
        feeder.join()
    about = f"{hanging} of {HUNDRED} hang"
    due = int((HUNDRED - hanging) * seconds / EVERY)
    yield Figure(f"{about}: turns of the others", len(found["begun"]), "", f"{due:,} were due in {seconds:g} s")
    for what, name in (("poll lag", "begun"), ("asked late", "asked"), ("taken in", "taken")):
        for share in (50, 99, 100):
            told = f"at most {LIMIT:g}" if name != "taken" and share == 99 else ""
            label = "max" if share == 100 else f"p{share}"
            yield Figure(f"  {what}, {label}", float(np.percentile(found[name], share)), "s", told)
    yield Figure("  threads at most", found["threads"], "")
    yield Figure("  processor, of one core", found["cpu"] / seconds, "", f"{cores()} cores")
    yield Figure("  peak memory", found["mib"], "MiB")


def _asked(folder: Path, hanging: int) -> list[float]:
    """By how many seconds each interval between two requests, and from the last one to the end, was too long, as the server saw it."""
    times: dict[str, list[float]] = {
        _name(n): [] for n in range(HUNDRED) if _kind(n) == "http" and n not in _hang(hanging)
    }
    for line in (folder / ASKED).read_text(encoding="utf-8").splitlines():
        name, moment = line.split()
        if name in times:
            times[name].append(float(moment))
    end = max(moment for moments in times.values() for moment in moments)
    return [max(b - a - EVERY, 0.0) for moments in times.values() for a, b in pairwise([*moments, end])]


def _name(number: int) -> str:
    return f"s{number:03}"


def _kind(number: int) -> str:
    return KINDS[number % len(KINDS)]


def _hang(hanging: int) -> dict[int, str]:
    """Which ones, spread over all, and how."""
    return {place * HUNDRED // hanging: HANGS[place % len(HANGS)] for place in range(hanging)}


def _config(ports: tuple[int, int], hanging: int) -> str:
    hang = _hang(hanging)
    port, silent = ports
    how = {
        "http": f'kind = "http"\nurl = "http://127.0.0.1:{port}/%s"\nrows = "value"\nsince = "desde"\ncursor = "timestamp"',
        "sql": 'kind = "sql"\nurl = "sqlite:///%s.db"\ntable = "rows"\ncursor = "timestamp"\nkey = "id"',
        "file": 'kind = "file"\npath = "%s.csv"',
    }
    stuck = {
        "http": f'kind = "http"\nurl = "http://127.0.0.1:{silent}/%s"',
        "trickle": f'kind = "http"\nurl = "http://127.0.0.1:{port}/trickle/%s"',
        "postgres": f'kind = "sql"\nurl = "postgresql+psycopg://nadie@127.0.0.1:{silent}/%s"\ntable = "rows"',
    }
    blocks = ['[monitor]\npatience = "1m"']  # so that minutes are judged without those that hang
    for number in range(HUNDRED):
        name = _name(number)
        kind = stuck[hang[number]] if number in hang else how[_kind(number)]
        blocks.append(f'[sources.{name}]\nrole = "transactions"\nevery = "{EVERY}s"\n{kind % name}')
    return "\n".join(blocks)


# ---- the daemon, in a process of its own ---------------------------------------------------------------------------------


def _watch(folder: Path, seconds: float, told: Connection) -> None:
    from monitor.config import read_config  # noqa: PLC0415 - not in the process that feeds
    from monitor.intake import Rows  # noqa: PLC0415
    from monitor.logs import log_to_stderr  # noqa: PLC0415
    from monitor.service import Service  # noqa: PLC0415
    from monitor.store import Store  # noqa: PLC0415

    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    log_to_stderr()
    config = read_config(folder / "config.toml")
    hanging = json.loads((folder / "hanging.json").read_text(encoding="utf-8"))
    store = Store(config.monitor.database)
    store.migrate()
    service = Service(config, store)
    begun: dict[str, list[float]] = {name: [] for name in config.sources}
    taken: list[float] = []
    begin, step = service.metrics.outside.begun, service._step

    def begins(source: str, late: float) -> None:
        begun[source].append(late)
        begin(source, late)

    def steps(arrived: list[Any]) -> Any:
        done = step(arrived)
        now = service.clock()
        taken.extend(
            (now - item.polled_at).total_seconds() + begun[item.source][-1]
            for item in arrived
            if isinstance(item, Rows)
        )
        return done

    service.metrics.outside.begun, service._step = begins, steps  # type: ignore[method-assign]
    stop, most = Event(), 0
    before, began = time.process_time(), time.monotonic()
    runs = Thread(target=service.run, args=[stop])
    runs.start()
    while time.monotonic() - began < seconds:
        most = max(most, threading.active_count())
        time.sleep(0.2)
    cpu = time.process_time() - before
    well = [late for name, lates in begun.items() if name not in hanging for late in lates]
    told.send({"begun": well, "taken": taken, "threads": most, "cpu": cpu, "mib": peak_mib(os.getpid())})
    os._exit(0)  # those that hang are not waited for


# ---- those whom it asks ---------------------------------------------------------------------------------------------------


def _feed(folder: Path, told: Connection) -> None:
    asyncio.run(_fed(folder, told))


async def _fed(folder: Path, told: Connection) -> None:
    answering = await asyncio.start_server(partial(_answer, folder / ASKED), "127.0.0.1", 0)
    silent = await asyncio.start_server(_silent, "127.0.0.1", 0, backlog=500)
    numbers = range(HUNDRED)
    files = [folder / f"{_name(n)}.csv" for n in numbers if _kind(n) == "file"]
    bases = [folder / f"{_name(n)}.db" for n in numbers if _kind(n) == "sql"]
    for path in files:
        path.write_text("timestamp,status,product,channel,client_id,id\n", encoding="utf-8")
    for path in bases:
        with closing(sqlite3.connect(path)) as db:
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("CREATE TABLE rows (timestamp, status, product, channel, client_id, id)")
    told.send((_port(answering), _port(silent)))
    while True:
        rows = _rows(datetime.now(UTC).timestamp(), 2)
        for path in files:
            with path.open("a", newline="", encoding="utf-8") as out:
                csv.writer(out).writerows([*row.values()] for row in _of(path.stem, rows))
        for path in bases:
            with closing(sqlite3.connect(path)) as db, db:
                db.executemany(
                    "INSERT INTO rows VALUES (?, ?, ?, ?, ?, ?)", ([*r.values()] for r in _of(path.stem, rows))
                )
        await asyncio.sleep(1)


def _rows(until: float, seconds: float) -> list[dict[str, str]]:
    """Two a second, up to a moment; the same for whoever asks."""
    moments = [half / 2 for half in range(int(2 * (until - seconds / 2)), int(2 * until))]
    return [
        {
            "timestamp": datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds"), "status": "ok", "product": "",
            "channel": "web", "client_id": str(900_000_000 + int(2 * moment) % 50), "id": f"{moment:.1f}",
        }
        for moment in moments
    ]  # fmt: skip


def _of(name: str, rows: list[dict[str, str]]) -> list[dict[str, str]]:
    return [row | {"product": f"producto {name}", "id": f"{name}-{row['id']}"} for row in rows]


async def _answer(asked: Path, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError, asyncio.IncompleteReadError), asked.open("a", encoding="utf-8", buffering=1) as note:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            parts = urlsplit(head.split()[1])
            note.write(f"{parts.path.strip('/')} {time.monotonic()}\n")
            if parts.path.startswith("/trickle/"):
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n")
                while True:
                    writer.write(b" ")
                    await writer.drain()
                    await asyncio.sleep(1)
            now, since = datetime.now(UTC).timestamp(), parse_qs(parts.query).get("desde", [""])[0]
            after = max(datetime.fromisoformat(since).timestamp() if since else 0.0, now - 60)
            body = json.dumps({"value": _of(parts.path.strip("/"), _rows(now, 2 * (now - after)))}).encode()
            writer.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body
            )
            await writer.drain()


async def _silent(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        await asyncio.sleep(3600)
    writer.close()


def _port(server: asyncio.Server) -> int:
    return int(server.sockets[0].getsockname()[1])
