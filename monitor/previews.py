"""What somebody would be told of an incident, as facts: for people who want to see it first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

from alerts import IncidentState
from monitor import people
from monitor import tables as t
from monitor.clocks import clocked
from monitor.facts import Recipient, breach_facts, digest_facts, fault_facts, incident_facts, summary_facts
from monitor.guides import guides
from monitor.languages import Code
from monitor.people import Refused
from monitor.reads import Reader, noted
from monitor.standing import Row, as_acted, rows
from monitor.store import Store

if TYPE_CHECKING:
    from monitor.config import Config

Role = Literal["post_sale", "substitute", "manager"]
ROLES: tuple[Role, ...] = ("post_sale", "substitute", "manager")
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Asked:
    """A preview. who: asks for it; to: the address of whoever would be told ('' nobody's in particular), in which role."""

    incident: str
    who: str
    news: Literal["incident", "fault", "breach", "digest", "summary"] = "incident"
    words: Literal["technical", "plain"] | None = None
    to: str = ""
    role: Role | None = None
    language: Code = "es"
    receiver: str = ""
    event: Literal["first", "update", "end"] = "first"


def preview(store: Store, config: Config, asked: Asked, now: datetime) -> dict[str, Any]:
    """The facts, with every client that they name noted as read. Unknown, or Refused where nobody is as asked or nothing has ended yet."""
    (incident,) = as_acted(store, [people.found_incident(store, asked.incident)])
    if asked.event == "end" and asked.news == "incident" and incident.state is IncidentState.FIRING:
        raise Refused(f"{incident.id} sigue abierta: su final se ve cuando termine; use --event first o update")
    role, to = _whom(store, incident.id, asked)
    plain = asked.words or ("plain" if role else "technical")
    recipient = Recipient(asked.receiver, to, plain, asked.language, role or "")
    board = config.monitor.address or f"http://{config.monitor.listen}"
    if asked.news == "incident":
        measures = {rule.spec.name: rule.shown for rule in config.rules()}
        known = guides(asked.language, config.words.guides, config.named)
        facts = incident_facts(store, incident.id, recipient, now, address=board, measures=measures, known=known)
        named = facts["clients"]["own"]
    elif asked.news == "breach":
        found = clocked(store, people.cases(store, incident_id=incident.id), config.promises, now)
        facts = breach_facts(store, [case for case in found if case["clock"]], recipient, now, address=board)
        named = [case for case in facts["cases"] if case["client_id"]]
    elif asked.news == "fault":
        what = {"es": "ejemplo de una falla de Vigía", "en": "example of a fault of Vigía"}[asked.language]
        sample = {"key": "source:ejemplo", "severity": "major", "since": now, "what": what}
        facts, named = fault_facts(sample, recipient, now, address=board), []
    else:
        one = [incident.id]
        listed = (
            digest_facts(store, one, now - DAY, now, recipient, now, address=board)
            if asked.news == "digest"
            else summary_facts(store, one, recipient, now, address=board)
        )
        facts, named = listed, [client for row in listed["incidents"] for client in row["own"]]
    for client_id in dict.fromkeys(client["client_id"] for client in named):
        noted(store, Reader(asked.who, "cli"), client_id, now)
    return facts


def _whom(store: Store, incident_id: str, asked: Asked) -> tuple[Role | None, str]:
    """In which role, and who; raises Refused."""
    i, c = t.impacts.c, t.clients.c
    touched = t.impacts.join(t.clients, i.client_id == c.client_id).select().where(i.incident_id == incident_id)
    ordered = touched.with_only_columns(*(c[role] for role in ROLES)).order_by(i.touch, i.priority.desc(), i.client_id)
    if asked.to:
        for role in [asked.role] if asked.role else ROLES:
            if rows(store, ordered.where(c[role] == asked.to).limit(1)):
                return role, asked.to
        return asked.role or "post_sale", asked.to
    if asked.role is None:
        return None, ""
    first: list[Row] = rows(store, ordered.where(c[asked.role] != "").limit(1))
    if not first:
        raise Refused(f"ningún cliente de {incident_id} tiene {asked.role}")
    return asked.role, first[0][asked.role]
