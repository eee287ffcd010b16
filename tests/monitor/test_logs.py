"""The log is told what can be told, and nothing waits or stops for it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
TELLS = """
import structlog
from monitor.logs import log_to_stderr
log_to_stderr()
for _ in range(1000):
    structlog.get_logger().error("a step failed", source="core")
print("goes on", flush=True)
"""


def test_a_log_whose_disk_is_full_stops_no_work() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", TELLS], cwd=ROOT, stdout=subprocess.PIPE, stderr=full, timeout=120, check=False
        )
    assert done.stdout == b"goes on\n"
