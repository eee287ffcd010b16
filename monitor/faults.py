"""What is wrong in a user's files, all of it, each with file and key; and the reading of TOML with its secrets."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import ValidationError

_SECRET = re.compile(r"\$\{(?:(file):)?([^}]+)\}")
_SHAPES = {
    "model_type": "a block of keys",
    "dict_type": "a table such as { a = 1 }",
    "mapping_type": "a table such as { a = 1 }",
    "list_type": 'a list such as ["a", "b"]',
    "string_type": 'a text in "quotation marks"',
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
}
SHORTEST = 4
"""Signs of a secret: what is shorter is everywhere in the words around it, too."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong: in which file, at which key, and what."""

    file: str
    key: str
    what: str

    def __str__(self) -> str:
        return ": ".join(part for part in (self.file, self.key, self.what) if part)


class Unfilled(Fault):
    """A secret that is not there. Who does not use it may do without: see `monitor.config.read_config`."""

    __slots__ = ()


class ConfigError(Exception):
    """The configuration cannot be used; `faults` are all that is wrong with it."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(map(str, self.faults)))


def read_toml(path: Path, name: str, faults: list[Fault]) -> dict[str, Any]:
    """The file's tables, or none and a fault."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        faults.append(Fault(name, "", "no such file"))
    except OSError as error:
        faults.append(Fault(name, "", f"cannot be read: {error.strerror}"))
    except UnicodeDecodeError as error:
        faults.append(Fault(name, "", f"is not UTF-8 (byte {error.start})"))
    except tomllib.TOMLDecodeError as error:
        faults.append(Fault(name, "", f"is not TOML: {error}"))
    return {}


class Secrets:
    """What `${NAME}` and `${file:path}` stand for in a file of `base`; and the hiding of it in what is told.

    declared: what a NAME stands for that the environment does not have.
    """

    def __init__(self, base: Path, name: str, declared: Mapping[str, str] | None = None) -> None:
        self._base, self._name = base, name
        self._declared = declared or {}
        self._found: dict[str, str] = {}

    def filled(self, value: Any, faults: list[Fault], key: str = "") -> Any:
        """The value with every `${NAME}` from the environment, every `${file:path}` from its file (less a last newline)."""
        if isinstance(value, dict):
            return {k: self.filled(v, faults, f"{key}.{k}" if key else k) for k, v in value.items()}
        if isinstance(value, list):
            return [self.filled(v, faults, f"{key}[{i}]") for i, v in enumerate(value)]
        if not isinstance(value, str):
            return value

        def found(match: re.Match[str]) -> str:
            try:
                secret = self._read(*match.groups())
            except LookupError as error:
                faults.append(Unfilled(self._name, key, error.args[0]))
                return match.group()
            self._found[secret] = match.group()
            return secret

        return _SECRET.sub(found, value)

    def hidden(self, faults: Iterable[Fault]) -> list[Fault]:
        """The faults, with what was filled in taken out again; what is too short to be a secret stays."""
        longest = sorted((secret for secret in self._found if len(secret) >= SHORTEST), key=len, reverse=True)
        told = []
        for fault in faults:
            what = fault.what
            for secret in longest:
                for written in (secret, repr(secret)[1:-1]):
                    what = what.replace(written, self._found[secret])
            told.append(replace(fault, what=what))
        return told

    def _read(self, file: str | None, what: str) -> str:
        if not file:
            if (secret := os.environ.get(what, self._declared.get(what))) is None:
                raise LookupError(f"the environment has no {what}")
            return secret
        try:
            return (self._base / what).read_text(encoding="utf-8").removesuffix("\n")
        except OSError as error:
            raise LookupError(f"secret file {what} cannot be read: {error.strerror}") from None
        except ValueError:
            raise LookupError(f"secret file {what} cannot be read: not UTF-8") from None


def explained(error: ValidationError, name: str, prefix: str, known: Iterable[str] = ()) -> list[Fault]:
    """Pydantic's errors as faults: key by key, never with the value that was given (it may be a secret)."""
    return [
        Fault(name, _key(prefix, problem["loc"]), _what(problem, known)) for problem in error.errors(include_url=False)
    ]


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
        return (
            f"no such key; did you mean {near[0]!r}?"
            if near
            else f"no such key; there are {', '.join(known)}"
            if known
            else "no such key"
        )
    if kind == "missing":
        return "is missing"
    if kind == "value_error":
        return str(context["error"])
    if kind == "literal_error":
        return f"must be {context['expected']}"
    if kind in _SHAPES:
        return f"must be {_SHAPES[kind]}"
    return re.sub(r"^(Input|String) should", "must", str(problem["msg"]))
