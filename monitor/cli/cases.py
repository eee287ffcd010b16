"""`vigia cases`: the preventive cases, and what people do with them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from monitor.cli import CONFIG, AsJson, ConfigPath, Who, found, now, show, stored, warn

app = typer.Typer(
    no_args_is_help=True,
    help="The preventive cases: list, approve, withdraw, reinstate, informed, promote, confirm, undo, attribute.",
)
Names = Annotated[list[str], typer.Argument(metavar="INCIDENT|KEY...", help="All of an incident, or single cases.")]
Key = Annotated[str, typer.Argument(metavar="KEY", help="The case, or as much of its key as no other shares.")]
Text = Annotated[str, typer.Option("--text", help="Why.")]


@app.command("list")
def cases_list(
    config: ConfigPath = CONFIG,
    *,
    at_risk: Annotated[bool, typer.Option("--at-risk", help="Only those whose promise is at risk or broken.")] = False,
    as_json: AsJson = False,
) -> None:
    """What was decided for each client, how it went, and how the promise of each case stands."""
    from monitor import people
    from monitor.bereft import marked
    from monitor.clocks import clocked

    with stored(config) as (settings, store):
        found = marked(people.cases(store), store, settings.desks)
        rows = clocked(store, found, settings.promises, now())
        if at_risk:
            rows = [row for row in rows if row["clock"] in ("at_risk", "breached")]
        show("show_cases", settings, rows, as_json=as_json)
        warn(settings, store)


@app.command("approve")
def cases_approve(names: Names, who: Who, config: ConfigPath = CONFIG, text: Text = "") -> None:
    """Let what waits for approval be opened; of an incident, also the cases to come."""
    _do("approve", names, who, text, config)


@app.command("withdraw")
def cases_withdraw(names: Names, who: Who, config: ConfigPath = CONFIG, text: Text = "") -> None:
    """Take back what we opened, and what waits; of an incident, nothing is opened any more."""
    _do("withdraw", names, who, text, config)


@app.command("reinstate")
def cases_reinstate(names: Names, who: Who, config: ConfigPath = CONFIG, text: Text = "") -> None:
    """Take back a withdrawal while the incident is open: who waited, and who is hit from now on, are decided anew."""
    _do("reinstate", names, who, text, config)


@app.command("informed")
def cases_informed(key: Key, who: Who, config: ConfigPath = CONFIG, text: Text = "") -> None:
    """Say that post-sale (N1) has told the client."""
    _do("informed", [key], who, text, config)


@app.command("promote")
def cases_promote(key: Key, who: Who, config: ConfigPath = CONFIG, text: Text = "") -> None:
    """Say that operations (N2) have made an incidente of the soporte."""
    _do("promote", [key], who, text, config)


@app.command("confirm")
def cases_confirm(key: Key, who: Who, config: ConfigPath = CONFIG, text: Text = "") -> None:
    """Say that the linked case is about the incident."""
    _do("confirm", [key], who, text, config)


@app.command("undo")
def cases_undo(key: Key, who: Who, config: ConfigPath = CONFIG, text: Text = "") -> None:
    """Say that the linked case is about something else: the link goes, with its figures, and does not come back."""
    _do("undo", [key], who, text, config)


@app.command("attribute")
def cases_attribute(
    key: Key,
    case_id: Annotated[str, typer.Argument(metavar="CASE_ID", help="Its number at the tool, or SOURCE/NUMBER.")],
    who: Who,
    config: ConfigPath = CONFIG,
) -> None:
    """Say which case of a tool is the client's own report."""
    from monitor import casework

    with stored(config) as (_, store):
        typer.echo(found(lambda: casework.attribute(store, key, case_id, who, now())))


def _do(action: str, names: list[str], who: str, text: str, config: Path) -> None:
    from monitor import casework

    with stored(config) as (_, store):
        for line in found(lambda: casework.do(store, action, names, who, text, now())):
            typer.echo(line)
