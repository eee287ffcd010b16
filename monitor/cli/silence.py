"""`vigia silence`: for a time nobody is told of what matches."""

from __future__ import annotations

from typing import Annotated

import typer

from monitor.cli import CONFIG, AsJson, ConfigPath, Who, found, length, now, show, stored, time

app = typer.Typer(no_args_is_help=True, help="For a time nobody is told of what matches: add, list, expire.")


@app.command("add")
def silence_add(
    matchers: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NAME=VALUE...",
            help="By product, channel, severity, kind, rule (and no other rule sees it) or incident; all must hold.",
        ),
    ] = None,
    *,
    who: Who,
    reason: Annotated[str, typer.Option("--reason", help="Why.")],
    lasts: Annotated[str | None, typer.Option("--for", metavar="LENGTH", help="For so long, such as 2h.")] = None,
    until: Annotated[str | None, typer.Option("--until", metavar="TIME", help="Or until then.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Also where it is very wide or long.")] = False,
    config: ConfigPath = CONFIG,
    as_json: AsJson = False,
) -> None:
    """Make one: what it matches is judged and shown as ever, and nobody is told."""
    from monitor import silencing

    if (lasts is None) == (until is None):
        raise typer.BadParameter("give one of --for and --until", param_hint="--for")
    wanted = {}
    for matcher in matchers or ():
        name, sign, value = matcher.partition("=")
        if not sign or not value or name in wanted:
            raise typer.BadParameter(f"{matcher!r} is not NAME=VALUE, each name once", param_hint="NAME=VALUE")
        wanted[name] = value
    with stored(config) as (settings, store):
        at = now()
        over = time(until, settings.monitor.timezone, "--until") or at + (length(lasts, "--for") or at - at)
        made = found(lambda: silencing.add(store, wanted, who, reason, at, over, force=force))
        show("shift_listing.show_silence", settings, made, as_json=as_json)


@app.command("list")
def silence_list(
    config: ConfigPath = CONFIG,
    *,
    whole: Annotated[bool, typer.Option("--all", help="Those that are over as well.")] = False,
    as_json: AsJson = False,
) -> None:
    """Those in force, and which open incidents each keeps quiet."""
    from monitor import silencing

    with stored(config) as (settings, store):
        show("shift_listing.show_silences", settings, silencing.listed(store, now(), whole=whole), as_json=as_json)


@app.command("expire")
def silence_expire(silence: str, who: Who, config: ConfigPath = CONFIG) -> None:
    """End one now."""
    from monitor import silencing

    with stored(config) as (_, store):
        typer.echo(found(lambda: silencing.end(store, silence, who, now()))["id"])
