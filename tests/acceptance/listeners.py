"""Who is told, for tests: a real SMTP server, an HTTP address that may be down, and Debian's Alertmanager, all on loopback."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock, Thread
from typing import Any

import requests
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.fake_mail import free_port
from tests.programs import needed

PATIENCE = 60.0


@dataclass
class Mailbox:
    """What arrived, in order: (recipient, message)."""

    port: int = 0
    mails: list[tuple[str, EmailMessage]] = field(default_factory=list)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: ARG002, N802 - the face of aiosmtpd
        mail = message_from_bytes(envelope.original_content or b"", policy=policy.default)
        assert isinstance(mail, EmailMessage)
        self.mails += [(to, mail) for to in envelope.rcpt_tos]
        return "250 OK"

    def of(self, to: str) -> list[EmailMessage]:
        return [mail for recipient, mail in self.mails if recipient == to]


@contextmanager
def mailbox() -> Iterator[Mailbox]:
    """A real SMTP server."""
    box = Mailbox(free_port())
    server = Controller(box, hostname="127.0.0.1", port=box.port)
    server.start()
    try:
        yield box
    finally:
        server.stop()


@dataclass
class Address:
    """An HTTP address: what it took, in order; while it is `down` it answers 503 and takes nothing."""

    url: str = ""
    took: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    down: bool = False
    refused: int = 0
    lock: Lock = field(default_factory=Lock)


@contextmanager
def address() -> Iterator[Address]:
    """A webhook's other side."""
    there = Address()

    class Answers(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            with there.lock:
                if there.down:
                    there.refused += 1
                else:
                    there.took.append(json.loads(body))
                    there.keys.append(self.headers["Idempotency-Key"])
            self.send_response(503 if there.down else 204)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    there.url = f"http://127.0.0.1:{server.server_port}/vigia"
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield there
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass
class Alertmanager:
    """Debian's, asked by its API."""

    url: str

    def alerts(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = requests.get(f"{self.url}/api/v2/alerts", timeout=60).json()
        return found


@contextmanager
def alertmanager(folder: Path) -> Iterator[Alertmanager]:
    """A real one, with its state in `folder`."""
    program = needed("prometheus-alertmanager")
    folder.mkdir()
    (folder / "alertmanager.yml").write_text("route:\n  receiver: nobody\nreceivers:\n  - name: nobody\n")
    port = free_port()
    command = [
        program, f"--config.file={folder / 'alertmanager.yml'}", f"--storage.path={folder / 'data'}", "--cluster.listen-address=",
        f"--web.listen-address=127.0.0.1:{port}",
    ]  # fmt: skip
    with (folder / "log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        there = Alertmanager(f"http://127.0.0.1:{port}")
        until = time.monotonic() + PATIENCE
        while True:
            try:
                there.alerts()
                break
            except OSError:
                assert time.monotonic() < until, (folder / "log").read_text()
                time.sleep(0.05)
        try:
            yield there
        finally:
            process.terminate()
