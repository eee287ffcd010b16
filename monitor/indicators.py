"""The month's indicators: what the state can tell, each with what it was counted from; None where it cannot be known, never a guess."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from statistics import fmean

from alerts.losses import Losses
from alerts.promises import ClockState, Promises, ended
from monitor import tables as t
from monitor.kinds import YEARS
from monitor.leading import leads
from monitor.sla import Standing, stood
from monitor.standing import Row, rows
from monitor.store import Store

FORMULAS = {
    "ans": "casos resueltos a tiempo / casos resueltos de los que algo se prometió",
    "recurrence": "casos de un cliente que ya tenía otro suyo del mismo producto dentro del plazo / casos de clientes abiertos",
    "resolution": "suma de los tiempos de resolución, de extremo a extremo / casos resueltos, de soporte e incidente",
    "first_instance": "casos resueltos en N1, sin devolución / casos resueltos cuyo nivel dice la herramienta",
    "rework": "casos devueltos o reabiertos / casos resueltos",
    "backlog": "historias planeadas que estaban hechas al terminar el sprint / historias planeadas, de los sprints que terminaron;"
    " planeada: estaba en el sprint al cerrar su planeación, aunque después haya salido; lo que entró después no cuenta",
    "opportunity": "casos dentro de la política / casos; no hay una política configurada, y no se supone",
    "preventive": "casos que abrió Vigía / casos abiertos en todas las herramientas",
    "reached_first": "afectados que reportaron y a quienes antes se les abrió el caso o se les informó / afectados que reportaron",
    "lead": "mediana de (reporte del cliente - nuestro caso o el aviso); negativa si el cliente fue primero"
    ", también de quien llamó hasta 2 h antes de la detección, antes de su falla",
    "losses": "compensación esperada de los clientes alcanzados primero x probabilidad de que reclamen ([losses])",
}
KINDS = ("soporte", "incidente")


def month_of(time: datetime, month: str = "") -> tuple[datetime, datetime]:
    """[since, until) of a month (2026-03), or of that of `time`; in its zone, never beyond it. ValueError: there is none such."""
    first = datetime.strptime(month, "%Y-%m").replace(tzinfo=time.tzinfo) if month else time
    since = first.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    if since > time or since.year not in YEARS:
        raise ValueError(f"{month} has not begun, or nobody knows it any more")
    return since, min((since + timedelta(days=32)).replace(day=1), time)


def indicators(
    store: Store, promises: Promises, losses: Losses, recurrence: timedelta, since: datetime, until: datetime
) -> Row:
    """Of the cases opened, or solved, and the incidents detected in [since, until). recurrence: within how long a case is a repetition."""
    cases = list(stood(store, promises, until, since - recurrence))
    opened = [one for one in cases if since <= one.case.opened_at < until]
    solved = [one for one in cases if (end := ended(one.case)) and since <= end < until]
    named = {row["name"]: row for row in leads(store, losses, since=since, until=until)["figures"]}
    avoided = leads(store, losses, since=since, until=until)["losses"]
    lead, reached = named["lead"], named["reached_first"]
    found = [
        _share(
            "ans", [o for o in solved if o.clock], lambda o: o.clock is not None and o.clock.state is ClockState.MET
        ),
        _share("recurrence", [o for o in opened if o.case.client_id and not _ours(o)], _again(cases, recurrence)),
        _mean("resolution", [o.end_to_end(until) for o in solved if o.case.kind.strip().lower() in KINDS]),
        _share(
            "first_instance",
            [o for o in solved if o.case.level],
            lambda o: o.case.level.upper() == "N1" and not o.case.returns,
        ),
        _share("rework", solved, lambda o: bool(o.case.returns or o.case.reopened)),
        _backlog(store, since, until),
        _row("opportunity", "share", None, None, None),
        _share("preventive", opened, _ours),
        _row("reached_first", "share", reached["value"], reached["many"], reached["of"]),
        _row("lead", "seconds", lead["value"], None, lead["of"]),
        _row("losses", "money", avoided["value"], None, avoided["clients"]),
    ]
    return {"since": since, "until": until, "indicators": found}


def _backlog(store: Store, since: datetime, until: datetime) -> Row:
    """Of the stories planned in sprints that ended in (since, until]: a sprint ends at the midnight after its last day."""
    s = t.stories.c
    ended_then = (s.sprint_end > since) & (s.sprint_end <= until) & s.planned_at.is_not(None)
    found = rows(store, t.stories.select().with_only_columns(s.done_at, s.sprint_end).where(ended_then))
    done = sum(one["done_at"] is not None and one["done_at"] <= one["sprint_end"] for one in found)
    return _row("backlog", "share", done / len(found) if found else None, done if found else None, len(found) or None)


def _ours(one: Standing) -> bool:
    return one.case.reported_by == "monitor"


def _again(cases: Iterable[Standing], within: timedelta) -> Callable[[Standing], bool]:
    """Whether the client had another case of the same product not long before."""
    times: dict[tuple[str, str], list[datetime]] = defaultdict(list)
    for one in (one for one in cases if not _ours(one)):
        times[one.case.client_id, one.case.product].append(one.case.opened_at)

    def repeats(one: Standing) -> bool:
        at = one.case.opened_at
        return any(at - within <= other < at for other in times[one.case.client_id, one.case.product])

    return repeats


def _share(name: str, found: Sequence[Standing], holds: Callable[[Standing], bool]) -> Row:
    many = sum(map(holds, found))
    return _row(name, "share", many / len(found) if found else None, many, len(found))


def _mean(name: str, seconds: Sequence[float]) -> Row:
    return _row(name, "seconds", fmean(seconds) if seconds else None, sum(seconds), len(seconds))


def _row(name: str, unit: str, value: object, numerator: object, denominator: object) -> Row:
    return {
        "name": name, "unit": unit, "value": value, "numerator": numerator, "denominator": denominator, "formula": FORMULAS[name],
    }  # fmt: skip
