"""Which of the files that a configuration is made of changed between two readings, for the trail of what people did."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from monitor.config import Config

_SECRET_FILE = re.compile(r"\$\{file:([^}]+)\}")


def digests(config: Config) -> dict[str, str]:
    """By its name, relative to the configuration where it lies below it: the file, its rules, guides, templates and secrets in files."""
    base = config.path.resolve().parent
    found = {path.resolve(): _digest(path) for path in _files(config, base)}
    return {str(path.relative_to(base) if path.is_relative_to(base) else path): one for path, one in found.items()}


def changed(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """The names of what came, went, or differs, in order."""
    return sorted(name for name in before.keys() | now.keys() if before.get(name) != now.get(name))


def _files(config: Config, base: Path) -> Iterator[Path]:
    yield config.path
    yield from config.rule_homes.values()
    for folder in (config.words.guides, config.words.templates):
        yield from (path for path in Path(folder).rglob("*") if path.is_file()) if folder else ()
    try:
        named = _SECRET_FILE.findall(config.path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError):
        named = []
    yield from (base / name for name in named)


def _digest(path: Path) -> str:
    """'' where it cannot be read."""
    try:
        return sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""
