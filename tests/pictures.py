"""`python -m tests.pictures [ADDRESS]`: docs/img/{board,incident,client,phone,dark}.png, of the simulated bank in a real run.

Without an address it starts `vigia run` on the shipped configuration in a folder of its own, as `make run` does. The board is taken
three minutes after; the others three minutes later, when the failure has its story.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import which
from socket import create_server
from tempfile import TemporaryDirectory
from time import monotonic, sleep
from typing import Any

import requests
from PIL import Image
from playwright.sync_api import Browser, sync_playwright

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "img"
FIRST, LATER = 180, 360
"""Seconds after the start."""
WALL, PAGE, PHONE = (1920, 1080), (1440, 900), (390, 844)
LARGEST = 300_000
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


def main(address: str = "") -> None:
    """Take them all; from a service that runs already, at once."""
    began = monotonic() if not address else monotonic() - LATER
    with _daemon(address) as found, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=which("chromium"), args=FLAGS)
        _wait(found, began + FIRST)
        _taken(browser, f"{found}/", "board", PAGE)
        _wait(found, began + LATER)
        incident = _asked(found, "incidents?state=open")[-1]
        client = _asked(found, "clients?touched=true")[0]
        _taken(browser, f"{found}/incidents/{incident['id']}", "incident", (1440, 1250))
        _taken(browser, f"{found}/clientes/{client['client_id']}", "client", (1440, 1050))
        _taken(browser, f"{found}/", "dark", WALL, color_scheme="dark")
        _taken(browser, f"{found}/", "phone", PHONE, device_scale_factor=2)
        browser.close()


@contextmanager
def _daemon(address: str) -> Iterator[str]:
    if address:
        yield address.rstrip("/")
        return
    with TemporaryDirectory(prefix="vigia-pictures-") as folder:
        text = (ROOT / "config.toml").read_text(encoding="utf-8").replace("127.0.0.1:8080", "127.0.0.1:0")
        config = Path(folder) / "config.toml"
        config.write_text(text.replace("127.0.0.1:8090", f"127.0.0.1:{_free()}"), encoding="utf-8")
        command = [sys.executable, "-m", "monitor", "run", "--config", str(config)]
        env = os.environ | {"PYTHONPATH": str(ROOT)}
        with (Path(folder) / "log").open("wb") as log, subprocess.Popen(
            command, cwd=folder, stdout=subprocess.PIPE, stderr=log, text=True, env=env
        ) as process:  # fmt: skip
            try:
                lines = iter(process.stdout.readline, "") if process.stdout else iter(())
                yield next(m.group() for line in lines if (m := re.search(r"http://127[.\d]+:\d+(?= \(Ctrl)", line)))
            finally:
                process.terminate()


def _free() -> int:
    with create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def _wait(address: str, until: float) -> None:
    while monotonic() < until or not _asked(address, "incidents?state=open"):
        sleep(1)


def _asked(address: str, what: str) -> Any:
    return requests.get(f"{address}/api/v1/{what}", timeout=30).json()


def _taken(browser: Browser, url: str, name: str, size: tuple[int, int], **look: Any) -> None:
    context = browser.new_context(viewport={"width": size[0], "height": size[1]}, locale="es-CO", **look)
    page = context.new_page()
    page.goto(url)
    page.wait_for_timeout(800)
    path = FOLDER / f"{name}.png"
    page.screenshot(path=path)
    context.close()
    Image.open(path).convert("RGB").quantize(256).save(path, optimize=True)
    weight = path.stat().st_size
    print(f"{path.relative_to(ROOT)}: {weight / 1000:.0f} kB{' TOO HEAVY' if weight > LARGEST else ''}")  # noqa: T201 - for whoever runs it


if __name__ == "__main__":
    main(*sys.argv[1:])
