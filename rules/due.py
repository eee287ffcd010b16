"""`due`: what a client sends in one go at the same hour of every business day, and today did not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from detectors import BUSINESS, PAYDAY, QUARTERS
from rules import DIMENSIONS, Bools, Floats, Frame, Ints, Scope, Spec, Verdict, Verdicts, View, Way
from rules.levels import Places, level

BY = ("product", "client_id")
STEP = 5
"""Minutes of a step of the clock."""
STEPS = 288
WINDOW = 6
"""Steps, half an hour: whatever came in it on every such day is due by its end, two steps in a row."""
DAYS = 10
"""Business days that are remembered."""
BURST = 4
"""Rows of one minute from which a client is looked at: those who never send so many send no batches."""
PEAK = 4.0
"""A batch is so many times what the client sends in such a window over the day."""
COME = 0.45
"""Less than this part of the smallest such batch has not come: the client may send other things."""
PATIENCE = 4 * 60
"""Minutes for which a batch is waited for."""


class Due:
    """In breach while a batch that came on each of the last business days has not come, from when it always had, for four hours.

    min_days: business days on which it must have come by then, all that are remembered; min_rows: rows of the smallest of them. A
    batch that comes late ends it.
    """

    def __init__(self, spec: Spec, *, min_days: int = 4, min_rows: int = 15) -> None:
        if not 1 < min_days <= DAYS:
            raise ValueError(f"min_days: must be from 2 to {DAYS}, not {min_days}")
        self.spec = replace(spec, grain=replace(spec.grain, by=DIMENSIONS[:3], everyone=True))
        self.shown = "total"
        self.measures = frozenset({"total"})
        self.expressions: tuple[str, ...] = ()
        self.ways: frozenset[Way] = frozenset({"missing"})
        self._days, self._rows = min_days, min_rows
        self._places = Places()
        self._today = np.zeros((STEPS, 0))
        self._past = np.full((DAYS, STEPS, 0), np.nan)
        self._business = False
        self._late: Bools = np.zeros(0, bool)
        self._missed: Bools = np.zeros(0, bool)  # today, or not known
        self._due = np.zeros(0)
        self._since = np.zeros(0, np.int64)  # the minute from which it is missing; 0: nothing is
        self._told = np.zeros(0, np.int64)  # the last minute in breach
        self._heard = 0  # the last minute in which anybody sent anything
        self._newest = -(10**9)  # the last minute in which any was in breach
        self._usual: Floats | None = None  # worked out once a day
        self._dark = np.zeros(0, np.int64)  # the last minute that its source did not tell of

    def check(self, view: View) -> Verdicts:
        """Walk the span by steps of the clock."""
        frame = view.frame(self)
        one = level(frame, BY)
        rows = one.total(frame.columns["total"])
        place, minute, rows = self._sent(one.scopes, one.place, one.minute, rows)
        slots = view.calendar.slots(frame.start, frame.end)
        order = np.argsort(minute, kind="stable")
        place, minute, rows = place[order], minute[order], rows[order]
        anybody = np.zeros(frame.end - frame.start, bool)
        anybody[frame.minute - frame.start] = True
        dark = [(np.array([s.overlaps(there) for s in self._places.scopes], bool), a, b) for there, a, b in frame.dark]
        said: list[tuple[int, int, Verdict, float, int]] = []
        bounds = np.searchsorted(minute, np.arange(frame.start, frame.end + 1))
        for m in range(frame.start, frame.end):
            i = m - frame.start
            slot = int(slots[i])
            step = slot % QUARTERS * 3 + m % 15 // STEP
            if step == 0 and m % STEP == 0:
                self._turn()
            self._business = slot // QUARTERS in (BUSINESS, PAYDAY)
            if anybody[i]:
                self._heard = m
            for unheard in (of for of, a, b in dark if a <= m < b):
                self._dark[unheard] = m
                self._missed[unheard] = True  # a day that is not wholly known
            here = slice(bounds[i], bounds[i + 1])
            np.add.at(self._today[step], place[here], rows[here])
            if self._business and m % STEP == STEP - 1:
                self._look(m, step)
            if self._since.any():
                self._wait(m, step)
                self._newest = m
            if m - self._newest >= 2 * PATIENCE:
                continue
            for p in np.flatnonzero((self._since > 0) | (m - self._told < 2 * PATIENCE)).tolist():
                verdict = Verdict.BREACH if self._since[p] else Verdict.HEALTHY
                if self._since[p] and self._dark[p] >= self._since[p]:
                    verdict = Verdict.UNKNOWN  # it may have come when nobody told
                said.append((p, m, verdict, float(self._due[p]), int(self._since[p]) or m))
        said.sort(key=lambda one: one[:2])
        return self._verdicts(frame, np.array(said, float).reshape(-1, 5))

    def _verdicts(self, frame: Frame, said: Floats) -> Verdicts:
        """From rows of place, minute, verdict, what is due, and the first bad minute."""
        place, minute, onset = (said[:, i].astype(np.int64) for i in (0, 1, 4))
        scopes = tuple(self._places.scopes)
        whole = replace(frame, scopes=scopes, series=place, minute=minute, columns={}, flags={}, made={})
        nothing, none_came = np.full(len(said), np.nan), np.zeros(len(said))
        return Verdicts(whole, said[:, 2].astype(np.int8), none_came, said[:, 3], nothing, nothing, nothing, onset)

    def _sent(self, scopes: tuple[Scope, ...], place: Ints, minute: Ints, rows: Floats) -> tuple[Ints, Ints, Floats]:
        """The entries of those who send batches, from their first minute of many rows on."""
        known = np.array([self._places.scopes.get(scope, -1) for scope in scopes], np.int64)
        many = rows >= BURST
        first = np.full(len(scopes), np.iinfo(np.int64).max)
        np.minimum.at(first, place[many], minute[many])
        for p in np.flatnonzero((known < 0) & (first < np.iinfo(np.int64).max))[:]:
            known[p] = self._places.of((scopes[p],))[0]
        first[known < len(self._since)] = 0
        more = len(self._places) - len(self._since)
        self._today = np.pad(self._today, ((0, 0), (0, more)))
        self._past = np.pad(self._past, ((0, 0), (0, 0), (0, more)), constant_values=np.nan)
        self._late, self._missed = np.pad(self._late, (0, more)), np.pad(self._missed, (0, more))
        self._due, self._since = np.pad(self._due, (0, more)), np.pad(self._since, (0, more))
        self._told, self._dark = np.pad(self._told, (0, more)), np.pad(self._dark, (0, more))
        self._told[len(self._told) - more :] = -(10**9)
        self._usual = None
        kept = (known[place] >= 0) & (minute >= first[place])
        return known[place[kept]], minute[kept], rows[kept]

    def _turn(self) -> None:
        """A new day."""
        if self._business and len(self._places):
            # A day on which one was missing says nothing of when it comes.
            whole = np.where(self._missed, np.nan, self._today)
            self._past = np.concatenate([self._past[1:], whole[None]])
            self._usual = None
        self._today = np.zeros_like(self._today)
        self._late[:] = False
        self._missed = self._since > 0

    def _look(self, minute: int, step: int) -> None:
        """What had come by now on each of those days and has not today."""
        at = slice(max(step - WINDOW + 1, 0), step + 1)
        before = self._past[:, at].sum(axis=1)
        days = (~np.isnan(before)).sum(axis=0)
        if not (days >= self._days).any():
            return
        least = np.nanmin(np.where(np.isnan(before), np.inf, before), axis=0)
        if self._usual is None:
            self._usual = np.nanmean(np.nan_to_num(self._past.sum(axis=1)), axis=0) * DAYS
        usual = self._usual / np.maximum(days, 1) * WINDOW / STEPS
        missing = (days >= self._days) & (least >= self._rows) & (least >= PEAK * usual)
        missing &= (self._today[at].sum(axis=0) < COME * least) & (minute - self._heard < 2 * STEP)
        missing &= minute - self._dark >= WINDOW * STEP
        new = missing & self._late & (self._since == 0) & (minute - self._told > PATIENCE)
        self._missed |= new
        self._since[new], self._due[new] = minute - WINDOW * STEP + 1, least[new]
        self._late = missing

    def _wait(self, minute: int, step: int) -> None:
        """Until it comes, or nobody waits any more."""
        missing = self._since > 0
        self._told[missing] = minute
        begun = np.maximum(step - (minute - self._since) // STEP, 0)
        came = np.array(
            [
                self._today[b : step + 1, p].sum() if ok else 0.0
                for p, (b, ok) in enumerate(zip(begun, missing, strict=True))
            ]
        )
        over = missing & ((came >= COME * self._due) | (minute - self._since > PATIENCE))
        self._since[over] = 0
