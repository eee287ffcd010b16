"""Spans made by hand, as rules see them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import numpy as np
import pyarrow as pa

from monitor.calendar import Calendar
from rules import COUNTS, RATES, Frame, Grain, Rule, Scope, Spec, Verdict, Verdicts
from rules.expression import evaluate, parse
from tests.characters import minute

CALENDAR = Calendar("America/Bogota")
LETTERS = {Verdict.HEALTHY: "h", Verdict.BREACH: "B", Verdict.UNKNOWN: "?"}
ONE = (Scope("pagos", "web"),)


@dataclass
class View:
    """One frame, whichever grain is asked for."""

    shown: Frame
    calendar: Calendar = CALENDAR
    start: int = field(init=False)
    end: int = field(init=False)

    def __post_init__(self) -> None:
        self.start, self.end = self.shown.start, self.shown.end

    def frame(self, rule: Rule) -> Frame:  # noqa: ARG002 - there is but one
        return self.shown


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
