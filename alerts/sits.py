"""Where the cause of an incident with symptoms sits: measured on what it is itself, not on what rests on it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import reduce

import numpy as np

from alerts import Incident
from alerts.ground import Bools, sums
from alerts.impact import Struck
from alerts.rests import thing, things
from alerts.seat import ALSO, Seat, seated
from rules import Scope


@dataclass(frozen=True, slots=True)
class Place:
    """Whose rows: a scope's; `own`: only those that name no product, the channel's own."""

    scope: Scope
    own: bool = False


def places(incident: Incident) -> tuple[Place, ...]:
    """Whose rows it is measured on: its reach and, where it has symptoms, those too, and what they must be told apart from.

    That is the product's other channels, and the other products of a channel that cause and symptoms have in common.
    """
    reach = incident.reach
    if not incident.symptoms:
        return (Place(reach),)
    cause = [Scope(reach.product)] if reach.product else [reach] if reach.channel or not reach.series else []
    shown = [Place(Scope(s.product, s.channel), own=not s.product) for s in incident.symptoms if s.product or s.channel]
    shared = reduce(Scope.widened, (reach, *incident.symptoms))
    wide = [Place(scope) for scope in [*cause, *([shared] if shared.channel else [])]]
    return tuple(dict.fromkeys([*wide, *shown]))


def sits(incident: Incident, found: Struck) -> tuple[Seat | None, bool]:
    """Where it sits, None where there is too little to say; and whether that is the channel itself, and no symptom is one."""
    if not incident.symptoms:
        return seated(replace(incident, scope=incident.reach), found), False
    about = Scope(incident.reach.product) if incident.reach.product else incident.reach
    cause = seated(replace(incident, scope=about), _own(incident, found))
    whole = seated(replace(incident, scope=reduce(Scope.widened, (incident.reach, *incident.symptoms))), found)
    itself = bool(cause and whole and _itself(incident, found, cause.scope, whole.scope))
    return (whole, True) if itself else (cause, False)


def _own(incident: Incident, found: Struck) -> Struck:
    """What was found, less what is of symptoms or of something else."""
    listed, above, about = found.ground.listed, things(incident.symptoms), thing(incident.reach)
    streams = [thing(Scope(*stream)) for stream in listed.streams[0]]
    kept = np.array([name == about if incident.reach.product else name not in above for name in streams], bool)
    mine = kept[listed.streams[1]]
    return replace(
        found,
        q=found.q * mine[found.ground.rows.unit[found.bad]],
        hits=found.hits * mine,
        expected=found.expected * mine,
        due=found.due * mine,
        came=found.came * mine,
    )


def _itself(incident: Incident, found: Struck, cause: Scope, whole: Scope) -> bool:
    """Whether a channel fails by itself: all in it does, and what it rests on is healthy elsewhere."""
    channel = whole.channel
    if whole.product or not channel or cause.channel != channel or not cause.product:
        return False
    names, stream_of = found.ground.listed.streams
    rows = found.ground.rows
    volume = sums(stream_of[rows.unit], rows.n, len(names))
    excess = sums(stream_of[rows.unit[found.bad]], rows.many[found.bad] * found.q, len(names))

    def those(wanted: list[bool]) -> Bools:
        return np.array(wanted, bool)

    here = those([name == (cause.product, channel) for name in names])
    elsewhere = those([product == cause.product and there != channel for product, there in names])
    above = {"", cause.product, *things(incident.symptoms)}
    beside = those([there == channel and product not in above for product, there in names])
    if not volume[elsewhere].sum():
        return False
    rate = excess[here].sum() / max(volume[here].sum(), 1)
    others = volume[beside].sum()
    return not others or bool(excess[beside].sum() >= ALSO * rate * others)
