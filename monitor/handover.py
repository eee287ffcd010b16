"""The hand-over of a shift (entrega de turno): what is open and owed, what ended, what was written down; as facts, as a text, signed."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from hashlib import blake2s
from typing import Any

from alerts import Touch
from alerts.promises import Promises
from alerts.rows import plain
from monitor import people, silencing, works
from monitor import spanish as es
from monitor import tables as t
from monitor.columns import different
from monitor.counts import counts
from monitor.dark import dark
from monitor.guides import meant
from monitor.kept_clocks import urgent_now
from monitor.long_lists import to_approve
from monitor.maintenance import Declared
from monitor.people import Refused
from monitor.seeing import partial
from monitor.standing import Row, as_worked, only, rows, stirred, tuples
from monitor.store import Act, Store
from monitor.trail import HEAD, repeated
from rules import Severity

SHIFT = timedelta(hours=8)
SOON = timedelta(hours=1)
"""A silence or a maintenance that ends within this is named as such."""
COMING = timedelta(hours=12)
"""Maintenance that begins within this concerns the next shift."""
LATE = 200
"""Cases at risk or late that are named, the first due first; the others are counted."""
SLOW = timedelta(minutes=1)
"""A message that was not delivered within this is owed, and sooner where a delivery has failed."""


def handover(
    store: Store,
    promises: Promises,
    written: tuple[Declared, ...],
    zone: str,
    now: datetime,
    since: datetime,
    own_guides: str = "",
    down: Collection[str] = (),
) -> Row:
    """All that the next shift must know. written: the maintenance of the configuration; own_guides: the folder of the bank's guides.

    down: the sources of which the process that polls them knows that they do not answer.
    open: by priority, each with what is owed (unacknowledged, unassigned, unapproved: cases, uninformed: clients); late: cases at risk or
    late, the first LATE of `late_in_all`; undelivered: by desk or receiver; sources: those that do not answer; signed: the last hand-over
    that was signed, or None.
    """
    if since >= now:
        raise Refused("el turno debe haber comenzado antes de ahora")
    firing = sorted(people.incidents(store, now, state="open"), key=_worst_first)
    owed = _uninformed(store, [row["id"] for row in firing])
    waiting = to_approve(store, [row["id"] for row in firing])
    ended = people.incidents(store, now, state="resolved", since=since)
    a = t.acts.c
    noted = (a.at >= since) & (a.action == "note")
    about = {one.id: plain(one) for one in store.incidents(t.incidents.c.id.in_(only(t.acts, "incident_id", noted)))}
    notes = rows(store, t.acts.select().where(noted).order_by(a.id))
    planned = works.listed(store, written, now, zone)
    judged = store.marks().get("judged_until")
    # Who sees some clients is told how many lines of others there are: then all of them are read.
    late, many_late = urgent_now(store, promises, now, None if partial() else LATE)
    last = rows(store, t.handovers.select().order_by(t.handovers.c.at.desc()).limit(1))
    return {
        "since": since,
        "until": now,
        "open": [
            meant(row, own_guides)
            | {"owed": _owed(row, owed[row["id"]], waiting[row["id"]])}
            | {"uninformed": owed[row["id"]], "to_approve": waiting[row["id"]]}
            for row in firing
        ],
        "late": late,
        "late_in_all": many_late,
        "silences": [row | {"ends_soon": row["until"] - now <= SOON} for row in silencing.listed(store, now)],
        "maintenance": [
            row | {"ends_soon": row["state"] == "now" and row["next_until"] - now <= SOON}
            for row in planned
            if row["next_from"] <= now + COMING
        ],
        "sources": dark(store, down),
        "judged_until": datetime.fromtimestamp(int(judged) * 60, UTC) if judged else None,
        "undelivered": _undelivered(store, now),
        "ended": [meant(row, own_guides) for row in ended],
        "notes": [note | {"where": es.place(about.get(note["incident_id"], {}))} for note in notes],
        "signed": {name: last[0][name] for name in ("id", "at", "author", "to")} if last else None,
    }


def _worst_first(row: Row) -> tuple[int, int, datetime]:
    return (-Severity(row["severity"]).rank, -row["priority"], row["started_at"])


def _uninformed(store: Store, ids: list[str]) -> dict[str, int]:
    """By incident: affected clients of whom nobody has said that they were told."""
    i, d, fresh = t.impacts.c, t.decisions.c, stirred(store)
    hit = i.touch == Touch.AFFECTED
    nobody = {row["incident_id"] for row in rows(store, only(t.impacts, "incident_id", hit, i.client_id == ""))}
    found = {key: row["affected"] - (key in nobody) for key, row in counts(store, ids).items()}
    here = [d.incident_id.in_(ids), d.client_id != ""]
    worked = as_worked(store, store.decisions(*here, fresh)) if fresh is not None else []
    told = [*here, d.informed_at.is_not(None), *([~fresh] if fresh is not None else [])]
    both = t.decisions.join(t.impacts, (i.incident_id == d.incident_id) & (i.client_id == d.client_id) & hit)
    count = both.select().with_only_columns(d.incident_id, different(d.client_id)).group_by(d.incident_id)
    keys = [one.key for one in worked if one.informed_at]
    for some in (told, [d.key.in_(keys)]):
        for incident_id, many in tuples(store, count.where(*some)):
            found[incident_id] -= many
    return found


def _owed(row: Row, uninformed: int, waiting: int) -> list[str]:
    owed = {
        "unacknowledged": not row["acknowledged_by"],
        "unassigned": not row["assigned_to"],
        "unapproved": waiting > 0,
        "uninformed": uninformed > 0,
    }
    return [name for name, is_owed in owed.items() if is_owed]


def _undelivered(store: Store, now: datetime) -> list[Row]:
    """By desk or receiver: what waits for longer than it should or has failed before, and what was given up."""
    o = t.outbox.c
    columns = (o.desk, o.state, o.created_at, o.error)
    late = o.state.in_(("due", "sending")) & ((o.created_at <= now - SLOW) | (o.error != ""))
    found: dict[tuple[str, str], Row] = {}
    query = t.outbox.select().with_only_columns(*columns).where(late | (o.state == "dead")).order_by(o.id)
    for row in rows(store, query):
        state = "dead" if row["state"] == "dead" else "due"
        one = found.setdefault(
            (row["desk"], state),
            {"desk": row["desk"], "state": state, "messages": 0, "since": row["created_at"], "error": ""},
        )
        one["messages"] += 1
        one["error"] = row["error"] or one["error"]  # those behind one that failed have none of their own
    return list(found.values())


OWED = {"unacknowledged": "nadie la atiende", "unassigned": "sin asignar"}


def as_text(row: Mapping[str, Any], zone: tzinfo | None) -> str:
    """The hand-over as a plain text, to be pasted into a mail. It says how many lines of other clients' a veil has taken out."""

    def time(value: datetime | None) -> str:
        return es.moment(value, zone)[:16]

    cut = LATE == len(row["late"]) < row["late_in_all"]
    first_of = f", los primeros de {es.number(row['late_in_all'])}" if cut else ""
    parts: list[tuple[str, list[str]]] = [
        ("Abiertas", [_open_line(one, time) for one in row["open"]]),
        (f"Casos en riesgo o vencidos{first_of}", [
            f"{one['case_id']} · {one['client'] or es.nit(one['client_id'])} · {es.name(one['product'])}: "
            f"{es.CLOCKS[one['clock']].lower()}, vence {time(one['due_at'])}" for one in row["late"]
        ]),
        ("Silencios", [
            f"{one['id']} · {_matchers(one)} hasta {time(one['until'])}{' (pronto)' * one['ends_soon']}: {one['reason']} ({one['author']})"
            for one in row["silences"]
        ]),
        ("Mantenimientos", [
            f"{es.place(one)} de {time(one['next_from'])} a {time(one['next_until'])}{' (termina pronto)' * one['ends_soon']}"
            f": {one['reason'] or 'declarado en la configuración'}" for one in row["maintenance"]
        ]),
        ("Fuentes que no responden", [one["source"] + (f" desde {time(one['since'])}" if one["since"] else "") for one in row["sources"]]),
        ("Mensajes sin entregar", [
            f"{one['desk']}: {es.count(one['messages'], 'mensaje')} "
            f"{'que no se pudieron enviar' if one['state'] == 'dead' else 'en espera'} desde {time(one['since'])}"
            + (f" ({one['error']})" if one["error"] else "") for one in row["undelivered"]
        ]),
        ("Terminaron en el turno", [
            f"{one['id']} · {es.place(one)} · {es.kind(one)}: {_span(one, time)}, "
            f"{es.count(one['affected'], 'cliente afectado', 'clientes afectados')}; {_how(one)}" for one in row["ended"]
        ]),
        ("Notas", [f"{time(one['at'])} · {one['who']} · {one['where']} ({one['incident_id']}): {one['text']}" for one in row["notes"]]),
    ]  # fmt: skip
    lines = [
        f"ENTREGA DE TURNO · {time(row['since'])} a {time(row['until'])}",
        f"Juzgado hasta {time(row['judged_until'])}",
    ]
    hidden = sum(getattr(told, "whole", len(told)) - len(told) for told in row.values() if isinstance(told, list))
    lines += [f"Sin {es.count(hidden, 'renglón', 'renglones')} de clientes que quien la pide no ve"] if hidden else []
    for title, told in parts:
        lines += ["", f"{title} ({len(told)})" if told else f"{title}: no hay", *(f"- {line}" for line in told)]
    return "\n".join(lines) + "\n"


