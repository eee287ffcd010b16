"""Kafka: JSON messages of topics, read from the offsets that are committed with the decisions."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from time import monotonic
from typing import TYPE_CHECKING, Literal

from connectors import Batch, Cursor

try:
    from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

    from connectors.brokers import Brokers
    from connectors.messages import Message, Part, Place, newest, rows
except ImportError:
    raise ImportError("needs a package that is not installed: make extras") from None

if TYPE_CHECKING:
    from collections.abc import Mapping

BYTES = 64 << 20
"""Of messages, at one poll."""
AT_ONCE = 1000
"""Messages asked of the client together,"""
LARGEST = 1 << 20
"""or fewer: at first as if each were of so many bytes."""
WAIT = 0.1
"""Seconds until it gives those that have come."""
SHOWN = 8
"""Partitions whose offsets `check` tells."""


class Kafka:
    """One JSON object a message, of all partitions of `topics`.

    servers: host:port, several with commas; topics: their names; group: under which the offsets are told to Kafka, for those who watch
    its lag. security: of the connection; mechanism, username, password: of SASL; ca_file, cert_file, key_file, key_password: of TLS, as in
    `connectors.tls.Tls`, read anew after a fault. envelope: what of the message itself is added to its row, as columns `_time`, `_key`,
    `_topic`, `_partition` and `_offset`. batch: messages a poll; timeout: of Kafka to say where its partitions end, and to go on sending.

    What was read is known by our own cursor alone. The group's offsets are told once the decisions are on disk, and never read.
    Partitions are assigned, not shared out: two Vigías in one group each read everything, and the group's offsets are those of whoever
    told them last; a standby on the same database goes on from the database. A topic new to the cursor is read from `start` on, by the
    messages' times; a partition added later, from its beginning. What is no longer kept and was not read is told as lost. A partition
    that ends before the cursor was made anew or has lost its end: it is told, and read from its beginning. Of transactions only what
    was committed is read; what is open holds up its partition. A message without a value (a tombstone) is no row. Objects within the
    object are columns named with a dot. Neither CSV nor Avro, nor a schema registry.
    """

    def __init__(
        self,
        *,
        servers: str,
        topics: list[str],
        group: str = "vigia",
        security: Literal["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"] = "plaintext",
        mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512",
        username: str = "",
        password: str = "",
        ca_file: str = "",
        cert_file: str = "",
        key_file: str = "",
        key_password: str = "",
        envelope: list[Part] | None = None,
        batch: int = 100_000,
        timeout: timedelta = timedelta(seconds=10),
    ) -> None:
        if not topics or not all(re.fullmatch(r"[\w.-]+", topic, re.ASCII) for topic in topics):
            raise ValueError("topics: must be names of topics, at least one")
        if batch < 1:
            raise ValueError("batch: must be at least 1")
        if timeout < timedelta(seconds=1):
            raise ValueError("timeout: must be at least 1s")
        self._brokers = Brokers(
            servers, group, timeout.total_seconds(), security=security, mechanism=mechanism, username=username, password=password,
            ca_file=ca_file, cert_file=cert_file, key_file=key_file, key_password=key_password,
        )  # fmt: skip
        self.topics, self.batch = list(dict.fromkeys(topics)), batch
        self._envelope = list(dict.fromkeys(envelope or []))
        self._stands: dict[Place, int] = {}
        """From where the consumer goes on by itself."""

    def poll(self, cursor: Cursor | None, now: datetime, since: datetime | None) -> Batch:
        """Messages from the cursor's offsets to where the partitions ended as the poll began, or as many as a batch holds."""
        offsets = {topic: dict(places) for topic, places in (cursor or {}).get("offsets", {}).items()}
        with self._brokers.clients() as (consumer, asker, new):
            at, ends, lost = self._places(asker, offsets, since)
            if new or at != self._stands:
                consumer.assign([TopicPartition(*place, offset) for place, offset in at.items()])
            messages = self._read(consumer, at, ends)
            self._stands = dict(at)
        for (topic, number), offset in at.items():
            offsets.setdefault(topic, {})[str(number)] = offset
        behind = [place for place, offset in at.items() if offset < ends[place]]
        until = newest(messages, behind, now) if behind else now
        table, rejects, where = rows(messages, self._envelope)
        return Batch(
            table, {"offsets": offsets}, not behind, until and min(until, now), rejects, where, lost="; ".join(lost)
        )

    def committed(self, cursor: Cursor) -> None:
        """Tell the group's offsets, without waiting for an answer; SourceError if those before were refused."""
        offsets: Mapping[str, Mapping[str, int]] = cursor.get("offsets", {})
        places = [(topic, number) for topic in self.topics for number in offsets.get(topic, ())]
        self._brokers.tell([TopicPartition(topic, int(number), offsets[topic][number]) for topic, number in places])

    def close(self) -> None:
        """Let go of the connection; the next poll makes another."""
        self._brokers.close()

    def check(self) -> str:
        """Of each topic its partitions, its offsets, the columns of a newest message, and how far behind the group is."""
        with self._brokers.clients() as (consumer, asker, _):
            self._stands = {}
            first, ends, _ = self._places(asker, {}, None)
            return "; ".join(self._state(consumer, topic, first, ends) for topic in self.topics)

    def _state(self, consumer: Consumer, topic: str, first: Mapping[Place, int], ends: Mapping[Place, int]) -> str:
        here = [place for place in ends if place[0] == topic]
        kept = sum(ends[place] - first[place] for place in here)
        said = f"{topic}: {len(here)} partition{'s' * (len(here) != 1)}, offsets"
        said += "".join(f" {place[1]}:{first[place]}-{ends[place]}" for place in here[:SHOWN]) + " ..." * (
            len(here) > SHOWN
        )
        if kept:
            fullest = max(here, key=lambda place: ends[place] - first[place])
            at = {fullest: ends[fullest] - 1}
            consumer.assign([TopicPartition(*fullest, at[fullest])])
            table, rejects, _ = rows(self._read(consumer, at, {fullest: ends[fullest]}), self._envelope)
            columns = ", ".join(table.column_names) or (rejects[0].why if rejects else "no value")
            said += f", the newest with {columns}"
        told = consumer.committed([TopicPartition(*place) for place in here], timeout=self._brokers.seconds)
        lags = [ends[one.topic, one.partition] - one.offset for one in told if one.offset >= 0]
        return f"{said}; group {self._brokers.group} {f'is {sum(lags)} behind' if lags else 'has not told offsets yet'}"

    def _places(
        self, asker: Consumer, offsets: Mapping[str, Mapping[str, int]], since: datetime | None
    ) -> tuple[dict[Place, int], dict[Place, int], list[str]]:
        """Of every partition where to go on and where it ends; and what is lost."""
        by = monotonic() + self._brokers.seconds
        at: dict[Place, int] = {}
        ends: dict[Place, int] = {}
        lost = []
        for topic in self.topics:
            known = offsets.get(topic)
            limits: dict[int, tuple[int, int]] = {}
            for number in self._brokers.partitions(asker, topic, by):
                if (span := asker.get_watermark_offsets(TopicPartition(topic, number), timeout=_left(by))) is None:
                    raise self._brokers.late(f"{topic}[{number}] does not say where it ends")
                limits[number] = span
            begins: dict[int, int] = {}
            if not known and since:  # after the ends: what comes in between is not passed over as older than since
                times = [TopicPartition(topic, number, int(since.timestamp() * 1000)) for number in limits]
                begins = {
                    one.partition: _sound(one).offset for one in asker.offsets_for_times(times, timeout=_left(by))
                }
            for number, (low, high) in limits.items():
                begin = begins.get(number, low) if not known else known.get(str(number), 0)
                if not known and not 0 <= begin <= high:  # nothing was as new as that
                    begin = high
                if known and begin < low:
                    lost.append(f"{topic}[{number}]: offsets {begin} to {low - 1} were not read and are no longer kept")
                elif known and begin > high:
                    lost.append(
                        f"{topic}[{number}]: ends at offset {high}, before {begin} where reading stopped; read from {low}"
                    )
                at[topic, number] = begin if low <= begin <= high else low
                ends[topic, number] = high
        return at, ends, lost

    def _read(self, consumer: Consumer, at: dict[Place, int], ends: Mapping[Place, int]) -> list[Message]:
        """Messages until the ends, or as many as a batch holds; `at` moves on with them."""
        messages: list[Message] = []
        room, largest, by = BYTES, LARGEST, monotonic() + self._brokers.seconds
        while True:
            waiting = sum(max(end - at[place], 0) for place, end in ends.items())
            many = min(waiting, AT_ONCE, self.batch - len(messages), room // largest)
            # Asked even where nothing waits: what the client has to say comes with it.
            taken: list[Message] = consumer.consume(max(many, 1), timeout=WAIT if waiting else 0)
            for message in taken:
                place = (message.topic(), message.partition())
                if (error := message.error()) is None:
                    at[place] = message.offset() + 1
                    messages.append(message)
                elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - its name
                    at[place] = max(at[place], message.offset())  # past what was compacted away or never committed
                else:
                    raise KafkaException(error)
            if taken:
                by = monotonic() + self._brokers.seconds
                largest = max(map(len, taken)) or 1
                room -= sum(map(len, taken))
            if not waiting or len(messages) >= self.batch or room <= 0:
                return messages
            if monotonic() > by:
                if messages:
                    return messages
                topic, number = next(place for place, end in ends.items() if at[place] < end)
                raise self._brokers.late(f"{topic}[{number}] sends nothing of what it has")


def _left(by: float) -> float:
    return max(by - monotonic(), 0.1)


def _sound(place: TopicPartition) -> TopicPartition:
    if place.error:
        raise KafkaException(place.error)
    return place
