"""The local desk: one row a key, whoever writes and whatever breaks."""

from __future__ import annotations

import csv
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors import Case, SourceError
from connectors.desks.local import Local
from tests.cases import CASE, NOW

if TYPE_CHECKING:
    from pathlib import Path


def case(key: str = "k1", **changes: object) -> Case:
    told = {"key": key, "incident_id": "i1", "body": 'Línea 1\nLínea 2, con «comillas» y "dobles"'}
    return replace(CASE, **told | changes)  # type: ignore[arg-type] - named fields of the case


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as lines:
        return list(csv.DictReader(lines))


def test_people_read_it(tmp_path: Path) -> None:
    path = tmp_path / "var" / "casos.csv"
    assert Local(path=str(path)).open(case()) == "C-000001"
    assert rows(path) == [
        {
            "clave": "k1",
            "caso": "C-000001",
            "incidente": "i1",
            "cliente": "900123456",
            "producto": "pagos",
            "canal": "",
            "abierto": "2026-03-03 12:00:00+00:00",
            "prioridad": "80",
            "tipo": "soporte",
            "estado": "abierto",
            "asunto": "Afectación en pagos",
            "detalle": 'Línea 1\nLínea 2, con «comillas» y "dobles"',
            "nota": "",
        }
    ]


def test_its_times_are_the_banks_and_say_so(tmp_path: Path) -> None:
    path = tmp_path / "casos.csv"
    Local(path=str(path)).open(case())
    bogota = Local(path=str(path), timezone="America/Bogota")
    bogota.open(case("k2"))
    bogota.update(case(status="retirado"))
    assert [row["abierto"] for row in rows(path)] == ["2026-03-03 07:00:00-05:00"] * 2
    read = bogota.poll(None, datetime(2026, 3, 3, 12, tzinfo=UTC), None).table["opened_at"].to_pylist()
    assert [datetime.fromisoformat(at) for at in read] == [case().opened_at] * 2
    with pytest.raises(ValueError, match="timezone: 'Bogota' is not a time zone"):
        Local(path=str(path), timezone="Bogota")


def test_same_key_is_the_same_case_also_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "casos.csv"
    first = Local(path=str(path))
    assert [first.open(case("a")), first.open(case("b")), first.open(case("a"))] == ["C-000001", "C-000002", "C-000001"]
    assert Local(path=str(path)).open(case("b")) == "C-000002"
    assert len(rows(path)) == 2


def test_update_writes_over_the_row_and_keeps_what_people_added(tmp_path: Path) -> None:
    path = tmp_path / "casos.csv"
    desk = Local(path=str(path))
    for key in "abc":
        desk.open(case(key))
    before = rows(path)
    with path.open("w", encoding="utf-8-sig", newline="") as out:
        csv.writer(out).writerow([*before[0], "responsable"])
        csv.writer(out).writerows([*row.values(), "Ana"] for row in before)
    desk.update(case("b", status="cerrado", note="listo"))
    assert [row["estado"] for row in rows(path)] == ["abierto", "cerrado", "abierto"]
    assert [row["responsable"] for row in rows(path)] == ["Ana", "Ana", "Ana"]
    assert desk.open(case("c")) == "C-000003"
    with pytest.raises(SourceError, match="no case with key z") as error:
        desk.update(case("z"))
    assert error.value.permanent


