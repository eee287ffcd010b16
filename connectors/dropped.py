"""A folder into which files are dropped: each once, when it is whole, whatever name it comes under."""

from __future__ import annotations

import gzip
import hashlib
import re
from base64 import b64decode, b64encode
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

import pyarrow as pa
import pyarrow.parquet

from connectors import Batch, Cursor, Reject, SourceError, lines, parquet
from connectors.growing import Piece, beginning, open_bytes
from connectors.records import alike, form

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime, timedelta

    from connectors import Where
    from connectors.folders import Folder, Found
    from connectors.growing import Place
    from connectors.records import Records

LIMIT = 128 << 20
"""Bytes taken at one poll, over all files."""
FILES = 500
"""Files read at one poll."""
MOST = 20_000
"""Files in the folder: each costs the cursor eight characters, and every poll lists them all."""
CONTENTS = 1000
"""Files whose content is known again under another name: the last that were read."""
RECENT = 50
"""Files that go on where they stopped if they have grown: the last that were read."""
AGED = 300.0
"""Seconds (and `settled`) that a file must have lain by its own time, to need no second look. More than clocks are apart."""
PATIENCE = 600.0
"""Seconds for which a file that does not settle keeps the folder from vouching for the time; then it is told."""
_MARK, _DIGEST = 6, 9
_OURS = re.compile(r"\.(csv|txt|jsonl|ndjson|parquet)(\.gz)?$", re.IGNORECASE)


@dataclass
class _State:
    """The cursor, unfolded. known: marks of the files (name and tag) that are done with; contents: digests of what they held.

    recent: name -> size, digest and place of what was read last; waiting: name -> tag, since when it looks so, since when it is there,
    and whether that was told; bad: name -> mark of those that could not be read and were told; reading: the file in the middle of
    which the last poll stopped.
    """

    known: set[bytes] = field(default_factory=set)
    contents: dict[bytes, None] = field(default_factory=dict)
    recent: dict[str, dict[str, Any]] = field(default_factory=dict)
    waiting: dict[str, list[Any]] = field(default_factory=dict)
    bad: dict[str, str] = field(default_factory=dict)
    reading: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, cursor: Cursor | None) -> _State:
        if not cursor:
            return cls()
        known = set(_cut(cursor.get("known", ""), _MARK))
        # what was read from these names as growing files, before the folder itself was named
        known |= {_mark(name, place["seen"]) for name, place in cursor.get("files", {}).items() if place["seen"]}
        kept = {part: dict(cursor.get(part, {})) for part in ("recent", "waiting", "bad", "reading")}
        return cls(known=known, contents=dict.fromkeys(_cut(cursor.get("contents", ""), _DIGEST)), **kept)

    def cursor(self) -> Cursor:
        contents = list(self.contents)[-CONTENTS:]
        recent = dict(list(self.recent.items())[-RECENT:])
        return {
            "known": b64encode(b"".join(sorted(self.known))).decode(),
            "contents": b64encode(b"".join(contents)).decode(),
            **{
                part: held
                for part, held in (
                    ("recent", recent),
                    ("waiting", self.waiting),
                    ("bad", self.bad),
                    ("reading", self.reading),
                )
                if held
            },
        }


@dataclass
class _Taken:
    """What one poll took so far."""

    tables: list[pa.Table] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    notes: list[Reject] = field(default_factory=list)
    standing: list[tuple[int, Where]] = field(default_factory=list)
    left: int = 0
    drained: bool = True
    held: bool = False


