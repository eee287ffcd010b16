"""An ensemble of equal members for the series that matter most: whatever is unusual in two views at once, told once."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite, log10, nan

from detectors import Score
from detectors.discord import LENGTHS, Distances, Recent
from detectors.members import Range, Season, Spread
from detectors.past import PAST, Past
from detectors.tail import LARGEST, directed

SHORT = 3
"""Of the discord's lengths, how many are one view; the others are another."""

AGREE = 2
"""Views whose rarities add up, the largest ones: a single one may be a quirk of its own, and most never see the fault."""

AT_ONCE, LASTING = 0.25, 0.05
"""Part of the sum that counts at once, and rate at which the rest does: what lasts counts for more than what flickers."""

AGEING = 0.8
"""For a past ten times as long a reading has to be rarer by this much, as its rarest is then rarer."""

TOLD = 2.5
"""From this tail on a reading is told; what is as bad but not told keeps just below."""

WEARY = 0.2
"""What a telling takes off the tails that follow it, ever less."""


@dataclass(frozen=True, slots=True)
class _View:
    figures: list[float]
    sum: float
    lasting: float
    both: float
    tail: float


class Ensemble:
    """Five views of a series: short stretches and long ones unlike any before, readings beyond the range, off their time of
    day, of another spread. The rarities of the two rarest are added, smoothed, and set against the series' own past.

    It tells a fault once: a tail of 2.5 or more is that of a reading with which something new begins. What follows stays
    just below it for `quiet` readings (fewer while the series is young), and needs more again for some ten times as long: so a
    threshold on its score gives alarms, not every reading of a fault. A rule with `for`, which waits for a fault to last, asks
    for `quiet = 0`. On the other side of what is expected than `direction` nothing is unusual. None until the shortest stretches
    have had 100 distances and 100 sums.

    quiet: readings after a telling without another. history: past readings to compare with.
    """

    def __init__(self, *, direction: str = "both", quiet: int = 120, history: int = 5000) -> None:
        if quiet < 0:
            raise ValueError(f"quiet must not be negative, not {quiet}")
        if history < 4 * LENGTHS[-1]:
            raise ValueError(f"history must be at least {4 * LENGTHS[-1]}, not {history}")
        self._direction = directed(direction)
        self._quiet = quiet
        self._distances, self._range, self._season, self._spread = Distances(history), Range(), Season(), Spread()
        self._pasts = [Past() for _ in range(len(LENGTHS) + 3)]
        self._sums = Past()
        self._lasting = 0.0
        self._weary = 0.0
        self._learned = 0
        self._silent = 0  # readings for which nothing more is told
        self._recent = Recent()
        self._asked: tuple[float, int, _View] | None = None

    def score_one(self, x: float, slot: int = 0) -> Score | None:
        """None while warming or where x is not a finite number."""
        if not isfinite(x) or not self._sums.warm():
            return None
        tail = self._look(x, slot).tail
        if self._quiet:
            tail -= self._weary
            if tail >= TOLD and self._silent:
                tail = TOLD - 1 / (2 + tail)
        return self._recent.judged(x, max(tail, 0.0), self._direction)

    def learn_one(self, x: float, slot: int = 0) -> None:
        """Take the reading in as normal."""
        if not isfinite(x):
            return
        view = self._look(x, slot)
        self._tell(view.tail)
        for past, figure in zip(self._pasts, view.figures, strict=True):
            if isfinite(figure):
                past.learn(figure)
        if self._pasts[0].warm():
            self._lasting = view.lasting
            self._sums.learn(view.both)
        x = min(max(x, -LARGEST), LARGEST)
        self._distances.learn(x)
        self._range.learn(x)
        self._season.learn(x, slot)
        self._spread.learn(x)
        self._recent.learn(x, slot)
        self._learned += 1
        self._asked = None

    def _tell(self, tail: float) -> None:
        age = self._learned
        self._weary *= 1 - 1 / min(max(0.3 * age, 100), 2000)
        told = tail - self._weary >= TOLD and not self._silent
        self._silent = max(self._silent - 1, 0)
        if told:
            self._silent = int(min(0.05 * age, self._quiet))
            self._weary += WEARY

    def _look(self, x: float, slot: int) -> _View:
        if self._asked is None or self._asked[:2] != (x, slot):
            self._asked = x, slot, self._view(min(max(x, -LARGEST), LARGEST), slot)
        return self._asked[2]

    def _view(self, x: float, slot: int) -> _View:
        figures = [
            *self._distances.nearest(x),
            self._range.figure(x),
            self._season.figure(x, slot),
            self._spread.figure(x),
        ]
        rarity, excess = [nan] * len(figures), [0.0] * len(figures)
        for i, (past, figure) in enumerate(zip(self._pasts, figures, strict=True)):
            if past.warm() and isfinite(figure):
                rarity[i], excess[i] = past.rarity(figure), past.excess(figure)
        n = len(LENGTHS)
        views = sorted(
            (
                _mean(rarity[:SHORT]),
                _mean(rarity[SHORT:n]),
                excess[n],
                _mean([(rarity[n + 1] + excess[n + 1]) / 2]),
                _mean([(rarity[n + 2] + excess[n + 2]) / 2]),
            )
        )
        total = sum(views[-AGREE:])
        lasting = self._lasting + LASTING * (total - self._lasting)
        both = AT_ONCE * total + (1 - AT_ONCE) * lasting
        age = log10(min(max(self._learned, 300), PAST) / 1000)
        tail = both + self._sums.excess(both) - AGEING * age if self._sums.warm() else 0.0
        return _View(figures, total, lasting, both, tail)


def _mean(rarities: list[float]) -> float:
    """Of those there are; 0 for none."""
    there = [rarity for rarity in rarities if isfinite(rarity)]
    return sum(there) / len(there) if there else 0.0
