"""Bizagi: the cases of one process, through its OData services."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from connectors import Batch, Case, Cursor, Reject, SourceError, answers, listed
from connectors.fields import Fields, no_case
from connectors.login import credentials
from connectors.once import Once
from connectors.pages import Pages
from connectors.session import Session
from connectors.since import Since
from connectors.turns import turn
from connectors.values import digest

GONE = (404, 410)
DENIED = ""
"""In place of the digest of a case that may not be read: told once, and read as soon as it may be."""
CREATED = "creationDate"
READS = {"case_id": "caseNumber", "opened_at": CREATED, "closed_at": "solutionDate"}


class Bizagi:
    """Cases of the process with the id `process` (a GUID).

    url: of the work portal; client_id, client_secret: of an OAuth2 application with the grant client credentials. key: the attribute
    (xpath) that holds our key, by which cases can be filtered; columns: attributes or properties where they differ (ours = xpath, ''
    leaves one out); statuses: our words for a status = its own, if those are written (none: ours are).

    Bizagi does not say what has changed: cases are read by creationDate from `overlap` before the newest, and those still open are
    asked for again, `again` of them a poll in turn; one that may not be read is told once, and holds up no other. It knows no key of
    ours: a case is looked up before it is started, by one process of this machine at a time, and the lowest id is the case. It is changed
    by saving its first open activity. timeout: of one answer.
    """

    def __init__(
        self,
        *,
        url: str,
        process: str,
        client_id: str,
        client_secret: str,
        key: str = "VigiaKey",
        columns: dict[str, str] | None = None,
        statuses: dict[str, str] | None = None,
        again: int = 20,
        overlap: timedelta = timedelta(minutes=1),
        timeout: timedelta = timedelta(seconds=30),
    ) -> None:
        if again < 1:
            raise ValueError("again: must be at least 1")
        url = url.rstrip("/")
        login = credentials(f"{url}/oauth2/server/token", client_id, client_secret, "api", basic=True)
        self.session = Session(url, login=login, timeout=timeout)
        self.fields = Fields(reads=READS, writes={}, given=columns, key=key, statuses=statuses, nested=False)
        self.again, self._process = again, f"{url}/odata/data/processes({process})"
        self._cases = f"{self._process}/cases"
        self._new = Since(f"$filter={CREATED} ge {{}}", CREATED, "iso", overlap)
        self._once = Once(self.session.shown)
        self._pages = Pages(self.session, self._cases, rows="value", next="@odata.nextLink")

    def poll(self, cursor: Cursor | None, now: datetime, since: datetime | None) -> Batch:
        """The next page of new cases; after the last one, some of those that were open."""
        cursor = cursor or {}
        held: dict[str, str] = dict(cursor.get("open", {}))
        notes: list[Reject] = []
        page = self._pages.fresh(self._new, cursor.get("new"), now, since)
        found = {answers.needed(row, "id", self.session.shown): _flat(row) for _, row in page.rows}
        if page.until:
            # Those that are still open go to the end of the line, and so do those that may not be read.
            for name in [name for name in held if name not in found][: self.again]:
                before = held.pop(name)
                try:
                    answer = self.session.ask("GET", f"{self._cases}({name})", accept=GONE)
                except SourceError as error:
                    if error.whole or not error.permanent:
                        raise
                    held[name] = DENIED
                    notes += [Reject(f"{self.session.shown}: case {name}", str(error))] if before != DENIED else []
                    continue
                if answer.status not in GONE:
                    held[name] = before
                    found |= {name: _flat(answer.body)} if isinstance(answer.body, dict) else {}
        fresh = [row for name, row in found.items() if _mark(row) != held.get(name)]
        for name, row in found.items():
            held.pop(name, None)
            held |= {name: _mark(row)} if _open(row) else {}
        table = answers.table([self.fields.row(row) for row in fresh])
        cursor = {"new": page.cursor, "open": held}
        rejects = tuple(page.rejects)
        return Batch(table, cursor, page.until is not None, page.until, rejects, notes=tuple(notes), again=page.again)

    def open(self, case: Case) -> str:
        """The number of the case with this key, looked up before it is started."""
        with turn(self.session.shown, case.key):
            found = self._read(case.key)
            if found is None:
                sent, where = _parameters(self.fields.opening(case)), f"{self._process}/start"
                self._once.send(case.key, lambda: self.session.ask("POST", where, body=sent, repeat=False))
                found = self._read(case.key)
        if found is None:
            raise SourceError(
                f"{self.session.shown}: what was started is not found by {self.fields.key!r}", fault="unreadable"
            )
        self._once.found(case.key)
        return answers.needed(found, "caseNumber", self.session.shown)

    def update(self, case: Case) -> None:
        """Save status and note with the case's first open activity."""
        found = self._read(case.key)
        if found is None:
            raise no_case(self.session.shown, case.key)
        sent = self.fields.present(case)
        if not sent or all(found.get(name) == value for name, value in sent.items()):
            return
        items = [*listed.rows(self.session, f"{self._cases}({found['id']})/workitems")]
        if not items:
            raise SourceError(
                f"{self.session.shown}: case {found.get('caseNumber')} has no open activity",
                permanent=True,
                fault="refused",
            )
        item = answers.needed(items[0], "id", self.session.shown)
        self.session.ask("POST", f"{self._cases}({found['id']})/workitems({item})/save", body=_parameters(sent))

    def check(self) -> str:
        """Whether it answers, asked for a case that it does not have, and whether it heeds what it is asked for."""
        passed = next(self._with("vigia-check"), None) is not None
        every = f"; passes over the filter by {self.fields.key!r}: all cases are read at each look-up" * passed
        return f"{self.session.shown}: answers{every}"

    def _read(self, key: str) -> dict[str, Any] | None:
        """The first case with our key, or None."""
        # Whoever does not know the filter answers with all cases.
        ours = (row for row in self._with(key) if row.get(self.fields.key) == key)
        named = ((answers.needed(row, "id", self.session.shown), row) for row in ours)
        return min(named, key=lambda one: (len(one[0]), one[0]), default=(None, None))[1]

    def _with(self, key: str) -> Iterator[dict[str, Any]]:
        """The cases that are said to have a key."""
        quoted = key.replace("'", "''")
        where = {"$filter": f"{self.fields.key} eq '{quoted}'"}
        return (_flat(row) for row in listed.rows(self.session, self._cases, where))


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    """A case with its attributes beside its properties."""
    about = {name: value for name, value in row.items() if name != "parameters" and not name.startswith("@")}
    found = row.get("parameters")
    return about | {
        one["xpath"]: one.get("value")
        for one in (found if isinstance(found, list) else ())
        if isinstance(one, dict) and isinstance(one.get("xpath"), str)
    }


def _open(row: dict[str, Any]) -> bool:
    return not row.get("closed") and not row.get("solutionDate")


def _mark(row: dict[str, Any]) -> str:
    return digest([json.dumps(row, sort_keys=True, default=str)])


def _parameters(sent: dict[str, Any]) -> dict[str, Any]:
    return {"startParameters": [{"xpath": name, "value": value} for name, value in sent.items()]}
