"""The rule files: entries to rules ready to be made, each fault with its file and key."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from glob import glob
from pathlib import Path
from typing import Any, cast

from monitor.blocks import MINUTE, Monitor, RuleBlock
from monitor.faults import Fault, read_toml
from monitor.kinds import built, checked, load_rule, options
from monitor.plugs import read_block, split
from rules import DIMENSIONS, Grain, Rule, Severity, Spec
from rules.expression import parse

CATALOG = Path(__file__).parents[1] / "rules" / "catalog"


def read_rules(
    monitor: Monitor, patterns: Any, base: Path, file: str, faults: list[Fault]
) -> tuple[list[Callable[[], Rule]], dict[str, Path]]:
    """The rules of every file that the patterns name (none: the shipped catalog), and the file of each by its name."""
    paths: list[Path] = []
    for i, pattern in enumerate(patterns if isinstance(patterns, list) else []):
        if not isinstance(pattern, str):  # told with the block
            continue
        # not Path.glob, which refuses absolute patterns and some wrong ones
        found = sorted(Path(name) for name in glob(str(base / pattern), recursive=True) if pattern)  # noqa: PTH207
        if not found:
            faults.append(Fault(file, f"monitor.rules[{i}]", f"no file matches {pattern!r}"))
        paths += [path for path in found if path not in paths]
    names: dict[str, Path] = {}
    made = []
    chosen = paths if patterns is not None else sorted(CATALOG.glob("*.toml"))
    entries = [(path, i, given) for path in chosen for i, given in enumerate(_entries(path, faults))]
    takers = sum(1 for *_, given in entries if isinstance(given, dict) and "budget" not in given and _budgeted(given))
    budget = monitor.false_alarms_per_week / max(takers, 1)
    for path, i, given in entries:
        if not isinstance(given, dict):
            faults.append(Fault(path.name, f"rule[{i}]", "must be a table, as in [[rule]]"))
            continue
        name = given.get("name")
        key = f"rule.{name}" if isinstance(name, str) and name else f"rule[{i}]"
        shared = {"budget": budget, **given} if _budgeted(given) else given
        made.append(_rule(shared, monitor, path.name, key, faults))
        if isinstance(name, str) and name in names:
            what = f"there is a rule of this name in {names[name].name} already"
            faults.append(Fault(path.name, f"{key}.name", what))
        elif isinstance(name, str):
            names[name] = path
    return [factory for factory in made if factory], names


def _budgeted(given: Mapping[str, Any]) -> bool:
    """Whether its kind takes a share of the bank's false alarms."""
    try:
        return "budget" in options(load_rule(given["kind"]))
    except (LookupError, TypeError, ImportError):
        return False  # told with the rule


def _entries(path: Path, faults: list[Fault]) -> list[Any]:
    tables = read_toml(path, path.name, faults)
    faults += [Fault(path.name, key, "no such key; a rule is a [[rule]]") for key in tables if key != "rule"]
    entries = tables.get("rule", [])
    if not isinstance(entries, list):
        faults.append(Fault(path.name, "rule", "must be a list of tables: write [[rule]]"))
        return []
    return entries


def _rule(
    given: dict[str, Any], monitor: Monitor, file: str, key: str, faults: list[Fault]
) -> Callable[[], Rule] | None:
    common, rest = split(RuleBlock, given)
    block = cast("RuleBlock | None", read_block(RuleBlock, common, file, key, faults))
    if not isinstance(common.get("kind"), str):
        return None
    try:
        cls = load_rule(common["kind"])
    except LookupError as error:
        faults.append(Fault(file, f"{key}.kind", str(error.args[0])))
        return None
    known = {field.alias or name for name, field in RuleBlock.model_fields.items()}
    chosen = checked(cls, rest, file, key, faults, known=known)
    if chosen is None:
        return None
    spec = _spec(block, monitor) if block else Spec(name=key)
    make = built(lambda **options: cls(spec, **options), chosen, file, key, faults)
    if block and make and (wrong := _mismatch(make())):
        faults.append(Fault(file, f"{key}.by", wrong))
    return make if block else None


def _spec(block: RuleBlock, monitor: Monitor) -> Spec:
    return Spec(
        name=block.name,
        kind=block.kind,
        grain=Grain(
            tuple(n for n in DIMENSIONS if n in block.by), int((block.window or monitor.window) / MINUTE), block.where
        ),
        for_=block.for_,
        keep_firing_for=block.keep_firing_for,
        min_total=block.min_total,
        severity=Severity(block.severity),
        guide=block.guide,
    )


def _mismatch(rule: Rule) -> str:
    """Why its measures and its grain do not go together, or ''."""
    metrics = "value" in rule.measures
    if metrics and len(rule.measures) > 1:
        return "`value` is of metrics, the other measures are of transactions: one rule is of one or of the other"
    where = rule.spec.grain.where
    named = {*rule.spec.grain.by, *(parse(where, DIMENSIONS).columns if where else ())}
    if metrics and "client_id" in named:
        return "metrics have no client_id"
    if rule.spec.kind == "absent" and "client_id" in rule.spec.grain.by:
        return "a single client's silence cannot be told yet: a client has windows only where there are rows"
    if not metrics and "series" in named:
        return "`series` is of metrics, and this rule's measures are of transactions"
    return ""
