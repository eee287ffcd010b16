"""What stands before the brokers of `tests.kafka.Cluster` in a bank: TLS, a log-in, and a log with times, transactions and compaction.

librdkafka's mock of a broker knows none of it. Each broker gets a door of its own, which speaks Kafka's protocol as a broker of 2.7 does
(no newer form of what is read or rewritten here), answers the log-in itself, and hands on the rest; brokers are told by their doors.
Record batches that are rewritten keep their old checksum: the client does not look at it unless told to.
"""

from __future__ import annotations

import socket
import ssl
import struct
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from math import inf
from socketserver import BaseRequestHandler, ThreadingTCPServer
from threading import Event, Lock, Thread
from time import monotonic
from typing import Any, Self

from confluent_kafka import Consumer, TopicPartition

from tests.fake_mail import free_port
from tests.kafka import Cluster
from tests.scram import MECHANISMS, DeniedError, Talk

FETCH, OFFSETS, METADATA, COORDINATOR, HANDSHAKE, VERSIONS, AUTHENTICATE = 1, 2, 3, 10, 17, 18, 36
NEWEST = {FETCH: 11, OFFSETS: 5, METADATA: 8, COORDINATOR: 2}
"""The only versions known here of what is rewritten: a client takes the newest."""
LARGEST = 100 << 20
"""Bytes of a request; a greeting of TLS, read as one, is more, and a broker cuts it off."""
PRODUCER = 4711
"""The number of the one that makes the transactions."""
GRACE = 5.0
"""Seconds before it is cut off: it is to log in again in time, which on a busy machine is a little later."""


@dataclass
class Front:
    """Doors of the cluster's brokers, until `close`.

    tls: the server's side (None: plain); passwords: by user (None: no log-in); mechanisms: those that are let in by; host: by which name
    the brokers are told; life: milliseconds after which whoever has not logged in again is cut off, with a grace (0: never).
    mute: 'hello' (it accepts and says nothing) or 'log-in' (nor to what comes after the log-in). log_ins: which
    mechanism was tried, and whether the client was let in; visits: connections so far.
    """

    cluster: Cluster
    tls: ssl.SSLContext | None = None
    passwords: Mapping[str, str] | None = None
    mechanisms: tuple[str, ...] = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
    host: str = "localhost"
    life: int = 0
    mute: str = ""
    log_ins: list[tuple[str, bool]] = field(default_factory=list)
    gone: set[tuple[int, int]] = field(default_factory=set)
    """Partition and offset of what was compacted away."""
    open: dict[int, int] = field(default_factory=dict)
    """By partition, the first offset of the transaction that is still open."""
    _of: dict[tuple[int, int], bool] = field(default_factory=dict)
    """Partition and offset of what is of a transaction -> whether it is the mark at its end."""
    _aborted: list[tuple[int, int, int]] = field(default_factory=list)
    """Partition, first offset and mark of transactions that were given up."""

    def __post_init__(self) -> None:
        self.ended, self.lock = Event(), Lock()
        self.connections: set[socket.socket] = set()
        self.visits = 0
        self.doors = {place: _Door(self, place, free_port()) for place in self.cluster.servers.split(",")}
        self.servers = ",".join(f"{self.host}:{door.server_address[1]}" for door in self.doors.values())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def transaction(self, *values: Any, partition: int = 0, end: str) -> None:
        """Messages of one transaction, and its end: 'commit', 'abort', or '' as long as it is open. The cluster makes a batch of each."""
        first = self.cluster.end(partition)
        self._of |= {(partition, first + n): False for n in range(len(values))}
        self.open[partition] = first
        self.cluster.send(*values, partition=partition)
        if end:
            self.end(end, partition)

    def end(self, how: str, partition: int = 0) -> None:
        """The transaction that is open there ends: its mark comes into the log."""
        mark = self.cluster.end(partition)
        self._of[partition, mark] = True
        if how == "abort":
            self._aborted.append((partition, self.open[partition], mark))
        self.cluster.send(b"\0" * 6, partition=partition, key=f"\0\0\0{chr(how == 'commit')}")
        del self.open[partition]

    def drop(self) -> None:
        """The brokers are gone: whoever is connected is cut off, and nobody listens."""
        for door in self.doors.values():
            door.shutdown()
            door.server_close()
        with self.lock:
            for connection in self.connections:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def back(self) -> None:
        """They are there again, where they were."""
        self.doors = {place: _Door(self, place, door.server_address[1]) for place, door in self.doors.items()}

    def close(self) -> None:
        self.ended.set()
        self.drop()

    def first(self, topic: str, partition: int, at: int) -> tuple[int, int]:
        """The first message with this time or a later one, as its time in ms and its offset; (-1, -1): there is none."""
        reader = Consumer(
            {"bootstrap.servers": self.cluster.servers, "group.id": "t", "fetch.wait.max.ms": 10, "log_level": 0}
        )
        low, high = reader.get_watermark_offsets(TopicPartition(topic, partition), timeout=60)
        reader.assign([TopicPartition(topic, partition, low)])
        try:
            while low < min(high, self.open.get(partition, high)):
                for message in reader.consume(high - low, timeout=0.5):
                    low = message.offset() + 1
                    if message.timestamp()[1] >= at and (partition, message.offset()) not in self.gone:
                        return message.timestamp()[1], message.offset()
        finally:
            reader.close()
        return -1, -1

    def records(self, partition: int, batches: bytes) -> tuple[bytes, list[int]]:
        """Those whose transactions have ended, marked as of these; and where those begin that were given up."""
        kept, at, first = b"", 0, inf
        while at + 12 <= len(batches):
            offset, size = struct.unpack_from(">qi", batches, at)
            batch, at = bytearray(batches[at : at + 12 + size]), at + 12 + size
            if offset >= self.open.get(partition, offset + 1):
                break
            if (partition, offset) in self._of:
                (kind,) = struct.unpack_from(">h", batch, 21)
                control = self._of[partition, offset]
                struct.pack_into(">h", batch, 21, kind | 0x10 | 0x20 * control)
                struct.pack_into(">qhi", batch, 43, PRODUCER, 0, -1 if control else 0)
            kept, first = kept + batch, min(first, offset)
        return kept, [began for place, began, mark in self._aborted if place == partition and mark >= first]


