"""What is known of a folder into which files are dropped: the cursor of `dropped.Dropped`, unfolded."""

from __future__ import annotations

import hashlib
from base64 import b64decode, b64encode
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

from connectors.growing import beginning

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from connectors import Cursor
    from connectors.folders import Found
    from connectors.growing import Place

CONTENTS = 1000
"""Files whose content is known again under another name, and which go on where they stopped if they have grown: the last that were read."""
RECENT = 50
"""Files that go on though they are compressed, Parquet, without a last line end, or were read in part: the last that were read."""
MARK, DIGEST, SIZE = 6, 9, 6


class Waiting(NamedTuple):
    """A file that is not read yet; times in epoch seconds.

    tag: how it looks; since: when it began to look so; first: when it was first seen; told: whether it was told that it keeps changing;
    before: when the folder was last listed without it (None: never).
    """

    tag: str
    since: float
    first: float
    told: bool = False
    before: float | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a file was read.

    mark: of its name and look when it was begun; size, digest: how many bytes lay there then, and what they were; place: where reading
    stopped; rows: whether any came; whole: all that lay there was read; lost: it was told that the rest is gone.
    """

    mark: str
    size: int
    digest: str
    place: Place
    rows: bool = False
    whole: bool = True
    lost: bool = False


@dataclass
class State:
    """The cursor. known: marks of the files (name and tag) that are done with; contents: digests of what they held.

    ends: mark of a name -> digest and size of what was read last under it, all of it;
    recent: what was read last, by name; waiting: by name; bad: name -> mark of those that could not be read and were told; reading:
    name and state of the file in the middle of which the last poll stopped; polled: when the folder was last listed; disk: what folder
    it was when last a file lay there.
    """

    known: set[bytes] = field(default_factory=set)
    contents: dict[bytes, None] = field(default_factory=dict)
    ends: dict[bytes, tuple[bytes, int]] = field(default_factory=dict)
    recent: dict[str, Progress] = field(default_factory=dict)
    waiting: dict[str, Waiting] = field(default_factory=dict)
    bad: dict[str, str] = field(default_factory=dict)
    reading: tuple[str, Progress] | None = None
    polled: float | None = None
    disk: str = ""

    @classmethod
    def of(cls, cursor: Cursor | None) -> State:
        """Also of cursors as they were written before, and of growing files that lay in the folder."""
        if not cursor:
            return cls()
        known = set(_cut(cursor.get("known", ""), MARK))
        # what was read from these names as growing files, before the folder itself was named
        known |= {mark_of(name, place["seen"]) for name, place in cursor.get("files", {}).items() if place["seen"]}
        recent = {name: Progress(**{"mark": "", **one}) for name, one in cursor.get("recent", {}).items()}
        begun = dict(cursor.get("reading", {}))
        return cls(
            known=known,
            contents=dict.fromkeys(_cut(cursor.get("contents", ""), DIGEST)),
            ends={
                one[:MARK]: (one[MARK:-SIZE], int.from_bytes(one[-SIZE:]))
                for one in _cut(cursor.get("ends", ""), MARK + DIGEST + SIZE)
            },
            recent=recent,
            waiting={name: Waiting(*one) for name, one in cursor.get("waiting", {}).items()},
            bad=dict(cursor.get("bad", {})),
            reading=(begun.pop("name", ""), Progress(**begun | {"whole": False})) if begun else None,
            polled=cursor.get("polled"),
            disk=cursor.get("disk", ""),
        )

    def cursor(self) -> Cursor:
        """As it is kept."""
        contents = list(self.contents)[-CONTENTS:]
        recent = dict(list(self.recent.items())[-RECENT:])
        begun = self.reading and {"name": self.reading[0], **asdict(self.reading[1])}
        ends = [name + held + size.to_bytes(SIZE) for name, (held, size) in self.ends.items()][-CONTENTS:]
        parts = {
            "ends": b64encode(b"".join(ends)).decode(),
            "recent": {name: asdict(one) for name, one in recent.items()},
            "waiting": {name: [*one] for name, one in self.waiting.items()},
            "bad": self.bad,
            "reading": begun,
            "polled": self.polled,
            "disk": self.disk,
        }
        return {
            "known": b64encode(b"".join(sorted(self.known))).decode(),
            "contents": b64encode(b"".join(contents)).decode(),
            **{part: held for part, held in parts.items() if held},
        }

    def gone(self, seen: Mapping[str, Waiting], files: Sequence[Found]) -> list[str]:
        """Names of those that were seen, never begun, and lie there no more, nor in their size under a name that is new.

        seen: those that were to be read; files: all that lie there.
        """
        names, told = {file.name for file in files}, {*self.bad.items()}
        sizes = {
            str(file.size) for file in files if file.name not in seen and mark_of(file.name, file.tag) not in self.known
        }
        begun = {*self.recent, *(self.reading or ())[:1]}
        return [
            name
            for name, one in seen.items()
            if name not in names and name not in begun and one.tag.partition(":")[0] not in sizes
            for mark in [mark_of(name, one.tag)]
            if mark not in self.known and (name, text(mark)) not in told
        ]

    def broken_off(self, files: Sequence[Found]) -> list[str]:
        """Names of those that went in the middle of their reading, each once; one of the same size that is yet to be read may be it."""
        names = {file.name for file in files}
        sizes = {file.size for file in files if mark_of(file.name, file.tag) not in self.known}
        found = [
            name
            for name, one in self.recent.items()
            if not (one.whole or one.lost or name in names or one.size in sizes)
        ]
        self.recent |= {name: replace(self.recent[name], lost=True) for name in found}
        return found

    def read(self, name: str, so_far: Progress) -> None:
        """All of this file. Of plain text that ended with its last line, how long it was says where it goes on."""
        held = b64decode(so_far.digest)
        self.contents.pop(held, None)
        self.contents[held] = None
        self.ends.pop(own := mark_of(name, ""), None)
        if so_far.place["at"] == so_far.size and "tail" not in so_far.place:
            self.ends[own] = held, so_far.size

    def before(self, name: str) -> Progress | None:
        """What was read last under this name, if that is known; its place has no mark where all that is known is how long it was."""
        if name in self.recent or (own := mark_of(name, "")) not in self.ends:
            return self.recent.get(name)
        held, size = self.ends[own]
        return Progress("", size, short(held), {**beginning(), "at": size}, rows=True)

    def let_go(self) -> None:
        """Of the file that is being read: it goes on where it stopped when it comes again, as one that has grown."""
        if self.reading:
            name, so_far = self.reading
            self.recent.pop(name, None)
            self.recent[name] = so_far
        self.reading = None


def mark_of(name: str, tag: str) -> bytes:
    """Of a file that looks like this."""
    return hashlib.blake2b(f"{name}\0{tag}".encode(errors="surrogateescape"), digest_size=MARK).digest()


def text(mark: bytes) -> str:
    """As it stands in the cursor."""
    return b64encode(mark).decode()


def short(digest: bytes) -> str:
    """So much of a content's hash as is kept."""
    return b64encode(digest[:DIGEST]).decode()


def _cut(packed: str, size: int) -> Iterable[bytes]:
    held = b64decode(packed)
    return (held[i : i + size] for i in range(0, len(held), size))
