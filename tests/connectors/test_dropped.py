"""Dropped files: each comes once and whole, whatever it is called, whatever else lies there, across restarts."""

from __future__ import annotations

import gzip
import json
import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from hypothesis import given
from hypothesis import strategies as st

from connectors import Batch, SourceError, dropped
from connectors.sources.file import File

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOW = datetime(2026, 3, 3, 12, tzinfo=UTC)
HEADER = "id,status\n"


class Partner:
    """Drops files into a folder of this machine, and polls it with a new File each time, as after a restart."""

    def __init__(self, folder: Path, **options: Any) -> None:
        self.folder, self.now = folder, NOW
        self.options = {"path": str(folder), "settled": timedelta(0), **options}
        self.cursor: dict[str, Any] | None = None
        self.last: Batch | None = None

    def drop(self, name: str, rows: str | bytes, *, at: datetime | None = None) -> None:
        path = self.folder / name
        path.write_bytes(rows if isinstance(rows, bytes) else rows.encode())
        when = (at or self.now).timestamp()
        os.utime(path, (when, when))

    def poll(self, later: float = 10) -> list[str]:
        """The ids that came."""
        self.now += timedelta(seconds=later)
        self.last = File(**self.options).poll(self.cursor, self.now, None)
        self.cursor = json.loads(json.dumps(self.last.cursor))
        return self.last.table["id"].to_pylist() if self.last.table.num_rows else []

    def drained(self) -> list[str]:
        """The ids that came until nothing more waited."""
        seen: list[str] = []
        for _ in range(50):
            seen += self.poll(0)
            assert self.last is not None
            if self.last.drained:
                return seen
        raise AssertionError("it is never drained")

    @property
    def notes(self) -> list[str]:
        assert self.last is not None
        return [f"{note.where}: {note.why}" for note in self.last.notes]

    @property
    def rejects(self) -> list[str]:
        assert self.last is not None
        return [f"{reject.where}: {reject.why}" for reject in self.last.rejects]

    @property
    def until(self) -> datetime | None:
        assert self.last is not None
        return self.last.complete_until


@pytest.fixture
def partner(tmp_path: Path) -> Partner:
    return Partner(tmp_path)


@pytest.fixture
def store() -> Iterator[MemoryFileSystem]:
    """An object storage in memory, empty."""
    MemoryFileSystem.store.clear()
    yield MemoryFileSystem()
    MemoryFileSystem.store.clear()


def test_files_come_the_oldest_first_and_once(partner: Partner) -> None:
    partner.drop("b.csv", HEADER + "1,ok\n", at=NOW - timedelta(hours=2))
    partner.drop("a.csv", HEADER + "2,ok\n", at=NOW - timedelta(hours=1))
    partner.drop("c.jsonl", '{"id": "3"}\n', at=NOW)
    assert partner.poll() == ["1", "2", "3"]
    assert partner.until == partner.now
    assert partner.poll() == []
    (partner.folder / "a.csv").unlink()  # it was read
    partner.drop("d.csv", HEADER + "4,ok\n")
    assert partner.poll() == ["4"]


def test_a_file_waits_until_it_has_looked_the_same_for_a_while(partner: Partner) -> None:
    partner.options["settled"] = timedelta(seconds=20)
    partner.drop("a.csv", HEADER + "1,o")
    assert partner.poll(0) == []
    assert (partner.last is not None and partner.last.drained, partner.until) == (True, None)  # it vouches for nothing
    partner.drop("a.csv", HEADER + "1,ok\n2,ok\n", at=NOW + timedelta(seconds=10))
    assert partner.poll(15) == []
    assert partner.poll(10) == []
    assert partner.poll(10) == ["1", "2"]
    assert partner.until == partner.now


def test_what_has_lain_there_for_long_is_read_at_once(partner: Partner) -> None:
    partner.options["settled"] = timedelta(seconds=20)
    partner.drop("a.csv", HEADER + "1,ok\n", at=NOW - timedelta(minutes=6))
    assert partner.poll() == ["1"]
    endless = File(**partner.options).poll(None, datetime(9999, 1, 1, tzinfo=UTC), None)  # as a backtest asks
    assert endless.table.num_rows == 1


def test_one_that_never_settles_holds_nothing_up_for_ever_and_is_told_once(partner: Partner) -> None:
    partner.options["settled"] = timedelta(minutes=2)
    told = []
    for minute in range(15):
        partner.drop("a.csv", HEADER + "1,ok\n" * minute)
        assert partner.poll(60) == []
        told += partner.notes
        assert partner.until == (None if minute < 10 else partner.now)
    waits = f"{partner.folder}: 1 file waits until it lies still for 120 s"
    assert told == [waits, "a.csv: keeps changing: it is read once it lies still"]


