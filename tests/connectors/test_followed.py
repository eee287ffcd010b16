"""Growing files that are rotated, copied, compressed, written anew or away: each row once, and nothing is vouched for that is not there."""

from __future__ import annotations

import gzip
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from connectors import SourceError, followed
from connectors.sources.file import File
from tests.connectors.test_dropped import HEADER, NOW
from tests.connectors.test_file import Reader


class Log(Reader):
    """Ids of what came."""

    def ids(self) -> list[str]:
        return [row["id"] for row in self.poll()]

    @property
    def said(self) -> tuple[list[str], Any]:
        assert self.last is not None
        return [one.why for one in (*self.last.rejects, *self.last.notes)], self.last.complete_until


def rows(first: int, last: int, word: str = "ok") -> str:
    return "".join(f"{n:04},{word}\n" for n in range(first, last))


def ids(first: int, last: int) -> list[str]:
    return [f"{n:04}" for n in range(first, last)]


@pytest.mark.parametrize("many", [3, 500])
def test_gzip_working_beside_the_file_that_it_compresses_gives_nothing_twice(tmp_path: Path, many: int) -> None:
    log = Log(tmp_path / "a.csv*")
    (tmp_path / "a.csv").write_text(HEADER + rows(0, many))
    assert log.ids() == ids(0, many)
    (tmp_path / "a.csv").rename(tmp_path / "a.csv.1")
    (tmp_path / "a.csv").write_text(HEADER)
    assert log.ids() == []
    whole = gzip.compress((tmp_path / "a.csv.1").read_bytes())
    for part in (whole[: len(whole) // 2], whole):
        (tmp_path / "a.csv.1.gz").write_bytes(part)
        assert log.ids() == []
        assert log.said == ([], NOW)
    (tmp_path / "a.csv.1").unlink()
    assert log.ids() == []
    with (tmp_path / "a.csv").open("a") as out:
        out.write(rows(many, many + 2))
    assert log.ids() == ids(many, many + 2)


@pytest.mark.parametrize("copy", ["a.csv.1", "a-1.csv"], ids=["after", "before"])
def test_copied_and_cut_gives_nothing_twice_whenever_it_is_seen(tmp_path: Path, copy: str) -> None:
    log, path = Log(tmp_path / "a*csv*"), tmp_path / "a.csv"
    path.write_text(HEADER + rows(0, 500))
    assert log.ids() == ids(0, 500)
    with path.open("a") as out:
        out.write(rows(500, 510))
    content = path.read_bytes()
    (tmp_path / copy).write_bytes(content[:2003])  # the copy is being written
    assert log.ids() == ids(500, 510)
    (tmp_path / copy).write_bytes(content)
    assert log.ids() == []
    path.write_text(HEADER + rows(510, 512))
    assert log.ids() == ids(510, 512)
    assert log.ids() == []


@pytest.mark.parametrize("many", [3, 500])
def test_every_file_of_a_chain_moves_on_by_one(tmp_path: Path, many: int) -> None:
    log, seen = Log(tmp_path / "a.csv*"), []
    for turn in range(4):
        for n in (2, 1):
            if (old := tmp_path / f"a.csv.{n}").exists():
                old.rename(tmp_path / f"a.csv.{n + 1}")
        if turn:
            (tmp_path / "a.csv").rename(tmp_path / "a.csv.1")
        (tmp_path / "a.csv").write_text(HEADER + rows(many * turn, many * (turn + 1)))
        seen += log.ids()
    assert seen == ids(0, 4 * many)


def test_small_files_that_begin_alike_lose_nothing(tmp_path: Path) -> None:
    log = Log(tmp_path / "*.csv")
    seen = []
    for name in "abc":
        (tmp_path / f"{name}.csv").write_text(HEADER + rows(0, 2))
        seen += log.ids()
    assert seen == ids(0, 2) * 3


def test_a_disk_that_is_away_for_a_while_is_not_read_again(tmp_path: Path) -> None:
    for disk in "ab":
        (tmp_path / disk).mkdir()
        (tmp_path / disk / "app.csv").write_text(HEADER + rows(0, 100, disk))
    log = Log(tmp_path / "*" / "app.csv")
    assert len(log.ids()) == 200
    (tmp_path / "b").rename(tmp_path / ".b")
    for _ in range(3):
        assert log.ids() == []
    (tmp_path / ".b").rename(tmp_path / "b")
    with (tmp_path / "b" / "app.csv").open("a") as out:
        out.write(rows(100, 101))
    assert log.ids() == ids(100, 101)


def test_all_files_away_at_once_is_said_and_vouches_for_nothing(tmp_path: Path) -> None:
    log = Log(tmp_path / "*" / "app.csv")
    assert log.ids() == []
    assert log.said == ([], NOW)  # there never was one
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "app.csv").write_text(HEADER + rows(0, 100))
    assert len(log.ids()) == 100
    (tmp_path / "a").rename(tmp_path / ".a")
    for _ in range(2):
        with pytest.raises(SourceError, match=r"no file matches any more, there were 1: is their disk away\?") as away:
            log.poll()
    assert away.value.fault == "unreachable"
    (tmp_path / ".a").rename(tmp_path / "a")
    assert log.ids() == []


def test_places_of_what_is_gone_are_kept_for_a_week(tmp_path: Path) -> None:
    log = Log(tmp_path / "*.csv")
    for name in "ab":
        (tmp_path / f"{name}.csv").write_text(HEADER + rows(0, 1, name))
    log.poll()
    (tmp_path / "a.csv").unlink()
    log.poll()
    assert log.cursor is not None
    assert list(log.cursor["gone"]) == [str(tmp_path / "a.csv")]
    log.poll(NOW + followed.GONE + timedelta(seconds=1))
    assert "gone" not in log.cursor


def test_a_bad_file_is_told_once_and_read_when_it_is_mended(tmp_path: Path) -> None:
    log = Log(tmp_path / "a*")
    (tmp_path / "a.csv").write_text(HEADER + rows(0, 1))
    (tmp_path / "a.csv.gz").write_bytes(b"no gzip")
    (tmp_path / "a.xls").write_text("x")
    assert log.ids() == ids(0, 1)
    assert log.said == ([], None)
    assert log.ids() == []
    assert [("cannot be read" in why, "does not say the format" in why) for why in log.said[0]] == [
        (True, False),
        (False, True),
    ]
    for n in range(1, 4):
        with (tmp_path / "a.csv").open("a") as out:
            out.write(rows(n, n + 1))
        assert log.ids() == ids(n, n + 1)
        assert log.said == ([], NOW)
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress((HEADER + rows(7, 8)).encode()))
    assert log.ids() == ids(7, 8)


