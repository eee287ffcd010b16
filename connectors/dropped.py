"""A folder into which files are dropped: each once, when it is whole, whatever name it comes under."""

from __future__ import annotations

import gzip
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from statistics import median
from typing import IO, TYPE_CHECKING, cast

import pyarrow.parquet

from connectors import Batch, Cursor, Reject, SourceError, parquet
from connectors.contents import begun
from connectors.drops import State, Waiting, mark_of, text
from connectors.growing import Piece, open_bytes
from connectors.records import form
from connectors.taken import Taken

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from connectors.folders import Folder, Found
    from connectors.growing import Place
    from connectors.records import Records

PACE = 12
"""Files, the last ones, that tell how often one comes."""
FILES = 500
"""Files read at one poll."""
MOST = 20_000
"""Files in the folder: each costs the cursor eight characters, and every poll lists them all."""
AGED = 300.0
"""Seconds (and `settled`) that a file must have lain by its own time, to need no second look. More than clocks are apart."""
PATIENCE = 600.0
"""Seconds for which a file that does not settle keeps the folder from vouching for more than the time before it; then it is told."""
_OURS = re.compile(r"\.(csv|txt|jsonl|ndjson|parquet)(\.gz)?$", re.IGNORECASE)


class Dropped:
    """Files that appear in `folder`, as `sources.file.File` says; the rows of one file stand together, oldest file first."""

    def __init__(self, folder: Folder, records: Records, *, settled: timedelta, lag: timedelta, repeats: bool) -> None:
        self.folder, self.records = folder, records
        self._settled, self._lag, self._repeats = 0.0 if folder.whole else settled.total_seconds(), lag, repeats
        self._bad: dict[bytes, SourceError] = {}
        self._looked: dict[str, Waiting] = {}
        self._owed = False

    def poll(self, cursor: Cursor | None, now: datetime) -> Batch:
        """What was dropped since `cursor`; at most about 128 MB or 500 files."""
        state, taken = State.of(cursor), Taken()
        files = sorted(self.folder.found(), key=lambda file: (file.at, file.name))
        if len(files) > MOST:
            raise SourceError(
                f"{self.folder.shown}: {len(files)} files, more than {MOST}: move old ones away, or name fewer (2026-11/*.csv)",
                permanent=True,
                fault="refused",
            )
        marks = {file.name: mark_of(file.name, file.tag) for file in files}
        named = (cursor or {}).get("files", {})  # growing files, not all of them here
        if named and files and not named.keys() & marks.keys():
            taken.notes.append(Reject(self.folder.shown, "read from the beginning: what was read before lay elsewhere"))
        disk = self.folder.disk()
        if not files and state.disk and disk != state.disk:
            words = f"{self.folder.shown}: is empty, and not the folder that it was: is its disk away? A file in it ends this"
            raise SourceError(words, fault="unreachable")
        seen = state.waiting | self._looked  # an answer that could not be used took its cursor with it
        gone = [name for name in state.gone(seen, files) if _ours(name) or not self.folder.open_ended]
        if files:  # of one with nothing in it, what is known is kept
            state.disk = disk
            state.known &= set(marks.values())
            state.bad = {name: mark for name, mark in state.bad.items() if name in marks}
            self._bad = {mark: why for mark, why in self._bad.items() if mark in marks.values()}
        fresh = [file for file in files if marks[file.name] not in state.known]
        ready = self._whole(fresh, seen, state, now.timestamp(), taken)
        if not cursor and state.waiting:
            few, still = len(state.waiting), f"for {self._settled:g} s"
            words = (
                f"{few} files wait until they lie still {still}"
                if few > 1
                else f"1 file waits until it lies still {still}"
            )
            taken.notes.append(Reject(self.folder.shown, words))
        owed = self._owed and bool(self._untold(ready, marks, state))
        fault = None if owed else self._read(ready, marks, state, taken, now.timestamp())
        untold = self._untold(ready, marks, state)
        # In a batch of their own: what they hold is lost until they are mended, and the time is told as unknown. The next one, whatever
        # else has come by then.
        self._owed = bool(untold) and taken.some and taken.drained
        if untold and taken.drained and not taken.some:
            state.bad |= {file.name: text(marks[file.name]) for file in untold}
            taken.rejects = [Reject(file.called, str(self._bad[marks[file.name]]), "file") for file in untold]
        gone += state.broken_off(files)
        if fault and not taken.some and not taken.notes and not gone:
            raise fault
        state.polled = now.timestamp()
        taken.drained = taken.drained and fault is None and not owed and not self._owed
        return replace(taken.batch(state.cursor(), self._vouched(state, now)), lost=_lost(gone))

    def _untold(self, ready: Sequence[Found], marks: dict[str, bytes], state: State) -> list[Found]:
        """Those that could not be read, of which nothing was said yet."""
        return [f for f in ready if marks[f.name] in self._bad and state.bad.get(f.name) != text(marks[f.name])]

    def _vouched(self, state: State, now: datetime) -> datetime | None:
        """Until when all has come: what waits may hold rows from when it was not there yet, and none from before that."""
        held = [one for one in state.waiting.values() if now.timestamp() - one.first < PATIENCE]
        if not held:
            return now - self._lag
        known = [one.before for one in held if one.before is not None]
        return datetime.fromtimestamp(min(known), now.tzinfo) - self._lag if len(known) == len(held) else None

    def at_once(self) -> None:
        """From now on no file is waited for: for a look at what lies there, of which nothing is kept."""
        self._settled = 0.0

    def pace(self) -> tuple[timedelta | None, datetime] | None:
        """How long it usually is between one file and the next, of the last few (None: too few to tell), and when the last came.

        None: there is no file.
        """
        times = sorted(file.at for file in self.folder.found() if _ours(file.name) or not self.folder.open_ended)
        if not times:
            return None
        gaps = [after - before for before, after in pairwise(times[-PACE:])]
        usual = timedelta(seconds=median(gaps)) if len(gaps) > 1 else None
        return usual, datetime.fromtimestamp(times[-1], UTC)

    def check(self) -> str:
        """How many files there are, and the columns of the last."""
        found = [file for file in self.folder.found() if _ours(file.name) or not self.folder.open_ended]
        files = sorted(found, key=lambda file: (file.at, file.name))
        if not files:
            return f"{self.folder.shown}: no file yet"
        last = files[-1]
        columns = ", ".join(self.records.in_words(last.name, lambda: self._columns(last)))
        return f"{len(files)} file{'s' * (len(files) > 1)}, the last {last.called}: {columns or 'no rows yet'}"

    def _columns(self, file: Found) -> list[str]:
        with self.folder.opened(file) as stream:
            if form(file.name) == "parquet":
                return list(pyarrow.parquet.read_schema(stream).names)
            if not file.name.lower().endswith(".gz"):
                return self.records.columns(file.name, stream)
            return self.records.columns(file.name, cast("IO[bytes]", gzip.open(stream, "rb")))

    def _whole(
        self, fresh: Sequence[Found], seen: Mapping[str, Waiting], state: State, now: float, taken: Taken
    ) -> list[Found]:
        """Those that nobody is writing any more; the others wait."""
        ready = []
        half_read = state.reading[1].mark if state.reading else ""
        self._looked, state.waiting = {}, {}
        for file in fresh:
            one = seen.get(file.name, Waiting(file.tag, now, now, before=state.polled))
            one = one if one.tag == file.tag else one._replace(tag=file.tag, since=now)
            self._looked[file.name] = one
            settled = now - one.since >= self._settled or now - file.at >= self._settled + AGED
            if settled or text(mark_of(file.name, file.tag)) == half_read:
                ready.append(file)
            else:
                self._wait(file, now, state, taken)
        return ready

    def _wait(self, file: Found, now: float, state: State, taken: Taken) -> None:
        one = self._looked[file.name]
        if now - one.first >= PATIENCE and not one.told:
            taken.notes.append(Reject(file.called, "keeps changing: it is read once it lies still"))
            one = one._replace(told=True)
        state.waiting[file.name] = self._looked[file.name] = one

    def _read(
        self, ready: Sequence[Found], marks: dict[str, bytes], state: State, taken: Taken, now: float
    ) -> SourceError | None:
        """Takes from each file in turn; the first fault of one that could not be fetched."""
        fault = None
        half_read = state.reading[1].mark if state.reading else ""
        order = sorted(ready, key=lambda file: text(marks[file.name]) != half_read)  # what was begun goes on
        if not order or text(marks[order[0].name]) != half_read:
            state.let_go()  # changed or gone in the middle of it
        asked = 0
        for file in order:
            mark = marks[file.name]
            if mark in self._bad:
                continue
            if taken.left <= 0 or asked >= FILES:
                taken.drained = False
                break
            asked += 1
            try:
                if not self._take(file, mark, state, taken):
                    taken.drained = False
                    break
            except FileNotFoundError:  # gone or changed since it was listed
                self._wait(file, now, state, taken)
                state.let_go()
            except SourceError as error:
                if error.fault == "unreadable":  # told when the others have been read
                    self._bad[mark] = error
                    state.let_go()
                    continue
                fault = fault or error
                if error.fault != "refused" or state.reading:
                    break  # nor will the others be fetched; and what was begun goes first
        return fault

    def _take(self, file: Found, mark: bytes, state: State, taken: Taken) -> bool:
        """One file's rows onto what was taken; whether the next one may follow."""
        if self.folder.open_ended and not _ours(file.name):
            taken.notes.append(Reject(file.called, "left: the name does not end in .csv, .jsonl or .parquet"))
            state.known.add(mark)
            return True
        form(file.name)
        path = self.folder.local(file)
        if not state.reading:
            found = self.records.in_words(
                file.name, lambda: begun(path, file, mark, state, taken.notes, repeats=self._repeats)
            )
            state.reading = (file.name, found) if found else None
        if state.reading:
            so_far = state.reading[1]
            piece = self.records.in_words(file.name, lambda: self._piece(path, file, so_far.place, taken.left))
            if not taken.add(piece):
                return False
            some = so_far.rows or bool(piece.table.num_rows or piece.rejects)
            so_far = replace(so_far, place=piece.place, rows=some, whole=not piece.more)
            state.reading = (file.name, so_far)
            if piece.more:
                return False
            if some:
                state.read(file.name, so_far)
            state.let_go()
        state.known.add(mark)
        state.bad.pop(file.name, None)
        return True

    def _piece(self, path: str, file: Found, place: Place, limit: int) -> Piece:
        if form(file.name) == "parquet":
            return parquet.take(path, place, [], "", limit, called=file.name)
        with open_bytes(path) as stream:
            own = place if place["at"] else None
            return self.records.take(file.name, stream, own, [], limit=limit, still_written=False, whole=True, seen="")


def _lost(gone: Sequence[str]) -> str:
    """In words."""
    if not gone:
        return ""
    last = gone[0].rpartition("/")[2]
    return f"{last if len(gone) == 1 else f'{len(gone)} files, such as {last}'}: gone before all of it was read"


def _ours(name: str) -> bool:
    return bool(_OURS.search(name))
