"""Their columns and words into ours: nothing guessed, nothing lost in silence."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors import SPARSE, SourceError
from connectors.mapping import Mapping
from connectors.roles import ROLES
from connectors.sources.file import File

if TYPE_CHECKING:
    from pathlib import Path

WORDS = {"ok": ["approved"], "failed": ["failed", "Error"], "rejected": ["denied"]}
MAPPING = Mapping(role="transactions", status=WORDS, timezone="America/Bogota")
T = "2026-03-03T00:00:00-05:00"
T0 = datetime(2026, 3, 3, 5, tzinfo=UTC)


def times(cells: Any, kind: pa.DataType | None = None) -> list[datetime | None]:
    table = pa.table({"timestamp": pa.array(cells, kind), "status": ["approved"] * len(cells)})
    return [row["timestamp"] for row in MAPPING.apply(table).table.to_pylist()]


def test_a_row_of_text() -> None:
    row = {
        "timestamp": T,
        "product": " pagos ",
        "channel": "",
        "client_id": "900.123.456-8",
        "status": " APPROVED",
        "error_code": "007",
        "latency_ms": "12.5",
        "amount": "1234567890123456.78",
        "id": "0001",
    }
    mapped = MAPPING.apply(pa.Table.from_pylist([row]))
    assert mapped.table.schema == ROLES["transactions"]
    assert mapped.table.to_pylist() == [
        {
            "timestamp": T0,
            "product": "pagos",
            "channel": "",
            "client_id": "900123456",
            "status": "ok",
            "error_code": "007",
            "latency_ms": 12.5,
            "amount": Decimal("1234567890123456.78"),
            "count": 1,
            "id": "0001",
        }
    ]
    assert mapped.rejects == ()


@pytest.mark.parametrize(
    "cell",
    [T, "2026-03-03 00:00:00", "2026-03-03", "2026-03-03T05:00:00Z", "1772514000", "1772514000000", "1772514000.0"],
)
def test_times_as_text(cell: str) -> None:
    assert times([cell]) == [T0]


def test_times_of_every_kind() -> None:
    assert times([1772514000, 1772514000000]) == [T0, T0]
    assert times([1772514000.5]) == [T0 + timedelta(milliseconds=500)]
    assert times([datetime(2026, 3, 3)], pa.timestamp("ns")) == [T0]  # noqa: DTZ001 - a time without offset, on purpose
    assert times([T0], pa.timestamp("ms", "Europe/Madrid")) == [T0]
    assert times([date(2026, 3, 3)]) == [T0]


@pytest.mark.parametrize("cell", ["20260303", "202603031015", "soon", "infinity", "0026-03-03", "2026-02-30", "12:30"])
def test_what_is_no_time_is_rejected_with_row_and_value(cell: str) -> None:
    table = pa.table({"when": [T, cell], "status": ["approved", "approved"], "id": ["a", "b"]})
    mapped = Mapping(role="transactions", columns={"timestamp": "when"}, status=WORDS).apply(table)
    assert mapped.table["id"].to_pylist() == ["a"]
    assert [(r.where, r.why) for r in mapped.rejects] == [
        ("row 2 (id b)", f"timestamp (when) {cell!r} is not a time; see time_format")
    ]


def test_every_fault_of_a_row_is_told_and_the_others_go_on() -> None:
    table = pa.table(
        {
            "timestamp": [T, "", T, T, None],
            "status": ["approved", "failed", "", "denied", "Error"],
            "amount": ["1,5", "2", "3", "4.50", "x"],
            "count": ["1", "2", "1.5", None, "-1"],
        }
    )
    mapped = MAPPING.apply(table)
    assert [(row["status"], row["amount"], row["count"]) for row in mapped.table.to_pylist()] == [
        ("rejected", Decimal("4.50"), 1)
    ]
    assert {r.where: r.why for r in mapped.rejects} == {
        "row 1": "amount '1,5' is not a number; see decimal",
        "row 2": "timestamp is missing",
        "row 3": "count '1.5' is not a whole number; status is missing",
        "row 5": "amount 'x' is not a number; timestamp is missing; count '-1' is less than 0",
    }


def test_words_that_no_class_names_are_other_and_counted() -> None:
    mapped = MAPPING.apply(pa.table({"timestamp": [T] * 4, "status": ["error", "??", "ok", "??"]}))
    assert mapped.table["status"].to_pylist() == ["failed", "other", "other", "other"]
    assert mapped.unknown_statuses == {"??": 2, "ok": 1}


def test_without_words_our_classes_are_theirs() -> None:
    mapped = Mapping(role="transactions").apply(pa.table({"timestamp": [T] * 3, "status": ["OK", "pending", "meh"]}))
    assert mapped.table["status"].to_pylist() == ["ok", "pending", "other"]
    assert mapped.unknown_statuses == {"meh": 1}


def test_defaults_fill_absent_columns_and_empty_cells() -> None:
    mapping = Mapping(role="transactions", defaults={"product": "pagos", "count": 3, "status": "ok", "amount": "0.10"})
    rows = mapping.apply(
        pa.table({"timestamp": [T, T], "product": ["swift", " "], "count": ["", "7"]})
    ).table.to_pylist()
    assert [(r["product"], r["count"], r["status"], r["amount"]) for r in rows] == [
        ("swift", 3, "ok", Decimal("0.10")),
        ("pagos", 7, "ok", Decimal("0.10")),
    ]


def test_numbers_as_text_keep_no_point() -> None:
    table = pa.table(
        {
            "timestamp": [T, T],
            "status": ["approved"] * 2,
            "client_id": [900123456.0, None],
            "id": pa.array([Decimal(7), Decimal(8)]),
            "product": pa.array(["a", "b"]).dictionary_encode(),
            "error_code": pa.nulls(2),
        }
    )
    rows = MAPPING.apply(table).table.to_pylist()
    assert [(r["client_id"], r["id"], r["product"], r["error_code"]) for r in rows] == [
        ("900123456", "7", "a", ""),
        ("", "8", "b", ""),
    ]


def test_a_list_or_an_object_in_a_cell_is_its_json() -> None:
    cells = {
        "product": [["TR", "Ñ"], None],
        "latency_ms": [{"p50": 1}, None],
        "timestamp": [T, T],
        "status": ["ok", "ok"],
    }
    mapped = Mapping(role="transactions").apply(pa.table(cells))
    assert [one.why for one in mapped.rejects] == ["latency_ms {'p50': 1} is not a number"]
    assert mapped.table["product"].to_pylist() == [""]
    del cells["latency_ms"]
    assert Mapping(role="transactions").apply(pa.table(cells)).table["product"].to_pylist() == ['["TR", "Ñ"]', ""]


@pytest.mark.parametrize(
    "end", ["infinity", "9999-12-31", datetime(9999, 12, 31, tzinfo=UTC), date(9999, 12, 31), None]
)
def test_a_holding_until_the_end_of_time_has_no_end(end: Any) -> None:
    cells = {"client_id": ["900"] * 2, "product": ["TR"] * 2, "until": [end, T0 if isinstance(end, datetime) else None]}
    mapped = Mapping(role="holdings").apply(pa.table(cells))
    assert (mapped.rejects, mapped.table["until"].to_pylist()) == ((), [None, cells["until"][1]])
    told = Mapping(role="holdings").apply(pa.table({**cells, "until": ["mañana", "1066-10-14"]})).rejects
    assert [one.why for one in told] == [
        f"until '{cell}' is not a time; see time_format" for cell in ("mañana", "1066-10-14")
    ]


def test_identities_by_declared_form_and_by_row() -> None:
    table = pa.table({"client_id": ["9001234568", "9001234567", "900123456-8"]})
    mapped = Mapping(role="clients", client_form="nit_dv").apply(table)
    assert mapped.table["client_id"].to_pylist() == ["900123456", "9001234567?", "900123456"]
    assert mapped.wrong_digits == {"9001234567": 1}
    table = pa.table({"client_id": ["9001234568"] * 4, "tipo": ["nit", "NIT_DV", "other", "cc"]})
    mapped = Mapping(role="clients", columns={"id_type": "tipo"}).apply(table)
    assert mapped.table["client_id"].to_pylist() == ["9001234568", "900123456", "9001234568"]
    assert [r.why for r in mapped.rejects] == ["id_type (tipo) 'cc' is none of nit, nit_dv, other"]


def test_missing_columns_are_told_with_key_and_what_there_is() -> None:
    mapping = Mapping(role="transactions", columns={"latency_ms": "elapsed"})
    with pytest.raises(SourceError, match=r"columns\.latency_ms: .*'elapsed'; there are: timestamp, status") as told:
        mapping.apply(pa.table({"timestamp": [T], "status": ["ok"]}))
    assert told.value.permanent
    with pytest.raises(SourceError, match=r"columns\.timestamp must say which .*there are: time, status"):
        Mapping(role="transactions").apply(pa.table({"time": [T], "status": ["ok"]}))
    assert mapping.apply(pa.table({})).table.num_rows == 0
    sparse = pa.table({"timestamp": [T], "status": ["ok"]}).replace_schema_metadata(SPARSE)
    assert mapping.apply(sparse).table["latency_ms"].to_pylist() == [None]


def test_json_lines_may_lack_an_optional_key(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(f'{{"timestamp": "{T}", "status": "ok"}}\n')
    (tmp_path / "b.jsonl").write_text(f'{{"timestamp": "{T}", "status": "ok", "elapsed": 7}}\n')
    table = File(path=f"{tmp_path}/a.jsonl").poll(None, T0, None).table
    both = File(path=f"{tmp_path}/*.jsonl").poll(None, T0, None).table
    mapping = Mapping(role="transactions", columns={"latency_ms": "elapsed"})
    assert mapping.apply(table).table["latency_ms"].to_pylist() == [None]
    assert mapping.apply(both).table["latency_ms"].to_pylist() == [None, 7.0]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"role": "sales"}, "role: 'sales'"),
        ({"columns": {"ammount": "x"}}, r"columns\.ammount"),
        ({"defaults": {"id_type": "nit"}}, r"defaults\.id_type"),
        ({"defaults": {"count": "many"}}, r"defaults\.count: 'many' is not a whole number"),
        ({"status": {"good": ["x"]}}, r"status\.good"),
        ({"status": {"ok": ["x"], "failed": ["X "]}}, "'X ' is both ok and failed"),
        ({"timezone": "Bogota"}, "timezone: 'Bogota'"),
        ({"timezone": "America"}, "timezone: 'America' is not a time zone"),
    ],
)
def test_a_wrong_mapping_is_told_by_key(options: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        Mapping(**{"role": "transactions", **options})


def test_long_and_wide_metrics() -> None:
    mapping = Mapping(role="metrics", timezone="America/Bogota")
    long = mapping.apply(pa.table({"timestamp": [T], "value": ["1.5"]}))
    assert [(r["series"], r["value"]) for r in long.table.to_pylist()] == [("", 1.5)]
    wide = mapping.apply(
        pa.table({"timestamp": [T, T, "x"], "host": ["a", "b", "c"], "tps": ["1", "", "9"], "lag": [0.5, 0.7, 0.9]})
    )
    assert [(r["series"], r["value"]) for r in wide.table.to_pylist()] == [("tps", 1.0), ("lag", 0.5), ("lag", 0.7)]
    assert [r.why for r in wide.rejects] == ["timestamp 'x' is not a time; see time_format"]
    with pytest.raises(SourceError, match="no column holds numbers"):
        mapping.apply(pa.table({"timestamp": [T], "host": ["a"]}))


def test_case_times_may_be_empty_but_not_unreadable() -> None:
    table = pa.table({"case_id": ["1", "2"], "opened_at": [T, T], "closed_at": ["", "?"], "returns": ["2", ""]})
    mapped = Mapping(role="cases").apply(table)
    assert mapped.table.select(["case_id", "closed_at", "returns"]).to_pylist() == [
        {"case_id": "1", "closed_at": None, "returns": 2}
    ]
    assert [(r.where, r.why) for r in mapped.rejects] == [
        ("row 2 (case_id 2)", "closed_at '?' is not a time; see time_format")
    ]


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(
            st.datetimes(datetime(1990, 1, 2), datetime(2199, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - bounds
            st.decimals(-(10**15), 10**15, places=2),
            st.integers(1, 10**9),
        ),
        min_size=1,
    )
)
def test_what_was_written_is_read_in_order_and_exactly(rows: list[tuple[datetime, Decimal, int]]) -> None:
    table = pa.table(
        {
            "timestamp": [row[0].isoformat() for row in rows],
            "status": ["approved"] * len(rows),
            "amount": [str(row[1]) for row in rows],
            "count": [str(row[2]) for row in rows],
        }
    )
    mapped = MAPPING.apply(table)
    assert mapped.rejects == ()
    assert [(r["timestamp"], r["amount"], r["count"]) for r in mapped.table.to_pylist()] == rows


def test_a_row_of_zero_says_that_there_were_none():
    table = pa.table({"timestamp": ["2026-03-03T10:00:00Z"] * 2, "status": ["ok", "failed"], "count": ["3", "0"]})
    mapped = Mapping(role="transactions").apply(table)
    assert mapped.table["status"].to_pylist() == ["ok"]
    assert mapped.rejects == ()


@pytest.mark.parametrize(
    ("role", "more"), [("clients", {"value_rank": ["high"]}), ("holdings", {"since": ["x"], "product": ["p"]})]
)
def test_a_row_of_a_client_is_told_without_the_client(role: str, more: dict[str, list[str]]) -> None:
    mapped = Mapping(role=role).apply(pa.table({"client_id": ["900123456"], **more}))
    assert [reject.where for reject in mapped.rejects] == ["row 1"]


def test_a_row_of_zero_is_kept_where_an_id_tells_whose_it_is() -> None:
    cells = {
        "timestamp": ["2026-03-03T10:00:00Z"] * 3,
        "status": ["ok"] * 3,
        "count": ["0", "0", "2"],
        "id": ["a", "", "b"],
    }
    found = Mapping(role="transactions").apply(pa.table(cells)).table
    assert [(row["id"], row["count"]) for row in found.to_pylist()] == [("a", 0), ("b", 2)]
