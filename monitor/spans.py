"""What rules are shown: the closed minutes of a span, and where in them maintenance was declared."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from monitor.calendar import Calendar
from monitor.maintenance import Declared, maintained
from monitor.windows import Windows
from rules import Frame, Grain, Rule, Verdict, Verdicts


class Span:
    """The closed minutes [start, end) as rules see them; a frame is computed once for all rules of one grain and one input."""

    def __init__(
        self,
        windows: Windows,
        calendar: Calendar,
        rules: Iterable[Rule],
        start: int,
        end: int,
        maintenance: Sequence[Declared] = (),
    ) -> None:
        self.start, self.end, self.calendar = start, end, calendar
        self._windows, self.maintenance = windows, maintenance
        self._wanted: dict[Input, tuple[dict[str, None], dict[str, None]]] = {}
        for rule in rules:
            measures, expressions = self._wanted.setdefault(_input(rule), ({}, {}))
            measures.update(dict.fromkeys(sorted(rule.measures)))
            expressions.update(dict.fromkeys(rule.expressions))
        self._frames: dict[Input, Frame] = {}

    def frame(self, rule: Rule) -> Frame:
        """The windows of the rule's grain, with every measure and expression that a rule on the same ones asks for."""
        key = _input(rule)
        if key not in self._frames:
            measures, expressions = self._wanted[key]
            windows = self._windows.frame(rule.spec.grain, list(measures), list(expressions), self.start, self.end)
            self._frames[key] = windows
        return self._frames[key]

    def maintained(self, frame: Frame) -> NDArray[np.bool_]:
        """Which windows of the frame lie, wholly or in part, in declared maintenance of their scope."""
        lengths = (grain.minutes for (grain, _), held in self._frames.items() if held.minute is frame.minute)
        return maintained(self.maintenance, frame, next(lengths, 1))


Input = tuple[Grain, bool]


def _input(rule: Rule) -> Input:
    """What windows a rule is judged on: its grain, of metrics or of transactions."""
    return rule.spec.grain, "value" in rule.measures


def sure(span: Span, rule: Rule, verdicts: Verdicts) -> Verdicts:
    """What cannot be told is UNKNOWN, which neither fires nor resolves.

    That is a breach in declared maintenance, and of what a source has not told, that all is well or that something did not come.
    """
    breach = verdicts.verdict == Verdict.BREACH
    unknown = np.zeros(len(breach), bool)
    if span.maintenance and breach.any():
        unknown = breach & span.maintained(verdicts.frame)
    if verdicts.frame.dark:
        tells = np.isin(verdicts.verdict, [Verdict.HEALTHY, *([Verdict.BREACH] if rule.ways == {"missing"} else [])])
        unknown |= tells & verdicts.frame.unheard()
    if not unknown.any():
        return verdicts
    return replace(verdicts, verdict=np.where(unknown, Verdict.UNKNOWN, verdicts.verdict).astype(np.int8))