class Dropped:
    """Files that appear in `folder`, as `sources.file.File` says; the rows of one file stand together, oldest file first."""

    def __init__(self, folder: Folder, records: Records, *, settled: timedelta, lag: timedelta, repeats: bool) -> None:
        self.folder, self.records = folder, records
        self._settled, self._lag, self._repeats = 0.0 if folder.whole else settled.total_seconds(), lag, repeats
        self._bad: dict[bytes, SourceError] = {}
        self._looked: dict[str, list[Any]] = {}

    def poll(self, cursor: Cursor | None, now: datetime) -> Batch:
        """What was dropped since `cursor`; at most about 128 MB or 500 files."""
        state, taken = _State.of(cursor), _Taken(left=LIMIT)
        files = sorted(self.folder.found(), key=lambda file: (file.at, file.name))
        if len(files) > MOST:
            raise SourceError(
                f"{self.folder.shown}: {len(files)} files, more than {MOST}: move old ones away, or name fewer (2026-11/*.csv)",
                permanent=True,
                fault="refused",
            )
        marks = {file.name: _mark(file.name, file.tag) for file in files}
        if files:  # a folder with nothing in it may be a disk that is away: what is known is kept
            state.known &= set(marks.values())
            state.bad = {name: mark for name, mark in state.bad.items() if name in marks}
            self._bad = {mark: why for mark, why in self._bad.items() if mark in marks.values()}
        fresh = [file for file in files if marks[file.name] not in state.known]
        ready = self._whole(fresh, state, now.timestamp(), taken)
        if not cursor and state.waiting:
            few, still = len(state.waiting), f"for {self._settled:g} s"
            words = (
                f"{few} files wait until they lie still {still}"
                if few > 1
                else f"1 file waits until it lies still {still}"
            )
            taken.notes.append(Reject(self.folder.shown, words))
        fault = self._read(ready, marks, state, taken)
        untold = [f for f in ready if marks[f.name] in self._bad and state.bad.get(f.name) != _text(marks[f.name])]
        if untold and (taken.tables or taken.rejects):
            taken.drained = False
        elif untold and taken.drained:
            # In a batch of their own: what they hold is lost until they are mended, and the time is told as unknown.
            state.bad |= {file.name: _text(marks[file.name]) for file in untold}
            taken.rejects = [Reject(_called(file.name), str(self._bad[marks[file.name]]), "file") for file in untold]
        if fault and not taken.tables and not taken.rejects and not taken.notes:
            raise fault
        held = taken.held or any(now.timestamp() - first < PATIENCE for _, _, first, _ in state.waiting.values())
        drained = taken.drained and fault is None
        until = now - self._lag if drained and not held else None
        table = pa.concat_tables(taken.tables, promote_options="default") if taken.tables else pa.table({})
        where = lines.one_after_another(taken.standing) if taken.standing else None
        return Batch(table, state.cursor(), drained, until, tuple(taken.rejects), where, tuple(taken.notes))

    def at_once(self) -> None:
        """From now on no file is waited for: for a look at what lies there, of which nothing is kept."""
        self._settled = 0.0

    def check(self) -> str:
        """How many files there are, and the columns of the last."""
        found = [file for file in self.folder.found() if _ours(file.name) or not self.folder.open_ended]
        files = sorted(found, key=lambda file: (file.at, file.name))
        if not files:
            return f"{self.folder.shown}: no file yet"
        last = files[-1]
        columns = ", ".join(self.records.in_words(last.name, lambda: self._columns(last)))
        return f"{len(files)} file{'s' * (len(files) > 1)}, the last {_called(last.name)}: {columns or 'no rows yet'}"

    def _columns(self, file: Found) -> list[str]:
        with self.folder.opened(file) as stream:
            if form(file.name) == "parquet":
                return list(pyarrow.parquet.read_schema(stream).names)
            if not file.name.lower().endswith(".gz"):
                return self.records.columns(file.name, stream)
            return self.records.columns(file.name, cast("IO[bytes]", gzip.open(stream, "rb")))

    def _whole(self, fresh: Sequence[Found], state: _State, now: float, taken: _Taken) -> list[Found]:
        """Those that nobody is writing any more; the others wait."""
        ready, waiting = [], {}
        seen = state.waiting | self._looked  # an answer that could not be used took its cursor with it
        self._looked = {}
        for file in fresh:
            tag, since, first, told = seen.get(file.name, (file.tag, now, now, False))
            since = since if tag == file.tag else now
            self._looked[file.name] = [file.tag, since, first, told]
            if now - since >= self._settled or now - file.at >= self._settled + AGED:
                ready.append(file)
                continue
            if now - first >= PATIENCE and not told:
                taken.notes.append(Reject(_called(file.name), "keeps changing: it is read once it lies still"))
                told = True
            waiting[file.name] = self._looked[file.name] = [file.tag, since, first, told]
        state.waiting = waiting
        return ready

    def _read(
        self, ready: Sequence[Found], marks: dict[str, bytes], state: _State, taken: _Taken
    ) -> SourceError | None:
        """Takes from each file in turn; the first fault of one that could not be fetched."""
        fault = None
        begun = state.reading.get("mark")
        order = sorted(ready, key=lambda file: _text(marks[file.name]) != begun)  # what was begun goes on
        if not order or _text(marks[order[0].name]) != begun:
            state.reading = {}  # changed or gone in the middle of it
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
                taken.held, state.reading = True, {}
            except SourceError as error:
                if error.fault == "unreadable":  # told when the others have been read
                    self._bad[mark], state.reading = error, {}
                    continue
                fault = fault or error
                if error.fault != "refused" or state.reading:
                    break  # nor will the others be fetched; and what was begun goes first
        return fault

    def _take(self, file: Found, mark: bytes, state: _State, taken: _Taken) -> bool:
        """One file's rows onto what was taken; whether the next one may follow."""
        if self.folder.open_ended and not _ours(file.name):
            taken.notes.append(Reject(_called(file.name), "left: the name does not end in .csv, .jsonl or .parquet"))
            state.known.add(mark)
            return True
        form(file.name)
        path = self.folder.local(file)
        if not state.reading:
            state.reading = self.records.in_words(file.name, lambda: self._begun(path, file, mark, state, taken))
        if state.reading:
            piece = self.records.in_words(
                file.name, lambda: self._piece(path, file, state.reading["place"], taken.left)
            )
            if piece.table.num_rows:
                if taken.tables and not alike(taken.tables[0].schema, piece.table.schema):
                    return False
                if piece.where:
                    taken.standing.append((piece.table.num_rows, piece.where))
                taken.tables.append(piece.table)
            taken.rejects += piece.rejects
            taken.left -= piece.table.nbytes
            state.reading["place"] = piece.place
            state.reading["rows"] = state.reading["rows"] or bool(piece.table.num_rows or piece.rejects)
            if piece.more:
                return False
            if state.reading["rows"]:
                state.contents[b64decode(state.reading["digest"])] = None
            state.recent.pop(file.name, None)
            state.recent[file.name] = {part: state.reading[part] for part in ("size", "digest", "place")}
        state.known.add(mark)
        state.bad.pop(file.name, None)
        state.reading = {}
        return True

    def _begun(self, path: str, file: Found, mark: bytes, state: _State, taken: _Taken) -> dict[str, Any]:
        """Where the reading of a file begins; nothing if its content has been read already."""
        before = state.recent.get(file.name)
        digest, top = _digests(path, before["size"] if before else 0)
        if before and digest == before["digest"]:
            return {}  # touched, no more
        if b64decode(digest) in state.contents and not self._repeats:
            taken.notes.append(Reject(_called(file.name), "left: a file with the same content has been read already"))
            return {}
        if path.lower().endswith(".gz"):
            _prove(path)
        place = beginning()
        if before and top == before["digest"] and form(file.name) != "parquet":
            place = before["place"]
        elif before and before["size"]:
            taken.notes.append(
                Reject(_called(file.name), "has changed since it was read: read again from its beginning")
            )
        return {"mark": _text(mark), "size": file.size, "digest": digest, "place": place, "rows": False}

    def _piece(self, path: str, file: Found, place: Place, limit: int) -> Piece:
        if form(file.name) == "parquet":
            return parquet.take(path, place, "", limit, called=file.name)
        with open_bytes(path) as stream:
            places = [place] if place["at"] else []
            return self.records.take(file.name, stream, places, limit=limit, still_written=False, whole=True, seen="")


