"""What all kinds share: sides, bounds of what is a reading, the smallest scale."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

from detectors import Floats

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
