"""The clients of an incident as a file, for those who call them: sent as it is read, so many rows at a time."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from datetime import datetime
from io import StringIO
from itertools import chain
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from fastapi.responses import StreamingResponse

from alerts import Action, Touch
from monitor import long_lists, people
from monitor import tables as t
from monitor.seeing import within
from monitor.standing import Row, rows, stirred
from monitor.store import Store
from monitor.web.api import MISSING
from monitor.web.viewer import impersonal, viewer

SOME = 1000
"""Rows that are read at a time."""
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
            more = True
            while more:
                some, past, more = every.part(store, SOME, past=past)
                told = {"id": found.id, "alerts": [], "acts": [], "rows": _with_cases(store, found.id, some)}
                yield here.out(told)["rows"]

        def written(some: list[Row]) -> str:
            text = StringIO()
            csv.writer(text).writerows([_cell(value, zone) for value in row.values()] for row in some)
            return text.getvalue()

        rest = parts()
        first = next(rest)  # the read is kept, or refused, before anything is said
        lines = chain(["\ufeff" + ",".join(COLUMNS) + "\r\n"], map(written, chain([first], rest)))
        name = {"Content-Disposition": f'attachment; filename="{found.id}-{touch}.csv"'}
        return impersonal(StreamingResponse(lines, media_type="text/csv; charset=utf-8", headers=name))  # type: ignore[no-any-return]

    return router


def _with_cases(store: Store, incident_id: str, some: list[Row]) -> list[Row]:
    """What the file tells of these, in the order of COLUMNS."""
    d, o = t.decisions.c, t.outbox.c
    here = d.incident_id == incident_id, d.client_id.in_([row["client_id"] for row in some]), *within(d.client_id)
    opened = t.decisions.outerjoin(t.outbox, (o.key == d.key) & (o.action == "open")).select()
    told_of = (d.linked_case_id, d.informed_at, d.action, d.withdrawn_at, d.opened_at, o.reference)
    few = opened.with_only_columns(d.key, d.client_id, *told_of).where(*here)
    decided = {row["key"]: row for row in rows(store, few)}
    if (fresh := stirred(store)) is not None:  # what people did a moment ago
        decided |= {row["key"]: row for row in long_lists.decided(store, *here, fresh)}
    # one that stands, else the newest: a merged incident brings its own
    cases = {row["client_id"]: row for row in sorted(decided.values(), key=_stands)}
    told = []
    for row in some:
        case = cases.get(row["client_id"], {})
        names = (
            "client_id",
            "client",
            "segment",
            "product",
            "priority",
            "failures",
            "missing",
            "amount",
            "first_failure_at",
        )
        number = case.get("reference") or case.get("linked_case_id") or ""
        told.append({name: row[name] for name in names} | {"case": number, "informed_at": case.get("informed_at")})
    return told


def _stands(case: Row) -> tuple[bool, datetime]:
    return case["action"] != Action.NONE and not case["withdrawn_at"], case["opened_at"]


def _cell(value: Any, zone: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(zone).isoformat(timespec="seconds")
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULAS) else value
