"""A real SMTP server on loopback, and the mailbox behind it."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from contextlib import suppress
from email import message_from_bytes, policy
from email.message import EmailMessage
from random import SystemRandom
from typing import Any, Self

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

USER, PASSWORD = "vigia", "s3cret-of-the-mailbox"
_draw = SystemRandom()


def free_port() -> int:
    """One that nobody listens on, nor will by chance: below those that a system gives out by itself, to servers and callers alike."""
    while True:
        port = _draw.randrange(15_000, 32_000)
        with socket.socket() as held, suppress(OSError):
            held.bind(("127.0.0.1", port))
            return port


class FakeMail:
    """taken: all that was accepted, in order; mailbox: what a store that removes duplicates keeps, by Message-ID.

    rcpt, data: answers in place of the right ones, one a message, from the front; after: the same as data, but the message is
    taken first. wait: the answer to the next message waits for it.
    """

    def __init__(self, *, starttls: ssl.SSLContext | None = None, tls: ssl.SSLContext | None = None) -> None:
        self.taken: list[EmailMessage] = []
        self.rcpt: list[str] = []
        self.data: list[str] = []
        self.after: list[str] = []
        self.wait: threading.Event | None = None
        self.tried: list[bytes] = []
        login: dict[str, Any] = {"authenticator": self._let_in} if starttls or tls else {}
        login |= {"auth_require_tls": False} if tls else {}  # it is TLS already
        self.port = free_port()
        self._server = Controller(
            self, hostname="127.0.0.1", port=self.port, ssl_context=tls, tls_context=starttls, enable_SMTPUTF8=True,
            server_hostname="localhost", **login,
        )  # fmt: skip
        self._server.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        if self.wait:
            self.wait.set()
        self._server.stop()

    @property
    def mailbox(self) -> dict[str, EmailMessage]:
        return {message["Message-ID"]: message for message in self.taken}

    def _let_in(self, _server: SMTP, _session: Any, _envelope: Any, _mechanism: str, given: Any) -> AuthResult:
        assert isinstance(given, LoginPassword)
        self.tried.append(given.password)
        good = (given.login, given.password) == (USER.encode(), PASSWORD.encode())
        return AuthResult(
            success=good, handled=good, message=None if good else f"535 5.7.8 {given.password!r} is wrong"
        )

    async def handle_RCPT(self, _server: SMTP, _session: Any, envelope: Any, address: str, _options: Any) -> str:  # noqa: N802 - aiosmtpd's
        if self.rcpt:
            return f"{self.rcpt.pop(0)} {address} is none of ours"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, _session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's
        if self.data:
            return self.data.pop(0)
        if self.wait:
            await asyncio.to_thread(self.wait.wait, 20)
        made = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(made, EmailMessage)
        self.taken.append(made)
        return self.after.pop(0) if self.after else "250 OK"
