"""What it means that two alerts are of one cause.

A newly firing alert belongs to an open incident if its scope meets the incident's or that of one of its alerts, or if it shares
the product, the channel or the client and began within ONSET of it (a channel that takes several products down, a product that
fails through two channels). What began together is one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime, timedelta

from alerts import Alert, Incident, Signal
from alerts.alike import ONSET, SLOW, alike
from alerts.raised import Raised
from alerts.scopes import narrowest

LATELY = timedelta(minutes=20)
"""What begins later than this after the last breach of an incident is none of its symptoms."""
PLACES = 3
"""So many places that begin to fail in the same way within ONSET have one cause, even if they share neither product nor channel."""
Hints = Collection[str]
"""The rules that find something new, and know little of how it hurts."""


def hinted(incident: Incident, hints: Hints) -> bool:
    """Whether nothing is known but that something is new: how it hurts, its rows must say."""
    return all(rule in hints for rule in incident.rules)


def kin(
    known: Collection[Incident],
    alerts: Raised,
    hints: Hints,
    signal: Signal,
    since: datetime,
    leans: Callable[[], bool],
) -> list[Incident]:
    """The `known` incidents that it makes one, the oldest first: of those whose cause it may have, the nearest and what began with it.

    A whole channel's alert sees two products fail one after the other: that does not make them one cause. That three places
    with nothing in common begin to fail in the same way at once does, unless what `leans` on what tells the cause.
    """
    scope = signal.scope
    found = [i for i in known if same_cause(i, alerts.of(i.id), hints, signal, since)]
    near = {i.id: (not alike(i.ways, signal.ways), not scope.shares(i.scope), abs(i.started_at - since)) for i in found}
    home = min(found, key=lambda i: (near[i.id], i.id), default=None)
    if home and scope.client_id:
        return [home]  # one client's rows tie nothing together
    together = [i for i in found if home and abs(i.started_at - home.started_at) <= ONSET and alike(i.ways, home.ways)]
    if not home and not scope.client_id and not scope.series and signal.spec.name not in hints:
        others = [i for i in known if _begun_alike(i, hints, signal, since)]
        together = others if len(others) >= PLACES - 1 and not leans() else []
    return sorted(together, key=lambda i: (i.started_at, i.id))


def same_cause(incident: Incident, held: Collection[Alert], hints: Hints, signal: Signal, since: datetime) -> bool:
    """Whether what fires now may have the incident's cause. held: its alerts; since: when what fires now began."""
    scope = signal.scope
    if scope.client_id and _of_another(incident, held, scope.client_id):
        return False
    lately = [alert.scope for alert in held if since <= alert.last_breach + LATELY]
    if not lately:
        return incident.scope == scope
    if _another(incident, hints, signal, since):
        return False
    # Once it is known where it sits, that its alerts reach further, as a whole channel's does, is its own doing.
    settled = incident.shares and since > incident.started_at + ONSET
    # Nor is a client's failing product that of a channel's alert: which channel it fails through is not known.
    near = () if settled else narrowest(lately)
    there = incident.symptoms if settled else (one for one in near if not scope.client_id or scope.shares(one))
    scopes = {incident.scope, *there}
    # A metric's series says nothing of transactions that it does not name.
    if any(scope.overlaps(one) and (scope.shares(one) or scope.series == one.series) for one in scopes):
        return True
    told = signal.spec.name not in hints and (alike(incident.ways, signal.ways) or hinted(incident, hints))
    began = abs(incident.started_at - since) <= ONSET
    return told and began and any(scope.shares(one) for one in scopes)


def _of_another(incident: Incident, held: Collection[Alert], client: str) -> bool:
    """Whether all that it is about is another client's. A thousand may begin in one minute, each looked at for each of the others."""
    if incident.symptoms or incident.scope.client_id in ("", client):
        return False
    return all(alert.scope.client_id not in ("", client) for alert in held)


def _another(incident: Incident, hints: Hints, signal: Signal, since: datetime) -> bool:
    """What fails long after something was only slow is no symptom of it: slow since nine, failing since eleven.

    Of one client, much is said by chance.
    """
    if signal.spec.name in hints or signal.scope.client_id or incident.ways != SLOW:
        return False
    return since > incident.started_at + LATELY and signal.ways != SLOW


def _begun_alike(incident: Incident, hints: Hints, signal: Signal, since: datetime) -> bool:
    """Whether it began with that, in the same way, and is of more than one client."""
    there = not incident.scope.client_id and not incident.scope.series and not hinted(incident, hints)
    return there and abs(incident.started_at - since) <= ONSET and bool(incident.ways & signal.ways)