def _digests(path: str, size: int) -> tuple[str, str]:
    """Of the file's content, and of its first `size` bytes ('' if it has no more than those)."""
    whole, top, left = hashlib.sha256(), "", size
    with Path(path).open("rb") as stream:
        while piece := stream.read(min(left, 1 << 20) if left else 1 << 20):
            if size and not left and not top:
                top = _short(whole.digest())
            whole.update(piece)
            left = max(left - len(piece), 0)
    return _short(whole.digest()), top


def _prove(path: str) -> None:
    """Decompress it all: of a file that was cut short, no row is taken. EOFError or OSError if it was."""
    with open_bytes(path) as stream:
        while stream.read(1 << 20):
            pass


def _short(digest: bytes) -> str:
    return b64encode(digest[:_DIGEST]).decode()


def _mark(name: str, tag: str) -> bytes:
    return hashlib.blake2b(f"{name}\0{tag}".encode(errors="surrogateescape"), digest_size=_MARK).digest()


def _text(mark: bytes) -> str:
    return b64encode(mark).decode()


def _cut(packed: str, size: int) -> Iterable[bytes]:
    held = b64decode(packed)
    return (held[i : i + size] for i in range(0, len(held), size))


def _called(name: str) -> str:
    return name.rpartition("/")[2]


def _ours(name: str) -> bool:
    return bool(_OURS.search(name))
