"""A timeline through the real process: rows are written and the clock is set minute by minute, in lock step with what is committed."""

from __future__ import annotations

import csv
import os
import random
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

ROOT = Path(__file__).parents[2]
PATIENCE = 180.0
Row = dict[str, object]


@dataclass
class Timeline:
    """A folder with a config, a clock file, and a daemon that may be killed and started at any moment."""

    folder: Path
    process: subprocess.Popen[bytes] | None = None
    started: int = 0
    lines: dict[str, bool] = field(default_factory=dict)
    more: tuple[str, ...] = ()

    @property
    def clock(self) -> Path:
        return self.folder / "clock"

    def now_is(self, now: datetime) -> None:
        """Set the clock, whole or not at all."""
        fresh = self.folder / "clock.new"
        fresh.write_text(now.isoformat())
        fresh.replace(self.clock)

    def write(self, name: str, rows: Sequence[Row]) -> None:
        """Append rows to a CSV that the daemon follows."""
        path = self.folder / name
        with path.open("a", newline="", encoding="utf-8") as file:
            if rows:
                writer = csv.DictWriter(file, list(rows[0]))
                if not self.lines.setdefault(name, path.stat().st_size > 0):
                    writer.writeheader()
                    self.lines[name] = True
                writer.writerows(rows)

    def start(self) -> None:
        """Start the daemon, if it does not run."""
        if self.process and self.process.poll() is None:
            return
        command = [
            sys.executable,
            str(Path(__file__).with_name("process.py")),
            str(self.folder / "config.toml"),
            str(self.clock),
            *self.more,
        ]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, cwd=ROOT, stderr=log, env={**os.environ, "PYTHONPATH": str(ROOT)})
        self.started += 1

    def kill(self) -> None:
        """Kill -9, whatever it is doing."""
        if self.process:
            self.process.kill()
            self.process.wait()

    def stop(self) -> int:
        """SIGTERM; its exit code."""
        if self.process is None:
            return 0
        self.process.terminate()
        return self.process.wait(timeout=PATIENCE)

    def judged_until(self) -> int:
        """The first minute that is not judged and committed, or 0."""
        found = self.ask("SELECT value FROM meta WHERE key = 'judged_until'")
        return int(found[0][0]) if found else 0

    def ask(self, query: str) -> list[tuple[object, ...]]:
        """What the state says; nothing while there is none."""
        if not (self.folder / "vigia.db").exists():
            return []
        with closing(sqlite3.connect(f"file:{self.folder / 'vigia.db'}?mode=ro", uri=True, timeout=60)) as db:
            try:
                return db.execute(query).fetchall()
            except sqlite3.OperationalError:
                return []

    def until(self, minute: int) -> None:
        """Wait until the minutes before this one are judged, starting the daemon where it is down."""
        deadline = time.monotonic() + PATIENCE
        while self.judged_until() < minute:
            self.start()
            if time.monotonic() > deadline:
                raise AssertionError(
                    f"not judged until {minute} but {self.judged_until()}: {(self.folder / 'log').read_text()[-3000:]}"
                )
            time.sleep(0.01)

    def settle(self) -> None:
        """Wait until everything is delivered."""
        deadline = time.monotonic() + PATIENCE
        while self.ask("SELECT 1 FROM outbox WHERE state NOT IN ('sent', 'dead')") and time.monotonic() < deadline:
            self.start()
            time.sleep(0.02)

    def play(
        self, minutes: Iterable[tuple[datetime, Sequence[Row]]], *, lateness: timedelta, kills: Sequence[float] = ()
    ) -> None:
        """Minute by minute: its rows, then the clock past its end. kills: share of the way at which to kill -9, each once."""
        script = list(minutes)
        moments = sorted(min(int(share * len(script)), len(script) - 2) for share in kills)
        for number, (minute, rows) in enumerate(script):
            self.write("payments.csv", rows)
            self.now_is(minute + timedelta(minutes=1) + lateness)
            self.start()
            for again in range(moments.count(number)):
                draw = random.Random(number * 100 + again)
                # Any moment of its life: half of them while it takes in this minute, the others while it starts and reads its state.
                time.sleep(draw.uniform(0, draw.choice((0.15, 2.0))))
                self.kill()
                self.start()
            self.until(int((minute + timedelta(minutes=1)).timestamp() // 60))
        self.settle()
