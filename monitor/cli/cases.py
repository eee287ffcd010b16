"""`vigia cases`: the preventive cases."""

from __future__ import annotations

from typing import Annotated

import typer

from monitor.cli import CONFIG, AsJson, ConfigPath, now, show, stored

app = typer.Typer(no_args_is_help=True, help="The preventive cases.")


@app.command("list")
def cases_list(
    config: ConfigPath = CONFIG,
    *,
    at_risk: Annotated[bool, typer.Option("--at-risk", help="Only those whose promise is at risk or broken.")] = False,
    as_json: AsJson = False,
) -> None:
    """What was decided for each client, how it went, and how the promise of each case stands."""
    from monitor import people
    from monitor.clocks import clocked

    with stored(config) as (settings, store):
        rows = clocked(store, people.cases(store), settings.promises, now())
        if at_risk:
            rows = [row for row in rows if row["clock"] in ("at_risk", "breached")]
        show("show_cases", settings, rows, as_json=as_json)
