"""`vigia incidents`: what fails or failed."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from monitor.cli import CONFIG, AsJson, ConfigPath, Who, act, found, now, show, stored, warn

app = typer.Typer(no_args_is_help=True, help="What fails or failed: list, show, and what people do about it.")
Text = Annotated[str, typer.Option("--text", help="Why.")]


class Answer(StrEnum):
    """Of `useful`."""

    YES = "yes"
    NO = "no"


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
    from monitor.guides import meant

    if (state or "") not in people.STATES:
        raise typer.BadParameter(f"must be one of {', '.join(filter(None, people.STATES))}", param_hint="--state")
    with stored(config) as (settings, store):
        rows = found(lambda: people.incidents(store, now(), state=state))
        told = [meant(row, settings.words.guides) for row in rows]
        show("show_incidents", settings, told, as_json=as_json)
        warn(settings, store)


@app.command("show")
def incidents_show(incident: str, config: ConfigPath = CONFIG, *, as_json: AsJson = False) -> None:
    """One incident whole: since when, whom it touches, what was done."""
    from monitor import people
    from monitor.guides import meant

    with stored(config) as (settings, store):
        measures = {rule.spec.name: rule.shown for rule in settings.rules()}
        told = meant(found(lambda: people.incident(store, incident, now())), settings.words.guides)
        show("show_incident", settings, told, measures, as_json=as_json)


@app.command("ack")
def incidents_ack(incident: str, who: Who, config: ConfigPath = CONFIG, text: Text = "") -> None:
    """Say that somebody has seen it."""
    act("ack", incident, who, text, config)


@app.command("unack")
def incidents_unack(incident: str, who: Who, config: ConfigPath = CONFIG, text: Text = "") -> None:
    """Say that nobody sees to it any more."""
    act("unack", incident, who, text, config)


@app.command("assign")
def incidents_assign(
    incident: str,
    who: Who,
    to: Annotated[str, typer.Option("--to", help="Whose it is.")],
    config: ConfigPath = CONFIG,
    text: Text = "",
) -> None:
    """Say whose it is."""
    if not to.strip():
        raise typer.BadParameter("must name somebody; `unassign` takes it back", param_hint="--to")
    act("assign", incident, who, text, config, to)


@app.command("unassign")
def incidents_unassign(incident: str, who: Who, config: ConfigPath = CONFIG, text: Text = "") -> None:
    """Say that it is nobody's."""
    act("assign", incident, who, text, config)


@app.command("resolve")
def incidents_resolve(incident: str, who: Who, config: ConfigPath = CONFIG, text: Text = "") -> None:
    """Say that it is over: it stays so while it fails on, and for an hour can be reopened."""
    act("resolve", incident, who, text, config)


@app.command("reopen")
def incidents_reopen(incident: str, who: Who, config: ConfigPath = CONFIG, text: Text = "") -> None:
    """Take back, within an hour, that somebody closed it; then its rules say how it is."""
    act("reopen", incident, who, text, config)


@app.command("useful")
def incidents_useful(
    incident: str,
    useful: Annotated[Answer, typer.Argument(metavar="yes|no")],
    who: Who,
    config: ConfigPath = CONFIG,
    text: Text = "",
) -> None:
    """Say whether it was useful; of each person the newest word counts, and `rules list` adds them up."""
    act("useful", incident, who, text, config, useful.value)


@app.command("note")
def incidents_note(incident: str, text: str, who: Who, config: ConfigPath = CONFIG) -> None:
    """Write something down with it."""
    act("note", incident, who, text, config)
