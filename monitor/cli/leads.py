"""`vigia leads`: who was reached first, and who was not."""

from __future__ import annotations

from typing import Annotated

import typer

from monitor.cli import CONFIG, AsJson, ConfigPath, now, stored, time


def leads(
    config: ConfigPath = CONFIG,
    *,
    since: Annotated[
        str | None, typer.Option("--since", metavar="TIME", help="Incidents detected from here on.")
    ] = None,
    until: Annotated[str | None, typer.Option("--until", metavar="TIME", help="Up to here.")] = None,
    as_json: AsJson = False,
) -> None:
    """Clients reached before they reported, the misses with their reasons, warnings, and losses kept from the clients."""
    from zoneinfo import ZoneInfo

    from monitor import lead_listing, leading, listing
    from monitor.people import as_json as written

    with stored(config) as (settings, store):
        zone = settings.monitor.timezone
        first, last = time(since, zone, "--since"), time(until, zone, "--until")
        if first and last and first >= last:
            raise typer.BadParameter("must be later than --since", param_hint="--until")
        answer = leading.leads(store, settings.losses, since=first, until=last)
        if as_json:
            typer.echo(written(answer))
        else:
            lead_listing.show_leads(answer, listing.console(), now().astimezone(ZoneInfo(zone)))
