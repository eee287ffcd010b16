"""`vigia causes`: what keeps failing, and what it costs."""

from __future__ import annotations

from typing import Annotated

import typer

from monitor.cli import CONFIG, AsJson, ConfigPath, now, show, stored, time


def causes(
    config: ConfigPath = CONFIG,
    *,
    since: Annotated[str | None, typer.Option(metavar="TIME", help="From here on; else the last period.")] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Up to here; else now.")] = None,
    by: Annotated[
        str, typer.Option(help="What the shares are of: failures, incidents, clients or minutes.")
    ] = "failures",
    as_json: AsJson = False,
) -> None:
    """The Pareto of causes, what was escalated as a root cause, and which clients were hit again."""
    from typing import cast, get_args

    from alerts.causes import Measure
    from monitor.causes import causes as asked

    if by not in get_args(Measure):
        raise typer.BadParameter(f"must be one of {', '.join(get_args(Measure))}", param_hint="--by")
    with stored(config) as (settings, store):
        zone = settings.monitor.timezone
        first, last = time(since, zone, "--since"), time(until, zone, "--until")
        if first and first >= (last or now()):
            raise typer.BadParameter("must be later than --since", param_hint="--until")
        found = asked(store, settings.causes.escalating, now(), since=first, until=last, by=cast("Measure", by))
        show("tallies.show_causes", settings, found, as_json=as_json)
