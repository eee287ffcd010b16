"""A web page with a table of cases, behind a form to log in: how a tool is read that has no other door."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from connectors import Batch, Case, Cursor, Reject, SourceError
from connectors.addresses import joined, shown
from connectors.browser import Browser
from connectors.changed import changed
from connectors.exchange import Answer
from connectors.fields import FORM, PRESENT, Fields, no_case
from connectors.forms import CHANGING, OPENING, fits
from connectors.login import Login
from connectors.markup import Markup
from connectors.once import Once
from connectors.session import Session
from connectors.turns import turn

MOST = 200
"""Pages of a table."""
TIMES = 2
"""That a form is sent, where it led to the log-in."""


class Webpage:
    """The rows of a table on a page.

    url: of the page; login: of the page with the form to log in; username, password: for it, and user_field: the name of its field for
    the name. number, key: the table's headings of the case's own number and of our key; columns: its other headings (ours = theirs);
    next: the text of the link to the next page. form: the page with the form that opens a case (none: the page is read-only), change: of
    the one that changes it, with {} for its number; fields: the names of their fields (ours = theirs), `key` among them;
    statuses: our words for a status = theirs, where the form has a list of its own: others are not written.

    Read as a whole, MOST pages at most; rows that are new or have changed are given. The page knows no key of ours: a case is looked up
    before it is opened, by one process of this machine at a time. A form is sent with what it holds already, hidden fields too; what
    changes a case must be seen in its row afterwards (of a table that shows neither status nor note, the form must lead on to a page).
    Asked to log in again in the middle, it does, and sends the form once more. timeout: of one answer.
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
        statuses: dict[str, str] | None = None,
        timeout: timedelta = timedelta(seconds=30),
    ) -> None:
        if bool(login) != bool(username and password):
            raise ValueError("login: needs username and password" if login else "username: needs login")
        if change and "{}" not in change:
            raise ValueError("change: must have {} where the case's number goes")
        self.session = Session(url, timeout=timeout, also=(login, form, change.partition("{}")[0]))
        if form and not (fields or {}).get("key"):
            raise ValueError("fields: must say which field of the form takes our key: fields.key")
        self.url, self._next, self._form, self._change = url, next, form, change
        self.reads_only = "" if form else "the block has no `form`"
        door = Login(joined(url, login), {user_field: username}, (username, password)) if login else None
        self._browser = Browser(self.session, door)
        self._once = Once(self.session.shown)
        self.fields = Fields(reads={"case_id": number}, writes={}, given=columns, key=key, nested=False)
        sent = {name: theirs for name, theirs in (fields or {}).items() if name != "key"}
        taken = (fields or {}).get("key", key)
        self._sent = Fields(reads={}, writes={}, given=sent, key=taken, statuses=statuses, nested=False)
        self._number, self._key, self._taken = number, key, {*sent}

    def poll(self, cursor: Cursor | None, now: datetime, since: datetime | None) -> Batch:  # noqa: ARG002 - it has no dates to ask by
        """The rows that are new or have changed."""
        found, rejects = self._rows()
        rows = [self.fields.row(row) for row in found]
        return changed(rows, [str(row["case_id"]) for row in rows], cursor, now, self.session.shown, rejects)

    def open(self, case: Case) -> str:
        """The number of the case with this key, looked up before the form is sent."""
        if not self._form:
            raise self._read_only("opens")
        form, sent = joined(self.url, self._form), self._sent.opening(case)
        with turn(self.session.shown, case.key):
            found = self._find(case.key)
            for _ in range(TIMES):
                if found is None:
                    answer = self._once.send(case.key, lambda: self._browser.send(form, sent), self._taken_by)
                    found = self._find(case.key)
                    if answer:
                        break
        if found is None:
            words = f"{self.session.shown}: what the form opened is not in the table by its {self._key!r}"
            raise SourceError(words, fault="unreadable")
        self._once.found(case.key)
        return found[self._number]

    def update(self, case: Case) -> None:
        """Send the form that changes the case with this key."""
        if not self._change:
            raise self._read_only("changes")
        found = self._find(case.key)
        if found is None:
            raise no_case(self.session.shown, case.key)
        if not self._sent.present(case):
            return  # a status that the tool has no word for
        where = self._changes(found)
        for _ in range(TIMES):
            answer = self._browser.send(where, self._sent.present(case))
            after = self._find(case.key)
            if after != found or self._shows(after, case, moved=answer is not None and bool(answer.place)):
                return
            if answer:
                break
        words = (
            f"{self.session.shown}: the form was sent, and the row of case {found[self._number]} is as it was before"
        )
        raise SourceError(words, permanent=True, fault="refused")

    def check(self) -> str:
        """How many rows there are, and whether the forms fit; the one that changes a case is of one of ours, or of the last there is."""
        rows = self._rows()[0]
        said = [f"{self.session.shown}: {len(rows)} rows"]
        if self._form:
            names = [name for name in (*self._taken, "key") if name != "note"]  # of a case that is over
            fits(self._browser, joined(self.url, self._form), self._sent, names, OPENING)
            said.append("the form that opens a case has what is sent")
        if self._change:
            ours = [row for row in rows if re.match(FORM, row.get(self._key, ""))]
            if names := [name for name in PRESENT if name in self._taken]:
                for row in (ours or rows)[-1:]:
                    fits(self._browser, self._changes(row), self._sent, names, CHANGING)
                said.append(
                    "so has the one that changes it" if rows else "the one that changes it is seen with a first case"
                )
        return "; ".join(said)

    def _taken_by(self, answer: Answer | None) -> bool:
        """Whether a form was taken: it leads on to a page then, and not to itself."""
        return answer is not None and answer.place not in ("", self._form)

    def _read_only(self, what: str) -> SourceError:
        words = f"{self.session.shown}: is read-only: give the form that {what} a case"
        return SourceError(words, permanent=True, fault="refused")

    def _changes(self, row: dict[str, str]) -> str:
        return joined(self.url, self._change.replace("{}", row[self._number]))

    def _shows(self, row: dict[str, str], case: Case, *, moved: bool) -> bool:
        """Whether a row says what the form has sent."""
        present, written = self._sent.present(case), self._sent.written
        sent = {name: " ".join(present.get(written[name], "").split()) for name in PRESENT if name in self._taken}
        told = {name: self.fields.reads[name] for name, said in sent.items() if said and self.fields.reads.get(name)}
        if told:
            return all(row.get(there) == sent[name] for name, there in told.items())
        return moved or (bool(status := sent.get("status")) and status in row.values())

    def _find(self, key: str) -> dict[str, str] | None:
        """The row with our key; None if there is none."""
        return next((row for row in self._rows()[0] if row.get(self._key) == key), None)

    def _rows(self) -> tuple[list[dict[str, str]], list[Reject]]:
        """The table's rows by heading, of all its pages, and what has not as many cells."""
        found: list[dict[str, str]] = []
        rejects: list[Reject] = []
        seen: set[str] = set()
        url = self.url
        while url not in seen:
            if len(seen) == MOST:
                words = f"{self.session.shown}: has more than {MOST} pages: give the address of a list that has fewer"
                raise SourceError(words, permanent=True, fault="unreadable")
            seen.add(url)
            page = self._browser.page(url)
            heads, rows = self._table(page)
            for row in rows:
                if len(row) == len(heads):
                    found.append(dict(zip(heads, row, strict=True)))
                elif len(row) > 1:  # one cell alone says something about the table
                    why = f"has {len(row)} cells, and the table {len(heads)} headings"
                    rejects.append(Reject(f"{shown(url)}: row {len(found) + len(rejects) + 1}", why))
            url = joined(url, page.links.get(self._next, "")) or url
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
        words = f"{self.session.shown}: no table has the headings {named}; there is: {there}"
        raise SourceError(words, permanent=True, fault="unreadable")
