"""Maintenance that people declare while Vigía runs: once or by a cron line, beside what the configuration declares.

It begins now at the earliest: what was judged stays judged. The judging thread takes it in with its act, at its next step.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from hashlib import blake2s
from typing import Any

from monitor import tables as t
from monitor.maintenance import LONGEST as LONGEST_TIME
from monitor.maintenance import Declared, Maintenance, Recurring, cron_trigger
from monitor.people import Conflict, Refused, Unknown
from monitor.standing import Row, rows
from monitor.store import Act, Store
from monitor.trail import repeated

WORKS = ("maintenance", "end_maintenance")
"""The acts that change what is declared."""
LONGEST = timedelta(days=7)
"""What lasts longer needs to be forced."""
FARTHEST = timedelta(days=3653)
"""Nothing is declared for later than this."""
LONGEST_RECURRING = timedelta(days=1)
AHEAD = timedelta(days=366)
"""How far ahead the next time of a cron line is looked for."""
_MINUTE, _DAY = timedelta(minutes=1), 1440


def declared(store: Store, zone: str) -> tuple[Declared, ...]:
    """All that people have declared, over or not: history is learned without it."""
    found = (_declared(row, zone) for row in rows(store, t.works.select().order_by(t.works.c.id)))
    return tuple(one for one in found if one)


def _declared(row: Row, zone: str) -> Declared | None:
    """None where it was ended before it began."""
    until = min((time for time in (row["until"], row["ended_at"]) if time), default=None)
    start, where = row["starts_at"] or row["created_at"], (row["product"], row["channel"])
    if until and until <= start:
        return None
    if row["cron"]:
        return Recurring(row["cron"], timedelta(minutes=row["minutes"]), zone, *where, start, until)
    return Maintenance(start, until, *where) if until else None


def add(
    store: Store,
    who: str,
    reason: str,
    now: datetime,
    zone: str,
    *,
    product: str = "",
    channel: str = "",
    start: datetime | None = None,
    until: datetime | None = None,
    cron: str = "",
    lasts: timedelta | None = None,
    force: bool = False,
    request_key: str = "",
) -> str:
    """Declare it; its id. Refused in words; with `force` also what is very long or wide."""
    if not who.strip():
        raise Refused("falta quién lo hace")
    if not reason.strip():
        raise Refused("falta la razón del mantenimiento")
    begins = max(start or now, now)
    number = _id(now, product, channel, cron, who.strip())
    where = " · ".join(filter(None, (product, channel))) or "todo"
    times = (
        f"{cron} por {int((lasts or _MINUTE) / _MINUTE)} min"
        if cron
        else f"{start.isoformat() if start else ''} a {until.isoformat() if until else ''}"
    )
    act = Act(
        "",
        now,
        who.strip(),
        "maintenance",
        f"{where}, {times}: {reason.strip()}",
        about=number,
        request_key=request_key,
    )
    if earlier := repeated(store, act):
        return earlier.about
    _sensible(cron, lasts, begins, until, now, zone)
    if not force:
        _not_too_much(product, channel, lasts, begins, until)
        _watched(store, product, channel)
    row = {
        "id": number, "product": product, "channel": channel, "cron": cron, "reason": reason.strip(), "author": who.strip(),
        "created_at": now, "starts_at": begins, "until": until, "minutes": int(lasts / _MINUTE) if lasts else None,
        "ended_by": "", "ended_at": None,
    }  # fmt: skip
    return store.act(act, also=[(t.works, row)])[0].about


def _sensible(
    cron: str, lasts: timedelta | None, begins: datetime, until: datetime | None, now: datetime, zone: str
) -> None:
    if begins > now + FARTHEST or (until and until > now + FARTHEST):
        raise Refused("queda a más de diez años")
    if until and until <= begins:
        raise Refused("el final debe ser posterior al comienzo, y no haber pasado ya")
    if not cron:
        if lasts:
            raise Refused("la duración va con una línea cron; sin ella, diga desde cuándo y hasta cuándo")
        if not until:
            raise Refused("falta hasta cuándo")
        return
    if not lasts or not _MINUTE <= lasts <= LONGEST_TIME:
        raise Refused("falta cuánto dura cada vez, de un minuto a 31 días")
    try:
        cron_trigger(cron, zone)
    except ValueError:
        raise Refused(
            f"«{cron}» no es una línea cron de cinco campos que llegue alguna vez, con el día por su nombre, como «0 2 * * SUN»"
        ) from None


def _not_too_much(
    product: str, channel: str, lasts: timedelta | None, begins: datetime, until: datetime | None
) -> None:
    if not product and not channel:
        raise Refused("sin producto ni canal, todo el banco queda en mantenimiento: nombre uno, o fuércelo (--force)")
    if lasts and lasts > LONGEST_RECURRING:
        raise Refused("cada vez dura más de un día: fuércelo (--force) si así es")
    if not lasts and until and until - begins > LONGEST:
        raise Refused("dura más de 7 días: fuércelo (--force) si así es")


def _watched(store: Store, product: str, channel: str) -> None:
    """Refused where nothing is watched there, as with a silence: a slip in a name would keep nothing quiet."""
    where = {name: value for name, value in (("product", product), ("channel", channel)) if value}
    places = rows(store, t.verdicts.select())
    if places and not any(all(place[name] == value for name, value in where.items()) for place in places):
        named = ", ".join(f"{name}={value}" for name, value in where.items())
        raise Refused(f"no se vigila nada en {named}: fuércelo (--force) si así es")


def end(store: Store, number: str, who: str, now: datetime, *, request_key: str = "") -> str:
    """End it now, or before it begins; its id. Unknown or, where it is over, Conflict."""
    if not who.strip():
        raise Refused("falta quién lo hace")
    found = rows(store, t.works.select().where(t.works.c.id == number))
    if not found:
        raise Unknown(f"no hay un mantenimiento «{number}» declarado aquí; los de la configuración se cambian en ella")
    act = Act("", now, who.strip(), "end_maintenance", number, about=number, request_key=request_key)
    if not repeated(store, act):
        if found[0]["ended_at"] or (found[0]["until"] and found[0]["until"] <= now):
            raise Conflict(f"el mantenimiento {number} ya terminó")
        store.act(act, also=[(t.works, found[0] | {"ended_by": who.strip(), "ended_at": now})])
    return number


def listed(store: Store, written: tuple[Declared, ...], now: datetime, zone: str, *, whole: bool = False) -> list[Row]:
    """What is declared and not over, the configuration's first; `whole`: what is over as well.

    state: now, to_come or over; next_from, next_until: the time that runs or comes next.
    """
    told = [
        {
            "id": "", "product": one.product, "channel": one.channel, "cron": one.cron if isinstance(one, Recurring) else "",
            "minutes": int(one.lasts / _MINUTE) if isinstance(one, Recurring) else None, "reason": "", "author": "configuración",
            "created_at": None, "starts_at": one.since if isinstance(one, Recurring) else one.start, "until": one.until,
            "ended_by": "", "ended_at": None,
        } | _next(one, now)
        for one in written
    ]  # fmt: skip
    told += [row | _next(_declared(row, zone), now) for row in rows(store, t.works.select().order_by(t.works.c.id))]
    return [row for row in told if whole or row["state"] != "over"]


def _next(one: Declared | None, now: datetime) -> dict[str, Any]:
    over = {"state": "over", "next_from": None, "next_until": None}
    if one is None or (one.until and one.until <= now):
        return over
    first = int(now.timestamp() // 60)
    for day in range(AHEAD.days):
        for time in one.within(first + day * _DAY, first + (day + 1) * _DAY):
            if time.until > now:
                state = "now" if time.start <= now else "to_come"
                return {"state": state, "next_from": time.start, "next_until": time.until}
    return over


def _id(now: datetime, *told: str) -> str:
    digest = blake2s("\x1f".join(told).encode(), digest_size=2).hexdigest()
    return f"MT-{now.astimezone(UTC):%Y%m%d%H%M%S}-{digest}"
