"""A folder elsewhere, by any protocol that fsspec knows: SFTP, object storage, ... (make extras)."""

from __future__ import annotations

import errno
import fnmatch
import glob
import os
import tempfile
import weakref
from collections.abc import Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from inspect import signature
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlsplit

from connectors import SourceError
from connectors.folders import Found, partial_name

try:
    from fsspec import get_filesystem_class
except ImportError:
    raise ImportError("needs a package that is not installed: make extras") from None

if TYPE_CHECKING:
    from collections.abc import Iterator

    from connectors import Fault

STORES = ("s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl", "oss", "oci", "memory")
"""Where a file is there only when all of it is."""
CONNECT = 10.0
TIMEOUT = 30.0
"""Seconds, unless it is said otherwise."""
SHORTEST = 4
"""Signs of a secret: what is shorter is everywhere in the words around it, too."""
WHOLE = 600.0
"""Seconds for one file, and for one listing, however steadily they come."""
TRIES = 2
"""Of each request to S3."""
_LOGIN = {
    "AuthenticationException",
    "PasswordRequiredException",
    "NoCredentialsError",
    "PartialCredentialsError",
    "NotLetInError",
}
_NOT_LET_IN = {"InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "RequestTimeTooSkewed"}
_TIMEOUT = {"TimeoutError", "FSTimeoutError", "ConnectTimeoutError", "ReadTimeoutError"}
_UNREACHABLE = {"NoValidConnectionsError", "gaierror", "ConnectionError", "HTTPClientError", "EOFError", "SSHException"}
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
        self._scheme, address = _parts(url)
        # A signature in an address is a log-in: it is in no name of a file, and told to nobody.
        url, self._signed = _unsigned(self._scheme, url)
        self._secrets = _secrets(password, self._signed, options)
        self._timeout = timeout
        user = username or unquote(address.username or "")
        given: dict[str, Any] = {"username": user, "password": password}
        self.whole = self._scheme in STORES
        if self._scheme in ("sftp", "ssh"):
            self._make = _sftp(
                address, given | {"key_file": key_file, "known_hosts": known_hosts, "timeout": timeout}, options
            )
        else:
            wrong = [name for name, value in (("key_file", key_file), ("known_hosts", known_hosts)) if value]
            if wrong:
                raise ValueError(f"{wrong[0]}: is for sftp:// alone")
            self._make = _other(self._scheme, url, given, endpoint, timeout, options)
        if endpoint and self._scheme not in ("s3", "s3a"):
            raise ValueError("endpoint: is for s3:// alone")
        host = address.netloc.rpartition("@")[2]
        self.shown = f"{self._scheme}://{host}{url.partition('://')[2].removeprefix(address.netloc)}"  # _path is of it
        self._path = (
            self.shown if self._scheme not in ("sftp", "ssh") else self.shown.partition("://")[2].removeprefix(host)
        )
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
        """What it means, in words that hold no secret."""
        place = f"{self.shown}: {name.rpartition('/')[2]}" if name else self.shown
        chain = list(_chain(error))
        names = {cls.__name__ for one in chain for cls in type(one).__mro__}
        answers = [answer for one in chain if isinstance(answer := getattr(one, "response", None), dict)]
        codes = {str(answer.get("Error", {}).get("Code")) for answer in answers}
        words = " ".join(str(error).split()) or type(error).__name__
        for secret in self._secrets:
            words = words.replace(secret, "***")
        kind: Fault = "other"
        lasting = False
        if names & _LOGIN or codes & _NOT_LET_IN or "No authentication methods" in words:
            kind, lasting = "login", True
            words = words if "NotLetInError" in names else f"not let in: {words}"
        elif names & _TIMEOUT or "No existing session" in words:  # paramiko's words where nothing was said at all
            kind, words = "timeout", f"no answer within {self._timeout:g} s"
        elif "PermissionError" in names:
            kind, lasting, words = "refused", False, f"no permission: {words}"
        elif any(getattr(one, "errno", None) == errno.ENOSPC for one in chain):
            words = f"no room for it in {tempfile.gettempdir()}: {words}"
        elif any(getattr(one, "errno", None) == errno.EBUSY for one in chain):
            kind = "busy"
        elif names & _UNREACHABLE or "Socket is closed" in words:  # paramiko's, of no kind, where the connection ended
            kind, words = "unreachable", f"no connection: {words}"
        elif any(getattr(one, "errno", None) == getattr(errno, "EREMOTEIO", errno.EIO) for one in chain):
            kind = "server"
        return SourceError(f"{place}: {words}", permanent=lasting, whole=lasting, fault=kind)


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


def _parts(url: str) -> tuple[str, Any]:
    scheme = url.partition("://")[0].lower()
    address = urlsplit(url.replace("?", "%3F").replace("#", "%23"))
    if address.password is not None:
        raise ValueError('path: holds a password: put it into `password`, as in password = "${SFTP_CLAVE}"')
    return scheme, address


def _unsigned(scheme: str, url: str) -> tuple[str, str]:
    """The address, and what stands behind it: of the web, where `?` is no pattern."""
    path, mark, signed = url.partition("?") if scheme in ("http", "https") else (url, "", "")
    return path, mark + signed


def _secrets(password: str, signed: str, options: Any) -> list[str]:
    """All that may be one, the longest first."""
    found = {password, signed[1:], *(value for _, value in parse_qsl(signed[1:]))}
    waiting = [options]
    while waiting:
        match waiting.pop():
            case Mapping() as held:
                waiting += held.values()
            case list() as held:
                waiting += held
            case str() as text:
                found |= {text, text.rpartition(" ")[2]}  # Bearer ...
    return sorted((one for one in found if len(one) >= SHORTEST or one == password != ""), key=len, reverse=True)


def _limited(scheme: str, cls: Any, timeout: float) -> dict[str, Any]:
    """How the protocol is told how long an answer may take. Raises ValueError where it knows no such thing."""
    if scheme in ("http", "https"):
        from aiohttp import ClientTimeout  # noqa: PLC0415 - fsspec's own for the web

        return {"client_kwargs": {"timeout": ClientTimeout(sock_connect=min(CONNECT, timeout), sock_read=timeout)}}
    if "timeout" in signature(cls.__init__).parameters:
        return {"timeout": timeout}
    if timeout != TIMEOUT:
        raise ValueError(f"timeout: {scheme}:// knows none, but for what its `options` may say")
    return {}


def _sftp(address: Any, given: dict[str, Any], options: Mapping[str, Any]) -> Any:
    try:
        from connectors.sftp import Sftp  # noqa: PLC0415 - paramiko is loaded where it is needed
    except ImportError:
        raise ImportError("needs a package that is not installed: make extras") from None
    if options:
        raise ValueError("options: sftp:// takes none")
    if not given["username"] or not (given["password"] or given["key_file"]):
        raise ValueError("path: sftp:// needs `username`, and `password` or `key_file`")
    if not address.hostname:
        raise ValueError("path: has no host, as in sftp://host/folder/*.csv")
    given |= {"host": address.hostname, "port": address.port or 22, "whole": WHOLE, "skip_instance_cache": True}
    return lambda: Sftp(**given)


def _other(
    scheme: str, url: str, given: dict[str, Any], endpoint: str, timeout: float, options: Mapping[str, Any]
) -> Any:
    try:
        cls = get_filesystem_class(scheme)
    except ImportError:
        where = "make extras" if scheme in ("s3", "s3a") else f"the package of fsspec for {scheme}://"
        raise ImportError(f"path: needs a package that is not installed: {where}") from None
    except ValueError:
        raise ValueError(
            f"path: {scheme}:// is no protocol that fsspec knows; there are sftp://, s3://, gs://, ..."
        ) from None
    if scheme in ("s3", "s3a"):
        limits = {"connect_timeout": min(CONNECT, timeout), "read_timeout": timeout, "retries": {"max_attempts": 0}}
        made: dict[str, Any] = {
            "key": given["username"] or None,
            "secret": given["password"] or None,
            "endpoint_url": endpoint or None,
        }
        made["config_kwargs"] = limits | dict(options.get("config_kwargs", {}))
    else:
        made = cls._get_kwargs_from_urls(url) | {name: value for name, value in given.items() if value}
        made |= _limited(scheme, cls, timeout)
    for name, value in options.items():
        if name != "config_kwargs":
            held = made.get(name)
            made[name] = {**held, **value} if isinstance(held, dict) and isinstance(value, dict) else value

    def make() -> Any:
        fs = cls(**made, use_listings_cache=False, skip_instance_cache=True)
        if hasattr(fs, "retries"):
            fs.retries = TRIES
        return fs

    return make


def _matches(name: str, pattern: str) -> bool:
    return fnmatch.fnmatchcase(name.rpartition("/")[2], pattern)


def _epoch(modified: Any) -> float:
    if isinstance(modified, str):
        try:
            modified = datetime.fromisoformat(modified)
        except ValueError:
            return 0.0
    return modified.timestamp() if isinstance(modified, datetime) else float(modified or 0)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
