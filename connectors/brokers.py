"""A connection to Kafka: how it is made, and what is wrong with it in words."""

from __future__ import annotations

import re
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import TYPE_CHECKING, Any

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from connectors import Fault, SourceError
from connectors.broken import hushed
from connectors.handshake import refusal
from connectors.tls import Tls

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PREFETCHED = 64 << 20
"""Bytes that are fetched ahead between two polls."""
PARTING = 2000
"""Milliseconds that an answer to the offsets told is waited for when all is let go of; and as many by the client itself, of whose closing
nothing comes where one is missing."""
GLANCE = 0.25
"""Seconds after which it is looked whether the brokers let us in at all."""
_TLS = re.compile(r"certificate verify failed|SSL alert number")
"""What the client says where TLS itself is refused, by either side; it calls by the same name a connection that merely broke off."""
_FAULTS: tuple[tuple[Fault, tuple[str, ...]], ...] = (
    ("login", ("_AUTHENTICATION", "SASL_AUTHENTICATION_FAILED", "UNSUPPORTED_SASL_MECHANISM", "TLS")),
    ("login", ("TOPIC_AUTHORIZATION_FAILED", "GROUP_AUTHORIZATION_FAILED", "CLUSTER_AUTHORIZATION_FAILED")),
    ("refused", ("UNKNOWN_TOPIC_OR_PART", "TOPIC_EXCEPTION", "_INVALID_ARG")),
    ("unreachable", ("_RESOLVE", "_TRANSPORT", "_ALL_BROKERS_DOWN", "_UNKNOWN_PARTITION", "_UNKNOWN_TOPIC")),
    ("timeout", ("_TIMED_OUT", "_TIMED_OUT_QUEUE", "REQUEST_TIMED_OUT")),
)
"""Kinds of fault by the names of Kafka's errors, the most telling first. TLS is our name; _UNKNOWN_PARTITION means that the client knows of
no broker for it any more."""


