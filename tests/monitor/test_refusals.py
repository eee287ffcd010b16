"""A source whose log-in is refused is asked a few times, and then seldom: its user is not locked by us."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from connectors import Batch, SourceError
from connectors.sources.file import File
from monitor.config import read_config
from monitor.intake import Intake
from monitor.refusals import FEW, LONGEST, REST, Refusals
from tests.fakes import helix, webpage
from tests.watched import Watched

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

    from tests.fake_api import Asked, Said

CONFIG = """
[monitor]
database = "sqlite:///vigia.db"
rules = ["rules.toml"]
[sources.core]
role = "transactions"
kind = "file"
path = "x.csv"
"""
NOW = datetime(2026, 3, 3, 14, tzinfo=UTC)


@pytest.mark.parametrize(("kind", "module"), [("helix", helix), ("webpage", webpage)])
def test_a_wrong_password_is_sent_a_few_times_and_then_seldom(
    kind: str, module: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLAVE", "wr0ng")
    tool = module.tool(tmp_path)
    tried: list[datetime] = []
    login, now = tool.fake.login, NOW

    def counted(asked: Asked) -> Said | None:
        said: Said | None = login(asked)
        if said and asked.method == "POST":
            tried.append(now)
        return said

    tool.fake.login = counted
    block = {"role": "cases", "kind": kind, **tool.source, "password": "${CLAVE}"}
    lines = [f"{name} = {json.dumps(value)}" for name, value in block.items() if not isinstance(value, dict)]
    (tmp_path / "config.toml").write_text("\n".join(["[sources.casos]", *lines]))
    try:
        intake = Intake(read_config(tmp_path / "config.toml").sources["casos"])
        for n in range(360):
            now = NOW + timedelta(seconds=10 * n)
            with pytest.raises(SourceError) as error:
                intake.poll(now)
            assert (error.value.whole, error.value.fault) == (True, "login")
    finally:
        tool.close()
    first = [NOW + timedelta(seconds=10 * n) for n in range(FEW)]
    assert tried == [*first, first[-1] + REST, first[-1] + 3 * REST]
    assert "refused 5 times: asked again at 15:10 UTC" in str(error.value)


def refused(refusals: Refusals, now: datetime, error: SourceError | None) -> str:
    """What is told; '' where it was asked and answered."""
    try:
        with refusals.heeded(now):
            if error:
                raise error
    except SourceError as told:
        return str(told)
    return ""


def test_it_rests_longer_each_time_up_to_an_hour_and_begins_anew_once_it_is_let_in() -> None:
    refusals, now, tried = Refusals(), NOW, []
    while len(tried) < FEW + 6:
        if refused(refusals, now, SourceError("401", whole=True, fault="login")) == "401":
            tried.append(now)
        now += timedelta(minutes=1)
    rests = [later - one for one, later in pairwise(tried)]
    assert rests == [timedelta(minutes=1)] * (FEW - 1) + [REST, 2 * REST, 4 * REST, LONGEST, LONGEST, LONGEST]
    now = tried[-1] + LONGEST
    assert refused(refusals, now, None) == ""
    assert [refused(refusals, now, SourceError("401", whole=True, fault="login")) for _ in range(FEW)] == ["401"] * FEW


@pytest.mark.parametrize("fault", ["unreachable", "busy", "server"])
def test_what_is_no_refusal_lets_nobody_rest(fault: str) -> None:
    refusals = Refusals()
    for _ in range(3 * FEW):
        assert refused(refusals, NOW, SourceError("no", fault=fault)) == "no"  # type: ignore[arg-type]
    for _ in range(3):  # not in a row
        for _ in range(FEW - 1):
            assert refused(refusals, NOW, SourceError("401", whole=True, fault="login")) == "401"
        assert refused(refusals, NOW, None) == ""


def test_a_process_a_cycle_heeds_the_refusals_of_those_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As `vigia once` from cron: a minute after a minute with a wrong password, and then with the right one."""
    bank, tried, let_in = Watched(tmp_path, NOW, CONFIG), list[datetime](), False

    def poll(*_: object) -> Batch:
        tried.append(bank.now)
        if not let_in:
            raise SourceError("401", whole=True, fault="login")
        return Batch(pa.table({"timestamp": ["2026-03-03T13:00:00Z"], "status": ["ok"]}), {}, drained=True)

    monkeypatch.setattr(File, "poll", poll)
    for minute in (0, 1, 2, 3, 11, 12, 13, 31, 32, 33):
        bank.now = NOW + timedelta(minutes=minute)
        assert not bank.start().cycle()
        bank.close()
    assert [one - NOW for one in tried] == [timedelta(minutes=n) for n in (0, 1, 2, 12, 32)]
    bank.now, let_in = tried[-1] + 4 * REST, True
    assert bank.start().cycle()
    assert json.loads(bank.store.marks()["refusals"]) == {}
    bank.close()
