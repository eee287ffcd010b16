"""Turns: one at a time with a case, whoever is at work on another holds up nobody, and nobody waits for ever."""

from __future__ import annotations

import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from connectors import SourceError, turns
from connectors.turns import heeding, turn


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def test_one_at_a_time_and_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "AGAIN", 0.0)
    inside, seen = [0], []

    def once(_: int) -> None:
        with turn("https://a.example", "VG-1"):
            inside[0] += 1
            seen.append(inside[0])
            inside[0] -= 1

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(once, range(400)))
    assert seen == [1] * 400
    assert [*tmp_path.rglob("*.turn")] == []


def test_no_case_waits_for_another_nor_one_tool_for_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "PATIENCE", 0.0)
    with turn("https://a.example", "VG-0"):
        for n in range(1, 300):
            with turn("https://a.example", f"VG-{n}"), turn("https://b.example", f"VG-{n}"):
                pass


def test_who_waits_too_long_is_told_that_it_is_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "PATIENCE", 0.05)
    with turn("https://a.example", "VG-1"):
        with pytest.raises(SourceError) as error, turn("https://a.example", "VG-1"):
            pytest.fail("it is taken")
        assert (error.value.fault, error.value.permanent) == ("busy", False)
        assert str(error.value).startswith("https://a.example: ")
    with turn("https://a.example", "VG-1"):
        pass


def test_who_is_told_to_stop_waits_no_longer() -> None:
    stop, told = threading.Event(), []

    def second() -> None:
        with heeding(stop.is_set), pytest.raises(SourceError) as error, turn("https://a.example", "VG-1"):
            pytest.fail("it is taken")
        told.append(error.value.fault)

    with turn("https://a.example", "VG-1"):
        thread = threading.Thread(target=second)
        thread.start()
        stop.set()
        thread.join(turns.PATIENCE / 2)
        assert told == ["busy"]


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    tempfile.tempdir = str(tmp_path / "file")
    with pytest.raises(SourceError, match="Not a directory"), turn("https://a.example", "VG-1"):
        pytest.fail("there is no place for it")