def test_a_bad_file_is_told_beside_one_that_always_grows(tmp_path: Path) -> None:
    (tmp_path / "old.csv.gz").write_bytes(b"no gzip")
    source, cursor, drained, told = File(path=str(tmp_path / "*.csv*")), None, 0, []
    seen = []
    for n in range(9):
        with (tmp_path / "a.csv").open("a") as out:
            out.write(rows(n, n + 1) if n else HEADER + rows(0, 1))
        batch = source.poll(cursor, NOW, None)
        cursor, drained = batch.cursor, drained + batch.drained
        told += [one.where for one in batch.rejects]
        assert (batch.complete_until == NOW) == batch.drained
        assert not (batch.rejects and batch.table.num_rows)  # a batch in which nothing can be used
        seen += batch.table["id"].to_pylist() if batch.table.num_rows else []
    assert (told, drained, seen) == (["old.csv.gz"], 7, ids(0, 9))


def test_parquet_written_anew_comes_whole_and_renamed_not_again(tmp_path: Path) -> None:
    log = Log(tmp_path / "*.parquet")

    def write(*ids: str) -> list[str]:
        pq.write_table(pa.table({"id": ids}), tmp_path / "a.parquet")
        return log.ids()

    assert write("1", "2", "3") == ["1", "2", "3"]
    assert write("1", "2", "3", "4") == ["4"]
    assert write("11", "12", "13", "14") == ["11", "12", "13", "14"]
    assert write("21", "22", "23", "24", "25") == ["21", "22", "23", "24", "25"]
    (tmp_path / "a.parquet").rename(tmp_path / "a-2026.parquet")
    assert log.ids() == []
    assert write("31", "32") == ["31", "32"]


