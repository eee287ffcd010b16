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

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

SLOTS = 192
"""Clock slots a detector may be given: 96 quarters of an hour in the bank's local time, for business days and for
other days."""


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

    def learn_one(self, x: float, slot: int = 0) -> None:
        """Take the reading in as normal."""
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
        """Learn the readings where `mask` is true and the reading is finite."""
        ...


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
    made = _kind(kind)
    if unknown := sorted(chosen.keys() - options(kind)):
        known = ", ".join(inspect.signature(made).parameters)
        raise TypeError(f"detector kind {kind!r} has no option {', '.join(unknown)}, only {known}")
    one = made(**chosen)
    if isinstance(one, Bank):
        return one
    from detectors.adapters import Many  # noqa: PLC0415  the adapters need the types of this door

    return Many(cast("Callable[[], Detector]", partial(made, **chosen)))


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
