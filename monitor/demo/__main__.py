"""`python -m monitor.demo --database PATH`: the simulated bank, alive until it is told to end or its parent is gone."""

from __future__ import annotations

import argparse
import os
import signal
import sqlite3
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from monitor.demo.feed import follow, preload


def main() -> int:
    """Fill the file up to now, say so in one line, follow: 0 when told to end, 1 if the file cannot be used."""
    options = argparse.ArgumentParser(prog="python -m monitor.demo", description="A simulated bank in a SQLite file.")
    options.add_argument("--database", type=Path, required=True, help="where its file is, or shall be made")
    path: Path = options.parse_args().database
    parent = os.getppid()

    def stop(seconds: float) -> bool:
        time.sleep(seconds)
        return os.getppid() != parent  # an orphan would write for ever

    for wish in (signal.SIGINT, signal.SIGTERM):
        signal.signal(wish, _end)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        begun = time.monotonic()
        rows = preload(path, _now())
        print(f"simulated bank: {rows} transactions up to now in {path}, {time.monotonic() - begun:.1f} s", flush=True)  # noqa: T201 - its one line
        follow(path, _now, stop)
    except KeyboardInterrupt:
        return 0
    except (sqlite3.Error, OSError) as error:
        print(f"{path}: {error}; remove the file to begin afresh", file=sys.stderr)  # noqa: T201 - a command's error
        return 1
    return 0


def _end(*_: object) -> None:
    """Leave at once, as every write is a transaction; but once, for Ctrl-C is often followed by a SIGTERM."""
    for wish in (signal.SIGINT, signal.SIGTERM):
        signal.signal(wish, lambda *_: None)
    raise KeyboardInterrupt


def _now() -> datetime:
    return datetime.now(UTC)


if __name__ == "__main__":
    sys.exit(main())