def _span(row: Row, time: Any) -> str:
    begun = time(row["started_at"])
    return f"desde {begun}" if row["still_failing"] else f"{begun} a {time(row['ended_at'] or row['resolved_at'])}"


def _how(row: Row) -> str:
    if row["still_failing"]:
        return f"la cerró {row['resolved_by']} y sus reglas siguen en alerta"
    return f"la cerró {row['resolved_by']}" if row["resolved_by"] else "se normalizó"


def _open_line(row: Row, time: Any) -> str:
    owed = [OWED[name] for name in row["owed"] if name in OWED]
    owed += [es.count(row["to_approve"], "caso por aprobar", "casos por aprobar")] if row["to_approve"] else []
    owed += [es.count(row["uninformed"], "cliente sin informar", "clientes sin informar")] if row["uninformed"] else []
    has = [f"la atiende {row['acknowledged_by']}"] if row["acknowledged_by"] else []
    has += [f"asignada a {row['assigned_to']}"] if row["assigned_to"] else []
    has += [f"silenciada hasta {time(row['silenced_until'])}"] if row["silenced_until"] else []
    many = es.count(row["affected"], "cliente afectado", "clientes afectados")
    told = "; ".join(
        [
            f"{es.SEVERITIES[row['severity']]}, prioridad {row['priority']}, desde {time(row['started_at'])}, {many}",
            *has,
            *owed,
        ]
    )
    return f"{row['id']} · {es.place(row)} · {es.kind(row)}: {told}"


