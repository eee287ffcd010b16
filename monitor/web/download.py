"""The clients of an incident as a file, for those who call them: sent as it is read, so many rows at a time."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from datetime import datetime
from io import StringIO
from itertools import chain, repeat
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from fastapi.responses import StreamingResponse

from alerts import Action, Touch
from monitor import long_lists, people
from monitor import tables as t
from monitor.columns import filled
from monitor.standing import Row, stirred, tuples
from monitor.store import Store
from monitor.web.api import MISSING
from monitor.web.viewer import impersonal, viewer

SOME = 1000
"""Rows that are read first; then ten times as many at a time."""
_TOLD = ("failures", "missing", "amount", "first_failure_at")
COLUMNS = (
    "nit", "cliente", "segmento", "producto", "prioridad", "fallas", "faltantes", "monto", "primera_falla", "caso", "informado",
)  # fmt: skip
FORMULAS = ("=", "+", "-", "@", "\t", "\r")
"""With what a cell begins that a spreadsheet would reckon."""
How = Annotated[
    Literal["affected", "exposed"], Query(description="Those whose own transactions failed, or who may be next.")
]


def routes(store: Store, clock: Callable[[], datetime]) -> APIRouter:
    """/api/v1/incidents/{id}/clients.csv: all clients whom whoever asks may see, by priority; times as the bank's clock has them."""
    router = APIRouter(prefix="/api/v1/incidents")

    @router.get(
        "/{incident_id}/clients.csv", response_class=Response, tags=["incidents"],
        responses=MISSING | {200: {"content": {"text/csv": {}}, "description": "UTF-8, with a header."}},
    )  # fmt: skip
    def clients(incident_id: str, touch: How = "affected") -> Response:
        """Its clients as CSV, a row a client and product, all of them. Whoever asks is noted."""
        found, here, zone = people.found_incident(store, incident_id), viewer(), clock().tzinfo
        every = long_lists.touched(found.id, Touch(touch))

        def parts() -> Iterator[list[Row]]:
            past: long_lists.Position = ()
            for size in chain(
                [SOME], repeat(10 * SOME)
            ):  # the first soon; where many are alike, each part sorts them anew
                some = _part(store, found.id, every, past, size)
                yield here.out({"id": found.id, "alerts": [], "acts": [], "rows": some})["rows"]
                if len(some) < size:
                    return
                nit, name, _, product, priority, *_ = some[-1].values()
                past = priority, name or nit, product, nit

        def written(some: list[Row]) -> str:
            text = StringIO()
            csv.writer(text).writerows(_line(row, zone) for row in some)
            return text.getvalue()

        rest = parts()
        first = next(rest)  # the read is kept, or refused, before anything is said
        lines = chain(["\ufeff" + ",".join(COLUMNS) + "\r\n"], map(written, chain([first], rest)))
        name = {"Content-Disposition": f'attachment; filename="{found.id}-{touch}.csv"'}
        return impersonal(StreamingResponse(lines, media_type="text/csv; charset=utf-8", headers=name))  # type: ignore[no-any-return]

    return router


def _part(
    store: Store, incident_id: str, every: long_lists.LongList, past: long_lists.Position, size: int
) -> list[Row]:
    """What the file tells of the next ones, in the order of COLUMNS: of its cases the one that stands, else the newest."""
    i, c, d, o = t.impacts.c, t.clients.c, t.decisions.c, t.outbox.c
    client, segment = filled(c.name).label("client"), filled(c.segment).label("segment")
    columns = (i.client_id, client, segment, i.product, i.priority, *(i[name] for name in _TOLD))
    few = every.asked([*columns, *(column.label(f"at{n}") for n, (column, *_) in enumerate(every.order))], past)
    few = few.limit(size).subquery()
    mine = (d.incident_id == incident_id) & (d.client_id == few.c.client_id)
    whole = few.outerjoin(t.decisions, mine).outerjoin(t.outbox, (o.key == d.key) & (o.action == "open")).select()
    order = (few.c[f"at{n}"].desc() if down else few.c[f"at{n}"] for n, (_, down, _) in enumerate(every.order))
    told = [few.c[column.name] for column in columns]
    case = (d.key, d.action, d.withdrawn_at, d.opened_at, o.reference, d.linked_case_id, d.informed_at)
    found = tuples(store, whole.with_only_columns(*told, *case).order_by(*order))
    worked = {}
    if (fresh := stirred(store)) is not None:  # what people did a moment ago
        here = d.incident_id == incident_id, d.client_id.in_({row[0] for row in found})
        names = [column.name for column in case]
        worked = {row["key"]: [row[name] for name in names] for row in long_lists.decided(store, *here, fresh)}
    told_of: dict[tuple[str, str], Row] = {}
    best: dict[tuple[str, str], tuple[bool, datetime]] = {}
    for nit, name, segment, product, priority, failures, missing, amount, first, *decided in found:
        key, action, withdrawn, at, reference, linked, informed = worked.get(decided[0], decided)
        one = nit, product
        if key is not None:
            stands = action != Action.NONE and not withdrawn, at
            if one in best and stands < best[one]:
                continue
            best[one] = stands
        told_of[one] = {
            "client_id": nit, "client": name, "segment": segment, "product": product, "priority": priority,
            "failures": failures, "missing": missing, "amount": amount, "first_failure_at": first,
            "case": reference or linked or "", "informed_at": informed,
        }  # fmt: skip
    return list(told_of.values())


def _line(row: Row, zone: Any) -> tuple[Any, ...]:
    """As it stands in the file."""
    nit, name, segment, product, *numbers, first, case, informed = row.values()
    return *map(_text, (nit, name, segment, product)), *numbers, _time(first, zone), _text(case), _time(informed, zone)


def _text(value: str) -> str:
    return f"'{value}" if value.startswith(FORMULAS) else value


def _time(at: datetime | None, zone: Any) -> str | None:
    return at.astimezone(zone).isoformat(timespec="seconds") if at else None
