"""An incident told in order of time: from its first bad minute to the client's own report, and its end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from monitor import tables as t
from monitor.notified import first_told
from monitor.standing import Row, rows
from monitor.store import Store

MARKED = ("detected", "cases", "reported", "informed", "ended")
"""Steps that the chart has marks for."""


def timeline(store: Store, incident: Row, told: Sequence[Row]) -> list[Row]:
    """The steps of an incident (a row of `people.incident`), in order of time. told: who was told of it (`monitor.notified`).

    Each has `at`, `what` and what its sentence needs: n (of how many), who, text, client, client_id, lead.
    what: began, failed, detected, told, cases, sent, reported, informed, promoted, act, ended or resolved.
    """
    cases, affected = incident["cases"], incident["affected_clients"]
    steps = [_step("began", incident["started_at"]), _step("detected", incident["detected_at"])]
    hit = [row for row in affected if row["first_failure_at"]]
    if hit:
        first = min(hit, key=lambda row: (row["first_failure_at"], row["client_id"]))
        steps.append(_step("failed", first["first_failure_at"], client=_who(first), client_id=first["client_id"]))
    steps += _opened(cases) + _sent(store, cases) + _told(told) + _reported(cases)
    for what in ("informed", "promoted"):
        times = [row[f"{what}_at"] for row in cases if row[f"{what}_at"]]
        if times:
            steps.append(_step(what, min(times), n=len(times)))
    steps += [
        _step("act", act["at"], who=act["who"], text=act["text"], act=act)
        for act in incident["acts"]
        if not act["case_key"]
    ]
    if incident["resolved_at"]:
        steps.append(_step("ended", incident["ended_at"] or incident["resolved_at"]))
        steps.append(_step("resolved", incident["resolved_at"], who=incident["resolved_by"]))
    return sorted(steps, key=lambda step: (step["at"], ORDER.index(step["what"])))


ORDER = (
    "began", "failed", "detected", "cases", "told", "sent", "reported", "act", "informed", "promoted", "ended", "resolved",
)  # fmt: skip


def _step(what: str, at: datetime, **words: Any) -> Row:
    return {
        "what": what,
        "at": at,
        "n": 0,
        "who": "",
        "text": "",
        "client": "",
        "client_id": "",
        "lead": None,
        "act": None,
    } | words


def _who(row: Row) -> str:
    return str(row["client"] or row["client_id"])


def _opened(cases: Sequence[Row]) -> list[Row]:
    """Each moment at which preventive cases were opened; where there are many, the first and the rest."""
    moments = sorted(Counter(row["opened_at"] for row in cases if row["action"] == "open").items())
    shown = [_step("cases", at, n=n) for at, n in moments[:3]]
    rest = moments[3:]
    return [*shown, _step("cases", rest[-1][0], n=sum(n for _, n in rest))] if rest else shown


def _sent(store: Store, cases: Sequence[Row]) -> list[Row]:
    """When the desks had taken the first case."""
    keys = [row["key"] for row in cases if row["delivery"] == "sent"]
    if not keys:
        return []
    o = t.outbox.c
    found = rows(
        store, t.outbox.select().with_only_columns(o.sent_at).where(o.key.in_(keys[:500]), o.sent_at.is_not(None))
    )
    return [_step("sent", min(row["sent_at"] for row in found), n=len(keys))] if found else []


def _told(told: Sequence[Row]) -> list[Row]:
    """When each receiver had told the first of its recipients."""
    return [_step("told", one["at"], n=one["n"], who=one["receiver"]) for one in first_told(told)]


def _reported(cases: Sequence[Row]) -> list[Row]:
    """The first client who told of it themselves, and how many have since."""
    spoke = sorted((row for row in cases if row["client_reported_at"]), key=lambda row: row["client_reported_at"])
    if not spoke:
        return []
    first = spoke[0]
    words = {"client": _who(first), "client_id": first["client_id"], "lead": first["lead_seconds"], "n": len(spoke)}
    return [_step("reported", first["client_reported_at"], **words)]
