"""Numbers in, scores out: one series (`Detector`) or many of one kind at once (`Bank`).

One file is one kind; its public class is a Bank or a Detector, its keyword-only options are the rule's `detector =
{...}` keys. Detectors do no I/O, never ask the clock and know no product: a reading comes with the number of its
clock slot (see `monitor.calendar`), because the index of a reading says nothing once a minute is missing.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from functools import cache, partial
from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Any, Protocol, cast, runtime_checkable

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Callable

    from detectors.state import State

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

QUARTERS = 96
"""Quarters of an hour in a day."""
BUSINESS, PAYDAY, SATURDAY, REST = range(4)
"""Kinds of day that have a clock of their own: a business day, one on which wages are paid, a Saturday that is no
holiday, a Sunday or holiday."""
LIKE = (PAYDAY, BUSINESS, REST, SATURDAY)
"""Which kind of day stands in for each while little is known of it."""
SLOTS = 4 * QUARTERS
"""Clock slots a detector may be given: the quarters of the local day, kind after kind."""


def like(slot: int) -> int:
    """The same time of the kind of day that stands in for this slot's."""
    return LIKE[slot // QUARTERS] * QUARTERS + slot % QUARTERS


@dataclass(frozen=True, slots=True)
class Score:
    """How unusual one reading is.

    score: 0..1, one minus the tail probability of such a reading; tail: -log10 of that probability, which still tells
    readings apart where the score has reached 1.0; expected, lower, upper: what was due and its 99 % band, in the
    reading's own unit.
    """

    score: float
    tail: float
    expected: float
    lower: float
    upper: float


@runtime_checkable
class Detector(Protocol):
    """One series, after river's protocol. Scoring never changes state; a NaN is never learned."""

    def score_one(self, x: float, slot: int = 0) -> Score | None:
        """None while warming or where x is not a finite number."""
        ...

    def learn_one(self, x: float, slot: int = 0, *, take: bool = True) -> None:
        """Take the reading in as normal; where `take` is false it is only shown, as what the mask of a bank withholds."""
        ...

    def state(self) -> State:
        """What it has learned, as versioned arrays."""
        ...

    def take(self, state: State) -> None:
        """Go on from such a state. StateError: of another kind or version, or not whole; rebuild from what is stored."""
        ...


@dataclass(frozen=True, slots=True)
class Scores:
    """One step of a bank, a value a series in each array: NaN where a series is warming or its reading is missing."""

    score: Floats
    tail: Floats
    expected: Floats
    lower: Floats
    upper: Floats


@runtime_checkable
class Bank(Protocol):
    """Many series of one kind, state in arrays; a step costs a few vectorised operations whatever their number."""

    def grow(self, series: int) -> None:
        """Make room for `series` series in all; the ones that exist keep their places and their state."""
        ...

    def score(self, x: Floats, slot: int) -> Scores:
        """Score one reading a series (shape: series; NaN = no reading). Changes nothing."""
        ...

    def learn(self, x: Floats, slot: int, mask: Bools) -> None:
        """Learn the readings where `mask` is true and the reading is finite; the others are only shown."""
        ...

    def state(self) -> State:
        """What it has learned, as versioned arrays; how many series there are is part of it."""
        ...

    def take(self, state: State) -> None:
        """Go on from such a state. StateError: of another kind or version, or not whole; rebuild from what is stored."""
        ...


CUSTOMARY = 6.0
"""The tail beyond which a reading is in breach unless its kind says another: its like comes less than once in a million."""


def kinds() -> list[str]:
    """The files of this folder that are kinds: those with a public class that scores."""
    return sorted(module.name for module in iter_modules(__path__) if _class_of(module.name))


def options(kind: str) -> frozenset[str]:
    """The names of a kind's options. LookupError: no such kind."""
    return frozenset(inspect.signature(_kind(kind)).parameters)


def make(kind: str, **chosen: Any) -> Bank:
    """A bank of that kind, without series as yet.

    LookupError: no such kind; TypeError: no such option; ValueError: the option cannot have that value.
    """
    made = _made(kind, chosen)
    if isinstance(made, Bank):
        return made
    from detectors.adapters import Many  # noqa: PLC0415  the adapters need the types of this door

    return Many(cast("Callable[[], Detector]", partial(_kind(kind), **chosen)))


def one(kind: str, **chosen: Any) -> Detector:
    """A detector of one series of that kind, which scores as the only series of its bank; errors as `make`'s."""
    made = _made(kind, chosen)
    if isinstance(made, Detector):
        return made
    if hasattr(made, "one"):
        return cast("Detector", made.one())
    from detectors.adapters import One  # noqa: PLC0415  as above

    return One(made)


def customary(kind: str, **chosen: Any) -> float:
    """The tail at which that kind, with these options, is customarily in breach: its attribute of this name; errors as `make`'s.

    Kinds that rank a reading among its past seldom reach the millionth that others are asked for.
    """
    return float(getattr(_made(kind, chosen), "customary", CUSTOMARY))


def _made(kind: str, chosen: dict[str, Any]) -> Detector | Bank:
    made = _kind(kind)
    if unknown := sorted(chosen.keys() - options(kind)):
        known = ", ".join(inspect.signature(made).parameters)
        raise TypeError(f"detector kind {kind!r} has no option {', '.join(unknown)}, only {known}")
    return made(**chosen)


def _kind(kind: str) -> type[Detector | Bank]:
    if kind in kinds() and (found := _class_of(kind)):
        return found
    raise LookupError(f"no detector kind {kind!r}, only {', '.join(kinds())}")


@cache
def _class_of(kind: str) -> type[Detector | Bank] | None:
    """The public class of that file that scores; it bears the name of the file (half_space_trees: HalfSpaceTrees)."""
    made = getattr(import_module(f"{__name__}.{kind}"), kind.title().replace("_", ""), None)
    scores = hasattr(made, "score_one") or (hasattr(made, "score") and hasattr(made, "grow"))
    return made if scores else None
