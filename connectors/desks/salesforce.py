"""Salesforce: cases by SOQL, and ours by an external id, which makes opening one a repeatable act."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from connectors import Batch, Case, Cursor, SourceError, answers
from connectors.fields import Fields, no_case
from connectors.login import credentials
from connectors.pages import Pages
from connectors.session import Session
from connectors.since import Since

ABSENT, SEVERAL = 404, 300
READS = {
    "case_id": "CaseNumber", "status": "Status", "subject": "Subject", "opened_at": "CreatedDate",
    "closed_at": "ClosedDate", "updated_at": "SystemModstamp",
}  # fmt: skip
WRITES = {"subject": "Subject", "body": "Description", "status": "Status", "note": "Vigia_Note__c"}
LONGEST = {"Subject": 255}
STATUSES = {"retirado": "Closed"}


class Salesforce:
    """Records of an object, by default Case.

    url: the org's own address, as https://banco.my.salesforce.com; client_id, client_secret: of a connected app with the client
    credentials flow (token_url: where it logs in, if not there); version: of the API. object: whose records are cases; key: its
    external id field, unique, that holds our key; columns: its fields where they differ (ours = theirs; dots reach what it looks up,
    as Account.NIT__c; '' leaves one out); statuses: our words for a status = its own, of those that are to be written; where: which
    records count, in SOQL; other: its field for the number that the same trouble has in another tool (see `pair`).

    Read by SystemModstamp, page after page, from `overlap` before the newest (records may be committed late). Opened by
    `PATCH .../{key}/{our key}`, which makes one record however often it is sent; what people have changed in it since stays, for it is
    looked up first. timeout: of one answer.
    """

    def __init__(
        self,
        *,
        url: str,
        client_id: str,
        client_secret: str,
        token_url: str = "",
        version: str = "62.0",
        object: str = "Case",  # noqa: A002 - what Salesforce calls it
        key: str = "Vigia_Key__c",
        columns: dict[str, str] | None = None,
        statuses: dict[str, str] | None = None,
        other: str = "",
        where: str = "",
        overlap: timedelta = timedelta(minutes=1),
        timeout: timedelta = timedelta(seconds=30),
    ) -> None:
        url = url.rstrip("/")
        login = credentials(token_url or f"{url}/services/oauth2/token", client_id, client_secret, "")
        self.session = Session(url, login=login, timeout=timeout)
        self.fields = Fields(
            reads=READS, writes=WRITES, given=columns, key=key, statuses=statuses or STATUSES, longest=LONGEST
        )
        self._object, self._other = object, other
        self._api = f"{url}/services/data/v{version}"
        self._records = f"{self._api}/sobjects/{object}"
        self._select = f"SELECT {', '.join(dict.fromkeys((*self.fields.asked(), 'SystemModstamp')))} FROM {object}"
        also, alone = (f" AND ({where})", f" WHERE {where}") if where else ("", "")
        order = " ORDER BY SystemModstamp, Id"
        self._pages = Pages(
            self.session, f"{self._api}/query", rows="records", next="nextRecordsUrl", shape=self.fields.row,
            since=Since(f"q={self._select} WHERE SystemModstamp >= {{}}{also}{order}", "SystemModstamp", "iso", overlap),
            params={"q": f"{self._select}{alone}{order}"},
        )  # fmt: skip

    def poll(self, cursor: Cursor | None, now: datetime, since: datetime | None) -> Batch:
        """The next page of what has changed."""
        return self._pages.poll(cursor, now, since)

    def open(self, case: Case) -> str:
        """The number of the case with this key."""
        found = self._read(case.key)
        if found is None:
            sent = {name: value for name, value in self.fields.opening(case).items() if name != self.fields.key}
            try:
                self.session.ask("PATCH", self._at(case.key), body=sent)  # the key stands in the address alone
            except SourceError as error:
                # Of two that come at once the later is refused (DUPLICATE_VALUE), and the record is there.
                if not error.permanent or error.whole or (found := self._read(case.key)) is None:
                    raise
            else:
                found = self._read(case.key)
        return answers.needed(found, self.fields.reads["case_id"], self.session.shown)

    def update(self, case: Case) -> None:
        """Write status and note into the case with this key."""
        found = self._read(case.key)
        if found is None:
            raise no_case(self.session.shown, case.key)
        if sent := self.fields.present(case):
            self.session.ask("PATCH", f"{self._records}/{quote(str(found['Id']), safe='')}", body=sent)

    def tie(self, key: str, number: str) -> None:
        """Write the other tool's number into the case with this key."""
        found = self._read(key)
        if found is None:
            raise no_case(self.session.shown, key)
        if found.get(self._other) != number:
            self.session.ask("PATCH", f"{self._records}/{quote(str(found['Id']), safe='')}", body={self._other: number})

    def check(self) -> str:
        """Whether it answers; a field that is not there is told in the server's word."""
        named = ", ".join(dict.fromkeys((*self.fields.asked(), *self.fields.sent(), *filter(None, [self._other]))))
        self.session.ask("GET", f"{self._api}/query", params={"q": f"SELECT {named} FROM {self._object} LIMIT 1"})
        return f"{self.session.shown}: {self._object} answers, with {named}"

    def _read(self, key: str) -> dict[str, Any] | None:
        """The record with our key, or None."""
        names = ",".join(filter(None, ("Id", self.fields.reads["case_id"], self._other)))
        answer = self.session.ask("GET", self._at(key), params={"fields": names}, accept=(ABSENT, SEVERAL))
        if answer.status == SEVERAL:
            raise SourceError(
                f"{self.session.shown}: {self.fields.key} is not unique: several cases have one key",
                permanent=True,
                fault="unreadable",
            )
        if answer.status == ABSENT:
            return None
        id_ = answers.needed(answer.body, "Id", self.session.shown)
        return {**answer.body, "Id": id_}

    def _at(self, key: str) -> str:
        return f"{self._records}/{self.fields.key}/{quote(key, safe='')}"
