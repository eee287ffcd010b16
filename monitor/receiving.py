"""Receivers at work: a message of the outbox as a notice, in words; and those that hear again and again of what stands."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import structlog

from connectors import Notice, Receiver, SourceError
from monitor import tables as t
from monitor.config import Config
from monitor.outbox import Tell, receiver_name
from monitor.standing import rows
from monitor.store import Store
from monitor.words import rendered

log = structlog.get_logger()
LINGERS = timedelta(minutes=5)
"""How long what has ended is still told again."""


def made(config: Config) -> dict[str, Receiver]:
    """The receivers of the configuration, by name."""
    return {name: receiver.make() for name, receiver in config.receivers.items()}


def tellers(config: Config, store: Store, receivers: Mapping[str, Receiver]) -> dict[str, Tell]:
    """By the name that stands in a message: what sends it. Its words are made when it is sent."""

    def teller(receiver: Receiver) -> Tell:
        return lambda row: receiver.send(notice(config, row, overtaken=_overtaken(store, row)))

    return {receiver_name(name): teller(receiver) for name, receiver in receivers.items()}


def _overtaken(store: Store, row: Mapping[str, Any]) -> bool:
    """Whether a newer message of the thread already waits, after an hour in which the receiver did not answer, say."""
    o = t.outbox.c
    newer = (o.case_key == row["case_key"]) & (o.id > row["id"]) & o.state.in_(("due", "sending"))
    return bool(rows(store, t.outbox.select().with_only_columns(o.id).where(newer).limit(1)))


def notice(config: Config, row: Mapping[str, Any], *, overtaken: bool = False) -> Notice:
    """A message of the outbox, ready to be sent. overtaken: it says so, and promises nothing: what follows it does."""
    facts = row["payload"]
    facts = facts | {"overtaken": True, "next_at": None} if overtaken and "next_at" in facts else facts
    words = rendered(facts, config.words, zone=ZoneInfo(config.monitor.timezone))
    at = datetime.fromisoformat(facts["at"])
    return Notice(
        row["key"], row["case_key"], facts["event"], facts["to"], at, words.subject, words.text, words.html, facts
    )


class Refreshing:
    """Once a minute: to each receiver that has `refresh`, the newest notice of every thread that is open or ended lately."""

    def __init__(
        self, config: Config, store: Store, receivers: Mapping[str, Receiver], clock: Callable[[], datetime]
    ) -> None:
        self.config, self.store, self.clock = config, store, clock
        self.errors: dict[str, str] = {}
        self._receivers: dict[str, Any] = {
            name: receiver for name, receiver in receivers.items() if hasattr(receiver, "refresh")
        }

    def __iter__(self) -> Any:
        """Their names."""
        return iter(self._receivers)

    def refresh(self, name: str) -> None:
        """Tell it again. What goes wrong is logged and kept in `errors`: the next one is a minute away."""
        now, receiver = self.clock(), self._receivers[name]
        notices = [notice(self.config, row) for row in self._newest(name, now)]
        try:
            receiver.refresh(notices, now)
        except SourceError as error:
            self.errors[name] = str(error)
            log.warning("not refreshed", receiver=name, error=str(error))
        else:
            self.errors.pop(name, None)

    def _newest(self, name: str, now: datetime) -> list[dict[str, Any]]:
        thread, o = t.threads.c, t.outbox.c
        stands = thread.ended_at.is_(None) | (thread.ended_at > now - LINGERS)
        newest = t.threads.join(t.outbox, o.key == t.newest_key(thread))
        return rows(
            self.store,
            newest.select().with_only_columns(*t.outbox.c).where(thread.receiver == name, stands).order_by(o.id),
        )
