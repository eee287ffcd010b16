"""What an incident looks like minute by minute: what was seen where it sits, what was expected, and the band that 99 % lies in.

From an hour before its first bad minute to its end. Made by the judging thread after each step, out of the cells that are held, and
committed with it; boards draw it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import Any

import numpy as np
from scipy.stats import binom, poisson

from alerts import Incident, IncidentState
from monitor import grounds
from monitor.calendar import Calendar
from monitor.windows import DAY, Windows, minute_of
from rules import Bools, Floats, Ints, Scope

BEFORE = 60
"""Minutes that are shown before the first bad one."""
POINTS = 360
"""At most so many are kept: what is longer is thinned to means of several minutes."""
PAST = 7 * DAY
"""Minutes before an incident's hour that tell what is expected."""
SLOW = 0.05
"""A transaction is slow here where at most so many took its doubling step of time, or more, in that past."""
QUANTILES = (0.005, 0.995)
CURVES = ("seen", "expected", "lower", "upper")
Columns = Mapping[str, Any]


@dataclass(slots=True)
class Trace:
    """One incident's: from minute `start` on, a value a minute, NaN where nobody knows.

    rate: of what is expected among all that arrives (None: volume by the time of day, see `usual`); bin: the step that is slow.
    """

    scope: Scope
    kind: str
    start: int
    rate: float | None = None
    bin: int = 99
    usual: Usual | None = None
    columns: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in CURVES})

    @property
    def end(self) -> int:
        """The minute after the last."""
        return self.start + len(self.columns["seen"])

    def row(self, incident_id: str) -> dict[str, Any]:
        """As the table `traces` has it."""
        long = len(self.columns["seen"])
        step = max(1, ceil(long / POINTS))
        curves = {name: _thinned(values, step) for name, values in self.columns.items()}
        return {"incident_id": incident_id, "start": self.start, "curves": {"kind": self.kind, "step": step, **curves}}


