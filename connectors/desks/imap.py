"""A mailbox on any mail server (Exchange on premises, Dovecot...) whose messages are cases: read by IMAP, written by SMTP."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from connectors import Batch, Case, Cursor, Reject, SourceError, answers, mails
from connectors.fields import OURS, no_case
from connectors.imap_responses import DELETED, Item
from connectors.letters import Letters, letter
from connectors.mailbox import Mailbox, Security
from connectors.sent import Sent
from connectors.smtp import Smtp, Tls, address, named
from connectors.turns import turn
from connectors.values import digest

PAGE = 200
"""Messages of a poll."""
LONGEST = 128 << 10
"""Bytes that are read of a message: what it says comes before what is attached."""
NEWEST = 3_000
"""Messages of which it is followed what becomes of them, the newest of the folder."""
WITHDRAWN = "retirado"
OTHERS = ("$", "junk", "nonjunk", "notjunk", "forwarded")
"""How keywords begin that mail programs set for themselves."""


class Imap:
    """The first message of each conversation in a folder.

    host, port (by default 993, with tls = "starttls" 143), user, password: the mailbox's, over TLS only; ca_file: who vouches for the
    certificates, in place of the well-known; folder: whose messages are cases. extract: what is read out of subject and text where no
    line says it (`NIT: 900123456`, Producto, Canal, Tipo, Estado): ours = a regular expression with one group. done: the keywords that
    say that a case is resolved. timeout: of one answer.

    sender: the address that our mails are sent from; without it the mailbox is only read. mailbox: its address, to which they go (none:
    `user`). smtp_host (none: `host`), smtp_port, smtp_tls, smtp_user, smtp_password: who takes them, as of the receiver `email`; without
    a user of its own, with the mailbox's. sent: the folder in which what was sent is kept, made if it is not there.

    The status is the keyword (`en_curso`: en curso), else what the text says; resolved is a case when that was seen. Read by UID, changes
    by MODSEQ or flags; a folder made anew (UIDVALIDITY) is read again. The case's number is the Message-ID, made of our key. SMTP knows
    no key: a mail is kept in `sent` as a draft, sent, and kept as sent; one that broke off is looked for in all folders, and sent again
    only if it does not arrive. A note is an answer; a withdrawal is a keyword too, where the server takes keywords.
    """

    def __init__(
        self,
        *,
        host: str,
        user: str,
        password: str,
        port: int = 0,
        tls: Security = "tls",
        ca_file: str = "",
        folder: str = "INBOX",
        extract: dict[str, str] | None = None,
        done: list[str] | None = None,
        sender: str = "",
        mailbox: str = "",
        sent: str = "Vigia",
        smtp_host: str = "",
        smtp_port: int = 0,
        smtp_tls: Tls = "starttls",
        smtp_user: str = "",
        smtp_password: str = "",
        timeout: timedelta = timedelta(seconds=30),
    ) -> None:
        self.session = Mailbox(
            host=host, port=port, tls=tls, user=user, password=password, ca_file=ca_file, timeout=timeout
        )
        for name, value in (("folder", folder), ("sent", sent)):
            if not value or not value.isprintable():
                raise ValueError(f"{name}: must be a folder's name")
        self.folder, self._letters = folder, Letters(extract)
        self._done = {word.casefold() for word in (["resuelto", "cerrado"] if done is None else done)}
        self._sent: Sent | None = None
        self.reads_only = "" if sender else "the block has no `sender`"
        if sender:
            if smtp_password and not smtp_user:
                raise ValueError("smtp_password: needs smtp_user")
            own = (smtp_user, smtp_password) if smtp_user or smtp_tls == "none" else (user, password)
            smtp = Smtp(
                host=smtp_host or host, port=smtp_port, tls=smtp_tls, user=own[0], password=own[1], ca_file=ca_file,
                timeout=timeout,
            )  # fmt: skip
            ours, theirs = address("sender", sender), address("mailbox", mailbox or user)
            self._sent = Sent(smtp, ours, theirs, sent, folder, self.session.shown)

    def poll(self, cursor: Cursor | None, now: datetime, since: datetime | None) -> Batch:
        """The next page of new messages; after the last of them, those whose status is another by now."""
        with self.session.opened() as line:
            box = line.select(self.folder)
            held = dict(cursor or {"since": since.isoformat() if since else None})
            if held.get("validity") != box.validity:
                held |= {"validity": box.validity, "uid": 0, "modseq": box.modseq, "states": {}}
            fresh = line.after(held["uid"], box, datetime.fromisoformat(held["since"]) if held["since"] else None)
            more = len(fresh) > PAGE
            flags = {} if more else line.flags(box, held["modseq"], NEWEST)
            before = {int(uid): status for uid, (status, _) in held["states"].items()}
            changed = [
                uid
                for uid, item in sorted(flags.items())
                if uid <= held["uid"] and self._status(item) != before.get(uid, "")
            ]
            found = line.fetch(fresh[:PAGE] + changed[:PAGE], LONGEST)
        drained = not more and len(changed) <= PAGE
        states = self._states(held["states"], {uid: flags[uid] for uid in changed[:PAGE]} | found, now)
        after = {**held, "uid": fresh[PAGE - 1] if more else max(box.next - 1, *fresh, held["uid"])}
        after |= {"states": states} | ({"modseq": box.modseq} if drained else {})
        rows: dict[str, dict[str, Any]] = {}
        rejects = []
        for uid, item in sorted(found.items()):
            try:
                row = self._row(item, *states.get(str(uid), ("", None)))
            except ValueError as error:
                rejects.append(Reject(f"{self.session.shown}: message {uid} of {self.folder}", str(error)))
                continue
            if row:
                rows.setdefault(row["case_id"], row | {"updated_at": None if uid > held["uid"] else now.isoformat()})
        return Batch(answers.table([*rows.values()]), after, drained, now if drained else None, tuple(rejects))

    def open(self, case: Case) -> str:
        """The Message-ID of the mail with this key, sent unless it was."""
        sent = self._sending()
        name = named("case", case.key, sent.sender.domain)
        with turn(self.session.shown, case.key), self.session.opened() as line:
            sent.send(line, name, case.subject, letter(case), case.key)
        return name

    def update(self, case: Case) -> None:
        """Send the note as an answer, once; a withdrawal becomes a keyword of the message that was received."""
        sent = self._sending()
        name = named("case", case.key, sent.sender.domain)
        with turn(self.session.shown, case.key), self.session.opened() as line:
            kept, arrived = sent.kept(line, name), sent.arrived(line, name)
            if not kept and not arrived:
                raise no_case(self.session.shown, case.key)
            if case.note:
                answer = named("note", f"{case.key}/{digest([case.note])}", sent.sender.domain)
                note = letter(replace(case, body=case.note, note=""))
                sent.send(line, answer, f"RE: {case.subject}", note, case.key, name)
            if case.status != WITHDRAWN:
                return
            if kept and not arrived and sent.lately(kept):
                raise SourceError(f"{self.session.shown}: the mail of the case has not arrived yet", fault="busy")
            if arrived and line.select(self.folder, write=True).open:
                line.flag(arrived, "+", WITHDRAWN)

    def check(self) -> str:
        """How many messages there are, and whether the server that sends lets us in."""
        with self.session.opened() as line:
            told = f"{self.session.shown}: {line.select(self.folder).count} messages in {self.folder}"
        return f"{told}; {self._sent.smtp.check()}" if self._sent else told

    def _row(self, item: Item, status: str, resolved: str | None) -> dict[str, Any] | None:
        """A message as a case; None for what is none. Raises ValueError if it cannot be read."""
        if DELETED in item.flags:
            return None
        if item.text is None or item.at is None:
            raise ValueError("the server gave no text of it, or no time")
        mail = mails.read(item.text)
        if not mail.opens:
            return None
        said = self._letters.read(mail.subject, mail.content) | ({"status": status} if status else {})
        about = {"case_id": mail.name, "opened_at": item.at.isoformat(), "resolved_at": resolved}
        # Whoever has a mail of ours can copy its key; only ours has the name that is made of it.
        key = mail.key or self._letters.key(mail.content)
        proven = mail.name.partition("@")[0] == named("case", key, "").partition("@")[0]
        return said | about | ({"reported_by": OURS} if proven else {})

    def _status(self, item: Item) -> str:
        words = [one.replace("_", " ") for one in item.keywords if not one.lower().startswith(OTHERS)]
        return min(words, key=lambda word: (word != WITHDRAWN, word.casefold() not in self._done, word), default="")

    def _states(self, before: dict[str, Any], seen: dict[int, Item], now: datetime) -> dict[str, Any]:
        """Of the messages that have a status: which, and since when it says that they are resolved."""
        states = {int(uid): state for uid, state in before.items()}
        for uid, item in seen.items():
            status, since = self._status(item), states.pop(uid, ("", None))[1]
            if status:
                states[uid] = [status, (since or now.isoformat()) if status.casefold() in self._done else None]
        return {str(uid): states[uid] for uid in sorted(states)[-NEWEST:]}

    def _sending(self) -> Sent:
        if not self._sent:
            words = f"{self.session.shown}: is only read: the block has no `sender`"
            raise SourceError(words, permanent=True, fault="refused")
        return self._sent
