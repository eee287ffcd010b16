"""River's models by name: which there are, and one made of its options."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from typing import Any

ROOMS = ("anomaly", "time_series")


@cache
def known() -> dict[str, type]:
    """River's anomaly detectors and forecasters; its filters, which wrap a detector, are none. Costs 2 s the first time."""
    from river import base, time_series  # noqa: PLC0415  see above

    kinds = (base.AnomalyDetector, base.SupervisedAnomalyDetector, time_series.base.Forecaster)
    rooms = {room: import_module(f"river.{room}") for room in ROOMS}
    named = {f"{room}.{name}": getattr(module, name) for room, module in rooms.items() for name in module.__all__}
    return {name: cls for name, cls in named.items() if inspect.isclass(cls) and issubclass(cls, kinds)}


def model_of(name: str, options: Mapping[str, Any]) -> Any:
    """The model; an option that is a table with a `model` is a model again.

    LookupError: there is no such model; TypeError: it has no such option; ValueError: it cannot be made of these.
    """
    if name not in known():
        raise LookupError(f"river has no model {name!r}, only {', '.join(sorted(known()))}")
    parameters = inspect.signature(known()[name]).parameters
    if unknown := sorted(options.keys() - parameters.keys()):
        raise TypeError(f"river's {name} has no option {', '.join(unknown)}, only {', '.join(parameters)}")
    made = {
        key: model_of(value["model"], value.get("options", {}))
        if isinstance(value, Mapping) and "model" in value
        else value
        for key, value in options.items()
    }
    try:
        return known()[name](**made)
    except (TypeError, ValueError, AttributeError, ArithmeticError) as fault:
        raise ValueError(f"river's {name} cannot be made: {fault}") from None


def supervised(model: Any) -> bool:
    """Whether it scores a number, rather than features."""
    from river import base  # noqa: PLC0415  as above

    return isinstance(model, base.SupervisedAnomalyDetector)
