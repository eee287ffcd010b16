"""What is wrong in a user's files, all of it, each with file and key; and the reading of TOML with its secrets."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import ValidationError

_SECRET = re.compile(r"\$\{(?:(file):)?([^}]+)\}")


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong: in which file, at which key, and what."""

    file: str
    key: str
    what: str

    def __str__(self) -> str:
        return ": ".join(part for part in (self.file, self.key, self.what) if part)


class ConfigError(Exception):
    """The configuration cannot be used; `faults` are all that is wrong with it."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(map(str, self.faults)))


def read_toml(path: Path, name: str, faults: list[Fault]) -> dict[str, Any]:
    """The file's tables, or none and a fault."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        faults.append(Fault(name, "", "no such file"))
    except OSError as error:
        faults.append(Fault(name, "", f"cannot be read: {error.strerror}"))
    except UnicodeDecodeError as error:
        faults.append(Fault(name, "", f"is not UTF-8 (byte {error.start})"))
    except tomllib.TOMLDecodeError as error:
        faults.append(Fault(name, "", f"is not TOML: {error}"))
    return {}


def with_secrets(value: Any, base: Path, name: str, faults: list[Fault], key: str = "") -> Any:
    """The value with every `${NAME}` taken from the environment and every `${file:path}` from that file (last newline dropped)."""
    if isinstance(value, dict):
        return {k: with_secrets(v, base, name, faults, f"{key}.{k}" if key else k) for k, v in value.items()}
    if isinstance(value, list):
        return [with_secrets(v, base, name, faults, f"{key}[{i}]") for i, v in enumerate(value)]
    if not isinstance(value, str):
        return value

    def found(match: re.Match[str]) -> str:
        file, what = match.groups()
        if not file and what not in os.environ:
            faults.append(Fault(name, key, f"the environment has no {what}"))
        elif file:
            try:
                return (base / what).read_text(encoding="utf-8").removesuffix("\n")
            except (OSError, UnicodeDecodeError) as error:
                faults.append(Fault(name, key, f"secret file {what} cannot be read: {getattr(error, 'strerror', 'not UTF-8')}"))
        return os.environ.get(what, "") if not file else ""

    return _SECRET.sub(found, value)


def explained(error: ValidationError, name: str, prefix: str, known: Iterable[str] = ()) -> list[Fault]:
    """pydantic's errors as faults: key by key, never with the value that was given (it may be a secret)."""
    return [Fault(name, _key(prefix, problem["loc"]), _what(problem, known)) for problem in error.errors(include_url=False)]


def _key(prefix: str, loc: tuple[int | str, ...]) -> str:
    key = prefix
    for part in loc:
        key += f"[{part}]" if isinstance(part, int) else f".{part}" if key else str(part)
    return key


def _what(problem: Any, known: Iterable[str]) -> str:
    kind, context = problem["type"], problem.get("ctx", {})
    if kind == "extra_forbidden":
        name = str(problem["loc"][-1])
        near = get_close_matches(name, list(known), n=1)
        return f"no such key; did you mean {near[0]!r}?" if near else f"no such key; there are {', '.join(known)}" if known else "no such key"
    if kind == "missing":
        return "is missing"
    if kind == "value_error":
        return str(context["error"])
    if kind == "literal_error":
        return f"must be {context['expected']}"
    text = str(problem["msg"])
    return text[0].lower() + text[1:].replace("Input should", "should").replace("input should", "should").removeprefix("nput ")
