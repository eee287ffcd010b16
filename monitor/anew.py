"""What a place of reading belongs to: a cursor is gone on from only while the configuration reads what it was made by.

Kept beside what the connector's own cursor says, under names that begin with `_`, once for all kinds.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode

import structlog

from connectors import Cursor
from connectors.values import digest

log = structlog.get_logger()

READS, FROM, NEWEST, WRONG = "_reads", "_from", "_newest", "_wrong"
"""The digest of what defines the reading; from when on its rows count; the newest row of its first reading; why the last that came was
of no use."""
TOLD, AHEAD = "_told", "_ahead"
"""Marks of the rows of the last poll that could not be used; how many rows lay ahead of now since the last that could be used."""
DEFINES = (
    "url", "params", "rows", "table", "query", "cursor", "key", "step", "since", "since_form", "next", "page_cursor", "offset", "object",
    "process", "project", "site", "list", "host", "mailbox", "folder", "channel", "topics",
)  # fmt: skip
"""Options that say what is read. Others say how: with which secrets, how fast, under what names. The cursors of files tell by themselves
what they are of."""
_WHO = re.compile(r"(?<=://)[^/]*@")
_SECRET = re.compile(
    r"(?:^|[_-])(?:key|token|secret|password|pwd|clave|llave|contraseña|sig|signature)$|apikey", re.IGNORECASE
)
"""How a parameter is called that lets us in."""


def defines(kind: str, given: Mapping[str, Any]) -> str:
    """A digest of what a source's block reads: its address without log-in, its table, its order.

    What stands behind the `?` of an address is what is read at an API, and how it is read at a database.
    """
    said: list[tuple[str, str]] = []
    for name in DEFINES:
        if not (value := given.get(name)):
            continue
        if name == "url":
            address, _, query = str(value).partition("?")
            value = _WHO.sub("", address)
            if kind == "http" and (asked := _parameters(parse_qsl(query, keep_blank_values=True))):
                value += f"?{asked}"
        elif isinstance(value, Mapping):
            value = _parameters(value.items())
        said.append((name, _said(name, value)))
    return digest([kind, *(one for one in said if one[1])])


def _parameters(given: Iterable[tuple[str, Any]]) -> str:
    """In whatever order, without secrets."""
    return urlencode(sorted((name, str(value)) for name, value in given if not _SECRET.search(name)))


def _said(name: str, value: Any) -> str:
    """An option in one spelling; topics are the same in any order."""
    if name == "topics":
        return ",".join(sorted({str(one).strip() for one in value}))
    return " ".join(str(value).split())


def taken_up(
    name: str, cursor: Cursor | None, reads: str, until: datetime | None
) -> tuple[Cursor | None, dict[str, str]]:
    """The connector's own cursor, and what stands beside it. None, if it belongs to another reading: that is told.

    until: up to when the source was complete. Rows of before count no more: they were counted as they came, or would be twice.
    """
    if cursor is None:
        return None, {READS: reads}
    beside = {key: value for key, value in cursor.items() if key.startswith("_")}
    if beside.get(READS, reads) == reads:
        return {key: value for key, value in cursor.items() if key not in beside}, beside | {READS: reads}
    since = until.isoformat() if until else beside.get(NEWEST, beside.get(FROM))
    log.warning("read anew: its configuration reads something else than before", source=name, since=since or "start")
    return None, {READS: reads} | ({FROM: since} if since else {})
