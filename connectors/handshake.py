"""TLS with whoever listens at an address: why it does not come about, where a library of another's has few words for it."""

from __future__ import annotations

import ssl
from socket import create_connection

from connectors import SourceError
from connectors.tls import Tls

SECONDS = 2.0
"""That each step may take."""
ALERT = 1.0
"""Seconds that an alert is waited for, which in TLS 1.3 comes after the handshake."""


def refusal(address: str, tls: Tls | None) -> SourceError | None:
    """What is wrong with TLS at host:port; None: nothing, or it cannot be told. tls: ours (None: we speak none)."""
    host, _, port = address.rpartition(":")
    try:
        with (
            create_connection((host.strip("[]"), int(port)), SECONDS) as connection,
            _context(tls).wrap_socket(connection, server_hostname=host.strip("[]")) as inside,
        ):
            if tls is not None:
                inside.settimeout(ALERT)
                inside.recv(1)
    except ssl.SSLCertVerificationError as error:
        why = error.verify_message.rstrip(".")
        return SourceError(f"{address}: its certificate cannot be verified: {why}", whole=True, fault="login")
    except (OSError, ValueError) as error:  # ValueError: a host of which no TLS can speak
        if tls is not None:
            return tls.fault(address, f"https://{address}", error)
        if "ALERT" not in (getattr(error, "reason", None) or ""):
            return None
    return (
        None if tls else SourceError(f"{address}: speaks TLS (security ssl or sasl_ssl)", whole=True, fault="refused")
    )


def _context(tls: Tls | None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if tls is None:  # nothing is sent, and nothing that comes is believed
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return context
    if tls.ca_file:
        context.load_verify_locations(tls.ca_file)
    else:
        context.load_default_certs()
    if tls.cert_file:
        context.load_cert_chain(tls.cert_file, tls.key_file or None, tls.key_password)
    return context
