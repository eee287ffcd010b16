"""A real Prometheus that scrapes nothing and holds the history it is given."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import requests

from tests.fake_mail import free_port
from tests.programs import needed


@contextmanager
def prometheus(folder: Path, openmetrics: str) -> Iterator[str]:
    """openmetrics: samples with their times, without the end mark; yields the server's address."""
    server, promtool = needed("prometheus"), needed("promtool")
    (folder / "history").write_text(f"{openmetrics.rstrip()}\n# EOF\n", encoding="utf-8")
    feed = [promtool, "tsdb", "create-blocks-from", "openmetrics", "-q", "history", "tsdb"]
    subprocess.run(feed, cwd=folder, check=True, capture_output=True)
    (folder / "prometheus.yml").write_text("global: {}\n", encoding="utf-8")
    url = f"127.0.0.1:{free_port()}"
    command = [
        server, "--config.file=prometheus.yml", f"--web.listen-address={url}", "--storage.tsdb.path=tsdb",
        "--storage.tsdb.retention.time=100y", "--log.level=warn",
    ]  # fmt: skip
    with (folder / "log").open("wb") as log, subprocess.Popen(command, cwd=folder, stdout=log, stderr=log) as process:
        try:
            for _ in range(1200):  # a minute
                with suppress(requests.RequestException):
                    if requests.get(f"http://{url}/-/ready", timeout=60).ok:
                        break
                assert process.poll() is None, (folder / "log").read_text()
                time.sleep(0.05)
            yield f"http://{url}"
        finally:
            process.terminate()
