"""How sure it is that a client's own case is about an incident: 0 to 1, in terms that add up.

What the tools share is the NIT alone, so a tie is a guess from what the case says. No guess is certain: the terms make 0.95 at
most, and 1 is a person's word.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection
from datetime import datetime, timedelta

from alerts import Incident, TheirCase
from rules import Way

DOUBTFUL = 0.6
"""Below it a person should confirm the tie."""
SURE = 1.0
"""Of a tie that a person has made or confirmed."""

DECLARED, GUESSED = 0.35, 0.20
"""The tool's form of the NIT is declared; or it is guessed, and one in ten ordinary ids passes for a NIT with its check digit."""
NAMES_IT, NAMES_NONE = 0.25, 0.10
"""The case names a product that is hit; or none. Another product says nothing for it."""
SAME_CHANNEL, NO_CHANNEL = 0.10, 0.05
"""It names the incident's channel; or one of the two names none."""
UNDER_WAY = 0.15
"""Reported while it was under way; half of it an hour before or after, a third at two hours."""
SPEAKS = 0.10
"""Its subject or typology speaks of what the incident does."""

_STEMS: dict[Way, tuple[str, ...]] = {
    "failed": ("fall", "error", "no funciona", "caid", "no deja", "no permite"),
    "rejected": ("rechaz", "negad", "declinad"),
    "reversed": ("revers", "devuel"),
    "duplicated": ("doble", "duplicad", "dos veces"),
    "pending": ("pendiente", "proceso", "no aplica", "demor"),
    "missing": ("no llega", "no han llegado", "no se ve", "falta"),
    "slow": ("lent", "demor", "tard"),
}
_HOUR = timedelta(hours=1)


def confidence(case: TheirCase, incident: Incident, products: Collection[str], *, declared: bool) -> float:
    """Of the case's tie to the incident, which hits the client on these products. declared: the source says how it writes NITs."""
    hit = {*products, incident.scope.product} - {""}
    channels = {case.channel, incident.scope.channel}
    return round(
        (DECLARED if declared else GUESSED)
        + (NAMES_NONE if not case.product or not hit else NAMES_IT if case.product in hit else 0.0)
        + (NO_CHANNEL if "" in channels else SAME_CHANNEL if len(channels) == 1 else 0.0)
        + UNDER_WAY / (1 + _away(case.reported_at, incident) / _HOUR)
        + (SPEAKS if _speaks(case, incident) else 0.0),
        2,
    )


def _away(time: datetime, incident: Incident) -> timedelta:
    """How long before its first bad minute, or after its last."""
    over = incident.ended_at if incident.resolved_at else None
    return max(incident.started_at - time, time - (over or time), timedelta(0))


def _speaks(case: TheirCase, incident: Incident) -> bool:
    told = unicodedata.normalize("NFKD", f"{case.subject} {case.typology}".casefold())
    words = "".join(sign for sign in told if not unicodedata.combining(sign))
    return any(stem in words for way in incident.ways for stem in _STEMS.get(way, ()))
