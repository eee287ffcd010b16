"""Where configuration and guides name products and channels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

NAMING = frozenset({"product", "products", "channel", "channels", "on", "owners", "uses"})
"""The keys that name some."""


def named(table: Any, key: str = "", *, naming: bool = False) -> Iterator[tuple[str, str]]:
    """Key and name of all that stands under a key that names some."""
    if isinstance(table, str):
        if naming and table:
            yield key, table
    elif isinstance(table, Mapping):
        for name, part in table.items():
            within = f"{key}.{name}" if key else name
            if naming:
                yield within, name
            else:
                yield from named(part, within, naming=name in NAMING)
    elif isinstance(table, list):
        for i, part in enumerate(table):
            yield from named(part, f"{key}[{i}]", naming=naming)
