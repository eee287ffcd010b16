"""`vigia incidents`: what fails or failed."""

from __future__ import annotations

from typing import Annotated

import typer

from monitor.cli import CONFIG, AsJson, ConfigPath, Who, act, found, now, show, stored

app = typer.Typer(no_args_is_help=True, help="What fails or failed: list, show, ack, resolve, note.")


@app.command("list")
def incidents_list(
    config: ConfigPath = CONFIG,
    *,
    state: Annotated[
        str | None, typer.Option(help="open, resolved, merged or all; else all that stand for themselves.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """The incidents, newest first."""
    from monitor import people

    if (state or "") not in people.STATES:
        raise typer.BadParameter(f"must be one of {', '.join(filter(None, people.STATES))}", param_hint="--state")
    with stored(config) as (settings, store):
        show("show_incidents", settings, found(lambda: people.incidents(store, now(), state=state)), as_json=as_json)


@app.command("show")
def incidents_show(incident: str, config: ConfigPath = CONFIG, *, as_json: AsJson = False) -> None:
    """One incident whole: since when, whom it touches, what was done."""
    from monitor import people

    with stored(config) as (settings, store):
        measures = {rule.spec.name: rule.shown for rule in settings.rules()}
        show(
            "show_incident", settings, found(lambda: people.incident(store, incident, now())), measures, as_json=as_json
        )


@app.command("ack")
def incidents_ack(incident: str, who: Who, config: ConfigPath = CONFIG) -> None:
    """Say that somebody has seen it."""
    act("acknowledge", incident, who, "", config)


@app.command("resolve")
def incidents_resolve(
    incident: str, who: Who, config: ConfigPath = CONFIG, text: Annotated[str, typer.Option("--text", help="Why.")] = ""
) -> None:
    """Say that it is over."""
    act("resolve", incident, who, text, config)


@app.command("note")
def incidents_note(incident: str, text: str, who: Who, config: ConfigPath = CONFIG) -> None:
    """Write something down with it."""
    act("note", incident, who, text, config)
