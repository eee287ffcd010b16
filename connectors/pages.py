"""The rows of an API, page by page, what has changed since the last time: how a source or a case tool is read."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import pyarrow as pa

from connectors import Batch, Cursor, Reject, SourceError, answers
from connectors.exchange import Answer
from connectors.headings import headings
from connectors.links import Links
from connectors.nested import halves, unfit
from connectors.session import Session
from connectors.sheet import Sheet
from connectors.since import Reading, Row, Since
from connectors.values import digest, together

MOST = 500_000
"""Rows that are read as a whole."""
EXPIRED = (400, 404, 410)
"""How servers answer who asks for a page that they hold no longer."""
EDGE = 500
"""Rows at the end of a page that are known again at the beginning of the next: they move on where others arrive before them."""
FAR = 1_000_000_000
"""Rows passed that no list has."""
PAST = (400, 404, 410, 416, 422)
"""How servers answer who asks for what lies far past the end."""
PAUSE = timedelta(minutes=5)
"""Between two times that a round begins again, lest it do nothing else."""
Place = list[Any]
"""Where a page lies, JSON-able: ["link", ...] (see `connectors.links`), ["token", text], ["offset", rows passed] or ["after", identity of
the last row]."""
Shape = Callable[[dict[str, Any]], dict[str, Any]]
"""A row as the tool has it -> as it is given."""


class Wrong(NamedTuple):
    """A row that cannot be read: its number, why, and a digest of what it holds."""

    number: int
    why: str
    mark: str


class Page(NamedTuple):
    """Rows with their numbers, where to go on from, what could not be read, and until when nothing is missing (None: more waits).

    names: of its header, where it has one; again: how many could not be read that have been told.
    """

    rows: list[Row]
    cursor: Cursor
    rejects: list[Reject]
    until: datetime | None
    names: list[str]
    again: int = 0


class Pages:
    """A list that is read by GET, page by page, in rounds; see `sources.http` for what the options mean.

    With `since`, one poll is one page, and what of a round has been read is in the cursor; without it, all pages are read at each
    poll and given if anything in them changed. shape: what becomes of a row before it is given; params: on every request but those
    of a page that has an address of its own; sheet: how the rows lie in answers that are CSV; identity: the column that tells a row
    from another that is like it. after: a parameter, and the condition on it that asks for what comes after the row with an identity ({}),
    of a list in the order of that: rows that leave it meanwhile move no other from page to page.
    """

    def __init__(
        self,
        session: Session,
        url: str,
        *,
        rows: str = "",
        next: str = "",  # noqa: A002 - what APIs call it
        page_cursor: str = "",
        offset: str = "",
        identity: str = "",
        after: tuple[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        since: Since | None = None,
        sheet: Sheet | None = None,
        shape: Shape = dict,
    ) -> None:
        self.session, self.url, self.rows, self.next = session, url, rows, next
        self.page_cursor, self.offset, self._identity = page_cursor, offset, identity
        self._params, self._headers, self._since, self._shape = dict(params or {}), headers, since, shape
        self._sheet, self._after = sheet, after
        self._links = Links(session, url, self._params)

    def poll(self, cursor: Cursor | None, now: datetime, since: datetime | None) -> Batch:
        """The next page of the round in which `cursor` stands, else the first of a new one. Raises SourceError."""
        page = self._whole(cursor, now) if self._since is None else self.fresh(self._since, cursor, now, since)
        found = [self._shape(row) for _, row in page.rows]
        table = answers.table(found) if self._sheet is None else _sheet(found, page.names)
        where = [number for number, _ in page.rows]
        return Batch(
            table,
            page.cursor,
            page.until is not None,
            page.until,
            tuple(page.rejects),
            lambda row: self._where(where[row]),
            again=page.again,
        )

    def fresh(self, asked: Since, cursor: Cursor | None, now: datetime, since: datetime | None) -> Page:
        """As `poll`, the rows as they came."""
        reading = Reading(asked, cursor)
        round_ = reading.round or {
            "began": now.isoformat(), "ask": asked.params(reading.newest, since), "page": None
        }  # fmt: skip
        lately = "again" in round_ and now - datetime.fromisoformat(round_["again"]) < PAUSE
        answer = self._ask(round_["page"], round_["ask"], EXPIRED if round_["page"] and not lately else ())
        if answer.status in EXPIRED:
            reading.begin_again()
            round_ = {"began": round_["began"], "ask": round_["ask"], "page": None, "again": now.isoformat()}
            answer = self._ask(None, round_["ask"])
        rows, bad, names = self._rows(answer)
        if self._sheet and asked.column not in names:
            raise self._unreadable(f"its rows have no {asked.column!r}: it has: {headings(names)}")
        next_ = self._next(answer, round_["page"], len(rows) + len(bad))
        round_, rows = self._known(round_, rows, next_)
        began = datetime.fromisoformat(round_["began"])
        fresh, wrong = reading.take(rows, now, began if round_["page"] else None)
        if wrong and len(wrong) == len(rows) and not any(answers.has(row, asked.column) for _, row in rows):
            there = answers.names(rows[0][1])
            raise self._unreadable(f"its rows have no {asked.column!r}: {there}")
        theirs = dict(rows)
        bad += [Wrong(number, why, _mark(theirs[number])) for number, why in wrong]
        told = self._rejects(one for one in bad if reading.news(one.mark))
        reading.round = None if next_ is None else {**round_, "page": next_}
        # What changed after the round began may be on a page that was read before.
        until = min(began, now) if next_ is None else None
        return Page(fresh, reading.cursor(ended=next_ is None), told, until, names, len(bad) - len(told))

    def _known(self, round_: dict[str, Any], rows: list[Row], next_: Place | None) -> tuple[dict[str, Any], list[Row]]:
        """The round with this page's place or end in it, and the rows that the page before did not have.

        Raises SourceError where it would not end: a page leads back to one of the round, or there are rows however many are passed.
        """
        if not self.offset:
            places = [*round_.get("places", [])]
            if next_:
                if (place := digest(next_)) in places:
                    raise self._unreadable("a page leads back to one before it")
                places.append(place)
            return {**round_, "places": places}, rows
        edge: list[str] = round_.get("edge", [])
        marks = [_mark(row) for _, row in rows[:EDGE]]
        ends = marks if len(rows) <= EDGE else [_mark(row) for _, row in rows[-EDGE:]]
        passes = round_.get("passes", False)
        if edge and ends == edge and not passes:  # it may be that all of them are alike
            if self._endless(round_.get("ask", {})):
                raise self._unreadable(f"gives the same rows again: does it know the parameter {self.offset!r}?")
            passes = True
        again = next((n for n in range(min(len(edge), len(marks)), 0, -1) if edge[-n:] == marks[:n]), 0)
        if any(answers.reached(row, self._identity) in (None, "") for _, row in rows[:again]):
            again = 0  # others that are like them
        return {**round_, "edge": ends, "passes": passes}, rows[again:]

    def _endless(self, ask: dict[str, str]) -> bool:
        """Whether there are rows however many are passed."""
        answer = self._ask(["offset", FAR], ask, PAST)
        if answer.status in PAST:
            return False
        with suppress(SourceError):  # no list is no row
            return bool(self._rows(answer)[0])
        return False

    def check(self) -> str:
        """The address and the columns."""
        # Some demand the parameter, and a few would answer with all they have.
        ask = self._since.params(None, datetime.now().astimezone()) if self._since else {}
        rows, _, names = self._rows(self._ask(None, ask))
        there = headings(names or answers.table([self._shape(row) for _, row in rows]).column_names)
        return f"{self.session.shown}: {there or ('no rows of the last day' if ask else 'no rows yet')}"

    def _whole(self, cursor: Cursor | None, now: datetime) -> Page:
        rows: list[Row] = []
        bad: list[Wrong] = []
        page: Place | None = None
        header: list[str] | None = None
        round_: dict[str, Any] = {}
        while True:
            answer = self._ask(page, {})
            found, wrong, names = self._rows(answer)
            if names != (header := names if header is None else header):
                raise self._unreadable(f"a page has another header: {headings(names)}")
            page = self._next(answer, page, len(found) + len(wrong))
            round_, found = self._known(round_, found, page)
            rows += [(len(rows) + i, row) for i, (_, row) in enumerate(found)]
            bad += wrong
            if len(rows) > MOST:
                raise self._unreadable(f"more than {MOST} rows: give `since`")
            if page is None:
                break
        marks = [*(_mark(row) for _, row in rows), *(one.mark for one in bad)]
        here = {"rows": len(rows), "digest": together(marks)}
        if here == cursor:
            return Page([], here, [], now, header or [])
        return Page(rows, here, self._rejects(bad), now, header or [])

    def _rejects(self, wrong: Iterable[Wrong]) -> list[Reject]:
        return [Reject(self._where(one.number), one.why) for one in wrong]

    def _unreadable(self, what: str) -> SourceError:
        return SourceError(f"{self.session.shown}: {what}", permanent=True, fault="unreadable")

    def _where(self, number: int) -> str:
        return f"{self.session.shown}: row {number + 1}"

    def _ask(self, page: Place | None, ask: dict[str, str], accept: tuple[int, ...] = ()) -> Answer:
        how, place, *_ = page or ["", ""]
        if page and how == "link":
            where = self._links.whole(page)
            return self.session.ask("GET", where, headers=self._headers, accept=accept, parse=not self._sheet)
        sent = self._params | ask
        if self._after and how == "after":
            name, condition = self._after
            sent[name] = " AND ".join(filter(None, (sent.get(name), condition.replace("{}", str(place)))))
        elif how:
            sent[self.page_cursor if how == "token" else self.offset] = str(place)
        return self.session.ask(
            "GET", self.url, params=sent, headers=self._headers, accept=accept, parse=not self._sheet
        )

    def _rows(self, answer: Answer) -> tuple[list[Row], list[Wrong], list[str]]:
        if self._sheet:
            rows, malformed, names = self._sheet.rows(answer.text, self.session.shown)
            return rows, [Wrong(number, why, digest([text])) for number, why, text in malformed], names
        found = answers.reached(answer.body, self.rows) if self.rows else answer.body
        if not isinstance(found, list):
            if self.rows and found is None:
                what = f"the answer has no {self.rows!r}: {answers.names(answer.body)}"
            else:
                what = f"{repr(self.rows) if self.rows else 'the answer'} is no list: {answers.names(found)}"
            raise self._unreadable(what)
        if not found and (said := [name for name in ("error", "errors") if answers.reached(answer.body, name)]):
            raise self._unreadable(f"the answer has no rows but {said[0]!r}")
        half = halves(answer.text)
        wrong = [unfit(row, halves=half) if isinstance(row, dict) else "not a JSON object" for row in found]
        bad = [Wrong(i, why, _mark(found[i])) for i, why in enumerate(wrong) if why]
        return [(i, row) for i, row in enumerate(found) if not wrong[i]], bad, []

    def _next(self, answer: Answer, page: Place | None, rows: int) -> Place | None:
        """Where the next page lies; None if this is the last."""
        how, place, *_ = page or ["", ""]
        if self._after:
            last = self._rows(answer)[0][-1:]
            return ["after", answers.needed(last[0][1], self._identity, self.session.shown)] if last else None
        if self.offset:
            return ["offset", (place if how == "offset" else 0) + rows] if rows else None
        found = answers.reached(answer.body, self.next) if self.next else answer.next
        if found in (None, "", False):
            return None
        if not isinstance(found, str | int):
            raise self._unreadable(f"{self.next!r} is no text: {answers.names(found)}")
        link = (
            ["token", str(found)] if self.page_cursor else self._links.kept(str(found), page if how == "link" else None)
        )
        if link == page:
            raise self._unreadable("a page names itself as the next")
        return link


def _mark(row: Any) -> str:
    try:
        return digest([json.dumps(row, sort_keys=True)])
    except RecursionError:
        return digest([answers.names(row)])


def _sheet(rows: list[dict[str, Any]], names: list[str]) -> pa.Table:
    """As its header says: a column that is asked for and is not there is told, though no row is."""
    return pa.table({name: pa.array([row[name] for row in rows], pa.string()) for name in names})
