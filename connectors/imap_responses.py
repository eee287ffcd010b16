"""What an IMAP server answers: its folders, and messages with their flags and text."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from connectors.utf7 import decoded

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

DRAFT, DELETED = r"\draft", r"\deleted"


@dataclass(slots=True)
class Item:
    """A message as far as it was asked for. keywords: without the flags of the system; text: None if it was not sent."""

    flags: frozenset[str] = frozenset()
    keywords: tuple[str, ...] = ()
    at: datetime | None = None
    text: bytes | None = None


def folders(said: list[Any]) -> Iterator[str]:
    """Names of the folders that can be selected, of a LIST."""
    for part in said:
        head, literal = part if isinstance(part, tuple) else (part or b"", None)
        found = re.match(rb'\((.*?)\) (?:NIL|"(?:\\.|[^"])*") (?:"((?:\\.|[^"\\])*)"|([^"{ ].*)|\{)', head)
        if found and rb"\noselect" not in found[1].lower() and rb"\nonexistent" not in found[1].lower():
            name = literal or found[3] or re.sub(rb"\\(.)", rb"\1", found[2] or b"")
            yield decoded(name.decode("ascii", "replace"))


def items(said: list[Any]) -> dict[int, Item]:
    """Messages by UID, of a FETCH: a server may tell one in several pieces, and tell of others that nobody asked for."""
    pieces: list[list[bytes | None]] = []
    for part in said:
        head, literal = part if isinstance(part, tuple) else (part or b"", None)
        if re.match(rb"\d+ \(", head) or not pieces:
            pieces.append([b"", None])
        pieces[-1] = [(pieces[-1][0] or b"") + b" " + head, pieces[-1][1] if literal is None else literal]
    found: dict[int, Item] = {}
    for head, text in pieces:
        told = (head or b"").decode("ascii", "replace")
        uid, flags, at = (re.search(one, told) for one in (r"\bUID (\d+)", r"FLAGS \((.*?)\)", r'DATE " ?(.*?)"'))
        if uid is None:
            continue
        item = found.setdefault(int(uid[1]), Item())
        if flags:
            words = flags[1].split()
            item.flags = frozenset(word.lower() for word in words if word.startswith("\\"))
            item.keywords = tuple(decoded(word) for word in words if not word.startswith("\\"))
        with suppress(ValueError, TypeError):
            item.at = parsedate_to_datetime(at[1].replace("-", " ", 2)) if at else item.at
        item.text = item.text if text is None else text
    return found
