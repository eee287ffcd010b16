"""What kind of fault a database tells of: by its SQLSTATE where it has one, else by its words."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from connectors import Fault

_STATES: tuple[tuple[str, Fault], ...] = (
    ("57014", "timeout"),  # the statement was cancelled: its time was over
    ("25P04", "timeout"),
    ("25P03", "timeout"),
    ("42501", "login"),  # no right to it
    ("28", "login"),
    ("53", "busy"),  # too many connections, no memory
    ("55P03", "busy"),
    ("57P03", "busy"),  # it is starting
    ("40", "busy"),
    ("08", "unreachable"),
    ("57P", "unreachable"),  # it is ending
    ("3D", "refused"),
    ("3F", "refused"),
    ("42", "refused"),
    ("22", "refused"),
    ("58", "server"),
    ("XX", "server"),
)
"""The first that it begins with."""
_WORDS: tuple[tuple[str, Fault], ...] = (
    (r"no answer within|time(d|out).*(expired|out)|timeout|timed out", "timeout"),
    (r"authentication|access denied|permission denied|pg_hba|login failed|certificate", "login"),
    (r"database is locked|too many (connections|clients)|starting up|deadlock|lock wait", "busy"),
    (
        r"connection refused|no route|unreachable|could not (connect|translate)|can't connect|failed to resolve",
        "unreachable",
    ),
    (
        r"name or service|unable to open|closed the connection|server has gone|lost connection|broken pipe",
        "unreachable",
    ),
    (r"connection (reset|is bad|failed)", "unreachable"),
    (r"not a database|malformed|corrupt|could not decode", "unreadable"),
    (r"no such|syntax error|does ?n.t exist|does not exist|unknown (database|column)", "refused"),
    (r"disk i/o|internal error", "server"),
)


def fault_of(state: str, words: str) -> Fault:
    """Of an error with that SQLSTATE ('': none) and these words."""
    for begins, fault in _STATES if state else ():
        if state.startswith(begins):
            return fault
    return next((fault for said, fault in _WORDS if re.search(said, words, re.IGNORECASE)), "other")
