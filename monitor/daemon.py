"""`vigia run`: logging, the board, the simulated bank where the configuration has one, and the end by signal."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from threading import Event, Thread
from zoneinfo import ZoneInfo

import structlog
from fastapi import FastAPI
from starlette.types import ASGIApp

from monitor.bereft import warn
from monitor.blocks import DEMO_SECRETS
from monitor.config import Config
from monitor.ending import SIGNALS
from monitor.judge import Stopped
from monitor.logs import log_to_stderr
from monitor.portrait import outlook
from monitor.reloading import Live
from monitor.service import Service, wall
from monitor.store import Store
from monitor.web import app, serve
from monitor.written_out import written_out

log = structlog.get_logger()


class CannotListen(Exception):  # noqa: N818 - it says what happened
    """The board's address is not to be had, in words."""


class NoBank(Exception):  # noqa: N818 - as above
    """The simulated bank did not start, and has said why on stderr; or it has ended, in words."""


def run_daemon(config: Config, store: Store, *, clock: Callable[[], datetime] = wall) -> None:
    """Until SIGTERM or SIGINT; SIGHUP reads the configuration anew."""
    log_to_stderr()
    for fault in written_out(config.path):
        log.warning("a secret stands in the configuration file", key=fault.key)
    stop = Event()
    signal.signal(signal.SIGHUP, lambda *_: Thread(target=_too_early).start())
    with store.alone():
        store.migrate()
        with simulated_bank(config, stop):
            for number in SIGNALS:
                # From a thread of its own: a handler interrupts the thread that may be waiting on this very event.
                signal.signal(number, lambda *_: Thread(target=stop.set).start())
            try:
                live = Live(Service(config, store, clock=clock, ending=stop.is_set), pages, stop)
            except Stopped:
                return
            signal.signal(signal.SIGHUP, lambda *_: Thread(target=live.hang_up).start())
            warn(store, config.desks)
            with board(live, config.monitor.listen) as address:
                print(f"Vigía: board at {address} (Ctrl-C ends it)", flush=True)  # noqa: T201 - what the user waits for
                live.run()
    if live.hanging:
        # All is committed and closed, but Python would wait for a thread that may never come back.
        store.close()
        sys.stderr.flush()
        os._exit(0)


def _too_early() -> None:
    log.warning("the configuration was not read anew", why="Vigía comienza: inténtelo cuando esté en pie")


def pages(service: Service, reload: Callable[[str], Sequence[str]]) -> FastAPI:
    """The board and the API of a service."""
    config, zone = service.config, ZoneInfo(service.config.monitor.timezone)
    return app(
        service.store,
        service.metrics,
        service.ready,
        lambda: service.clock().astimezone(zone),
        measures={rule.spec.name: rule.shown for rule in service.judge.pipeline.rules},
        escalating=config.causes.escalating,
        promises=config.promises,
        outlook=outlook(config),
        losses=config.losses,
        maintenance=config.maintenance,
        access=config.access,
        monitor=config.monitor,
        own_guides=config.words.guides,
        named=config.named,
        reload=reload,
    )


@contextmanager
def board(web: ASGIApp, listen: str) -> Iterator[str]:
    """The board and the API, served while the daemon lives."""
    try:
        server = serve(web, listen)
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
