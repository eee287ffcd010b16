"""From a forecast to a score: how far out in a normal tail a reading lies, in log space so that it never saturates."""

from __future__ import annotations

from math import log
from typing import Literal, get_args

import numpy as np

from detectors import Floats, Scores

Direction = Literal["up", "down", "both"]

BAND = 2.5758293035489004
"""Half the width of the 99 % band, in scales."""

FARTHEST = 1000.0
"""Scales beyond which readings are no longer told apart: a tail of about 217,000."""

LARGEST = 1e150
"""Readings beyond count as this much, so that their squares are still numbers."""

SLIGHT = 1e-6
"""A change of less than this part of the level is none: the scale of a series that has never changed."""


def directed(direction: str) -> Direction:
    """Check a kind's `direction` option; ValueError naming the choices."""
    for known in get_args(Direction):
        if direction == known:
            return known  # type: ignore[no-any-return]  # get_args is untyped
    raise ValueError(f"direction must be up, down or both, not {direction!r}")


def readings(x: Floats, largest: float = LARGEST) -> Floats:
    """The readings with infinities as missing (NaN) and monstrous ones cut to size."""
    return np.where(np.isfinite(x), np.minimum(np.maximum(x, -largest), largest), np.nan)


def believed(scale: Floats, level: Floats, floor: float) -> Floats:
    """The scale to judge by: never below `floor`, never quite zero."""
    return np.maximum(np.maximum(scale, floor), np.abs(level) * SLIGHT + 1e-12)


def judge(x: Floats, expected: Floats, scale: Floats, direction: Direction) -> Scores:
    """Scores of readings against forecasts; NaN in any of the three gives NaN."""
    from scipy.special import log_ndtr  # noqa: PLC0415  costs 0.1 s, and most commands score nothing

    z = np.minimum(np.maximum((x - expected) / scale, -FARTHEST), FARTHEST)
    if direction == "both":
        log_p = np.minimum(log_ndtr(-np.abs(z)) + log(2), 0.0)
    else:
        log_p = log_ndtr(-z if direction == "up" else z)
    due = np.where(np.isnan(z), np.nan, expected)
    half = BAND * scale
    return Scores(score=-np.expm1(log_p), tail=log_p / -log(10), expected=due, lower=due - half, upper=due + half)
