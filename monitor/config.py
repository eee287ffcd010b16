"""config.toml and the rule files, as frozen models; every fault at once, each with its file and key."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, cast
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from alerts.priority import Weights
from connectors import ROLES, STATUSES, CaseDesk, Source
from connectors.kinds import load
from connectors.mapping import Mapping as Names
from monitor.faults import ConfigError, Fault, explained, read_toml, with_secrets
from monitor.kinds import Duration, built, checked, load_rule
from rules import DIMENSIONS, Grain, Rule, Severity, Spec
from rules.expression import ExpressionError, parse

CATALOG = Path(__file__).parents[1] / "rules" / "catalog"
MINUTE = timedelta(minutes=1)


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"there is no time zone {name!r}; write it as America/Bogota") from None
    return name


def _whole_minutes(length: timedelta) -> timedelta:
    if length < MINUTE or length % MINUTE:
        raise ValueError("must be a whole number of minutes, at least 1m")
    return length


def _address(text: str) -> str:
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:  # noqa: PLR2004 - the last port
        raise ValueError("must be host:port, such as 127.0.0.1:8080")
    if host.strip("[]") not in ("127.0.0.1", "localhost", "::1"):
        raise ValueError("beyond loopback a token is needed, and there are none yet: listen on 127.0.0.1")
    return text


def _where(text: str) -> str:
    try:
        parse(text, DIMENSIONS)
    except ExpressionError as error:
        raise ValueError(str(error)) from None
    return text


Zone = Annotated[str, AfterValidator(_zone)]
Minutes = Annotated[Duration, AfterValidator(_whole_minutes)]


class _Block(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, populate_by_name=True)


class Monitor(_Block):
    """[monitor]: how the daemon lives. hold: how long a closed minute may still be corrected by late or repeated rows."""

    timezone: Zone = "America/Bogota"
    country: str = Field(default="CO", pattern="^[A-Z]{2}$")
    database: str = "sqlite:///var/vigia.db"
    window: Minutes = MINUTE
    lateness: Duration = timedelta(seconds=10)
    hold: Minutes = timedelta(hours=1)
    patience: Minutes = timedelta(minutes=2)
    rules: list[str] | None = None
    listen: Annotated[str, AfterValidator(_address)] = "127.0.0.1:8080"


class SourceBlock(_Block):
    """[sources.NAME], but for the options of its kind."""

    role: Literal["transactions", "metrics", "cases", "clients", "holdings"]
    kind: str
    columns: dict[str, str] = {}
    defaults: dict[str, str | int | float] = {}
    status: dict[str, list[str]] = {}
    timezone: Zone | None = None
    client_form: Literal["nit", "nit_dv"] | None = None
    every: Duration = timedelta(seconds=10)
    start: Duration = timedelta(days=30)


class DeskBlock(_Block):
    """[desks.NAME], but for the options of its kind. products: whose cases it takes (none named: all that no other takes)."""

    kind: str
    products: list[str] = []


class RuleBlock(_Block):
    """[[rule]], but for the options of its kind."""

    name: str = Field(pattern=r"^[a-z0-9_]+$")
    kind: str
    by: list[Literal["product", "channel", "client_id", "series"]] = ["product", "channel"]
    where: Annotated[str, AfterValidator(_where)] = ""
    window: Minutes | None = None
    for_: Duration = Field(default=timedelta(0), alias="for")
    keep_firing_for: Duration = timedelta(minutes=20)
    min_total: int = Field(default=0, ge=0)
    severity: Literal["minor", "major", "critical"] = "major"
    guide: str = ""


class Retention(_Block):
    """[retention]: how long what is kept. clients: what touches single clients (impacts, decisions, their cases)."""

    cells: Duration = timedelta(days=35)
    incidents: Duration = timedelta(days=730)
    clients: Duration = timedelta(days=400)
    outbox: Duration = timedelta(days=90)


class Portfolio(_Block):
    """[portfolio]: the weights of a client's priority, and how critical each product is (0..1)."""

    segment: float = Field(default=0.30, ge=0)
    impact: float = Field(default=0.30, ge=0)
    value: float = Field(default=0.15, ge=0)
    sensitivity: float = Field(default=0.10, ge=0)
    criticality: float = Field(default=0.15, ge=0)
    products: dict[str, Annotated[float, Field(ge=0, le=1)]] = {}


