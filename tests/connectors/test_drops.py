"""Dropped files that come while others are written, change in the middle of being read, or are away: nothing twice, nothing held up."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from connectors import SourceError, contents
from connectors.records import form
from connectors.sources.file import File
from tests.connectors.test_dropped import HEADER, NOW, Partner


@pytest.fixture
def partner(tmp_path: Path) -> Partner:
    return Partner(tmp_path / "in")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    return tmp_path / "in"


def rows(first: int, last: int) -> str:
    return "".join(f"{n:04},ok\n" for n in range(first, last))


def test_a_folder_in_which_something_always_waits_still_vouches_for_the_time_before_it(partner: Partner) -> None:
    partner.options["settled"] = timedelta(seconds=20)
    said, came = [], 0
    for n in range(60):
        partner.drop(f"{n:03}.csv", f"{HEADER}{n},ok\n", at=partner.now + timedelta(seconds=10))
        came += len(partner.poll(10))
        said.append(partner.until)
    assert came == 58  # all but those that still wait
    assert said[0] is None  # what lay there before the first poll is not known
    kept = [until for until in said if until]
    assert len(kept) > 50
    assert kept == sorted(kept)
    assert kept[-1] == partner.now - timedelta(seconds=20)  # when it was last listed without the one that waits


def test_time_is_vouched_for_less_the_lag(partner: Partner) -> None:
    partner.options |= {"settled": timedelta(seconds=20), "lag": timedelta(minutes=5)}
    partner.poll()
    listed = partner.now
    partner.drop("a.csv", HEADER + "1,ok\n")
    assert partner.poll() == []
    assert partner.until == listed - timedelta(minutes=5)


def test_what_was_kept_by_the_release_before_is_understood(partner: Partner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.taken.LIMIT", 300)
    partner.drop("a.csv", HEADER + rows(0, 100))
    first = partner.poll()
    assert partner.cursor is not None
    reading = partner.cursor["reading"]
    partner.cursor["reading"] = {part: reading[part] for part in ("mark", "size", "digest", "place", "rows")}
    partner.cursor["waiting"] = {"b.csv": ["1:1", NOW.timestamp(), NOW.timestamp(), False]}
    assert len(first + partner.drained()) == 100


def test_a_restart_in_the_middle_of_a_young_file_reads_nothing_twice(
    partner: Partner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connectors.taken.LIMIT", 300)
    partner.options["settled"] = timedelta(seconds=20)
    partner.drop("a.csv", HEADER + rows(0, 100))
    seen = [one for _ in range(40) for one in partner.poll(30)]  # a new source at every poll
    assert seen == [f"{n:04}" for n in range(100)]


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_row_added_in_the_middle_of_reading_comes_alone(
    partner: Partner, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    monkeypatch.setattr("connectors.taken.LIMIT", 300)

    def write(last: int) -> None:
        if ending == "csv":
            return partner.drop("a.csv", HEADER + rows(0, last))
        held = pa.table({"id": [f"{n:04}" for n in range(last)], "status": ["ok"] * last})
        pq.write_table(held, partner.folder / "a.parquet", row_group_size=20)
        return os.utime(partner.folder / "a.parquet", (partner.now.timestamp(), partner.now.timestamp()))

    write(100)
    seen = partner.poll()
    assert 0 < len(seen) < 100
    write(101)
    for _ in range(40):
        seen += partner.poll()
        assert partner.notes == []
    assert seen == [f"{n:04}" for n in range(101)]


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_more_files_than_are_known_in_full_get_rows_added_and_each_comes_once(
    partner: Partner, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    monkeypatch.setattr("connectors.drops.RECENT", 2)
    wrote, seen, notes = 0, [], []
    held: dict[str, str] = {}
    for _ in range(4):
        for name in (f"caja{n}.{ending}" for n in range(9)):
            row = f"{wrote:04},ok\n" if ending == "csv" else f'{{"id": "{wrote:04}"}}\n' * 40
            held[name] = held.get(name, HEADER if ending == "csv" else "") + row
            partner.drop(name, held[name])
            wrote += 1
        seen += partner.poll()
        notes += partner.notes
        assert partner.last is not None
        assert partner.last.where is not None
        assert partner.last.where(0).endswith(
            f":line {held['caja0.' + ending].count(chr(10)) - (39 if ending == 'jsonl' else 0)}"
        )
    assert sorted(seen) == sorted(f"{n:04}" for n in range(wrote) for _ in range(1 if ending == "csv" else 40))
    assert notes == []
    partner.drop(f"caja3.{ending}", held[f"caja4.{ending}"].replace("ok", "no").replace("1", "2"))
    partner.poll()
    assert partner.notes == [f"caja3.{ending}: has changed since it was read: read again from its beginning"]


def lost(partner: Partner) -> str:
    assert partner.last is not None
    return partner.last.lost


def test_one_that_waits_and_is_gone_is_told_as_lost(partner: Partner) -> None:
    partner.options["settled"] = timedelta(seconds=20)
    partner.drop("a.csv", HEADER + rows(0, 3))
    partner.drop("a.csv.md5", "x")
    assert (partner.poll(), lost(partner)) == ([], "")
    for name in ("a.csv", "a.csv.md5"):
        (partner.folder / name).unlink()
    partner.drop("b.csv", HEADER + rows(3, 5))
    assert (partner.poll(), lost(partner)) == ([], "a.csv: gone before all of it was read")
    assert (partner.poll(20), lost(partner)) == (["0003", "0004"], "")
    (partner.folder / "b.csv").unlink()  # it was read
    assert (partner.poll(), lost(partner)) == ([], "")


@pytest.mark.parametrize("moved", ["renamed", "copied"])
def test_one_that_waits_and_comes_under_another_name_is_not_lost(partner: Partner, moved: str) -> None:
    partner.options["settled"] = timedelta(seconds=20)
    partner.drop("a.csv", HEADER + rows(0, 3))
    assert partner.poll() == []
    (partner.folder / "a.csv").rename(partner.folder / "b.csv")
    if moved == "copied":
        os.utime(partner.folder / "b.csv", (partner.now.timestamp() + 1,) * 2)
    seen = []
    for _ in range(4):
        seen += partner.poll()
        assert lost(partner) == ""
    assert seen == ["0000", "0001", "0002"]


def test_one_that_is_gone_before_its_turn_is_told_as_lost(partner: Partner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.dropped.FILES", 1)
    for name in "abc":
        partner.drop(f"{name}.csv", f"{HEADER}{name},ok\n")
    source = File(**partner.options)
    first = source.poll(None, NOW, None)
    for name in "abc":
        (partner.folder / f"{name}.csv").unlink()
    assert (first.table["id"].to_pylist(), first.lost) == (["a"], "")
    assert source.poll(first.cursor, NOW, None).lost == "2 files, such as b.csv: gone before all of it was read"


def test_one_that_is_gone_in_the_middle_of_reading_is_told_as_lost_once(
    partner: Partner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connectors.taken.LIMIT", 300)
    partner.drop("a.csv", HEADER + rows(0, 100))
    seen, said = partner.poll(), []
    away = (partner.folder / "a.csv").rename(partner.folder.parent / "a.csv")
    for _ in range(3):
        assert partner.poll() == []
        said.append(lost(partner))
    assert said == ["a.csv: gone before all of it was read", "", ""]
    away.rename(partner.folder / "b.csv")
    for _ in range(40):
        seen += partner.poll()
        assert lost(partner) == ""
    assert seen == [f"{n:04}" for n in range(100)]


def test_one_renamed_in_the_middle_of_reading_goes_on(partner: Partner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.taken.LIMIT", 300)
    partner.drop("a.csv", HEADER + rows(0, 100))
    seen = partner.poll()
    (partner.folder / "a.csv").rename(partner.folder / "leido.csv")
    for _ in range(40):
        seen += partner.poll()
        assert lost(partner) == ""
    assert seen == [f"{n:04}" for n in range(100)]


def test_a_file_that_grows_while_it_is_hashed_gives_each_row_once(
    partner: Partner, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = contents.digests

    def slow(path: str, size: int) -> Any:
        monkeypatch.setattr(contents, "digests", real)
        partner.drop("a.csv", HEADER + rows(0, 4))
        return real(path, size)

    partner.drop("a.csv", HEADER + rows(0, 3))
    monkeypatch.setattr(contents, "digests", slow)
    seen = partner.poll() + partner.poll()
    partner.drop("a.csv", HEADER + rows(0, 5))
    seen += partner.poll() + partner.poll()
    assert seen == [f"{n:04}" for n in range(5)]


def test_one_that_changes_after_it_was_listed_waits_like_any_other(
    partner: Partner, monkeypatch: pytest.MonkeyPatch
) -> None:
    partner.poll()
    listed = partner.now
    partner.drop("a.csv", HEADER + rows(0, 3))

    def grown(name: str) -> str:
        partner.drop("a.csv", HEADER + rows(0, 4))
        monkeypatch.setattr("connectors.dropped.form", form)
        return form(name)

    monkeypatch.setattr("connectors.dropped.form", grown)  # asked between the listing and the reading
    assert partner.poll() == []
    assert partner.until == listed
    assert partner.poll() == ["0000", "0001", "0002", "0003"]
    assert partner.until == partner.now


def test_a_folder_whose_disk_is_away_says_so_and_one_that_was_swept_does_not(partner: Partner) -> None:
    partner.drop("a.csv", HEADER + "1,ok\n")
    assert partner.poll() == ["1"]
    (partner.folder / "a.csv").rename(partner.folder.parent / "a.csv")
    assert (partner.poll(), partner.until) == ([], partner.now)  # what was read may be removed
    away = partner.folder.rename(partner.folder.parent / "away")
    partner.folder.mkdir()
    with pytest.raises(SourceError, match="is empty, and not the folder that it was") as gone:
        partner.poll()
    assert gone.value.fault == "unreachable"
    partner.folder.rmdir()
    away.rename(partner.folder)
    assert partner.poll() == []
    partner.drop("b.csv", HEADER + "2,ok\n")
    assert partner.poll() == ["2"]
