"""Prometheus: range queries of it, or of what speaks its API (Mimir, Thanos, VictoriaMetrics), point by point."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal

from connectors import Batch, Cursor, Reject, SourceError
from connectors.login import check_headers
from connectors.matrix import Points, labelled, spans, table
from connectors.promql import Api
from connectors.session import Session
from connectors.stretches import POINTS, Stretches
from connectors.tls import Tls
from connectors.values import digest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ROWS = 500_000
"""Of one poll, as far as the number of series can be known beforehand."""
BACK = timedelta(days=400)
"""How far a reading goes back that is asked for all there is."""
DAY = 86_400
"""Seconds past the newest reading that are asked for again and again."""
TOLD = 20
"""Warnings that are remembered as told."""
Spans = tuple[tuple[datetime, datetime], ...]
LAST = timedelta(milliseconds=1)
"""A point at 10:05 says what was so until then: it is told as of the last moment before, and counts for 10:04."""


class Prometheus:
    """Readings of series (role metrics), or counts of operations by counters (role transactions).

    url: the server's, as far as before `/api/v1`. queries: name = PromQL, such as { cola = "sum by (service) (queue_length)" }; query:
    a single one, called by its own text. step: between two points, which lie on whole multiples of it (UTC), so that a restart asks
    for the same. settle: how long a point is left alone before it is asked for: samples come that late (VictoriaMetrics: 30s).

    Labels become columns: columns = { product = "service" }. `series` is the query's name, with the labels that are no column of ours
    in braces: latencia{instance="a"}; aggregate what changes with a restart. A point at 10:05 is told as of the last millisecond before
    it: what it says is of 10:04. NaN is no reading (nothing divided by nothing): the minute is unknown. An infinite value is rejected.

    As transactions a point is the `count` of what happened within its step, rounded: `sum by (service, status)
    (increase(payments_total[1m]))` with a step of 1m. `series` is the query's name alone, so that columns = { status = "series" } serves
    counters apart. A step in which no query has any point was not measured: it is unknown, not zero, and as long as there is none the
    source is told as down, from the first poll on. So leave zeros in.

    headers: sent with each request, such as { X-Scope-OrgID = "banco" }. token, or user and password; ca_file, cert_file, key_file,
    key_password: as of `http`. timeout: of one answer, told to the server too.

    A partial answer (warnings of a store that is away) is not taken: it is asked for again. History is read in pieces of at most 11,000
    points a series, and smaller ones where the server says that it is too much.
    """

    def __init__(
        self,
        *,
        url: str,
        query: str = "",
        queries: dict[str, str] | None = None,
        step: timedelta = timedelta(minutes=1),
        settle: timedelta = timedelta(seconds=15),
        columns: dict[str, str] | None = None,
        role: Literal["metrics", "transactions"] = "metrics",
        headers: dict[str, str] | None = None,
        token: str = "",
        user: str = "",
        password: str = "",
        ca_file: str = "",
        cert_file: str = "",
        key_file: str = "",
        key_password: str = "",
        timeout: timedelta = timedelta(seconds=30),
    ) -> None:
        if bool(query.strip()) == bool(queries):
            raise ValueError("queries: give exactly one of query and queries")
        asked = {query.strip(): query} if query.strip() else dict(queries or {})
        if empty := [name for name, text in asked.items() if not name.strip() or not text.strip()]:
            raise ValueError(f"queries.{empty[0]}: must be a name = PromQL")
        self._step, self._settle = int(step.total_seconds()), settle
        if step < timedelta(seconds=1) or step != timedelta(seconds=self._step):
            raise ValueError("step: must be whole seconds, at least 1s")
        if role == "transactions" and 60 % self._step:
            raise ValueError("step: operations are counted by the minute: it must be 1m or divide it, as 15s does")
        if settle < timedelta(0):
            raise ValueError("settle: must not be less than 0s")
        _check_columns(columns or {}, len(asked))
        check_headers(headers or {})
        self._columns, self._counts = dict(columns or {}), role == "transactions"
        tls = Tls(ca_file, cert_file, key_file, key_password)
        self.session = Session(url, token=token, user=user, password=password, tls=tls, timeout=timeout)
        api = Api(self.session, url, headers or {}, timeout, self._step)
        self._stretches = Stretches(api, asked, self._step)
        self.clock: Callable[[], datetime] = lambda: datetime.now(UTC)

    def poll(self, cursor: Cursor | None, now: datetime, since: datetime | None) -> Batch:
        """The points after `cursor` that have settled. Raises SourceError."""
        cursor = cursor or {}
        real = min(now, self.clock())  # a backtest asks for all there will ever be
        before = cursor["at"] if "at" in cursor else self._floor(since or real - BACK)
        series, told = cursor.get("series", 0), cursor.get("told", [])
        last = max(before, self._floor(real - self._settle))
        found, end = self._stretches.next(before, last, max(1, ROWS // max(series, 1)))
        points = [labelled(one, self._columns, counts=self._counts) for one in found]
        rejects = [self._infinite(name, at) for one in points for name, at in one.infinite]
        warned = dict.fromkeys(words for one in found for words in one.warnings)
        notes = [Reject(self.session.shown, words) for words in warned if digest([words]) not in told]
        gaps: Spans = ()
        at = end
        if not self._counts and end == last and real == now:
            # Where our clock is ahead of the server's, what it has not measured yet is asked for again.
            at = max([before, end - DAY // self._step * self._step, *_times(points)])
        if self._counts:
            end, gaps = self._measured(points, before, end, last if real == now else None, begun=series > 0)
            at = end
        if series:  # what history lacks is unknown too, and no news
            unmeasured = "no series has a point: not measured, which is not zero"
            rejects += [Reject(self._between(*gap), unmeasured) for gap in gaps]
        rows, where = table(points, LAST, counts=self._counts)
        series = sum(one.series for one in points) or series
        told = [*told, *(digest([words]) for words in warned if digest([words]) not in told)][-TOLD:]
        until = datetime.fromtimestamp(end + self._step, UTC) - LAST
        return Batch(
            rows, {"at": at, "series": series, "told": told}, end == last, min(until, now), tuple(rejects),
            lambda row: f"{self.session.shown}: {where(row)}", tuple(notes), gaps=gaps,
        )  # fmt: skip

    def check(self) -> str:
        """How many series there are of the last hour, with which labels; queries that match none; what the server remarks."""
        end = self._floor(self.clock() - self._settle)
        found = self._stretches.asked(max(end - 3600 // self._step * self._step, end - POINTS * self._step), end)[0]
        labels = sorted({label for one in found for labels, _ in one.series for label in labels} - {"__name__"})
        every = sum(len(one.series) for one in found)
        for ours, theirs in self._columns.items():
            if every and theirs not in (*labels, "__name__", "series"):
                there = ", ".join(labels) or "none"
                raise SourceError(
                    f"{self.session.shown}: columns.{ours}: no series has the label {theirs!r}; there are: {there}",
                    permanent=True, fault="refused",
                )  # fmt: skip
        said = [f"{every} series of {len(found)} {'queries' if len(found) > 1 else 'query'}"]
        said += [f"labels: {', '.join(labels)}"] if labels else []
        points = [labelled(one, self._columns, counts=self._counts) for one in found]
        if nothing := sum(one.nothing for one in points):
            said.append(f"{nothing} of {sum(one.points for one in points)} points are no number")
        if missing := [one.name for one in found if not one.series]:
            said.append(f"no series match within the last hour: {', '.join(missing)}")
        remarks = dict.fromkeys(words for one in found for words in (*one.warnings, *one.infos))
        return "; ".join([f"{self.session.shown}: {said[0]}", *said[1:], *remarks])

    def _floor(self, at: datetime) -> int:
        """The last step up to then."""
        return int(at.timestamp() // self._step) * self._step

    def _infinite(self, name: str, at: int) -> Reject:
        return Reject(f"{self.session.shown}: {name} at {_written(at)}", "the value is infinite")

    def _measured(
        self, points: list[Points], before: int, end: int, last: int | None, *, begun: bool
    ) -> tuple[int, Spans]:
        """Up to when there are points, and when there were none in between, once there has been any; SourceError if there are none (more).

        last: the newest step that there can be, None where nobody waits for it.
        """
        seen = {at for one in points for at in one.times}
        if not seen and not begun:
            if before < end == last:
                raise SourceError(
                    f"{self.session.shown}: no series has ever had a point: not measured, which is not zero; does the query match any?"
                )
            return end, ()
        if end == last and (newest := max(seen, default=before)) < end:
            if newest == before:
                raise SourceError(
                    f"{self.session.shown}: no series has had a point since {_written(before)}: not measured, which is not zero"
                )
            end = newest  # what has no point yet may get one
        first = before if begun else min(seen) - self._step
        return end, spans([at for at in range(first + self._step, end + 1, self._step) if at not in seen], self._step)

    def _between(self, start: datetime, stop: datetime) -> str:
        return f"{self.session.shown}: {_written(int(start.timestamp()))} to {_written(int(stop.timestamp()))}"


def _check_columns(columns: Mapping[str, str], queries: int) -> None:
    for ours in ("timestamp", "value", "count", "id"):
        if ours in columns:
            raise ValueError(f"columns.{ours}: is no label's to say")
    if "series" in columns and queries > 1:
        raise ValueError("columns.series: then the queries would not be told apart")


def _times(points: list[Points]) -> set[int]:
    """When there was one, be it infinite."""
    return {at for one in points for at in (*one.times, *(at for _, at in one.infinite))}


def _written(at: int) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}"
