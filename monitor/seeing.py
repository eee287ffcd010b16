"""Which clients whoever asks may see, and answers with the others taken out: the one place that all that is shown passes.

What is asked in a web request is asked under a `Sight`; the daemon and the command line see everyone. A row about a client who is not
to be seen falls out of its list, and is None where an answer has it beside other things; a whole answer about one is not there (Hidden).
In what is left, words that name such a client, by number or by name, are covered. Counts stay as they were counted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field, is_dataclass
from datetime import datetime, timedelta
from threading import Lock
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from connectors.nit import check_digit
from monitor import tables as t
from monitor.called import Names, known, without
from monitor.standing import only, rows, tuples
from monitor.store import Store

if TYPE_CHECKING:
    from monitor.access import User

COVERED = "•••"
HELD = timedelta(minutes=5)
"""How often it is looked whether the clients' names, to be covered in free text, must be read anew."""
SOME = 500
"""Numbers that one query asks about."""
LONGEST = 6
"""Groups of digits that one number may be written in, its check digit among them."""
_NUMBER = re.compile(r"[0-9]+(?:[.\-][0-9]+)*")
_SPACED = re.compile(r"(?<![0-9])[0-9]{1,3}(?:(?:\.|\s{1,2})[0-9]{3})+(?:\s?-?\s?[0-9])?(?![0-9])")
"""A number in groups of three, with its check digit or without; a run of such groups may be several."""
_CASE = re.compile(r"VG-AF-[^-]+-[^-]+-(.+)")
_HOLDERS: tuple[Any, ...] = (t.clients, t.holdings, t.impacts, t.decisions, t.their_cases)


class Hidden(LookupError):  # noqa: N818 - nothing went wrong
    """What was asked for is not there for whoever asks."""


class Forbidden(PermissionError):  # noqa: N818 - as above
    """What was asked is not for whoever asks, in words."""


@dataclass(frozen=True, slots=True)
class Sight:
    """The clients whom somebody may see; None: everyone. among: the query that found them, for who asks the database about many."""

    clients: frozenset[str] | None = None
    among: Any = field(default=None, compare=False, repr=False)

    def __contains__(self, client_id: object) -> bool:
        """'' is nobody, whom all may see."""
        return not client_id or self.clients is None or client_id in self.clients


EVERYONE = Sight()
SIGHT: ContextVar[Sight] = ContextVar("sight", default=EVERYONE)


def seen(client_id: str) -> bool:
    """Whether whoever asks may see this client."""
    return client_id in SIGHT.get()


def within(client_id: Any) -> list[Any]:
    """Of the rows of a query, those about clients whom whoever asks may see, and about nobody: conditions on this column."""
    sight = SIGHT.get()
    if sight.clients is None:
        return []
    few = sight.among is None or len(sight.clients) <= SOME
    return [(client_id == "") | client_id.in_(sorted(sight.clients) if few else sight.among)]


def partial() -> bool:
    """Whether whoever asks sees some clients alone."""
    return SIGHT.get().clients is not None


def sight_of(store: Store, user: User) -> Sight:
    """The clients whom a user may see, as the bank has them now."""
    if user.clients == "all":
        return EVERYONE
    c = t.clients.c
    if user.clients == "own":
        email = user.email.casefold()
        pattern = re.sub(r"([%_/])", r"/\1", user.email)
        mine: Any = [column.ilike(pattern, escape="/") for column in (c.post_sale, c.substitute, c.manager)]
        theirs = mine[0] | mine[1] | mine[2]
        found = rows(store, t.clients.select().where(theirs))
        own = (row for row in found if email in (row[k].casefold() for k in ("post_sale", "substitute", "manager")))
        return Sight(frozenset(row["client_id"] for row in own), only(t.clients, "client_id", theirs))
    written = [row["segment"] for row in rows(store, only(t.clients, "segment").distinct())]
    theirs = only(t.clients, "client_id", c.segment.in_([one for one in written if one.lower() in user.clients]))
    return Sight(frozenset(client_id for (client_id,) in tuples(store, theirs)), theirs)


class Part(list[Any]):
    """What is left of a list; `whole`: how many there were."""

    whole: int = 0


class Veil:
    """Takes out of answers what a sight does not reach."""

    def __init__(self, store: Store, clock: Callable[[], datetime]) -> None:
        self._store, self._clock = store, clock
        self._names = Names()
        self._reading = Lock()
        self._looked: datetime | None = None

    def over(self, answer: Any, sight: Sight, typed: frozenset[str] = frozenset()) -> Any:
        """The answer as that sight has it; Hidden where nothing of it is left.

        typed: what whoever asks has written themselves, which stays: covering it would tell them that there is such a client.
        """
        if sight.clients is None:
            return answer
        kept = _kept(answer, sight)
        return self._covered(kept, sight, typed)

    def _covered(self, kept: Any, sight: Sight, typed: frozenset[str]) -> Any:
        every = set(_texts(kept))
        texts = every - typed
        numbers = {number for text in texts for found in _NUMBER.finditer(text) for number in _meant(found.group())}
        numbers |= {number for text in texts for found in _SPACED.finditer(text) for number in _meant_by(found.group())}
        others = self._others(numbers - (sight.clients or frozenset()))
        self._read_names()
        plain = {text: text for text in every & typed} | {text: self._without(text, others, sight) for text in texts}
        return _put(kept, plain)

    def _others(self, numbers: Iterable[str]) -> set[str]:
        """Those of the numbers that are clients'."""
        asked, found = sorted(numbers), set()
        for start in range(0, len(asked), SOME):
            for table in _HOLDERS:
                some = table.c.client_id.in_(asked[start : start + SOME])
                found |= {row["client_id"] for row in rows(self._store, only(table, "client_id", some).distinct())}
        return found

    def _read_names(self) -> None:
        with self._reading:
            now = self._clock()
            if self._looked is None or now - self._looked >= HELD:
                self._names, self._looked = known(self._store), now

    def _without(self, text: str, others: set[str], sight: Sight) -> str:
        def number(found: re.Match[str]) -> str:
            return COVERED if others & _meant(found.group()) else found.group()

        def spaced(found: re.Match[str]) -> str:
            return COVERED if others & _meant_by(found.group()) else found.group()

        text = _NUMBER.sub(number, _SPACED.sub(spaced, text))
        places, many = self._names.places(text)
        # A word alone is a product before it is a name.
        others_names = [one for one in places if many > 1 and not any(owner in sight for owner in one.owners)]
        return without(text, others_names, COVERED)


