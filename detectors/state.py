"""The state of a detector as versioned arrays: no pickles, nothing that could run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

VERSION = 1
"""Of what the arrays mean; raised whenever a formula or a name among them changes."""


class StateError(ValueError):
    """A state that cannot be taken back: of another kind or version, or not whole. Rebuild from what is stored."""


@dataclass(frozen=True, slots=True)
class State:
    """What a bank, or one series, has learned. arrays: by name, the last axis the series."""

    kind: str
    version: int
    arrays: Mapping[str, NDArray[Any]]


def given(kind: str, holder: object, names: Sequence[str]) -> State:
    """A copy of the named arrays; a dot in a name leads into a part."""
    return State(kind, VERSION, {name: np.array(_seek(holder, name)) for name in names})


def taken(state: State, kind: str, holder: object, names: Sequence[str], *, many: bool = False) -> None:
    """Put a copy of the arrays in the place of the holder's own. many: their last axis is the series.

    StateError: of another kind or version; a name is missing or too many, an array has another type or shape.
    """
    checked(state, kind)
    if wrong := sorted(set(names) ^ set(state.arrays)):
        raise StateError(f"the state of {kind!r} is not whole: {', '.join(wrong)}")
    for name in names:
        own, array = np.asarray(_seek(holder, name)), state.arrays[name]
        if own.dtype != array.dtype or own.ndim != array.ndim or own.shape[:-1] != array.shape[:-1]:
            raise StateError(f"the state of {kind!r} has another shape or type: {name}")
    if many and len({array.shape[-1] for array in state.arrays.values() if array.ndim}) > 1:
        raise StateError(f"the state of {kind!r} has arrays of different numbers of series")
    for name in names:
        part, _, last = name.rpartition(".")
        setattr(_seek(holder, part) if part else holder, last, np.array(state.arrays[name]))


Arrays = Mapping[str, NDArray[Any]]


class Part(Protocol):
    """What has arrays of its own: a part of a detector."""

    def arrays(self) -> Arrays:
        """All that it has learned."""
        ...

    def put(self, arrays: Arrays) -> None:
        """The same back in its place."""
        ...


def gathered(kind: str, numbers: Sequence[float], parts: Mapping[str, Part]) -> State:
    """The state of a detector of one series made of parts, and the numbers that are its own."""
    arrays = {f"{at}.{name}": np.array(array) for at, part in parts.items() for name, array in part.arrays().items()}
    return State(kind, VERSION, {"numbers": np.array(numbers, np.float64), **arrays})


def spread(state: State, own: State, parts: Mapping[str, Part], *, growing: str = "") -> list[float]:
    """Give each part a copy of its arrays; the numbers, back. own: the taker's state as it is; growing: arrays of any length.

    StateError: of another kind or version; a name is missing or too many, an array has another type or shape.
    """
    checked(state, own.kind)
    if wrong := sorted(own.arrays.keys() ^ state.arrays.keys()):
        raise StateError(f"the state of {own.kind!r} is not whole: {', '.join(wrong)}")
    for name, array in own.arrays.items():
        found = state.arrays[name]
        cut = -1 if name.rpartition(".")[2] == growing else None
        if (array.dtype, array.ndim, array.shape[:cut]) != (found.dtype, found.ndim, found.shape[:cut]):
            raise StateError(f"the state of {own.kind!r} has another shape or type: {name}")
    for at, part in parts.items():
        part.put({name: np.array(state.arrays[f"{at}.{name}"]) for name in part.arrays()})
    numbers: list[float] = state.arrays["numbers"].tolist()
    return numbers


def checked(state: State, kind: str) -> None:
    """StateError: it is of another kind or version."""
    if (state.kind, state.version) != (kind, VERSION):
        raise StateError(
            f"the state is of {state.kind!r} version {state.version}, not of {kind!r} version {VERSION}: rebuild it"
        )


Kept = TypeVar("Kept", bound=Any)


def alone(bank: Kept, state: State) -> Kept:
    """A bank without series, once it has taken the state of one. StateError: as `taken`; or it is of several."""
    bank.take(state)
    if any(array.ndim and array.shape[-1] != 1 for array in state.arrays.values()):
        raise StateError(f"the state of {state.kind!r} is not of one series")
    return bank


def _seek(holder: object, name: str) -> Any:
    for step in name.split("."):
        holder = getattr(holder, step)
    return holder
