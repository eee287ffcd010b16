"""Log-ins that are refused: after a few in a row a source is left alone for a while, for each more may lock its user."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from connectors import SourceError
from monitor import tables as t
from monitor.store import Store

FEW = 3
"""Refusals in a row, each at its poll, after which it rests."""
REST = timedelta(minutes=10)
"""How long at first; twice as long after each more,"""
LONGEST = timedelta(hours=1)
"""but no longer than this."""
REFUSED = "refusals"
"""The mark that keeps them for the next process, where each lives for one cycle."""


class Refusals:
    """Of one source, since it was made: one that is configured anew begins anew."""

    def __init__(self) -> None:
        self._many, self._until = 0, datetime.min.replace(tzinfo=UTC)
        self._words = ""

    @contextmanager
    def heeded(self, now: datetime) -> Iterator[None]:
        """Within, the source is asked; raises SourceError in its place while it rests."""
        if now < self._until:
            again = f"asked again at {self._until.astimezone(UTC):%H:%M} UTC, lest a user be locked"
            raise SourceError(f"{self._words}; refused {self._many} times: {again}", whole=True, fault="login")
        try:
            yield
        except SourceError as error:
            if not (error.permanent and error.fault == "login"):
                raise
            self._many += 1
            self._words = str(error)
            if self._many >= FEW:
                self._until = now + min(REST * 2 ** min(self._many - FEW, FEW), LONGEST)
            raise
        self._many = 0

    def kept(self) -> tuple[int, str, str]:
        """What `again` takes."""
        return self._many, self._until.isoformat(), self._words

    def again(self, many: int, until: str, words: str) -> None:
        """As they were before."""
        self._many, self._until, self._words = many, datetime.fromisoformat(until), words


def recall(store: Store, refusals: Mapping[str, Refusals]) -> None:
    """Take up, by source, what `keep` kept."""
    for name, kept in json.loads(store.marks().get(REFUSED, "{}")).items():
        if name in refusals:
            refusals[name].again(*kept)


def keep(store: Store, refusals: Mapping[str, Refusals]) -> None:
    """Those of sources that were refused last."""
    kept = {name: one.kept() for name, one in refusals.items() if one.kept()[0]}
    if kept or REFUSED in store.marks():
        store.put(t.meta, [{"key": REFUSED, "value": json.dumps(kept)}])