def unsaid(words: str) -> str:
    """Why something is not shown, without what was asked for, whether there is such a client or not."""
    return re.sub("[0-9][0-9.-]{3,}[0-9]", COVERED, re.sub("«[^»]*»", f"«{COVERED}»", words))


def names_somebody(answer: Any) -> bool:
    """Whether single clients are told of in an answer."""
    if isinstance(answer, BaseModel):
        answer = answer.model_dump()
    if isinstance(answer, Mapping):
        client = answer.get("client_id")
        return (isinstance(client, str) and bool(client)) or any(map(names_somebody, answer.values()))
    if isinstance(answer, list | tuple):
        return any(map(names_somebody, answer))
    return is_dataclass(answer) and bool(_client_of(answer))


def _client_of(thing: Any) -> str:
    """Whom a fact is about."""
    return str(getattr(thing, "client_id", "") or getattr(getattr(thing, "scope", None), "client_id", "") or "")


def _about(row: Mapping[Any, Any]) -> Iterator[str]:
    """Whom a row is about: by its client, and by the key of a case."""
    if isinstance(client := row.get("client_id"), str):
        yield client
    for key in ("key", "case_key"):
        if isinstance(row.get(key), str) and (found := _CASE.fullmatch(row[key])):
            yield found.group(1)


def _or_none(value: Any, sight: Sight) -> Any:
    """One thing among others of an answer: None where it is about another, for the rest is there without it."""
    try:
        return _kept(value, sight)
    except Hidden:
        return None


def _kept(value: Any, sight: Sight, *, top: bool = True) -> Any:
    """top: not within a list, which leaves out whole rows."""
    if isinstance(value, BaseModel):
        value = value.model_dump()
    if isinstance(value, Mapping):
        if not all(client in sight for client in _about(value)):
            raise Hidden("no hay nada con ese nombre")
        return {key: _or_none(each, sight) if top else _kept(each, sight, top=False) for key, each in value.items()}
    if isinstance(value, tuple):
        return _like(value, (_kept(each, sight, top=False) for each in value))
    if isinstance(value, list | set | frozenset | Iterator):
        every, part = list(value), Part()
        part.whole = len(every)
        for each in every:
            try:
                part.append(_kept(each, sight, top=False))
            except Hidden:
                continue
        return part
    if is_dataclass(value) and _client_of(value) not in sight:
        raise Hidden("no hay nada con ese nombre")
    return value


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield str(value)
    elif isinstance(value, Mapping):
        for key, each in value.items():
            yield from _texts(key)
            yield from _texts(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _texts(each)


def _put(value: Any, plain: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return value if plain[value] == value else plain[value]
    if isinstance(value, Mapping):
        return {key: _put(each, plain) for key, each in value.items() if plain.get(key, key) == key}
    if isinstance(value, Part):
        part = Part(_put(each, plain) for each in value)
        part.whole = value.whole
        return part
    if isinstance(value, tuple):
        return _like(value, (_put(each, plain) for each in value))
    return value


def _like(value: tuple[Any, ...], items: Iterable[Any]) -> tuple[Any, ...]:
    """The items as a tuple of the same kind: one with names keeps them."""
    made: tuple[Any, ...] = getattr(value, "_make", tuple)(items)
    return made


def _meant(written: str) -> set[str]:
    """The identities that a number in a text may stand for: with dots, with its check digit, at the end of a key."""
    whole = re.sub(r"[.\-]", "", written)
    found = {whole, *(part.replace(".", "") for part in written.split("-")), *re.findall(r"[0-9]+", written)}
    return found | _checked(found)


def _meant_by(written: str) -> set[str]:
    """The same of groups of three: any of them that stand together."""
    groups = re.findall(r"[0-9]+", written)
    runs = {"".join(groups[i:j]) for i in range(len(groups)) for j in range(i + 2, min(i + LONGEST, len(groups)) + 1)}
    return runs | _checked(runs)


def _checked(found: set[str]) -> set[str]:
    """Those that end with their check digit, without it."""
    return {n[:-1] for n in found if 1 < len(n) <= 16 and check_digit(n[:-1]) == int(n[-1])}  # noqa: PLR2004 - 15 and its digit
