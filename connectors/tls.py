"""TLS of a session: who vouches for the server, what we show of ourselves, and in words what of it went wrong."""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests

from connectors import SourceError
from connectors.deadline import Punctual
from connectors.refused import TemporaryError

NO_TLS = ("WRONG_VERSION_NUMBER", "UNKNOWN_PROTOCOL", "HTTP_REQUEST", "RECORD_LAYER_FAILURE")
"""How the ssl library calls an answer that is no TLS."""


ALERT = 2.0
"""Seconds that an alert is waited for."""


def check_file(name: str, path: str) -> None:
    """ValueError, beginning with the option, unless it can be read (or is not given: '')."""
    try:
        if path and not Path(path).is_file():
            raise ValueError(f"{name}: no such file")
        if path:
            Path(path).open("rb").close()
    except OSError as error:
        raise ValueError(f"{name}: cannot be read: {error.strerror}") from None


@dataclass(frozen=True, slots=True)
class Tls:
    """PEM files, read anew at each connection: one that is renewed in its place serves from then on.

    ca_file: who vouches for the server, in place of the well-known; cert_file: our certificate, for a server that demands one, with
    its chain; key_file: its key, if that is not in the same file; key_password: of a key that is encrypted.

    Raises ValueError, beginning with the option, if they cannot be used.
    """

    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    key_password: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        for name in ("key_file", "key_password"):
            if getattr(self, name) and not self.cert_file:
                raise ValueError(f"{name}: needs cert_file")
        for name in ("ca_file", "cert_file", "key_file"):
            check_file(name, getattr(self, name))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if self.ca_file:
            try:
                context.load_verify_locations(self.ca_file)
            except (ssl.SSLError, OSError):
                raise ValueError("ca_file: holds no certificate (PEM)") from None
        if self.cert_file:
            self._check_own(context)

    def _check_own(self, context: ssl.SSLContext) -> None:
        asked = []

        def password() -> str:  # without it, the library would ask whoever sits at the terminal
            asked.append(True)
            return self.key_password

        try:
            context.load_cert_chain(self.cert_file, self.key_file or None, password)
        except (ssl.SSLError, OSError) as error:
            name = "key_file" if self.key_file else "cert_file"
            if asked:
                name = "key_password"
                why = "does not open the key" if self.key_password else "is needed: the key is encrypted"
            elif getattr(error, "reason", None) == "KEY_VALUES_MISMATCH":
                why = "the key is not that of the certificate"
            else:
                why = "holds no key (PEM)" if self.key_file else "holds no key beside the certificate: give key_file"
                if "-----BEGIN CERTIFICATE-----" not in Path(self.cert_file).read_text(errors="replace"):
                    name, why = "cert_file", "holds no certificate (PEM)"
            raise ValueError(f"{name}: {why}") from None

    def _alert(self, url: str) -> str:
        """Why a server breaks off without a word, as in TLS 1.3 it may where its alert meets what we were sending: we send nothing."""
        parts = urlsplit(url)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = (
            False,
            ssl.CERT_NONE,
        )  # nothing is sent, and nothing that comes is believed
        if self.cert_file:
            context.load_cert_chain(self.cert_file, self.key_file or None, self.key_password)
        try:
            with (
                socket.create_connection((parts.hostname or "", parts.port or 443), ALERT) as connection,
                context.wrap_socket(connection, server_hostname=parts.hostname) as tls,
            ):
                tls.recv(1)
        except OSError as error:
            return _reason(error) or ""
        return ""

    def arm(self, http: requests.Session) -> None:
        """Let its connections be made so."""
        http.verify = self.ca_file or True
        if self.cert_file:
            http.cert = (self.cert_file, self.key_file or self.cert_file)
        if self.key_password:
            http.mount("https://", _Keyed(self.key_password))

    def fault(self, place: str, url: str, error: BaseException) -> SourceError | None:
        """What it means that a connection to `url` failed so; None if TLS was not what failed. Begins with `place`."""
        reason = _reason(error)
        if reason is None:
            return None
        reason = reason or self._alert(url)
        if "VERIFY_FAILED" in reason:
            return SourceError(f"{place}: its certificate cannot be verified", whole=True, fault="login")
        if "ALERT" in reason:
            said = reason.partition("_ALERT_")[2].replace("_", " ").lower()
            ours = "does not accept our certificate" if self.cert_file else "demands a certificate of ours (cert_file)"
            return SourceError(f"{place}: {ours}: {said}", whole=True, fault="login")
        if reason in NO_TLS:
            return SourceError(f"{place}: what answers there speaks no TLS", whole=True, fault="refused")
        return TemporaryError(f"{place}: the TLS connection broke off", fault="unreachable")


class _Keyed(Punctual):
    """Connections with an encrypted key."""

    def __init__(self, password: str) -> None:
        self._password = password
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs, key_password=self._password)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        return super().proxy_manager_for(proxy, **kwargs, key_password=self._password)


def _reason(error: BaseException) -> str | None:
    """The ssl library's word for what went wrong, '' if it has none; None if it was not TLS."""
    found = None
    waiting: list[object] = [error]
    while waiting:
        one = waiting.pop(0)
        if isinstance(one, BaseException):
            if isinstance(one, ssl.SSLError | requests.exceptions.SSLError):
                word = getattr(one, "reason", None)
                found = (word if isinstance(word, str) else "") or found or ""
            # urllib3 and requests keep what they wrap in any of these
            waiting += [one.__cause__ or one.__context__, getattr(one, "reason", None), *one.args[:1]]
    return found
