"""Where else something fails now, and what the bank does not have: what a guide would send clients to there is not offered."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from alerts import Incident, IncidentState
from monitor import tables as t
from monitor.standing import as_acted, rows, shut, still_failing
from monitor.store import Store

NOTHING: Mapping[str, Any] = {}
_SEEN: tuple[Any, ...] = (t.verdicts, t.holdings)
"""Where every product and channel stands that was ever seen, the shorter first."""


def failing(store: Store, incident: Mapping[str, Any] = NOTHING) -> list[str]:
    """The products and channels beside this incident's (a row) own that fail now, by incidents and what shows of them elsewhere.

    What was closed by hand fails for as long as its rules are in alert.

    A channel counts where the incident's product fails on it: all of the product's, where it fails as a whole. What is one client's
    alone counts where the incident is about that client. Without an incident: all that fail. No client stands in it, so that whoever is
    told of an incident may have it.
    """
    product, channel = incident.get("product") or "", incident.get("channel") or ""
    found = set()
    whole = bool("id" in incident and product and not channel)
    others = as_acted(store, store.incidents((t.incidents.c.state == IncidentState.FIRING) | shut()))
    still = still_failing(store, others)
    for other in others:
        if (other.state is not IncidentState.FIRING and other.id not in still) or other.scope.client_id not in (
            "",
            incident.get("client_id"),
        ):
            continue
        for there, through in _places(other, itself=other.id == incident.get("id")):
            whole |= bool(product) and (there, through) == (product, "")
            found |= {there} | ({through} if not product or there in ("", product) else set())
    if whole:
        found |= {row["channel"] for table in _SEEN for row in rows(store, _of(table, "channel", product=[product]))}
    return sorted(found - {"", product, channel})


def nowhere(store: Store, places: Collection[str]) -> list[str]:
    """Those of these products and channels of which nothing was ever seen; none where nothing was seen at all."""
    left = set(places)
    for table in _SEEN:
        for key in ("product", "channel"):
            if left:
                left -= {row[key] for row in rows(store, _of(table, key, **{key: sorted(left)}))}
    return sorted(left) if any(rows(store, table.select().limit(1)) for table in _SEEN) else []


def _of(table: Any, key: str, **where: Collection[str]) -> Any:
    """Each value of a column once, of the rows with these values."""
    query = table.select().with_only_columns(table.c[key]).distinct()
    return query.where(*(table.c[name].in_(values) for name, values in where.items()))


def _places(incident: Incident, *, itself: bool) -> Iterator[tuple[str, str]]:
    if not itself:
        yield incident.scope.product, incident.scope.channel
    for symptom in incident.symptoms:
        yield symptom.product, symptom.channel
