"""A folder that the service watches, with the clock in the test's hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.config import read_config
from monitor.service import Service
from monitor.store import Store
from tests.characters import at

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

FAILURES = """
[[rule]]
name = "fallas"
kind = "limit"
when = "failed_rate > 0.3"
min_total = 6
for = "2m"
keep_firing_for = "5m"
"""
"""The rule by which most of them are judged."""


class Watched:
    """config.toml and rules.toml in a folder, and the service over them, which may be ended and started again."""

    def __init__(self, folder: Path, now: datetime, config: str, rules: str = FAILURES) -> None:
        self.folder, self.now = folder, now
        self.services: list[Service] = []
        (folder / "config.toml").write_text(config)
        (folder / "rules.toml").write_text(rules)

    def start(self) -> Service:
        """A new process, as far as it can be told: all that it knows is in the database."""
        config = read_config(self.folder / "config.toml")
        store = Store(config.monitor.database)
        store.migrate()
        self.services.append(Service(config, store, clock=lambda: self.now))
        return self.services[-1]

    def cycle(self, clock: str) -> bool:
        self.now = at(clock)
        return self.services[-1].cycle()

    @property
    def store(self) -> Store:
        return self.services[-1].store

    def close(self) -> None:
        for service in self.services:
            service.store.close()
