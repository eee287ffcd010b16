"""Files are followed: every whole record once, whatever happens to the file."""

from __future__ import annotations

import gzip
import json
import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors import Batch, SourceError, delimited, records
from connectors.sources.file import File

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 3, 3, 12, tzinfo=UTC)
HEADER = "timestamp,product,status\n"


class Reader:
    """Polls a path with a new File each time, as after a restart, and keeps what came."""

    def __init__(self, path: Path, **options: Any) -> None:
        self.path, self.options = str(path), options
        self.cursor: dict[str, Any] | None = None
        self.last: Batch | None = None

    def poll(self, now: datetime = NOW) -> list[dict[str, Any]]:
        self.last = File(path=self.path, **self.options).poll(self.cursor, now, None)
        self.cursor = json.loads(json.dumps(self.last.cursor))
        return self.last.table.to_pylist()

    def products(self, now: datetime = NOW) -> list[str]:
        return [row["product"] for row in self.poll(now)]


def append(path: Path, text: str) -> None:
    with path.open("a", newline="") as out:
        out.write(text)


def test_cells_stay_as_they_are_written(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_text('\ufeffid,code,note\n0900123456,00,"a ""b"", c"\n,NULL,NA\n')
    assert Reader(path).poll() == [
        {"id": "0900123456", "code": "00", "note": 'a "b", c'},
        {"id": "", "code": "NULL", "note": "NA"},
    ]


def test_growing_file_is_followed_by_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    reader = Reader(path)
    append(path, "timestamp,prod")
    assert reader.poll() == []
    append(path, "uct,status\n1,pagos,ok\n2,swi")
    assert reader.products() == ["pagos"]
    assert reader.last is not None
    assert reader.last.drained
    assert reader.last.complete_until == NOW
    assert reader.products() == []
    append(path, "ft,ok\n3,recaudos,ok\n")
    assert reader.products() == ["swift", "recaudos"]


@pytest.mark.parametrize("beside", [False, True])
@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("a.jsonl", '[{"product": "pagos"}, {"product": "swift"}]', "it is one JSON list, not an object a line"),
        ("a.jsonl", '[{"product": "pagos"}, {"product": "swift"}]\n', "it is one JSON list, not an object a line"),
        ("a.csv", HEADER.replace("\n", "\r") + "1,pagos,ok\r", "its first line has no end"),
    ],
    ids=["list", "list with an end", "old Mac"],
)
def test_a_file_without_line_ends_is_told_once_nobody_writes_it(
    tmp_path: Path,
    name: str,
    text: str,
    why: str,
    beside: bool,  # noqa: FBT001 - drawn
) -> None:
    (tmp_path / name).write_text(text, newline="")
    os.utime(tmp_path / name, (NOW.timestamp(), NOW.timestamp()))
    if beside:
        (tmp_path / "b.csv").write_text(HEADER + "1,pagos,ok\n")
    reader = Reader(tmp_path / "*")
    if not text.endswith("\n"):
        assert reader.products() == ["pagos"] * beside  # its line may end yet
    later = NOW + timedelta(seconds=61)
    if not beside:
        with pytest.raises(SourceError, match=why) as error:
            reader.poll(later)
        assert error.value.fault == "unreadable"
        return
    told = []
    for _ in range(3):
        reader.poll(later)
        told += [one.why for one in reader.last.rejects] if reader.last else []
    assert len(told) == 1
    assert why in told[0]


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("a.csv", "1,pagos,ok;", "its first line has no end"),
        ("a.jsonl", '[{"product": "pagos"}],', "it is one JSON list"),
        ("b.jsonl", '{"product": "pagos"} ', "its line has no end"),
    ],
)
def test_what_grows_and_never_ends_a_line_is_told_past_what_a_line_may_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str, why: str
) -> None:
    monkeypatch.setattr(records, "LONGEST", 200)
    reader, told = Reader(tmp_path / name), []
    for _ in range(20):
        append(tmp_path / name, text * 3)
        try:
            assert reader.poll(NOW - timedelta(days=900)) == []  # its time of change lies ahead: it is still written
        except SourceError as error:
            told.append(str(error))
        else:
            told += [one.why for one in reader.last.rejects] if reader.last else []
    assert told
    assert all(why in one for one in told)


