"""A mailbox over IMAP: the line to its server, how it is kept safe, and the log-in."""

from __future__ import annotations

import imaplib
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any, Literal

from connectors import SourceError
from connectors.circuit import Circuit
from connectors.deadline import until
from connectors.imap_commands import Line, quoted
from connectors.imap_refusals import LOGIN, told
from connectors.tls import check_file

Security = Literal["tls", "starttls"]
PORTS = {"tls": 993, "starttls": 143}


class _Imap(imaplib.IMAP4):
    """Each answer has come whole within the timeout, counted from what was sent last."""

    _end = 0.0
    _file: Any

    def open(self, host: str = "", port: int | None = None, timeout: float | None = None) -> None:
        self._seconds = timeout or 0.0
        self._end = time.monotonic() + self._seconds
        super().open(host, port or PORTS["starttls"], timeout)

    def send(self, data: Any) -> None:
        self._end = time.monotonic() + self._seconds
        self.sock.settimeout(self._seconds)
        super().send(data)

    @property  # imaplib sets it, and again when TLS begins
    def file(self) -> Any:
        return self._file

    @file.setter
    def file(self, made: Any) -> None:
        self._file = until(lambda: self._end, made, self.sock)


class _ImapTls(_Imap, imaplib.IMAP4_SSL):
    pass


class Mailbox:
    """A server and a log-in.

    host, port (by default 993, with tls = "starttls" 143), user, password; ca_file: who vouches for its certificate, in place of the
    well-known; timeout: of each answer. Raises ValueError, beginning with the option, if they cannot be used.
    """

    def __init__(
        self, *, host: str, port: int, tls: Security, user: str, password: str, ca_file: str, timeout: timedelta
    ) -> None:
        for name, value in (("host", host), ("user", user), ("password", password)):
            if not value:
                raise ValueError(f"{name}: is missing")
        if not (user.isascii() and password.isascii() and (user + password).isprintable()):
            raise ValueError("password: user and password must be plain ASCII")
        check_file("ca_file", ca_file)
        if timeout <= timedelta(0):
            raise ValueError("timeout: must be more than 0s")
        self.host, self.port, self.tls = host, port or PORTS[tls], tls
        self.shown = f"{self.host}:{self.port}"
        self._ca = ca_file
        self._let_in: Callable[[imaplib.IMAP4], object] = lambda imap: imap.login(quoted(user), password)  # in no repr
        self._seconds = timeout.total_seconds()
        self.circuit = Circuit(time.monotonic)

    @contextmanager
    def opened(self) -> Iterator[Line]:
        """A line, logged in; what goes wrong on it is told in words. A server that keeps failing is left alone for a while."""
        if (left := self.circuit.left()) > 0:
            raise SourceError(f"{self.shown}: has failed again and again; asked again in {left:.0f} s", fault="resting")
        well = True
        try:
            imap = self._connected()
            try:
                yield Line(imap)
            finally:
                with suppress(OSError, imaplib.IMAP4.error):
                    imap.logout()
        except (OSError, imaplib.IMAP4.error) as error:
            fault = told(self.shown, error, self._seconds)
            well = fault.permanent
            raise fault from None
        finally:
            self.circuit.passed(well=well)

    def _connected(self) -> imaplib.IMAP4:
        context = ssl.create_default_context(cafile=self._ca or None)
        imap = (
            _ImapTls(self.host, self.port, ssl_context=context, timeout=self._seconds)
            if self.tls == "tls"
            else _Imap(self.host, self.port, timeout=self._seconds)
        )
        try:
            if self.tls == "starttls":
                imap.starttls(context)
            try:
                self._let_in(imap)
            except imaplib.IMAP4.abort:
                raise
            except imaplib.IMAP4.error as error:
                raise imap.error(str(error).encode(), LOGIN) from None
            imap.capabilities = tuple(
                str(imap.capability()[1][-1], "ascii", "replace").upper().split()
            )  # others than before the log-in
            if {"CONDSTORE", "ENABLE"} <= {*imap.capabilities}:
                imap.enable("CONDSTORE")
        except BaseException:
            imap.shutdown()
            raise
        return imap
