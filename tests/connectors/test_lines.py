"""A row that cannot be used is told with its file and its line, however it was read."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors import Batch, delimited, jsonl, lines, records
from connectors.mapping import Mapping
from connectors.sources.file import File
from connectors.sources.sql import Sql

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 3, 3, 12, tzinfo=UTC)
T = "2026-03-03T10:00:00Z"
HEADER = "timestamp,status,amount,id\n"
GOOD = f"{T},ok,1,g\n"
BAD = f"{T},ok,1.x,b\n"
TORN = f"{T},ok\n"
SPANNING = f'{T},ok,1,"two\nlines"\n'


class Told:
    """Polls with a new source each time, as after a restart; the places of all that could not be used."""

    def __init__(self, path: Path, **options: Any) -> None:
        self.path, self.options = str(path), options
        self.cursor: dict[str, Any] | None = None

    def poll(self) -> Batch:
        batch = File(path=self.path, **self.options).poll(self.cursor, NOW, None)
        self.cursor = json.loads(json.dumps(batch.cursor))
        return batch

    def __call__(self) -> list[str]:
        batch = self.poll()
        mapped = Mapping(role="transactions").apply(batch.table, batch.where)
        return [reject.where for reject in (*batch.rejects, *mapped.rejects)]


def append(path: Path, text: str) -> None:
    with path.open("a", newline="") as out:
        out.write(text)


def test_csv_that_grows(tmp_path: Path) -> None:
    path = tmp_path / "tx.csv"
    told = Told(path)
    append(path, HEADER + GOOD + BAD + GOOD)
    assert told() == ["tx.csv:line 3 (id b)"]
    append(path, GOOD * 3 + BAD + "2026-")
    assert told() == ["tx.csv:line 8 (id b)"]
    append(path, BAD.removeprefix("2026-") + f"{T},ok,?,\n")
    assert told() == ["tx.csv:line 9 (id b)", "tx.csv:line 10"]


def test_malformed_lines_count(tmp_path: Path) -> None:
    path = tmp_path / "tx.csv"
    told = Told(path)
    append(path, HEADER + TORN + GOOD + BAD + TORN + TORN + BAD)
    assert told() == [*(f"tx.csv:line {n}" for n in (2, 5, 6)), "tx.csv:line 4 (id b)", "tx.csv:line 7 (id b)"]
    append(path, TORN + BAD)
    assert told() == ["tx.csv:line 8", "tx.csv:line 9 (id b)"]


def test_empty_lines_and_records_of_several_lines_count(tmp_path: Path) -> None:
    path = tmp_path / "tx.csv"
    told = Told(path)
    append(path, HEADER + SPANNING + "\n" + TORN + "\r\n" + BAD.replace("b", '"b\n\n"') + BAD)
    assert told() == ["tx.csv:line 5", "tx.csv:line 7 (id b\n\n)", "tx.csv:line 10 (id b)"]
    append(path, "\n" + BAD)
    assert told() == ["tx.csv:line 12 (id b)"]


def test_a_line_that_would_be_a_guess_is_not_told(tmp_path: Path) -> None:
    path = tmp_path / "tx.csv"
    append(path, HEADER + GOOD.replace("\n", "\r") + BAD)
    assert Told(path)() == ["tx.csv:record 2 after line 1 (id b)"]


def test_quotation_mark_never_closed_shifts_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "LONGEST", 200)
    path = tmp_path / "tx.csv"
    told = Told(path)
    append(path, HEADER + BAD + f'{T},ok,1,"never\n' + GOOD * 20 + BAD)
    assert told() == ["tx.csv:line 3", "tx.csv:line 2 (id b)"]
    assert told() == ["tx.csv:line 24 (id b)"]


def test_rows_before_a_long_record_still_being_written_come_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records, "LONGEST", 200)
    path = tmp_path / "tx.jsonl"
    told = Told(path)
    append(path, '{"id": "a"}\n{"id": "' + "x" * 300)
    assert [told.poll().table.num_rows for _ in range(2)] == [1, 0]
    append(path, '"}\n')
    assert told.poll().table["id"].to_pylist() == ["x" * 300]


@pytest.mark.parametrize("name", ["tx.csv", "tx.csv.gz"])
def test_pieces_of_a_backlog(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.taken.LIMIT", 300)
    text = (HEADER + (GOOD * 4 + BAD + SPANNING) * 10).encode()
    (tmp_path / name).write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
    told = Told(tmp_path / name)
    found = [where for _ in range(20) for where in told()]
    assert found == [f"{name}:line {6 + 7 * n} (id b)" for n in range(10)]


def test_other_encoding_and_no_last_line_end(tmp_path: Path) -> None:
    path = tmp_path / "tx.csv.gz"
    path.write_bytes(gzip.compress((HEADER + GOOD.replace("g", "ñ") + BAD.strip()).encode("latin-1")))
    assert Told(path, encoding="latin-1")() == ["tx.csv.gz:line 3 (id b)"]


def test_a_cursor_that_has_not_counted_yet(tmp_path: Path) -> None:
    path = tmp_path / "tx.csv"
    told = Told(path)
    append(path, HEADER + GOOD * 5)
    assert told() == []
    assert told.cursor is not None
    told.cursor["files"][str(path)]["lines"] = [0, 0]
    append(path, BAD)
    assert told() == ["tx.csv:line 7 (id b)"]


def test_json_lines_that_grow(tmp_path: Path) -> None:
    path = tmp_path / "tx.jsonl"
    told = Told(path)
    good, bad = (json.dumps({"timestamp": T, "status": "ok", "amount": a, "id": "j"}) for a in ("1", "x"))
    append(path, f"{good}\n{bad}\n{good}")
    assert told() == ["tx.jsonl:line 2 (id j)"]
    append(path, f"\n{bad}\n")
    assert told() == ["tx.jsonl:line 4 (id j)"]
    append(path, f"{good}\n{{\n  \n{bad}\n[1]\n{bad}\n")
    assert told() == ["tx.jsonl:line 6", "tx.jsonl:line 9", "tx.jsonl:line 8 (id j)", "tx.jsonl:line 10 (id j)"]


def test_parquet_counts_rows_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.taken.LIMIT", 500)
    path = tmp_path / "tx.parquet"
    told = Told(path)
    rows = [{"timestamp": T, "status": "ok", "amount": "x" if n in {7, 151} else "1"} for n in range(1, 201)]
    pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=30)
    assert [where for _ in range(20) for where in told()] == ["tx.parquet:row 7", "tx.parquet:row 151"]
    pq.write_table(pa.Table.from_pylist([*rows, rows[6]]), path, row_group_size=70)
    assert [where for _ in range(20) for where in told()] == ["tx.parquet:row 201"]


def test_several_files_in_one_poll(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(HEADER + GOOD + BAD)
    (tmp_path / "b.csv").write_text(HEADER)
    (tmp_path / "c.csv").write_text(HEADER + TORN + BAD + GOOD)
    (tmp_path / "d.csv").write_text(HEADER + BAD)
    told = Told(tmp_path / "*.csv")
    assert told() == ["c.csv:line 2", *(f"{name} (id b)" for name in ("a.csv:line 3", "c.csv:line 3", "d.csv:line 2"))]
    append(tmp_path / "b.csv", BAD)
    append(tmp_path / "d.csv", GOOD + BAD)
    assert told() == ["b.csv:line 2 (id b)", "d.csv:line 4 (id b)"]


def test_wide_metrics(tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text(f"timestamp,cpu\n{T},1\n{T},x\n")
    batch = Told(tmp_path / "m.csv").poll()
    mapped = Mapping(role="metrics").apply(batch.table, where=batch.where)
    assert [reject.where for reject in mapped.rejects] == [f"m.csv:line 3 (timestamp {T})"]


def test_without_where_rows_count_from_one() -> None:
    table = pa.table({"timestamp": [T, "?"], "status": ["ok", "ok"]})
    assert [reject.where for reject in Mapping(role="transactions").apply(table).rejects] == ["row 2"]


@pytest.mark.parametrize(
    ("options", "place"),
    [
        ({"cursor": "n", "key": "id"}, "id = b2"),
        ({"cursor": "n", "key": "code"}, "code = 22 (id b2)"),
        ({"cursor": "n"}, "n = 2 (id b2)"),
        ({}, "row 2 (id b2)"),
    ],
)
def test_database_rows_are_named_by_key_or_cursor(tmp_path: Path, options: dict[str, Any], place: str) -> None:
    query = " UNION ALL ".join(
        f"SELECT {n} AS n, 'b{n}' AS id, {11 * n} AS code, '{T}' AS timestamp, 'ok' AS status, '{amount}' AS amount"
        for n, amount in ((1, "1"), (2, "x"))
    )
    (tmp_path / "bank.db").touch()
    batch = Sql(url=f"sqlite:///{tmp_path / 'bank.db'}", query=query, **options).poll(None, NOW, None)
    rejects = Mapping(role="transactions").apply(batch.table, batch.where).rejects
    assert [(reject.where, reject.why) for reject in rejects] == [(place, "amount 'x' is not a number")]


def stands(records: list[str], *, form: str, before: int) -> tuple[list[Any], list[str]]:
    """First cells of the rows read from these records, and where each is said to stand."""
    text = "\n".join([*records, ""]).encode()
    if form == "csv":
        table, malformed = delimited.parse(text, len(text), ["a", "b"], ",")
        found = list(delimited.records(text, len(text), ","))
    else:
        table, malformed = jsonl.parse(text)
        found = list(jsonl.records(text, len(text)))
    where = lines.standing(
        "x",
        before=before,
        taken=text.count(b"\n"),
        rows=table.num_rows,
        malformed=[line for line, _ in malformed.told],
        wrong=malformed.count,
        records=lambda: found,
    )
    cells = table["a"].to_pylist() if table.num_rows else []
    return cells, [where(row) for row in range(table.num_rows)]


CSV = ["#,2", '#,"2"', "#,2,3", "#", '#,"2\n\n2"', '#,"2 ""\n"" "', '"#",tube 5"', '"\n#",2', ""]
JSON = ['{"a": "#"}', '{"a": #}', "[#]", "{#", "", "  "]


@pytest.mark.parametrize(("form", "kinds"), [("csv", CSV), ("jsonl", JSON)])
@given(data=st.data(), before=st.integers(0, 9))
def test_every_row_stands_where_it_was_written(form: str, kinds: list[str], data: st.DataObject, before: int) -> None:
    records = data.draw(st.lists(st.sampled_from(kinds), min_size=1, max_size=8))
    above = ["\n".join([*records[:i], ""]).count("\n") for i in range(len(records))]
    cells, places = stands([record.replace("#", str(i)) for i, record in enumerate(records)], form=form, before=before)
    assert places == [f"x:line {before + above[int(cell)] + 1}" for cell in cells]
