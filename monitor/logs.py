"""Structured logs on stderr: for people on a terminal, JSON elsewhere. Never a client in a message."""

from __future__ import annotations

import logging
import sys
from contextlib import suppress
from pathlib import Path
from traceback import extract_tb
from typing import TextIO, cast

import structlog
from structlog.tracebacks import ExceptionDictTransformer


def kind_and_place(error: BaseException) -> str:
    """An error that is a fault of ours, as others may see it: without its text, which may name a client (`KeyError: '900123456'`)."""
    at = extract_tb(error.__traceback__)[-1:]
    return " ".join([type(error).__name__, *(f"({Path(one.filename).name}:{one.lineno})" for one in at)])


class _Told:
    """A stream to which nothing is told where it takes nothing (its disk is full, its reader gone): no work stops for a line of log."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        with suppress(OSError):
            self._stream.write(text)

    def flush(self) -> None:
        with suppress(OSError):
            self._stream.flush()


def log_to_stderr() -> None:
    """Set them up for this process."""
    terminal = sys.stderr.isatty()
    # Without the values of variables: they hold passwords, and the names of clients.
    tracebacks = structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False))
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last: list[structlog.typing.Processor] = (
        [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
        if terminal
        else [tracebacks, structlog.processors.JSONRenderer(ensure_ascii=False)]
    )
    structlog.configure(
        processors=[*shared, *last],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(file=cast("TextIO", _Told(sys.stderr))),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.ERROR, stream=sys.stderr)
