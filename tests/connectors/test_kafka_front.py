"""Kafka as banks run it: over TLS with an authority of their own, with a log-in, with transactions, compaction and a `start`."""

from __future__ import annotations

import ssl
from base64 import b64decode
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import count
from pathlib import Path
from random import Random
from tempfile import mkdtemp
from threading import Timer
from time import monotonic
from typing import Any

import pytest

from connectors import SourceError
from connectors.sources.kafka import Kafka
from tests.authority import Authority
from tests.kafka import Cluster
from tests.kafka_front import Front
from tests.scram import scram

NOW = datetime(2026, 3, 3, 12, tzinfo=UTC)
TOPIC = "transacciones"
PASSWORD = "s3cret,=ñ"  # noqa: S105 - of a fake; with what SCRAM must write otherwise, or PLAIN in UTF-8
PASSWORDS = {"vigia": PASSWORD}
VERSIONS = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)


@cache
def authority(name: str = "CA del banco") -> Authority:
    return Authority(Path(mkdtemp(prefix="vigia-authority-")), name)


def serving(*hosts: str, days: int = 2, tls: ssl.TLSVersion | None = None, clients: bool = False) -> ssl.SSLContext:
    """A broker's side. clients: they must show a certificate of the same authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority().issue("broker", *hosts or ("localhost",), days=days))
    if tls:
        context.minimum_version = context.maximum_version = tls
    if clients:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(authority().ca)
    return context


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """Three brokers with ten messages, for those who only read."""
    made = Cluster(**{"test.mock.num.brokers": 3})
    for n in range(10):
        made.send({"id": n}, partition=n % 4, at=1000 * (int(NOW.timestamp()) - 600 + 60 * n))
    yield made
    made.close()


@pytest.fixture
def other() -> Iterator[Cluster]:
    """For those who write; each message is a batch of its own."""
    made = Cluster(**{"batch.num.messages": 1})
    yield made
    made.close()


@pytest.fixture
def front(cluster: Cluster) -> Iterator[Front]:
    with Front(cluster, serving(), PASSWORDS) as made:
        yield made


def source(front: Front, **options: Any) -> Kafka:
    log_in = {"security": "sasl_ssl", "username": "vigia", "password": PASSWORD} if front.passwords else {}
    log_in |= (
        {"security": "sasl_ssl" if front.passwords else "ssl", "ca_file": str(authority().ca)} if front.tls else {}
    )
    given = {"servers": front.servers, "topics": [TOPIC], "timeout": timedelta(seconds=5)} | log_in | options
    made = Kafka(**{name: value for name, value in given.items() if value is not None})
    made._brokers._options["fetch.wait.max.ms"] = 10  # the mock lets a request wait its full time, though messages come
    return made


def ids(batch: Any) -> list[int]:
    return sorted(batch.table["id"].to_pylist()) if batch.table.num_rows else []


def refused(ask: Callable[[], object]) -> SourceError:
    began = monotonic()
    with pytest.raises(SourceError) as error:
        ask()
    assert monotonic() - began < 20
    assert "\n" not in str(error.value)
    return error.value


# ---- let in --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
def test_over_tls_with_a_log_in_each_message_is_read_once_and_the_group_is_told(
    cluster: Cluster, front: Front, mechanism: str
) -> None:
    reader, cursor, seen = source(front, mechanism=mechanism, batch=4, group=mechanism), None, []
    for _ in range(4):
        batch = reader.poll(cursor, NOW, None)
        cursor = batch.cursor
        seen += ids(batch)
    assert sorted(seen) == list(range(10))
    assert front.log_ins == [(mechanism, True)] * len(front.log_ins) != []
    assert PASSWORD not in repr(cursor)
    reader.committed(cursor)
    reader.close()
    assert cluster.told(mechanism) == cursor["offsets"][TOPIC]["0"] == 3


def test_our_server_side_of_scram_is_that_of_rfc_7677() -> None:
    nonce = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
    talk = scram("sha256", {"user": "pencil"}, nonce, b64decode("W22ZaJ0SNY7soEsUEjb6gQ=="))
    next(talk)
    assert talk.send(b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO") == (
        f"r=rOprNGfwEbeRWgbNEkqO{nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096".encode()
    )
    proof = "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
    assert talk.send(f"c=biws,r=rOprNGfwEbeRWgbNEkqO{nonce},p={proof}".encode()) == (
        b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
    )


@pytest.mark.parametrize("tls", VERSIONS, ids=lambda tls: tls.name)
def test_with_a_certificate_of_its_own_it_is_let_in_without_a_log_in(cluster: Cluster, tls: ssl.TLSVersion) -> None:
    with Front(cluster, serving(tls=tls, clients=True)) as front:
        cert, key = authority().issue("vigia", password="s3cret")
        shown = {"cert_file": str(cert), "key_file": str(key), "key_password": "s3cret"}
        assert ids(source(front, **shown).poll(None, NOW, None)) == list(range(10))
        both = cert.with_name("both.pem")
        cert, key = authority().issue("vigia")
        both.write_text(cert.read_text() + key.read_text())
        assert ids(source(front, cert_file=str(both)).poll(None, NOW, None)) == list(range(10))


def test_whoever_must_log_in_again_does_so_and_goes_on(other: Cluster) -> None:
    with Front(other, serving(), PASSWORDS, life=1000) as front:
        reader, cursor, seen, until = source(front), None, [], monotonic() + 60
        for n in count():
            other.send({"id": n})
            batch = reader.poll(cursor, NOW, None)
            cursor, seen = batch.cursor, seen + ids(batch)
            if len(front.log_ins) > 2 * front.visits or monotonic() > until:
                break
        assert seen == list(range(n + 1))
        assert all(good for _, good in front.log_ins)
        assert len(front.log_ins) > 2 * front.visits, "again and again, each on its connection"


# ---- kept out ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
@pytest.mark.parametrize(
    "wrong", [{"password": "s3cret-wrong"}, {"username": "s3cret-nobody"}], ids=lambda one: next(iter(one))
)
def test_a_wrong_password_is_told_at_once_and_stands_nowhere(
    front: Front, capfd: pytest.CaptureFixture[str], mechanism: str, wrong: dict[str, str]
) -> None:
    reader = source(front, mechanism=mechanism, **wrong)
    for ask in (lambda: reader.poll(None, NOW, None), reader.check):
        said = refused(ask)
        assert (said.fault, said.permanent, said.whole) == ("login", True, True)
        assert f"invalid credentials with SASL mechanism {mechanism}" in str(said)
        assert "s3cret" not in f"{said!r} {said.__cause__!r} {said.__context__!r} {reader!r}"
    assert not any(good for _, good in front.log_ins)
    assert capfd.readouterr() == ("", "")


def test_a_mechanism_that_they_do_not_have_is_told_with_those_they_have(cluster: Cluster) -> None:
    with Front(cluster, serving(), PASSWORDS, mechanisms=("PLAIN", "SCRAM-SHA-256")) as front:
        said = refused(source(front).check)
        assert "supported mechanisms: PLAIN,SCRAM-SHA-256" in str(said)
        assert said.fault == "login"


def test_a_password_that_is_changed_while_we_are_in_is_told_and_one_that_is_right_again_goes_on(other: Cluster) -> None:
    passwords = dict(PASSWORDS)
    with Front(other, serving(), passwords) as front:
        other.send({"id": 0})
        reader = source(front)
        cursor = reader.poll(None, NOW, None).cursor
        passwords["vigia"] = "s3cret-new"
        front.drop()
        front.back()
        other.send({"id": 1})
        assert refused(lambda: reader.poll(cursor, NOW, None)).fault == "login"
        passwords["vigia"] = PASSWORD
        assert ids(reader.poll(cursor, NOW, None)) == [1]


BROKERS: dict[str, tuple[dict[str, Any], dict[str, Any], str, str]] = {
    "authority": ({}, {"ca_file": None}, "login", "its certificate cannot be verified: unable to get local issuer certificate"),
    "name": ({"hosts": ["kafka.banco.example"]}, {}, "login", "its certificate cannot be verified: Hostname mismatch, "),
    "expired": ({"days": -1}, {}, "login", "its certificate cannot be verified: certificate has expired"),
}  # fmt: skip


@pytest.mark.parametrize("tls", VERSIONS, ids=lambda tls: tls.name)
@pytest.mark.parametrize("what", BROKERS)
def test_a_broker_that_is_not_believed_is_told_at_once_with_the_reason(
    cluster: Cluster, what: str, tls: ssl.TLSVersion
) -> None:
    made, options, fault, words = BROKERS[what]
    with Front(cluster, serving(*made.get("hosts", ()), days=made.get("days", 2), tls=tls), PASSWORDS) as front:
        said = refused(source(front, **options).check)
        assert (said.fault, said.whole) == (fault, True)
        assert words in str(said)
        assert str(said).split(": ")[0] in front.servers.split(",")
        assert front.log_ins == [], "no password is sent to whoever is not believed"


@pytest.mark.parametrize("tls", VERSIONS, ids=lambda tls: tls.name)
@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("none", "demands a certificate of ours (cert_file): "),
        ("other", "does not accept our certificate: unknown ca"),
        ("expired", "does not accept our certificate: certificate expired"),
    ],
)
def test_a_certificate_of_ours_that_they_do_not_take_is_told_at_once(
    cluster: Cluster, what: str, words: str, tls: ssl.TLSVersion
) -> None:
    issuer = authority("CA de otros") if what == "other" else authority()
    cert, key = issuer.issue("vigia", days=-1 if what == "expired" else 2)
    shown = {"cert_file": str(cert), "key_file": str(key)} if what != "none" else {}
    with Front(cluster, serving(tls=tls, clients=True)) as front:
        said = refused(source(front, **shown).check)
        assert words in str(said)
        assert (said.fault, said.whole) == ("login", True)


def plainly(front: Front, **options: Any) -> Kafka:
    return source(front, ca_file=None, timeout=timedelta(seconds=1), **options)


def test_tls_where_we_speak_none_is_told_as_such(front: Front) -> None:
    for reader in (
        plainly(front, security="plaintext", username="", password=""),
        plainly(front, security="sasl_plaintext"),
    ):
        said = refused(reader.check)
        assert (said.fault, said.whole) == ("refused", True)
        assert "speaks TLS (security ssl or sasl_ssl)" in str(said)


def test_no_tls_where_we_speak_it_is_told_as_such(cluster: Cluster) -> None:
    with Front(cluster, None, PASSWORDS) as front:
        said = refused(plainly(front, security="sasl_ssl").check)
        assert (said.fault, said.permanent) == ("unreachable", False)
        assert "(is security = sasl_ssl what they speak there?)" in str(said)


def test_no_log_in_where_there_must_be_one_is_told_as_such(front: Front) -> None:
    said = refused(source(front, security="ssl", username="", password="", timeout=timedelta(seconds=1)).check)
    assert (said.fault, said.permanent) == ("unreachable", False)
    assert "(is security = ssl what they speak there?)" in str(said)


@pytest.mark.parametrize("mute", ["hello", "log-in"])
def test_a_broker_that_accepts_and_says_nothing_is_waited_for_so_long(cluster: Cluster, mute: str) -> None:
    with Front(cluster, serving(), PASSWORDS, mute=mute) as front:
        said = refused(source(front, timeout=timedelta(seconds=1)).check)
        assert (said.fault, said.permanent, str(said)) == ("timeout", False, f"{front.servers}: no answer within 1 s")


def test_a_certificate_that_became_none_is_told_and_one_that_is_renewed_serves(front: Front, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text(authority().ca.read_text())
    reader = source(front, ca_file=str(tmp_path / "ca.pem"))
    (tmp_path / "ca.pem").write_text("nada")
    said = refused(reader.check)
    assert str(said) == f"{front.servers}: ca_file: holds no certificate (PEM)"
    assert (said.fault, said.whole) == ("login", True)
    (tmp_path / "ca.pem").write_text(authority().ca.read_text())
    assert ids(reader.poll(None, NOW, None)) == list(range(10))


# ---- in the middle -------------------------------------------------------------------------------------------------


def test_brokers_that_go_in_the_middle_are_unreachable_and_nothing_is_lost_or_read_twice(other: Cluster) -> None:
    draw = Random(7)
    with Front(other, serving(), PASSWORDS) as front:
        reader, cursor, seen, sent, faults = source(front, batch=5, timeout=timedelta(seconds=1)), None, [], 0, []
        for turn in range(12):
            dropping = Timer(draw.random() / 100, front.drop)
            for _ in range(4):
                other.send({"id": sent}, partition=draw.randrange(4))
                sent += 1
            if turn in (3, 7):
                front.drop()
            elif turn in (5, 10):  # as the answer is awaited
                dropping.start()
            elif turn in (4, 6, 8, 11):
                front.back()
            try:
                batch = reader.poll(cursor, NOW, None)
                cursor, seen = batch.cursor, seen + ids(batch)
            except SourceError as error:
                faults.append((error.fault, error.permanent))
            if dropping.ident:
                dropping.join()
        while not (batch := reader.poll(cursor, NOW, None)).drained or ids(batch):
            cursor, seen = batch.cursor, seen + ids(batch)
        assert sorted(seen) == list(range(sent))
        assert len(faults) >= 2
        assert set(faults) == {("unreachable", False)}


# ---- where it begins -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("minutes", [-1, 3.5, 4, 9, 9.5, 60])
def test_the_first_reading_begins_at_start_with_nothing_older_nor_less(front: Front, minutes: float) -> None:
    start = NOW - timedelta(minutes=10) + timedelta(minutes=minutes)
    batch = source(front).poll(None, NOW, start)
    assert ids(batch) == [n for n in range(10) if n >= minutes]
    assert batch.drained
    assert batch.cursor["offsets"][TOPIC] == {"0": 3, "1": 3, "2": 2, "3": 2}


@pytest.mark.parametrize("sooner", [True, False])
def test_what_comes_while_it_is_asked_where_to_begin_is_read_and_nothing_before_it(
    other: Cluster, monkeypatch: pytest.MonkeyPatch, *, sooner: bool
) -> None:
    """After the ends of the partitions are known, and before or after it is known where to begin."""
    first, old = Front.first, int(NOW.timestamp() * 1000) - 7_200_000

    def busy(front: Front, topic: str, partition: int, at: int) -> tuple[int, int]:
        found = None if sooner else first(front, topic, partition, at)
        other.send({"id": 10 + partition}, partition=partition, at=old)
        other.send({"id": 20 + partition}, partition=partition)
        return found or first(front, topic, partition, at)

    monkeypatch.setattr(Front, "first", busy)
    for partition in range(4):
        other.send({"id": partition}, partition=partition, at=old)
    with Front(other) as front:
        reader = source(front)
        begun = reader.poll(None, NOW, NOW - timedelta(hours=1))
        seen = ids(begun) + ids(reader.poll(begun.cursor, NOW, None))
        assert [n for n in seen if n >= 20] == [20, 21, 22, 23]
        assert min(seen) >= 10, "what was there before and is older than start"


# ---- transactions and compaction -----------------------------------------------------------------------------------


@pytest.mark.parametrize("gone", [{1, 2}, {0, 3}, {0, 1, 2, 3}])  # the newest always stays
def test_offsets_that_were_compacted_away_are_passed_over(other: Cluster, gone: set[int]) -> None:
    with Front(other, gone={(0, n) for n in gone}) as front:
        other.send(*({"id": n} for n in range(5)))
        batch = source(front).poll(None, NOW, None)
        assert ids(batch) == sorted(set(range(5)) - gone)
        assert (batch.drained, batch.cursor["offsets"][TOPIC]["0"], batch.lost) == (True, 5, "")


def test_of_transactions_what_was_committed_is_read_and_what_is_open_is_waited_for(other: Cluster) -> None:
    with Front(other) as front:
        other.send({"id": 0})
        front.transaction({"id": 1}, {"id": 2}, end="commit")
        front.transaction({"id": 3}, {"id": 4}, end="abort")
        reader = source(front)
        first = reader.poll(None, NOW, None)
        assert (ids(first), first.drained, first.lost) == ([0, 1, 2], True, "")
        assert first.cursor["offsets"][TOPIC]["0"] == 7, "past the marks, and past what was given up"
        front.transaction({"id": 5}, end="")
        other.send({"id": 6})
        waiting = reader.poll(first.cursor, NOW, None)
        assert (ids(waiting), waiting.drained, waiting.cursor) == ([], True, first.cursor)
        front.end("commit")
        last = reader.poll(waiting.cursor, NOW, None)
        assert (ids(last), last.cursor["offsets"][TOPIC]["0"]) == ([5, 6], 10)
