"""Range queries stretch by stretch: as many points at once as the server gives, and fewer where that was too much."""

from __future__ import annotations

from typing import TYPE_CHECKING

from connectors import SourceError
from connectors.promql import TooMuchError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from connectors.promql import Answered, Api

POINTS = 11_000
"""Of one series in an answer: Prometheus gives no more."""
STRETCHES = 64
"""Asked for in one poll, while they are empty: all of BACK by the minute."""


class Stretches:
    """queries: name -> PromQL, all of them asked for one stretch together; step: in seconds, as of the API."""

    def __init__(self, api: Api, queries: Mapping[str, str], step: int) -> None:
        self._api, self._queries, self._step = api, queries, step
        self._most = POINTS

    def next(self, before: int, last: int, steps: int) -> tuple[list[Answered], int]:
        """The next stretch after `before` that holds anything, of so many steps at most, and its end; what is empty is passed over."""
        found: list[Answered] = []
        end = before
        for _ in range(STRETCHES):
            if end == last or any(one.series for one in found):
                break
            found, end = self.asked(end + self._step, min(last, end + self._step * min(self._most, steps)))
        return found, end

    def asked(self, start: int, end: int) -> tuple[list[Answered], int]:
        """What the queries give from `start` to `end` (seconds since 1970), or to an earlier end if that is too much at once."""
        while True:
            steps = (end - start) // self._step + 1
            try:
                found = [self._api.range(name, text, start, end) for name, text in self._queries.items()]
            except TooMuchError:
                if steps == 1:
                    raise
                self._most = steps // 2
                end = start + (self._most - 1) * self._step
            except SourceError as error:
                if _slow(error):  # the next poll asks for less
                    self._most = max(1, steps // 2)
                raise
            else:
                self._most = min(POINTS, 2 * max(self._most, steps))
                return found, end


def _slow(error: SourceError) -> bool:
    return error.fault == "timeout" or "(timeout)" in str(error)
