"""A bank stepped through a block of minutes: score, decide, and learn what may be learned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from detectors import Bank, Bools, Floats, Scores

if TYPE_CHECKING:
    from numpy.typing import NDArray

Material = Callable[[int, Scores], Bools]
"""Which series a breach would matter for, from the step's place in the block and its scores; asked once a step, in
order."""


@dataclass(frozen=True, slots=True)
class Block:
    """The scores of a block, each of shape (steps, series): see `Scores`; breach: beyond the tail, and material."""

    score: Floats
    tail: Floats
    expected: Floats
    lower: Floats
    upper: Floats
    breach: Bools


class Walk:
    """Steps a bank so that an incident is not learned at once, yet a lasting change is learned in bounded time.

    A reading in breach is withheld from learning while its series has credit. Credit is `freeze` steps: a step in
    breach spends one, a healthy step earns one back, a missing reading does neither; once some is spent, half the
    tail is bad enough, or the milder minutes of an incident would wear the forecast down to it. So a lasting shift is
    learned after `freeze` steps; a short pause in an incident does not buy it another `freeze`; and a storm that is
    bad for a part d > 1/2 of the time is learned after at most freeze / (2 d - 1) steps. Below one half it stays
    withheld for as long as it lasts: most of what the series does is then healthy, and that is learned.

    tail: -log10 of the probability below which a reading is in breach; 0 leaves that to what is material alone. freeze:
    steps, 0 = learn everything.
    """

    def __init__(self, bank: Bank, *, tail: float, freeze: int) -> None:
        self._bank = bank
        self._tail = tail
        self._suspect = tail / 2 if tail > 0 else np.inf
        self._freeze = freeze
        self._spent = np.zeros(0, dtype=np.int64)

    def step_block(self, x: Floats, slots: NDArray[np.int_], material: Material | None = None) -> Block:
        """Walk through readings of shape (steps, series), NaN where there is none, and the clock slot of each step.

        Series may be added on the right from block to block. Where a block is cut makes no difference to the result.
        ValueError: fewer series than before, or not one slot a step.
        """
        steps, series = x.shape
        known = len(self._spent)
        if series < known or len(slots) != steps:
            raise ValueError(f"{steps} steps of {series} series do not follow {known} series with {len(slots)} slots")
        if series > known:
            self._bank.grow(series)
            self._spent = np.append(self._spent, np.zeros(series - known, dtype=np.int64))
        score, tail, expected, lower, upper = np.empty((5, steps, series))
        block = Block(score, tail, expected, lower, upper, np.empty((steps, series), dtype=np.bool_))
        for t, slot in enumerate(slots.tolist()):
            scores = self._bank.score(x[t], slot)
            block.score[t] = scores.score
            block.tail[t] = scores.tail
            block.expected[t] = scores.expected
            block.lower[t] = scores.lower
            block.upper[t] = scores.upper
            bad = scores.tail > self._tail if self._tail > 0 else ~np.isnan(scores.tail)
            if material is not None:
                bad &= material(t, scores)
            block.breach[t] = bad
            self._bank.learn(x[t], slot, self._may_learn(scores.tail, bad))
        return block

    def _may_learn(self, tail: Floats, bad: Bools) -> Bools:
        """Which series learn this step; spends and earns credit."""
        if not (np.count_nonzero(bad) or np.count_nonzero(self._spent)):
            return ~bad
        bad = bad | ((self._spent > 0) & (tail > self._suspect))
        learn = ~bad | (self._spent >= self._freeze)
        change = np.where(bad, 1, np.where(np.isnan(tail), 0, -1))
        self._spent = np.minimum(np.maximum(self._spent + change, 0), self._freeze)
        return learn
