"""`vigia rules lint`: what is allowed in a rule and is seldom meant."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from monitor.config import Config
from monitor.faults import Fault
from rules import Rule, Severity


def findings(config: Config, tests: list[Path]) -> list[Fault]:
    """Every finding with its rule, in the order of the rules. tests: the files of unit tests that there are."""
    tested = {expect["rule"] for path in tests for expect in _expected(path)}
    return [
        Fault(config.rule_homes[rule.spec.name].name, f"rule.{rule.spec.name}", what)
        for rule in config.rules()
        for what in _of(rule, tested)
    ]


def _of(rule: Rule, tested: set[str]) -> Iterator[str]:
    spec = rule.spec
    when = " ".join(getattr(rule, "expressions", ()))
    if not spec.guide:
        yield "has no guide: whoever gets the alert is not told what to do first"
    if spec.name not in tested:
        yield "no unit test expects anything of it"
    if re.search(r"\btotal\s*[<>]", when):
        yield "asks for a volume inside `when`: below it the verdict is then HEALTHY; with min_total it is UNKNOWN, as it should be"
    if "_rate" in when and not spec.min_total:
        yield "judges a rate without min_total: one failure of one transaction is 100 %"
    if spec.kind == "limit" and not spec.for_ and spec.grain.minutes == 1:
        yield "fires on a single minute: give it a `for` or a longer window"
    if spec.kind == "limit" and spec.severity is Severity.CRITICAL and "client_id" in spec.grain.by:
        yield "is critical for a single client: a thousand clients may wake the bank a thousand times"
    if spec.keep_firing_for < timedelta(minutes=1):
        yield "ends in the first healthy minute: what flaps will be many incidents"


def _expected(path: Path) -> list[dict[str, str]]:
    try:
        tests = tomllib.loads(path.read_text(encoding="utf-8-sig")).get("test", [])
        return [expect for test in tests for expect in test.get("expect", []) if "rule" in expect]
    except (OSError, ValueError, AttributeError, TypeError):
        return []  # told by `vigia rules test`
