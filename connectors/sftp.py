"""Files over SFTP, from servers whose host key is known; nothing is asked without a time limit (pip install 'vigia[remote]')."""

from __future__ import annotations

import os
from base64 import b64encode
from hashlib import sha256
from pathlib import Path
from time import monotonic
from typing import Any

import paramiko
from fsspec.implementations.sftp import SFTPFileSystem

KNOWN_HOSTS = "~/.ssh/known_hosts"
CHUNK = 1 << 20


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
            there.prefetch(there.stat().st_size, max_concurrent_requests=64)
            while piece := there.read(CHUNK):
                here.write(piece)
                if monotonic() > end:
                    raise TimeoutError

    def close(self) -> None:
        """End the connection."""
        self.client.close()


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
