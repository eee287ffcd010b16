"""BMC Helix ITSM: incidents of technology, through the interface forms of its REST API."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import quote, unquote
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from connectors import Batch, Case, Cursor, SourceError, answers
from connectors.fields import Fields, no_case
from connectors.login import Login
from connectors.once import Once
from connectors.pages import Pages
from connectors.session import Session
from connectors.since import Since
from connectors.turns import turn

FORM, CREATE, LOG = "HPD:IncidentInterface", "HPD:IncidentInterface_Create", "HPD:WorkLog"
CHANGED, NUMBER = "Last Modified Date", "Incident Number"
LIFE = 3000.0
"""Seconds of a token, which lives for an hour."""
TOKEN = re.compile(r"[\w.+/=-]+")
READS = {
    "case_id": NUMBER, "status": "Status", "subject": "Description", "opened_at": "Submit Date",
    "resolved_at": "Last Resolved Date", "closed_at": "Closed Date", "updated_at": CHANGED,
}  # fmt: skip
WRITES = {"subject": "Description", "body": "Detailed_Decription", "status": "Status"}  # the form's own spelling
LONGEST = {"Description": 100}
STATUSES = {"retirado": "Cancelled"}
VALUES = {
    "z1D_Action": "CREATE", "Status": "New", "Service_Type": "Infrastructure Event", "Impact": "3-Moderate/Limited",
    "Urgency": "3-Medium", "Reported Source": "Systems Management",
}  # fmt: skip


class _Found(NamedTuple):
    """An incident: its number, the id of its entry, and the other tool's number in it."""

    number: str
    entry: str
    other: str


