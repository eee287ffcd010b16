"""`vigia alerts`: what people are told, before they are told."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

import typer

from monitor.cli import CONFIG, ConfigPath, Who, fail, found, now, stored

app = typer.Typer(no_args_is_help=True, help="What people are told: preview.")


@app.callback()
def alerts() -> None:
    """What people are told."""


@app.command("preview")
def alerts_preview(
    incident: str,
    who: Who,
    config: ConfigPath = CONFIG,
    *,
    news: Annotated[
        Literal["incident", "fault", "breach", "digest", "summary"], typer.Option(help="What kind of news.")
    ] = "incident",
    words: Annotated[
        Literal["technical", "plain"] | None, typer.Option(help="plain: what post-sale can forward to the client.")
    ] = None,
    to: Annotated[
        str, typer.Option("--to", metavar="ADDRESS", help="As this person is told: with their own clients.")
    ] = "",
    role: Annotated[
        Literal["post_sale", "substitute", "manager"] | None,
        typer.Option(help="What --to is to the clients; without --to, as whoever answers for the first of them."),
    ] = None,
    event: Annotated[
        Literal["first", "update", "end"], typer.Option(help="As it is told for the first time, or later.")
    ] = "first",
    language: Annotated[
        Literal["es", "en"] | None, typer.Option(help="As [words] or the receiver says if not given.")
    ] = None,
    receiver: Annotated[str, typer.Option(metavar="NAME", help="As this receiver is told: in its language.")] = "",
    as_html: Annotated[bool, typer.Option("--html", help="The HTML instead of the text.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The facts, as programs are told.")] = False,
) -> None:
    """Print what somebody would be told of an incident. Nothing is sent."""
    from zoneinfo import ZoneInfo

    from monitor.previews import Asked, preview
    from monitor.words import rendered

    with stored(config) as (settings, store):
        if receiver and receiver not in settings.receivers:
            fail(f"no hay un [receivers.{receiver}]; hay {', '.join(settings.receivers) or 'ninguno'}")
        block = settings.receivers[receiver].block if receiver else None
        chosen = language or (block and block.language) or settings.words.language
        asked = Asked(incident, who, news, words, to, role, chosen, receiver, event)
        facts: dict[str, Any] = found(lambda: preview(store, settings, asked, now())) | {"event": event}
        if as_json:
            typer.echo(json.dumps(facts, ensure_ascii=False, indent=2))
            return
        told = rendered(facts, settings.words, zone=ZoneInfo(settings.monitor.timezone), quiet=True)
        typer.echo(told.html if as_html else f"{told.subject}\n\n{told.text}")
        for fault in told.faults:
            typer.echo(str(fault), err=True)
