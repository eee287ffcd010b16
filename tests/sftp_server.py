"""A real sshd on loopback that lets one key in, for files alone."""

from __future__ import annotations

import getpass
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.fake_mail import free_port
from tests.programs import needed

CONFIG = """
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/key.pub
PidFile none
StrictModes no
UsePAM no
PermitRootLogin prohibit-password
PasswordAuthentication {passwords}
Subsystem sftp internal-sftp
ForceCommand internal-sftp
"""


@dataclass
class Server:
    """root: the folder of its files; known_hosts: a file with its host key; key: the private key that is let in."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes]
    user: str

    @property
    def known_hosts(self) -> Path:
        return self.folder / "known_hosts"

    @property
    def root(self) -> Path:
        return self.folder / "entrada"

    @property
    def options(self) -> dict[str, Any]:
        """Of a source of kind `file`, but for its path."""
        return {
            "username": self.user,
            "key_file": str(self.folder / "key"),
            "known_hosts": str(self.known_hosts),
        }

    def path(self, pattern: str) -> str:
        return f"sftp://127.0.0.1:{self.port}{self.root}/{pattern}"


@contextmanager
def sftp_server(folder: Path, *, passwords: bool = False, root: Path | None = None) -> Iterator[Server]:
    folder.mkdir(exist_ok=True)
    port = free_port()
    sshd = needed("sshd")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    for name in ("host_key", "key"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True)
    (folder / "entrada").mkdir() if root is None else (folder / "entrada").symlink_to(root)
    host_key = " ".join((folder / "host_key.pub").read_text().split()[:2])
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {host_key}\n")
    config = folder / "sshd_config"
    config.write_text(CONFIG.format(port=port, folder=folder, passwords="yes" if passwords else "no"))
    with subprocess.Popen([sshd, "-D", "-e", "-f", str(config)], stderr=subprocess.DEVNULL) as process:
        try:
            _wait(port)
            yield Server(folder, port, process, getpass.getuser())
        finally:
            process.kill()


def _wait(port: int) -> None:
    for _ in range(1200):  # a minute
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1) as there:
                if there.recv(4) == b"SSH-":
                    return
        except OSError:
            time.sleep(0.05)
    raise TimeoutError(port)
