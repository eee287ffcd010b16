"""A SharePoint list whose items are cases, through Microsoft Graph."""

from __future__ import annotations

from datetime import datetime, timedelta

from connectors import Batch, Case, Cursor, SourceError, answers, listed
from connectors.delta import Delta
from connectors.fields import Fields, no_case
from connectors.login import GRAPH, microsoft
from connectors.once import Once
from connectors.session import Session
from connectors.turns import turn

READS = {
    "case_id": "id", "subject": "fields.Title", "opened_at": "createdDateTime", "updated_at": "lastModifiedDateTime",
}  # fmt: skip
WRITES = {"subject": "Title"}
LONGEST = {"Title": 255}
UNINDEXED = {"Prefer": "HonorNonIndexedQueriesWarningMayFailRandomly"}
"""Without it Graph refuses to filter by a column that has no index."""


class Sharepoint:
    """Items of a list.

    site, list: their ids in Graph; tenant, client_id, client_secret: of an application with Sites.Selected or Sites.ReadWrite.All
    (token_url: where it logs in, if not at the tenant's). key: the list's column that holds our key, best with an index and unique
    values; columns: internal names of its columns where they differ (ours = theirs, '' leaves one out); statuses: our words for a status
    = the list's, if it has its own. url: of Graph, for national clouds.

    Read by delta; an item that is deleted is not told. The list knows no key of ours: an item is looked up before it is made, by one
    process of this machine at a time, and the lowest id is the case. timeout: of one answer.
    """

    def __init__(
        self,
        *,
        site: str,
        list: str,  # noqa: A002 - what SharePoint calls it
        client_id: str,
        client_secret: str,
        tenant: str = "",
        token_url: str = "",
        key: str = "VigiaKey",
        columns: dict[str, str] | None = None,
        statuses: dict[str, str] | None = None,
        url: str = GRAPH,
        timeout: timedelta = timedelta(seconds=30),
    ) -> None:
        url = url.rstrip("/")
        login = microsoft(tenant, client_id, client_secret, url, token_url)
        self._items = f"{url}/sites/{site}/lists/{list}/items"
        self.session = Session(self._items, login=login, timeout=timeout)
        self._once = Once(self.session.shown)
        read = {ours: f"fields.{theirs}" if theirs else "" for ours, theirs in (columns or {}).items()}
        self.fields = Fields(reads=READS, writes=WRITES, given=columns, key=key, statuses=statuses, longest=LONGEST)
        self._shown = Fields(reads=READS, writes={}, given=read, key=f"fields.{key}")
        self._delta = Delta(
            self.session, f"{self._items}/delta", params={"$expand": "fields"}, changed="lastModifiedDateTime",
            shape=lambda item: None if "deleted" in item else self._shown.row(item),
            lacks=lambda item: "deleted" not in item and not {"createdDateTime", "fields"} <= item.keys(), one=self._items,
            one_params={"$expand": "fields"},
        )  # fmt: skip

    def poll(self, cursor: Cursor | None, now: datetime, since: datetime | None) -> Batch:
        """The next page of what has changed."""
        return self._delta.poll(cursor, now, since)

    def open(self, case: Case) -> str:
        """The id of the item with this key, looked up before it is made."""
        with turn(self.session.shown, case.key):
            found = self._read(case.key)
            if found is None:
                sent = {"fields": self.fields.opening(case)}
                answer = self._once.send(
                    case.key, lambda: self.session.ask("POST", self._items, body=sent, repeat=False)
                )
                found = str(answers.reached(answer and answer.body, "id") or "")
        if not found:
            raise SourceError(
                f"{self.session.shown}: the item that was made has no 'id'", permanent=True, fault="unreadable"
            )
        self._once.found(case.key)
        return found

    def update(self, case: Case) -> None:
        """Write status and note into the item with this key."""
        found = self._read(case.key)
        if found is None:
            raise no_case(self.session.shown, case.key)
        if sent := self.fields.present(case):
            self.session.ask("PATCH", f"{self._items}/{found}/fields", body=sent)

    def check(self) -> str:
        """Whether it answers, asked for an item that it does not have: its key column is there then."""
        self._read("vigia-check")
        return f"{self.session.shown}: answers"

    def _read(self, key: str) -> str | None:
        """The id of the first item with our key, or None."""
        quoted = key.replace("'", "''")
        params = {"$filter": f"fields/{self.fields.key} eq '{quoted}'", "$expand": f"fields($select={self.fields.key})"}
        ours = (
            answers.needed(item, "id", self.session.shown)
            for item in listed.rows(self.session, self._items, params, UNINDEXED)
            if answers.reached(item, f"fields.{self.fields.key}") == key
        )
        return min(ours, key=lambda id_: (len(id_), id_), default=None)
