"""Where the long lists of an answer go on, as one word of an address: addresses stand in the logs of proxies, so it names nobody.

Of the row that came last it tells the numbers and times by which its list is ordered, and under a key that only this state knows which
row it was. It is signed with that key: nobody else makes one.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from typing import Any

from itsdangerous import BadData, URLSafeSerializer

from monitor import tables as t
from monitor.long_lists import LongList, Position
from monitor.store import Store

_KEY = "page_key"
_SIGNS = 24
"""Of a digest that are told: 96 bits."""


def marked(store: Store, lists: Mapping[str, LongList], positions: Mapping[str, Position]) -> str:
    """Positions in long lists as one word."""
    key = _key(store)
    return _signed(key).dumps({name: _told(key, lists[name], at) for name, at in positions.items()})


def read_mark(store: Store, word: str, lists: Mapping[str, LongList]) -> dict[str, Position]:
    """The positions in these lists that a word tells, () where they begin; ValueError where no answer told it.

    A row whose place has changed since is known again; where it is no more, its list goes on at its like: rather twice than never.
    """
    if not word:
        return dict.fromkeys(lists, ())
    key = _key(store)
    try:
        told = _signed(key).loads(word)
        return {name: _found(store, key, one, told[name]) for name, one in lists.items()}
    except (BadData, KeyError) as error:
        raise ValueError(word) from error


def _told(key: bytes, one: LongList, at: Position) -> list[Any]:
    if not at:
        return []
    plain = [_written(value) for value, (*_, kind) in zip(at, one.order, strict=True) if kind is not str]
    return [*plain, _which(key, one, at)]


def _found(store: Store, key: bytes, one: LongList, told: list[Any]) -> Position:
    if not told:
        return ()
    *values, which = told
    places = [n for n, (*_, kind) in enumerate(one.order) if kind is not str]
    plain = {n: _read(value, one.order[n][2]) for n, value in zip(places, values, strict=True)}
    return one.place(store, plain, lambda at: hmac.compare_digest(_which(key, one, at), which))


def _which(key: bytes, one: LongList, at: Position) -> str:
    """Which row stands there."""
    of = [str(value) for value, (column, *_) in zip(at, one.order, strict=True) if any(column is k for k in one.key)]
    return hmac.new(key, "\x1f".join(of).encode(), sha256).hexdigest()[:_SIGNS]


def _written(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def _read(value: Any, kind: type) -> Any:
    return datetime.fromisoformat(value) if kind is datetime and value is not None else value


def _signed(key: bytes) -> URLSafeSerializer:
    return URLSafeSerializer(key, salt="page", signer_kwargs={"digest_method": sha256})


def _key(store: Store) -> bytes:
    """The state's own; made when it is first needed."""
    if _KEY not in (marks := store.marks()):
        store.put(t.meta, [{"key": _KEY, "value": secrets.token_hex(32)}])
        marks = store.marks()
    return marks[_KEY].encode()
