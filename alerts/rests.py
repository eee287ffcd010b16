"""What rests on what: X rests on Y, so when Y fails, X shows it, and X is a symptom.

A thing is a product, a channel or what a metric's series is called, by its name: it is what a scope speaks of. A product through a
channel speaks of the product; a channel speaks for itself where no product is named, as in its own monitoring.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, reduce
from typing import Literal

from alerts.scopes import reaching
from rules import Scope


@dataclass(frozen=True, slots=True, order=True)
class Rest:
    """Declared: this product or channel rests on that thing."""

    dimension: Literal["product", "channel"]
    name: str
    on: str

    @property
    def scope(self) -> Scope:
        """Of what rests."""
        return Scope(self.name) if self.dimension == "product" else Scope("", self.name)


@dataclass(frozen=True)
class Rests:
    """Everything that was declared; without a link, nothing rests on anything."""

    links: tuple[Rest, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.links)

    @cached_property
    def on(self) -> Mapping[str, frozenset[str]]:
        """By thing, all that it rests on, directly or through others."""
        found: dict[str, set[str]] = {}
        for link in self.links:
            found.setdefault(link.name, set()).add(link.on)
        for _ in found:
            for beneath in found.values():
                beneath |= {deeper for thing in beneath for deeper in found.get(thing, ())}
        return {thing: frozenset(beneath) for thing, beneath in found.items()}

    def tied(self, one: str, other: str) -> bool:
        """Whether one rests on the other, whichever it is."""
        return other in self.on.get(one, ()) or one in self.on.get(other, ())

    def symptoms(self, scopes: Iterable[Scope]) -> tuple[Scope, ...]:
        """Of the scopes that began to fail together, those that only show what fails beneath them, one a thing, in order.

        A channel's alert with a failing product of its own inside is that product's rows seen from further off; and what lies wholly
        inside of what fails, as one product in a channel where all do, is a part of it. Neither is a symptom by itself.
        """
        told = list(dict.fromkeys(scopes))
        things = {thing(scope) for scope in told}
        above = [scope for scope in told if self.on.get(thing(scope), frozenset()) & things]
        if not above:
            return ()
        cause = spread([scope for scope in told if scope not in above])
        shown = (reaching(s for s in above if thing(s) == name) for name in {thing(s) for s in above})
        return tuple(sorted(s for s in shown if not s.holds(cause) and (cause == Scope() or not cause.holds(s))))

    def resting(self, scope: Scope) -> list[Scope]:
        """What rests on that which fails here, directly or through others: whoever uses it is around the failure, too."""
        name = thing(scope)
        return sorted({link.scope for link in self.links if name in self.on[link.name]}) if name else []


def thing(scope: Scope) -> str:
    """What it speaks of, '' where that is the whole bank or one client."""
    return scope.product or scope.channel or scope.series


def things(scopes: Collection[Scope]) -> frozenset[str]:
    """What they speak of."""
    return frozenset(thing(scope) for scope in scopes) - {""}


def spread(scopes: Iterable[Scope]) -> Scope:
    """How far a cause reaches that shows in all of these. What a series says of nothing else does not meet with transactions."""
    told = list(scopes)
    meters = [scope for scope in told if not scope.product and not scope.channel and scope.series]
    rows = [scope for scope in told if scope not in meters]
    return reduce(Scope.widened, [*([reaching(rows)] if rows else []), *meters])
