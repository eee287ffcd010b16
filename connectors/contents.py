"""What a dropped file holds: whether that has been read already, and where the reading of it begins."""

from __future__ import annotations

import hashlib
from base64 import b64decode
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from connectors import Reject, parquet
from connectors.drops import Progress, short, text
from connectors.growing import MARGIN, beginning, mark, open_bytes, window
from connectors.records import form

if TYPE_CHECKING:
    from connectors.drops import State
    from connectors.folders import Found
    from connectors.growing import Place


def begun(path: str, file: Found, mark: bytes, state: State, notes: list[Reject], *, repeats: bool) -> Progress | None:
    """Where the reading of a file begins; nothing if its content has been read already.

    path: where its bytes lie; repeats: it is read again under another name; notes: what is to be told of it is added.
    """
    before = state.before(file.name)
    size, digest, top = digests(path, before.size if before else 0)
    fresh = Progress(text(mark), size, digest, beginning(), whole=False)
    # in the middle of this very content reading stopped, under this name or another
    name = next((name for name, one in state.recent.items() if one.digest == digest and not one.whole), None)
    if name is not None:
        half = state.recent.pop(name)
        return replace(fresh, place=half.place, rows=half.rows)
    if before and digest == before.digest:
        return None  # touched, no more
    if b64decode(digest) in state.contents and not repeats:
        notes.append(Reject(file.called, "left: a file with the same content has been read already"))
        return None
    if path.lower().endswith(".gz"):
        _prove(path)
    if before and _goes_on(path, file, before, top):
        return replace(fresh, place=before.place if before.place["mark"] else _marked(path, before.place))
    if before and before.size:
        notes.append(Reject(file.called, "has changed since it was read: read again from its beginning"))
    return fresh


def _goes_on(path: str, file: Found, before: Progress, top: str) -> bool:
    """Whether it still begins with what was read."""
    if form(file.name) == "parquet":
        return parquet.same(path, before.place)
    return top == before.digest


def _marked(path: str, place: Place) -> Place:
    """With what it looks like, in a file that was found to begin with what was read."""
    at = place["at"]
    with open_bytes(path) as stream:
        head = window(stream, 0, MARGIN)
        return {**place, "mark": mark(head, window(stream, max(0, at - MARGIN), min(at, MARGIN)), at)}


def digests(path: str, size: int) -> tuple[int, str, str]:
    """How long the file is, what its content is, and what its first `size` bytes are ('' if it has no more than those)."""
    whole, top, left, length = hashlib.sha256(), "", size, 0
    with Path(path).open("rb") as stream:
        while piece := stream.read(min(left, 1 << 20) if left else 1 << 20):
            if size and not left and not top:
                top = short(whole.digest())
            whole.update(piece)
            left, length = max(left - len(piece), 0), length + len(piece)
    return length, short(whole.digest()), top


def _prove(path: str) -> None:
    """Decompress it all: of a file that was cut short, no row is taken. EOFError or OSError if it was."""
    with open_bytes(path) as stream:
        while stream.read(1 << 20):
            pass
