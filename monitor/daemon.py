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
from monitor.ending import SIGNALS
from monitor.judge import Stopped
from monitor.logs import log_to_stderr
from monitor.portrait import outlook
from monitor.service import Service, wall
from monitor.store import Store
from monitor.web import app, serve


class CannotListen(Exception):  # noqa: N818 - it says what happened
    """The board's address is not to be had, in words."""


class NoBank(Exception):  # noqa: N818 - as above
    """The simulated bank did not start, and has said why on stderr; or it has ended, in words."""


def run_daemon(config: Config, store: Store) -> None:
    """Until SIGTERM or SIGINT."""
    log_to_stderr()
    stop = Event()
    with store.alone():
        store.migrate()
        with simulated_bank(config, stop):
            for number in SIGNALS:
                # From a thread of its own: a handler interrupts the thread that may be waiting on this very event.
                signal.signal(number, lambda *_: Thread(target=stop.set).start())
            try:
                service = Service(config, store, ending=stop.is_set)
            except Stopped:
                return
            with board(service, store, config.monitor.listen) as address:
                print(f"Vigía: board at {address} (Ctrl-C ends it)", flush=True)  # noqa: T201 - what the user waits for
                service.run(stop)
    if service.hanging:
        # All is committed and closed, but Python would wait for a thread that may never come back.
        store.close()
        sys.stderr.flush()
        os._exit(0)


@contextmanager
def board(service: Service, store: Store, listen: str) -> Iterator[str]:
    """The board and the API, served while the daemon lives."""
    zone = ZoneInfo(service.config.monitor.timezone)
    measures = {rule.spec.name: rule.shown for rule in service.judge.pipeline.rules}
    pages = app(
        store,
        service.metrics,
        service.ready,
        lambda: wall().astimezone(zone),
        measures=measures,
        escalating=service.config.causes.escalating,
        promises=service.config.promises,
        outlook=outlook(service.config),
        losses=service.config.losses,
        maintenance=service.config.maintenance,
        access=service.config.access,
        monitor=service.config.monitor,
        own_guides=service.config.words.guides,
    )
    try:
        server = serve(pages, listen)
    except OSError as error:
        raise CannotListen(f"cannot listen on {listen} (monitor.listen): {os.strerror(error.errno or 0)}") from None
    try:
        yield server.address
    finally:
        server.stop()


@contextmanager
def simulated_bank(config: Config, stop: Event) -> Iterator[None]:
    """A bank that writes its payments to the configured database, and its case tool, while the daemon lives; `stop`: if it ends first."""
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
            Thread(target=_watch, args=(bank, stop), daemon=True).start()
            yield
            if bank.poll() is not None:
                raise NoBank(f"the simulated bank has ended with {bank.returncode}")
        finally:
            bank.terminate()


def _watch(bank: subprocess.Popen[str], stop: Event) -> None:
    bank.wait()
    stop.set()