def test_parquet_read_before_there_were_marks_goes_on(tmp_path: Path) -> None:
    log = Log(tmp_path / "*.parquet")
    pq.write_table(pa.table({"id": ["1", "2"]}), tmp_path / "a.parquet")
    log.poll()
    assert log.cursor is not None
    log.cursor["files"][str(tmp_path / "a.parquet")]["mark"] = ""
    pq.write_table(pa.table({"id": ["1", "2", "3"]}), tmp_path / "a.parquet")
    assert log.ids() == ["3"]


@pytest.mark.parametrize("kept", [50, 0], ids=["lately", "long ago"])
def test_a_pattern_over_a_folder_that_was_read_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: int
) -> None:
    monkeypatch.setattr("connectors.drops.RECENT", kept)
    content = (HEADER + rows(0, 300)).encode()
    (tmp_path / "a.csv").write_bytes(content)
    (tmp_path / "b.csv.gz").write_bytes(gzip.compress(content.replace(b"ok", b"no")))
    pq.write_table(pa.table({"id": ["1", "2"], "status": ["ok", "ok"]}), tmp_path / "c.parquet")
    log = Log(tmp_path, settled=timedelta(0))
    assert len(log.ids()) == 602
    log.path = str(tmp_path / "*[!1]")
    assert log.ids() == []
    assert log.said == ([], NOW)
    with (tmp_path / "a.csv").open("a") as out:
        out.write(rows(300, 301))
    (tmp_path / "d.csv").write_text(HEADER + rows(400, 401))
    assert log.ids() == ids(300, 301) + ids(400, 401)


def test_what_begins_anew_says_so(tmp_path: Path) -> None:
    for folder in "ab":
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x.csv").write_text(HEADER + rows(0, 2, folder))
    log = Log(tmp_path / "a", settled=timedelta(0))
    anew = "read from the beginning: what was read before lay elsewhere"
    for path, said in (("a", []), ("b/*.csv", [anew]), ("a", [anew]), ("a/*.csv", [])):
        log.path = str(tmp_path / path)
        assert log.ids() == ([] if path == "a/*.csv" else ids(0, 2))
        assert log.said == (said, NOW)


@pytest.mark.parametrize("act", ["check", "poll"])
def test_a_folder_that_may_not_be_listed_is_no_folder_without_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, act: str
) -> None:
    """What matches a pattern in it cannot be told: nothing may be vouched for."""
    real = os.scandir

    def scandir(folder: Any = ".") -> Any:
        if str(folder).rstrip("/") == str(tmp_path / "cerrada"):
            raise PermissionError(13, "Permission denied")
        return real(folder)

    monkeypatch.setattr(os, "scandir", scandir)
    (tmp_path / "cerrada").mkdir()
    (tmp_path / "cerrada" / "a.csv").write_text(HEADER + rows(0, 3))
    source = File(path=str(tmp_path / "cerrada" / "*.csv"))
    with pytest.raises(SourceError, match=r"cerrada: cannot be listed: Permission denied$"):
        source.check() if act == "check" else source.poll(None, NOW, None)


@pytest.mark.parametrize("name", ["x" * 300, f"{'x' * 300}/*.csv"])
def test_a_path_that_cannot_be_looked_at_is_told(tmp_path: Path, name: str) -> None:
    source = File(path=str(tmp_path / name))
    for act in (source.check, lambda: source.poll(None, NOW, None)):
        with pytest.raises(SourceError, match=r"File name too long$"):
            act()


@pytest.mark.parametrize("act", ["check", "poll"])
def test_a_pattern_in_a_folder_that_is_not_there_vouches_for_nothing(tmp_path: Path, act: str) -> None:
    source = File(path=str(tmp_path / "trasacciones" / "*" / "*.csv"))
    with pytest.raises(SourceError, match=r"trasacciones: there is no such folder$"):
        source.check() if act == "check" else source.poll(None, NOW, None)
    (tmp_path / "trasacciones").mkdir()
    assert source.check().endswith("no file matches yet")
    assert source.poll(None, NOW, None).drained
