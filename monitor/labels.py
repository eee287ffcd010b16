"""What really happened, as labelled, against what was found."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from alerts import Incident
from monitor.kinds import YEARS
from rules import Scope

GRACE = timedelta(minutes=15)
"""After a label's end, in which finding it still counts."""


OBSERVERS = ("observer_seconds", "observer_30s", "observer_15s")
"""Columns that tell how soon it could have been known at all, on cells of a minute and of 30 and 15 seconds."""


class LabelError(ValueError):
    """What is wrong with a label file, with its row."""


@dataclass(frozen=True, slots=True)
class Label:
    """One thing that happened. optional: it may be found or not; affected: the clients whom it touched, if known.

    explained: clients with failures in it that may as well be their ordinary ones: to name them is neither right nor wrong.
    observers: the delays, in seconds, of those who know what to look for (OBSERVERS). first_failures: when each of the affected
    first failed, if known.
    """

    name: str
    start: datetime
    end: datetime
    scope: Scope = field(default_factory=Scope)
    kind: str = ""
    affected: frozenset[str] = frozenset()
    optional: bool = False
    explained: frozenset[str] = frozenset()
    observers: Mapping[str, float] = field(default_factory=dict, hash=False)
    first_failures: Mapping[str, datetime] = field(default_factory=dict, hash=False)

    def meets(self, incident: Incident) -> bool:
        """Whether the incident found it: a compatible scope, detected between its start and a little after its end."""
        return self.scope.overlaps(incident.scope) and self.start <= incident.detected_at <= self.end + GRACE


def read_labels(path: Path, timezone: str) -> list[Label]:
    """Rows of `label, start, end`; optionally `product, channel, client_id, kind, affected, optional, explained` and OBSERVERS.

    And `first_failures`: a time for each of the affected, in their order.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            missing = {"label", "start", "end"} - set(reader.fieldnames or ())
            if missing:
                raise LabelError(f"{path.name}: has no column {', '.join(sorted(missing))}")
            return [_label(row, f"{path.name}:line {reader.line_num}", timezone) for row in reader]
    except OSError as error:
        raise LabelError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise LabelError(f"{path}: is not UTF-8") from None


def _label(row: dict[str, str | None], where: str, timezone: str) -> Label:
    def cell(name: str) -> str:
        return (row.get(name) or "").strip()

    def moment(name: str, text: str) -> datetime:
        try:
            found = datetime.fromisoformat(text)
        except ValueError:
            raise LabelError(f"{where}: {name} {text!r} is not a time") from None
        if found.year not in YEARS:
            raise LabelError(f"{where}: {name} {text!r} is not of our time")
        return (found if found.tzinfo else found.replace(tzinfo=ZoneInfo(timezone))).astimezone(UTC)

    def parts(name: str) -> list[str]:
        return [part.strip() for part in cell(name).split(";") if part.strip()]

    def seconds(name: str) -> float:
        try:
            return float(cell(name))
        except ValueError:
            raise LabelError(f"{where}: {name} {cell(name)!r} is not a number") from None

    start, end = (moment(name, cell(name)) for name in ("start", "end"))
    if end < start:
        raise LabelError(f"{where}: ends before it starts")
    affected, firsts = parts("affected"), [moment("first_failures", text) for text in parts("first_failures")]
    if len(firsts) not in (0, len(affected)):
        raise LabelError(f"{where}: first_failures has {len(firsts)} times for {len(affected)} affected")
    return Label(
        cell("label"),
        start,
        end,
        Scope(cell("product"), cell("channel"), cell("client_id")),
        cell("kind"),
        frozenset(affected),
        cell("optional").lower() in ("yes", "true", "1", "sí", "si"),
        frozenset(parts("explained")),
        {name: seconds(name) for name in OBSERVERS if cell(name)},
        dict(zip(affected, firsts, strict=False)),
    )


def compare(
    labels: list[Label], incidents: list[Incident], affected: dict[str, set[str]], *, days: float
) -> dict[str, Any]:
    """Recall, false incidents a day, delays, incidents a cause, in all and by kind; of the labelled clients, how many were named."""
    rows, recalls, precisions = [], [], []
    for label in labels:
        found = [incident for incident in incidents if label.meets(incident)]
        delay = (min(i.detected_at for i in found) - label.start).total_seconds() if found else None
        rows.append(
            {
                "label": label.name,
                "kind": label.kind,
                "optional": label.optional,
                "incidents": [i.id for i in found],
                "delay_seconds": delay,
                **label.observers,
            }
        )
        if label.affected and not label.optional:
            named = set().union(*(affected.get(i.id, set()) for i in found)) - label.explained
            recalls.append(len(named & label.affected) / len(label.affected))
            precisions += [len(named & label.affected) / len(named)] if named else []
    false = [i.id for i in incidents if not any(label.meets(i) for label in labels)]
    due = [row for row in rows if not row["optional"]]
    delays = _of(due, "delay_seconds")
    told = {name: median(seconds) for name in OBSERVERS if (seconds := _of(due, name))}
    return {
        "labels": rows,
        "recall": len(delays) / len(due) if due else None,
        "false_incidents": false,
        "false_incidents_per_day": round(len(false) / days, 3),
        "median_delay_seconds": median(delays) if delays else None,
        "p90_delay_seconds": float(np.quantile(delays, 0.9)) if delays else None,
        "incidents_per_cause": _per_cause(due),
        "affected_recall": sum(recalls) / len(recalls) if recalls else None,
        "affected_precision": sum(precisions) / len(precisions) if precisions else None,
        **{f"median_{name}": value for name, value in told.items()},
        "kinds": {
            kind: _kind([row for row in due if row["kind"] == kind])
            for kind in sorted({label.kind for label in labels if label.kind and not label.optional})
        },
    }


def _kind(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    delays, observed = _of(rows, "delay_seconds"), _of(rows, OBSERVERS[0])
    return {
        "found": len(delays),
        "of": len(rows),
        "median_delay_seconds": median(delays) if delays else None,
        "incidents_per_cause": _per_cause(rows),
        "median_observer_seconds": median(observed) if observed else None,
    }


def _of(rows: Sequence[dict[str, Any]], name: str) -> list[float]:
    return [row[name] for row in rows if row.get(name) is not None]


def _per_cause(rows: Sequence[dict[str, Any]]) -> float | None:
    counts = [len(row["incidents"]) for row in rows if row["incidents"]]
    return sum(counts) / len(counts) if counts else None