class Demo(_Block):
    """[demo]: `vigia run` starts the simulated bank, which writes its payments to this database."""

    database: str


@dataclass(frozen=True)
class SourceConfig:
    """A source, ready to be made."""

    name: str
    block: SourceBlock
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
    demo: Demo | None = None

    def rules(self) -> list[Rule]:
        """Every rule, new."""
        return [make() for make in self.rule_factories]

    def desk_of(self, product: str) -> str:
        """The desk that takes this product's cases."""
        named = [name for name, desk in self.desks.items() if product in desk.block.products]
        rest = [name for name, desk in self.desks.items() if not desk.block.products]
        return (named or rest or list(self.desks))[0]

    @property
    def weights(self) -> Weights:
        """Of a client's priority."""
        return Weights(**self.portfolio.model_dump())


_BLOCKS: dict[str, type[_Block]] = {"monitor": Monitor, "retention": Retention, "portfolio": Portfolio, "demo": Demo}


def read_config(path: Path) -> Config:
    """The configuration and its rules; raises ConfigError with all that is wrong."""
    faults: list[Fault] = []
    name = path.name
    base = path.resolve().parent
    tables = with_secrets(read_toml(path, name, faults), base, name, faults)
    if faults and not tables:
        raise ConfigError(faults)
    known = (*_BLOCKS, "sources", "desks")
    faults += [Fault(name, key, f"no such block; there are {', '.join(known)}") for key in tables if key not in known]
    blocks = {key: _block(model, tables.get(key, {}), name, key, faults) for key, model in _BLOCKS.items() if key in tables or key != "demo"}
    monitor = cast("Monitor | None", blocks["monitor"])
    zone = monitor.timezone if monitor else "UTC"
    sources = {n: s for n, block in _named(tables, "sources", name, faults) if (s := _source(n, block, zone, base, name, faults))}
    if not tables.get("sources"):
        faults.append(Fault(name, "sources", "at least one source is needed, as in [sources.core]"))
    desks = {n: d for n, block in _named(tables, "desks", name, faults) if (d := _desk(n, block, base, name, faults))}
    if not tables.get("desks"):
        local = {"kind": "local", "path": "var/casos.csv"}
        desks = {"local": cast(DeskConfig, _desk("local", local, base, name, faults))}
    raw = tables.get("monitor", {})
    rules = _rules(monitor or Monitor(), raw.get("rules") if isinstance(raw, dict) else None, base, faults)
    if faults:
        raise ConfigError(faults)
    made = cast("dict[str, Any]", blocks)
    made["monitor"] = made["monitor"].model_copy(update={"database": _absolute(made["monitor"].database, base)})
    if made.get("demo"):
        made["demo"] = Demo(database=str(base / made["demo"].database))
    return Config(path=path, sources=sources, desks=desks, rule_factories=tuple(rules), **made)


def _block(model: type[_Block], given: Any, file: str, key: str, faults: list[Fault]) -> _Block | None:
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


