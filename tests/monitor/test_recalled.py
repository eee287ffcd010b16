"""What the judging thread knows as it begins, be it a start, a reload or the step after one that failed: as if it had never stopped."""

from __future__ import annotations

from pathlib import Path

from alerts import Action, Alert, AlertState, Changes, Decision, Impact, Incident, IncidentState, Signal, Touch
from alerts.incidents import incident_key
from alerts.reasons import BUDGET
from monitor.config import read_config
from monitor.judge import Judge
from monitor.store import Step, Store
from monitor.windows import minute_of
from rules import Scope, Severity, Spec, Verdict
from tests.characters import ACEROS, at

CONFIG = """
[monitor]
database = "sqlite:///vigia.db"
[sources.core]
role = "transactions"
kind = "file"
path = "pagos.csv"
[desks.local]
kind = "local"
path = "casos.csv"
per_hour = 5
"""
NOON = at("12:00")


def incident(channel: str, clock: str, state: IncidentState = IncidentState.FIRING) -> Incident:
    scope, began = Scope("pagos", channel), at(clock)
    return Incident(
        incident_key(scope, began), scope, "failed", Severity.CRITICAL, state, began, began, ("fallas",),
        frozenset({"failed"}), reach=scope,
    )  # fmt: skip


def judge(folder: Path, changes: Changes) -> Judge:
    """As every start makes it, of what was committed at noon."""
    (folder / "config.toml").write_text(CONFIG)
    config = read_config(folder / "config.toml")
    store = Store(config.monitor.database)
    store.migrate()
    store.commit(Step(judged_until=minute_of(NOON), clients=[ACEROS.client], changes=changes), NOON)
    return Judge(config, store, lambda: at("12:00:30"))


def test_who_waits_in_two_incidents_that_are_one_thing_to_them_gets_one_case(tmp_path: Path) -> None:
    both = [incident("web", "11:00"), incident("h2h", "11:30")]
    waiting = [
        Decision(f"VG-{i.id}-{ACEROS.nit}", i.id, ACEROS.nit, "pagos", Action.NONE, BUDGET, i.detected_at, 80, "local")
        for i in both
    ]
    alerts = [Alert("fallas", i.scope, AlertState.FIRING, i.started_at, at("11:59"), i.id) for i in both]
    changes = Changes(
        alerts={(a.rule, a.scope): a for a in alerts},
        incidents={i.id: i for i in both},
        impacts={
            (i.id, ACEROS.nit, "pagos"): Impact(i.id, ACEROS.nit, "pagos", Touch.AFFECTED, 9, priority=80) for i in both
        },
        decisions={d.key: d for d in waiting},
    )
    begun = judge(tmp_path, changes)
    begun.step([])
    assert sorted(d.action for d in begun.store.decisions()) == [Action.NONE, Action.OPEN]


def test_the_id_of_what_was_merged_or_over_before_a_restart_is_given_to_no_other(tmp_path: Path) -> None:
    merged = incident("web", "11:00", IncidentState.MERGED)
    long = Spec(name="fallas_largas")
    waits = Alert(long.name, merged.scope, AlertState.PENDING, merged.started_at, at("11:59"))
    changes = Changes(alerts={(waits.rule, waits.scope): waits}, incidents={merged.id: merged})
    begun, stepped = judge(tmp_path, changes), Changes()
    fires = Signal(long, frozenset({"failed"}), merged.scope, merged.started_at, NOON, Verdict.BREACH)
    begun.pipeline.incidents.advance([fires], NOON, NOON, stepped)
    (found,) = stepped.incidents
    assert found == incident_key(merged.scope, merged.started_at, {merged.id}) != merged.id
