"""config.toml and the rule files, as frozen models; every fault at once, each with its file and key."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from alerts.losses import Losses
from alerts.priority import Weights
from alerts.promises import Promises
from alerts.reasons import Limits
from alerts.rests import Rests
from alerts.stages import Stages
from monitor.access import ACCESS, Access, read_access
from monitor.blocks import DEMO_SECRETS, Block, Causes, Demo, Heartbeat, Monitor, Portfolio, Retention, Words
from monitor.faults import ConfigError, Fault, Secrets, read_toml
from monitor.losses import LossesBlock
from monitor.maintenance import Declared, read_maintenance
from monitor.naming import named
from monitor.plugs import (
    BoardConfig,
    DeskConfig,
    ReceiverConfig,
    SourceConfig,
    absolute,
    named_blocks,
    read_block,
    read_board,
    read_desk,
    read_receiver,
    read_source,
)
from monitor.promises import read_promises
from monitor.rests import read_rests
from monitor.routes import ROUTING, Routing, read_routing
from monitor.rulebook import read_rules
from monitor.shelves import lost_folders, placed_words
from monitor.stages import read_stages
from rules import Rule


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
    maintenance: tuple[Declared, ...] = ()
    promises: Promises = field(default_factory=Promises)
    stages: Stages = field(default_factory=Stages)
    rests: Rests = field(default_factory=Rests)
    receivers: Mapping[str, ReceiverConfig] = field(default_factory=dict)
    boards: Mapping[str, BoardConfig] = field(default_factory=dict)
    routing: Routing = field(default_factory=Routing)
    words: Words = field(default_factory=Words)
    heartbeat: Heartbeat | None = None
    access: Access = field(default_factory=Access)
    rule_homes: Mapping[str, Path] = field(default_factory=dict)
    """By rule, the file that it stands in."""
    named: frozenset[str] = frozenset()
    """The products and channels that the file names."""

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
    "words": Words, "heartbeat": Heartbeat,
}  # fmt: skip


LATER = frozenset({"sources", "desks", "receivers", "boards", "heartbeat", "access", "users"})
"""The blocks whose secrets only what polls, sends or serves needs. What people ask and do needs the state alone."""
DATABASE = "monitor.database"
STATELESS = LATER | {DATABASE}
"""And what reads neither state nor source: guides, tests of rules."""
REPLAYED = STATELESS - {"sources"}
"""And what reads the sources alone."""


def read_config(path: Path, later: Collection[str] = ()) -> Config:
    """The configuration and its rules; raises ConfigError with all that is wrong.

    later: blocks, or DATABASE, whose secrets may be missing (as in LATER): a source, desk, receiver or board without one has its name
    and all that its block says, and `make` raises ConfigError in the same words; nobody is to be let in by it.
    """
    faults: list[Fault] = []
    name = path.name or str(path)
    base = path.resolve().parent
    written = read_toml(path, name, faults)
    if faults:
        raise ConfigError(faults)
    secrets = Secrets(base, name, DEMO_SECRETS if "demo" in written else {})
    tables = secrets.filled(written, faults)
    unfilled = list(faults)
    late = _put_off(unfilled, later, tables)
    known = (
        *_BLOCKS,
        "sources",
        "desks",
        "maintenance",
        "promises",
        "promise",
        "step",
        "rests",
        "receivers",
        "boards",
        *ROUTING,
        *ACCESS,
    )
    faults += [Fault(name, key, f"no such block; there are {', '.join(known)}") for key in tables if key not in known]
    blocks = {
        key: read_block(model, tables.get(key, {}), name, key, faults)
        for key, model in _BLOCKS.items()
        if key in tables or key not in ("demo", "heartbeat")
    }
    monitor = cast("Monitor | None", blocks["monitor"])
    zone = monitor.timezone if monitor else "UTC"
    sources = {
        n: s
        for n, block in named_blocks(tables, "sources", name, faults)
        if (s := read_source(n, block, zone, base, name, faults=faults))
    }
    if tables.get("sources", {}) == {}:
        faults.append(Fault(name, "sources", "at least one source is needed, as in [sources.core]"))
    desks = {
        n: d
        for n, block in named_blocks(tables, "desks", name, faults)
        if (d := read_desk(n, block, zone, base, name, faults=faults))
    }
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
    receivers = {
        n: r
        for n, block in named_blocks(tables, "receivers", name, faults)
        if (r := read_receiver(n, block, base, name, faults))
    }
    boards = {
        n: b
        for n, block in named_blocks(tables, "boards", name, faults)
        if (b := read_board(n, block, base, name, faults))
    }
    if not tables.get("desks"):
        local = {"kind": "local", "path": "var/casos.csv"}
        desks = {"local": cast(DeskConfig, read_desk("local", local, zone, base, name, faults=faults))}
    maintenance = read_maintenance(tables.get("maintenance", []), zone, name, faults)
    promises = read_promises(tables, monitor or Monitor(), name, faults)
    stages = read_stages(tables, name, faults)
    rests = read_rests(tables.get("rests", []), name, faults)
    routing = read_routing(tables, monitor or Monitor(), name, faults)
    access = read_access(tables, name, faults)
    faults += lost_folders(cast("Words | None", blocks["words"]), base, name)
    raw = tables.get("monitor", {})
    rules, homes = read_rules(
        monitor or Monitor(), raw.get("rules") if isinstance(raw, dict) else None, base, name, faults
    )
    # What else is said of these keys is said of a text that was not filled in.
    keys = {key for fault in unfilled for key in (fault.key, fault.key.partition("[")[0])}
    keys |= {".".join(fault.key.split(".")[:2]) for fault in late}
    if told := [f for f in faults if f not in late and (f in unfilled or f.file != name or f.key not in keys)]:
        raise ConfigError(secrets.hidden(told))
    made = cast("dict[str, Any]", blocks)
    made["monitor"] = made["monitor"].model_copy(update={"database": absolute(made["monitor"].database, base)})
    made["words"] = placed_words(made["words"], base)
    if made.get("demo"):
        made["demo"] = made["demo"].model_copy(update={"database": str(base / made["demo"].database)})
    made |= {"sources": sources, "desks": desks, "maintenance": maintenance, "promises": promises, "stages": stages}
    made["losses"] = made["losses"].losses
    made |= {"rests": rests, "receivers": receivers, "boards": boards, "routing": routing, "access": access}
    names = frozenset(name for _, name in named(tables))
    return Config(path=path, rule_factories=tuple(rules), rule_homes=homes, named=names, **made)


def _put_off(unfilled: Iterable[Fault], later: Collection[str], tables: dict[str, Any]) -> list[Fault]:
    """Those of which nothing is said before they are used."""
    late = [fault for fault in unfilled if {fault.key, fault.key.partition(".")[0]} & {*later}]
    if DATABASE in (fault.key for fault in late):
        del tables["monitor"]["database"]
    return late
