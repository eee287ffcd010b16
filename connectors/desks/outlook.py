"""A mailbox whose messages are cases, through Microsoft Graph; opening one is a mail with our key."""

from __future__ import annotations

import base64
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from connectors import Batch, Case, Cursor, SourceError, answers, listed
from connectors.delta import Delta
from connectors.fields import OURS, no_case
from connectors.letters import Letters, letter
from connectors.login import GRAPH, microsoft
from connectors.once import Once
from connectors.session import Session
from connectors.turns import turn
from connectors.values import digest

PROPERTY = "String {00020329-0000-0000-C000-000000000046} Name VigiaKey"
"""The property of ours that a mail bears in its sender's mailbox: there it is found again by it."""
HEADER = "X-Vigia-Key"
"""The header of ours that a mail bears, with a digest of its key: whoever quotes or forwards the mail has the key, but not the header."""
HEADERS = "internetMessageHeaders"
NEEDED = ("internetMessageId", "receivedDateTime", "body", "categories", "flag")
"""No message is without these: one that comes without them is told only in part."""
SELECT = ",".join((*NEEDED, "subject", "lastModifiedDateTime", "conversationIndex", "isDraft", HEADERS))
FIRST = 22
"""Bytes of the conversation index of a conversation's first message; an answer's is longer."""
SAME_IDS = {"Prefer": 'IdType="ImmutableId", outlook.body-content-type="html"'}
WITHDRAWN = "retirado"
ARRIVAL = timedelta(minutes=10)
"""How long it is waited for a mail that was sent, before a withdrawal ends with the answer alone: people may have deleted it."""


def _now() -> datetime:
    return datetime.now(UTC)


