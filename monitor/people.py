"""What people ask and do, over the state: the one reading that command line, API and board share.

Answers are plain lists and dicts: aware UTC times, money as Decimal, all else as JSON has it (see `as_json`).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime, timedelta
from decimal import Decimal
from statistics import median
from typing import Any

from alerts import Action, Alert, Incident, IncidentState
from alerts.rows import plain
from alerts.standing import with_standing
from monitor import bookmarks, long_lists
from monitor import tables as t
from monitor.counts import touched, until_changed
from monitor.failing import failing
from monitor.seeing import Forbidden, partial, seen
from monitor.standing import Row, as_acted, as_worked, only, rows, still_failing, told
from monitor.store import Act, Store
from monitor.trail import repeated
from rules import DIMENSIONS

STATES = {
    "": (IncidentState.FIRING, IncidentState.RESOLVED),
    "open": (IncidentState.FIRING,),
    "firing": (IncidentState.FIRING,),
    "resolved": (IncidentState.RESOLVED,),
    "merged": (IncidentState.MERGED,),
    "all": tuple(IncidentState),
}
"""What can be asked for; without a word, all that stands for itself (a merged one is told by the one it went into)."""


class Unknown(LookupError):  # noqa: N818 - what was asked for is unknown; nothing went wrong
    """There is none such, or more than one, in words for whoever asked."""


class Refused(ValueError):  # noqa: N818 - as above
    """What was asked cannot be done, in words."""


class Conflict(Refused):
    """It could be done, but not to what it is asked of as that stands now."""


# ---- incidents -----------------------------------------------------------------------------------------------------


def incidents(
    store: Store, now: datetime, *, state: str | None = None, since: datetime | None = None, limit: int | None = None
) -> list[Row]:
    """Newest first, at most `limit`, in a `state` of STATES. since: leave out what was resolved before and is over."""
    if (state or "") not in STATES:
        raise Refused(f"no hay un estado «{state}»; hay {', '.join(filter(None, STATES))}")
    wanted, i = STATES[state or ""], t.incidents.c
    back = i.id.in_(only(t.acts, "incident_id", t.acts.c.action == "reopen"))  # the judging thread may not know yet
    found = [
        incident
        for incident in as_acted(store, store.incidents(i.state.in_([*wanted, IncidentState.FIRING]) | back))
        if incident.state in wanted
    ]
    if since:
        still = still_failing(store, found)
        found = [one for one in found if not one.resolved_at or one.resolved_at >= since or one.id in still]
    return told(store, found[:limit], now)


def incident(store: Store, incident_id: str, now: datetime, *, limit: int | None = None, after: str = "") -> Row:
    """All of one: its rules' alerts, every client, the cases, and what people did. Unknown if there is none such.

    incident_id: the id, or as much of its beginning or end as no other shares. limit: at most so many rows of each long list (`total`
    tells how many there are that whoever asks may see); after: the `next` of the answer before, None where nothing is left.
    """
    whole, cut, ends, more = head(store, incident_id, now), {}, {}, False
    every = long_lists.lists(whole["id"])
    try:
        for name, past in bookmarks.read_mark(store, after, every).items():
            cut[name], ends[name], further = every[name].part(store, limit, past=past)
            more = more or further
    except ValueError:
        raise Refused("after no es el next de otra respuesta") from None
    total = {name: len(cut[name]) if limit is None else one.count(store) for name, one in every.items()}
    return whole | cut | {"total": total, "next": bookmarks.marked(store, every, ends) if more else None}


def head(store: Store, incident_id: str, now: datetime) -> Row:
    """The same without its long lists."""
    found = as_acted(store, [found_incident(store, incident_id)])
    return told(store, found, now)[0] | {
        "failing": failing(store, plain(found[0])),
        "alerts": _alerts(store, found[0]),
        "useful": judged_useful(store, [found[0].id]).get(found[0].id, []),
        "acts": [plain(act) for act in store.acts(incident_id=found[0].id)],
    }


def figures(store: Store, since: datetime) -> Row:
    """In a few numbers: clients touched by what is open, each counted once, and the cases since then.

    reported: clients who have told of it themselves; first: those of them who had our case before; lead: median, s.
    """
    return dict(until_changed(store, "figures", int(since.timestamp() // 60), lambda: _figures(store, since)))


def _figures(store: Store, since: datetime) -> Row:
    firing = as_acted(store, store.incidents(t.incidents.c.state == IncidentState.FIRING))
    affected, exposed = touched(store, [i.id for i in firing if i.state is IncidentState.FIRING])
    d = t.decisions.c
    spoke = only(t.decisions, "client_id", d.opened_at >= since, d.client_reported_at.is_not(None))
    ours = d.action != Action.NONE
    # of who has neither spoken nor a case nothing is told: there may be very many
    decided = as_worked(store, store.decisions(d.opened_at >= since, ours | d.client_id.in_(spoke)))
    reported = [decision for decision in with_standing(decided) if decision.client_reported_at]
    leads = [decision.lead_seconds for decision in reported if decision.lead_seconds is not None]
    return {
        "affected": affected,
        "exposed": exposed,
        "opened": sum(decision.action is Action.OPEN and not decision.withdrawn_at for decision in decided),
        "linked": sum(decision.action is Action.LINK for decision in decided),
        "reported": len(reported),
        "first": sum(lead > 0 for lead in leads),
        "lead": round(median(leads)) if leads else None,
    }


def found_incident(store: Store, text: str) -> Incident:
    """The incident of this id, or of as much of its beginning or end as no other shares; raises Unknown."""
    i = t.incidents.c
    exact = store.incidents(i.id == text)
    part = i.id.startswith(text, autoescape=True) | i.id.endswith(text, autoescape=True)
    found = [each for each in exact or (store.incidents(part) if text else []) if seen(each.scope.client_id)]
    if not found:
        raise Unknown(f"no hay una afectación «{text}»")
    if len(found) > 1:
        some = ", ".join(incident.id for incident in found[:3])
        raise Unknown(f"«{text}» puede ser una de {len(found)} afectaciones ({some}...): escriba más del número")
    return found[0]


def _alerts(store: Store, incident: Incident) -> list[Row]:
    """What its rules say now (pending or firing); of those that say nothing any more (over), what the detection saw."""
    now = [a for a in store.alerts() if a.incident_id == incident.id]
    silent = [rule for rule in incident.rules if rule not in {alert.rule for alert in now}]
    blank = dict.fromkeys(f.name for f in fields(Alert)) | dict.fromkeys(DIMENSIONS, "") | {"state": "over"}
    del blank["scope"]
    first = {"value": incident.value, "expected": incident.expected}
    over = [blank | {"rule": rule} | (first if rule == incident.rules[0] else {}) for rule in silent]
    return [*map(plain, now), *over]


# ---- cases ---------------------------------------------------------------------------------------------------------


def cases(
    store: Store,
    *,
    incident_id: str | None = None,
    client_id: str | None = None,
    since: datetime | None = None,
    limit: int | None = None,
) -> list[Row]:
    """What was decided on each client's case, newest first, and how far it has come.

    delivery: due, sending, sent or dead ('' where nothing is to be sent), of its withdrawal where it was taken back;
    reference: the desk's own number for it.
    """
    d = t.decisions.c
    where = [
        *([d.incident_id == incident_id] if incident_id is not None else []),
        *([d.client_id == client_id] if client_id is not None else []),
        *([d.opened_at >= since] if since is not None else []),
    ]
    return long_lists.decided(store, *where, limit=limit)


# ---- what people do ------------------------------------------------------------------------------------------------


def acknowledge(store: Store, incident_id: str, who: str, text: str, now: datetime) -> str:
    """Somebody takes it on; the full id. As `act`."""
    return act(store, "ack", incident_id, who, now, text=text)


def resolve(store: Store, incident_id: str, who: str, text: str, now: datetime) -> str:
    """Somebody says that it is over; as `act`."""
    return act(store, "resolve", incident_id, who, now, text=text)


def note(store: Store, incident_id: str, who: str, text: str, now: datetime) -> str:
    """Somebody adds what is to be known of it; as `act`, but also afterwards."""
    return act(store, "note", incident_id, who, now, text=text)


DONE = ("ack", "unack", "note", "assign", "resolve", "reopen", "useful")
"""What can be done to an incident."""
EVER = ("note", "useful")
"""Of these, what can be done once it is over as well."""
OF_ALL = ("resolve", "reopen")
"""Of these, what decides for all whom it touches: for who sees them all."""
UNDO = timedelta(hours=1)
"""What was closed by hand can be reopened for so long."""
USEFUL = {"yes": True, "no": False}


def act(
    store: Store,
    action: str,
    incident_id: str,
    who: str,
    now: datetime,
    *,
    text: str = "",
    about: str = "",
    request_key: str = "",
) -> str:
    """Note what somebody does to an incident (one of DONE); its full id. Unknown; Forbidden; Refused or, as it stands now, Conflict.

    about: to `assign`, whom ('': nobody); to `useful`, yes or no. A repeat within seconds, or with the same request_key, is one.
    """
    if not who.strip():
        raise Refused("falta quién lo hace")
    if action == "note" and not text.strip():
        raise Refused("la nota está vacía")
    if action == "useful" and about not in USEFUL:
        raise Refused("diga si fue útil: yes o no")
    (found,) = as_acted(store, [found_incident(store, incident_id)])
    if action in OF_ALL and partial() and not found.scope.client_id:
        raise Forbidden("la afectación toca a más clientes que los suyos: la cierra o la reabre quien los ve a todos")
    done = Act(found.id, now, who.strip(), action, text.strip(), about=about.strip(), request_key=request_key)
    if not repeated(store, done):
        if why := _why_not(found, action, now):
            raise Conflict(f"la afectación {found.id} {why}")
        store.act(done)
    return found.id


def _why_not(found: Incident, action: str, now: datetime) -> str:
    """Why the act makes no sense as the incident stands."""
    if action in EVER:
        return ""
    firing, closed = found.state is IncidentState.FIRING, found.resolved_at if found.resolved_by else None
    whys = {
        f"hace parte de {found.parent_id}": bool(found.parent_id),
        "ya terminó": not firing and action != "reopen",
        "": action != "reopen",
        "sigue abierta": firing,
        "se normalizó, nadie la cerró: si vuelve a fallar, Vigía abre otra": closed is None,
        "se cerró hace más de una hora: Vigía abre otra cuando vuelva a empezar": closed and now - closed > UNDO,
    }
    return next((why for why, holds in whys.items() if holds), "")


def said(store: Store, action: str, incident_id: str) -> str:
    """What is to be known after an act, '' where nothing is: what was closed while it still fails stays closed."""
    if action == "reopen":
        return "vuelve a estar abierta: lo que digan sus reglas en el próximo minuto es su estado verdadero"
    if action == "resolve" and rows(store, t.alerts.select().where(t.alerts.c.incident_id == incident_id).limit(1)):
        return (
            "sus reglas siguen en alerta: queda cerrada por decisión suya mientras siga fallando; si pasa cinco minutos sana y "
            "vuelve a fallar, se abre otra; puede reabrirla durante una hora"
        )
    return ""


def judged_useful(store: Store, ids: Sequence[str]) -> dict[str, list[Row]]:
    """By incident, what each person last said of whether it was useful: who, useful, text, at."""
    a = t.acts.c
    query = t.acts.select().where(a.action == "useful", a.incident_id.in_(ids)).order_by(a.id)
    newest = {(row["incident_id"], row["who"]): row for row in rows(store, query)}
    found: dict[str, list[Row]] = {}
    for row in newest.values():
        told = {"who": row["who"], "useful": USEFUL[row["about"]], "text": row["text"], "at": row["at"]}
        found.setdefault(row["incident_id"], []).append(told)
    return found


def rules_useful(store: Store) -> dict[str, tuple[int, int]]:
    """By rule: of the incidents that it saw, how often somebody found one useful, and how often not."""
    told = judged_useful(
        store, [row["incident_id"] for row in rows(store, only(t.acts, "incident_id", t.acts.c.action == "useful"))]
    )
    found: dict[str, tuple[int, int]] = {}
    for incident in store.incidents(t.incidents.c.id.in_(told)):
        yes = sum(one["useful"] for one in told[incident.id])
        for rule in incident.rules:
            was = found.get(rule, (0, 0))
            found[rule] = (was[0] + yes, was[1] + len(told[incident.id]) - yes)
    return found


# ---- writing -------------------------------------------------------------------------------------------


def as_json(answer: Any, indent: int | None = 2) -> str:
    """Any of these answers as JSON: times as ISO 8601, money as text. indent: None for programs, who get it ten times as fast."""
    return json.dumps(answer, ensure_ascii=False, indent=indent, default=_written)


def _written(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")
