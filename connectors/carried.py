"""From a folder to the files in it: places in growing files, of what was read as dropped ones."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from connectors import SourceError, parquet
from connectors.drops import State, mark_of
from connectors.growing import MARGIN, appearance, beginning, mark, open_bytes
from connectors.records import form

if TYPE_CHECKING:
    from collections.abc import Sequence

    from connectors import Cursor
    from connectors.growing import Place


def places(cursor: Cursor, paths: Sequence[str]) -> dict[str, Place]:
    """Of each file of which something was read under the cursor of a folder, how far. It reads them through, once."""
    state = State.of(cursor)
    if state.reading:
        state.let_go()
    found: dict[str, Place] = {}
    for path in paths:
        try:
            seen = appearance(Path(path).stat())
            done = mark_of(path, seen) in state.known
            if path in state.recent:
                found[path] = {**state.recent[path].place, "seen": seen if done else ""}
            elif done:
                found[path] = {**_end(path), "seen": seen}
        except (OSError, EOFError, pa.ArrowException, SourceError):  # told when it is read
            continue
    return found


def _end(path: str) -> Place:
    if form(path) == "parquet":
        return parquet.end(path)
    at = ends = tail = 0
    head = before = b""
    with open_bytes(path) as stream:
        while piece := stream.read(1 << 20):
            head = head or piece[:MARGIN]
            if (last := piece.rfind(b"\n") + 1) > 0:
                tail = at + last
            at, ends = at + len(piece), ends + piece.count(b"\n")
            before = (before + piece)[-MARGIN:]
    place: Place = {**beginning(), "at": at, "lines": (at, ends), "mark": mark(head, before, at)}
    return place if tail == at else {**place, "tail": tail}
