"""`Calibration` and `Recent` of one series, in plain numbers: the same formulas, a µs or two a reading."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from math import exp, expm1, log, log1p, sqrt

import numpy as np

from detectors import Score
from detectors.calibration import (
    BAND,
    BINS,
    EDGES,
    FAR,
    FLATTEST,
    HALVING,
    HAZARD,
    JOINT,
    KNOWN,
    LOG_SMOOTH,
    OFTEN,
    PRIOR,
    REFRESH,
    SMOOTH,
    START,
    STEEP,
    STEEPEST,
    STEP,
    TAIL,
    WIDTHS,
    Calibration,
)
from detectors.ewma import CLIP, RECENT, YOUNG, Recent
from detectors.tail import FARTHEST, SLIGHT, Direction

LOG2, LOG10 = log(2), log(10)


class Chances:
    """How rare each residual is in one series' own past; see `Calibration`."""

    __slots__ = ("hist", "rest", "run", "seen", "table")

    def __init__(self) -> None:
        self.hist = (array("f", bytes(4 * BINS)), array("f", bytes(4 * BINS)))
        self.table = (array("d", START[0]), array("d", START[0]))
        self.rest: list[tuple[float, ...]] = [START[1], START[1]]  # hazard, band, far
        self.seen = 0
        self.run = 0

    def judge(self, x: float, expected: float, scale: float, direction: Direction) -> Score:
        """The score of a reading against a forecast; all three are numbers."""
        z = (x - expected) / scale
        z = min(max(z, -FARTHEST), FARTHEST)
        side = z < 0
        log_s = self._log_survival(-z if side else z, side)
        if z == 0:
            log_p = 0.0
        elif direction == "both":
            log_p = min(log_s + LOG2, 0.0)
        elif side == (direction == "down"):
            log_p = log_s
        else:
            log_p = log1p(-exp(min(log_s, -1e-9)))
        up, down = self.rest
        return Score(
            0.0 - expm1(log_p), (0.0 - log_p) / LOG10, expected, expected - down[1] * scale, expected + up[1] * scale
        )

    def _log_survival(self, size: float, side: int) -> float:
        table = self.table[side]
        at = bisect_right(EDGES, size) - 1
        low, into = log(table[at]), size - EDGES[at]
        if at < BINS - 1:
            return low + into / WIDTHS[at] * (log(table[at + 1]) - low)
        return low - self.rest[side][0] * into

    def learn(self, x: float, expected: float, scale: float) -> None:
        """Count the residual."""
        z = min(max((x - expected) / scale, -FARTHEST), FARTHEST)
        side = z < 0
        size, sign = abs(z), -1 if side else int(z > 0)
        far = size > self.rest[side][2]
        if not (far and self.run == sign):
            if z == 0:
                self.hist[0][0] += 0.5
                self.hist[1][0] += 0.5
            else:
                self.hist[side][bisect_right(EDGES, size) - 1] += 1.0
        self.run = sign if far else 0
        self.seen += 1
        turn = self.seen % REFRESH
        if turn == 0:
            self._look(0)
            if self.seen % HALVING == 0:
                for hist in self.hist:
                    hist[:] = array("f", [count * 0.5 for count in hist])
        elif turn == REFRESH // 2:
            self._look(1)

    def into(self, bank: Calibration) -> None:
        """Make it the only series of a bank."""
        bank.hist = np.array(self.hist, np.float32)[:, :, None]
        bank.table, bank.rest = np.array(self.table)[:, :, None], np.array(self.rest)[:, :, None]
        bank.seen, bank.run = np.array([self.seen], np.int64), np.array([self.run], np.int8)

    def out_of(self, bank: Calibration) -> None:
        """Become the only series of a bank."""
        up, down = bank.hist[:, :, 0].tolist()
        self.hist = array("f", up), array("f", down)
        up, down = bank.table[:, :, 0].tolist()
        self.table = array("d", up), array("d", down)
        self.rest = [tuple(side) for side in bank.rest[:, :, 0].tolist()]
        self.seen, self.run = int(bank.seen[0]), int(bank.run[0])

    def _look(self, side: int) -> None:
        """`fit` of one side."""
        hist = self.hist[side]
        total, reached, known, often = sum(self.hist[0]) + sum(self.hist[1]), [0.0] * BINS, 0, 0
        so_far = 0.0
        for k in range(BINS - 1, -1, -1):
            so_far += hist[k]
            reached[k] = so_far
            known = known or (k if so_far >= KNOWN else 0)
            often = often or (k if so_far >= OFTEN else 0)
        beyond, before = reached[known], reached[often]
        apart = LOG_SMOOTH[often] - LOG_SMOOTH[known]
        times = 1.0
        if apart > 0 and before <= TAIL * total:
            fall = (log(max(before, 1.0)) - log(max(beyond, 1.0))) / apart
            times = (beyond * min(max(fall, FLATTEST), STEEPEST) + STEEP) / (beyond + STEEP)
        hazard = HAZARD * times
        table = self.table[side]
        s = table[0] = (reached[0] + PRIOR / 2) / (total + PRIOR)
        falls: dict[int, float] = {}
        for k in range(1, BINS):
            smooth = SMOOTH[k]
            if k > JOINT:
                half = falls.get(k - STEP)
                smooth = falls[k] = exp(-hazard * WIDTHS[k - 1]) if half is None else half * half
            s = table[k] = s * (reached[k] + PRIOR * smooth) / (reached[k - 1] + PRIOR)
        self.rest[side] = (hazard, _where(table, hazard, BAND), _where(table, hazard, FAR))


def _where(table: array[float], hazard: float, chance: float) -> float:
    at = max(sum(s > chance for s in table) - 1, 0)
    low = table[at]
    slope = log(low / table[at + 1]) / WIDTHS[at] if at < BINS - 1 else hazard
    return max(EDGES[at] + log(max(low / chance, 1.0)) / slope, 0.0)


def believed(scale: float, level: float, floor: float) -> float:
    """As `tail.believed`."""
    return max(scale, floor, abs(level) * SLIGHT + 1e-12)


class Level:
    """`Recent` of one series."""

    __slots__ = ("age", "level", "scale", "surprise", "var")

    def __init__(self, floor: float) -> None:
        self.age, self.level, self.var, self.surprise = 0.0, 0.0, 0.0, 0.0
        self.scale = believed(0.0, 0.0, floor)

    def into(self, bank: Recent) -> None:
        """Make it the only series of a bank."""
        for name in RECENT:
            setattr(bank, name, np.array([getattr(self, name)]))

    def out_of(self, bank: Recent) -> None:
        """Become the only series of a bank."""
        for name in RECENT:
            setattr(self, name, float(getattr(bank, name)[0]))

    def follow(self, x: float, alpha: float, floor: float) -> None:
        """Learn a number within bounds."""
        age = self.age
        if age == 0:
            self.level = x
        self.age = age = age + 1
        e = x - self.level
        size = abs(e)
        if age >= YOUNG:
            limit = max(CLIP * self.scale, min(size, self.surprise))
            e = min(max(e, -limit), limit)
        slow = alpha / 4
        age = max(age, 2)
        self.level = level = self.level + max(alpha, 1 / age) * e
        self.var = var = self.var + max(slow, 1 / (age - 1)) * (e * e - self.var)
        self.surprise = max(size, self.surprise * (1 - slow))
        self.scale = believed(sqrt(var), level, floor)
