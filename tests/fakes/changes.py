"""What a delta query is answered from: every change in order, tokens that stand for a place in it, and when they are no longer good."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from tests.fake_api import Asked, Said


@dataclass
class Changes:
    """The changes of a list.

    log: the id of each; what: by id and place in the log, which properties changed, where it was not all; since: tokens from before this
    are gone; twice: whether a page has the former state of its first row before it, as Graph may.

    After a token a row that was there before has its id and what has changed, as the overview of delta queries has it.
    """

    log: list[str] = field(default_factory=list)
    what: dict[int, frozenset[str]] = field(default_factory=dict)
    since: int = 0
    twice: bool = False

    def note(self, name: str, *changed: str) -> None:
        if changed:
            self.what[len(self.log)] = frozenset(changed)
        self.log.append(name)

    def forget(self) -> None:
        """Tokens given out so far are no longer good."""
        self.log.append("")
        self.since = len(self.log)

    def told(
        self, asked: Asked, address: str, rows: dict[str, dict[str, Any]], size: int, gone: Any = None
    ) -> Said | None:
        """A page; None if its token is gone. gone: what is told of an id that is no more."""
        start, stop = int(asked.query.get("$deltatoken", 0)), len(self.log)
        first = 0
        if "$skiptoken" in asked.query:
            start, stop, first = (int(n) for n in asked.query["$skiptoken"].split("."))
        if (stop if first else start or stop) < self.since:
            return None
        names = [name for name in dict.fromkeys(reversed(self.log[start:stop])) if name][::-1]
        if not start:
            names = [name for name in names if name in rows]  # at first, what is there
        page = [
            self._part(rows[name], name, start, stop) if name in rows else gone(name)
            for name in names[first : first + size]
        ]
        if self.twice and page:
            page = [{**page[0], "fields": {"Title": "antes"}}, *page]
        if first + size < len(names):
            link = {"@odata.nextLink": f"{address}?{urlencode({'$skiptoken': f'{start}.{stop}.{first + size}'})}"}
        else:
            link = {"@odata.deltaLink": f"{address}?{urlencode({'$deltatoken': stop})}"}
        return Said(body={"@odata.context": "...", "value": page, **link})

    def _part(self, row: dict[str, Any], name: str, start: int, stop: int) -> dict[str, Any]:
        places = [n for n in range(start, stop) if self.log[n] == name]
        if not start or any(n not in self.what for n in places):
            return row
        changed = frozenset({"id"}).union(*(self.what[n] for n in places))
        return {key: value for key, value in row.items() if key in changed}


def empty(url: str, asked: Asked) -> Said:
    """A page that holds nothing, and is not the last: so may the first be of what is filtered."""
    query = urlencode({**asked.query, "$skiptoken": "1"})
    return Said(body={"value": [], "@odata.nextLink": f"{url}{asked.path}?{query}"})
