"""Grafana's boards as tests read them: every query of every panel and variable, with what Grafana would put in for its variables."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DEPLOY = Path(__file__).parents[1] / "deploy"
FOLDER = DEPLOY / "grafana" / "provisioning" / "dashboards" / "vigia"
TIMES = {"$__rate_interval": "1m", "$__range": "1h", "$__interval": "15s"}


@dataclass(frozen=True)
class Query:
    """One query. source: the data source's uid; where: the board and panel, or its variable."""

    source: str
    where: str
    text: str
    instant: bool = True

    def filled(self, variables: Mapping[str, str]) -> str:
        """As Grafana sends it. variables: what is chosen, as it stands in the query."""
        text = re.sub(
            r"\$__timeFilter\(((?:[^()]|\([^()]*\))*)\)", r"\1 BETWEEN now() - interval '90 days' AND now()", self.text
        )
        for name, value in {**TIMES, "$__searchFilter": ""}.items():
            text = text.replace(name, value)
        for name, value in variables.items():
            text = text.replace(f"${{{name}:sqlstring}}", value).replace(f"${name}", value)
        assert "$" not in text, f"{self.where}: nobody fills {text}"
        return text


def boards() -> dict[str, dict[str, Any]]:
    """The committed JSON, by uid."""
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.json"))}


def panels(board: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """All but the rows."""
    for panel in board["panels"]:
        if panel["type"] == "row":
            yield from panel.get("panels", ())
        else:
            yield panel


def queries(board: Mapping[str, Any]) -> Iterator[Query]:
    """Every query of its panels."""
    for panel in panels(board):
        for target in panel["targets"]:
            where = f"{board['uid']}: {panel['title']} ({target['refId']})"
            text = target.get("expr") or target["rawSql"]
            yield Query(target["datasource"]["uid"], where, text, bool(target.get("instant", "rawSql" in target)))


def variables(board: Mapping[str, Any]) -> Iterator[Query]:
    """Every query of its variables."""
    for one in board["templating"]["list"]:
        if one["type"] == "query":
            text = one["query"]["query"] if isinstance(one["query"], dict) else one["query"]
            yield Query(one["datasource"]["uid"], f"{board['uid']}: ${one['name']}", text)
