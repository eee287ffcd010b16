"""The rows of threads and the messages to receivers, as they are written."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from alerts.routing import Addressee
from monitor.config import Config
from monitor.facts import Recipient
from monitor.outbox import NOTIFY, receiver_name
from monitor.standing import Row
from monitor.store import Message


def recipient(config: Config, who: Addressee, basis: Mapping[str, Any]) -> Recipient:
    """Whom the facts are for. basis: their words, and the segments whose clients count."""
    language = config.receivers[who.receiver].block.language or config.words.language
    role: Any = who.role
    return Recipient(who.receiver, who.to, basis["words"], language, role, frozenset(basis["segments"]))


def board(config: Config) -> str:
    """Where people reach the board, for links."""
    return config.monitor.address or f"http://{config.monitor.listen}"


def message(subject: str, who: Addressee, sequence: int, facts: Mapping[str, Any]) -> Message:
    """What goes to the outbox; what is of one thread goes out in order."""
    thread = f"{subject}:{who.receiver}:{who.name}"
    said = dict(facts) | {"thread": thread, "sequence": sequence, "to": who.to}
    return Message(f"{thread}:{sequence}", thread, receiver_name(who.receiver), NOTIFY, said)


def thread_row(subject: str, who: Addressee, sequence: int, told: Mapping[str, Any], now: datetime) -> Row:
    """A thread that begins now."""
    return {
        "subject": subject, "receiver": who.receiver, "recipient": who.name, "sequence": sequence, "told": dict(told),
        "began_at": now, "told_at": now, "ended_at": None,
    }  # fmt: skip
