"""What an API has told already: the newest value of a column, and the rows near it, known again by their digests."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, Literal

from connectors import AHEAD, answers
from connectors.values import digest, lies_ahead

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from connectors import Cursor

Form = Literal["iso", "s", "ms", "number"]
Row = tuple[int, dict[str, Any]]
"""A row with its number on its page."""
OLDEST = datetime(1900, 1, 1, tzinfo=UTC)
TOLD = 200
"""Rows without a place that are known again in the next round."""
_ZONES = timedelta(days=1)
"""How far a time that carries no offset may lie from UTC, rounded up."""


class Since:
    """The parameter that asks for what is new.

    parameter: its name, or `name=text around {}`; column: whose newest value it takes; form, overlap: as of the source; written: how a
    time is written that is not written as it was read.
    """

    def __init__(
        self,
        parameter: str,
        column: str,
        form: Form,
        overlap: timedelta,
        *,
        written: Callable[[datetime], str] | None = None,
    ) -> None:
        self._name, _, text = parameter.partition("=")
        self._text = text or "{}"
        if not self._name or "{}" not in self._text:
            raise ValueError("since: must be a parameter's name, or name=text with {} where the value goes")
        if overlap < timedelta(0):
            raise ValueError("overlap: must not be less than 0s")
        self.column, self._form, self._written = column, form, written
        self._unit = {"s": timedelta(seconds=1), "ms": timedelta(milliseconds=1)}.get(form)
        self.overlap: Any = overlap if form == "iso" else Decimal(overlap / self._unit) if self._unit else Decimal(0)

    def params(self, newest: str | None, first: datetime | None) -> dict[str, str]:
        """What to ask with: after `newest`, less the overlap; at the very first, from the day before `first`."""
        if newest is not None:
            value = self._back(newest)
        elif first is not None and self._form != "number":
            start = max(first.astimezone(UTC), OLDEST + _ZONES) - _ZONES
            epoch = datetime(1970, 1, 1, tzinfo=UTC)
            written = self._written or "{:%Y-%m-%dT%H:%M:%SZ}".format
            value = str((start - epoch) // self._unit) if self._unit else written(start)
        else:
            return {}
        return {self._name: self._text.replace("{}", value)}

    def order(self, value: Any) -> Any:
        """The value as what can be compared; None if it is not of the form."""
        if self._form == "iso":
            try:
                time = datetime.fromisoformat(value)
                time = (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)
            except (TypeError, ValueError, OverflowError):
                return None
            return time if time > OLDEST + self.overlap else None
        try:
            number = Decimal(str(value)) if isinstance(value, int | float | str) and value is not True else None
        except InvalidOperation:
            return None
        return number if number is not None and number.is_finite() else None

    def ahead(self, value: str, now: datetime) -> bool:
        """Whether the value is a time too far ahead: a wrong clock or a sentinel does not move the reading on."""
        if self._form == "iso":
            return lies_ahead(datetime.fromisoformat(value), now)
        epoch = datetime(1970, 1, 1, tzinfo=UTC)
        return self._unit is not None and Decimal(value) > Decimal((now + AHEAD - epoch) / self._unit)

    def _back(self, newest: str) -> str:
        """Less the overlap, written as it was: with its offset or without, to the same fraction of a second."""
        if self._form != "iso":
            back = self.order(newest) - self.overlap
            return str(int(back)) if self._unit else str(back)
        time = datetime.fromisoformat(newest) - self.overlap
        if self._written:
            return self._written(time)
        digits = len(found[1]) if (found := re.search(r"\.(\d+)", newest)) else 0
        text = time.isoformat(timespec={0: "seconds", 3: "milliseconds"}.get(digits, "microseconds"))
        return re.sub(r"\+00:00$", "Z", text) if newest.endswith(("Z", "z")) else text


class Reading:
    """Where the reading stands, over the pages of one round: made of a cursor, and made into one again.

    `newest`: the newest value, as written; `round`: what the caller keeps between its pages (None: a new one begins).
    Rows that were given already are known: those of the round before within the overlap of its newest value, and, once
    a round begins again, those of its first try. Rows older than what was asked for are passed over.
    """

    def __init__(self, since: Since, cursor: Cursor | None) -> None:
        self._since = since
        cursor = cursor or {}
        newest = cursor.get("newest")
        if "newest" not in cursor or (newest is not None and since.order(newest) is None):
            cursor, newest = {}, None  # another kind's, or of another column
        self.newest: str | None = newest
        self.round: dict[str, Any] | None = cursor.get("round")
        self._start: str | None = cursor.get("start") if self.round else newest
        seen = {value: dict(rows) for value, rows in cursor.get("seen", {}).items()}
        known = {value: dict(rows) for value, rows in cursor.get("known", {}).items()}
        self._known, self._seen = (known, seen) if self.round else (seen, {})
        bad: dict[str, int] = dict(cursor.get("wrong", {}))
        self._bad_known: dict[str, int] = dict(cursor.get("wrong_before", {})) if self.round else bad
        self._bad: dict[str, int] = bad if self.round else {}

    def take(
        self, rows: Iterable[Row], now: datetime, began: datetime | None = None
    ) -> tuple[list[Row], list[tuple[int, str]]]:
        """The rows of a page that were not given yet, and what is wrong with those that the column does not place.

        began: when the round did, if other pages of it have been read: something may have changed on them since, so that the next round
        asks again from then on.
        """
        latest = min(now, began - AHEAD) if began else now
        order, column = self._since.order, self._since.column
        placed, wrong = [], []
        for number, row in rows:
            value = answers.reached(row, column)
            if (at := order(value)) is None:
                wrong.append(
                    (number, f"{column} is missing" if value in (None, "") else f"{column} is of another form")
                )
                continue
            placed.append((at, str(value), number, row))
        newest = [(order(self.newest), self.newest)] if self.newest is not None else []
        newest += [(at, value) for at, value, _, _ in placed if not self._since.ahead(value, latest)]
        if newest:
            self.newest = max(newest, key=lambda one: one[0])[1]
        floor, start = self._floor(self.newest), self._floor(self._start)
        fresh = []
        for at, value, number, row in placed:
            if start is not None and at < start:
                continue  # given in an earlier round: the server takes the parameter for something wider
            near = floor is None or at >= floor
            if near or value in self._known:
                mark = digest([json.dumps(row, sort_keys=True)])
                if near:
                    here = self._seen.setdefault(value, {})
                    here[mark] = here.get(mark, 0) + 1
                before = self._known.get(value, {})
                if before.get(mark):
                    before[mark] -= 1
                    continue
            fresh.append((number, row))
        return fresh, wrong

    def news(self, mark: str) -> bool:
        """Whether a row that cannot be used, by its digest, came less often in the round before: servers give some at every round."""
        if mark in self._bad or len(self._bad) < TOLD:
            self._bad[mark] = self._bad.get(mark, 0) + 1
        return self._bad.get(mark, 1) > self._bad_known.get(mark, 0)

    def begin_again(self) -> None:
        """What this round has given is known from now on: its pages are asked for from the first."""
        self._bad_known = {mark: max(self._bad.get(mark, 0), n) for mark, n in (self._bad | self._bad_known).items()}
        self._bad = {}
        self._known, self._seen, self.round = _both(self._known, self._seen), {}, None

    def cursor(self, *, ended: bool) -> Cursor:
        """As it is committed. Of the rows given, only those are kept that the next round may bring again."""
        bad = {"wrong": self._bad} if self._bad else {}
        if ended:
            return {"newest": self.newest, "seen": self._near(_both(self._known, self._seen))} | bad
        bad |= {"wrong_before": self._bad_known} if self._bad_known else {}
        # What was known before may still come on a later page of this round, however new the rows are by now.
        here = {"newest": self.newest, "seen": self._near(self._seen), "known": self._known}
        return here | bad | {"start": self._start, "round": self.round}

    def _near(self, marks: dict[str, dict[str, int]]) -> dict[str, dict[str, int]]:
        floor = self._floor(self.newest)
        near = {v: {mark: times for mark, times in rows.items() if times} for v, rows in marks.items()}
        return {v: rows for v, rows in near.items() if rows and (floor is None or self._since.order(v) >= floor)}

    def _floor(self, newest: str | None) -> Any:
        return None if newest is None else self._since.order(newest) - self._since.overlap


def _both(one: dict[str, dict[str, int]], other: dict[str, dict[str, int]]) -> dict[str, dict[str, int]]:
    both = {value: dict(rows) for value, rows in one.items()}
    for value, rows in other.items():
        here = both.setdefault(value, {})
        for mark, times in rows.items():
            here[mark] = here.get(mark, 0) + times
    return both