def _split(model: type[_Block], block: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
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


def _source(name: str, given: dict[str, Any], zone: str, base: Path, file: str, faults: list[Fault]) -> SourceConfig | None:
    key = f"sources.{name}"
    common, rest = _split(SourceBlock, given)
    block = cast("SourceBlock | None", _block(SourceBlock, common, file, key, faults))
    before = len(faults)
    if role := ROLES.get(str(common.get("role"))):
        for part in ("columns", "defaults"):
            there = [*role.names, *(["id_type"] if part == "columns" and "client_id" in role.names else [])]
            wrong = [n for n in common.get(part, {}) if isinstance(common.get(part), dict) and n not in there]
            faults += [Fault(file, f"{key}.{part}.{n}", f"{common['role']} have no such column; there are {', '.join(there)}") for n in wrong]
    if isinstance(common.get("status"), dict):
        wrong = [n for n in common["status"] if n not in STATUSES]
        faults += [Fault(file, f"{key}.status.{n}", f"no such class; there are {', '.join(STATUSES[:-1])}") for n in wrong]
    make = _kind("sources", common, rest, base, file, key, faults)
    if block is None or len(faults) > before or make is None:
        return None
    words = dict(
        role=block.role, columns=block.columns, defaults=block.defaults, status=block.status, timezone=block.timezone or zone, client_form=block.client_form
    )
    mapping = built(Names, words, file, key, faults)
    return SourceConfig(name, block, make, mapping) if mapping else None


def _desk(name: str, given: dict[str, Any], base: Path, file: str, faults: list[Fault]) -> DeskConfig | None:
    key = f"desks.{name}"
    common, rest = _split(DeskBlock, given)
    block = cast("DeskBlock | None", _block(DeskBlock, common, file, key, faults))
    make = _kind("desks", common, rest, base, file, key, faults)
    return DeskConfig(name, block, make) if block and make else None


def _kind(
    folder: Literal["sources", "desks"], common: Mapping[str, Any], rest: Mapping[str, Any], base: Path, file: str, key: str, faults: list[Fault]
) -> Callable[[], Any] | None:
    if not isinstance(common.get("kind"), str):
        return None
    try:
        cls = load(folder, common["kind"])
    except (LookupError, ImportError) as error:
        faults.append(Fault(file, f"{key}.kind", str(error.args[0])))
        return None
    model = SourceBlock if folder == "sources" else DeskBlock
    chosen = checked(cls, _placed(rest, base), file, key, faults, set(model.model_fields))
    return None if chosen is None else built(cls, chosen, file, key, faults)


def _rules(monitor: Monitor, patterns: Any, base: Path, faults: list[Fault]) -> list[Callable[[], Rule]]:
    """The rules of every file that the patterns name (none: the shipped catalog)."""
    paths: list[Path] = []
    for i, pattern in enumerate(patterns if isinstance(patterns, list) else []):
        found = sorted(base.glob(pattern)) if isinstance(pattern, str) and pattern and not Path(pattern).is_absolute() else sorted(Path("/").glob(str(pattern).lstrip("/")))
        if not found:
            faults.append(Fault("config.toml", f"monitor.rules[{i}]", f"no file matches {pattern!r}"))
        paths += [path for path in found if path not in paths]
    made: dict[str, tuple[str, Callable[[], Rule] | None]] = {}
    for path in paths if patterns is not None else sorted(CATALOG.glob("*.toml")):
        for i, given in enumerate(_entries(path, faults)):
            if not isinstance(given, dict):
                faults.append(Fault(path.name, f"rule[{i}]", "must be a table, as in [[rule]]"))
                continue
            name = given.get("name")
            key = f"rule.{name}" if isinstance(name, str) and name else f"rule[{i}]"
            if name in made:
                faults.append(Fault(path.name, f"{key}.name", f"there is a rule of this name in {made[name][0]} already"))
                continue
            made[name if isinstance(name, str) else key] = (path.name, _rule(given, monitor, path.name, key, faults))
    return [factory for _, factory in made.values() if factory]


def _entries(path: Path, faults: list[Fault]) -> list[Any]:
    tables = read_toml(path, path.name, faults)
    faults += [Fault(path.name, key, "no such key; a rule is a [[rule]]") for key in tables if key != "rule"]
    entries = tables.get("rule", [])
    if not isinstance(entries, list):
        faults.append(Fault(path.name, "rule", "must be a list of tables: write [[rule]]"))
        return []
    return entries


def _rule(given: dict[str, Any], monitor: Monitor, file: str, key: str, faults: list[Fault]) -> Callable[[], Rule] | None:
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
    chosen = checked(cls, rest, file, key, faults, known)
    if block is None or chosen is None:
        return None
    spec = Spec(
        name=block.name,
        kind=block.kind,
        grain=Grain(tuple(n for n in DIMENSIONS if n in block.by), int((block.window or monitor.window) / MINUTE), block.where),
        for_=block.for_,
        keep_firing_for=block.keep_firing_for,
        min_total=block.min_total,
        severity=Severity(block.severity),
        guide=block.guide,
    )
    make = built(lambda **options: cls(spec, **options), chosen, file, key, faults)
    if make and (wrong := _mismatch(make())):
        faults.append(Fault(file, f"{key}.by", wrong))
        return None
    return make


def _mismatch(rule: Rule) -> str:
    """Why its measures and its grain do not go together, or ''."""
    metrics = "value" in rule.measures
    if metrics and len(rule.measures) > 1:
        return "`value` is of metrics, the other measures are of transactions: one rule is of one or of the other"
    if metrics and "client_id" in rule.spec.grain.by:
        return "metrics have no client_id"
    if not metrics and "series" in rule.spec.grain.by:
        return "`series` is of metrics, and this rule's measures are of transactions"
    return ""


