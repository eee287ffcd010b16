"""One client whole (360): how all that they hold is now, what touches them, their cases and promises, and their last 90 days.

Answers are rows as those of `monitor.people`; all clients are in `monitor.clientele`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from alerts import Client, Holding, Impact, Incident, IncidentState, Touch
from alerts.promises import Promises
from alerts.rows import plain
from connectors.nit import canonical
from monitor import tables as t
from monitor.clientele import first_served, open_incidents, touched_by
from monitor.clocks import clocked, clocked_theirs
from monitor.crossings import marks
from monitor.past import affected_by, again, history, of_late
from monitor.people import Unknown, cases
from monitor.reads import Reader, noted
from monitor.seeing import SIGHT
from monitor.standing import Row, only, rows, told
from monitor.store import Store
from monitor.traffic import used
from monitor.unsettled import in_doubt
from monitor.verdicts import FRESH, Present, present
from rules import Verdict

if TYPE_CHECKING:
    from monitor.config import Config

PERIOD = timedelta(days=90)
"""How far back a portrait looks."""
STATES = ("con fallas", "expuesto", "sin datos", "sano")
"""Of what a client holds, the worst first: their own transactions fail there; it fails around them; nobody can tell; it is well."""
SLACK = timedelta(minutes=2)
"""Beyond a poll, its lateness and the patience with a source: what judging may take."""


@dataclass(frozen=True)
class Outlook:
    """What of the configuration is seen by: the promises, how old a verdict is still told as present, the desks (None: not known)."""

    promises: Promises = field(default_factory=Promises)
    fresh: timedelta = FRESH
    desks: frozenset[str] | None = None


def outlook(config: Config) -> Outlook:
    """Of a configuration. A verdict is fresh for as long as its minute may take to come, by the slowest source that feeds verdicts."""
    feeding = (s.block.every for s in config.sources.values() if s.block.role in ("transactions", "metrics"))
    slowest = max(feeding, default=timedelta(0))
    return Outlook(
        config.promises, slowest + config.monitor.lateness + config.monitor.patience + SLACK, frozenset(config.desks)
    )


def client(store: Store, nit: str, now: datetime, reader: Reader, seen: Outlook | None = None) -> Row:
    """One client across all that they hold, for somebody (who is noted); Unknown if nobody has that NIT, in whatever form it is written.

    Of whom nothing is known but transactions, it is what they used of late.
    """
    seen, lately = seen or Outlook(), list[Holding]()
    try:
        client_id = identity(store, nit)
    except Unknown:
        lately = used(store, _meant(nit), now) if canonical(nit)[1] else []
        if not lately:
            raise
        client_id = lately[0].client_id
    if client_id not in SIGHT.get():
        noted(store, reader, client_id, now, refused=True)
        raise _nobody(nit)
    noted(store, reader, client_id, now)
    found = store.clients(t.clients.c.client_id == client_id)
    known = found[0] if found else Client(client_id)
    failing = open_incidents(store, failing=True)
    open_ = {key: one for key, one in failing.items() if one.state is IncidentState.FIRING}
    hurt = [i for i in store.impacts(t.impacts.c.client_id == client_id) if i.incident_id in failing]
    impacts = [i for i in hurt if i.incident_id in open_]
    word = present(store, now, seen.fresh)
    held = _held(store, client_id, now)
    holdings = [_holding(h, hurt, failing, word, held=True) for h in held]
    holdings += [_holding(h, hurt, failing, word, held=False) for h in lately or _used(client_id, held, hurt, failing)]
    touching = told(store, [open_[key] for key in dict.fromkeys(impact.incident_id for impact in impacts)], now)
    # Ours come back from the tool that we opened them in.
    theirs = store.their_cases(t.their_cases.c.client_id == client_id, t.their_cases.c.reported_by != "monitor")
    decided = clocked(store, cases(store, client_id=client_id), seen.promises, now)
    past = history(store, client_id, now - PERIOD, now, decided)
    hit = affected_by(store, [client_id], of_late(store, now))
    return {
        **plain(known),
        "state": min((row["state"] for row in holdings), key=STATES.index, default="sin datos"),
        "judged_at": word.judged_at,
        "marks": marks(hit.get(client_id, ()), now),
        "holdings": holdings,
        "incidents": [
            row | {"touches": [_impact(impact) for impact in impacts if impact.incident_id == row["id"]]}
            for row in touching
        ],
        "cases": decided,
        "their_cases": clocked_theirs(store, theirs, decided, seen.promises, known.segment, now),
        "recurrences": again(past, now),
        "group": _group(store, known, open_),
        "doubts": in_doubt(store, client_id, now - PERIOD),
        "history": past,
    }


def identity(store: Store, text: str) -> str:
    """The client that is meant: as it is written or, if nobody is known by that, with its last digit taken for the check digit."""
    tables: Iterable[Any] = (t.clients, t.holdings, t.impacts, t.decisions, t.their_cases)
    if not canonical(text)[1]:
        raise Unknown(f"el dígito de verificación de «{text}» no es el de ese NIT")
    for nit in _meant(text):
        if any(rows(store, only(table, "client_id", table.c.client_id == nit).limit(1)) for table in tables):
            return nit
    if not any(sign.isdigit() for sign in text):
        raise Unknown(f"«{text}» no es un NIT")
    raise _nobody(text)


def _meant(text: str) -> list[str]:
    return list(filter(None, dict.fromkeys((canonical(text)[0], canonical(text, "nit_dv")[0]))))


def _nobody(nit: str) -> Unknown:
    """The same words where there is none such and where there is one for others alone: an answer must not tell which."""
    return Unknown(f"no se conoce un cliente con NIT «{nit}»")


# ---- what they hold ------------------------------------------------------------------------------------------------


def _held(store: Store, client_id: str, now: datetime) -> list[Holding]:
    found = store.holdings(t.holdings.c.client_id == client_id)
    held = [h for h in found if (h.since is None or h.since <= now) and (h.until is None or h.until > now)]
    return sorted(held, key=lambda h: (h.product, h.channel))


def _used(
    client_id: str, held: Sequence[Holding], impacts: Sequence[Impact], open_: Mapping[str, Incident]
) -> list[Holding]:
    """Where something touches them that the bank does not say they hold: it is shown all the same."""
    used = [
        Holding(client_id, impact.product, open_[impact.incident_id].scope.channel)
        for impact in impacts
        if not any(_lies(holding, impact, open_[impact.incident_id]) for holding in held)
    ]
    return sorted(set(used), key=lambda h: (h.product, h.channel))


def _holding(
    holding: Holding, impacts: Sequence[Impact], open_: Mapping[str, Incident], word: Present, *, held: bool
) -> Row:
    """With its state and, where nobody can tell, why."""
    touches = {impact.touch for impact in impacts if _lies(holding, impact, open_[impact.incident_id])}
    verdict, why = word.of(holding.product, holding.channel)
    near = Touch.EXPOSED in touches or any(_covers(incident, holding) for incident in open_.values())
    if Touch.AFFECTED in touches:
        state = "con fallas"
    elif near or verdict is Verdict.BREACH:
        state = "expuesto"
    else:
        state = "sano" if verdict is Verdict.HEALTHY else "sin datos"
    return plain(holding) | {"held": held, "state": state, "why": why if state == "sin datos" else ""}


def _lies(holding: Holding, impact: Impact, incident: Incident) -> bool:
    """Whether what an incident does to the client is on this."""
    channel = incident.scope.channel
    return impact.product in ("", holding.product) and (not channel or holding.channel in ("", channel))


def _covers(incident: Incident, holding: Holding) -> bool:
    """Whether all of its place fails, for whoever holds it."""
    scope = incident.scope
    if scope.client_id not in ("", holding.client_id) or not (scope.product or scope.channel or not scope.series):
        return False
    return scope.product in ("", holding.product) and (not scope.channel or holding.channel in ("", scope.channel))


def _group(store: Store, known: Client, open_: Mapping[str, Incident]) -> Row:
    """The economic group: how many others are in it, and those of them who are touched now, by priority."""
    if not known.group_id:
        return {"size": 0, "touched": []}
    c = t.clients.c
    others = {o.client_id: o for o in store.clients(c.group_id == known.group_id, c.client_id != known.client_id)}
    inside = only(t.clients, "client_id", c.group_id == known.group_id, c.client_id != known.client_id)
    here = touched_by(store, open_, t.impacts.c.client_id.in_(inside))
    found = [
        {"client_id": client_id, "name": others[client_id].name, "segment": others[client_id].segment} | touch
        for client_id, touch in here.items()
    ]
    return {"size": len(others), "touched": sorted(found, key=first_served)}


def _impact(impact: Impact) -> Row:
    return plain(impact) | {"terms": dict(impact.terms)}
