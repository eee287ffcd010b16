"""A real Alertmanager on loopback."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import requests

from tests.fake_mail import free_port
from tests.programs import needed

CONFIG = """
route:
  receiver: hook
  group_by: ["incident", "severity"]
  group_wait: 0s
  group_interval: 1s
  repeat_interval: 1h
receivers:
  - name: hook
    webhook_configs: [{webhooks}]
"""


@contextmanager
def alertmanager(folder: Path, hook: str = "") -> Iterator[str]:
    """Its address; hook: where it posts what it would tell people."""
    webhooks = f'{{url: "{hook}", send_resolved: true}}' if hook else ""
    (folder / "alertmanager.yml").write_text(CONFIG.replace("{webhooks}", webhooks))
    port = free_port()
    command = [
        needed("prometheus-alertmanager"), f"--config.file={folder / 'alertmanager.yml'}", f"--storage.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address=", "--log.level=error",
    ]  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            _wait(url)
            yield url
        finally:
            process.terminate()


def _wait(url: str) -> None:
    for _ in range(1200):  # a minute
        with suppress(requests.RequestException):
            if requests.get(f"{url}/-/ready", timeout=60).ok:
                return
        time.sleep(0.05)
    raise TimeoutError(url)


def standing(url: str, matcher: str = 'alertname=~".+"') -> list[dict[str, Any]]:
    """The alerts that fire there."""
    got = requests.get(f"{url}/api/v2/alerts", params={"filter": matcher}, timeout=30)
    return list(got.json())
