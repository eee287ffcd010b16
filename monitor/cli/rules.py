"""`vigia rules`: what is watched."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import typer

from monitor.cli import CONFIG, AsJson, ConfigPath, configured

if TYPE_CHECKING:
    from monitor.config import Config

NOBODY = (0, 0)
app = typer.Typer(no_args_is_help=True, help="The rules that are loaded.")


@app.command("list")
def rules_list(config: ConfigPath = CONFIG, *, as_json: AsJson = False) -> None:
    """What is watched, and whether what it found was useful."""
    settings = configured(config)
    specs = [rule.spec for rule in settings.rules()]
    found = _useful(settings)
    if as_json:
        rows = [
            {
                "name": spec.name, "kind": spec.kind, "by": spec.grain.by, "where": spec.grain.where, "window_minutes": spec.grain.minutes,
                "for_seconds": spec.for_.total_seconds(), "keep_firing_for_seconds": spec.keep_firing_for.total_seconds(),
                "min_total": spec.min_total, "severity": spec.severity, "guide": spec.guide,
                "useful": found.get(spec.name, NOBODY)[0], "not_useful": found.get(spec.name, NOBODY)[1],
            }
            for spec in specs
        ]  # fmt: skip
        typer.echo(json.dumps(rows, ensure_ascii=False, indent=2))
        return
    for spec in specs:
        where = f" where {spec.grain.where}" if spec.grain.where else ""
        by = ", ".join(spec.grain.by) or "all"
        yes, no = found.get(spec.name, NOBODY)
        told = f"  useful {yes}, not {no}" if yes or no else ""
        typer.echo(f"{spec.name}  {spec.kind}  by {by}{where}  {spec.grain.minutes}m  {spec.severity}{told}")


def _useful(settings: Config) -> dict[str, tuple[int, int]]:
    """By rule, how many of its incidents people found useful, and how many not; none where there is no state yet."""
    from monitor.people import rules_useful
    from monitor.store import Store, StoreError

    try:
        store = Store(settings.monitor.database)
        try:
            return rules_useful(store)
        finally:
            store.close()
    except StoreError:
        return {}
