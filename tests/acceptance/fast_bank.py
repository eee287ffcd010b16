"""The real daemon on the simulated bank, in a hurry: `python fast_bank.py CONFIG MINUTES`.

The clock begins some minutes before now and goes as fast as the bank writes and the daemon judges, until it has caught up with the real
one; history before it is the bank's own. After HELD it stands until the file `go` lies beside the configuration. Everything else is as
`vigia run` has it: the bank writes its database, its case tool answers, the daemon polls, judges, delivers and serves its faces. The
case tool goes away while the file `away` lies beside the configuration.
"""

from __future__ import annotations

import os
import signal
import sys
from datetime import datetime, timedelta
from pathlib import Path
from threading import Event, Thread

from monitor import jobs
from monitor.config import read_config
from monitor.daemon import board, pages
from monitor.demo.casetool import CaseTool, served
from monitor.demo.feed import follow, preload
from monitor.logs import log_to_stderr
from monitor.reloading import Live
from monitor.service import Service, wall
from monitor.store import Store
from monitor.windows import time_of

HISTORY = 26
"""Hours of the bank's past."""
STEP, AHEAD = timedelta(seconds=20), timedelta(minutes=5)
"""What the bank writes at once, and how far the clock may be ahead of what is judged: further than the patience with a source."""


HELD = timedelta(minutes=26)


class Hurry:
    """now: what the daemon takes for the time; all before it is written. It waits for the daemon: no load changes the story."""

    def __init__(self, began: datetime, stop: Event, go: Path) -> None:
        self.now, self.stop, self.go, self.until = began, stop, go, began + HELD
        self.daemon: Service | None = None
        self._next = began

    def clock(self) -> datetime:
        return self.now

    def bank(self) -> datetime:
        """Until when the bank writes next."""
        self._next = min(self._next + STEP, wall())
        return self._next

    def written(self, _: float) -> bool:
        """It has; whether to end."""
        self.now = self._next
        while not self.stop.wait(0.02 if self.now + STEP < wall() else 0.2):
            if self.now > self.until and not self.go.exists():
                continue
            judged = self.daemon.judge.judged_until if self.daemon else None
            if judged is not None and self.now - time_of(judged) < AHEAD:
                return False
        return True


def main(config: Path, minutes: float) -> None:
    settings = read_config(config)
    assert settings.demo
    assert settings.demo.cases
    bank, stop = Path(settings.demo.database), Event()
    hurry = Hurry(wall() - timedelta(minutes=minutes), stop, config.parent / "go")
    jobs.WATCH = timedelta(seconds=1)
    log_to_stderr()
    bank.parent.mkdir(parents=True, exist_ok=True)
    preload(bank, hurry.now, HISTORY)
    told = (CaseTool(bank, hurry.clock), settings.demo.cases, config.parent / "away", stop)
    Thread(target=tool, args=told, daemon=True).start()
    store = Store(settings.monitor.database)
    with store.alone():
        store.migrate()
        hurry.daemon = Service(settings, store, clock=hurry.clock)
        Thread(target=follow, args=(bank, hurry.bank, hurry.written), daemon=True).start()
        signal.signal(signal.SIGTERM, lambda *_: Thread(target=stop.set).start())
        live = Live(hurry.daemon, pages, stop)
        with board(live, settings.monitor.listen):
            live.run()
    store.close()


def tool(cases: CaseTool, address: str, away: Path, stop: Event) -> None:
    """Serve it, but for the times when it is away."""
    host, _, port = address.rpartition(":")
    while not stop.is_set():
        with served(cases, (host, int(port)), os.environ["VIGIA_DEMO_TOKEN"]):
            while not away.exists() and not stop.wait(0.1):
                pass
        while away.exists() and not stop.wait(0.1):
            pass


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]))
