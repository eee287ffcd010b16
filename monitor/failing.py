"""Where else something fails now: what a guide would send clients to there is not offered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from alerts import Incident, IncidentState
from monitor import tables as t
from monitor.standing import as_acted
from monitor.store import Store

NOWHERE: Mapping[str, Any] = {}


def failing(store: Store, incident: Mapping[str, Any] = NOWHERE) -> list[str]:
    """The products and channels beside this incident's (a row) own that fail now, by open incidents and what shows of them elsewhere.

    A channel counts where the incident's product fails on it; what is one client's alone, where the incident is about that client.
    Without an incident: all that fail. No client stands in it, so that whoever is told of an incident may have it.
    """
    product, channel = incident.get("product") or "", incident.get("channel") or ""
    found = set()
    for other in as_acted(store, store.incidents(t.incidents.c.state == IncidentState.FIRING)):
        if other.state is not IncidentState.FIRING or other.scope.client_id not in ("", incident.get("client_id")):
            continue
        for there, through in _places(other, itself=other.id == incident.get("id")):
            found |= {there} | ({through} if not product or there in ("", product) else set())
    return sorted(found - {"", product, channel})


def _places(incident: Incident, *, itself: bool) -> Iterator[tuple[str, str]]:
    if not itself:
        yield incident.scope.product, incident.scope.channel
    for symptom in incident.symptoms:
        yield symptom.product, symptom.channel
