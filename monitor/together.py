"""`vigia rests` and the backtest's figure of it: what was declared to rest on what, against what was seen."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from alerts import Incident
from alerts.rests import Rests
from alerts.together import together
from monitor.store import Store


def rested(store: Store, rests: Rests, now: datetime) -> dict[str, Any]:
    """Over all incidents that the state still holds."""
    known = store.incidents()
    return told(rests, known, min((i.started_at for i in known), default=now), now)


def told(rests: Rests, incidents: Iterable[Incident], start: datetime, end: datetime) -> dict[str, Any]:
    """As rows.

    declared: name, on, together (both began to fail within minutes of each other), alone and on_alone (one without the other);
    suggested: things, together, times (of each), chance (of as many by accident).
    """
    found = together(rests, incidents, start, end)
    return {
        "declared": [
            {
                "dimension": seen.link.dimension, "name": seen.link.name, "on": seen.link.on,
                "together": seen.together, "alone": seen.alone, "on_alone": seen.on_alone,
            }
            for seen in found.declared
        ],
        "suggested": [
            {
                "things": [pair.one, pair.other], "together": pair.together, "times": [pair.of_one, pair.of_other],
                "chance": pair.chance,
            }
            for pair in found.suggested
        ],
    }  # fmt: skip
