"""[[rests]] of the configuration: X rests on Y, so when Y fails, X shows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, model_validator

from alerts.rests import Rest, Rests
from monitor.blocks import Block
from monitor.faults import Fault, explained


def _named(names: list[str]) -> list[str]:
    if not names or not all(name.strip() for name in names):
        raise ValueError("must name what it rests on")
    return names


def _listed(given: object) -> object:
    return [given] if isinstance(given, str) else given


Names = Annotated[list[str], BeforeValidator(_listed), AfterValidator(_named)]


class RestsBlock(Block):
    """[[rests]]: this product or channel rests on these products, channels or metrics' series."""

    product: str | None = Field(default=None, min_length=1)
    channel: str | None = Field(default=None, min_length=1)
    on: Names

    @model_validator(mode="after")
    def _is_of_one(self) -> Self:
        if (self.product is None) == (self.channel is None):
            raise ValueError("give exactly one of product and channel: what rests on the others")
        return self


def read_rests(given: Any, file: str, faults: list[Fault]) -> Rests:
    """What rests on what by the configuration; what is wrong with it goes to `faults`."""
    if not isinstance(given, list):
        faults.append(Fault(file, "rests", "must be a list of tables: write [[rests]]"))
        return Rests()
    known = sorted(RestsBlock.model_fields)
    links: list[tuple[str, Rest]] = []
    for i, written in enumerate(given):
        try:
            read = RestsBlock.model_validate(written)
        except ValidationError as error:
            faults += explained(error, file, f"rests[{i}]", known)
            continue
        dimension, name = ("product", read.product) if read.product else ("channel", read.channel)
        for on in read.on:
            link = Rest(dimension, name or "", on)  # type: ignore[arg-type]  # one of the two
            if wrong := _wrong(link, links):
                faults.append(Fault(file, f"rests[{i}].on", wrong))
            else:
                links.append((f"rests[{i}]", link))
    return Rests(tuple(link for _, link in links))


def _wrong(link: Rest, before: Sequence[tuple[str, Rest]]) -> str:
    """Why it cannot stand beside those before it, or ''."""
    if link.name == link.on:
        return f"{link.name} rests on itself"
    if said := next((key for key, other in before if other == link), ""):
        return f"{said} says already that {link.name} rests on {link.on}"
    beneath: dict[str, list[str]] = {}
    for _, other in before:
        beneath.setdefault(other.name, []).append(other.on)
    way = _way(link.on, link.name, beneath)
    return f"goes round in a circle: {' -> '.join([link.name, *way])}" if way else ""


def _way(start: str, end: str, beneath: Mapping[str, Sequence[str]]) -> list[str]:
    """From one thing down to the other, if there is a way."""
    if start == end:
        return [end]
    found = (_way(deeper, end, beneath) for deeper in beneath.get(start, ()))
    return next(([start, *way] for way in found if way), [])
