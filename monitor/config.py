"""config.toml and the rule files, as frozen models; every fault at once, each with its file and key."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from glob import glob
from pathlib import Path
from typing import Any, Literal, cast

from pydantic import ValidationError

from alerts.losses import Losses
from alerts.priority import Weights
from alerts.promises import Promises
from alerts.reasons import Limits
from alerts.rests import Rests
from alerts.stages import Stages
from connectors import ROLES, STATUSES, CaseDesk, Source
from connectors.kinds import load
from connectors.mapping import Mapping as Names
from monitor.blocks import (
    DEMO_SECRETS,
    MINUTE,
    Block,
    Causes,
    Demo,
    DeskBlock,
    Monitor,
    Portfolio,
    Retention,
    RuleBlock,
    SourceBlock,
)
from monitor.faults import ConfigError, Fault, Secrets, explained, read_toml
from monitor.kinds import built, checked, load_rule, options
from monitor.losses import LossesBlock
from monitor.maintenance import Maintenance, read_maintenance
from monitor.promises import read_promises
from monitor.rests import read_rests
from monitor.stages import read_stages
from rules import DIMENSIONS, Grain, Rule, Severity, Spec
from rules.expression import parse

CATALOG = Path(__file__).parents[1] / "rules" / "catalog"


@dataclass(frozen=True)
class SourceConfig:
    """A source, ready to be made. zone: of its times without offset."""

    name: str
    block: SourceBlock
    zone: str
    make: Callable[[], Source]
    mapping: Callable[[], Names]


@dataclass(frozen=True)
class DeskConfig:
    """A desk, ready to be made."""

    name: str
    block: DeskBlock
    make: Callable[[], CaseDesk]


@dataclass(frozen=True)
class Config:
    """Everything a user has said. Rules and sources are made anew by each call: they hold state."""

    path: Path
    monitor: Monitor
    sources: Mapping[str, SourceConfig]
    desks: Mapping[str, DeskConfig]
    rule_factories: tuple[Callable[[], Rule], ...]
    retention: Retention = field(default_factory=Retention)
    portfolio: Portfolio = field(default_factory=Portfolio)
    causes: Causes = field(default_factory=Causes)
    losses: Losses = field(default_factory=Losses)
    demo: Demo | None = None
    maintenance: tuple[Maintenance, ...] = ()
    promises: Promises = field(default_factory=Promises)
    stages: Stages = field(default_factory=Stages)
    rests: Rests = field(default_factory=Rests)

    def rules(self) -> list[Rule]:
        """Every rule, new."""
        return [make() for make in self.rule_factories]

    def desk_of(self, product: str) -> str:
        """The desk that takes this product's cases, or ''."""
        named = [name for name, desk in self.desks.items() if product in desk.block.products]
        rest = [name for name, desk in self.desks.items() if not desk.block.products]
        return next(iter(named + rest), "")

    @property
    def weights(self) -> Weights:
        """Of a client's priority."""
        return Weights(**self.portfolio.model_dump(exclude={"open_from"}))

    @property
    def limits(self) -> Limits:
        """What keeps the desks from a flood."""
        hourly = {name: desk.block.per_hour for name, desk in self.desks.items() if desk.block.per_hour is not None}
        least = {str(segment): least for segment, least in self.portfolio.open_from.items()}
        return Limits(hourly, least, self.stages)

    @property
    def declared(self) -> frozenset[str]:
        """The sources that say in which form they write NITs."""
        blocks = {name: source.block for name, source in self.sources.items()}
        return frozenset(name for name, block in blocks.items() if block.client_form or "id_type" in block.columns)


_BLOCKS: dict[str, type[Block]] = {
    "monitor": Monitor, "retention": Retention, "portfolio": Portfolio, "causes": Causes, "losses": LossesBlock, "demo": Demo,
}  # fmt: skip


