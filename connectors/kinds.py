"""The kinds of source, desk, receiver and board there are: one file under the folder is one kind, nothing is registered."""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path
from typing import Any, Literal

Folder = Literal["sources", "desks", "receivers", "boards"]


def kinds(folder: Folder) -> list[str]:
    """Names of the kinds in a folder, sorted: `["file", "sql", ...]`."""
    return sorted(file.stem for file in (Path(__file__).parent / folder).glob("[!_]*.py"))


def tools() -> list[str]:
    """Names of the desks that are sources of cases too: a case tool is one file for both."""
    return [kind for kind in kinds("desks") if kind not in kinds("sources") and hasattr(load("desks", kind), "poll")]


def load_source(kind: str, role: str) -> type[Any]:
    """The class of a source: of a file under `sources`, or, for cases, a case tool's own; raises as `load`."""
    if role != "cases" or kind in kinds("sources"):
        return load("sources", kind)
    if kind not in tools():
        raise LookupError(f"no source kind {kind!r}; there are: {', '.join(sorted((*kinds('sources'), *tools())))}")
    return load("desks", kind)


def load(folder: Folder, kind: str) -> type[Any]:
    """The single public class that the kind's file defines.

    Raises LookupError, naming the kinds there are, if there is no such file; ImportError if the kind needs a package
    that is not installed; TypeError if the file does not define exactly one public class.
    """
    known = kinds(folder)
    if kind not in known:
        raise LookupError(f"no {folder.removesuffix('s')} kind {kind!r}; there are: {', '.join(known)}")
    module = importlib.import_module(f"connectors.{folder}.{kind}")
    found = [
        thing
        for name, thing in vars(module).items()
        if inspect.isclass(thing) and thing.__module__ == module.__name__ and not name.startswith("_")
    ]
    if len(found) != 1:
        names = ", ".join(thing.__name__ for thing in found) or "none"
        raise TypeError(f"connectors/{folder}/{kind}.py must define exactly one public class; it defines: {names}")
    return found[0]
