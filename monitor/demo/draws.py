"""Chance without a state: a draw is a hash of its coordinates, so a minute is the same in whatever span it stands."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import pdtrik

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


def uniforms(seed: int, draw: int, minute: Ints, ordinal: Ints) -> Floats:
    """Evenly spread numbers inside (0, 1), one a (minute, ordinal), independent from one `draw` (0..255) to another.

    `minute` is counted from the epoch (below 2^32); `ordinal` tells the draws of one minute apart (below 2^24).
    """
    key = (minute.astype(np.uint64) << np.uint64(32)) | (ordinal.astype(np.uint64) << np.uint64(8)) | np.uint64(draw)
    salt = _mix(np.array([seed], np.uint64))
    bits = _mix(_mix(key ^ salt)) >> np.uint64(11)
    return (bits.astype(np.float64) + 0.5) * 2.0**-53


def poisson(expected: Floats, chance: Floats) -> Ints:
    """Whole counts of mean `expected`, read off the Poisson distribution at `chance` in (0, 1)."""
    counts: Floats = np.ceil(np.maximum(pdtrik(chance, expected), 0))
    return counts.astype(np.int64)


def _mix(bits: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """splitmix64: each bit that goes in turns about half of those that come out."""
    bits = bits + np.uint64(0x9E3779B97F4A7C15)
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))
