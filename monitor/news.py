"""What notices say that are not of one incident: the daemon's faults, promises, digests and summaries (schema `vigia.notice/1`)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from monitor import people
from monitor.facts import SCHEMA, Recipient
from monitor.troubles import Trouble

_TOLD = (
    "id", "product", "channel", "kind", "severity", "state", "started_at", "detected_at", "ended_at", "resolved_at", "minutes",
    "parent_id", "acknowledged_by", "affected", "exposed", "cases_opened", "cases_linked", "own", "clients",
    "event", "why",
)  # fmt: skip


def fault_facts(trouble: Trouble, recipient: Recipient, now: datetime, *, address: str = "") -> dict[str, Any]:
    """One of the daemon's own faults."""
    fault = {"key": trouble.key, "severity": trouble.severity, "since": trouble.since, "what": trouble.what}
    return _facts("fault", recipient, now, {"fault": fault}, address)


def breach_facts(
    cases: Sequence[Mapping[str, Any]], recipient: Recipient, now: datetime, *, address: str = ""
) -> dict[str, Any]:
    """Promises newly late or at risk: rows of `monitor.sla.standing`."""
    return _facts("breach", recipient, now, {"cases": cases}, address)


def digest_facts(
    rows: Sequence[Mapping[str, Any]],
    since: datetime,
    until: datetime,
    recipient: Recipient,
    now: datetime,
    *,
    address: str = "",
) -> dict[str, Any]:
    """What happened in [since, until): rows of incidents, each with `own`, the affected clients that count for the recipient."""
    return _facts("digest", recipient, now, {"incidents": _told(rows), "from": since, "until": until}, address)


def summary_facts(
    rows: Sequence[Mapping[str, Any]], recipient: Recipient, now: datetime, *, address: str = ""
) -> dict[str, Any]:
    """What the cap held back; as for a digest."""
    return _facts("summary", recipient, now, {"incidents": _told(rows)}, address)


def _told(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Without the client that an incident may be about: here, all clients are counts."""
    return [{name: row[name] for name in _TOLD if name in row} for row in rows]


def _facts(news: str, recipient: Recipient, now: datetime, said: Mapping[str, Any], address: str) -> dict[str, Any]:
    written = {"schema": SCHEMA, "news": news, "at": now, "words": recipient.words, "language": recipient.language}
    facts: dict[str, Any] = json.loads(people.as_json(written | dict(said)))
    return facts | {"links": {"board": f"{address}/"}}
