"""A real MariaDB on loopback, its files in a folder of its own."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pymysql

from tests.fake_mail import free_port
from tests.programs import needed


class MariaDB:
    """Started when made; `url` names the database `banco`, which is there. Half a second."""

    def __init__(self, folder: Path) -> None:
        self._data, self._socket, self.port = folder / "data", folder / "s", free_port()
        self._as = ["--user=root"] if os.geteuid() == 0 else []
        install = [needed("mariadb-install-db"), "--no-defaults", f"--datadir={self._data}", "--skip-test-db"]
        install += ["--auth-root-authentication-method=normal", *self._as]
        self._program = needed("mariadbd")
        subprocess.run(install, check=True, capture_output=True)
        self.start()
        with self.connected() as connection:
            connection.cursor().execute("CREATE DATABASE banco CHARACTER SET utf8mb4")

    @property
    def url(self) -> str:
        return self.address("root", "")

    def address(self, user: str, password: str, database: str = "banco") -> str:
        return f"mysql+pymysql://{user}:{password}@127.0.0.1:{self.port}/{database}"

    def connected(self) -> pymysql.connections.Connection:
        return pymysql.connect(host="127.0.0.1", port=self.port, user="root")

    def start(self) -> None:
        options = [f"--datadir={self._data}", f"--socket={self._socket}", "--skip-name-resolve", *self._as]
        options += ["--bind-address=127.0.0.1", f"--port={self.port}"]
        options += [
            f"--pid-file={self._data / 'pid'}",
            "--innodb-flush-log-at-trx-commit=0",
            "--innodb-fast-shutdown=2",
        ]
        self._process = subprocess.Popen(
            [self._program, "--no-defaults", *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        for _ in range(3000):  # a minute
            try:
                return self.connected().close()
            except pymysql.OperationalError:
                time.sleep(0.02)
        raise TimeoutError("mariadbd takes no connection")

    def stop(self) -> None:
        """As an operator does: nothing that was committed is lost."""
        self._process.terminate()
        self._process.wait(60)

    def end(self) -> None:
        self._process.kill()
        self._process.wait(120)
