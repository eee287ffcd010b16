"""`vigia backtest`: from files to files, in event time."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from monitor.backtest import Outcome, backtest, write
from monitor.config import read_config
from monitor.labels import Label
from rules import Scope
from tests.characters import ACEROS, CAFE, CAST, TEXTILES, at

CONFIG = """
[monitor]
rules = ["rules.toml"]

[sources.core]
role = "transactions"
kind = "file"
path = "transactions.csv"
status = { ok = ["APROBADA"], failed = ["FALLIDA"], rejected = ["RECHAZADA"] }

[sources.clientes]
role = "clients"
kind = "file"
path = "clients.csv"

[sources.portafolio]
role = "holdings"
kind = "file"
path = "holdings.csv"

[sources.mesa]
role = "cases"
kind = "file"
path = "cases.csv"
"""
RULE = """
[[rule]]
name = "fallas"
kind = "limit"
window = "5m"
when = "failed_rate > 0.2"
min_total = 30
for = "2m"
severity = "critical"
"""
MODEL = """
[[rule]]
name = "fallas"
kind = "excess"
measure = "failed"
"""
COLUMNS = {
    "incidents.csv": "incident_id, product, channel, client_id, kind, severity, started_at, detected_at, resolved_at, rules, clients",
    "impacts.csv": "incident_id, client_id, product, impact, failures, amount, first_failure_at, priority, missing, exposed_at, chance",
    "cases.csv": "case_key, incident_id, client_id, product, action, reason, opened_at, linked_case_id, client_reported_at, lead_seconds",
}
"""As in the contract: these first, in this order."""

BAD = range(120, 140)
"""Minutes of the bank's morning, from eight o'clock, in which pagos by web fails."""


def put(path: Path, header: str, rows: Iterable[Iterable[object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header.split(), *rows])


class Bank:
    """The files of a bank in a folder, on one morning or several."""

    def __init__(self, folder: Path, *, rules: str = RULE) -> None:
        self.folder = folder
        (folder / "config.toml").write_text(CONFIG)
        (folder / "rules.toml").write_text(rules)
        put(
            folder / "clients.csv",
            "client_id name segment value_rank",
            [(w.nit, w.name, w.segment, w.value_rank) for w in CAST],
        )
        held = [(w.nit, product, channel) for w in CAST for product, channel in w.products]
        put(folder / "holdings.csv", "client_id product channel", held)
        self.cases([])

    def cases(self, rows: list[tuple[object, ...]]) -> None:
        put(self.folder / "cases.csv", "case_id client_id product status opened_at reported_at reported_by", rows)

    def mornings(self, days: Iterable[int], *, bad: Iterable[int], minutes: int = 240) -> None:
        """Each client's transactions of some mornings; on the `bad` ones two thirds of pagos by web fail for twenty minutes."""
        rng, rows = np.random.default_rng(5), []
        for day in days:
            for m in range(minutes):
                for who in CAST:
                    for product, channel in who.products:
                        fails = day in bad and m in BAD and (product, channel) == ("pagos", "web")
                        for _ in range(5):
                            status = "FALLIDA" if fails and rng.random() < 0.67 else "APROBADA"
                            time = at("08:00", day=day) + timedelta(minutes=m, seconds=int(rng.integers(60)))
                            rows.append((time.isoformat(), product, channel, who.nit, status, "100.25"))
        rows.sort()
        put(self.folder / "transactions.csv", "timestamp product channel client_id status amount", rows)

    def replay(self, **told) -> Outcome:
        return backtest(read_config(self.folder / "config.toml"), **told)

    def files(self, **told) -> dict[str, list[dict[str, str]]]:
        """What the files of the contract say."""
        write(self.replay(**told), self.folder / "out", "America/Bogota")
        found = {}
        for name in COLUMNS:
            with (self.folder / "out" / name).open(newline="", encoding="utf-8") as file:
                found[name] = list(csv.DictReader(file))
        return found


@pytest.fixture
def bank(tmp_path: Path) -> Bank:
    bank = Bank(tmp_path)
    bank.mornings([0], bad=[0])
    return bank


def local(clock: str, day: int = 0) -> str:
    """As it stands in the files: the bank's own time."""
    return (at(clock, day=day) - timedelta(hours=5)).strftime("%Y-%m-%dT%H:%M:%S-05:00")


def test_one_incident_its_three_clients_and_their_cases(bank):
    said = bank.files()
    (incident,) = said["incidents.csv"]
    assert incident["seat"].split(";")[0] == "product=pagos:1"
    assert [incident[name] for name in ("product", "channel", "client_id", "kind", "severity", "rules", "clients")] == [
        "pagos",
        "web",
        "",
        "failed",
        "critical",
        "fallas",
        "3",
    ]
    started, detected, resolved = (
        datetime.fromisoformat(incident[name]) for name in ("started_at", "detected_at", "resolved_at")
    )
    assert at("09:55") <= started <= at("10:00")
    assert at("10:00") <= detected <= at("10:03:10")
    assert detected.second == 10, "the window's end and the lateness"
    assert at("10:40") <= resolved <= at("10:46")
    assert incident["detected_at"].endswith("-05:00")

    affected = {row["client_id"]: row for row in said["impacts.csv"] if row["impact"] == "affected"}
    assert set(affected) == {who.nit for who in CAST}
    assert all(row["product"] == "pagos" and int(row["failures"]) > 40 for row in affected.values())
    assert all(float(row["amount"]) == int(row["failures"]) * 100.25 for row in affected.values())
    assert (
        int(affected[ACEROS.nit]["priority"])
        > int(affected[TEXTILES.nit]["priority"])
        > int(affected[CAFE.nit]["priority"])
    )

    cases = said["cases.csv"]
    assert {row["client_id"] for row in cases} == set(affected)
    assert {row["case_key"] for row in cases} == {f"VG-{incident['incident_id']}-{nit}" for nit in affected}
    assert {
        (row["action"], row["linked_case_id"], row["client_reported_at"], row["lead_seconds"]) for row in cases
    } == {("open", "", "", "")}
    assert all(row["opened_at"] >= incident["detected_at"] for row in cases)


