"""Starting: the command line, and the daemon from nothing to ready, each in a process of its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from statistics import median
from time import monotonic, perf_counter, sleep
from urllib.error import URLError
from urllib.request import urlopen

from tests.bench import Figure, bank, cores

VIGIA = (sys.executable, "-m", "monitor")
HOURS, ROWS = 24, 20_000
PATIENCE = 60.0


def _seconds(*command: str, times: int = 5) -> float:
    taken = []
    for _ in range(times):
        began = perf_counter()
        subprocess.run([*VIGIA, *command], check=True, capture_output=True)
        taken.append(perf_counter() - began)
    return median(taken)


def _free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


def _ready(url: str) -> bool:
    try:
        with urlopen(f"{url}/-/ready", timeout=1) as answer:  # noqa: S310 - our own address, on loopback
            return bool(answer.status == HTTPStatus.OK)
    except (URLError, OSError):
        return False


def peak_mib(pid: int) -> float:
    """The most memory that a process has had; NaN where the system does not tell."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return float("nan")
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def _daemon(folder: Path) -> Iterator[Figure]:
    start = datetime.now(UTC) - timedelta(hours=HOURS)
    bank.write(bank.transactions(ROWS, days=HOURS / 24, start=start), folder / "day.csv")
    url = f"127.0.0.1:{_free_port()}"
    config = folder / "config.toml"
    config.write_text(
        f"""[monitor]\nlisten = "{url}"\n[sources.core]\nrole = "transactions"\nkind = "file"\npath = "day.csv"\nevery = "1s"\n""",
        encoding="utf-8",
    )
    yield Figure("vigia check", _seconds("check", "--config", str(config)), "s", "median of 5")
    began = perf_counter()
    with subprocess.Popen(
        [*VIGIA, "run", "--config", str(config)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as daemon:
        try:
            deadline = monotonic() + PATIENCE
            while not (ready := _ready(f"http://{url}")) and daemon.poll() is None and monotonic() < deadline:
                sleep(0.02)
            taken = perf_counter() - began if ready else float("nan")
            yield Figure("vigia run, to ready", taken, "s", f"{ROWS:,} rows of {HOURS} h to train on, {cores()} cores")
            yield Figure("vigia run, peak memory when ready", peak_mib(daemon.pid), "MiB")
        finally:
            began = perf_counter()
            daemon.send_signal(signal.SIGTERM)
            daemon.wait(PATIENCE)
    yield Figure("vigia run, to its end by SIGTERM", perf_counter() - began, "s", f"exit code {daemon.returncode}")


def figures() -> Iterator[Figure]:
    """Wall time and memory; a bare interpreter stands beside."""
    began = perf_counter()
    for _ in range(5):
        subprocess.run([sys.executable, "-c", "pass"], check=True, env=os.environ)
    bare = (perf_counter() - began) / 5
    yield Figure("vigia --help", _seconds("--help"), "s", f"median of 5; a bare interpreter: {bare:.3f} s")
    with tempfile.TemporaryDirectory() as folder:
        yield from _daemon(Path(folder))
