"""From a block of a user's file to a living source, desk or rule: options checked against the class's signature."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Annotated, Any, get_type_hints

from pydantic import BeforeValidator, ConfigDict, ValidationError, create_model

import rules
from monitor.faults import Fault, explained

_UNITS = {"ms": "milliseconds", "s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|[smhdw]))+")
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|[smhdw])")
LONGEST = timedelta(days=36525)
"""A hundred years."""
YEARS = range(1970, 2201)
"""Of the times that people give: LONGEST before and after any of them there is still a calendar."""


def duration(value: Any) -> timedelta:
    """A length of time as people write it: 10s, 5m, 1h30m, 30d."""
    if isinstance(value, timedelta):
        return value
    if not isinstance(value, str) or not _DURATION.fullmatch(value):
        raise ValueError("must be a length of time such as 10s, 5m, 1h30m or 30d")
    try:
        total = sum((timedelta(**{_UNITS[unit]: float(n)}) for n, unit in _PART.findall(value)), timedelta())
    except OverflowError:
        total = timedelta.max
    if total > LONGEST:
        raise ValueError("is longer than a hundred years")
    return total


Duration = Annotated[timedelta, BeforeValidator(duration)]


def rule_kinds() -> list[str]:
    """The kinds of rule there are: the files of `rules` whose class checks windows."""
    names = (path.stem for path in Path(rules.__file__).parent.glob("[!_]*.py"))
    return sorted(name for name in names if hasattr(_rule_class(name), "check"))


def _rule_class(kind: str) -> type[Any] | None:
    return getattr(importlib.import_module(f"rules.{kind}"), kind.title().replace("_", ""), None)


def load_rule(kind: str) -> type[Any]:
    """The class of a rule kind; LookupError naming the kinds there are."""
    found = _rule_class(kind) if kind in rule_kinds() else None
    if found is None:
        raise LookupError(f"no rule kind {kind!r}; there are: {', '.join(rule_kinds())}")
    return found


def options(cls: type[Any]) -> dict[str, inspect.Parameter]:
    """The keyword-only options of a kind."""
    return {
        name: p for name, p in inspect.signature(cls).parameters.items() if p.kind is inspect.Parameter.KEYWORD_ONLY
    }


def checked(
    cls: type[Any], given: Mapping[str, Any], file: str, key: str, faults: list[Fault], *, known: set[str]
) -> dict[str, Any] | None:
    """The options with their types; None if one that is needed is missing or wrong.

    known: keys of the block that are not the kind's. Where others are wrong, the rest goes on, so that the class has
    its word on them too: the faults stand all the same.
    """
    types = get_type_hints(cls.__init__)
    shape: dict[str, Any] = {}
    for name, parameter in options(cls).items():
        kind = Duration if types[name] is timedelta else types[name]
        shape[name] = (kind, ... if parameter.default is inspect.Parameter.empty else parameter.default)
    model = create_model(
        cls.__name__,
        __config__=ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, arbitrary_types_allowed=True),
        **shape,
    )
    try:
        return dict(model.model_validate(dict(given)))
    except ValidationError as error:
        faults += explained(error, file, key, sorted(known | set(shape)))
        wrong = {problem["loc"][0] for problem in error.errors()}
    if any(name in wrong and default is ... for name, (_, default) in shape.items()):
        return None
    return dict(model.model_validate({name: value for name, value in given.items() if name not in wrong}))


def built(
    make: Callable[..., Any], chosen: Mapping[str, Any], file: str, key: str, faults: list[Fault]
) -> Callable[[], Any] | None:
    """What makes one from the chosen options; tried once, so that what the class itself refuses is told with its key."""
    factory = partial(make, **chosen)
    try:
        factory()
    except (ValueError, LookupError, TypeError) as error:
        text = str(error.args[0]) if error.args else str(error)
        option = re.match(r"[a-z_.]+", text)
        named = option.group() if option and option.group().split(".")[0] in chosen else ""
        what = text.removeprefix(named).lstrip(": ")
        faults.append(Fault(file, f"{key}.{named}" if named else key, what))
        return None
    return factory