@pytest.mark.parametrize("name", ["a.csv.part", "a.csv.filepart", "a.csv.tmp", ".a.csv", "a.csv~"])
def test_names_of_uploads_are_left_until_they_are_renamed(partner: Partner, name: str) -> None:
    partner.drop(name, HEADER + "1,ok\n")
    assert (partner.poll(), partner.until) == ([], partner.now)
    (partner.folder / name).rename(partner.folder / "a.csv")
    assert partner.poll() == ["1"]


def test_a_file_that_has_grown_gives_what_was_added(partner: Partner) -> None:
    partner.drop("a.csv", HEADER + "1,ok\n2,ok")
    assert partner.poll() == ["1", "2"]
    partner.drop("a.csv", HEADER + "1,ok\n2,ok\n3,ok\n")
    assert partner.poll() == ["3"]
    partner.drop("b.csv.gz", gzip.compress((HEADER + "4,ok\n").encode()))
    assert partner.poll() == ["4"]
    partner.drop("b.csv.gz", gzip.compress((HEADER + "4,ok\n").encode()) + gzip.compress(b"5,ok\n"))
    assert partner.poll() == ["5"]
    assert partner.notes == []


def test_one_of_the_same_name_with_other_rows_is_read_from_its_beginning_and_told(partner: Partner) -> None:
    partner.drop("a.csv", HEADER + "1,ok\n2,ok\n")
    assert partner.poll() == ["1", "2"]
    partner.drop("a.csv", HEADER + "1,no\n2,ok\n")  # as long as it was
    assert partner.poll() == ["1", "2"]
    assert partner.notes == ["a.csv: has changed since it was read: read again from its beginning"]


def test_the_same_content_again_is_told_and_left(partner: Partner) -> None:
    partner.drop("a.csv", HEADER + "1,ok\n")
    assert partner.poll() == ["1"]
    (partner.folder / "a.csv").unlink()
    partner.drop("reenvio.csv", HEADER + "1,ok\n")
    assert partner.poll() == []
    assert partner.notes == ["reenvio.csv: left: a file with the same content has been read already"]
    assert (partner.rejects, partner.until) == ([], partner.now)  # nothing is lost by it
    assert (partner.poll(), partner.notes) == ([], [])


def test_touched_is_not_changed(partner: Partner) -> None:
    partner.drop("a.csv", HEADER + "1,ok\n")
    assert partner.poll() == ["1"]
    partner.drop("a.csv", HEADER + "1,ok\n")
    assert (partner.poll(), partner.notes) == ([], [])


def test_lists_may_return_to_what_they_were(partner: Partner) -> None:
    partner.options["repeats"] = True
    seen = []
    for ids in ("1", "2", "1"):
        partner.drop("clientes.csv", f"{HEADER}{ids},ok\n")
        seen += partner.poll()
    assert seen == ["1", "2", "1"]


def test_files_without_rows_say_nothing(partner: Partner) -> None:
    for name in ("a.csv", "b.csv"):
        partner.drop(name, "")
        partner.drop(f"h{name}", HEADER)
    assert partner.poll() == []
    assert (partner.rejects, partner.notes, partner.until) == ([], [], partner.now)
    partner.drop("a.csv", HEADER + "1,ok\n")
    partner.drop("hb.csv", HEADER + "2,ok\n")
    assert (partner.poll(), partner.notes) == (["1", "2"], [])


PARQUET = pa.table({"id": ["7"], "status": ["ok"]})


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("a.csv.gz", gzip.compress((HEADER + "7,ok\n").encode())[:-12], "cannot be read"),
        ("a.csv.gz", b"no gzip at all", "cannot be read"),
        ("a.csv", "id,año\n7,ok\n".encode("latin-1"), "set `encoding`"),
        ("a.parquet", b"PAR1 half written", "cannot be read"),
    ],
    ids=["cut short", "not gzip", "another encoding", "half a file"],
)
def test_a_bad_file_is_told_once_holds_up_nothing_and_comes_when_it_is_mended(
    partner: Partner, name: str, content: bytes, why: str
) -> None:
    partner.drop(name, content, at=NOW - timedelta(hours=1))
    partner.drop("b.csv", HEADER + "1,ok\n")
    assert partner.poll() == ["1"]
    assert (partner.rejects, partner.until) == ([], None)
    assert partner.poll() == []  # in a batch of its own: nothing in it can be used
    assert len(partner.rejects) == 1
    assert why in partner.rejects[0]
    partner.drop("c.csv", HEADER + "2,ok\n")
    assert (partner.poll(), partner.rejects, partner.until) == (["2"], [], partner.now)
    whole = (HEADER + "7,ok\n").encode()
    pq.write_table(PARQUET, partner.folder / "mended.parquet.tmp")
    mended = {"gz": gzip.compress(whole), "csv": whole, "uet": (partner.folder / "mended.parquet.tmp").read_bytes()}
    partner.drop(name, next(good for end, good in mended.items() if name.endswith(end)))
    assert partner.poll() == ["7"]


