"""`vigia reads list`: who has looked at which clients, for the officer of data protection."""

from __future__ import annotations

from typing import Annotated

import typer

from monitor.cli import CONFIG, AsJson, ConfigPath, show, stored, time

app = typer.Typer(no_args_is_help=True, help="Who has looked at which clients.")


@app.command("list")
def listed(
    config: ConfigPath = CONFIG,
    *,
    client: Annotated[
        str, typer.Option("--client", metavar="NIT", help="Of this client, or of an incident that touched them.")
    ] = "",
    by: Annotated[str, typer.Option("--by", metavar="WHO", help="By this user.")] = "",
    since: Annotated[str | None, typer.Option("--since", metavar="TIME", help="From then on.")] = None,
    until: Annotated[str | None, typer.Option("--until", metavar="TIME", help="Before then.")] = None,
    as_json: AsJson = False,
) -> None:
    """The reads that are kept, the newest first; the refused ones too."""
    from connectors.nit import canonical
    from monitor.reads import reads

    with stored(config) as (settings, store):
        zone = settings.monitor.timezone
        start, end = time(since, zone, "--since"), time(until, zone, "--until")
        rows = reads(store, client_id=canonical(client)[0] if client else "", who=by, since=start, until=end)
        show("read_listing.show_reads", settings, rows, as_json=as_json)
