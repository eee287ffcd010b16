"""What people do with cases: refused at once where it makes no sense, else noted for the judging thread.

A case is named by its key, or as much of its beginning or end as no other shares; approve and withdraw also take an incident, which is
all of its cases and those to come; of whoever sees some clients alone, their clients' cases of now, one by one. Answers are lines to read.
As in `monitor.people`, Unknown and Refused say why not, in Spanish.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from alerts import Action, Decision, Incident, IncidentState, TheirCase
from alerts.casework import WHOLE, acted, may
from alerts.reasons import OBSERVED, waits
from monitor import spanish as es
from monitor import tables as t
from monitor.people import Conflict, Refused, Unknown, found_incident
from monitor.seeing import partial, seen
from monitor.standing import as_acted, as_worked, named
from monitor.store import Act, Store
from monitor.trail import repeated
from monitor.withdrawals import stop, takable, why_not

SOME = 3
"""Of several that are meant, so many are named."""


def do(
    store: Store, action: str, names: Sequence[str], who: str, text: str, now: datetime, *, request_key: str = ""
) -> list[str]:
    """Approve, withdraw, reinstate, confirm, undo, informed or promote: of each name what comes of it. All of them, or none.

    A repeat within seconds, or with the same request_key, is one.
    """
    if not who.strip():
        raise Refused("falta quién lo hace")
    acts: list[Act] = []
    told: list[str] = []
    back: list[Decision] = []
    for name in dict.fromkeys(names):
        decision, incident = _named(store, name, whole=action in WHOLE)
        key = decision.key if decision else ""
        act = Act(incident.id, now, who.strip(), action, text.strip(), case_key=key, request_key=request_key)
        if decision is None and partial():
            deeds, line, free = _each(store, incident, act)
        elif _again(store, act):
            deeds, line, free = [], key or incident.id, []
        else:
            deeds, line, free = _one(store, decision, act) if decision else _whole(store, incident, act)
            _lasts(incident, action)
        acts += deeds
        told.append(line)
        back += free

    def stopped(c: Any) -> None:
        for decision in back:
            if not stop(c, decision, now):
                raise Conflict(f"el caso {decision.key} ya se está retirando en su mesa: si hace falta, ábralo allá")

    store.act(*acts, done=stopped)
    return told


def _again(store: Store, act: Act) -> bool:
    """Whether it repeats what was done: a withdrawal that was taken back is noted as `restore`."""
    restored = act.action == "reinstate" and act.case_key and repeated(store, replace(act, action="restore"))
    return bool(restored or repeated(store, act))


def _back(store: Store, here: Sequence[Decision], action: str) -> tuple[list[Decision], list[Decision]]:
    """Of what is to be reinstated, our open cases that were taken back: those of which their desk was not told, and the others."""
    back = [d for d in here if action == "reinstate" and may(d, "restore")]
    free = takable(store, back)
    return [d for d in back if d.key in free], [d for d in back if d.key not in free]


def _late(late: Sequence[Decision]) -> str:
    if not late:
        return ""
    return f"; {es.count(len(late), 'caso ya retirado', 'casos ya retirados')} en su mesa, o en camino: si hace falta, ábralos allá"


Deeds = tuple[list[Act], str, list[Decision]]
"""What is to be noted, what to tell of it, and of which cases a withdrawal is never to be sent."""


def _one(store: Store, decision: Decision, act: Act) -> Deeds:
    """What to do to one case."""
    if act.action == "reinstate" and may(decision, "restore"):
        if decision.key not in takable(store, [decision]):
            raise Conflict(f"el caso {decision.key} {why_not(store, decision, act.at)}")
        return [replace(act, action="restore")], decision.key, [decision]
    if not may(decision, act.action):
        raise Conflict(_why_not(decision, act.action))
    return [act], decision.key, []


def _whole(store: Store, incident: Incident, act: Act) -> Deeds:
    """What to do to all cases of an incident, and those to come."""
    here = as_worked(store, store.decisions(t.decisions.c.incident_id == incident.id))
    free, late = _back(store, here, act.action)
    many = len(free) + sum(may(d, act.action) for d in here)
    if not many and act.action == "approve":
        raise Conflict(f"en la afectación {incident.id} no hay casos por aprobar")
    if act.action == "reinstate" and not _taken_back(store, incident):
        raise Conflict(f"la afectación {incident.id} no está retirada")
    told = f"{incident.id}: {es.count(many, 'caso')}{_late(late)}"
    return [act, *(replace(act, action="restore", case_key=d.key) for d in free)], told, free


def _each(store: Store, incident: Incident, act: Act) -> Deeds:
    """What to do to the cases of an incident that whoever asks sees, one by one."""
    here = as_worked(store, store.decisions(t.decisions.c.incident_id == incident.id))
    mine = [decision for decision in here if seen(decision.client_id)]
    if not mine:
        raise Unknown(f"no hay un caso «{incident.id}»")
    action, deeds = act.action, {d.key: replace(act, case_key=d.key) for d in mine}
    again = {key for key, deed in deeds.items() if _again(store, deed)}
    free, late = _back(store, mine, action)
    free = [d for d in free if d.key not in again]
    acts = [deeds[d.key] for d in mine if d.key not in again and may(d, action)]
    acts += [replace(deeds[d.key], action="restore") for d in free]
    if not acts and not again:
        raise Conflict(
            f"el caso {late[0].key} {why_not(store, late[0], act.at)}" if late else _why_not(mine[0], action)
        )
    if acts:
        _lasts(incident, action)
    return acts, f"{incident.id}: {es.count(len(acts) + len(again), 'caso')}{_late(late)}", free


def _lasts(incident: Incident, action: str) -> None:
    """Conflict where the act makes sense only while the incident lasts, and it is over."""
    if action in ("approve", "reinstate") and incident.state is not IncidentState.FIRING:
        raise Conflict(_over(incident))


def attribute(store: Store, name: str, case_id: str, who: str, now: datetime, *, request_key: str = "") -> str:
    """Tie our decision to that case of a tool: its number, or tool/number where several tools have that number. Repeats as in `do`."""
    if not who.strip():
        raise Refused("falta quién lo hace")
    decision, incident = _case_named(store, name)
    case = _case(store, case_id)
    if case.reported_by == "monitor":
        raise Refused(f"el caso {named(case)} lo abrió Vigía: no es un reporte del cliente")
    if case.client_id != decision.client_id and store.clients(t.clients.c.client_id == case.client_id):
        raise Refused(f"el caso {named(case)} es de otro cliente, NIT {es.nit(case.client_id)}")
    key = decision.key
    act = Act(incident.id, now, who.strip(), "attribute", named(case), case_key=key, request_key=request_key)
    if not repeated(store, act):
        if acted(decision, "attribute", who, now, case) == decision:
            raise Conflict(f"el caso {decision.key} ya está enlazado a {named(case)}")
        store.act(act)
    return key


def _taken_back(store: Store, incident: Incident) -> bool:
    """Whether all of it was withdrawn last."""
    whole = [act for act in store.acts(incident_id=incident.id) if act.action in WHOLE and not act.case_key]
    return bool(whole) and whole[-1].action == "withdraw"


def incident_of(store: Store, name: str) -> str:
    """The id of the incident that a name of a case, or of all of an incident's, belongs to; raises Unknown."""
    return _named(store, name, whole=True)[1].id


