"""Secrets that stand in the configuration file itself, where only what names their place may: `${NAME}` or `${file:path}`.

A key is a secret by its name (password, token, secret, ...), an address by the password within it, and an option because its kind
says so: a class attribute `SECRET` names those that are secrets as a whole.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, get_args

from connectors.kinds import Folder, load, load_source
from monitor.faults import Fault

KEYS = r"(api|subscription|function|access|account|auth)[_-]?key"
NAMES = re.compile(rf"(.*[_-])?(password|passwd|passphrase|token|secret|{KEYS}|clave|contrasena)", re.IGNORECASE)
PARAMS = re.compile(r"key|code|sig(nature)?", re.IGNORECASE)
"""Names that are a secret's where they are what a server is asked with, and elsewhere name a field."""
WITHIN = re.compile(r"[a-z][a-z0-9+.-]*://[^/@:?#\s]*:(?P<secret>[^@\s]+)@", re.IGNORECASE)
"""An address with a password."""
ASKED = re.compile(
    rf"[?&;](?:[\w-]*password|passwd|[\w-]*token|{PARAMS.pattern}|secret|[\w-]*{KEYS})=(?P<secret>[^&;\s{{]+)",
    re.IGNORECASE,
)
"""An address that asks with a secret."""
THEIRS = ("columns", "fields", "status", "statuses", "defaults", "extract", "products", "labels")
"""Tables and lists that name what others have."""
WHOLE = {"heartbeat.url"}
_FILLED = re.compile(r"\$\{[^}]+\}")
_STANDS = "\0"
_HERE = re.compile(r"https?://(127\.0\.0\.1|localhost|\[::1\])[:/]")
"""What only this machine can ask."""
WHAT = 'is a secret and stands here for all to read: take it from the environment or a file, as in "${NAME}" or "${file:path}"'
INSIDE = (
    'holds a secret that stands here for all to read: take it from the environment or a file, as in "...${NAME}..."'
)


def written_out(path: Path) -> list[Fault]:
    """Each of them with its file and key, never with itself. Of a file that cannot be read nothing is said here."""
    with suppress(OSError, ValueError):
        tables = tomllib.loads(path.read_text(encoding="utf-8-sig"))
        return [Fault(path.name, key, what) for key, what in _found(tables, "", frozenset(WHOLE | _declared(tables)))]
    return []


def _declared(tables: dict[str, Any]) -> set[str]:
    """The keys that the kinds of the blocks call secrets as a whole."""
    found: set[str] = set()
    for folder in get_args(Folder):
        blocks = tables.get(folder)
        for name, block in blocks.items() if isinstance(blocks, dict) else ():
            with suppress(LookupError, ImportError, AttributeError):
                kind, role = str(block.get("kind")), str(block.get("role"))
                made = load_source(kind, role) if folder == "sources" else load(folder, kind)
                found |= {f"{folder}.{name}.{option}" for option in getattr(made, "SECRET", ())}
    return found


def _found(value: Any, key: str, whole: frozenset[str]) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for part, inner in value.items():
            if part not in THEIRS or not isinstance(inner, dict | list):
                yield from _found(inner, f"{key}.{part}" if key else part, whole)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _found(inner, f"{key}[{number}]", whole)
    elif isinstance(value, str) and value:
        text = _FILLED.sub(_STANDS, value)
        plain = re.sub(r"\[\d+\]$", "", key)
        here = (plain in whole or plain.rpartition(".")[0] in whole) and not _HERE.match(text)
        table, _, name = plain.rpartition(".")
        asked_with = table.endswith(".params") and PARAMS.fullmatch(name)
        if (here or asked_with or NAMES.fullmatch(name)) and _STANDS not in text:
            yield key, WHAT
        elif any(_STANDS not in found["secret"] for pattern in (WITHIN, ASKED) for found in pattern.finditer(text)):
            yield key, INSIDE
