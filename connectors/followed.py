"""Growing files of this machine, followed: each row once, whatever they are renamed to, copied to or compressed into."""

from __future__ import annotations

import glob
import os
from dataclasses import dataclass, field
from datetime import timedelta
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from connectors import Batch, Cursor, Reject, SourceError, carried, parquet
from connectors.growing import MARGIN, Piece, Place, appearance, half_written, open_bytes, starts_alike, still
from connectors.records import form
from connectors.taken import Taken

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from connectors.records import Records

SETTLED = 60
"""Seconds that a CSV file must lie untouched before a last row without a line end is taken for whole."""
GONE = timedelta(days=7)
"""For so long the place of a file that is no longer there is kept: its disk may be away, or it may come back compressed."""
MOST_GONE = 1000


@dataclass
class _Taken(Taken):
    """aside: the files that could not be read, and why; read: one could."""

    aside: dict[str, SourceError] = field(default_factory=dict)
    read: bool = False


class Followed:
    """The files that `path` names, as `sources.file.File` says."""

    def __init__(self, path: str, records: Records, lag: timedelta) -> None:
        self.path, self._records, self._lag = path, records, lag
        self._owed: list[str] = []

    def poll(self, cursor: Cursor | None, now: datetime) -> Batch:
        """What was added since `cursor`; at most about 128 MB."""
        paths = self.paths()
        before, gone = self._before(cursor or {}, paths)
        if not paths and (missed := [name for name in before if fnmatch(name, self.path)]):
            words = f"{self.path}: no file matches any more, there were {len(missed)}: is their disk away?"
            raise SourceError(words, fault="unreachable")
        places = {name: place for name, place in before.items() if name in paths}
        gone |= {name: (now.timestamp(), place) for name, place in before.items() if name not in paths}
        places |= {name: gone.pop(name)[1] for name in paths if name in gone and name not in places}
        # Those that may be copies come last: what they are copies of has been read then.
        order = sorted(paths, key=lambda path: path not in places)
        known = {**{name: place for name, (_, place) in gone.items()}, **before, **places}
        bad = {name: told for name, told in (cursor or {}).get("bad", {}).items() if name in paths}
        owed = [name for name in order if name in self._owed]
        taken = self._read(owed or order, places, known, bad, now)
        if taken.aside and not taken.read and not owed:
            raise next(iter(taken.aside.values()))
        bad = {name: told for name, told in bad.items() if name in taken.aside or owed or not taken.drained}
        untold = [name for name in taken.aside if name not in bad]
        # In a batch of their own: what they hold is lost until they are mended, and the time is told as unknown. The next one, whatever
        # else has come by then.
        self._owed = untold if taken.some and taken.drained else []
        if untold and taken.drained and not taken.some:
            bad |= {name: [_told(name, fault), str(fault)] for name, fault in taken.aside.items() if name in untold}
            taken.rejects = [Reject(Path(name).name, str(taken.aside[name])) for name in untold]
        taken.drained = taken.drained and not owed and not self._owed
        if cursor and paths and not (before.keys() & set(paths)) and not any(fnmatch(n, self.path) for n in before):
            taken.notes = [Reject(self.path, "read from the beginning: what was read before lay elsewhere")]
        after: Cursor = {"files": places}
        after |= {part: held for part, held in (("gone", _lately(gone, now)), ("bad", bad)) if held}
        return taken.batch(after, now - self._lag)

    def paths(self) -> list[str]:
        """The files that are there; SourceError if the one that is named is not, or the folder in which those lie that a pattern names."""
        if Path(self.path).exists():
            return [self.path]
        if not glob.has_magic(self.path):
            raise SourceError(f"{Path(self.path)}: there is no such file", fault="unreachable")
        folder = next(folder for folder in Path(self.path).parents if not glob.has_magic(str(folder)))
        try:
            os.scandir(
                folder
            ).close()  # glob passes over what is not there or may not be listed, as if nothing lay in it
        except FileNotFoundError:
            raise SourceError(f"{folder}: there is no such folder", fault="unreachable") from None
        except OSError as error:
            raise SourceError(f"{folder}: cannot be listed: {error.strerror}", fault="refused") from error
        return sorted(found for found in glob.iglob(self.path, recursive=True) if not Path(found).is_dir())  # noqa: PTH207 - absolute

    @staticmethod
    def _before(cursor: Cursor, paths: list[str]) -> tuple[dict[str, Place], dict[str, tuple[float, Place]]]:
        """Places of the files that were there, and of those that were gone by then, and since when."""
        if "known" in cursor:  # the folder itself was named before
            return carried.places(cursor, paths), {}
        gone = {name: (float(since), place) for name, (since, place) in cursor.get("gone", {}).items()}
        return dict(cursor.get("files", {})), gone

    def _read(
        self,
        order: list[str],
        places: dict[str, Place],
        known: Mapping[str, Place],
        bad: Mapping[str, list[str]],
        now: datetime,
    ) -> _Taken:
        """Takes from each file in turn; what stops one stops no other."""
        taken = _Taken()
        for path in order:
            if taken.left <= 0:
                taken.drained = False
                break
            try:
                if path in bad and bad[path][0] == _look(path):
                    taken.aside[path] = SourceError(bad[path][1], fault="unreadable")
                    continue
                piece = self._take(path, places, known, taken.left, now)
            except FileNotFoundError:  # rotated away since it was listed
                continue
            except SourceError as error:
                taken.aside[path] = error
                continue
            taken.read = True
            if piece is None:
                continue
            if not taken.add(piece):
                taken.drained = False
                break
            places[path] = piece.place
            taken.drained = taken.drained and not piece.more
        return taken

    def _take(
        self, path: str, places: Mapping[str, Place], known: Mapping[str, Place], limit: int, now: datetime
    ) -> Piece | None:
        """What is new in a file; None if it is a copy that is still being written of one that is known."""
        status = Path(path).stat()
        seen = appearance(status)
        own = places.get(path)
        if own and own["seen"] == seen:
            return Piece(pa.table({}), own)
        size = None if path.lower().endswith(".gz") else status.st_size

        def piece() -> Piece | None:
            if not own and self._being_copied(path, size, places, known):
                return None
            others = self._others(path, places, known)
            if form(path) == "parquet":
                return parquet.take(path, own, others, seen, limit)
            others = [one for one in others if size is None or one["at"] <= size]
            still_written = now.timestamp() - status.st_mtime <= SETTLED and size is not None
            with open_bytes(path) as stream:
                return self._records.take(
                    path,
                    stream,
                    own,
                    others,
                    limit=limit,
                    still_written=still_written,
                    whole=False,
                    seen=seen,
                )

        return self._records.in_words(path, piece)

    @staticmethod
    def _others(path: str, places: Mapping[str, Place], known: Mapping[str, Place]) -> list[Place]:
        """Places in files that this one may have been or be a copy of; so short a one that any may begin alike only of what is gone."""
        named = [
            (name, place) for name, place in (*known.items(), *places.items()) if name != path and _like(name, path)
        ]
        return [
            place
            for name, place in named
            if place["mark"] and (place["at"] > MARGIN or path == f"{name}.gz" or not still(name, place))
        ]

    @staticmethod
    def _being_copied(path: str, size: int | None, places: Mapping[str, Place], known: Mapping[str, Place]) -> bool:
        if form(path) == "parquet":
            return False
        if size is None:
            original = path[: -len(".gz")]
            return (original in known or Path(original).exists()) and half_written(path)
        longer = (name for name, place in places.items() if place["at"] > size and _like(name, path))
        return size >= MARGIN and any(starts_alike(path, name, size) for name in longer if not name.endswith(".gz"))


def _like(name: str, other: str) -> bool:
    return form(name) == form(other)


def _look(path: str) -> str:
    return appearance(Path(path).stat())


def _told(name: str, fault: SourceError) -> str:
    """How the file looked that could not be made out; '' where it may be read though it looks the same."""
    return _look(name) if fault.fault == "unreadable" else ""


def _lately(gone: Mapping[str, tuple[float, Place]], now: datetime) -> dict[str, tuple[float, Place]]:
    """Those whose places are still kept, the last that went."""
    oldest = now.timestamp() - GONE.total_seconds()
    kept = [(name, one) for name, one in gone.items() if one[0] >= oldest]
    return dict(sorted(kept, key=lambda item: item[1][0])[-MOST_GONE:])
