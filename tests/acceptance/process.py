"""The real daemon with an injected clock: `python process.py CONFIG CLOCK [served]`. The time is what the file CLOCK says (ISO 8601).

served: with its board, as `vigia run` is.
"""

from __future__ import annotations

import signal
import sys
from datetime import datetime, timedelta
from pathlib import Path
from threading import Event, Thread

from connectors import circuit
from monitor import jobs, service
from monitor.config import read_config
from monitor.daemon import run_daemon
from monitor.logs import log_to_stderr
from monitor.notices import Notices
from monitor.service import Service
from monitor.store import Store

# A minute of the clock that is injected passes in a moment.
jobs.NOTICES = jobs.DELIVERY = timedelta(seconds=0.2)
circuit.COOL = circuit.LONGEST = 0.1


class Counted(Notices):
    """The notifier, which says in the file `passes` beside the clock how many passes it has ended."""

    passes: Path

    def tell(self) -> int:
        made = super().tell()
        done = int(self.passes.read_text() or 0) if self.passes.exists() else 0
        fresh = self.passes.with_suffix(".new")
        fresh.write_text(str(done + 1))
        fresh.replace(self.passes)
        return made


service.Notices = Counted


def main(config: Path, clock: Path, *, served: bool) -> None:
    Counted.passes = clock.with_name("passes")
    settings = read_config(config)
    store = Store(settings.monitor.database)
    if served:
        run_daemon(settings, store, clock=lambda: datetime.fromisoformat(clock.read_text()))
        store.close()
        return
    stop = Event()
    signal.signal(signal.SIGTERM, lambda *_: Thread(target=stop.set).start())
    log_to_stderr()
    with store.alone():
        store.migrate()
        Service(settings, store, clock=lambda: datetime.fromisoformat(clock.read_text())).run(stop)
    store.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), served=sys.argv[3:] == ["served"])
