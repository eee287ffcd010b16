"""What really happened against what was found, on cases counted by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from alerts import Incident, IncidentState
from monitor.labels import Label, LabelError, compare, read_labels
from rules import Scope, Severity
from tests.characters import at

PAGOS = Scope("pagos", "web")


def found(clock: str, scope: Scope = PAGOS, name: str = "") -> Incident:
    """An incident that was detected then."""
    return Incident(
        id=name or f"AF-{clock}", scope=scope, kind="failed", severity=Severity.MAJOR, state=IncidentState.RESOLVED,
        started_at=at(clock) - timedelta(minutes=2), detected_at=at(clock), rules=("fallas",), ways=frozenset({"failed"}),
    )  # fmt: skip


def label(name: str, start: str, end: str, scope: Scope = PAGOS, **told) -> Label:
    return Label(name, at(start), at(end), scope, **told)


def test_found_missed_false_and_twice():
    labels = [label("a", "10:00", "10:30"), label("b", "12:00", "12:30"), label("c", "14:00", "14:30")]
    incidents = [found("10:02"), found("12:04"), found("12:20"), found("18:00"), found("13:59")]
    said = compare(labels, incidents, {}, days=2)
    assert said["recall"] == pytest.approx(2 / 3)
    assert said["median_delay_seconds"] == (120 + 240) / 2
    assert said["incidents_per_cause"] == 1.5
    assert said["false_incidents"] == ["AF-18:00", "AF-13:59"]
    assert said["false_incidents_per_day"] == 1
    assert [(row["label"], row["incidents"]) for row in said["labels"]] == [
        ("a", ["AF-10:02"]),
        ("b", ["AF-12:04", "AF-12:20"]),
        ("c", []),
    ]


@pytest.mark.parametrize(
    ("clock", "meets"), [("09:59:59", False), ("10:00", True), ("10:45", True), ("10:45:01", False)]
)
def test_detected_between_its_start_and_fifteen_minutes_after_its_end(clock, meets):
    assert label("a", "10:00", "10:30").meets(found(clock)) is meets


@pytest.mark.parametrize(
    ("scope", "meets"),
    [
        (Scope(), True),
        (Scope("pagos"), True),
        (Scope("pagos", "web", "900"), True),
        (Scope("pagos", "h2h"), False),
        (Scope("nomina", "web"), False),
    ],
)
def test_scopes_are_equal_where_both_are_given(scope, meets):
    assert label("a", "10:00", "10:30").meets(found("10:02", scope)) is meets


def test_an_optional_label_neither_counts_nor_makes_false():
    labels = [label("a", "10:00", "10:30"), label("maybe", "12:00", "12:30", optional=True)]
    with_it, without = (
        compare(labels, incidents, {}, days=1) for incidents in ([found("10:02"), found("12:02")], [found("10:02")])
    )
    for said in (with_it, without):
        assert (said["recall"], said["false_incidents"], said["median_delay_seconds"]) == (1, [], 120)


def test_of_the_clients_whom_labels_name_how_many_were_named():
    labels = [label("a", "10:00", "10:30", affected=frozenset({"1", "2", "3", "4"})), label("b", "12:00", "12:30")]
    said = compare(labels, [found("10:02"), found("12:01")], {"AF-10:02": {"1", "2", "9"}, "AF-12:01": {"7"}}, days=1)
    assert said["affected_recall"] == pytest.approx(2 / 4)
    assert said["affected_precision"] == pytest.approx(2 / 3)


def test_clients_whom_their_base_rate_explains_count_neither_way():
    told = {"affected": frozenset({"1", "2"}), "explained": frozenset({"3"})}
    named = {"AF-10:02": {"1", "3", "9"}, "AF-12:02": {"3"}}
    said = compare([label("a", "10:00", "10:30", **told)], [found("10:02")], named, days=1)
    assert (said["affected_recall"], said["affected_precision"]) == (1 / 2, 1 / 2)
    said = compare([label("b", "12:00", "12:30", **told)], [found("12:02")], named, days=1)
    assert (said["affected_recall"], said["affected_precision"]) == (0, None)


def test_by_kind_and_the_slowest_tenth_and_how_soon_it_could_be_known():
    labels = [
        label(f"{hour}", f"{hour}:00", f"{hour}:30", kind="total" if hour < 15 else "slow", observers={"observer_seconds": s})
        for hour, s in ((10, 190.0), (12, 200.0), (14, 210.0), (16, 400.0))
    ]  # fmt: skip
    labels.append(label("maybe", "18:00", "18:30", kind="slow", optional=True, observers={"observer_15s": 9.0}))
    said = compare(labels, [found("10:02"), found("10:04"), found("12:11"), found("18:01")], {}, days=1)
    assert said["p90_delay_seconds"] == pytest.approx(120 + 0.9 * (660 - 120))
    assert said["kinds"] == {
        "slow": {"found": 0, "of": 1, "median_delay_seconds": None, "incidents_per_cause": None,
                 "median_observer_seconds": 400},
        "total": {"found": 2, "of": 3, "median_delay_seconds": 390, "incidents_per_cause": 1.5,
                  "median_observer_seconds": 200},
    }  # fmt: skip
    assert said["median_observer_seconds"] == 205
    assert "median_observer_15s" not in said
    assert said["labels"][0]["observer_seconds"] == 190


def test_a_missed_label_loses_its_clients_too():
    labels = [
        label("a", "10:00", "10:30", affected=frozenset({"1"})),
        label("b", "12:00", "12:30", affected=frozenset({"2"})),
    ]
    assert compare(labels, [found("10:02")], {"AF-10:02": {"1"}}, days=1)["affected_recall"] == 0.5


def test_nothing_labelled_and_nothing_found():
    said = compare([], [], {}, days=1)
    assert (said["recall"], said["false_incidents_per_day"], said["median_delay_seconds"]) == (None, 0, None)


# ---- files ---------------------------------------------------------------------------------------------------------


def test_labels_are_read_with_the_banks_zone_where_they_tell_none(tmp_path):
    path = tmp_path / "labels.csv"
    rows = [
        "label,start,end,product,channel,client_id,kind,affected,optional,explained,observer_seconds,observer_30s",
        "a,2026-03-03T10:00:00,2026-03-03T10:30:00,pagos,,,failed,1; 2,,3;4,190.5,",
        "b,2026-03-03T17:00:00+00:00,2026-03-03T17:30:00Z,,web,900,,,sí,,,",
    ]
    path.write_text("\n".join(rows), encoding="utf-8-sig")
    first, second = read_labels(path, "America/Bogota")
    told = {"explained": frozenset({"3", "4"}), "observers": {"observer_seconds": 190.5}}
    assert first == Label("a", at("10:00"), at("10:30"), Scope("pagos"), "failed", frozenset({"1", "2"}), **told)
    assert second == replace(second, start=at("12:00"), end=at("12:30"), scope=Scope("", "web", "900"), optional=True)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("label,start\na,2026-03-03", "labels.csv: has no column end"),
        ("", "labels.csv: has no column end, label, start"),
        ("label,start,end\na,yesterday,2026-03-03", "labels.csv:line 2: start 'yesterday' is not a time"),
        ("label,start,end\na,2026-03-03T10:00,", "labels.csv:line 2: end '' is not a time"),
        ("label,start,end\na,2026-03-03T10:00,2026-03-03T09:00", "labels.csv:line 2: ends before it starts"),
        (
            "label,start,end,observer_15s\na,2026-03-03,2026-03-03,soon",
            "labels.csv:line 2: observer_15s 'soon' is not a number",
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_row(tmp_path, text, message):
    path = tmp_path / "labels.csv"
    path.write_text(text)
    with pytest.raises(LabelError, match=message):
        read_labels(path, "America/Bogota")


def test_a_file_that_is_not_there_or_not_text_is_told(tmp_path):
    with pytest.raises(LabelError, match="cannot be read"):
        read_labels(tmp_path / "none.csv", "UTC")
    (tmp_path / "odd.csv").write_bytes(b"label,start,end\n\xff\xfe,1,2")
    with pytest.raises(LabelError, match=r"odd.csv: is not UTF-8"):
        read_labels(tmp_path / "odd.csv", "UTC")
