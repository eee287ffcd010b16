"""The message that opens a root-cause case: the incidents, whom they hit, and the Pareto of the period, in Spanish.

One case for both owners, named in it with what each is to do: it is one piece of work with one trace, the key makes it one, and
neither can take it for the other's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime, tzinfo

from alerts import Escalated, Occurrence, Part
from alerts.causes import CLAIMS_CHIEF
from monitor import spanish
from monitor.store import Message

KIND = "causa_raiz"
TOLD = 20
"""Clients who were hit again that are named; the others are counted."""


def to_escalate(told: Escalated, zone: tzinfo) -> Message:
    """The message; its words are in the bank's zone."""
    made, newest = told.escalation, told.found[-1]
    where = spanish.cause(_row(newest))
    subject = f"Causa raíz: {where} ({made.returns} veces desde {made.first_at.astimezone(zone):%d/%m/%Y})"
    payload = {
        "key": made.key, "incident_id": newest.incident_id, "client_id": newest.scope.client_id, "product": newest.scope.product,
        "channel": newest.scope.channel, "opened_at": made.escalated_at.isoformat(), "priority": max(one.priority for one in told.found),
        "subject": subject, "body": body(told, zone), "kind": KIND,
    }  # fmt: skip
    return Message(made.key, made.key, made.desk, "open", payload)


def body(told: Escalated, zone: tzinfo) -> str:
    """What the case says."""
    made = told.escalation
    clients = Counter(client for one in told.found for client in one.clients)
    lines = [
        f"{spanish.cause(_row(told.found[-1]))} ha vuelto: {made.returns} afectaciones desde {_time(made.first_at, zone)}.",
        f"Responsables: {'; '.join(_owner(*owner) for owner in made.owners)}.",
        "",
        "Afectaciones:",
        *(
            f"- {one.incident_id}: {_time(one.started_at, zone)} a {_time(one.ended_at, zone)} ({spanish.lasting(one.minutes)}),"
            f" {spanish.count(len(one.clients), 'cliente')}, {spanish.number(one.failures)} transacciones"
            for one in told.found
        ),
        f"En total: {spanish.count(len(clients), 'cliente')}, {spanish.number(sum(one.failures for one in told.found))} transacciones.",
        _again(clients),
        "",
        "Pareto de las causas del período (transacciones; parte; acumulado):",
        *(_line(number, *part) for number, part in enumerate(told.causes, 1)),
    ]
    return "\n".join(lines)


def _again(clients: Mapping[str, int]) -> str:
    again = sorted((client for client, many in clients.items() if many > 1), key=lambda c: (-clients[c], c))
    if not again:
        return "Ningún cliente la ha tenido más de una vez."
    more = f" y {spanish.number(len(again) - TOLD)} más" if len(again) > TOLD else ""
    named = ", ".join(f"NIT {spanish.nit(client)} ({clients[client]} veces)" for client in again[:TOLD])
    return f"La han tenido más de una vez {spanish.count(len(again), 'cliente')}: {named}{more}."


def _line(number: int, cause: Occurrence, incidents: int, part: Part) -> str:
    shares = "; ".join(spanish.percent(share) for share in (part.share, part.cumulative))
    times = spanish.count(incidents, "afectación", "afectaciones")
    return f"{number}. {spanish.cause(_row(cause))}: {spanish.number(part.weight)}; {shares} ({times})"


def _owner(role: str, address: str) -> str:
    does = "que se resuelva" if role == CLAIMS_CHIEF else "que no se repita"
    who = (
        "jefe de reclamos"
        if role == CLAIMS_CHIEF
        else f"dueño de {spanish.name(role)}"
        if role
        else "dueño por definir"
    )
    return f"{who} ({address}), {does}" if address else f"{who}, {does}"


def _row(one: Occurrence) -> dict[str, str]:
    """What a cause is told by."""
    scope = one.scope
    where = {"product": scope.product, "channel": scope.channel, "client_id": scope.client_id, "series": scope.series}
    return where | {"error_code": one.code, "kind": one.way}


def _time(moment: datetime, zone: tzinfo) -> str:
    return f"{moment.astimezone(zone):%d/%m/%Y %H:%M}"
