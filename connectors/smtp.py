"""A server that mail is handed to: how the line to it is kept safe, and in words what it refuses."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from email import policy
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from hashlib import sha256
from time import monotonic
from typing import Literal

from connectors import Fault, SourceError
from connectors.broken import broken
from connectors.deadline import until
from connectors.tls import check_file

Tls = Literal["starttls", "tls", "none"]
PORTS = {"starttls": 587, "tls": 465, "none": 25}
SAFETY = {"none": "without TLS", "starttls": "over STARTTLS", "tls": "over TLS"}
WELL = range(200, 400)
PERMANENT = range(500, 600)
"""SMTP's answers that asking again does not change."""
TOO_LARGE = 552
LOGIN = (530, 534, 535, 538)
"""Those that ask for another log-in, to whatever they are said."""
NOT_TAKEN: tuple[Fault, ...] = ("refused", "busy", "login")
"""Faults with which a server has said itself that it did not take a message."""


class _Smtp(smtplib.SMTP):
    """Each answer has come whole within the timeout."""

    _end = 0.0

    def getreply(self) -> tuple[int, bytes]:
        self._end = monotonic() + self.timeout
        if self.file is None and self.sock:
            self.file = until(lambda: self._end, self.sock.makefile("rb"), self.sock)
        answer = super().getreply()
        if self.sock:
            self.sock.settimeout(self.timeout)
        return answer


class _SmtpTls(_Smtp, smtplib.SMTP_SSL):
    pass


class Smtp:
    """A mail server. host, port, tls, user, password, ca_file, timeout: as of the receiver `email`.

    Raises ValueError, beginning with the option, if they cannot be used.
    """

    def __init__(
        self, *, host: str, port: int, tls: Tls, user: str, password: str, ca_file: str, timeout: timedelta
    ) -> None:
        if bool(user) != bool(password):
            raise ValueError("user: needs password" if user else "password: needs user")
        if user and tls == "none":
            raise ValueError('tls: a password goes over no open line: "starttls" or "tls"')
        if not (user.isascii() and password.isascii()):
            raise ValueError("password: user and password must be plain ASCII")
        check_file("ca_file", ca_file)
        if timeout <= timedelta(0):
            raise ValueError("timeout: must be more than 0s")
        if not host:
            raise ValueError("host: is missing")
        self.host, self.port, self.tls = host, port or PORTS[tls], tls
        self._user, self._password, self._ca = user, password, ca_file
        self._seconds = timeout.total_seconds()

    def check(self) -> str:
        """Connect and log in, and send nothing."""
        with self.connected() as server:
            code, said = server.noop()
            if code not in WELL:
                raise smtplib.SMTPResponseException(code, said)
        return f"{self.host}:{self.port}: answers {SAFETY[self.tls]}{', and lets us in' if self._user else ''}"

    def send(self, message: EmailMessage, ready: Callable[[], None] = lambda: None) -> None:
        """Hand over a message; `ready` is called once the server is there and has let us in.

        Raises SourceError: with one of the faults NOT_TAKEN it has surely not been taken, else it may have been.
        """
        with self.connected() as server:
            ready()
            server.send_message(message)

    @contextmanager
    def connected(self) -> Iterator[smtplib.SMTP]:
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
            raise told(place, error, self._seconds) from None

    def _opened(self) -> smtplib.SMTP:
        context = ssl.create_default_context(cafile=self._ca or None)
        if self.tls == "tls":
            server: smtplib.SMTP = _SmtpTls(self.host, self.port, timeout=self._seconds, context=context)
        else:
            server = _Smtp(self.host, self.port, timeout=self._seconds)
        try:
            if self.tls == "starttls":
                server.starttls(context=context)
            if self._user:
                server.login(self._user, self._password)
        except BaseException:
            server.close()
            raise
        return server


def address(name: str, text: str) -> Address:
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


def named(what: str, key: str, domain: str) -> str:
    """A Message-ID, always the same, without the key itself: it may name a client."""
    return f"<{sha256(f'{what}:{key}'.encode()).hexdigest()[:40]}@{domain}>"


def told(place: str, error: Exception, seconds: float) -> SourceError:
    """What went wrong, in our words: the server's may name people, the library's hold what was sent."""
    if isinstance(error, smtplib.SMTPServerDisconnected) and isinstance(error.__context__, TimeoutError):
        error = error.__context__
    answered = getattr(error, "smtp_code", None)
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        answered = next(iter(error.recipients.values()))[0]
    if answered is not None:
        what = next(words for one, words in _REFUSED.items() if isinstance(error, one))
        permanent = answered in PERMANENT
        # What the server says of a message or of its recipient, it says of that one; the rest would befall any.
        alone = isinstance(error, smtplib.SMTPRecipientsRefused | smtplib.SMTPDataError) or answered == TOO_LARGE
        whole = permanent and (answered in LOGIN or not alone)
        kind: Fault = "login" if answered in LOGIN else "refused" if permanent else "busy"
        return SourceError(f"{place}: refuses {what} ({answered})", permanent=permanent, whole=whole, fault=kind)
    lacks = next((word for word in ("STARTTLS", "AUTH", "SMTPUTF8") if word in str(error)), "what it takes")
    for one, words, lasting, fault in _BROKEN:
        if isinstance(error, one):
            whole = lasting and lacks != "SMTPUTF8"
            return SourceError(f"{place}: {words.format(lacks=lacks)}", permanent=lasting, whole=whole, fault=fault)
    return broken(place, error, seconds)


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
)
"""The first that fits: what it is called, whether asking again helps as little as before, and its kind."""
