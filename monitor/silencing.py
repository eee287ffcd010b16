"""Silences as people make them: refused where they would keep quiet too much, seen at once, kept with reason, author and end."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from hashlib import blake2s

from alerts import IncidentState
from alerts.rows import plain
from alerts.silences import MATCHERS, Silence, matches
from monitor import tables as t
from monitor.people import Conflict, Refused, Unknown, found_incident
from monitor.standing import Row, as_acted, rows
from monitor.store import Act, Store
from monitor.trail import repeated

LONGEST = timedelta(days=7)
"""What lasts longer needs to be forced."""
FARTHEST = timedelta(days=366)
"""None lasts longer, forced or not."""
SEVERITIES = ("minor", "major", "critical")


def add(
    store: Store,
    matchers: Mapping[str, str],
    who: str,
    reason: str,
    now: datetime,
    until: datetime,
    *,
    force: bool = False,
    request_key: str = "",
) -> Row:
    """Make one, from now on; its row (see `listed`). Refused in words; with `force` also what would keep quiet too much."""
    if not who.strip():
        raise Refused("falta quién lo hace")
    if not reason.strip():
        raise Refused("falta la razón del silencio")
    wanted = {name: value.strip() for name, value in sorted(matchers.items()) if value.strip()}
    if wrong := [name for name in wanted if name not in MATCHERS]:
        raise Refused(f"no se puede silenciar por «{wrong[0]}»; se puede por {', '.join(MATCHERS)}")
    if wanted.get("severity", "minor") not in SEVERITIES:
        raise Refused(f"no hay una severidad «{wanted['severity']}»; hay {', '.join(SEVERITIES)}")
    if "incident" in wanted:
        wanted["incident"] = found_incident(store, wanted["incident"]).id
    told = ", ".join(f"{name}={value}" for name, value in wanted.items()) or "todo"
    number = _id(now, told, who.strip())
    act = Act(
        wanted.get("incident", ""),
        now,
        who.strip(),
        "silence",
        f"{told} hasta {until.astimezone(UTC):%Y-%m-%dT%H:%MZ}: {reason.strip()}",
        about=number,
        request_key=request_key,
    )
    if earlier := repeated(store, act):
        return _one(store, earlier.about, now)
    if not now < until <= now + FARTHEST:
        raise Refused("el final del silencio ya pasó" if until <= now else "el silencio dura más de un año")
    if not force:
        _not_too_much(store, wanted, until - now)
    made = Silence(number, wanted, reason.strip(), who.strip(), now, now, until)
    return _one(store, store.act(act, also=[(t.silences, plain(made))])[0].about, now)


def _not_too_much(store: Store, wanted: Mapping[str, str], lasts: timedelta) -> None:
    force = "; si así lo quiere, fuércelo (--force)"
    if not wanted:
        raise Refused(f"sin decir qué, se silencia todo{force}")
    if lasts > LONGEST:
        raise Refused(f"dura más de 7 días{force}")
    open_ = _open(store)
    seen = [row for row in open_ if matches(wanted, row)]
    if "incident" in wanted:
        return
    if len(open_) > 1 and len(seen) == len(open_):
        raise Refused(f"silencia todas las afectaciones abiertas, que son {len(open_)}{force}")
    where = {name: wanted[name] for name in ("product", "channel") if name in wanted}
    places = rows(store, t.verdicts.select())
    there = [place for place in places if all(place[name] == value for name, value in where.items())]
    if "rule" not in wanted and len(there) > 1 and 2 * len(there) > len(places):
        raise Refused(f"silencia {len(there)} de los {len(places)} lugares que se vigilan{force}")
    if where and places and not there and not seen:
        raise Refused(f"no se vigila nada en {', '.join(f'{name}={value}' for name, value in where.items())}{force}")


def end(store: Store, number: str, who: str, now: datetime, *, request_key: str = "") -> Row:
    """End it now; its row. Unknown or, where it is over, Conflict."""
    if not who.strip():
        raise Refused("falta quién lo hace")
    found = _one(store, number, now)
    incident = found["matchers"].get("incident", "")
    act = Act(incident, now, who.strip(), "end_silence", number, about=number, request_key=request_key)
    if not repeated(store, act):
        if found["state"] == "over":
            raise Conflict(f"el silencio {number} ya terminó")
        kept = {name: found[name] for name in t.silences.c.keys()} | {"ended_by": who.strip(), "ended_at": now}  # noqa: SIM118 - not a dict
        store.act(act, also=[(t.silences, kept)])
    return _one(store, number, now)


def listed(store: Store, now: datetime, *, whole: bool = False) -> list[Row]:
    """Those in force, the first to end first; `whole`: all, the newest first.

    state: now or over; silences: the open incidents that it keeps quiet.
    """
    s = t.silences.c
    found = rows(
        store, t.silences.select().order_by(s.created_at.desc()) if whole else t.silences.select().order_by(s.until)
    )
    open_ = _open(store) if found else []
    told = [row | _standing(row, open_, now) for row in found]
    return [row for row in told if whole or row["state"] == "now"]


def _standing(row: Row, open_: list[Row], now: datetime) -> Row:
    over = row["ended_at"] is not None or row["until"] <= now
    quiet = [] if over else [incident["id"] for incident in open_ if matches(row["matchers"], incident)]
    return {"state": "over" if over else "now", "silences": quiet}


def _open(store: Store) -> list[Row]:
    firing = as_acted(store, store.incidents(t.incidents.c.state == IncidentState.FIRING))
    return [plain(incident) for incident in firing if incident.state is IncidentState.FIRING]


def _one(store: Store, number: str, now: datetime) -> Row:
    found = rows(store, t.silences.select().where(t.silences.c.id == number))
    if not found:
        raise Unknown(f"no hay un silencio «{number}»")
    return found[0] | _standing(found[0], _open(store), now)


def _id(now: datetime, *told: str) -> str:
    digest = blake2s("\x1f".join(told).encode(), digest_size=2).hexdigest()
    return f"SI-{now.astimezone(UTC):%Y%m%d%H%M%S}-{digest}"
