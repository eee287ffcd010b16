"""The faces of the real daemon process: promtool reads its metrics, Chromium its board, and SIGTERM ends it with 0."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic, sleep

import pytest
import requests

from tests.programs import needed

ROOT = Path(__file__).parents[2]
CONFIG = """
[monitor]
database = "sqlite:///vigia.db"
listen = "127.0.0.1:0"

[sources.pagos]
role = "transactions"
kind = "file"
path = "pagos.csv"
every = "100ms"
"""


@dataclass
class Daemon:
    process: subprocess.Popen[str]
    address: str

    def get(self, path: str) -> requests.Response:
        return requests.get(f"{self.address}{path}", timeout=60)


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    folder = tmp_path_factory.mktemp("daemon")
    (folder / "config.toml").write_text(CONFIG)
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    rows = [
        f"{(now - timedelta(minutes=m, seconds=s)).isoformat()},pagos,web,ok"
        for m in range(120, 2, -1)
        for s in range(0, 60, 10)
    ]
    (folder / "pagos.csv").write_text("timestamp,product,channel,status\n" + "\n".join(rows) + "\n")
    command = [sys.executable, "-m", "monitor", "run", "--config", str(folder / "config.toml")]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    with (folder / "log").open("wb") as log, subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=log, text=True, env=env
    ) as process:  # fmt: skip
        try:
            line = process.stdout.readline() if process.stdout else ""
            found = re.search(r"http://127\.0\.0\.1:\d+", line)
            assert found, (line, (folder / "log").read_text())
            made = Daemon(process, found.group())
            until = monotonic() + 60
            while made.get("/-/ready").status_code != 200:
                assert monotonic() < until, (folder / "log").read_text()
                sleep(0.1)
            yield made
        finally:
            process.kill()


def test_promtool_finds_nothing_wrong_with_the_metrics(daemon: Daemon):
    promtool = needed("promtool")
    found = daemon.get("/metrics").text
    assert "vigia_transactions_total" in found
    checked = subprocess.run([promtool, "check", "metrics"], input=found, capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")


@pytest.mark.parametrize("width", [1280, 390])
def test_chromium_shows_the_board(daemon: Daemon, width: int, tmp_path: Path):
    chromium = needed("chromium")
    flags = ["headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking",
             "disable-component-update", "disable-sync", "enable-logging=stderr", f"window-size={width},900",
             f"user-data-dir={tmp_path}", "dump-dom"]  # fmt: skip
    command = [chromium, *(f"--{flag}" for flag in flags), f"{daemon.address}/"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    assert "Torre de control" in shown.stdout
    assert "CONSOLE" not in shown.stderr


def test_the_api_says_what_it_is_and_answers(daemon: Daemon):
    described = daemon.get("/api/openapi.json").json()
    for path in ("/api/v1/incidents", "/api/v1/cases", "/api/v1/clients"):
        assert path in described["paths"]
        assert daemon.get(path).json() == []
    assert json.loads(daemon.get("/api/v1/clients/900100200").text)["detail"]
    assert daemon.get("/-/healthy").status_code == 200


def test_sigterm_ends_it_with_nothing_left_over(daemon: Daemon):
    daemon.process.terminate()
    assert daemon.process.wait(timeout=180) == 0