def test_a_bad_file_is_told_though_others_come_all_the_time(partner: Partner) -> None:
    partner.drop("bad.csv.gz", b"no gzip")
    source, cursor, drained, told = File(**partner.options), None, 0, []
    seen = []
    for n in range(9):
        partner.drop(f"{n}.csv", f"{HEADER}{n},ok\n")
        batch = source.poll(cursor, NOW, None)
        cursor, drained = batch.cursor, drained + batch.drained
        told += [one.where for one in batch.rejects]
        assert not (batch.rejects and batch.table.num_rows)
        seen += batch.table["id"].to_pylist() if batch.table.num_rows else []
    assert (told, drained, sorted(seen)) == (["bad.csv.gz"], 7, [str(n) for n in range(9)])


def test_a_bad_file_is_fetched_once(partner: Partner, monkeypatch: pytest.MonkeyPatch) -> None:
    partner.drop("a.parquet", b"PAR1 half written")
    source = File(**partner.options)
    batch = source.poll(None, NOW, None)
    monkeypatch.setattr(source._elsewhere.folder, "local", lambda _: pytest.fail("fetched again"))  # type: ignore[union-attr]
    assert source.poll(batch.cursor, NOW, None).rejects == ()
    assert len(source.poll(None, NOW, None).rejects) == 1  # whoever did not take the first answer is told again


def test_malformed_rows_at_the_end_are_told_too(partner: Partner) -> None:
    partner.drop("a.csv", HEADER + '1,ok\n2\n3,"ok\n4,ok\n')
    partner.drop("b.jsonl", '{"id": "5"}\n{"id": ')
    seen, told = [], []
    for _ in range(4):
        seen += partner.poll()
        told += partner.rejects
    assert sorted(seen) == ["1", "4", "5"]
    assert [line.partition(": ")[0] for line in told] == ["a.csv:line 3", "a.csv:line 4", "b.jsonl:line 2"]


def test_what_is_no_file_of_ours_is_told_once(partner: Partner, tmp_path: Path) -> None:
    partner.drop("a.csv.md5", "x")
    partner.drop("a.csv", HEADER + "1,ok\n")
    assert partner.poll() == ["1"]
    assert partner.notes == ["a.csv.md5: left: the name does not end in .csv, .jsonl or .parquet"]
    assert (partner.poll(), partner.notes) == ([], [])
    assert File(path=str(tmp_path)).check() == "1 file, the last a.csv: id, status"


def test_a_folder_that_is_away_for_a_while_is_not_read_again(partner: Partner, tmp_path: Path) -> None:
    partner.options["repeats"] = True
    partner.drop("a.csv", HEADER + "1,ok\n")
    assert partner.poll() == ["1"]
    (tmp_path / "a.csv").rename(tmp_path / "a.csv.tmp")
    assert partner.poll() == []
    (tmp_path / "a.csv.tmp").rename(tmp_path / "a.csv")
    assert partner.poll() == []


def test_a_folder_whose_files_were_named_before_is_not_read_again(partner: Partner) -> None:
    partner.drop("a.csv", HEADER + "1,ok\n")
    partner.options["path"] += "/*.csv"
    assert partner.poll(120) == ["1"]
    partner.options["path"] = str(partner.folder)
    assert partner.poll() == []


def test_lag_is_how_far_behind_the_files_are(partner: Partner) -> None:
    partner.options["lag"] = timedelta(minutes=20)
    partner.drop("a.csv", HEADER + "1,ok\n")
    assert partner.poll() == ["1"]
    assert partner.until == partner.now - timedelta(minutes=20)


