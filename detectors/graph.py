"""An object of river's as one array of bytes and back: its values, not its code.

What pickle would do, cut down to what may be trusted: only classes of river and a few containers are made again, and no function is ever
called by name. The bytes are JSON; a float comes back to the last bit.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.state import StateError

ALLOWED = frozenset(
    {
        *("collections.deque", "collections.defaultdict", "collections.Counter", "collections.OrderedDict"),
        *("builtins.set", "builtins.frozenset", "builtins.float", "builtins.int", "builtins.list", "builtins.dict"),
        *("builtins.tuple", "builtins.str", "builtins.bool"),
        *("random.Random", "functools.partial"),
    }
)
"""Classes that may be made again, beside river's own."""
NEW = object().__reduce_ex__(2)[0]
"""How pickle's protocol says that an object is made without its constructor."""


def frozen(thing: object) -> NDArray[np.uint8]:
    """The object and all it holds. TypeError: it holds what is neither river's nor plain."""
    text = json.dumps(_Writer().node(thing), separators=(",", ":"))
    return np.frombuffer(text.encode(), np.uint8).copy()


def thawed(array: NDArray[np.uint8]) -> Any:
    """What was frozen. StateError: it was not, or holds what is not allowed."""
    try:
        return _Reader().thing(json.loads(array.tobytes().decode()))
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, ImportError) as fault:
        raise StateError(f"the state of a model cannot be read: {fault}") from fault


def _named(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"


class _Writer:
    """Each object once: what is met again is told by its number."""

    def __init__(self) -> None:
        self._numbers: dict[int, int] = {}
        self._kept: list[object] = []  # an id holds only while its object lives

    def node(self, thing: Any) -> Any:
        if thing is None or type(thing) in (bool, int, float, str):
            return thing
        if type(thing) is bytes:
            return ["bytes", base64.b64encode(thing).decode()]
        if isinstance(thing, np.generic):
            return ["scalar", thing.dtype.str, thing.item()]
        if id(thing) in self._numbers:
            return ["again", self._numbers[id(thing)]]
        if type(thing) is not tuple:  # a tuple is made after its parts: it gets no number
            self._numbers[id(thing)] = len(self._numbers)
        self._kept.append(thing)
        return self._whole(thing)

    def _whole(self, thing: Any) -> Any:
        if type(thing) is tuple:
            return ["tuple", [self.node(part) for part in thing]]
        if type(thing) is list:
            return ["list", [self.node(part) for part in thing]]
        if type(thing) is dict:
            return ["dict", [[self.node(key), self.node(value)] for key, value in thing.items()]]
        if isinstance(thing, np.ndarray) and not thing.dtype.hasobject:
            return ["array", thing.dtype.str, list(thing.shape), base64.b64encode(thing.tobytes()).decode()]
        if isinstance(thing, type):
            return ["named", _checked(_named(thing))]
        return self._reduced(thing)

    def _reduced(self, thing: Any) -> Any:
        """By pickle's own protocol: class, arguments, state, parts."""
        told = thing.__reduce_ex__(2)
        if isinstance(told, str):
            return ["named", _checked(f"{thing.__module__}.{told}")]
        made, given, state, parts, pairs = (*told, None, None, None)[:5]
        cls, new = (given[0], given[1:]) if made is NEW else (made, given)
        if not isinstance(cls, type):
            raise TypeError(f"{_named(type(thing))} cannot be kept as arrays")
        return [
            "object" if made is NEW else "call",
            _checked(_named(cls)),
            [self.node(part) for part in new],
            self.node(state),
            [self.node(part) for part in parts or ()],
            [[self.node(key), self.node(value)] for key, value in pairs or ()],
        ]


def _checked(name: str) -> str:
    if not (name.startswith("river.") or name in ALLOWED):
        raise TypeError(f"a {name} cannot be kept as arrays")
    return name


def _found(name: str) -> Any:
    module, _, last = _checked(name).rpartition(".")
    return getattr(import_module(module), last)


class _Reader:
    def __init__(self) -> None:
        self._things: list[Any] = []

    def thing(self, node: Any) -> Any:
        if not isinstance(node, list):
            return node
        kind, *rest = node
        read: Callable[..., Any] = getattr(self, f"_{kind}")
        return read(*rest)

    def _keep(self, thing: Any) -> Any:
        self._things.append(thing)
        return thing

    def _bytes(self, text: str) -> bytes:
        return base64.b64decode(text)

    def _scalar(self, dtype: str, value: Any) -> Any:
        return np.dtype(dtype).type(value)

    def _again(self, number: int) -> Any:
        return self._things[number]

    def _tuple(self, parts: Iterable[Any]) -> tuple[Any, ...]:
        return tuple(self.thing(part) for part in parts)

    def _list(self, parts: Iterable[Any]) -> list[Any]:
        made: list[Any] = self._keep([])
        made.extend(self.thing(part) for part in parts)
        return made

    def _dict(self, pairs: Iterable[Any]) -> dict[Any, Any]:
        made: dict[Any, Any] = self._keep({})
        for key, value in pairs:
            at = self.thing(key)
            made[at] = self.thing(value)
        return made

    def _array(self, dtype: str, shape: list[int], text: str) -> NDArray[Any]:
        kept: NDArray[Any] = self._keep(np.frombuffer(base64.b64decode(text), dtype).reshape(shape).copy())
        return kept

    def _named(self, name: str) -> Any:
        return self._keep(_found(name))

    def _object(self, *told: Any) -> Any:
        return self._made(lambda cls, new: cls.__new__(cls, *new), *told)

    def _call(self, *told: Any) -> Any:
        return self._made(lambda cls, new: cls(*new), *told)

    def _made(
        self,
        make: Callable[[Any, tuple[Any, ...]], Any],
        name: str,
        new: list[Any],
        state: Any,
        parts: list[Any],
        pairs: list[Any],
    ) -> Any:
        number, cls = len(self._things), _found(name)
        if not isinstance(cls, type):
            raise TypeError(f"{name} is no class")
        self._keep(None)  # the place that the writer numbered before its parts
        made = self._things[number] = make(cls, self._tuple(new))
        held = self.thing(state)
        if hasattr(made, "__setstate__") and held is not None:
            made.__setstate__(held)
        elif held is not None:
            for some in held if isinstance(held, tuple) else (held,):
                for attribute, value in (some or {}).items():
                    object.__setattr__(made, attribute, value)
        if parts:
            made.extend(self.thing(part) for part in parts)
        for key, value in pairs:
            at = self.thing(key)
            made[at] = self.thing(value)
        return made
