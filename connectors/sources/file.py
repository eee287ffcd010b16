"""Files: CSV, JSON lines and Parquet, compressed or not, growing or dropped whole, one or many, here or elsewhere."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet

from connectors import SourceError
from connectors.dropped import Dropped
from connectors.folders import Local
from connectors.followed import Followed
from connectors.growing import open_bytes
from connectors.records import Records, form

if TYPE_CHECKING:
    from datetime import datetime

    from connectors import Batch, Cursor

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")


class File:
    """Rows of CSV, JSON lines or Parquet files, told by the name: `.csv`, `.jsonl`, `.parquet`; `.gz` of the first two.

    path: one file, or a glob whose files are read in the order of their names; or a folder; or an address: `sftp://host/folder/*.csv`,
    `s3://bucket/prefix/*.parquet`, any other that fsspec knows. delimiter, encoding: of CSV (and JSON lines), where they are not a
    comma and UTF-8.

    **Growing files** (a file or glob of this machine) are followed: only whole records are taken. A file that was truncated or replaced
    is read from its beginning; one renamed, copied or compressed within the glob goes on where it stopped, and so does one that comes
    back within a week. A Parquet file that begins with the rows already taken gives those past them. CSV cells are text, as written. A
    line of another encoding, or without an end, is told and left out; so is one whose quotation mark does not close within 256 kB. A
    file that is all one line (a JSON list, old line ends) cannot be read. Such a file beside others that can is told once, loses the
    time until then as unknown, and is read when it changes. Where none is left of the files that were there, the source fails: their
    disk may be away. Rows that lie in a file rotated out of sight before a poll are not seen: let the glob cover the rotated name.

    **Dropped files** (a folder of this machine, and every address) are taken whole and once, the oldest first, by their time and then
    their name. Everything that lies there at the first start is read. A name that begins with a dot, or ends as uploads do (`.part`,
    `.tmp`, `.filepart`, ...), is left until it is renamed; another file is read once it has looked the same for `settled` (object
    storage shows whole files only: no wait there). A file of the same name that begins with what was read gives what was added;
    otherwise it is new and read from its beginning: rows that were in it before count twice unless they bear an `id`. A file whose
    content has come before, under whatever name, is told and left (`repeats = true` reads it: lists of clients that may return to what
    they were). One that cannot be read (cut short, not gzip, another encoding) is told, loses the time until then as unknown, does not
    hold up the others, and is read when it changes. One that is gone before all of it was read is told as lost. One that was read may be
    removed; 20,000 may stay. While one waits, the folder vouches for the time before it came, for ten minutes; a folder of this machine
    that is empty and not the one that it was fails.

    lag: how far behind the files are. A folder says nothing between two files: without `lag` a drained one is complete until now, and
    minutes whose file has not come yet are judged as empty. With a file every quarter of an hour and five minutes to write it,
    `lag = "20m"`: nothing is judged sooner, by any source, and a file that is later than that shows as a silence.

    username, password, key_file: of the log-in (`key_file`: a private key for SFTP, whose passphrase `password` then is; for S3 they
    are the access key and its secret, and without them its usual places are looked up). known_hosts: the file with the SFTP server's
    host key, if not `~/.ssh/known_hosts`: an unknown or changed one is never accepted. endpoint: of S3 elsewhere than at AWS. timeout: of a
    connection and of each answer, where the protocol can be told it (SFTP, S3, the web, FTP, ...); a file must have come within ten
    minutes. options: more of what fsspec's file system takes. What stands behind `?` in an address of the web (a signature) is told to
    nobody, nor is any value of `options`.
    """

    def __init__(
        self,
        *,
        path: str,
        delimiter: str = ",",
        encoding: str = "utf-8",
        settled: timedelta = timedelta(seconds=20),
        lag: timedelta = timedelta(0),
        repeats: bool = False,
        username: str = "",
        password: str = "",
        key_file: str = "",
        known_hosts: str = "",
        endpoint: str = "",
        timeout: timedelta = timedelta(seconds=30),
        options: dict[str, Any] | None = None,
    ) -> None:
        self.path, self._records = path, Records(delimiter, encoding)
        if timeout < timedelta(seconds=1):
            raise ValueError("timeout: must be at least 1s")
        self._rules: dict[str, Any] = {"settled": settled, "lag": lag, "repeats": repeats}
        given = {"username": username, "password": password, "key_file": key_file, "known_hosts": known_hosts}
        given |= {"endpoint": endpoint}
        self._followed = Followed(path, self._records, lag)
        self._elsewhere: Dropped | None = None
        if _ADDRESS.match(path):
            self._elsewhere = self._remote(given, timeout.total_seconds(), options or {})
        elif wrong := [name for name, value in (given | {"options": options}).items() if value]:
            raise ValueError(
                f"{wrong[0]}: is for files elsewhere, whose path is an address such as sftp://host/folder/*.csv"
            )

    def _remote(self, given: dict[str, str], timeout: float, options: dict[str, Any]) -> Dropped:
        try:
            from connectors.remote import Remote  # noqa: PLC0415 - files of this machine need no fsspec

            folder = Remote(self.path, **given, timeout=timeout, options=options)
        except ImportError as error:
            raise ValueError(f"path: {str(error.args[0]).removeprefix('path: ')}") from None
        return Dropped(folder, self._records, **self._rules)

    def poll(self, cursor: Cursor | None, now: datetime, since: datetime | None) -> Batch:  # noqa: ARG002 - older rows may come too
        """Records that appeared since `cursor`, at most about 128 MB: growing files in the order of their names, dropped ones of age."""
        dropped = self._dropped()
        return (dropped or self._followed).poll(cursor, now)

    def _dropped(self) -> Dropped | None:
        try:
            folder = self._elsewhere is None and Path(self.path).is_dir()
        except OSError as error:
            raise SourceError(f"{self.path}: {error.strerror}", fault="refused") from error
        if folder:
            self._elsewhere = Dropped(Local(self.path), self._records, **self._rules)
        return self._elsewhere

    def at_once(self) -> None:
        """For a look: dropped files are read as if they had settled."""
        if dropped := self._dropped():
            dropped.at_once()

    def pace(self) -> tuple[timedelta | None, datetime] | None:
        """How often dropped files come, as `Dropped.pace` says; None for growing ones."""
        dropped = self._dropped()
        return dropped.pace() if dropped else None

    def check(self) -> str:
        """How many files there are, and the columns of the last."""
        if dropped := self._dropped():
            return dropped.check()
        paths = self._followed.paths()
        if not paths:
            return f"{self.path}: no file matches yet"
        columns = ", ".join(self._records.in_words(paths[-1], lambda: self._columns(paths[-1])))
        return f"{len(paths)} file{'s' * (len(paths) > 1)}, the last {Path(paths[-1]).name}: {columns or 'no rows yet'}"

    def _columns(self, path: str) -> list[str]:
        if form(path) == "parquet":
            return list(pyarrow.parquet.read_schema(path).names)
        with open_bytes(path) as stream:
            return self._records.columns(path, stream)
