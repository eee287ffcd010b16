"""A Kafka in this process: librdkafka's own mock of a cluster, which knows offsets and groups; topics appear as they are named."""

from __future__ import annotations

import json
import struct
from contextlib import suppress
from socketserver import StreamRequestHandler, ThreadingTCPServer
from threading import Thread
from typing import Any

from confluent_kafka import Consumer, Producer, TopicPartition

PARTITIONS = 4
"""Of every topic."""


class Cluster:
    """Brokers on sockets of their own, until `close`."""

    def __init__(self, topic: str = "transacciones", **conf: Any) -> None:
        self.topic = topic
        self._producer: Producer | None = Producer(
            {"bootstrap.servers": "none", "test.mock.num.brokers": 1, "linger.ms": 5, "log_level": 0, **conf}
        )
        brokers = self._producer.list_topics(timeout=5).brokers.values()
        self.servers = ",".join(f"{broker.host}:{broker.port}" for broker in brokers)
        self._producer.list_topics(topic, timeout=5)  # and the topic is there

    def send(self, *values: Any, partition: int = 0, at: int = 0, key: str | None = None) -> None:
        """Messages of these values: bytes and None as they are, others as JSON. at: their time in ms, 0 for now."""
        assert self._producer
        for value in values:
            text = value if value is None or isinstance(value, bytes) else json.dumps(value).encode()
            while True:
                try:
                    self._producer.produce(self.topic, text, key, partition, timestamp=at)
                    break
                except BufferError:
                    self._producer.poll(0.1)
        assert self._producer.flush(10) == 0

    def told(self, group: str = "vigia", partition: int = 0) -> int:
        """The group's offset as the broker has it; negative where it has none."""
        asker = Consumer({"bootstrap.servers": self.servers, "group.id": group, "log_level": 0})
        (place,) = asker.committed([TopicPartition(self.topic, partition)], timeout=5)
        asker.close()
        return int(place.offset)

    def close(self) -> None:
        """The cluster is gone."""
        self._producer = None


class Timed(Consumer):
    """Knows the offsets of times, which the mock does not: it reads the messages."""

    servers = ""

    def offsets_for_times(self, partitions: list[TopicPartition], timeout: float = 5) -> list[TopicPartition]:
        found = []
        for place in partitions:
            low, high = self.get_watermark_offsets(TopicPartition(place.topic, place.partition), timeout=timeout)
            reader = Consumer({"bootstrap.servers": self.servers, "group.id": "times", "log_level": 0})
            reader.assign([TopicPartition(place.topic, place.partition, low)])
            messages = reader.consume(high - low, timeout=timeout) if high > low else []
            new = [m.offset() for m in messages if m.timestamp()[1] >= place.offset]
            found.append(TopicPartition(place.topic, place.partition, min(new, default=-1)))
            reader.close()
        return found


class Compacted(Consumer):
    """Messages of these offsets are not there any more, as after a compaction or a transaction that was given up."""

    gone: frozenset[int] = frozenset()

    def consume(self, num_messages: int = 1, timeout: float = -1) -> list[Any]:
        taken = super().consume(num_messages, timeout)
        return [m for m in taken if m.error() or m.offset() not in self.gone]


class Doorman(ThreadingTCPServer):
    """A broker that lets nobody in: whatever the password, it is wrong (Kafka's protocol: ApiVersions, SaslHandshake, SaslAuthenticate)."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Refusing)
        self.servers = f"127.0.0.1:{self.server_address[1]}"
        Thread(target=self.serve_forever, daemon=True).start()


class _Refusing(StreamRequestHandler):
    def handle(self) -> None:
        with suppress(OSError, struct.error):
            while True:
                (size,) = struct.unpack(">i", self.rfile.read(4))
                kind, version, number = struct.unpack(">hhi", self.rfile.read(size)[:8])
                match kind:
                    case 18 if version:
                        body = struct.pack(">hi", 35, 0)  # ask in the oldest form
                    case 18:
                        known = [(18, 0, 0), (17, 0, 1), (36, 0, 0), (3, 0, 1), (1, 0, 2), (2, 0, 1)]
                        body = struct.pack(">hi", 0, len(known)) + b"".join(struct.pack(">hhh", *one) for one in known)
                    case 17:
                        body = struct.pack(">hih", 0, 1, 5) + b"PLAIN"
                    case _:
                        words = b"Authentication failed: Invalid username or password"
                        body = struct.pack(">hh", 58, len(words)) + words + struct.pack(">i", 0)
                self.wfile.write(struct.pack(">ii", 4 + len(body), number) + body)
