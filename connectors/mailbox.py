"""A mailbox over IMAP: the line to it and how it is kept safe, what is asked of a folder, and in words what went wrong."""

from __future__ import annotations

import imaplib
import re
import ssl
import time
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Literal

from connectors import Fault, SourceError
from connectors.circuit import Circuit
from connectors.deadline import until

Security = Literal["tls", "starttls"]
PORTS = {"tls": 993, "starttls": 143}
STEP = 20_000
"""UIDs that are asked for at once: a server answers a search in one line, and no line is endless."""

DRAFT, DELETED = r"\draft", r"\deleted"
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(slots=True)
class Item:
    """A message as far as it was asked for. keywords: without the flags of the system; text: None if it was not sent."""

    flags: frozenset[str] = frozenset()
    keywords: tuple[str, ...] = ()
    at: datetime | None = None
    text: bytes | None = None


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder as it is selected.

    validity: UIDs mean the same while it does; next: every UID there is lies below; modseq: of its newest change, 0 where the server
    keeps none; open: whether any keyword may be set.
    """

    count: int
    validity: int
    next: int
    modseq: int
    open: bool


FOLDERS = 20
"""Names of folders that are told."""


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


class Line:
    """A connection that is logged in to. Whatever it raises is put into words by the mailbox that opened it."""

    def __init__(self, imap: imaplib.IMAP4) -> None:
        self._imap = imap

    def select(self, name: str, *, write: bool = False, make: bool = False) -> Folder:
        """Go to a folder. make: it is made if it is not there."""
        kind, said = self._imap.select(_quoted(encoded(name)), readonly=not write)
        if kind != "OK" and make:
            self._well(*self._imap.create(_quoted(encoded(name))), f"to make the folder {name!r}")
            kind, said = self._imap.select(_quoted(encoded(name)), readonly=not write)
        if kind != "OK" and (there := sorted(self.folders())) and name not in there:
            few = ", ".join(there[:FOLDERS]) + (", ..." if len(there) > FOLDERS else "")
            raise self._imap.error((said or [b""])[-1], f"the folder {name!r}: it is not there; there are: {few}")
        self._well(kind, said, f"the folder {name!r}")
        return Folder(
            int(said[0] or b"0"), self._number("UIDVALIDITY"), self._number("UIDNEXT"), self._number("HIGHESTMODSEQ"),
            rb"\*" in (self._imap.response("PERMANENTFLAGS")[1][0] or b""),
        )  # fmt: skip

    def folders(self) -> list[str]:
        """Names of all folders that can be selected."""
        kind, said = self._imap.list()
        self._well(kind, said, "a list of the folders")
        return list(_folders(said))

    def find(self, *wanted: str) -> list[int]:
        """UIDs in the folder, in order."""
        kind, said = self._imap.uid("SEARCH", *wanted)
        self._well(kind, said, "a search")
        return sorted({int(uid) for part in said if part for uid in part.split()})

    def named(self, message_id: str) -> list[int]:
        """Messages in the folder with this Message-ID that are not deleted."""
        return self.find("UNDELETED", "HEADER", "Message-ID", _quoted(message_id))

    def holds(self, folder: str, message_id: str) -> bool:
        """Whether a folder has this message; not, where it may not be looked into."""
        try:
            self.select(folder)
            return bool(self.named(message_id))
        except imaplib.IMAP4.abort:
            raise
        except imaplib.IMAP4.error:
            return False

    def after(self, uid: int, box: Folder, since: datetime | None) -> list[int]:
        """UIDs above one, of the messages that arrived since (by the day)."""
        day = since - timedelta(days=1) if since and since.year > 1 else None
        late = ("SINCE", f"{day.day}-{MONTHS[day.month - 1]}-{day.year:04}") if day else ()
        return [
            one
            for low in range(uid + 1, box.next, STEP)
            for one in self.find("UID", f"{low}:{min(low + STEP, box.next) - 1}", *late)
        ]

    def fetch(self, uids: list[int], text: int = 0) -> dict[int, Item]:
        """Messages by UID; text: so many bytes of each."""
        what = f" BODY.PEEK[]<0.{text}>" if text else ""
        if not uids:
            return {}
        kind, said = self._imap.uid("FETCH", ",".join(map(str, uids)), f"(UID FLAGS INTERNALDATE{what})")
        self._well(kind, said, "what messages hold")
        return {uid: item for uid, item in _items(said).items() if uid in uids}

    def flags(self, box: Folder, modseq: int, newest: int) -> dict[int, Item]:
        """Flags of the newest messages, by UID; only of those that have changed since, where the server knows."""
        if not box.count:
            return {}
        only = f" (CHANGEDSINCE {modseq})" if modseq and box.modseq else ""
        kind, said = self._imap.fetch(f"{max(1, box.count - newest + 1)}:*", f"(UID FLAGS){only}")
        self._well(kind, said, "flags")
        return _items(said)

    def flag(self, uid: int, sign: Literal["+", "-"], *flags: str) -> None:
        """Put flags on a message, or take them off."""
        self._well(*self._imap.uid("STORE", str(uid), f"{sign}FLAGS.SILENT", f"({' '.join(flags)})"), "a flag")

    def append(self, name: str, message: bytes, *flags: str) -> None:
        """Put a message into a folder."""
        self._well(
            *self._imap.append(_quoted(encoded(name)), f"({' '.join(flags)})", None, message), f"a message in {name!r}"
        )

    def _number(self, code: str) -> int:
        found = self._imap.response(code)[1][0]
        return int(found) if found and found.isdigit() else 0

    def _well(self, kind: str, said: list[Any], what: str) -> None:
        if kind != "OK":
            raise self._imap.error((said or [b""])[-1], what)


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
        if ca_file and not Path(ca_file).is_file():
            raise ValueError("ca_file: no such file")
        if timeout <= timedelta(0):
            raise ValueError("timeout: must be more than 0s")
        self.host, self.port, self.tls = host, port or PORTS[tls], tls
        self.shown = f"{self.host}:{self.port}"
        self._ca = ca_file
        self._let_in: Callable[[imaplib.IMAP4], object] = lambda imap: imap.login(_quoted(user), password)  # in no repr
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
            told = _told(self.shown, error, self._seconds)
            well = told.permanent
            raise told from None
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


def encoded(text: str) -> str:
    """A folder's name, or a keyword, as IMAP writes it (modified UTF-7): `Atención` is `Atenci&APM-n`."""

    def one(found: re.Match[str]) -> str:
        if found[0] == "&":
            return "&-"
        return f"&{b64encode(found[0].encode('utf-16-be')).decode().rstrip('=').replace('/', ',')}-"

    return re.sub(r"&|[^\x20-\x7e]+", one, text)


