"""Sources, desks, receivers and boards of the configuration: blocks to things ready to be made, each fault with its file and key."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, NoReturn, cast

from pydantic import ValidationError

from connectors import Board, CaseDesk, Receiver, Source
from connectors.kinds import Folder, load, load_source
from connectors.mapping import Mapping as Names
from connectors.roles import ROLES, STATUSES
from monitor.anew import defines
from monitor.blocks import Block, BoardBlock, DeskBlock, ReceiverBlock, SourceBlock
from monitor.faults import ConfigError, Fault, Unfilled, explained
from monitor.kinds import built, checked, options

IDENTITY = {"transactions": "id", "cases": "case_id", "clients": "client_id", "stories": "story_id"}
"""By role, the column by which two rows that are alike are one."""


@dataclass(frozen=True)
class SourceConfig:
    """A source, ready to be made. zone: of its times without offset; reads: see `monitor.anew`; lag: how late it says itself that it is.

    whole: of operations that are all read at each change, the key that is missing: only an id tells then which of them are new.
    """

    name: str
    block: SourceBlock
    zone: str
    make: Callable[[], Source] = field(repr=False)
    mapping: Callable[[], Names] = field(repr=False)
    reads: str = ""
    whole: str = ""
    lag: timedelta = timedelta()


@dataclass(frozen=True)
class DeskConfig:
    """A desk, ready to be made."""

    name: str
    block: DeskBlock
    make: Callable[[], CaseDesk] = field(repr=False)


@dataclass(frozen=True)
class ReceiverConfig:
    """A receiver, ready to be made."""

    name: str
    block: ReceiverBlock
    make: Callable[[], Receiver] = field(repr=False)


@dataclass(frozen=True)
class BoardConfig:
    """A board, ready to be made."""

    name: str
    block: BoardBlock
    make: Callable[[], Board] = field(repr=False)


_MODELS: Mapping[Folder, type[Block]] = {
    "sources": SourceBlock, "desks": DeskBlock, "receivers": ReceiverBlock, "boards": BoardBlock,
}  # fmt: skip


def read_block(model: type[Block], given: Any, file: str, key: str, faults: list[Fault]) -> Block | None:
    """The block as its model has it, or None; what is wrong with it goes to `faults`."""
    known = sorted(field.alias or name for name, field in model.model_fields.items())
    try:
        return model.model_validate(given)
    except ValidationError as error:
        faults += explained(error, file, key, known)
        return None


def named_blocks(
    tables: Mapping[str, Any], key: str, file: str, faults: list[Fault]
) -> list[tuple[str, dict[str, Any]]]:
    """Blocks under one key, by their name."""
    blocks = tables.get(key, {})
    if not isinstance(blocks, dict):
        faults.append(Fault(file, key, f"must be blocks, as in [{key}.NAME]"))
        return []
    wrong = [name for name, block in blocks.items() if not isinstance(block, dict)]
    faults += [Fault(file, f"{key}.{name}", f"must be a block, as in [{key}.{name}]") for name in wrong]
    return [(name, block) for name, block in blocks.items() if name not in wrong]


def split(model: type[Block], block: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What of a block is the model's, and the rest: the options of its kind."""
    ours = {field.alias or name for name, field in model.model_fields.items()}
    return {k: v for k, v in block.items() if k in ours}, {k: v for k, v in block.items() if k not in ours}


def absolute(value: str, base: Path) -> str:
    """SQLite's addresses are relative to the config file."""
    prefix, _, rest = value.partition("sqlite:///")
    return f"sqlite:///{base / rest}" if not prefix and rest and rest != ":memory:" else value


def _placed(options: Mapping[str, Any], base: Path) -> dict[str, Any]:
    """Paths, and SQLite's addresses, are relative to the config file."""
    placed = {k: absolute(v, base) if isinstance(v, str) else v for k, v in options.items()}
    for name in ("path", "ca_file", "cert_file", "key_file", "known_hosts", "token_file"):
        if isinstance(path := placed.get(name), str) and (path or name == "path") and "://" not in path:
            placed[name] = str(base / path)
    return placed