def test_the_columns_are_those_of_the_contract_first(bank):
    bank.files()
    for name, columns in COLUMNS.items():
        header = (bank.folder / "out" / name).read_text(encoding="utf-8").splitlines()[0].split(",")
        assert header[: len(columns.split(", "))] == columns.split(", ")


def test_the_summary_counts(bank):
    labels = [
        Label("corte", at("10:00"), at("10:20"), Scope("pagos"), affected=frozenset(who.nit for who in CAST)),
        Label("otro", at("11:00"), at("11:10")),
    ]
    write(bank.replay(labels=labels), bank.folder / "out", "America/Bogota")
    summary = json.loads((bank.folder / "out" / "summary.json").read_text(encoding="utf-8"))
    assert summary["transactions"] == 240 * 5 * sum(len(who.products) for who in CAST)
    assert (summary["incidents"], summary["affected_clients"], summary["cases"]) == (
        1,
        3,
        {"open": 3, "link": 0, "none": 0},
    )
    assert (summary["recall"], summary["false_incidents"], summary["affected_recall"]) == (0.5, [], 1)
    assert summary["transactions_per_second"] > 0


def test_a_client_who_spoke_first_is_linked_and_the_lead_is_negative(bank):
    bank.cases(
        [
            ("C-1", CAFE.nit, "pagos", "abierto", local("10:00:30"), local("09:59"), "client"),
            ("C-2", TEXTILES.nit, "", "abierto", local("10:30"), "", "client"),
            ("C-3", ACEROS.nit, "nomina", "abierto", local("10:00"), "", "client"),
        ]
    )
    said = {row["client_id"]: row for row in bank.files()["cases.csv"]}
    assert (said[CAFE.nit]["action"], said[CAFE.nit]["linked_case_id"]) == ("link", "C-1")
    assert said[CAFE.nit]["client_reported_at"] == local("09:59")
    lead = (
        datetime.fromisoformat(local("09:59")) - datetime.fromisoformat(said[CAFE.nit]["opened_at"])
    ).total_seconds()
    assert int(said[CAFE.nit]["lead_seconds"]) == lead < 0
    assert (said[TEXTILES.nit]["action"], said[TEXTILES.nit]["linked_case_id"]) == ("open", "C-2")
    assert int(said[TEXTILES.nit]["lead_seconds"]) > 1500
    assert (said[ACEROS.nit]["action"], said[ACEROS.nit]["linked_case_id"]) == ("open", "")


def test_a_case_is_not_known_before_its_time(bank):
    bank.cases([("C-1", CAFE.nit, "pagos", "abierto", local("10:15"), local("09:59"), "client")])
    (decision,) = [row for row in bank.files()["cases.csv"] if row["client_id"] == CAFE.nit]
    assert (decision["action"], decision["linked_case_id"]) == ("open", "C-1")
    assert int(decision["lead_seconds"]) < 0


def test_what_lies_before_from_trains_and_is_not_acted_on(tmp_path):
    bank = Bank(tmp_path)
    bank.mornings([0, 1], bad=[0, 1], minutes=150)
    assert len(bank.replay().incidents) == 2
    (only,) = bank.replay(start=at("00:00", day=1)).incidents.values()
    assert only.started_at > at("00:00", day=1)
    (first,) = bank.replay(until=at("00:00", day=1)).incidents.values()
    assert first.started_at < at("00:00", day=1)


def test_models_learn_what_lies_before(tmp_path):
    bank = Bank(tmp_path, rules=MODEL)
    bank.mornings([0, 1], bad=[1], minutes=150)
    outcome = bank.replay(start=at("09:30", day=1))
    found = [incident for incident in outcome.incidents.values() if incident.detected_at > at("09:59", day=1)]
    assert [incident.scope for incident in found] == [Scope("pagos", "web")]
    assert found[0].detected_at <= at("10:05", day=1)


def test_the_length_of_the_spans_changes_nothing(bank):
    day, hour = bank.replay(), bank.replay(span=7)
    assert (day.incidents, day.impacts, day.decisions) == (hour.incidents, hour.impacts, hour.decisions)


def test_nothing_to_replay_is_nothing(tmp_path):
    bank = Bank(tmp_path)
    bank.mornings([], bad=[])
    assert bank.files() == {name: [] for name in COLUMNS}
    summary = bank.replay(start=at("10:00"), until=at("12:00")).summary
    assert (summary["transactions"], summary["incidents"]) == (0, 0)
    assert summary["seconds"] < 2


def test_rows_that_cannot_be_used_and_statuses_that_no_class_names_are_told(bank):
    with (bank.folder / "transactions.csv").open("a") as file:
        file.write(f"someday,pagos,web,{CAFE.nit},APROBADA,1\n{local('11:00')},pagos,web,900.123.456-7,RARA,1\n")
    outcome = bank.replay()
    assert [source for source, _ in outcome.rejects] == ["core"]
    assert outcome.unknown_statuses == {"core": {"RARA": 1}}
    assert +outcome.wrong_digits == {"core": 1}
    assert len(outcome.incidents) == 1
