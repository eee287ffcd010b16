"""The first bad minute of what fires, where its rule cannot say it: in a window of many minutes, and in what a dark source told later."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import numpy as np

from alerts import Signal
from monitor.grounds import unheard
from monitor.windows import DAY, Windows, minute_of, time_of
from rules import CLASSES, DIMENSIONS, Scope, Way
from rules.scan import Entries, begun

EVERYDAY = 0.1
"""Part of the rate at which it fails that may be everyday's."""
SHAPE = 10.0
"""How far an everyday minute strays (1/r is 0.1)."""


def onset(windows: Windows, signal: Signal, since: datetime) -> datetime:
    """Its first bad minute, where `since` is as its rule says."""
    bad = sorted(way for way in signal.ways if way in CLASSES)
    if bad and signal.spec.grain.minutes > 1:
        return _within(windows, signal, since, bad)
    if bad and signal.spec.grain.heard and not signal.scope.client_id:  # of thousands of clients it would cost seconds
        return _told_later(windows, signal, since, bad)
    return since


def _within(windows: Windows, signal: Signal, since: datetime, bad: list[Way]) -> datetime:
    """The first minute of a long window that is at least half as bad as the whole of it."""
    start, end = minute_of(since), minute_of(signal.at)
    frame = windows.frame(replace(signal.spec.grain, minutes=1), ["total", *bad], [], start, end)
    rows = np.array([scope == signal.scope for scope in frame.scopes], dtype=bool)[frame.series]
    total, hurt = frame.columns["total"][rows], sum(frame.columns[way][rows] for way in bad)
    worse = np.flatnonzero((hurt > 0) & (hurt * total.sum() >= total * np.sum(hurt) / 2))
    return time_of(int(frame.minute[rows][worse[0]])) if len(worse) else since


def _told_later(windows: Windows, signal: Signal, since: datetime, bad: list[Way]) -> datetime:
    """What became known in a minute may have happened in many before it: by its own time, it began with the likeliest of those."""
    start, end = minute_of(since), minute_of(signal.at)
    dark = [
        (first, stop)
        for product, channel, series, first, stop in unheard(windows.db, start - DAY, end)
        if not series and signal.scope.overlaps(Scope(product, channel))
    ]
    if not dark:
        return since
    held = [(name, value) for name, value in zip(DIMENSIONS, signal.scope.values, strict=True) if value]
    minute, hits, of = windows.db.execute(
        f"""SELECT minute, coalesce(sum(n) FILTER (list_contains(?, status)), 0)::DOUBLE AS hits, sum(n)::DOUBLE AS told
            FROM cells WHERE known < ? AND minute >= ? {"".join(f" AND {name} = ?" for name, _ in held)}
            GROUP BY minute HAVING sum(n) FILTER (known >= ?) >= sum(n) / 2 AND sum(n) > 0 ORDER BY minute""",
        [bad, end, start - DAY, *(value for _, value in held), start],
    ).fetchnumpy().values()  # fmt: skip
    there = (minute >= start) | np.logical_or.reduce([(minute >= first) & (minute < stop) for first, stop in dark])
    minute, hits, of = minute[there], np.clip(hits[there], 0, of[there]), of[there]
    if not len(minute) or minute[0] >= start:
        return since
    usual = max(signal.expected or 0.0, EVERYDAY * (signal.value or 0.0))
    entries = Entries(np.zeros(len(minute), np.int64), minute, hits, usual * of, of)
    found = begun(entries, np.array([len(minute) - 1]), np.array([SHAPE]), end - int(minute[0]))
    return min(since, time_of(int(minute[found[0]])))
