"""Messages of topics: where it goes on, what is lost, what is malformed, and what a cluster that cannot be used says."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from random import Random
from time import monotonic
from typing import Any

import pyarrow as pa
import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors import Batch, SourceError, jsonl
from connectors.kinds import load
from connectors.mapping import Mapping
from connectors.sources.kafka import Kafka
from tests.kafka import PARTITIONS, Cluster

NOW = datetime(2026, 3, 3, 12, tzinfo=UTC)
TOPIC = "transacciones"


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    made = Cluster()
    yield made
    made.close()


def source(cluster: Cluster, **options: Any) -> Kafka:
    made = Kafka(**{"servers": cluster.servers, "topics": [TOPIC], "timeout": timedelta(seconds=5)} | options)
    made._brokers._options["fetch.wait.max.ms"] = 10  # the mock lets a request wait its full time, though messages come
    return made


def ids(batch: Batch) -> list[int]:
    return batch.table["id"].to_pylist() if batch.table.num_rows else []


def kept(cursor: Any) -> Any:
    """As it comes back from the store."""
    return json.loads(json.dumps(cursor))


def test_it_goes_on_in_every_partition_and_a_batch_holds_so_many(cluster: Cluster) -> None:
    for n in range(20):
        cluster.send({"id": n}, partition=n % 2)
    reader, cursor, seen, drained = source(cluster, batch=7), None, [], []
    for _ in range(3):
        batch = reader.poll(cursor, NOW, None)
        cursor = kept(batch.cursor)
        seen.append(ids(batch))
        drained.append(batch.drained)
    assert sorted(n for one in seen for n in one) == list(range(20))
    assert [len(one) for one in seen] == [7, 7, 6]
    assert drained == [False, False, True]
    assert cursor == {"offsets": {TOPIC: {"0": 10, "1": 10, "2": 0, "3": 0}}}


def test_a_batch_holds_so_many_bytes(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.sources.kafka.BYTES", 50_000)
    cluster.send(*({"id": n, "text": "x" * 1000} for n in range(200)))
    reader = source(cluster)
    first = reader.poll(None, NOW, None)
    assert 40 < first.table.num_rows < 120
    rest = reader.poll(first.cursor, NOW, None)
    assert ids(first) + ids(rest) == list(range(first.table.num_rows + rest.table.num_rows))


def test_until_it_is_drained_all_has_come_up_to_the_newest_message_of_the_partition_that_is_furthest_behind(
    cluster: Cluster,
) -> None:
    start = int(NOW.timestamp() * 1000) - 100_000
    for n in range(10):
        cluster.send({"id": n}, at=start + n * 1000)
    reader = source(cluster, batch=4)
    first = reader.poll(None, NOW, None)
    assert (first.drained, first.complete_until) == (False, NOW - timedelta(seconds=97))
    assert reader.poll(first.cursor, NOW - timedelta(minutes=3), None).complete_until == NOW - timedelta(minutes=3), (
        "never ahead of now"
    )
    cluster.send({"id": 10}, partition=1)
    assert source(cluster, batch=1).poll(first.cursor, NOW, None).complete_until is None, (
        "of one of two behind nothing came"
    )
    last = source(cluster).poll(first.cursor, NOW, None)
    assert (last.drained, last.complete_until) == (True, NOW)


@pytest.mark.parametrize("wrong", [1000, 10**6, 1 + 365 * 86_400_000 / (NOW.timestamp() * 1000)])
def test_a_message_with_a_wrong_time_of_its_own_closes_nothing_and_stops_nothing(
    cluster: Cluster, wrong: float
) -> None:
    now = int(NOW.timestamp() * 1000)
    cluster.send({"id": 0}, at=now - 3_600_000)
    cluster.send({"id": 1}, at=int(now * wrong))
    cluster.send({"id": 2}, at=now)
    first = source(cluster, batch=2, envelope=["time"]).poll(None, NOW, None)
    assert (ids(first), first.complete_until) == ([0, 1], NOW - timedelta(hours=1))
    rows = Mapping(role="transactions", columns={"timestamp": "_time"}, defaults={"status": "ok"})
    assert len(rows.apply(first.table, first.where).rejects) == (wrong > 2)
    assert source(cluster, batch=1).poll({"offsets": {TOPIC: {"0": 1}}}, NOW, None).complete_until is None


def test_the_same_reader_goes_back_where_the_cursor_says(cluster: Cluster) -> None:
    cluster.send({"id": 0}, {"id": 1})
    reader = source(cluster)
    first = reader.poll(None, NOW, None)
    cluster.send({"id": 2})
    assert ids(reader.poll(first.cursor, NOW, None)) == [2]
    assert ids(reader.poll(first.cursor, NOW, None)) == [2]
    assert ids(reader.poll(None, NOW, None)) == [0, 1, 2]


def test_a_partition_that_is_new_is_read_from_its_beginning(cluster: Cluster) -> None:
    cluster.send({"id": 0}, at=int(NOW.timestamp() * 1000) - 7_200_000)
    known = {"offsets": {TOPIC: {"1": 0, "2": 0, "3": 0}}}
    assert ids(source(cluster).poll(known, NOW, NOW - timedelta(hours=1))) == [0]


def test_what_is_no_longer_kept_and_was_not_read_is_told_as_lost(cluster: Cluster) -> None:
    cluster.send({"id": 0})
    reader = source(cluster)
    before = kept(reader.poll(None, NOW, None).cursor)
    noise = Random(1)
    for n in range(1, 15):  # the mock keeps 5 MB of a partition
        cluster.send({"id": n, "text": noise.randbytes(300_000).hex()})
    batch = source(cluster).poll(before, NOW, None)
    first = ids(batch)[0]
    assert first > 1
    assert batch.lost == f"{TOPIC}[0]: offsets 1 to {first - 1} were not read and are no longer kept"
    assert ids(batch) == list(range(first, 15))
    assert source(cluster).poll(batch.cursor, NOW, None).lost == ""
    assert source(cluster).poll(None, NOW, None).lost == "", "at the first reading it is merely history"


def test_a_topic_made_anew_is_told_and_read_from_its_beginning(cluster: Cluster) -> None:
    cluster.send({"id": 0})
    batch = source(cluster).poll({"offsets": {TOPIC: {"0": 7, "1": 0, "2": 0, "3": 0}}}, NOW, None)
    assert ids(batch) == [0]
    assert batch.lost == f"{TOPIC}[0]: ends at offset 1, before 7 where reading stopped; read from 0"
    assert batch.cursor["offsets"][TOPIC]["0"] == 1


def test_what_is_no_json_is_told_by_its_offset_and_the_others_go_on(cluster: Cluster) -> None:
    deep = b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    cluster.send({"id": 0}, b"nada", None, b"\xff", {"id": 4}, b"[5]", deep, b'{"id":\n7\n}\n')
    batch = source(cluster).poll(None, NOW, None)
    assert ids(batch) == [0, 4, 7]
    assert [(reject.where, reject.why.split(":")[0]) for reject in batch.rejects] == [
        (f"{TOPIC}[0] offset 1", "not JSON"),
        (f"{TOPIC}[0] offset 3", "not UTF-8"),
        (f"{TOPIC}[0] offset 5", "not a JSON object with a key"),
        (f"{TOPIC}[0] offset 6", "nested more than 100 deep"),
    ]
    assert batch.where
    assert [batch.where(row) for row in range(3)] == [f"{TOPIC}[0] offset {n}" for n in (0, 4, 7)]
    assert batch.cursor["offsets"][TOPIC]["0"] == 8


def test_the_envelope_and_nested_objects_are_columns(cluster: Cluster) -> None:
    at = int(NOW.timestamp() * 1000)
    cluster.send({"estado": "ok", "cliente": {"nit": "900123456"}, "_key": "theirs"}, at=at, key="k1")
    cluster.send({"estado": "ok"}, partition=3, at=at)
    batch = source(cluster, envelope=["time", "key", "topic", "partition", "offset"]).poll(None, NOW, None)
    rows = sorted(batch.table.to_pylist(), key=lambda row: row["_partition"])
    assert rows[0] == {
        "estado": "ok", "cliente.nit": "900123456", "_time": NOW, "_key": "k1", "_topic": TOPIC, "_partition": 0, "_offset": 0,
    }  # fmt: skip
    assert (rows[1]["_key"], rows[1]["_partition"]) == (None, 3)
    ours = Mapping(role="transactions", columns={"timestamp": "_time", "client_id": "cliente.nit", "status": "estado"})
    assert ours.apply(batch.table, batch.where).table["timestamp"].to_pylist() == [NOW, NOW]
    assert source(cluster).poll(None, NOW, None).table.column_names[:1] == ["estado"]


def until(told: Any, wanted: Any) -> Any:
    """What is asked again until it is as wanted, for a while."""
    return next((said for n in count() if (said := told()) == wanted or n > 300), None)


def test_the_group_is_told_what_is_committed_and_nothing_before(cluster: Cluster) -> None:
    cluster.send({"id": 0}, {"id": 1})
    reader = source(cluster)
    first = reader.poll(None, NOW, None)
    cluster.send({"id": 2})
    reader.poll(first.cursor, NOW, None)
    assert cluster.told() < 0
    reader.committed(first.cursor)
    assert until(cluster.told, 2) == 2
    assert "group vigia is 1 behind" in reader.check()
    assert "group other has not told offsets yet" in source(cluster, group="other").check()
    reader.close()
    reader.committed(first.cursor)  # nobody to tell
    assert ids(reader.poll(first.cursor, NOW, None)) == [2]


def test_what_was_told_last_arrives_before_it_is_let_go_and_a_broker_that_is_gone_is_not_waited_for(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.send({"id": 0})
    reader = source(cluster)
    cursor = reader.poll(None, NOW, None).cursor
    reader.committed(cursor)
    assert reader._brokers._clients
    heard = reader._brokers._clients[2]
    reader.close()
    assert not heard.unanswered
    assert cluster.told() == 1
    monkeypatch.setattr("connectors.brokers.PARTING", 300)
    reader = source(cluster)
    reader.poll(cursor, NOW, None)
    cluster.close()
    reader.committed(cursor)
    began = monotonic()
    reader.close()
    assert monotonic() - began < 40  # a second; by itself the client would wait 45


def test_a_group_of_others_is_told_once_as_refused_and_rows_go_on(cluster: Cluster) -> None:
    other = Consumer(
        {"bootstrap.servers": cluster.servers, "group.id": "vigia", "session.timeout.ms": 6000, "log_level": 0}
    )
    other.subscribe([TOPIC])
    while not other.assignment():
        other.poll(0.1)
    cluster.send({"id": 0})
    reader = source(cluster)
    cursor = reader.poll(None, NOW, None).cursor

    def said() -> str:
        try:
            reader.poll(cursor, NOW, None)
            reader.committed(cursor)
        except SourceError as error:
            return str(error)
        return ""

    told = next((words for n in range(300) if (words := said())), "")
    assert told.startswith(f"{cluster.servers}: offsets of group vigia: ")
    assert said() == said() == ""
    other.close()


def test_a_cluster_that_is_not_there_is_told_in_time_and_in_words(
    cluster: Cluster, capfd: pytest.CaptureFixture[str]
) -> None:
    reader = source(cluster, timeout=timedelta(seconds=1))
    cluster.send({"id": 0})
    cursor = reader.poll(None, NOW, None).cursor
    cluster.close()
    with pytest.raises(SourceError) as error:
        reader.poll(cursor, NOW, None)
    assert error.value.fault in ("unreachable", "timeout")
    assert not error.value.permanent
    with pytest.raises(SourceError, match=r"^127.0.0.1:1: Connect to .*Connection refused$") as error:
        Kafka(servers="127.0.0.1:1", topics=[TOPIC], timeout=timedelta(seconds=1)).poll(None, NOW, None)
    assert error.value.fault == "unreachable"
    assert capfd.readouterr() == ("", "")


def test_after_a_fault_another_consumer_goes_on_at_the_cursor(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults = [
        KafkaException(KafkaError(KafkaError._TRANSPORT)),
        KafkaException(KafkaError(KafkaError._UNKNOWN_PARTITION)),  # as the broker goes between two questions
        KafkaException(KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED)),
    ]

    armed = []

    class Faulty(Consumer):
        def get_watermark_offsets(self, *place: Any, **how: Any) -> Any:
            if faults and armed:
                raise faults.pop(0)
            return super().get_watermark_offsets(*place, **how)

    monkeypatch.setattr("connectors.brokers.Consumer", Faulty)
    cluster.send({"id": 0})
    reader = source(cluster)
    cursor = reader.poll(None, NOW, None).cursor
    cluster.send({"id": 1})
    armed.append(True)
    for fault, permanent in (("unreachable", False), ("unreachable", False), ("login", True)):
        with pytest.raises(SourceError) as error:
            reader.poll(cursor, NOW, None)
        assert (error.value.fault, error.value.permanent) == (fault, permanent)
        armed.clear()
        assert ids(reader.poll(cursor, NOW, None)) == [1]
        armed.append(True)


def test_a_topic_that_is_not_there_is_named_as_such(cluster: Cluster) -> None:
    with pytest.raises(SourceError, match="Unknown topic") as error:
        source(cluster, topics=["nowhere"]).poll(None, NOW, None)
    assert (error.value.fault, error.value.permanent) == ("refused", True)


def test_check_says_what_is_there(cluster: Cluster) -> None:
    assert source(cluster).check() == (
        f"{TOPIC}: {PARTITIONS} partitions, offsets 0:0-0 1:0-0 2:0-0 3:0-0; group vigia has not told offsets yet"
    )
    cluster.send({"id": 0, "cliente": {"nit": "1"}}, partition=1)
    assert "1:0-1 2:0-0 3:0-0, the newest with id, cliente.nit;" in source(cluster).check()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"servers": "kafka"}, "servers: must be"),
        ({"servers": "u:p@kafka:9092"}, "servers: must be"),
        ({"topics": []}, "topics: must be"),
        ({"topics": ["^pagos.*"]}, "topics: must be"),
        ({"group": ""}, "group: must not"),
        ({"batch": 0}, "batch: must be"),
        ({"timeout": timedelta(0)}, "timeout: must be"),
        ({"username": "u", "password": "p"}, "username: username and password go with"),
        ({"security": "sasl_ssl"}, "username: username and password go with"),
        ({"security": "sasl_ssl", "username": "u"}, "username: username and password go with"),
        ({"ca_file": "/nowhere.pem"}, "ca_file: goes with security ssl"),
        ({"security": "ssl", "ca_file": "/nowhere.pem"}, "ca_file: no such file"),
        ({"security": "ssl", "ca_file": __file__}, "ca_file: holds no certificate"),
        ({"security": "sasl_ssl", "username": "u", "password": "p", "key_file": __file__}, "key_file: needs cert_file"),
        ({"security": "ssl", "cert_file": __file__}, "key_file: holds no|cert_file: holds no"),
    ],
)
def test_options_that_cannot_be_used_are_told_by_their_name(options: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=f"^{told}"):
        Kafka(**{"servers": "a:1,b:2", "topics": [TOPIC]} | options)


def test_without_the_package_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "confluent_kafka", None)
    for name in ("connectors.sources.kafka", "connectors.brokers", "connectors.messages"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    with pytest.raises(ImportError, match=r"make extras"):
        load("sources", "kafka")


# ---- one object a payload ------------------------------------------------------------------------------------------

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["x", "y"]), inner, max_size=2),
    max_leaves=4,
)
GOOD = st.dictionaries(st.sampled_from(["a", "b", "c d"]), VALUES, min_size=1, max_size=3)
BAD = st.sampled_from(
    [b"", b"{", b"}", b"{}", b'{"a":1}{"a":2}', b'{"a":', b"1}", b"null", b'"a"', b"[]", b"\xff", b'{"a":"}']
)


@settings(max_examples=150)
@given(
    st.lists(
        st.tuples(st.just(True), GOOD, st.sampled_from([None, 1])) | st.tuples(st.just(False), BAD, st.none()),
        max_size=8,
    )
)
def test_every_payload_is_one_row_or_is_told(payloads: list[tuple[bool, Any, int | None]]) -> None:
    marked = [
        json.dumps({"n": number} | value, indent=indent).encode() if good else value
        for number, (good, value, indent) in enumerate(payloads)
    ]
    table, malformed = jsonl.each(marked)
    rows = [number for number, (good, *_) in enumerate(payloads) if good]
    assert (table["n"].to_pylist() if rows else []) == rows
    assert [number for number, _ in malformed] == [n for n in range(len(payloads)) if n not in rows]
    assert not any(pa.types.is_struct(field.type) for field in table.schema)