class _Door(ThreadingTCPServer):
    daemon_threads = allow_reuse_address = True
    request_queue_size = 64

    def __init__(self, front: Front, place: str, port: int) -> None:
        self.front, self.place = front, place
        super().__init__(("127.0.0.1", port), _Visit)
        Thread(target=self.serve_forever, args=[0.01], daemon=True).start()

    def handle_error(self, *_: object) -> None:
        """Whoever goes away in the middle is no fault of ours."""


class _Visit(BaseRequestHandler):
    server: _Door

    def handle(self) -> None:
        front = self.server.front
        if front.mute == "hello":
            front.ended.wait()
            return
        with suppress(OSError, EOFError, DeniedError):
            host, port = self.server.place.split(":")
            with front.lock:
                front.connections.add(self.request)
                front.visits += 1
            client = front.tls.wrap_socket(self.request, server_side=True) if front.tls else self.request
            with client, socket.create_connection((host, int(port))) as broker:
                with front.lock:
                    front.connections.add(client)
                self._serve(client, broker)

    def _serve(self, client: socket.socket, broker: socket.socket) -> None:
        """Answer one request after another, as a broker does."""
        front, mechanism = self.server.front, ""
        talk: Talk | None = None
        inside, until = front.passwords is None, inf
        while True:
            request = _Read(_frame(client))
            api, version, number = request.take("hhi")
            request.text()  # who asks
            if api == VERSIONS:
                answer = _versions(broker, version)
            elif api == HANDSHAKE:
                mechanism = request.text()
                known = mechanism in front.mechanisms
                answer = _said("hi", 33 * (not known), len(front.mechanisms)) + b"".join(map(_text, front.mechanisms))
                if known:
                    talk = MECHANISMS[mechanism](front.passwords or {})
                    next(talk)
            elif api == AUTHENTICATE and talk:
                life = _said("q", front.life) if version else b""
                try:
                    answer = talk.send(request.blob())
                except DeniedError:
                    front.log_ins.append((mechanism, False))
                    _send(client, number, _said("h", 58) + _text(WRONG.format(mechanism)) + _said("i", 0) + life)
                    return
                inside = mechanism == "PLAIN" or answer.startswith(b"v=")
                if inside:
                    until = monotonic() + front.life / 1000 + GRACE if front.life else inf
                    front.log_ins.append((mechanism, True))
                answer = _said("hhi", 0, -1, len(answer)) + answer + life
            elif not inside or monotonic() > until:
                return  # as a broker does where something else comes before the log-in
            elif front.mute == "log-in":
                front.ended.wait()
                return
            else:
                assert version == NEWEST.get(api, version)
                told = self._past_holes(request) if api == FETCH else request.bytes
                broker.sendall(_said("i", len(told)) + told)
                answer = self._rewritten(api, request, _Read(_frame(broker)[4:]))
            _send(client, number, answer)

    def _rewritten(self, api: int, request: _Read, answer: _Read) -> bytes:
        match api:
            case 3:
                made = _said("i", answer.take("i")[0])  # throttled
                (many,) = answer.take("i")
                made += _said("i", many)
                for _ in range(many):
                    made += _said("i", answer.take("i")[0]) + self._door(answer) + _text(answer.text())
                return made + answer.rest()
            case 10:
                throttled, error = answer.take("ih")
                why, node = answer.text(), answer.take("i")[0]
                made = _said("ih", throttled, error) + _text(why) + _said("i", node)
                return made + (answer.rest() if error else self._door(answer))
            case 2:
                return self._offsets(request, answer)
            case 1:
                return self._fetched(answer)
            case _:
                return answer.bytes

    def _door(self, answer: _Read) -> bytes:
        """The door of the broker that is named there."""
        place = f"{answer.text()}:{answer.take('i')[0]}"
        return _text(self.server.front.host) + _said("i", self.server.front.doors[place].server_address[1])

    def _offsets(self, request: _Read, answer: _Read) -> bytes:
        """With the offsets of times, and without what is in an open transaction."""
        front = self.server.front
        _, committed = request.take("ib")
        times = {}
        for topic, partition in request.places():
            times[topic, partition] = request.take("iq")[1]
        made = _said("i", answer.take("i")[0])
        for topic, partition in answer.places(heard := bytearray()):
            error, time, offset, epoch = answer.take("hqqi")
            if error == 0 and (asked := times[topic, partition]) >= 0:
                time, offset = front.first(topic, partition, asked)
            elif committed and asked == -1:
                offset = min(offset, front.open.get(partition, offset))
            heard += _said("hqqi", error, time, offset, epoch)
        return made + bytes(heard)

    def _past_holes(self, request: _Read) -> bytes:
        """From where there is something again."""
        made = bytearray(request.bytes)
        request.take("iiiibii")
        for _, partition in request.places():
            (_, offset), at = request.take("iq"), request.at - 8
            while (partition, offset) in self.server.front.gone:
                offset += 1
            struct.pack_into(">q", made, at, offset)
            request.take("qi")
        return bytes(made)

    def _fetched(self, answer: _Read) -> bytes:
        """As the log has it."""
        front = self.server.front
        made = _said("ihi", *answer.take("ihi"))
        for _, partition in answer.places(heard := bytearray()):
            error, high, stable, start = answer.take("hqqq")
            for _ in range(max(answer.take("i")[0], 0)):
                answer.take("qq")
            (replica,) = answer.take("i")
            batches, aborted = front.records(partition, answer.blob())
            stable = min(high, front.open.get(partition, high))
            heard += _said("hqqqi", error, high, stable, start, len(aborted))
            heard += b"".join(_said("qq", PRODUCER, first) for first in aborted)
            heard += _said("ii", replica, len(batches)) + batches
        return made + bytes(heard)


