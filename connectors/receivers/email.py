"""Notices by mail: text and HTML, one message a notice, what is about one thing under one thread."""

from __future__ import annotations

import smtplib
import ssl
from contextlib import contextmanager, suppress
from datetime import UTC, timedelta
from email import policy
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from connectors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from connectors import Fault, Notice

PORTS = {"starttls": 587, "tls": 465, "none": 25}
PERMANENT = range(500, 600)
"""SMTP's answers that asking again does not change."""
TOO_LARGE = 552
LOGIN = (530, 534, 535, 538)
"""Those that ask for another log-in, to whatever they are said."""


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
        tls: Literal["starttls", "tls", "none"] = "starttls",
        ca_file: str = "",
        to: str = "",
        timeout: timedelta = timedelta(seconds=20),
    ) -> None:
        if bool(user) != bool(password):
            raise ValueError("user: needs password" if user else "password: needs user")
        if user and tls == "none":
            raise ValueError('tls: a password goes over no open line: "starttls" or "tls"')
        if not (user.isascii() and password.isascii()):
            raise ValueError("password: user and password must be plain ASCII")
        if ca_file and not Path(ca_file).is_file():
            raise ValueError("ca_file: no such file")
        if timeout <= timedelta(0):
            raise ValueError("timeout: must be more than 0s")
        if not host:
            raise ValueError("host: is missing")
        self._sender = _address("sender", sender)
        self._to = _address("to", to) if to else None
        self.host, self.port, self.tls = host, port or PORTS[tls], tls
        self._user, self._password, self._ca = user, password, ca_file
        self._seconds = timeout.total_seconds()

    def send(self, notice: Notice) -> str:
        """Send it; its Message-ID."""
        message = self.written(notice)
        with self._connected() as server:
            server.send_message(message)
        return str(message["Message-ID"])

    def check(self) -> str:
        """Connect and log in, and send nothing."""
        with self._connected() as server:
            server.noop()
        safety = {"none": "without TLS", "starttls": "over STARTTLS", "tls": "over TLS"}[self.tls]
        return f"{self.host}:{self.port}: answers {safety}{', and lets us in' if self._user else ''}"

    def written(self, notice: Notice) -> EmailMessage:
        """The message; SourceError where there is no one to send it to."""
        try:
            to = _address("the recipient", notice.to) if notice.to else self._to
        except ValueError as error:
            raise SourceError(str(error), permanent=True, fault="refused") from None
        if to is None:
            raise SourceError("names no recipient, and the receiver has no `to`", permanent=True, fault="refused")
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
        """An id of the field's shape, without the key itself: it may name a client."""
        return f"<{sha256(f'{what}:{key}'.encode()).hexdigest()[:40]}@{self._sender.domain}>"

    @contextmanager
    def _connected(self) -> Iterator[smtplib.SMTP]:
        """The server, greeted and logged in to; whatever goes wrong until it is left is told in words."""
        place = f"{self.host}:{self.port}"
        try:
            server = self._opened()
            try:
                yield server
            finally:
                with suppress(OSError, smtplib.SMTPException):  # what it took, it has
                    server.quit()
        except (OSError, smtplib.SMTPException) as error:
            raise _told(place, error, self._seconds) from None

    def _opened(self) -> smtplib.SMTP:
        context = ssl.create_default_context(cafile=self._ca or None)
        if self.tls == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(self.host, self.port, timeout=self._seconds, context=context)
        else:
            server = smtplib.SMTP(self.host, self.port, timeout=self._seconds)
        try:
            if self.tls == "starttls":
                server.starttls(context=context)
            if self._user:
                server.login(self._user, self._password)
        except BaseException:
            server.close()
            raise
        return server


def _address(name: str, text: str) -> Address:
    """One address, with or without a name; ValueError, beginning with the option."""
    fault = f"{name}: must be one address, such as torre@banco.example"
    if not text.isprintable():
        raise ValueError(fault)
    try:
        header = policy.SMTP.header_factory("To", text)
        (found,) = header.addresses
    except (ValueError, IndexError, MessageError):
        raise ValueError(fault) from None
    if header.defects or not found.username or not found.domain:
        raise ValueError(fault)
    return Address(found.display_name, found.username, found.domain)


def _told(place: str, error: Exception, seconds: float) -> SourceError:
    """What went wrong, in our words: the server's may name people, the library's hold what was sent."""
    if isinstance(error, smtplib.SMTPServerDisconnected) and isinstance(error.__context__, TimeoutError):
        error = error.__context__
    answered = getattr(error, "smtp_code", None)
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        answered = next(iter(error.recipients.values()))[0]
    if answered is not None:
        what = next(words for kind, words in _REFUSED.items() if isinstance(error, kind))
        permanent = answered in PERMANENT
        # What the server says of a message or of its recipient, it says of that one; the rest would befall any.
        one = isinstance(error, smtplib.SMTPRecipientsRefused | smtplib.SMTPDataError) or answered == TOO_LARGE
        whole = permanent and (answered in LOGIN or not one)
        kind: Fault = "login" if answered in LOGIN else "refused" if permanent else "busy"
        return SourceError(f"{place}: refuses {what} ({answered})", permanent=permanent, whole=whole, fault=kind)
    words, permanent, kind = next(found[1:] for found in _BROKEN if isinstance(error, found[0]))
    lacks = next((word for word in ("STARTTLS", "AUTH", "SMTPUTF8") if word in str(error)), "what it takes")
    strerror = isinstance(error, OSError) and error.strerror
    return SourceError(
        f"{place}: {words.format(seconds=seconds, lacks=lacks, why=strerror or type(error).__name__)}",
        permanent=permanent,
        whole=permanent and lacks != "SMTPUTF8",
        fault=kind,
    )


_REFUSED: dict[type[Exception], str] = {
    smtplib.SMTPRecipientsRefused: "the recipient",
    smtplib.SMTPSenderRefused: "the sender",
    smtplib.SMTPAuthenticationError: "user and password",
    Exception: "it",
}
_BROKEN: tuple[tuple[type[Exception], str, bool, Fault], ...] = (
    (smtplib.SMTPNotSupportedError, "offers no {lacks}; nothing was sent", True, "refused"),
    (smtplib.SMTPServerDisconnected, "the connection broke off", False, "unreachable"),
    (smtplib.SMTPException, "offers no way to log in that we know", True, "login"),
    (ssl.SSLCertVerificationError, "its certificate cannot be verified", True, "login"),
    (ssl.SSLEOFError, "the connection broke off", False, "unreachable"),
    (ssl.SSLError, "no TLS can be agreed on there", True, "login"),
    (TimeoutError, "no answer within {seconds:g} s", False, "timeout"),
    (OSError, "no connection: {why}", False, "unreachable"),
)
"""The first that fits: what it is called, and whether asking again helps as little as before, and its kind."""