def read_source(
    name: str, given: dict[str, Any], zone: str, base: Path, file: str, *, faults: list[Fault]
) -> SourceConfig | None:
    """[sources.NAME]; what is wrong with it goes to `faults`."""
    key = f"sources.{name}"
    common, _ = split(SourceBlock, given)
    block = cast("SourceBlock | None", read_block(SourceBlock, common, file, key, faults))
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
        words = {
            n: getattr(block, n)
            for n in ("role", "columns", "defaults", "status", "client_form", "time_format", "decimal")
        }
        words |= {"columns": {}} if _names_itself(block) else {}
        mapping = built(Names, words | {"timezone": block.timezone or zone}, file, key, faults)
    make = _kind("sources", given, base, file, key, faults=faults)
    if not (block and make and mapping):
        return None
    if block.role == "transactions" and given.get("overlap") and "id" not in (*block.columns, given.get("key")):
        what = "is missing: rows of the overlap are read again, and only an id tells that they are the same"
        faults += [Fault(file, f"{key}.columns.id", what)] if block.kind == "sql" else []
    order = {"sql": "cursor", "http": "since"}.get(block.kind, "") if block.role == "transactions" else ""
    whole = "" if given.get(order) else order
    lag = getattr(make, "keywords", {}).get("lag", timedelta())
    return SourceConfig(name, block, block.timezone or zone, make, mapping, defines(block.kind, given), whole, lag)


def _names_itself(block: SourceBlock) -> bool:
    """Whether the kind takes `columns` and gives its rows under our names."""
    try:
        return "columns" in options(load_source(block.kind, block.role))
    except (LookupError, ImportError):
        return False  # told by `_kind`


def read_desk(
    name: str, given: dict[str, Any], zone: str, base: Path, file: str, *, faults: list[Fault]
) -> DeskConfig | None:
    """[desks.NAME]; what is wrong with it goes to `faults`. zone: in which a kind that writes for people alone writes its times."""
    key = f"desks.{name}"
    common, _ = split(DeskBlock, given)
    block = cast("DeskBlock | None", read_block(DeskBlock, common, file, key, faults))
    make = _kind("desks", given, base, file, key, zone=zone, faults=faults)
    return DeskConfig(name, block, make) if block and make else None


def read_receiver(
    name: str, given: dict[str, Any], base: Path, file: str, faults: list[Fault]
) -> ReceiverConfig | None:
    """[receivers.NAME]; what is wrong with it goes to `faults`."""
    key = f"receivers.{name}"
    common, _ = split(ReceiverBlock, given)
    block = cast("ReceiverBlock | None", read_block(ReceiverBlock, common, file, key, faults))
    make = _kind("receivers", given, base, file, key, faults=faults)
    return ReceiverConfig(name, block, make) if block and make else None


def read_board(name: str, given: dict[str, Any], base: Path, file: str, faults: list[Fault]) -> BoardConfig | None:
    """[boards.NAME]; what is wrong with it goes to `faults`."""
    key = f"boards.{name}"
    common, _ = split(BoardBlock, given)
    block = cast("BoardBlock | None", read_block(BoardBlock, common, file, key, faults))
    make = _kind("boards", given, base, file, key, faults=faults)
    return BoardConfig(name, block, make) if block and make else None


def _kind(
    folder: Folder,
    given: Mapping[str, Any],
    base: Path,
    file: str,
    key: str,
    *,
    zone: str = "",
    faults: list[Fault],
) -> Callable[[], Any] | None:
    model = _MODELS[folder]
    common, rest = split(model, given)
    if not isinstance(common.get("kind"), str):
        return None
    try:
        cls = (
            load_source(common["kind"], str(common.get("role")))
            if folder == "sources"
            else load(folder, common["kind"])
        )
    except (LookupError, ImportError) as error:
        faults.append(Fault(file, f"{key}.kind", str(error.args[0])))
        return None
    if "columns" in options(cls) and "columns" in common:
        rest["columns"] = common["columns"]  # a case tool must know what to ask for, and gives rows under our names
    elif folder == "sources" and common.get("columns") and cls.__module__.startswith("connectors.desks."):
        faults.append(Fault(file, f"{key}.columns", "its cases have our names already: leave it out"))
    if "role" in options(cls) and "role" in common:
        rest["role"] = common.get("role")
    if "identity" in options(cls) and folder == "sources":
        ours, names = IDENTITY.get(str(common.get("role")), ""), common.get("columns")
        rest.setdefault("identity", names.get(ours, ours) if isinstance(names, dict) else ours)
    if zone and "timezone" in options(cls):
        rest.setdefault("timezone", zone)
    before = len(faults)
    chosen = checked(cls, _placed(rest, base), file, key, faults, known=set(model.model_fields))
    faults[before:] = [
        replace(fault, what=f'{fault.what}, because kind = "{common["kind"]}"') if fault.key == f"{key}.role" else fault
        for fault in faults[before:]
    ]
    made = None if chosen is None else built(cls, chosen, file, key, faults)
    lacking = [fault for fault in faults if isinstance(fault, Unfilled) and fault.key.startswith(f"{key}.")]
    return partial(_without, lacking) if lacking else made


def _without(lacking: Sequence[Unfilled]) -> NoReturn:
    raise ConfigError(lacking)
