"""The real daemon on the simulated bank, with a clock that runs ahead: `python fast_bank.py CONFIG SPEED HOURS`.

The clock begins some hours before now and goes SPEED times as fast as the real one; history before it is the bank's own. Everything else is
as `vigia run` has it: the bank writes its database, its case tool answers, the daemon polls, judges, delivers and serves its faces. The
case tool goes away while the file `away` lies beside the configuration.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path
from threading import Event, Thread

from monitor import service as services
from monitor.config import read_config
from monitor.daemon import board
from monitor.demo.casetool import CaseTool, served
from monitor.demo.feed import follow, preload
from monitor.logs import log_to_stderr
from monitor.service import Service, wall
from monitor.store import Store

HISTORY = 26
"""Hours of the bank's past."""


def main(config: Path, speed: float, minutes: float) -> None:
    began, real = wall() - timedelta(minutes=minutes), time.monotonic()

    def clock() -> datetime:
        """Ahead until it has caught up with the real one."""
        return min(began + (time.monotonic() - real) * timedelta(seconds=speed), wall())

    settings = read_config(config)
    assert settings.demo
    assert settings.demo.cases
    bank, stop = Path(settings.demo.database), Event()
    services.WATCH = timedelta(seconds=1)
    services.wall = clock
    log_to_stderr()
    bank.parent.mkdir(parents=True, exist_ok=True)
    preload(bank, clock(), HISTORY)
    real = time.monotonic()  # what that took is not the clock's
    Thread(
        target=tool, args=(CaseTool(bank, clock), settings.demo.cases, config.parent / "away", stop), daemon=True
    ).start()
    Thread(target=follow, args=(bank, clock, lambda _: stop.wait(0.1)), daemon=True).start()
    store = Store(settings.monitor.database)
    with store.alone():
        store.migrate()
        daemon = Service(settings, store, clock=clock)
        signal.signal(signal.SIGTERM, lambda *_: Thread(target=stop.set).start())
        with board(daemon, store, settings.monitor.listen) as address:
            sys.stdout.write(f"board at {address}\n")
            sys.stdout.flush()
            daemon.run(stop)
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
    main(Path(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]))
