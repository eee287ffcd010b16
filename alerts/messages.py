"""What people read, in Spanish. A case's text is technical but plain: what happens, since when, and what it means for the client."""

from __future__ import annotations

from alerts import Decision, Incident

KINDS = {
    "failed": "transacciones fallidas",
    "rejected": "rechazos inusuales",
    "reversed": "reversos inusuales",
    "pending": "transacciones que no terminan",
    "other": "estados desconocidos",
    "missing": "transacciones que no llegan",
    "slow": "respuestas lentas",
    "value": "un indicador fuera de lo normal",
}


def place(incident: Incident) -> str:
    """Where it is, in words."""
    parts = [part for part in (incident.scope.product, incident.scope.channel, incident.scope.series) if part]
    return " por ".join(parts) or "varios productos y canales"


def case_text(incident: Incident, decision: Decision) -> tuple[str, str]:
    """Subject and body of a client's preventive case."""
    subject = f"Afectación en {place(incident)}: {KINDS[incident.kind]}"
    body = (
        f"Vigía detectó {KINDS[incident.kind]} en {place(incident)} desde {incident.started_at.isoformat(timespec='minutes')} "
        f"(detectado {incident.detected_at.isoformat(timespec='seconds')}). El cliente está entre los afectados y aún no ha reportado. "
        f"Afectación {incident.id}, prioridad {decision.priority} de 100."
    )
    return subject, body


def end_text(incident: Incident) -> str:
    """What a case is told when its incident is over."""
    end = incident.ended_at or incident.resolved_at
    return f"La afectación {incident.id} terminó" + (f" a las {end.isoformat(timespec='minutes')}." if end else ".")
