"""Messages of Kafka as rows: their JSON, and what of the message itself is asked for."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa
from confluent_kafka import TIMESTAMP_NOT_AVAILABLE

from connectors import AHEAD, SPARSE, Reject, Where, jsonl
from connectors.roles import TIME

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

Part = Literal["time", "key", "topic", "partition", "offset"]
Place = tuple[str, int]
"""Topic and partition."""
LATEST = (1 << 63) // 1000 - 1
"""Milliseconds that a column of times can hold; rows are told by what they hold, be it no time at all."""
Message = Any
"""confluent_kafka's, as it comes from a broker: its types would have every part of it missing."""


def rows(messages: Sequence[Message], envelope: Sequence[Part]) -> tuple[pa.Table, tuple[Reject, ...], Where]:
    """One row a message, but for those without a value and the malformed ones, which are told; and where each stands.

    envelope: what is added of the message, as a column `_time`, `_key` and so on.
    """
    kept = [message for message in messages if message.value() is not None]
    table, malformed = jsonl.each([message.value() for message in kept])
    rejects = tuple(Reject(_where(kept, n), why) for n, why in malformed)
    if wrong := {n for n, _ in malformed}:
        kept = [message for n, message in enumerate(kept) if n not in wrong]
    for part in envelope if kept else ():
        name = f"_{part}"
        table = table.drop_columns([name]) if name in table.column_names else table
        table = table.append_column(name, _column(part, kept))
    return table.replace_schema_metadata(SPARSE), rejects, partial(_where, kept)


def newest(messages: Sequence[Message], behind: Collection[Place], now: datetime) -> datetime | None:
    """Until when all has come of the partitions that are behind, by their messages' times; None where one does not say.

    A time that lies ahead of now is a wrong clock's, and says nothing.
    """
    unheard, latest = set(behind), (now + AHEAD).timestamp() * 1000
    times: list[int] = []
    for message in reversed(messages):
        if (place := (message.topic(), message.partition())) in unheard:
            kind, at = message.timestamp()
            if kind == TIMESTAMP_NOT_AVAILABLE:
                return None
            if at > latest:
                continue
            times.append(at)
            unheard.remove(place)
        if not unheard:
            return datetime.fromtimestamp(min(times) / 1000, UTC)
    return None


def _where(messages: Sequence[Message], row: int) -> str:
    message = messages[row]
    return f"{message.topic()}[{message.partition()}] offset {message.offset()}"


def _column(part: Part, messages: Sequence[Message]) -> pa.Array:
    match part:
        case "time":
            stamps = [message.timestamp() for message in messages]
            times = [None if kind == TIMESTAMP_NOT_AVAILABLE else min(at, LATEST) for kind, at in stamps]
            return pa.array(times, pa.timestamp("ms", tz="UTC")).cast(TIME)
        case "key":
            keys = [message.key() for message in messages]
            return pa.array([None if key is None else key.decode(errors="replace") for key in keys], pa.string())
        case "topic":
            return pa.array([message.topic() for message in messages], pa.string())
        case "partition":
            return pa.array([message.partition() for message in messages], pa.int32())
        case "offset":
            return pa.array([message.offset() for message in messages], pa.int64())
