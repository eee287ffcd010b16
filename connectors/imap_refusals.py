"""What an IMAP server refuses, and how a line to it breaks off: in our words."""

from __future__ import annotations

import imaplib
import re

from connectors import Fault, SourceError
from connectors.broken import broken

LOGIN = "user and password"
GONE = ("NONEXISTENT", "TRYCREATE")
"""A server's words for a folder that is not there."""
_CODES: dict[str, tuple[Fault, bool, bool]] = {
    "UNAVAILABLE": ("server", False, False),
    "SERVERBUG": ("server", False, False),
    "INUSE": ("busy", False, False),
    "LIMIT": ("busy", False, False),
    "OVERQUOTA": ("refused", False, False),
    "AUTHENTICATIONFAILED": ("login", True, True),
    "AUTHORIZATIONFAILED": ("login", True, True),
    "EXPIRED": ("login", True, True),
    "PRIVACYREQUIRED": ("login", True, True),
    "CONTACTADMIN": ("login", True, True),
    "NOPERM": ("login", True, False),
    "NONEXISTENT": ("refused", True, False),
    "TRYCREATE": ("refused", True, False),
    "CANNOT": ("refused", True, False),
}
"""What a server's word for it means (RFC 5530): its kind, whether it lasts, and whether it would befall anything."""


def told(place: str, error: Exception, seconds: float) -> SourceError:
    """What went wrong, in our words: the server's may name people. seconds: that an answer may take."""
    if isinstance(error, imaplib.IMAP4.error) and len(error.args) == 2:  # noqa: PLR2004 - ours: what it said, and of what
        said, what = error.args
        word = re.match(rb".*?\[([A-Z]+)", said if isinstance(said, bytes) else b"")
        code = word[1].decode() if word else ""
        lasting = what == LOGIN or "the folder" in what
        kind, permanent, whole = _CODES.get(code, ("login" if what == LOGIN else "refused", lasting, False))
        # A folder that is gone, or shut to us, takes no message at all.
        whole = whole or (permanent and (lasting or code in GONE))
        return SourceError(
            f"{place}: refuses {what}{f' ({code})' if code else ''}", permanent=permanent, whole=whole, fault=kind
        )
    for one, said, words, whole, fault in _BROKEN:
        if isinstance(error, one) and said in str(error):
            return SourceError(f"{place}: {words}", whole=whole, fault=fault)
    return broken(place, error, seconds)


_BROKEN: tuple[tuple[type[Exception], str, str, bool, Fault], ...] = (
    (imaplib.IMAP4.abort, "TLS not supported", "offers no STARTTLS; no password was sent", True, "login"),
    (imaplib.IMAP4.abort, "socket error", "the connection broke off", False, "unreachable"),
    (imaplib.IMAP4.abort, "", "what it says is no IMAP, or it takes leave", False, "unreadable"),
    (imaplib.IMAP4.error, "", "does not understand us, or speaks no IMAP", False, "unreadable"),
)
"""The first that fits, and whose words hold this: what it is called, whether it would befall anything for good, and its kind."""