WRONG = "Authentication failed during authentication due to invalid credentials with SASL mechanism {}"


class _Read:
    """Bytes that are taken from the front."""

    def __init__(self, all_: bytes) -> None:
        self.bytes, self.at = all_, 0

    def take(self, form: str) -> tuple[Any, ...]:
        found = struct.unpack_from(f">{form}", self.bytes, self.at)
        self.at += struct.calcsize(f">{form}")
        return found

    def text(self) -> str | None:
        (size,) = self.take("h")
        return None if size < 0 else self._piece(size).decode()

    def blob(self) -> bytes:
        return self._piece(max(self.take("i")[0], 0))

    def rest(self) -> bytes:
        return self._piece(len(self.bytes) - self.at)

    def places(self, copy: bytearray | None = None) -> Iterator[tuple[str, int]]:
        """Topic and partition, where what is said of each follows it; all of it is said in the copy too."""
        copy = bytearray() if copy is None else copy
        (topics,) = self.take("i")
        copy += _said("i", topics)
        for _ in range(topics):
            topic = self.text() or ""
            (partitions,) = self.take("i")
            copy += _text(topic) + _said("i", partitions)
            for _ in range(partitions):
                (partition,) = self.take("i")
                copy += _said("i", partition)
                yield topic, partition

    def _piece(self, size: int) -> bytes:
        self.at += size
        return self.bytes[self.at - size : self.at]


def _said(form: str, *values: Any) -> bytes:
    return struct.pack(f">{form}", *values)


def _text(words: str | None) -> bytes:
    return _said("h", -1) if words is None else _said("h", len(words.encode())) + words.encode()


def _send(connection: socket.socket, number: int, answer: bytes) -> None:
    connection.sendall(_said("ii", 4 + len(answer), number) + answer)


def _frame(connection: socket.socket) -> bytes:
    """What comes next; EOFError at the end."""
    (size,) = struct.unpack(">i", _all(connection, 4))
    if not 0 <= size <= LARGEST:
        raise EOFError
    return _all(connection, size)


def _all(connection: socket.socket, size: int) -> bytes:
    taken = b""
    while len(taken) < size:
        piece = connection.recv(size - len(taken))
        if not piece:
            raise EOFError
        taken += piece
    return taken


def _versions(broker: socket.socket, version: int) -> bytes:
    """What the broker can do, and logging in besides."""
    broker.sendall(_said("ihhih", 10, VERSIONS, 0, 0, -1))
    told = _Read(_frame(broker)[4:])
    error, many = told.take("hi")
    known = {api: (low, min(high, NEWEST.get(api, high))) for api, low, high in (told.take("hhh") for _ in range(many))}
    known |= {HANDSHAKE: (0, 1), AUTHENTICATE: (0, 1), VERSIONS: (0, 3)}
    if version < 3:
        ranges = b"".join(_said("hhh", api, *span) for api, span in known.items())
        return _said("hi", error, len(known)) + ranges + (_said("i", 0) if version else b"")
    if version > 3:
        return _said("hi", 35, 1) + _said("hhh", VERSIONS, 0, 3)  # in the oldest form, as it must be
    assert len(known) < 127
    ranges = b"".join(_said("hhhb", api, *span, 0) for api, span in known.items())
    return _said("hb", error, len(known) + 1) + ranges + _said("ib", 0, 0)