class Outlook:
    """The first message of each conversation in a folder.

    mailbox: whose; folder: its name or id; sender: the mailbox that our mails are sent from (none: the same); tenant, client_id,
    client_secret: of an application with Mail.ReadWrite and Mail.Send, restricted to these (token_url: where it logs in, if not at the
    tenant's). extract: what is read out of subject and text where no line says it (`NIT: 900123456`, Producto, Canal, Tipo, Estado):
    ours = a regular expression with one group. url: of Graph, for national clouds.

    The status is the first category, else what the text says; a message whose flag is completed is resolved; one is ours by a header that
    it bears. Read by delta; the case's number is the message's Message-ID, which is the same in both mailboxes. A mail is made as a draft
    that bears our key, found by it if the answer was lost, and then sent; a note is an answer to it. A withdrawal is its category.
    timeout: of one answer.
    """

    def __init__(
        self,
        *,
        mailbox: str,
        client_id: str,
        client_secret: str,
        tenant: str = "",
        token_url: str = "",
        folder: str = "inbox",
        sender: str = "",
        extract: dict[str, str] | None = None,
        url: str = GRAPH,
        timeout: timedelta = timedelta(seconds=30),
    ) -> None:
        url = url.rstrip("/")
        login = microsoft(tenant, client_id, client_secret, url, token_url)
        self.clock = _now
        self.mailbox, self._letters = mailbox, Letters(extract)
        self._theirs, self._ours = f"{url}/users/{mailbox}", f"{url}/users/{sender or mailbox}/messages"
        self.session = Session(
            self._theirs, login=login, timeout=timeout, also=[f"{url}/users/{sender}/"] if sender else []
        )
        self._once = Once(self.session.shown)
        self._delta = Delta(
            self.session, f"{self._theirs}/mailFolders/{folder}/messages/delta", params={"$select": SELECT}, headers=SAME_IDS,
            changed="lastModifiedDateTime", shape=self._row, lacks=self._lacks, one=f"{self._theirs}/messages",
            one_params={"$select": SELECT},
        )  # fmt: skip

    def poll(self, cursor: Cursor | None, now: datetime, since: datetime | None) -> Batch:
        """The next page of what has changed."""
        return self._delta.poll(cursor, now, since)

    def open(self, case: Case) -> str:
        """The Message-ID of the mail with this key, sent unless it was."""
        draft: dict[str, Any] = {"subject": case.subject, "body": {"contentType": "html", "content": letter(case)}}
        draft |= {"toRecipients": [{"emailAddress": {"address": self.mailbox}}]}
        draft |= {HEADERS: [{"name": HEADER, "value": digest([case.key])}]}
        with turn(self.session.shown, case.key):
            return str(self._sent(case.key, self._ours, draft)["internetMessageId"])

    def update(self, case: Case) -> None:
        """Send the note as an answer, once; a withdrawal becomes the category of the message that was received."""
        ours = self._read(case.key)
        if ours is None:
            raise no_case(self.session.shown, case.key)
        if case.note:
            answer = {"comment": case.note, "message": {}}
            with turn(self.session.shown, case.key):
                mark = digest([case.note])
                self._sent(f"{case.key}/{mark}", f"{self._ours}/{ours['id']}/createReplyAll", answer)
        if case.status == WITHDRAWN:
            where = {
                "$filter": f"internetMessageId eq '{ours['internetMessageId']}' and isDraft eq false",
                "$select": "id,categories",
            }
            received = self._listed(f"{self._theirs}/messages", where)
            if not received and self._lately(ours, case):
                raise SourceError(f"{self.session.shown}: the mail of the case has not arrived yet", fault="unreadable")
            for message in received:
                if WITHDRAWN not in (theirs := message.get("categories") or []):
                    body = {"categories": [WITHDRAWN, *theirs]}
                    self.session.ask("PATCH", f"{self._theirs}/messages/{message['id']}", body=body)

    def check(self) -> str:
        """Whether both mailboxes answer."""
        self._delta.check()
        self._read("vigia-check")
        return f"{self.session.shown}: answers"

    def _lately(self, mail: dict[str, Any], case: Case) -> bool:
        """Whether a mail may still be under way."""
        try:
            sent = datetime.fromisoformat(str(mail.get("sentDateTime")))
        except ValueError:
            sent = case.opened_at
        return self.clock() - (sent if sent.tzinfo else sent.replace(tzinfo=UTC)) < ARRIVAL

    def _row(self, message: dict[str, Any]) -> dict[str, Any] | None:
        """A message as a case; None for what is none: what was removed, a draft, an answer."""
        if "@removed" in message or message.get("isDraft") or _answers(message.get("conversationIndex")):
            return None
        flag, categories = message.get("flag") or {}, message.get("categories") or []
        done = answers.reached(flag, "completedDateTime.dateTime") if flag.get("flagStatus") == "complete" else None
        content = str(answers.reached(message, "body.content") or "")
        said = self._letters.read(str(message.get("subject") or ""), content)
        ours = {"name": HEADER.lower(), "value": digest([self._letters.key(content)])}
        if any({**one, "name": str(one.get("name")).lower()} == ours for one in message.get(HEADERS) or ()):
            said["reported_by"] = OURS
        about = {"case_id": message.get("internetMessageId"), "opened_at": message.get("receivedDateTime")}
        about |= {"updated_at": message.get("lastModifiedDateTime"), "resolved_at": f"{done}Z" if done else None}
        status = WITHDRAWN if WITHDRAWN in categories else next(iter(categories), None)
        return said | about | ({"status": status} if status else {})

    def _lacks(self, message: dict[str, Any]) -> bool:
        """Whether a message is told only in part; its headers are missed only where it has a key that they prove."""
        if "@removed" in message:
            return False
        content = str(answers.reached(message, "body.content") or "")
        return any(name not in message for name in NEEDED) or (
            HEADERS not in message and bool(self._letters.key(content))
        )

    def _sent(self, key: str, where: str, draft: dict[str, Any]) -> dict[str, Any]:
        """The mail with this key, made and sent unless it was."""
        found = self._read(key)
        if found is None:
            marked = {"singleValueExtendedProperties": [{"id": PROPERTY, "value": key}]}
            body = draft | {"message": marked} if "message" in draft else draft | marked
            self.session.ask("POST", where, body=body, headers=SAME_IDS, repeat=False)
            found = self._read(key)
        if found is None:
            raise SourceError(
                f"{self.session.shown}: the draft that was made is not found by its key", fault="unreadable"
            )
        if found.get("isDraft"):
            where = f"{self._ours}/{found['id']}/send"  # it stays a draft for as long as it is under way
            self._once.send(key, lambda: self.session.ask("POST", where, repeat=False))
            self._once.found(key)
        return found

    def _read(self, key: str) -> dict[str, Any] | None:
        """The mail of ours with this key, one that was sent before a draft; or None."""
        quoted = key.replace("'", "''")
        where = f"singleValueExtendedProperties/Any(ep: ep/id eq '{PROPERTY}' and ep/value eq '{quoted}')"
        found = self._listed(self._ours, {"$filter": where, "$select": "id,internetMessageId,isDraft,sentDateTime"})
        return min(
            found,
            key=lambda message: (
                bool(message.get("isDraft")),
                answers.needed(message, "internetMessageId", self.session.shown),
            ),
            default=None,
        )

    def _listed(self, url: str, params: dict[str, str]) -> list[dict[str, Any]]:
        found = listed.rows(self.session, url, params, SAME_IDS)
        return [message | {"id": answers.needed(message, "id", self.session.shown)} for message in found]


def _answers(index: Any) -> bool:
    """Whether a message with this conversation index answers another."""
    with suppress(ValueError, TypeError):
        return len(base64.b64decode(index)) > FIRST
    return False
