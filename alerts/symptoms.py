"""Incidents that rest on each other: which of what they show is the cause, and which only a symptom of it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from itertools import combinations

from alerts import Alert, Incident, Signal
from alerts.alike import ONSET, WORST, worst
from alerts.rests import Rests, spread, thing, things
from alerts.scopes import narrowest
from rules import Scope

Alerts = Collection[Alert]
By = Mapping[str, Alerts]
"""Firing alerts by incident."""


def symptoms(rests: Rests, by: By, *told: Incident | Scope) -> tuple[Scope, ...]:
    """Of these incidents and scopes together, what only shows what fails beneath it."""
    found = [scope for scope in told if isinstance(scope, Scope) and not scope.client_id]
    for incident in (one for one in told if isinstance(one, Incident)):
        wide = [alert.scope for alert in _wide(by, incident)]
        found += [*(wide or [incident.scope]), *incident.symptoms]
    return rests.symptoms(found)


def shown(before: Incident, taken: Incident, signal: Signal, since: datetime, held: Alerts) -> Incident:
    """The incident, which has `taken` one more alert, where some of its alerts are symptoms: the others tell what it is.

    held: the alerts that it had before.
    """
    above = things(taken.symptoms)
    taken = replace(taken, scope=before.scope, reach=before.reach, kind=before.kind, guide=before.guide)
    if thing(signal.scope) in above:
        return taken
    own = [alert.scope for alert in held if thing(alert.scope) not in above]
    if not own and thing(before.scope) in above:  # so far there were symptoms alone
        kind, guide = worst(signal.ways), signal.spec.guide
        return replace(taken, scope=signal.scope, reach=signal.scope, shares=(), kind=kind, guide=guide)
    kind = worst(signal.ways | {before.kind})
    found = spread([*own, signal.scope])
    reach = found if since - before.started_at <= ONSET else before.reach.widened(found)
    scope = before.scope if before.shares and before.scope.overlaps(signal.scope) else reach
    guide = before.guide if kind == before.kind else signal.spec.guide
    return replace(taken, scope=scope, reach=reach, kind=kind, guide=guide)


def leans(rests: Rests, by: By, known: Iterable[Incident], scope: Scope, since: datetime) -> bool:
    """Whether what began there and then rests on one of these incidents, or one of them on it."""
    name = thing(scope)
    parts = (part for incident in known for part in _parts(by, incident).items())
    return any(rests.tied(name, other) and abs(since - then) <= ONSET for other, then in parts)


def leaning(rests: Rests, by: By, known: Iterable[Incident]) -> tuple[Incident, Incident] | None:
    """The first two, the older before the younger, that began together and of which one rests on the other."""
    told = [(i, _parts(by, i)) for i in sorted(known, key=lambda i: (i.started_at, i.id)) if not i.scope.client_id]
    for (one, ones), (other, others) in combinations(told, 2):
        tied = any(
            rests.tied(a, b) and abs(since - then) <= ONSET for a, since in ones.items() for b, then in others.items()
        )
        if tied and things(symptoms(rests, by, one, other)) & (ones.keys() | others.keys()):
            return one, other
    return None


def leant(rests: Rests, by: By, one: Incident, other: Incident, merged: Incident) -> Incident:
    """The two as one: `merged`, told by whichever of them does not rest on the other."""
    found = symptoms(rests, by, one, other)
    above = things(found)
    causes = [incident for incident in (one, other) if thing(incident.scope) not in above]
    first = min(causes, key=lambda i: WORST.index(i.kind))
    scope, reach, shares = first.scope, first.reach, first.shares
    if len(causes) > 1:
        scope = reach = one.reach.widened(other.reach)
        shares = ()
    return replace(
        merged, symptoms=found, scope=scope, reach=reach, shares=shares, kind=first.kind, guide=first.guide
    )  # fmt: skip


def _wide(by: By, incident: Incident) -> list[Alert]:
    """Its alerts that are of more than one client."""
    return [alert for alert in by.get(incident.id, ()) if not alert.scope.client_id]


def _parts(by: By, incident: Incident) -> dict[str, datetime]:
    """What it is about, by its narrowest alerts, and since when each of these fails."""
    wide = _wide(by, incident)
    about = things([*incident.symptoms, *narrowest([*(alert.scope for alert in wide), incident.scope])])
    since = {t: [a.since for a in wide if thing(a.scope) == t] for t in about}
    return {t: max(min(starts), incident.started_at) for t, starts in since.items() if starts}
