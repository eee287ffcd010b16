"""[access] and [users.NAME] of the configuration: who may look, act and administer, and which clients they may see."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from monitor.faults import Fault

ACCESS = ("access", "users")
"""The keys of the configuration that are read here."""


@dataclass(frozen=True)
class Access:
    """Who may do what."""


def read_access(tables: Mapping[str, Any], file: str, faults: list[Fault]) -> Access:  # noqa: ARG001 - nothing to be said yet
    """What the configuration says of users; what is wrong with it goes to `faults`."""
    return Access()
