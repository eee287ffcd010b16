"""Unit tests of rules: the shipped ones pass, and one that is wrong is told where."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from monitor.__main__ import app
from monitor.rule_tests import numbers

CONFIG = """
[monitor]
database = "sqlite:///vigia.db"
rules = ["rules/*.toml"]

[sources.core]
role = "transactions"
kind = "file"
path = "payments.csv"
"""
RULE = """
[[rule]]
name = "pagos_fallidos"
kind = "limit"
when = "failed_rate > 0.05"
min_total = 30
for = "2m"
keep_firing_for = "5m"
guide = "pagos/fallas"
"""
SERIES = """
[[test]]
name = "{name}"
[[test.series]]
product = "pagos"
channel = "web"
ok = "40x9 30x4 40x15"
failed = "0x9 10x4 0x15"
"""


def expect(**keys: str) -> str:
    return "[[test.expect]]\n" + "".join(f'{key} = "{value}"\n' for key, value in keys.items())


@pytest.fixture
def bank(tmp_path: Path) -> Path:
    (tmp_path / "rules" / "tests").mkdir(parents=True)
    (tmp_path / "config.toml").write_text(CONFIG)
    (tmp_path / "rules" / "pagos.toml").write_text(RULE)
    return tmp_path


def ran(bank: Path, what: str, tests: str = "") -> tuple[int, str]:
    if tests:
        (bank / "rules" / "tests" / "pagos.toml").write_text(tests)
    done = CliRunner().invoke(app, ["rules", what, "--config", str(bank / "config.toml")])
    return done.exit_code, done.output


def test_the_shipped_catalog_passes_its_tests_and_lint_finds_nothing_in_it(tmp_path: Path):
    (tmp_path / "config.toml").write_text(CONFIG.replace('rules = ["rules/*.toml"]', ""))
    code, told = ran(tmp_path, "test")
    assert code == 0, told
    assert "FAILED" not in told
    assert ran(tmp_path, "lint")[0] == 0


def test_what_a_rule_says_at_each_moment(bank: Path):
    tests = SERIES.format(name="sube y baja") + "".join(
        expect(at=at, rule="pagos_fallidos", product="pagos", state=state)
        for at, state in (("10m", "silent"), ("11m", "pending"), ("12m", "firing"), ("15m", "firing"), ("19m", "firing"), ("20m", "silent"))
    )  # fmt: skip
    code, told = ran(bank, "test", tests)
    assert (code, told.splitlines()[-1]) == (0, "1 passed, 0 failed"), told


def test_what_is_not_as_expected_is_told_with_what_is_there(bank: Path):
    tests = SERIES.format(name="no es así") + expect(at="12m", rule="pagos_fallidos", state="silent")
    code, told = ran(bank, "test", tests)
    assert code == 1
    assert "FAILED  pagos.toml: no es así" in told
    assert "at 12m: pagos_fallidos should be silent, but pagos web firing" in told


def test_a_minute_that_the_source_does_not_tell_of_is_unknown(bank: Path):
    tests = SERIES.format(name="hueco").replace("40x15", "_x15").replace("0x15", "_x15")
    code, told = ran(bank, "test", tests + expect(at="20m", rule="pagos_fallidos", verdict="unknown"))
    assert code == 0, told


@pytest.mark.parametrize(
    ("wrong", "what"),
    [
        (expect(at="32m", rule="pagos_fallidos", state="silent"), "expect[0].at: asks beyond the data, which is 31 minutes long"),
        (expect(at="5m", rule="otra", state="silent"), "expect[0].rule: no such rule; there are pagos_fallidos"),
        (expect(at="5m", rule="pagos_fallidos"), "expect[0]: give exactly one of state and verdict"),
        (expect(at="90s", rule="pagos_fallidos", state="silent"), "expect[0].at: must be a whole number of minutes"),
        (expect(at="5m", rule="pagos_fallidos", estado="silent"), "expect[0].estado: no such key"),
        (expect(at="5m", rule="pagos_fallidos", state="open"), "expect[0].state: must be 'silent', 'pending' or 'firing'"),
    ],
)  # fmt: skip
def test_a_wrong_test_is_told_with_its_file_and_key(bank: Path, wrong: str, what: str):
    code, told = ran(bank, "test", SERIES.format(name="mal") + wrong)
    assert code == 1
    assert f"pagos.toml: test.mal.{what}" in told


def test_wrong_numbers_and_no_tests_are_told(bank: Path):
    assert "there are no tests" in ran(bank, "test")[1]
    wrong = SERIES.format(name="mal").replace("40x9", "40*9") + expect(at="5m", rule="pagos_fallidos", state="silent")
    assert "pagos.toml: test.mal.series[0].ok: '40*9' is no such numbers" in ran(bank, "test", wrong)[1]


def test_lint_says_what_is_seldom_meant(bank: Path):
    (bank / "rules" / "pagos.toml").write_text(
        RULE
        + """
[[rule]]
name = "todo_mal"
kind = "limit"
by = ["product", "client_id"]
when = "failed_rate > 0.05 AND total > 10"
keep_firing_for = "0s"
severity = "critical"
"""
    )
    code, told = ran(bank, "lint", SERIES.format(name="x") + expect(at="5m", rule="pagos_fallidos", state="silent"))
    assert code == 3
    found = [line for line in told.splitlines() if line.startswith("pagos.toml: rule.todo_mal: ")]
    assert len(found) == len(told.splitlines()) == 7


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 9), st.integers(0, 20)), max_size=5))
def test_numbers_are_as_promtool_writes_them(parts: list[tuple[int, int, int]]):
    written = " ".join(f"{a}+{b}x{n}" for a, b, n in parts)
    assert numbers(written) == [float(a + b * k) for a, b, n in parts for k in range(n + 1)]
    assert numbers("_x3 5 7x1") == [None, None, None, 5, 7, 7]
