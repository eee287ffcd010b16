"""A Kafka in this process: librdkafka's own mock of a cluster, which knows offsets and groups; topics appear as they are named."""

from __future__ import annotations

import json
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
        brokers = self._producer.list_topics(timeout=60).brokers.values()
        self.servers = ",".join(f"{broker.host}:{broker.port}" for broker in brokers)
        self._producer.list_topics(topic, timeout=60)  # and the topic is there

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
        assert self._producer.flush(60) == 0

    def end(self, partition: int = 0) -> int:
        """The offset of the next message."""
        asker = Consumer({"bootstrap.servers": self.servers, "group.id": "end", "log_level": 0})
        _, high = asker.get_watermark_offsets(TopicPartition(self.topic, partition), timeout=60)
        asker.close()
        return int(high)

    def told(self, group: str = "vigia", partition: int = 0) -> int:
        """The group's offset as the broker has it; negative where it has none."""
        asker = Consumer({"bootstrap.servers": self.servers, "group.id": group, "log_level": 0})
        (place,) = asker.committed([TopicPartition(self.topic, partition)], timeout=60)
        asker.close()
        return int(place.offset)

    def close(self) -> None:
        """The cluster is gone."""
        self._producer = None
