"""Notices by mail: text and HTML, one message a notice, what is about one thing under one thread."""

from __future__ import annotations

from datetime import UTC, timedelta
from email import policy
from email.message import EmailMessage
from email.utils import format_datetime
from typing import TYPE_CHECKING

from connectors import SourceError
from connectors.smtp import Smtp, Tls, address, named

if TYPE_CHECKING:
    from connectors import Notice


class Email:
    """Mail by SMTP, one connection a message.

    host, port (by default 587, with tls = "tls" 465, with "none" 25): the server; tls: "starttls", "tls" from the first byte on, or
    "none"; a server that offers no STARTTLS gets nothing. ca_file: who vouches for its certificate, in place of the well-known (PEM).
    user, password: the log-in, which goes over TLS only. sender: an address, with or without a name; to: who gets what names no
    recipient itself. timeout: of each answer of the server.

    The Message-ID is made of the notice's key, so that a repeat is the same message to whoever removes duplicates; the first of a thread
    has the thread's, to which the later ones refer. What the server says stands in no error, but for its codes.
    """

    personal = True

    def __init__(
        self,
        *,
        host: str,
        sender: str,
        port: int = 0,
        user: str = "",
        password: str = "",
        tls: Tls = "starttls",
        ca_file: str = "",
        to: str = "",
        timeout: timedelta = timedelta(seconds=20),
    ) -> None:
        self._smtp = Smtp(host=host, port=port, tls=tls, user=user, password=password, ca_file=ca_file, timeout=timeout)
        self._sender = address("sender", sender)
        self._to = address("to", to) if to else None

    def send(self, notice: Notice) -> str:
        """Send it; its Message-ID."""
        message = self.written(notice)
        self._smtp.send(message)
        return str(message["Message-ID"])

    def check(self) -> str:
        """Connect and log in, and send nothing."""
        return self._smtp.check()

    def written(self, notice: Notice) -> EmailMessage:
        """The message; SourceError where there is no one to send it to."""
        try:
            to = address("the recipient", notice.to) if notice.to else self._to
        except ValueError as error:
            raise SourceError(str(error), permanent=True) from None
        if to is None:
            raise SourceError("names no recipient, and the receiver has no `to`", permanent=True)
        message = EmailMessage(policy=policy.SMTP)
        message["From"], message["To"] = self._sender, to
        message["Subject"] = " ".join("".join(c if c.isprintable() else " " for c in notice.subject).split())
        message["Date"] = format_datetime(notice.at.astimezone(UTC))
        root = self._named("thread", notice.thread)
        opens = notice.event == "first" and notice.facts.get("sequence", 1) <= 1
        message["Message-ID"] = root if opens else self._named("notice", notice.key)
        if not opens:
            message["In-Reply-To"] = message["References"] = root
        message["Auto-Submitted"] = "auto-generated"
        message["X-Auto-Response-Suppress"] = "All"
        message.set_content(notice.text)
        if notice.html:
            message.add_alternative(notice.html, subtype="html")
        return message

    def _named(self, what: str, key: str) -> str:
        return named(what, key, self._sender.domain)