@dataclass(slots=True)
class _Heard:
    """What the client says of itself: its errors, each by its name once, and why it could not tell the offsets ('': it could).

    unanswered: one for each time that offsets were told and no answer has come.
    """

    errors: dict[str, str] = field(default_factory=dict)
    refusal: str = ""
    unanswered: deque[None] = field(default_factory=deque)

    def error(self, error: KafkaError) -> None:
        name = error.name()
        if name in ("_SSL", "_TRANSPORT"):
            name = "TLS" if _TLS.search(error.str()) else "_TRANSPORT"
        self.errors.setdefault(name, error.str())

    def log(self, _: int, __: str, *words: str) -> None:
        """As the client's logger: that it was cut off, it says there alone."""
        if "Disconnected" in words[-1]:
            self.errors.setdefault("_TRANSPORT", re.sub(r"^\[thrd:[^\]]*\]: ", "", words[-1]))

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
        tls = Tls(ca_file, cert_file, key_file, key_password)
        self._tls = tls if security.endswith("ssl") else None
        self.servers, self.group, self.seconds = servers, group, seconds
        self._secrets = [secret for secret in (password, key_password) if secret]
        given: dict[str, Any] = {
            "sasl.mechanism": mechanism if username else "", "sasl.username": username, "sasl.password": password,
            "ssl.ca.location": ca_file, "ssl.certificate.location": cert_file, "ssl.key.location": key_file or cert_file,
            "ssl.key.password": key_password,
        }  # fmt: skip
        self._options = {name: value for name, value in given.items() if value} | {
            "bootstrap.servers": servers, "group.id": group, "client.id": "vigia", "security.protocol": security,
            "enable.auto.commit": False, "enable.auto.offset.store": False, "enable.partition.eof": True,
            "auto.offset.reset": "error", "isolation.level": "read_committed",
            "queued.max.messages.kbytes": PREFETCHED >> 10,
            "session.timeout.ms": PARTING, "heartbeat.interval.ms": PARTING // 3,  # of no session: how long parting may take
        }  # fmt: skip
        self._clients: tuple[Consumer, Consumer, _Heard] | None = None
        self._told = ""
        self._let_in = False

    @contextmanager
    def clients(self) -> Iterator[tuple[Consumer, Consumer, bool]]:
        """The consumer, the one to ask, and whether they are new. What goes wrong with them becomes a SourceError, and they are let go."""
        new = self._clients is None
        try:
            if (clients := self._clients) is None:
                self._look_at_files()
                heard = _Heard()
                options = self._options | {"error_cb": heard.error, "on_commit": heard.commit, "logger": heard}
                clients = self._clients = Consumer(options), Consumer(options), heard
            yield clients[0], clients[1], new
            clients[2].errors.clear()  # it was all overcome
            self._let_in = True
        except KafkaException as error:
            raise self._fault(error.args[0]) from None
        except BaseException:
            self._let_go()
            raise

    def partitions(self, asker: Consumer, topic: str, by: float) -> list[int]:
        """Of a topic, asked until `by`, but no longer than it takes to know that no broker will let us in."""
        glance = GLANCE
        while True:
            try:
                found = asker.list_topics(topic, timeout=min(glance, max(by - monotonic(), 0.1))).topics[topic]
            except KafkaException as error:
                asker.consume(1, timeout=0)  # what the client has to say comes with it
                if error.args[0].name() == "_TIMED_OUT":
                    glance = self.seconds  # we are in, and they are slow
                elif error.args[0].name() != "_TRANSPORT" or self._shut_out():
                    raise
                if monotonic() >= by:
                    raise self.late("no answer") from None
                continue
            if found.error:
                raise KafkaException(found.error)
            return sorted(found.partitions)

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
        """There was no answer in time, unless the client says why there could be none."""
        return self._known({}) or SourceError(f"{self.servers}: {what} within {self.seconds:g} s", fault="timeout")

    def _look_at_files(self) -> None:
        """They may be others than at the start: without a word the library would ask for the password of a key at the terminal."""
        try:
            if self._tls:
                replace(self._tls)
        except ValueError as error:
            raise SourceError(f"{self.servers}: {error}", whole=True, fault="login") from None

    def _fault(self, error: KafkaError) -> SourceError:
        known = self._known({error.name(): error.str()})
        return known or SourceError(f"{self.servers}: {self._shown(error.str())}", fault="server")

    def _known(self, said: dict[str, str]) -> SourceError | None:
        """What is behind an error, which may only say that there was no answer: the client's own errors say why."""
        if (clients := self._clients) is not None:
            for client in clients[:2]:
                client.consume(1, timeout=0.05)  # they come with it
            said |= clients[2].errors
        self._let_go()
        for kind, names in _FAULTS:
            for name in names:
                if name in said:
                    words = f"{self.servers}: {self._shown(said[name])}"
                    vague = kind == "unreachable" and name != "_RESOLVE" and "Connect to" not in words
                    if (vague or name == "TLS") and (refused := self._refusal(said[name])):
                        return refused
                    if vague and not self._let_in:
                        words += f" (is security = {self._options['security.protocol']} what they speak there?)"
                    permanent = kind in ("login", "refused")
                    return SourceError(words, permanent=permanent, whole=kind == "login", fault=kind)
        return None

    def _shut_out(self) -> bool:
        """By every broker, and it will be the same at the next attempt."""
        errors = self._clients[2].errors if self._clients else {}
        return "_ALL_BROKERS_DOWN" in errors and any(name in errors for name in _FAULTS[0][1])

    def _refusal(self, words: str) -> SourceError | None:
        """What is wrong with TLS at the broker that is named, or at the first."""
        named = re.match(r"(?:\w+://)?([^\s/]+:\d+)/\w+: ", words)
        found = refusal(named[1] if named else self.servers.split(",")[0], self._tls)
        return found if found and found.permanent else None

    def _shown(self, words: str) -> str:
        words = re.sub(r" \(after \d+ms in state \w+\)|^\S+/(bootstrap|\d+): ", "", " ".join(words.split()))
        return hushed(words, self._secrets)
