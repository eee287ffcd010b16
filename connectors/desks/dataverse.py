"""Dataverse, where Power Apps keep their rows: cases of a table, by its Web API."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

from connectors import Batch, Case, Cursor, SourceError, answers
from connectors.delta import Delta
from connectors.fields import Fields, no_case
from connectors.login import microsoft
from connectors.session import Session

EXISTS, ABSENT = 412, 404
LABEL = "OData.Community.Display.V1.FormattedValue"
READS = {
    "case_id": "ticketnumber", "subject": "title", "status": f"statuscode@{LABEL}", "opened_at": "createdon",
    "updated_at": "modifiedon",
}  # fmt: skip
WRITES = {"subject": "title", "body": "description"}
LONGEST = {"title": 200, "description": 2000}
UNSAFE = re.compile(r"[^A-Za-z0-9_.-]")
"""What Dataverse takes in no alternate key that stands in an address (/ : + ...), and what would need quoting."""


class Dataverse:
    """Rows of the table with the set name `table`, which tracks changes.

    url: of the environment, as https://banco.crm.dynamics.com; tenant, client_id, client_secret: of an application user (token_url:
    where it logs in, if not at the tenant's). key: the column of an alternate key, for our key; id: the row's own; columns: its columns
    where they differ (ours = theirs; a choice's label is `column@OData.Community.Display.V1.FormattedValue`; '' leaves one out);
    statuses: our words for a status = the choice's number, or several columns at once: { retirado = { statecode = 2, statuscode = 6 } }.
    version: of the API.

    Read by its delta link; a row that is deleted is not told. Opened by PATCH at the alternate key with `If-None-Match: *`, which makes
    one row however often and from wherever it is sent. Signs that no address takes stand as ~ in the key. timeout: of one answer.
    """

    def __init__(
        self,
        *,
        url: str,
        client_id: str,
        client_secret: str,
        tenant: str = "",
        token_url: str = "",
        table: str = "incidents",
        id: str = "incidentid",  # noqa: A002 - what it is
        key: str = "vigia_key",
        columns: dict[str, str] | None = None,
        statuses: dict[str, Any] | None = None,
        version: str = "9.2",
        timeout: timedelta = timedelta(seconds=30),
    ) -> None:
        url = url.rstrip("/")
        self._rows = f"{url}/api/data/v{version}/{table}"
        login = microsoft(tenant, client_id, client_secret, url, token_url)
        self.session = Session(self._rows, login=login, timeout=timeout)
        self.fields = Fields(reads=READS, writes=WRITES, given=columns, key=key, statuses=statuses, longest=LONGEST)
        named = dict.fromkeys(name.partition("@")[0] for name in (id, *self.fields.asked(), "modifiedon"))
        prefer = f'odata.track-changes,odata.maxpagesize=500,odata.include-annotations="{LABEL}"'
        self._delta = Delta(
            self.session, self._rows, params={"$select": ",".join(named)}, headers={"Prefer": prefer}, changed="modifiedon",
            id=id, shape=lambda row: None if "reason" in row else self.fields.row(row),
        )  # fmt: skip

    def poll(self, cursor: Cursor | None, now: datetime, since: datetime | None) -> Batch:
        """The next page of what has changed."""
        return self._delta.poll(cursor, now, since)

    def open(self, case: Case) -> str:
        """The number of the row with this key, made unless it is there."""
        sent = {name: value for name, value in self.fields.opening(case).items() if name != self.fields.key}
        headers = {"If-None-Match": "*", "Prefer": "return=representation"}
        answer = self.session.ask("PATCH", self._at(case.key), body=sent, headers=headers, accept=(EXISTS,))
        name = self.fields.reads["case_id"]
        number = answers.reached(answer.body, name)
        if not number:
            number = answers.reached(self.session.ask("GET", self._at(case.key), params={"$select": name}).body, name)
        if not number:
            raise SourceError(f"{self.session.shown}: the row has no {name!r}", permanent=True, fault="unreadable")
        return str(number)

    def update(self, case: Case) -> None:
        """Write status and note into the row with this key."""
        sent = self.fields.present(case)
        if sent:
            answer = self.session.ask(
                "PATCH", self._at(case.key), body=sent, headers={"If-Match": "*"}, accept=(ABSENT,)
            )
        else:
            answer = self.session.ask("GET", self._at(case.key), params={"$select": self.fields.key}, accept=(ABSENT,))
        if answer.status == ABSENT:
            raise no_case(self.session.shown, case.key)

    def check(self) -> str:
        """Whether it answers, with the columns that are read and written."""
        named = ",".join(dict.fromkeys(name.partition("@")[0] for name in (*self.fields.asked(), *self.fields.sent())))
        self.session.ask("GET", self._rows, params={"$select": named, "$top": "1"})
        return f"{self.session.shown}: answers, with {named}"

    def _at(self, key: str) -> str:
        return f"{self._rows}({self.fields.key}='{UNSAFE.sub('~', key)}')"
