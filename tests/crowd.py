"""A state as of a very bad hour: many incidents, many clients, and the curves of all of it. Nothing in it is real."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

import numpy as np

from alerts import Action, Changes, Client, Decision, Impact, Incident, IncidentState, TheirCase, Touch
from monitor.store import Step, Store
from rules import Scope, Severity

PRODUCTS = ("pagos", "recaudos", "depositos", "swift", "tarjetas", "adquirencia")
CHANNELS = ("conexion_directa", "sucursal_digital")
KINDS = ("failed", "missing", "slow", "rejected")
SEGMENTS = ("corporativo", "empresarial", "pyme")
TERMS = (("segment", 30.0), ("impact", 21.5))
CASES = 1000
"""Clients whose case was opened: for the others there was no room."""


def crowd(
    store: Store, now: datetime, *, incidents: int, clients: int, over: int = 6, wide: bool = False, assistants: int = 0
) -> None:
    """Fill the state: each client is touched by one incident; `over` incidents were resolved an hour ago.

    wide: the first incident affects all of them as well; assistants: among how many the clients are shared out (see `assistant`).
    """
    rng = np.random.default_rng(7)
    step, changes = Step(judged_until=_minute(now)), Changes()
    known = [
        Client(
            str(900_000_000 + n), f"Cliente Inventado {n}", SEGMENTS[n % 3], n,
            post_sale=assistant(n % assistants) if assistants else "",
        )
        for n in range(clients)
    ]  # fmt: skip
    opened = [_incident(n, now) for n in range(incidents)]
    ended = [_resolved(_incident(incidents + n, now), now) for n in range(over)]
    changes.incidents = {one.id: one for one in (*opened, *ended)}
    for n, client in enumerate(known if opened else []):
        for incident in dict.fromkeys((opened[n % incidents], opened[0] if wide else opened[n % incidents])):
            told = Impact(
                incident.id, client.client_id, incident.scope.product, Touch.AFFECTED if n % 3 else Touch.EXPOSED, n % 40, 0,
                Decimal(1000 * (n % 90)), incident.started_at, n % 100, TERMS,
            )  # fmt: skip
            changes.impacts[incident.id, client.client_id, told.product] = told
            if told.touch is Touch.AFFECTED:
                decision = _decided(n, told, incident)
                changes.decisions[decision.key] = decision
    step.cases = [
        TheirCase(
            f"SP-{n}", "sharepoint", client.client_id, now - timedelta(minutes=20), now - timedelta(minutes=20), "pagos"
        )
        for n, client in enumerate(known[:20])
    ]
    step.clients, step.changes = known, changes
    step.traces = [_trace(one, now, rng) for one in (*opened, *ended)]
    step.verdicts = [
        {"product": product, "channel": channel, "healthy": n % 3, "unknown": (n + 1) % 2, "breach": int(n % 5 == 0)}
        for n, (product, channel) in enumerate((p, c) for p in PRODUCTS for c in CHANNELS)
    ]
    store.commit(step, now)


def assistant(n: int) -> str:
    """Who answers for every n-th client."""
    return f"asistente{n}@banco.example"


def _minute(time: datetime) -> int:
    return int(time.timestamp() // 60)


def _incident(n: int, now: datetime) -> Incident:
    scope = Scope(PRODUCTS[n % 6], CHANNELS[n % 2] if n % 4 else "")
    severity = (Severity.CRITICAL, Severity.MAJOR, Severity.MAJOR, Severity.MINOR)[n % 4]
    began = now - timedelta(minutes=15 + n % 90)
    shares = (("channel", CHANNELS[n % 2], 0.92), ("error_code", "E504", 0.7))
    return Incident(
        f"AF-{began:%Y%m%dT%H%M}-{n:06x}", scope, KINDS[n % 4], severity, IncidentState.FIRING, began, began + timedelta(minutes=3),
        ("fallas",), frozenset({KINDS[n % 4]}), guide="general/fallas", shares=shares,
    )  # fmt: skip


def _resolved(one: Incident, now: datetime) -> Incident:
    at = now - timedelta(hours=1)
    return replace(one, state=IncidentState.RESOLVED, ended_at=at, resolved_at=at)


def _decided(n: int, told: Impact, incident: Incident) -> Decision:
    action, reason = (Action.OPEN, "affected, no case of their own") if n < CASES else (Action.NONE, "budget")
    spoke = incident.detected_at + timedelta(minutes=6) if n < CASES and n % 7 == 0 else None
    return Decision(
        f"VG-{incident.id}-{told.client_id}", incident.id, told.client_id, told.product, action, reason, incident.detected_at,
        told.priority, "local" if n < CASES else "", client_reported_at=spoke,
    )  # fmt: skip


def _trace(one: Incident, now: datetime, rng: np.random.Generator) -> dict[str, object]:
    start = _minute(one.started_at) - 60
    many = _minute(now) - start
    seen = rng.poisson(2, many).astype(float)
    seen[60:] += rng.poisson(14, many - 60)
    flat = {name: [level] * many for name, level in (("expected", 2.0), ("lower", 0.0), ("upper", 6.0))}
    return {
        "incident_id": one.id,
        "start": start,
        "curves": {"kind": str(one.kind), "step": 1, "seen": seen.tolist(), **flat},
    }
