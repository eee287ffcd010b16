"""Alerts in a real Alertmanager: what is one, what changes, what ends, and what stands while one instance is away."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from connectors import SourceError
from connectors.receivers.alertmanager import LASTING, Alertmanager
from tests.alertmanagers import alertmanager, standing
from tests.fake_api import Said
from tests.fake_hook import FakeHook
from tests.fake_mail import free_port
from tests.notices import BEGAN, PAGE, breach_notice, digest_notice, fault_notice, incident_notice, new_incident


@pytest.fixture(scope="module")
def hook() -> Iterator[FakeHook]:
    with FakeHook() as made:
        yield made


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory, hook: FakeHook) -> Iterator[str]:
    with alertmanager(tmp_path_factory.mktemp("alertmanager"), hook.url) as url:
        yield url


def made(*urls: str, **options: Any) -> Alertmanager:
    return Alertmanager(urls=list(urls), timeout=timedelta(seconds=30), **options)


def of(url: str, incident: str) -> list[dict[str, Any]]:
    return standing(url, f'incident="{incident}"')


def until(there: Callable[[], Any]) -> Any:
    for _ in range(1200):
        if found := there():
            return found
        time.sleep(0.05)
    pytest.fail("it did not come in a minute")


def told(hook: FakeHook, incident: str) -> list[tuple[str, str]]:
    """What Alertmanager told people of an incident: (status, severity) of each alert, in order."""
    alerts = [alert for asked in hook.taken for alert in asked.body["alerts"]]
    return [
        (alert["status"], alert["labels"]["severity"])
        for alert in alerts
        if alert["labels"].get("incident") == incident
    ]


def _over(alert: dict[str, Any], incident: str) -> bool:
    return (alert["status"], alert["labels"].get("incident")) == ("resolved", incident)


def test_an_incident_is_an_alert_with_identity_alone_as_labels(real: str) -> None:
    incident = new_incident()
    notice = incident_notice(incident, channel="sucursal_digital")
    before = datetime.now(UTC)
    made(real, labels={"team": "torre"}).send(notice)
    (alert,) = of(real, incident)
    assert alert["labels"] == {
        "alertname": "VigiaAfectacion", "severity": "major", "product": "pagos", "channel": "sucursal_digital",
        "incident": incident, "team": "torre",
    }  # fmt: skip
    assert alert["annotations"] == {
        "summary": notice.subject, "description": notice.text, "runbook_url": notice.facts["links"]["guide"]
    }  # fmt: skip
    assert alert["generatorURL"] == f"{PAGE}{incident}"
    assert datetime.fromisoformat(alert["startsAt"]) == BEGAN
    assert before + LASTING <= datetime.fromisoformat(alert["endsAt"]) + timedelta(milliseconds=1)
    assert datetime.fromisoformat(alert["endsAt"]) <= datetime.now(UTC) + LASTING


def test_people_hear_of_an_incident_once_however_often_it_is_said_and_of_its_end(real: str, hook: FakeHook) -> None:
    incident, receiver = new_incident(), made(real)
    first = incident_notice(incident)
    receiver.send(first)
    for _ in range(3):
        receiver.refresh([first], datetime.now(UTC))
    until(lambda: told(hook, incident))
    end = incident_notice(incident, "end", number=2)
    receiver.send(end)
    until(lambda: ("resolved", "major") in told(hook, incident))
    for _ in range(2):
        receiver.refresh([end], datetime.now(UTC))
    assert of(real, incident) == []
    time.sleep(1.5)  # longer than Alertmanager's group_interval: nothing more comes
    assert told(hook, incident) == [("firing", "major"), ("resolved", "major")]


def test_another_severity_takes_the_place_of_the_first(real: str, hook: FakeHook) -> None:
    incident = new_incident()
    made(real).send(incident_notice(incident))
    until(lambda: told(hook, incident))
    # A new one, as after a restart: what stands there is known to Alertmanager alone.
    made(real).send(incident_notice(incident, "update", number=2, severity="critical"))
    (alert,) = of(real, incident)
    assert alert["labels"]["severity"] == "critical"
    until(lambda: len(told(hook, incident)) == 3)
    assert sorted(told(hook, incident)) == [("firing", "critical"), ("firing", "major"), ("resolved", "major")]
    (over,) = [one for asked in hook.taken for one in asked.body["alerts"] if _over(one, incident)]
    assert over["annotations"]["summary"] == incident_notice(incident).subject


def test_a_refresh_mends_labels_too_and_leaves_others_alone(real: str) -> None:
    one, other = new_incident(), new_incident()
    made(real).send(incident_notice(one))
    made(real, labels={"team": "otro"}).send(incident_notice(one))
    made(real).send(incident_notice(other))
    made(real).refresh([incident_notice(one, "update", severity="minor")], datetime.now(UTC))
    found = {(alert["labels"].get("team", ""), alert["labels"]["severity"]) for alert in of(real, one)}
    assert found == {("", "minor"), ("otro", "major")}
    assert len(of(real, other)) == 1


def test_the_watchdog_fires_with_every_refresh(real: str) -> None:
    made(real).refresh([], datetime.now(UTC))
    (watchdog,) = standing(real, "alertname=Watchdog")
    assert watchdog["labels"] == {"alertname": "Watchdog", "severity": "none"}
    assert datetime.fromisoformat(watchdog["endsAt"]) - datetime.now(UTC) <= LASTING


def test_faults_breaches_and_digests_are_alerts_of_their_own(real: str) -> None:
    receiver = made(real)
    fault, breach, digest = fault_notice("source:core"), breach_notice(), digest_notice()
    for notice in (fault, fault_notice("desk:crm"), breach, digest):
        receiver.send(notice)
    (alert,) = standing(real, 'fault="source:core"')
    assert alert["labels"] == {"alertname": "VigiaFalla", "severity": "critical", "fault": "source:core"}
    names = {n.thread: standing(real, f'thread="{n.thread}"')[0]["labels"]["alertname"] for n in (breach, digest)}
    assert names == {breach.thread: "VigiaIncumplimiento", digest.thread: "VigiaAviso"}
    receiver.send(fault_notice("source:core", "end"))
    assert standing(real, 'fault="source:core"') == []
    assert len(standing(real, 'fault="desk:crm"')) == 1


def test_one_instance_that_is_away_keeps_nothing_from_the_others(tmp_path: Path, real: str) -> None:
    port, incident = free_port(), new_incident()
    gone = f"http://127.0.0.1:{port}"
    receiver, notice = made(gone, real), incident_notice(incident)
    receiver.send(notice)
    assert len(of(real, incident)) == 1
    with pytest.raises(SourceError) as error:
        receiver.refresh([notice], datetime.now(UTC))
    assert str(error.value).startswith(f"{gone}: no connection")
    assert real not in str(error.value)
    with alertmanager(tmp_path) as back:
        receiver = made(back, real)
        receiver.refresh([notice], datetime.now(UTC))
        assert len(of(back, incident)) == 1


def test_where_none_takes_it_all_are_named_and_it_is_to_be_sent_again() -> None:
    urls = [f"http://127.0.0.1:{free_port()}" for _ in range(2)]
    with pytest.raises(SourceError) as error:
        made(*urls).send(incident_notice())
    assert all(url in str(error.value) for url in urls)
    assert not error.value.permanent


def test_one_that_hangs_holds_up_no_other(real: str) -> None:
    incident, answered = new_incident(), Event()
    with FakeHook(behind=real) as slow:
        slow.faults = [Said(503, wait=answered)]
        sending = Thread(target=made(slow.url, real).send, args=[incident_notice(incident)])
        sending.start()
        try:
            until(lambda: of(real, incident))
            assert sending.is_alive()
        finally:
            answered.set()
            sending.join()


@pytest.mark.parametrize("body", [{"alerts": []}, [{"labels": 3}], [7], None])
def test_what_is_no_alertmanager_is_told(body: Any) -> None:
    with FakeHook() as hook:
        hook._right = hook._passed_on = lambda _: Said(200, body)
        hook.behind = "somewhere"
        with pytest.raises(SourceError, match="not as API v2 has them"):
            made(hook.url).send(incident_notice())
        with pytest.raises(SourceError, match="is no Alertmanager"):
            made(hook.url).check()


def test_check_names_the_version_and_who_does_not_answer(real: str) -> None:
    assert made(real).check().startswith("1 of 1 instances answer: Alertmanager 0.")
    gone = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(SourceError, match=gone):
        made(real, gone).check()


def test_each_request_carries_the_log_in() -> None:
    with FakeHook() as hook:
        hook._passed_on = lambda asked: Said(200, [] if asked.method == "GET" else None)
        hook.behind = "somewhere"
        made(hook.url, user="vigia", password="abc").send(incident_notice())
        assert [asked.headers["authorization"] for asked in hook.asked] == ["Basic dmlnaWE6YWJj"] * 2
        made(hook.url, token="t0ken").send(incident_notice())
        assert hook.asked[-1].headers["authorization"] == "Bearer t0ken"


def test_an_end_before_its_beginning_is_put_right(real: str) -> None:
    incident = new_incident()
    receiver = made(real)
    receiver.send(incident_notice(incident))
    receiver.send(incident_notice(incident, "end", ended_at=(BEGAN - timedelta(minutes=1)).isoformat()))
    assert of(real, incident) == []


def test_an_odd_incident_is_found_again(real: str) -> None:
    incident = f'{new_incident()}/a"b\\c ñ'
    for severity in ("major", "critical"):
        made(real).send(incident_notice(incident, severity=severity))
    found = [alert for alert in standing(real) if alert["labels"].get("incident") == incident]
    assert [alert["labels"]["severity"] for alert in found] == ["critical"]


def test_what_names_no_severity_has_no_such_label(real: str) -> None:
    notice = incident_notice()
    incident = notice.facts["incident"]
    made(real).send(replace(notice, facts={**notice.facts, "incident": {**incident, "severity": ""}}))
    assert "severity" not in of(real, incident["id"])[0]["labels"]


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"urls": []}, "^urls: at least one"),
        ({"urls": ["http://am:9093", "am:9093"]}, r"^urls: number 2 must be an address"),
        ({"labels": {"severity": "x"}}, "^labels: severity cannot be set"),
        ({"labels": {"a-b": "x"}}, "^labels: a-b cannot be set"),
        ({"user": "x"}, "^user: needs password"),
        ({"ca_file": "nowhere.pem"}, "^ca_file: no such file"),
    ],
)
def test_wrong_options_are_told_with_their_key(options: dict[str, Any], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        Alertmanager(**{"urls": ["http://am:9093"], **options})
