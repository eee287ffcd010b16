"""An ensemble of equal views for the few series that matter most: what is unusual in two of them, told once."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite, log10, nan

from detectors import Score
from detectors.discord import LENGTHS, Distances, Due, remembered
from detectors.members import Range, Season, Spread
from detectors.past import PAST, Past
from detectors.state import Part, State, gathered, spread
from detectors.tail import LARGEST, directed

SHORT = 3
"""Of the discord's lengths, how many make one view; the others make another."""

AGREE = 2
"""The views whose rarities are added, the rarest: one alone may be a quirk of that view, and most faults show in few."""

AT_ONCE, LASTING = 0.25, 0.05
"""The part of a sum that counts at once, and the rate at which the rest does: what lasts counts more than what flickers."""

HUSHED = 0.9
"""The largest tail of a reading that is as bad but not told, as a part of `told`."""

ECHO = 30
"""Readings without another telling at least: for as long an odd one has a hand in the spread."""

WEARY = 0.2
"""What a telling takes off later tails; it fades."""


@dataclass(frozen=True, slots=True)
class _Look:
    """figures: of each member; alone: the rarity of the short stretches; lasting, both: the sum, smoothed and mixed."""

    figures: list[float]
    alone: float
    lasting: float
    both: float
    tail: float


class Ensemble:
    """Five views of a series, the two rarest of them added, smoothed, and set against the series' own past.

    They are: short stretches unlike any before, long ones, readings out of range, off their time of day, of another spread.

    It tells a fault once. A tail of `told` or more says that with this reading something new begins; the readings of the next
    `quiet` (fewer while the series is young) are below that however bad they are, and so is later what is no worse, for some
    thousand readings. So a threshold on its score gives alarms, not each reading of a fault. A rule with `for`, which
    waits for a fault to last, asks for `quiet = 0`. The longer the past, the rarer a reading has to be. On the other side of what is
    expected than `direction` nothing is unusual. None until there are 100 short stretches to compare with, and 100 sums.

    told: the tail from which a reading is told. quiet: readings after that without another. history: past readings compared with.
    """

    def __init__(self, *, direction: str = "both", told: float = 2.4, quiet: int = 120, history: int = 5000) -> None:
        if not told > 0:
            raise ValueError(f"told must be above 0, not {told}")
        if quiet < 0:
            raise ValueError(f"quiet must not be negative, not {quiet}")
        self._direction = directed(direction)
        self.customary, self._quiet = told, quiet
        self._distances = Distances(remembered(history))
        self._range, self._season, self._spread = Range(), Season(), Spread()
        self._pasts = [Past() for _ in range(len(LENGTHS) + 3)]
        self._sums = Past()
        self._lasting = 0.0
        self._learned = 0
        self._silent = 0
        self._weary = 0.0
        self._due = Due()
        self._asked: tuple[float, int, _Look] | None = None
        self._parts: dict[str, Part] = {
            "distances": self._distances,
            "range": self._range,
            "season": self._season,
            "spread": self._spread,
            "sums": self._sums,
            "due": self._due,
            **{f"past{i}": past for i, past in enumerate(self._pasts)},
        }

    def score_one(self, x: float, slot: int = 0) -> Score | None:
        """None while warming or where x is not a finite number."""
        if not isfinite(x) or not self._sums.warm():
            return None
        look = self._look(x, slot)
        tail = max(look.tail - self._weary, 0.0)
        if self._silent:
            tail = min(tail, look.alone, HUSHED * self.customary)
        return self._due.judged(x, tail, self._direction)

    def learn_one(self, x: float, slot: int = 0, *, take: bool = True) -> None:
        """Take the reading in as normal; one that is withheld was not told either."""
        if not (take and isfinite(x)):
            return
        look = self._look(x, slot)
        if self._quiet:
            self._tell(look.tail)
        for past, figure in zip(self._pasts, look.figures, strict=True):
            if isfinite(figure):
                past.learn(figure)
        if self._pasts[0].warm():
            self._lasting = look.lasting
            self._sums.learn(look.both)
        x = min(max(x, -LARGEST), LARGEST)
        self._distances.learn(x)
        self._range.learn(x)
        self._season.learn(x, slot)
        self._spread.learn(x)
        self._due.learn(x)
        self._learned += 1
        self._asked = None

    def state(self) -> State:
        """What it has learned: 3 MB at the default history."""
        return gathered("ensemble", (self._lasting, self._learned, self._silent, self._weary), self._parts)

    def take(self, state: State) -> None:
        """Go on from there. StateError: it is not one of this kind and version."""
        self._lasting, learned, silent, self._weary = spread(state, self.state(), self._parts, growing="came")
        self._learned, self._silent, self._asked = int(learned), int(silent), None

    def _tell(self, tail: float) -> None:
        """Note whether this reading was told, and what that does to those that follow."""
        self._weary *= 1 - 1 / min(max(0.3 * self._learned, 100), 2000)
        if self._silent:
            self._silent -= 1
        elif tail - self._weary >= self.customary:
            self._silent = min(max(int(0.05 * self._learned), ECHO), self._quiet)
            self._weary += WEARY

    def _look(self, x: float, slot: int) -> _Look:
        """What the views make of the reading; kept, since what is learned was mostly scored just before."""
        if self._asked is None or self._asked[:2] != (x, slot):
            self._asked = x, slot, self._judge(min(max(x, -LARGEST), LARGEST), slot)
        return self._asked[2]

    def _judge(self, x: float, slot: int) -> _Look:
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
        *_, beyond, _, _ = excess  # of a range hardly ever left ranks say nothing
        season, spread = ((rarity[i] + excess[i]) / 2 for i in (-2, -1))
        alone = _mean(rarity[:SHORT])
        views = [alone, _mean(rarity[SHORT : len(LENGTHS)]), beyond, _mean([season]), _mean([spread])]
        total = sum(sorted(views)[-AGREE:])
        lasting = self._lasting + LASTING * (total - self._lasting)
        both = AT_ONCE * total + (1 - AT_ONCE) * lasting
        above = self._sums.excess(both) if self._sums.warm() else 0.0
        age = log10(min(max(self._learned, 300), PAST) / 1000)  # where the past is longer, its rarest is rarer
        tail = both + above - age if above > 0 else 0.0  # up to the median all is usual
        return _Look(figures, alone, lasting, both, max(tail, 0.0))


def _mean(rarities: list[float]) -> float:
    """Of those that are there; 0 for none."""
    there = [rarity for rarity in rarities if isfinite(rarity)]
    return sum(there) / len(there) if there else 0.0
