"""Ctrl-C and SIGTERM from the very first moment, while there is nothing to be finished yet. Imports nothing that takes time."""

from __future__ import annotations

import signal
import sys

SIGNALS = (signal.SIGTERM, signal.SIGINT)


def end_at_once() -> None:
    """Let either end the process with 143 or 130, in order but without a word; once, for Ctrl-C is often followed by a SIGTERM."""
    for number in SIGNALS:
        signal.signal(number, _end)


def _end(number: int, _: object) -> None:
    for other in SIGNALS:
        signal.signal(other, signal.SIG_IGN)
    sys.exit(128 + number)
