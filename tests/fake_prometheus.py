"""A Prometheus on a real socket as its API is documented, with what a real one seldom does: faults, warnings, partial answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.fake_api import Asked, FakeApi, Said

MOST = 11_000


class FakePrometheus(FakeApi):
    """series: query -> [(labels, {seconds: value})], each point at its own time alone; more: what else stands in a good answer."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.series: dict[str, list[tuple[dict[str, str], dict[int, str]]]] = {}
        self.more: dict[str, Any] = {}
        self.heavy = 0
        """Points of one series from which on it is too much."""

    def put(self, query: str, at: Mapping[int, float | str], **labels: str) -> None:
        self.series.setdefault(query, []).append((labels, {time: str(value) for time, value in at.items()}))

    def answer(self, asked: Asked) -> Said:
        with self.lock:
            self.asked.append(asked)
            if asked.path != "/api/v1/query_range":
                return Said(404, text=b"404 page not found")
            return (self.faults.pop(0) if self.faults else None) or self._range(asked.query)

    def _range(self, query: Mapping[str, str]) -> Said:
        start, end, step = (int(query[name]) for name in ("start", "end", "step"))
        if (end - start) // step > MOST:
            return error(400, "bad_data", "exceeded maximum resolution of 11,000 points per timeseries.")
        if self.heavy and (end - start) // step + 1 >= self.heavy:
            return error(
                422, "execution", "query processing would load too many samples into memory in query execution"
            )
        found = []
        for labels, points in self.series.get(query["query"], []):
            values = [[at, points[at]] for at in sorted(points) if start <= at <= end and (at - start) % step == 0]
            found += [{"metric": labels, "values": values}] if values else []
        return Said(body={"status": "success", "data": {"resultType": "matrix", "result": found}, **self.more})


def error(status: int, kind: str, words: str) -> Said:
    """As Prometheus has it."""
    return Said(status, {"status": "error", "errorType": kind, "error": words})