class Helix:
    """Incidents by HPD:IncidentInterface.

    url: the REST server, as https://banco-restapi.onbmc.com; username, password: of a user who may open incidents. key: the field, of
    the form and of its _Create, that holds our key; columns: its fields where they differ (ours = theirs, '' leaves one out); values:
    what else an incident must have when it is opened (First_Name, Last_Name, Company, Impact, ...); statuses: our words for a status =
    its own, of those that are to be written; where: which incidents count, as a qualification. other: its field for the
    number of the first case that the same trouble has in another tool (see `pair`). dates, zone: how the user's locale
    writes a time in a search, and in which time zone.

    Read by Last Modified Date, from `overlap` before the newest, in pages of `page_size` that are ordered by their number, each after the
    last of the one before, so that none moves between them. Helix knows no key of ours: an incident is looked up before it is opened, by
    one process of this machine at a time, and the lowest number is the case. A note becomes an entry of its work log, once. timeout: of
    one answer.
    """

    def __init__(
        self,
        *,
        url: str,
        username: str,
        password: str,
        key: str = "Vendor Ticket Number",
        columns: dict[str, str] | None = None,
        values: dict[str, str] | None = None,
        statuses: dict[str, str] | None = None,
        other: str = "",
        where: str = "",
        dates: str = "%m/%d/%Y %H:%M:%S",
        zone: str = "UTC",
        page_size: int = 200,
        overlap: timedelta = timedelta(minutes=1),
        timeout: timedelta = timedelta(seconds=30),
    ) -> None:
        try:
            there = ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError(f"zone: {zone!r} is not a time zone") from error
        if page_size < 1:
            raise ValueError("page_size: must be at least 1")
        url = url.rstrip("/")
        form = {"username": username, "password": password}
        login = Login(f"{url}/api/jwt/login", form, scheme="AR-JWT", read=_jwt, what="token")
        self.session = Session(url, login=login, timeout=timeout)
        self.fields = Fields(
            reads=READS,
            writes=WRITES,
            given=columns,
            key=key,
            statuses=statuses or STATUSES,
            nested=False,
            longest=LONGEST,
        )
        self._values, self._other = {**VALUES, **(values or {})}, other
        self._entries = f"{url}/api/arsys/v1/entry"
        self._once = Once(self.session.shown)
        asked = f"values({','.join(dict.fromkeys((*self.fields.asked(), NUMBER, CHANGED)))})"
        also = f" AND ({where})" if where else ""
        self._pages = Pages(
            self.session, f"{self._entries}/{FORM}", rows="entries", identity=f"values.{NUMBER}", after=("q", f"'{NUMBER}' > \"{{}}\""),
            shape=lambda row: self.fields.row(row["values"]),
            params={"fields": asked, "sort": f"{NUMBER}.asc", "limit": str(page_size)} | ({"q": f"({where})"} if where else {}),
            since=Since(
                f"q='{CHANGED}' >= \"{{}}\"{also}", f"values.{CHANGED}", "iso", overlap,
                written=lambda time: time.astimezone(there).strftime(dates),
            ),
        )  # fmt: skip

    def poll(self, cursor: Cursor | None, now: datetime, since: datetime | None) -> Batch:
        """The next page of what has changed."""
        return self._pages.poll(cursor, now, since)

    def open(self, case: Case) -> str:
        """The number of the incident with this key, looked up before it is made."""
        with turn(self.session.shown, case.key):
            found = self._read(case.key)
            if found is None:
                sent, where = {"values": self._values | self.fields.opening(case)}, f"{self._entries}/{CREATE}"
                self._once.send(case.key, lambda: self.session.ask("POST", where, body=sent, repeat=False))
                # The form it is made by is not the one that it is read by: its answer holds no number that can be relied on.
                found = self._read(case.key)
        if found is None:
            raise SourceError(
                f"{self.session.shown}: what was opened is not found by {self.fields.key!r}", fault="unreadable"
            )
        self._once.found(case.key)
        return found.number

    def update(self, case: Case) -> None:
        """Write the status into the incident with this key, and the note into its work log."""
        found = self._read(case.key)
        if found is None:
            raise no_case(self.session.shown, case.key)
        if sent := self.fields.present(case):
            self._put(found.entry, sent)
        if case.note:
            self._noted(found.number, case.note)

    def tie(self, key: str, number: str) -> None:
        """Write the number of a case in the other tool into the incident with this key: the first into its field, all into its log."""
        found = self._read(key)
        if found is None:
            raise no_case(self.session.shown, key)
        if not found.other:
            self._put(found.entry, {self._other: number})
        self._noted(found.number, f"Caso {number}")

    def check(self) -> str:
        """Whether it answers, asked for an incident that it does not have."""
        self._read("vigia-check")
        return f"{self.session.shown}: answers"

    def _read(self, key: str) -> _Found | None:
        """The first incident with our key, or None."""
        names = ",".join(filter(None, (NUMBER, self.fields.key, self._other)))
        for entry in self._found(FORM, f"'{self.fields.key}' = {_quoted(key)}", f"values({names})", NUMBER):
            if answers.reached(entry, f"values.{self.fields.key}") == key:
                values, links = entry["values"], answers.objects(entry, "_links.self", self.session.shown)
                link = answers.needed(links[0] if links else None, "href", self.session.shown)
                number = answers.needed(values, NUMBER, self.session.shown)
                return _Found(number, unquote(link.rpartition("/")[2]), str(values.get(self._other) or ""))
        return None

    def _put(self, entry: str, values: dict[str, Any]) -> None:
        sent = {"values": {**values, "z1D Action": "MODIFY"}}
        self.session.ask("PUT", f"{self._entries}/{FORM}/{quote(entry, safe='')}", body=sent)

    def _noted(self, number: str, note: str) -> None:
        where = f"'{NUMBER}' = {_quoted(number)}"
        log = self._found(LOG, where, "values(Detailed Description)", "Submit Date")
        if any(answers.reached(entry, "values.Detailed Description") == note for entry in log):
            return  # written before an answer that was lost
        entry = {NUMBER: number, "Detailed Description": note, "Work Log Type": "General Information"}
        sent = {"values": entry | {"View Access": "Internal", "Secure Work Log": "No"}}
        self.session.ask("POST", f"{self._entries}/{LOG}", body=sent, repeat=False)

    def _found(self, form: str, where: str, fields: str, sort: str) -> list[dict[str, Any]]:
        params = {"q": where, "fields": fields, "sort": f"{sort}.asc"}
        body = self.session.ask("GET", f"{self._entries}/{form}", params=params).body
        return answers.objects(body, "entries", self.session.shown)


def _jwt(text: bytes) -> tuple[str, float]:
    """The token is the whole answer; anything else is none."""
    token = text.decode(errors="replace").strip()
    return token if TOKEN.fullmatch(token) else "", LIFE


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'
