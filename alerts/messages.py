"""What a case says, in Spanish: what happens, where, since when, and what it means for the client. Words come ready to read."""

from __future__ import annotations

from dataclasses import dataclass

from alerts import Decision, Incident


@dataclass(frozen=True, slots=True)
class Words:
    """An incident and a client as people say them: where («Pagos · Conexión Directa»), what («Fallas»), times in the bank's zone."""

    where: str
    what: str
    since: str
    detected: str
    ended: str = ""
    client: str = ""
    post_sale: str = ""


def case_text(incident: Incident, decision: Decision, words: Words) -> tuple[str, str]:
    """Subject and body of a client's preventive case."""
    told = "" if decision.client_reported_at else " y aún no ha reportado"
    subject = f"Afectación en {words.where}: {words.what.lower()}"
    body = (
        f"{words.what} en {words.where} desde {words.since}; detectado por Vigía {words.detected}. "
        f"El cliente {words.client} está entre los afectados{told}. {words.post_sale}"
        f"Prioridad {decision.priority} de 100. Afectación {incident.id}."
    )
    return subject, body


def withdrawn_text(incident: Incident, words: Words) -> str:
    """What a case is told when it is taken back."""
    return (
        f"Vigía retira este caso: la afectación {incident.id} en {words.where} no lo requiere. "
        "No hay nada por hacer en él y puede cerrarse; si el cliente reporta algo, atiéndalo en un caso suyo."
    )


def end_text(incident: Incident, words: Words) -> str:
    """What a case is told when its incident is over."""
    return f"La afectación {incident.id} en {words.where} terminó {words.ended}."


def return_text(incident: Incident, words: Words) -> str:
    """What a case that had been told of an end is told when its client is hit again soon after."""
    return (
        f"El cliente vuelve a estar afectado: {words.what.lower()} en {words.where} desde {words.since}, afectación {incident.id}. "
        "No se abre otro caso: este sigue por ella."
    )
