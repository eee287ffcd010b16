"""What every page of one service is made from: its state, how it is, and the time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fastapi.responses import HTMLResponse

from monitor.guides import Guide, guides
from monitor.metrics import Metrics
from monitor.portrait import Outlook
from monitor.store import Store
from monitor.web.page import LOOK, rendered


@dataclass(frozen=True)
class Face:
    """ready: whether a full cycle has ended lately, and why not; clock: now, in the bank's zone; measures: what each rule measures.

    own_guides: the folder of the bank's guides.
    """

    store: Store
    metrics: Metrics
    ready: Callable[[], tuple[bool, str]]
    clock: Callable[[], datetime]
    measures: Mapping[str, str]
    outlook: Outlook
    own_guides: str = ""

    def dark(self) -> list[str]:
        """The sources that do not answer."""
        return [name for name, standing in sorted(self.metrics.sources.items()) if not standing.up]

    def guide(self, row: Mapping[str, Any]) -> Guide:
        """What is done first about an incident (its row), in the reader's language."""
        return guides(LOOK.get().lang, self.own_guides).of(row)

    def shown(self, template: str, now: datetime, **values: Any) -> HTMLResponse:
        """A page with the state of Vigía itself on it."""
        return rendered(template, now=now, measures=self.measures, **self.standing(now), **values)

    def standing(self, now: datetime) -> dict[str, Any]:
        """Whether it is ready and why not, its sources and those that are dark, and since when what is told of them."""
        ok, why = self.ready()
        metrics = self.metrics
        sources = sorted(metrics.sources.items())
        return {
            "ready": ok,
            "why": why,
            "sources": sources,
            "dark": self.dark(),
            "last_cycle": metrics.last_cycle,
            "since": max((now - metrics.last_step).total_seconds(), 0.0) if metrics.last_step else 0.0,
        }


def trouble(words: str, status: int) -> HTMLResponse:
    """A page that says why there is none."""
    return rendered("trouble.html", status, words=words)
