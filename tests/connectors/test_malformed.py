"""Files of which little or nothing can be read: the first rows are told, the others counted, and none of them stops what is good."""

from __future__ import annotations

import gzip
import json
import tracemalloc
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors import KEPT, Batch, torn
from connectors.mapping import Mapping
from connectors.sources.file import File

NOW = datetime(2026, 3, 3, 12, tzinfo=UTC)
HEADER = b"id,status,valor\n"
MANY = 3 * KEPT


def polled(path: Path, cursor: Any = None, **options: Any) -> Batch:
    return File(path=str(path), **options).poll(cursor, NOW, None)


def drained(path: Path, **options: Any) -> tuple[list[str], list[str], list[Batch]]:
    """Ids, rejects and batches until nothing more waited."""
    batches: list[Batch] = []
    while not batches or not batches[-1].drained:
        cursor = json.loads(json.dumps(batches[-1].cursor)) if batches else None
        batches.append(polled(path, cursor, **options))
        assert len(batches) < 20
    ids = [one for batch in batches if batch.table.num_rows for one in batch.table["id"].to_pylist()]
    return ids, [f"{one.where}: {one.why}" for batch in batches for one in batch.rejects], batches


def test_a_file_of_malformed_rows_is_counted_and_its_first_rows_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connectors.taken.LIMIT", 1 << 20)  # so much is taken at once
    path = tmp_path / "a.csv"
    path.write_bytes(HEADER + b"0,ok,1\n" + b"1;ok;5\n" * MANY + b"2,ok,1\n")
    tracemalloc.start()
    batch = polled(path)
    held = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (batch.rejected, len(batch.rejects)) == (MANY, KEPT)
    assert [one.where for one in batch.rejects[:: KEPT - 1]] == ["a.csv:line 3", f"a.csv:line {KEPT + 2}"]
    assert held < 4 << 20
    assert batch.where is not None
    assert batch.where(0) == "a.csv:line 2"
    assert batch.where(1) == "a.csv:record 2 after line 1"  # its line would be a guess


def test_json_lines_too(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"id": 1}\n' + b"{no\n" * MANY)
    batch = polled(path)
    assert (batch.table.num_rows, batch.rejected, len(batch.rejects)) == (1, MANY, KEPT)


@pytest.mark.parametrize("name", ["*.csv", ""], ids=["growing", "dropped"])
def test_of_many_files_too(tmp_path: Path, name: str) -> None:
    for n in range(3):
        (tmp_path / f"{n}.csv").write_bytes(HEADER + b"%d\n" % n * (KEPT - 1))
    batch = polled(tmp_path / name, settled=timedelta(0))
    assert (batch.rejected, len(batch.rejects)) == (3 * (KEPT - 1), KEPT)


def test_cells_that_cannot_be_used_too() -> None:
    times = ["no"] * MANY + ["2026-03-03T10:00:00Z"]
    table = pa.table({"timestamp": times, "status": ["ok"] * (MANY + 1), "amount": [""] * MANY + ["1.x"]})
    mapped = Mapping(role="transactions").apply(table)
    assert (mapped.table.num_rows, mapped.rejected, len(mapped.rejects)) == (0, MANY + 1, KEPT)
    assert mapped.rejects[KEPT - 1].where == f"row {KEPT}"


def test_of_a_row_with_two_faults_both_are_told_and_it_counts_once() -> None:
    table = pa.table({"timestamp": ["no", "2026-03-03T10:00:00Z"], "status": ["ok", "ok"], "amount": ["1.x", "1"]})
    mapped = Mapping(role="transactions").apply(table)
    assert (mapped.table.num_rows, mapped.rejected) == (1, 1)
    assert "timestamp" in mapped.rejects[0].why
    assert "amount" in mapped.rejects[0].why


