"""`vigia maintenance`: what is in breach there and then is no news."""

from __future__ import annotations

from typing import Annotated

import typer

from monitor.cli import CONFIG, AsJson, ConfigPath, Who, found, length, now, show, stored, time

app = typer.Typer(no_args_is_help=True, help="Maintenance, while Vigía runs: add, list, end.")


@app.command("add")
def maintenance_add(
    *,
    who: Who,
    reason: Annotated[str, typer.Option("--reason", help="Why.")],
    product: Annotated[str, typer.Option("--product", help="Of this product.")] = "",
    channel: Annotated[str, typer.Option("--channel", help="Of this channel.")] = "",
    start: Annotated[str | None, typer.Option("--from", metavar="TIME", help="From then on; else from now on.")] = None,
    until: Annotated[str | None, typer.Option("--until", metavar="TIME", help="Until then.")] = None,
    cron: Annotated[
        str, typer.Option("--cron", metavar="LINE", help="Each time that it says, such as '0 2 * * SUN'.")
    ] = "",
    lasts: Annotated[
        str | None, typer.Option("--lasts", metavar="LENGTH", help="For so long each time, such as 2h.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Also where it is very wide or long.")] = False,
    config: ConfigPath = CONFIG,
) -> None:
    """Declare it, once or again and again: what fails there then raises nothing; when it ends, what is true shows at once."""
    from monitor import works

    with stored(config) as (settings, store):
        zone = settings.monitor.timezone
        begins, over = time(start, zone, "--from"), time(until, zone, "--until")
        each = length(lasts, "--lasts")
        typer.echo(
            found(
                lambda: works.add(
                    store,
                    who,
                    reason,
                    now(),
                    zone,
                    product=product,
                    channel=channel,
                    start=begins,
                    until=over,
                    cron=cron,
                    lasts=each,
                    force=force,
                )
            )
        )


@app.command("list")
def maintenance_list(
    config: ConfigPath = CONFIG,
    *,
    whole: Annotated[bool, typer.Option("--all", help="What is over as well.")] = False,
    as_json: AsJson = False,
) -> None:
    """What is declared, in the configuration and by people, and when it is next."""
    from monitor import works

    with stored(config) as (settings, store):
        found_ = works.listed(store, settings.maintenance, now(), settings.monitor.timezone, whole=whole)
        show("shift_listing.show_works", settings, found_, as_json=as_json)


@app.command("end")
def maintenance_end(maintenance: str, who: Who, config: ConfigPath = CONFIG) -> None:
    """End it now, or before it begins."""
    from monitor import works

    with stored(config) as (_, store):
        typer.echo(found(lambda: works.end(store, maintenance, who, now())))
