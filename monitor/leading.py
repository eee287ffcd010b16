"""What people ask of lead: who was reached first, who not and why, of whom there was warning, what that was worth.

Over incidents that were detected in a period. The same figures stand in the summary of a backtest.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from alerts import Decision, Impact, Incident, TheirCase, Touch
from alerts.lead_figures import figures, misses
from alerts.leads import Line, lines
from alerts.losses import Losses
from monitor import tables as t
from monitor.portfolio import Portfolio
from monitor.standing import Row, only
from monitor.store import Store


def leads(store: Store, losses: Losses, *, since: datetime | None = None, until: datetime | None = None) -> Row:
    """The figures over incidents detected in [since, until), with every miss."""
    i = t.incidents.c
    where = [i.state != "merged"]
    where += [i.detected_at >= since] if since else []
    where += [i.detected_at < until] if until else []
    found = _lines(store, where)
    clients = {line.client_id for line in found if line.miss}
    names = {c.client_id: c.name for c in store.clients() if c.client_id in clients} if clients else {}
    missed = [row | {"client": names.get(row["client_id"], "")} for row in misses(found)]
    return {"since": since, "until": until, "affected": len(found)} | figures(found, losses) | {"missed": missed}


def reported(store: Store, since: datetime) -> list[Line]:
    """Who reported, in incidents detected since then: the same as in `leads`, by what little that takes."""
    i, d = t.incidents.c, t.decisions.c
    where = [i.state != "merged", i.detected_at >= since]
    here = only(t.incidents, "id", *where)
    spoke = only(t.decisions, "client_id", d.incident_id.in_(here), d.client_reported_at.is_not(None))
    decisions = store.decisions(d.incident_id.in_(here), d.client_id.in_(spoke))
    tied = only(t.decisions, "linked_case_id", d.incident_id.in_(here), d.linked_case_id != "")
    clients = {client.client_id: client for client in store.clients(t.clients.c.client_id.in_(spoke))}
    cases = store.their_cases(t.their_cases.c.case_id.in_(tied))
    return [one for one in lines(store.incidents(*where), [], decisions, cases, clients, []) if one.reported_at]


def told(
    incidents: Iterable[Incident],
    impacts: Iterable[Impact],
    decisions: Iterable[Decision],
    cases: Iterable[TheirCase],
    bank: Portfolio,
    losses: Losses,
) -> Row:
    """The same of a backtest, as JSON has it; its misses stand in cases.csv."""
    found = lines(incidents, impacts, decisions, cases, bank.clients, bank.holdings)
    answer: Row = _written({"affected": len(found)} | figures(found, losses))
    return answer


def _lines(store: Store, where: Sequence[Any]) -> list[Line]:
    d = t.decisions.c
    here = only(t.incidents, "id", *where)
    affected = store.impacts(t.impacts.c.incident_id.in_(here), t.impacts.c.touch == str(Touch.AFFECTED))
    tied = only(t.decisions, "linked_case_id", d.incident_id.in_(here), d.linked_case_id != "")
    clients = {client.client_id: client for client in store.clients()}
    cases = store.their_cases(t.their_cases.c.case_id.in_(tied))
    decisions = store.decisions(d.incident_id.in_(here))
    return lines(store.incidents(*where), affected, decisions, cases, clients, store.holdings())


def _written(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _written(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_written(one) for one in value]
    return str(value) if isinstance(value, Decimal) else value