def _matchers(row: Row) -> str:
    return ", ".join(f"{name}={value}" for name, value in row["matchers"].items()) or "todo"


def sign(
    store: Store,
    row: Row,
    zone: tzinfo | None,
    who: str,
    now: datetime,
    *,
    to: str = "",
    text: str = "",
    request_key: str = "",
) -> Row:
    """Keep a hand-over as it stands, signed: id, at, since, author, to, text (the author's own) and told (what stood then)."""
    if not who.strip():
        raise Refused("falta quién entrega el turno")
    digest = blake2s(who.strip().encode(), digest_size=2).hexdigest()
    number = f"ET-{now.astimezone(UTC):%Y%m%d%H%M%S}-{digest}"
    words = f"{f'para {to.strip()}: ' if to.strip() else ''}{text.strip()}"
    act = Act("", now, who.strip(), "handover", words, about=number, request_key=request_key)
    if not (earlier := repeated(store, act)):
        head = store.marks().get(HEAD, "")
        told = as_text(row, zone) + (f"\nSello de la bitácora: {head}\n" if head else "")
        made = {
            "id": number, "at": now, "since": row["since"], "author": who.strip(), "to": to.strip(), "text": text.strip(), "told": told,
        }  # fmt: skip
        (earlier,) = store.act(act, also=[(t.handovers, made)])
    return rows(store, t.handovers.select().where(t.handovers.c.id == earlier.about))[0]


def signed(store: Store, limit: int = 20) -> list[Row]:
    """The hand-overs that were signed, the newest first."""
    return rows(store, t.handovers.select().order_by(t.handovers.c.at.desc()).limit(limit))
