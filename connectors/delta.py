"""Lists that tell what has changed since a token of their own (delta queries of Microsoft Graph and Dataverse)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from connectors import Batch, Cursor, Reject, SourceError, answers
from connectors.addresses import joined
from connectors.listed import NEXT
from connectors.session import Session
from connectors.since import OLDEST

LAST = "@odata.deltaLink"
GONE = (400, 404, 410)
"""How a server answers who comes with a token that it holds no longer."""
NOT_FOUND = 404
PAUSE = timedelta(minutes=5)
"""Between two times that the reading starts over, lest it do nothing else."""


class Delta:
    """A list that is read page by page to its delta link, and from there on again.

    url, params, headers: of the very first page (headers: of all); changed: the name, in a row, of the time of its last change, by which
    what is older than the first start is passed over; shape: a row as the tool has it -> as it is given, None for one that is none; one
    on which it stumbles is told, and the others go on. lacks: whether a row has not all that `shape` needs: of what has changed a page
    may hold no more than that, and the row is asked for whole, at `one` by its id (one_params: with these).

    A page is named by its link, which the cursor holds. A token that is no longer good starts the reading over: what is there comes once
    more, and what was deleted meanwhile is not told. Of a row that a page has more than once, the last counts.
    """

    def __init__(
        self,
        session: Session,
        url: str,
        *,
        changed: str,
        shape: Callable[[dict[str, Any]], dict[str, Any] | None],
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        id: str = "id",  # noqa: A002 - what it is
        lacks: Callable[[dict[str, Any]], bool] = lambda row: False,  # noqa: ARG005 - all rows are whole
        one: str = "",
        one_params: Mapping[str, str] | None = None,
    ) -> None:
        self.session, self.url, self._params, self._headers = session, url, params, headers
        self._changed, self._shape, self._id = changed, shape, id
        self._lacks, self._one, self._one_params = lacks, one, one_params

    def poll(self, cursor: Cursor | None, now: datetime, since: datetime | None) -> Batch:
        """The next page. Raises SourceError."""
        held: Cursor = cursor if cursor and isinstance(cursor.get("link"), str) else {"link": ""}
        held = {"began": now.isoformat(), "since": since.isoformat() if since else None, **held}
        lately = "again" in held and now - datetime.fromisoformat(held["again"]) < PAUSE
        link = joined(self.url, held["link"]) if held["link"] else ""
        accept = GONE if link and not lately else ()
        answer = self.session.ask(
            "GET", link or self.url, params=None if link else self._params, headers=self._headers, accept=accept
        )
        if answer.status in GONE:
            held = {**held, "link": "", "began": now.isoformat(), "again": now.isoformat()}
            answer = self.session.ask("GET", self.url, params=self._params, headers=self._headers)
        rows, rejects = self._rows(answer.body, held["since"])
        next_, last = (answers.reached(answer.body, name) for name in (NEXT, LAST))
        if not isinstance(next_ or last, str):
            raise SourceError(
                f"{self.session.shown}: the answer has neither {NEXT} nor {LAST}: {answers.names(answer.body)}",
                permanent=True,
                fault="unreadable",
            )
        self.session.stays(joined(self.url, next_ or last))
        until = None if next_ else min(datetime.fromisoformat(held["began"]), now)
        after: Cursor = {"link": next_ or last, **{name: held[name] for name in ("since", "again") if name in held}}
        after |= {"began": held["began"]} if next_ else {}
        return Batch(answers.table(rows), after, until is not None, until, tuple(rejects))

    def check(self) -> str:
        """Whether the list can be read, and the columns of its first page."""
        answer = self.session.ask("GET", self.url, params=self._params, headers=self._headers)
        rows, _ = self._rows(answer.body, None)
        return f"{self.session.shown}: {', '.join(answers.table(rows).column_names) or 'no rows yet'}"

    def _rows(self, body: Any, since: str | None) -> tuple[list[dict[str, Any]], list[Reject]]:
        found = answers.reached(body, "value")
        if not isinstance(found, list):
            raise SourceError(
                f"{self.session.shown}: the answer has no 'value': {answers.names(body)}",
                permanent=True,
                fault="unreadable",
            )
        rejects = [
            Reject(f"{self.session.shown}: row {i + 1}", "not a JSON object")
            for i, row in enumerate(found)
            if not isinstance(row, dict)
        ]
        last = {str(row.get(self._id)): (i, row) for i, row in enumerate(found) if isinstance(row, dict)}
        first = datetime.fromisoformat(since) if since else OLDEST
        rows = []
        for i, row in last.values():
            if not self._late_enough(row, first):
                continue
            try:
                whole = self._whole(row)
                shaped = self._shape(whole) if whole is not None and self._late_enough(whole, first) else None
            except SourceError as error:
                if error.whole or not error.permanent:
                    raise
                rejects.append(Reject(f"{self.session.shown}: row {i + 1}", str(error)))
                continue
            except Exception as error:  # noqa: BLE001 - whatever stands in it, it is that row's trouble alone
                why = f"cannot be read ({type(error).__name__})"
                rejects.append(Reject(f"{self.session.shown}: row {i + 1}", why))
                continue
            rows += [] if shaped is None else [shaped]
        return rows, rejects

    def _whole(self, row: dict[str, Any]) -> dict[str, Any] | None:
        """All of a row; None for one that is there no more."""
        if not self._lacks(row):
            return row
        name = answers.needed(row, self._id, self.session.shown)
        address = f"{self._one}/{quote(name, safe='')}"
        answer = self.session.ask("GET", address, params=self._one_params, headers=self._headers, accept=(404,))
        if answer.status == NOT_FOUND:
            return None
        if not isinstance(answer.body, dict):
            raise SourceError(f"{self.session.shown}: {answers.names(answer.body)}", permanent=True, fault="unreadable")
        return answer.body

    def _late_enough(self, row: dict[str, Any], first: datetime) -> bool:
        try:
            return datetime.fromisoformat(str(answers.reached(row, self._changed))) >= first
        except (ValueError, TypeError):
            return True
