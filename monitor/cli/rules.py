"""`vigia rules`: what is watched."""

from __future__ import annotations

import json

import typer

from monitor.cli import CONFIG, AsJson, ConfigPath, configured

app = typer.Typer(no_args_is_help=True, help="The rules that are loaded.")


@app.command("list")
def rules_list(config: ConfigPath = CONFIG, *, as_json: AsJson = False) -> None:
    """What is watched."""
    specs = [rule.spec for rule in configured(config).rules()]
    if as_json:
        rows = [
            {
                "name": spec.name, "kind": spec.kind, "by": spec.grain.by, "where": spec.grain.where, "window_minutes": spec.grain.minutes,
                "for_seconds": spec.for_.total_seconds(), "keep_firing_for_seconds": spec.keep_firing_for.total_seconds(),
                "min_total": spec.min_total, "severity": spec.severity, "guide": spec.guide,
            }
            for spec in specs
        ]  # fmt: skip
        typer.echo(json.dumps(rows, ensure_ascii=False, indent=2))
        return
    for spec in specs:
        where = f" where {spec.grain.where}" if spec.grain.where else ""
        by = ", ".join(spec.grain.by) or "all"
        typer.echo(f"{spec.name}  {spec.kind}  by {by}{where}  {spec.grain.minutes}m  {spec.severity}")
