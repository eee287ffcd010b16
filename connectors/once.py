"""Openings in tools that know no key of ours: none is sent again while it may be under way, or once it was taken."""

from __future__ import annotations

import time
from collections.abc import Callable
from math import inf
from typing import TypeVar

from connectors import SourceError

LATE = 120.0
"""Seconds that it is waited whether a case appears whose opening was not answered in time: the tool may be at work on it still."""
_T = TypeVar("_T")


class Once:
    """What one desk has sent since it was made, by key. place: with which its errors begin."""

    def __init__(self, place: str) -> None:
        self._place, self.clock = place, time.monotonic
        self._until: dict[str, float] = {}

    def send(self, key: str, opening: Callable[[], _T], taken: Callable[[_T], bool] = lambda _: True) -> _T | None:
        """What `opening` answers; None where one was taken before (and the tool does not show it: another would be shown as little).

        Raises SourceError, also (busy) while it is waited for one that may be under way.
        """
        until = self._until.get(key, 0.0)
        if until == inf:
            return None
        if self.clock() < until:
            raise SourceError(
                f"{self._place}: the case was perhaps opened; it is waited whether it appears", fault="busy"
            )
        try:
            answer = opening()
        except SourceError as error:
            if error.fault == "timeout":
                self._until[key] = self.clock() + LATE
            raise
        if taken(answer):
            self._until[key] = inf
        return answer

    def found(self, key: str) -> None:
        """The case is there: nothing more need be known of it."""
        self._until.pop(key, None)
