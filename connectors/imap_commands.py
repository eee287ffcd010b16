"""What an IMAP server is asked for: folders, the messages in them and their flags, and what it is sent."""

from __future__ import annotations

import imaplib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

from connectors.imap_responses import folders, items
from connectors.utf7 import encoded

if TYPE_CHECKING:
    from connectors.imap_responses import Item

STEP = 20_000
"""UIDs that are asked for at once: a server answers a search in one line, and no line is endless."""
FOLDERS = 20
"""Names of folders that are told."""
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True, slots=True)
class Selected:
    """A folder as it is selected.

    validity: UIDs mean the same while it does; next: every UID there is lies below; modseq: of its newest change, 0 where the server
    keeps none; open: whether any keyword may be set.
    """

    count: int
    validity: int
    next: int
    modseq: int
    open: bool


class Line:
    """A connection that is logged in to. Whatever it raises is put into words by the mailbox that opened it (`imap_refusals`)."""

    def __init__(self, imap: imaplib.IMAP4) -> None:
        self._imap = imap

    def select(self, name: str, *, write: bool = False, make: bool = False) -> Selected:
        """Go to a folder. make: it is made if it is not there."""
        kind, said = self._imap.select(quoted(encoded(name)), readonly=not write)
        if kind != "OK" and make:
            self._well(*self._imap.create(quoted(encoded(name))), f"to make the folder {name!r}")
            kind, said = self._imap.select(quoted(encoded(name)), readonly=not write)
        if kind != "OK" and (there := sorted(self.folders())) and name not in there:
            few = ", ".join(there[:FOLDERS]) + (", ..." if len(there) > FOLDERS else "")
            raise self._imap.error((said or [b""])[-1], f"the folder {name!r}: it is not there; there are: {few}")
        self._well(kind, said, f"the folder {name!r}")
        return Selected(
            int(said[0] or b"0"), self._number("UIDVALIDITY"), self._number("UIDNEXT"), self._number("HIGHESTMODSEQ"),
            rb"\*" in (self._imap.response("PERMANENTFLAGS")[1][0] or b""),
        )  # fmt: skip

    def folders(self) -> list[str]:
        """Names of all folders that can be selected."""
        kind, said = self._imap.list()
        self._well(kind, said, "a list of the folders")
        return list(folders(said))

    def find(self, *wanted: str) -> list[int]:
        """UIDs in the folder, in order."""
        kind, said = self._imap.uid("SEARCH", *wanted)
        self._well(kind, said, "a search")
        return sorted({int(uid) for part in said if part for uid in part.split()})

    def named(self, message_id: str) -> list[int]:
        """Messages in the folder with this Message-ID that are not deleted."""
        return self.find("UNDELETED", "HEADER", "Message-ID", quoted(message_id))

    def holds(self, folder: str, message_id: str) -> bool:
        """Whether a folder has this message; not, where it may not be looked into."""
        try:
            self.select(folder)
            return bool(self.named(message_id))
        except imaplib.IMAP4.abort:
            raise
        except imaplib.IMAP4.error:
            return False

    def after(self, uid: int, box: Selected, since: datetime | None) -> list[int]:
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
        return {uid: item for uid, item in items(said).items() if uid in uids}

    def flags(self, box: Selected, modseq: int, newest: int) -> dict[int, Item]:
        """Flags of the newest messages, by UID; only of those that have changed since, where the server knows."""
        if not box.count:
            return {}
        only = f" (CHANGEDSINCE {modseq})" if modseq and box.modseq else ""
        kind, said = self._imap.fetch(f"{max(1, box.count - newest + 1)}:*", f"(UID FLAGS){only}")
        self._well(kind, said, "flags")
        return items(said)

    def flag(self, uid: int, sign: Literal["+", "-"], *flags: str) -> None:
        """Put flags on a message, or take them off."""
        self._well(*self._imap.uid("STORE", str(uid), f"{sign}FLAGS.SILENT", f"({' '.join(flags)})"), "a flag")

    def append(self, name: str, message: bytes, *flags: str) -> None:
        """Put a message into a folder."""
        self._well(
            *self._imap.append(quoted(encoded(name)), f"({' '.join(flags)})", None, message), f"a message in {name!r}"
        )

    def _number(self, code: str) -> int:
        found = self._imap.response(code)[1][0]
        return int(found) if found and found.isdigit() else 0

    def _well(self, kind: str, said: list[Any], what: str) -> None:
        if kind != "OK":
            raise self._imap.error((said or [b""])[-1], what)


def quoted(text: str) -> str:
    """As IMAP has it in a command."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
