"""JSON answers into columns: names by dots, what was asked for and is not there told."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from connectors import SPARSE, SourceError
from connectors.headings import headings
from connectors.values import column

if TYPE_CHECKING:
    from collections.abc import Sequence


def reached(thing: Any, path: str) -> Any:
    """What lies at `path` in nested objects, None if nothing does: `cliente.nit`; a whole name that has dots comes first."""
    if not isinstance(thing, dict):
        return None
    if path in thing:
        return thing[path]
    head, _, rest = path.partition(".")
    return reached(thing.get(head), rest) if rest else None


def has(thing: Any, path: str) -> bool:
    """Whether there is anything at `path`, be it null."""
    if not isinstance(thing, dict):
        return False
    head, _, rest = path.partition(".")
    return path in thing or (bool(rest) and has(thing.get(head), rest))


def names(thing: Any) -> str:
    """The keys of an object, or what else it is, in words that hold none of its values."""
    if isinstance(thing, dict):
        return f"it has: {headings([str(name) for name in thing])}" if thing else "it is empty"
    kinds = {list: "a list", str: "a text", bool: "true or false", int: "a number", float: "a number"}
    return f"it is {kinds.get(type(thing), 'nothing')}"


def objects(thing: Any, path: str, place: str) -> list[dict[str, Any]]:
    """The list of objects at `path`; raises SourceError, which begins with `place`, if it is something else."""
    found = reached(thing, path)
    if not isinstance(found, list):
        raise SourceError(
            f"{place}: the answer has no list {path!r}: {names(thing)}", permanent=True, fault="unreadable"
        )
    if not all(isinstance(one, dict) for one in found):
        raise SourceError(f"{place}: {path!r} holds what is no JSON object", permanent=True, fault="unreadable")
    return found


def needed(thing: Any, path: str, place: str) -> str:
    """What lies at `path`, as text; raises SourceError, which begins with `place`, if there is nothing."""
    found = reached(thing, path)
    if found in (None, "") or isinstance(found, dict | list):
        raise SourceError(f"{place}: the answer has no {path!r}: {names(thing)}", permanent=True, fault="unreadable")
    return str(found)


def table(rows: Sequence[dict[str, Any]]) -> pa.Table:
    """A column a name, those of nested objects by dots; lists as JSON. A key that a row lacks is null."""
    flat = [_flat(row) for row in rows]
    found = dict.fromkeys(name for row in flat for name in row)
    columns = {name: column([row.get(name) for row in flat]) for name in found}
    return pa.table(columns).replace_schema_metadata(SPARSE)


def _flat(row: dict[str, Any], before: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{before}{name}.")
        else:
            flat[before + name] = json.dumps(value, ensure_ascii=False) if isinstance(value, list) else value
    return flat
