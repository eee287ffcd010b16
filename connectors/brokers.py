"""A connection to Kafka: how it is made, and what is wrong with it in words."""

from __future__ import annotations

import re
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from connectors import Fault, SourceError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PREFETCHED = 64 << 20
"""Bytes that are fetched ahead between two polls."""
PARTING = 2000
"""Milliseconds that an answer to the offsets told is waited for when all is let go of; and as many by the client itself, of whose closing
nothing comes where one is missing."""
_FAULTS: tuple[tuple[Fault, tuple[str, ...]], ...] = (
    ("login", ("_AUTHENTICATION", "SASL_AUTHENTICATION_FAILED", "UNSUPPORTED_SASL_MECHANISM", "_SSL")),
    ("login", ("TOPIC_AUTHORIZATION_FAILED", "GROUP_AUTHORIZATION_FAILED", "CLUSTER_AUTHORIZATION_FAILED")),
    ("refused", ("UNKNOWN_TOPIC_OR_PART", "_UNKNOWN_TOPIC", "_UNKNOWN_PARTITION", "TOPIC_EXCEPTION", "_INVALID_ARG")),
    ("unreachable", ("_RESOLVE", "_TRANSPORT", "_ALL_BROKERS_DOWN")),
    ("timeout", ("_TIMED_OUT", "_TIMED_OUT_QUEUE", "REQUEST_TIMED_OUT")),
)
"""Kinds of fault by the names of Kafka's errors, the most telling first."""


@dataclass(slots=True)
class _Heard:
    """What the client says of itself: its errors, each by its name once, and why it could not tell the offsets ('': it could).

    unanswered: one for each time that offsets were told and no answer has come.
    """

    errors: dict[str, str] = field(default_factory=dict)
    refusal: str = ""
    unanswered: deque[None] = field(default_factory=deque)

    def error(self, error: KafkaError) -> None:
        self.errors.setdefault(error.name(), error.str())

    def commit(self, error: KafkaError | None, places: Iterable[TopicPartition] = ()) -> None:
        self.unanswered.popleft()
        first = error or next((place.error for place in places if place.error), None)
        self.refusal = first.str() if first else ""


class Brokers:
    """A consumer and one that only asks, made when they are needed, kept while all goes well, and made anew after a fault.

    A broker answers the requests of a connection one after another, and one for messages waits half a second for some: what is asked
    besides goes by connections of its own.

    servers: host:port, several with commas. The rest as in `connectors.sources.kafka.Kafka`. Raises ValueError, beginning with the option.
    """

    def __init__(
        self,
        servers: str,
        group: str,
        seconds: float,
        *,
        security: str,
        mechanism: str,
        username: str,
        password: str,
        ca_file: str,
        cert_file: str,
        key_file: str,
        key_password: str,
    ) -> None:
        if not re.fullmatch(r"[^\s,@/]+:\d+(,[^\s,@/]+:\d+)*", servers):
            raise ValueError("servers: must be host:port, several with commas")
        if not group:
            raise ValueError("group: must not be empty")
        if security.startswith("sasl") != bool(username) or bool(username) != bool(password):
            raise ValueError("username: username and password go with security sasl_ssl (or sasl_plaintext)")
        for name, path in (("ca_file", ca_file), ("cert_file", cert_file), ("key_file", key_file)):
            if path and not security.endswith("ssl"):
                raise ValueError(f"{name}: goes with security ssl or sasl_ssl")
            if path and not Path(path).is_file():
                raise ValueError(f"{name}: no such file")
        if bool(cert_file) != bool(key_file):
            raise ValueError("cert_file: cert_file and key_file go together")
        self.servers, self.group, self.seconds = servers, group, seconds
        self._secrets = [secret for secret in (password, key_password) if secret]
        given: dict[str, Any] = {
            "sasl.mechanism": mechanism if username else "", "sasl.username": username, "sasl.password": password,
            "ssl.ca.location": ca_file, "ssl.certificate.location": cert_file, "ssl.key.location": key_file,
            "ssl.key.password": key_password,
        }  # fmt: skip
        self._options = {name: value for name, value in given.items() if value} | {
            "bootstrap.servers": servers, "group.id": group, "client.id": "vigia", "security.protocol": security,
            "enable.auto.commit": False, "enable.auto.offset.store": False, "enable.partition.eof": True,
            "auto.offset.reset": "error", "isolation.level": "read_committed",
            "queued.max.messages.kbytes": PREFETCHED >> 10,
            "session.timeout.ms": PARTING, "heartbeat.interval.ms": PARTING // 3,  # of no session: how long parting may take
            "log_level": 0,  # it would write to stderr by itself, and says the same as errors
        }  # fmt: skip
        self._clients: tuple[Consumer, Consumer, _Heard] | None = None
        self._told = ""

    @contextmanager
    def clients(self) -> Iterator[tuple[Consumer, Consumer, bool]]:
        """The consumer, the one to ask, and whether they are new. What goes wrong with them becomes a SourceError, and they are let go."""
        new = self._clients is None
        try:
            if (clients := self._clients) is None:
                heard = _Heard()
                options = self._options | {"error_cb": heard.error, "on_commit": heard.commit}
                clients = self._clients = Consumer(options), Consumer(options), heard
            yield clients[0], clients[1], new
        except KafkaException as error:
            raise self._fault(error.args[0]) from None
        except BaseException:
            self._let_go()
            raise

    def tell(self, offsets: list[TopicPartition]) -> None:
        """The group's offsets, without waiting for an answer; SourceError if those before were refused, once.

        For any thread.
        """
        if (clients := self._clients) is None or not offsets:
            return
        consumer, _, heard = clients
        heard.unanswered.append(None)
        try:
            consumer.commit(offsets=offsets, asynchronous=True)
        except KafkaException as error:
            heard.commit(error.args[0])
        before, self._told = self._told, heard.refusal
        if self._told and self._told != before:
            raise SourceError(f"{self.servers}: offsets of group {self.group}: {self._shown(self._told)}")

    def close(self) -> None:
        """Let go of the clients, once what they told is answered; others are made when they are needed."""
        if (clients := self._clients) is not None:
            consumer, _, heard = clients
            by = monotonic() + PARTING / 1000
            while heard.unanswered and monotonic() < by:
                consumer.consume(1, timeout=0.1)  # the answer comes with it; a message will come again
        self._let_go()

    def _let_go(self) -> None:
        self._clients = None  # they close with their last reference: another thread may hold one this moment

    def late(self, what: str) -> SourceError:
        """There was no answer in time."""
        return SourceError(f"{self.servers}: {what} within {self.seconds:g} s", fault="timeout")

    def _fault(self, error: KafkaError) -> SourceError:
        """What is behind an error, which may only say that there was no answer: the client's own errors say why."""
        said = {error.name(): error.str()}
        if (clients := self._clients) is not None:
            for client in clients[:2]:
                client.consume(1, timeout=0.05)  # they come with it
            said |= clients[2].errors
        self._let_go()
        for kind, names in _FAULTS:
            for name in names:
                if name in said:
                    words = f"{self.servers}: {self._shown(said[name])}"
                    permanent = kind in ("login", "refused")
                    return SourceError(words, permanent=permanent, whole=kind == "login", fault=kind)
        return SourceError(f"{self.servers}: {self._shown(error.str())}", fault="server")

    def _shown(self, words: str) -> str:
        words = re.sub(r" \(after \d+ms in state \w+\)|^\S+/bootstrap: ", "", " ".join(words.split()))
        for secret in self._secrets:
            words = words.replace(secret, "***")
        return words
