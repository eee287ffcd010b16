"""What is committed together: a step of the judging thread, the messages that it sends, and what a person did."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pyarrow as pa

from alerts import Changes, Client, Holding, TheirCase
from connectors import Cursor

DOOR: ContextVar[str] = ContextVar("door", default="")
"""By which door what is done now comes: page, api, cli:USER (the system's user, whatever name was given); '' Vigía itself."""


@dataclass(slots=True)
class Message:
    """One outside effect: `key` makes it one; `case_key` is what the desk knows the case by, so that a repeat does no harm."""

    key: str
    case_key: str
    desk: str
    action: str
    payload: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Act:
    """What a person did to an incident (ack, resolve, note, ...), to one of its cases (case_key), or to none ('').

    about: what the act names: whom it is assigned to, yes or no, or the id of a silence, a maintenance, a hand-over. request_key: by what
    its caller knows it, so that a retry is no second act. door: by which it came (see DOOR). hash: of the act and all before it (see
    `monitor.trail`).
    """

    incident_id: str
    at: datetime
    who: str
    action: str
    text: str = ""
    id: int = 0
    case_key: str = ""
    about: str = ""
    request_key: str = ""
    door: str = ""
    hash: str = ""


@dataclass(slots=True)
class Step:
    """What is committed together."""

    cursors: dict[str, tuple[Cursor, datetime | None]] = field(default_factory=dict)
    cells: list[tuple[str, pa.Table]] = field(default_factory=list)
    gaps: list[tuple[str, int, int]] = field(default_factory=list)
    judged_until: int | None = None
    changes: Changes = field(default_factory=Changes)
    messages: list[Message] = field(default_factory=list)
    cases: list[TheirCase] = field(default_factory=list)
    clients: list[Client] = field(default_factory=list)
    holdings: list[Holding] = field(default_factory=list)
    marks: dict[str, str] = field(default_factory=dict)
    verdicts: list[dict[str, Any]] | None = None
    """All of them anew, or None where they are as they were."""
    traces: list[dict[str, Any]] = field(default_factory=list)
    stories: list[dict[str, Any]] = field(default_factory=list)
