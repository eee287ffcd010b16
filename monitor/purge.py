"""A client taken out of the state for good (habeas data, a relation that ended): no number, no name, no contact; figures stay true.

What is of the client alone goes: who they are, what they hold, operations in doubt, what their cases say. Where something is counted
(impacts, decisions, cases, cells) a random name stands for them from then on, the same everywhere, of which nothing tells who it was.
Every table is searched, whatever it holds. A source that still tells of them brings them back: they must be taken out there first.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import scrypt
from json import dumps
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from alerts import IncidentState
from connectors.nit import canonical, check_digit
from monitor import tables as t
from monitor.blobs import packed, unpacked
from monitor.called import Names, unaccented, without
from monitor.people import Refused
from monitor.portrait import identity
from monitor.standing import Row, only, rows
from monitor.store import Act, Store
from monitor.trail import BEFORE, PURGE, reseal, verify

NAMELESS = "cliente suprimido"
RARE = 5
"""Letters of a word that is not in every text."""
SETTLED = timedelta(days=1)
"""For so long after an incident's end a client's own case may still be tied to it."""
_GONE = (t.clients, t.holdings, t.doubts, t.alerts)
_COST = {"n": 2**14, "r": 8, "p": 1}
"""So slow that nobody tries all numbers of nine digits: about 50 ms a guess."""


@dataclass(frozen=True)
class Purged:
    """What came of it: the name that stands for the client now, and how many rows of each table were touched."""

    alias: str
    touched: Mapping[str, int]


class _Traces:
    """What tells of a client in a text: the number, plain, with dots or spaces, with or without its check digit; and the name."""

    def __init__(self, client_id: str, name: str, alias: str) -> None:
        self.client_id, self._alias = client_id, alias
        digits = client_id.isascii() and client_id.isdigit()
        spaced = r"[.\s]?".join(map(re.escape, client_id)) if digits else re.escape(client_id)
        digit = rf"(?:\s?-?\s?{check_digit(client_id)})?" if digits and len(client_id) <= 15 else ""  # noqa: PLR2004 - of a NIT
        self._number = re.compile(
            rf"(?<![0-9])(?<![0-9]\.){spaced}{digit}(?![0-9]|\.[0-9])" if digits else rf"\b{spaced}\b"
        )
        words = re.findall(r"\w+", name)
        self._names, self._words = Names({client_id: name}), {unaccented(word) for word in words}
        grouped = f"{int(client_id):,}" if digits else client_id
        # The first word, and others that are long enough to be few; the database knows capitals, but no accents.
        told = [*words[:1], *sorted((word for word in words[1:] if len(word) >= RARE), key=len, reverse=True)[:2]]
        plain = {one for word in told for one in (word, unaccented(word))}
        first = {way(word) for word in plain for way in (str, str.lower, str.upper, str.capitalize)}
        marks = [
            client_id,
            *(grouped.replace(",", sign) for sign in ". "),
            *first,
            *(dumps(word)[1:-1] for word in first),
        ]
        self.near = list(dict.fromkeys(marks))
        """One of these is in every text that tells of them."""

    def out_of(self, value: Any) -> Any:
        """The value without them."""
        if isinstance(value, str):
            plain = self._number.sub(self._alias, value)
            # One word alone may be a product's, too: then it must be written as the name is.
            places = [
                one
                for one in self._names.places(plain)[0]
                if one.words > 1 or unaccented(plain[one.start : one.stop]) in self._words
            ]
            return without(plain, places, NAMELESS)
        if isinstance(value, Mapping):
            return {self.out_of(key): self.out_of(each) for key, each in value.items()}
        if isinstance(value, list | tuple):
            return [self.out_of(each) for each in value]
        return value


def purge(store: Store, nit: str, reason: str, by: str, now: datetime) -> Purged:
    """Take the client out. Refused while something about them is open or waits to be sent; Unknown if nobody is known by that NIT."""
    for said, what in ((reason, "la razón"), (by, "quién lo pide")):
        if not said.strip():
            raise Refused(f"falta {what}")
    client_id = identity(store, nit)
    _may(store, client_id, now)
    found = store.clients(t.clients.c.client_id == client_id)
    alias = f"x{secrets.token_hex(8)}"
    traces = _Traces(client_id, found[0].name if found else "", alias)
    whole = verify(store)
    before = f"{BEFORE} {whole.head}; " if whole.head else ""
    before += f"la bitácora ya no estaba íntegra ({whole.broken}); " if whole.broken else ""
    touched = {"cells": _cells(store, traces, alias)}
    with store.writing() as connection:
        if store.engine.dialect.name == "sqlite":
            connection.exec_driver_sql("PRAGMA secure_delete = ON")  # or the pages that are let go keep it
        for table in _GONE:
            gone = connection.execute(table.delete().where(table.c.client_id == client_id))
            touched[table.name] = gone.rowcount
        subjects = t.their_cases.update().where(t.their_cases.c.client_id == client_id).values(subject="")
        connection.execute(subjects)
        for table in t.metadata.sorted_tables:
            if table is not t.cells:
                touched[table.name] = touched.get(table.name, 0) + _searched(connection, table, traces)
        text = traces.out_of(f"{alias}: {reason.strip()}; {before}{_proof(client_id)}")
        reseal(connection, Act("", now, traces.out_of(by.strip()), PURGE, text))
    if store.engine.dialect.name == "sqlite":
        with store.engine.connect() as connection:
            raw = connection.connection.driver_connection
            connection.rollback()
            raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()  # type: ignore[union-attr]
    return Purged(alias, {name: many for name, many in touched.items() if many})


def proves(act: Act, nit: str) -> bool:
    """Whether a purge in the trail was that of this client: for whoever knows the number and asks."""
    found = re.search(r"scrypt ([0-9a-f]{32}) ([0-9a-f]{64})$", act.text)
    return found is not None and _hashed(canonical(nit)[0], bytes.fromhex(found[1])) == found[2]


def _proof(client_id: str) -> str:
    salt = secrets.token_bytes(16)
    return f"scrypt {salt.hex()} {_hashed(client_id, salt)}"


def _hashed(client_id: str, salt: bytes) -> str:
    return scrypt(client_id.encode(), salt=salt, dklen=32, **_COST).hex()


def _may(store: Store, client_id: str, now: datetime) -> None:
    """Refused while an incident with them is open or has just ended, or messages about them wait."""
    i, o = t.incidents.c, t.outbox.c
    theirs = i.id.in_(only(t.impacts, "incident_id", t.impacts.c.client_id == client_id)) | (i.client_id == client_id)
    for incident in store.incidents(theirs):
        if incident.state is IncidentState.FIRING:
            raise Refused(f"la afectación {incident.id} lo toca y está abierta")
        over = incident.resolved_at or incident.ended_at
        if over and now - over < SETTLED:
            raise Refused(f"la afectación {incident.id} lo tocó y terminó hace menos de un día")
    waiting = rows(store, t.outbox.select().where(o.state.in_(("due", "sending"))))
    traces = _Traces(client_id, "", "")
    many = sum(
        traces.out_of([row["key"], row["case_key"], row["payload"]]) != [row["key"], row["case_key"], row["payload"]]
        for row in waiting
    )
    if many:
        raise Refused(f"esperan por enviarse mensajes que lo nombran: {many}")


def _searched(connection: Any, table: Any, traces: _Traces) -> int:
    """Rewrite the rows of a table that tell of the client, in whatever column; how many."""
    text = t.meta.c.value.type
    told = [column for column in table.columns if str(column.type) in ("TEXT", "JSON")]
    near = None
    for column in told:
        for mark in traces.near:
            one = (column if str(column.type) == "TEXT" else column.cast(text)).icontains(mark, autoescape=True)
            near = one if near is None else near | one
    if near is None:
        return 0
    many = 0
    for row in connection.execute(table.select().where(near)).mappings().all():
        before: Row = {column.name: row[column.name] for column in told}
        after = {name: traces.out_of(value) for name, value in before.items()}
        changed = {name: value for name, value in after.items() if value != _plain(before[name])}
        if changed:
            this = [column == row[column.name] for column in table.primary_key]
            connection.execute(table.update().where(*this).values(changed))
            many += 1
    return many


def _plain(value: Any) -> Any:
    """As `out_of` has what it leaves as it is."""
    return list(value) if isinstance(value, tuple) else value


def _cells(store: Store, traces: _Traces, alias: str) -> int:
    """Rewrite the blobs in which the client has rows, one a transaction; how many. Once more if they were joined meanwhile."""
    c, many = t.cells.c, 0
    while True:
        found = 0
        for row in rows(store, t.cells.select().with_only_columns(c.id).order_by(c.id)):
            with store.writing() as connection:
                held = connection.execute(t.cells.select().where(c.id == row["id"])).mappings().first()
                table = (
                    _without(unpacked(held["blob"], held["kind"], held["version"]), traces.client_id, alias)
                    if held
                    else None
                )
                if table is not None:
                    connection.execute(t.cells.update().where(c.id == row["id"]).values(blob=packed(table)))
                    found += 1
        if not found:
            return many
        many += found


def _without(table: pa.Table, client_id: str, alias: str) -> pa.Table | None:
    """The table with the alias where it says client_id; None where it does not."""
    if "client_id" not in table.column_names:
        return None
    at = table.column_names.index("client_id")
    column = table.column(at)
    is_theirs = pc.equal(column, client_id)
    if not pc.any(is_theirs).as_py():
        return None
    return table.set_column(at, table.schema.field(at), pc.if_else(is_theirs, alias, column))
