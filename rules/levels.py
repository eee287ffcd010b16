"""A frame seen from further off: its rows added up to the scopes of a level, a few dimensions of the frame's own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from detectors.counts import summed
from rules import DIMENSIONS, Floats, Frame, Ints, Scope

Dims = tuple[str, ...]
STEP = 1 << 32
"""A place's entries are this far from the next one's, so that a place and a minute make one number that sorts."""


@dataclass(frozen=True)
class Level:
    """The entries of a level, one a scope and minute in which there is anything, sorted by both.

    place: which of `scopes` each entry is of; row: the entry that each row of the frame adds to, -1 where to none; pairs: by scope,
    which products through which channels it holds.
    """

    scopes: tuple[Scope, ...]
    place: Ints
    minute: Ints
    row: Ints
    pairs: tuple[frozenset[tuple[str, str]], ...] = ()

    def total(self, weights: Floats, rows: Ints | None = None) -> Floats:
        """The sum by entry of a value a row (of these rows only)."""
        at = self.row if rows is None else self.row[rows]
        weights = weights if rows is None else weights[rows]
        kept = at >= 0
        return summed(at[kept], weights[kept], len(self.place))


def level(frame: Frame, by: Dims) -> Level:
    """The level of these dimensions; worked out once a frame. Rows that do not name what it is of are left out."""
    key = ("level", by)
    if key not in frame.made:
        frame.made[key] = _made(frame, by)
    found: Level = frame.made[key]
    return found


def projected(scope: Scope, by: Dims) -> Scope | None:
    """The scope of a level that holds this one; None if it does not name what the level is of.

    A bank may have no channels, or no products: a level of both takes what there is.
    """
    product, channel, client_id, series = (
        value if name in by else "" for name, value in zip(DIMENSIONS, scope.values, strict=True)
    )
    if ("client_id" in by and not client_id) or (len(by) == 1 and not (product or channel or client_id or series)):
        return None
    return Scope(product, channel, client_id, series)


def _made(frame: Frame, by: Dims) -> Level:
    places: dict[Scope, int] = {}
    pairs: list[set[tuple[str, str]]] = []
    of = np.full(len(frame.scopes), -1, np.int64)
    for i, scope in enumerate(frame.scopes):
        if wide := projected(scope, by):
            of[i] = at = places.setdefault(wide, len(places))
            if at == len(pairs):
                pairs.append(set())
            pairs[at].add((scope.product, scope.channel))
    place = of[frame.series]
    kept = place >= 0
    entries, each = np.unique(place[kept] * STEP + frame.minute[kept], return_inverse=True)
    row = np.full(len(place), -1, np.int64)
    row[kept] = each
    return Level(tuple(places), entries // STEP, entries % STEP, row, tuple(map(frozenset, pairs)))


class Places:
    """The number of each scope: given once, kept as scopes come and go."""

    def __init__(self) -> None:
        self.scopes: dict[Scope, int] = {}

    def of(self, scopes: tuple[Scope, ...]) -> Ints:
        """Numbers of these scopes, new ones for those not seen before."""
        return np.array([self.scopes.setdefault(scope, len(self.scopes)) for scope in scopes], np.int64)

    def __len__(self) -> int:
        return len(self.scopes)