@pytest.mark.parametrize("cut", [1, 5, 20, 60, 100, 300, 400])
def test_torn_last_row_is_cut_off_and_opened_again(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "casos.csv"
    desk = Local(path=str(path))
    desk.open(case("a"))
    desk.open(case("b"))
    before = path.read_bytes()
    path.write_bytes(before[:-cut])
    assert desk.open(case("a")) == "C-000001"
    for reader in (desk, Local(path=str(path))):
        assert reader.open(case("b")) == "C-000002"
    assert path.read_bytes() == before


def test_many_threads_open_each_case_once(tmp_path: Path) -> None:
    path = tmp_path / "casos.csv"
    desks = [Local(path=str(path)) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        numbers = list(pool.map(lambda n: desks[n % 4].open(case(f"k{n // 4}")), range(80)))
    assert len(set(numbers)) == len(rows(path)) == 20


def test_foreign_file_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "casos.csv"
    path.write_text("something,else\n1,2")
    with pytest.raises(SourceError, match="first line is not clave,caso"):
        Local(path=str(path)).open(case())
    assert path.read_text() == "something,else\n1,2"
    with pytest.raises(SourceError):
        Local(path=str(path / "below" / "casos.csv")).open(case())


@pytest.mark.parametrize("end", [b"", b"\r", b"\r\n"])
def test_a_last_row_without_its_line_end_is_a_case_and_its_number_stays_taken(tmp_path: Path, end: bytes) -> None:
    path = tmp_path / "casos.csv"
    for key in "abc":
        Local(path=str(path)).open(case(key))
    before = path.read_bytes()
    path.write_bytes(saved := before.removesuffix(b"\r\n") + end)
    reader = Local(path=str(path))
    for _ in range(2):
        assert reader.check().endswith(": 3 cases")
    assert reader.poll(None, NOW, None).table["case_id"].to_pylist() == ["C-000001", "C-000002", "C-000003"]
    assert path.read_bytes() == saved, "who reads changes nothing"
    assert Local(path=str(path)).open(case("d")) == "C-000004"
    assert path.read_bytes().startswith(before)
    reader.update(case("c", status="cerrado"))
    assert [row["estado"] for row in rows(path)] == ["abierto", "abierto", "cerrado", "abierto"]


@pytest.mark.parametrize("kept", [0, 2, 20, -8, -3, -1])
def test_a_header_that_is_torn_or_lacks_its_line_end_is_no_fault(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "casos.csv"
    Local(path=str(path)).open(case())
    before = path.read_bytes()
    path.write_bytes((before.partition(b"\r\n")[0] + b"\r")[: kept or None])
    assert Local(path=str(path)).check().endswith(": 0 cases")
    assert Local(path=str(path)).open(case()) == "C-000001"
    assert path.read_bytes() == before


def test_wherever_it_was_torn_the_last_row_is_opened_again_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "casos.csv"
    Local(path=str(path)).open(case("a"))
    first = path.stat().st_size
    Local(path=str(path)).open(case("b"))
    before = path.read_bytes()
    for length in range(first, len(before)):
        path.write_bytes(before[:length])
        assert Local(path=str(path)).open(case("b")) == "C-000002"
        assert path.read_bytes() == before, length


def test_a_row_too_short_is_told_by_its_line_and_holds_up_no_other(tmp_path: Path) -> None:
    path = tmp_path / "casos.csv"
    desk = Local(path=str(path))
    desk.open(case("k1", body="dos\nlíneas"))
    short = b"\r\nk2,C-000002,un nombre,900\r\nC-000007,x\r\nresumen\r\n"
    path.write_bytes(path.read_bytes() + short)
    for reader in (desk, Local(path=str(path))):
        batch = reader.poll(None, NOW, None)
        assert batch.table["case_id"].to_pylist() == ["C-000001"]
        assert [(reject.where, reject.why) for reject in batch.rejects] == [
            (f"{path} line 5", "4 columns instead of 13 or more"),
            (f"{path} line 6", "2 columns instead of 13 or more"),
            (f"{path} line 7", "1 columns instead of 13 or more"),
        ]
    again = desk.poll(batch.cursor, NOW, None)
    assert (again.table.num_rows, again.rejects) == (0, ())  # told once
    assert desk.open(case("k3")) == "C-000008"
    desk.update(case("k3", status="cerrado"))
    assert b"un nombre" in path.read_bytes()
    assert desk.open(case("k2")) == "C-000002"
    assert [reject.where for reject in desk.poll(None, NOW, None).rejects] == [f"{path} line 6", f"{path} line 7"]
    assert [row["caso"] for row in rows(path) if row["clave"] == "k2"] == ["C-000002"]


def test_a_line_that_people_left_empty_above_the_header_is_no_case(tmp_path: Path) -> None:
    path = tmp_path / "casos.csv"
    Local(path=str(path)).open(case())
    path.write_bytes(b"\r\n" + path.read_bytes().removeprefix(b"\xef\xbb\xbf"))
    assert Local(path=str(path)).check().endswith(": 1 cases")


def test_a_file_that_is_ours_no_longer_is_a_fault_of_all_of_it(tmp_path: Path) -> None:
    path = tmp_path / "casos.csv"
    Local(path=str(path)).open(case())
    path.write_bytes(path.read_bytes().replace(b",", b";"))
    with pytest.raises(SourceError, match="first line is not") as error:
        Local(path=str(path)).update(case(status="cerrado"))
    assert error.value.whole


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20),
    st.sampled_from(["", "=", "+", "-", "@", "'"]),
)
def test_no_cell_is_a_formula_and_every_key_is_found_again(tmp_path: Path, text: str, first: str) -> None:
    path = tmp_path / "casos.csv"
    path.unlink(missing_ok=True)
    key = f"{first}{text}"
    number = Local(path=str(path)).open(case(key, subject=key))
    desk = Local(path=str(path))
    assert desk.open(case(key)) == number
    desk.update(case(key, body=key))
    assert Local(path=str(path)).open(case(key)) == number
    assert not any(cell.startswith(("=", "+", "-", "@")) for row in rows(path) for cell in row.values())
    assert len(rows(path)) == 1


def test_a_path_that_cannot_be_looked_at_is_told(tmp_path: Path) -> None:
    desk = Local(path=str(tmp_path / ("x" * 300)))
    for act in (desk.check, lambda: desk.poll(None, NOW, None), lambda: desk.open(case())):
        with pytest.raises(SourceError, match=r"File name too long$"):
            act()
