"""The daemon's beginning and end: a signal before it is up, and a simulated bank that ends before it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from threading import Event

import pytest

from monitor.config import read_config
from monitor.daemon import NoBank, simulated_bank

ROOT = Path(__file__).parents[2]
CONFIG = """
[demo]
database = "bank.db"
[sources.core]
role = "transactions"
kind = "file"
path = "x.csv"
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_before_it_is_up_ends_it_without_a_word(number: int, tmp_path: Path):
    pipe = tmp_path / "config.toml"
    os.mkfifo(pipe)  # whoever reads it waits, and can be met there
    command = [sys.executable, "-m", "monitor", "run", "--config", str(pipe)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as daemon:
        try:
            with pipe.open("w"):
                daemon.send_signal(number)
            # Closed: Python looks for signals between two calls, and one that comes just before it reads is seen once the read is over.
            said = daemon.communicate(timeout=120)
        finally:
            daemon.kill()
    assert (daemon.returncode, said) == (128 + number, (b"", b""))


def test_a_simulated_bank_that_ends_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "config.toml").write_text(CONFIG)
    bank = tmp_path / "bank"
    bank.write_text("#!/bin/sh\necho up\nexit 3\n")
    bank.chmod(0o755)
    monkeypatch.setattr("monitor.daemon.sys.executable", str(bank))
    stop = Event()
    with (
        pytest.raises(NoBank, match="the simulated bank has ended with 3"),
        simulated_bank(read_config(tmp_path / "config.toml"), stop),
    ):
        assert stop.wait(120)
