"""`vigia causes`: what keeps failing, how much of all that fails it is, what was escalated, and who is hit again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from alerts import Escalation, Impact, Incident, IncidentState, Occurrence, TheirCase, Touch
from alerts.causes import CauseBook, Escalating, Measure, Weighed, occurrence, weighed
from alerts.promises import folded
from alerts.recurrence import Rate, Recurrence, hits, rate, same_error, same_product
from alerts.rows import plain
from monitor import tables as t
from monitor.standing import Row, as_acted, only
from monitor.store import Store


@dataclass(frozen=True, slots=True)
class Told:
    """A cause, and when it was escalated, the oldest first."""

    weighed: Weighed
    escalations: tuple[Escalation, ...]


def causes_of(
    incidents: Iterable[Incident],
    impacts: Iterable[Impact],
    escalations: Iterable[Escalation],
    by: Measure = "failures",
    now: datetime | None = None,
) -> list[Told]:
    """The Pareto of these incidents' causes; now: how long those that are not over have lasted."""
    made: dict[str, list[Escalation]] = defaultdict(list)
    for escalation in sorted(escalations, key=lambda e: (e.escalated_at, e.key)):
        made[escalation.cause].append(escalation)
    return [
        Told(found, tuple(made.get(found.cause, ()))) for found in weighed(_occurrences(incidents, impacts, now), by)
    ]


def causes(
    store: Store,
    rules: Escalating,
    now: datetime,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    by: Measure = "failures",
) -> Row:
    """What began in [since, until) (None: the last period), by cause, and what came again in that time.

    case_rate: tasa de reincidencia of the clients' cases, for all and by product; by_typology: of the same typology, too.
    """
    end = now if until is None else until
    start = end - rules.period if since is None else since
    began = t.incidents.c.started_at
    before = start - rules.recurrence  # what is repeated may have been before
    found = as_acted(store, store.incidents(began >= before, began < end, t.incidents.c.state != IncidentState.MERGED))
    m = t.impacts.c
    hurt = m.touch == Touch.AFFECTED
    impacts = store.impacts(hurt, m.incident_id.in_(only(t.incidents, "id", began >= before, began < end)))
    within = [incident for incident in found if incident.started_at >= start]
    told = causes_of(within, impacts, store.escalations(), by, now)
    hit = hits(found, impacts)
    c = t.their_cases.c
    cases = store.their_cases((c.opened_at >= before) | (c.reported_at >= before))
    products: dict[str, list[TheirCase]] = defaultdict(list)
    for case in cases:
        products[folded(case.product)].append(case)

    def rated(mine: Sequence[TheirCase], *, typology: bool = False) -> Row:
        return _rate(rate(mine, start, end, rules.recurrence, typology=typology))

    names = {client.client_id: client for client in store.clients()}

    def again(runs: Sequence[Recurrence]) -> list[Row]:
        lately = sorted(
            (run for run in runs if run.last_at >= start), key=lambda r: (-r.repeated, r.client_id, r.product)
        )
        return [
            plain(run) | {"repeated": run.repeated, "client": getattr(names.get(run.client_id), "name", "")}
            for run in lately
        ]

    return {
        "since": start,
        "until": end,
        "by": by,
        "causes": [_row(one) for one in told],
        "same_error": again(same_error(hit, rules.recurrence)),
        "same_product": again(same_product(hit, rules.recurrence)),
        "case_rate": rated(cases) | {"by_typology": rated(cases, typology=True)},
        "case_rate_by_product": [
            {"product": product} | rated(mine) for product, mine in sorted(products.items()) if product
        ],
    }


def recalled(store: Store, rules: Escalating, at: datetime, live: Iterable[Incident]) -> CauseBook:
    """The book of causes as it was before a restart: what was over by `at`. live: the incidents that may be open."""
    starts = [i.started_at for i in live if i.state is IncidentState.FIRING]
    i = t.incidents.c
    found = store.incidents(i.state == IncidentState.RESOLVED, i.started_at > min([at, *starts]) - rules.period)
    m = t.impacts.c
    impacts = store.impacts(m.touch == Touch.AFFECTED, m.incident_id.in_([incident.id for incident in found]))
    return CauseBook(rules, _occurrences(found, impacts), store.escalations())


def _occurrences(
    incidents: Iterable[Incident], impacts: Iterable[Impact], now: datetime | None = None
) -> list[Occurrence]:
    touched: dict[str, list[Impact]] = defaultdict(list)
    for impact in impacts:
        if impact.touch is Touch.AFFECTED:
            touched[impact.incident_id].append(impact)
    return [occurrence(incident, touched.get(incident.id, ()), now) for incident in incidents]


def _row(told: Told) -> Row:
    found, newest = told.weighed, told.weighed.newest
    numbers = {name: getattr(found, name) for name in ("cause", "incidents", "clients", "failures", "minutes", "again")}
    where = {"product": newest.scope.product, "channel": newest.scope.channel, "client_id": newest.scope.client_id}
    return {
        **numbers,
        **where,
        "series": newest.scope.series,
        "error_code": newest.code,
        "kind": newest.way,
        "newest": newest.incident_id,
        "share": found.part.share,
        "cumulative": found.part.cumulative,
        "escalations": [plain(escalation) for escalation in told.escalations],
    }


def _rate(found: Rate) -> Row:
    return {"cases": found.cases, "repeated": found.repeated, "unknown": found.unknown, "percent": found.percent}
