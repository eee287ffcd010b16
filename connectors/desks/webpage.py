"""A web page with a table of cases, behind a form to log in: how a tool is read that has no other door."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode, urljoin

from connectors import Batch, Case, Cursor, Reject, SourceError
from connectors.addresses import shown
from connectors.changed import changed
from connectors.fields import Fields, no_case
from connectors.login import Login
from connectors.markup import Form, Markup
from connectors.session import Session
from connectors.turns import turn

MOVED = (301, 302, 303)
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
MOST = 200
"""Pages of a table."""


class Webpage:
    """The rows of a table on a page.

    url: of the page; login: of the page with the form to log in; username, password: for it, and user_field: the name of its field for
    the name. number, key: the table's headings of the case's own number and of our key; columns: its other headings (ours = theirs);
    next: the text of the link to the next page. form: the page with the form that opens a case (none: the page is read-only), change: of
    the one that changes it, with {} for its number; fields: the names of their fields (ours = theirs), `key` among them.

    Read as a whole; rows that are new or have changed are given. The page knows no key of ours: a case is looked up before it is opened,
    by one process of this machine at a time. A form is sent with what it holds already, hidden fields too. Asked to log in again in the
    middle, it does. timeout: of one answer.
    """

    def __init__(
        self,
        *,
        url: str,
        login: str = "",
        username: str = "",
        password: str = "",
        user_field: str = "username",
        number: str = "Caso",
        key: str = "Clave",
        columns: dict[str, str] | None = None,
        next: str = "Siguiente",  # noqa: A002 - what it says
        form: str = "",
        change: str = "",
        fields: dict[str, str] | None = None,
        timeout: timedelta = timedelta(seconds=30),
    ) -> None:
        if bool(login) != bool(username and password):
            raise ValueError("login: needs username and password" if login else "username: needs login")
        if change and "{}" not in change:
            raise ValueError("change: must have {} where the case's number goes")
        self.session = Session(url, timeout=timeout)
        if form and not (fields or {}).get("key"):
            raise ValueError("fields: must say which field of the form takes our key: fields.key")
        self.url, self._next, self._form, self._change = url, next, form, change
        self._login = Login(urljoin(url, login), {user_field: username}, (username, password)) if login else None
        self.fields = Fields(reads={"case_id": number}, writes={}, given=columns, key=key, nested=False)
        sent = {name: theirs for name, theirs in (fields or {}).items() if name != "key"}
        self._sent = Fields(reads={}, writes={}, given=sent, key=(fields or {}).get("key", key), nested=False)
        self._number, self._key = number, key

    def poll(self, cursor: Cursor | None, now: datetime, since: datetime | None) -> Batch:  # noqa: ARG002 - it has no dates to ask by
        """The rows that are new or have changed."""
        found, rejects = self._rows()
        rows = [self.fields.row(row) for row in found]
        return changed(rows, [str(row["case_id"]) for row in rows], cursor, now, self.session.shown, rejects)

    def open(self, case: Case) -> str:
        """The number of the case with this key, looked up before the form is sent."""
        if not self._form:
            raise SourceError(
                f"{self.session.shown}: is read-only: give the form that opens a case", permanent=True, fault="refused"
            )
        with turn(self.session.shown, case.key):
            found = self._find(case.key)
            if found is None:
                self._send(urljoin(self.url, self._form), self._sent.opening(case))
                found = self._find(case.key)
        if found is None:
            raise SourceError(
                f"{self.session.shown}: what the form opened is not in the table by its {self._key!r}",
                fault="unreadable",
            )
        return found

    def update(self, case: Case) -> None:
        """Send the form that changes the case with this key."""
        if not self._change:
            raise SourceError(
                f"{self.session.shown}: is read-only: give the form that changes a case",
                permanent=True,
                fault="refused",
            )
        found = self._find(case.key)
        if found is None:
            raise no_case(self.session.shown, case.key)
        self._send(urljoin(self.url, self._change.replace("{}", found)), self._sent.present(case))

    def check(self) -> str:
        """How many rows there are."""
        return f"{self.session.shown}: {len(self._rows()[0])} rows"

    def _find(self, key: str) -> str | None:
        return next((row[self._number] for row in self._rows()[0] if row.get(self._key) == key), None)

    def _rows(self) -> tuple[list[dict[str, str]], list[Reject]]:
        """The table's rows by heading, of all its pages, and what has not as many cells."""
        found: list[dict[str, str]] = []
        rejects: list[Reject] = []
        seen: set[str] = set()
        url = self.url
        while url not in seen and len(seen) < MOST:
            seen.add(url)
            page = self._page(url)
            heads, rows = self._table(page)
            for row in rows:
                if len(row) == len(heads):
                    found.append(dict(zip(heads, row, strict=True)))
                elif len(row) > 1:  # one cell alone says something about the table
                    why = f"has {len(row)} cells, and the table {len(heads)} headings"
                    rejects.append(Reject(f"{shown(url)}: row {len(found) + len(rejects) + 1}", why))
            url = urljoin(url, page.links.get(self._next, "")) or url
        return found, rejects

    def _table(self, page: Markup) -> tuple[list[str], list[list[str]]]:
        wanted = {theirs for theirs in self.fields.reads.values() if theirs}
        for table in page.tables:
            if table and wanted <= {*table[0]}:
                return table[0], table[1:]
        if not page.tables:
            raise SourceError(f"{self.session.shown}: the page has no table", fault="unreadable")
        there = "; ".join(", ".join(table[0]) for table in page.tables if table)
        named = ", ".join(sorted(wanted))
        raise SourceError(
            f"{self.session.shown}: no table has the headings {named}; there is: {there}",
            permanent=True,
            fault="unreadable",
        )

    def _page(self, url: str) -> Markup:
        """The page, after logging in if it asks for that."""
        page = self._asked(url)
        if page is None and self._login:
            self._log_in(self._login)
            page = self._asked(url)
        if page is None:
            raise SourceError(
                f"{self.session.shown}: asks to log in, and takes neither name nor password",
                permanent=True,
                fault="login",
            )
        return page

    def _asked(self, url: str) -> Markup | None:
        """The page; None if it leads to the log-in or is it."""
        answer = self.session.ask("GET", url, accept=MOVED, parse=False)
        page = _read(url, answer.text)
        return None if answer.status in MOVED or any(form.secret for form in page.forms) else page

    def _log_in(self, login: Login) -> None:
        where = login.url
        page = _read(where, self.session.ask("GET", where, parse=False).text)
        form = next((form for form in page.forms if form.secret), None)
        if form is None:
            raise SourceError(f"{shown(where)}: has no form with a password", permanent=True, fault="login")
        self._post(where, form, {**login.form, form.secret: login.basic[1] if login.basic else ""})

    def _send(self, where: str, sent: dict[str, Any]) -> None:
        """The form of a page, filled in."""
        page = self._page(where)
        form = next((form for form in page.forms if set(sent) & set(form.fields)), None)
        if form is None:
            raise SourceError(
                f"{shown(where)}: no form has the fields {', '.join(sent)}", permanent=True, fault="unreadable"
            )
        if lacking := [name for name in sent if name not in form.fields]:
            raise SourceError(
                f"{shown(where)}: its form has no field {', '.join(lacking)}", permanent=True, fault="unreadable"
            )
        self._post(where, form, sent)

    def _post(self, where: str, form: Form, sent: dict[str, Any]) -> None:
        body = urlencode({**form.fields, **{name: str(value) for name, value in sent.items()}}).encode()
        self.session.ask(
            "POST", urljoin(where, form.action), body=body, headers=FORM, accept=MOVED, repeat=False, parse=False
        )


def _read(where: str, text: bytes) -> Markup:
    try:
        return Markup(text.decode(errors="replace"))
    except ValueError as error:
        raise SourceError(f"{shown(where)}: {error}", permanent=True, fault="unreadable") from None
