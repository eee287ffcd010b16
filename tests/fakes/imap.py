"""A mailbox on a real IMAP server, and a real SMTP server that delivers into it."""

from __future__ import annotations

import asyncio
import imaplib
import threading
from collections.abc import Callable
from contextlib import contextmanager
from datetime import datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from connectors.utf7 import encoded
from tests.certificates import own_certificate
from tests.dovecot import Dovecot, dovecot
from tests.fake_api import Said
from tests.fake_mail import PASSWORD, USER, FakeMail
from tests.fakes.server import START, Tool

SMTP = {400: "554 5.6.0", 403: "550 5.7.1", 429: "452 4.3.1", 500: "451 4.3.0", 502: "450 4.2.0", 503: "421 4.3.2"}
"""What an SMTP server says where one of HTTP says a status."""


class Post(FakeMail):
    """Delivers into a mailbox, whose clock goes on by a second a mail.

    faults, after: as of the other fakes, one a line to it or a message. late: what was taken waits there to be delivered, if it is a list.
    """

    def __init__(self, server: Dovecot, user: str) -> None:
        super().__init__(starttls=own_certificate()[1])
        self.server, self.user, self.now = server, user, START
        self.url = f"localhost:{self.port}"
        self.faults: list[Said | None] = []
        self.after: list[Said | None] = []  # type: ignore[assignment]
        self.late: list[bytes] | None = None
        self.lock = threading.Lock()

    def expire(self) -> None:
        """A password is for ever."""

    def deliver(self, *messages: bytes, at: datetime | None = None, flags: str = "") -> None:
        with self.lock, self.line() as imap:
            for message in messages:
                self.now += timedelta(seconds=1)
                kind, said = imap.append("INBOX", flags, imaplib.Time2Internaldate(at or self.now), message)
                assert kind == "OK", said

    @contextmanager
    def line(self) -> Any:
        imap = self.server.line(self.user)
        try:
            yield imap
        finally:
            imap.logout()

    def messages(self, folder: str = "INBOX") -> list[tuple[int, str, EmailMessage]]:
        """UID, flags and message."""
        with self.line() as imap:
            if imap.select(f'"{folder}"', readonly=True)[0] != "OK":
                return []
            _, (uids,) = imap.uid("SEARCH", "ALL")
            found = []
            for uid in uids.split():
                _, (said, *_) = imap.uid("FETCH", uid.decode(), "(FLAGS BODY.PEEK[])")
                made = message_from_bytes(said[1], policy=policy.default)
                assert isinstance(made, EmailMessage)
                found.append((int(uid), said[0].decode(), made))
            return found

    def flag(self, name: str, flags: str, sign: str = "") -> None:
        with self.line() as imap:
            _, (uids,) = imap.uid("SEARCH", "HEADER", "Message-ID", f'"{name}"')
            for uid in uids.split():
                assert imap.uid("STORE", uid.decode(), f"{sign}FLAGS", f"({flags})")[0] == "OK"

    async def handle_NOOP(self, server: Any, _session: Any, _envelope: Any, _arg: str) -> str:  # noqa: N802 - aiosmtpd's
        return self._wrong(server) or "250 OK"

    async def handle_MAIL(self, server: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:  # noqa: N802
        envelope.mail_from = address
        return self._wrong(server) or "250 OK"

    async def handle_DATA(self, server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's
        if self.late is not None:
            self.late.append(envelope.content)
        else:
            await asyncio.to_thread(self.deliver, envelope.content)
        if not self.after or not (said := self.after.pop(0)):
            return "250 OK"
        if said.wait:
            await asyncio.to_thread(said.wait.wait, 20)
        return self._said(server, said)

    def _wrong(self, server: Any) -> str:
        said = self.faults.pop(0) if self.faults else None
        return self._said(server, said) if said else ""

    def _said(self, server: Any, said: Said) -> str:
        if said.cut or said.text is not None or said.body is not None:
            server.transport.write(said.text or b"")
            server.transport.close()
        return SMTP.get(said.status, "250 OK")


def mail(n: int, *headers: str) -> bytes:
    """A client's, number n."""
    lines = [f"Message-ID: <n{n}@cliente.example>", f"Subject: Caso {n}", "From: ana@cliente.example", *headers]
    lines += ["Content-Type: text/plain; charset=utf-8", "", "Buenos días,", "NIT: 900.123.456-8", "falla"]
    return "\r\n".join(lines).encode()


def keyword(status: str) -> str:
    return encoded(status.replace(" ", "_"))


def tool(_: Path) -> Tool:
    server = dovecot()
    user = server.mailbox()
    fake = Post(server, user)
    source = {"host": "localhost", "port": server.tls, "user": user, "password": PASSWORD, "ca_file": str(server.ca)}
    desk = {"sender": "vigia@banco.example", "smtp_port": fake.port, "smtp_user": USER, "smtp_password": PASSWORD}

    def add(ids: list[int]) -> None:
        fake.deliver(*(mail(n) for n in ids))

    def with_key(key: str) -> list[tuple[int, str, EmailMessage]]:
        return [found for found in fake.messages() if found[2]["X-Vigia-Key"] == key and "In-Reply-To" not in found[2]]

    def read(key: str) -> dict[str, str]:
        ((_, flags, message),) = with_key(key)
        text = message.get_body(["plain"])
        assert text is not None
        (kind,) = (line.removeprefix("Tipo: ") for line in text.get_content().splitlines() if line.startswith("Tipo: "))
        return {"status": "retirado" if "retirado" in flags else "", "kind": kind}

    change: Callable[[int, str], None] = lambda n, status: fake.flag(f"<n{n}@cliente.example>", keyword(status))  # noqa: E731
    return Tool(
        fake, source | desk, source, lambda key: len(with_key(key)), read, add, change,
        lambda name: int(name.removeprefix("<n").partition("@")[0]),
    )  # fmt: skip
