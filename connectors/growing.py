"""A file that grows: where its reading stopped, and whether it is still the same file."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, NotRequired, TypedDict, cast

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    import pyarrow as pa

    from connectors import Reject, Where

MARGIN = 256
"""Bytes remembered (as a hash) at the beginning of a file and before the place where reading stopped."""


class Place(TypedDict):
    """How far a file has been read, JSON-able.

    at: bytes taken (after decompression; of a Parquet file, rows); mark: what they look like; lines: a place up to it,
    and the number of line ends before that one; seen: size and time of the file when its last poll found no more;
    tail: where a last row began that was taken without a line end; endless: it stands in a line that was left out for having no end.
    """

    at: int
    lines: tuple[int, int]
    mark: str
    seen: str
    tail: NotRequired[int]
    endless: NotRequired[bool]


@dataclass(frozen=True, slots=True)
class Piece:
    """What one poll took from one file, where it stopped, whether more was waiting, and where its rows stand.

    rejects, rejected: as of a batch.
    """

    table: pa.Table
    place: Place
    more: bool = False
    rejects: tuple[Reject, ...] = ()
    where: Where | None = None
    rejected: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "rejected", max(self.rejected, len(self.rejects)))


def beginning() -> Place:
    """The place of a file of which nothing has been read."""
    return {"at": 0, "lines": (0, 0), "mark": "", "seen": ""}


def appearance(status: os.stat_result) -> str:
    """Size and time of modification: a file that looks as it did has nothing new."""
    return f"{status.st_size}:{status.st_mtime_ns}"


def open_bytes(path: str) -> IO[bytes]:
    """The file's bytes, decompressed if its name ends in `.gz`."""
    return cast("IO[bytes]", gzip.open(path, "rb")) if path.lower().endswith(".gz") else Path(path).open("rb")


def read(stream: IO[bytes], limit: int) -> tuple[bytes, bool]:
    """Up to `limit` bytes, and whether the stream is whole so far (a half-written `.gz` is not: its rest will come)."""
    pieces: list[bytes] = []
    left = limit
    while left > 0:
        try:
            piece = stream.read(min(left, 1 << 20) if isinstance(stream, gzip.GzipFile) else left)
        except EOFError:
            return b"".join(pieces), False
        except zlib.error as error:
            raise gzip.BadGzipFile(str(error)) from error
        if not piece:
            break
        pieces.append(piece)
        left -= len(piece)
    return (pieces[0] if len(pieces) == 1 else b"".join(pieces)), True


def window(stream: IO[bytes], start: int, length: int) -> bytes:
    """`length` bytes from `start`, fewer at the end."""
    stream.seek(start)
    return read(stream, length)[0]


def mark(head: bytes, before: bytes, at: int) -> str:
    """What the first `at` bytes look like, from their first and last few."""
    return hashlib.sha256(head[: min(MARGIN, at)] + b"\0" + before[-MARGIN:]).hexdigest()[:20]


def same(stream: IO[bytes], head: bytes, place: Place) -> bool:
    """Whether the bytes that were taken still stand where they stood: neither truncated nor replaced."""
    at = place["at"]
    before = window(stream, max(0, at - MARGIN), min(at, MARGIN))
    return len(before) == min(at, MARGIN) and mark(head, before, at) == place["mark"]


def line_ends(stream: IO[bytes], place: Place) -> int:
    """Line ends in the bytes taken, counted from where they were counted last."""
    at, passed = place["lines"]
    if at < place["at"]:
        stream.seek(at)
    while at < place["at"]:
        piece, _ = read(stream, min(1 << 24, place["at"] - at))
        if not piece:
            break
        at, passed = at + len(piece), passed + piece.count(b"\n")
    return passed


def still(path: str, place: Place) -> bool:
    """Whether the file under this name is the one whose place this is."""
    try:
        if place["seen"] == appearance(Path(path).stat()):
            return True
        with open_bytes(path) as stream:
            return same(stream, read(stream, MARGIN)[0], place)
    except OSError:
        return False


def starts_alike(path: str, other: str, size: int) -> bool:
    """Whether the first `size` bytes of two files look the same, by their first and last few."""
    try:
        with open_bytes(path) as one, open_bytes(other) as two:
            starts = (0, max(0, size - MARGIN))
            return all(window(one, start, MARGIN) == window(two, start, MARGIN)[: size - start] for start in starts)
    except OSError:
        return False


def half_written(path: str) -> bool:
    """Whether a compressed file has no end yet."""
    with open_bytes(path) as stream:
        try:
            while stream.read(1 << 20):
                pass
        except EOFError:
            return True
    return False


def resume(stream: IO[bytes], head: bytes, own: Place | None, others: Sequence[Place]) -> Place:
    """Where this file goes on: the place up to which its bytes are known, the furthest of them; else its beginning.

    own: where its reading stopped; others: places in files that it may have been, or be a copy of, tried unless it goes on from its
    own; where that is so short that other files begin alike, only by longer ones.
    """
    holds = own is not None and bool(own["mark"]) and same(stream, head, own)
    if own and holds and own["at"] > MARGIN:
        place = own
    else:
        tried = [one for one in others if one["mark"] and not (holds and one["at"] <= MARGIN)]
        held = [one for one in sorted(tried, key=lambda one: one["at"]) if same(stream, head, one)]
        place = held[-1] if held else own if own and holds else beginning()
    if "tail" in place and window(stream, place["at"], 1) not in {b"", b"\n", b"\r"}:
        return {**place, "at": place["tail"]}  # the last row was not whole after all
    return place
