"""Files: CSV, JSON lines and Parquet, compressed or not, growing or dropped whole, one or many, here or elsewhere."""

from __future__ import annotations

import glob
import re
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet

from connectors import Batch, Cursor, Reject, SourceError, lines, parquet
from connectors.dropped import Dropped
from connectors.folders import Local
from connectors.growing import Piece, Place, appearance, beginning, open_bytes, still
from connectors.records import Records, alike, form

if TYPE_CHECKING:
    from datetime import datetime

    from connectors import Where

LIMIT = 128 << 20
"""Bytes taken at one poll, over all files."""
SETTLED = 60
"""Seconds that a CSV file must lie untouched before a last row without a line end is taken for whole."""
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")


class File:
    """Rows of CSV, JSON lines or Parquet files, told by the name: `.csv`, `.jsonl`, `.parquet`; `.gz` of the first two.

    path: one file, or a glob whose files are read in the order of their names; or a folder; or an address: `sftp://host/folder/*.csv`,
    `s3://bucket/prefix/*.parquet`, any other that fsspec knows. delimiter, encoding: of CSV (and JSON lines), where they are not a
    comma and UTF-8.

    **Growing files** (a file or glob of this machine) are followed: only whole records are taken. A file that was truncated or replaced
    is read from its beginning; one renamed within the glob goes on where it stopped. A Parquet file that changes gives the rows past
    those already taken. CSV cells are text, as written. Rows that lie in a file rotated out of sight before a poll are not seen: let the
    glob cover the rotated name.

    **Dropped files** (a folder of this machine, and every address) are taken whole and once, the oldest first, by their time and then
    their name. Everything that lies there at the first start is read. A name that begins with a dot, or ends as uploads do (`.part`,
    `.tmp`, `.filepart`, ...), is left until it is renamed; another file is read once it has looked the same for `settled` (object
    storage shows whole files only: no wait there). A file of the same name that begins with what was read gives what was added;
    otherwise it is new and read from its beginning: rows that were in it before count twice unless they bear an `id`. A file whose
    content has come before, under whatever name, is told and left (`repeats = true` reads it: lists of clients that may return to what
    they were). One that cannot be read (cut short, not gzip, another encoding) is told, loses the time until then as unknown, does not
    hold up the others, and is read when it changes. One that was read may be removed; 20,000 may stay.

    lag: how far behind the files are. A folder says nothing between two files: without `lag` a drained one is complete until now, and
    minutes whose file has not come yet are judged as empty. With a file every quarter of an hour and five minutes to write it,
    `lag = "20m"`: nothing is judged sooner, by any source, and a file that is later than that shows as a silence.

    username, password, key_file: of the log-in (`key_file`: a private key for SFTP, whose passphrase `password` then is; for S3 they
    are the access key and its secret, and without them its usual places are looked up). known_hosts: the file with the SFTP server's
    host key, if not `~/.ssh/known_hosts`: an unknown or changed one is never accepted. endpoint: of S3 elsewhere than at AWS. timeout: of a
    connection and of each answer; a file must have come within ten minutes. options: more of what fsspec's file system takes.
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
        return dropped.poll(cursor, now) if dropped else self._grown(cursor, now)

    def _dropped(self) -> Dropped | None:
        if self._elsewhere is None and Path(self.path).is_dir():
            self._elsewhere = Dropped(Local(self.path), self._records, **self._rules)
        return self._elsewhere

    def _grown(self, cursor: Cursor | None, now: datetime) -> Batch:
        before: dict[str, Place] = (cursor or {}).get("files", {})
        paths = self._paths()
        renamed: list[Place] = []
        if any(path not in before for path in paths):
            renamed = [place for name, place in before.items() if name not in paths or not still(name, place)]
        # a glob that matches nothing may be a disk that is away: its places are kept
        places = {name: place for name, place in before.items() if name in paths or not paths}
        tables: list[pa.Table] = []
        rejects: list[Reject] = []
        standing: list[tuple[int, Where]] = []
        left, drained, fault = LIMIT, True, None
        for path in paths:
            if left <= 0:
                drained = False
                break
            try:
                piece = self._take(path, places.get(path), renamed, left, now)
            except FileNotFoundError:  # rotated away since it was listed
                continue
            except SourceError as error:  # the other files go on; told when they have
                fault = fault or error
                continue
            if piece.table.num_rows:
                if tables and not alike(tables[0].schema, piece.table.schema):
                    drained = False
                    break
                if piece.where:
                    standing.append((piece.table.num_rows, piece.where))
                tables.append(piece.table)
            places[path] = piece.place
            rejects += piece.rejects
            left -= piece.table.nbytes
            drained = drained and not piece.more
        if fault and not tables and not rejects:
            raise fault
        table = pa.concat_tables(tables, promote_options="default") if tables else pa.table({})
        drained = drained and fault is None
        where = lines.one_after_another(standing) if standing else None
        until = now - self._rules["lag"] if drained else None
        return Batch(table, {"files": places}, drained, until, tuple(rejects), where)

    def at_once(self) -> None:
        """For a look: dropped files are read as if they had settled."""
        if dropped := self._dropped():
            dropped.at_once()

    def check(self) -> str:
        """How many files there are, and the columns of the last."""
        if dropped := self._dropped():
            return dropped.check()
        paths = self._paths()
        if not paths:
            return f"{self.path}: no file matches yet"
        columns = ", ".join(self._records.in_words(paths[-1], lambda: self._columns(paths[-1])))
        return f"{len(paths)} file{'s' * (len(paths) > 1)}, the last {Path(paths[-1]).name}: {columns or 'no rows yet'}"

    def _paths(self) -> list[str]:
        if Path(self.path).exists():
            return [self.path]
        if not glob.has_magic(self.path):
            raise SourceError(f"{Path(self.path)}: there is no such file", fault="unreachable")
        return sorted(found for found in glob.iglob(self.path, recursive=True) if not Path(found).is_dir())  # noqa: PTH207 - absolute

    def _take(self, path: str, place: Place | None, renamed: list[Place], limit: int, now: datetime) -> Piece:
        status = Path(path).stat()
        seen = appearance(status)
        if place and place["seen"] == seen:
            return Piece(pa.table({}), place)

        def piece() -> Piece:
            if form(path) == "parquet":
                return parquet.take(path, place or beginning(), seen, limit)
            places = [place] if place else renamed
            still_written = now.timestamp() - status.st_mtime <= SETTLED and not path.lower().endswith(".gz")
            with open_bytes(path) as stream:
                return self._records.take(
                    path, stream, places, limit=limit, still_written=still_written, whole=False, seen=seen
                )

        return self._records.in_words(path, piece)

    def _columns(self, path: str) -> list[str]:
        if form(path) == "parquet":
            return list(pyarrow.parquet.read_schema(path).names)
        with open_bytes(path) as stream:
            return self._records.columns(path, stream)
