from __future__ import annotations

import csv
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from detectors import kinds
from monitor.score import ScoreError, score_csv, weekday_slot

START = datetime(2025, 3, 3, tzinfo=UTC)  # a Monday
HEADER = ["timestamp", "value", "score", "expected", "lower", "upper", "breach"]


def minutes(n):
    return [START + timedelta(minutes=i) for i in range(n)]


def calm(n, seed=1):
    return np.random.default_rng(seed).normal(50, 2, n).round(3).tolist()


@pytest.fixture
def scored(tmp_path, capsys):
    """Score lines of a file; gives back the rows written, and what was told on stderr."""

    def score(lines, **options):
        source, out = tmp_path / "in.csv", tmp_path / "out.csv"
        source.write_text("\n".join(lines) + "\n", encoding="utf-8")
        count = score_csv(source, out, **options)
        with out.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        assert count == len(rows)
        return rows, capsys.readouterr().err.replace(str(source), "in.csv")

    return score


def lines(values, times=None):
    times = times or [time.isoformat() for time in minutes(len(values))]
    return ["timestamp,value", *(f"{time},{value}" for time, value in zip(times, values, strict=True))]


def test_each_row_is_scored_in_order_and_the_odd_one_is_in_breach(scored):
    values = calm(200)
    values[150] = 90.0
    rows, told = scored(lines(values))
    assert list(rows[0]) == HEADER
    assert [row["timestamp"] for row in rows] == [time.isoformat() for time in minutes(200)]
    assert [float(row["value"]) for row in rows] == values
    assert [i for i, row in enumerate(rows) if row["breach"] == "1"] == [150]
    assert float(rows[150]["score"]) > 0.999
    assert float(rows[149]["lower"]) < float(rows[149]["expected"]) < float(rows[149]["upper"]) < 90
    assert told == ""


def test_the_score_is_empty_while_warming_and_never_after(scored):
    rows, _ = scored(lines(calm(150)))
    empty = [row["score"] == "" for row in rows]
    assert empty == [True] * 100 + [False] * 50
    assert rows[0] | {"timestamp": "", "value": ""} == dict.fromkeys(HEADER, "") | {"breach": "0"}


@pytest.mark.parametrize("kind", ["residuals", "seasonal", "ewma"])
def test_a_row_knows_nothing_of_the_rows_after_it(scored, kind):
    values = calm(300)
    whole, _ = scored(lines(values), kind=kind)
    start, _ = scored(lines(values[:200]), kind=kind)
    other, _ = scored(lines(values[:200] + [1e6] * 100), kind=kind)
    assert whole[:200] == start == other[:200]


def test_options_reach_the_detector(scored):
    values = [*calm(99), 20.0]
    assert scored(lines(values), kind="ewma", options={"direction": "up"})[0][99]["breach"] == "0"
    assert scored(lines(values), kind="ewma", options={"direction": "down"})[0][99]["breach"] == "1"


@pytest.mark.parametrize("kind", kinds())
def test_each_kind_is_in_breach_by_a_tail_that_it_can_reach(scored, kind):
    values = [round(x) for x in [*calm(600), *[90.0] * 40]]  # the ensemble keeps still for 30 after a telling
    found = [row["breach"] for row in scored(lines(values), kind=kind)[0]]
    assert "1" in found[600:]
    assert found[:600].count("1") <= 6


def test_the_ensemble_is_in_breach_by_the_tail_it_was_told(scored):
    values = calm(600)
    few, many = (
        sum(int(row["breach"]) for row in scored(lines(values), kind="ensemble", options={"told": told})[0])
        for told in (9.0, 1.0)
    )
    assert few == 0
    assert many > 0


def test_bad_rows_are_told_kept_and_not_scored(scored):
    text = lines(calm(60))
    text[41] = "2025-03-03T00:40:00+00:00,much"
    text[42] = "yesterday,50"
    text[43] = "2025-03-03T00:42:00+00:00,"
    text[44] = "2025-03-03T00:43:00+00:00"
    text[45] = "2025-03-03T00:44:00+00:00,inf"
    rows, told = scored(text, kind="seasonal")
    assert told.splitlines() == [
        "in.csv: line 42: cannot read the value 'much'",
        "in.csv: line 43: cannot read the time 'yesterday'",
        "in.csv: line 46: cannot read the value 'inf'",
    ]
    assert [i for i, row in enumerate(rows) if row["score"] == ""] == [*range(30), *range(40, 45)]
    assert rows[40]["value"] == "much"
    assert rows[41]["timestamp"] == "yesterday"
    assert len(rows) == 60


@pytest.mark.parametrize(
    "written",
    [
        lambda t: t.isoformat(),
        lambda t: t.isoformat().replace("+00:00", "Z"),
        lambda t: t.astimezone(ZoneInfo("America/Bogota")).isoformat(),
        lambda t: t.astimezone(ZoneInfo("America/Bogota")).strftime("%Y-%m-%d %H:%M:%S"),
        lambda t: str(int(t.timestamp())),
        lambda t: str(int(t.timestamp() * 1000)),
        lambda t: f" {t.timestamp()} ",
    ],
)
def test_times_are_read_in_every_form_and_written_as_they_came(scored, written):
    seen = []

    def slot_of(time):
        seen.append(time)
        return 0

    times = [written(time) for time in minutes(40)]
    rows, told = scored(lines(calm(40), times), timezone="America/Bogota", slot_of=slot_of)
    assert [row["timestamp"] for row in rows] == times
    assert seen == minutes(40)
    assert {time.tzinfo for time in seen} != {UTC}
    assert (seen[0].day, seen[0].hour) == (2, 19)
    assert told == ""


