"""Whose names and NITs a message may carry: those of the recipient's own clients, and nobody else's."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from monitor import tables as t
from monitor.called import SHORTEST, Names, known, without
from monitor.standing import Row, only, rows
from monitor.store import Store

HIDDEN = "…"
"""What stands for a client's name or number that is not for this reader."""
_NUMBER = re.compile(r"(?<![^\W_])(?<!\.)(?:\d{1,3}(?:[. ]\d{3}){2,4}|\d{5,15})(?:-\d)?(?![^\W_])")
"""What may be a NIT, in any form that people write it in."""
_SAID = re.compile(r"(NIT\W{0,3})\d[\d. -]{3,16}\d", re.IGNORECASE)


def without_clients(row: Row, named: Mapping[str, str]) -> Row:
    """An incident's row with every client taken out of it who is not one of `named` (by id)."""

    def one(client_id: str) -> str:
        return client_id if client_id in named else ""

    def scope(values: Sequence[str]) -> list[str]:
        product, channel, client_id, series = values
        return [product, channel, one(client_id), series]

    shares = [
        [dimension, one(value) if dimension == "client_id" else value, part]
        for dimension, value, part in row["shares"] or ()
    ]
    return row | {
        "client_id": one(row["client_id"]),
        "shares": shares,
        "reach": scope(row["reach"]) if row["reach"] else [],
        "symptoms": [scope(values) for values in row["symptoms"] or ()],
    }


def mentioned(store: Store, texts: Sequence[str]) -> dict[str, str]:
    """The clients who may be meant somewhere in these texts, each with their name ('' where none is known)."""
    if not any(texts):
        return {}
    whole = "\n".join(texts)
    numbers = {digits for match in _NUMBER.finditer(whole) for digits in _read(match.group())}
    names = known(store)
    said = {one for text in texts for one in names.anywhere(text)}
    found = {one: names.of[one] for one in said | (numbers & names.of.keys())}
    touched = rows(store, only(t.impacts, "client_id", t.impacts.c.client_id.in_(numbers)).distinct())
    return {row["client_id"]: "" for row in touched} | found


def masked(texts: Sequence[str], among: Mapping[str, str], named: Mapping[str, str]) -> list[str]:
    """Texts that people have written, without the names and NITs of clients who are not of `named`. among: those `mentioned` there."""
    if not any(texts):
        return list(texts)
    names = Names(among)
    theirs = among.keys()

    def number(match: re.Match[str]) -> str:
        return HIDDEN if theirs & (_read(match.group()) - named.keys()) else match.group()

    def nit(match: re.Match[str]) -> str:
        return match.group() if _read(match.group()) & named.keys() else f"{match.group(1)}{HIDDEN}"

    def unnamed(text: str) -> str:
        found = (place for place in names.places(text)[0] if place.stop - place.start >= SHORTEST)
        others = [place for place in found if not named.keys() & set(place.owners)]
        return without(text, others, HIDDEN)

    return [_SAID.sub(nit, _NUMBER.sub(number, unnamed(text))) for text in texts]


def _read(number: str) -> set[str]:
    """The NITs that a number may be: whole, or with its last digit taken for the check digit."""
    digits = re.sub(r"\D", "", number)
    return {digits, digits[:-1]}