def read_config(path: Path) -> Config:
    """The configuration and its rules; raises ConfigError with all that is wrong."""
    faults: list[Fault] = []
    name = path.name or str(path)
    base = path.resolve().parent
    written = read_toml(path, name, faults)
    if faults:
        raise ConfigError(faults)
    secrets = Secrets(base, name, DEMO_SECRETS if "demo" in written else {})
    tables = secrets.filled(written, faults)
    unfilled = list(faults)
    known = (*_BLOCKS, "sources", "desks", "maintenance", "promises", "promise", "step", "rests")
    faults += [Fault(name, key, f"no such block; there are {', '.join(known)}") for key in tables if key not in known]
    blocks = {
        key: _block(model, tables.get(key, {}), name, key, faults)
        for key, model in _BLOCKS.items()
        if key in tables or key != "demo"
    }
    monitor = cast("Monitor | None", blocks["monitor"])
    zone = monitor.timezone if monitor else "UTC"
    sources = {
        n: s
        for n, block in _named(tables, "sources", name, faults)
        if (s := _source(n, block, zone, base, name, faults=faults))
    }
    if tables.get("sources", {}) == {}:
        faults.append(Fault(name, "sources", "at least one source is needed, as in [sources.core]"))
    desks = {n: d for n, block in _named(tables, "desks", name, faults) if (d := _desk(n, block, base, name, faults))}
    faults += [
        Fault(name, f"desks.{n}.products", f"desk {m} takes the cases of {product} already")
        for n, desk in desks.items()
        for m in itertools.takewhile(n.__ne__, desks)
        for product in desk.block.products
        if product in desks[m].block.products
    ]
    rest = [n for n, desk in desks.items() if not desk.block.products]
    faults += [
        Fault(name, f"desks.{n}.products", f"is missing: desk {rest[0]} takes all that no other takes already")
        for n in rest[1:]
    ]
    if not tables.get("desks"):
        local = {"kind": "local", "path": "var/casos.csv"}
        desks = {"local": cast(DeskConfig, _desk("local", local, base, name, faults))}
    maintenance = read_maintenance(tables.get("maintenance", []), zone, name, faults)
    promises = read_promises(tables, monitor or Monitor(), name, faults)
    stages = read_stages(tables, name, faults)
    rests = read_rests(tables.get("rests", []), name, faults)
    raw = tables.get("monitor", {})
    rules = _rules(monitor or Monitor(), raw.get("rules") if isinstance(raw, dict) else None, base, name, faults)
    if faults:
        keys = {fault.key for fault in unfilled}  # what else is said of these is said of a text that was not filled in
        raise ConfigError(secrets.hidden(f for f in faults if f in unfilled or f.file != name or f.key not in keys))
    made = cast("dict[str, Any]", blocks)
    made["monitor"] = made["monitor"].model_copy(update={"database": _absolute(made["monitor"].database, base)})
    if made.get("demo"):
        made["demo"] = made["demo"].model_copy(update={"database": str(base / made["demo"].database)})
    made |= {"sources": sources, "desks": desks, "maintenance": maintenance, "promises": promises, "stages": stages}
    made["losses"] = made["losses"].losses
    made["rests"] = rests
    return Config(path=path, rule_factories=tuple(rules), **made)


def _block(model: type[Block], given: Any, file: str, key: str, faults: list[Fault]) -> Block | None:
    known = sorted(field.alias or name for name, field in model.model_fields.items())
    try:
        return model.model_validate(given)
    except ValidationError as error:
        faults += explained(error, file, key, known)
        return None


def _named(tables: Mapping[str, Any], key: str, file: str, faults: list[Fault]) -> list[tuple[str, dict[str, Any]]]:
    blocks = tables.get(key, {})
    if not isinstance(blocks, dict):
        faults.append(Fault(file, key, f"must be blocks, as in [{key}.NAME]"))
        return []
    wrong = [name for name, block in blocks.items() if not isinstance(block, dict)]
    faults += [Fault(file, f"{key}.{name}", f"must be a block, as in [{key}.{name}]") for name in wrong]
    return [(name, block) for name, block in blocks.items() if name not in wrong]


