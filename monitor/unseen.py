"""Products and channels that configuration, rules or the bank's own guides name and the state has never seen: misspelt, but no fault.

What Vigía does not know passes like what it knows, so a new product may be named before its first row; a misspelt one is silent for ever.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from monitor import tables as t
from monitor.config import Config
from monitor.database import StoreError
from monitor.faults import Fault, read_toml
from monitor.guides import GENERAL, guides, shown_as
from monitor.naming import NAMING, named
from monitor.standing import rows
from monitor.store import Store
from rules.expression import compared

SERIES = ".on["
"""In a key: what it names may be a metric's series as well, of which the state keeps no list."""
ELSEWHERE = ("sources", "demo", "receivers", "boards")
"""Blocks that say what there is, instead of naming it; and those of plugs, whose options may be called as these keys are."""
_SEEN: tuple[Any, ...] = (t.holdings, t.verdicts)


def unseen(config: Config) -> list[Fault]:
    """Each name that was never seen, with its file and key; none where there is no state yet, or nothing in it."""
    try:
        store = Store(config.monitor.database)
    except StoreError:
        return []
    try:
        seen = _seen(store)
    except StoreError:
        return []
    finally:
        store.close()
    found = [
        (config.path.name, key, name)
        for block, table in read_toml(config.path, config.path.name, []).items()
        if block not in ELSEWHERE
        for key, name in named(_ours(table) if block == "desks" else table, block)
    ]
    for spec in (rule.spec for rule in config.rules() if rule.spec.grain.where):
        file = config.rule_homes[spec.name].name
        literals = [name for column, name in compared(spec.grain.where) if column in NAMING and name]
        found += [(file, f"rule.{spec.name}.where", name) for name in literals]
    found += [*_of_guides(config)]
    told = [
        (file, key, name, get_close_matches(name, sorted(seen), n=1)) for file, key, name in found if name not in seen
    ]
    absent = sorted(guides("es", config.words.guides, config.named).sent_to - seen) if seen else []
    what = f"nothing of {', '.join(absent)} was ever seen: the shipped steps that send there are not offered"
    return [
        Fault(file, key, f"nothing of {name!r} was ever seen" + (f"; did you mean {near[0]!r}?" if near else ""))
        for file, key, name, near in told
        if seen and (near or SERIES not in key)
    ] + ([Fault("guides", "", what)] if absent else [])


def _ours(desks: Mapping[str, Any]) -> dict[str, Any]:
    """Of desks, what names products of ours: all else says what theirs are called."""
    return {name: {"products": desk.get("products", [])} for name, desk in desks.items()}


def _of_guides(config: Config) -> Iterator[tuple[str, str, str]]:
    """The places that the bank's own guides are of, and those that they send people to."""
    for path in sorted(Path(config.words.guides).glob("*/*.toml")) if config.words.guides else ():
        file = shown_as(path)
        if path.stem != GENERAL:
            yield file, "", path.stem
        for key, part in read_toml(path, file, []).items():
            yield from ((file, where, name) for where, name in named(part, key))


def _seen(store: Store) -> set[str]:
    found = set()
    for table in _SEEN:
        some = table.select().with_only_columns(table.c.product, table.c.channel).distinct()
        found |= {name for row in rows(store, some) for name in row.values() if name}
    return found
