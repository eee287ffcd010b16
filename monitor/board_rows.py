"""What boards are told: rows of the sheets, as they stand now, each with its id; of one incident, or of the months."""

from __future__ import annotations

from collections.abc import Mapping

from connectors.boards import SHEETS
from monitor import tables as t
from monitor.counts import counts
from monitor.standing import Row, only, rows
from monitor.store import Store

Sheets = Mapping[str, dict[str, Row]]
"""By sheet, rows by id."""
GONE: Mapping[str, Row] = {"impacts": {"touch": ""}, "cases": {"action": ""}}
"""By sheet, what the last row says of something that is no more."""

_COLUMNS = {
    sheet: [name for name in schema.names if name not in ("id", "version", "sent_at")]
    for sheet, schema in SHEETS.items()
}
"""By sheet, but for those that each begins with."""


def of_incident(store: Store, incident_id: str, *, client_names: bool) -> Sheets:
    """The incident, whom it touches, and what was decided for each."""
    i = t.incidents.c
    there = rows(store, t.incidents.select().where(i.id == incident_id))
    if not there:
        return {}
    row = there[0] | counts(store, [incident_id])[incident_id]
    return {
        "incidents": {incident_id: _kept("incidents", row)},
        "cases": _cases(store, incident_id, client_names=client_names),
        "impacts": _impacts(store, incident_id, client_names=client_names),
    }


def of_months(store: Store) -> Sheets:
    """The indicators of every month that is kept."""
    found = rows(store, t.months.select())
    return {"indicators": {f"{row['month']}/{row['name']}": _kept("indicators", row) for row in found}}


def _impacts(store: Store, incident_id: str, *, client_names: bool) -> dict[str, Row]:
    c, i = t.clients.c, t.impacts.c
    known = t.impacts.join(t.clients, c.client_id == i.client_id, isouter=True)
    told = [one for one in t.impacts.c if one.name in SHEETS["impacts"].names]
    query = known.select().with_only_columns(*told, c.name, c.segment).where(i.incident_id == incident_id)
    return {
        f"{incident_id}/{row['client_id']}/{row['product']}": _kept("impacts", _named(row, client_names=client_names))
        for row in rows(store, query)
    }


def _cases(store: Store, incident_id: str, *, client_names: bool) -> dict[str, Row]:
    d = t.decisions.c
    mine = d.incident_id == incident_id
    known = {c.client_id: c for c in store.clients(t.clients.c.client_id.in_(only(t.decisions, "client_id", mine)))}
    found = {}
    for decision in store.decisions(mine):
        client = known.get(decision.client_id)
        names = {"name": client.name, "segment": client.segment} if client else {"name": None, "segment": None}
        told = {name: getattr(decision, name, None) for name in SHEETS["cases"].names}
        row = told | names | {"action": str(decision.action)}
        found[decision.key] = _kept("cases", _named(row, client_names=client_names))
    return found


def _named(row: Row, *, client_names: bool) -> Row:
    return row | {"client": (row["name"] or "") if client_names else "", "segment": row["segment"] or ""}


def _kept(sheet: str, row: Row) -> Row:
    return {name: row[name] for name in _COLUMNS[sheet]}


def gone(sheet: str, incident_id: str) -> Row:
    """The last row of something that is no more."""
    return dict.fromkeys(_COLUMNS[sheet]) | {"incident_id": incident_id} | GONE[sheet]
