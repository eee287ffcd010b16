"""What really happened, as labelled, against what was found."""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any
from zoneinfo import ZoneInfo

from alerts import Incident
from rules import Scope

GRACE = timedelta(minutes=15)
"""After a label's end, in which finding it still counts."""


class LabelError(ValueError):
    """What is wrong with a label file, with its row."""


@dataclass(frozen=True, slots=True)
class Label:
    """One thing that happened. optional: it may be found or not; affected: the clients whom it touched, if known."""

    name: str
    start: datetime
    end: datetime
    scope: Scope = field(default_factory=Scope)
    kind: str = ""
    affected: frozenset[str] = frozenset()
    optional: bool = False

    def meets(self, incident: Incident) -> bool:
        """Whether the incident found it: a compatible scope, detected between its start and a little after its end."""
        return self.scope.overlaps(incident.scope) and self.start <= incident.detected_at <= self.end + GRACE


def read_labels(path: Path, timezone: str) -> list[Label]:
    """Rows of `label, start, end`, and optionally `product, channel, client_id, kind, affected, optional`."""
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

    def time(name: str) -> datetime:
        try:
            found = datetime.fromisoformat(cell(name))
        except ValueError:
            raise LabelError(f"{where}: {name} {cell(name)!r} is not a time") from None
        return (found if found.tzinfo else found.replace(tzinfo=ZoneInfo(timezone))).astimezone(UTC)

    start, end = time("start"), time("end")
    if end < start:
        raise LabelError(f"{where}: ends before it starts")
    scope = Scope(cell("product"), cell("channel"), cell("client_id"))
    affected = frozenset(part.strip() for part in cell("affected").split(";") if part.strip())
    return Label(
        cell("label"),
        start,
        end,
        scope,
        cell("kind"),
        affected,
        cell("optional").lower() in ("yes", "true", "1", "sí", "si"),
    )


def compare(
    labels: list[Label], incidents: list[Incident], affected: dict[str, set[str]], *, days: float
) -> dict[str, Any]:
    """Recall, false incidents a day, delays, incidents a cause; and of the clients whom labels name, how many were named."""
    due = [label for label in labels if not label.optional]
    rows, delays, found_per, recalls, precisions = [], [], [], [], []
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
            }
        )
        if label.optional:
            continue
        if label.affected:
            named = set().union(*(affected.get(i.id, set()) for i in found))
            recalls.append(len(named & label.affected) / len(label.affected))
            precisions += [len(named & label.affected) / len(named)] if named else []
        if delay is not None:
            delays.append(delay)
            found_per.append(len(found))
    false = [i.id for i in incidents if not any(label.meets(i) for label in labels)]
    return {
        "labels": rows,
        "recall": len(delays) / len(due) if due else None,
        "false_incidents": false,
        "false_incidents_per_day": round(len(false) / days, 3),
        "median_delay_seconds": median(delays) if delays else None,
        "incidents_per_cause": sum(found_per) / len(found_per) if found_per else None,
        "affected_recall": sum(recalls) / len(recalls) if recalls else None,
        "affected_precision": sum(precisions) / len(precisions) if precisions else None,
    }
