"""`vigia run`: logging, the board, the simulated bank where the configuration has one, and the end by signal."""

from __future__ import annotations

import logging
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event

import structlog

from monitor.config import Config
from monitor.service import Service, wall
from monitor.store import Store
from monitor.web import app, serve


def log_to_stderr() -> None:
    """Structured logs: for people on a terminal, JSON elsewhere."""
    terminal = sys.stderr.isatty()
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last: list[structlog.typing.Processor] = (
        [structlog.dev.ConsoleRenderer(colors=True)]
        if terminal
        else [structlog.processors.dict_tracebacks, structlog.processors.JSONRenderer(ensure_ascii=False)]
    )
    structlog.configure(
        processors=[*shared, *last],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.ERROR, stream=sys.stderr)


def run_daemon(config: Config, store: Store) -> None:
    """Until SIGTERM or SIGINT."""
    log_to_stderr()
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with store.alone():
        store.migrate()
        with simulated_bank(config):
            service = Service(config, store)
            with board(service, store, config.monitor.listen) as address:
                print(f"Vigía: board at {address} (Ctrl-C ends it)", flush=True)  # noqa: T201 - what the user waits for
                service.run(stop)


@contextmanager
def board(service: Service, store: Store, listen: str) -> Iterator[str]:
    """The board and the API, served while the daemon lives."""
    server = serve(app(store, service.metrics, service.ready, wall, zone=service.config.monitor.timezone), listen)
    try:
        yield server.address
    finally:
        server.stop()


@contextmanager
def simulated_bank(config: Config) -> Iterator[None]:
    """A bank that writes its payments to the configured database, while the daemon lives."""
    if config.demo is None:
        yield
        return
    command = [sys.executable, "-m", "monitor.demo", "--database", config.demo.database]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as bank:  # noqa: S603 - our own module
        try:
            if bank.stdout:
                print(bank.stdout.readline().strip(), flush=True)  # noqa: T201 - said before the first poll: its history is there
            yield
        finally:
            bank.terminate()