@pytest.mark.parametrize("ending", ["csv", "jsonl", "csv.gz", "parquet"])
def test_a_large_file_comes_in_pieces_across_restarts(
    partner: Partner, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    monkeypatch.setattr("connectors.taken.LIMIT", 300)
    ids = [str(n) for n in range(200)]
    text = HEADER + "".join(f"{n},ok\n" for n in ids)
    content = {"csv": text.encode(), "csv.gz": gzip.compress(text.encode())}
    content["jsonl"] = "".join(f'{{"id": "{n}"}}\n' for n in ids).encode()
    pq.write_table(pa.table({"id": ids}), partner.folder / "x.tmp", row_group_size=30)
    content["parquet"] = (partner.folder / "x.tmp").read_bytes()
    partner.drop(f"a.{ending}", content[ending])
    partner.drop("b.csv", HEADER + "x,ok\n", at=NOW + timedelta(minutes=1))
    first = partner.poll()
    assert 0 < len(first) < 200
    partner.drop("c.csv", HEADER + "y,ok\n", at=NOW - timedelta(hours=1))
    seen = first + partner.drained()
    assert sorted(seen) == sorted([*ids, "x", "y"])
    assert seen[:200] == ids  # what was begun goes on first


def test_files_of_unlike_columns_come_in_batches_of_their_own(partner: Partner) -> None:
    partner.drop("a.jsonl", '{"id": "a", "count": 1}\n')
    partner.drop("b.jsonl", '{"id": "b", "count": "2"}\n')
    assert partner.poll() == ["a"]
    assert partner.drained() == ["b"]


@pytest.mark.parametrize("growing", [True, False])
def test_a_column_may_be_missing_first_then_text_then_a_number(partner: Partner, growing: bool) -> None:  # noqa: FBT001
    for n, more in enumerate(("", ', "code": "E1"', ', "code": 17', ', "code": ["E2"]')):
        partner.drop(f"{n}.jsonl", f'{{"id": "{n}"{more}}}\n', at=NOW + timedelta(seconds=n))
    if growing:
        partner.options["path"] += "/*"
    assert partner.poll() == ["0", "1"]
    assert partner.drained() == ["2", "3"]


def test_many_files_make_a_small_cursor(partner: Partner, monkeypatch: pytest.MonkeyPatch) -> None:
    for n in range(1500):
        (partner.folder / f"{n}.csv").write_text(f"{HEADER}{n},ok\n")
    assert len(partner.drained()) == 1500
    assert len(json.dumps(partner.cursor)) < 72_000
    assert partner.poll() == []
    monkeypatch.setattr(dropped, "MOST", 1499)
    with pytest.raises(SourceError, match="1500 files, more than 1499: move old ones away") as full:
        partner.poll()
    assert full.value.permanent


def test_a_pattern_may_name_folders(store: MemoryFileSystem) -> None:
    for path in ("/e/a.csv", "/e/2026/b.csv", "/e/2026/11/c.csv", "/e/d.txt"):
        store.pipe(path, f"{HEADER}{path},ok\n".encode())

    def found(pattern: str) -> list[str]:
        return sorted(File(path=pattern).poll(None, NOW, None).table["id"].to_pylist())

    assert found("memory://e/*.csv") == ["/e/a.csv"]
    assert found("memory://e/*/*.csv") == ["/e/2026/b.csv"]
    assert found("memory://e/**/*.csv") == ["/e/2026/11/c.csv", "/e/2026/b.csv", "/e/a.csv"]
    assert found("memory://e/") == ["/e/a.csv", "/e/d.txt"]
    assert found("memory://e/a.csv") == ["/e/a.csv"]


NAMES = st.sampled_from(["a.csv", "b.csv", "c.csv.gz", "d.jsonl"])
STEPS = st.lists(st.tuples(NAMES, st.sampled_from(["new", "more", "move", "remove", "poll", "restart"])), max_size=25)


@given(STEPS)
def test_whatever_happens_to_the_files_each_row_comes_once(steps: list[tuple[str, str]]) -> None:
    MemoryFileSystem.store.clear()
    MemoryFileSystem().makedirs("/e", exist_ok=True)  # the bucket
    store, written, seen, held = MemoryFileSystem(), 0, [], dict[str, list[int]]()
    expected: list[str] = []
    cursor: Any = None
    source = File(path="memory://e/")

    def write(name: str) -> None:
        rows = held[name]
        text = (
            "".join(f'{{"id": "{n}"}}\n' for n in rows)
            if "json" in name
            else HEADER + "".join(f"{n},ok\n" for n in rows)
        )
        store.pipe(f"/e/{name}", gzip.compress(text.encode(), mtime=0) if name.endswith(".gz") else text.encode())

    def poll() -> None:
        nonlocal cursor
        batch = source.poll(cursor, NOW, None)
        cursor = json.loads(json.dumps(batch.cursor))
        assert batch.drained
        assert batch.rejects == ()
        seen.extend(batch.table["id"].to_pylist() if batch.table.num_rows else [])

    for name, step in steps:
        if step == "restart":
            source = File(path="memory://e/")
        elif step == "remove" and name in held:
            poll()
            store.rm(f"/e/{name}")
            del held[name]
        elif step == "move" and name in held and f"x{name}" not in held:
            poll()
            held[f"x{name}"] = held.pop(name)
            store.rm(f"/e/{name}")
            write(f"x{name}")
        elif step in ("new", "more"):
            poll()
            before = held.get(name, []) if step == "more" and not name.endswith(".gz") else []
            held[name] = [*before, written, written + 1]
            expected += [str(written), str(written + 1)]
            written += 2
            write(name)
        poll()
    assert seen == expected