def test_a_date_of_thirteen_digits_is_milliseconds_and_not_the_year_1512(scored):
    seen = []
    scored(["timestamp,value", "1512010100000,1"], slot_of=lambda time: seen.append(time.year) or 0)
    assert seen == [2017]


def test_other_columns_order_of_columns_and_a_byte_order_mark_do_not_matter(scored):
    first, second = minutes(2)
    rows, _ = scored(["\ufeffhost, value ,timestamp", f"a,1,{first.isoformat()}", f"b,2,{second.isoformat()}"])
    assert [row["value"] for row in rows] == ["1", "2"]
    assert list(rows[0]) == HEADER


def test_the_season_is_that_of_local_time(scored):
    """Quiet nights in Bogota: after some days, an opening that any recent level would flag is expected."""
    zone = ZoneInfo("America/Bogota")
    times = [START + timedelta(minutes=5 * i) for i in range(288 * 5)]
    rng = np.random.default_rng(4)
    values = [(100 if 8 <= t.astimezone(zone).hour < 18 else 0) + rng.normal(0, 1) for t in times]
    rows, _ = scored(lines(values, [t.isoformat() for t in times]), timezone="America/Bogota")
    days = np.array([row["breach"] == "1" for row in rows]).reshape(5, -1).sum(1)
    assert days[0] > 0
    assert days[4] == 0


def test_weekday_slot():
    assert weekday_slot(datetime(2025, 3, 7, 0, 0, tzinfo=UTC)) == 0  # Friday
    assert weekday_slot(datetime(2025, 3, 7, 23, 59, tzinfo=UTC)) == 95
    assert weekday_slot(datetime(2025, 3, 8, 0, 15, tzinfo=UTC)) == 2 * 96 + 1  # Saturday
    assert weekday_slot(datetime(2025, 3, 9, 0, 15, tzinfo=UTC)) == 3 * 96 + 1
    assert weekday_slot(datetime(2025, 3, 10, 14, 31, tzinfo=UTC)) == 58


def test_without_out_it_goes_to_stdout(tmp_path, capsys):
    source = tmp_path / "in.csv"
    source.write_text("timestamp,value\n2025-03-03T00:00:00Z,1\n", encoding="utf-8")
    assert score_csv(source, None) == 1
    assert capsys.readouterr().out == ",".join(HEADER) + "\n2025-03-03T00:00:00Z,1,,,,,0\n"


def test_a_file_of_a_header_alone_gives_a_header(scored):
    assert scored(["timestamp,value"]) == ([], "")


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "line 1: the header has no column timestamp and no column value"),
        (b"time,value\n1,2\n", "line 1: the header has no column timestamp"),
        (b"timestamp,value\n1,\xff\xfe\n", "is not UTF-8 text"),
        (b'timestamp,value\n1,"' + b"9" * 200_000 + b'"\n', "line 2: field larger than field limit"),
        (None, "cannot be read: No such file or directory"),
    ],
)
def test_a_file_that_cannot_be_read_is_told_by_name(tmp_path, content, fault):
    source = tmp_path / "in.csv"
    if content is not None:
        source.write_bytes(content)
    with pytest.raises(ScoreError) as told:
        score_csv(source, tmp_path / "out.csv")
    assert str(told.value).startswith(f"{source}: {fault}")
    assert not (tmp_path / "out.csv").exists()


def test_a_place_that_cannot_be_written_and_a_zone_that_is_none_are_told(tmp_path):
    source = tmp_path / "in.csv"
    source.write_text("timestamp,value\n", encoding="utf-8")
    with pytest.raises(ScoreError, match=r"none/out\.csv: cannot be written"):
        score_csv(source, tmp_path / "none" / "out.csv")
    with pytest.raises(ScoreError, match="unknown time zone 'Bogota'"):
        score_csv(source, None, timezone="Bogota")
    with pytest.raises(LookupError, match="no detector kind 'esma'"):
        score_csv(source, None, kind="esma")


@pytest.mark.parametrize("kind", ["seasonal", "ewma", "count", "river"])
def test_rows_that_repeat_or_go_back_in_time_are_scored_in_the_order_they_came(scored, kind):
    values = np.random.default_rng(5).poisson(50, 300).tolist()
    times = [time.isoformat() for time in minutes(300)]
    times[150:160] = times[140:150]  # sent again
    times[200] = times[199]
    times[250] = "1969-12-31T23:59:00+00:00"
    rows, told = scored(lines(values, times), kind=kind)
    assert told == ""
    assert [row["timestamp"] for row in rows] == times
    assert all(0 <= float(row["score"]) <= 1 for row in rows[100:])
    assert sum(int(row["breach"]) for row in rows) == 0


def test_the_hours_when_the_clocks_change_are_no_trouble(scored):
    """New York: two o'clock of 9 March 2025 does not exist, one o'clock of 2 November comes twice; both are local without offset."""
    for start in (datetime(2025, 3, 8, 12), datetime(2025, 11, 1, 12)):  # noqa: DTZ001 - local, as a file may have it
        times = [(start + timedelta(minutes=5 * i)).isoformat() for i in range(400)]
        rows, told = scored(lines(calm(400), times), timezone="America/New_York")
        assert told == ""
        assert [row["breach"] for row in rows] == ["0"] * 400
        assert [row["score"] == "" for row in rows] == [True] * 100 + [False] * 300


@pytest.mark.parametrize("rows", ["ayer,1\nhoy,2\n", "2026-01-01T00:00:00Z,nan\n2026-01-01T00:01:00Z,\n"])
def test_a_file_of_which_no_row_can_be_read_is_an_error(tmp_path, capsys, rows):
    source = tmp_path / "in.csv"
    source.write_text(f"timestamp,value\n{rows}")
    with pytest.raises(ScoreError, match="no row could be read"):
        score_csv(source, None)
    assert capsys.readouterr().out == ""