@pytest.mark.parametrize(
    ("encoding", "bad"), [("utf-8", b"2,ca\xf1a,1\n"), ("cp1252", b"2,\x81,1\n")], ids=["utf-8", "cp1252"]
)
def test_a_byte_of_another_encoding_costs_its_line(tmp_path: Path, encoding: str, bad: bytes) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(HEADER + b"1,ok,1\n" * 3 + bad + b"3,ok,1\n" * 3 + bad + b"4,ok\n5,ok,1\n")
    ids, told, batches = drained(path, encoding=encoding)
    assert ids == ["1", "1", "1", "3", "3", "3", "5"]
    byte = f"byte 0x{bad[-4 if encoding == 'cp1252' else -5]:02x}"
    why = f"not {encoding} ({byte}); set `encoding`"
    assert told == [f"a.csv:line 5: {why}", f"a.csv:line 9: {why}", "a.csv:line 10: 2 columns instead of 3"]
    assert batches[0].where is not None
    assert batches[0].where(6) == "a.csv:line 11"
    assert batches[-1].complete_until == NOW


def test_in_json_lines_too(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"id": "1"}\n{"id": "\xf1"}\n{"id": "3"}\n')
    assert drained(path)[:2] == (["1", "3"], ["a.jsonl:line 2: not utf-8 (byte 0xf1); set `encoding`"])


def test_a_record_of_several_lines_goes_as_one(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(HEADER + b'1,"o\nk",1\n2,"a\nb\xf1\nc",1\n3,"x\ny",1\n')
    ids, told, batches = drained(path)
    assert ids == ["1", "3"]
    assert told == ["a.csv:line 4: not utf-8 (byte 0xf1); set `encoding`"]
    assert batches[0].where is not None
    assert batches[0].where(1) == "a.csv:line 7"


def test_what_a_crash_leaves_is_told_and_skipped(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(HEADER + b"1,ok,1\n" + b"\0" * (5 << 20) + b"\n2,ok,1\n")
    assert drained(path)[:2] == (["1", "2"], ["a.csv:line 3: a line of more than 256 kB"])


@pytest.mark.parametrize("ending", ["csv", "jsonl", "csv.gz"])
def test_a_chunk_without_a_line_end_is_told_once_and_skipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:

    monkeypatch.setattr("connectors.taken.LIMIT", 300 << 10)
    path = tmp_path / f"a.{ending}"
    one, two = (b'{"id": "1"}\n', b'{"id": "2"}\n') if ending == "jsonl" else (HEADER + b"1,ok,1\n", b"2,ok,1\n")
    text = one + b"\0" * (1000 << 10) + b"\n" + two
    path.write_bytes(gzip.compress(text) if ending.endswith("gz") else text)
    ids, told, batches = drained(path)
    assert ids == ["1", "2"]
    assert told == [f"a.{ending}:line {one.count(10) + 1}: no line end within 307,200 bytes: left out"]
    assert batches[-1].complete_until == NOW
    assert batches[-2].where is not None or batches[-1].where is not None
    last = next(batch for batch in reversed(batches) if batch.table.num_rows)
    assert last.where is not None
    assert last.where(0) == f"a.{ending}:line {one.count(10) + 2}"


LINES = st.lists(
    st.sampled_from([b"a,b\n", b"a,\xf1\n", b"\xf1\n", b'a,"b\nc"\n', b'a,"\xf1\nc"\n', b"\n"]), min_size=1
)


@given(LINES)
def test_blanking_leaves_every_good_record_on_its_line(lines: list[bytes]) -> None:
    chunk = b"".join(lines)
    kept, found = torn.blanked(chunk, len(chunk), "utf-8", ",", KEPT)
    assert kept.count(b"\n") == chunk.count(b"\n")
    before = [b"".join(lines[:i]).count(b"\n") for i in range(len(lines))]
    assert [line for line, _ in found.told] == [before[i] for i, line in enumerate(lines) if b"\xf1" in line]
    good = [line for line in lines if b"\xf1" not in line and line != b"\n"]
    assert b"".join(kept.replace(b"\r", b"").split()).decode() == b"".join(b"".join(good).split()).decode()
