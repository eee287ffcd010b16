"""What was seen failing together: whether the declared links hold, and which others the past suggests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import combinations

from alerts import Incident
from alerts.alike import ONSET
from alerts.rests import Rest, Rests, thing

TIMES = 3
"""Fewer coincidences suggest nothing."""
CHANCE = 0.01
"""Of all pairs, chance of suggesting one that only happens to fail together."""
MINUTE = timedelta(minutes=1)
Starts = Sequence[datetime]


@dataclass(frozen=True, slots=True)
class Seen:
    """A declared link, and how often both began to fail within ONSET of each other, and how often one without the other."""

    link: Rest
    together: int
    alone: int
    on_alone: int


@dataclass(frozen=True, slots=True)
class Suggested:
    """Two things that began to fail together so often, of so many times each; chance: that as many coincide by accident."""

    one: str
    other: str
    together: int
    of_one: int
    of_other: int
    chance: float


@dataclass(frozen=True, slots=True)
class Together:
    """What a stretch of time showed."""

    declared: tuple[Seen, ...]
    suggested: tuple[Suggested, ...]


def together(rests: Rests, incidents: Iterable[Incident], start: datetime, end: datetime) -> Together:
    """What began to fail between two times, merged incidents counted too: in them stands what is a symptom now."""
    failed = _failed(incidents)
    declared = []
    for link in sorted(rests.links):
        above, beneath = failed.get(link.name, ()), failed.get(link.on, ())
        both = _near(above, beneath)
        declared.append(Seen(link, both, len(above) - both, len(beneath) - _near(beneath, above)))
    return Together(tuple(declared), tuple(_suggested(rests, failed, max((end - start) / MINUTE, 1.0))))


def _failed(incidents: Iterable[Incident]) -> Mapping[str, Starts]:
    """By thing, when it began to fail: what began within ONSET of itself is told once."""
    told: dict[str, list[datetime]] = {}
    for incident in incidents:
        for scope in (incident.scope, *incident.symptoms):
            if thing(scope) and not scope.client_id:
                told.setdefault(thing(scope), []).append(incident.started_at)
    found: dict[str, list[datetime]] = {}
    for name, starts in told.items():
        kept = found.setdefault(name, [])
        for start in sorted(starts):
            if not kept or start - kept[-1] > ONSET:
                kept.append(start)
    return found


def _near(those: Starts, others: Starts) -> int:
    return sum(any(abs(one - other) <= ONSET for other in others) for one in those)


def _suggested(rests: Rests, failed: Mapping[str, Starts], minutes: float) -> list[Suggested]:
    """Pairs beyond chance, the surest first.

    Were the rarer one's failures thrown on the time at random, each would meet the other by the share of the time that lies within
    ONSET of it; so many of them would with the binomial's tail.
    """
    from scipy.special import bdtrc  # noqa: PLC0415 - costs a third of a second, and is seldom asked

    pairs = list(combinations(sorted(failed), 2))
    found = []
    for one, other in pairs:
        few, many = sorted((failed[one], failed[other]), key=len)
        both = _near(few, many)
        explained = rests.tied(one, other) or rests.on.get(one, frozenset()) & rests.on.get(other, frozenset())
        if both < TIMES or explained:
            continue
        share = min(len(many) * (2 * ONSET + MINUTE) / MINUTE / minutes, 1.0)
        chance = float(bdtrc(both - 1, len(few), share))
        if chance * len(pairs) < CHANCE:
            found.append(Suggested(one, other, both, len(failed[one]), len(failed[other]), chance))
    return sorted(found, key=lambda pair: (pair.chance, pair.one, pair.other))
