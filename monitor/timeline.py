"""An incident told in order of time: from its first bad minute to the client's own report, and its end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from alerts import Action, Decision, Touch
from monitor import tables as t
from monitor.columns import counting, either, highest, lowest
from monitor.counts import until_changed
from monitor.notified import first_told
from monitor.standing import Row, as_worked, stirred, tuples
from monitor.store import Store

MARKED = ("detected", "cases", "reported", "informed", "ended")
"""Steps that the chart has marks for."""


def timeline(store: Store, incident: Row, told: Sequence[Row]) -> list[Row]:
    """The steps of an incident (a row of `people.head`), in order of time. told: who was told of it (`monitor.notified`).

    Each has `at`, `what` and what its sentence needs: n (of how many), who, text, client, client_id, lead.
    what: began, failed, detected, told, cases, sent, reported, informed, promoted, act, ended or resolved.
    """
    steps = [_step("began", incident["started_at"]), _step("detected", incident["detected_at"])]
    incident_id = incident["id"]
    counted = until_changed(
        store, f"steps of {incident_id}", None, lambda: _failed(store, incident_id) + _cases(store, incident_id)
    )
    steps += [*map(dict, counted), *_sent(store, incident_id), *_told(told)]
    steps += [
        _step("act", act["at"], who=act["who"], text=act["text"], act=act)
        for act in incident["acts"]
        if not act["case_key"]
    ]
    if incident["resolved_at"]:
        shut = incident["resolved_by"] and any(alert["state"] != "over" for alert in incident["alerts"])
        if not shut:  # closed by hand, it may fail on
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


def _failed(store: Store, incident_id: str) -> list[Row]:
    """The first failure of an affected client."""
    i = t.impacts.c
    hit = t.impacts.select().with_only_columns(i.first_failure_at, i.client_id)
    hit = hit.where(i.incident_id == incident_id, i.touch == Touch.AFFECTED, i.first_failure_at.is_not(None))
    return [
        _step("failed", at, client=_who(store, client_id), client_id=client_id)
        for at, client_id in tuples(store, hit.order_by(i.first_failure_at, i.client_id).limit(1))
    ]


def _who(store: Store, client_id: str) -> str:
    return next((client.name for client in store.clients(t.clients.c.client_id == client_id)), "") or client_id


def _cases(store: Store, incident_id: str) -> list[Row]:
    """What came of its cases: counted by the database, but for those to which somebody has done something just now."""
    d, fresh = t.decisions.c, stirred(store)
    here = [d.incident_id == incident_id]
    worked = as_worked(store, store.decisions(*here, fresh)) if fresh is not None else []
    still = [*here, ~fresh] if fresh is not None else here
    kinds = ("informed", "promoted", "client_reported")
    opened = either(d.action == Action.OPEN, d.opened_at).label("opened")
    columns = [opened, d.key, *(d[f"{what}_at"] for what in kinds)]
    light = t.decisions.select().with_only_columns(*columns).where(*still).subquery()
    told = [
        column.label(f"{what}_{how}")
        for what in kinds
        for how, column in (("first", lowest(light.c[f"{what}_at"])), ("n", counting(light.c[f"{what}_at"])))
    ]
    query = light.select().with_only_columns(light.c.opened, counting(light.c.key), *told).group_by(light.c.opened)
    moments: Counter[datetime] = Counter(one.opened_at for one in worked if one.action is Action.OPEN)
    times = {what: [at for one in worked if (at := getattr(one, f"{what}_at"))] for what in kinds}
    many = {what: len(found) for what, found in times.items()}
    for at, n, *each in tuples(store, query):
        moments.update({at: n} if at else {})
        for what, first, count in zip(kinds, each[::2], each[1::2], strict=True):
            times[what] += [first] if first else []
            many[what] += count
    spoke = min(times.pop("client_reported"), default=None)
    steps = [_step(what, min(found), n=many[what]) for what, found in times.items() if found]
    if spoke:
        first = store.decisions(*still, d.client_reported_at == spoke)
        steps += _reported(store, [*first, *worked], spoke, many["client_reported"])
    return _opened(moments) + steps


def _opened(moments: Counter[datetime]) -> list[Row]:
    """Each moment at which preventive cases were opened; where there are many, the first and the rest."""
    order = sorted(moments.items())
    shown = [_step("cases", at, n=n) for at, n in order[:3]]
    rest = order[3:]
    return [*shown, _step("cases", rest[-1][0], n=sum(n for _, n in rest))] if rest else shown


def _reported(store: Store, found: Iterable[Decision], at: datetime, many: int) -> list[Row]:
    """The first client who told of it themselves, and how many have since."""
    first = next(one for one in found if one.client_reported_at == at)
    words = {"client": _who(store, first.client_id), "client_id": first.client_id, "lead": first.lead_seconds}
    return [_step("reported", at, n=many, **words)]


def _sent(store: Store, incident_id: str) -> list[Row]:
    """When the desks had taken the last case so far, and how many by then."""
    d, o = t.decisions.c, t.outbox.c
    taken = t.outbox.join(t.decisions, d.key == o.key).select().with_only_columns(highest(o.sent_at), counting(o.key))
    ((at, n),) = tuples(store, taken.where(o.action == "open", o.state == "sent", d.incident_id == incident_id))
    return [_step("sent", at, n=n)] if at else []


def _told(told: Sequence[Row]) -> list[Row]:
    """When each receiver had told the first of its recipients."""
    return [_step("told", one["at"], n=one["n"], who=one["receiver"]) for one in first_told(told)]
