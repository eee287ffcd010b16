"""Mails sent once, though SMTP knows no key: each is kept in a folder as a draft, sent, and then kept as sent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.headerregistry import Address

from connectors import SourceError, mails
from connectors.imap_commands import Line
from connectors.imap_responses import DELETED, DRAFT
from connectors.smtp import NOT_TAKEN, Smtp

ARRIVAL = timedelta(minutes=10)
"""How long it is waited for a mail that was perhaps sent, before it is sent again."""
MOST = 200
"""Folders that are looked through for it then, once."""


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True)
class Sent:
    """What was sent from an address to a mailbox. folder: where it is kept, in that mailbox; arrives: the folder into which it comes.

    A mail is known by its Message-ID. One whose sending broke off may have been taken: if it does not arrive within ARRIVAL, not in any
    folder (a rule or a person may have filed it; of more than MOST the first), it is sent again, the same to whoever removes duplicates.
    """

    smtp: Smtp
    sender: Address
    to: Address
    folder: str
    arrives: str
    shown: str
    clock: Callable[[], datetime] = _now

    def send(self, line: Line, name: str, subject: str, html: str, key: str, answers: str = "") -> None:
        """Send a mail unless it was sent. Raises SourceError, also while it is waited whether it arrives."""
        kept = self.kept(line, name)
        if kept and not kept.draft:
            return
        there = bool(self.arrived(line, name))
        if kept and not there:
            if self.lately(kept):
                raise SourceError(
                    f"{self.shown}: a mail was perhaps sent at {kept.at:%H:%M:%S} UTC; it is waited whether it arrives",
                    fault="busy",
                )
            there = self._filed(line, name)
        if not there:
            mail = mails.written(
                name=name, sender=self.sender, to=self.to, subject=subject, html=html, key=key, at=self.clock(), answers=answers
            )  # fmt: skip

            def ready() -> None:
                self._drop(line, name)
                line.append(self.folder, mail.as_bytes(), DRAFT, r"\seen")

            try:
                self.smtp.send(mail, ready)
            except SourceError as error:
                if error.fault in NOT_TAKEN:
                    self._drop(line, name)
                raise
        if kept := self.kept(line, name):
            line.flag(kept.uid, "-", DRAFT)

    def kept(self, line: Line, name: str) -> Kept | None:
        """What is kept of a mail."""
        line.select(self.folder, write=True, make=True)
        found = line.fetch(line.named(name)[:1])
        return next((Kept(uid, item.at or self.clock(), DRAFT in item.flags) for uid, item in found.items()), None)

    def arrived(self, line: Line, name: str) -> int:
        """The UID of a mail where it comes to, 0 if it is not there."""
        line.select(self.arrives)
        return next(iter(line.named(name)), 0)

    def _filed(self, line: Line, name: str) -> bool:
        """Whether a mail has come, and lies elsewhere by now."""
        others = [folder for folder in line.folders() if folder not in (self.folder, self.arrives)]
        return any(line.holds(folder, name) for folder in others[:MOST])

    def lately(self, kept: Kept) -> bool:
        """Whether it may still be under way."""
        return self.clock() - kept.at < ARRIVAL

    def _drop(self, line: Line, name: str) -> None:
        if kept := self.kept(line, name):
            line.flag(kept.uid, "+", DELETED)


@dataclass(frozen=True, slots=True)
class Kept:
    """A mail in the folder of those sent. draft: it is not known whether it was."""

    uid: int
    at: datetime
    draft: bool