def decoded(text: str) -> str:
    """The other way; what is none stays as it is."""

    def one(found: re.Match[str]) -> str:
        with suppress(ValueError):
            padded = found[1].replace(",", "/") + "=" * (-len(found[1]) % 4)
            return b64decode(padded).decode("utf-16-be") if found[1] else "&"
        return found[0]

    return re.sub(r"&([A-Za-z0-9+,]*)-", one, text)


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _folders(said: list[Any]) -> Iterator[str]:
    for part in said:
        head, literal = part if isinstance(part, tuple) else (part or b"", None)
        found = re.match(rb'\((.*?)\) (?:NIL|"(?:\\.|[^"])*") (?:"((?:\\.|[^"\\])*)"|([^"{ ].*)|\{)', head)
        if found and rb"\noselect" not in found[1].lower() and rb"\nonexistent" not in found[1].lower():
            name = literal or found[3] or re.sub(rb"\\(.)", rb"\1", found[2] or b"")
            yield decoded(name.decode("ascii", "replace"))


def _items(said: list[Any]) -> dict[int, Item]:
    """A server may tell a message in several pieces, and tell of others that nobody asked for."""
    pieces: list[list[bytes | None]] = []
    for part in said:
        head, literal = part if isinstance(part, tuple) else (part or b"", None)
        if re.match(rb"\d+ \(", head) or not pieces:
            pieces.append([b"", None])
        pieces[-1] = [(pieces[-1][0] or b"") + b" " + head, pieces[-1][1] if literal is None else literal]
    found: dict[int, Item] = {}
    for head, text in pieces:
        told = (head or b"").decode("ascii", "replace")
        uid, flags, at = (re.search(one, told) for one in (r"\bUID (\d+)", r"FLAGS \((.*?)\)", r'DATE " ?(.*?)"'))
        if uid is None:
            continue
        item = found.setdefault(int(uid[1]), Item())
        if flags:
            words = flags[1].split()
            item.flags = frozenset(word.lower() for word in words if word.startswith("\\"))
            item.keywords = tuple(decoded(word) for word in words if not word.startswith("\\"))
        with suppress(ValueError, TypeError):
            item.at = parsedate_to_datetime(at[1].replace("-", " ", 2)) if at else item.at
        item.text = item.text if text is None else text
    return found


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


def _told(place: str, error: Exception, seconds: float) -> SourceError:
    """What went wrong, in our words: the server's may name people."""
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
    words, whole, kind = next(
        (words, whole, fault)
        for one, said, words, whole, fault in _BROKEN
        if isinstance(error, one) and said in str(error)
    )
    why = error.strerror if isinstance(error, OSError) else ""
    return SourceError(
        f"{place}: {words.format(seconds=seconds, why=why or type(error).__name__)}", whole=whole, fault=kind
    )


_BROKEN: tuple[tuple[type[Exception], str, str, bool, Fault], ...] = (
    (imaplib.IMAP4.abort, "TLS not supported", "offers no STARTTLS; no password was sent", True, "login"),
    (imaplib.IMAP4.abort, "socket error", "the connection broke off", False, "unreachable"),
    (imaplib.IMAP4.abort, "", "what it says is no IMAP, or it takes leave", False, "unreadable"),
    (imaplib.IMAP4.error, "", "does not understand us, or speaks no IMAP", False, "unreadable"),
    (ssl.SSLCertVerificationError, "", "its certificate cannot be verified", True, "login"),
    (ssl.SSLEOFError, "", "the connection broke off", False, "unreachable"),
    (TimeoutError, "", "no answer within {seconds:g} s", False, "timeout"),
    (ssl.SSLError, "", "no TLS can be agreed on there", True, "login"),
    (OSError, "", "no connection: {why}", False, "unreachable"),
)
"""The first that fits, and whose words hold this: what it is called, whether it would befall anything for good, and its kind."""
