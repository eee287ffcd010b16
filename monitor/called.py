"""How a client's name may be written, and where names stand in texts: the one place that knows, for who covers them and who takes them out.

A name is known by its words, whatever stands between them, without regard to capitals and accents; J.P. is JP, and & is y. Its legal
form may be left out (S.A.S., Ltda., & Cía.), unless one word is left that is a product's or channel's as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from threading import Lock
from types import MappingProxyType
from typing import NamedTuple
from unicodedata import combining, normalize
from weakref import WeakKeyDictionary

from monitor import tables as t
from monitor.columns import counting
from monitor.database import CLIENTS
from monitor.spanish import NAMES
from monitor.standing import tuples
from monitor.store import Store

SHORTEST = 3
"""Letters of a name that is looked for: what is shorter is everywhere in the words around it."""
_LETTER, _SIGN = r"[^\W\d_]", r"[^\W_]"
_WORD = re.compile(
    rf"{_LETTER}(?:\.{_LETTER}(?!{_SIGN}))+|{_LETTER}(?:\.\s{_LETTER}(?!{_SIGN}))+|{_SIGN}+(?:[\u0300-\u036f]+{_SIGN}*)*|&"
)
"""Initials with dots, a word with the accents that stand apart, or &."""
_PLAIN = re.compile(r"[a-z](?:\.[a-z](?![a-z0-9]))+|[a-z](?:\.\s[a-z](?![a-z0-9]))+|[a-z0-9]+|&")
"""The same in small letters without accents."""
_ACCENTS = str.maketrans("áéíóúàèìòùâêîôûäëïöüãõñç", "aeiouaeiouaeiouaeiouaonc")
_FORMS = frozenset(
    tuple(form.split())
    for form in (
        "sas", "s a s", "sa", "s a", "ltda", "limitada", "cia", "compania", "y cia", "y compania", "eu", "e u", "sca", "scs", "s en c",
        "s en c s", "s en c a", "esp", "e s p", "bic", "inc", "corp", "llc", "ltd", "plc", "de cv", "en liquidacion", "en reorganizacion",
        "sociedad anonima", "sociedad por acciones simplificada", "sociedad limitada", "empresa unipersonal",
    )
)  # fmt: skip
"""What a name may end with and be written without; several may follow one another (& Cía. Ltda.)."""
_LENGTHS = sorted({len(form) for form in _FORMS}, reverse=True)
_ENDS = frozenset(form[-1] for form in _FORMS)


class Place(NamedTuple):
    """Where in a text a name stands, with a legal form that follows: its signs, how many words it has, and whose it may be."""

    start: int
    stop: int
    words: int
    owners: tuple[str, ...]


def unaccented(text: str) -> str:
    """Without its accents."""
    return text if text.isascii() else "".join(sign for sign in normalize("NFKD", text) if not combining(sign))


def _words(text: str) -> tuple[list[str], list[re.Match[str]]]:
    """Those of a text as names are compared by them, and where they stand."""
    small = text.lower().translate(_ACCENTS)
    if not small.isascii():
        found = list(_WORD.finditer(text))
        return [_folded(one.group()) for one in found], found
    found = list(_PLAIN.finditer(small))
    told = [one.group() for one in found]
    return [_folded(one) for one in told] if "." in small or "&" in small else told, found


def _folded(word: str) -> str:
    if word == "&":
        return "y"
    plain = unaccented(word.casefold())
    return "".join(plain.replace(".", " ").split()) if "." in plain else plain


def _is_form(words: list[str], many: int) -> bool:
    return len(words) == many and tuple(words) in _FORMS


_TAKEN = frozenset(word for pair in NAMES.items() for text in pair for word in _words(text)[0])
"""Words of products and channels."""


def written(name: str) -> list[tuple[str, ...]]:
    """The ways in which a name may be written, in words: whole, and without its legal form."""
    small = name.lower().translate(_ACCENTS)
    told = _PLAIN.findall(small) if small.isascii() else _words(name)[0]
    whole = tuple(map(_folded, told) if "." in small or "&" in small else told)
    short = whole
    while len(short) > 1 and short[-1] in _ENDS:
        long = next((n for n in _LENGTHS if n < len(short) and short[-n:] in _FORMS), 0)
        if not long:
            break
        short = short[:-long]
    alone = len(short) == 1 and (len(short[0]) < SHORTEST or short[0] in _TAKEN)
    return [whole] if short == whole or alone else [whole, short]


class Names:
    """Clients by the words of their names, and of their numbers that are none."""

    def __init__(self, of: Mapping[str, str] = MappingProxyType({})) -> None:
        self.of: dict[str, str] = {}
        self._owners: dict[tuple[str, ...], list[str]] = {}
        self._lengths: dict[str, list[int]] = {}
        self.take(of)

    def take(self, names: Mapping[str, str]) -> None:
        """Those that are not known yet, while others look."""
        for client_id, name in names.items():
            if client_id in self.of:
                continue
            self.of[client_id] = name
            for way in written(name) if client_id.isdigit() else [*written(name), *written(client_id)]:
                if way:
                    self._owners.setdefault(way, []).append(client_id)
                    lengths = self._lengths.get(way[0], ())
                    if len(way) not in lengths:
                        self._lengths[way[0]] = sorted([*lengths, len(way)], reverse=True)

    def places(self, text: str) -> tuple[list[Place], int]:
        """Where names stand in a text, of those that begin at one word the longest; and how many words the text has."""
        (told, marks), found, at = _words(text), [], 0
        while at < len(told):
            stop = at + 1
            for length in self._lengths.get(told[at], ()):
                here = tuple(told[at : at + length])
                if len(here) == length and (owners := self._owners.get(here)):
                    stop = at + length
                    stop += next((n for n in _LENGTHS if _is_form(told[stop : stop + n], n)), 0)
                    found.append(Place(marks[at].start(), marks[stop - 1].end(), length, tuple(owners)))
                    break
            at = stop
        return found, len(told)

    def anywhere(self, text: str) -> Iterator[str]:
        """Everybody who may be meant, also by a name within another one."""
        told, _ = _words(text)
        for at, first in enumerate(told):
            for length in self._lengths.get(first, ()):
                yield from self._owners.get(tuple(told[at : at + length]), ())


_reading = Lock()
_known: WeakKeyDictionary[Store, tuple[object, Names]] = WeakKeyDictionary()


def known(store: Store) -> Names:
    """Those of all clients: read those that have come since it was asked last, and all anew where one has gone or is another.

    This process alone writes clients; others only take some out (`monitor.purge`).
    """
    c = t.clients.c
    with _reading:
        ((many,),) = tuples(store, t.clients.select().with_only_columns(counting(c.client_id)))
        as_of = store.changed.get(CLIENTS, 0), many
        before, names = _known.get(store, (None, Names()))
        if as_of != before:
            every = dict(map(tuple, tuples(store, t.clients.select().with_only_columns(c.client_id, c.name))))
            if any(every.get(client_id) != name for client_id, name in names.of.items()):
                names = Names(every)
            else:
                names.take(every)
            _known[store] = as_of, names
        return names


def without(text: str, places: list[Place], sign: str) -> str:
    """The text with a sign for each of these."""
    for place in reversed(places):
        text = text[: place.start] + sign + text[place.stop :]
    return text
