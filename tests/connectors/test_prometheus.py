"""Prometheus as a source: every point once whatever breaks off, what its answers mean, and unknown told from zero."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors import Batch, SourceError
from connectors.kinds import load
from connectors.mapping import Mapping
from connectors.sources.prometheus import Prometheus
from connectors.stretches import POINTS
from tests.fake_api import Said
from tests.fake_prometheus import FakePrometheus, error

NOON = datetime(2026, 3, 3, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
NOW = NOON + timedelta(seconds=20)
MS = timedelta(milliseconds=1)


def at(minutes: float) -> int:
    return int((NOON + minutes * MINUTE).timestamp())


@pytest.fixture
def server() -> Iterator[FakePrometheus]:
    with FakePrometheus() as made:
        yield made


class Reader:
    """Polls as the daemon does, every time with a new source, as after a restart."""

    def __init__(self, server: FakePrometheus, **options: Any) -> None:
        self.options: dict[str, Any] = {"url": server.url, "queries": {"cola": "q"}, **options}
        self.cursor: Any = None

    def source(self) -> Prometheus:
        made: Prometheus = load("sources", "prometheus")(**self.options)
        made.session.sleep = lambda _: None
        made.clock = lambda: NOON + timedelta(days=1000)
        return made

    def poll(self, now: datetime = NOW, since: datetime | None = NOON - timedelta(days=1)) -> Batch:
        batch = self.source().poll(self.cursor, now, since)
        self.cursor = json.loads(json.dumps(batch.cursor))
        return batch

    def drain(self, now: datetime = NOW, since: datetime | None = NOON - timedelta(days=1)) -> list[Batch]:
        found = [self.poll(now, since)]
        while not found[-1].drained:
            found.append(self.poll(now, since))
        return found


def told(batches: list[Batch], *names: str) -> list[tuple[Any, ...]]:
    """Minutes from noon (of the points), and what else is asked for."""
    return [
        ((row["timestamp"] + MS - NOON) / MINUTE, *(row.get(name) for name in names or ("series", "value")))
        for batch in batches
        for row in batch.table.to_pylist()
    ]


def test_points_come_once_step_by_step_and_settle_first(server: FakePrometheus) -> None:
    server.put("q", {at(n): n for n in range(-3, 10)})
    reader = Reader(server)
    first = reader.drain()
    assert told(first) == [(n, "cola", n) for n in (-3, -2, -1, 0)]
    assert first[-1].complete_until == NOW
    assert reader.poll(NOON + timedelta(seconds=74)).table.num_rows == 0  # 12:01 has not settled
    batch = reader.poll(NOON + timedelta(seconds=76))
    assert told([batch]) == [(1, "cola", 1)]
    assert batch.complete_until == NOON + timedelta(seconds=76)
    assert batch.table["timestamp"].to_pylist() == [NOON + MINUTE - MS]  # what it says is of 12:00
    late = reader.poll(NOON + timedelta(seconds=134))
    assert (late.table.num_rows, late.complete_until) == (0, NOON + 2 * MINUTE - MS)  # the point of 12:02 is waited for


def test_a_clock_of_ours_that_was_an_hour_ahead_hides_no_reading(server: FakePrometheus) -> None:
    server.put("q", {at(n): n for n in range(-3, 1)})
    reader = Reader(server)
    found = [reader.poll(NOW), reader.poll(NOW + timedelta(hours=1))]
    for minute in (1, 2, 3):
        server.put("q", {at(minute): minute})
        found.append(reader.poll(NOW + minute * MINUTE))
    assert [n for n, _, _ in told(found)] == list(range(-3, 4))


def test_a_day_at_once_and_minute_by_minute_give_the_same(server: FakePrometheus) -> None:
    server.put("q", {at(n): n for n in range(-30, 30)})
    server.put("q", {at(n): -n for n in range(-10, 20, 3)}, zona="norte")
    whole = told(Reader(server).drain(NOON + timedelta(hours=1)))
    stepwise, reader = [], Reader(server)
    for second in range(-1800, 3601, 47):
        stepwise += told(reader.drain(NOON + timedelta(seconds=second)))
    assert stepwise == whole
    assert len(whole) == 70


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    step=st.sampled_from([15, 60, 300]),
    settle=st.integers(0, 200),
    polls=st.lists(st.integers(0, 900), min_size=1, max_size=8),
    points=st.sets(st.integers(-20, 60), max_size=20),
)
def test_whenever_it_is_polled_each_point_comes_once(
    server: FakePrometheus, step: int, settle: int, polls: list[int], points: set[int]
) -> None:
    times = {at(0) + n * step for n in points}
    server.series = {}
    server.put("q", dict.fromkeys(times, 1))
    reader = Reader(server, step=timedelta(seconds=step), settle=timedelta(seconds=settle))
    now, seen = NOON, []
    for wait in polls:
        now += timedelta(seconds=wait)
        for batch in reader.drain(now):
            seen += [row["timestamp"] + MS for row in batch.table.to_pylist()]
            assert batch.complete_until is not None
            # what is vouched for has been delivered, and what comes later is not before it
            vouched = {time for time in times if datetime.fromtimestamp(time, UTC) - MS < batch.complete_until}
            assert vouched <= {int(time.timestamp()) for time in seen}
    last = (now - timedelta(seconds=settle)).timestamp()
    assert [int(time.timestamp()) for time in seen] == sorted(time for time in times if time <= last)


def test_history_is_asked_for_in_pieces_from_the_start_on(server: FakePrometheus) -> None:
    start = at(-3 * POINTS)
    server.put("q", {start + 60 * n: n for n in range(0, 3 * POINTS, 1000)})
    reader = Reader(server)
    batches = reader.drain(since=NOON - 2.5 * POINTS * MINUTE)
    assert [value for _, _, value in told(batches)] == list(range(6_000, 33_000, 1000))
    asked = [(int(a.query["end"]) - int(a.query["start"])) // 60 + 1 for a in server.asked]
    assert asked == [POINTS, POINTS, POINTS // 2]
    assert all(int(a.query["start"]) % 60 == 0 for a in server.asked)


def test_where_it_is_too_much_less_is_asked_for(server: FakePrometheus) -> None:
    server.put("q", {at(-n): n for n in range(1000)})
    server.heavy = 300
    reader = Reader(server)
    assert len(told(reader.drain())) == 1000
    source = reader.source()
    server.heavy = 1
    with pytest.raises(SourceError, match="too many samples") as fault:
        source.poll({"at": at(-10)}, NOW, None)
    assert (fault.value.permanent, fault.value.fault) == (True, "refused")


def test_what_takes_too_long_is_asked_for_in_smaller_pieces_next_time(server: FakePrometheus) -> None:
    server.put("q", {at(0): 1})
    server.faults = [error(503, "timeout", "query timed out in expression evaluation")] * 4
    source = Reader(server).source()
    with pytest.raises(SourceError, match=r"503 Service Unavailable \(timeout\)") as fault:
        source.poll({"at": at(-1000)}, NOW, None)
    assert not fault.value.permanent
    source.poll({"at": at(-1000)}, NOW, None)
    asked = [(int(a.query["end"]) - int(a.query["start"])) // 60 + 1 for a in server.asked]
    assert asked[:5] == [1000] * 4 + [500]


def test_series_are_called_by_their_query_and_the_labels_that_are_no_columns(server: FakePrometheus) -> None:
    server.put("q", {at(0): 1}, __name__="up", service="pagos", instance='a"1', zona="norte")
    server.put("q", {at(0): 2}, service="swift", channel="web")
    server.put("r", {at(0): 3}, service="pagos")
    queries = {"cola": "q", "lento": "r"}
    batch = Reader(server, queries=queries, columns={"product": "service"}).poll()
    assert told([batch], "series", "product", "channel", "value") == [
        (0, 'cola{instance="a\\"1", zona="norte"}', "pagos", "", 1),
        (0, "cola", "swift", "web", 2),
        (0, "lento", "pagos", "", 3),
    ]
    rows = Mapping(role="metrics").apply(batch.table, batch.where)
    assert rows.table["product"].to_pylist() == ["pagos", "swift", "pagos"]
    assert rows.rejects == ()
    by_job = Reader(server, queries={"cola": "q"}, columns={"series": "service", "product": "service"}).poll()
    assert told([by_job], "series")[1] == (0, "swift")


def test_a_query_alone_is_called_by_its_text(server: FakePrometheus) -> None:
    server.put("sum(q)", {at(0): 1})
    assert told([Reader(server, queries=None, query="sum(q)").poll()]) == [(0, "sum(q)", 1)]


def test_nan_is_no_reading_and_infinity_is_rejected_with_query_and_time(server: FakePrometheus) -> None:
    server.put("q", {at(-3): "NaN", at(-2): "+Inf", at(-1): "-Inf", at(0): "1e3"}, cliente="900123456")
    batch = Reader(server).poll()
    assert [value for *_, value in told([batch])] == [1000]
    assert [(reject.where, reject.why) for reject in batch.rejects] == [
        (f"{server.url}: cola at 2026-03-03T11:58:00Z", "the value is infinite"),
        (f"{server.url}: cola at 2026-03-03T11:59:00Z", "the value is infinite"),
    ]
    assert batch.where is not None
    assert batch.where(0) == f"{server.url}: cola at 2026-03-03T12:00:00Z"


# ---- as transactions -------------------------------------------------------------------------------------------------


def counting(server: FakePrometheus, **options: Any) -> Reader:
    return Reader(
        server,
        **{"role": "transactions", "queries": {"ok": "o", "failed": "f"}, "columns": {"status": "series"}} | options,
    )


def test_counters_are_counted_in_the_minute_that_ends_at_the_point(server: FakePrometheus) -> None:
    server.put("o", {at(0): 7.9999, at(1): 5}, product="pagos", pod="a", id="x")
    server.put("f", {at(0): 1.0021, at(1): 0}, product="pagos")
    batch = counting(server).poll(NOON + timedelta(seconds=80))
    rows = Mapping(role="transactions").apply(batch.table, batch.where).table.to_pylist()
    assert [(r["timestamp"], r["product"], r["status"], r["count"], r["id"]) for r in rows] == [
        (NOON - MS, "pagos", "ok", 8, ""),
        (NOON - MS, "pagos", "failed", 1, ""),
        (NOON + MINUTE - MS, "pagos", "ok", 5, ""),
    ]
    assert batch.gaps == ()


def test_what_was_not_measured_is_unknown_and_not_zero(server: FakePrometheus) -> None:
    reader = counting(server)
    for _ in range(2):  # a query that matches nothing is no day without operations
        with pytest.raises(SourceError, match="no series has ever had a point: not measured, which is not zero"):
            reader.drain()
    server.put("o", {at(n): 0 for n in (1, 2, 6)})
    first = reader.drain(NOON + timedelta(minutes=2, seconds=20))
    assert (told(first, "count"), first[-1].gaps) == ([(1, 0), (2, 0)], ())
    for minutes in (3, 4, 5):
        with pytest.raises(SourceError, match="no series has had a point since 2026-03-03T12:02:00Z") as fault:
            reader.drain(NOON + timedelta(minutes=minutes, seconds=20))
        assert not fault.value.permanent
    back = reader.drain(NOON + timedelta(minutes=6, seconds=20))
    assert told(back, "count") == [(6, 0)]
    assert back[0].gaps == ((NOON + 2 * MINUTE, NOON + 5 * MINUTE),)
    assert [reject.why for reject in back[0].rejects] == ["no series has a point: not measured, which is not zero"]
    assert back[0].complete_until == NOON + timedelta(minutes=6, seconds=20)


def test_holes_of_history_are_unknown_and_no_news(server: FakePrometheus) -> None:
    server.put("o", {at(n): 1 for n in (-90, -88, 0)})
    batch = counting(server).poll()
    assert batch.rejects == ()
    assert batch.gaps == ((NOON - 90 * MINUTE, NOON - 89 * MINUTE), (NOON - 88 * MINUTE, NOON - MINUTE))


def test_a_backtest_of_counters_that_are_no_more_ends_where_they_do(server: FakePrometheus) -> None:
    server.put("o", {at(n): 1 for n in (-2, 0)})
    source = counting(server).source()
    source.clock = lambda: NOW + 9 * MINUTE
    batch = source.poll(None, datetime(9999, 1, 1, tzinfo=UTC), None)
    assert (told([batch], "count"), batch.drained) == ([(-2, 1), (0, 1)], True)
    assert batch.gaps == ((NOON - 2 * MINUTE, NOON - MINUTE), (NOON, NOON + 9 * MINUTE))


def test_a_backtest_of_a_query_that_matches_nothing_ends(server: FakePrometheus) -> None:
    source = counting(server).source()
    source.clock = lambda: NOW
    assert source.poll(None, datetime(9999, 1, 1, tzinfo=UTC), NOON - timedelta(days=1)).drained


def test_readings_that_no_series_gives_are_no_fault(server: FakePrometheus) -> None:
    """None of them is taken for zero."""
    assert Reader(server).drain()[-1].drained


def test_the_newest_points_are_waited_for_and_the_others_go_on(server: FakePrometheus) -> None:
    server.put("o", {at(-2): 4, at(-1): 5})
    reader = counting(server)
    batch = reader.poll()
    assert (told([batch], "count"), batch.drained) == ([(-2, 4), (-1, 5)], False)
    with pytest.raises(SourceError, match="no series has had a point"):
        reader.poll()
    server.put("f", {at(0): 3})
    assert told(reader.drain(), "count", "series") == [(0, 3, "failed")]


# ---- what its answers mean -------------------------------------------------------------------------------------------


def matrix(*series: dict[str, Any], kind: str = "matrix") -> Said:
    return Said(body={"status": "success", "data": {"resultType": kind, "result": list(series)}})


PARSE, TWICE = "invalid parameter: 1:5: parse error: x", 'found duplicate series for {c="Aceros"} of 900123456'


@pytest.mark.parametrize(
    ("said", "words", "kind", "permanent"),
    [
        (error(400, "bad_data", PARSE), f"400 Bad Request (bad_data): {PARSE}", "refused", True),
        (
            error(422, "execution", TWICE),
            f"422 Unprocessable Entity (execution): {TWICE[:27]}{{…}} of …",
            "refused",
            True,
        ),
        (Said(400, text=b"<html>no"), "400 Bad Request", "refused", True),
        (Said(400, text=b"400 No required SSL certificate was sent"), "400, it demands a certificate", "login", True),
        (matrix(kind="vector"), "is no answer of Prometheus to a range query: it has: status", "unreadable", True),
        (Said(body=[]), "is no answer of Prometheus to a range query: it is a list", "unreadable", True),
        (matrix({"metric": {}, "values": [[1]]}), "a series in the answer cannot be made out", "unreadable", False),
        (matrix({"metric": {}, "histograms": []}), "gives histograms, not numbers", "refused", True),
        (Said(404, text=b"404 page not found"), "404 Not Found", None, True),
        (Said(401), "401 Unauthorized", None, True),
        (error(500, "internal", "x"), "500 Internal Server Error (internal)", None, False),
    ],
)
def test_a_fault_is_told_in_words_with_its_query(
    server: FakePrometheus, said: Said, words: str, kind: str | None, *, permanent: bool
) -> None:
    server.faults = [said]
    with pytest.raises(SourceError) as fault:
        Reader(server).poll()
    place = f"{server.url}: cola: " if kind else f"{server.url}: "
    assert str(fault.value).startswith(place + words)
    assert fault.value.permanent is permanent
    assert kind in (None, fault.value.fault)


def test_a_server_that_is_not_ready_is_asked_again(server: FakePrometheus) -> None:
    server.put("q", {at(0): 1})
    server.faults = [error(503, "unavailable", "TSDB not ready")] * 3
    assert Reader(server).poll().table.num_rows == 1


@pytest.mark.parametrize(
    "more", [{"warnings": ["receive series from Addr: store-1:10901: rpc error"]}, {"isPartial": True}]
)
def test_a_partial_answer_is_not_taken_and_asked_for_again(server: FakePrometheus, more: dict[str, Any]) -> None:
    server.put("q", {at(0): 1})
    server.more = more
    reader = Reader(server)
    with pytest.raises(SourceError, match="cola: a partial answer, which is not taken: ") as fault:
        reader.poll()
    assert (fault.value.permanent, fault.value.fault) == (False, "server")
    server.more = {}
    assert reader.poll().table.num_rows == 1


def test_a_warning_about_the_query_is_told_once_and_a_remark_at_the_check(server: FakePrometheus) -> None:
    server.put("q", {at(n): 1 for n in range(-9, 9)})
    server.more = {
        "warnings": ["PromQL warning: bucket label missing"],
        "infos": ["PromQL info: might not be a counter"],
    }
    reader = Reader(server)
    told_ = [reject.why for n in range(3) for reject in reader.poll(NOW + n * MINUTE).notes]
    assert told_ == ["cola: PromQL warning: bucket label missing"]
    source = reader.source()
    source.clock = lambda: NOW
    assert source.check().endswith("; cola: PromQL warning: bucket label missing; PromQL info: might not be a counter")


def test_check_says_what_there_is_and_what_matches_nothing(server: FakePrometheus) -> None:
    server.put("q", {at(0): 1, at(-1): "NaN"}, service="pagos", __name__="up")
    source = Reader(server, queries={"cola": "q", "nada": "n"}).source()
    source.clock = lambda: NOW
    assert source.check() == (
        f"{server.url}: 1 series of 2 queries; labels: service; 1 of 2 points are no number; "
        "no series match within the last hour: nada"
    )
    wrong = Reader(server, columns={"product": "servise"}).source()
    wrong.clock = lambda: NOW
    with pytest.raises(SourceError, match=r"columns.product: no series has the label 'servise'; there are: service"):
        wrong.check()


def test_headers_and_the_log_in_go_with_each_request_and_the_server_knows_our_patience(server: FakePrometheus) -> None:
    Reader(server, headers={"X-Scope-OrgID": "banco"}, user="vigia", password="clave").poll()
    (asked,) = server.asked
    assert (asked.headers["x-scope-orgid"], asked.headers["authorization"][:6]) == ("banco", "Basic ")
    assert (asked.query["timeout"], asked.query["step"]) == ("30s", "60")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"query": "q"}, "^queries: give exactly one"),
        ({"queries": {}}, "^queries: give exactly one"),
        ({"queries": {"a": " "}}, "^queries.a: must be"),
        ({"step": timedelta(milliseconds=500)}, "^step: must be whole seconds"),
        ({"step": timedelta(seconds=45), "role": "transactions"}, "^step: operations are counted"),
        ({"settle": timedelta(seconds=-1)}, "^settle: must not"),
        ({"columns": {"value": "x"}}, "^columns.value: is no label's"),
        ({"columns": {"series": "x"}, "queries": {"a": "a", "b": "b"}}, "^columns.series: then the queries"),
        ({"headers": {"Authorization": "x"}}, "^headers: cannot hold Authorization"),
        ({"headers": {"X-A": "s3cret\n"}}, "^headers.X-A: holds a sign"),
        ({"url": "prometheus:9090"}, "^url: must be an address"),
    ],
)
def test_impossible_options(server: FakePrometheus, options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words) as fault:
        Reader(server, **options).source()
    assert "s3cret" not in str(fault.value)


def test_a_backtest_that_asks_for_all_there_will_be_ends_at_the_present(server: FakePrometheus) -> None:
    server.put("q", {at(0): 1})
    source = Reader(server).source()
    source.clock = lambda: NOW
    batch = source.poll(None, datetime(9999, 1, 1, tzinfo=UTC), None)
    assert (batch.table.num_rows, batch.drained) == (1, True)
