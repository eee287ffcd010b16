"""Writes Grafana's boards from `boards/`: `make boards`. The JSON is committed; a test builds it again and compares."""

from __future__ import annotations

import json
import sys
from pathlib import Path

HERE = Path(__file__).parent
FOLDER = HERE / "provisioning" / "dashboards" / "vigia"
sys.path.insert(0, str(HERE))

from boards import cases, client, health, tower  # noqa: E402 - beside this file, which is no package
from grafana_foundation_sdk.cog.encoder import JSONEncoder  # noqa: E402


def boards() -> dict[str, str]:
    """Each board's JSON, by its file's name."""
    made = [module.build().build() for module in (tower, client, cases, health)]
    return {
        f"{one.uid}.json": json.dumps(one, cls=JSONEncoder, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
        for one in made
    }


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in boards().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
