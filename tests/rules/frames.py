"""Spans made by hand, as rules see them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import pairwise

import numpy as np
import pyarrow as pa

from monitor.calendar import Calendar
from rules import COUNTS, RATES, Bools, Frame, Grain, Rule, Scope, Spec, Verdict, Verdicts
from rules.expression import evaluate, parse
from tests.characters import minute

CALENDAR = Calendar("America/Bogota")
LETTERS = {Verdict.HEALTHY: "h", Verdict.BREACH: "B", Verdict.UNKNOWN: "?"}
ONE = (Scope("pagos", "web"),)


@dataclass
class View:
    """One frame, whichever grain is asked for. idle: minutes in which all of it is maintained."""

    shown: Frame
    calendar: Calendar = CALENDAR
    idle: range = range(0)
    start: int = field(init=False)
    end: int = field(init=False)

    def __post_init__(self) -> None:
        self.start, self.end = self.shown.start, self.shown.end

    def frame(self, rule: Rule) -> Frame:  # noqa: ARG002 - there is but one
        return self.shown

    def maintained(self, frame: Frame) -> Bools:
        return np.isin(frame.minute, self.idle)


def frame(rule: Rule, start: int, **columns: Sequence[float | None]) -> Frame:
    """One series, minute by minute; None in `total` is a minute in a gap. Rates are made of their counts, NULL without rows."""
    told = {name: np.array([np.nan if x is None else x for x in column], float) for name, column in columns.items()}
    length = len(next(iter(told.values())))
    there = ~np.isnan(told.get("total", np.zeros(length)))
    for name in COUNTS:
        told.setdefault(name, np.zeros(length))
    with np.errstate(invalid="ignore"):
        rates = {name: told[name.removesuffix("_rate")] / told["total"] for name in RATES}
    told = {name: column[there] for name, column in (rates | told).items()}
    table = pa.table({name: pa.array(column, from_pandas=True) for name, column in told.items()})
    flags = evaluate(table, [parse(text, table.column_names) for text in rule.expressions])
    minutes = start + np.flatnonzero(there)
    return Frame(
        start, start + length, ONE, np.zeros(len(minutes), np.int64), minutes, told, dict(zip(rule.expressions, flags, strict=True))
    )  # fmt: skip


def checked(rule: Rule, start: int | str, **columns: Sequence[float | None]) -> Verdicts:
    first = minute(start) if isinstance(start, str) else start
    return rule.check(View(frame(rule, first, **columns)))


def letters(verdicts: Verdicts) -> str:
    """A letter a window: B breach, h healthy, ? unknown."""
    return "".join(LETTERS[Verdict(v)] for v in verdicts.verdict.tolist())


def spec(name: str = "regla", *, min_total: int = 0, minutes: int = 1) -> Spec:
    return Spec(name=name, grain=Grain(minutes=minutes), min_total=min_total, for_=timedelta(minutes=2))


# ---- many series -------------------------------------------------------------------------------------------------

Counts = Mapping[Scope, Mapping[str, Sequence[float]]]
"""By scope, each measure minute by minute. A NaN total is a minute in a gap."""


def bank(start: int, told: Counts, *, zeros: bool = False) -> Frame:
    """The series of a bank from a minute on, measures as they are told. zeros: a minute without rows stands there too."""
    scopes = tuple(sorted(told))
    series, minutes, rows = [], [], []
    length = max(len(columns["total"]) for columns in told.values())
    names = {name: None for columns in told.values() for name in columns}
    for s, scope in enumerate(scopes):
        columns = np.array([told[scope].get(name, np.zeros(length)) for name in names], float)
        there = ~np.isnan(columns[0]) & (zeros | (columns[0] > 0))
        minutes.append(start + np.flatnonzero(there))
        series.append(np.full(len(minutes[-1]), s, np.int64))
        rows.append(columns[:, there])
    columns = dict(zip(names, np.concatenate(rows, axis=1), strict=True))
    return Frame(start, start + length, scopes, np.concatenate(series), np.concatenate(minutes), columns)


def part(whole: Frame, start: int, end: int) -> Frame:
    """The minutes [start, end) of a frame, as they would come by themselves: a scope without a window in them is not named."""
    kept = (whole.minute >= start) & (whole.minute < end)
    there, series = np.unique(whole.series[kept], return_inverse=True)
    columns = {name: column[kept] for name, column in whole.columns.items()}
    scopes = tuple(whole.scopes[s] for s in there.tolist())
    dark = tuple((of, max(a, start), min(b, end)) for of, a, b in whole.dark if a < end and b > start)
    return Frame(start, end, scopes, series, whole.minute[kept], columns, dark=dark)


Told = dict[tuple[Scope, int], tuple[str, int]]
"""By scope and minute: the letter of the verdict, and where it is a breach its first bad minute."""


def judged(rule: Rule, whole: Frame, cuts: Iterable[int] = (), *, idle: range = range(0)) -> Told:
    """What a rule says of a frame that it is shown in spans, cut at these minutes."""
    bounds = sorted({whole.start, whole.end, *(cut for cut in cuts if whole.start < cut < whole.end)})
    found: Told = {}
    for start, end in pairwise(bounds):
        said = rule.check(View(part(whole, start, end), idle=idle))
        onset = said.frame.minute if said.onset is None else said.onset
        rows = zip(
            said.frame.series.tolist(), said.frame.minute.tolist(), said.verdict.tolist(), onset.tolist(), strict=True
        )
        for series, m, verdict, first in rows:
            letter = LETTERS[Verdict(verdict)]
            key = said.frame.scopes[series], m
            assert key not in found, "two verdicts of one window"
            found[key] = (letter, first if letter == "B" else 0)
    return found


def breaches(found: Told) -> dict[Scope, list[int]]:
    """The minutes in breach, by scope."""
    out: dict[Scope, list[int]] = {}
    for (scope, m), (letter, _) in sorted(found.items()):
        if letter == "B":
            out.setdefault(scope, []).append(m)
    return out
