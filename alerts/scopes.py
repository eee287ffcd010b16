"""Scopes of one cause, put together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import reduce
from itertools import combinations, product

from rules import Scope


def together(one: Scope, other: Scope) -> Scope:
    """The scope of a cause that shows in both.

    A client among all is a symptom: the wider scope stands. A whole product and a whole channel that fail at once meet in what they
    share. What does not meet is held by the narrowest scope around both.
    """
    if bool(one.client_id) != bool(other.client_id):
        wide, client = (other, one) if one.client_id else (one, other)
        if wide.overlaps(client):
            return wide
        one, other = wide, replace(client, client_id="")
    if one.overlaps(other) and not one.client_id and _meter(one) == _meter(other):
        meet = one.met(other)
        return one.widened(other) if meet in (one, other) else meet
    return one.widened(other)


def _meter(scope: Scope) -> bool:
    """Whether it is what a metric's series says of nothing else: that does not meet with transactions."""
    return bool(scope.series) and not scope.product and not scope.channel


def reaching(scopes: Iterable[Scope]) -> Scope:
    """How far a cause reaches that shows in all of these: what holds the narrowest of them, in whatever order they came.

    A product and a channel that fail at once are told by what they share; what a client's alert adds to the wide ones is where it lies.
    """
    told = set(scopes)
    wide = {scope for scope in told if not scope.client_id}
    if wide:
        alone = [one for one in told - wide if not any(scope.overlaps(one) for scope in wide)]
        told = wide | {replace(one, client_id="") for one in alone}
    told |= {one.met(other) for one, other in combinations(told, 2) if one.overlaps(other)}
    return reduce(Scope.widened, narrowest(told))


def narrowest(scopes: Iterable[Scope]) -> list[Scope]:
    """Those that hold none of the others: what they say is said by the narrower ones, and better."""
    told = dict.fromkeys(scopes)
    wider: set[tuple[str, ...]] = set()
    for one in told:
        around = product(*((value, "") if value else ("",) for value in one.values))
        next(around)  # itself
        wider.update(around)
    return [one for one in told if one.values not in wider]
