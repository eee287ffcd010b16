"""Files over SFTP, from servers whose host key is known; nothing is asked without a time limit (make extras)."""

from __future__ import annotations

import logging
import os
from base64 import b64encode
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from time import monotonic
from typing import IO, Any

import paramiko
from fsspec.implementations.sftp import SFTPFileSystem
from paramiko.sftp import CMD_DATA, CMD_READ, int64

logging.getLogger("paramiko").setLevel(logging.CRITICAL)  # it logs what it raises too, with its traceback

KNOWN_HOSTS = "~/.ssh/known_hosts"
PIECE = 32 << 10
"""Bytes of one read: what every server gives."""
AT_ONCE = 64
"""Reads on their way."""


class NotLetInError(Exception):
    """The server is not, or not surely, the one that is meant; or we have nothing to show it."""


class Sftp(SFTPFileSystem):  # type: ignore[misc]  # fsspec has no types
    """fsspec's, which would let in any host and wait for ever.

    known_hosts: the file of host keys, as OpenSSH writes it ('': the user's own); key_file: a private key, with `password` as its
    passphrase; timeout: seconds for the connection, and for each answer; whole: seconds for one file.
    """

    def __init__(
        self,
        *,
        host: str,
        port: int,
        username: str,
        password: str,
        key_file: str,
        known_hosts: str,
        timeout: float,
        whole: float,
    ) -> None:
        self._known, self._timeout, self._file_limit = Path(known_hosts or KNOWN_HOSTS).expanduser(), timeout, whole
        secrets: dict[str, Any] = {"password": password or None, "key_filename": key_file or None}
        super().__init__(host, port=port, username=username or None, **secrets)

    def _connect(self) -> None:
        key = self.ssh_kwargs["key_filename"]
        if key and not os.access(key, os.R_OK):
            raise NotLetInError(f"key_file {key}: there is no such file, or no permission to read it")
        client = paramiko.SSHClient()
        if self._known.exists():
            client.load_system_host_keys(str(self._known))
        client.set_missing_host_key_policy(_Refused(self._known))
        limits: dict[str, Any] = dict.fromkeys(
            ("timeout", "banner_timeout", "auth_timeout", "channel_timeout"), self._timeout
        )
        try:
            client.connect(self.host, **self.ssh_kwargs, allow_agent=False, look_for_keys=False, **limits)
            self.ftp = client.open_sftp()
        except paramiko.BadHostKeyException as error:
            client.close()
            raise NotLetInError(
                f"the host key is not the one in {self._known} but {_print(error.key)}: ask the server's owner before changing the line"
            ) from error
        except BaseException:
            client.close()
            raise
        if channel := self.ftp.get_channel():
            channel.settimeout(self._timeout)
        self.client = client

    def get_file(self, rpath: str, lpath: str, **_: Any) -> None:
        """Copy one file; TimeoutError if it takes too long in all."""
        end = monotonic() + self._file_limit
        with self.ftp.open(self._strip_protocol(rpath), "rb") as there, Path(lpath).open("wb") as here:
            reads = _Reads(self.ftp, there, here)
            while reads.go_on():
                if monotonic() > end:
                    raise TimeoutError

    def close(self) -> None:
        """End the connection."""
        self.client.close()


class _Reads:
    """Reads of one file, many of them on their way at once.

    As paramiko's own `prefetch` has them; but that asks from a thread, which stays for ever where the server hangs, and ends in a
    traceback where the connection breaks.
    """

    def __init__(self, client: Any, there: Any, here: IO[bytes]) -> None:
        self._client, self._there, self._here = client, there, here
        self._next, self._size = 0, int(there.stat().st_size)
        self._asked: dict[int, tuple[int, int]] = {}

    def go_on(self) -> bool:
        """Ask for more, and wait for one answer; False once all of them have come."""
        while self._next < self._size and len(self._asked) < AT_ONCE:
            self._ask(self._next, min(PIECE, self._size - self._next))
            self._next += PIECE
        if self._asked:
            self._client._read_response()  # noqa: SLF001 - calls _async_response
        return bool(self._asked) or self._next < self._size

    def _ask(self, at: int, length: int) -> None:
        number = self._client._async_request(self, CMD_READ, self._there.handle, int64(at), length)  # noqa: SLF001 - no other way
        self._asked[number] = (at, length)

    def _async_response(self, kind: int, message: Any, number: int) -> None:
        at, length = self._asked.pop(number)
        if kind != CMD_DATA:
            with suppress(EOFError):  # shorter than it was: the caller sees
                self._client._convert_status(message)  # noqa: SLF001 - raises what it says
            return
        piece = message.get_string()
        self._here.seek(at)
        self._here.write(piece)
        if 0 < len(piece) < length:
            self._ask(at + len(piece), length - len(piece))


class _Refused(paramiko.MissingHostKeyPolicy):
    def __init__(self, known: Path) -> None:
        self._known = known

    def missing_host_key(self, _: paramiko.SSHClient, hostname: str, key: paramiko.PKey) -> None:
        raise NotLetInError(
            f"the host key of {hostname} is not in {self._known}: the server shows {_print(key)}; if its owner says so too, add it there"
        )


def _print(key: paramiko.PKey) -> str:
    """As ssh-keygen -l shows it."""
    return f"{key.get_name()} SHA256:{b64encode(sha256(key.asbytes()).digest()).decode().rstrip('=')}"