def test_json_torn_at_the_end_is_told_and_read_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"product": "pagos"}\n{"product": "sw')
    os.utime(path, (NOW.timestamp(), NOW.timestamp()))
    reader = Reader(path)
    assert reader.products() == ["pagos"]
    assert reader.last is not None
    assert reader.last.rejects == ()
    for told in (["a.jsonl:line 2"], []):
        reader.poll(NOW + timedelta(seconds=61))
        assert [one.where for one in reader.last.rejects] == told
    append(path, 'ift"}\n')
    assert (reader.products(), reader.last.rejects) == (["swift"], ())


def test_record_with_a_line_end_inside_waits_until_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    reader = Reader(path)
    append(path, HEADER + '1,pagos,ok\n2,"two\nlines",ok\n3,"torn\nhere')
    assert reader.products() == ["pagos", "two\nlines"]
    append(path, '\nand there",ok\n4,swift,ok\n')
    assert reader.products() == ["torn\nhere\nand there", "swift"]


def test_quotation_mark_inside_a_cell_opens_nothing(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    append(path, HEADER + '1,tube 5",ok\n2,swift,ok\n')
    assert Reader(path).products() == ['tube 5"', "swift"]


@pytest.mark.parametrize("dropped", [False, True])
@pytest.mark.parametrize("gap", [30, 3000, 120_000])
@pytest.mark.parametrize(
    "stray",
    ['1,"5 inch,ok\n{}2,"x",ok\n', '1,"5 inch,ok\n{}2,x,"ok"\n', '1,x,"5 inch\n{}2,"",ok\n'],
    ids=["cell", "row", "last"],
)
def test_a_stray_quotation_mark_costs_its_row_however_far_the_next_one_is(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    stray: str,
    gap: int,
    dropped: bool,  # noqa: FBT001 - drawn
) -> None:
    if gap < 120_000:
        monkeypatch.setattr(records, "LONGEST", 250)
    path = tmp_path / "orders.csv"
    path.write_text(HEADER + "0,before,ok\n" + stray.format("3,between,ok,\n3,between,ok\n" * gap) + "4,after,ok\n")
    reader = Reader(tmp_path if dropped else path, **({"settled": timedelta(0)} if dropped else {}))
    seen, told = [], []
    for turn in range(2 + gap):
        if not dropped and turn < 2:
            append(path, f"5,later{turn},ok\n")
        seen += reader.products()
        assert reader.last is not None
        told += [one.where for one in reader.last.rejects]
        if reader.last.drained:
            break
    seen += reader.products()
    assert seen.count("between") == gap
    assert [one for one in seen if one not in ("between", "x", "")] == [
        "before",
        "after",
        *(() if dropped else ("later0", "later1")),
    ]
    assert told[0] == "orders.csv:line 3"


def test_a_cell_of_many_lines_is_no_stray_quotation_mark(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    cell = "line\n" * 40_000
    path.write_text(HEADER + f'1,"{cell}",ok\n2,b,ok\n')
    assert Reader(path).products() == [cell, "b"]


def test_quotation_mark_that_is_never_closed_costs_one_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "LONGEST", 200)
    path = tmp_path / "orders.csv"
    reader = Reader(path)
    append(path, HEADER + '1,pagos,ok\n2,"swift,ok\n')
    assert reader.products() == ["pagos"]
    append(path, "3,recaudos,ok\n" * 20)
    assert reader.products() == []
    assert reader.last is not None
    assert [str(reject.where) for reject in reader.last.rejects] == ["orders.csv:line 3"]
    assert not reader.last.drained
    assert reader.products() == ["recaudos"] * 20


def test_malformed_rows_are_told_with_their_lines_also_later(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    reader = Reader(path)
    append(path, HEADER + '1,"two\nlines",ok\n2,pagos\n\n2,pagos\n3,swift,ok\n4,a,b,c,d\n')
    assert reader.products() == ["two\nlines", "swift"]
    assert reader.last is not None
    assert [(r.where, r.why) for r in reader.last.rejects] == [
        ("orders.csv:line 4", "2 columns instead of 3"),
        ("orders.csv:line 6", "2 columns instead of 3"),
        ("orders.csv:line 8", "5 columns instead of 3"),
    ]
    append(path, "5,pagos,ok\ntorn\n")
    assert reader.products() == ["pagos"]
    assert [r.where for r in reader.last.rejects] == ["orders.csv:line 10"]


def test_last_row_without_line_end_is_taken_once_the_file_lies_still(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    reader = Reader(path)
    append(path, HEADER + "1,pagos,ok\n2,swift,o")
    os.utime(path, (NOW.timestamp(), NOW.timestamp()))
    assert reader.products() == ["pagos"]
    assert reader.products(NOW + timedelta(minutes=2)) == ["swift"]
    append(path, "\n3,recaudos,ok\n")
    assert reader.products() == ["recaudos"]


def test_last_row_that_was_torn_after_all_comes_again_whole(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    reader = Reader(path)
    append(path, HEADER + "1,pagos,ok\n2,swift,fail")
    os.utime(path, (NOW.timestamp(), NOW.timestamp()))
    assert [row["status"] for row in reader.poll(NOW + timedelta(minutes=2))] == ["ok", "fail"]
    append(path, "ed\n3,recaudos,ok\n")
    assert [row["status"] for row in reader.poll()] == ["failed", "ok"]


@pytest.mark.parametrize("text", ["1,swift,ok\n", "1,swift,failed\n2,swift,failed\n3,recaudos,failed\n"])
def test_replaced_or_truncated_file_is_read_from_its_beginning(tmp_path: Path, text: str) -> None:
    path = tmp_path / "orders.csv"
    reader = Reader(path)
    append(path, HEADER + "1,pagos,ok\n2,pagos,ok\n")
    assert len(reader.poll()) == 2
    path.write_text(HEADER + text)
    assert len(reader.poll()) == text.count("\n")


def test_rotation_inside_the_glob_reads_nothing_twice(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    reader = Reader(tmp_path / "orders.csv*")
    append(path, HEADER + "1,pagos,ok\n")
    assert reader.products() == ["pagos"]
    append(path, "2,swift,ok\n")
    path.rename(tmp_path / "orders.csv.1")
    append(path, HEADER + "3,recaudos,ok\n")
    assert sorted(reader.products()) == ["recaudos", "swift"]
    (tmp_path / "orders.csv.2.gz").write_bytes(gzip.compress((tmp_path / "orders.csv.1").read_bytes()))
    (tmp_path / "orders.csv.1").unlink()
    assert reader.products() == []


def test_glob_picks_up_new_files_in_the_order_of_their_names(tmp_path: Path) -> None:
    reader = Reader(tmp_path / "*.csv")
    assert reader.poll() == []
    assert reader.last is not None
    assert reader.last.drained
    append(tmp_path / "b.csv", HEADER + "1,b,ok\n")
    append(tmp_path / "a.csv", "product,extra\na,1\n")
    assert reader.products() == ["a", "b"]
    append(tmp_path / "c.csv", HEADER + "1,c,ok\n")
    (tmp_path / "a.csv").unlink()
    assert reader.products() == ["c"]


def test_files_of_unlike_columns_come_in_batches_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"product": "a", "count": 1}\n')
    (tmp_path / "b.jsonl").write_text('{"product": "b", "count": "2"}\n')
    reader = Reader(tmp_path / "*.jsonl")
    assert reader.products() == ["a"]
    assert reader.last is not None
    assert not reader.last.drained
    assert reader.products() == ["b"]
    assert reader.last.drained


def test_one_broken_file_does_not_hold_up_the_others(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"PAR1 half written")
    pq.write_table(pa.table({"product": ["b"]}), tmp_path / "b.parquet")
    reader = Reader(tmp_path / "*.parquet")
    assert reader.products() == ["b"]
    assert reader.last is not None
    assert reader.last.complete_until is None
    assert reader.poll() == []  # in a batch of its own: what it holds is not known until now
    assert ["a.parquet: cannot be read" in reject.why for reject in reader.last.rejects] == [True]
    assert (reader.poll(), reader.last.rejects, reader.last.complete_until) == ([], (), NOW)
    pq.write_table(pa.table({"product": ["a"]}), tmp_path / "a.parquet")
    assert reader.products() == ["a"]
    (tmp_path / "b.parquet").write_bytes(b"PAR1")
    (tmp_path / "a.parquet").unlink()
    with pytest.raises(SourceError, match=r"b\.parquet: cannot be read"):
        reader.poll()  # none can be read: it is the source that cannot be used


def test_backlog_is_read_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.taken.LIMIT", 400)
    path = tmp_path / "orders.csv"
    append(path, HEADER + "".join(f"{i},p{i},ok\n" for i in range(200)))
    reader, seen, polls = Reader(path), [], 0
    while not (reader.last and reader.last.drained):
        seen += reader.products()
        polls += 1
        assert reader.last is not None
        assert reader.last.complete_until == (NOW if reader.last.drained else None)
    assert seen == [f"p{i}" for i in range(200)]
    assert polls > 3


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252"])
def test_other_encodings(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "orders.csv"
    path.write_text("product;año\nDepósitos;1\n", encoding=encoding)
    assert Reader(path, delimiter=";", encoding=encoding).poll() == [{"product": "Depósitos", "año": "1"}]
    with pytest.raises(SourceError, match=r"orders\.csv: not utf-8.*set `encoding`"):
        Reader(path, delimiter=";").poll()


def test_a_line_nested_without_end_is_told_and_ends_nothing(tmp_path: Path) -> None:
    """Read by Arrow it would end the whole process."""
    path = tmp_path / "orders.jsonl"
    reader = Reader(path)
    deep = '{"id": ' + "[" * 100_000 + "]" * 100_000 + "}"
    append(path, f'{{"id": "1"}}\n{deep}\n{{"id": "2"}}\n{deep}')
    assert reader.poll() == [{"id": "1"}, {"id": "2"}]
    assert reader.last is not None
    assert [r.where for r in reader.last.rejects] == ["orders.jsonl:line 2"]


@pytest.mark.parametrize("option", [{"encoding": "utf-16"}, {"encoding": "klingon"}, {"delimiter": "ab"}])
def test_impossible_options(option: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=next(iter(option))):
        File(path="x.csv", **option)


def test_json_lines(tmp_path: Path) -> None:
    path = tmp_path / "orders.jsonl"
    reader = Reader(path)
    append(path, '{"id": "007", "at": "2026-03-03 10:00:00", "n": 1}\n{"id": "8", "n": 1.5, "x": true}\n')
    assert reader.poll() == [
        {"id": "007", "at": "2026-03-03 10:00:00", "n": 1.0, "x": None},
        {"id": "8", "at": None, "n": 1.5, "x": True},
    ]
    append(path, '{"id": 9}\n{"id": \n[1]\n\n{"id": "x"}\n{"id": "to')
    assert [row["id"] for row in reader.poll()] == ["9", "x"]
    assert reader.last is not None
    assert [r.where for r in reader.last.rejects] == ["orders.jsonl:line 4", "orders.jsonl:line 5"]
    append(path, 'rn"}')
    assert reader.poll() == [{"id": "torn"}]
    append(path, '\n{"id": "z"}\n')
    assert reader.poll() == [{"id": "z"}]


def test_compressed(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv.gz"
    reader = Reader(path)
    whole = gzip.compress((HEADER + "".join(f"{i},p{i},ok\n" for i in range(5000)) + "x,last,ok").encode())
    path.write_bytes(whole[: len(whole) // 2])
    first = reader.products()
    path.write_bytes(whole)
    assert first + reader.products() == [f"p{i}" for i in range(5000)] + ["last"]
    path.write_bytes(whole + gzip.compress(b"\nx,more,ok\n"))
    assert reader.products() == ["more"]
    path.write_bytes(b"not gzip at all")
    with pytest.raises(SourceError, match="cannot be read"):
        reader.poll()


def test_parquet_in_pieces_then_only_what_was_added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.taken.LIMIT", 500)
    path = tmp_path / "orders.parquet"
    rows = [{"n": i, "at": NOW} for i in range(300)]
    pq.write_table(pa.Table.from_pylist(rows[:200]), path, row_group_size=30)
    reader, seen = Reader(path), []
    for _ in range(20):
        seen += reader.poll()
    assert seen == rows[:200]
    pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=70)
    for _ in range(20):
        seen += reader.poll()
    assert seen == rows


def test_what_is_not_there_is_told_in_words(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="there is no such file") as missing:
        Reader(tmp_path / "orders.csv").poll()
    assert not missing.value.permanent
    (tmp_path / "orders.xls").write_text("x")
    with pytest.raises(SourceError, match="does not say the format"):
        Reader(tmp_path / "orders.xls").poll()


def test_of_two_columns_of_one_name_neither_is_guessed(tmp_path: Path) -> None:
    append(tmp_path / "twice.csv", "a,b,a\n1,2,3\n")
    assert Reader(tmp_path / "twice.csv").poll() == [{"a (1)": "1", "b": "2", "a (2)": "3"}]


CELL = st.text(st.sampled_from('ab",\n;'), max_size=6)


def written(rows: list[list[str]]) -> bytes:
    return "".join(",".join('"' + cell.replace('"', '""') + '"' for cell in row) + "\n" for row in rows).encode()


@given(st.lists(st.lists(CELL, min_size=2, max_size=2), min_size=1, max_size=6), st.data())
def test_wherever_a_file_is_cut_whole_records_are_found(rows: list[list[str]], data: st.DataObject) -> None:
    text = written(rows)
    ends = [len(written(rows[:n])) for n in range(len(rows) + 1)]
    cut = data.draw(st.integers(0, len(text)))
    assert delimited.whole(text[:cut], ",") == max(end for end in ends if end <= cut)


@given(st.lists(st.sampled_from(["1,2", "1,2,3", "1", "1,2,3,4", '"1\n2",2', '"1\n2",2,3', ""]), min_size=1))
def test_malformed_rows_are_named_by_their_lines(rows: list[str]) -> None:
    text = "\n".join(rows).encode() + b"\n"
    before = ["\n".join([*rows[:i], ""]).count("\n") for i in range(len(rows))]
    wrong = [before[i] for i, row in enumerate(rows) if row and row.count(",") != 1]
    table, malformed = delimited.parse(text, len(text), ["a", "b"], ",")
    assert [line for line, _ in malformed.told] == wrong
    assert malformed.count == len(wrong)
    assert table.num_rows == len([row for row in rows if row.count(",") == 1])