def _named(store: Store, name: str, *, whole: bool) -> tuple[Decision | None, Incident]:
    """The decision that is meant or, where an incident may be, None for all of it; and the incident."""
    if whole and name and not name.startswith("VG-"):
        try:
            (incident,) = as_acted(store, [found_incident(store, name)])
        except Unknown:
            if not _keyed(store, name):
                raise
        else:
            if incident.parent_id:
                raise Conflict(_over(incident))
            return None, incident
    return _case_named(store, name)


def _case_named(store: Store, name: str) -> tuple[Decision, Incident]:
    found = _keyed(store, name)
    if not found:
        raise Unknown(f"no hay un caso «{name}»")
    if len(found) > 1:
        some = ", ".join(decision.key for decision in found[:SOME])
        raise Unknown(f"«{name}» puede ser uno de {len(found)} casos ({some}...): escriba más de la clave")
    (decision,) = as_worked(store, found)
    (incident,) = as_acted(store, store.incidents(t.incidents.c.id == decision.incident_id))
    return decision, incident


def _keyed(store: Store, name: str) -> list[Decision]:
    d = t.decisions.c
    part = d.key.startswith(name, autoescape=True) | d.key.endswith(name, autoescape=True)
    found = store.decisions(d.key == name) or (store.decisions(part) if name else [])
    return [decision for decision in found if seen(decision.client_id)]


def _case(store: Store, text: str) -> TheirCase:
    theirs = t.their_cases.c
    source, _, number = text.rpartition("/")
    found = store.their_cases(theirs.case_id == text) or store.their_cases(
        theirs.source == source, theirs.case_id == number
    )
    found = [case for case in found if seen(case.client_id)]
    if not found:
        raise Unknown(f"ninguna herramienta ha contado de un caso «{text}»")
    if len(found) > 1:
        raise Unknown(f"«{text}» es de {len(found)} herramientas: escriba una de {', '.join(map(named, found))}")
    return found[0]


def _over(incident: Incident) -> str:
    over = f"hace parte de {incident.parent_id}" if incident.parent_id else "ya terminó"
    return f"la afectación {incident.id} {over}"


def _why_not(decision: Decision, action: str) -> str:
    """Why the act makes no sense for the case."""
    if action == "reinstate":
        return f"el caso {decision.key} no se ha retirado"
    if action in ("confirm", "undo"):
        done = decision.linked_case_id and f"ya lo confirmó {decision.confirmed_by}"
        return f"el caso {decision.key} {done or 'no está enlazado a ningún caso del cliente'}"
    approving, reason = action == "approve", es.REASONS.get(decision.reason, decision.reason).lower()
    whys = {
        "ya se retiró": decision.withdrawn_at,
        "ya está informado al cliente": action == "informed",
        "ya es un incidente": action == "promote" and decision.promoted_at,
        "no se ha abierto: no hay qué promover": action == "promote",
        "es del propio cliente: Vigía no lo abrió": decision.action is Action.LINK,
        "ya está abierto": decision.action is Action.OPEN,
        "está en observación: su paso en la configuración no deja abrirlo": approving and decision.reason == OBSERVED,
        f"ya lo aprobó {decision.approved_by}": approving and decision.approved_by,
        "no espera aprobación": waits(decision),
        f"no se va a abrir: {reason}": True,
    }
    return f"el caso {decision.key} {next(why for why, holds in whys.items() if holds)}"
