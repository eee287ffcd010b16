"""`vigia run`: logging, the board, the simulated bank where the configuration has one, and the end by signal."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread
from zoneinfo import ZoneInfo

from monitor.blocks import DEMO_SECRETS
from monitor.config import Config
from monitor.judge import Stopped
from monitor.logs import log_to_stderr
from monitor.service import Service, wall
from monitor.store import Store
from monitor.web import app, serve


class CannotListen(Exception):  # noqa: N818 - it says what happened
    """The board's address is not to be had, in words."""


class NoBank(Exception):  # noqa: N818 - as above
    """The simulated bank did not start; it has said why on stderr."""


def run_daemon(config: Config, store: Store) -> None:
    """Until SIGTERM or SIGINT."""
    log_to_stderr()
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        # From a thread of its own: a handler interrupts the thread that may be waiting on this very event.
        signal.signal(number, lambda *_: Thread(target=stop.set).start())
    with store.alone():
        store.migrate()
        with simulated_bank(config):
            try:
                service = Service(config, store, ending=stop.is_set)
            except Stopped:
                return
            with board(service, store, config.monitor.listen) as address:
                print(f"Vigía: board at {address} (Ctrl-C ends it)", flush=True)  # noqa: T201 - what the user waits for
                service.run(stop)


@contextmanager
def board(service: Service, store: Store, listen: str) -> Iterator[str]:
    """The board and the API, served while the daemon lives."""
    zone = ZoneInfo(service.config.monitor.timezone)
    measures = {rule.spec.name: rule.shown for rule in service.judge.pipeline.rules}
    pages = app(store, service.metrics, service.ready, lambda: wall().astimezone(zone), measures=measures)
    try:
        server = serve(pages, listen)
    except OSError as error:
        raise CannotListen(f"cannot listen on {listen} (monitor.listen): {os.strerror(error.errno or 0)}") from None
    try:
        yield server.address
    finally:
        server.stop()


@contextmanager
def simulated_bank(config: Config) -> Iterator[None]:
    """A bank that writes its payments to the configured database, and its case tool, while the daemon lives."""
    if config.demo is None:
        yield
        return
    command = [sys.executable, "-m", "monitor.demo", "--database", config.demo.database]
    command += ["--cases", config.demo.cases] if config.demo.cases else []
    env = DEMO_SECRETS | os.environ
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True, env=env) as bank:  # noqa: S603 - our own module
        try:
            said = bank.stdout.readline().strip() if bank.stdout else ""
            if not said:
                raise NoBank
            print(said, flush=True)  # noqa: T201 - said before the first poll: its history is there
            yield
        finally:
            bank.terminate()
