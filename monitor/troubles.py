"""The daemon's own faults, as they are told."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Trouble:
    """A fault of the daemon that stands. key: the same fault is the same key (source:core, receiver:torre); what: in words."""

    key: str
    severity: str
    since: datetime
    what: str
