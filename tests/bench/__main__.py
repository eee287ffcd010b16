"""`python -m tests.bench [NAME ...]`: the benches of those names, or all; `python -m tests.bench month [OPTIONS]`."""

from __future__ import annotations

import platform
import sys

from rich.console import Console
from rich.table import Table

from tests.bench import benches, cores, month

PROTOCOL = "Each figure is of this run alone: compare only what stands in one table. What is measured stands in the docstring of its bench."


def main(names: list[str]) -> int:
    """Print the table of each bench as it ends; 2 for a name that is none."""
    if names[:1] == ["month"]:
        return month.main(names[1:])
    known = benches()
    if unknown := [name for name in names if name not in known]:
        print(f"no bench named {', '.join(unknown)}; there are {', '.join(known)}", file=sys.stderr)
        return 2
    console = Console(width=120 if not sys.stdout.isatty() else None)
    console.print(f"{platform.machine()}, {cores()} cores, Python {platform.python_version()}. {PROTOCOL}")
    for name in names or [name for name in known if name != "pictures"]:  # they are files of the project
        table = Table(title=name, title_justify="left", box=None, pad_edge=False)
        table.add_column("what", min_width=46)
        table.add_column("figure", justify="right", min_width=10)
        table.add_column("unit", min_width=8)
        table.add_column("compare with")
        for figure in known[name]():
            table.add_row(figure.what, _short(figure.value), figure.unit, figure.beside)
        console.print(table, "")
    return 0


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