def _split(model: type[Block], block: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    ours = {field.alias or name for name, field in model.model_fields.items()}
    return {k: v for k, v in block.items() if k in ours}, {k: v for k, v in block.items() if k not in ours}


def _absolute(value: str, base: Path) -> str:
    prefix, _, rest = value.partition("sqlite:///")
    return f"sqlite:///{base / rest}" if not prefix and rest and rest != ":memory:" else value


def _placed(options: Mapping[str, Any], base: Path) -> dict[str, Any]:
    """Paths, and SQLite's addresses, are relative to the config file."""
    placed = {k: _absolute(v, base) if isinstance(v, str) else v for k, v in options.items()}
    if isinstance(path := placed.get("path"), str):
        placed["path"] = str(base / path)
    return placed


def _source(
    name: str, given: dict[str, Any], zone: str, base: Path, file: str, *, faults: list[Fault]
) -> SourceConfig | None:
    key = f"sources.{name}"
    common, _ = _split(SourceBlock, given)
    block = cast("SourceBlock | None", _block(SourceBlock, common, file, key, faults))
    before = len(faults)
    columns, defaults, status = (
        named if isinstance(named := common.get(part), dict) else {} for part in ("columns", "defaults", "status")
    )
    if role := ROLES.get(str(common.get("role"))):
        mapped = [*role.names, *(["id_type"] if "client_id" in role.names else [])]
        for part, given_names, there in (("columns", columns, mapped), ("defaults", defaults, role.names)):
            wrong = [n for n in given_names if n not in there]
            faults += [
                Fault(file, f"{key}.{part}.{n}", f"{common['role']} have no such column; there are {', '.join(there)}")
                for n in wrong
            ]
    wrong = [n for n in status if n not in STATUSES]
    faults += [Fault(file, f"{key}.status.{n}", f"no such class; there are {', '.join(STATUSES[:-1])}") for n in wrong]
    mapping: Callable[[], Names] | None = None
    if block and len(faults) == before:
        words = {n: getattr(block, n) for n in ("role", "columns", "defaults", "status", "client_form")}
        mapping = built(Names, words | {"timezone": block.timezone or zone}, file, key, faults)
    make = _kind("sources", given, base, file, key, faults=faults)
    return SourceConfig(name, block, block.timezone or zone, make, mapping) if block and make and mapping else None


def _desk(name: str, given: dict[str, Any], base: Path, file: str, faults: list[Fault]) -> DeskConfig | None:
    key = f"desks.{name}"
    common, _ = _split(DeskBlock, given)
    block = cast("DeskBlock | None", _block(DeskBlock, common, file, key, faults))
    make = _kind("desks", given, base, file, key, faults=faults)
    return DeskConfig(name, block, make) if block and make else None


def _kind(
    folder: Literal["sources", "desks"],
    given: Mapping[str, Any],
    base: Path,
    file: str,
    key: str,
    *,
    faults: list[Fault],
) -> Callable[[], Any] | None:
    model = SourceBlock if folder == "sources" else DeskBlock
    common, rest = _split(model, given)
    if not isinstance(common.get("kind"), str):
        return None
    try:
        cls = load(folder, common["kind"])
    except (LookupError, ImportError) as error:
        faults.append(Fault(file, f"{key}.kind", str(error.args[0])))
        return None
    chosen = checked(cls, _placed(rest, base), file, key, faults, known=set(model.model_fields))
    return None if chosen is None else built(cls, chosen, file, key, faults)


def _rules(monitor: Monitor, patterns: Any, base: Path, file: str, faults: list[Fault]) -> list[Callable[[], Rule]]:
    """The rules of every file that the patterns name (none: the shipped catalog)."""
    paths: list[Path] = []
    for i, pattern in enumerate(patterns if isinstance(patterns, list) else []):
        if not isinstance(pattern, str):  # told with the block
            continue
        # not Path.glob, which refuses absolute patterns and some wrong ones
        found = sorted(Path(name) for name in glob(str(base / pattern), recursive=True) if pattern)  # noqa: PTH207
        if not found:
            faults.append(Fault(file, f"monitor.rules[{i}]", f"no file matches {pattern!r}"))
        paths += [path for path in found if path not in paths]
    names: dict[str, str] = {}
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
            what = f"there is a rule of this name in {names[name]} already"
            faults.append(Fault(path.name, f"{key}.name", what))
        elif isinstance(name, str):
            names[name] = path.name
    return [factory for factory in made if factory]


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
    common, rest = _split(RuleBlock, given)
    block = cast("RuleBlock | None", _block(RuleBlock, common, file, key, faults))
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
