"""The local desk's file. All cases in it are ours."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

from connectors import Case
from connectors.desks.local import Local
from tests.fakes.server import START, Tool

CASE = Case("", "AF-1", "900123456", "pagos", "", START, 80, "Afectación en pagos", "Fallan pagos.")


def tool(folder: Path) -> Tool:
    path = folder / "casos.csv"
    (folder / "file").write_text("")

    def rows(key: str) -> list[dict[str, str]]:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            return [row for row in csv.DictReader(lines) if row["clave"] == key]

    def read(key: str) -> dict[str, str]:
        (row,) = rows(key)
        return {"status": row["estado"], "kind": row["tipo"]}

    def add(ids: list[int]) -> None:
        desk = Local(path=str(path))
        for n in ids:
            assert desk.open(replace(CASE, key=f"k{n}")) == f"C-{n + 1:06}"

    def change(n: int, status: str) -> None:
        Local(path=str(path)).update(replace(CASE, key=f"k{n}", status=status))

    return Tool(
        None, {"path": str(path)}, {"path": str(path)}, lambda key: len(rows(key)), read, add, change,
        lambda name: int(name.removeprefix("C-")) - 1, broken={"path": str(folder / "file" / "casos.csv")}, paged=False,
    )  # fmt: skip
