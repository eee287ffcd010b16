"""Apprise's services: only those on the list, each once, and never with their address in a log."""

from __future__ import annotations

import builtins
import importlib
import logging
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from connectors import SourceError
from connectors.kinds import load
from tests.fake_api import Said
from tests.fake_hook import FakeHook
from tests.notices import incident_notice

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated")  # which apprise imports


@pytest.fixture
def hooks() -> Iterator[list[FakeHook]]:
    made = [FakeHook(), FakeHook()]
    yield made
    for hook in made:
        hook.close()


def receiver(*urls: str, allow: tuple[str, ...] = ("json",)) -> Any:
    return load("receivers", "apprise")(urls=list(urls), allow=list(allow))


def json_of(hook: FakeHook) -> str:
    return hook.url.replace("http://", "json://")


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("slack://tokenA/tokenB/tokenC", "^urls: number 1 is slack, which is not on `allow`"),
        ("jsons://banco.example", "^urls: number 1 is jsons, which is not on `allow`"),
        ("https://hooks.slack.com/services/T/B/s3cret", "^urls: number 1 must be written as apprise does"),
        ("s3cret", "^urls: number 1 must be written as apprise does"),
        ("teleport://s3cret", "^urls: apprise cannot use number 1"),
    ],
)
def test_nothing_leaves_to_a_service_that_is_not_allowed(
    url: str, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG), pytest.raises(ValueError, match=fault) as error:
        receiver(url, allow=("json", "teleport"))
    assert "s3cret" not in f"{error.value}{caplog.text}"


def test_without_an_address_it_is_told() -> None:
    with pytest.raises(ValueError, match=r"^urls: at least one"):
        receiver()


def test_each_service_gets_it_once_though_another_fails(hooks: list[FakeHook]) -> None:
    good, bad = hooks
    bad.faults = [Said(500)]
    one, notice = receiver(json_of(bad), json_of(good)), incident_notice()
    with pytest.raises(SourceError, match=r"^not taken by json$"):
        one.send(notice)
    one.send(notice)
    assert (len(good.taken), len(bad.taken)) == (1, 1)


def test_severity_and_end_are_told_apart(hooks: list[FakeHook]) -> None:
    hook, _ = hooks
    for event, severity in (("first", "critical"), ("update", "major"), ("update", "minor"), ("end", "critical")):
        receiver(json_of(hook)).send(incident_notice(event=event, severity=severity))
    receiver(json_of(hook)).send(incident_notice(event="end", severity="critical", still_failing=True))
    kinds = ["failure", "warning", "info", "success", "failure"]
    assert [asked.body["type"] for asked in hook.taken] == kinds, "closed by hand, its rules are in alert"


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def missing(name: str, *rest: Any) -> Any:
        if name == "apprise":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.delitem(sys.modules, "connectors.receivers.apprise", raising=False)
    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(ImportError, match=r"make extras"):
        importlib.import_module("connectors.receivers.apprise")
