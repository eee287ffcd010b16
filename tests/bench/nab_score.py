"""The score of the Numenta Anomaly Benchmark: what the detections in a file of labelled windows are worth.

Of the points from a file's probation on (its first 15 %, 750 at most) those at or above the threshold are detections. The first
in a window earns 1 at its left edge down to nearly 0 at its right one, by a sigmoid; the others in that window nothing. A
window without one costs `fn`. A detection outside windows costs up to `fp`: all of it before the first window and from three
widths behind the last one's end, less just behind that end. On the scale that is told, finding every window at once and nothing
else is 100, and finding nothing is 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

PROBATION, LONGEST = 0.15, 750


@dataclass(frozen=True, slots=True)
class Profile:
    """What a false alarm and a missed window cost, where a window found at once earns 1."""

    name: str
    fp: float
    fn: float


STANDARD = Profile("standard", 0.11, 1.0)
PROFILES = (STANDARD, Profile("low FP", 0.22, 1.0), Profile("low FN", 0.055, 2.0))


@dataclass(frozen=True, slots=True)
class File:
    """One file's points.

    worth: what a detection there is worth, a part of 1 in windows and of `fp` outside them, where it is negative; window: the number
    of the window that a point lies in, -1 outside; first: the first point behind the probation.
    """

    worth: Floats
    window: NDArray[np.int64]
    windows: int
    first: int


def marked(points: int, windows: Sequence[tuple[int, int]]) -> File:
    """A file of so many points with these windows, each the places of its first and last point, in order of time."""
    at = np.arange(points, dtype=float)
    worth, window = np.full(points, -1.0), np.full(points, -1)
    for number, (left, right) in enumerate(windows):
        width = right - left + 1.0
        behind = (at[right + 1 :] - right) / max(width - 1, 1e-9)
        worth[right + 1 :] = np.where(behind >= 3, -1.0, _sigmoid(behind))
        window[left : right + 1] = number
    for left, right in windows:
        inside = slice(left, right + 1)
        worth[inside] = _sigmoid(-(right - at[inside] + 1) / (right - left + 1)) / _sigmoid(-1)
    return File(worth, window, len(windows), int(min(PROBATION * points // 1, LONGEST)))


def _sigmoid(position: Floats | float) -> Floats:
    """1 far before a window's right edge, 0 at it, -1 far behind; positions in widths of the window."""
    return np.asarray(2 / (1 + np.exp(5.0 * np.asarray(position))) - 1)


@dataclass(frozen=True, slots=True)
class Curve:
    """What every threshold earns over some files, thresholds falling; the first is infinite: no detection at all."""

    thresholds: Floats
    earned: Floats

    def at(self, threshold: float) -> float:
        """Earned with the points at or above that threshold as detections."""
        return float(self.earned[np.searchsorted(-self.thresholds, -threshold, side="right") - 1])

    def best(self) -> float:
        """The threshold that earns most, the highest of equals: how the board chooses it."""
        return float(self.thresholds[np.argmax(self.earned)])


def curve(scored: Iterable[tuple[File, Floats]], profile: Profile) -> Curve:
    """Over files with a score a point, of which NaN is never a detection."""
    scores, gains = [np.empty(0)], [np.empty(0)]
    missed = 0.0
    for file, score in scored:
        missed += file.windows * profile.fn
        there = np.flatnonzero(~np.isnan(score))
        there = there[there >= file.first]
        outside = there[file.window[there] < 0]
        scores.append(score[outside])
        gains.append(profile.fp * file.worth[outside])
        for number in range(file.windows):
            inside = there[file.window[there] == number]
            inside = inside[np.lexsort((inside, -score[inside]))]  # falling score, of equals the earlier first
            so_far = np.maximum.accumulate(file.worth[inside])
            scores.append(score[inside])
            gains.append(np.diff(so_far, prepend=-profile.fn))
    of, gain = np.concatenate(scores), np.concatenate(gains)
    order = np.argsort(-of, kind="stable")
    of, earned = of[order], np.cumsum(gain[order]) - missed
    last = np.append(
        of[1:] != of[:-1], np.ones(min(len(of), 1), np.bool_)
    )  # of equal scores all are detections or none
    return Curve(np.append(np.inf, of[last]), np.append(-missed, earned[last]))


def normal(earned: float, windows: int, profile: Profile) -> float:
    """100 for what the perfect detector earns, 0 for what silence does; may be negative."""
    return 100 * (earned + windows * profile.fn) / (windows * (1 + profile.fn))
