"""`vigia indicators`: the month's figures."""

from __future__ import annotations

from typing import Annotated

import typer

from monitor.cli import CONFIG, AsJson, ConfigPath, fail, now, show, stored

Month = Annotated[
    str, typer.Option("--month", metavar="2026-03", help="Of this month; without it, of the current one.")
]


def indicators(config: ConfigPath = CONFIG, *, month: Month = "", as_json: AsJson = False) -> None:
    """The month's indicators, each with what it was counted from; nothing where it cannot be known."""
    from zoneinfo import ZoneInfo

    from monitor.indicators import indicators as asked
    from monitor.indicators import month_of

    with stored(config) as (settings, store):
        try:
            since, until = month_of(now().astimezone(ZoneInfo(settings.monitor.timezone)), month)
        except ValueError:
            fail(f"--month {month!r}: must be a month that has begun, such as 2026-03")
        found = asked(store, settings.promises, settings.losses, settings.causes.recurrence, since, until)
        show("indicator_listing.show_indicators", settings, found, as_json=as_json)