@dataclass(frozen=True)
class Usual:
    """What usually comes, by kind of day (rows) and quarter of it (columns), a minute; spread: how much days differ (CV squared)."""

    a_minute: Floats
    spread: float

    def at(self, slots: Ints) -> Floats:
        """At these slots of the calendar (kind of day, quarter)."""
        found: Floats = self.a_minute[slots // 96, slots % 96]
        return found


class Traces:
    """Those of the incidents that are open. Derived: built anew from the cells after a restart, or where an incident's seat changes."""

    def __init__(self, windows: Windows, calendar: Calendar) -> None:
        self._windows, self._calendar = windows, calendar
        self._held: dict[str, Trace] = {}
        self._past: dict[tuple[int, frozenset[str]], tuple[Columns, Columns]] = {}

    def drawn(self, incidents: Iterable[Incident], end: int) -> list[dict[str, Any]]:
        """The rows that changed, up to minute `end` (exclusive), of the incidents that are open or have just ended."""
        found = {i.id: i for i in incidents if i.state is not IncidentState.MERGED}
        self._held = {key: trace for key, trace in self._held.items() if key in found}
        for incident in found.values():
            self._began(incident)
        grown = {key: trace for key, trace in self._held.items() if trace.end < end}
        self._grow(list(grown.values()), end)
        over = {key for key, incident in found.items() if incident.state is IncidentState.RESOLVED}
        rows = [trace.row(key) for key, trace in grown.items() if key in over or _tells(trace)]
        for key in over:
            del self._held[key]
        return rows

    # ---- what is expected ------------------------------------------------------------------------------------------

    def _began(self, incident: Incident) -> None:
        start = minute_of(incident.started_at) - BEFORE
        held = self._held.get(incident.id)
        if held and (held.scope, held.kind, held.start) == (incident.scope, incident.kind, start):
            return
        trace = Trace(incident.scope, str(incident.kind), start)
        self._held[incident.id] = trace
        if incident.scope.series:
            return
        hour = (start + BEFORE) // 60 * 60
        clients = {incident.scope.client_id} - {""}
        key = (hour, frozenset(clients))
        if key not in self._past:
            if len(self._past) > 8:  # noqa: PLR2004 - a few hours and clients; what is asked for again is read again
                self._past.clear()
            who = sorted(clients) or None
            db = self._windows.db
            self._past[key] = (
                grounds.totals(db, hour - PAST, hour, who),
                grounds.volumes(db, hour - PAST, hour, who),
            )
        totals, volumes = self._past[key]
        if trace.kind == "missing":
            trace.usual = self._usual(volumes, trace.scope, hour)
            return
        inside = _inside(totals, trace.scope)
        n = np.asarray(totals["n"], float) * inside
        if trace.kind == "slow":
            trace.bin = _slow(np.asarray(totals["bin"]), n)
        hurt = _hurt(totals, trace) * inside
        trace.rate = float((hurt.sum() + 0.5) / (max(n.sum(), hurt.sum()) + 1))

    def _usual(self, volumes: Columns, scope: Scope, hour: int) -> Usual:
        """By kind of day and quarter; a kind of day that was not seen is as the others are."""
        inside = _inside(volumes, scope)
        quarter, n = np.asarray(volumes["q"], np.int64), np.asarray(volumes["n"], float)
        if not len(quarter):
            return Usual(np.full((4, 96), np.nan), 0.0)
        first = int(quarter.min())
        counts = np.bincount(quarter[inside] - first, n[inside], minlength=hour // 15 - first)[: hour // 15 - first]
        slots = self._slots(first * 15, first * 15 + 15 * len(counts))[::15]
        total = np.bincount(slots, counts, minlength=384).reshape(4, 96)
        days = np.bincount(slots, minlength=384).reshape(4, 96)
        squares = np.bincount(slots, counts**2, minlength=384).reshape(4, 96)
        with np.errstate(invalid="ignore", divide="ignore"):
            anyday = total.sum(0) / days.sum(0)
            mean = np.where(days > 0, total / days, anyday)
            var = (squares / days - mean**2) * days / (days - 1)
            spread = np.median(x) if len(x := ((var - mean) / mean**2)[(days > 2) & (mean > 0)]) else 0.0  # noqa: PLR2004 - a spread needs some days
        smooth = (np.roll(mean, 1, 1) + 2 * mean + np.roll(mean, -1, 1)) / 60
        return Usual(smooth, max(float(spread), 0.0))

    def _slots(self, start: int, end: int) -> Ints:
        """Kind of day (paydays are their own) and quarter of each minute, as one number."""
        return self._calendar.slots(start, end)

    # ---- what was seen ---------------------------------------------------------------------------------------------

    def _grow(self, traces: Sequence[Trace], end: int) -> None:
        if not traces:
            return
        start = min(trace.end for trace in traces)
        named = sorted({trace.scope.client_id for trace in traces} - {""})
        everyone = grounds.minutes(self._windows.db, start, end)
        theirs = grounds.minutes(self._windows.db, start, end, named) if named else everyone
        gaps = grounds.unheard(self._windows.db, start, end)
        seen, total, expected = [], [], []
        for trace in traces:
            if trace.scope.series:
                self._read(trace, end)
                continue
            rows = theirs if trace.scope.client_id else everyone
            hurt, arrived = _counted(rows, trace, end)
            dark = _dark(gaps, trace.scope, trace.end, end)
            hurt[dark] = arrived[dark] = np.nan
            seen.append(hurt)
            total.append(arrived)
            if trace.usual:
                expected.append(trace.usual.at(self._slots(trace.end, end)))
            else:
                expected.append(arrived * (trace.rate or 0.0))
        self._banded([trace for trace in traces if not trace.scope.series], seen, total, expected)

    def _banded(self, traces: Sequence[Trace], seen: list[Floats], total: list[Floats], expected: list[Floats]) -> None:
        """All bands at once: quantiles cost by the call, not by the number."""
        if not traces:
            return
        sizes = [len(part) for part in seen]
        mean = np.concatenate(expected)
        spread = np.repeat([trace.usual.spread if trace.usual else np.nan for trace in traces], sizes)
        among = np.concatenate(total)
        known = np.isfinite(mean)
        volume = np.isfinite(spread) & known
        share = known & ~np.isfinite(spread) & np.isfinite(among)
        rate = np.repeat([min(trace.rate or 0.0, 1.0) for trace in traces], sizes)
        band = np.full((2, len(mean)), np.nan)
        for place, quantile in enumerate(QUANTILES):
            wide = 1 + mean[volume] * spread[volume]
            band[place, volume] = wide * poisson.ppf(quantile, np.maximum(mean[volume], 0) / wide)
            band[place, share] = binom.ppf(quantile, np.maximum(among[share], 0), rate[share])
        at = np.cumsum([0, *sizes])
        for number, trace in enumerate(traces):
            part = slice(at[number], at[number + 1])
            parts = (seen[number], mean[part], band[0, part], band[1, part])
            for name, values in zip(CURVES, parts, strict=True):
                trace.columns[name] += values.tolist()

    def _read(self, trace: Trace, end: int) -> None:
        """A metric: expected is the mean of the days before at this time of day, and the band its spread."""
        first = trace.end
        found = grounds.readings(self._windows.db, trace.scope, trace.start - PAST, end)
        minute, value = np.asarray(found["m"], np.int64), np.asarray(found["value"], float)
        before = minute < trace.start + BEFORE
        shown = np.full((4, end - first), np.nan)
        inside = minute >= first
        shown[0, minute[inside] - first] = value[inside]
        quarter, past = minute[before] // 15 % 96, value[before]
        many = np.bincount(quarter, minlength=96)
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = np.bincount(quarter, past, minlength=96) / many
        spread = float(np.nanstd(past - mean[quarter])) if len(past) else np.nan
        shown[1] = mean[np.arange(first, end) // 15 % 96]
        shown[2], shown[3] = shown[1] - 2.576 * spread, shown[1] + 2.576 * spread
        for name, values in zip(CURVES, shown, strict=True):
            trace.columns[name] += values.tolist()


def _inside(rows: Columns, scope: Scope) -> Bools:
    found = np.ones(len(rows["n"]), bool)
    for name in ("product", "channel", "client_id"):
        if value := getattr(scope, name):
            found &= np.asarray(rows[name]) == value
    return found


def _hurt(rows: Columns, trace: Trace) -> Floats:
    """How many of each row are hurt in the incident's way; of what is missing, how many came."""
    n = np.asarray(rows["n"], float)
    if trace.kind == "missing":
        return n
    if trace.kind == "slow":
        return n * (np.asarray(rows["bin"]) >= trace.bin)
    if trace.kind == "duplicated":
        return np.asarray(rows["again"], float)
    found: Floats = n * (np.asarray(rows["status"]) == trace.kind)
    return found


def _slow(bins: Ints, n: Floats) -> int:
    """The first doubling step of latency that at most SLOW of the rows reach."""
    timed = bins >= 0
    total = n[timed].sum()
    return next((step for step in range(1, 17) if n[timed & (bins >= step)].sum() <= SLOW * total), 17)


def _counted(rows: Columns, trace: Trace, end: int) -> tuple[Floats, Floats]:
    """By minute, from where the trace ends: what hurts, and all that arrived. What is taken back is not less than nothing."""
    at = np.asarray(rows["m"], np.int64) - trace.end
    inside = _inside(rows, trace.scope) & (at >= 0)
    long = end - trace.end
    hurt = np.bincount(at[inside], _hurt(rows, trace)[inside], minlength=long).astype(float)
    arrived = np.bincount(at[inside], np.asarray(rows["n"], float)[inside], minlength=long).astype(float)
    hurt = np.maximum(hurt, 0)
    return hurt, np.maximum(np.ceil(arrived), np.ceil(hurt))


def _dark(gaps: Collection[tuple[str, str, str, int, int]], scope: Scope, start: int, end: int) -> Bools:
    found = np.zeros(end - start, bool)
    for product, channel, series, first, stop in gaps:
        if not series and scope.product in ("", product) and scope.channel in ("", channel):
            found[max(first - start, 0) : max(stop - start, 0)] = True
    return found


def _tells(trace: Trace) -> bool:
    """Whether it has a point that was not written yet: a thinned one only as its minutes are complete."""
    return len(trace.columns["seen"]) % max(1, ceil(len(trace.columns["seen"]) / POINTS)) == 0


def _thinned(values: Sequence[float], step: int) -> list[float | None]:
    """Means of `step` minutes, to two places; what nobody knows is None."""
    cut = np.full(ceil(len(values) / step) * step, np.nan)
    cut[: len(values)] = values
    block = cut.reshape(-1, step)
    known = np.isfinite(block)
    many = known.sum(1)
    mean = np.where(known, block, 0).sum(1) / np.maximum(many, 1)
    return [None if none else round(value, 2) for value, none in zip(mean.tolist(), (many == 0).tolist(), strict=True)]
