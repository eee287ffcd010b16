"""What a case says, in Spanish: what happens, where, since when, and what it means for the client. Words come ready to read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from alerts import Decision, Doubt, Incident

NAMED = 10
"""Operations that a case is told by id; of the others, how many."""


@dataclass(frozen=True, slots=True)
class Words:
    """An incident and a client as people say them: where («Pagos · Conexión Directa»), what («Fallas»), times in the bank's zone."""

    where: str
    what: str
    since: str
    detected: str
    ended: str = ""
    closed: str = ""
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


def end_text(incident: Incident, words: Words, doubts: Sequence[Doubt] = ()) -> str:
    """What a case is told when its incident is over. doubts: the operations that it left in doubt for the client."""
    told = f"La afectación {incident.id} en {words.where} terminó {words.ended}."
    return f"{told} {verify_text(doubts)}" if doubts else told


def closed_text(incident: Incident, words: Words) -> str:
    """What a case is told when its incident is closed by hand while it is seen to fail."""
    return (
        f"{incident.resolved_by} cerró a mano la afectación {incident.id} en {words.where} a las {words.closed}. "
        "Vigía todavía no ve que haya dejado de fallar: no informe al cliente que terminó; cuando lo vea, se dirá en este caso."
    )


def reopened_text(incident: Incident, words: Words) -> str:
    """What a case is told when its incident, closed by hand, is opened anew."""
    return (
        f"La afectación {incident.id} en {words.where}, que se había cerrado a mano, se reabrió: no había terminado. "
        "Si informó al cliente que terminó, corríjalo; este caso sigue por ella."
    )


def verify_text(doubts: Sequence[Doubt]) -> str:
    """Operations to be verified: how many, up to NAMED by id, and of how many more there is no room or no id."""
    ids = list(dict.fromkeys(doubt.id for doubt in doubts if doubt.id))
    nameless = sum(doubt.n for doubt in doubts if not doubt.id)
    whole, more = len(ids) + nameless, len(ids[NAMED:])
    parts = [", ".join(ids[:NAMED])] if ids else []
    parts += [f"{more} más"] if more else []
    parts += [f"{nameless} sin identificador"] if nameless else []
    last = f" y {parts.pop()}" if len(parts) > 1 else ""
    count = "1 operación por verificar" if whole == 1 else f"{whole} operaciones por verificar"
    return f"{count}: {', '.join(parts)}{last}."


def return_text(incident: Incident, words: Words) -> str:
    """What a case that had been told of an end is told when its client is hit again soon after."""
    return (
        f"El cliente vuelve a estar afectado: {words.what.lower()} en {words.where} desde {words.since}, afectación {incident.id}. "
        "No se abre otro caso: este sigue por ella."
    )
