"""A folder into which files are dropped, wherever it lies: what is in it, and how a file of it comes onto this machine."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Protocol

from connectors import SourceError
from connectors.growing import appearance

if TYPE_CHECKING:
    from collections.abc import Sequence

PARTIAL = (".part", ".partial", ".tmp", ".temp", ".filepart", ".crdownload", ".uploading", ".inprogress", ".swp", "~")
"""How names end of files that are still being uploaded; those that begin with a dot are, too."""


@dataclass(frozen=True, slots=True)
class Found:
    """A file in the folder. name: its path there; at: when it was last modified, in epoch seconds; tag: changes with its content."""

    name: str
    size: int
    at: float
    tag: str

    @property
    def called(self) -> str:
        """Its name, without the folders."""
        return self.name.rpartition("/")[2]


class Folder(Protocol):
    """What `dropped.Dropped` reads. Methods raise SourceError; FileNotFoundError where a file is gone, or not what it was when listed.

    shown: the address for people; whole: a file is there only when all of it is; open_ended: it names no pattern, so that what is
    no file of ours may lie in it.
    """

    shown: str
    whole: bool
    open_ended: bool

    def found(self) -> Sequence[Found]:
        """Every file that is meant, but for those whose names say that they are still being uploaded."""
        ...

    def local(self, file: Found) -> str:
        """Where its bytes lie on this machine, all of them, until the next call; `.gz` at its end if they are compressed."""
        ...

    def disk(self) -> str:
        """What folder it is, on what disk: another where that of the files is away. '' if it cannot be told."""
        ...

    def opened(self, file: Found) -> IO[bytes]:
        """To look at its beginning, or at a Parquet file's end; not decompressed."""
        ...


class Local:
    """A folder of this machine, without those in it."""

    whole, open_ended = False, True

    def __init__(self, path: str) -> None:
        self.shown = path

    def found(self) -> list[Found]:
        """Its files; a link counts as what it leads to."""
        files = []
        try:
            with os.scandir(self.shown) as entries:
                for entry in entries:
                    try:
                        if entry.is_file() and not partial_name(entry.name):
                            status = entry.stat()
                            files.append(Found(entry.path, status.st_size, status.st_mtime, appearance(status)))
                    except FileNotFoundError:  # gone since it was listed
                        continue
        except FileNotFoundError:
            raise SourceError(f"{self.shown}: there is no such folder", fault="unreachable") from None
        except OSError as error:
            raise SourceError(f"{self.shown}: cannot be listed: {error.strerror}", fault="refused") from error
        return files

    def local(self, file: Found) -> str:
        """The file itself."""
        if appearance(Path(file.name).stat()) != file.tag:
            raise FileNotFoundError(file.name)
        return file.name

    def disk(self) -> str:
        """By its number alone: those of devices change when the machine starts."""
        return str(Path(self.shown).stat().st_ino)

    def opened(self, file: Found) -> IO[bytes]:
        """The file itself."""
        return Path(file.name).open("rb")


def partial_name(name: str) -> bool:
    """Whether the name says that the file is still being uploaded."""
    last = name.rpartition("/")[2].lower()
    return last.startswith(".") or last.endswith(PARTIAL)
