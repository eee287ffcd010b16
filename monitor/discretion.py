"""Whose names and NITs a message may carry: those of the recipient's own clients, and nobody else's."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from monitor import tables as t
from monitor.standing import Row, only, rows
from monitor.store import Store

HIDDEN = "…"
"""What stands for a client's name or number that is not for this reader."""
SHORTEST = 3
"""Letters of a name that is looked for in texts: what is shorter is everywhere in the words around it."""
_NUMBER = re.compile(r"(?<![\w.])(?:\d{1,3}(?:[. ]\d{3}){2,4}|\d{5,15})(?:-\d)?(?!\w)")
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


def masked(store: Store, texts: Sequence[str], named: Mapping[str, str]) -> list[str]:
    """Texts that people have written, without the names and NITs of clients who are not of `named`."""
    if not any(texts):
        return list(texts)
    whole = "\n".join(texts)
    folded = whole.casefold()
    wanted = t.clients.select().with_only_columns(t.clients.c.client_id, t.clients.c.name)
    others = [row for row in rows(store, wanted) if row["client_id"] not in named]
    said = [word for row in others for word in row.values() if len(word) >= SHORTEST and word.casefold() in folded]
    longest = sorted(said, key=len, reverse=True)
    names = re.compile("|".join(map(re.escape, longest)), re.IGNORECASE) if said else None
    numbers = {digits for match in _NUMBER.finditer(whole) for digits in _read(match.group())}
    theirs = {row["client_id"] for row in others} & numbers
    theirs |= {
        row["client_id"] for row in rows(store, only(t.impacts, "client_id", t.impacts.c.client_id.in_(numbers)))
    }

    def number(match: re.Match[str]) -> str:
        return HIDDEN if theirs & (_read(match.group()) - named.keys()) else match.group()

    def nit(match: re.Match[str]) -> str:
        return match.group() if _read(match.group()) & named.keys() else f"{match.group(1)}{HIDDEN}"

    return [_SAID.sub(nit, _NUMBER.sub(number, names.sub(HIDDEN, text) if names else text)) for text in texts]


def _read(number: str) -> set[str]:
    """The NITs that a number may be: whole, or with its last digit taken for the check digit."""
    digits = re.sub(r"\D", "", number)
    return {digits, digits[:-1]}
