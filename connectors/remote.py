"""A folder elsewhere, by any protocol that fsspec knows: SFTP, object storage, ... (make extras)."""

from __future__ import annotations

import fnmatch
import glob
import os
import tempfile
import weakref
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from connectors import SourceError
from connectors.filesystems import SFTP, WHOLE, filesystem
from connectors.folders import Found, partial_name
from connectors.remote_refusals import secrets_of, told

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from urllib.parse import SplitResult

STORES = ("s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl", "oss", "oci", "memory")
"""Where a file is there only when all of it is."""
_TIMES = ("LastModified", "mtime", "last_modified", "updated", "modified", "created")


class Remote:
    """Files under `url`: one file, a folder (all its files), or a pattern of names (`*.csv`; `**/` goes into folders).

    One connection, kept from poll to poll and made anew after a fault. A file is fetched whole into the folder for temporary files
    (TMPDIR) before a row of it is read, and the last one is kept there until the next.
    """

    def __init__(
        self,
        url: str,
        *,
        username: str,
        password: str,
        key_file: str,
        known_hosts: str,
        endpoint: str,
        timeout: float,
        options: Mapping[str, Any],
    ) -> None:
        address = _parts(url)
        scheme = address.scheme
        # A signature in an address is a log-in: it is in no name of a file, and told to nobody.
        url, self._signed = _unsigned(scheme, url)
        self._secrets = secrets_of(password, self._signed, options)
        self._timeout = timeout
        self.whole = scheme in STORES
        self._make = filesystem(
            url, address, username=username or unquote(address.username or ""), password=password, key_file=key_file,
            known_hosts=known_hosts, endpoint=endpoint, timeout=timeout, options=options,
        )  # fmt: skip
        host = address.netloc.rpartition("@")[2]
        self.shown = f"{scheme}://{host}{url.partition('://')[2].removeprefix(address.netloc)}"  # _path is of it
        self._path = self.shown.partition("://")[2].removeprefix(host) if scheme in SFTP else self.shown
        if self._signed:
            self.shown += "?***"
        self.open_ended = not glob.has_magic(self._path)
        self._kept = _Kept()
        weakref.finalize(self, self._kept.close)

    def found(self) -> list[Found]:
        """As `folders.Folder`; from one listing, unless the pattern has folders in it."""
        with self._asking() as fs:
            path = fs._strip_protocol(self._path)  # noqa: SLF001 - fsspec's own way to say where in the store a path lies
            limit = {"timeout": WHOLE} if fs.async_impl else {}
            try:
                entries = self._listed(fs, path, limit)
            except FileNotFoundError:
                if not self.whole or (self.open_ended and not self._path.endswith("/")):
                    raise
                fs.info(path.strip("/").partition("/")[0], **limit)
                entries = []  # a store has no folders: one without files is not there
            files = [self._entry(fs, entry) for entry in entries if not partial_name(entry["name"])]
        return [file for file in files if file]

    def _listed(self, fs: Any, path: str, limit: dict[str, float]) -> list[dict[str, Any]]:
        folder, _, last = path.rpartition("/")
        if not glob.has_magic(path):
            there = fs.info(path + self._signed, **limit)
            return list(fs.ls(path, detail=True, **limit)) if there["type"] == "directory" else [there]
        if glob.has_magic(folder) or "**" in last:
            return list(fs.glob(path, detail=True, **limit).values())
        return [entry for entry in fs.ls(folder, detail=True, **limit) if _matches(entry["name"], last)]

    def _entry(self, fs: Any, entry: dict[str, Any]) -> Found | None:
        if entry["type"] == "link":
            with suppress(FileNotFoundError):
                entry = {**fs.info(entry["name"]), "name": entry["name"]}
        if entry["type"] != "file" or entry["name"].endswith("/"):
            return None
        modified = next((entry[name] for name in _TIMES if entry.get(name)), None)
        at = _epoch(modified)
        tag = entry.get("ETag") or entry.get("etag") or modified
        return Found(entry["name"].removesuffix(self._signed), int(entry["size"] or 0), at, f"{entry['size']}:{tag}")

    def local(self, file: Found) -> str:
        """As `folders.Folder`."""
        if self._kept.file == file:
            return self._kept.path
        self._kept.let_go()
        with self._asking(file.name) as fs:
            handle, self._kept.path = tempfile.mkstemp(".gz" if file.name.lower().endswith(".gz") else "", "vigia-")
            os.close(handle)
            fs.get_file(file.name + self._signed, self._kept.path, **({"timeout": WHOLE} if fs.async_impl else {}))
        if Path(self._kept.path).stat().st_size != file.size:
            self._kept.let_go()
            raise FileNotFoundError(file.name)
        self._kept.file = file
        return self._kept.path

    def disk(self) -> str:
        """As `folders.Folder`: it cannot be told."""
        return ""

    def opened(self, file: Found) -> IO[bytes]:
        """As `folders.Folder`."""
        with self._asking(file.name) as fs:
            stream: IO[bytes] = fs.open(file.name + self._signed, "rb")
        return stream

    @contextmanager
    def _asking(self, name: str = "") -> Iterator[Any]:
        """The connection; its faults in words, after which it is made anew."""
        try:
            if self._kept.fs is None:
                self._kept.fs = self._make()
            yield self._kept.fs
        except SourceError:
            raise
        except FileNotFoundError as error:
            if error.__cause__ and (fault := self._fault(error.__cause__, name)).fault in ("timeout", "unreachable"):
                raise fault from None  # as HTTP's says it of any fault
            if name:
                raise
            raise SourceError(f"{self.shown}: there is no such file or folder", fault="unreachable") from None
        except Exception as error:
            fault = self._fault(error, name)
            if fault.fault != "refused":
                self._kept.end()
            raise fault from error

    def _fault(self, error: BaseException, name: str) -> SourceError:
        place = f"{self.shown}: {name.rpartition('/')[2]}" if name else self.shown
        return told(place, error, self._secrets, self._timeout)


class _Kept:
    """What outlives a poll: the connection, and the file that was fetched last."""

    def __init__(self) -> None:
        self.fs: Any = None
        self.file: Found | None = None
        self.path = ""

    def let_go(self) -> None:
        """Of the file."""
        if self.path:
            Path(self.path).unlink(missing_ok=True)
        self.file, self.path = None, ""

    def end(self) -> None:
        """The connection."""
        fs, self.fs = self.fs, None
        if hasattr(fs, "close"):
            with suppress(Exception):
                fs.close()

    def close(self) -> None:
        """Both."""
        self.let_go()
        self.end()


def _parts(url: str) -> SplitResult:
    address = urlsplit(url.replace("?", "%3F").replace("#", "%23"))
    if address.password is not None:
        raise ValueError('path: holds a password: put it into `password`, as in password = "${SFTP_CLAVE}"')
    return address


def _unsigned(scheme: str, url: str) -> tuple[str, str]:
    """The address, and what stands behind it: of the web, where `?` is no pattern."""
    path, mark, signed = url.partition("?") if scheme in ("http", "https") else (url, "", "")
    return path, mark + signed


def _matches(name: str, pattern: str) -> bool:
    return fnmatch.fnmatchcase(name.rpartition("/")[2], pattern)


def _epoch(modified: Any) -> float:
    if isinstance(modified, str):
        try:
            modified = datetime.fromisoformat(modified)
        except ValueError:
            return 0.0
    return modified.timestamp() if isinstance(modified, datetime) else float(modified or 0)
