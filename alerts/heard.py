"""The clients' own cases as their tools tell them: the newest row of each, and which of them may still be tied to a case of ours."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from heapq import heappop, heappush

from alerts import TheirCase
from alerts.promises import first_word


class Heard(dict[tuple[str, str], TheirCase]):
    """By the tool and its number, which another tool may give too."""

    def __init__(self, cases: Iterable[TheirCase] = ()) -> None:
        super().__init__()
        self._by_client: dict[str, dict[tuple[str, str], TheirCase]] = {}
        self._unseen: list[tuple[datetime, tuple[str, str]]] = []
        self._loose: dict[str, dict[tuple[str, str], None]] = {}
        self._news: set[str] = set()
        self.learn(cases)

    def learn(self, cases: Iterable[TheirCase]) -> list[TheirCase]:
        """Take in cases as the tools tell them; the newest row of one wins. Those that were news."""
        news = []
        for case in cases:
            key = (case.source, case.case_id)
            old = self.get(key)
            if old and old.updated_at and case.updated_at and case.updated_at < old.updated_at:
                continue
            if old:
                case = first_word(old, case)  # noqa: PLW2901 - the row, as it is kept
                self._by_client.get(old.client_id, {}).pop(key, None)
            self[key] = case
            news.append(case)
            if case.reported_by != "monitor":
                self._by_client.setdefault(case.client_id, {})[key] = case
                heappush(self._unseen, (case.opened_at, key))
        return news

    def of(self, client_id: str) -> Iterable[TheirCase]:
        """The client's."""
        return self._by_client.get(client_id, {}).values()

    def stir(self, clients: Iterable[str]) -> None:
        """What touches these clients may be other than it was."""
        self._news.update(clients)

    def loosen(self, case: TheirCase) -> None:
        """It may be tied, be it anew."""
        self._loose.setdefault(case.client_id, {})[case.source, case.case_id] = None
        self._news.add(case.client_id)

    def stirred(self, at: datetime) -> Iterator[tuple[str, list[TheirCase]]]:
        """The clients with news by `at` and their cases that may be tied; whoever asks says which are `left`."""
        while self._unseen and self._unseen[0][0] <= at:
            self.loosen(self[heappop(self._unseen)[1]])
        news, self._news = sorted(self._news & self._loose.keys()), set()
        for client in news:
            yield client, [self[key] for key in self._loose[client]]

    def left(self, client_id: str, cases: Iterable[TheirCase]) -> None:
        """These alone may still be tied."""
        self._loose[client_id] = {(case.source, case.case_id): None for case in cases}
