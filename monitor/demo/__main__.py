"""`python -m monitor.demo --database PATH [--cases HOST:PORT]`: the simulated bank, until it is told to end or its parent is gone."""

from __future__ import annotations

import argparse
import os
import signal
import sqlite3
import sys
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from monitor.demo.casetool import CaseTool, served
from monitor.demo.feed import follow, preload

TOKEN = "VIGIA_DEMO_TOKEN"  # noqa: S105 - the name of the variable that holds it


def main() -> int:
    """Fill the file up to now, serve its cases, say so in one line, follow: 0 when told to end, 1 if something cannot be had."""
    options = argparse.ArgumentParser(prog="python -m monitor.demo", description="A simulated bank in a SQLite file.")
    options.add_argument("--database", type=Path, required=True, help="where its file is, or shall be made")
    options.add_argument("--cases", type=_address, help=f"host:port of its case tool, whose token is in {TOKEN}")
    given = options.parse_args()
    path: Path = given.database
    if given.cases and not os.environ.get(TOKEN):
        return _fail(f"the environment has no {TOKEN}, the case tool's token")
    parent = os.getppid()

    def stop(seconds: float) -> bool:
        time.sleep(seconds)
        return os.getppid() != parent  # an orphan would write for ever

    for wish in (signal.SIGINT, signal.SIGTERM):
        signal.signal(wish, _end)
    try:
        with ExitStack() as tools:
            path.parent.mkdir(parents=True, exist_ok=True)
            begun = time.monotonic()
            # Before the history, which takes a while: a port that is taken is told at once.
            if given.cases:
                try:
                    cases = tools.enter_context(served(CaseTool(path, _now), given.cases, os.environ[TOKEN]))
                except OSError as error:
                    place = "{}:{}".format(*given.cases)
                    return _fail(f"the simulated case tool cannot listen on {place} (demo.cases): {error.strerror}")
            rows = preload(path, _now())
            where = f", cases at {cases}" if given.cases else ""
            took = f"{time.monotonic() - begun:.1f} s"
            print(f"simulated bank: {rows} transactions up to now in {path}{where}, {took}", flush=True)  # noqa: T201 - its one line
            follow(path, _now, stop)
    except KeyboardInterrupt:
        return 0
    except (sqlite3.Error, OSError) as error:
        return _fail(f"{path}: {error}; remove the file to begin afresh")
    return 0


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host, int(port)


def _fail(why: str) -> int:
    print(why, file=sys.stderr)  # noqa: T201 - a command's error
    return 1


def _end(*_: object) -> None:
    """Leave at once, as every write is a transaction; but once, for Ctrl-C is often followed by a SIGTERM."""
    for wish in (signal.SIGINT, signal.SIGTERM):
        signal.signal(wish, lambda *_: None)
    raise KeyboardInterrupt


def _now() -> datetime:
    return datetime.now(UTC)


if __name__ == "__main__":
    sys.exit(main())
