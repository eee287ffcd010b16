"""[[route]] and [teams.NAME] of the configuration: who is told of what, when, and in which words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from monitor.blocks import Monitor
from monitor.faults import Fault

ROUTING = ("route", "teams")
"""The keys of the configuration that are read here."""


@dataclass(frozen=True)
class Routing:
    """Who is told of what."""


def read_routing(tables: Mapping[str, Any], monitor: Monitor, file: str, faults: list[Fault]) -> Routing:  # noqa: ARG001 - nothing to be said yet
    """What the configuration says of routes; what is wrong with it goes to `faults`."""
    return Routing()
