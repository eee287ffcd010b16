"""A channel of Microsoft Teams whose messages are cases, through Microsoft Graph."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from connectors import Batch, Case, Cursor, SourceError, answers, listed
from connectors.delta import Delta
from connectors.fields import OURS, no_case
from connectors.letters import LONGEST, Letters, letter
from connectors.login import GRAPH, microsoft
from connectors.markup import Markup
from connectors.once import Once
from connectors.refreshed import Refreshed
from connectors.session import Session
from connectors.turns import turn

GONE = (404, 410)
SLACK = timedelta(hours=1)
"""How long before a case was decided on its message is looked for, lest the clocks differ."""
NEEDED = ("createdDateTime", "body", "from")
"""No message is without these: one that comes without them is told only in part."""
PAGE = {"$top": "50"}
"""As many as there may be on a page."""


class Teams:
    """The messages that begin a thread in a channel.

    team, channel: their ids; tenant, client_id, client_secret: of an application with ChannelMessage.Read.All (token_url: where it logs
    in, if not at the tenant's); refresh_token: of a user with ChannelMessage.ReadWrite for whom it writes, for no application may: without
    it the channel is read-only; token_file: where the newer tokens are kept for which it is exchanged, for it ends; user: that user's id,
    whose messages alone are ours, whoever quotes them. extract: what is read out of subject and text where no line says it
    (`NIT: 900123456`, Producto, Canal, Tipo, Estado): ours = a regular expression with one group; done: the reactions that say that a
    case is resolved. url: of Graph, for national clouds.

    Read by delta. A channel cannot be searched: our message is looked for by its id and, where that is not known, among those since the
    case was decided on (100 pages, and no further), by one process of this machine at a time, and the oldest is the case. Changed by
    editing it: it always says how the case stands. timeout: of one answer.
    """

    def __init__(
        self,
        *,
        team: str,
        channel: str,
        client_id: str,
        client_secret: str,
        tenant: str = "",
        token_url: str = "",
        refresh_token: str = "",
        user: str = "",
        token_file: str = "",
        extract: dict[str, str] | None = None,
        done: list[str] | None = None,
        url: str = GRAPH,
        timeout: timedelta = timedelta(seconds=30),
    ) -> None:
        if refresh_token and not user:
            raise ValueError("user: must be the id of the user whose refresh_token it is")
        url = url.rstrip("/")
        login = microsoft(tenant, client_id, client_secret, url, token_url)
        self._refreshed = Refreshed(login, refresh_token, token_file) if refresh_token else None
        self._messages = f"{url}/teams/{team}/channels/{channel}/messages"
        self.session = Session(self._messages, login=login, timeout=timeout)
        self._once = Once(self.session.shown)
        self._letters, self._done, self._user = Letters(extract), done or ["✅"], user
        self.reads_only = "" if refresh_token else "the block has no `refresh_token`"
        self._delta = Delta(
            self.session, f"{self._messages}/delta", changed="lastModifiedDateTime", shape=self._row, lacks=_lacks,
            one=self._messages,
        )  # fmt: skip

    def poll(self, cursor: Cursor | None, now: datetime, since: datetime | None) -> Batch:
        """The next page of what has changed."""
        return self._delta.poll(cursor, now, since)

    def open(self, case: Case) -> str:
        """The id of the message with this key, looked for before it is written."""
        with turn(self.session.shown, case.key):
            found = self._read(case)
            if found is None:
                sent = _written(case)
                answer = self._once.send(
                    case.key, lambda: self.session.ask("POST", self._messages, body=sent, repeat=False)
                )
                found = str(answers.reached(answer and answer.body, "id") or "")
        if not found:
            raise SourceError(
                f"{self.session.shown}: the message that was written has no 'id'", permanent=True, fault="unreadable"
            )
        self._once.found(case.key)
        return found

    def update(self, case: Case) -> None:
        """Write the case's present state and note into its message."""
        found = self._numbered(case) or self._read(case)
        if found is None:
            raise no_case(self.session.shown, case.key)
        self.session.ask("PATCH", f"{self._messages}/{found}", body=_written(case))

    def check(self) -> str:
        """Whether the channel answers."""
        self.session.ask("GET", self._messages, params={"$top": "1"})
        warning = self._refreshed.check() if self._refreshed else ""
        return f"{self.session.shown}: answers{'; ' * bool(warning)}{warning}"

    def _row(self, message: dict[str, Any]) -> dict[str, Any] | None:
        """A message as a case; None for what is none: what was deleted, an answer, what Teams itself says."""
        if "@removed" in message or message.get("deletedDateTime") or message.get("replyToId"):
            return None
        if message.get("messageType", "message") != "message":
            return None
        content = str(answers.reached(message, "body.content") or "")
        subject = str(message.get("subject") or "") or Markup(content[:LONGEST]).text.partition("\n")[0]
        about = {"case_id": message.get("id"), "opened_at": message.get("createdDateTime")}
        about |= {"updated_at": message.get("lastModifiedDateTime")}
        reactions = [
            one
            for one in message.get("reactions") or ()
            if isinstance(one, dict) and one.get("reactionType") in self._done and one.get("createdDateTime")
        ]
        about["resolved_at"] = min((str(one["createdDateTime"]) for one in reactions), default=None)
        return self._letters.read(subject, content) | about | ({"reported_by": OURS} if self._key(message) else {})

    def _numbered(self, case: Case) -> str | None:
        """The id of the message that was written for the case, if it is there and bears its key."""
        if not case.number:
            return None
        answer = self.session.ask("GET", f"{self._messages}/{quote(case.number, safe='')}", accept=GONE)
        return case.number if isinstance(answer.body, dict) and self._key(answer.body) == case.key else None

    def _read(self, case: Case) -> str | None:
        """The id of the oldest message with our key, or None; the newest of a channel come first."""
        found: list[tuple[str, str]] = []
        for page in listed.pages(self.session, self._messages, PAGE):
            found += [
                (str(m.get("createdDateTime")), answers.needed(m, "id", self.session.shown))
                for m in page
                if self._key(m) == case.key
            ]
            if page and all(_older(message, case.opened_at - SLACK) for message in page):
                break
        return min(found)[1] if found else None

    def _key(self, message: dict[str, Any]) -> str:
        """The key of a message of ours, or ''."""
        ours = self._user and answers.reached(message, "from.user.id") == self._user
        return self._letters.key(str(answers.reached(message, "body.content") or "")) if ours else ""


def _written(case: Case) -> dict[str, Any]:
    return {"subject": case.subject, "body": {"contentType": "html", "content": letter(case)}}


def _lacks(message: dict[str, Any]) -> bool:
    return "@removed" not in message and any(name not in message for name in NEEDED)


def _older(message: dict[str, Any], time: datetime) -> bool:
    with suppress(ValueError, TypeError):
        return datetime.fromisoformat(str(message.get("lastModifiedDateTime"))) < time
    return False
